//! The directory that becomes the node's root, and the marker that says it is not whole yet.

use std::cell::Cell;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::{resolve, wipe};
use crate::core::error::{Code, Error, Result};

/// The file that stands in a root from before its first member until all archives are unpacked.
/// No archive may have a member of this name in any directory.
pub const MARKER: &str = ".bootswarm-incomplete";

/// An open target root. Everything is looked up relative to it and inside it.
pub struct TargetRoot {
    fd: OwnedFd,
    path: PathBuf,
    kernel_lookup: Cell<bool>,
    /// Whether this process may give files away (effective user 0).
    pub(super) is_root: bool,
}

impl TargetRoot {
    /// Opens `path` as a root to fill: a new directory, an empty one, or one left incomplete by an
    /// earlier try, which is emptied. Puts the marker there.
    ///
    /// Errors: `TARGET_INVALID` if it is no directory or has files without a marker; `TARGET_FULL`; `IO`.
    pub fn create(path: &Path) -> Result<Self> {
        match rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(e) => return Err(invalid(path, &format!("cannot be made: {e}"))),
        }
        let root = Self::open(path)?;
        if root.is_incomplete()? {
            root.wipe()?;
        } else if !wipe::is_empty(root.fd())? {
            return Err(invalid(path, "has files and is not marked as incomplete"));
        } else {
            root.mark()?;
            // A fresh tmpfs is open to all; `./` of an archive may still say otherwise.
            match rustix::fs::fchmod(root.fd(), Mode::from_raw_mode(0o755)) {
                Ok(()) | Err(Errno::PERM) => {}
                Err(e) => return Err(io("setting the mode of the target root", e)),
            }
        }
        Ok(root)
    }

    /// Opens an existing directory as it is, without a look at what it holds or a marker.
    /// For tests and tools; the boot path uses [`TargetRoot::create`].
    pub fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|e| invalid(path, &format!("cannot be opened as a directory: {e}")))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
            kernel_lookup: Cell::new(true),
            is_root: rustix::process::geteuid().is_root(),
        })
    }

    /// Opens a directory that holds files already, to put more there, and puts the marker there.
    ///
    /// Errors: `TARGET_INVALID`, `TARGET_FULL`, `IO`.
    pub fn adopt(path: &Path) -> Result<Self> {
        let root = Self::open(path)?;
        root.mark()?;
        Ok(root)
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether what is written here takes memory.
    pub fn is_in_memory(&self) -> bool {
        // linux/magic.h: TMPFS_MAGIC, RAMFS_MAGIC.
        rustix::fs::fstatfs(&self.fd).is_ok_and(|fs| matches!(fs.f_type as u64, 0x0102_1994 | 0x8584_58f6))
    }

    /// Whether the marker stands: then nothing may be booted from this root.
    pub fn is_incomplete(&self) -> Result<bool> {
        match rustix::fs::statat(&self.fd, MARKER, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(e) => Err(io("the marker", e)),
        }
    }

    /// Takes the marker away: every archive is unpacked, the root may be booted.
    pub fn complete(&self) -> Result<()> {
        rustix::fs::unlinkat(&self.fd, MARKER, AtFlags::empty()).map_err(|e| io("removing the marker", e))
    }

    /// Empties the root for another try and marks it. Follows no links and crosses no mounts
    /// (`TARGET_INVALID` if something is mounted inside).
    pub fn wipe(&self) -> Result<()> {
        if !self.is_root {
            // An archive may have locked its owner out.
            rustix::fs::fchmod(self.fd(), Mode::from_raw_mode(0o755))
                .map_err(|e| io("emptying the target root", e))?;
        }
        self.mark()?;
        wipe::empty(self.fd(), MARKER.as_bytes())
    }

    fn mark(&self) -> Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&self.fd, MARKER, flags, Mode::from_raw_mode(0o600))
            .map(drop)
            .map_err(|e| io("writing the marker", e))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Opens the directory at `path` (as of [`super::member::MemberPath`]), following links inside the
    /// root, for lookups only. With `create`, it and its parents are made if missing.
    pub fn directory(&self, path: &[u8], create: bool) -> std::result::Result<OwnedFd, Errno> {
        if create {
            self.directory_made(path, &mut |_| {})
        } else {
            self.lookup(path, None)
        }
    }

    /// As [`TargetRoot::directory`] with `create`; `made` gets the inodes of those that were missing.
    pub(super) fn directory_made(
        &self,
        path: &[u8],
        made: &mut dyn FnMut(u64),
    ) -> std::result::Result<OwnedFd, Errno> {
        self.lookup(path, Some(made))
    }

    fn lookup(&self, path: &[u8], made: Option<&mut dyn FnMut(u64)>) -> std::result::Result<OwnedFd, Errno> {
        if self.kernel_lookup.get() {
            match resolve::by_kernel(self.fd(), path, resolve::LOOKUP) {
                // Too old a kernel, or a sandbox that does not know the call.
                Err(Errno::NOSYS | Errno::PERM) => self.kernel_lookup.set(false),
                Err(Errno::NOENT) if made.is_some() => {}
                other => return other,
            }
        }
        resolve::by_walk(self.fd(), path, made, self.is_root)
    }

    /// Only the walk from here on, as on a kernel without `openat2`.
    #[cfg(test)]
    pub(super) fn without_kernel_lookup(self) -> Self {
        self.kernel_lookup.set(false);
        self
    }
}

/// Opens a regular file in a directory to read it. Anything else is `INVAL` and never opened: opening
/// a device has effects.
pub(super) fn open_regular(directory: &OwnedFd, name: &[u8]) -> std::result::Result<OwnedFd, Errno> {
    let stat = rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(Errno::INVAL);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

/// An error of the system, with the code that fits.
pub(super) fn io(what: &str, e: Errno) -> Error {
    let code = match e {
        Errno::NOSPC | Errno::DQUOT => Code::TargetFull,
        Errno::XDEV | Errno::ROFS => Code::TargetInvalid,
        Errno::LOOP | Errno::NAMETOOLONG => Code::ArchiveMalformed,
        Errno::NOTDIR => Code::ArchiveForbiddenEntry,
        _ => Code::Io,
    };
    let text = match e {
        Errno::NOSPC => "no space or no inodes left in the target root",
        Errno::XDEV => "something else is mounted there inside the target root",
        Errno::LOOP => "too many symbolic links",
        Errno::NOTDIR => "a file stands where the archive has a directory",
        _ => return Error::new(code, format!("{what}: {e}")),
    };
    Error::new(code, format!("{what}: {text}"))
}

fn invalid(path: &Path, what: &str) -> Error {
    Error::new(Code::TargetInvalid, format!("{} {what}", path.display()))
}
