//! The peers that others have announced to us. Bounded: those of the address that has most give way, the oldest first.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use crate::core::limits::{DHT_PEERS_MAX, DHT_TORRENTS_MAX, DHT_VALUES_MAX};
use crate::core::rng::Rng;
use crate::core::time::{Micros, SECOND};

/// An announce is good for so long; ours are repeated more often.
const LIFETIME: Micros = 1800 * SECOND;

/// See the module.
#[derive(Default)]
pub struct Store(Vec<Torrent>);

struct Torrent {
    infohash: [u8; 20],
    /// Oldest announce first.
    peers: Vec<(SocketAddr, Micros)>,
    /// How many addresses they have, whatever their ports.
    addresses: usize,
}

impl Torrent {
    /// Keeps a peer, and nothing that has expired.
    fn add(&mut self, now: Micros, peer: SocketAddr) {
        self.peers
            .retain(|&(addr, at)| addr != peer && now < at + LIFETIME);
        self.peers.push((peer, now));
        let mut crowds: BTreeMap<IpAddr, usize> = BTreeMap::new();
        for (addr, _) in &self.peers {
            *crowds.entry(addr.ip()).or_default() += 1;
        }
        self.addresses = crowds.len().min(DHT_PEERS_MAX);
        if self.peers.len() > DHT_PEERS_MAX {
            let most = crowds.values().max();
            let oldest = self
                .peers
                .iter()
                .position(|(addr, _)| crowds.get(&addr.ip()) == most);
            self.peers.remove(oldest.unwrap_or(0));
        }
    }
}

impl Store {
    /// Keeps a peer.
    pub fn add(&mut self, now: Micros, infohash: [u8; 20], peer: SocketAddr) {
        let mut torrent = match self.0.iter().position(|torrent| torrent.infohash == infohash) {
            Some(at) => self.0.remove(at),
            None => Torrent {
                infohash,
                peers: Vec::new(),
                addresses: 0,
            },
        };
        torrent.add(now, peer);
        if self.0.len() >= DHT_TORRENTS_MAX {
            // A torrent that somebody has invented has few addresses. Of several, the one announced longest ago stands first.
            let fewest = self.0.iter().enumerate().min_by_key(|(_, t)| t.addresses);
            let at = fewest.map_or(0, |(at, _)| at);
            self.0.remove(at);
        }
        self.0.push(torrent);
    }

    /// Some peers of a torrent, of one address family; a random run of them when there are many.
    pub fn get(&self, now: Micros, infohash: &[u8; 20], ipv4: bool, rng: &mut Rng) -> Vec<SocketAddr> {
        let Some(torrent) = self.0.iter().find(|torrent| torrent.infohash == *infohash) else {
            return Vec::new();
        };
        let alive = torrent
            .peers
            .iter()
            .filter(|(addr, at)| addr.is_ipv4() == ipv4 && now < at + LIFETIME);
        let mut peers: Vec<SocketAddr> = alive.map(|&(addr, _)| addr).collect();
        if peers.len() > DHT_VALUES_MAX {
            let first = rng.below(peers.len() as u64) as usize;
            peers.rotate_left(first);
            peers.truncate(DHT_VALUES_MAX);
        }
        peers
    }
}
