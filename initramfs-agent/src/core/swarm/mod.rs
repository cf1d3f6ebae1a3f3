//! One node's part in the swarm as a state machine: whom to talk to, which pieces to ask of whom,
//! what to send. It does no I/O: the shell (or the simulator) feeds [`Input`]s with the time, drains
//! [`Swarm::poll`] after each, and calls [`Input::Tick`] when [`Swarm::deadline`] has come.
//!
//! Payload bytes never pass through here: blocks are reported by position and length.
//! Nothing here depends on the order of a hash map: the same seed and inputs give the same outputs.

mod backoff;
mod budget;
mod claims;
mod compare;
mod connect;
mod dial;
mod disconnect;
mod doubt;
mod hedge;
mod import;
mod intake;
mod known;
mod lag;
mod messages;
mod metadata;
mod news;
mod origin;
mod peer;
mod peers;
mod pex;
mod piece_times;
mod pieces;
mod places;
mod schedule;
mod shares;
mod torrent;
mod types;
mod uploads;

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

use super::error::Code;
use super::nearness::Nearness;
use super::rng::Rng;
use super::time::Micros;
use super::wire::{Block, Outgoing};
use peers::Peers;
use torrent::Torrent;
pub use types::*;

/// What a [`Swarm`] must know of its node.
#[derive(Clone, Debug)]
pub struct SwarmConfig {
    /// Seed of all random choices.
    pub seed: u64,
    /// The TCP port at which we accept peers.
    pub listen_port: u16,
    /// Our own addresses with the listening port, so that we never connect to ourselves.
    pub own_addrs: Vec<SocketAddr>,
    /// Our BEP 3 identity, the one in our handshakes: it decides which of two connections to one peer stays.
    pub peer_id: [u8; 20],
    /// How many pieces beyond the first missing one are preferred (for unpacking while downloading); 0: no order.
    pub window_pieces: u32,
    /// How long the server took for what it was asked before, microseconds; 0 where that is not known. While it is busy
    /// with a whole farm, everything it does takes long, and every further request makes it longer.
    pub server_us: Micros,
}

/// The state machine. See the module's page for how to drive it.
pub struct Swarm {
    cfg: SwarmConfig,
    rng: Rng,
    now: Micros,
    torrents: Vec<Torrent>,
    peers: Peers,
    out: VecDeque<Output>,
    next_conn: u32,
    next_fetch: u32,
    banned_ips: BTreeSet<IpAddr>,
    banned_addrs: BTreeSet<SocketAddr>,
    uploads: uploads::Uploads,
    /// When the next maintenance is due.
    wake: Micros,
    /// When claims end, in milliseconds: pieces may then be asked for.
    claim_ends: BTreeSet<u64>,
    /// New work may be possible: something has changed since [`Self::schedule`] ran.
    dirty: bool,
}

impl Swarm {
    /// A swarm without torrents.
    pub fn new(cfg: SwarmConfig) -> Self {
        Self {
            rng: Rng::new(cfg.seed),
            cfg,
            now: 0,
            torrents: Vec::new(),
            peers: Peers::default(),
            out: VecDeque::new(),
            next_conn: 0,
            next_fetch: 0,
            banned_ips: BTreeSet::new(),
            banned_addrs: BTreeSet::new(),
            uploads: uploads::Uploads::default(),
            wake: Micros::MAX,
            claim_ends: BTreeSet::new(),
            dirty: false,
        }
    }

    /// Takes part in one more torrent. Earlier torrents have priority over later ones.
    pub fn add_torrent(&mut self, now: Micros, spec: TorrentSpec) -> TorrentId {
        self.now = self.now.max(now);
        let id = TorrentId(self.torrents.len() as u16);
        let seeders = spec.seeders.clone();
        self.torrents.push(Torrent::new(spec, self.now));
        self.server_took(0);
        self.draw_metadata_waits(id);
        for addr in seeders {
            self.learn(id, addr, Nearness::Across, None);
        }
        self.wake = self.now;
        self.settle();
        id
    }

