//! How bytes get from one endpoint to another: through a connection's window into the links on their way.

use super::net::{Endpoint, Event, Load, NODE_QUEUE_BYTES, SERVER_QUEUE_BYTES};
use super::wire::ack_bytes;
use super::world::World;
use bootswarm_agent::core::time::Micros;

/// Bytes of one connection that the network holds: a TCP window.
const WINDOW_BYTES: u32 = 32 << 10;

impl World {
    pub fn shut(&mut self, conn: usize) {
        let c = &mut self.conns[conn];
        c.open = false;
        for (load, _) in c.pipes.iter_mut().flat_map(|p| p.queue.drain(..)) {
            self.packets.lose(load);
        }
    }

    /// Moves what waits in a connection into the network: messages and payload, in their order.
    pub fn pump(&mut self, conn: usize, from: usize) {
        let c = &mut self.conns[conn];
        if !c.open {
            return;
        }
        let mut sent = 0;
        loop {
            let pipe = &mut self.conns[conn].pipes[from];
            let Some((load, bytes)) = pipe.queue.pop_front() else {
                // What comes next goes where the last was: that memory is in the processor's caches.
                pipe.queue.clear();
                break;
            };
            if !matches!(load, Load::Packet(_)) {
                if pipe.in_net > 0 && pipe.in_net + bytes > WINDOW_BYTES {
                    pipe.queue.push_front((load, bytes));
                    break;
                }
                pipe.in_net += bytes;
            }
            if let Load::Block(block) = load {
                sent += bytes;
                self.conns[conn].pipes[from].bulk = Some(block.piece);
            }
            self.forward(conn, 1 - from, load, bytes, 0, self.now);
        }
        if sent > 0 {
            self.sent.push_back((conn, from, sent));
        }
    }

    /// Whether what leaves a node over this direction of a connection goes before payload: all that is none, unless it has to
    /// stay behind payload of its own connection. The server's system has no such order.
    fn overtakes(&self, conn: usize, from: usize) -> bool {
        let c = &self.conns[conn];
        c.ends[from].0 != self.server() && c.pipes[from].bulk.is_none()
    }

    /// The far end has announced a piece.
    pub fn end_bulk(&mut self, conn: usize, from: usize, piece: u32) {
        let pipe = &mut self.conns[conn].pipes[from];
        if pipe.bulk == Some(piece) && !pipe.queue.iter().any(|(load, _)| matches!(load, Load::Block(_))) {
            pipe.bulk = None;
        }
    }

    /// Puts a load into the queue of its `hop`th link, and of the next ones where nothing is before it.
    pub fn forward(&mut self, conn: usize, to: usize, load: Load, bytes: u32, mut hop: u8, mut tail: Micros) {
        let c = &self.conns[conn];
        let ends = [c.ends[1 - to].0, c.ends[to].0];
        loop {
            let (cable, last) = self.cables.on_the_way(ends[0], ends[1], hop);
            let first = hop == 0 && self.overtakes(conn, 1 - to);
            let link = &mut self.links[cable];
            let mut begins = link.begins(self.now);
            if !matches!(load, Load::Packet(_)) {
                link.payload_bytes += u64::from(bytes);
            }
            if first {
                tail = link.overtake(self.now, bytes, NODE_QUEUE_BYTES);
                begins = self.now;
            } else {
                tail = link.pass(self.now, tail, bytes);
            }
            if last {
                let pipe = &mut self.conns[conn].pipes[1 - to];
                let at = (tail + self.cfg.latency_us).max(pipe.arrived_at);
                pipe.arrived_at = at;
                return self.events.push(
                    at,
                    Event::Arrive {
                        conn,
                        to,
                        load,
                        bytes,
                    },
                );
            }
            hop += 1;
            if begins > self.now {
                return self.events.push(
                    begins,
                    Event::Hop {
                        conn,
                        to,
                        load,
                        bytes,
                        hop,
                        tail,
                    },
                );
            }
        }
    }

    /// The acknowledgements of payload take their bytes of all links on the way back, at once.
    pub fn acknowledge(&mut self, from: Endpoint, to: Endpoint, payload_bytes: u32) {
        let bytes = ack_bytes(payload_bytes);
        for hop in 0.. {
            let (cable, last) = self.cables.on_the_way(from, to, hop);
            self.links[cable].pass(self.now, self.now, bytes);
            if last {
                break;
            }
        }
    }

    /// Bytes that go from one endpoint to another beside the swarm's messages; when they have arrived.
    /// They take their turn at the first cable. On the cables behind it, which they reach later, they count and take
    /// their time, but reserve nothing: what comes there in the meantime does not wait for them.
    pub fn charge(&mut self, from: Endpoint, to: Endpoint, bytes: u32) -> Micros {
        let (mut at, mut tail) = (self.now, self.now);
        let queue = if from == self.server() {
            SERVER_QUEUE_BYTES
        } else {
            NODE_QUEUE_BYTES
        };
        for hop in 0.. {
            let (cable, last) = self.cables.on_the_way(from, to, hop);
            let mut begins = self.links[cable].begins(at);
            tail = match hop {
                0 => {
                    begins = at;
                    self.links[cable].overtake(at, bytes, queue)
                }
                _ => self.links[cable].slip(begins, tail, bytes),
            };
            at = begins;
            if last {
                break;
            }
        }
        tail + self.cfg.latency_us
    }
}
