//! Modes and times of directories, set after what is in them is written.

use std::rc::Rc;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::limits::REMEMBERED_BYTES_MAX;
use super::member::MemberPath;
use super::parents::{Parent, Parents};
use super::place::{timestamps, with};
use super::root::TargetRoot;
use crate::core::error::Result;

struct Pending {
    path: MemberPath,
    mode: u32,
    mtime_s: i64,
    mtime_ns: u32,
}

/// Directories whose metadata waits. Bounded: beyond 512 KiB of paths, those that do not hold the
/// current member are done early; only an archive in no order then loses their times.
#[derive(Default)]
pub(super) struct Later {
    pending: Vec<Pending>,
    bytes: usize,
}

impl Later {
    /// Remembers a directory.
    pub fn add(
        &mut self,
        path: &MemberPath,
        mode: u32,
        mtime: (i64, u32),
        root: &TargetRoot,
        parents: &mut Parents,
    ) -> Result<()> {
        self.bytes += path.bytes().len() + size_of::<Pending>();
        self.pending.push(Pending {
            path: path.clone(),
            mode,
            mtime_s: mtime.0,
            mtime_ns: mtime.1,
        });
        if self.bytes > REMEMBERED_BYTES_MAX {
            let (waiting, done) = std::mem::take(&mut self.pending)
                .into_iter()
                .partition(|p| p.path.holds(path));
            self.pending = done;
            self.apply(root, parents)?;
            self.pending = waiting;
            self.bytes = self
                .pending
                .iter()
                .map(|p| p.path.bytes().len() + size_of::<Pending>())
                .sum();
        }
        Ok(())
    }

    /// Sets all that waits, newest first: so children come before a parent that locks them away.
    pub fn apply(&mut self, root: &TargetRoot, parents: &mut Parents) -> Result<()> {
        while let Some(pending) = self.pending.pop() {
            set(&pending, root, parents).map_err(|e| with(&pending.path, e))?;
        }
        self.bytes = 0;
        Ok(())
    }
}

fn set(pending: &Pending, root: &TargetRoot, parents: &mut Parents) -> std::result::Result<(), Errno> {
    let (parent, name) = match pending.path.split() {
        Some((parent, name)) => (parents.get(root, parent, false), name),
        None => (parents.get(root, b"", false), b".".as_slice()),
    };
    let open = |parent: Rc<Parent>| {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(&parent.fd, name, flags, Mode::empty())
    };
    match parent.and_then(open) {
        Ok(fd) => {
            rustix::fs::fchmod(&fd, Mode::from_raw_mode(pending.mode))?;
            rustix::fs::futimens(&fd, &timestamps(pending.mtime_s, pending.mtime_ns))
        }
        // A later member replaced it.
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(()),
        Err(e) => Err(e),
    }
}
