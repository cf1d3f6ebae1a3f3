//! What one agent may still take of the pieces that it was handed (`server/swarm/grants.ts`).

use std::collections::BTreeMap;

/// A hand-out may be fetched so often by its holder.
const SERVES_PER_GRANT: u32 = 2;

/// The hand-outs of one connection. They stay with their holder when they are given to another one too.
#[derive(Default)]
pub(super) struct Grants {
    /// Bytes left, by piece.
    left: BTreeMap<u32, u32>,
}

impl Grants {
    /// It is handed a piece.
    pub fn give(&mut self, piece: u32, piece_bytes: u32) {
        self.left.insert(piece, SERVES_PER_GRANT * piece_bytes);
    }

    /// It asks for so many bytes of a piece; false where it may not have them.
    pub fn take(&mut self, piece: u32, bytes: u32) -> bool {
        match self.left.get_mut(&piece).filter(|left| **left >= bytes) {
            Some(left) => {
                *left -= bytes;
                true
            }
            None => false,
        }
    }

    /// It has announced the piece, and needs no more of it.
    pub fn told(&mut self, piece: u32) {
        self.left.remove(&piece);
    }
}
