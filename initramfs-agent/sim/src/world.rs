//! The world of a simulation: nodes, cables, the server; and the loop over events.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use super::cables::Cables;
use super::handshakes::Handshakes;
use super::net::{Conn, Endpoint, Event, Link, Load, Packets, Pipe};
use super::queue::Events;
use super::seeder::Seeder;
use super::streams::{HandingOut, Lease, Streams};
use super::timeline::{Moment, Timeline};
use super::tracker::Tracker;
use super::wire::{PACKET_BYTES, SEGMENT_BYTES, wire_bytes};
use super::{Report, SimConfig};
use bootswarm_agent::core::nearness::{Duty, Nearness};
use bootswarm_agent::core::rng::Rng;
use bootswarm_agent::core::swarm::{ConnId, FetchId, Input, Output, Slot, Swarm};
use bootswarm_agent::core::time::{Micros, SECOND};

pub(super) const BLOCK: u32 = 16 << 10;
pub(super) const PORT: u16 = 6881;
/// Events whose state is read before the first of them happens.
const TOUCHED: usize = 16;

pub(super) struct Node {
    pub swarm: Swarm,
    pub peer_id: [u8; 20],
    pub alive: bool,
    pub started: bool,
    pub doomed: bool,
    pub slow: bool,
    pub done_at: Option<Micros>,
    /// When it asked for the manifest.
    pub asked_at: Micros,
    /// Answers of the tracker on their way.
    pub answers: VecDeque<(Duty, Vec<(SocketAddr, Nearness)>)>,
    pub announced_at: Micros,
    pub next_announce: Micros,
    /// Announces since it last wanted peers.
    pub announces: u64,
    pub tick_at: Micros,
    /// Connections by number: outgoing (even) and incoming (odd).
    pub conns: [Vec<usize>; 2],
    /// Slots that hold wrong bytes.
    pub spoiled: BTreeSet<(u32, Slot)>,
    /// HTTPS answers on their way: their connections, and their places among the server's streams.
    pub fetches: Vec<(FetchId, usize, Lease)>,
}

pub(super) struct World {
    pub cfg: SimConfig,
    /// Nodes that boot; those after them mean harm.
    pub honest: usize,
    pub cables: Cables,
    pub now: Micros,
    pub events: Events,
    pub nodes: Vec<Node>,
    pub conns: Vec<Conn>,
    pub packets: Packets,
    /// Directions of connections in which the node that is just heard has put something.
    pub waiting: Vec<(usize, usize)>,
    /// Payload that has just left, as (connection, end, bytes): the nodes have yet to hear.
    pub sent: VecDeque<(usize, usize, u32)>,
    pub links: Vec<Link>,
    pub seeder: Seeder,
    pub handshakes: Handshakes,
    pub tracker: Tracker,
    pub streams: Streams,
    pub handing_out: HandingOut,
    /// The info dictionary, and its hash.
    pub info: Arc<[u8]>,
    pub infohash: [u8; 20],
    pub rng: Rng,
    pub server_gone: bool,
    pub https_bytes: u64,
    /// When each piece had been with a node.
    pub first_copy_at: Micros,
    /// Nodes that asked the server for the hashes of the pieces.
    pub server_metadata: usize,
    pub banned: usize,
    pub banned_wrongly: usize,
    pub trace: u64,
    pub count: u64,
    pub unfinished: usize,
}

/// Runs a simulation to its end: all nodes done, or far too late.
pub fn run(cfg: &SimConfig) -> Report {
    run_watched(cfg, 0, |_| {})
}

/// The same, with a look at each span of `every_us`; that changes nothing.
pub fn run_watched(cfg: &SimConfig, every_us: Micros, mut watch: impl FnMut(Moment)) -> Report {
    let mut timeline = Timeline::new(every_us);
    let mut world = World::new(cfg);
    let limit = cfg.floor_us() * 30 + 120 * SECOND;
    let mut touched = 0;
    while world.unfinished > 0 {
        if touched == 0 {
            world.touch_ahead();
            touched = TOUCHED;
        }
        touched -= 1;
        let Some((at, event)) = world.events.pop() else {
            break;
        };
        if at > limit {
            break;
        }
        while timeline.due(at) {
            watch(timeline.look(&world));
        }
        world.now = at;
        world.count += 1;
        world.step(event);
        world.tell_sent();
    }
    world.report()
}

impl World {
    pub fn server(&self) -> Endpoint {
        self.nodes.len()
    }

    pub fn rack(&self, node: Endpoint) -> usize {
        self.cables.rack(node)
    }

