//! The peers that others have announced to us. Bounded: the oldest give way.

use std::net::SocketAddr;

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
}

impl Store {
    /// Keeps a peer.
    pub fn add(&mut self, now: Micros, infohash: [u8; 20], peer: SocketAddr) {
        let mut torrent = match self.0.iter().position(|torrent| torrent.infohash == infohash) {
            Some(at) => self.0.remove(at),
            None => Torrent {
                infohash,
                peers: Vec::new(),
            },
        };
        torrent
            .peers
            .retain(|&(addr, at)| addr != peer && now < at + LIFETIME);
        if torrent.peers.len() >= DHT_PEERS_MAX {
            torrent.peers.remove(0);
        }
        torrent.peers.push((peer, now));
        if self.0.len() >= DHT_TORRENTS_MAX {
            self.0.remove(0);
        }
        // The torrent announced last stands last, so the first is the one to give up.
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
