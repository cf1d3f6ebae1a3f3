//! Who may stream from the server over HTTPS now, and when the others shall ask again (`server/http/stream-slots.ts`,
//! `server/swarm/handout-activity.ts`). Durations are the server's: milliseconds. Here no stream runs for so long that the
//! server would end it for another node.

use std::collections::BTreeMap;

use super::net::Endpoint;
use bootswarm_agent::core::time::{MILLISECOND, Micros, SECOND};

/// Slots are counted in quarters: a small part takes one, a stream four.
const SLOT_QUARTERS: u32 = 4;
const SLOTS_WHILE_HANDING_OUT: u32 = 1;
/// The waiting time of a refused node lies within these.
const RETRY_MIN_S: u64 = 1;
const RETRY_MAX_S: u64 = 30;
const FIRST_GUESS_MS: f64 = 1000.0;

/// A held slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lease {
    quarters: u32,
    node: Endpoint,
    since: Micros,
}

/// Counts the streams of the origin.
pub(super) struct Streams {
    quarters_max: u32,
    address_quarters_max: u32,
    small_bytes_max: u64,
    quarters: u32,
    by_node: BTreeMap<Endpoint, u32>,
    duration_ms: f64,
    tickets: u32,
    tickets_since_ms: f64,
}

impl Streams {
    /// So many whole streams at a time; a body of up to `small_bytes_max` counts for a quarter of one.
    pub fn new(streams_max: u32, small_bytes_max: u64) -> Self {
        Self {
            quarters_max: streams_max * SLOT_QUARTERS,
            address_quarters_max: streams_max.div_ceil(4).max(2) * SLOT_QUARTERS,
            small_bytes_max,
            quarters: 0,
            by_node: BTreeMap::new(),
            duration_ms: FIRST_GUESS_MS,
            tickets: 0,
            tickets_since_ms: 0.0,
        }
    }

    /// A slot for a body of so many bytes, or the seconds after which to ask again.
    pub fn admit(
        &mut self,
        node: Endpoint,
        bytes: u64,
        now: Micros,
        is_handing_out: bool,
    ) -> Result<Lease, u64> {
        let quarters = if bytes <= self.small_bytes_max {
            1
        } else {
            SLOT_QUARTERS
        };
        let held = self.by_node.get(&node).copied().unwrap_or(0);
        let most = if is_handing_out {
            SLOTS_WHILE_HANDING_OUT * SLOT_QUARTERS
        } else {
            self.quarters_max
        };
        // Beyond its share an address leaves as much free for others.
        let left = match held + quarters <= self.address_quarters_max {
            true => 0,
            false => self.address_quarters_max,
        };
        if self.quarters + quarters + left > most {
            return Err(self.ticket(now));
        }
        self.quarters += quarters;
        self.by_node.insert(node, held + quarters);
        Ok(Lease {
            quarters,
            node,
            since: now,
        })
    }

    /// Gives a slot back.
    pub fn release(&mut self, lease: Lease, now: Micros) {
        self.quarters -= lease.quarters;
        if let Some(held) = self.by_node.get_mut(&lease.node) {
            *held -= lease.quarters;
        }
        if lease.quarters == SLOT_QUARTERS {
            let took = (now - lease.since) as f64 / MILLISECOND as f64;
            self.duration_ms = self.duration_ms * 0.8 + took * 0.2;
        }
    }

    /// The n-th node refused in this round waits until n streams can have ended.
    fn ticket(&mut self, now: Micros) -> u64 {
        let now_ms = now as f64 / MILLISECOND as f64;
        let round_ms = RETRY_MAX_S as f64 * 1000.0;
        if now_ms - self.tickets_since_ms > round_ms.min(self.wait_ms()) {
            self.tickets = 0;
            self.tickets_since_ms = now_ms;
        }
        self.tickets += 1;
        let wait_s = (self.wait_ms() / 1000.0).ceil() as u64;
        wait_s.clamp(RETRY_MIN_S, RETRY_MAX_S)
    }

    fn wait_ms(&self) -> f64 {
        f64::from(self.tickets) * self.duration_ms * f64::from(SLOT_QUARTERS) / f64::from(self.quarters_max)
    }
}

/// A seeder that has given nobody anything for so long is not handing out, whatever is left to do.
const REST_US: Micros = 10 * SECOND;

/// Whether the seeder is handing out pieces, by its counters alone.
#[derive(Default)]
pub(super) struct HandingOut {
    uploaded_bytes: u64,
    moved_at: Option<Micros>,
}

impl HandingOut {
    /// True while agents wait for pieces that no agent has, and bytes have gone out to them lately.
    pub fn look(&mut self, agents: usize, unheld: u32, uploaded_bytes: u64, now: Micros) -> bool {
        if uploaded_bytes != self.uploaded_bytes {
            self.uploaded_bytes = uploaded_bytes;
            self.moved_at = Some(now);
        }
        let moved = self.moved_at.is_some_and(|at| now - at < REST_US);
        agents > 0 && unheld > 0 && moved
    }
}
