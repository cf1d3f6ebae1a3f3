//! The info dictionary that a manifest implies (docs/manifest.md): all of it is known but the hashes of the pieces,
//! so its length is known to the byte before it is there.

use sha1::{Digest, Sha1};

use super::HASH_BYTES;
use crate::core::bencode::Encoder;

/// The info dictionary of an artifact as docs/manifest.md defines it.
pub fn info_dictionary(name: &str, size_bytes: u64, piece_length: u32, pieces: &[u8]) -> Vec<u8> {
    InfoShape::new(name, size_bytes, piece_length).with(pieces)
}

/// The infohash (BEP 3) of a bencoded info dictionary.
pub fn infohash(info_dictionary: &[u8]) -> [u8; 20] {
    Sha1::digest(info_dictionary).into()
}

/// An info dictionary without the hashes of its pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InfoShape {
    /// All that stands before the hashes but for their length.
    head: Vec<u8>,
    /// Bytes of the hashes.
    hashes_len: usize,
}

impl InfoShape {
    /// Of an artifact whose piece length is not 0.
    pub fn new(name: &str, size_bytes: u64, piece_length: u32) -> Self {
        let mut info = Encoder::default();
        info.dict()
            .bytes(b"length")
            .int(i64::try_from(size_bytes).unwrap_or(i64::MAX));
        info.bytes(b"name").bytes(name.as_bytes());
        info.bytes(b"piece length").int(i64::from(piece_length));
        info.bytes(b"pieces");
        let pieces = size_bytes.div_ceil(u64::from(piece_length.max(1)));
        Self {
            head: info.finish(),
            hashes_len: usize::try_from(pieces).unwrap_or(usize::MAX / 64) * HASH_BYTES,
        }
    }

    /// The dictionary with these hashes, which may also be fewer or more than they should be.
    pub fn with(&self, hashes: &[u8]) -> Vec<u8> {
        let mut info = Encoder::default();
        info.raw(&self.head).bytes(hashes).end().finish()
    }

    /// Bytes of the dictionary with as many hashes as the size asks for: the `metadata_size` of BEP 9.
    pub fn len(&self) -> usize {
        self.head.len() + self.hashes_len.to_string().len() + 1 + self.hashes_len + 1
    }

    /// A dictionary is never empty.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Where in the dictionary the hashes are, if it is one of this shape.
    pub fn hashes<'a>(&self, info: &'a [u8]) -> Option<&'a [u8]> {
        let rest = info.strip_prefix(&*self.head)?;
        let rest = rest.strip_prefix(format!("{}:", self.hashes_len).as_bytes())?;
        rest.strip_suffix(b"e")
            .filter(|hashes| hashes.len() == self.hashes_len)
    }
}
