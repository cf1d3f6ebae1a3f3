//! From the complete root to the end of the process: seeds, reports now and then, and gives memory back when the server
//! says that the storm is over or this node needs it. What to do is decided in `core::giveback`.

use std::time::{Duration, Instant};

use super::events::{Data, Log, megabytes};
use super::running::Running;
use super::{Seed, Stop, memory};
use crate::core::giveback::{MemoryWatch, Reports, Verdict};
use crate::core::rng::Rng;
use crate::core::time::Micros;

/// Between two looks at the memory and at the server's last answer.
const LOOK: Duration = Duration::from_secs(5);

/// Why a node seeds no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// A signal.
    Signal,
    /// The flags said how long.
    Time,
    /// The server: enough others go on.
    StormOver,
    /// Everything was dropped for want of memory.
    MemoryShort,
}

impl End {
    /// For the event, and for people.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Signal => ("signal", "told to end"),
            Self::Time => ("time", "its time is over"),
            Self::StormOver => ("storm-over", "the storm is over"),
            Self::MemoryShort => ("memory-short", "memory is short"),
        }
    }
}

/// A node that seeds.
pub struct Seeding<'a> {
    running: Running,
    log: &'a Log,
    rng: Rng,
    /// Memory of artifacts that were dropped, bytes.
    given_back_bytes: u64,
}

impl<'a> Seeding<'a> {
    /// Seeds what the node has.
    pub fn new(running: Running, log: &'a Log, rng: Rng) -> Self {
        Self {
            running,
            log,
            rng,
            given_back_bytes: 0,
        }
    }

    /// Seeds until there is a reason to stop, stops and reports it.
    pub fn run(mut self, how: Seed, stop: &Stop) {
        let end = match how {
            Seed::No => End::Time,
            Seed::Seconds(seconds) => self.watch(Some(Duration::from_secs(seconds)), stop),
            Seed::Forever => self.watch(None, stop),
        };
        let rest_bytes: u64 = self.running.held().iter().map(|held| held.freed_bytes).sum();
        let given_back_bytes = self.given_back_bytes + rest_bytes;
        let uploaded_bytes = self.running.stop().uploaded_bytes;
        let (reason, words) = end.words();
        let data = Data::default()
            .text("reason", reason)
            .number("uploaded_bytes", uploaded_bytes)
            .number("given_back_bytes", given_back_bytes);
        let line = format!(
            "seeding ends, {words}: {} uploaded, {} of memory given back",
            megabytes(uploaded_bytes),
            megabytes(given_back_bytes)
        );
        self.log.event("seeding.ended", data, Some(&line));
    }

    fn watch(&mut self, at_most: Option<Duration>, stop: &Stop) -> End {
        // Memory may run out between two looks. The kernel does not count a memfd when it chooses a process to kill: it
        // would kill the booted system's largest program. Where this file is missing nothing can be done.
        let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
        let started = Instant::now();
        let mut watch = MemoryWatch::default();
        let mut reports = Reports::new(0, &mut self.rng);
        loop {
            let left = at_most.map_or(LOOK, |most| most.saturating_sub(started.elapsed()).min(LOOK));
            if stop.wait(left) {
                return End::Signal;
            }
            if at_most.is_some_and(|most| started.elapsed() >= most) {
                return End::Time;
            }
            let now = started.elapsed().as_micros() as Micros;
            match self.log.reporter().take_seed_s() {
                Some(0) => return End::StormOver,
                Some(seconds) => reports.wait(now, seconds, &mut self.rng),
                None => {}
            }
            if reports.take_due(now, &mut self.rng) {
                self.report();
            }
            let Some(facts) = memory::facts() else {
                continue;
            };
            let held = self.running.held();
            let verdict = watch.look(now, facts, &held);
            for held in held {
                let goes = match verdict {
                    Verdict::Keep => false,
                    Verdict::Drop(at) => at == held.at,
                    Verdict::DropAll => held.freed_bytes > 0,
                };
                if goes && let Some(name) = self.running.drop_artifact(held.at) {
                    self.given_back_bytes += held.freed_bytes;
                    let data = Data::default()
                        .text("name", &name)
                        .number("size_bytes", held.size_bytes)
                        .number("uploaded_bytes", held.uploaded_bytes);
                    let line = format!(
                        "memory is short ({} available): {name} is seeded no more, {} given back",
                        megabytes(facts.available_bytes),
                        megabytes(held.freed_bytes)
                    );
                    self.log.event("artifact.dropped", data, Some(&line));
                }
            }
            if self.running.held().is_empty() {
                return End::MemoryShort;
            }
        }
    }

    /// Reports to the server; its answer says whether to go on.
    fn report(&self) {
        let held = self.running.held();
        let data = Data::default()
            .number("version", self.running.version)
            .number("held_bytes", held.iter().map(|held| held.size_bytes).sum())
            .number(
                "uploaded_bytes",
                held.iter().map(|held| held.uploaded_bytes).sum(),
            )
            .number(
                "mem_available_bytes",
                memory::memory("MemAvailable:").unwrap_or(0),
            )
            // The answer may ask it to wake machines of its network (docs/protocol.md).
            .flag("wakes", true);
        self.log.event("seeding", data, None);
    }
}
