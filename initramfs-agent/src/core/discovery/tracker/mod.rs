//! One tracker of one torrent: when to announce, and what.

pub mod announce;
pub mod announcer;
pub mod answer;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod tests;

use announce::Event;
use answer::Answer;

use crate::core::discovery::api::HttpId;
use crate::core::rng::Rng;
use crate::core::time::{Micros, SECOND};

/// An answer that takes longer does not come.
const TIMEOUT: Micros = 20 * SECOND;
/// `interval` of a tracker that gives none.
const INTERVAL_DEFAULT_S: u32 = 60;
/// Longest wait, whatever the tracker asks for.
const INTERVAL_MAX_S: u32 = 3600;
/// `min interval` of a tracker that gives none.
const MIN_INTERVAL_DEFAULT_S: u32 = 30;
/// Where the tracker's interval is short, each announce in a row waits one more of it than the one before, up to this:
/// a node that knows peers is dialled by those that come later, and asks by itself when it has few. Our tracker
/// remembers agents for longer than two of the longest.
const STRETCHED_MAX_S: u32 = 60;
/// Answers in a row that may name peers: then a node knows enough of them, unless it says otherwise.
const NAMED_MAX: u32 = 2;
/// First wait after a failure; it doubles with each further one.
const BACKOFF_MIN: Micros = SECOND;
/// Longest wait after a failure.
const BACKOFF_MAX: Micros = 60 * SECOND;

/// See the module.
#[derive(Clone, Debug)]
pub struct Tracker {
    /// The announce URL.
    pub url: String,
    in_flight: Option<Flight>,
    /// When the next announce is due, while none is in flight.
    next_at: Micros,
    /// Not before this, even if peers are wanted.
    earliest_at: Micros,
    failures: u32,
    /// Announces answered since peers were last wanted.
    answered: u32,
    /// The tracker has answered a `started`.
    started: bool,
    /// `completed` has still to be announced.
    owes_completed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Flight {
    id: HttpId,
    sent_at: Micros,
    event: Event,
}

impl Tracker {
    /// A tracker that is to be asked at once.
    pub fn new(now: Micros, url: String) -> Self {
        Self {
            url,
            in_flight: None,
            next_at: now,
            earliest_at: now,
            failures: 0,
            answered: 0,
            started: false,
            owes_completed: false,
        }
    }

    /// When something is to be done: announce, or give up waiting for the answer.
    pub fn deadline(&self) -> Micros {
        self.in_flight
            .map_or(self.next_at, |flight| flight.sent_at + TIMEOUT)
    }

    /// Whether this request is the one whose answer is awaited.
    pub fn awaits(&self, id: HttpId) -> bool {
        self.in_flight.is_some_and(|flight| flight.id == id)
    }

    /// Whether the answer is overdue.
    pub fn is_overdue(&self, now: Micros) -> bool {
        self.in_flight
            .is_some_and(|flight| now >= flight.sent_at + TIMEOUT)
    }

    /// Whether to announce now.
    pub fn is_due(&self, now: Micros) -> bool {
        self.in_flight.is_none() && now >= self.next_at
    }

    /// Starts an announce under this number and returns its event.
    pub fn begin(&mut self, now: Micros, id: HttpId) -> Event {
        let event = match (self.started, self.owes_completed) {
            (false, _) => Event::Started,
            (true, true) => Event::Completed,
            (true, false) => Event::None,
        };
        let sent_at = now;
        self.in_flight = Some(Flight { id, sent_at, event });
        event
    }

    /// The awaited answer has come and is right.
    pub fn succeed(&mut self, now: Micros, answer: &Answer, rng: &mut Rng) {
        let Some(flight) = self.in_flight.take() else {
            return;
        };
        self.started = true;
        if flight.event == Event::Completed {
            self.owes_completed = false;
        }
        self.failures = 0;
        let interval_s = answer
            .interval_s
            .unwrap_or(INTERVAL_DEFAULT_S)
            .clamp(1, INTERVAL_MAX_S);
        let min_interval_s = answer
            .min_interval_s
            .unwrap_or(MIN_INTERVAL_DEFAULT_S)
            .clamp(1, interval_s);
        self.answered = self.answered.saturating_add(1);
        let stretched_s = interval_s.saturating_mul(self.answered).min(STRETCHED_MAX_S);
        let interval = Micros::from(interval_s.max(stretched_s)) * SECOND;
        // Never sooner than the tracker asks; a little later, so that nodes which booted together part.
        self.next_at = now + interval + rng.below(interval / 8);
        self.earliest_at = now + Micros::from(min_interval_s) * SECOND;
        if self.owes_completed {
            self.next_at = now;
        }
    }

    /// There is no right answer. Waits longer each time, half of the wait at random.
    pub fn fail(&mut self, now: Micros, rng: &mut Rng) {
        self.in_flight = None;
        let wait = (BACKOFF_MIN << self.failures.min(16)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        self.next_at = now + wait / 2 + rng.below(wait / 2);
        self.earliest_at = self.next_at;
    }

    /// The swarm needs peers: announce as soon as the tracker allows.
    pub fn want_peers(&mut self, now: Micros) {
        self.answered = 0;
        self.next_at = self.next_at.min(self.earliest_at.max(now));
    }

    /// The download is complete: announce that at once, or when the tracker is there again.
    pub fn complete(&mut self, now: Micros) {
        // A tracker that does not know of the start sees it by `left=0` of the first announce.
        let told = self.started
            || self
                .in_flight
                .is_some_and(|flight| flight.event == Event::Started);
        self.owes_completed = told;
        if told && self.failures == 0 {
            self.next_at = self.next_at.min(now);
        }
    }

    /// Whether its next answer shall name peers.
    pub fn may_name(&self) -> bool {
        self.answered < NAMED_MAX
    }

    /// Whether the tracker may know of us, so that `stopped` is to be announced.
    pub fn is_started(&self) -> bool {
        self.started || self.in_flight.is_some()
    }
}
