//! The server's side of a simulation: requests to the seeder, hand-outs, HTTPS.

use super::arrive::NO_ANSWER_US;
use super::net::{Conn, Endpoint, Event, Load, Pipe};
use super::wire::{PACKET_BYTES, wire_bytes};
use super::world::{BLOCK, World};
use bootswarm_agent::core::swarm::{ConnId, FetchId};
use bootswarm_agent::core::wire::Outgoing;

/// The least `Retry-After` of a busy server (`origin.retry_after_s`).
const RETRY_AFTER_MIN_S: u64 = 2;

impl World {
    pub(super) fn tell_seeder(&mut self, conn: usize, from: Endpoint, message: &Outgoing) {
        match message {
            Outgoing::Have(piece) => {
                self.seeder.has(from, *piece, self.now);
                let pieces = self.pieces();
                if self.first_copy_at == 0 && self.seeder.copied == pieces {
                    self.first_copy_at = self.now;
                }
                self.hand_out();
            }
            Outgoing::Bitfield(bits) => {
                self.seeder.bitfield(from, bits, self.now);
                self.hand_out();
            }
            Outgoing::Interested | Outgoing::NotInterested => {
                self.seeder
                    .interest(from, matches!(message, Outgoing::Interested));
                self.hand_out();
            }
            Outgoing::Request(block) if self.seeder.serves(from, *block) => {
                self.seeder.sent_bytes += u64::from(block.len);
                self.conns[conn].pipes[1]
                    .queue
                    .push_back((Load::Block(*block), block.len));
                self.pump(conn, 1);
            }
            Outgoing::Request(block) => self.seeder_says(conn, Outgoing::Reject(*block)),
            Outgoing::MetadataRequest(part) => {
                self.server_metadata += usize::from(*part == 0);
                let (part, info) = (*part, self.info.clone());
                self.seeder_says(conn, Outgoing::MetadataPart { part, info });
            }
            Outgoing::Cancel(block) => {
                let queue = &mut self.conns[conn].pipes[1].queue;
                let before = queue.len();
                queue.retain(|(l, _)| !matches!(l, Load::Block(b) if b == block));
                self.seeder.sent_bytes -= (before - queue.len()) as u64 * u64::from(block.len);
            }
            _ => {}
        }
    }

    fn seeder_says(&mut self, conn: usize, message: Outgoing) {
        let bytes = wire_bytes(&message) + PACKET_BYTES;
        let packet = Load::Packet(self.packets.pack(message));
        self.conns[conn].pipes[1].queue.push_back((packet, bytes));
        self.pump(conn, 1);
    }

    pub(super) fn hand_out(&mut self) {
        if self.server_gone {
            return;
        }
        let pieces = self.pieces();
        if self.cfg.server_gone_after_copy && self.seeder.copied == pieces {
            self.server_gone = true;
            for node in 0..self.nodes.len() {
                if let Some(conn) = self.seeder.conn_of(node).filter(|c| self.conns[*c].open) {
                    self.shut(conn);
                    self.events
                        .push(self.now + self.cfg.latency_us, Event::Closed { conn, to: 0 });
                }
            }
            return;
        }
        for (conn, piece) in self.seeder.hand_out(self.now) {
            if self.conns[conn].open {
                let node = self.conns[conn].ends[0].0;
                let at = self.charge(self.server(), node, 93);
                // Behind what the connection has carried: not before the node knows that it is up.
                let pipe = &mut self.conns[conn].pipes[1];
                let at = at.max(pipe.arrived_at);
                pipe.arrived_at = at;
                self.events.push(at, Event::Granted { conn, piece });
            }
        }
    }

    pub(super) fn fetch(&mut self, node: Endpoint, fetch: FetchId, first: u32, count: u32) {
        let piece_bytes = u64::from(self.cfg.piece_bytes());
        let from = u64::from(first) * piece_bytes;
        let bytes = (u64::from(count) * piece_bytes).min(self.cfg.payload_bytes - from);
        let (agents, unheld) = self.seeder.needs();
        let is_handing_out = self
            .handing_out
            .look(agents, unheld, self.seeder.sent_bytes, self.now);
        let over = |wait, retry_after_s, failed| {
            let over = Event::FetchOver {
                node,
                fetch,
                retry_after_s,
                failed,
            };
            (wait, over)
        };
        let admitted = if self.server_gone {
            Err(over(NO_ANSWER_US, None, true))
        } else {
            let lease = self.streams.admit(node, bytes, self.now, is_handing_out);
            let wait = self.cfg.latency_us * 4;
            lease.map_err(|s| over(wait, Some(s.max(RETRY_AFTER_MIN_S)), false))
        };
        let lease = match admitted {
            Ok(lease) => lease,
            Err((wait, over)) => return self.events.push(self.now + wait, over),
        };
        let conn = self.conns.len();
        let mut pipe = Pipe::default();
        for piece in first..first + count {
            let start = u64::from(piece) * u64::from(self.cfg.piece_bytes());
            let bytes = (self.cfg.payload_bytes - start).min(u64::from(self.cfg.piece_bytes())) as u32;
            let blocks = bytes.div_ceil(BLOCK);
            for i in 0..blocks {
                let last = i + 1 == blocks;
                let end = last && piece + 1 == first + count;
                pipe.queue.push_back((
                    Load::Http {
                        fetch,
                        piece,
                        last,
                        end,
                    },
                    (bytes - i * BLOCK).min(BLOCK),
                ));
            }
            self.https_bytes += u64::from(bytes);
        }
        let ends = [(node, ConnId(0)), (self.server(), ConnId(0))];
        self.conns.push(Conn {
            ends,
            pipes: [Pipe::default(), pipe],
            open: true,
            up: true,
        });
        self.nodes[node].fetches.push((fetch, conn, lease));
        self.pump(conn, 1);
    }

    pub(super) fn cancel_fetch(&mut self, node: Endpoint, fetch: FetchId) {
        if let Some(conn) = self.end_stream(node, fetch) {
            let rest: u64 = self.conns[conn].pipes[1]
                .queue
                .iter()
                .map(|(_, b)| u64::from(*b))
                .sum();
            self.https_bytes -= rest;
            self.shut(conn);
        }
    }

    /// An HTTPS answer is over: its place among the streams is free; the connection that it had.
    pub(super) fn end_stream(&mut self, node: Endpoint, fetch: FetchId) -> Option<usize> {
        let fetches = &mut self.nodes[node].fetches;
        let at = fetches.iter().position(|(f, ..)| *f == fetch)?;
        let (_, conn, lease) = fetches.swap_remove(at);
        self.streams.release(lease, self.now);
        Some(conn)
    }
}
