//! Archives that are not unpacked (squashfs, raw): they become one file.

use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::limits::BUFFER_BYTES;
use super::{UnpackProgress, codec, root};
use crate::core::error::Result;
use crate::io::store::Artifact;

/// Gives an artifact whose bytes are all there the name `path`: they are in memory once. What had that name is replaced.
/// `false` where it does not lie in that file system.
///
/// Errors: `IO`.
pub fn link_over(artifact: &Artifact, path: &Path) -> Result<bool> {
    let partial = partial_of(path);
    // Of an earlier try.
    let _ = rustix::fs::unlink(&partial);
    if !artifact.link(&partial) {
        return Ok(false);
    }
    rustix::fs::rename(&partial, path).map_err(|e| root::io("naming the file", e))?;
    // Renaming to another name of the same file, that of an earlier try, leaves both (POSIX).
    let _ = rustix::fs::unlink(&partial);
    Ok(true)
}

fn partial_of(path: &Path) -> PathBuf {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    PathBuf::from(partial)
}

/// Writes all the reader gives to `path`, as it is. The file appears there only when it is whole;
/// what had that name is replaced. Returns its size in bytes.
///
/// Errors: `TARGET_FULL`, `IO`, and the reader's own.
pub fn hand_over(
    reader: &mut (dyn Read + Send),
    path: &Path,
    progress: &mut dyn FnMut(&UnpackProgress),
) -> Result<u64> {
    let partial = partial_of(path);
    let result = copy(reader, &partial, progress).and_then(|size| {
        rustix::fs::rename(&partial, path).map_err(|e| root::io("naming the file", e))?;
        Ok(size)
    });
    if result.is_err() {
        // The first error is the one to report.
        let _ = rustix::fs::unlink(&partial);
    }
    result
}

fn copy(
    reader: &mut (dyn Read + Send),
    path: &Path,
    progress: &mut dyn FnMut(&UnpackProgress),
) -> Result<u64> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o644);
    let fd = rustix::fs::open(path, flags, mode).map_err(|e| root::io("making the file", e))?;
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut done = UnpackProgress {
        entries: 1,
        ..UnpackProgress::default()
    };
    loop {
        let n = codec::read_some(reader, &mut buffer)?;
        if n == 0 {
            progress(&done);
            return Ok(done.read_bytes);
        }
        let mut left = &buffer[..n];
        while !left.is_empty() {
            let written = rustix::io::retry_on_intr(|| rustix::io::write(&fd, left));
            left = &left[written.map_err(|e| root::io("writing the file", e))?..];
        }
        let before = done.read_bytes / super::limits::PROGRESS_BYTES;
        done.read_bytes += n as u64;
        done.unpacked_bytes = done.read_bytes;
        if done.read_bytes / super::limits::PROGRESS_BYTES != before {
            progress(&done);
        }
    }
}
