//! Bytes to messages, in place: nothing is copied.

use super::{Block, Message};
use crate::core::error::{Code, Error, Result};
use crate::core::limits::{BLOCK_BYTES_MAX, MESSAGE_BYTES_MAX, METADATA_PART_BYTES};

/// What stands at the start of the received bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// Not yet a whole message (or, for a block, not yet its header).
    Incomplete,
    /// A message, and the bytes it took. For [`Message::Piece`] that is the header alone: the next
    /// `len` bytes of the stream are payload.
    Message(Message<'a>, usize),
}

/// Longest message body, without payload, that a torrent of so many pieces may see: a bitfield, or
/// a part of an info dictionary with what stands before it (BEP 9).
pub fn message_bytes_max(pieces: u32) -> usize {
    (pieces as usize / 8 + 2).clamp(METADATA_PART_BYTES + 256, MESSAGE_BYTES_MAX)
}

/// Reads the message at the start of `bytes`.
///
/// # Errors
/// [`Code::PeerProtocol`] for a body longer than `body_bytes_max` (a block: [`BLOCK_BYTES_MAX`]) or one
/// that does not fit its kind. The first bytes show it, so nothing long is ever buffered.
pub fn parse(bytes: &[u8], body_bytes_max: usize) -> Result<Parsed<'_>> {
    let Some(len) = number(bytes, 0) else {
        return Ok(Parsed::Incomplete);
    };
    let len = len as usize;
    if len == 0 {
        return Ok(Parsed::Message(Message::KeepAlive, 4));
    }
    let Some(&id) = bytes.get(4) else {
        return Ok(Parsed::Incomplete);
    };
    if id == 7 {
        return piece(bytes, len);
    }
    if !length_fits(id, len) || len > body_bytes_max {
        return Err(malformed());
    }
    let Some(body) = bytes.get(5..4 + len) else {
        return Ok(Parsed::Incomplete);
    };
    let message = message(id, body).unwrap_or(Message::Unknown);
    Ok(Parsed::Message(message, 4 + len))
}

fn piece(bytes: &[u8], len: usize) -> Result<Parsed<'_>> {
    if !(10..=9 + BLOCK_BYTES_MAX as usize).contains(&len) {
        return Err(malformed());
    }
    let (Some(piece), Some(begin)) = (number(bytes, 5), number(bytes, 9)) else {
        return Ok(Parsed::Incomplete);
    };
    let len = (len - 9) as u32;
    Ok(Parsed::Message(Message::Piece(Block { piece, begin, len }), 13))
}

fn length_fits(id: u8, len: usize) -> bool {
    match id {
        0..=3 | 14 | 15 => len == 1,
        4 | 13 | 17 => len == 5,
        6 | 8 | 16 => len == 13,
        9 => len == 3,
        20 => len >= 2,
        _ => true,
    }
}

fn message(id: u8, body: &[u8]) -> Option<Message<'_>> {
    let piece = || number(body, 0);
    let block = || {
        Some(Block {
            piece: number(body, 0)?,
            begin: number(body, 4)?,
            len: number(body, 8)?,
        })
    };
    Some(match id {
        0 => Message::Choke,
        1 => Message::Unchoke,
        2 => Message::Interested,
        3 => Message::NotInterested,
        4 => Message::Have { piece: piece()? },
        5 => Message::Bitfield(body),
        6 => Message::Request(block()?),
        8 => Message::Cancel(block()?),
        9 => Message::Port(u16::from_be_bytes([*body.first()?, *body.get(1)?])),
        13 => Message::Suggest { piece: piece()? },
        14 => Message::HaveAll,
        15 => Message::HaveNone,
        16 => Message::Reject(block()?),
        17 => Message::AllowedFast { piece: piece()? },
        20 => {
            let (&id, payload) = body.split_first()?;
            Message::Extended { id, payload }
        }
        _ => return None,
    })
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

fn malformed() -> Error {
    Error::new(Code::PeerProtocol, "a message whose length does not fit its kind")
}
