//! The messages that we send (BEP 3, 6, 9, 10, 11), as values.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Block;

/// A message without payload; [`super::encode`] makes its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// BEP 3.
    KeepAlive,
    /// BEP 3; stock clients need it.
    Unchoke,
    /// BEP 3.
    Interested,
    /// BEP 3.
    NotInterested,
    /// BEP 3.
    Have(u32),
    /// BEP 3; most significant bit first.
    Bitfield(Vec<u8>),
    /// BEP 6.
    HaveAll,
    /// BEP 6.
    HaveNone,
    /// BEP 3.
    Request(Block),
    /// BEP 3.
    Cancel(Block),
    /// BEP 6.
    Reject(Block),
    /// BEP 6; among agents of one rack: "I am fetching this one from outside, do not fetch it too".
    Suggest(u32),
    /// BEP 10 handshake; the shell fills in port, version and extensions.
    ExtendedHandshake {
        /// Bytes of the info dictionary, if we can give it (BEP 9).
        metadata_size: Option<u32>,
        /// `bx`: the tracker has told us that this peer is in another rack, or in ours.
        elsewhere: Option<bool>,
    },
    /// BEP 9: we want this part of the info dictionary.
    MetadataRequest(u32),
    /// BEP 9: a part of it.
    MetadataPart {
        /// Which.
        part: u32,
        /// The whole.
        info: Arc<[u8]>,
    },
    /// BEP 9: we have no such part, or gave it often enough.
    MetadataReject(u32),
    /// BEP 11: peers that came and went since the last one.
    Pex {
        /// Now connected.
        added: Vec<SocketAddr>,
        /// Gone.
        dropped: Vec<SocketAddr>,
    },
}
