//! Finding directories inside the target root without ever leaving it.
//!
//! Symbolic links are followed as the booted system will follow them: an absolute one starts at the
//! target root, `..` stops there. The kernel does it (`openat2` with `RESOLVE_IN_ROOT`, Linux 5.6);
//! a walk over single names does the same where it cannot, and where directories are to be made.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use super::limits::{LINKS_MAX, PATH_DEPTH_MAX};

/// What every lookup inside the root demands of the kernel.
const INSIDE: ResolveFlags = ResolveFlags::IN_ROOT
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// Opens a directory for lookups only.
pub(super) const LOOKUP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The kernel's own lookup. `EAGAIN` means that something was renamed meanwhile.
pub(super) fn by_kernel(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    for _ in 0..64 {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), INSIDE) {
            Err(Errno::AGAIN) => {}
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

/// The lookup name by name; with `create`, missing directories are made, 0755 and root's.
/// It opens every name without following it, reads links itself, and stays on the root's device.
pub(super) fn by_walk(root: BorrowedFd<'_>, path: &[u8], create: bool, own: bool) -> Result<OwnedFd, Errno> {
    let device = rustix::fs::fstat(root)?.st_dev;
    let mut todo: Vec<Vec<u8>> = Vec::new();
    push_names(&mut todo, path);
    let mut stack: Vec<OwnedFd> = Vec::new();
    let mut links = 0;
    while let Some(name) = todo.pop() {
        if name == b".." {
            stack.pop();
            continue;
        }
        let here = stack.last().map_or(root, |fd| fd.as_fd());
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = match rustix::fs::openat(here, &name[..], flags, Mode::empty()) {
            Err(Errno::NOENT) if create => {
                make_directory(here, &name, own)?;
                rustix::fs::openat(here, &name[..], flags, Mode::empty())?
            }
            other => other?,
        };
        let stat = rustix::fs::fstat(&fd)?;
        match FileType::from_raw_mode(stat.st_mode) {
            _ if stat.st_dev != device => return Err(Errno::XDEV),
            FileType::Directory if stack.len() >= PATH_DEPTH_MAX => return Err(Errno::NAMETOOLONG),
            FileType::Directory => stack.push(fd),
            FileType::Symlink => {
                links += 1;
                if links > LINKS_MAX {
                    return Err(Errno::LOOP);
                }
                let text = rustix::fs::readlinkat(&fd, b"".as_slice(), Vec::new())?;
                let text = text.to_bytes();
                if text.starts_with(b"/") {
                    stack.clear();
                }
                push_names(&mut todo, text);
                if todo.len() > 2 * PATH_DEPTH_MAX {
                    return Err(Errno::NAMETOOLONG);
                }
            }
            _ => return Err(Errno::NOTDIR),
        }
    }
    match stack.pop() {
        Some(fd) => Ok(fd),
        None => rustix::fs::openat(root, b".".as_slice(), LOOKUP, Mode::empty()),
    }
}

/// mkdir without the process's umask, and not with the group of a setgid parent.
fn make_directory(here: BorrowedFd<'_>, name: &[u8], own: bool) -> Result<(), Errno> {
    rustix::fs::mkdirat(here, name, Mode::from_raw_mode(0o755))?;
    if own {
        let root = (rustix::process::Uid::ROOT, rustix::process::Gid::ROOT);
        match rustix::fs::chownat(here, name, Some(root.0), Some(root.1), AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::PERM | Errno::INVAL) | Ok(()) => {}
            Err(e) => return Err(e),
        }
    }
    rustix::fs::chmodat(here, name, Mode::from_raw_mode(0o755), AtFlags::empty())
}

fn push_names(todo: &mut Vec<Vec<u8>>, path: &[u8]) {
    let names = path.split(|&b| b == b'/').filter(|n| !n.is_empty() && *n != b".");
    todo.extend(names.rev().map(<[u8]>::to_vec));
}
