//! A root in memory that holds names and links but no content: what an archive would do to an empty root, found out
//! without writing. It answers as the kernel and [`super::place`] do; tests run both over the same archives.
//!
//! For an archive that goes over another one (a plugin) what lies beneath is unknown. Then it refuses only what no
//! root could make right.

use std::collections::HashMap;

use rustix::fs::FileType;
use rustix::io::Errno;

use super::dpkg;
use super::input::Input;
use super::limits::{LINKS_MAX, MODEL_BYTES_MAX, NAME_BYTES_MAX, PATH_DEPTH_MAX};
use super::member::{MemberPath, Meta, forbidden, link_text, missing};
use super::place::with;
use super::tally::Tally;
use super::target::{Identity, Target};
use crate::core::error::{Code, Error, Result};

/// What tmpfs gives files, bytes.
const PAGE: u64 = 4096;
/// What tmpfs takes for a name and its inode (`shmem_inode_cache` and `dentry` of Linux 6.1), bytes.
const NAME_COST: u64 = 1024;
/// What one name costs in the model beside its own bytes.
const ENTRY_BYTES: usize = 96;

type Id = usize;
const ROOT: Id = 0;

enum Inode {
    Directory(HashMap<Box<[u8]>, Id>),
    Link(Box<[u8]>),
    File(File),
    Node,
    /// A file of the root beneath, which nothing is known of.
    Unknown,
}

#[derive(Clone, Copy, Default)]
struct File {
    size: u64,
    executable: bool,
    /// Its first bytes.
    head: [u8; 4],
    names: u32,
}

/// See the module.
pub(super) struct Model<'a> {
    tally: Tally<'a>,
    inodes: Vec<Inode>,
    /// Whether the archive goes over a root that is not known.
    over_unknown: bool,
    bytes: usize,
    memory_bytes: u64,
}

impl<'a> Model<'a> {
    pub fn new(tally: Tally<'a>, over_unknown: bool) -> Self {
        Self {
            tally,
            inodes: vec![Inode::Directory(HashMap::new())],
            over_unknown,
            bytes: 0,
            memory_bytes: 0,
        }
    }

