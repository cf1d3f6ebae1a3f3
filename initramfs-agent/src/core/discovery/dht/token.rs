//! The tokens that an announce has to bring (BEP 5): they prove that the sender receives at its address.

use std::net::IpAddr;

use sha1::{Digest, Sha1};

use crate::core::time::{Micros, SECOND};

/// How long a secret makes new tokens; they are taken for as long again.
const ROTATE: Micros = 300 * SECOND;
/// Bytes of a token.
const TOKEN_BYTES: usize = 8;

/// Makes and checks tokens.
pub struct Tokens {
    key: [u8; 20],
}

impl Tokens {
    /// `key` is secret and different on every node.
    pub fn new(key: [u8; 20]) -> Self {
        Self { key }
    }

    /// The token for an address now.
    pub fn make(&self, now: Micros, ip: IpAddr) -> [u8; TOKEN_BYTES] {
        self.of_period(now / ROTATE, ip)
    }

    /// Whether a token was made for this address lately.
    pub fn check(&self, now: Micros, ip: IpAddr, token: &[u8]) -> bool {
        let period = now / ROTATE;
        token == self.of_period(period, ip) || (period > 0 && token == self.of_period(period - 1, ip))
    }

    fn of_period(&self, period: u64, ip: IpAddr) -> [u8; TOKEN_BYTES] {
        let mut hash = Sha1::new();
        hash.update(self.key);
        hash.update(period.to_be_bytes());
        match ip {
            IpAddr::V4(ip) => hash.update(ip.octets()),
            IpAddr::V6(ip) => hash.update(ip.octets()),
        }
        let hash = hash.finalize();
        std::array::from_fn(|at| hash[at])
    }
}
