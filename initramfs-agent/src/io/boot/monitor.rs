//! Watches the node while it downloads and seeds: counts, reports, and notices when nothing moves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::events::{Data, Log, megabytes};
use super::totals::{Totals, total};
use crate::core::error::{Code, Error};
use crate::core::swarm::{Progress, TorrentId};
use crate::io::node::Event;
use crate::io::store::Artifact;

/// Between two lines of progress.
const PROGRESS: Duration = Duration::from_secs(2);
/// Longest wait between two events of progress; the first is as long as between lines, each next one twice as long. In a
/// storm all events together load the server's link as much as the manifests: there it is so many times what the manifest
/// took.
const PROGRESS_EVENT_MAX: Duration = Duration::from_secs(10);
const PROGRESS_EVENT_TIMES: u32 = 20;
/// And before the first one.
const PROGRESS_EVENT_FIRST_TIMES: u32 = 2;
const PROGRESS_EVENT_FIRST_MAX: Duration = Duration::from_secs(20);
/// However busy the server is: to it a node that reports nothing for two minutes is lost.
const PROGRESS_EVENT_BUSY_MAX: Duration = Duration::from_secs(40);
/// Without a new byte for so long, the server is asked whether the manifest still holds.
pub const STALL: Duration = Duration::from_secs(60);
/// Such times in a row before the boot begins anew.
const STALLS_MAX: u32 = 3;
/// Bans that are reported; a hostile peer must not fill the log.
const BANS_MAX: u32 = 50;

/// What the server says about the manifest in hand.
pub enum ServerAnswer {
    /// It would give the same again.
    Same,
    /// It has another one.
    Changed,
    /// It does not answer.
    Silent,
}

/// An artifact as the monitor sees it.
pub struct Watched {
    /// For people.
    pub name: String,
    /// Its bytes; they are failed when the boot has to begin anew.
    pub artifact: Arc<Artifact>,
    /// Nobody waits for it: it was there from the start, or the node has said that it is whole.
    pub reported: bool,
}

/// See the module. [`Monitor::run`] is a thread.
pub struct Monitor {
    log: Arc<Log>,
    watched: Vec<Watched>,
    progress: Vec<Progress>,
    unpacked_bytes: Arc<AtomicU64>,
    /// Asks the server; slow.
    ask: Box<dyn FnMut() -> ServerAnswer + Send>,
    /// A boot that may fail does so even when only the server is silent.
    may_fail: bool,
    event_first: Duration,
    event_max: Duration,
    stall: Duration,
    started: Instant,
    bans: u32,
    /// Trackers and origins whose first failure the console has shown.
    failed_urls: BTreeSet<String>,
}

/// The last line of progress.
struct LastLine {
    shown_at: Instant,
    done_bytes: u64,
}

/// When the next event of progress is due.
struct EventTimer {
    last_at: Instant,
    wait: Duration,
}

impl EventTimer {
    /// Whether one is due; then the wait doubles, up to `wait_max`.
    fn take_due(&mut self, wait_max: Duration) -> bool {
        let is_due = self.last_at.elapsed() >= self.wait;
        if is_due {
            self.last_at = Instant::now();
            self.wait = (self.wait * 2).min(wait_max);
        }
        is_due
    }
}

/// How long nothing has come.
struct Stall {
    since: Instant,
    done_bytes: u64,
    /// How often in a row it was too long.
    times: u32,
}

impl Stall {
    /// So much is done by now.
    fn note(&mut self, done_bytes: u64) {
        if done_bytes > self.done_bytes {
            *self = Self {
                since: Instant::now(),
                done_bytes,
                times: 0,
            };
        }
    }

    /// Whether nothing has come for this long; then the wait begins anew.
    fn take_due(&mut self, after: Duration) -> bool {
        let is_due = self.since.elapsed() >= after;
        if is_due {
            self.since = Instant::now();
            self.times += 1;
        }
        is_due
    }
}

impl Monitor {
    /// A monitor of a node whose torrents are `watched`, in their order.
    pub fn new(
        log: Arc<Log>,
        watched: Vec<Watched>,
        unpacked_bytes: Arc<AtomicU64>,
        may_fail: bool,
        ask: Box<dyn FnMut() -> ServerAnswer + Send>,
    ) -> Self {
        Self {
            log,
            progress: vec![Progress::default(); watched.len()],
            watched,
            unpacked_bytes,
            ask,
            may_fail,
            event_first: PROGRESS,
            event_max: PROGRESS_EVENT_MAX,
            stall: STALL,
            started: Instant::now(),
            bans: 0,
            failed_urls: BTreeSet::new(),
        }
    }

