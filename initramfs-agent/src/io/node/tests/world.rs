//! A file with its torrent, nodes in threads, and a peer that a test plays by hand.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use sha1::{Digest, Sha1};

use super::*;
use crate::core::metainfo::{info_dictionary, infohash};
use crate::core::rng::Rng;
use crate::core::wire::{Block, HANDSHAKE_BYTES, Handshake, Message, Parsed, Start, parse, piece_header};
use crate::io::https;
use crate::io::store::Artifact;

static SEED: AtomicU64 = AtomicU64::new(1);

fn seed() -> u64 {
    SEED.fetch_add(1, Ordering::Relaxed)
}

/// A file and its torrent.
pub(super) struct World {
    pub data: Vec<u8>,
    pub infohash: [u8; 20],
    pub piece_length: u32,
    pub pieces: Vec<u8>,
}

impl World {
    pub fn new(size: usize, piece_length: u32) -> Self {
        let mut rng = Rng::new(seed());
        let data: Vec<u8> = (0..size).map(|_| rng.next_u64() as u8).collect();
        let hashes = data.chunks(piece_length as usize).map(Sha1::digest);
        let pieces: Vec<u8> = hashes.flatten().collect();
        let infohash = infohash(&info_dictionary("file", size as u64, piece_length, &pieces));
        Self {
            data,
            infohash,
            piece_length,
            pieces,
        }
    }

    /// An empty place for the file.
    pub fn torrent(&self) -> TorrentConfig {
        TorrentConfig {
            infohash: self.infohash,
            name: "file".into(),
            piece_length: self.piece_length,
            pieces: known_hashes(self.pieces.clone()),
            torrent_url: None,
            artifact: Artifact::memory(self.data.len() as u64).unwrap(),
            have_all: false,
            origins: Vec::new(),
            seeders: Vec::new(),
            trackers: Vec::new(),
            first_answer: None,
        }
    }

    /// The whole file.
    pub fn seeding(&self) -> TorrentConfig {
        let torrent = self.torrent();
        torrent.artifact.write_at(0, &self.data).unwrap();
        assert_eq!(
            verify_all(&torrent.artifact, self.piece_length, &self.pieces).unwrap(),
            0
        );
        TorrentConfig {
            have_all: true,
            ..torrent
        }
    }

    pub fn assert_same(&self, artifact: &Artifact) {
        let mut got = vec![0; self.data.len()];
        artifact.read_at(0, &mut got).unwrap();
        assert!(got == self.data, "other bytes than the file's");
    }
}

/// A node on loopback that is not running yet.
pub(super) fn node(change: impl FnOnce(&mut NodeConfig)) -> Node {
    let seed = seed();
    let mut cfg = NodeConfig::new(*b"-BW0001-............", seed);
    cfg.peer_id[8..16].copy_from_slice(&seed.to_be_bytes());
    cfg.bind = Some([127, 0, 0, 1].into());
    cfg.http = Some(https::Client::without_trust());
    change(&mut cfg);
    Node::new(cfg).unwrap()
}

/// A running node.
pub(super) struct TestNode {
    pub handle: NodeHandle,
    pub events: Receiver<Event>,
    artifact: Arc<Artifact>,
    port: u16,
    thread: JoinHandle<Result<()>>,
}

impl TestNode {
    pub fn run(node: Node, artifact: Arc<Artifact>) -> Self {
        let (port, handle) = (node.port(), node.handle());
        let (sender, events) = channel();
        let thread = node.spawn(sender).unwrap();
        Self {
            handle,
            events,
            artifact,
            port,
            thread,
        }
    }

    pub fn seed(world: &World) -> Self {
        let torrent = world.seeding();
        let artifact = torrent.artifact.clone();
        let mut node = node(|_| {});
        node.add_torrent(torrent).unwrap();
        Self::run(node, artifact)
    }

    pub fn fetch(
        world: &World,
        change: impl FnOnce(TorrentConfig) -> TorrentConfig,
        peers: &[SocketAddr],
    ) -> Self {
        let torrent = change(world.torrent());
        let artifact = torrent.artifact.clone();
        let mut node = node(|_| {});
        let id = node.add_torrent(torrent).unwrap();
        node.handle().add_peers(id, peers.to_vec());
        Self::run(node, artifact)
    }

