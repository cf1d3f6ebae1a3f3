//! Which piece is asked of whom: the rarest in our rack first, ties at random, each from the least busy
//! peer. What nobody in the rack has comes over the uplink once: who fetches it says so.

use super::hedge::LATE_MIN_US;
use super::peer::Peer;
use super::torrent::{Job, Source};
use super::types::{ConnId, TorrentId};
use super::{Micros, Swarm};
use crate::core::limits::BLOCK_BYTES;
use crate::core::time::SECOND;
use crate::core::wire::Outgoing;

/// Bytes in flight to us at which no further piece is begun, beyond those that must be.
const IN_FLIGHT_BYTES: u32 = 512 << 10;
/// Pieces in flight at least, however large they are.
pub(super) const IN_FLIGHT_PIECES_MIN: usize = 8;
/// The same times this with those that do not come.
const SILENT_TIMES: usize = 4;
/// When so many were caught at giving nothing, others that only say that they have everything are no reason to wait for them.
const CAUGHT_FEW: u32 = 2;
/// The part of what may be in flight that is tried at those who say that they have everything and have not given anything.
const TRIES_PART: usize = 2;
/// Pieces that the rack brings in over its uplink at a time.
const CLAIMS_MAX: usize = 20;

/// A claim lasts no longer, however slow pieces are: its maker may be gone.
const CLAIM_MAX_US: Micros = 60 * SECOND;

/// Wanted pieces that are looked at for one choice once there is one: rare ones are found among so many,
/// and an artifact of many pieces does not cost the square of their number.
const LOOK_MAX: usize = 1024;

impl super::torrent::Torrent {
    /// How long a claim of somebody else keeps us from fetching the piece over the uplink too.
    pub(super) fn claim_us(&self) -> Micros {
        let usual = self.times.p95().or(self.times.p50());
        let usual = usual.map_or(5 * SECOND, |p| 8 * p);
        usual
            .max(3 * self.times.across_us())
            .clamp(SECOND / 4, CLAIM_MAX_US)
    }

    fn in_flight_max(&self) -> usize {
        ((IN_FLIGHT_BYTES / self.spec.piece_length.max(BLOCK_BYTES)) as usize)
            .max(IN_FLIGHT_PIECES_MIN)
            .min(self.intake_pieces())
    }
}

impl Swarm {
    /// Gives work to all peers that can take some.
    pub(super) fn schedule(&mut self) {
        let mut share = 1;
        for at in 0..self.torrents.len() {
            if self.torrents[at].done() || !self.torrents[at].metadata.is_known() {
                continue;
            }
            self.schedule_torrent(TorrentId(at as u16), share);
            share = 4;
        }
    }

    fn schedule_torrent(&mut self, torrent: TorrentId, share: usize) {
        let at = usize::from(torrent.0);
        let untried = self.untried(torrent);
        let t = &mut self.torrents[at];
        t.suspect = if t.caught >= CAUGHT_FEW { untried } else { 0 };
        self.take_offers(torrent);
        self.take_back_tries(torrent);
        let free = self.free_peers(torrent);
        if free == 0 || self.torrents[at].wanted.is_empty() {
            return;
        }
        let most = (self.torrents[at].in_flight_max() / share).max(2);
        // What the origin sends does not keep us from asking peers, nor does what silent ones do not send.
        let now = self.now;
        let moved = |since: Micros| {
            let of_peer = |j: &&Job| matches!(j.source, Source::Peer(_)) && j.moved_at >= since;
            self.torrents[at].jobs.iter().filter(of_peer).count()
        };
        // Mostly enough have moved so lately that nothing of theirs can be late.
        if moved(now.saturating_sub(LATE_MIN_US)) >= most {
            return;
        }
        let quiet_since = now.saturating_sub(self.torrents[at].late_us(now));
        let comes = |j: &&Job| matches!(j.source, Source::Peer(_)) && j.moved_at >= quiet_since;
        let busy = |s: &Self| {
            let t = &s.torrents[at];
            let many = t.jobs.len() >= most && t.jobs.iter().filter(comes).count() >= most;
            t.wanted.is_empty() || many || t.jobs.len() >= SILENT_TIMES * most
        };
        if busy(self) {
            return;
        }
        let doubtful = self.torrents[at].doubtful;
        let mut believed = free & !doubtful;
        while !busy(self) {
            let tried = self.jobs_at(torrent, untried) * TRIES_PART >= most;
            let open = if tried { believed & !untried } else { believed };
            let Some(asked) = self.assign(torrent, open) else {
                break;
            };
            believed &= !asked;
        }
        // What nobody else can give now may come from those that are doubted, one piece at a time.
        if free & doubtful != 0 && !busy(self) && self.jobs_at(torrent, doubtful) == 0 {
            self.assign(torrent, free & doubtful);
        }
    }

