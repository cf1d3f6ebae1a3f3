//! What goes into the swarm's state machine and what comes out of it.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::core::error::Code;
use crate::core::metainfo::InfoShape;
use crate::core::nearness::{Duty, Nearness};
use crate::core::time::Micros;
use crate::core::wire::{Block, Message, MetadataMessage, Outgoing};

/// A torrent (an artifact) of this node; index in the order of [`super::Swarm::add_torrent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TorrentId(pub u16);

/// A connection. The state machine numbers outgoing ones ([`Output::Connect`]), the shell incoming ones;
/// outgoing numbers are even, incoming ones odd; none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u32);

/// An HTTPS range request to the origin, numbered by the state machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub u32);

/// Who gave the hint that there may be a peer at an address. Anybody can give any number of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HintSource {
    /// A peer, by PEX (BEP 11).
    Pex(ConnId),
    /// A packet of local service discovery (BEP 14).
    Lsd,
    /// The DHT (BEP 5).
    Dht,
    /// Whoever connected to us and said where it listens.
    Itself,
}

/// Where the bytes of a piece in flight go. One writer only may write a piece in place; a second one
/// (a hedge) collects it in memory, so that a bad peer can never spoil what another wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// Straight to the piece's place in the store, hashed as it arrives.
    Primary,
    /// Into a buffer of its own, copied into place when its hash is right.
    Spare,
}

/// What is known of a torrent's info dictionary (BEP 3).
#[derive(Clone, Debug)]
pub enum MetadataSpec {
    /// All of it: peers may have it (BEP 9). Empty: pieces can be checked, but it is not given to others.
    Known(Arc<[u8]>),
    /// All but the hashes of the pieces: no piece is asked for before they are here.
    Wanted {
        /// What is known.
        shape: InfoShape,
        /// Whether [`Output::FetchMetadata`] makes sense.
        has_url: bool,
    },
}

/// What the state machine must know of a torrent.
#[derive(Clone, Debug)]
pub struct TorrentSpec {
    /// BEP 3 infohash.
    pub infohash: [u8; 20],
    /// Bytes of the one file.
    pub size_bytes: u64,
    /// Bytes in a piece, but for the last.
    pub piece_length: u32,
    /// Pieces that the store already holds and has verified (a seeder holds all).
    pub have_all: bool,
    /// Whether HTTPS origins are known, so that [`Output::Fetch`] makes sense.
    pub has_origin: bool,
    /// Addresses of the server's seeders: connected always, never forgotten, counted as origin.
    pub seeders: Vec<SocketAddr>,
    /// Its info dictionary, or what is known of it.
    pub metadata: MetadataSpec,
}

/// The state machine's inputs. All of them may come from a hostile peer.
#[derive(Debug)]
pub enum Input<'a> {
    /// The deadline has come (calling it at another time is harmless).
    Tick,
    /// The tracker, or the command line, names peers of a torrent.
    Peers {
        /// Of this torrent.
        torrent: TorrentId,
        /// Addresses with their nearness; our own may be among them.
        peers: &'a [(SocketAddr, Nearness)],
    },
    /// The tracker says who brings pieces into our rack; before it names peers.
    Duty {
        /// Of this torrent.
        torrent: TorrentId,
        /// We, or others.
        duty: Duty,
    },
    /// Somebody who need not be trusted says where there may be peers.
    Hints {
        /// Of this torrent.
        torrent: TorrentId,
        /// Who says so.
        source: HintSource,
        /// Addresses; our own may be among them.
        addrs: &'a [SocketAddr],
    },
    /// A connection that [`Output::Connect`] asked for is up and the shell has sent our handshake.
    Connected {
        /// Which.
        conn: ConnId,
    },
    /// A peer connected to us and named one of our torrents in its handshake; ours has been sent back.
    Incoming {
        /// Which, by the shell's number.
        conn: ConnId,
        /// The far end; its port is not the one it listens at.
        addr: SocketAddr,
        /// What it asked for.
        torrent: TorrentId,
    },
    /// The peer's handshake has arrived (both directions; for an incoming one right after `Incoming`).
    Handshake {
        /// Which.
        conn: ConnId,
        /// Its 20-byte identity; an agent's begins with `-BW`.
        peer_id: [u8; 20],
        /// Speaks BEP 6.
        fast: bool,
        /// Speaks BEP 10.
        extended: bool,
    },
    /// The peer's BEP 10 handshake, parsed by the shell.
    ExtendedHandshake {
        /// Which.
        conn: ConnId,
        /// `bs` is 1: it follows docs/protocol.md.
        bootswarm: bool,
        /// `bx`: to its knowledge we are in another rack, or in its own.
        elsewhere: Option<bool>,
        /// `p`: the port at which it listens.
        listen_port: Option<u16>,
        /// `reqq`.
        requests_max: Option<u32>,
        /// `m.ut_pex`: the id it wants PEX messages under.
        ut_pex: Option<u8>,
        /// `metadata_size`, when it also named an id for BEP 9.
        metadata_size: Option<u32>,
    },
    /// A BEP 9 message of a peer.
    Metadata {
        /// From this peer.
        conn: ConnId,
        /// Parsed, but not checked for sense.
        message: MetadataMessage<'a>,
    },
    /// The answer to [`Output::FetchMetadata`].
    MetadataFetched {
        /// Torrent.
        torrent: TorrentId,
        /// An info dictionary, or `None` when there was no valid answer.
        info: Option<&'a [u8]>,
        /// `Retry-After` of a server that asked to be left alone.
        retry_after: Option<Micros>,
    },
    /// Any message but `Piece` and `Extended`.
    Message {
        /// From this peer.
        conn: ConnId,
        /// Parsed and within the limits, but not checked for sense (a piece index may be absurd).
        message: Message<'a>,
    },
    /// A whole block has arrived and lies where [`super::Swarm::place_block`] said.
    Block {
        /// From this peer.
        conn: ConnId,
        /// Which.
        block: Block,
    },
    /// The answer to [`Output::Verify`].
    Verified {
        /// Torrent.
        torrent: TorrentId,
        /// Piece index.
        piece: u32,
        /// The slot whose bytes were checked.
        slot: Slot,
        /// The SHA-1 is the one of the metainfo; a `Spare` has been copied into place.
        ok: bool,
    },
    /// So many payload bytes of [`Output::SendBlock`] have gone to the kernel since the last report.
    Sent {
        /// To this peer.
        conn: ConnId,
        /// Payload bytes.
        bytes: u32,
    },
    /// The peer sent what is no message at all; [`Output::Close`] follows.
    Malformed {
        /// Which.
        conn: ConnId,
    },
    /// The connection is gone or never came up.
    Closed {
        /// Which.
        conn: ConnId,
    },
    /// A piece of a [`Output::Fetch`] has arrived, was checked and, if right, is in place.
    Fetched {
        /// Which request.
        fetch: FetchId,
        /// Piece index.
        piece: u32,
        /// Its SHA-1 is right.
        ok: bool,
    },
    /// A [`Output::Fetch`] has ended, well or not; pieces not reported by `Fetched` did not come.
    FetchEnded {
        /// Which request.
        fetch: FetchId,
        /// `Retry-After` of a server that asked to be left alone, or `None`.
        retry_after: Option<Micros>,
        /// The server did not answer, or its answer was invalid.
        failed: bool,
    },
}

