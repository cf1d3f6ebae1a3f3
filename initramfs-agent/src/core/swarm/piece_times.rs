//! How long pieces take, by which all waits are measured.

use crate::core::time::{MILLISECOND, Micros, SECOND};

/// Times that are remembered.
const TIMES_MAX: usize = 32;
/// So many are enough to know how long a piece takes.
const MEASURED_MIN: usize = 4;
/// Fewer are enough when they were faster than this: the defaults until then are for slow links, and on fast ones a farm
/// would wait for its first pieces longer than all of them take.
const FAST_US: Micros = 100 * MILLISECOND;

/// What a piece may take before any is measured: twice what the server took for its last answer, within these bounds; the
/// longer one where that is not known.
const GUESS_MIN_US: Micros = 500 * MILLISECOND;
const GUESS_MAX_US: Micros = 2 * SECOND;

/// Recent times of whole pieces from peers.
#[derive(Default)]
pub(super) struct PieceTimes {
    server_us: Micros,
    /// Microseconds, newest over oldest.
    recent: Vec<u32>,
    at: usize,
    p50: Option<Micros>,
    p95: Option<Micros>,
    across_us: Micros,
}

impl PieceTimes {
    /// A piece took so long.
    pub fn note(&mut self, us: Micros) {
        let us = us.min(Micros::from(u32::MAX)) as u32;
        if self.recent.len() < TIMES_MAX {
            self.recent.push(us);
        } else {
            self.recent[self.at] = us;
        }
        self.at = (self.at + 1) % TIMES_MAX;
        let mut sorted = self.recent.clone();
        sorted.sort_unstable();
        let p50 = Micros::from(sorted[sorted.len() / 2]);
        let enough = sorted.len() >= MEASURED_MIN;
        self.p50 = Some(p50).filter(|p| enough || *p < FAST_US);
        if enough {
            self.p95 = Some(Micros::from(sorted[sorted.len() * 95 / 100]));
        }
    }

    /// The server took so long for an answer.
    pub fn note_server(&mut self, us: Micros) {
        self.server_us = us;
    }

    /// How long a piece may take before any is measured, rather too long.
    pub fn guess_us(&self) -> Micros {
        match self.server_us {
            0 => GUESS_MAX_US,
            us => us.saturating_mul(2).clamp(GUESS_MIN_US, GUESS_MAX_US),
        }
    }

    /// A piece took so long over the uplink.
    pub fn note_across(&mut self, us: Micros) {
        self.across_us = us.max(self.across_us - self.across_us / 8);
    }

    /// The median, or `None` before there are [`MEASURED_MIN`] or fast ones.
    pub fn p50(&self) -> Option<Micros> {
        self.p50
    }

    /// The 95th percentile, or `None` before there are [`MEASURED_MIN`].
    pub fn p95(&self) -> Option<Micros> {
        self.p95
    }

    /// How long a piece takes over the uplink, rather too long; 0 before there is any.
    pub fn across_us(&self) -> Micros {
        self.across_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_pieces_tell_or_one_that_is_fast() {
        let mut slow = PieceTimes::default();
        for n in 0..4 {
            assert_eq!((slow.p50(), slow.p95()), (None, None), "after {n}");
            slow.note(SECOND + n);
        }
        assert_eq!((slow.p50(), slow.p95()), (Some(SECOND + 2), Some(SECOND + 3)));
        let mut fast = PieceTimes::default();
        fast.note(7 * MILLISECOND);
        assert_eq!((fast.p50(), fast.p95()), (Some(7 * MILLISECOND), None));
    }

    #[test]
    fn old_times_are_forgotten_and_the_uplink_slowly() {
        let mut times = PieceTimes::default();
        (0..32).for_each(|_| times.note(SECOND));
        (0..32).for_each(|_| times.note(2 * SECOND));
        assert_eq!((times.p50(), times.p95()), (Some(2 * SECOND), Some(2 * SECOND)));
        times.note_across(800);
        times.note_across(10);
        assert_eq!(times.across_us(), 700);
        times.note_across(900);
        assert_eq!(times.across_us(), 900);
    }
}
