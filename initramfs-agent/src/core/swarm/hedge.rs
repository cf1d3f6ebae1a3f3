//! Taking work back from peers that are late, and from those that have fallen silent. What counts as late
//! follows from how long pieces take. Others are asked first; the HTTPS origin when nobody moves the piece.

use super::torrent::{Job, Source, Torrent};
use super::types::{ConnId, TorrentId};
use super::{Code, Micros, Swarm};
use crate::core::time::{MILLISECOND, SECOND};

/// A piece is never late before that.
pub(super) const LATE_MIN_US: Micros = 50 * MILLISECOND;
/// The last pieces, for which we wait less.
const ENDING_PIECES: usize = 4;
/// Pieces that a node may lack while its rack lacks so few.
const ENDING_LOOK: usize = 40;
/// A peer that owes us blocks and sends none while others do is given up between these, by the piece times.
const STALL_MIN_US: Micros = SECOND;
const STALL_MAX_US: Micros = 20 * SECOND;
const STALL_UNKNOWN_US: Micros = 3 * SECOND;
/// The same when blocks wait in front of our own link.
const STALL_BUSY_MAX_US: Micros = 60 * SECOND;
/// The same of one that has not given any piece yet, in times that a slow piece takes.
const TRIAL_TIMES: Micros = 2;
/// How often a rest doubles.
const STALLS_MAX: u32 = 4;
/// A piece in flight that nobody moves goes to the origin after these, by the piece times.
const QUIET_ALONE_US: Micros = SECOND;
const QUIET_ALONE_MAX_US: Micros = 5 * SECOND;
const QUIET_MIN_US: Micros = 1500 * MILLISECOND;
const QUIET_UNKNOWN_US: Micros = 3 * SECOND;
const QUIET_MAX_US: Micros = 20 * SECOND;
/// The same, in those times, where it was asked of one after the other.
const OWED_TIMES: Micros = 4;
/// The same where the origin is known to be faster, in times that it takes for a piece.
const HURRIED_TIMES: Micros = 4;

impl Swarm {
    /// Looks for late pieces and silent peers.
    pub(super) fn check_jobs(&mut self) {
        for at in 0..self.torrents.len() {
            if !self.torrents[at].jobs.is_empty() {
                let torrent = TorrentId(at as u16);
                self.check_stalls(torrent);
                self.check_late(torrent);
            }
        }
    }

    /// Takes everything back from peers that owe us blocks and send none.
    fn check_stalls(&mut self, torrent: TorrentId) {
        let now = self.now;
        let t = &self.torrents[usize::from(torrent.0)];
        let mut stalled = Vec::new();
        let mut next = Micros::MAX;
        for peer in t.slots.iter().flatten().filter_map(|c| self.peers.get(c)) {
            if peer.pending_blocks == 0 {
                continue;
            }
            let near = t.counts_near(peer.mask());
            // When nothing comes from anybody, it is hardly this peer's fault.
            let others = t.origin.moved_at() > peer.block_at || t.origin.fetched_at() > peer.block_at;
            let mut silent = t.stall_us(near, others, now);
            if others && peer.given == 0 && !peer.origin {
                // Nothing speaks for it yet.
                silent = silent.min(t.trial_us(now));
            }
            let due = peer.block_at + silent;
            if now >= due {
                stalled.push((peer.id, others));
            } else {
                next = next.min(due);
            }
        }
        for (conn, others) in stalled {
            if others {
                self.doubt(conn); // else it is hardly its fault
            }
            self.stalled(torrent, conn);
        }
        if next != Micros::MAX {
            self.wake_at(next);
        }
    }

    /// A peer that sends nothing at all is disconnected, and dialled again later. One that still sends messages rests.
    fn stalled(&mut self, torrent: TorrentId, conn: ConnId) {
        let now = self.now;
        let t = &self.torrents[usize::from(torrent.0)];
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        if peer.is_useless() || !peer.origin && peer.heard_at <= peer.block_at {
            return self.close(conn, Some(Code::PeerStalled));
        }
        peer.stalls = (peer.stalls + 1).min(STALLS_MAX);
        let rest = (t.stall_us(true, true, now) << (peer.stalls - 1)).min(STALL_MAX_US);
        peer.rest_until = now + rest;
        self.torrents[usize::from(torrent.0)].note_rest(peer);
        self.wake_at(now + rest);
        self.drop_jobs_of(torrent, conn);
    }