    /// A piece that is with a peer which is doubted, and which sends nothing of it, is requested from one that is as soon
    /// as one can take it.
    fn take_back_tries(&mut self, torrent: TorrentId) {
        let t = &self.torrents[usize::from(torrent.0)];
        let doubtful = t.doubtful;
        if doubtful == 0 || self.jobs_at(torrent, doubtful) == 0 {
            return;
        }
        let free = self.free_peers(torrent) & !doubtful;
        let t = &self.torrents[usize::from(torrent.0)];
        let is_doubtful = |j: &Job| match j.source {
            Source::Peer(conn) => self.peers.get(&conn).is_some_and(|p| p.mask() & doubtful != 0),
            Source::Fetch(_) => false,
        };
        let idle = |j: &&Job| j.received == 0 && is_doubtful(j) && t.holders(j.piece) & free != 0;
        let pieces: Vec<u32> = t.jobs.iter().filter(idle).map(|j| j.piece).collect();
        for piece in pieces {
            if let Some(at) = self.idle_try(torrent, piece) {
                self.drop_job(torrent, at);
            }
        }
    }

    /// Asks one of these peers for one more piece; its bit if it can take no further one, or `None` if nobody has anything.
    fn assign(&mut self, torrent: TorrentId, free: u128) -> Option<u128> {
        if free == 0 {
            return None;
        }
        let (piece, holders) = self.pick(torrent, free)?;
        let conn = self.least_busy(torrent, holders)?;
        if self.torrents[usize::from(torrent.0)].local & holders == 0 {
            self.claim(torrent, piece);
        }
        self.start_job(conn, piece);
        let full = |p: &&Peer| p.pending_blocks > p.pending_low();
        Some(self.peers.get(&conn).filter(full).map_or(0, Peer::mask))
    }

    /// Pieces that a choking peer lets us have (BEP 6): the server's hand-out.
    fn take_offers(&mut self, torrent: TorrentId) {
        let mut bits = self.torrents[usize::from(torrent.0)].offering;
        while bits != 0 {
            let slot = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let Some(conn) = self.torrents[usize::from(torrent.0)].slots[slot] else {
                continue;
            };
            let Some(peer) = self.peers.get_mut(&conn) else {
                continue;
            };
            if peer.rest_until > self.now {
                continue;
            }
            let offers = std::mem::take(&mut peer.allowed);
            let bit = peer.mask();
            for piece in offers {
                // Who has shown nothing yet keeps nobody from what the server hands out.
                if let Some(idle) = self.idle_try(torrent, piece) {
                    self.drop_job(torrent, idle);
                }
                let t = &self.torrents[usize::from(torrent.0)];
                if t.is_wanted(piece) && t.holders(piece) & bit != 0 {
                    self.claim(torrent, piece);
                    self.start_job(conn, piece);
                }
                let kept = !self.torrents[usize::from(torrent.0)].has(piece);
                if let Some(peer) = self.peers.get_mut(&conn).filter(|_| kept) {
                    peer.allowed.push_back(piece);
                }
            }
            if self.peers.get(&conn).is_none_or(|p| p.allowed.is_empty()) {
                self.torrents[usize::from(torrent.0)].offering &= !bit;
            }
        }
    }

    /// Bits of the peers that may be asked for a piece now.
    fn free_peers(&mut self, torrent: TorrentId) -> u128 {
        let t = &mut self.torrents[usize::from(torrent.0)];
        if self.now >= t.rests_until {
            t.rests_until = Micros::MAX;
            for peer in t.slots.iter().flatten().filter_map(|c| self.peers.get(c)) {
                if peer.rest_until > self.now {
                    t.rests_until = t.rests_until.min(peer.rest_until);
                } else {
                    t.resting &= !peer.mask();
                }
            }
        }
        let free = t.room & !t.resting;
        debug_assert!(
            self.peers
                .values()
                .filter(|p| p.established && p.torrent == torrent)
                .all(|p| { (free & p.mask() != 0) == (p.has_room() && p.rest_until <= self.now) })
        );
        free
    }

