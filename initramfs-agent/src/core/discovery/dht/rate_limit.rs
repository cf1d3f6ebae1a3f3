//! How many queries we answer: so many of one address, so many in all. Nobody can make us an amplifier.

use std::net::IpAddr;

use crate::core::time::{Micros, SECOND};

/// Queries of one address in one second.
const PER_SOURCE: u32 = 64;
/// Queries of all together in one second.
const IN_ALL: u32 = 2000;
/// Addresses that are counted apart; what comes from further ones in the same second is not answered.
const SOURCES_MAX: usize = 1024;

/// Counts queries in steps of one second.
#[derive(Default)]
pub struct RateLimit {
    second: u64,
    in_all: u32,
    /// Sorted by address.
    sources: Vec<(IpAddr, u32)>,
}

impl RateLimit {
    /// Whether to answer one more query of this address.
    pub fn admit(&mut self, now: Micros, ip: IpAddr) -> bool {
        if now / SECOND != self.second {
            self.second = now / SECOND;
            self.in_all = 0;
            self.sources.clear();
        }
        let count = match self.sources.binary_search_by_key(&ip, |&(ip, _)| ip) {
            Ok(at) => &mut self.sources[at].1,
            Err(_) if self.sources.len() >= SOURCES_MAX => return false,
            Err(at) => {
                self.sources.insert(at, (ip, 0));
                &mut self.sources[at].1
            }
        };
        if *count >= PER_SOURCE || self.in_all >= IN_ALL {
            return false;
        }
        *count += 1;
        self.in_all += 1;
        true
    }
}
