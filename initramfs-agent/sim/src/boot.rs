//! How a node begins: the manifest, the tracker.

use super::net::{Endpoint, Event};
use super::setup::fraction;
use super::world::{World, seeder_addr};
use bootswarm_agent::core::nearness::Nearness;
use bootswarm_agent::core::swarm::{Input, TorrentId, TorrentSpec};
use bootswarm_agent::core::time::{Micros, SECOND};

/// Peers that an agent wants with its manifest, and with an announce.
const NUMWANT_FIRST: usize = 200;
const NUMWANT: usize = 50;
/// Announces of a node wait one, two, three intervals and so on, up to this.
const INTERVAL_MAX_US: Micros = 60 * SECOND;
/// The same after a manifest, which is the first announce, for who met so many with it.
const INTERVAL_INTRODUCED_US: Micros = 30 * SECOND;
const INTRODUCED_ENOUGH: usize = 12;
/// Answers that name peers to a node that has not said that it wants some.
const NAMED_MAX: u64 = 2;
/// What the server sends for a TLS handshake, what it sends for the manifest without the peers behind it, and what the
/// node sends for both (`npm run bench:start`).
const HANDSHAKE_BYTES: u32 = 1_030;
const MANIFEST_BYTES: u32 = 490;
pub(super) const REQUEST_BYTES: u32 = 980;
/// Request to a tracker, and its answer without the peers, on a connection that stays.
const ANNOUNCE_BYTES: u32 = 400;
const ANSWER_BYTES: u32 = 260;
/// Opening that connection, each way.
const CONNECTION_BYTES: u32 = 180;
/// The post of a boot's events and its answer, charged with the manifest.
const EVENTS_BYTES: u32 = 1_190;
const EVENTS_ANSWER_BYTES: u32 = 165;

impl World {
    /// The node asks for the manifest.
    pub fn power(&mut self, node: Endpoint) {
        if !self.cfg.manifest || self.server_gone {
            return self.start(node);
        }
        self.nodes[node].asked_at = self.now;
        let at = self.charge(node, self.server(), REQUEST_BYTES);
        self.events
            .push(at + 2 * self.cfg.latency_us, Event::HandshakeWanted(node));
    }

    /// It asks for its turn to shake hands.
    pub fn handshake_wanted(&mut self, node: Endpoint) {
        self.handshakes.arrive(node);
        self.begin_handshakes();
    }

    /// Its handshake is over, and the manifest follows.
    pub fn handshake_done(&mut self, node: Endpoint) {
        self.handshakes.finish(node, self.now);
        self.begin_handshakes();
        let at = self.charge(self.server(), node, MANIFEST_BYTES);
        self.events.push(at, Event::Begin(node));
    }

    /// Those whose turn it is shake hands.
    pub fn begin_handshakes(&mut self) {
        for node in self.handshakes.next(self.now) {
            let at = self.charge(self.server(), node, HANDSHAKE_BYTES);
            self.events
                .push(at + self.cfg.latency_us, Event::HandshakeDone(node));
        }
        if let Some(at) = self.handshakes.look_at() {
            self.events.push(at, Event::HandshakeOverdue);
        }
    }

    pub fn start(&mut self, node: Endpoint) {
        if !self.nodes[node].alive {
            return;
        }
        self.nodes[node].started = true;
        let asked_at = self.nodes[node].asked_at;
        self.nodes[node].swarm.server_took(self.now - asked_at);
        let spec = TorrentSpec {
            infohash: self.infohash,
            size_bytes: self.cfg.payload_bytes,
            piece_length: self.cfg.piece_bytes(),
            have_all: false,
            has_origin: self.cfg.https,
            seeders: vec![seeder_addr()],
            metadata: self.metadata_spec(),
        };
        self.nodes[node].swarm.add_torrent(self.now, spec);
        self.drain(node);
        self.events
            .push(self.now + self.cfg.latency_us * 4, Event::Announce(node));
    }

    /// The tracker's answer: the own rack first, a few of the others.
    pub fn announce(&mut self, node: Endpoint) {
        if self.server_gone || !self.nodes[node].alive {
            return;
        }
        self.nodes[node].announced_at = self.now;
        let rack = self.rack(node);
        let asked = self.nodes[node].announces;
        let wants = self.nodes[node].next_announce > self.now;
        // With a manifest the first announce came with it, and the second opens the connection.
        let introduced = asked == 0 && self.cfg.manifest;
        let numwant = if !wants && asked >= NAMED_MAX {
            0
        } else if introduced {
            NUMWANT_FIRST
        } else {
            NUMWANT
        };
        let interval = self.tracker.interval_s() * SECOND;
        let seed = self.nodes[node].done_at.is_some();
        self.tracker.put(node, rack, seed);
        let (tracker, rng) = (&mut self.tracker, &mut self.rng);
        let met = tracker.introduce(node, rack, seed, numwant, &mut || fraction(rng));
        let duty = met.duty;
        let named = |nodes: Vec<Endpoint>, nearness| nodes.into_iter().map(move |node| (node, nearness));
        let local = named(met.local, Nearness::Local);
        let answer: Vec<_> = local
            .chain(named(met.across, Nearness::Across))
            .chain(named(met.far, Nearness::Far))
            .map(|(other, nearness)| (self.addr(other), nearness))
            .collect();
        let (asks, says) = match (introduced, asked == 1 && self.cfg.manifest) {
            (true, _) => (EVENTS_BYTES, EVENTS_ANSWER_BYTES),
            (_, true) => (CONNECTION_BYTES + ANNOUNCE_BYTES, CONNECTION_BYTES + ANSWER_BYTES),
            _ => (ANNOUNCE_BYTES, ANSWER_BYTES),
        };
        self.charge(node, self.server(), asks);
        let answered = self.charge(self.server(), node, says + 6 * answer.len() as u32);
        let enough = introduced && answer.len() >= INTRODUCED_ENOUGH;
        // Those that came with the manifest are here already.
        let at = if introduced { self.now } else { answered };
        self.nodes[node].answers.push_back((duty, answer));
        self.events.push(at, Event::Introduced(node));
        if self.nodes[node].done_at.is_none() && self.nodes[node].next_announce <= self.now {
            self.nodes[node].announces += 1;
            let wait = if enough {
                INTERVAL_INTRODUCED_US
            } else {
                (interval * self.nodes[node].announces).min(INTERVAL_MAX_US.max(interval))
            };
            self.nodes[node].next_announce = self.now + wait;
            self.events.push(self.now + wait, Event::Announce(node));
        }
    }

    /// It knows its neighbours.
    pub fn introduced(&mut self, node: Endpoint) {
        let (duty, peers) = self.nodes[node].answers.pop_front().unwrap_or_default();
        let torrent = TorrentId(0);
        self.hear(node, Input::Duty { torrent, duty });
        let input = Input::Peers {
            torrent: TorrentId(0),
            peers: &peers,
        };
        self.tell(node, input);
    }
}