    /// The piece to get next from one of the free peers, and the bits of those who can give it.
    fn pick(&mut self, torrent: TorrentId, free: u128) -> Option<(u32, u128)> {
        let salt = self.rng.next_u64() as u32;
        let t = &self.torrents[usize::from(torrent.0)];
        let now = self.now;
        let local = t.local;
        let free = free & t.useful;
        if free == 0 {
            return None;
        }
        let window = match self.cfg.window_pieces {
            0 => u32::MAX,
            n => t.first_missing.saturating_add(n),
        };
        let may_import = (!t.racked || t.may_import()) && self.outside_in_flight(torrent) < CLAIMS_MAX;
        if !may_import && free & local == 0 {
            return None;
        }
        let stale = t.stale_claims(now);
        let distant = t.distant();
        // A piece with more holders near us than `most` cannot be the rarest any more: that excludes most pieces.
        let judge = |piece: u32, most: u32| {
            let holders = t.holders(piece);
            let mut can = holders & free;
            if can == 0 {
                return None;
            }
            let near = t.near_holders(piece);
            if near == 0 && distant != 0 {
                can &= !t.too_far_for(piece, now);
                if can == 0 {
                    return None;
                }
            }
            if near != 0 {
                can &= local;
                if can == 0 {
                    return None;
                }
            } else if !may_import || (t.claims.holds(piece, now) && !stale.contains(&piece)) {
                return None;
            }
            let near = near.count_ones();
            if near > most {
                return None;
            }
            let tie = (piece ^ salt)
                .wrapping_mul(0x9e37_79b1)
                .rotate_left(15)
                .wrapping_mul(0x85eb_ca6b);
            // First what is left to us, because nobody else brings it in.
            let is_others = near == 0 && t.racked && !t.claims.is_ours(piece, now);
            Some((near, is_others, tie, piece, can))
        };
        if window != u32::MAX {
            let near = (t.first_missing..window.min(t.pieces)).filter(|p| t.is_wanted(*p));
            if let Some((.., piece, can)) = near.filter_map(|p| judge(p, u32::MAX)).min() {
                return Some((piece, can));
            }
        }
        let (before, from) = t.wanted.split_at(salt as usize % t.wanted.len().max(1));
        let mut best = None;
        let mut most = u32::MAX;
        for (looked, piece) in from.iter().chain(before).enumerate() {
            if looked >= LOOK_MAX && best.is_some() {
                break;
            }
            let judged = judge(*piece, most);
            if judged.is_some() && (best.is_none() || judged < best) {
                best = judged;
                most = judged.map_or(u32::MAX, |(near, ..)| near);
            }
        }
        best.map(|(.., piece, can)| (piece, can))
    }

    /// Pieces that our rack is known to be fetching from outside.
    fn outside_in_flight(&self, torrent: TorrentId) -> usize {
        let t = &self.torrents[usize::from(torrent.0)];
        let now = self.now;
        t.claims
            .open()
            .iter()
            .filter(|c| t.claims.holds(c.piece, now) && t.near_holders(c.piece) == 0)
            .count()
    }

    /// The one of these peers that owes us least, ties at random.
    fn least_busy(&mut self, torrent: TorrentId, mut bits: u128) -> Option<ConnId> {
        let mut best: Option<((u32, u64), ConnId)> = None;
        while bits != 0 {
            let bit = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let Some(conn) = self.torrents[usize::from(torrent.0)].slots[bit] else {
                continue;
            };
            let Some(peer) = self.peers.get(&conn) else {
                continue;
            };
            let key = (peer.pending_blocks, self.rng.next_u64());
            if best.as_ref().is_none_or(|(k, _)| key < *k) {
                best = Some((key, conn));
            }
        }
        best.map(|(_, conn)| conn)
    }

    /// Claims a piece: tells our rack that we bring it in from outside.
    pub(super) fn claim(&mut self, torrent: TorrentId, piece: u32) {
        let t = &mut self.torrents[usize::from(torrent.0)];
        let lasts = t.claim_us();
        t.note_claim(piece, self.now, self.now + lasts, None);
        let mut bits = t.local & !t.holders(piece);
        while bits != 0 {
            let bit = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            let Some(conn) = self.torrents[usize::from(torrent.0)].slots[bit] else {
                continue;
            };
            if self.peers.get(&conn).is_some_and(|p| p.bootswarm && p.fast) {
                self.send(conn, Outgoing::Suggest(piece));
            }
        }
    }
}
