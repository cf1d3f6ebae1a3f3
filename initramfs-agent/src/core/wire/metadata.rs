//! Messages of BEP 9: the info dictionary in parts of 16 KiB.

use crate::core::bencode::{Encoder, Keys, parse_prefix};
use crate::core::error::{Code, Error, Result};
use crate::core::limits::METADATA_PART_BYTES;

/// One message of `ut_metadata`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataMessage<'a> {
    /// The peer wants a part.
    Request {
        /// Which.
        part: u32,
    },
    /// A part.
    Data {
        /// Which.
        part: u32,
        /// Bytes of the whole dictionary, as the sender says.
        total: u64,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// The peer does not have it, or has given enough.
    Reject {
        /// Which.
        part: u32,
    },
}

impl<'a> MetadataMessage<'a> {
    /// Reads the payload of an extension message. `None`: of a kind that we do not know, to be ignored (BEP 9).
    ///
    /// # Errors
    /// [`Code::PeerProtocol`] when it is malformed, or a part is longer than BEP 9 allows.
    pub fn parse(payload: &'a [u8]) -> Result<Option<Self>> {
        let wrong = || Error::new(Code::PeerProtocol, "malformed metadata message");
        let (value, bytes) = parse_prefix(payload, Keys::AnyOrder).map_err(|_| wrong())?;
        let dict = value.as_dict().ok_or_else(wrong)?;
        let part = dict.int(b"piece").and_then(|n| u32::try_from(n).ok());
        let part = part.ok_or_else(wrong)?;
        Ok(match dict.int(b"msg_type").ok_or_else(wrong)? {
            0 => Some(Self::Request { part }),
            1 => {
                let total = dict.int(b"total_size").and_then(|n| u64::try_from(n).ok());
                if bytes.is_empty() || bytes.len() > METADATA_PART_BYTES {
                    return Err(wrong());
                }
                Some(Self::Data {
                    part,
                    total: total.ok_or_else(wrong)?,
                    bytes,
                })
            }
            2 => Some(Self::Reject { part }),
            _ => None,
        })
    }

    /// The payload of an extension message.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::default();
        out.dict().bytes(b"msg_type");
        match *self {
            Self::Request { part } => out.int(0).bytes(b"piece").int(part.into()),
            Self::Data { part, total, .. } => out
                .int(1)
                .bytes(b"piece")
                .int(part.into())
                .bytes(b"total_size")
                .int(i64::try_from(total).unwrap_or(i64::MAX)),
            Self::Reject { part } => out.int(2).bytes(b"piece").int(part.into()),
        };
        out.end();
        if let Self::Data { bytes, .. } = self {
            out.raw(bytes);
        }
        out.finish()
    }
}

/// A part of an info dictionary, empty beyond its end.
pub fn metadata_part(info: &[u8], part: u32) -> &[u8] {
    let mut parts = info.chunks(METADATA_PART_BYTES);
    parts.nth(part as usize).unwrap_or_default()
}
