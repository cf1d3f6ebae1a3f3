//! Taking work back from peers that are late. What counts as late follows from how long pieces take.

use super::torrent::Source;
use super::types::{ConnId, TorrentId};
use super::{Code, Micros, Swarm};
use crate::core::time::{MILLISECOND, SECOND};

/// A piece is never late before that.
const LATE_MIN_US: Micros = 50 * MILLISECOND;
/// Before any piece has come we cannot know how long one takes.
const LATE_UNKNOWN_US: Micros = 2 * SECOND;
/// A peer that owes us blocks and sends none at all for this long is given up.
const STALL_US: Micros = 20 * SECOND;

impl Swarm {
    /// Looks for late pieces and asks somebody else for them.
    pub(super) fn check_jobs(&mut self) {
        let now = self.now;
        for at in 0..self.torrents.len() {
            let torrent = TorrentId(at as u16);
            if self.torrents[at].jobs.is_empty() {
                continue;
            }
            let late = self.torrents[at].late_us();
            let mut stalled = Vec::new();
            let mut hedges = Vec::new();
            let mut next = Micros::MAX;
            for job in self.torrents[at].jobs.iter().filter(|j| !j.verifying) {
                let Source::Peer(conn) = job.source else {
                    continue;
                };
                // The uplink is shared by the whole rack: a second copy over it hurts more than a late one.
                let t = &self.torrents[at];
                let near = self.peers.get(&conn).is_some_and(|p| t.local & p.mask() != 0);
                let late = if near { late } else { late.max(t.claim_us()) };
                if now >= job.moved_at + STALL_US {
                    stalled.push(conn);
                } else if now >= job.moved_at + late {
                    hedges.push((job.piece, conn));
                    next = next.min(now + late);
                } else {
                    next = next.min(job.moved_at + late);
                }
            }
            for (piece, conn) in hedges {
                self.hedge(torrent, piece, conn);
            }
            for conn in stalled {
                self.close(conn, Some(Code::PeerStalled));
            }
            if next != Micros::MAX {
                self.wake_at(next.max(now + 5 * MILLISECOND));
            }
        }
    }

    /// Somebody else who has the piece and nothing to do.
    fn idle_holder(&self, torrent: TorrentId, piece: u32, slow: ConnId) -> Option<ConnId> {
        let t = &self.torrents[usize::from(torrent.0)];
        // What somebody in the rack has does not come over the uplink once more.
        let near = t.holders[piece as usize] & t.local;
        let holders = if near != 0 {
            near
        } else {
            t.holders[piece as usize]
        };
        t.slots
            .iter()
            .flatten()
            .filter_map(|c| self.peers.get(c))
            .find(|p| {
                p.id != slow
                    && holders & p.mask() != 0
                    && (p.open() || p.allowed.contains(&piece))
                    && p.pending_blocks == 0
                    && p.rest_until <= self.now
            })
            .map(|p| p.id)
    }

    /// Moves a late piece to an idle holder; beside the late one when that has already sent a part.
    fn hedge(&mut self, torrent: TorrentId, piece: u32, slow: ConnId) {
        let t = &self.torrents[usize::from(torrent.0)];
        if t.jobs.iter().filter(|j| j.piece == piece).count() > 1 {
            return;
        }
        let Some(at) = t.job_at(piece, Source::Peer(slow)) else {
            return;
        };
        let begun = t.jobs[at].received > 0;
        if begun && self.now < t.jobs[at].moved_at + t.late_us() * 3 {
            return;
        }
        let Some(other) = self.idle_holder(torrent, piece, slow) else {
            return;
        };
        if !begun {
            self.drop_job(torrent, at);
        }
        self.start_job(other, piece);
    }
}

impl super::torrent::Torrent {
    /// How long a piece may go without a block before it is late.
    pub(super) fn late_us(&self) -> Micros {
        self.piece_p95()
            .map_or(LATE_UNKNOWN_US, |p| (3 * p).max(LATE_MIN_US))
    }
}