    pub fn addr(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub fn assert_whole(&self, world: &World) {
        assert!(self.artifact.wait_complete(WAIT).unwrap(), "not whole in time");
        world.assert_same(&self.artifact);
    }

    /// Ends the node; returns the last counters of its first torrent.
    pub fn stop(self) -> Progress {
        self.handle.stop();
        self.thread.join().unwrap().unwrap();
        let mut last = None;
        for event in self.events.iter() {
            match event {
                Event::Progress {
                    torrent: TorrentId(0),
                    progress,
                } => last = Some(progress),
                Event::Stopped => break,
                _ => {}
            }
        }
        last.unwrap()
    }
}

/// The first event that `pick` takes; fails the test when it does not come.
pub(super) fn wait_for<T>(events: &Receiver<Event>, mut pick: impl FnMut(Event) -> Option<T>) -> T {
    let until = Instant::now() + WAIT;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if let Some(found) = pick(events.recv_timeout(left).expect("the event comes")) {
            return found;
        }
    }
}

/// One end of a connection that a test plays by hand.
pub(super) struct Peer {
    pub stream: TcpStream,
    held: Vec<u8>,
}

impl Peer {
    /// Connects and exchanges handshakes.
    pub fn connect(addr: SocketAddr, world: &World) -> Self {
        let mut peer = Self::of(TcpStream::connect(addr).unwrap());
        peer.stream.write_all(&shake(world).encode()).unwrap();
        peer.read_handshake();
        peer
    }

    pub fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(WAIT)).unwrap();
        Self {
            stream,
            held: Vec::new(),
        }
    }

    pub fn read_handshake(&mut self) {
        let mut bytes = [0; HANDSHAKE_BYTES];
        self.stream.read_exact(&mut bytes).unwrap();
        assert!(matches!(Handshake::parse(&bytes), Ok(Start::Complete(_))));
    }

    /// The next message that `pick` takes; `None` when the connection has ended.
    pub fn next<T>(&mut self, pick: impl Fn(&Message<'_>) -> Option<T>) -> Option<T> {
        loop {
            while let Parsed::Message(message, len) = parse(&self.held, 1 << 20).unwrap() {
                let found = pick(&message);
                self.held.drain(..len);
                if found.is_some() {
                    return found;
                }
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(n) if n > 0 => self.held.extend_from_slice(&bytes[..n]),
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => panic!("nothing came in time"),
                _ => return None,
            }
        }
    }

    pub fn request(&mut self) -> Option<Block> {
        self.next(|m| match m {
            Message::Request(block) => Some(*block),
            _ => None,
        })
    }

    /// Payload after a `piece` header.
    pub fn payload(&mut self, len: usize) -> Vec<u8> {
        let mut payload: Vec<u8> = self.held.drain(..len.min(self.held.len())).collect();
        let held = payload.len();
        payload.resize(len, 0);
        self.stream.read_exact(&mut payload[held..]).unwrap();
        payload
    }

    pub fn send_block(&mut self, world: &World, block: Block, spoil: bool) -> std::io::Result<()> {
        let at = block.piece as usize * world.piece_length as usize + block.begin as usize;
        let mut bytes = piece_header(&block).to_vec();
        bytes.extend_from_slice(&world.data[at..at + block.len as usize]);
        bytes[20] ^= u8::from(spoil);
        self.stream.write_all(&bytes)
    }
}

pub(super) fn shake(world: &World) -> Handshake {
    Handshake {
        infohash: world.infohash,
        peer_id: *b"-XX0000-by-hand-....",
        fast: true,
        extended: false,
    }
}

/// A seeder whose blocks `serve` sends, in a thread for each connection. It accepts as long as the test runs.
pub(super) fn seeder_by_hand(world: &Arc<World>, serve: fn(&World, &mut Peer)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let world = Arc::clone(world);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let world = Arc::clone(&world);
            std::thread::spawn(move || {
                let mut peer = Peer::of(stream.unwrap());
                peer.read_handshake();
                let hello = [&shake(&world).encode()[..], b"\0\0\0\x01\x0e\0\0\0\x01\x01"].concat();
                if peer.stream.write_all(&hello).is_ok() {
                    serve(&world, &mut peer);
                }
            });
        }
    });
    addr
}
