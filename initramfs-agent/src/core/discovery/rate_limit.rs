//! How many packets we heed: so many of one address, so many in all. Nobody can keep us busy or make us an amplifier.

use std::net::IpAddr;

use crate::core::time::{Micros, SECOND};

/// Packets of one address in one second.
const PER_SOURCE: u32 = 64;
/// Packets of all together in one second.
const IN_ALL: u32 = 2000;
/// Addresses that are counted apart; what comes from further ones in the same second is not heeded.
const SOURCES_MAX: usize = 1024;

/// Counts packets in steps of one second.
#[derive(Default)]
pub struct RateLimit {
    second: u64,
    in_all: u32,
    /// Sorted by address.
    sources: Vec<(IpAddr, u32)>,
}

impl RateLimit {
    /// Whether to heed one more packet of this address, which then counts.
    pub fn admit(&mut self, now: Micros, ip: IpAddr) -> bool {
        if now / SECOND != self.second {
            self.second = now / SECOND;
            self.in_all = 0;
            self.sources.clear();
        }
        if self.is_over(now, ip) {
            return false;
        }
        self.in_all += 1;
        match self.sources.binary_search_by_key(&ip, |&(ip, _)| ip) {
            Ok(at) => self.sources[at].1 += 1,
            Err(_) if self.sources.len() >= SOURCES_MAX => return false,
            Err(at) => self.sources.insert(at, (ip, 1)),
        }
        true
    }

    /// Whether nothing more of this address is heeded in this second.
    pub fn is_over(&self, now: Micros, ip: IpAddr) -> bool {
        let found = self.sources.binary_search_by_key(&ip, |&(ip, _)| ip);
        let count = found.map_or(0, |at| self.sources[at].1);
        now / SECOND == self.second && (count >= PER_SOURCE || self.in_all >= IN_ALL)
    }
}
