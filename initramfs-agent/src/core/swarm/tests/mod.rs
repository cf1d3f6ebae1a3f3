//! Hand-driven tests in virtual time: one state machine, and we are its peers.

mod busy;
mod far;
mod floods;
mod hedge;
mod hostile;
mod importers;
mod metadata;
mod news;
mod pieces;
mod rack;
mod rivals;
mod seeded;
mod service;
mod slow;

use std::net::SocketAddr;

use super::*;
use crate::core::time::{MILLISECOND, SECOND};
use crate::core::wire::{Message, MetadataMessage};

const PIECE: u32 = 64 << 10;
const T0: TorrentId = TorrentId(0);

fn addr(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 6881))
}

fn spec(pieces: u32) -> TorrentSpec {
    TorrentSpec {
        infohash: [1; 20],
        // The last piece is one byte short of a block.
        size_bytes: u64::from(pieces - 1) * u64::from(PIECE) + (16 << 10) - 1,
        piece_length: PIECE,
        have_all: false,
        has_origin: false,
        seeders: Vec::new(),
        metadata: MetadataSpec::Known(Vec::new().into()),
    }
}

fn id(n: u8) -> [u8; 20] {
    let mut id = *b"-BW0001-000000000000";
    id[19] = n;
    id
}

fn swarm(n: u8) -> Swarm {
    swarm_of(n, 0)
}

fn swarm_of(n: u8, server_us: Micros) -> Swarm {
    Swarm::new(SwarmConfig {
        seed: u64::from(n),
        listen_port: 6881,
        own_addrs: vec![addr(n)],
        peer_id: id(n),
        window_pieces: 0,
        server_us,
    })
}

fn drain(s: &mut Swarm) -> Vec<Output> {
    std::iter::from_fn(|| s.poll()).collect()
}

/// A swarm with one agent as its neighbour; what was said until then is thrown away.
fn with_peer(spec: TorrentSpec, peer_id: [u8; 20]) -> (Swarm, ConnId) {
    let mut s = swarm(1);
    s.add_torrent(0, spec);
    let conn = join(&mut s, 1, 2, peer_id);
    (s, conn)
}

fn join(s: &mut Swarm, conn: u32, host: u8, peer_id: [u8; 20]) -> ConnId {
    let conn = ConnId(conn);
    s.handle(
        0,
        Input::Incoming {
            conn,
            addr: SocketAddr::from(([10, 0, 0, host], 40_000)),
            torrent: T0,
        },
    );
    s.handle(
        0,
        Input::Handshake {
            conn,
            peer_id,
            fast: true,
            extended: true,
        },
    );
    drain(s);
    conn
}

fn hears(s: &mut Swarm, now: Micros, conn: ConnId, message: Message<'_>) -> Vec<Output> {
    s.handle(now, Input::Message { conn, message });
    drain(s)
}

fn requests(outputs: &[Output]) -> Vec<(ConnId, Block)> {
    let pick = |o: &Output| match o {
        Output::Send {
            conn,
            message: Outgoing::Request(b),
        } => Some((*conn, *b)),
        _ => None,
    };
    outputs.iter().filter_map(pick).collect()
}

fn banned(outputs: &[Output], code: Code) -> bool {
    outputs
        .iter()
        .any(|o| matches!(o, Output::Banned { code: c, .. } if *c == code))
}

/// Delivers all requested blocks; what follows.
fn deliver(s: &mut Swarm, now: Micros, asked: &[(ConnId, Block)]) -> Vec<Output> {
    let mut out = Vec::new();
    for (conn, block) in asked {
        assert!(s.place_block(*conn, *block).is_some(), "{block:?} has no place");
        s.handle(
            now,
            Input::Block {
                conn: *conn,
                block: *block,
            },
        );
        out.extend(drain(s));
    }
    out
}

/// Delivers these blocks and those that are asked for on the way, of the same pieces from the same peers; the blocks.
fn deliver_whole(s: &mut Swarm, now: Micros, asked: &[(ConnId, Block)]) -> Vec<Block> {
    let ours =
        |(conn, block): &(ConnId, Block)| asked.iter().any(|(c, b)| c == conn && b.piece == block.piece);
    let mut left: std::collections::VecDeque<_> = asked.to_vec().into();
    let mut done = Vec::new();
    while let Some(next) = left.pop_front() {
        left.extend(requests(&deliver(s, now, &[next])).into_iter().filter(ours));
        done.push(next.1);
    }
    done
}

trait MapFirst {
    fn map_first(&self, n: u8) -> Self;
}
impl MapFirst for [u8; 20] {
    fn map_first(&self, n: u8) -> Self {
        let mut id = *self;
        id[19] = n;
        id
    }
}
