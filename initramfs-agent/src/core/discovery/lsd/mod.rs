//! Local Service Discovery (BEP 14): when to announce which torrents, and whom the announcements of
//! others make known. Who hears an announcement connects to its sender, so both find each other.
//!
//! A node that hears a newcomer announces too, unless enough others do so first: a seed has no reason to
//! connect to anybody, so the newcomer must learn of it. These answers come sooner than BEP 14's minute
//! allows, but all nodes together give but a few of them to each newcomer. Their cookie says that they
//! are answers, so that nobody takes them for newcomers.

pub mod packet;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use packet::Packet;

use crate::core::discovery::LSD_GROUP;
use crate::core::discovery::rate_limit::RateLimit;
use crate::core::limits::LSD_INFOHASHES_MAX;
use crate::core::rng::Rng;
use crate::core::time::{Micros, SECOND};

/// Between the first and the second announcement of a node that has too few peers: the first may have been
/// lost while a switch learned of our membership in the group.
const SECOND_AFTER: Micros = 5 * SECOND;
/// Between announcements in the long run.
const INTERVAL: Micros = 300 * SECOND;
/// Not more often than this (BEP 14), but for the second announcement and for answers.
const MIN_INTERVAL: Micros = 60 * SECOND;
/// An answer to a newcomer comes at a random moment within this time.
const ANSWER_WITHIN: Micros = SECOND / 2;
/// From our last announcement to our next answer.
const ANSWER_GAP: Micros = 2 * SECOND;
/// So many answers of others make ours needless.
const ANSWERS_ENOUGH: u32 = 3;
/// Ends the cookie of an answer.
const ANSWER_MARK: &str = "-answer";
/// With so many peers known, nobody is called "too few".
const PEERS_ENOUGH: u32 = 8;

/// See the module.
pub struct Lsd {
    port: u16,
    cookie: String,
    torrents: Vec<Entry>,
    rate_limit: RateLimit,
}

struct Entry {
    infohash: [u8; 20],
    incomplete: bool,
    /// Announcements sent.
    sent: u32,
    /// Peers that discovery has found, in whatever way, repetitions included.
    peers: u32,
    next_at: Micros,
    last_at: Micros,
    answer: Option<Answer>,
}

/// An answer that we are going to give.
struct Answer {
    at: Micros,
    /// Answers of others heard since.
    heard: u32,
}

impl Lsd {
    /// Without torrents; `port` is the TCP port that is announced.
    pub fn new(port: u16, rng: &mut Rng) -> Self {
        Self {
            port,
            cookie: format!("bootswarm-{:016x}", rng.next_u64()),
            torrents: Vec::new(),
            rate_limit: RateLimit::default(),
        }
    }

    /// Announces a torrent from now on.
    pub fn add(&mut self, now: Micros, infohash: [u8; 20], incomplete: bool) {
        self.torrents.push(Entry {
            infohash,
            incomplete,
            sent: 0,
            peers: 0,
            next_at: now,
            last_at: now,
            answer: None,
        });
    }

    /// When an announcement is due.
    pub fn deadline(&self) -> Option<Micros> {
        self.torrents.iter().map(Entry::due_at).min()
    }

    /// The download is complete: no more haste.
    pub fn complete(&mut self, infohash: &[u8; 20]) {
        if let Some(entry) = self.entry(infohash) {
            entry.incomplete = false;
        }
    }

    /// Announces a torrent no more.
    pub fn leave(&mut self, infohash: &[u8; 20]) {
        self.torrents.retain(|entry| entry.infohash != *infohash);
    }

    /// So many peers of a torrent were found.
    pub fn found(&mut self, infohash: &[u8; 20], peers: usize) {
        if let Some(entry) = self.entry(infohash) {
            entry.peers = entry
                .peers
                .saturating_add(u32::try_from(peers).unwrap_or(u32::MAX));
        }
    }

    /// The swarm needs peers: announce as soon as a minute has passed.
    pub fn want_peers(&mut self, now: Micros, infohash: &[u8; 20]) {
        if let Some(entry) = self.entry(infohash) {
            entry.next_at = entry.next_at.min(now.max(entry.last_at + MIN_INTERVAL));
        }
    }

    /// The packets that are due.
    pub fn tick(&mut self, now: Micros, rng: &mut Rng) -> Vec<Vec<u8>> {
        let (mut regular, mut answers) = (Vec::new(), Vec::new());
        for entry in self.torrents.iter_mut().filter(|entry| now >= entry.due_at()) {
            entry.last_at = now;
            entry.answer = None;
            if now < entry.next_at {
                answers.push(entry.infohash);
                continue;
            }
            regular.push(entry.infohash);
            entry.sent = entry.sent.saturating_add(1);
            let needs_second = entry.sent == 1 && entry.incomplete && entry.peers < PEERS_ENOUGH;
            let wait = if needs_second { SECOND_AFTER } else { INTERVAL };
            entry.next_at = now + wait + rng.below(wait / 4);
        }
        let mut packets = Vec::new();
        for (due, mark) in [(regular, ""), (answers, ANSWER_MARK)] {
            for infohashes in due.chunks(LSD_INFOHASHES_MAX) {
                let packet = Packet {
                    port: self.port,
                    infohashes: infohashes.to_vec(),
                    cookie: Some(format!("{}{mark}", self.cookie)),
                };
                packets.push(packet.encode(LSD_GROUP));
            }
        }
        packets
    }

    /// A packet has arrived: calls `found` for each of our torrents that its sender has too.
    pub fn heard(
        &mut self,
        now: Micros,
        from: SocketAddr,
        data: &[u8],
        rng: &mut Rng,
        mut found: impl FnMut([u8; 20], SocketAddr),
    ) {
        if !self.rate_limit.admit(now, from.ip()) {
            return;
        }
        let Some(packet) = Packet::parse(data) else {
            return;
        };
        let cookie = packet.cookie.as_deref().unwrap_or_default();
        if cookie.starts_with(&self.cookie) {
            return;
        }
        let is_answer = cookie.ends_with(ANSWER_MARK);
        let peer = SocketAddr::new(from.ip(), packet.port);
        for infohash in &packet.infohashes {
            if let Some(entry) = self.entry(infohash) {
                entry.peers = entry.peers.saturating_add(1);
                if is_answer {
                    entry.heard_answer();
                } else {
                    entry.heard_newcomer(now, rng);
                }
                found(*infohash, peer);
            }
        }
    }

    fn entry(&mut self, infohash: &[u8; 20]) -> Option<&mut Entry> {
        self.torrents.iter_mut().find(|entry| entry.infohash == *infohash)
    }
}

impl Entry {
    fn due_at(&self) -> Micros {
        self.answer
            .as_ref()
            .map_or(self.next_at, |answer| answer.at.min(self.next_at))
    }

    fn heard_answer(&mut self) {
        if let Some(answer) = &mut self.answer {
            answer.heard += 1;
        }
        self.answer.take_if(|answer| answer.heard >= ANSWERS_ENOUGH);
    }

    fn heard_newcomer(&mut self, now: Micros, rng: &mut Rng) {
        if self.sent > 0 && self.answer.is_none() {
            let at = now.max(self.last_at + ANSWER_GAP) + rng.below(ANSWER_WITHIN);
            self.answer = Some(Answer { at, heard: 0 });
        }
    }
}
