//! When to search the DHT, and what follows from a search.

use super::lookup::{Goal, Lookup};
use super::table::K;
use super::{Dht, Output, Purpose};
use crate::core::discovery::krpc::Query;
use crate::core::limits::DHT_LOOKUPS_MAX;
use crate::core::rng::Rng;
use crate::core::time::{Micros, SECOND};

/// Wait after a search that nobody answered; it doubles with each further one.
const SILENCE_MIN: Micros = SECOND;
/// Longest wait after a search that nobody answered.
const SILENCE_MAX: Micros = 60 * SECOND;
/// Wait after a search that found too few peers; it doubles too.
const FEW_MIN: Micros = SECOND;
/// Longest wait after a search that found too few peers.
const FEW_MAX: Micros = 300 * SECOND;
/// With more peers found than this (we may be one of them), nobody calls it too few.
const PEERS_ENOUGH: usize = 8;
/// Between searches in the long run; each repeats our announce.
const INTERVAL: Micros = 600 * SECOND;
/// Between searches when the swarm wants peers.
const WANTED_INTERVAL: Micros = 15 * SECOND;
/// Between searches for our own surroundings.
const REFRESH_INTERVAL: Micros = 900 * SECOND;
/// The same while we know fewer than a bucket of nodes.
const REFRESH_LONELY: Micros = 60 * SECOND;

/// When to search for one thing.
pub struct Search {
    next_at: Micros,
    started_at: Micros,
    running: bool,
    /// Searches in a row that came to nothing.
    in_vain: u32,
}

/// A torrent of ours.
pub struct Wanted {
    /// Which.
    pub infohash: [u8; 20],
    /// We still need peers.
    pub incomplete: bool,
    /// When to look for them.
    pub search: Search,
}

impl Wanted {
    /// To be searched for at once.
    pub fn new(now: Micros, infohash: [u8; 20], incomplete: bool) -> Self {
        let search = Search::new(now);
        Self {
            infohash,
            incomplete,
            search,
        }
    }
}

impl Search {
    /// The first one is due at this time.
    pub fn new(at: Micros) -> Self {
        Self {
            next_at: at,
            started_at: at,
            running: false,
            in_vain: 0,
        }
    }

    /// Search again as soon as [`WANTED_INTERVAL`] allows.
    pub fn hurry(&mut self, now: Micros) {
        if !self.running {
            self.next_at = self.next_at.min(now.max(self.started_at + WANTED_INTERVAL));
        }
    }

    fn is_due(&self, now: Micros) -> bool {
        !self.running && now >= self.next_at
    }

    fn start(&mut self, now: Micros) {
        self.running = true;
        self.started_at = now;
    }

    fn finish(&mut self, now: Micros, next: Next, rng: &mut Rng) {
        let doubled = |min: Micros, max: Micros| (min << self.in_vain.min(16)).min(max);
        let wait = match next {
            Next::Silence => doubled(SILENCE_MIN, SILENCE_MAX),
            Next::Few => doubled(FEW_MIN, FEW_MAX),
            Next::After(wait) => wait,
        };
        self.in_vain = if matches!(next, Next::After(_)) {
            0
        } else {
            self.in_vain.saturating_add(1)
        };
        self.running = false;
        self.next_at = now + wait - rng.below(wait / 4);
    }
}

enum Next {
    Silence,
    Few,
    After(Micros),
}

impl Dht {
    /// Starts the searches that are due and brings the running ones forward.
    pub(super) fn search(&mut self, now: Micros, rng: &mut Rng) {
        if self.can_ask() {
            if self.refresh.is_due(now) && self.lookups.len() < DHT_LOOKUPS_MAX {
                self.refresh.start(now);
                self.start_lookup(Goal::Nodes, self.id);
            }
            while self.lookups.len() < DHT_LOOKUPS_MAX {
                let due = self
                    .torrents
                    .iter_mut()
                    .filter(|torrent| torrent.search.is_due(now));
                let Some(torrent) = due.min_by_key(|torrent| torrent.search.next_at) else {
                    break;
                };
                torrent.search.start(now);
                let infohash = torrent.infohash;
                self.start_lookup(Goal::Peers, infohash);
                let known = self.store.get(now, &infohash, true, rng);
                if !known.is_empty() {
                    let peers = known;
                    self.outputs.push_back(Output::Peers { infohash, peers });
                }
            }
        }
        let mut at = 0;
        while at < self.lookups.len() {
            self.advance(now, at, rng);
            if self.has_room() && self.lookups[at].is_idle() {
                let lookup = self.lookups.remove(at);
                self.finish(now, &lookup, rng);
            } else {
                at += 1;
            }
        }
    }

    /// When the next search is due; none while all places are taken (their queries wake us) or there is
    /// nobody to ask.
    pub(super) fn search_deadline(&self) -> Option<Micros> {
        if !self.can_ask() || self.lookups.len() >= DHT_LOOKUPS_MAX {
            return None;
        }
        let torrents = self.torrents.iter().map(|torrent| &torrent.search);
        let waiting = torrents.chain([&self.refresh]).filter(|search| !search.running);
        waiting.map(|search| search.next_at).min()
    }

    fn can_ask(&self) -> bool {
        !self.bootstrap.is_empty() || self.table.len() > 0
    }

    /// The site's own nodes are asked every time, last of those we start from: they know the newcomers.
    fn start_lookup(&mut self, goal: Goal, target: [u8; 20]) {
        let mut contacts = self.table.closest(&target, K, true);
        contacts.extend(self.table.closest(&target, K, false));
        self.lookups
            .push(Lookup::new(target, goal, &contacts, &self.bootstrap));
    }

    fn advance(&mut self, now: Micros, at: usize, rng: &mut Rng) {
        while self.has_room() {
            let lookup = &mut self.lookups[at];
            let (goal, target) = (lookup.goal, lookup.target);
            let Some(to) = lookup.next() else {
                return;
            };
            let query = match goal {
                Goal::Nodes => Query::FindNode { target },
                Goal::Peers => Query::GetPeers { infohash: target },
            };
            self.ask(now, to, &query, Purpose::Lookup(goal, target), rng);
        }
    }

    fn finish(&mut self, now: Micros, lookup: &Lookup, rng: &mut Rng) {
        if lookup.goal == Goal::Nodes {
            let next = match (lookup.answered, self.table.len()) {
                (0, _) => Next::Silence,
                (_, 0..K) => Next::After(REFRESH_LONELY),
                _ => Next::After(REFRESH_INTERVAL),
            };
            return self.refresh.finish(now, next, rng);
        }
        let infohash = lookup.target;
        for (to, token) in lookup.holders() {
            let port = Some(self.port);
            let query = Query::AnnouncePeer {
                infohash,
                port,
                token,
            };
            if self.has_room() {
                self.ask(now, to, &query, Purpose::Announce, rng);
            }
        }
        if let Some(torrent) = self.torrents.iter_mut().find(|t| t.infohash == infohash) {
            let next = if lookup.answered == 0 {
                Next::Silence
            } else if torrent.incomplete && lookup.found() <= PEERS_ENOUGH {
                Next::Few
            } else {
                Next::After(INTERVAL)
            };
            torrent.search.finish(now, next, rng);
        }
    }
}
