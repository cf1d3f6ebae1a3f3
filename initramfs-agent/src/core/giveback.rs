//! When a node that seeds gives memory back, and which artifacts go first. Pure: facts and time come in.

use super::json::{self, Value};
use super::limits::{
    MEMORY_SHORT_BYTES_MAX, MEMORY_SHORT_BYTES_MIN, MEMORY_SHORT_SHARE, PRESSURE_OVER_CENTI,
    PRESSURE_SHORT_CENTI, SEED_REPORT_S, SEED_REPORT_S_MAX,
};
use super::rng::Rng;
use super::time::{Micros, SECOND};

/// Memory is short for so long before something goes: a program that starts is no reason.
const HOLD: Micros = 10 * SECOND;
/// After something went, for the kernel's average of the pressure (ten seconds) to show it.
const SETTLE: Micros = 15 * SECOND;

/// What the node's memory looks like.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// `MemTotal`, bytes.
    pub total_bytes: u64,
    /// `MemAvailable`, bytes.
    pub available_bytes: u64,
    /// Share of the last ten seconds in which something waited for memory (PSI, `some avg10`), hundredths of a
    /// percent; `None` where the kernel does not report it.
    pub pressure_centi: Option<u32>,
}

/// An artifact that is seeded.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// Its place among the node's artifacts.
    pub at: usize,
    /// Memory that is free once it goes; 0: the booted system has the file too.
    pub freed_bytes: u64,
    /// Its whole size, bytes.
    pub size_bytes: u64,
    /// What others have got of it from here.
    pub uploaded_bytes: u64,
}

/// What is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Keep,
    /// This artifact.
    Drop(usize),
    /// Everything that takes memory, at once.
    DropAll,
}

/// Watches the memory, with hysteresis: what is short for a moment changes nothing, and once it is short for longer,
/// artifacts go one after another until there is clearly enough.
#[derive(Debug, Default)]
pub struct MemoryWatch {
    short_since: Option<Micros>,
    /// Artifacts go, the next one not before this.
    dropping: Option<Micros>,
}

impl MemoryWatch {
    /// Looks at the facts of now.
    pub fn look(&mut self, now: Micros, facts: Facts, held: &[Held]) -> Verdict {
        let share_bytes = facts.total_bytes / MEMORY_SHORT_SHARE;
        let low_bytes = share_bytes.clamp(MEMORY_SHORT_BYTES_MIN, MEMORY_SHORT_BYTES_MAX);
        // Others may wait for memory that a limit of their own keeps from them: ours would not help.
        let pressure = facts
            .pressure_centi
            .filter(|_| facts.available_bytes < 4 * low_bytes);
        let pressure = pressure.unwrap_or(0);
        let candidates = || held.iter().filter(|held| held.freed_bytes > 0);
        if candidates().next().is_none() {
            return Verdict::Keep;
        }
        if facts.available_bytes < low_bytes / 4 {
            return Verdict::DropAll;
        }
        let is_short = facts.available_bytes < low_bytes || pressure >= PRESSURE_SHORT_CENTI;
        let is_over = facts.available_bytes >= low_bytes / 2 * 3 && pressure < PRESSURE_OVER_CENTI;
        match (self.dropping, is_short) {
            (Some(_), _) if is_over => *self = Self::default(),
            (Some(next_at), _) if now >= next_at => return self.drop_one(now, candidates()),
            (Some(_), _) => {}
            (None, false) => self.short_since = None,
            (None, true) => {
                if now >= *self.short_since.get_or_insert(now) + HOLD {
                    return self.drop_one(now, candidates());
                }
            }
        }
        Verdict::Keep
    }

    /// The one that others want least for its size; of equals the largest.
    fn drop_one<'a>(&mut self, now: Micros, held: impl Iterator<Item = &'a Held>) -> Verdict {
        self.dropping = Some(now + SETTLE);
        let wanted = |held: &Held| held.uploaded_bytes.saturating_mul(1000) / held.size_bytes.max(1);
        let least = held.min_by_key(|held| (wanted(held), u64::MAX - held.size_bytes));
        least.map_or(Verdict::Keep, |held| Verdict::Drop(held.at))
    }
}

/// What the server answers to a report, `{"seed_s":N}`: report again in so many seconds; 0: seed no more.
pub fn seed_s(body: &[u8]) -> Option<u64> {
    match json::parse(body) {
        Ok(Value::Object(members)) => members.iter().find_map(|(name, value)| match value {
            Value::Integer(seconds) if name == "seed_s" => Some(*seconds),
            _ => None,
        }),
        _ => None,
    }
}

/// When a node that seeds reports, and so hears whether it shall go on.
#[derive(Debug)]
pub struct Reports {
    next_at: Micros,
}

impl Reports {
    /// From `now` on, as if the server had said nothing yet.
    pub fn new(now: Micros, rng: &mut Rng) -> Self {
        let mut reports = Self { next_at: now };
        reports.wait(now, SEED_REPORT_S, rng);
        reports
    }

    /// The server wants the next report in so many seconds; up to a quarter later, so that nodes which booted together
    /// part.
    pub fn wait(&mut self, now: Micros, seconds: u64, rng: &mut Rng) {
        let wait = seconds.clamp(1, SEED_REPORT_S_MAX) * SECOND;
        self.next_at = now + wait + rng.below(wait / 4);
    }

