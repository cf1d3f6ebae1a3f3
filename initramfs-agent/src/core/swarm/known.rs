//! The addresses of a torrent: those that the tracker or the manifest names, and hints that anybody may give. Hints of one
//! kind, and of one peer, have places of their own, so that no flood of invented addresses crowds out the others.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::types::{ConnId, HintSource};
use crate::core::nearness::Nearness;
use crate::core::time::Micros;

/// Addresses in all.
const KNOWN_MAX: usize = 1024;
/// Of these, hints of one kind.
const HINTS_MAX: usize = 200;
/// And of one peer, by PEX: as many as one message names (BEP 11).
const HINTS_OF_PEER_MAX: usize = 50;

/// An address that somebody told us of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub nearness: Nearness,
    pub fails: u32,
    /// How often it fell silent since it last gave a piece, on this connection and earlier ones.
    pub doubt: u32,
    /// Not dialled before.
    pub next_at: Micros,
    pub conn: Option<ConnId>,
    pub seeder: bool,
    /// Who gave the hint; none: the tracker, the manifest or the one who runs us named it.
    pub hint: Option<HintSource>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Addresses(BTreeMap<SocketAddr, Known>);

impl Addresses {
    pub fn get(&self, addr: &SocketAddr) -> Option<&Known> {
        self.0.get(addr)
    }

    pub fn get_mut(&mut self, addr: &SocketAddr) -> Option<&mut Known> {
        self.0.get_mut(addr)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&SocketAddr, &Known)> {
        self.0.iter()
    }

    pub fn values(&self) -> impl Iterator<Item = &Known> {
        self.0.values()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is known of the first address of a machine.
    pub fn of_machine(&self, addr: SocketAddr) -> Option<&Known> {
        let ip = addr.ip();
        let range = SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX);
        self.0.range(range).next().map(|(_, known)| known)
    }

    pub fn remove(&mut self, addr: &SocketAddr) {
        self.0.remove(addr);
    }

    pub fn retain(&mut self, keep: impl Fn(&SocketAddr) -> bool) {
        self.0.retain(|addr, _| keep(addr));
    }

    /// Adds an address that is not there yet; hints make room for what is none. `draw` is any number.
    pub fn add(&mut self, addr: SocketAddr, known: Known, draw: u64) {
        let crowded = match known.hint {
            _ if known.seeder => false,
            None => self.0.len() >= KNOWN_MAX && !self.give_up(|_| true, draw),
            Some(hint) => {
                let of_peer = |h: HintSource| h == hint && matches!(h, HintSource::Pex(_));
                let of_kind = |h: HintSource| std::mem::discriminant(&h) == std::mem::discriminant(&hint);
                (self.count(of_peer) >= HINTS_OF_PEER_MAX && !self.give_up(of_peer, draw))
                    || (self.count(of_kind) >= HINTS_MAX && !self.give_up(of_kind, draw))
                    || self.0.len() >= KNOWN_MAX
            }
        };
        if !crowded {
            self.0.insert(addr, known);
        }
    }

    fn count(&self, of: impl Fn(HintSource) -> bool) -> usize {
        self.0.values().filter(|k| k.hint.is_some_and(&of)).count()
    }

    /// Forgets one of these hints that nobody is connected with: one that did not answer, else any; whether there was one.
    fn give_up(&mut self, of: impl Fn(HintSource) -> bool, draw: u64) -> bool {
        let idle = |k: &Known| k.conn.is_none() && k.hint.is_some_and(&of);
        let idle: Vec<(SocketAddr, u32)> = self
            .0
            .iter()
            .filter(|(_, k)| idle(k))
            .map(|(a, k)| (*a, k.fails))
            .collect();
        let most = idle.iter().map(|(_, fails)| *fails).max().unwrap_or(0);
        let worst: Vec<SocketAddr> = idle
            .into_iter()
            .filter(|(_, f)| *f == most)
            .map(|(a, _)| a)
            .collect();
        let victim = worst.get(draw as usize % worst.len().max(1));
        victim.is_some_and(|victim| self.0.remove(victim).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(host: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, host], port))
    }

    fn known(hint: Option<HintSource>) -> Known {
        Known {
            nearness: Nearness::Unknown,
            fails: 0,
            doubt: 0,
            next_at: 0,
            conn: None,
            seeder: false,
            hint,
        }
    }

    #[test]
    fn a_flood_of_hints_crowds_out_none_of_another_source() {
        let mut all = Addresses::default();
        let liar = Some(HintSource::Pex(ConnId(1)));
        all.add(addr(1, 1), known(Some(HintSource::Pex(ConnId(3)))), 0);
        all.add(addr(1, 2), known(Some(HintSource::Lsd)), 0);
        all.add(addr(1, 3), known(None), 0);
        for port in 1..5000 {
            all.add(addr(9, port), known(liar), u64::from(port));
        }
        assert_eq!(all.count(|h| Some(h) == liar), HINTS_OF_PEER_MAX);
        for port in 1..5000 {
            all.add(addr(8, port), known(Some(HintSource::Lsd)), u64::from(port));
            all.add(addr(7, port), known(Some(HintSource::Dht)), u64::from(port));
            all.add(addr(6, port), known(Some(HintSource::Itself)), u64::from(port));
        }
        assert!(all.get(&addr(1, 1)).is_some() && all.get(&addr(1, 3)).is_some());
        assert_eq!(all.count(|_| true), 3 * HINTS_MAX + HINTS_OF_PEER_MAX + 1);
        // What the tracker says always has room.
        for port in 1..2000 {
            all.add(addr(2, port), known(None), u64::from(port));
        }
        assert_eq!(all.iter().count(), KNOWN_MAX);
        assert!(all.get(&addr(2, 1000)).is_some());
    }

    #[test]
    fn what_did_not_answer_goes_first_and_who_is_connected_stays() {
        let mut all = Addresses::default();
        let lsd = Some(HintSource::Lsd);
        for port in 0..HINTS_MAX as u16 {
            let mut known = known(lsd);
            known.fails = u32::from(port == 7);
            known.conn = (port < 3).then_some(ConnId(1));
            all.add(addr(1, port), known, 0);
        }
        all.add(addr(2, 1), known(lsd), 0);
        assert!(all.get(&addr(1, 7)).is_none() && all.get(&addr(2, 1)).is_some());
        for port in 0..1000 {
            all.add(addr(3, port), known(lsd), 0);
        }
        assert!((0..3).all(|port| all.get(&addr(1, port)).is_some()));
    }
}
