//! All trackers of all torrents: each is asked beside the others, so that a dead one delays nothing.

use std::collections::VecDeque;

use super::Tracker;
use super::announce::{Announce, Event};
use super::answer::Answer;
use crate::core::discovery::api::{DiscoveryOutput, HttpId, InfoHash};
use crate::core::error::{Code, Error};
use crate::core::limits::TRACKERS_MAX;
use crate::core::rng::Rng;
use crate::core::time::Micros;

/// Peers to ask a tracker for.
const NUMWANT: u32 = 50;

/// See the module.
pub struct Announcer {
    peer_id: [u8; 20],
    port: u16,
    torrents: Vec<Torrent>,
    next_http: u32,
}

struct Torrent {
    infohash: InfoHash,
    uploaded: u64,
    downloaded: u64,
    left: u64,
    /// The swarm has asked since the last answer, so a seed too gets peers.
    wants_peers: bool,
    trackers: Vec<Tracker>,
}

impl Announcer {
    /// Announces us as this peer, listening at this TCP port.
    pub fn new(peer_id: [u8; 20], port: u16) -> Self {
        Self {
            peer_id,
            port,
            torrents: Vec::new(),
            next_http: 0,
        }
    }

    /// Adds a torrent, or trackers to one that is there. What is not HTTP is left out.
    pub fn add(&mut self, now: Micros, infohash: InfoHash, left: u64, urls: Vec<String>) {
        let at = self
            .torrents
            .iter()
            .position(|torrent| torrent.infohash == infohash);
        let at = at.unwrap_or_else(|| {
            self.torrents.push(Torrent::new(infohash, left));
            self.torrents.len() - 1
        });
        let known = &mut self.torrents[at].trackers;
        for url in urls {
            let is_http = url.starts_with("http://") || url.starts_with("https://");
            if is_http && known.len() < TRACKERS_MAX && !known.iter().any(|tracker| tracker.url == url) {
                known.push(Tracker::new(now, url));
            }
        }
    }

    /// The first announce of a torrent was made elsewhere: its first tracker has answered this already.
    pub fn introduced(&mut self, now: Micros, infohash: &InfoHash, answer: &Answer, rng: &mut Rng) {
        let id = HttpId(self.next_http);
        let Some(tracker) = self.torrent(infohash).and_then(|t| t.trackers.first_mut()) else {
            return;
        };
        tracker.begin(now, id);
        tracker.succeed(now, answer, rng);
        self.next_http = self.next_http.wrapping_add(1);
    }

    /// The swarm needs peers.
    pub fn want_peers(&mut self, now: Micros, infohash: &InfoHash) {
        if let Some(torrent) = self.torrent(infohash) {
            torrent.wants_peers = true;
            torrent
                .trackers
                .iter_mut()
                .for_each(|tracker| tracker.want_peers(now));
        }
    }

    /// The counters of the next announces, bytes.
    pub fn progress(&mut self, infohash: &InfoHash, uploaded: u64, downloaded: u64, left: u64) {
        if let Some(torrent) = self.torrent(infohash) {
            (torrent.uploaded, torrent.downloaded, torrent.left) = (uploaded, downloaded, left);
        }
    }

    /// The download is complete.
    pub fn complete(&mut self, now: Micros, infohash: &InfoHash) {
        if let Some(torrent) = self.torrent(infohash) {
            torrent.left = 0;
            torrent
                .trackers
                .iter_mut()
                .for_each(|tracker| tracker.complete(now));
        }
    }

    /// When [`Announcer::tick`] is due.
    pub fn deadline(&self) -> Option<Micros> {
        let trackers = self.torrents.iter().flat_map(|torrent| &torrent.trackers);
        trackers.map(Tracker::deadline).min()
    }

