//! Unpacking archives into a target root that they can never leave.
//!
//! The archive is streamed: nothing of it is kept but the buffers, the decoder's window and the
//! directories whose metadata still has to be set. What an archive may do is decided here and
//! documented in docs/unpacking.md; where its members lie is resolved by the kernel (`openat2`)
//! inside the target root, and by a component walk where the kernel is too old for that.

mod check;
mod codec;
mod cpio;
mod dpkg;
mod hand_over;
mod init;
mod input;
mod later;
mod limits;
mod member;
mod model;
mod owners;
mod parents;
mod place;
mod resolve;
mod root;
mod squashfs;
mod tally;
mod tar;
mod target;
mod wipe;

#[cfg(test)]
mod tests;

use std::io::Read;

use crate::core::error::Result;

pub use check::{Checked, check};
pub use hand_over::{hand_over, link_over};
pub use init::{INITS, init_of, no_init};
pub use limits::UnpackLimits;
pub use root::{MARKER, TargetRoot};

/// What is inside the compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// ustar, GNU or pax.
    Tar,
    /// newc or its crc variant, as the kernel reads it.
    Cpio,
}

/// How far an unpacking is. Reported every few MiB and every thousand members, and once at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnpackProgress {
    /// Bytes of the (compressed) archive taken from the reader.
    pub read_bytes: u64,
    /// Bytes after decompression.
    pub unpacked_bytes: u64,
    /// Members so far.
    pub entries: u64,
}

/// What an unpacking did, and what it left out on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of the (compressed) archive.
    pub read_bytes: u64,
    /// Bytes after decompression.
    pub unpacked_bytes: u64,
    /// Members of the archive.
    pub entries: u64,
    /// Regular files written.
    pub files: u64,
    /// Members whose owner was not set, because the process may not.
    pub owners_skipped: u64,
    /// Extended attributes not set: of a kind that is not taken over, or not possible here.
    pub xattrs_skipped: u64,
    /// dpkg stanzas merged into the root's status file.
    pub dpkg_stanzas: u64,
    /// What a person should know; at most 32 lines.
    pub warnings: Vec<String>,
}

impl Summary {
    fn warn(&mut self, text: impl Into<String>) {
        if self.warnings.len() < limits::WARNINGS_MAX {
            self.warnings.push(text.into());
        }
    }
}

/// Unpacks one archive over what `target` already has.
///
/// The reader may block (the download is still running) and may fail: an `io::Error` that wraps a
/// [`crate::core::error::Error`] is passed through with its own code. On any error the root is
/// half-unpacked: its marker stays, and [`TargetRoot::wipe`] empties it for another try.
///
/// Errors: `ARCHIVE_MALFORMED`, `ARCHIVE_UNSUPPORTED`, `ARCHIVE_ESCAPES`, `ARCHIVE_FORBIDDEN_ENTRY`,
/// `ARCHIVE_TOO_MANY_ENTRIES`, `TARGET_FULL`, `TARGET_INVALID`, `IO`, and the reader's own.
pub fn unpack(
    reader: &mut (dyn Read + Send),
    format: Format,
    target: &TargetRoot,
    limits: &UnpackLimits,
    progress: &mut dyn FnMut(&UnpackProgress),
) -> Result<Summary> {
    let mut input = input::Input::new(codec::Decoder::new(reader, limits), limits.bytes_max);
    let mut placer = place::Placer::new(target, tally::Tally::new(limits, progress))?;
    read(format, &mut input, &mut placer)?;
    placer.finish(&input)
}

fn read(format: Format, input: &mut input::Input<'_>, target: &mut dyn target::Target<'_>) -> Result<()> {
    match format {
        Format::Tar => tar::unpack(input, target),
        Format::Cpio => cpio::unpack(input, target),
    }
}