/// What the shell has to do.
#[derive(Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection and send our handshake for this torrent; answer `Connected` or `Closed`.
    Connect {
        /// The number it gets.
        conn: ConnId,
        /// Where.
        addr: SocketAddr,
        /// For this torrent.
        torrent: TorrentId,
    },
    /// Close it; no `Closed` comes back.
    Close {
        /// Which.
        conn: ConnId,
        /// Why, when the peer is to blame.
        blame: Option<Code>,
    },
    /// Send a message without payload.
    Send {
        /// To this peer.
        conn: ConnId,
        /// Which message.
        message: Outgoing,
    },
    /// Send a `piece` message; its payload comes from the store, which has it whole and verified.
    SendBlock {
        /// To this peer.
        conn: ConnId,
        /// Of this torrent.
        torrent: TorrentId,
        /// Which.
        block: Block,
    },
    /// All blocks of a piece have arrived in this slot: check its SHA-1 and answer `Verified`.
    Verify {
        /// Torrent.
        torrent: TorrentId,
        /// Piece index.
        piece: u32,
        /// Where its bytes are.
        slot: Slot,
    },
    /// The bytes of this slot are not wanted any more (its peer left, another was faster): free it.
    /// A block that is just being received for it, and the rest of an HTTPS range, go nowhere for this piece:
    /// another writer may get the slot in the next output.
    Discard {
        /// Torrent.
        torrent: TorrentId,
        /// Piece index.
        piece: u32,
        /// Which slot.
        slot: Slot,
    },
    /// Fetch `count` pieces from the HTTPS origin with one range request.
    Fetch {
        /// Its number.
        fetch: FetchId,
        /// Torrent.
        torrent: TorrentId,
        /// First piece.
        piece: u32,
        /// How many.
        count: u32,
        /// Where the bytes go.
        slot: Slot,
    },
    /// Stop this range request; no `FetchEnded` comes back.
    CancelFetch {
        /// Which.
        fetch: FetchId,
    },
    /// The hashes of the pieces have come (20 bytes each, for all pieces) and fit the infohash.
    Metadata {
        /// Torrent.
        torrent: TorrentId,
        /// The hashes.
        hashes: Vec<u8>,
    },
    /// The info dictionary of this infohash has another name, size or piece length than the torrent was added with:
    /// nothing more happens to it.
    MetadataUnfit {
        /// Torrent.
        torrent: TorrentId,
    },
    /// Get the metainfo file over HTTPS and answer `MetadataFetched`.
    FetchMetadata {
        /// Torrent.
        torrent: TorrentId,
    },
    /// All pieces of a torrent are in place.
    TorrentDone {
        /// Torrent.
        torrent: TorrentId,
    },
    /// A peer sent wrong bytes or broke the protocol; it is not asked again.
    Banned {
        /// Its address.
        addr: SocketAddr,
        /// What it did.
        code: Code,
    },
    /// The neighbours are too few or have nothing new: announce again soon.
    WantPeers {
        /// Torrent.
        torrent: TorrentId,
    },
}

/// Counters of one torrent, for progress, events and benches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Pieces in place.
    pub pieces_done: u32,
    /// Pieces in all.
    pub pieces_total: u32,
    /// Bytes in place.
    pub done_bytes: u64,
    /// Useful bytes that came from other nodes.
    pub from_peers_bytes: u64,
    /// Useful bytes that came from the server, over BitTorrent or HTTPS.
    pub from_origin_bytes: u64,
    /// Bytes received that were not needed (hedges lost, bad pieces, restarts).
    pub duplicate_bytes: u64,
    /// Payload bytes sent to others.
    pub uploaded_bytes: u64,
    /// Connections past the handshake.
    pub peers: u32,
}
