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

/// How often a lookup is repeated that ended in `ELOOP`.
const LOOPS_MAX: u32 = 8;

/// The kernel's own lookup. `EAGAIN` means that something was renamed meanwhile. `ELOOP` need not be true on a busy
/// machine: a lookup without locks that has to begin anew goes on counting links where it was (fs/namei.c).
pub(super) fn by_kernel(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { b"." } else { path };
    let mut loops = 0;
    for _ in 0..64 {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), INSIDE) {
            Err(Errno::AGAIN) => {}
            Err(Errno::LOOP) if loops < LOOPS_MAX => loops += 1,
            other => return other,
        }
    }
    Err(Errno::AGAIN)
}

/// The lookup name by name; with `made`, missing directories are made, 0755 and root's, and it gets their inodes.
/// It opens every name without following it, reads links itself, and stays on the root's device.
pub(super) fn by_walk(
    root: BorrowedFd<'_>,
    path: &[u8],
    mut made: Option<&mut dyn FnMut(u64)>,
    own: bool,
) -> Result<OwnedFd, Errno> {
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
        let fd = match (
            rustix::fs::openat(here, &name[..], flags, Mode::empty()),
            &mut made,
        ) {
            (Err(Errno::NOENT), Some(made)) => {
                make_directory(here, &name, own)?;
                let fd = rustix::fs::openat(here, &name[..], flags, Mode::empty())?;
                made(rustix::fs::fstat(&fd)?.st_ino);
                fd
            }
            (other, _) => other?,
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

/// Puts the names of a path before what is still to be walked, the next one last.
pub(super) fn push_names(todo: &mut Vec<Vec<u8>>, path: &[u8]) {
    let names = path.split(|&b| b == b'/').filter(|n| !n.is_empty() && *n != b".");
    todo.extend(names.rev().map(<[u8]>::to_vec));
}