    /// Asks somebody else for late pieces.
    fn check_late(&mut self, torrent: TorrentId) {
        let now = self.now;
        let at = usize::from(torrent.0);
        let late = self.torrents[at].late_us(now);
        let quiet = self.quiet_us(torrent).max(late);
        let hurried = self.prefers_origin(torrent);
        let t = &self.torrents[at];
        let quiet = if hurried {
            quiet.min((HURRIED_TIMES * t.origin.compare.piece_us()).max(LATE_MIN_US))
        } else {
            quiet
        };
        let rack_ends = t.rack_is_ending();
        let mut hedges = Vec::new();
        let mut quiets = Vec::new();
        let mut next = Micros::MAX;
        for job in t.jobs.iter().filter(|j| !j.verifying) {
            // The uplink is shared by the whole rack: a second copy over it hurts more than a late one.
            let (late, moved_at) = match job.source {
                Source::Peer(conn) => match self.peers.get(&conn) {
                    Some(p) if t.counts_near(p.mask()) => (late, job.moved_at),
                    // All of ours wait for the last ones.
                    Some(_) if rack_ends => (t.late_at_the_end_us(now), job.moved_at),
                    Some(_) => (late.max(t.claim_us()), job.moved_at),
                    None => (late, job.moved_at),
                },
                Source::Fetch(_) => (late.max(STALL_MIN_US), job.moved_at.max(t.origin.fetched_at())),
            };
            if now >= moved_at + late {
                hedges.push((job.piece, job.source));
                next = next.min(now + late);
            } else {
                next = next.min(moved_at + late);
            }
            if t.spec.has_origin && t.origin.is_idle() && matches!(job.source, Source::Peer(_)) {
                let heard_at = if hurried { 0 } else { t.heard_at(job.piece) };
                // However often it is asked of yet another.
                let owed = t.owed_since(job.piece) + OWED_TIMES * quiet;
                let due = (job.moved_at.max(heard_at) + quiet).min(owed);
                if now >= due.max(t.origin.rests_until()) {
                    quiets.push(job.piece);
                } else {
                    next = next.min(due.max(t.origin.rests_until()));
                }
            }
        }
        for (piece, slow) in hedges {
            self.hedge(torrent, piece, slow);
        }
        for piece in quiets {
            self.fetch_quiet(torrent, piece);
        }
        if hurried {
            self.fetch_slowest(torrent);
        }
        if next != Micros::MAX {
            self.wake_at(next.max(now + 5 * MILLISECOND));
        }
    }

    /// Asks the origin for a piece that peers have been given and do not move.
    fn fetch_quiet(&mut self, torrent: TorrentId, piece: u32) {
        let t = &self.torrents[usize::from(torrent.0)];
        let now = self.now;
        let moves = |j: &Job| j.verifying || j.received > 0 && j.moved_at + t.late_us(now) > now;
        let moving = t.jobs.iter().any(|j| j.piece == piece && moves(j));
        if moving || !t.origin.is_idle() || t.has(piece) {
            return;
        }
        if t.free_slot(piece).is_none() {
            // Two peers have it and neither moves: the one that has sent less gives way.
            let worst = (0..t.jobs.len())
                .filter(|i| t.jobs[*i].piece == piece)
                .min_by_key(|i| t.jobs[*i].received);
            if let Some(worst) = worst {
                self.drop_job(torrent, worst);
            }
        }
        self.start_fetch(torrent, piece, 1);
    }

    /// When nothing is left to begin and the origin is faster, it overtakes the peer that will take longest.
    fn fetch_slowest(&mut self, torrent: TorrentId) {
        let t = &self.torrents[usize::from(torrent.0)];
        if !t.wanted.is_empty() || !t.origin.is_idle() || t.origin.rests_until() > self.now {
            return;
        }
        let waits_us = |j: &&Job| match j.source {
            Source::Peer(conn) => self.peers.get(&conn).map_or(0, |p| match p.block_us {
                0 => Micros::MAX,
                us => us.saturating_mul(Micros::from(p.pending_blocks)),
            }),
            Source::Fetch(_) => 0,
        };
        let lone = |j: &&Job| !j.verifying && t.free_slot(j.piece).is_some();
        let slowest = t.jobs.iter().filter(lone).max_by_key(waits_us);
        let worth = |j: &&Job| waits_us(j) > 2 * t.origin.compare.piece_us();
        if let Some(piece) = slowest.filter(worth).map(|j| j.piece) {
            self.start_fetch(torrent, piece, 1);
        }
    }

    /// Somebody else who has the piece and nothing to do: rather one that has given some, and that was not asked lately.
    fn idle_holder(&self, torrent: TorrentId, piece: u32, slow: Source) -> Option<ConnId> {
        let t = &self.torrents[usize::from(torrent.0)];
        // What somebody in the rack has does not come over the uplink once more.
        let near = t.near_holders(piece);
        let holders = if near != 0 {
            near
        } else {
            t.holders(piece) & !t.doubtful & !t.too_far_for(piece, self.now)
        };
        t.slots
            .iter()
            .flatten()
            .filter_map(|c| self.peers.get(c))
            .filter(|p| {
                Source::Peer(p.id) != slow
                    && holders & p.mask() != 0
                    && (p.open() || p.allowed.contains(&piece))
                    && p.pending_blocks == 0
                    && p.rest_until <= self.now
            })
            .min_by_key(|p| (p.given == 0, p.block_at))
            .map(|p| p.id)
    }

