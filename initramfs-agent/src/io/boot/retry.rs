//! How long to wait after a failure.

use std::time::Duration;

use crate::core::rng::Rng;

const FIRST_MS: u64 = 1_000;
const LAST_MS: u64 = 60_000;
/// Longest wait that a server may ask for, seconds.
const RETRY_AFTER_S_MAX: u64 = 300;

/// The wait after `failures` failures in a row (1 and up): 1 s doubling to 60 s, of which a random half is
/// left out so that a farm does not come back in step. What the server asks for is the least, up to 5 min.
pub fn wait(failures: u32, retry_after_s: Option<u64>, rng: &mut Rng) -> Duration {
    let full = (FIRST_MS << (failures.clamp(1, 7) - 1)).min(LAST_MS);
    let own = full / 2 + rng.below(full / 2 + 1);
    let asked = retry_after_s.map_or(0, |s| {
        let ms = s.min(RETRY_AFTER_S_MAX) * 1000;
        ms + rng.below(ms / 4 + 1)
    });
    Duration::from_millis(own.max(asked))
}

/// A wait in whole seconds, rounded up, as it is reported.
pub fn seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_a_minute_and_spreads() {
        let mut rng = Rng::new(1);
        for (failures, low, high) in [
            (1, 500, 1000),
            (2, 1000, 2000),
            (6, 16_000, 32_000),
            (7, 30_000, 60_000),
            (u32::MAX, 30_000, 60_000),
        ] {
            let waits: Vec<u128> = (0..200)
                .map(|_| wait(failures, None, &mut rng).as_millis())
                .collect();
            assert!(waits.iter().all(|w| (low..=high).contains(w)), "{failures}");
            assert!(
                waits.iter().max().unwrap() - waits.iter().min().unwrap() > (high - low) / 2,
                "{failures}"
            );
        }
    }

    #[test]
    fn waits_are_reported_in_seconds_that_have_passed_by_then() {
        let ms = Duration::from_millis;
        assert_eq!([0, 1, 1000, 1001].map(|n| seconds(ms(n))), [0, 1, 1, 2]);
    }

    #[test]
    fn does_what_the_server_asks() {
        let mut rng = Rng::new(2);
        for _ in 0..100 {
            assert!((7_000..=8_750).contains(&wait(1, Some(7), &mut rng).as_millis()));
            assert!((300_000..=375_000).contains(&wait(1, Some(1 << 60), &mut rng).as_millis()));
            assert!((30_000..=60_000).contains(&wait(9, Some(1), &mut rng).as_millis()));
        }
    }
}
