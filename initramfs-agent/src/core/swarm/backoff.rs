//! When a server that has failed, or asked to be left alone, may be asked again: longer each time, and never all of a
//! farm in the same moment.

use crate::core::time::{Micros, SECOND};

/// How often a wait doubles.
const FAILS_MAX: u32 = 5;
/// A server may ask for no longer a rest than this, and gets this much more at random.
const RETRY_AFTER_MAX_US: Micros = 600 * SECOND;
const RETRY_AFTER_SPREAD_MAX_US: Micros = 60 * SECOND;

/// Failures in a row, and the rest that follows from them.
#[derive(Default)]
pub(super) struct Backoff {
    fails: u32,
    until: Micros,
}

impl Backoff {
    /// It sent what was requested.
    pub fn succeeded(&mut self) {
        self.fails = 0;
    }

    /// It did not answer, or its answer was invalid.
    pub fn failed(&mut self) {
        self.fails = (self.fails + 1).min(FAILS_MAX);
    }

    /// A request has ended: the rest begins. `retry_after` is what the server asked for, `draw` is below 1000.
    pub fn rest(&mut self, now: Micros, retry_after: Option<Micros>, draw: u64) {
        let rest = match (retry_after, self.fails) {
            (Some(wait), _) => {
                wait.min(RETRY_AFTER_MAX_US) + wait.min(RETRY_AFTER_SPREAD_MAX_US) * draw / 2000
            }
            (None, 0) => 0,
            (None, n) => (SECOND << n) / 2 + SECOND * draw / 1000,
        };
        self.until = now + rest;
    }

    /// Not to be asked before.
    pub fn until(&self) -> Micros {
        self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_sixteen_seconds_and_end_with_a_success() {
        let mut backoff = Backoff::default();
        backoff.rest(7, None, 999);
        assert_eq!(backoff.until(), 7, "nothing has failed");
        let rests = (0..7).map(|_| {
            backoff.failed();
            backoff.rest(0, None, 500);
            backoff.until() * 2 / SECOND
        });
        assert_eq!(rests.collect::<Vec<_>>(), [3, 5, 9, 17, 33, 33, 33]);
        backoff.succeeded();
        backoff.rest(7, None, 999);
        assert_eq!(backoff.until(), 7);
    }

    #[test]
    fn what_the_server_asks_for_counts_more_within_bounds() {
        let mut backoff = Backoff::default();
        backoff.failed();
        backoff.rest(0, Some(10 * SECOND), 0);
        assert_eq!(backoff.until(), 10 * SECOND);
        backoff.rest(0, Some(10 * SECOND), 1000);
        assert_eq!(backoff.until(), 15 * SECOND);
        backoff.rest(0, Some(Micros::MAX), 1000);
        assert_eq!(backoff.until(), 630 * SECOND);
    }
}