    pub fn pieces(&self) -> u32 {
        self.cfg.payload_bytes.div_ceil(u64::from(self.cfg.piece_bytes())) as u32
    }

    pub fn addr(&self, node: Endpoint) -> SocketAddr {
        if node == self.server() {
            seeder_addr()
        } else {
            addr_of(node, self.rack(node))
        }
    }

    fn endpoint(&self, addr: SocketAddr) -> Option<Endpoint> {
        if addr == seeder_addr() {
            return Some(self.server());
        }
        let IpAddr::V4(ip) = addr.ip() else {
            return None;
        };
        let [_, _, high, low] = ip.octets();
        let node = usize::from(high) * 256 + usize::from(low);
        (node < self.nodes.len() && addr.port() == PORT).then_some(node)
    }

    pub fn nodes_addr(&self, node: Endpoint) -> SocketAddr {
        addr_of(node, self.rack(node))
    }

    pub fn peer_id(&self, node: Endpoint) -> [u8; 20] {
        self.nodes[node].peer_id
    }

    /// Mixes numbers into the trace's hash (FNV-1a).
    pub fn trace(&mut self, values: [u64; 3]) {
        for v in values.into_iter().chain([self.now]) {
            self.trace = (self.trace ^ v)
                .wrapping_mul(0x0000_0100_0000_01b3)
                .rotate_left(23);
        }
    }

    /// Gives an input to a node and does what it says.
    pub fn tell(&mut self, node: Endpoint, input: Input<'_>) {
        if self.hear(node, input) {
            self.drain(node);
        }
    }

    /// Reads what the next events need: a farm's state is far larger than the processor's caches, and these reads do not wait
    /// for each other as those of one event after the other would. Nothing follows from them.
    fn touch_ahead(&self) {
        let mut read = 0;
        for event in self.events.coming().take(TOUCHED) {
            let (conn, end, piece) = match event {
                Event::Arrive { conn, to, load, .. } => {
                    let piece = match load {
                        Load::Packet(number) => self.packets.piece(*number),
                        Load::Block(block) => Some(block.piece),
                        Load::Http { piece, .. } => Some(*piece),
                    };
                    (*conn, *to, piece)
                }
                Event::Acked { conn, to, .. } => (*conn, *to, None),
                _ => continue,
            };
            let (node, id) = self.conns[conn].ends[end];
            read ^= self.conns[conn].pipes[end].queue.len() as u64;
            if let Some(node) = self.nodes.get(node) {
                read ^= node.swarm.touch(id, piece);
            }
        }
        std::hint::black_box(read);
    }

    /// Gives it an input only: [`Self::drain`] must follow, unless the node is not there.
    pub fn hear(&mut self, node: Endpoint, input: Input<'_>) -> bool {
        let n = &mut self.nodes[node];
        let there = n.alive && n.started && node < self.honest;
        if there {
            n.swarm.handle(self.now, input);
        }
        there
    }

    /// Nodes hear what has left them.
    fn tell_sent(&mut self) {
        while let Some((conn, from, bytes)) = self.sent.pop_front() {
            let (node, id) = self.conns[conn].ends[from];
            if node == self.server() {
                self.seeder.sent(self.conns[conn].ends[1 - from].0, self.now);
            } else if self.conns[conn].open {
                self.tell(node, Input::Sent { conn: id, bytes });
            }
        }
    }

    pub fn drain(&mut self, node: Endpoint) {
        while let Some(output) = self.nodes[node].swarm.poll() {
            self.act(node, output);
        }
        for at in 0..self.waiting.len() {
            let (conn, side) = self.waiting[at];
            self.pump(conn, side);
        }
        self.waiting.clear();
        let n = &mut self.nodes[node];
        if let Some(at) = n
            .swarm
            .deadline()
            .map(|d| d.max(self.now))
            .filter(|d| *d < n.tick_at)
        {
            n.tick_at = at;
            self.events.push(at, Event::Tick(node));
        }
    }

    /// The connection that a node calls by this number, and which end the node is.
    fn conn_at(&self, node: Endpoint, conn: ConnId) -> Option<(usize, usize)> {
        let side = (conn.0 % 2) as usize;
        self.nodes[node].conns[side]
            .get(conn.0 as usize / 2)
            .map(|c| (*c, side))
    }

