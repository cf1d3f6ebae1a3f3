//! The 68 bytes with which a connection begins (BEP 3).

use crate::core::error::{Code, Error, Result};

/// Length of a handshake.
pub const HANDSHAKE_BYTES: usize = 68;

const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";
/// What the one who runs the other client needs to know.
const NOT_PLAIN: &str = "this is no plain BitTorrent handshake, and agents do not speak encryption (MSE/PE): \
where that client requires it, let it do without";
/// BEP 10: the bit 20 from the right.
const EXTENDED: (usize, u8) = (5, 0x10);
/// BEP 6.
const FAST: (usize, u8) = (7, 0x04);

/// What a handshake says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The torrent the connection is for.
    pub infohash: [u8; 20],
    /// The sender's identity.
    pub peer_id: [u8; 20],
    /// Speaks BEP 6.
    pub fast: bool,
    /// Speaks BEP 10.
    pub extended: bool,
}

/// What the first bytes of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// So far a handshake, more to come.
    Incomplete,
    /// The whole of it: [`HANDSHAKE_BYTES`] are used up.
    Complete(Handshake),
}

impl Handshake {
    /// The bytes to send.
    pub fn encode(&self) -> [u8; HANDSHAKE_BYTES] {
        let mut out = [0; HANDSHAKE_BYTES];
        out[..20].copy_from_slice(PROTOCOL);
        for (on, (byte, bit)) in [(self.extended, EXTENDED), (self.fast, FAST)] {
            if on {
                out[20 + byte] |= bit;
            }
        }
        out[28..48].copy_from_slice(&self.infohash);
        out[48..].copy_from_slice(&self.peer_id);
        out
    }

    /// Reads the first bytes of a connection.
    ///
    /// # Errors
    /// [`Code::PeerProtocol`] at the first byte that no plain BitTorrent handshake has. That is how encryption (MSE/PE) is
    /// recognised: it begins with a public key, 96 bytes that look random. Clients that only prefer it connect again without.
    pub fn parse(bytes: &[u8]) -> Result<Start> {
        let known = bytes.len().min(PROTOCOL.len());
        if bytes[..known] != PROTOCOL[..known] {
            return Err(Error::new(Code::PeerProtocol, NOT_PLAIN));
        }
        if bytes.len() < HANDSHAKE_BYTES {
            return Ok(Start::Incomplete);
        }
        let take = |from: usize| {
            let mut id = [0; 20];
            id.copy_from_slice(&bytes[from..from + 20]);
            id
        };
        let bit = |(byte, bit): (usize, u8)| bytes[20 + byte] & bit != 0;
        Ok(Start::Complete(Self {
            infohash: take(28),
            peer_id: take(48),
            fast: bit(FAST),
            extended: bit(EXTENDED),
        }))
    }
}
