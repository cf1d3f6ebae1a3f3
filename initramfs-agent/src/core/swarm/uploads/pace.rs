//! Whether a connection crawls: whether it moves far less in its turns than turns move at that time. Never in bytes a second: where
//! every link is slow nobody crawls, nor does who is served alone.

use super::super::Micros;
use crate::core::time::SECOND;

/// A connection is judged by what it has moved in so much time of its turns,
const JUDGED_US: Micros = 2 * SECOND;
/// in which a fair part of what all have moved is so much: kernels report what they have sent in steps of up to 30 kB.
const JUDGED_BYTES: u64 = 128 << 10;
/// Unjudged for so much time of its turns, it makes room for one more: only that shows whether all are slow. A fair part of 1 Mbit/s
/// is enough to judge by after 7.3 s.
const UNJUDGED_US: Micros = 8 * SECOND;
/// It crawls below this part of a fair one, as in the server's boot queue.
const CRAWL_PART: u64 = 4;

/// What one connection moves in its turns.
pub(super) struct Pace {
    /// When the time began for which it is judged next, and what all connections of its kind had moved by then, bytes.
    from: Micros,
    all_bytes: u64,
    /// Time of its turns since then; turns beside one another add up.
    held_us: Micros,
    /// What it has moved since then.
    bytes: u64,
    is_crawling: bool,
}

impl Pace {
    /// `all_bytes`: what all connections of its kind have moved.
    pub fn new(now: Micros, all_bytes: u64) -> Self {
        Self {
            from: now,
            all_bytes,
            held_us: 0,
            bytes: 0,
            is_crawling: false,
        }
    }

    pub fn is_crawling(&self) -> bool {
        self.is_crawling
    }

    /// All move so little that it has been unknown for long whether it crawls.
    pub fn is_unjudged(&self) -> bool {
        self.held_us >= UNJUDGED_US
    }

    /// The two of them as one.
    pub fn with(self, other: Self) -> Self {
        Self {
            from: self.from.min(other.from),
            all_bytes: self.all_bytes.min(other.all_bytes),
            held_us: self.held_us + other.held_us,
            bytes: self.bytes + other.bytes,
            is_crawling: self.is_crawling || other.is_crawling,
        }
    }

    /// A turn of it has lasted so much longer.
    pub fn held(&mut self, us: Micros) {
        self.held_us += us;
    }

    /// So many bytes of it have gone out.
    pub fn moved(&mut self, bytes: u32) {
        self.bytes += u64::from(bytes);
    }

    /// Judges it if it is time to; whether it begins or ceases to crawl. A fair part is what all have moved in the same time
    /// divided by `places`, the turns that there may be at a time.
    pub fn judge(&mut self, now: Micros, all_bytes: u64, places: usize) -> bool {
        if self.held_us < JUDGED_US {
            return false;
        }
        let moved = all_bytes.saturating_sub(self.all_bytes);
        let slots_us = now.saturating_sub(self.from).max(1).saturating_mul(places as u64);
        let fair = moved.saturating_mul(self.held_us) / slots_us;
        if fair < JUDGED_BYTES {
            return false;
        }
        let crawls = self.bytes < fair / CRAWL_PART;
        let is_new = crawls != self.is_crawling;
        *self = Self {
            is_crawling: crawls,
            ..Self::new(now, all_bytes)
        };
        is_new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    /// Whether a connection crawls that has one turn for ten seconds and moves so much while all move `all` bytes in seven.
    fn crawls(bytes: u32, all: u64) -> bool {
        let mut pace = Pace::new(SECOND, 5 * MB);
        pace.held(10 * SECOND);
        pace.moved(bytes);
        pace.judge(11 * SECOND, 5 * MB + all, 7);
        pace.is_crawling()
    }

    #[test]
    fn less_than_a_quarter_of_a_fair_part_is_a_crawl() {
        assert!(crawls((256 << 10) - 1, 7 * MB));
        assert!(!crawls(256 << 10, 7 * MB));
        assert!(crawls(0, 7 * MB));
    }

    #[test]
    fn where_all_are_slow_nobody_crawls() {
        // Too little to tell, and a seventh of a megabit a second.
        assert!(!crawls(0, 7 * (128 << 10) - 7));
        assert!(!crawls(178_000, 1_250_000));
        // Alone.
        assert!(!crawls(1_250_000, 1_250_000));
    }

    #[test]
    fn it_is_judged_by_the_time_of_its_turns() {
        let mut pace = Pace::new(0, 0);
        // A turn now and then, which moves a little: a farm has moved much meanwhile.
        pace.held(SECOND);
        assert!(!pace.judge(60 * SECOND, 700 * MB, 7));
        pace.held(SECOND);
        pace.moved(1 << 20);
        assert!(!pace.judge(61 * SECOND, 700 * MB, 7));
        // Three turns beside one another must move as much as three.
        pace.held(3 * SECOND);
        pace.moved(1 << 20);
        assert!(pace.judge(62 * SECOND, 712 * MB, 7));
        assert!(pace.is_crawling());
        // Until it does better for as long.
        pace.held(2 * SECOND);
        pace.moved(1 << 20);
        assert!(pace.judge(64 * SECOND, 724 * MB, 7));
        assert!(!pace.is_crawling());
    }
}
