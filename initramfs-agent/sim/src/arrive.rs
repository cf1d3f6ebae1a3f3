//! What events do when their time has come.

use super::net::{Endpoint, Event, Load};
use super::wire::agent_hello;
use super::world::World;
use bootswarm_agent::core::swarm::{HintSource, Input, TorrentId};
use bootswarm_agent::core::time::{MILLISECOND, SECOND};
use bootswarm_agent::core::wire::{Message, Outgoing};

/// How soon a node hears that nobody answers its dialling.
pub(super) const NO_ANSWER_US: u64 = 3 * SECOND;
/// What opens a connection, each way: TCP's and BitTorrent's handshakes.
const HANDSHAKE_BYTES: u32 = 300;
/// The server's seeder looks at what it has handed out at least this often (`server/swarm/seeder-core.ts`).
pub(super) const SEEDER_TICK_US: u64 = 50 * MILLISECOND;

impl World {
    pub(super) fn step(&mut self, event: Event) {
        match event {
            Event::Start(node) if self.is_hostile(node) => self.join_hostile(node),
            Event::Start(node) => self.power(node),
            Event::HandshakeWanted(node) => self.handshake_wanted(node),
            Event::HandshakeDone(node) => self.handshake_done(node),
            Event::HandshakeOverdue => self.begin_handshakes(),
            Event::Begin(node) => self.start(node),
            Event::Kill(node) => self.kill(node),
            Event::Tick(node) => self.tick(node),
            Event::Announce(node) => self.announce(node),
            Event::Introduced(node) => self.introduced(node),
            Event::Dial { conn } => self.dialled(conn),
            Event::Up { conn } => self.up(conn),
            Event::Refused { conn } => {
                let (node, id) = self.conns[conn].ends[0];
                if std::mem::replace(&mut self.conns[conn].open, false) {
                    self.tell(node, Input::Closed { conn: id });
                }
            }
            Event::Closed { conn, to } => {
                self.shut(conn);
                let (node, id) = self.conns[conn].ends[to];
                if node == self.server() {
                    let other = self.conns[conn].ends[1 - to].0;
                    self.seeder.closed(other, conn);
                    self.hand_out();
                } else {
                    self.tell(node, Input::Closed { conn: id });
                }
            }
            Event::Granted { conn, piece } if self.conns[conn].open => {
                debug_assert!(self.conns[conn].up, "a hand-out came before the handshake");
                let (node, conn) = self.conns[conn].ends[0];
                let message = Message::AllowedFast { piece };
                self.tell(node, Input::Message { conn, message });
            }
            Event::Granted { .. } => {}
            Event::Hop {
                conn,
                to,
                load,
                bytes,
                hop,
                tail,
            } => {
                if !self.conns[conn].open {
                    return self.packets.lose(load);
                }
                self.forward(conn, to, load, bytes, hop, tail);
            }
            Event::Arrive {
                conn,
                to,
                load,
                bytes,
            } => self.arrive(conn, to, load, bytes),
            Event::Acked { conn, to, bytes } => {
                self.conns[conn].pipes[to].in_net -= bytes;
                self.pump(conn, to);
            }
            Event::FetchOver {
                node,
                fetch,
                retry_after_s,
                failed,
            } => {
                let retry_after = retry_after_s.map(|s| s * SECOND);
                self.tell(
                    node,
                    Input::FetchEnded {
                        fetch,
                        retry_after,
                        failed,
                    },
                );
            }
            Event::MetadataFetched(node) => self.metadata_fetched(node),
            Event::SeederTick => {
                self.hand_out();
                if !self.server_gone {
                    self.events.push(self.now + SEEDER_TICK_US, Event::SeederTick);
                }
            }
        }
    }

    /// A node loses its power: half of them silently, the others with a reset.
    fn kill(&mut self, node: Endpoint) {
        self.nodes[node].alive = false;
        for (_, _, lease) in std::mem::take(&mut self.nodes[node].fetches) {
            self.streams.release(lease, self.now);
        }
        let silent = self.rng.below(2) == 0;
        for conn in 0..self.conns.len() {
            let c = &mut self.conns[conn];
            let Some(side) = c.ends.iter().position(|(n, _)| *n == node).filter(|_| c.open) else {
                continue;
            };
            for (load, _) in c.pipes[side].queue.drain(..) {
                self.packets.lose(load);
            }
            if !silent {
                self.shut(conn);
                self.events.push(
                    self.now + self.cfg.latency_us,
                    Event::Closed { conn, to: 1 - side },
                );
            }
        }
    }

    fn dialled(&mut self, conn: usize) {
        let (from, (far, _)) = (self.conns[conn].ends[0].0, self.conns[conn].ends[1]);
        let server = self.server();
        let latency = self.cfg.latency_us;
        if !self.conns[conn].open {
            return;
        }
        let dead = if far == server {
            self.server_gone
        } else {
            !self.nodes[far].alive
        };
        let deaf = far != server && !self.nodes[far].started;
        if dead || deaf || far == from {
            let wait = if dead { NO_ANSWER_US } else { latency };
            self.events.push(self.now + wait, Event::Refused { conn });
            return;
        }
        let id = self.number(conn);
        let there = self.charge(from, far, HANDSHAKE_BYTES);
        // Behind all that waits in front of the far end's link: a busy server lets us wait.
        let up = self.charge(far, from, HANDSHAKE_BYTES).max(there);
        // What the far end says comes after its handshake.
        self.events.push(up, Event::Up { conn });
        self.conns[conn].pipes[1].arrived_at = up;
        if far == server {
            self.seeder.connected(from, conn, self.now);
            self.hand_out();
        } else if self.is_hostile(far) {
            self.greet(conn);
        } else {
            let mut addr = self.nodes_addr(from);
            addr.set_port(40_000 + (conn % 20_000) as u16);
            self.tell(
                far,
                Input::Incoming {
                    conn: id,
                    addr,
                    torrent: TorrentId(0),
                },
            );
            let peer_id = self.peer_id(from);
            self.tell(
                far,
                Input::Handshake {
                    conn: id,
                    peer_id,
                    fast: true,
                    extended: true,
                },
            );
        }
    }