    /// The server took so long for the manifest.
    pub fn set_server(&mut self, took: Duration) {
        self.event_max = took
            .saturating_mul(PROGRESS_EVENT_TIMES)
            .clamp(PROGRESS_EVENT_MAX, PROGRESS_EVENT_BUSY_MAX);
        self.event_first = took
            .saturating_mul(PROGRESS_EVENT_FIRST_TIMES)
            .clamp(PROGRESS, PROGRESS_EVENT_FIRST_MAX);
    }

    /// Runs until the node stops; returns the last counters. `shared` has them all the time.
    pub fn run(mut self, events: &Receiver<Event>, shared: &Totals) -> Progress {
        let total_bytes: u64 = self.watched.iter().map(|w| w.artifact.size_bytes()).sum();
        for watched in self.watched.iter().filter(|w| !w.reported) {
            let size = watched.artifact.size_bytes();
            let data = Data::default()
                .text("name", &watched.name)
                .number("size_bytes", size);
            self.log.event("artifact.started", data, None);
        }
        let started = Instant::now();
        let mut line = LastLine {
            shown_at: started,
            done_bytes: 0,
        };
        let mut reports = EventTimer {
            last_at: started,
            wait: self.event_first,
        };
        let mut stall = Stall {
            since: started,
            done_bytes: 0,
            times: 0,
        };
        loop {
            match events.recv_timeout(PROGRESS / 4) {
                Ok(Event::Stopped) | Err(RecvTimeoutError::Disconnected) => return total(&self.progress),
                Ok(event) => self.take(event),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let sum = total(&self.progress);
            let all_done = self.watched.iter().all(|w| w.reported);
            shared.set(&self.progress, all_done);
            if all_done {
                continue;
            }
            stall.note(sum.done_bytes);
            if line.shown_at.elapsed() >= PROGRESS {
                let as_event = reports.take_due(self.event_max);
                self.report(&sum, total_bytes, &line, as_event);
                line = LastLine {
                    shown_at: Instant::now(),
                    done_bytes: sum.done_bytes,
                };
            }
            if stall.take_due(self.stall) {
                self.stalled(stall.times);
            }
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Progress { torrent, progress } => self.note(torrent, progress),
            Event::TorrentDone { torrent, progress } => {
                self.note(torrent, progress);
                if let Some(watched) = self
                    .watched
                    .get_mut(usize::from(torrent.0))
                    .filter(|w| !w.reported)
                {
                    watched.reported = true;
                    let line = format!("{} is here, {}", watched.name, sources(&progress));
                    let data = Data::default()
                        .text("name", &watched.name)
                        .number("from_peers_bytes", progress.from_peers_bytes)
                        .number("from_origin_bytes", progress.from_origin_bytes)
                        .number("duplicate_bytes", progress.duplicate_bytes)
                        .seconds("seconds", self.started.elapsed());
                    self.log.event("artifact.downloaded", data, Some(&line));
                }
            }
            Event::Banned { addr, code } => {
                self.bans += 1;
                if self.bans <= BANS_MAX {
                    let data = Data::default()
                        .text("addr", &addr.to_string())
                        .text("code", code.as_str());
                    self.log.event(
                        "peer.banned",
                        data,
                        Some(&format!("peer {addr} is banned: {}", code.as_str())),
                    );
                }
            }
            Event::Refused { addr, error } => self.log.say(&format!("{addr} is refused: {error}")),
            Event::TrackerFailed { url, error } => {
                // Once for each: it is asked again and again, and the boot goes on without it.
                if self.failed_urls.insert(url) {
                    self.log.say(&format!("no help from the tracker: {error}"));
                }
            }
            Event::OriginFailed { url, error } => {
                if self.failed_urls.insert(url) {
                    self.log.say(&format!("no help from the origin: {error}"));
                }
            }
            Event::Failed { error, .. } => self.log.say(&format!("cannot store: {error}")),
            Event::Stopped => {}
        }
    }

    fn note(&mut self, torrent: TorrentId, progress: Progress) {
        if let Some(slot) = self.progress.get_mut(usize::from(torrent.0)) {
            *slot = progress;
        }
    }

    /// Shows a line of progress, with the rate since the `last` one, and sends it to the server if it is `as_event`.
    fn report(&self, sum: &Progress, total_bytes: u64, last: &LastLine, as_event: bool) {
        let data = Data::default()
            .number("done_bytes", sum.done_bytes)
            .number("total_bytes", total_bytes)
            .number("peers", u64::from(sum.peers))
            .number("from_peers_bytes", sum.from_peers_bytes)
            .number("from_origin_bytes", sum.from_origin_bytes);
        let new_bytes = sum.done_bytes.saturating_sub(last.done_bytes);
        let rate = new_bytes * 1000 / (last.shown_at.elapsed().as_millis() as u64).max(1);
        let line = format!(
            "{:3}% {} of {}, {}/s, {} peers, {}, unpacked {}",
            sum.done_bytes * 100 / total_bytes.max(1),
            megabytes(sum.done_bytes),
            megabytes(total_bytes),
            megabytes(rate),
            sum.peers,
            sources(sum),
            megabytes(self.unpacked_bytes.load(Ordering::Relaxed)),
        );
        if as_event {
            self.log.event("progress", data, Some(&line));
        } else {
            self.log.say(&line);
        }
    }

    /// Nothing has come for a while, the `times`th time in a row.
    fn stalled(&mut self, times: u32) {
        let seconds = self.stall.as_secs() * u64::from(times);
        let (reason, give_up) = match (self.ask)() {
            ServerAnswer::Changed => ("the server has another version now", true),
            ServerAnswer::Same => ("the server has nothing new either", times >= STALLS_MAX),
            // What was downloaded would be lost, and there is nothing to download instead.
            ServerAnswer::Silent => ("the server is silent too", times >= STALLS_MAX && self.may_fail),
        };
        let line = format!("no new bytes for {seconds} s; {reason}");
        self.log.say(&line);
        if give_up {
            for watched in &self.watched {
                watched
                    .artifact
                    .fail(Error::new(Code::ArtifactUnavailable, line.clone()));
            }
        }
    }
}

fn sources(progress: &Progress) -> String {
    let (peers, origin) = (
        megabytes(progress.from_peers_bytes),
        megabytes(progress.from_origin_bytes),
    );
    format!("{peers} from peers and {origin} from the server")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::io::boot::reporter::Reporter;
    use crate::io::https::Client;
    use crate::io::https::testing::trust;

    struct Run {
        events: Sender<Event>,
        artifact: Arc<Artifact>,
        thread: std::thread::JoinHandle<Progress>,
        totals: Arc<Totals>,
    }

    fn start(may_fail: bool, mut answers: Vec<ServerAnswer>) -> Run {
        let artifact = Artifact::memory(100).unwrap();
        let reporter = Reporter::start(Client::new(&trust("ca.pem", [0; 32])), None).unwrap();
        let log = Arc::new(Log::new("b".into(), false, reporter, Box::new(std::io::sink())));
        let watched = Watched {
            name: "a".into(),
            artifact: artifact.clone(),
            reported: false,
        };
        let ask = Box::new(move || {
            if answers.len() > 1 {
                answers.remove(0)
            } else {
                ServerAnswer::Silent
            }
        });
        let mut monitor = Monitor::new(log, vec![watched], Arc::default(), may_fail, ask);
        monitor.stall = Duration::from_millis(1);
        let (events, receiver) = channel();
        let totals = Arc::new(Totals::default());
        let shared = totals.clone();
        let thread = std::thread::spawn(move || monitor.run(&receiver, &shared));
        Run {
            events,
            artifact,
            thread,
            totals,
        }
    }

    impl Run {
        /// What the unpacker gets for an answer.
        fn failure(self) -> Code {
            let code = self.artifact.wait_beyond(0).unwrap_err().code;
            self.events.send(Event::Stopped).unwrap();
            self.thread.join().unwrap();
            code
        }
    }

    #[test]
    fn a_new_version_ends_a_download_that_does_not_move() {
        assert_eq!(
            start(
                false,
                vec![ServerAnswer::Silent, ServerAnswer::Changed, ServerAnswer::Same]
            )
            .failure(),
            Code::ArtifactUnavailable
        );
    }

    #[test]
    fn so_does_a_server_that_knows_nothing_better_in_the_long_run() {
        let same = || {
            vec![
                ServerAnswer::Same,
                ServerAnswer::Same,
                ServerAnswer::Same,
                ServerAnswer::Same,
            ]
        };
        assert_eq!(start(false, same()).failure(), Code::ArtifactUnavailable);
    }

    #[test]
    fn with_a_silent_server_only_a_boot_that_may_fail_does() {
        assert_eq!(start(true, Vec::new()).failure(), Code::ArtifactUnavailable);
        let run = start(false, Vec::new());
        // Progress keeps it alive; each event makes it look at the clock.
        let progress = Progress {
            done_bytes: 100,
            from_peers_bytes: 60,
            ..Progress::default()
        };
        for _ in 0..20 {
            run.events
                .send(Event::Progress {
                    torrent: TorrentId(0),
                    progress: Progress::default(),
                })
                .unwrap();
        }
        run.artifact.mark_verified(0, 100);
        run.events
            .send(Event::TorrentDone {
                torrent: TorrentId(0),
                progress,
            })
            .unwrap();
        assert_eq!(run.totals.when_done(Duration::from_secs(20)).from_peers_bytes, 60);
        assert!(run.artifact.failure().is_none());
        run.events.send(Event::Stopped).unwrap();
        assert_eq!(run.thread.join().unwrap(), progress);
    }
}
