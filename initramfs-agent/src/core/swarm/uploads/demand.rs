//! What all connections have requested and not received, and what addresses are known for whose connections are gone.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::super::Micros;
use super::super::types::ConnId;
use super::Requester;
use super::pace::Pace;
use super::requests::Requests;
use crate::core::wire::Block;

/// Addresses without a connection of which is known what they moved.
const GONE_MAX: usize = 64;

/// The connection of a turn that has lasted longer.
pub(super) struct Held<'a> {
    pub requests: &'a mut Requests,
    /// What all of its kind have moved.
    pub all_bytes: u64,
    /// It turns out to be in another rack than before: what it moved is forgotten.
    pub has_moved: bool,
}

/// What all have requested.
#[derive(Default)]
pub(super) struct Demand {
    /// Of connections that have requested something, in the order of their numbers.
    all: Vec<Requests>,
    /// The numbers of these: each message looks one up.
    conns: Vec<ConnId>,
    /// Payload bytes that have gone to the kernel, those for our rack and those for others.
    sent_bytes: [u64; 2],
    /// What those moved whose connections are gone, by address and by whether it is in another rack: who connects anew is the
    /// same. The oldest first.
    gone: VecDeque<((IpAddr, bool), Pace)>,
}

impl Demand {
    pub fn get(&self, conn: ConnId) -> Option<&Requests> {
        self.find(conn).ok().map(|at| &self.all[at])
    }

    pub fn get_mut(&mut self, conn: ConnId) -> Option<&mut Requests> {
        self.find(conn).ok().map(|at| &mut self.all[at])
    }

    /// A peer requests one block more.
    pub fn add(&mut self, now: Micros, conn: ConnId, peer: &Requester, block: Block) {
        let at = self.find(conn).unwrap_or_else(|at| {
            let known = self.take_gone((peer.site, peer.is_across));
            let pace = known.unwrap_or_else(|| self.new_pace(now, peer.is_across));
            self.all.insert(at, Requests::new(now, peer, pace));
            self.conns.insert(at, conn);
            at
        });
        self.all[at].push(block);
    }

    /// Payload bytes of a connection have gone to the kernel; whether its peer had read nothing until now.
    pub fn sent(&mut self, now: Micros, conn: ConnId, bytes: u32) -> bool {
        let Ok(at) = self.find(conn) else {
            return false;
        };
        let requests = &mut self.all[at];
        self.sent_bytes[usize::from(requests.is_across())] += u64::from(bytes);
        requests.sent(now, bytes)
    }

    /// A turn of a connection has lasted so much longer.
    pub fn held(&mut self, now: Micros, conn: ConnId, is_across: bool, us: Micros) -> Option<Held<'_>> {
        let at = self.find(conn).ok()?;
        let has_moved = self.all[at].is_across() != is_across;
        if has_moved {
            let pace = self.new_pace(now, is_across);
            self.all[at].move_rack(is_across, pace);
        }
        let requests = &mut self.all[at];
        requests.held(us);
        Some(Held {
            requests,
            all_bytes: self.sent_bytes[usize::from(is_across)],
            has_moved,
        })
    }

    pub fn is_crawling(&self, conn: ConnId) -> bool {
        self.get(conn).is_some_and(Requests::is_crawling)
    }

    /// It has been unknown for long whether a connection crawls.
    pub fn is_unjudged(&self, conn: ConnId) -> bool {
        self.get(conn).is_some_and(Requests::is_unjudged)
    }

    /// A connection is gone; its turns had lasted so much longer.
    pub fn forget(&mut self, conn: ConnId, held_us: Micros) {
        let Ok(at) = self.find(conn) else {
            return;
        };
        self.conns.remove(at);
        let mut requests = self.all.remove(at);
        requests.held(held_us);
        let origin = requests.origin();
        let pace = requests.into_pace();
        let pace = match self.take_gone(origin) {
            Some(known) => known.with(pace),
            None => pace,
        };
        if self.gone.len() >= GONE_MAX {
            self.gone.pop_front();
        }
        self.gone.push_back((origin, pace));
    }

    fn new_pace(&self, now: Micros, is_across: bool) -> Pace {
        Pace::new(now, self.sent_bytes[usize::from(is_across)])
    }

    fn take_gone(&mut self, origin: (IpAddr, bool)) -> Option<Pace> {
        let at = self.gone.iter().position(|(other, _)| *other == origin)?;
        self.gone.remove(at).map(|(_, pace)| pace)
    }

    /// Where the requests of a connection are, or belong.
    fn find(&self, conn: ConnId) -> Result<usize, usize> {
        self.conns.binary_search(&conn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::SECOND;

    fn peer(host: u8) -> Requester {
        Requester {
            site: [10, 0, 0, host].into(),
            is_across: false,
            is_agent: true,
            is_fast: true,
            patience_us: 0,
        }
    }

    #[test]
    fn what_an_address_moved_outlives_its_connections() {
        let mut demand = Demand::default();
        let (piece, begin, len) = (0, 0, 16 << 10);
        let block = Block { piece, begin, len };
        for conn in 0..2 {
            demand.add(0, ConnId(conn), &peer(1), block);
        }
        (0..2).for_each(|conn| demand.forget(ConnId(conn), 4 * SECOND));
        for host in 1..4 {
            demand.add(SECOND, ConnId(u32::from(host)), &peer(host), block);
        }
        let unjudged = |host: &u32| demand.is_unjudged(ConnId(*host));
        assert_eq!((1..4).filter(unjudged).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn so_many_addresses_are_known() {
        let mut demand = Demand::default();
        let (piece, begin, len) = (0, 0, 16 << 10);
        for host in 0..200 {
            let conn = ConnId(u32::from(host));
            demand.add(0, conn, &peer(host), Block { piece, begin, len });
            demand.forget(conn, 9 * SECOND);
        }
        assert_eq!(demand.gone.len(), GONE_MAX);
        assert!(demand.all.is_empty());
    }
}
