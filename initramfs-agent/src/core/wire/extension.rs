//! The extension handshake (BEP 10), with what docs/protocol.md adds: `bs`, `bx`.

use crate::core::bencode::{Encoder, Keys, parse};
use crate::core::error::{Code, Error, Result};

/// The id under which we want PEX messages (BEP 11).
pub const OUR_UT_PEX: u8 = 1;
/// The id under which we take parts of info dictionaries, and requests for them (BEP 9).
pub const OUR_UT_METADATA: u8 = 2;

/// What an extension handshake says, as far as we care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtensionHandshake {
    /// `bs` is 1: it follows docs/protocol.md.
    pub bootswarm: bool,
    /// `bx`: to its knowledge we are in another rack, or in its own.
    pub elsewhere: Option<bool>,
    /// `p`: the TCP port at which it listens.
    pub listen_port: Option<u16>,
    /// `reqq`: how many requests it keeps.
    pub requests_max: Option<u32>,
    /// `m.ut_pex`: the id it wants PEX under; 0 is "not any more".
    pub ut_pex: Option<u8>,
    /// `m.ut_metadata`: the id it wants BEP 9 messages under.
    pub ut_metadata: Option<u8>,
    /// `metadata_size`: bytes of the info dictionary, which it has.
    pub metadata_size: Option<u32>,
}

impl ExtensionHandshake {
    /// The bencoded dictionary, with our version as `v`.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        out.dict();
        if self.bootswarm {
            out.bytes(b"bs").int(1);
        }
        if let Some(elsewhere) = self.elsewhere {
            out.bytes(b"bx").int(elsewhere.into());
        }
        out.bytes(b"m").dict();
        if let Some(id) = self.ut_metadata {
            out.bytes(b"ut_metadata").int(id.into());
        }
        if let Some(id) = self.ut_pex {
            out.bytes(b"ut_pex").int(id.into());
        }
        out.end();
        if let Some(size) = self.metadata_size {
            out.bytes(b"metadata_size").int(size.into());
        }
        if let Some(port) = self.listen_port {
            out.bytes(b"p").int(port.into());
        }
        if let Some(max) = self.requests_max {
            out.bytes(b"reqq").int(max.into());
        }
        out.bytes(b"v")
            .bytes(concat!("bootswarm/", env!("CARGO_PKG_VERSION")).as_bytes());
        out.end();
        out.finish()
    }

    /// Reads the payload of extension message 0. Numbers out of range count as not given.
    ///
    /// # Errors
    /// [`Code::PeerProtocol`] when it is no bencoded dictionary.
    pub fn parse(payload: &[u8]) -> Result<Self> {
        let wrong = || Error::new(Code::PeerProtocol, "malformed extension handshake");
        let value = parse(payload, Keys::AnyOrder).map_err(|_| wrong())?;
        let dict = value.as_dict().ok_or_else(wrong)?;
        let named = |extension: &[u8]| {
            let id = dict.dict(b"m").and_then(|m| m.int(extension));
            id.and_then(|id| u8::try_from(id).ok()).filter(|id| *id != 0)
        };
        Ok(Self {
            bootswarm: dict.int(b"bs") == Some(1),
            elsewhere: match dict.int(b"bx") {
                Some(0) => Some(false),
                Some(1) => Some(true),
                _ => None,
            },
            listen_port: dict
                .int(b"p")
                .and_then(|p| u16::try_from(p).ok())
                .filter(|p| *p != 0),
            requests_max: dict.int(b"reqq").and_then(|n| u32::try_from(n).ok()),
            ut_pex: named(b"ut_pex"),
            ut_metadata: named(b"ut_metadata"),
            metadata_size: dict
                .int(b"metadata_size")
                .and_then(|n| u32::try_from(n).ok())
                .filter(|n| *n != 0),
        })
    }
}
