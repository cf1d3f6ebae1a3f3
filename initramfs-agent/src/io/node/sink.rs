//! Pieces that are arriving: where their bytes go, and their hash as it grows.

use std::sync::Arc;

use sha1::{Digest, Sha1};

use crate::core::error::Result;
use crate::io::store::Artifact;

/// Bytes read back at a time.
const READ_BACK_BYTES: usize = 64 << 10;

/// One piece in flight in one slot.
pub(super) struct Sink {
    /// Tells this use of a slot from the one before and after it.
    pub serial: u32,
    target: Arc<Artifact>,
    base: u64,
    len: u32,
    sha1: Sha1,
    /// The bytes below this have gone through `sha1`.
    hashed: u32,
}

impl Sink {
    /// A piece of `len` bytes that goes to `base` of `target`.
    pub fn new(serial: u32, target: Arc<Artifact>, base: u64, len: u32) -> Self {
        Self {
            serial,
            target,
            base,
            len,
            sha1: Sha1::new(),
            hashed: 0,
        }
    }

    /// Takes bytes at `offset` of the piece; those in order are hashed while they are in the cache.
    pub fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<()> {
        self.target.write_at(self.base + u64::from(offset), bytes)?;
        if offset == self.hashed {
            self.sha1.update(bytes);
            self.hashed += bytes.len() as u32;
        } else if offset < self.hashed {
            // What was hashed has been overwritten: all of it is read back at the end.
            self.sha1.reset();
            self.hashed = 0;
        }
        Ok(())
    }

    /// Whether the piece is the one of this hash; reads back what came out of order.
    pub fn check(&mut self, expected: &[u8]) -> Result<bool> {
        let mut buffer = Vec::new();
        while self.hashed < self.len {
            let take = (self.len - self.hashed).min(READ_BACK_BYTES as u32);
            buffer.resize(take as usize, 0);
            self.target
                .read_at(self.base + u64::from(self.hashed), &mut buffer)?;
            self.sha1.update(&buffer);
            self.hashed += take;
        }
        self.hashed = 0;
        Ok(self.sha1.finalize_reset().as_slice() == expected)
    }

    /// Copies the piece to `base` of another artifact.
    pub fn copy_to(&self, artifact: &Artifact, base: u64) -> Result<()> {
        copy(&self.target, self.base, artifact, base, self.len)
    }
}

/// Copies `len` bytes between artifacts.
pub(super) fn copy(from: &Artifact, from_at: u64, to: &Artifact, to_at: u64, len: u32) -> Result<()> {
    let mut buffer = vec![0; READ_BACK_BYTES.min(len as usize)];
    let mut done = 0;
    while done < u64::from(len) {
        let take = (u64::from(len) - done).min(READ_BACK_BYTES as u64) as usize;
        from.read_at(from_at + done, &mut buffer[..take])?;
        to.write_at(to_at + done, &buffer[..take])?;
        done += take as u64;
    }
    Ok(())
}

/// Checks every piece of an artifact that is there already and marks the right ones as verified;
/// the number of wrong ones is returned.
pub fn verify_all(artifact: &Artifact, piece_length: u32, pieces: &[u8]) -> Result<u32> {
    let mut wrong = 0;
    let mut buffer = vec![0; READ_BACK_BYTES];
    let mut base = 0;
    for expected in pieces.chunks_exact(20) {
        let end = (base + u64::from(piece_length)).min(artifact.size_bytes());
        let mut sha1 = Sha1::new();
        let mut at = base;
        while at < end {
            let take = (end - at).min(READ_BACK_BYTES as u64) as usize;
            artifact.read_at(at, &mut buffer[..take])?;
            sha1.update(&buffer[..take]);
            at += take as u64;
        }
        if sha1.finalize().as_slice() == expected {
            artifact.mark_verified(base, end - base);
        } else {
            wrong += 1;
        }
        base = end;
    }
    Ok(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_right_in_any_order() {
        let data: Vec<u8> = (0..200_000u32).map(|i| (i / 7) as u8).collect();
        let expected = Sha1::digest(&data);
        let orders: [&[usize]; 4] = [&[0, 1, 2, 3], &[3, 2, 1, 0], &[0, 2, 1, 3], &[0, 1, 0, 2, 3]];
        for order in orders {
            let artifact = Artifact::memory(200_100).unwrap();
            let mut sink = Sink::new(1, artifact.clone(), 100, 200_000);
            for part in order {
                let at = part * 50_000;
                sink.write(at as u32, &data[at..at + 50_000]).unwrap();
            }
            assert!(sink.check(&expected).unwrap(), "{order:?}");
            let mut back = vec![0; 200_000];
            artifact.read_at(100, &mut back).unwrap();
            assert_eq!(back, data);
            artifact.write_at(150, &[data[50] ^ 1]).unwrap();
            assert!(!sink.check(&expected).unwrap(), "read back and wrong");
        }
    }

    #[test]
    fn existing_pieces_are_checked() {
        let artifact = Artifact::memory(50_000).unwrap();
        let mut hashes = Vec::new();
        for (at, len) in [(0, 16_384), (16_384, 16_384), (32_768, 16_384), (49_152, 848)] {
            let piece = vec![at as u8 ^ 5; len];
            artifact.write_at(at, &piece).unwrap();
            hashes.extend_from_slice(&Sha1::digest(&piece));
        }
        assert_eq!(verify_all(&artifact, 16_384, &hashes).unwrap(), 0);
        assert!(artifact.is_complete());
        let damaged = Artifact::memory(50_000).unwrap();
        copy(&artifact, 0, &damaged, 0, 50_000).unwrap();
        damaged.write_at(20_000, b"x").unwrap();
        assert_eq!(verify_all(&damaged, 16_384, &hashes).unwrap(), 1);
        assert_eq!(damaged.frontier(), 16_384);
    }
}