    /// Whether one is due. After it the next is far off, until the server says otherwise.
    pub fn take_due(&mut self, now: Micros, rng: &mut Rng) -> bool {
        let is_due = now >= self.next_at;
        if is_due {
            self.wait(now, SEED_REPORT_S, rng);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    /// Of 4 GiB the sixteenth part is 256 MiB.
    const TOTAL: u64 = 4096 * MIB;

    fn facts(available_mib: u64, pressure_centi: Option<u32>) -> Facts {
        Facts {
            total_bytes: TOTAL,
            available_bytes: available_mib * MIB,
            pressure_centi,
        }
    }

    fn held(at: usize, size_mib: u64, uploaded_mib: u64) -> Held {
        Held {
            at,
            freed_bytes: size_mib * MIB,
            size_bytes: size_mib * MIB,
            uploaded_bytes: uploaded_mib * MIB,
        }
    }

    /// The verdicts of looks five seconds apart.
    fn looks(facts: &[Facts], held: &[Held]) -> Vec<Verdict> {
        let mut watch = MemoryWatch::default();
        let look = |(n, facts): (usize, &Facts)| watch.look(n as u64 * 5 * SECOND, *facts, held);
        facts.iter().enumerate().map(look).collect()
    }

    #[test]
    fn a_moment_without_memory_changes_nothing() {
        let all = [held(0, 100, 0)];
        let (short, enough) = (facts(200, None), facts(300, None));
        let moments = [short, short, enough, short, short, enough];
        assert_eq!(looks(&moments, &all), [Verdict::Keep; 6]);
    }

    #[test]
    fn what_others_want_least_goes_first_and_then_the_next_until_there_is_enough() {
        use Verdict::{Drop, Keep};
        let all = [
            held(0, 100, 300),
            held(1, 10, 5),
            held(2, 40, 20),
            held(3, 50, 90),
        ];
        let short = facts(200, Some(0));
        // Equally wanted: the larger one goes.
        assert_eq!(looks(&[short; 3], &all), [Keep, Keep, Drop(2)]);
        let between = facts(300, Some(0));
        let over = facts(400, Some(0));
        let course = [
            short, short, short, between, between, between, over, between, between, between,
        ];
        let verdicts = looks(&course, &all);
        // It goes on while there is hardly enough, and not again after there was.
        assert_eq!(verdicts[2..6], [Drop(2), Keep, Keep, Drop(2)]);
        assert_eq!(verdicts[6..], [Keep; 4]);
    }

    #[test]
    fn pressure_counts_where_memory_is_not_plenty() {
        let all = [held(0, 100, 0)];
        let waiting = |available| looks(&[facts(available, Some(1500)); 3], &all)[2];
        assert_eq!(waiting(900), Verdict::Drop(0));
        assert_eq!(waiting(1100), Verdict::Keep);
        assert_eq!(looks(&[facts(900, None); 3], &all)[2], Verdict::Keep);
        assert_eq!(looks(&[facts(900, Some(400)); 3], &all)[2], Verdict::Keep);
    }

    #[test]
    fn next_to_nothing_left_takes_everything_at_once() {
        let all = [held(0, 100, 0), held(1, 10, 5)];
        assert_eq!(looks(&[facts(60, None)], &all), [Verdict::DropAll]);
    }

    #[test]
    fn what_frees_no_memory_stays() {
        let handed = Held {
            freed_bytes: 0,
            ..held(0, 100, 0)
        };
        assert_eq!(looks(&[facts(10, None); 5], &[handed]), [Verdict::Keep; 5]);
        assert_eq!(
            looks(&[facts(200, None); 3], &[handed, held(1, 10, 9)])[2],
            Verdict::Drop(1)
        );
        assert_eq!(looks(&[facts(10, None); 3], &[]), [Verdict::Keep; 3]);
    }

    #[test]
    fn small_and_large_machines_have_bounds_of_their_own() {
        let look = |total_mib: u64, available_mib: u64| {
            let facts = Facts {
                total_bytes: total_mib * MIB,
                ..facts(available_mib, None)
            };
            looks(&[facts; 3], &[held(0, 10, 0)])[2]
        };
        assert_eq!(look(512, 70), Verdict::Keep);
        assert_eq!(look(512, 60), Verdict::Drop(0));
        assert_eq!(look(65_536, 520), Verdict::Keep);
        assert_eq!(look(65_536, 500), Verdict::Drop(0));
    }

    #[test]
    fn the_server_s_word_is_one_number() {
        assert_eq!(seed_s(br#"{"seed_s":900}"#), Some(900));
        assert_eq!(seed_s(br#"{"later":"x","seed_s":0}"#), Some(0));
        for none in [
            "",
            "{}",
            "0",
            "[0]",
            r#"{"seed_s":-1}"#,
            r#"{"seed_s":"0"}"#,
            r#"{"seed_s":0"#,
        ] {
            assert_eq!(seed_s(none.as_bytes()), None, "{none}");
        }
    }

    #[test]
    fn reports_come_when_the_server_said_and_are_spread() {
        let mut rng = Rng::new(1);
        let mut reports = Reports::new(0, &mut rng);
        assert!(!reports.take_due(SEED_REPORT_S * SECOND - 1, &mut rng));
        let mut firsts = Vec::new();
        for _ in 0..50 {
            reports.wait(0, 100, &mut rng);
            let due_s = (0..=200).find(|&s| reports.take_due(s * SECOND, &mut rng));
            firsts.push(due_s.unwrap());
            // Nobody has answered: the next is far off.
            assert!(!reports.take_due(1000 * SECOND, &mut rng));
        }
        let (least, most) = (*firsts.iter().min().unwrap(), *firsts.iter().max().unwrap());
        assert!(least >= 100 && most <= 125 && most - least > 15, "{least} {most}");
        reports.wait(0, u64::MAX, &mut rng);
        assert!(reports.take_due(2 * SEED_REPORT_S_MAX * SECOND, &mut rng));
    }
}
