//! How many places of a queue each address has, so that none gets more than its share while others ask.

use std::net::IpAddr;

/// The addresses that have places; few, as the queues are short.
#[derive(Default)]
pub(super) struct Shares(Vec<(IpAddr, usize)>);

impl Shares {
    /// An address has one more.
    pub fn add(&mut self, site: IpAddr) {
        match self.0.iter_mut().find(|(other, _)| *other == site) {
            Some((_, places)) => *places += 1,
            None => self.0.push((site, 1)),
        }
    }

    /// How many an address has.
    pub fn of(&self, site: IpAddr) -> usize {
        let found = self.0.iter().find(|(other, _)| *other == site);
        found.map_or(0, |(_, places)| *places)
    }

    /// How many there are if none had more than so many.
    pub fn sum(&self, most_of_one: usize) -> usize {
        self.0.iter().map(|(_, places)| *places.min(&most_of_one)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_counted_by_address() {
        let mut shares = Shares::default();
        let ip = |host| IpAddr::from([10, 0, 0, host]);
        [1, 2, 1, 1, 3].iter().for_each(|host| shares.add(ip(*host)));
        assert_eq!([1, 2, 3, 4].map(|host| shares.of(ip(host))), [3, 1, 1, 0]);
        assert_eq!([0, 1, 2, usize::MAX].map(|most| shares.sum(most)), [0, 3, 4, 5]);
    }
}
