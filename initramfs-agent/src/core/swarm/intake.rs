//! How fast our own link takes blocks in: a node whose link is the slow one must not take its peers for slow.

use super::Micros;
use super::torrent::{Job, Source, Torrent};
use crate::core::limits::BLOCK_BYTES;
use crate::core::time::SECOND;

/// What is in flight shall pass through our own link within this time: behind more of it messages wait too
/// long, TCP takes the wait for loss, and so would we.
const QUEUE_US: Micros = 10 * SECOND;
/// Pieces in flight at least.
const PIECES_MIN: u64 = 3;
/// Blocks of one measurement of the rate.
const BLOCKS: u32 = 4;
/// What the best measurement loses with each further one, as a divisor.
const FADES: u64 = 16;
/// So many times the time between two blocks without any, and our own link is idle.
const GAPS_SILENT: Micros = 8;
/// The mean time between two blocks is at most so many times that of the best few in a row, where our own link is busy.
const BEST_TIMES: Micros = 2;
/// Blocks over which the time between two of them is smoothed.
const GAPS: u64 = 16;

/// What came in lately, of one torrent.
pub(super) struct Intake {
    /// Blocks since `since`.
    blocks: u32,
    since: Micros,
    /// The best rate of a few blocks in a row, bytes a second: a starved node has it too whenever a few come.
    best: u64,
    /// The last block came, or the first of those under way was asked for.
    at: Micros,
    seen: u64,
    /// The first piece was asked for.
    asked_at: Option<Micros>,
    /// Smoothed time between two blocks while some are under way.
    gap_us: Micros,
}

impl Intake {
    pub fn new(now: Micros) -> Self {
        Self {
            blocks: 0,
            since: now,
            best: 0,
            at: now,
            seen: 0,
            asked_at: None,
            gap_us: 0,
        }
    }

    /// The first piece after a time without any is asked for.
    fn resume(&mut self, now: Micros) {
        self.asked_at.get_or_insert(now);
        self.at = now;
        self.since = now;
        self.blocks = 0;
    }

    /// Since when peers have been asked and none has sent a useful block; `None` once one has.
    pub fn unanswered_since(&self) -> Option<Micros> {
        self.asked_at.filter(|_| self.seen == 0)
    }

    /// Time between two blocks while our own link is busy, rather too long. A starved node waits longer between two, but
    /// not because of its link.
    fn block_us(&self) -> Micros {
        let at_best = (u64::from(BLOCK_BYTES) * SECOND).checked_div(self.best);
        at_best.map_or(self.gap_us, |us| self.gap_us.min(BEST_TIMES * us))
    }

    fn block(&mut self, now: Micros) {
        self.seen += 1;
        let over = self.seen.min(GAPS);
        self.gap_us = (self.gap_us * (over - 1) + now.saturating_sub(self.at)) / over;
        self.at = now;
        self.blocks += 1;
        if self.blocks == BLOCKS {
            let took = now.saturating_sub(self.since).max(1);
            let rate = u64::from(BLOCKS * BLOCK_BYTES) * SECOND / took;
            self.best = rate.max(self.best - self.best / FADES);
            self.since = now;
            self.blocks = 0;
        }
    }
}

impl Torrent {
    /// A piece is about to be asked of a peer.
    pub(super) fn note_asked(&mut self, now: Micros) {
        if !self.jobs.iter().any(of_peer) {
            self.intake.resume(now);
        }
    }

    /// A useful block has come.
    pub(super) fn note_block(&mut self, now: Micros) {
        self.intake.block(now);
    }

    /// How long a block waits from request to arrival in the mean: as many are under way, times the time between two
    /// arrivals (Little's law). Whoever sends none for longer is late, however slow our own link is. What has been
    /// overtaken by as many blocks as were under way does not wait in front of our link, nor does anything where several
    /// could have come and none has.
    pub(super) fn wait_us(&self, now: Micros) -> Micros {
        let (gap_us, seen) = (self.intake.block_us(), self.intake.seen);
        if now > self.intake.at.saturating_add(gap_us.saturating_mul(GAPS_SILENT)) {
            return 0;
        }
        let jobs = || self.jobs.iter().filter(|j| of_peer(j));
        let asked: u32 = jobs().map(|j| j.requested - j.received).sum();
        let moves = |j: &&Job| j.received > 0 || seen - j.seen < u64::from(asked);
        let under_way: u32 = jobs().filter(moves).map(|j| j.requested - j.received).sum();
        gap_us.saturating_mul(Micros::from(under_way))
    }

    /// A piece has come from the origin, through the same link.
    pub(super) fn note_fetched(&mut self, now: Micros) {
        self.intake.at = now;
    }

    /// Blocks that have come so far.
    pub(super) fn blocks_seen(&self) -> u64 {
        self.intake.seen
    }

    /// Pieces that our own link may have waiting in front of it.
    pub(super) fn intake_pieces(&self) -> usize {
        let bytes = self.intake.best.saturating_mul(QUEUE_US) / SECOND;
        let length = u64::from(self.spec.piece_length.max(BLOCK_BYTES));
        (bytes / length).max(PIECES_MIN) as usize
    }
}

fn of_peer(job: &Job) -> bool {
    matches!(job.source, Source::Peer(_))
}
