//! Finding peers: trackers, LSD and the DHT, joined into one state machine without I/O. Each of the three
//! alone is enough. (PEX, the fourth, lives in the swarm: it needs the connections.)
//!
//! The shell feeds [`DiscoveryInput`]s with the time, drains [`Discovery::poll`] after each, and calls
//! [`DiscoveryInput::Tick`] when [`Discovery::deadline`] has come.

mod api;
pub mod compact;
pub mod krpc;
pub mod lsd;
pub mod tracker;

pub use api::{DiscoveryConfig, DiscoveryInput, DiscoveryOutput, HttpId, InfoHash, UdpSocketKind};

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use lsd::Lsd;
use tracker::Tracker;
use tracker::announce::{Announce, Event};
use tracker::answer::Answer;

use super::error::{Code, Error, Result};
use super::limits::TRACKERS_MAX;
use super::rng::Rng;
use super::swarm::Nearness;
use super::time::Micros;

/// Where LSD packets go (BEP 14, IPv4).
pub const LSD_GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 192, 152, 143), 6771);

/// Peers to ask a tracker for.
const NUMWANT: u32 = 50;

/// See the module.
pub struct Discovery {
    config: DiscoveryConfig,
    rng: Rng,
    torrents: Vec<Torrent>,
    lsd: Option<Lsd>,
    outputs: VecDeque<DiscoveryOutput>,
    next_http: u32,
    stopped: bool,
}

struct Torrent {
    infohash: InfoHash,
    uploaded: u64,
    downloaded: u64,
    left: u64,
    /// The swarm has asked since the last announce, so a seed too gets peers.
    wants_peers: bool,
    trackers: Vec<Tracker>,
}

impl Discovery {
    /// Discovery without torrents; nothing is sent before the first input.
    pub fn new(config: DiscoveryConfig) -> Self {
        let mut rng = Rng::new(config.seed);
        Self {
            lsd: config.lsd.then(|| Lsd::new(config.listen_port, &mut rng)),
            rng,
            config,
            torrents: Vec::new(),
            outputs: VecDeque::new(),
            next_http: 0,
            stopped: false,
        }
    }

    /// Starts to look for the peers of a torrent of which `left` bytes are still to come (0: we seed).
    /// Trackers that are not HTTP are left out, and a torrent that is there already gets the new trackers.
    pub fn add_torrent(&mut self, now: Micros, infohash: InfoHash, left: u64, trackers: Vec<String>) {
        if !self.torrents.iter().any(|torrent| torrent.infohash == infohash) {
            self.torrents.push(Torrent {
                infohash,
                uploaded: 0,
                downloaded: 0,
                left,
                wants_peers: false,
                trackers: Vec::new(),
            });
            if let Some(lsd) = &mut self.lsd {
                lsd.add(now, infohash, left > 0);
            }
        }
        let torrent = self
            .torrents
            .iter_mut()
            .find(|torrent| torrent.infohash == infohash);
        let known = &mut torrent.expect("it was just added").trackers;
        for url in trackers {
            let is_http = url.starts_with("http://") || url.starts_with("https://");
            if is_http && known.len() < TRACKERS_MAX && !known.iter().any(|tracker| tracker.url == url) {
                known.push(Tracker::new(now, url));
            }
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
            DiscoveryInput::Udp { socket, from, data } => self.received(now, socket, from, data),
            DiscoveryInput::DhtNode { .. } => {}
            DiscoveryInput::WantPeers { infohash } => {
                if let Some(lsd) = &mut self.lsd {
                    lsd.want_peers(now, &infohash);
                }
                if let Some(torrent) = self.torrent(infohash) {
                    torrent.wants_peers = true;
                    torrent
                        .trackers
                        .iter_mut()
                        .for_each(|tracker| tracker.want_peers(now));
                }
            }
            DiscoveryInput::Progress {
                infohash,
                uploaded,
                downloaded,
                left,
            } => {
                if let Some(torrent) = self.torrent(infohash) {
                    (torrent.uploaded, torrent.downloaded, torrent.left) = (uploaded, downloaded, left);
                }
            }
            DiscoveryInput::Completed { infohash } => {
                if let Some(lsd) = &mut self.lsd {
                    lsd.complete(&infohash);
                }
                if let Some(torrent) = self.torrent(infohash) {
                    torrent.left = 0;
                    torrent
                        .trackers
                        .iter_mut()
                        .for_each(|tracker| tracker.complete(now));
                }
            }
            DiscoveryInput::Stop => return self.stop(),
        }
        self.tick(now);
    }

    /// The next thing to do; `None` until the next input.
    pub fn poll(&mut self) -> Option<DiscoveryOutput> {
        self.outputs.pop_front()
    }

