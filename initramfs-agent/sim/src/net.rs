//! The network: links, connections, and what happens.

use std::collections::VecDeque;

use bootswarm_agent::core::swarm::{ConnId, FetchId};
use bootswarm_agent::core::time::Micros;
use bootswarm_agent::core::wire::{Block, Outgoing};

/// The server among the endpoints: the last index.
pub(super) type Endpoint = usize;

/// What has left a node's queues for good, on average: half of the largest packet that the kernel cuts itself.
pub(super) const NODE_QUEUE_BYTES: u32 = 8 << 10;
/// What waits in front of the server's link at most; the rest of its payload waits in the sockets (docs/bench.md).
pub(super) const SERVER_QUEUE_BYTES: u32 = 64 << 10;

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

    /// Bytes that overtake all but the first `queue` bytes of what waits; when the last one has passed.
    pub fn overtake(&mut self, now: Micros, bytes: u32, queue: u32) -> Micros {
        self.bytes += u64::from(bytes);
        let takes = |bytes: u32| u64::from(bytes) * 8 * 1_000_000 / self.bits;
        let leaving = self.busy_until.saturating_sub(now).min(takes(queue));
        let takes = takes(bytes);
        self.busy_until = self.busy_until.max(now) + takes;
        now + leaving + takes
    }

    /// Few bytes that begin to leave at a later time, between others; when the last one has passed.
    pub fn slip(&mut self, begins: Micros, tail: Micros, bytes: u32) -> Micros {
        self.bytes += u64::from(bytes);
        let takes = u64::from(bytes) * 8 * 1_000_000 / self.bits;
        (begins + takes).max(tail)
    }

    /// When bytes that arrive now begin to leave.
    pub fn begins(&self, now: Micros) -> Micros {
        self.busy_until.max(now)
    }
}

/// Messages on their way, by number; an event is small and copied, they are not.
#[derive(Default)]
pub(super) struct Packets {
    all: Vec<Vec<Outgoing>>,
    free: Vec<u32>,
}

impl Packets {
    /// A packet with one message.
    pub fn pack(&mut self, message: Outgoing) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.all.push(Vec::new());
            self.all.len() as u32 - 1
        });
        self.all[number as usize].push(message);
        number
    }

    /// One more message in a packet.
    pub fn add(&mut self, number: u32, message: Outgoing) {
        self.all[number as usize].push(message);
    }

    /// The piece that the first message in a packet is about.
    pub fn piece(&self, number: u32) -> Option<u32> {
        match self.all[number as usize].first()? {
            Outgoing::Have(piece) | Outgoing::Suggest(piece) => Some(*piece),
            Outgoing::Request(block) | Outgoing::Cancel(block) | Outgoing::Reject(block) => Some(block.piece),
            _ => None,
        }
    }

    /// Takes the messages out; give the list back with [`Self::free`].
    pub fn unpack(&mut self, number: u32) -> Vec<Outgoing> {
        std::mem::take(&mut self.all[number as usize])
    }

    /// The number may be used again, and so may the memory of its messages.
    pub fn free(&mut self, number: u32, mut messages: Vec<Outgoing>) {
        messages.clear();
        self.all[number as usize] = messages;
        self.free.push(number);
    }

    /// A load will not arrive.
    pub fn lose(&mut self, load: Load) {
        if let Load::Packet(number) = load {
            let messages = self.unpack(number);
            self.free(number, messages);
        }
    }
}

/// What goes from one endpoint to another through the links.
#[derive(Clone, Copy, Debug)]
pub(super) enum Load {
    Block(Block),
    /// Messages, by the number in [`Packets`].
    Packet(u32),
    /// A part of an HTTPS answer; `last` ends the piece, `end` the answer.
    Http {
        fetch: FetchId,
        piece: u32,
        last: bool,
        end: bool,
    },
}

/// What waits, and what is under way, in one direction of a connection. All in one cache line.
#[derive(Default)]
#[repr(align(64))]
pub(super) struct Pipe {
    pub queue: VecDeque<(Load, u32)>,
    pub in_net: u32,
    /// The piece whose payload it carries, until the far end announces that: as long it steps back behind the others
    /// (see `io/node/conn.rs`).
    pub bulk: Option<u32>,
    /// Nothing arrives before what was sent before it.
    pub arrived_at: Micros,
}

/// A connection between two endpoints; `ends[0]` opened it.
pub(super) struct Conn {
    pub ends: [(Endpoint, ConnId); 2],
    pub pipes: [Pipe; 2],
    pub open: bool,
    /// Who opened it knows that the far end took it.
    pub up: bool,
}

/// Small and copied: queues hold millions.
#[derive(Clone, Copy)]
pub(super) enum Event {
    /// A node has its power and its kernel.
    Start(Endpoint),
    /// It asks for its turn to have a TLS handshake with the server.
    HandshakeWanted(Endpoint),
    /// Its handshake is over.
    HandshakeDone(Endpoint),
    /// A handshake may have taken so long that it no longer keeps others waiting.
    HandshakeOverdue,
    /// It has the manifest.
    Begin(Endpoint),
    Kill(Endpoint),
    Tick(Endpoint),
    Announce(Endpoint),
    /// The tracker's answer reaches the node.
    Introduced(Endpoint),
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
    /// A hand-out of the seeder reaches the node.
    Granted {
        conn: usize,
        piece: u32,
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
    FetchOver {
        node: Endpoint,
        fetch: FetchId,
        /// The server is busy.
        retry_after_s: Option<u64>,
        failed: bool,
    },
    /// It has the metainfo file, or no answer.
    MetadataFetched(Endpoint),
    SeederTick,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_overtakes_waits_for_one_packet_and_holds_up_the_rest() {
        // A byte takes a microsecond.
        let mut link = Link::new(8_000_000);
        assert_eq!(link.pass(0, 0, 100_000), 100_000);
        let overtaken = u64::from(NODE_QUEUE_BYTES);
        assert_eq!(link.overtake(0, 100, NODE_QUEUE_BYTES), overtaken + 100);
        assert_eq!(link.begins(0), 100_100);
        assert_eq!(link.overtake(100_090, 100, NODE_QUEUE_BYTES), 100_200);
    }
}
