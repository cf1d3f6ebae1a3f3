//! Finding peers: trackers, LSD and the DHT, joined into one state machine without I/O. Each of the three
//! alone is enough. (PEX, the fourth, lives in the swarm: it needs the connections.)
//!
//! The shell feeds [`DiscoveryInput`]s with the time, drains [`Discovery::poll`] after each, and calls
//! [`DiscoveryInput::Tick`] when [`Discovery::deadline`] has come.

mod api;
pub mod compact;
pub mod dht;
pub mod krpc;
pub mod lsd;
mod rate_limit;
#[cfg(test)]
mod testnet;
#[cfg(test)]
mod tests;
pub mod tracker;

pub use api::{DiscoveryConfig, DiscoveryInput, DiscoveryOutput, HttpId, InfoHash, UdpSocketKind};

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use sha1::{Digest, Sha1};

use dht::Dht;
use lsd::Lsd;
use tracker::announcer::{Announcer, Answered};
use tracker::answer::Answer;

use super::error::Code;
use super::nearness::{Duty, Nearness};
use super::rng::Rng;
use super::time::Micros;

/// Where LSD packets go (BEP 14, IPv4).
pub const LSD_GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 192, 152, 143), 6771);

/// See the module.
pub struct Discovery {
    config: DiscoveryConfig,
    rng: Rng,
    announcer: Announcer,
    lsd: Option<Lsd>,
    dht: Dht,
    /// Torrents that LSD and the DHT look for.
    open: Vec<InfoHash>,
    outputs: VecDeque<DiscoveryOutput>,
    deadline: Option<Micros>,
    stopped: bool,
}

impl Discovery {
    /// Discovery without torrents; nothing is sent before the first input.
    pub fn new(config: DiscoveryConfig) -> Self {
        // Jitter and transaction numbers are seen by others, and `Rng` gives its state away. Hashes keep
        // the key of the tokens apart from what can be learned of it.
        let derive = |label: &str| -> [u8; 20] {
            let hash = Sha1::new().chain_update(config.seed.to_be_bytes());
            hash.chain_update(label).finalize().into()
        };
        let jitter = derive("jitter");
        let mut rng = Rng::new(
            jitter
                .iter()
                .take(8)
                .fold(0, |seed, &byte| seed << 8 | u64::from(byte)),
        );
        let (port, bootstrap) = (config.listen_port, config.dht_bootstrap.clone());
        let mut discovery = Self {
            announcer: Announcer::new(config.peer_id, port),
            lsd: config.lsd.then(|| Lsd::new(port, &mut rng)),
            dht: Dht::new(derive("dht id"), derive("dht tokens"), port, bootstrap),
            rng,
            config,
            open: Vec::new(),
            outputs: VecDeque::new(),
            deadline: None,
            stopped: false,
        };
        discovery.set_deadline();
        discovery
    }

    /// Starts to look for the peers of a torrent of which `left` bytes are still to come (0: we seed).
    /// Trackers that are not HTTP are left out; for a torrent that is there already only new ones are added.
    /// `first` is what the first tracker has answered already: it is asked again when that says so.
    pub fn add_torrent(
        &mut self,
        now: Micros,
        infohash: InfoHash,
        left: u64,
        trackers: Vec<String>,
        first: Option<Answer>,
    ) {
        if self.stopped {
            return;
        }
        if !self.open.contains(&infohash) {
            self.open.push(infohash);
            self.dht.add(now, infohash, left > 0);
            if let Some(lsd) = &mut self.lsd {
                lsd.add(now, infohash, left > 0);
            }
        }
        self.announcer.add(now, infohash, left, trackers);
        if let Some(answer) = first {
            self.announcer.introduced(now, &infohash, &answer, &mut self.rng);
            self.introduce(infohash, answer);
        }
        self.tick(now);
    }

    /// Takes one input; what follows from it is in [`Discovery::poll`].
    pub fn handle(&mut self, now: Micros, input: DiscoveryInput<'_>) {
        if self.stopped {
            return;
        }
        match input {
            DiscoveryInput::Tick => {}
            DiscoveryInput::HttpDone { id, result } => self.answered(now, id, result),
            DiscoveryInput::Udp { socket, from, data } => {
                // A socket for both families shows IPv4 senders as IPv6 ones.
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                match socket {
                    UdpSocketKind::Lsd => self.heard(now, from, data),
                    UdpSocketKind::Dht => self.dht.receive(now, from, data, &mut self.rng),
                }
            }
            DiscoveryInput::DhtNode { addr } => {
                if compact::is_usable(&addr) {
                    self.dht.add_node(now, addr, &mut self.rng);
                }
            }
            DiscoveryInput::WantPeers { infohash } => {
                self.announcer.want_peers(now, &infohash);
                self.dht.want_peers(now, &infohash);
                if let Some(lsd) = &mut self.lsd {
                    lsd.want_peers(now, &infohash);
                }
            }
            DiscoveryInput::Progress {
                infohash,
                uploaded,
                downloaded,
                left,
            } => return self.announcer.progress(&infohash, uploaded, downloaded, left),
            DiscoveryInput::Completed { infohash } => {
                self.announcer.complete(now, &infohash);
                self.dht.complete(&infohash);
                if let Some(lsd) = &mut self.lsd {
                    lsd.complete(&infohash);
                }
            }
            DiscoveryInput::Leave { infohash } => {
                self.open.retain(|open| *open != infohash);
                self.announcer.leave(&infohash, &mut self.outputs);
                self.dht.leave(&infohash);
                if let Some(lsd) = &mut self.lsd {
                    lsd.leave(&infohash);
                }
            }
            DiscoveryInput::Stop => {
                self.stopped = true;
                self.deadline = None;
                self.outputs.clear();
                return self.announcer.stop(&mut self.outputs);
            }
        }
        self.tick(now);
    }

