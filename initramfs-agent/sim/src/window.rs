//! How many hand-outs the seeder has under way: the climb of `server/swarm/handout-window.ts`.

use bootswarm_agent::core::time::Micros;

const PIECES_MIN: f64 = 4.0;
const PIECES_MAX: f64 = 32.0;
const CONFIRMATIONS_MIN: f64 = 4.0;
const STEP: f64 = 1.25;
/// Differences below this are noise.
const NOISE: f64 = 0.05;
/// What a round leaves of the best rate so far.
const FADE: f64 = 0.98;

/// The window, in pieces.
pub(super) struct Window {
    size: f64,
    starting: bool,
    widening: bool,
    settling: bool,
    before: f64,
    /// The best rate lately.
    best: f64,
    bytes: u64,
    count: f64,
    since: Option<Micros>,
}

impl Window {
    pub fn new() -> Self {
        Self {
            size: PIECES_MIN,
            starting: true,
            widening: true,
            settling: false,
            before: 0.0,
            best: 0.0,
            bytes: 0,
            count: 0.0,
            since: None,
        }
    }

    /// Hand-outs are made while fewer are under way; it is seldom a whole number.
    pub fn size(&self) -> f64 {
        self.size
    }

    /// There was nothing to hand out: what is measured across this says nothing about the window.
    pub fn idle(&mut self) {
        self.since = None;
    }

    /// A hand-out has been confirmed.
    pub fn confirmed(&mut self, bytes: u32, now: Micros) {
        let Some(since) = self.since else {
            return self.begin(now);
        };
        self.bytes += u64::from(bytes);
        self.count += 1.0;
        let passed = now - since;
        if self.count < CONFIRMATIONS_MIN.max(self.size) || passed == 0 {
            return;
        }
        // What was under way at a change of the window is confirmed in the round after it.
        if !std::mem::replace(&mut self.settling, false) {
            self.decide(self.bytes as f64 / passed as f64);
        }
        self.begin(now);
    }

    fn begin(&mut self, now: Micros) {
        self.since = Some(now);
        self.bytes = 0;
        self.count = 0.0;
    }

    fn decide(&mut self, rate: f64) {
        let before = std::mem::replace(&mut self.before, rate);
        let best = self.best;
        self.best = rate.max(best * FADE);
        if self.starting {
            if rate > before * (1.0 + NOISE) {
                return self.resize(2.0);
            }
            self.starting = false;
            self.widening = false;
        } else {
            let least = if self.widening {
                before * (1.0 + NOISE)
            } else {
                best * (1.0 - NOISE)
            };
            if rate < least {
                self.widening = !self.widening;
            }
        }
        self.resize(if self.widening { STEP } else { 1.0 / STEP });
    }

    fn resize(&mut self, factor: f64) {
        self.size = (self.size * factor).clamp(PIECES_MIN, PIECES_MAX);
        self.settling = true;
        // At an end there is one way to go.
        if self.size <= PIECES_MIN {
            self.widening = true;
        }
        if self.size >= PIECES_MAX {
            self.widening = false;
        }
    }
}
