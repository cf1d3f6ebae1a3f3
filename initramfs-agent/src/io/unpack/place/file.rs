//! Regular files: their content, metadata, and whether they fit.

use rustix::fd::OwnedFd;
use rustix::fs::{Mode, OFlags, XattrFlags};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use super::super::dpkg;
use super::super::input::Input;
use super::super::member::{MemberPath, Meta, forbidden};
use super::super::parents::Parent;
use super::super::root::{self, TargetRoot};
use super::super::target::Identity;
use super::{Placer, timestamps, with};
use crate::core::error::{Code, Error, Result};

impl Placer<'_> {
    /// A regular file with the next `size` bytes of the input; none if it was no file for the root
    /// (`tmp/dpkg_status`).
    pub fn make_file(
        &mut self,
        path: &MemberPath,
        meta: &Meta,
        size: u64,
        input: &mut Input<'_>,
    ) -> Result<Option<Identity>> {
        if self.tally.limits.merge_dpkg_status && path.bytes() == dpkg::MEMBER {
            let text = dpkg::read(size, input, &mut self.tally.summary)?;
            dpkg::merge(&text, self.root, &mut self.parents, &mut self.tally.summary)?;
            return Ok(None);
        }
        let (parent, name) = self.parent(path)?;
        self.reserve(path, size, input)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(0o600);
        let open = || rustix::fs::openat(&parent.fd, name, flags, mode);
        let fd = self.make(&parent, name, path, open)?;
        self.write(path, &fd, size, input)?;
        self.finish_file(path, meta, &parent, &fd)?;
        self.tally.summary.files += 1;
        self.owners.changed(name);
        let stat = rustix::fs::fstat(&fd).map_err(|e| with(path, e))?;
        Ok(Some((stat.st_dev, stat.st_ino)))
    }

    /// The next `size` bytes of the input into an open file.
    fn write(&mut self, path: &MemberPath, fd: &OwnedFd, size: u64, input: &mut Input<'_>) -> Result<()> {
        let mut left = size;
        while left > 0 {
            let chunk = input.chunk(left)?;
            let n = match rustix::io::write(fd, chunk) {
                Err(Errno::INTR) => continue,
                Err(Errno::NOSPC | Errno::DQUOT) => return Err(self.full(path, left)),
                other => other.map_err(|e| with(path, e))?,
            };
            input.take(n);
            left -= n as u64;
            self.tally.wrote(input);
        }
        Ok(())
    }

    /// Writes what came with a later hard link into a file made earlier in this archive (cpio).
    pub fn fill_file(
        &mut self,
        path: &MemberPath,
        made: Identity,
        meta: &Meta,
        size: u64,
        input: &mut Input<'_>,
    ) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&parent.fd, name, flags, Mode::empty()).map_err(|e| with(path, e))?;
        let stat = rustix::fs::fstat(&fd).map_err(|e| with(path, e))?;
        if (stat.st_dev, stat.st_ino) != made {
            return Err(forbidden(path, "is a hard link to something that was replaced"));
        }
        self.reserve(path, size, input)?;
        self.write(path, &fd, size, input)?;
        self.finish_file(path, meta, &parent, &fd)
    }

    /// Owner, mode, attributes and time of a file whose content is whole.
    fn finish_file(&mut self, path: &MemberPath, meta: &Meta, parent: &Parent, fd: &OwnedFd) -> Result<()> {
        let mut mode = meta.mode;
        let fail = |e| with(path, e);
        if let Some((uid, gid)) = self.owner(meta)
            && (uid != 0 || gid != 0 || parent.setgid)
        {
            match rustix::fs::fchown(fd, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid))) {
                Err(Errno::PERM | Errno::INVAL) => self.tally.summary.owners_skipped += 1,
                other => other.map_err(fail)?,
            }
        }
        if !self.root.is_root {
            mode &= 0o777;
        }
        rustix::fs::fchmod(fd, Mode::from_raw_mode(mode)).map_err(fail)?;
        for (name, value) in &meta.xattrs {
            let wanted = name.starts_with(b"user.") || self.root.is_root && name == b"security.capability";
            if !wanted || rustix::fs::fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()).is_err() {
                self.tally.summary.xattrs_skipped += 1;
            }
        }
        rustix::fs::futimens(fd, &timestamps(meta.mtime_s, meta.mtime_ns)).map_err(fail)
    }

    /// Refuses a file that cannot fit before its first byte is written.
    fn reserve(&mut self, path: &MemberPath, size: u64, input: &Input<'_>) -> Result<()> {
        self.tally.fits(path, size, input)?;
        if size > self.free_bytes {
            self.free_bytes = free_bytes(self.root)?;
        }
        if size > self.free_bytes {
            return Err(self.full(path, size));
        }
        self.free_bytes -= size;
        Ok(())
    }

    fn full(&self, path: &MemberPath, needed: u64) -> Error {
        let free = free_bytes(self.root).unwrap_or(0);
        Error::new(
            Code::TargetFull,
            format!("{path} needs {needed} more bytes, the target root has {free} free"),
        )
    }
}

/// What an unprivileged process could still write.
pub(super) fn free_bytes(root: &TargetRoot) -> Result<u64> {
    let stat = rustix::fs::fstatvfs(root.fd()).map_err(|e| root::io("asking for free space", e))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
