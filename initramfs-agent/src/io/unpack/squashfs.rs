//! Whether the kernel would mount a file as squashfs 4.0, as far as its superblock tells
//! (Documentation/filesystems/squashfs.rst; fs/squashfs/super.c has the same rules).

use crate::core::error::{Code, Error, Result};

/// Bytes of the superblock.
pub(super) const SUPERBLOCK_BYTES: usize = 96;
pub(super) const MAGIC: &[u8] = b"hsqs";
/// As the superblock numbers them; 2 (lzma) no kernel has.
const COMPRESSIONS: [(u16, &str); 5] = [(1, "gzip"), (3, "lzo"), (4, "xz"), (5, "lz4"), (6, "zstd")];

/// What the superblock says.
pub(super) struct Superblock {
    /// Of what it holds.
    pub compression: &'static str,
    /// Bytes of the file system; the file may be longer (padding).
    pub size_bytes: u64,
    pub inodes: u32,
}

impl Superblock {
    /// Reads the first [`SUPERBLOCK_BYTES`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        if bytes.len() < SUPERBLOCK_BYTES {
            return Err(malformed("the squashfs is cut off"));
        }
        let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if (u16_at(28), u16_at(30)) != (4, 0) {
            return Err(unsupported(&format!("squashfs {}.{}", u16_at(28), u16_at(30))));
        }
        let (_, compression) = COMPRESSIONS
            .into_iter()
            .find(|(number, _)| *number == u16_at(20))
            .ok_or_else(|| unsupported("a squashfs with a compression that no kernel has"))?;
        let (block, log) = (u32_at(12), u16_at(22));
        if !(12..=20).contains(&log) || block != 1 << log {
            return Err(malformed("the squashfs has blocks of an impossible size"));
        }
        Ok(Self {
            compression,
            size_bytes: u64_at(40),
            inodes: u32_at(4),
        })
    }

    /// Refuses one that is cut off.
    pub fn whole_in(&self, file_bytes: u64) -> Result<()> {
        if self.size_bytes < SUPERBLOCK_BYTES as u64 || self.size_bytes > file_bytes {
            return Err(malformed(&format!(
                "the squashfs is cut off: it is of {} bytes and the file has {file_bytes}",
                self.size_bytes
            )));
        }
        Ok(())
    }
}

fn malformed(what: &str) -> Error {
    Error::new(Code::ArchiveMalformed, what)
}

fn unsupported(what: &str) -> Error {
    Error::new(Code::ArchiveUnsupported, what)
}
