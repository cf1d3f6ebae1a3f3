//! One connection: what the peer has, whether it lets us ask, what is on its way in both directions.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;

use super::budget::Budget;
use super::types::{ConnId, TorrentId};
use crate::core::time::Micros;
use crate::core::wire::Block;

/// Requests that a peer takes when its extension handshake has not said how many (BEP 10 `reqq`).
pub(super) const REQUESTS_MAX_UNSAID: u32 = 64;

/// Blocks that a peer still owes at least when it gets the next piece.
const PENDING_BLOCKS_LOW: u32 = 2;
/// The same at most.
const PENDING_BLOCKS_HIGH: u32 = 14;
/// How far ahead of a fast peer requests run, microseconds of its time.
const AHEAD_US: Micros = 300;

/// Requests outstanding at one peer at most.
const REQUESTS_OUTSTANDING_MAX: u32 = 32;
/// What a request and the beginning of its answer take between busy agents of one site, rather too long.
const TRAVEL_US: Micros = 5_000;

/// A connection from its dialling to its end. What most messages need comes first, in as few cache lines as it takes.
#[repr(C, align(64))]
pub(super) struct Peer {
    pub id: ConnId,
    pub torrent: TorrentId,
    /// Its bit in the torrent's masks, once established.
    pub bit: u8,
    pub outgoing: bool,
    /// One of the server's own seeders.
    pub origin: bool,
    /// Both handshakes are done.
    pub established: bool,
    pub fast: bool,
    pub extended: bool,
    /// Follows docs/protocol.md.
    pub bootswarm: bool,
    /// Has sent something, so that a bitfield is no longer allowed (BEP 3).
    pub spoken: bool,
    /// It chokes us.
    pub choked: bool,
    /// We have unchoked it.
    pub unchoked: bool,
    pub interested_sent: bool,
    /// It has requested something of us.
    pub has_asked: bool,
    /// It takes PEX messages.
    pub pex: bool,
    /// The far end of the connection.
    pub addr: SocketAddr,
    /// Pieces it has.
    pub have: u32,
    pub requests_max: u32,
    /// For messages without effect.
    pub budget: Budget,
    pub heard_at: Micros,
    pub sent_at: Micros,
    /// Smoothed time of one block while requests are outstanding, microseconds; 0 before the first.
    pub block_us: Micros,
    pub block_at: Micros,
    /// It gave us something, or got a piece that we have given to others or to it; or it was opened.
    pub useful_at: Micros,
    /// Blocks of its jobs that have not arrived.
    pub pending_blocks: u32,
    /// Requests sent and not answered.
    pub outstanding: u32,
    /// How often it fell silent while others sent, since its last block.
    pub silences: u32,
    pub rejects: u32,
    /// How often it fell silent since its last block.
    pub stalls: u32,
    /// Pieces from it that were right.
    pub given: u32,
    /// The block whose payload is arriving.
    pub receiving: Option<Block>,
    /// Pieces of ours that are announced to it at `later_at`, or with the next message.
    pub later: Vec<u32>,
    pub later_at: Micros,
    /// Not asked for anything until then, after rejects and stalls.
    pub rest_until: Micros,
    /// Requests cancelled whose blocks may still arrive.
    pub cancelled: u32,
    /// Blocks that came without being asked for.
    pub unsolicited: u32,
    pub opened_at: Micros,
    /// Its place in the order of importers.
    pub tag: u64,
    /// Where it listens: what we dialled, or what its extension handshake said.
    pub listen: Option<SocketAddr>,
    pub peer_id: [u8; 20],
    /// Pieces we may ask for while choked (BEP 6).
    pub allowed: VecDeque<u32>,
    /// What it has said, and got, of the info dictionary.
    pub metadata: super::metadata::PeerMetadata,
    pub pex_at: Micros,
    /// What it sends until then is not heeded, but for one message.
    pub pex_heard_at: Micros,
    pub pex_told: BTreeSet<SocketAddr>,
}

impl Peer {
    pub fn new(id: ConnId, torrent: TorrentId, addr: SocketAddr, outgoing: bool, now: Micros) -> Self {
        Self {
            id,
            torrent,
            addr,
            listen: outgoing.then_some(addr),
            outgoing,
            origin: false,
            opened_at: now,
            useful_at: now,
            established: false,
            peer_id: [0; 20],
            tag: 0,
            fast: false,
            extended: false,
            bootswarm: false,
            bit: 0,
            spoken: false,
            have: 0,
            choked: true,
            unchoked: false,
            interested_sent: false,
            requests_max: REQUESTS_MAX_UNSAID,
            allowed: VecDeque::new(),
            pending_blocks: 0,
            outstanding: 0,
            receiving: None,
            cancelled: 0,
            unsolicited: 0,
            rest_until: 0,
            rejects: 0,
            later: Vec::new(),
            later_at: 0,
            stalls: 0,
            silences: 0,
            given: 0,
            block_us: 0,
            block_at: 0,
            heard_at: now,
            budget: Budget::default(),
            sent_at: now,
            has_asked: false,
            metadata: super::metadata::PeerMetadata::default(),
            pex: false,
            pex_at: 0,
            pex_heard_at: 0,
            pex_told: BTreeSet::new(),
        }
    }

    /// Whether it may be asked for one more piece.
    pub fn has_room(&self) -> bool {
        self.open() && self.pending_blocks <= self.pending_low()
    }

    /// Blocks that it still owes when it gets the next piece, so that it never idles: as many as it sends
    /// in [`AHEAD_US`]. On 1 Gbit/s that is the least; faster links would wait for our requests.
    pub fn pending_low(&self) -> u32 {
        let ahead = AHEAD_US.checked_div(self.block_us).unwrap_or(0);
        (ahead as u32).clamp(PENDING_BLOCKS_LOW, PENDING_BLOCKS_HIGH)
    }

    /// Requests outstanding at most. To an agent hardly more than one: what is asked for waits in front of our link
    /// and everybody's messages with it, and the agent has others to serve until we ask again. More only as far
    /// as blocks come faster than requests travel. An agent of another rack gets one more: its piece is awaited by all
    /// of ours. So does the server's seeder: a hand-out shall not wait for us, nor its bytes in the server's sockets,
    /// where nobody sees whether they move. Stock clients get all requests at once.
    pub fn requests_room(&self, across: bool) -> u32 {
        let room = self.requests_max.min(REQUESTS_OUTSTANDING_MAX);
        if !self.bootswarm && !self.origin {
            return room;
        }
        let ahead = TRAVEL_US.checked_div(self.block_us).unwrap_or(1);
        let ahead = ahead.min(u64::from(REQUESTS_OUTSTANDING_MAX)) as u32;
        // On fast links the requests under way make it up already.
        let least = if across { 2 } else { 1 };
        room.min((1 + u32::from(self.origin) + ahead).max(least))
    }

    pub fn mask(&self) -> u128 {
        1 << self.bit
    }

    /// Whether it lets us ask for any piece. Agents never choke each other; the server's seeder does.
    pub fn open(&self) -> bool {
        !self.choked || (self.bootswarm && !self.origin)
    }
}