    /// When [`DiscoveryInput::Tick`] is due; `None` when only other inputs can change anything.
    pub fn deadline(&self) -> Option<Micros> {
        if self.stopped {
            return None;
        }
        let trackers = self.torrents.iter().flat_map(|torrent| &torrent.trackers);
        let lsd = self.lsd.as_ref().and_then(Lsd::deadline);
        trackers.map(Tracker::deadline).chain(lsd).min()
    }

    fn torrent(&mut self, infohash: InfoHash) -> Option<&mut Torrent> {
        self.torrents
            .iter_mut()
            .find(|torrent| torrent.infohash == infohash)
    }

    fn received(&mut self, now: Micros, socket: UdpSocketKind, from: SocketAddr, data: &[u8]) {
        if socket == UdpSocketKind::Lsd
            && let Some(lsd) = &mut self.lsd
        {
            let mut peers = Vec::new();
            lsd.heard(now, from, data, &mut self.rng, |infohash, peer| {
                peers.push((infohash, peer))
            });
            for (infohash, peer) in peers {
                self.found(infohash, vec![(peer, Nearness::Unknown)]);
            }
        }
    }

    fn tick(&mut self, now: Micros) {
        for bytes in self.lsd.iter_mut().flat_map(|lsd| lsd.tick(now, &mut self.rng)) {
            let (socket, to) = (UdpSocketKind::Lsd, SocketAddr::V4(LSD_GROUP));
            self.outputs
                .push_back(DiscoveryOutput::SendUdp { socket, to, bytes });
        }
        for torrent in &mut self.torrents {
            for at in 0..torrent.trackers.len() {
                let tracker = &mut torrent.trackers[at];
                if tracker.is_overdue(now) {
                    tracker.fail(now, &mut self.rng);
                    self.outputs.push_back(DiscoveryOutput::TrackerFailed {
                        url: tracker.url.clone(),
                        error: Error::new(Code::TrackerFailed, "no answer in time"),
                    });
                }
                if tracker.is_due(now) {
                    let id = HttpId(self.next_http);
                    self.next_http = self.next_http.wrapping_add(1);
                    let event = tracker.begin(now, id);
                    let url = announce(&self.config, torrent, event).url(&torrent.trackers[at].url);
                    self.outputs.push_back(DiscoveryOutput::HttpGet { id, url });
                }
            }
        }
    }

    fn answered(&mut self, now: Micros, id: HttpId, result: std::result::Result<&[u8], Code>) {
        for torrent in &mut self.torrents {
            let Some(tracker) = torrent.trackers.iter_mut().find(|tracker| tracker.awaits(id)) else {
                continue;
            };
            let answer: Result<Answer> = match result {
                Ok(body) => Answer::parse(body),
                Err(code) => Err(Error::new(code, "announce")),
            };
            match answer {
                Ok(answer) => {
                    tracker.succeed(now, &answer, &mut self.rng);
                    torrent.wants_peers = false;
                    let infohash = torrent.infohash;
                    if let Some(lsd) = &mut self.lsd {
                        lsd.found(&infohash, answer.peers.len());
                    }
                    return self.found(infohash, answer.peers);
                }
                Err(error) => {
                    tracker.fail(now, &mut self.rng);
                    let url = tracker.url.clone();
                    return self
                        .outputs
                        .push_back(DiscoveryOutput::TrackerFailed { url, error });
                }
            }
        }
    }

    /// Passes peers on, but for ourselves.
    fn found(&mut self, infohash: InfoHash, mut peers: Vec<(SocketAddr, Nearness)>) {
        let config = &self.config;
        peers.retain(|(addr, _)| addr.port() != config.listen_port || !config.own_addrs.contains(&addr.ip()));
        if !peers.is_empty() {
            self.outputs.push_back(DiscoveryOutput::Peers { infohash, peers });
        }
    }

    fn stop(&mut self) {
        self.stopped = true;
        self.outputs.clear();
        for torrent in &self.torrents {
            for tracker in torrent.trackers.iter().filter(|tracker| tracker.is_started()) {
                let id = HttpId(self.next_http);
                self.next_http = self.next_http.wrapping_add(1);
                let url = announce(&self.config, torrent, Event::Stopped).url(&tracker.url);
                self.outputs.push_back(DiscoveryOutput::HttpGet { id, url });
            }
        }
    }
}

fn announce(config: &DiscoveryConfig, torrent: &Torrent, event: Event) -> Announce {
    let needs_peers = torrent.left > 0 || torrent.wants_peers;
    Announce {
        infohash: torrent.infohash,
        peer_id: config.peer_id,
        port: config.listen_port,
        uploaded: torrent.uploaded,
        downloaded: torrent.downloaded,
        left: torrent.left,
        // A seed is found by those who need it.
        numwant: if needs_peers && event != Event::Stopped {
            NUMWANT
        } else {
            0
        },
        event,
    }
}
