//! The packet of Local Service Discovery (BEP 14).

use std::net::SocketAddrV4;

use crate::core::limits::{LSD_INFOHASHES_MAX, LSD_PACKET_BYTES_MAX};
use crate::core::text::unhex;

/// The first line.
const REQUEST: &str = "BT-SEARCH * HTTP/1.1";
/// Longest cookie that is read.
const COOKIE_BYTES_MAX: usize = 128;

/// An announcement: somebody listens for peers of these torrents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// TCP port of the sender; its address is that of the packet.
    pub port: u16,
    /// 1 to [`LSD_INFOHASHES_MAX`] torrents.
    pub infohashes: Vec<[u8; 20]>,
    /// By which the sender knows its own packets.
    pub cookie: Option<String>,
}

impl Packet {
    /// Parses a packet; `None` when it is none. Headers that we do not know are skipped, and so are
    /// infohashes that are not SHA-1 (those of BEP 52 are longer) or too many.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        if packet.len() > LSD_PACKET_BYTES_MAX {
            return None;
        }
        let mut lines = std::str::from_utf8(packet).ok()?.split("\r\n");
        if lines.next() != Some(REQUEST) {
            return None;
        }
        let (mut port, mut infohashes, mut cookie) = (None, Vec::new(), None);
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            let value = value.trim_matches([' ', '\t']);
            if name.eq_ignore_ascii_case("port") {
                // `parse` alone would take a sign.
                let digits = value.bytes().all(|b| b.is_ascii_digit());
                let parsed = value.parse::<u16>().ok().filter(|&p| p != 0 && digits)?;
                if port.replace(parsed).is_some() {
                    return None;
                }
            } else if name.eq_ignore_ascii_case("infohash") {
                if let Some(infohash) = unhex(value)
                    && infohashes.len() < LSD_INFOHASHES_MAX
                    && !infohashes.contains(&infohash)
                {
                    infohashes.push(infohash);
                }
            } else if name.eq_ignore_ascii_case("cookie") && value.len() <= COOKIE_BYTES_MAX {
                cookie = Some(value.to_owned());
            }
        }
        let port = port?;
        (!infohashes.is_empty()).then_some(Self {
            port,
            infohashes,
            cookie,
        })
    }

    /// The packet as it is sent to `group`, the headers in the order of the BEP.
    pub fn encode(&self, group: SocketAddrV4) -> Vec<u8> {
        let mut text = format!("{REQUEST}\r\nHost: {group}\r\nPort: {}\r\n", self.port);
        for infohash in &self.infohashes {
            text.push_str("Infohash: ");
            for byte in infohash {
                for digit in [byte >> 4, byte & 15] {
                    text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                }
            }
            text.push_str("\r\n");
        }
        if let Some(cookie) = &self.cookie {
            text.push_str("cookie: ");
            text.push_str(cookie);
            text.push_str("\r\n");
        }
        text.push_str("\r\n\r\n");
        text.into_bytes()
    }
}
