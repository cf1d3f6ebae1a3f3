//! The door in front of the server's TLS: handshakes a few at a time, as `server/http/door-window.ts` has it.

use std::collections::{BTreeMap, VecDeque};

use super::net::Endpoint;
use bootswarm_agent::core::time::{MILLISECOND, Micros};

const HANDSHAKES_MIN: usize = 16;
const HANDSHAKES_MAX: usize = 128;
/// A handshake that took less makes room for one more, one that took more for one less.
const QUICK_US: Micros = 50 * MILLISECOND;
const SLOW_US: Micros = 100 * MILLISECOND;

/// Those who wait in front of it, and since when the others are inside.
pub(super) struct Door {
    waiting: VecDeque<Endpoint>,
    inside: BTreeMap<Endpoint, Micros>,
    size: usize,
}

impl Door {
    pub fn new() -> Self {
        Self {
            waiting: VecDeque::new(),
            inside: BTreeMap::new(),
            size: HANDSHAKES_MIN,
        }
    }

    /// Comes to the door.
    pub fn arrive(&mut self, node: Endpoint) {
        self.waiting.push_back(node);
    }

    /// The next one whose turn it is.
    pub fn next(&mut self, now: Micros) -> Option<Endpoint> {
        if self.inside.len() >= self.size {
            return None;
        }
        let node = self.waiting.pop_front()?;
        self.inside.insert(node, now);
        Some(node)
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

#[cfg(test)]
mod tests {
    use super::*;
    use bootswarm_agent::core::time::SECOND;

    #[test]
    fn a_few_at_a_time_and_more_while_they_come_back_quickly() {
        let mut door = Door::new();
        (0..500).for_each(|node| door.arrive(node));
        let begin = |door: &mut Door, now| std::iter::from_fn(|| door.next(now)).collect::<Vec<_>>();
        assert_eq!(begin(&mut door, 0), (0..16).collect::<Vec<_>>());
        door.finish(3, MILLISECOND);
        assert_eq!(begin(&mut door, MILLISECOND), [16, 17]);
        door.finish(4, SECOND);
        assert_eq!(begin(&mut door, SECOND), [] as [usize; 0]);
        door.finish(4, SECOND);
        door.finish(5, SECOND);
        assert_eq!(begin(&mut door, SECOND), [18]);
    }
}
