//! A network in virtual time for the tests: nodes, UDP with latency and loss, multicast, one tracker.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use super::*;
use crate::core::bencode::Encoder;
use crate::core::time::MILLISECOND;

pub const TRACKER: &str = "http://10.255.0.1:8480/announce";
pub const DEAD_TRACKER: &str = "http://10.255.0.2:8480/announce";
pub const HASH: InfoHash = [0x5a; 20];
const PORT: u16 = 6881;

pub struct Net {
    pub now: Micros,
    pub nodes: Vec<Node>,
    /// Packets lost, of 100.
    pub loss_percent: u64,
    pub tracker_up: bool,
    /// What the tracker was asked: when, by which node, the URL.
    pub asked: Vec<(Micros, usize, String)>,
    /// All that was sent, as a hash: two runs that differ anywhere differ here.
    pub transcript: Sha1,
    pub udp_packets: usize,
    flights: Vec<Flight>,
    sent: u64,
    rng: Rng,
}

pub struct Node {
    pub discovery: Discovery,
    pub addr: SocketAddr,
    pub up: bool,
    pub peers: BTreeSet<SocketAddr>,
}

struct Flight {
    at: Micros,
    /// Keeps the order of what arrives at the same time.
    number: u64,
    to: usize,
    what: What,
}

enum What {
    Udp(UdpSocketKind, SocketAddr, Vec<u8>),
    Http(HttpId, std::result::Result<Vec<u8>, Code>),
}

impl Net {
    pub fn new(seed: u64) -> Self {
        Self {
            now: 0,
            nodes: Vec::new(),
            loss_percent: 0,
            tracker_up: true,
            asked: Vec::new(),
            transcript: Sha1::new(),
            udp_packets: 0,
            flights: Vec::new(),
            sent: 0,
            rng: Rng::new(seed),
        }
    }

    pub fn addr(at: usize) -> SocketAddr {
        SocketAddr::new(IpAddr::from([10, 0, (at >> 8) as u8, at as u8]), PORT)
    }

    /// A node that is up from now on.
    pub fn add(&mut self, bootstrap: &[SocketAddr], lsd: bool) -> usize {
        let at = self.nodes.len();
        let addr = Self::addr(at + 1);
        let discovery = Discovery::new(DiscoveryConfig {
            seed: self.rng.next_u64(),
            peer_id: *b"-BW0001-abcdefghijkl",
            listen_port: PORT,
            dht_bootstrap: bootstrap.to_vec(),
            lsd,
            own_addrs: vec![addr.ip()],
        });
        let peers = BTreeSet::new();
        self.nodes.push(Node {
            discovery,
            addr,
            up: true,
            peers,
        });
        at
    }

    pub fn torrent(&mut self, at: usize, left: u64, trackers: &[&str]) {
        let trackers = trackers.iter().map(|&url| url.to_owned()).collect();
        self.nodes[at]
            .discovery
            .add_torrent(self.now, HASH, left, trackers, None);
        self.drain(at);
    }

    pub fn input(&mut self, at: usize, input: DiscoveryInput<'_>) {
        self.nodes[at].discovery.handle(self.now, input);
        self.drain(at);
    }

    /// Lets time pass.
    pub fn run_until(&mut self, end: Micros) {
        let mut steps_at_once = 0;
        loop {
            let tick = (0..self.nodes.len()).filter(|&at| self.nodes[at].up);
            let tick = tick
                .filter_map(|at| Some((self.nodes[at].discovery.deadline()?, at)))
                .min();
            let flight =
                (0..self.flights.len()).min_by_key(|&f| (self.flights[f].at, self.flights[f].number));
            let flight_at = flight.map_or(Micros::MAX, |f| self.flights[f].at);
            let next = flight_at
                .min(tick.map_or(Micros::MAX, |(at, _)| at))
                .max(self.now);
            if next > end {
                self.now = end;
                return;
            }
            steps_at_once = if next == self.now { steps_at_once + 1 } else { 0 };
            assert!(
                steps_at_once < 100_000,
                "time stands still: a deadline is never met"
            );
            self.now = next;
            match (flight, tick) {
                (Some(f), _) if flight_at <= next => self.land(f),
                (_, Some((_, at))) => self.input(at, DiscoveryInput::Tick),
                _ => unreachable!("something was due"),
            }
        }
    }

    fn land(&mut self, at: usize) {
        let flight = self.flights.swap_remove(at);
        if !self.nodes[flight.to].up {
            return;
        }
        match flight.what {
            What::Udp(socket, from, data) => {
                let data = &data;
                self.input(flight.to, DiscoveryInput::Udp { socket, from, data });
            }
            What::Http(id, result) => {
                let result = result.as_deref().map_err(|&code| code);
                self.input(flight.to, DiscoveryInput::HttpDone { id, result });
            }
        }
    }

    fn drain(&mut self, at: usize) {
        while let Some(output) = self.nodes[at].discovery.poll() {
            match output {
                DiscoveryOutput::SendUdp { socket, to, bytes } => self.send(at, socket, to, &bytes),
                DiscoveryOutput::HttpGet { id, url } => {
                    self.transcript.update(&url);
                    let answer = self.track(at, &url);
                    self.fly(at, What::Http(id, answer));
                    self.asked.push((self.now, at, url));
                }
                DiscoveryOutput::Peers { infohash, peers } => {
                    assert_eq!(infohash, HASH);
                    self.nodes[at].peers.extend(peers.iter().map(|(addr, _)| *addr));
                }
                DiscoveryOutput::Hints { infohash, addrs, .. } => {
                    assert_eq!(infohash, HASH);
                    self.nodes[at].peers.extend(addrs);
                }
                DiscoveryOutput::Duty { .. } | DiscoveryOutput::TrackerFailed { .. } => {}
            }
        }
    }

    fn send(&mut self, from: usize, socket: UdpSocketKind, to: SocketAddr, bytes: &[u8]) {
        self.udp_packets += 1;
        self.transcript.update(self.now.to_be_bytes());
        self.transcript.update(bytes);
        let multicast = to == SocketAddr::V4(LSD_GROUP);
        let from = self.nodes[from].addr;
        for at in 0..self.nodes.len() {
            // Multicast comes back to its sender too.
            if (multicast || self.nodes[at].addr == to) && self.rng.below(100) >= self.loss_percent {
                self.fly(at, What::Udp(socket, from, bytes.to_vec()));
            }
        }
    }

    fn fly(&mut self, to: usize, what: What) {
        let at = self.now + MILLISECOND + self.rng.below(4 * MILLISECOND);
        let number = self.sent;
        self.sent += 1;
        self.flights.push(Flight { at, number, to, what });
    }

    /// A tracker that gives everybody the ten who announced last.
    fn track(&self, from: usize, url: &str) -> std::result::Result<Vec<u8>, Code> {
        if !url.starts_with(TRACKER) || !self.tracker_up {
            return Err(Code::ServerUnreachable);
        }
        let mut peers = Vec::new();
        let others = self
            .asked
            .iter()
            .rev()
            .filter(|(_, at, url)| *at != from && url.starts_with(TRACKER));
        for (_, at, _) in others.take(10) {
            compact::write(&mut peers, self.nodes[*at].addr);
        }
        let mut body = Encoder::default();
        body.dict()
            .bytes(b"interval")
            .int(30)
            .bytes(b"min interval")
            .int(2);
        Ok(body.bytes(b"peers").bytes(&peers).end().finish())
    }
}
