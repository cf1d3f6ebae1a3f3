//! A world before its first event, and what is counted after its last.

use std::collections::{BTreeSet, VecDeque};

use super::agents::Agents;
use super::arrive::SEEDER_TICK_US;
use super::cables::Cables;
use super::handshakes::Handshakes;
use super::net::{Event, Link, Packets};
use super::queue::Events;
use super::report::Uplink;
use super::seeder::Seeder;
use super::streams::{HandingOut, Streams};
use super::tracker::Tracker;
use super::world::{Node, PORT, World, addr_of};
use super::{Report, SimConfig};
use bootswarm_agent::core::metainfo::{info_dictionary, infohash};
use bootswarm_agent::core::rng::Rng;
use bootswarm_agent::core::swarm::{Swarm, SwarmConfig, TorrentId};
use bootswarm_agent::core::time::{Micros, SECOND};

/// As the agent has it for a boot.
const WINDOW_PIECES: u32 = 32;
/// HTTPS answers that the server gives at a time, and what is small among them, bytes (`src/config.ts`, `server/wiring/http.ts`).
const STREAMS_MAX: u32 = 16;
const SMALL_PART_BYTES: u64 = 256 << 10;

impl World {
    pub fn new(cfg: &SimConfig) -> Self {
        let mut rng = Rng::new(cfg.seed);
        let n = cfg.layout.nodes();
        let sizes = cfg.layout.racks().iter().enumerate();
        let of_nodes = sizes.flat_map(|(at, rack)| std::iter::repeat_n(at, rack.nodes));
        let of_hostile = (0..cfg.corrupt).map(|i| i % cfg.layout.racks().len());
        let racks: Vec<usize> = of_nodes.chain(of_hostile).collect();
        let cables = Cables::new(&cfg.layout, racks.clone());
        let rate = |link| match link < cables.rack_out(0) {
            true => cfg.link_bits,
            false => cfg.uplink_rate(),
        };
        let mut links: Vec<Link> = (0..cables.count()).map(|link| Link::new(rate(link))).collect();
        let mut order: Vec<usize> = (0..n).collect();
        for i in (1..n).rev() {
            order.swap(i, rng.below(i as u64 + 1) as usize);
        }
        let part = |percent: f64| (n as f64 * percent / 100.0).round() as usize;
        let (kills, slows) = (part(cfg.kill_percent), part(cfg.slow_percent));
        let mut events = Events::default();
        let floor = cfg.floor_us();
        for node in &order[..kills] {
            events.push(cfg.arrival_us + rng.below(floor), Event::Kill(*node));
        }
        for node in order.iter().skip(kills).take(slows) {
            links[cables.up(*node)] = Link::new(cfg.link_bits / 10);
            links[cables.down(*node)] = Link::new(cfg.link_bits / 10);
        }
        let piece_bytes = cfg.piece_bytes();
        let pieces = cfg.payload_bytes.div_ceil(u64::from(piece_bytes)) as u32;
        let mut dice = Rng::new(rng.next_u64());
        let random = Box::new(move || fraction(&mut dice));
        let chains = cfg.chains_as_told();
        let agents = Agents::new(cfg.payload_bytes, piece_bytes, racks.clone(), &chains);
        let seeder = Seeder::new(agents, random);
        let mut nodes = Vec::new();
        for (node, rack) in racks.iter().enumerate() {
            let mut peer_id = *b"-BW0001-000000000000";
            peer_id[8..16].copy_from_slice(&rng.next_u64().to_be_bytes());
            peer_id[16..].copy_from_slice(&(node as u32).to_be_bytes());
            let swarm = Swarm::new(SwarmConfig {
                seed: rng.next_u64(),
                listen_port: PORT,
                own_addrs: vec![addr_of(node, *rack)],
                peer_id,
                window_pieces: WINDOW_PIECES,
                server_us: 0,
            });
            let at = if node < n {
                rng.below(cfg.arrival_us.max(1))
            } else {
                0
            };
            events.push(at, Event::Start(node));
            nodes.push(Node {
                swarm,
                peer_id,
                alive: true,
                started: false,
                doomed: order[..kills].contains(&node),
                slow: order[kills..kills + slows].contains(&node),
                done_at: None,
                asked_at: 0,
                answers: VecDeque::new(),
                announced_at: 0,
                next_announce: 0,
                announces: 0,
                tick_at: Micros::MAX,
                conns: [Vec::new(), Vec::new()],
                spoiled: BTreeSet::new(),
                fetches: Vec::new(),
            });
        }
        let hashes: Vec<u8> = (0..pieces * 20).map(|i| (i / 20 + i) as u8).collect();
        let info = info_dictionary(super::metadata::NAME, cfg.payload_bytes, piece_bytes, &hashes);
        events.push(SEEDER_TICK_US, Event::SeederTick);
        Self {
            infohash: infohash(&info),
            info: info.into(),
            unfinished: n - kills,
            cfg: cfg.clone(),
            honest: n,
            cables,
            now: 0,
            events,
            nodes,
            conns: Vec::new(),
            packets: Packets::default(),
            waiting: Vec::new(),
            sent: VecDeque::new(),
            links,
            seeder,
            handshakes: Handshakes::new(),
            tracker: Tracker::new(chains),
            streams: Streams::new(STREAMS_MAX, SMALL_PART_BYTES),
            handing_out: HandingOut::default(),
            rng,
            server_gone: false,
            https_bytes: 0,
            first_copy_at: 0,
            server_metadata: 0,
            banned: 0,
            banned_wrongly: 0,
            trace: 0xcbf2_9ce4_8422_2325,
            count: 0,
        }
    }

