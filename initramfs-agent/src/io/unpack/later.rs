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

impl Pending {
    fn bytes(&self) -> usize {
        self.path.bytes().len() + size_of::<Self>()
    }
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
        let pending = Pending {
            path: path.clone(),
            mode,
            mtime_s: mtime.0,
            mtime_ns: mtime.1,
        };
        self.bytes += pending.bytes();
        self.pending.push(pending);
        if self.bytes > REMEMBERED_BYTES_MAX {
            // Those that hold the current member wait on, each once: at most as many as it has names.
            let mut waiting: Vec<Pending> = Vec::new();
            let mut done = Vec::new();
            for pending in std::mem::take(&mut self.pending).into_iter().rev() {
                if !pending.path.holds(path) {
                    done.push(pending);
                } else if !waiting.iter().any(|w| w.path == pending.path) {
                    waiting.push(pending);
                }
            }
            done.reverse();
            self.pending = done;
            self.apply(root, parents)?;
            self.pending = waiting;
            self.bytes = self.pending.iter().map(Pending::bytes).sum();
        }
        Ok(())
    }

    /// Sets all that waits: children before a parent that may lock them away, and of several
    /// members with one name only the last.
    pub fn apply(&mut self, root: &TargetRoot, parents: &mut Parents) -> Result<()> {
        let mut all = std::mem::take(&mut self.pending);
        self.bytes = 0;
        all.reverse();
        all.sort_by(|a, b| b.path.bytes().cmp(a.path.bytes()));
        all.dedup_by(|a, b| a.path == b.path);
        for pending in &all {
            set(pending, root, parents).map_err(|e| with(&pending.path, e))?;
        }
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
