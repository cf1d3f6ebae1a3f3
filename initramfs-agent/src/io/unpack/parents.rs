//! The directories members go into, kept open: most members follow a sibling.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use rustix::io::Errno;

use super::limits::MADE_MAX;
use super::root::TargetRoot;

const KEPT: usize = 16;
const SETGID: u32 = 0o2000;

/// An open directory inside the root.
pub(super) struct Parent {
    pub fd: OwnedFd,
    /// New files inherit its group: their owner must always be set.
    pub setgid: bool,
}

/// The last used directories, newest last.
#[derive(Default)]
pub(super) struct Parents {
    kept: Vec<(Vec<u8>, Rc<Parent>)>,
    /// Inodes of directories that the archive has brought. Beyond the bound they count as the root's own.
    made: HashSet<u64>,
}

impl Parents {
    /// The directory at `path`; with `create`, made if missing.
    pub fn get(&mut self, root: &TargetRoot, path: &[u8], create: bool) -> Result<Rc<Parent>, Errno> {
        if let Some(at) = self.kept.iter().rposition(|(kept, _)| kept == path) {
            if at + 1 < self.kept.len() {
                let used = self.kept.remove(at);
                self.kept.push(used);
            }
            return Ok(self.kept[self.kept.len() - 1].1.clone());
        }
        let fd = if create {
            root.directory_made(path, &mut |inode| note(&mut self.made, inode))?
        } else {
            root.directory(path, false)?
        };
        let setgid = rustix::fs::fstat(&fd)?.st_mode & SETGID != 0;
        let parent = Rc::new(Parent { fd, setgid });
        if self.kept.len() == KEPT {
            self.kept.remove(0);
        }
        self.kept.push((path.to_vec(), parent.clone()));
        Ok(parent)
    }

    /// Remembers that the archive has made a directory.
    pub fn made(&mut self, inode: u64) {
        note(&mut self.made, inode);
    }

    /// Whether the archive has made this directory.
    pub fn has_made(&self, inode: u64) -> bool {
        self.made.contains(&inode)
    }

    /// Forgets all that is open: a directory or a link was removed, paths may lead elsewhere now.
    pub fn clear(&mut self) {
        self.kept.clear();
    }
}

fn note(made: &mut HashSet<u64>, inode: u64) {
    if made.len() < MADE_MAX {
        made.insert(inode);
    }
}