    /// What a root of it takes in a node's tmpfs, about.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_bytes
    }

    pub fn into_tally(self) -> Tally<'a> {
        self.tally
    }

    /// Whether there is a program at `path` that the kernel would run, links followed inside the root.
    pub fn is_program(&self, path: &[u8]) -> bool {
        let Ok(id) = self.find(path) else { return false };
        match &self.inodes[id] {
            Inode::File(file) => file.executable && super::init::is_program(&file.head),
            _ => false,
        }
    }

    /// What is at `path`, links followed to the end.
    fn find(&self, path: &[u8]) -> std::result::Result<Id, Errno> {
        let mut walk = Walk::new(path);
        while let Some(name) = walk.todo.pop() {
            if name == b".." {
                walk.stack.pop();
                continue;
            }
            walk.step(self, &name)?;
        }
        Ok(walk.here())
    }

    /// The directory at `path`; missing ones are made.
    fn directory_at(&mut self, path: &[u8], create: bool) -> std::result::Result<Id, Errno> {
        let mut walk = Walk::new(path);
        while let Some(name) = walk.todo.pop() {
            if name == b".." {
                walk.stack.pop();
                continue;
            }
            match walk.step(self, &name) {
                Err(Errno::NOENT) if create => {
                    let id = self.add(walk.here(), &name, Inode::Directory(HashMap::new()))?;
                    walk.stack.push(id);
                }
                other => other?,
            }
            let here = walk.here();
            match self.inodes[here] {
                Inode::Directory(_) => {}
                // Nobody knows what it is.
                Inode::Unknown => self.inodes[here] = Inode::Directory(HashMap::new()),
                _ => return Err(Errno::NOTDIR),
            }
        }
        Ok(walk.here())
    }

    fn entry(&self, directory: Id, name: &[u8]) -> Option<Id> {
        match &self.inodes[directory] {
            Inode::Directory(entries) => entries.get(name).copied(),
            _ => None,
        }
    }

    fn parent<'p>(&mut self, path: &'p MemberPath) -> Result<(Id, &'p [u8])> {
        let (directory, name) = path
            .split()
            .ok_or_else(|| forbidden(path, "replaces the root directory"))?;
        let parent = self.directory_at(directory, true);
        Ok((parent.map_err(|e| self.error(path, e))?, name))
    }

    /// Puts something at a free name.
    fn add(&mut self, directory: Id, name: &[u8], inode: Inode) -> std::result::Result<Id, Errno> {
        self.inodes.push(inode);
        let id = self.inodes.len() - 1;
        self.link(directory, name, id)?;
        Ok(id)
    }

    fn link(&mut self, directory: Id, name: &[u8], id: Id) -> std::result::Result<(), Errno> {
        self.bytes += name.len() + ENTRY_BYTES;
        if let Inode::Link(text) = &self.inodes[id] {
            self.bytes += text.len();
        }
        if self.bytes > MODEL_BYTES_MAX {
            return Err(Errno::NOMEM);
        }
        if let Inode::File(file) = &mut self.inodes[id] {
            file.names += 1;
        }
        self.memory_bytes += NAME_COST;
        if let Inode::Directory(entries) = &mut self.inodes[directory] {
            entries.insert(name.into(), id);
        }
        Ok(())
    }

    /// Makes something at a name; what stands there goes first, unless it is a directory with something in it.
    fn make(&mut self, path: &MemberPath, inode: Inode) -> Result<Id> {
        let (parent, name) = self.parent(path)?;
        self.clear(path, parent, name)?;
        let added = self.add(parent, name, inode);
        added.map_err(|e| self.error(path, e))
    }

    fn clear(&mut self, path: &MemberPath, parent: Id, name: &[u8]) -> Result<()> {
        let Some(id) = self.entry(parent, name) else {
            return Ok(());
        };
        match &mut self.inodes[id] {
            Inode::Directory(entries) if !entries.is_empty() => {
                return Err(forbidden(path, "replaces a directory that is not empty"));
            }
            Inode::File(file) => {
                file.names -= 1;
                if file.names == 0 {
                    self.memory_bytes -= pages(file.size);
                }
            }
            _ => {}
        }
        self.memory_bytes -= NAME_COST;
        if let Inode::Directory(entries) = &mut self.inodes[parent] {
            entries.remove(name);
        }
        Ok(())
    }

    /// Reads a file's content.
    fn content(&mut self, id: Id, meta: &Meta, size: u64, input: &mut Input<'_>) -> Result<()> {
        let mut head = [0; 4];
        let mut seen = 0;
        while seen < size {
            let chunk = input.chunk(size - seen)?;
            if seen < 4 {
                let at = seen as usize;
                let n = chunk.len().min(4 - at);
                head[at..at + n].copy_from_slice(&chunk[..n]);
            }
            let n = chunk.len();
            input.take(n);
            seen += n as u64;
            self.tally.wrote(input);
        }
        if let Inode::File(file) = &mut self.inodes[id] {
            self.memory_bytes = self.memory_bytes - pages(file.size) + pages(size);
            *file = File {
                size,
                executable: meta.mode & 0o111 != 0,
                head,
                names: file.names,
            };
        }
        Ok(())
    }

    fn error(&self, path: &MemberPath, e: Errno) -> Error {
        match e {
            Errno::NOMEM => Error::new(
                Code::ArchiveTooManyEntries,
                format!("names and links need more than {MODEL_BYTES_MAX} bytes"),
            ),
            e => with(path, e),
        }
    }
}

