//! Removing what stands where a member goes.

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::super::parents::Parent;

/// Removes a file, link, node or empty directory. True if paths may lead elsewhere now.
/// `NOTEMPTY` for a directory with something in it: it stays.
pub(super) fn clear_the_way(parent: &Parent, name: &[u8]) -> Result<bool, Errno> {
    let stat = rustix::fs::statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    let flags = if kind == FileType::Directory {
        AtFlags::REMOVEDIR
    } else {
        AtFlags::empty()
    };
    rustix::fs::unlinkat(&parent.fd, name, flags)?;
    Ok(matches!(kind, FileType::Directory | FileType::Symlink))
}