    /// Moves a late piece to an idle holder; beside the late one when that has already sent a part.
    fn hedge(&mut self, torrent: TorrentId, piece: u32, slow: Source) {
        let now = self.now;
        let t = &self.torrents[usize::from(torrent.0)];
        if t.jobs.iter().filter(|j| j.piece == piece).count() > 1 {
            return;
        }
        let Some(at) = t.job_at(piece, slow) else {
            return;
        };
        let peer = matches!(slow, Source::Peer(_));
        let begun = t.jobs[at].received > 0;
        let is_import = t.near_holders(piece) == 0 && t.rack_is_ending();
        let late = match (is_import, t.is_ending()) {
            (true, _) => t.late_at_the_end_us(now),
            (_, true) => t.late_us(now),
            _ => 3 * t.late_us(now),
        };
        if begun && self.now < t.jobs[at].moved_at + late {
            return;
        }
        let Some(other) = self.idle_holder(torrent, piece, slow) else {
            return;
        };
        if peer && !begun {
            self.drop_job(torrent, at);
        }
        self.start_job(other, piece);
    }

    /// How long a piece in flight may rest, in the whole swarm, before the origin is asked: longer with
    /// many neighbours, who wait as well, each for a time of its own.
    pub(super) fn quiet_us(&mut self, torrent: TorrentId) -> Micros {
        let random = self.patience(torrent);
        let unanswered = match self.credible_neighbours(torrent) {
            (0, _) => self.unanswered_us(torrent),
            _ => Micros::MAX,
        };
        let t = &self.torrents[usize::from(torrent.0)];
        let others = t.neighbours();
        let p95 = t.times.p95();
        if others == 0 {
            return p95.map_or(QUIET_ALONE_US, |p| {
                (4 * p).clamp(QUIET_ALONE_US, QUIET_ALONE_MAX_US)
            });
        }
        let base = p95.map_or(QUIET_UNKNOWN_US, |p| {
            (12 * p).clamp(QUIET_MIN_US, QUIET_MAX_US.max(t.slow_us()))
        });
        let usual = base + t.spread_us() * others * random / 1000;
        match t.intake.unanswered_since() {
            Some(_) => usual.min(unanswered),
            None => usual,
        }
    }
}

impl Torrent {
    /// How long a piece may go without a block before it is late.
    pub(super) fn late_us(&self, now: Micros) -> Micros {
        self.times
            .p95()
            .map_or(self.times.guess_us(), |p| {
                let times = if self.is_ending() { 1 } else { 3 };
                (times * p).max(LATE_MIN_US)
            })
            .max(3 * self.wait_us(now))
    }

    /// How long a peer may owe us blocks that has not given any piece yet.
    fn trial_us(&self, now: Micros) -> Micros {
        let usual = self
            .times
            .p95()
            .map_or(self.times.guess_us(), |p| TRIAL_TIMES * p);
        usual.max(LATE_MIN_US).max(3 * self.wait_us(now))
    }

    /// Only a few pieces are left, all are asked for, and our link is idle but for them: whoever has them may be
    /// slow or dead, and asking another costs little.
    fn is_ending(&self) -> bool {
        self.wanted.is_empty() && self.jobs.len() <= ENDING_PIECES
    }

    /// The same for the last pieces that our rack lacks.
    pub(super) fn late_at_the_end_us(&self, now: Micros) -> Micros {
        let usual = self.times.p95().unwrap_or(self.times.guess_us());
        usual.max(LATE_MIN_US).max(2 * self.wait_us(now))
    }

    /// Our rack lacks a few pieces only, and there are other racks: one of them that is late holds up all of ours, and
    /// the uplink is idle but for it.
    pub(super) fn rack_is_ending(&self) -> bool {
        let lacks = |piece: u32| self.near_holders(piece) == 0;
        self.racked && self.wanted.len() + self.jobs.len() <= ENDING_LOOK && {
            let jobs = self.jobs.iter().filter(|j| lacks(j.piece)).count();
            jobs + self.wanted.iter().filter(|p| lacks(**p)).count() <= ENDING_PIECES
        }
    }

    /// Whether only we wait for what comes from this peer: it is in our rack, or we are alone.
    fn counts_near(&self, mask: u128) -> bool {
        self.local & mask != 0 || self.neighbours() == 0
    }

    /// How long a peer may owe us blocks and send none.
    fn stall_us(&self, near: bool, others: bool, now: Micros) -> Micros {
        let usual = self
            .times
            .p95()
            .map_or(STALL_UNKNOWN_US, |p| (8 * p).clamp(STALL_MIN_US, STALL_MAX_US));
        let usual = if near { usual } else { usual.max(self.claim_us()) };
        let usual = if others { usual } else { 3 * usual };
        // Behind our own link all wait, and all alike.
        usual
            .min(STALL_MAX_US)
            .max((8 * self.wait_us(now)).min(STALL_BUSY_MAX_US))
    }
}