    pub fn report(&self) -> Report {
        let (mut times, mut healthy, mut slow) = (Vec::new(), Vec::new(), Vec::new());
        let (mut wasted, mut useful, mut failed) = (0, 0, 0);
        for n in self.nodes[..self.honest].iter().filter(|n| !n.doomed) {
            match n.done_at.map(|at| at as f64 / SECOND as f64) {
                Some(at) => {
                    times.push(at);
                    if n.slow {
                        slow.push(at);
                    } else {
                        healthy.push(at);
                    }
                }
                None => failed += 1,
            }
            let p = n.swarm.progress(TorrentId(0));
            wasted += p.duplicate_bytes;
            useful += p.from_origin_bytes + p.from_peers_bytes;
        }
        for list in [&mut times, &mut healthy, &mut slow] {
            list.sort_by(f64::total_cmp);
        }
        let of = |list: &[f64], share: f64| {
            let last = list.len().saturating_sub(1);
            let at = ((list.len() as f64 * share) as usize).min(last);
            list.get(at).copied()
        };
        let at = |share: f64| of(&times, share).unwrap_or(f64::NAN);
        let copies = |bytes: u64| bytes as f64 / self.cfg.payload_bytes as f64;
        let uplink = |rack| {
            let [into, out] = [self.cables.rack_in(rack), self.cables.rack_out(rack)];
            Uplink {
                copies_in: copies(self.links[into].payload_bytes),
                copies_out: copies(self.links[out].payload_bytes),
            }
        };
        let racks = 0..self.cfg.layout.racks().len();
        let uplinks: Vec<Uplink> = racks
            .filter(|_| self.cfg.layout.has_uplinks())
            .map(uplink)
            .collect();
        Report {
            floor_s: self.cfg.floor_us() as f64 / SECOND as f64,
            first_copy_s: self.first_copy_at as f64 / SECOND as f64,
            first_s: at(0.0),
            median_s: at(0.5),
            p95_s: at(0.95),
            p99_s: at(0.99),
            last_s: at(1.0),
            last_fast_s: of(&healthy, 1.0).unwrap_or(0.0),
            healthy_p99_s: of(&healthy, 0.99).unwrap_or(0.0),
            slow_median_s: of(&slow, 0.5).unwrap_or(0.0),
            slow_last_s: of(&slow, 1.0).unwrap_or(0.0),
            origin_copies: copies(self.seeder.sent_bytes + self.https_bytes),
            https_copies: copies(self.https_bytes),
            origin_link_copies: copies(self.links[self.cables.up(self.server())].bytes),
            server_metadata: self.server_metadata,
            rack_copies_max: uplinks.iter().map(|u| u.copies_in).fold(0.0, f64::max),
            rack_copies_mean: uplinks.iter().map(|u| u.copies_in).sum::<f64>() / uplinks.len().max(1) as f64,
            uplink_copies_max: uplinks.iter().map(Uplink::most).fold(0.0, f64::max),
            uplinks,
            duplicate_share: wasted as f64 / (wasted + useful).max(1) as f64,
            failed,
            killed: self.nodes.iter().filter(|n| n.doomed).count(),
            banned: self.banned,
            banned_wrongly: self.banned_wrongly,
            trace: self.trace,
            events: self.count,
        }
    }
}

/// A number from 0 to less than 1.
pub(super) fn fraction(rng: &mut Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}
