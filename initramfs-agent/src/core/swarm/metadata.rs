//! Where the hashes of the pieces come from when the manifest has none: the info dictionary, from peers by BEP 9, and
//! over HTTPS where no peer gives it. Only its infohash is signed, so nothing of it counts before all of it is there.
//!
//! It floods the mesh: a node that gets it says so to its neighbours, and each of those asks one at once. The server is asked
//! by the few that drew a short wait: five hundred dictionaries would cost its link as much as a part of the payload.

use std::sync::Arc;

use super::backoff::Backoff;
use super::peer::Peer;
use super::types::{ConnId, MetadataSpec, Output, TorrentId};
use super::{Code, Micros, Swarm};
use crate::core::limits::METADATA_PART_BYTES;
use crate::core::metainfo::{InfoShape, infohash};
use crate::core::time::{MILLISECOND, SECOND};
use crate::core::wire::{MetadataMessage, Outgoing, metadata_part};

/// Each node draws a part of this to wait before it asks the server's seeder; the busier the server is the longer, like all
/// waits for it. A whole farm has its manifests at that moment, and one neighbour with the hashes is enough.
const SEEDER_WAIT_US: Micros = 200 * MILLISECOND;
/// Without a peer that gives it, HTTPS is asked so much later, and up to so much more.
const HTTPS_WAIT_US: Micros = 500 * MILLISECOND;
const HTTPS_SPREAD_US: Micros = 1500 * MILLISECOND;
/// A peer that sends it keeps us from HTTPS no longer. Once one has promised it and sent nothing, none does.
const PROMISES_US: Micros = 5 * SECOND;
/// A peer that owes a part and sends none; the server's seeder may be busy with hand-outs.
const STALL_US: Micros = SECOND;
const STALL_SEEDER_US: Micros = 3 * SECOND;
/// A peer that refused or stalled is not asked for so long.
const REST_US: Micros = 5 * SECOND;
/// Parts asked of a peer and not there yet.
const PARTS_ASKED_MAX: usize = 4;
/// A peer gets the whole so often from us, and a few parts more.
const SERVED_TIMES: usize = 2;
const SERVED_SPARE: usize = 8;

/// What a torrent knows of its info dictionary.
pub(super) enum Metadata {
    /// All of it; empty where it is not to be served.
    Known(Arc<[u8]>),
    /// All but the hashes.
    Wanted(Box<Wanted>),
    /// What has this infohash is not what the manifest says.
    Unfit,
}

/// The search for it.
pub(super) struct Wanted {
    shape: InfoShape,
    has_url: bool,
    since: Micros,
    /// Our draws, in thousandths of the longest waits.
    seeder_draw: u64,
    https_draw: u64,
    ask: Option<Ask>,
    /// A peer that promised it was silent when it was asked.
    is_let_down: bool,
    /// A request over HTTPS is under way.
    fetching: bool,
    /// When HTTPS may be asked again.
    backoff: Backoff,
}

/// One peer is asked for all of it, so that wrong bytes have one sender.
struct Ask {
    conn: ConnId,
    asked: usize,
    got: Vec<u8>,
    moved_at: Micros,
    stall_us: Micros,
}

/// What a peer has said, and got, of the dictionary.
#[derive(Default)]
pub(super) struct PeerMetadata {
    /// It has it, and of the right size.
    has: bool,
    rest_until: Micros,
    /// Parts that we have sent.
    served: usize,
}

impl Metadata {
    pub fn new(spec: &MetadataSpec, now: Micros) -> Self {
        match spec {
            MetadataSpec::Known(info) => Self::Known(Arc::clone(info)),
            MetadataSpec::Wanted { shape, has_url } => Self::Wanted(Box::new(Wanted {
                shape: shape.clone(),
                has_url: *has_url,
                since: now,
                seeder_draw: 0,
                https_draw: 0,
                ask: None,
                is_let_down: false,
                fetching: false,
                backoff: Backoff::default(),
            })),
        }
    }

