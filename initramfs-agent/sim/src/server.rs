//! The server's side of a simulation: requests to the seeder, hand-outs, HTTPS.

use super::arrive::NO_ANSWER_US;
use super::net::{Conn, Endpoint, Event, Load, Pipe};
use super::wire::{PACKET_BYTES, wire_bytes};
use super::world::{BLOCK, STREAMS_MAX, World};
use bootswarm_agent::core::swarm::{ConnId, FetchId, Outgoing};

impl World {
    pub(super) fn tell_seeder(&mut self, conn: usize, from: Endpoint, message: &Outgoing) {
        match message {
            Outgoing::Have(piece) => {
                self.seeder.has(from, *piece, self.now);
                let pieces = self.cfg.payload_bytes.div_ceil(u64::from(self.cfg.piece_bytes())) as u32;
                if self.first_copy_at == 0 && self.seeder.copied == pieces {
                    self.first_copy_at = self.now;
                }
                self.hand_out();
            }
            Outgoing::Bitfield(bits) => {
                for piece in 0..bits.len() as u32 * 8 {
                    if bits[piece as usize / 8] & (0x80 >> (piece % 8)) != 0 {
                        self.seeder.has(from, piece, self.now);
                    }
                }
            }
            Outgoing::Interested => self.seeder.interest(from, true),
            Outgoing::NotInterested => self.seeder.interest(from, false),
            Outgoing::Request(block) if self.seeder.serves(from, *block) => {
                self.seeder.sent_bytes += u64::from(block.len);
                self.conns[conn].pipes[1]
                    .queue
                    .push_back((Load::Block(*block), block.len));
                self.pump(conn, 1);
            }
            Outgoing::MetadataRequest(part) => {
                self.server_metadata += usize::from(*part == 0);
                let (part, info) = (*part, self.info.clone());
                let message = Outgoing::MetadataPart { part, info };
                let bytes = wire_bytes(&message) + PACKET_BYTES;
                let packet = Load::Packet(self.packets.pack(message));
                self.conns[conn].pipes[1].queue.push_back((packet, bytes));
                self.pump(conn, 1);
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

    pub(super) fn hand_out(&mut self) {
        if self.server_gone {
            return;
        }
        let pieces = self.cfg.payload_bytes.div_ceil(u64::from(self.cfg.piece_bytes())) as u32;
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
        let busy = self.streams >= STREAMS_MAX;
        if self.server_gone || busy {
            let failed = self.server_gone;
            let wait = if failed {
                NO_ANSWER_US
            } else {
                self.cfg.latency_us * 4
            };
            let over = Event::FetchOver {
                node,
                fetch,
                busy: busy && !failed,
                failed,
            };
            self.events.push(self.now + wait, over);
            return;
        }
        self.streams += 1;
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
        self.nodes[node].fetches.push((fetch, conn));
        self.pump(conn, 1);
    }

    pub(super) fn cancel_fetch(&mut self, node: Endpoint, fetch: FetchId) {
        if let Some(at) = self.nodes[node].fetches.iter().position(|(f, _)| *f == fetch) {
            let (_, conn) = self.nodes[node].fetches.swap_remove(at);
            let rest: u64 = self.conns[conn].pipes[1]
                .queue
                .iter()
                .map(|(_, b)| u64::from(*b))
                .sum();
            self.https_bytes -= rest;
            self.shut(conn);
            self.streams -= 1;
        }
    }
}