    /// The next thing to do; `None` until the next input.
    pub fn poll(&mut self) -> Option<DiscoveryOutput> {
        self.outputs.pop_front()
    }

    /// When [`DiscoveryInput::Tick`] is due; `None` when only other inputs can change anything.
    pub fn deadline(&self) -> Option<Micros> {
        self.deadline
    }

    fn tick(&mut self, now: Micros) {
        self.announcer.tick(now, &mut self.rng, &mut self.outputs);
        for bytes in self.lsd.iter_mut().flat_map(|lsd| lsd.tick(now, &mut self.rng)) {
            let (socket, to) = (UdpSocketKind::Lsd, SocketAddr::V4(LSD_GROUP));
            self.outputs
                .push_back(DiscoveryOutput::SendUdp { socket, to, bytes });
        }
        self.dht.tick(now, &mut self.rng);
        while let Some(output) = self.dht.poll() {
            match output {
                dht::Output::Send { to, bytes } => {
                    let socket = UdpSocketKind::Dht;
                    self.outputs
                        .push_back(DiscoveryOutput::SendUdp { socket, to, bytes });
                }
                dht::Output::Peers { infohash, peers } => {
                    if let Some(lsd) = &mut self.lsd {
                        lsd.found(&infohash, peers.len());
                    }
                    self.hinted(infohash, UdpSocketKind::Dht, peers);
                }
            }
        }
        self.set_deadline();
    }

    fn set_deadline(&mut self) {
        let lsd = self.lsd.as_ref().and_then(Lsd::deadline);
        let deadlines = [self.announcer.deadline(), self.dht.deadline(), lsd];
        self.deadline = deadlines.into_iter().flatten().min();
    }

    fn heard(&mut self, now: Micros, from: SocketAddr, data: &[u8]) {
        let mut peers = Vec::new();
        if let Some(lsd) = &mut self.lsd {
            lsd.heard(now, from, data, &mut self.rng, |infohash, peer| {
                peers.push((infohash, peer))
            });
        }
        for (infohash, peer) in peers {
            self.hinted(infohash, UdpSocketKind::Lsd, vec![peer]);
        }
    }

    fn answered(&mut self, now: Micros, id: HttpId, result: Result<&[u8], Code>) {
        match self.announcer.answered(now, id, result, &mut self.rng) {
            Some(Answered::Peers(infohash, answer)) => self.introduce(infohash, answer),
            Some(Answered::Failed(url, error)) => {
                self.outputs
                    .push_back(DiscoveryOutput::TrackerFailed { url, error });
            }
            None => {}
        }
    }

    /// A tracker has named peers.
    fn introduce(&mut self, infohash: InfoHash, answer: Answer) {
        if let Some(lsd) = &mut self.lsd {
            lsd.found(&infohash, answer.peers.len());
        }
        if answer.duty != Duty::Unsaid {
            let duty = answer.duty;
            self.outputs.push_back(DiscoveryOutput::Duty { infohash, duty });
        }
        self.found(infohash, answer.peers);
    }

    /// Passes peers on, but for ourselves.
    fn found(&mut self, infohash: InfoHash, mut peers: Vec<(SocketAddr, Nearness)>) {
        peers.retain(|(addr, _)| !self.is_own(addr));
        if !peers.is_empty() {
            self.outputs.push_back(DiscoveryOutput::Peers { infohash, peers });
        }
    }

    fn hinted(&mut self, infohash: InfoHash, socket: UdpSocketKind, mut addrs: Vec<SocketAddr>) {
        addrs.retain(|addr| !self.is_own(addr));
        if !addrs.is_empty() {
            let hints = DiscoveryOutput::Hints {
                infohash,
                socket,
                addrs,
            };
            self.outputs.push_back(hints);
        }
    }

    fn is_own(&self, addr: &SocketAddr) -> bool {
        addr.port() == self.config.listen_port && self.config.own_addrs.contains(&addr.ip())
    }
}
