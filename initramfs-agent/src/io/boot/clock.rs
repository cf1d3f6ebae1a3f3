//! The node's clock: set from the manifest where that was asked for.

use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, Timespec, clock_settime};

use super::events::Log;

/// A clock that is further from the server's is set, seconds.
const SKEW_S: u64 = 2;

/// Sets the clock to the server's, if it is wrong. A failure is shown and does not end the boot.
pub fn set(server_s: u64, log: &Log) {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    let Some(tv_sec) = correction(now.as_secs(), server_s) else {
        return;
    };
    match clock_settime(ClockId::Realtime, Timespec { tv_sec, tv_nsec: 0 }) {
        Ok(()) => log.say("the clock is set to the server's"),
        Err(e) => log.say(&format!("the clock cannot be set: {e}")),
    }
}

/// What a clock that shows `now_s` is to be set to, seconds since 1970; none if it is right enough.
fn correction(now_s: u64, server_s: u64) -> Option<i64> {
    if now_s.abs_diff(server_s) <= SKEW_S {
        return None;
    }
    i64::try_from(server_s).ok()
}

#[cfg(test)]
mod tests {
    use super::correction;

    #[test]
    fn a_clock_is_set_from_three_seconds_off_in_both_directions() {
        for right in [1_800_000_000, 1_800_000_001, 1_800_000_002, 1_799_999_998] {
            assert_eq!(correction(1_800_000_000, right), None, "{right}");
        }
        for wrong in [1_800_000_003, 1_799_999_997, 0, 4_000_000_000] {
            assert_eq!(correction(1_800_000_000, wrong), Some(wrong as i64));
        }
        // No battery: 1970. A time that no clock holds is none.
        assert_eq!(correction(0, 1_800_000_000), Some(1_800_000_000));
        assert_eq!(correction(0, 2), None);
        assert_eq!(correction(0, u64::MAX), None);
    }
}
