//! Who gives way to a newcomer when all places are taken: first whoever is doubted, then the address that has most places,
//! then whoever has been of no use for longest. Whoever was of use lately, in either direction, stays, but for what an
//! address has beyond a quarter of the places: to seem useful is cheap.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use super::Swarm;
use super::types::{ConnId, TorrentId};
use crate::core::time::{Micros, SECOND};

/// Who gave us something, or got a piece from us, keeps its place for so long; so does a newcomer, to show what it is for.
const USEFUL_US: Micros = 10 * SECOND;
/// The same of an address that has more places than the newcomer's.
const USEFUL_CROWD_US: Micros = SECOND;
/// The part of all places of which an address keeps what is of use.
const KEPT_PART: usize = 4;

/// A connection that may give way.
struct Place {
    conn: ConnId,
    site: IpAddr,
    idle_us: Micros,
    is_doubted: bool,
}

/// What one machine can have any number of counts as one address: the lower half of IPv6.
pub(super) fn site(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// Which of these makes room for a connection from there.
fn who_gives_way(places: &[Place], newcomer: IpAddr) -> Option<ConnId> {
    let mut counts: BTreeMap<IpAddr, usize> = BTreeMap::new();
    for place in places {
        *counts.entry(place.site).or_default() += 1;
    }
    let own = counts.get(&site(newcomer)).copied().unwrap_or(0);
    let rank = |place: &Place| {
        let count = counts[&place.site];
        // More than the newcomer's address will have with it.
        let crowd = if count > own + 1 { count } else { 0 };
        let useful_us = if crowd > 0 { USEFUL_CROWD_US } else { USEFUL_US };
        let gives_way = place.is_doubted || place.idle_us >= useful_us || crowd > places.len() / KEPT_PART;
        gives_way.then_some((place.is_doubted, crowd, place.idle_us))
    };
    let ranked = places.iter().filter_map(|p| Some((rank(p)?, p.conn)));
    ranked.max().map(|(_, conn)| conn)
}

impl Swarm {
    /// Ends a connection to make room for one from `newcomer`, of this torrent or of any; whether there was one to end.
    pub(super) fn make_room(&mut self, torrent: Option<TorrentId>, newcomer: IpAddr) -> bool {
        let may_go = self.peers.values().filter(|p| p.established && !p.origin);
        let places: Vec<Place> = may_go
            .filter(|p| torrent.is_none_or(|t| t == p.torrent))
            .map(|p| Place {
                conn: p.id,
                site: site(p.addr.ip()),
                idle_us: self.now.saturating_sub(p.useful_at),
                is_doubted: self.torrents[usize::from(p.torrent.0)].doubtful & p.mask() != 0,
            })
            .collect();
        let victim = who_gives_way(&places, newcomer);
        if let Some(conn) = victim {
            self.close(conn, None);
        }
        victim.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(host: u8) -> IpAddr {
        [10, 0, 0, host].into()
    }

    /// Connections numbered from 1: the host, for how long it was of no use, and whether it is doubted.
    fn places(all: &[(u8, Micros, bool)]) -> Vec<Place> {
        let numbered = all.iter().zip(1..);
        let place = |(&(host, idle_us, is_doubted), n)| Place {
            conn: ConnId(n),
            site: ip(host),
            idle_us,
            is_doubted,
        };
        numbered.map(place).collect()
    }

    #[test]
    fn who_was_of_no_use_for_longest_goes_and_who_was_of_use_stays() {
        let idle = places(&[(1, 20 * SECOND, false), (2, 30 * SECOND, false), (3, 0, false)]);
        assert_eq!(who_gives_way(&idle, ip(9)), Some(ConnId(2)));
        let busy = places(&[(1, SECOND, false), (2, 9 * SECOND, false)]);
        assert_eq!(who_gives_way(&busy, ip(9)), None);
    }

    #[test]
    fn the_doubted_go_first() {
        let all = places(&[(1, 40 * SECOND, false), (2, 0, true)]);
        assert_eq!(who_gives_way(&all, ip(9)), Some(ConnId(2)));
    }

    #[test]
    fn one_address_does_not_keep_others_out() {
        let mut all = vec![(1, 60 * SECOND, false), (2, 60 * SECOND, false)];
        all.extend([(7, 2 * SECOND, false); 100]);
        let all = places(&all);
        assert!(who_gives_way(&all, ip(9)).is_some_and(|c| c.0 > 2));
        // To one of the same address, they are like all others.
        assert_eq!(who_gives_way(&all, ip(7)), Some(ConnId(2)));
    }

    #[test]
    fn those_behind_one_address_that_are_of_use_keep_a_quarter() {
        let mut all = vec![(1, 0, false); 3];
        for host in 2..=76 {
            all.push((host, 0, false));
        }
        all.extend([(77, SECOND / 2, false); 25]);
        assert_eq!(who_gives_way(&places(&all), ip(99)), None);
        all[0].0 = 77;
        all[3].0 = 77;
        assert!(who_gives_way(&places(&all), ip(99)).is_some_and(|c| c.0 > 78));
        // To one of the same address, they are like all others.
        assert_eq!(who_gives_way(&places(&all), ip(77)), None);
    }

    #[test]
    fn an_ipv6_network_counts_as_one() {
        let at = |text: &str| site(text.parse().expect("an address"));
        assert_eq!(at("fd00::1:2:3:4"), at("fd00::5"));
        assert_ne!(at("fd00:0:0:1::1"), at("fd00::1"));
    }
}