    fn act(&mut self, node: Endpoint, output: Output) {
        let now = self.now;
        let latency = self.cfg.latency_us;
        match output {
            Output::Connect { conn, addr, .. } => {
                let far = self.endpoint(addr).unwrap_or(node);
                let index = self.conns.len();
                debug_assert_eq!(self.nodes[node].conns[0].len(), conn.0 as usize / 2);
                self.nodes[node].conns[0].push(index);
                self.conns.push(Conn {
                    ends: [(node, conn), (far, ConnId(0))],
                    pipes: [Pipe::default(), Pipe::default()],
                    open: true,
                    up: false,
                });
                self.events.push(now + latency, Event::Dial { conn: index });
            }
            Output::Close { conn, .. } => {
                if let Some((index, side)) = self.conn_at(node, conn) {
                    self.shut(index);
                    self.events.push(
                        now + latency,
                        Event::Closed {
                            conn: index,
                            to: 1 - side,
                        },
                    );
                }
            }
            Output::Send { conn, message } => {
                if let Some((index, side)) = self.conn_at(node, conn).filter(|(c, _)| self.conns[*c].open) {
                    let pipe = &mut self.conns[index].pipes[side];
                    let bytes = wire_bytes(&message);
                    match pipe.queue.back_mut() {
                        // What has not left yet goes in one packet, as far as one holds it.
                        Some((Load::Packet(number), all)) if *all + bytes <= SEGMENT_BYTES + PACKET_BYTES => {
                            self.packets.add(*number, message);
                            *all += bytes;
                        }
                        _ => {
                            let number = self.packets.pack(message);
                            let packets = bytes.div_ceil(SEGMENT_BYTES);
                            pipe.queue
                                .push_back((Load::Packet(number), bytes + packets * PACKET_BYTES));
                        }
                    }
                    self.waiting.push((index, side));
                }
            }
            Output::SendBlock { conn, block, .. } => {
                if let Some((index, side)) = self.conn_at(node, conn).filter(|(c, _)| self.conns[*c].open) {
                    self.conns[index].pipes[side]
                        .queue
                        .push_back((Load::Block(block), block.len));
                    self.waiting.push((index, side));
                }
            }
            Output::Verify { torrent, piece, slot } => {
                let ok = !self.nodes[node].spoiled.remove(&(piece, slot));
                self.trace([1, node as u64, u64::from(piece)]);
                self.nodes[node].swarm.handle(
                    now,
                    Input::Verified {
                        torrent,
                        piece,
                        slot,
                        ok,
                    },
                );
            }
            Output::Discard { piece, slot, .. } => {
                self.nodes[node].spoiled.remove(&(piece, slot));
            }
            Output::Fetch {
                fetch, piece, count, ..
            } => self.fetch(node, fetch, piece, count),
            Output::CancelFetch { fetch } => self.cancel_fetch(node, fetch),
            Output::Metadata { .. } => self.trace([2, node as u64, 0]),
            Output::MetadataUnfit { .. } => {}
            Output::FetchMetadata { .. } => self.fetch_metadata(node),
            Output::TorrentDone { .. } => {
                self.nodes[node].done_at = Some(now);
                self.unfinished -= usize::from(!self.nodes[node].doomed);
            }
            Output::Banned { addr, .. } => {
                self.banned += 1;
                let guilty = self.endpoint(addr).is_some_and(|n| self.is_hostile(n));
                self.banned_wrongly += usize::from(!guilty);
            }
            Output::WantPeers { .. } => {
                self.nodes[node].announces = self.nodes[node].announces.min(1);
                let at = now.max(self.nodes[node].announced_at + SECOND);
                self.events.push(at, Event::Announce(node));
            }
        }
    }

    pub fn tick(&mut self, node: Endpoint) {
        if self.nodes[node].tick_at == self.now {
            self.nodes[node].tick_at = Micros::MAX;
            self.tell(node, Input::Tick);
        }
    }

    /// Numbers a connection at its far end.
    pub fn number(&mut self, conn: usize) -> ConnId {
        let far = self.conns[conn].ends[1].0;
        let id = if far == self.server() {
            ConnId(0)
        } else {
            self.nodes[far].conns[1].push(conn);
            ConnId(self.nodes[far].conns[1].len() as u32 * 2 - 1)
        };
        self.conns[conn].ends[1].1 = id;
        id
    }
}

pub(super) fn seeder_addr() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 255, 0, 1)), PORT)
}

pub(super) fn addr_of(node: usize, rack: usize) -> SocketAddr {
    let ip = Ipv4Addr::new(10, rack as u8, (node / 256) as u8, (node % 256) as u8);
    SocketAddr::new(IpAddr::V4(ip), PORT)
}
