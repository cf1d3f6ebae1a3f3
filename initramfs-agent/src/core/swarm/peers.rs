//! The connections by number: what a map would do, in the same order, but every message of every peer comes
//! through here, so a look-up is two loads.

use std::ops::Index;

use super::peer::Peer;
use super::types::ConnId;

/// Numbers are given one after another, so that their last bits seldom collide among the few that are open.
const NEAR: usize = 256;

/// All connections, in the order of their numbers.
pub(super) struct Peers {
    all: Vec<Peer>,
    /// By the last bits of the number: where the peer stands, plus one; only a hint.
    near: [u8; NEAR],
}

impl Default for Peers {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            near: [0; NEAR],
        }
    }
}

impl Peers {
    fn at(&self, conn: ConnId) -> Option<usize> {
        let hint = usize::from(self.near[conn.0 as usize % NEAR]).wrapping_sub(1);
        if self.all.get(hint).is_some_and(|p| p.id == conn) {
            return Some(hint);
        }
        self.all.binary_search_by_key(&conn, |p| p.id).ok()
    }

    fn renew_hints(&mut self) {
        self.near = [0; NEAR];
        for (at, peer) in self.all.iter().enumerate().take(usize::from(u8::MAX)) {
            self.near[peer.id.0 as usize % NEAR] = at as u8 + 1;
        }
    }

    pub fn get(&self, conn: &ConnId) -> Option<&Peer> {
        self.at(*conn).map(|at| &self.all[at])
    }

    pub fn get_mut(&mut self, conn: &ConnId) -> Option<&mut Peer> {
        self.at(*conn).map(|at| &mut self.all[at])
    }

    pub fn contains_key(&self, conn: &ConnId) -> bool {
        self.at(*conn).is_some()
    }

    /// Adds a peer; one of this number is replaced.
    pub fn insert(&mut self, conn: ConnId, peer: Peer) {
        debug_assert_eq!(conn, peer.id);
        match self.all.binary_search_by_key(&conn, |p| p.id) {
            Ok(at) => self.all[at] = peer,
            Err(at) => self.all.insert(at, peer),
        }
        self.renew_hints();
    }

    pub fn remove(&mut self, conn: &ConnId) -> Option<Peer> {
        let peer = self.all.remove(self.at(*conn)?);
        self.renew_hints();
        Some(peer)
    }

    /// All of them, in the order of their numbers.
    pub fn values(&self) -> impl Iterator<Item = &Peer> {
        self.all.iter()
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }
}

impl Index<&ConnId> for Peers {
    type Output = Peer;

    fn index(&self, conn: &ConnId) -> &Peer {
        self.get(conn).expect("a connection that was just found")
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::TorrentId;
    use super::*;
    use crate::core::rng::Rng;
    use std::collections::BTreeMap;

    #[test]
    fn it_does_what_a_map_does() {
        let addr = "10.0.0.1:6881".parse().expect("an address");
        let mut rng = Rng::new(1);
        let mut peers = Peers::default();
        let mut map = BTreeMap::new();
        for step in 0..20_000 {
            // Beyond what the hints can hold, and many with the same last bits.
            let conn = ConnId((rng.below(400) + rng.below(3) * 65_536) as u32);
            if rng.below(3) == 0 {
                assert_eq!(peers.remove(&conn).map(|p| p.opened_at), map.remove(&conn));
            } else {
                peers.insert(conn, Peer::new(conn, TorrentId(0), addr, true, step));
                map.insert(conn, step);
            }
            let probe = ConnId((rng.below(400) + rng.below(3) * 65_536) as u32);
            assert_eq!(peers.get(&probe).map(|p| p.opened_at), map.get(&probe).copied());
            assert_eq!(peers.contains_key(&probe), map.contains_key(&probe));
            assert_eq!(
                peers.get_mut(&probe).map(|p| p.id),
                map.get(&probe).map(|_| probe)
            );
            assert_eq!(peers.len(), map.len());
        }
        assert!(map.len() > 255);
        let order: Vec<ConnId> = peers.values().map(|p| p.id).collect();
        assert_eq!(order, map.keys().copied().collect::<Vec<_>>());
        let first = order[0];
        assert_eq!(peers[&first].opened_at, map[&first]);
    }
}
