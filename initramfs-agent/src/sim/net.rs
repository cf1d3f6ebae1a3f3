//! The network: links, connections and the queue of events.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use crate::core::swarm::{ConnId, FetchId, Outgoing};
use crate::core::time::Micros;
use crate::core::wire::Block;

/// The server among the endpoints: the last index.
pub(super) type Endpoint = usize;

/// One direction of a cable.
pub(super) struct Link {
    bits: u64,
    busy_until: Micros,
    /// Bytes that went through.
    pub bytes: u64,
    /// Those of them that were payload.
    pub payload_bytes: u64,
}

impl Link {
    pub fn new(bits: u64) -> Self {
        Self {
            bits: bits.max(1),
            busy_until: 0,
            bytes: 0,
            payload_bytes: 0,
        }
    }

    /// Sends bytes whose first one arrives now and whose last one at `tail`; when the last one has passed.
    pub fn pass(&mut self, now: Micros, tail: Micros, bytes: u32) -> Micros {
        self.bytes += u64::from(bytes);
        let takes = u64::from(bytes) * 8 * 1_000_000 / self.bits;
        self.busy_until = self.busy_until.max(now) + takes;
        self.busy_until.max(tail)
    }

    /// When bytes that arrive now begin to leave.
    pub fn begins(&self, now: Micros) -> Micros {
        self.busy_until.max(now)
    }
}

/// What goes from one endpoint to another through the links.
#[derive(Debug)]
pub(super) enum Load {
    Block(Block),
    Message(Outgoing),
    /// A part of an HTTPS answer; `last` ends the piece, `end` the answer.
    Http {
        fetch: FetchId,
        piece: u32,
        last: bool,
        end: bool,
    },
}

/// What waits, and what is under way, in one direction of a connection.
#[derive(Default)]
pub(super) struct Pipe {
    pub queue: VecDeque<(Load, u32)>,
    pub in_net: u32,
    /// When the last message was sent: what is sent at the same moment shares its packet.
    pub said_at: Micros,
}

/// A connection between two endpoints; `ends[0]` opened it.
pub(super) struct Conn {
    pub ends: [(Endpoint, ConnId); 2],
    pub pipes: [Pipe; 2],
    pub open: bool,
}

pub(super) enum Event {
    /// A node has its power and its kernel.
    Start(Endpoint),
    /// It has the manifest.
    Begin(Endpoint),
    Kill(Endpoint),
    Tick(Endpoint),
    Announce(Endpoint),
    /// A dialled connection reaches the far end.
    Dial {
        conn: usize,
    },
    /// The dialling end hears that it is up.
    Up {
        conn: usize,
    },
    /// The dialling end hears that it is not.
    Refused {
        conn: usize,
    },
    Closed {
        conn: usize,
        to: usize,
    },
    /// Payload at its `hop`th link.
    Hop {
        conn: usize,
        to: usize,
        load: Load,
        bytes: u32,
        hop: u8,
        tail: Micros,
    },
    /// Payload at its end.
    Arrive {
        conn: usize,
        to: usize,
        load: Load,
        bytes: u32,
    },
    Acked {
        conn: usize,
        to: usize,
        bytes: u32,
    },
    Sent {
        conn: usize,
        from: usize,
        bytes: u32,
    },
    FetchOver {
        node: Endpoint,
        fetch: FetchId,
        busy: bool,
        failed: bool,
    },
    SeederTick,
}

struct Entry {
    at: Micros,
    seq: u64,
    event: Event,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.seq).cmp(&(self.at, self.seq))
    }
}

/// Events in the order of time, then of their making.
#[derive(Default)]
pub(super) struct Events {
    heap: BinaryHeap<Entry>,
    seq: u64,
}

impl Events {
    pub fn push(&mut self, at: Micros, event: Event) {
        self.seq += 1;
        self.heap.push(Entry {
            at,
            seq: self.seq,
            event,
        });
    }

    pub fn pop(&mut self) -> Option<(Micros, Event)> {
        self.heap.pop().map(|e| (e.at, e.event))
    }
}
