//! The queue of events: a wheel of one bucket for each microsecond to come, and a heap for what is later.
//!
//! Events come out in the order of time, then of their making, exactly as from one heap: a bucket is first in,
//! first out, and what waits in the heap moves into its bucket in the moment the wheel reaches that far, before
//! anything else can be put there.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::net::Event;
use bootswarm_agent::core::time::Micros;

/// Microseconds ahead that have buckets. Blocks and messages on fast links live for less.
const WHEEL: usize = 1 << 15;
/// Emptied buckets kept for use again.
const SPARE_MAX: usize = 4096;

struct Later {
    at: Micros,
    seq: u64,
    event: Event,
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Later {}
impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

/// Events in the order of time, then of their making.
pub(super) struct Events {
    now: Micros,
    /// How many events of the current bucket are out.
    taken: usize,
    buckets: Vec<Vec<Event>>,
    /// One bit for each bucket that holds something.
    filled: Vec<u64>,
    spare: Vec<Vec<Event>>,
    later: BinaryHeap<Later>,
    seq: u64,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            now: 0,
            taken: 0,
            buckets: (0..WHEEL).map(|_| Vec::new()).collect(),
            filled: vec![0; WHEEL / 64],
            spare: Vec::new(),
            later: BinaryHeap::new(),
            seq: 0,
        }
    }
}

fn bucket(at: Micros) -> usize {
    at as usize % WHEEL
}

impl Events {
    /// Adds an event; one in the past happens now.
    pub fn push(&mut self, at: Micros, event: Event) {
        let at = at.max(self.now);
        if at - self.now < WHEEL as Micros {
            self.put(at, event);
        } else {
            self.seq += 1;
            let seq = self.seq;
            self.later.push(Later { at, seq, event });
        }
    }

    /// The next event and its time. Nothing can happen before that any more.
    pub fn pop(&mut self) -> Option<(Micros, Event)> {
        loop {
            if let Some(event) = self.buckets[bucket(self.now)].get(self.taken) {
                self.taken += 1;
                return Some((self.now, *event));
            }
            self.clear();
            self.now = match self.ahead() {
                Some(distance) => self.now + distance,
                None => self.later.peek()?.at,
            };
            while self
                .later
                .peek()
                .is_some_and(|l| l.at - self.now < WHEEL as Micros)
            {
                if let Some(Later { at, event, .. }) = self.later.pop() {
                    self.put(at, event);
                }
            }
        }
    }

    fn put(&mut self, at: Micros, event: Event) {
        let at = bucket(at);
        if self.buckets[at].capacity() == 0 {
            self.buckets[at] = self.spare.pop().unwrap_or_default();
        }
        self.buckets[at].push(event);
        self.filled[at / 64] |= 1 << (at % 64);
    }

    /// Empties the current bucket.
    fn clear(&mut self) {
        let at = bucket(self.now);
        let mut done = std::mem::take(&mut self.buckets[at]);
        if done.capacity() > 0 && self.spare.len() < SPARE_MAX {
            done.clear();
            self.spare.push(done);
        }
        self.filled[at / 64] &= !(1 << (at % 64));
        self.taken = 0;
    }

    /// How far ahead the next bucket is that holds something; the current one is empty.
    fn ahead(&self) -> Option<Micros> {
        let from = bucket(self.now);
        let words = self.filled.len();
        for step in 0..=words {
            let word = (from / 64 + step) % words;
            let mut bits = self.filled[word];
            if step == 0 {
                bits &= u64::MAX << (from % 64);
            }
            if bits != 0 {
                let at = word * 64 + bits.trailing_zeros() as usize;
                return Some(((at + WHEEL - from) % WHEEL) as Micros);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bootswarm_agent::core::rng::Rng;

    #[test]
    fn events_come_in_the_order_of_time_and_then_of_their_making() {
        let mut rng = Rng::new(1);
        let mut events = Events::default();
        let mut expected = std::collections::BTreeMap::new();
        let (mut now, mut made) = (0, 0);
        for round in 0..200_000 {
            if round < 100_000 {
                for _ in 0..rng.below(4) {
                    let reach = [1, 4, 1000, WHEEL as u64 + 2, 10 * WHEEL as u64][rng.below(5) as usize];
                    let at = now + rng.below(reach);
                    events.push(at, Event::Tick(made));
                    expected.insert((at, made), ());
                    made += 1;
                }
            }
            let first = expected.pop_first().map(|(key, ())| key);
            let popped = events.pop().map(|(at, event)| match event {
                Event::Tick(number) => (at, number),
                _ => panic!("nothing else was put in"),
            });
            assert_eq!(popped, first);
            now = popped.map_or(now, |(at, _)| at);
        }
        assert!(events.pop().is_none() && made > 100_000);
    }
}