impl<'a> Target<'a> for Model<'a> {
    fn tally(&mut self) -> &mut Tally<'a> {
        &mut self.tally
    }

    fn directory(&mut self, path: &MemberPath, meta: &Meta) -> Result<()> {
        self.tally.summary.xattrs_skipped += meta.xattrs.len() as u64;
        if path.split().is_none() {
            return Ok(());
        }
        let (parent, name) = self.parent(path)?;
        match self.entry(parent, name).map(|id| &self.inodes[id]) {
            Some(Inode::Directory(_)) => Ok(()),
            Some(Inode::Link(_)) => match self.directory_at(path.bytes(), false) {
                Ok(_) => Ok(()),
                // It may lead to a directory of the root beneath.
                Err(Errno::NOENT) if self.over_unknown => Ok(()),
                Err(_) => self.make(path, Inode::Directory(HashMap::new())).map(drop),
            },
            _ => self.make(path, Inode::Directory(HashMap::new())).map(drop),
        }
    }

    fn file(
        &mut self,
        path: &MemberPath,
        meta: &Meta,
        size: u64,
        input: &mut Input<'_>,
    ) -> Result<Option<Identity>> {
        if self.tally.limits.merge_dpkg_status && path.bytes() == dpkg::MEMBER {
            let text = dpkg::read(size, input, &mut self.tally.summary)?;
            if !text.is_empty() {
                let made = self.directory_at(dpkg::DIRECTORY, true);
                made.map_err(|e| super::root::io("var/lib/dpkg", e))?;
            }
            return Ok(None);
        }
        let parent = self.parent(path);
        parent?;
        self.tally.fits(path, size, input)?;
        let id = self.make(path, Inode::File(File::default()))?;
        self.content(id, meta, size, input)?;
        self.tally.summary.files += 1;
        Ok(Some((0, id as u64)))
    }

    fn fill(
        &mut self,
        path: &MemberPath,
        made: Identity,
        meta: &Meta,
        size: u64,
        input: &mut Input<'_>,
    ) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let id = self
            .entry(parent, name)
            .filter(|&id| made == (0, id as u64))
            .ok_or_else(|| forbidden(path, "is a hard link to something that was replaced"))?;
        self.tally.fits(path, size, input)?;
        self.content(id, meta, size, input)
    }

    fn symlink(&mut self, path: &MemberPath, _: &Meta, text: &[u8]) -> Result<()> {
        link_text(path, text)?;
        self.make(path, Inode::Link(text.into())).map(drop)
    }

    fn hard_link(&mut self, path: &MemberPath, target: &MemberPath) -> Result<()> {
        let (parent, name) = self.parent(path)?;
        let Some((directory, base)) = target.split() else {
            return Err(forbidden(path, "is a hard link to the root directory"));
        };
        let from = match self.directory_at(directory, false) {
            Ok(from) => self.entry(from, base),
            Err(Errno::NOENT) => None,
            Err(e) => return Err(with(path, e)),
        };
        let Some(id) = from else {
            if self.over_unknown {
                return self.make(path, Inode::Unknown).map(drop);
            }
            return Err(missing(path, target));
        };
        if matches!(self.inodes[id], Inode::Directory(_)) {
            return Err(forbidden(path, "is a hard link to a directory"));
        }
        if self.entry(parent, name) == Some(id) {
            return Ok(());
        }
        self.clear(path, parent, name)?;
        let linked = self.link(parent, name, id);
        linked.map_err(|e| self.error(path, e))
    }

    fn node(&mut self, path: &MemberPath, _: &Meta, _: FileType, _: (u32, u32)) -> Result<()> {
        self.tally.allows_node(path)?;
        self.make(path, Inode::Node).map(drop)
    }
}

/// A lookup name by name, as `resolve::by_walk` does it in a file system.
struct Walk {
    todo: Vec<Vec<u8>>,
    stack: Vec<Id>,
    links: u32,
}

impl Walk {
    fn new(path: &[u8]) -> Self {
        let mut walk = Self {
            todo: Vec::new(),
            stack: Vec::new(),
            links: 0,
        };
        super::resolve::push_names(&mut walk.todo, path);
        walk
    }

    fn here(&self) -> Id {
        self.stack.last().copied().unwrap_or(ROOT)
    }

    /// Goes on to `name`, or to where a link of that name leads.
    fn step(&mut self, model: &Model<'_>, name: &[u8]) -> std::result::Result<(), Errno> {
        if name.len() > NAME_BYTES_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        let here = self.here();
        if !matches!(model.inodes[here], Inode::Directory(_)) {
            return Err(Errno::NOTDIR);
        }
        let id = model.entry(here, name).ok_or(Errno::NOENT)?;
        let Inode::Link(text) = &model.inodes[id] else {
            if self.stack.len() >= PATH_DEPTH_MAX {
                return Err(Errno::NAMETOOLONG);
            }
            self.stack.push(id);
            return Ok(());
        };
        self.links += 1;
        if self.links > LINKS_MAX {
            return Err(Errno::LOOP);
        }
        if text.starts_with(b"/") {
            self.stack.clear();
        }
        super::resolve::push_names(&mut self.todo, text);
        if self.todo.len() > 2 * PATH_DEPTH_MAX {
            return Err(Errno::NAMETOOLONG);
        }
        Ok(())
    }
}

fn pages(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE) * PAGE
}
