//! Who this node is, and numbers that nobody can guess.

use std::path::Path;

use ring::rand::{SecureRandom, SystemRandom};

use crate::core::error::{Code, Error, Result};
use crate::core::inventory;

/// Whether a text is a node identity of docs/protocol.md.
pub fn is_valid(id: &str) -> bool {
    let good = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._:-".contains(&c);
    (1..=64).contains(&id.len()) && id.as_bytes()[0].is_ascii_alphanumeric() && id.bytes().all(good)
}

/// The MAC address of the first interface (by name, not loopback) that is up.
///
/// # Errors
/// `CONFIG_MISSING` when there is none.
pub fn mac(sys_class_net: &Path) -> Result<String> {
    let missing = |what: String| Error::new(Code::ConfigMissing, what);
    let entries =
        std::fs::read_dir(sys_class_net).map_err(|e| missing(format!("{}: {e}", sys_class_net.display())))?;
    let mut names: Vec<_> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| !path.ends_with("lo"))
        .collect();
    names.sort();
    let read = |path: &Path, what: &str| {
        let text = std::fs::read_to_string(path.join(what)).unwrap_or_default();
        text.trim().to_ascii_lowercase()
    };
    // Virtual links report no carrier: `unknown` with the flag "up" is the best state that they have.
    let up = |path: &Path| match read(path, "operstate").as_str() {
        "up" => 2,
        "unknown" => {
            let flags = u32::from_str_radix(read(path, "flags").trim_start_matches("0x"), 16).unwrap_or(0);
            flags & 1
        }
        _ => 0,
    };
    let address = |path: &Path| inventory::mac(&read(path, "address"));
    let of = |state: u32| {
        names
            .iter()
            .filter(|path| up(path) == state)
            .find_map(|path| address(path))
    };
    of(2).or_else(|| of(1)).ok_or_else(|| {
        missing("no network interface with a MAC address is up, and no bootswarm.node= is given".into())
    })
}

/// `N` random bytes from the kernel.
///
/// # Errors
/// `IO` when it has none.
pub fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::new(Code::Io, "the kernel gives no random bytes"))?;
    Ok(bytes)
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |d: u8| char::from(b"0123456789abcdef"[usize::from(d)]);
    bytes
        .iter()
        .flat_map(|b| [digit(b >> 4), digit(b & 15)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities() {
        for good in ["a", "0", "aa:bb:cc:dd:ee:ff", "rack-1.node_7", &"x".repeat(64)] {
            assert!(is_valid(good), "{good}");
        }
        for bad in [
            "",
            ":a",
            "-a",
            ".a",
            "A",
            "a b",
            "a/b",
            "a&b",
            "\u{e4}",
            &"x".repeat(65),
        ] {
            assert!(!is_valid(bad), "{bad}");
        }
    }

    #[test]
    fn the_first_interface_that_is_up() {
        let dir = std::env::temp_dir().join(format!("bootswarm-net-{}", std::process::id()));
        let add = |name: &str, state: &str, flags: &str, mac: &str| {
            std::fs::create_dir_all(dir.join(name)).unwrap();
            for (file, text) in [("operstate", state), ("flags", flags), ("address", mac)] {
                std::fs::write(dir.join(name).join(file), format!("{text}\n")).unwrap();
            }
        };
        assert_eq!(mac(&dir).unwrap_err().code, Code::ConfigMissing);
        add("lo", "unknown", "0x9", "00:00:00:00:00:00");
        add("eth0", "down", "0x1003", "02:00:00:00:00:01");
        assert_eq!(mac(&dir).unwrap_err().code, Code::ConfigMissing);
        add("dummy0", "unknown", "0xc3", "02:00:00:00:00:02");
        add("tun0", "up", "0x1043", "");
        assert_eq!(mac(&dir).unwrap(), "02:00:00:00:00:02");
        add("eth2", "up", "0x1043", "02:00:00:00:00:04");
        add("eth1", "up", "0x1043", "02:00:00:AB:00:03");
        assert_eq!(mac(&dir).unwrap(), "02:00:00:ab:00:03");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn random_bytes_differ() {
        assert_ne!(random::<16>().unwrap(), random::<16>().unwrap());
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
    }
}