    /// Whether pieces can be checked, and so be asked for.
    pub fn is_known(&self) -> bool {
        matches!(self, Self::Known(_))
    }

    /// `metadata_size` of our extension handshake.
    pub fn size(&self) -> Option<u32> {
        match self {
            Self::Known(info) => u32::try_from(info.len()).ok().filter(|size| *size > 0),
            _ => None,
        }
    }

    pub(super) fn wanted(&mut self) -> Option<&mut Wanted> {
        match self {
            Self::Wanted(wanted) => Some(wanted),
            _ => None,
        }
    }
}

impl Wanted {
    /// The waits begin anew.
    pub(super) fn wait_from(&mut self, now: Micros) {
        self.since = now;
    }

    fn parts(&self) -> usize {
        self.shape.len().div_ceil(METADATA_PART_BYTES)
    }
}

impl Swarm {
    /// Draws our waits for a torrent that has just been added.
    pub(super) fn draw_metadata_waits(&mut self, torrent: TorrentId) {
        let rng = &mut self.rng;
        if let Some(wanted) = self.torrents[usize::from(torrent.0)].metadata.wanted() {
            wanted.seeder_draw = rng.below(1000);
            wanted.https_draw = rng.below(1000);
        }
    }

    /// A peer's extension handshake says whether it has the dictionary; it may come again when it does.
    pub(super) fn note_metadata(&mut self, conn: ConnId, size: Option<u32>) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        let torrent = peer.torrent;
        let t = &self.torrents[usize::from(torrent.0)];
        let right = match &t.metadata {
            Metadata::Wanted(wanted) => wanted.shape.len(),
            Metadata::Known(info) => info.len(),
            Metadata::Unfit => return,
        };
        peer.metadata.has = size.is_some_and(|size| size as usize == right);
        self.seek_metadata(torrent);
    }

    /// Looks for the dictionaries that are missing.
    pub(super) fn check_metadata(&mut self) {
        for at in 0..self.torrents.len() {
            self.seek_metadata(TorrentId(at as u16));
        }
    }

    fn seek_metadata(&mut self, torrent: TorrentId) {
        let at = usize::from(torrent.0);
        let now = self.now;
        let busy = self.server_silent_us();
        let t = &mut self.torrents[at];
        let (alone, known) = (t.origin.is_alone(), t.present != 0 || !t.known.is_empty());
        let Some(wanted) = t.metadata.wanted() else {
            return;
        };
        let drawn = SEEDER_WAIT_US.max(busy) * wanted.seeder_draw / 1000;
        let seeder_at = if alone { now } else { wanted.since + drawn };
        let stalled = wanted.ask.take_if(|ask| now >= ask.moved_at + ask.stall_us);
        let idle = wanted.ask.is_none();
        wanted.is_let_down |= stalled.is_some();
        if let Some(ask) = stalled {
            self.rest_metadata(ask.conn);
        }
        if idle {
            self.ask_metadata(torrent, now >= seeder_at);
        }
        let Some(wanted) = self.torrents[at].metadata.wanted() else {
            return;
        };
        let mut due = Micros::MAX;
        match &wanted.ask {
            Some(ask) => due = ask.moved_at + ask.stall_us,
            None if seeder_at > now => due = seeder_at,
            None => {}
        }
        if wanted.has_url && !wanted.fetching {
            let waits = if wanted.ask.is_some() && !wanted.is_let_down {
                PROMISES_US.max(busy)
            } else if known {
                HTTPS_WAIT_US.max(busy) + HTTPS_SPREAD_US.max(busy) * wanted.https_draw / 1000
            } else {
                0 // nobody to wait for
            };
            let https_at = (wanted.since + drawn + waits).max(wanted.backoff.until());
            if now >= https_at {
                wanted.fetching = true;
                self.out.push_back(Output::FetchMetadata { torrent });
            } else {
                due = due.min(https_at);
            }
        }
        if due != Micros::MAX {
            self.wake_at(due);
        }
    }

    /// Asks one of the peers that have it: neighbours first, the server's seeder when it is its turn.
    fn ask_metadata(&mut self, torrent: TorrentId, seeder: bool) {
        let now = self.now;
        let stall_seeder_us = STALL_SEEDER_US.max(self.server_busy_us());
        let t = &self.torrents[usize::from(torrent.0)];
        let mut best = None;
        let mut rests_until = Micros::MAX;
        for conn in t.slots.iter().flatten() {
            let Some(peer) = self.peers.get(conn).filter(|p| p.metadata.has) else {
                continue;
            };
            if peer.origin && !seeder {
                continue;
            }
            if peer.metadata.rest_until > now {
                rests_until = rests_until.min(peer.metadata.rest_until);
                continue;
            }
            let far = t.local & peer.mask() == 0;
            let rank = (peer.origin, far, self.rng.next_u64());
            if best.is_none_or(|(than, _)| rank < than) {
                best = Some((rank, *conn));
            }
        }
        if rests_until != Micros::MAX {
            self.wake_at(rests_until);
        }
        let Some(((origin, ..), conn)) = best else {
            return;
        };
        let Some(wanted) = self.torrents[usize::from(torrent.0)].metadata.wanted() else {
            return;
        };
        wanted.ask = Some(Ask {
            conn,
            asked: 0,
            got: Vec::new(),
            moved_at: now,
            stall_us: if origin { stall_seeder_us } else { STALL_US },
        });
        self.ask_parts(torrent);
    }

    /// Asks for the next parts, as many as may be under way.
    fn ask_parts(&mut self, torrent: TorrentId) {
        let Some(wanted) = self.torrents[usize::from(torrent.0)].metadata.wanted() else {
            return;
        };
        let parts = wanted.parts();
        let Some(ask) = &mut wanted.ask else {
            return;
        };
        let got = ask.got.len() / METADATA_PART_BYTES;
        let from = ask.asked;
        ask.asked = parts.min(got + PARTS_ASKED_MAX);
        let (conn, to) = (ask.conn, ask.asked);
        for part in from..to {
            self.send(conn, Outgoing::MetadataRequest(part as u32));
        }
    }

    pub(super) fn on_metadata(&mut self, conn: ConnId, message: MetadataMessage<'_>) {
        let Some(peer) = self.hear(conn, 1) else {
            return;
        };
        let torrent = peer.torrent;
        match message {
            MetadataMessage::Request { part } => self.serve_metadata(conn, part),
            MetadataMessage::Data { part, total, bytes } => self.take_part(conn, part, total, bytes),
            MetadataMessage::Reject { .. } => {
                let wanted = self.torrents[usize::from(torrent.0)].metadata.wanted();
                if let Some(wanted) = wanted
                    && wanted.ask.as_ref().is_some_and(|ask| ask.conn == conn)
                {
                    wanted.ask = None;
                    self.rest_metadata(conn);
                    self.seek_metadata(torrent);
                }
            }
        }
    }

    fn take_part(&mut self, conn: ConnId, part: u32, total: u64, bytes: &[u8]) {
        let now = self.now;
        let Some(peer) = self.peers.get(&conn) else {
            return;
        };
        let torrent = peer.torrent;
        let Some(wanted) = self.torrents[usize::from(torrent.0)].metadata.wanted() else {
            return;
        };
        let len = wanted.shape.len();
        let Some(ask) = wanted.ask.as_mut().filter(|ask| ask.conn == conn) else {
            return; // it was late, and another is asked
        };
        let at = ask.got.len();
        let right = (len - at).min(METADATA_PART_BYTES);
        if part as usize >= ask.asked || part as usize != at / METADATA_PART_BYTES {
            return;
        }
        if total != len as u64 || bytes.len() != right {
            return self.ban(conn, Code::PeerProtocol);
        }
        ask.got.extend_from_slice(bytes);
        ask.moved_at = now;
        if ask.got.len() < len {
            return self.ask_parts(torrent);
        }
        let info = std::mem::take(&mut ask.got);
        wanted.ask = None;
        if !self.take_info(torrent, &info) {
            self.ban(conn, Code::PeerBadPiece);
            self.seek_metadata(torrent);
        }
    }

    /// Takes a whole dictionary if it is the one of the infohash.
    fn take_info(&mut self, torrent: TorrentId, info: &[u8]) -> bool {
        let now = self.now;
        let t = &mut self.torrents[usize::from(torrent.0)];
        if infohash(info) != t.spec.infohash {
            return false;
        }
        let Some(wanted) = t.metadata.wanted() else {
            return true;
        };
        let Some(hashes) = wanted.shape.hashes(info) else {
            t.metadata = Metadata::Unfit;
            self.out.push_back(Output::MetadataUnfit { torrent });
            return true;
        };
        let hashes = hashes.to_vec();
        t.metadata = Metadata::Known(Arc::from(info));
        t.origin.note_moved(now);
        self.out.push_back(Output::Metadata { torrent, hashes });
        let conns: Vec<ConnId> = t.slots.iter().flatten().copied().collect();
        let metadata_size = t.metadata.size();
        for conn in conns {
            let tell = |p: &Peer| p.bootswarm && p.extended && !p.metadata.has;
            if self.peers.get(&conn).is_some_and(tell) {
                let elsewhere = None; // the first one has said so
                self.send(
                    conn,
                    Outgoing::ExtendedHandshake {
                        metadata_size,
                        elsewhere,
                    },
                );
            }
        }
        self.dirty = true;
        self.wake_at(now);
        true
    }

    /// What HTTPS gave, or when it may be asked again.
    pub(super) fn on_metadata_fetched(
        &mut self,
        torrent: TorrentId,
        info: Option<&[u8]>,
        retry_after: Option<Micros>,
    ) {
        let wanted = self.torrent(torrent).and_then(|t| t.metadata.wanted());
        if wanted.is_none() || info.is_some_and(|info| self.take_info(torrent, info)) {
            return;
        }
        let draw = self.rng.below(1000);
        let now = self.now;
        if let Some(wanted) = self.torrents[usize::from(torrent.0)].metadata.wanted() {
            wanted.fetching = false;
            if retry_after.is_none() {
                wanted.backoff.failed();
            }
            wanted.backoff.rest(now, retry_after, draw);
        }
        self.seek_metadata(torrent);
    }

    /// Gives a part to a peer that asks for it.
    fn serve_metadata(&mut self, conn: ConnId, part: u32) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        let message = match &self.torrents[usize::from(peer.torrent.0)].metadata {
            Metadata::Known(info)
                if !metadata_part(info, part).is_empty()
                    && peer.metadata.served
                        < SERVED_TIMES * info.len().div_ceil(METADATA_PART_BYTES) + SERVED_SPARE =>
            {
                peer.metadata.served += 1;
                let info = Arc::clone(info);
                Outgoing::MetadataPart { part, info }
            }
            _ => Outgoing::MetadataReject(part),
        };
        self.send(conn, message);
    }

    /// A peer that promised it and did not give it.
    fn rest_metadata(&mut self, conn: ConnId) {
        let until = self.now + REST_US;
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.metadata.rest_until = until;
        }
    }

    /// A connection is gone.
    pub(super) fn forget_metadata(&mut self, torrent: TorrentId, conn: ConnId) {
        let wanted = self.torrents[usize::from(torrent.0)].metadata.wanted();
        if let Some(wanted) = wanted
            && wanted.ask.as_ref().is_some_and(|ask| ask.conn == conn)
        {
            wanted.ask = None;
            self.wake_at(self.now);
        }
    }
}