    /// Announces what is due.
    pub fn tick(&mut self, now: Micros, rng: &mut Rng, outputs: &mut VecDeque<DiscoveryOutput>) {
        for torrent in &mut self.torrents {
            for at in 0..torrent.trackers.len() {
                let tracker = &mut torrent.trackers[at];
                if tracker.is_overdue(now) {
                    tracker.fail(now, rng);
                    let url = tracker.url.clone();
                    let error = Error::new(Code::TrackerFailed, "no answer in time");
                    outputs.push_back(DiscoveryOutput::TrackerFailed { url, error });
                }
                if tracker.is_due(now) {
                    let id = HttpId(self.next_http);
                    self.next_http = self.next_http.wrapping_add(1);
                    let event = tracker.begin(now, id);
                    let may_name = tracker.may_name();
                    let mut announce = torrent.announce(self.peer_id, self.port, event);
                    if !may_name && !torrent.wants_peers {
                        announce.numwant = 0;
                    }
                    let url = announce.url(&torrent.trackers[at].url);
                    outputs.push_back(DiscoveryOutput::HttpGet { id, url });
                }
            }
        }
    }

    /// An answer has come, or none: whose it is and what it says. `None` when nobody awaits it any more.
    pub fn answered(
        &mut self,
        now: Micros,
        id: HttpId,
        result: Result<&[u8], Code>,
        rng: &mut Rng,
    ) -> Option<Answered> {
        let torrent = self
            .torrents
            .iter_mut()
            .find(|t| t.trackers.iter().any(|tracker| tracker.awaits(id)))?;
        let tracker = torrent.trackers.iter_mut().find(|tracker| tracker.awaits(id))?;
        let answer = match result {
            Ok(body) => Answer::parse(body),
            Err(code) => Err(Error::new(code, "announce")),
        };
        Some(match answer {
            Ok(answer) => {
                tracker.succeed(now, &answer, rng);
                torrent.wants_peers = false;
                Answered::Peers(torrent.infohash, answer)
            }
            Err(error) => {
                tracker.fail(now, rng);
                Answered::Failed(tracker.url.clone(), error)
            }
        })
    }

    /// Announces to all trackers that we leave.
    pub fn stop(&mut self, outputs: &mut VecDeque<DiscoveryOutput>) {
        for torrent in std::mem::take(&mut self.torrents) {
            self.stop_one(&torrent, outputs);
        }
    }

    /// Announces to the trackers of one torrent that we leave, and forgets it.
    pub fn leave(&mut self, infohash: &InfoHash, outputs: &mut VecDeque<DiscoveryOutput>) {
        let at = self
            .torrents
            .iter()
            .position(|torrent| torrent.infohash == *infohash);
        if let Some(at) = at {
            let torrent = self.torrents.remove(at);
            self.stop_one(&torrent, outputs);
        }
    }

    fn stop_one(&mut self, torrent: &Torrent, outputs: &mut VecDeque<DiscoveryOutput>) {
        for tracker in torrent.trackers.iter().filter(|tracker| tracker.is_started()) {
            let id = HttpId(self.next_http);
            self.next_http = self.next_http.wrapping_add(1);
            let url = torrent
                .announce(self.peer_id, self.port, Event::Stopped)
                .url(&tracker.url);
            outputs.push_back(DiscoveryOutput::HttpGet { id, url });
        }
    }

    fn torrent(&mut self, infohash: &InfoHash) -> Option<&mut Torrent> {
        self.torrents
            .iter_mut()
            .find(|torrent| torrent.infohash == *infohash)
    }
}

/// What came of an announce.
pub enum Answered {
    /// Peers of this torrent.
    Peers(InfoHash, Answer),
    /// This tracker failed.
    Failed(String, Error),
}

impl Torrent {
    fn new(infohash: InfoHash, left: u64) -> Self {
        Self {
            infohash,
            uploaded: 0,
            downloaded: 0,
            left,
            wants_peers: false,
            trackers: Vec::new(),
        }
    }

    fn announce(&self, peer_id: [u8; 20], port: u16, event: Event) -> Announce {
        // A seed is found by those who need it.
        let needs_peers = (self.left > 0 || self.wants_peers) && event != Event::Stopped;
        Announce {
            infohash: self.infohash,
            peer_id,
            port,
            uploaded: self.uploaded,
            downloaded: self.downloaded,
            left: self.left,
            numwant: if needs_peers { NUMWANT } else { 0 },
            event,
        }
    }
}
