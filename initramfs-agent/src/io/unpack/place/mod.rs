//! Making members in the target root.
//!
//! Whatever stands at a member's own name is removed and made anew: nothing is ever written through
//! a link or into a file that another hard link shows.

mod file;
mod replace;

use std::rc::Rc;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType, Mode, Timespec, Timestamps, UTIME_OMIT};
use rustix::io::Errno;
use rustix::process::{Gid, Uid};

use self::file::free_bytes;
use super::Summary;
use super::input::Input;
use super::later::Later;
use super::member::{MemberPath, Meta, forbidden, link_text, missing};
use super::owners::Owners;
use super::parents::{Parent, Parents};
use super::root::{self, TargetRoot};
use super::tally::Tally;
use super::target::{Identity, Target};
use crate::core::error::{Code, Error, Result};

/// One unpacking into one root.
pub(super) struct Placer<'a> {
    root: &'a TargetRoot,
    tally: Tally<'a>,
    parents: Parents,
    owners: Owners,
    later: Later,
    free_bytes: u64,
}

impl<'a> Target<'a> for Placer<'a> {
    fn tally(&mut self) -> &mut Tally<'a> {
        &mut self.tally
    }

    fn directory(&mut self, path: &MemberPath, meta: &Meta) -> Result<()> {
        let keep = self.tally.limits.keep_directories;
        let Some((parent, name)) = self.parent_of(path)? else {
            if keep {
                return Ok(());
            }
            let here = self.parents.get(self.root, b"", false);
            let here = here.map_err(|e| with(path, e))?;
            self.own(path, meta, &here, b".")?;
            return self.later(path, meta);
        };
        let all = Mode::from_raw_mode(0o700);
        let stat = || rustix::fs::statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        match rustix::fs::mkdirat(&parent.fd, name, all) {
            Err(Errno::EXIST) => {
                let there = stat().map_err(|e| with(path, e))?;
                match FileType::from_raw_mode(there.st_mode) {
                    FileType::Directory if keep && !self.parents.has_made(there.st_ino) => return Ok(()),
                    FileType::Directory if !self.root.is_root => {
                        // Its own mode may lock us out; the member's comes at the end.
                        rustix::fs::chmodat(&parent.fd, name, all, AtFlags::empty())
                            .map_err(|e| with(path, e))?;
                    }
                    FileType::Directory => {}
                    FileType::Symlink if self.parents.get(self.root, path.bytes(), false).is_ok() => {
                        return Ok(());
                    }
                    _ => self.make(&parent, name, path, || rustix::fs::mkdirat(&parent.fd, name, all))?,
                }
            }
            other => other.map_err(|e| with(path, e))?,
        }
        if keep {
            self.parents.made(stat().map_err(|e| with(path, e))?.st_ino);
        }
        self.own(path, meta, &parent, name)?;
        self.owners.changed(name);
        self.later(path, meta)
    }

    fn symlink(&mut self, path: &MemberPath, meta: &Meta, text: &[u8]) -> Result<()> {
        link_text(path, text)?;
        let (parent, name) = self.parent(path)?;
        self.make(&parent, name, path, || {
            rustix::fs::symlinkat(text, &parent.fd, name)
        })?;
        self.own(path, meta, &parent, name)?;
        self.owners.changed(name);
        let times = timestamps(meta.mtime_s, meta.mtime_ns);
        rustix::fs::utimensat(&parent.fd, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| with(path, e))
    }

    fn hard_link(&mut self, path: &MemberPath, target: &MemberPath) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let Some((dir, base)) = target.split() else {
            return Err(forbidden(path, "is a hard link to the root directory"));
        };
        let from = self.parents.get(self.root, dir, false);
        let from = from.map_err(|e| not_linked(path, target, e))?;
        let link = || rustix::fs::linkat(&from.fd, base, &parent.fd, name, AtFlags::empty());
        match link() {
            Err(Errno::EXIST) => {
                let stat = |fd: &OwnedFd, name| rustix::fs::statat(fd, name, AtFlags::SYMLINK_NOFOLLOW);
                let old = stat(&parent.fd, name).map_err(|e| with(path, e))?;
                let new = stat(&from.fd, base).map_err(|e| not_linked(path, target, e))?;
                if FileType::from_raw_mode(new.st_mode) == FileType::Directory {
                    return Err(forbidden(path, "is a hard link to a directory"));
                }
                if (old.st_dev, old.st_ino) != (new.st_dev, new.st_ino) {
                    self.make(&parent, name, path, link)?;
                }
            }
            Err(Errno::PERM) => return Err(forbidden(path, "is a hard link that the system forbids")),
            other => other.map_err(|e| not_linked(path, target, e))?,
        }
        self.owners.changed(name);
        Ok(())
    }

    fn node(&mut self, path: &MemberPath, meta: &Meta, kind: FileType, device: (u32, u32)) -> Result<()> {
        self.tally.allows_node(path)?;
        let (parent, name) = self.parent(path)?;
        let mode = Mode::from_raw_mode(0o600);
        let dev = rustix::fs::makedev(device.0, device.1);
        let node = || rustix::fs::mknodat(&parent.fd, name, kind, mode, dev);
        self.make(&parent, name, path, node).map_err(|e| match e.code {
            Code::Io => forbidden(path, "is a device and cannot be made by this process"),
            _ => e,
        })?;
        self.own(path, meta, &parent, name)?;
        let mode = Mode::from_raw_mode(meta.mode);
        // Made just now and no link: nothing is followed.
        rustix::fs::chmodat(&parent.fd, name, mode, AtFlags::empty()).map_err(|e| with(path, e))?;
        let times = timestamps(meta.mtime_s, meta.mtime_ns);
        rustix::fs::utimensat(&parent.fd, name, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(|e| with(path, e))
    }

    fn file(
        &mut self,
        path: &MemberPath,
        meta: &Meta,
        size: u64,
        input: &mut Input<'_>,
    ) -> Result<Option<Identity>> {
        self.make_file(path, meta, size, input)
    }

    fn fill(
        &mut self,
        path: &MemberPath,
        made: Identity,
        meta: &Meta,
        size: u64,
        input: &mut Input<'_>,
    ) -> Result<()> {
        self.fill_file(path, made, meta, size, input)
    }
}

