//! The links of a layout by number, and the way from one endpoint to another.

use super::layout::Layout;
use super::net::Endpoint;

/// Each endpoint has a link up to its switch and one down from it; after those come the uplinks, out of each rack and into it.
pub(super) struct Cables {
    /// The rack of each endpoint; the server's is the core, which comes after all racks.
    racks: Vec<usize>,
    /// For each rack, and the core, the uplinks on the way to each other: where they begin in `uplinks`, and where they end.
    ways: Vec<(u32, u32)>,
    uplinks: Vec<u32>,
    core: usize,
}

impl Cables {
    /// `racks`: of each endpoint but the server, which is the last.
    pub fn new(layout: &Layout, mut racks: Vec<usize>) -> Self {
        let core = layout.racks().len();
        racks.push(core);
        let mut cables = Self {
            racks,
            ways: Vec::new(),
            uplinks: Vec::new(),
            core,
        };
        for from in 0..=core {
            for to in 0..=core {
                let begins = cables.uplinks.len();
                if layout.has_uplinks() {
                    cables.add_way(layout, from, to);
                }
                cables.ways.push((begins as u32, cables.uplinks.len() as u32));
            }
        }
        cables
    }

    /// Out of each rack up to the switch where both ways to the core meet, and down from there.
    fn add_way(&mut self, layout: &Layout, from: usize, to: usize) {
        let up = |rack: usize| -> Vec<usize> {
            if rack == self.core {
                return Vec::new();
            }
            layout.up(rack).collect()
        };
        let (mut out, mut into) = (up(from), up(to));
        while out.last().is_some() && out.last() == into.last() {
            out.pop();
            into.pop();
        }
        let out = out.iter().map(|rack| self.rack_out(*rack) as u32);
        let into = into.iter().rev().map(|rack| self.rack_in(*rack) as u32);
        let way: Vec<u32> = out.chain(into).collect();
        self.uplinks.extend(way);
    }

    /// All links.
    pub fn count(&self) -> usize {
        self.rack_out(self.core)
    }

    /// The rack of an endpoint; the server is in none.
    pub fn rack(&self, endpoint: Endpoint) -> usize {
        self.racks[endpoint]
    }

    pub fn up(&self, endpoint: Endpoint) -> usize {
        endpoint * 2
    }

    pub fn down(&self, endpoint: Endpoint) -> usize {
        endpoint * 2 + 1
    }

    /// A rack's uplink, away from the rack.
    pub fn rack_out(&self, rack: usize) -> usize {
        (self.racks.len() + rack) * 2
    }

    /// And towards it.
    pub fn rack_in(&self, rack: usize) -> usize {
        self.rack_out(rack) + 1
    }

    /// The `hop`th link from one endpoint to another, and whether it is the last.
    pub fn on_the_way(&self, from: Endpoint, to: Endpoint, hop: u8) -> (usize, bool) {
        if hop == 0 {
            return (self.up(from), false);
        }
        let (begins, ends) = self.ways[self.racks[from] * (self.core + 1) + self.racks[to]];
        let at = begins + u32::from(hop) - 1;
        if at < ends {
            (self.uplinks[at as usize] as usize, false)
        } else {
            (self.down(to), true)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The links from one endpoint to another.
    fn way(cables: &Cables, from: Endpoint, to: Endpoint) -> Vec<usize> {
        let mut all = Vec::new();
        for hop in 0.. {
            let (link, is_last) = cables.on_the_way(from, to, hop);
            all.push(link);
            if is_last {
                break;
            }
        }
        all
    }

    #[test]
    fn one_rack_has_no_uplink() {
        let cables = Cables::new(&Layout::even(3, 1), vec![0; 3]);
        assert_eq!(way(&cables, 0, 2), [cables.up(0), cables.down(2)]);
        assert_eq!(way(&cables, 3, 2), [cables.up(3), cables.down(2)]);
    }

    #[test]
    fn a_link_carries_what_is_behind_it() {
        // A node in each: 0 at the core, 1 and 2 behind it, 3 and 4 behind 1.
        let cables = Cables::new(&Layout::tree(2, &[1; 5]), (0..5).collect());
        let (out, into) = (|r| cables.rack_out(r), |r| cables.rack_in(r));
        let between = |from, to| {
            let all = way(&cables, from, to);
            assert_eq!((all[0], all[all.len() - 1]), (cables.up(from), cables.down(to)));
            all[1..all.len() - 1].to_vec()
        };
        let server = 5;
        assert_eq!(between(server, 4), [into(0), into(1), into(4)]);
        assert_eq!(between(3, server), [out(3), out(1), out(0)]);
        assert_eq!(between(3, 4), [out(3), into(4)]);
        assert_eq!(between(4, 2), [out(4), out(1), into(2)]);
        assert_eq!(between(0, 3), [into(1), into(3)]);
        let all: std::collections::BTreeSet<usize> = (0..6)
            .flat_map(|a| (0..6).flat_map(move |b| [(a, b)]))
            .flat_map(|(a, b)| way(&cables, a, b))
            .collect();
        assert_eq!(all.len(), cables.count());
        assert_eq!(all.last(), Some(&(cables.count() - 1)));
    }
}