    fn up(&mut self, conn: usize) {
        if !self.conns[conn].open {
            return;
        }
        let (node, id) = self.conns[conn].ends[0];
        let far = self.conns[conn].ends[1].0;
        self.conns[conn].up = true;
        self.tell(node, Input::Connected { conn: id });
        let seeder = far == self.server();
        let speaks = !self.is_hostile(far);
        let peer_id = if seeder {
            *b"-WW0000-bootseeder00"
        } else {
            self.peer_id(far)
        };
        self.tell(
            node,
            Input::Handshake {
                conn: id,
                peer_id,
                fast: speaks,
                extended: speaks,
            },
        );
        if seeder {
            self.tell(
                node,
                Input::Message {
                    conn: id,
                    message: Message::HaveAll,
                },
            );
            let hello = Input::ExtendedHandshake {
                conn: id,
                bootswarm: true,
                elsewhere: None,
                listen_port: Some(6881),
                requests_max: Some(512),
                ut_pex: None,
                metadata_size: Some(self.info.len() as u32),
            };
            self.tell(node, hello);
        }
    }

    /// A node hears a message; [`World::drain`] must follow.
    fn message(&mut self, conn: usize, to: usize, message: &Outgoing) {
        let (node, id) = self.conns[conn].ends[to];
        if node == self.server() {
            let from = self.conns[conn].ends[1 - to].0;
            return self.tell_seeder(conn, from, message);
        }
        if self.is_hostile(node) {
            return self.tell_hostile(conn, message);
        }
        let parsed = match message {
            Outgoing::KeepAlive => Message::KeepAlive,
            Outgoing::Unchoke => Message::Unchoke,
            Outgoing::Interested => Message::Interested,
            Outgoing::NotInterested => Message::NotInterested,
            Outgoing::Have(piece) => Message::Have { piece: *piece },
            Outgoing::Bitfield(bits) => Message::Bitfield(bits),
            Outgoing::HaveAll => Message::HaveAll,
            Outgoing::HaveNone => Message::HaveNone,
            Outgoing::Request(block) => Message::Request(*block),
            Outgoing::Cancel(block) => Message::Cancel(*block),
            Outgoing::Reject(block) => Message::Reject(*block),
            Outgoing::Suggest(piece) => Message::Suggest { piece: *piece },
            Outgoing::ExtendedHandshake {
                metadata_size,
                elsewhere,
            } => {
                self.hear(node, agent_hello(id, *metadata_size, *elsewhere));
                return;
            }
            Outgoing::MetadataRequest(_) | Outgoing::MetadataReject(_) | Outgoing::MetadataPart { .. } => {
                return self.hear_metadata(node, id, message);
            }
            Outgoing::Pex { added, .. } => {
                let hints = Input::Hints {
                    torrent: TorrentId(0),
                    source: HintSource::Pex(id),
                    addrs: added,
                };
                self.hear(node, hints);
                return;
            }
        };
        self.hear(
            node,
            Input::Message {
                conn: id,
                message: parsed,
            },
        );
    }

    fn arrive(&mut self, conn: usize, to: usize, load: Load, bytes: u32) {
        if !self.conns[conn].open {
            return self.packets.lose(load);
        }
        debug_assert!(
            self.conns[conn].up || to == 1,
            "something came before the handshake"
        );
        let (node, id) = self.conns[conn].ends[to];
        let from = self.conns[conn].ends[1 - to].0;
        if node < self.nodes.len() && !self.nodes[node].alive {
            return self.packets.lose(load);
        }
        if !matches!(load, Load::Packet(_)) {
            self.acknowledge(node, from, bytes);
            self.events.push(
                self.now + self.cfg.latency_us,
                Event::Acked {
                    conn,
                    to: 1 - to,
                    bytes,
                },
            );
        }
        match load {
            Load::Packet(number) => {
                let messages = self.packets.unpack(number);
                for message in &messages {
                    if let Outgoing::Have(piece) = message {
                        self.end_bulk(conn, to, *piece);
                    }
                    self.message(conn, to, message);
                }
                self.packets.free(number, messages);
                if node != self.server() {
                    self.drain(node);
                }
            }
            Load::Block(block) => {
                let placed = self.nodes[node].swarm.place_block(id, block);
                if let Some(slot) = placed {
                    if self.is_hostile(from) {
                        self.nodes[node].spoiled.insert((block.piece, slot));
                    }
                    self.tell(node, Input::Block { conn: id, block });
                } else {
                    self.drain(node);
                }
            }
            Load::Http {
                fetch,
                piece,
                last,
                end,
            } => {
                if last {
                    self.tell(
                        node,
                        Input::Fetched {
                            fetch,
                            piece,
                            ok: true,
                        },
                    );
                }
                if end {
                    self.conns[conn].open = false;
                    self.end_stream(node, fetch);
                    self.tell(
                        node,
                        Input::FetchEnded {
                            fetch,
                            retry_after: None,
                            failed: false,
                        },
                    );
                }
            }
        }
    }
}
