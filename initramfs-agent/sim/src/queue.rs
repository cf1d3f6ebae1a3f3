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
/// No place.
const NONE: u32 = u32::MAX;

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

/// The events of one microsecond, linked, by their places.
#[derive(Clone, Copy)]
struct Bucket {
    first: u32,
    last: u32,
}

const EMPTY: Bucket = Bucket {
    first: NONE,
    last: NONE,
};

/// Events in the order of time, then of their making.
pub(super) struct Events {
    now: Micros,
    buckets: Vec<Bucket>,
    /// One bit for each bucket that holds something.
    filled: Vec<u64>,
    /// The events of all buckets, each with the place of the next. Emptied places are linked too, the last one first: it is
    /// still in the cache.
    places: Vec<(Event, u32)>,
    free: u32,
    later: BinaryHeap<Later>,
    seq: u64,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            now: 0,
            buckets: vec![EMPTY; WHEEL],
            filled: vec![0; WHEEL / 64],
            places: Vec::new(),
            free: NONE,
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
            if let Some(event) = self.take() {
                return Some((self.now, event));
            }
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

    /// What comes next, unless something else is added before; nothing that waits in the heap.
    pub fn coming(&self) -> impl Iterator<Item = &Event> {
        let mut at = bucket(self.now);
        let mut place = self.buckets[at].first;
        std::iter::from_fn(move || {
            if place == NONE {
                let distance = self.ahead_of(at)?;
                at = (at + distance) % WHEEL;
                place = self.buckets[at].first;
            }
            let (event, next) = &self.places[place as usize];
            place = *next;
            if place == NONE {
                at = (at + 1) % WHEEL;
                place = self.buckets[at].first;
            }
            Some(event)
        })
    }

    fn put(&mut self, at: Micros, event: Event) {
        let place = self.free;
        let place = if place == NONE {
            self.places.push((event, NONE));
            self.places.len() as u32 - 1
        } else {
            self.free = self.places[place as usize].1;
            self.places[place as usize] = (event, NONE);
            place
        };
        let at = bucket(at);
        let Bucket { first, last } = self.buckets[at];
        if first == NONE {
            self.buckets[at].first = place;
            self.filled[at / 64] |= 1 << (at % 64);
        } else {
            self.places[last as usize].1 = place;
        }
        self.buckets[at].last = place;
    }

    /// The first event of the current bucket.
    fn take(&mut self) -> Option<Event> {
        let at = bucket(self.now);
        let place = self.buckets[at].first;
        let (event, next) = *self.places.get(place as usize)?;
        self.buckets[at].first = next;
        if next == NONE {
            self.filled[at / 64] &= !(1 << (at % 64));
        }
        self.places[place as usize].1 = self.free;
        self.free = place;
        Some(event)
    }

    /// How far ahead the next bucket is that holds something; the current one is empty.
    fn ahead(&self) -> Option<Micros> {
        self.ahead_of(bucket(self.now)).map(|distance| distance as Micros)
    }

    /// The same from any bucket; 0 if that one holds something.
    fn ahead_of(&self, from: usize) -> Option<usize> {
        let words = self.filled.len();
        for step in 0..=words {
            let word = (from / 64 + step) % words;
            let mut bits = self.filled[word];
            if step == 0 {
                bits &= u64::MAX << (from % 64);
            }
            if bits != 0 {
                let at = word * 64 + bits.trailing_zeros() as usize;
                return Some((at + WHEEL - from) % WHEEL);
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
        let (mut now, mut made, mut foreseen) = (0, 0, 0);
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
            let coming = events.coming().next().map(|event| match event {
                Event::Tick(number) => *number,
                _ => panic!("nothing else was put in"),
            });
            let popped = events.pop().map(|(at, event)| match event {
                Event::Tick(number) => (at, number),
                _ => panic!("nothing else was put in"),
            });
            assert_eq!(popped, first);
            if coming.is_some() {
                assert_eq!(coming, popped.map(|(_, number)| number));
                foreseen += 1;
            }
            now = popped.map_or(now, |(at, _)| at);
        }
        assert!(events.pop().is_none() && made > 100_000 && foreseen > 50_000);
    }
}
