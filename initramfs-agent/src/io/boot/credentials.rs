//! What proves to the server that this node is the one that it started: the ticket of its boot script, then a key of its own
//! (docs/tickets.md). Both are secrets: neither is in an event, on the console or in a message.

use std::fmt;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustix::time::{ClockId, clock_gettime};

use super::identity::{hex, random};
use crate::core::error::{Code, Error, Result};
use crate::core::text::unhex;

/// Bytes of a ticket.
const TICKET_BYTES: usize = 16;
/// Of a private key (RFC 8032).
const SEED_BYTES: usize = 32;
/// What every signed text begins with.
const PREFIX: &str = "bootswarm-request-v1\n";

/// Signs requests.
pub struct Credentials {
    ticket: String,
    pair: Ed25519KeyPair,
    /// The last number that a request had.
    last: Mutex<u64>,
    /// The server does not accept the ticket: requests are those of a node without one.
    is_refused: AtomicBool,
}

/// What a request does with the ticket.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Ticket {
    /// Redeems it, unless that was done.
    Redeemed,
    /// Leaves it out.
    Unused,
}

/// Shows none of it.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// With the key of an earlier agent of this boot, if `key_file` has one; with a new one otherwise, which is kept there. `None`: the
    /// ticket is not one of this release.
    ///
    /// # Errors
    /// `IO` when there are no random bytes.
    pub fn new(ticket: &str, key_file: Option<&Path>) -> Result<Option<Self>> {
        if unhex::<TICKET_BYTES>(ticket).is_none() {
            return Ok(None);
        }
        let seed = match key_file.and_then(read) {
            Some(seed) => seed,
            None => {
                let seed = random()?;
                // Without the file the next agent of this boot has another key: it boots as a node without a ticket.
                let _ = key_file.map(|file| write(file, &seed));
                seed
            }
        };
        Ok(Some(Self::from_seed(ticket, &seed)?))
    }

    fn from_seed(ticket: &str, seed: &[u8; SEED_BYTES]) -> Result<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed);
        Ok(Self {
            ticket: ticket.to_owned(),
            pair: pair.map_err(|_| Error::new(Code::Io, "no key can be made"))?,
            last: Mutex::new(0),
            is_refused: AtomicBool::new(false),
        })
    }

    /// The header of a request, with the line's end; empty once the ticket was refused.
    pub fn header(&self, method: &str, target: &str, body: &[u8], ticket: Ticket) -> String {
        if self.is_refused.load(Ordering::Relaxed) {
            return String::new();
        }
        self.numbered(method, target, body, ticket, self.next())
    }

    fn numbered(&self, method: &str, target: &str, body: &[u8], ticket: Ticket, number: u64) -> String {
        let head = format!("{PREFIX}{method} {target}\n{number}\n");
        let signature = self.pair.sign(&[head.as_bytes(), body].concat());
        let ticket = match ticket {
            Ticket::Redeemed => format!(", ticket={}", self.ticket),
            Ticket::Unused => String::new(),
        };
        format!(
            "Authorization: Bootswarm key={}, counter={number}, signature={}{ticket}\r\n",
            hex(self.pair.public_key().as_ref()),
            hex(signature.as_ref())
        )
    }

    /// From now on requests are those of a node without a ticket.
    pub fn refused(&self) {
        self.is_refused.store(true, Ordering::Relaxed);
    }

    /// Microseconds since the machine was started: it rises also from one agent of a boot to the next, whatever the clock does.
    fn next(&self) -> u64 {
        let time = clock_gettime(ClockId::Boottime);
        let now_us = time.tv_sec.unsigned_abs() * 1_000_000 + time.tv_nsec.unsigned_abs() / 1000;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = now_us.max(*last + 1);
        *last
    }
}

fn read(file: &Path) -> Option<[u8; SEED_BYTES]> {
    unhex(std::fs::read_to_string(file).ok()?.trim())
}

/// For this user alone, and never over a file that is there.
fn write(file: &Path, seed: &[u8; SEED_BYTES]) -> std::io::Result<()> {
    let mut open = OpenOptions::new();
    let mut file = open.write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(hex(seed).as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::io::https::testing::vectors;

    const TICKET: &str = "000102030405060708090a0b0c0d0e0f";

    fn key_of(credentials: &Credentials) -> String {
        hex(credentials.pair.public_key().as_ref())
    }

    fn with_file(file: &Path) -> Credentials {
        Credentials::new(TICKET, Some(file)).unwrap().unwrap()
    }

    #[test]
    fn headers_are_those_that_the_server_reads() {
        let text = std::fs::read_to_string(vectors().join("credentials.json")).unwrap();
        let cases: serde_json::Value = serde_json::from_str(&text).unwrap();
        let made = cases
            .as_array()
            .unwrap()
            .iter()
            .filter(|case| case["seed"].is_string());
        let mut count = 0;
        for case in made {
            let text = |name: &str| case[name].as_str().unwrap_or_default();
            let ticket = text("ticket");
            let credentials = Credentials::from_seed(ticket, &unhex(text("seed")).unwrap()).unwrap();
            let use_it = if ticket.is_empty() {
                Ticket::Unused
            } else {
                Ticket::Redeemed
            };
            let number = case["counter"].as_u64().unwrap();
            let (method, target, body) = (text("method"), text("target"), text("body").as_bytes());
            assert_eq!(
                credentials.numbered(method, target, body, use_it, number),
                format!("Authorization: {}\r\n", text("header")),
                "{}",
                text("about")
            );
            count += 1;
        }
        assert!(count > 1);
    }

    #[test]
    fn the_next_agent_of_a_boot_has_the_same_key_and_greater_numbers() {
        let file = std::env::temp_dir().join(format!("bootswarm-key-{}", std::process::id()));
        let _ = std::fs::remove_file(&file);
        let first = with_file(&file);
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let numbers = [first.next(), first.next(), first.next()];
        let second = with_file(&file);
        assert_eq!(key_of(&first), key_of(&second));
        assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
        std::thread::sleep(std::time::Duration::from_millis(1));
        assert!(second.next() > numbers[2]);
        // A file that holds no key is left as it is.
        std::fs::write(&file, "no key").unwrap();
        assert_ne!(key_of(&with_file(&file)), key_of(&first));
        assert_eq!(std::fs::read(&file).unwrap(), b"no key");
        std::fs::remove_file(&file).unwrap();
        let nowhere = Path::new("/proc/no-such-directory/key");
        assert_ne!(key_of(&with_file(nowhere)), key_of(&with_file(nowhere)));
    }

    #[test]
    fn a_ticket_of_another_release_is_none_and_a_refused_one_proves_nothing() {
        for strange in ["", "xyz", &TICKET[1..], &format!("{TICKET}00"), "v2:abc"] {
            assert!(Credentials::new(strange, None).unwrap().is_none(), "{strange}");
        }
        let credentials = Credentials::new(TICKET, None).unwrap().unwrap();
        assert!(!format!("{credentials:?}").contains(TICKET));
        let header = || credentials.header("GET", "/", b"", Ticket::Redeemed);
        assert!(header().contains(TICKET));
        credentials.refused();
        assert_eq!(header(), "");
    }
}
