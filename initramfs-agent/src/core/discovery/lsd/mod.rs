//! Local Service Discovery (BEP 14): when to announce which torrents, and whom the announcements of
//! others make known. Who hears an announcement connects to its sender, so both find each other.
//!
//! A node that hears a newcomer announces too, unless it did within the last minute or enough others
//! answer first: then even those find each other that have no reason to connect on their own.

pub mod packet;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use packet::Packet;

use crate::core::discovery::LSD_GROUP;
use crate::core::limits::LSD_INFOHASHES_MAX;
use crate::core::rng::Rng;
use crate::core::time::{Micros, SECOND};

/// Between the first and the second announcement of a node that has too few peers: the first may have been
/// lost while a switch learned of our membership in the group.
const SECOND_AFTER: Micros = 5 * SECOND;
/// Between announcements in the long run.
const INTERVAL: Micros = 300 * SECOND;
/// Not more often than this (BEP 14), but for the second announcement.
const MIN_INTERVAL: Micros = 60 * SECOND;
/// An answer to a newcomer comes at a random moment within this time.
const ANSWER_WITHIN: Micros = 2 * SECOND;
/// So many answers of others make ours needless.
const ANSWERS_ENOUGH: u32 = 3;
/// With so many peers known, nobody is called "too few".
const PEERS_ENOUGH: u32 = 8;

/// See the module.
pub struct Lsd {
    port: u16,
    cookie: String,
    torrents: Vec<Entry>,
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
    /// The next announcement is an answer, and so many of others have been heard since.
    answering: Option<u32>,
    /// Announcements heard before this are answers of others, not newcomers.
    deaf_until: Micros,
}

impl Lsd {
    /// Without torrents; `port` is the TCP port that is announced.
    pub fn new(port: u16, rng: &mut Rng) -> Self {
        Self {
            port,
            cookie: format!("bootswarm-{:016x}", rng.next_u64()),
            torrents: Vec::new(),
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
            answering: None,
            deaf_until: 0,
        });
    }

    /// When an announcement is due.
    pub fn deadline(&self) -> Option<Micros> {
        self.torrents.iter().map(|entry| entry.next_at).min()
    }

    /// The download is complete: no more haste.
    pub fn complete(&mut self, infohash: &[u8; 20]) {
        if let Some(entry) = self.entry(infohash) {
            entry.incomplete = false;
        }
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
        let mut due = Vec::new();
        for entry in self.torrents.iter_mut().filter(|entry| now >= entry.next_at) {
            due.push(entry.infohash);
            entry.sent = entry.sent.saturating_add(1);
            entry.last_at = now;
            entry.answering = None;
            let needs_second = entry.sent == 1 && entry.incomplete && entry.peers < PEERS_ENOUGH;
            let wait = if needs_second { SECOND_AFTER } else { INTERVAL };
            entry.next_at = now + wait + rng.below(wait / 4);
        }
        let packet = |infohashes: &[[u8; 20]]| {
            let infohashes = infohashes.to_vec();
            let cookie = Some(self.cookie.clone());
            let port = self.port;
            let packet = Packet {
                port,
                infohashes,
                cookie,
            };
            packet.encode(LSD_GROUP)
        };
        due.chunks(LSD_INFOHASHES_MAX).map(packet).collect()
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
        let Some(packet) = Packet::parse(data) else {
            return;
        };
        if packet.cookie.as_deref() == Some(&self.cookie) {
            return;
        }
        let peer = SocketAddr::new(from.ip(), packet.port);
        for infohash in &packet.infohashes {
            if let Some(entry) = self.entry(infohash) {
                entry.peers = entry.peers.saturating_add(1);
                entry.consider_answer(now, rng);
                found(*infohash, peer);
            }
        }
    }

    fn entry(&mut self, infohash: &[u8; 20]) -> Option<&mut Entry> {
        self.torrents.iter_mut().find(|entry| entry.infohash == *infohash)
    }
}

impl Entry {
    fn consider_answer(&mut self, now: Micros, rng: &mut Rng) {
        if let Some(heard) = &mut self.answering {
            *heard += 1;
            if *heard >= ANSWERS_ENOUGH {
                self.answering = None;
                self.deaf_until = now + 2 * ANSWER_WITHIN;
                self.next_at = now + INTERVAL + rng.below(INTERVAL / 4);
            }
            return;
        }
        let rested = self.sent > 0 && now >= self.last_at + MIN_INTERVAL;
        let at = now + rng.below(ANSWER_WITHIN);
        if rested && now >= self.deaf_until && at < self.next_at {
            self.answering = Some(0);
            self.next_at = at;
        }
    }
}
