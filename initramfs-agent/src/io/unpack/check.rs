//! What an agent would make of an archive, found out without writing: the server asks before it publishes.

use std::io::Read;

use super::codec::Decoder;
use super::input::Input;
use super::limits::UnpackLimits;
use super::model::Model;
use super::squashfs::{self, Superblock};
use super::tally::Tally;
use super::{Format, Summary, tar};
use crate::core::error::{Code, Error, Result};

/// What an archive is. All of it was read, and no agent refuses it for what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// `tar`, `cpio` or `squashfs`.
    pub format: &'static str,
    /// Around the archive, or inside a squashfs.
    pub compression: &'static str,
    /// Of a squashfs only `entries` and `read_bytes` are known.
    pub summary: Summary,
    /// What it takes unpacked in a node's memory, about; none for what is not unpacked.
    pub memory_bytes: Option<u64>,
    /// The first of the paths asked for that is a program.
    pub program: Option<String>,
}

/// Reads an archive to its end by the rules of [`super::unpack`], into a model of an empty root. With `over_unknown`
/// the archive goes over a root that is not known, as a plugin does.
///
/// Errors: those of [`super::unpack`] but for what only a target knows, and `ARCHIVE_UNSUPPORTED` for what is neither
/// tar, cpio nor squashfs.
pub fn check(
    reader: &mut (dyn Read + Send),
    limits: &UnpackLimits,
    over_unknown: bool,
    programs: &[&str],
) -> Result<Checked> {
    let mut input = Input::new(Decoder::new(reader, limits), limits.bytes_max);
    let head = input.head(tar::BLOCK)?;
    let format = if head.starts_with(b"0707") {
        Format::Cpio
    } else if head.starts_with(squashfs::MAGIC) {
        return squashfs(&mut input);
    } else if tar::begins(head) {
        Format::Tar
    } else {
        return Err(Error::new(
            Code::ArchiveUnsupported,
            "this is neither tar, cpio nor squashfs",
        ));
    };
    unpacked(&mut input, format, limits, over_unknown, programs)
}

fn unpacked(
    input: &mut Input<'_>,
    format: Format,
    limits: &UnpackLimits,
    over_unknown: bool,
    programs: &[&str],
) -> Result<Checked> {
    let compression = input.compression();
    let mut progress = |_: &_| {};
    let mut model = Model::new(Tally::new(limits, &mut progress), over_unknown);
    super::read(format, input, &mut model)?;
    let program = programs.iter().find(|path| model.is_program(path.as_bytes()));
    Ok(Checked {
        format: match format {
            Format::Tar => "tar",
            Format::Cpio => "cpio",
        },
        compression,
        memory_bytes: Some(model.memory_bytes()),
        program: program.map(|path| (*path).to_owned()),
        summary: model.into_tally().finish(input),
    })
}

/// What the model of an empty root makes of an archive whose format is known, for tests that hold it against a real one.
#[cfg(test)]
pub(super) fn modelled(archive: &[u8], format: Format, limits: &UnpackLimits) -> Result<Checked> {
    let mut reader = archive;
    let mut input = Input::new(Decoder::new(&mut reader, limits), limits.bytes_max);
    unpacked(&mut input, format, limits, false, &[])
}

fn squashfs(input: &mut Input<'_>) -> Result<Checked> {
    if input.compression() != "none" {
        return Err(Error::new(
            Code::ArchiveUnsupported,
            format!(
                "a squashfs in {}: the kernel cannot mount it; it is compressed inside already",
                input.compression()
            ),
        ));
    }
    let superblock = Superblock::parse(input.peek(squashfs::SUPERBLOCK_BYTES)?.unwrap_or_default())?;
    input.drain()?;
    superblock.whole_in(input.read_bytes())?;
    Ok(Checked {
        format: "squashfs",
        compression: superblock.compression,
        summary: Summary {
            read_bytes: input.read_bytes(),
            unpacked_bytes: input.read_bytes(),
            entries: superblock.inodes.into(),
            ..Summary::default()
        },
        memory_bytes: None,
        program: None,
    })
}
