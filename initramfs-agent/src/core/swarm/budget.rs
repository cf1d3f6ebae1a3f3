//! How many messages without effect a peer may send: each costs us time, and nobody needs many.

use crate::core::limits::BLOCK_BYTES;
use crate::core::time::{Micros, SECOND};

/// Messages without effect in the long run, and at once. Honest peers send them too: requests that we reject, claims that are
/// not kept, requests taken back.
const PER_SECOND: Micros = 16;
const AT_ONCE: Micros = 4096;
const COST_US: Micros = SECOND / PER_SECOND;

/// What one connection has left of them.
#[derive(Default)]
pub(super) struct Budget {
    /// When all that it has sent will be paid for by the time that passes.
    paid_at: Micros,
}

impl Budget {
    /// Messages have come that cost as much as so many; whether they were within the budget.
    pub fn take(&mut self, now: Micros, messages: u32) -> bool {
        self.paid_at = self.paid_at.max(now) + COST_US * Micros::from(messages);
        self.paid_at <= now + COST_US * AT_ONCE
    }

    /// So many of them had an effect.
    pub fn give_back(&mut self, messages: u32) {
        self.paid_at = self.paid_at.saturating_sub(COST_US * Micros::from(messages));
    }

    /// So much payload was requested and sent. Requests for less than a block have an effect only in part.
    pub fn served(&mut self, bytes: u32) {
        let cost_us = COST_US * Micros::from(bytes) / Micros::from(BLOCK_BYTES);
        self.paid_at = self.paid_at.saturating_sub(cost_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_so_many_a_second() {
        let mut budget = Budget::default();
        assert_eq!((0..10_000).filter(|_| budget.take(SECOND, 1)).count(), 4096);
        let mut budget = Budget::default();
        for n in 0..100_000 {
            assert!(budget.take(n * SECOND / 16, 1), "{n}");
        }
        let mut budget = Budget::default();
        assert!(budget.take(0, 4096));
        assert!(!budget.take(SECOND, 17));
    }

    #[test]
    fn what_has_an_effect_costs_nothing_and_earns_nothing() {
        let mut budget = Budget::default();
        for n in 0..100_000 {
            assert!(budget.take(SECOND, 3), "{n}");
            budget.served(BLOCK_BYTES);
            budget.give_back(7);
        }
        assert_eq!((0..10_000).filter(|_| budget.take(SECOND, 1)).count(), 4096);
        let mut budget = Budget::default();
        let tiny = (0..10_000).take_while(|_| {
            budget.served(1);
            budget.take(SECOND, 1)
        });
        assert!(tiny.count() < 4200);
    }
}
