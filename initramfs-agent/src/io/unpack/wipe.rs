//! Emptying a directory tree of any depth with a bounded number of open files.
//!
//! Subdirectories are moved up into the root before they are emptied, so no path gets long and
//! nothing is recursive: an archive can nest directories far deeper than a path could name.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, Mode, OFlags, RenameFlags, ResolveFlags};
use rustix::io::Errno;

use super::root::io;
use crate::core::error::{Code, Error, Result};

/// Whether the directory has no entries (`lost+found` of a fresh ext4 aside).
pub(super) fn is_empty(directory: BorrowedFd<'_>) -> Result<bool> {
    Ok(names(directory)?.iter().all(|name| name == b"lost+found"))
}

/// Removes all of `root` but the entry `keep`. Follows no link and enters no mount.
pub(super) fn empty(root: BorrowedFd<'_>, keep: &[u8]) -> Result<()> {
    let mut moved = 0_u64;
    loop {
        let mut left: Vec<Vec<u8>> = names(root)?;
        left.retain(|name| name != keep);
        if left.is_empty() {
            return Ok(());
        }
        for name in left {
            if unlink(root, &name)? {
                continue;
            }
            let child = enter(root, &name)?;
            for inner in names(child.as_fd())? {
                if !unlink(child.as_fd(), &inner)? {
                    drop(enter(child.as_fd(), &inner)?);
                    move_up(child.as_fd(), &inner, root, &mut moved)?;
                }
            }
            match rustix::fs::unlinkat(root, &name[..], AtFlags::REMOVEDIR) {
                // More than one batch of names: the next round.
                Ok(()) | Err(Errno::NOTEMPTY) => {}
                Err(e) => return Err(io("emptying the target root", e)),
            }
        }
    }
}

/// Removes what is no directory; false if it is one.
fn unlink(directory: BorrowedFd<'_>, name: &[u8]) -> Result<bool> {
    match rustix::fs::unlinkat(directory, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR) => Ok(false),
        Err(Errno::BUSY) => Err(mounted()),
        Err(e) => Err(io("emptying the target root", e)),
    }
}

fn enter(directory: BorrowedFd<'_>, name: &[u8]) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open = || {
        let inside = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        match rustix::fs::openat2(directory, name, flags, Mode::empty(), inside) {
            Err(Errno::NOSYS | Errno::PERM) => {
                let fd = rustix::fs::openat(directory, name, flags, Mode::empty())?;
                if rustix::fs::fstat(&fd)?.st_dev != rustix::fs::fstat(directory)?.st_dev {
                    return Err(Errno::XDEV);
                }
                Ok(fd)
            }
            other => other,
        }
    };
    if !rustix::process::geteuid().is_root() {
        // Its mode may keep its owner out. It is a directory: unlink said so.
        let all = Mode::from_raw_mode(0o700);
        rustix::fs::chmodat(directory, name, all, AtFlags::empty())
            .map_err(|e| io("emptying the target root", e))?;
    }
    open().map_err(|e| match e {
        Errno::XDEV => mounted(),
        e => io("emptying the target root", e),
    })
}

fn move_up(from: BorrowedFd<'_>, name: &[u8], root: BorrowedFd<'_>, moved: &mut u64) -> Result<()> {
    loop {
        let to = format!(".bootswarm-wiped-{moved}");
        *moved += 1;
        match rustix::fs::renameat_with(from, name, root, to.as_str(), RenameFlags::NOREPLACE) {
            Ok(()) => return Ok(()),
            Err(Errno::EXIST) => {}
            Err(Errno::BUSY) => return Err(mounted()),
            Err(e) => return Err(io("emptying the target root", e)),
        }
    }
}

/// Names of entries, at most a few thousand at a time so that memory stays bounded.
fn names(directory: BorrowedFd<'_>) -> Result<Vec<Vec<u8>>> {
    let mut out = Vec::new();
    let entries = Dir::read_from(directory).map_err(|e| io("reading a directory", e))?;
    for entry in entries {
        let entry = entry.map_err(|e| io("reading a directory", e))?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            out.push(name.to_vec());
        }
        if out.len() == 4096 {
            break;
        }
    }
    Ok(out)
}

fn mounted() -> Error {
    Error::new(Code::TargetInvalid, "something is mounted inside the target root")
}
