//! The URL of an announce (BEP 3, 23).

/// What happened since the last announce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing.
    None,
    /// This is the first one.
    Started,
    /// The download is complete now.
    Completed,
    /// The node leaves.
    Stopped,
}

/// What an announce says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announce {
    /// BEP 3.
    pub infohash: [u8; 20],
    /// BEP 3.
    pub peer_id: [u8; 20],
    /// TCP port at which we listen.
    pub port: u16,
    /// Bytes.
    pub uploaded: u64,
    /// Bytes.
    pub downloaded: u64,
    /// Bytes still to come.
    pub left: u64,
    /// Peers we would like to have.
    pub numwant: u32,
    /// What happened.
    pub event: Event,
}

impl Announce {
    /// The announce as a URL; `base` may have a query of its own.
    pub fn url(&self, base: &str) -> String {
        let mut url = String::with_capacity(base.len() + 320);
        // A fragment is not sent, and what came after it would be lost.
        url.push_str(base.split('#').next().unwrap_or_default());
        url.push(if url.contains('?') { '&' } else { '?' });
        url.push_str("info_hash=");
        percent_encode(&mut url, &self.infohash);
        url.push_str("&peer_id=");
        percent_encode(&mut url, &self.peer_id);
        let numbers = [
            ("&port=", u64::from(self.port)),
            ("&uploaded=", self.uploaded),
            ("&downloaded=", self.downloaded),
            ("&left=", self.left),
            ("&numwant=", u64::from(self.numwant)),
        ];
        for (name, value) in numbers {
            url.push_str(name);
            url.push_str(&value.to_string());
        }
        url.push_str("&compact=1");
        url.push_str(match self.event {
            Event::None => "",
            Event::Started => "&event=started",
            Event::Completed => "&event=completed",
            Event::Stopped => "&event=stopped",
        });
        url
    }
}

/// All bytes but the unreserved ones of RFC 3986 as `%XX`.
fn percent_encode(url: &mut String, bytes: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            url.push(char::from(byte));
        } else {
            url.push('%');
            url.push(char::from(HEX[usize::from(byte >> 4)]));
            url.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}