    /// Takes an input; drain [`Self::poll`] afterwards.
    pub fn handle(&mut self, now: Micros, input: Input<'_>) {
        self.now = self.now.max(now);
        match input {
            Input::Tick => {}
            Input::Peers { torrent, peers } => self.on_peers(torrent, peers),
            Input::Duty { torrent, duty } => self.on_duty(torrent, duty),
            Input::Hints {
                torrent,
                source,
                addrs,
            } => self.on_hints(torrent, source, addrs),
            Input::Connected { conn } => self.on_connected(conn),
            Input::Incoming { conn, addr, torrent } => self.on_incoming(conn, addr, torrent),
            Input::Handshake {
                conn,
                peer_id,
                fast,
                extended,
            } => self.on_handshake(conn, peer_id, fast, extended),
            Input::ExtendedHandshake {
                conn,
                bootswarm,
                elsewhere,
                listen_port,
                requests_max,
                ut_pex,
                metadata_size,
            } => {
                self.on_extended(conn, bootswarm, listen_port, requests_max, ut_pex);
                if let Some(elsewhere) = elsewhere {
                    self.note_rack(conn, elsewhere);
                }
                self.note_metadata(conn, metadata_size);
            }
            Input::Metadata { conn, message } => self.on_metadata(conn, message),
            Input::MetadataFetched {
                torrent,
                info,
                retry_after,
            } => self.on_metadata_fetched(torrent, info, retry_after),
            Input::Message { conn, message } => self.on_message(conn, message),
            Input::Block { conn, block } => self.on_block(conn, block),
            Input::Verified {
                torrent,
                piece,
                slot,
                ok,
            } => self.on_verified(torrent, piece, slot, ok),
            Input::Sent { conn, bytes } => self.on_sent(conn, bytes),
            Input::Malformed { conn } => self.ban(conn, Code::PeerProtocol),
            Input::Closed { conn } => self.on_closed(conn),
            Input::Fetched { fetch, piece, ok } => self.on_fetched(fetch, piece, ok),
            Input::FetchEnded {
                fetch,
                retry_after,
                failed,
            } => self.on_fetch_ended(fetch, retry_after, failed),
        }
        self.settle();
    }

    /// The next thing to do, in order; `None` when all is done.
    pub fn poll(&mut self) -> Option<Output> {
        let next = self.out.pop_front();
        if next.is_none() {
            // The next ones go where the last ones were: that memory is in the processor's caches.
            self.out.clear();
        }
        next
    }

    /// When [`Input::Tick`] is wanted at the latest.
    pub fn deadline(&self) -> Option<Micros> {
        (self.wake != Micros::MAX).then_some(self.wake)
    }

    /// The torrent with this infohash, for incoming handshakes.
    pub fn torrent_of(&self, infohash: &[u8; 20]) -> Option<TorrentId> {
        let at = self.torrents.iter().position(|t| t.spec.infohash == *infohash)?;
        Some(TorrentId(at as u16))
    }

    /// Whether a piece is in place and verified.
    pub fn has_piece(&self, torrent: TorrentId, piece: u32) -> bool {
        self.torrents
            .get(usize::from(torrent.0))
            .is_some_and(|t| t.has(piece))
    }

    /// Counters of a torrent; all zero for one that does not exist.
    pub fn progress(&self, torrent: TorrentId) -> Progress {
        let Some(t) = self.torrents.get(usize::from(torrent.0)) else {
            return Progress::default();
        };
        let peers = self
            .peers
            .values()
            .filter(|p| p.torrent == torrent && p.established)
            .count() as u32;
        Progress { peers, ..t.progress }
    }

    /// Where the block whose `piece` header has just arrived shall go, or `None` to throw its payload away:
    /// it was not asked for, is no longer wanted or is invalid. Call it once for each header, before the payload.
    pub fn place_block(&mut self, conn: ConnId, block: Block) -> Option<Slot> {
        let slot = self.place(conn, block);
        if slot.is_none() {
            self.unplaced(conn, block);
            self.settle();
        }
        slot
    }

    /// Reads what an input of this connection about this piece will need, so that it is in the processor's caches by then; what
    /// it returns means nothing. For those who run many of these.
    pub fn touch(&self, conn: ConnId, piece: Option<u32>) -> u64 {
        let peer = self.peers.get(&conn).map_or(0, |p| p.heard_at ^ p.later_at);
        let torrents = self.torrents.first().map_or(0, |t| t.touch(piece));
        self.wake ^ self.now ^ peer ^ torrents ^ self.uploads.touch()
    }

    /// Work that inputs leave behind: scheduling, timers.
    fn settle(&mut self) {
        if self.now >= self.wake {
            self.wake = Micros::MAX;
            self.maintain();
        }
        if self.dirty {
            self.dirty = false;
            self.schedule();
        }
    }

    /// Makes sure that a maintenance runs at `at`.
    fn wake_at(&mut self, at: Micros) {
        self.wake = self.wake.min(at);
    }

    /// All periodic work; each part says when it wants to run again.
    fn maintain(&mut self) {
        self.dirty = true;
        self.check_peers();
        self.check_jobs();
        self.dial();
        self.check_origin();
        self.check_pex();
        self.check_news();
        self.check_lag();
        self.check_claims();
        self.check_stale_claims();
        self.check_importers();
        self.check_metadata();
        self.pump_uploads();
    }

    fn send(&mut self, conn: ConnId, message: Outgoing) {
        if let Some(p) = self.peers.get_mut(&conn) {
            p.sent_at = self.now;
            if !p.later.is_empty() {
                self.flush_news(conn);
            }
            self.out.push_back(Output::Send { conn, message });
        }
    }

    fn torrent(&mut self, id: TorrentId) -> Option<&mut Torrent> {
        self.torrents.get_mut(usize::from(id.0))
    }
}
