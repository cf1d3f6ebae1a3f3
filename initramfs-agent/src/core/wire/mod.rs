//! The peer wire: bytes to messages and back (BEP 3, 6, 9, 10, 11). No I/O, no decisions.

mod encode;
mod extension;
mod handshake;
mod metadata;
mod outgoing;
mod parse;
mod pex;
#[cfg(test)]
mod tests;

pub use encode::{ExtensionIds, PIECE_HEADER_BYTES, encode, extended, piece_header};
pub use extension::{ExtensionHandshake, OUR_UT_METADATA, OUR_UT_PEX};
pub use handshake::{HANDSHAKE_BYTES, Handshake, Start};
pub use metadata::{MetadataMessage, metadata_part};
pub use outgoing::Outgoing;
pub use parse::{Parsed, message_bytes_max, parse};
pub use pex::{PEX_PEERS_MAX, Pex};

/// One message between peers after the handshake, as it comes. Of `Piece` the header only: its payload is streamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Zero length.
    KeepAlive,
    /// BEP 3, id 0.
    Choke,
    /// BEP 3, id 1.
    Unchoke,
    /// BEP 3, id 2.
    Interested,
    /// BEP 3, id 3.
    NotInterested,
    /// BEP 3, id 4.
    Have {
        /// Piece index.
        piece: u32,
    },
    /// BEP 3, id 5; most significant bit first.
    Bitfield(&'a [u8]),
    /// BEP 3, id 6.
    Request(Block),
    /// BEP 3, id 7, header only: `block.len` payload bytes follow.
    Piece(Block),
    /// BEP 3, id 8.
    Cancel(Block),
    /// BEP 5, id 9: the peer's DHT port.
    Port(u16),
    /// BEP 6, id 13.
    Suggest {
        /// Piece index.
        piece: u32,
    },
    /// BEP 6, id 14.
    HaveAll,
    /// BEP 6, id 15.
    HaveNone,
    /// BEP 6, id 16.
    Reject(Block),
    /// BEP 6, id 17.
    AllowedFast {
        /// Piece index.
        piece: u32,
    },
    /// BEP 10, id 20.
    Extended {
        /// 0 is the extension handshake.
        id: u8,
        /// Bencoded, for extensions of ours.
        payload: &'a [u8],
    },
    /// Of a kind that we do not know.
    Unknown,
}

/// A part of a piece as `request`, `piece`, `cancel` and `reject` name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Block {
    /// Piece index.
    pub piece: u32,
    /// Offset in the piece, bytes.
    pub begin: u32,
    /// Length, bytes.
    pub len: u32,
}