impl<'a> Placer<'a> {
    pub fn new(root: &'a TargetRoot, tally: Tally<'a>) -> Result<Self> {
        Ok(Self {
            root,
            tally,
            parents: Parents::default(),
            owners: Owners::default(),
            later: Later::default(),
            free_bytes: free_bytes(root)?,
        })
    }

    /// The directory of a member, made if missing, and the member's name in it.
    fn parent<'p>(&mut self, path: &'p MemberPath) -> Result<(Rc<Parent>, &'p [u8])> {
        self.parent_of(path)?
            .ok_or_else(|| forbidden(path, "replaces the root directory"))
    }

    fn parent_of<'p>(&mut self, path: &'p MemberPath) -> Result<Option<(Rc<Parent>, &'p [u8])>> {
        let Some((dir, name)) = path.split() else {
            return Ok(None);
        };
        let parent = self
            .parents
            .get(self.root, dir, true)
            .map_err(|e| with(path, e))?;
        Ok(Some((parent, name)))
    }

    /// Makes something at a name; what stands there goes first.
    fn make<T>(
        &mut self,
        parent: &Parent,
        name: &[u8],
        path: &MemberPath,
        make: impl Fn() -> std::result::Result<T, Errno>,
    ) -> Result<T> {
        match make() {
            Err(Errno::EXIST) => {
                if replace::clear_the_way(parent, name).map_err(|e| match e {
                    Errno::NOTEMPTY => forbidden(path, "replaces a directory that is not empty"),
                    e => with(path, e),
                })? {
                    self.parents.clear();
                }
                make().map_err(|e| with(path, e))
            }
            other => other.map_err(|e| with(path, e)),
        }
    }

    /// Sets the owner of what is no file; links are not followed.
    fn own(&mut self, path: &MemberPath, meta: &Meta, parent: &Parent, name: &[u8]) -> Result<()> {
        let Some((uid, gid)) = self.owner(meta) else {
            return Ok(());
        };
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        match rustix::fs::chownat(&parent.fd, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::PERM | Errno::INVAL) => self.tally.summary.owners_skipped += 1,
            other => other.map_err(|e| with(path, e))?,
        }
        Ok(())
    }

    fn owner(&mut self, meta: &Meta) -> Option<(u32, u32)> {
        if !self.root.is_root {
            self.tally.summary.owners_skipped += 1;
            return None;
        }
        if !self.tally.limits.owners_by_name {
            return Some((meta.uid, meta.gid));
        }
        let uid = self
            .owners
            .user(&meta.uname, meta.uid, self.root, &mut self.parents);
        Some((
            uid,
            self.owners
                .group(&meta.gname, meta.gid, self.root, &mut self.parents),
        ))
    }

    fn later(&mut self, path: &MemberPath, meta: &Meta) -> Result<()> {
        self.tally.summary.xattrs_skipped += meta.xattrs.len() as u64;
        let mode = if self.root.is_root {
            meta.mode
        } else {
            meta.mode & 0o1777
        };
        self.later.add(
            path,
            mode,
            (meta.mtime_s, meta.mtime_ns),
            self.root,
            &mut self.parents,
        )
    }

    /// Sets what had to wait and says what was done.
    pub fn finish(mut self, input: &Input<'_>) -> Result<Summary> {
        self.later.apply(self.root, &mut self.parents)?;
        Ok(self.tally.finish(input))
    }
}

/// An error of the system at a member.
pub(super) fn with(path: &MemberPath, e: Errno) -> Error {
    root::io(&path.to_string(), e)
}

/// Modification time as given, access time untouched.
pub(super) fn timestamps(mtime_s: i64, mtime_ns: u32) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT as _,
        },
        last_modification: Timespec {
            tv_sec: mtime_s,
            tv_nsec: mtime_ns.into(),
        },
    }
}

fn not_linked(path: &MemberPath, target: &MemberPath, e: Errno) -> Error {
    match e {
        Errno::NOENT => missing(path, target),
        e => with(path, e),
    }
}
