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
            gap_us: 0,
        }
    }

    /// The first piece after a time without any is asked for.
    fn resume(&mut self, now: Micros) {
        self.at = now;
        self.since = now;
        self.blocks = 0;
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
    /// arrivals (Little's law). Whoever sends none for longer is late, however slow our own link is.
    pub(super) fn wait_us(&self) -> Micros {
        let jobs = self.jobs.iter().filter(|j| of_peer(j));
        let under_way: u32 = jobs.map(|j| j.requested - j.received).sum();
        self.intake.gap_us.saturating_mul(Micros::from(under_way))
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
