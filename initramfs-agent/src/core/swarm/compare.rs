//! Whether the origin is faster than the peers. While peers send, only a comparison tells: the origin is asked for one piece
//! now and then, and for more as long as it is faster. Whoever has neighbours compares the more seldom the more they are,
//! so that a farm asks no more often than one node.

use super::Micros;
use crate::core::time::SECOND;

/// From the first request of a peer to the first comparison, and between two, for each neighbour and for us.
const EVERY_US: Micros = 2 * SECOND;
/// How often that doubles while the peers win.
const LOST_MAX: u32 = 5;
/// The origin is faster when it takes less than this part of the peers' time.
const TIMES_FASTER: u64 = 2;
/// The peers' rate is measured over as much as twice this time.
const WINDOW_US: Micros = 2 * SECOND;

/// What comparisons have shown.
#[derive(Default)]
pub(super) struct Compare {
    /// The last one ended then, or the first piece was asked of a peer.
    at: Option<Micros>,
    /// What peers have sent since then, bytes.
    bytes: u64,
    since: Micros,
    /// The fetch that runs was begun then.
    fetch_at: Micros,
    /// How long the origin took for the last piece.
    piece_us: Micros,
    lost: u32,
    is_faster: bool,
}

impl Compare {
    /// A piece is asked of a peer: the first one starts the clock.
    pub fn note_asked(&mut self, now: Micros) {
        if self.at.is_none() {
            self.at = Some(now);
            self.since = now;
        }
    }

    /// A peer has sent something useful.
    pub fn note_bytes(&mut self, now: Micros, bytes: u32) {
        let over = now.saturating_sub(self.since);
        if over > 2 * WINDOW_US {
            self.bytes /= 2;
            self.since = now - over / 2;
        }
        self.bytes += u64::from(bytes);
    }

    /// The origin is asked for something.
    pub fn begin(&mut self, now: Micros) {
        self.fetch_at = now;
    }

    /// It has sent so many bytes, of so many pieces, since it was asked.
    pub fn end(&mut self, now: Micros, bytes: u64, pieces: u64) {
        let took = now.saturating_sub(self.fetch_at).max(1);
        let over = now.saturating_sub(self.since);
        let theirs = self.bytes.saturating_mul(took).saturating_mul(TIMES_FASTER);
        self.piece_us = took / pieces.max(1);
        self.judge(now, bytes.saturating_mul(over) > theirs);
    }

    /// It has sent nothing, or wants to be left alone.
    pub fn refused(&mut self, now: Micros) {
        self.judge(now, false);
    }

    fn judge(&mut self, now: Micros, is_faster: bool) {
        self.is_faster = is_faster;
        self.lost = if is_faster {
            0
        } else {
            (self.lost + 1).min(LOST_MAX)
        };
        if self.at.is_some() {
            self.at = Some(now);
        }
    }

    /// Whether it won the last comparison.
    pub fn is_faster(&self) -> bool {
        self.is_faster
    }

    /// How long it took for a piece, at the last one.
    pub fn piece_us(&self) -> Micros {
        self.piece_us
    }

    /// Whether peers, at their rate, send this much within the time of one comparison.
    pub fn is_nearly_done(&self, now: Micros, left_bytes: u64) -> bool {
        let over = now.saturating_sub(self.since);
        left_bytes.saturating_mul(over) <= self.bytes.saturating_mul(EVERY_US)
    }

    /// When to compare next with so many neighbours; not more often than every `least_us` for each.
    pub fn due(&self, neighbours: u64, least_us: Micros) -> Option<Micros> {
        let wait = (EVERY_US.max(least_us) << self.lost) * (1 + neighbours);
        self.at.map(|at| at + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::MILLISECOND;

    /// Peers send 64 KiB in so many milliseconds, for ten seconds, and the origin in so many.
    fn compared(peers_ms: u64, origin_ms: u64) -> Compare {
        let mut compare = Compare::default();
        compare.note_asked(0);
        for n in 1..=10_000 / peers_ms {
            compare.note_bytes(n * peers_ms * MILLISECOND, 64 << 10);
        }
        compare.begin(10 * SECOND);
        compare.end(10 * SECOND + origin_ms * MILLISECOND, 64 << 10, 1);
        compare
    }

    #[test]
    fn the_origin_is_asked_on_while_it_is_twice_as_fast() {
        assert!(compared(250, 5).is_faster());
        assert!(compared(250, 110).is_faster());
        assert!(!compared(250, 140).is_faster());
        assert_eq!(compared(250, 5).piece_us(), 5 * MILLISECOND);
    }

    #[test]
    fn what_peers_did_long_ago_does_not_count() {
        let mut compare = compared(1, 5);
        assert!(!compare.is_faster());
        for n in 0..20 {
            compare.note_bytes((11 + n) * SECOND, 16 << 10);
        }
        compare.begin(31 * SECOND);
        compare.end(31 * SECOND + 5 * MILLISECOND, 64 << 10, 1);
        assert!(compare.is_faster());
    }

    #[test]
    fn who_lost_is_asked_less_and_less_often_and_the_less_the_more_neighbours_there_are() {
        let mut compare = Compare::default();
        assert_eq!(compare.due(0, 0), None, "no peer was asked");
        compare.note_asked(SECOND);
        assert_eq!(compare.due(0, 0), Some(3 * SECOND));
        assert_eq!(compare.due(23, 0), Some(49 * SECOND));
        assert_eq!(compare.due(1, 10 * SECOND), Some(21 * SECOND));
        let waits: Vec<Micros> = (0..7)
            .map(|_| {
                compare.refused(0);
                compare.due(0, 0).unwrap_or(0) / EVERY_US
            })
            .collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 32, 32]);
    }

    #[test]
    fn the_last_seconds_are_not_worth_a_comparison() {
        let compare = compared(250, 140);
        let now = 10 * SECOND;
        assert!(compare.is_nearly_done(now, 400 << 10));
        assert!(!compare.is_nearly_done(now, 2 << 20));
    }
}
