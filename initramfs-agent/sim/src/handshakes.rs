//! Who may begin a TLS handshake with the server now (`server/http/handshake-window.ts`). Each node has an address and
//! one connection of its own here, so that the share of one address does not matter.

use std::collections::{BTreeMap, VecDeque};

use super::net::Endpoint;
use bootswarm_agent::core::time::{MILLISECOND, Micros, SECOND};

const HANDSHAKES_MIN: usize = 16;
const HANDSHAKES_MAX: usize = 128;
/// A handshake that took less makes room for one more, one that took more for one less.
const QUICK_US: Micros = 50 * MILLISECOND;
const SLOW_US: Micros = 100 * MILLISECOND;
/// Whoever takes longer no longer keeps others waiting.
const OVERDUE_US: Micros = SECOND;

/// Those who wait for their handshake, and since when the others are in theirs.
pub(super) struct Handshakes {
    waiting: VecDeque<Endpoint>,
    inside: BTreeMap<Endpoint, Micros>,
    size: usize,
    /// When it is looked at anyway.
    looked_at: Option<Micros>,
}

impl Handshakes {
    pub fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            inside: BTreeMap::new(),
            size: HANDSHAKES_MIN,
            looked_at: None,
        }
    }

    /// Asks for its turn.
    pub fn arrive(&mut self, node: Endpoint) {
        self.waiting.push_back(node);
    }

    /// Those whose turn it is now, in order.
    pub fn next(&mut self, now: Micros) -> Vec<Endpoint> {
        self.inside.retain(|_, since| *since + OVERDUE_US > now);
        let free = self.size.saturating_sub(self.inside.len());
        let turns: Vec<Endpoint> = self.waiting.drain(..free.min(self.waiting.len())).collect();
        self.inside.extend(turns.iter().map(|node| (*node, now)));
        turns
    }

    /// When to call [`Self::next`] though nobody has come or gone; each time is returned once.
    pub fn look_at(&mut self) -> Option<Micros> {
        let oldest = self.inside.values().min().filter(|_| !self.waiting.is_empty());
        let at = oldest.map(|since| since + OVERDUE_US);
        let is_new = at != self.looked_at;
        self.looked_at = at;
        at.filter(|_| is_new)
    }

    /// Has finished its handshake.
    pub fn finish(&mut self, node: Endpoint, now: Micros) {
        let Some(since) = self.inside.remove(&node) else {
            return;
        };
        let took = now - since;
        if took < QUICK_US {
            self.size = (self.size + 1).min(HANDSHAKES_MAX);
        } else if took > SLOW_US {
            self.size = (self.size - 1).max(HANDSHAKES_MIN);
        }
    }
}
