//! Where the bytes of an artifact lie: a memfd, or a file.
//!
//! Bytes go in and out with `pwrite`, `pread` and `sendfile` only; nothing is mapped, so the payload is
//! never part of the process's resident memory. Readers follow the frontier of verified bytes.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, CWD, MemfdFlags, Mode, OFlags, ftruncate, memfd_create};

use crate::core::error::{Code, Error, Result};

/// The bytes of one artifact and how far they are verified. Shared by the event loop (writes),
/// the fetchers (write) and the unpacker (reads).
#[derive(Debug)]
pub struct Artifact {
    file: File,
    /// It has no name: its memory is free once the artifact is released.
    is_private: AtomicBool,
    size_bytes: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// All bytes below this are verified.
    frontier: u64,
    /// Verified ranges above the frontier, start to end, never touching one another.
    islands: BTreeMap<u64, u64>,
    failed: Option<Error>,
}

impl Artifact {
    /// A place in memory (memfd) for `size_bytes`. Pages are taken as bytes arrive.
    pub fn memory(size_bytes: u64) -> Result<Arc<Self>> {
        let fd = memfd_create("bootswarm-artifact", MemfdFlags::CLOEXEC).map_err(io::Error::from)?;
        Self::sized(File::from(fd), true, size_bytes)
    }

    /// A place in a directory's file system, under no name yet; in memory where that cannot be.
    pub fn unnamed(directory: &Path, size_bytes: u64) -> Result<Arc<Self>> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        match rustix::fs::open(directory, flags, Mode::from_raw_mode(0o644)) {
            Ok(fd) => Self::sized(File::from(fd), true, size_bytes),
            Err(_) => Self::memory(size_bytes),
        }
    }

    /// Gives what [`Artifact::unnamed`] made a name in the same file system; `false` where that cannot be. From then on
    /// it is the file of whoever uses that name, and [`Artifact::release`] leaves it alone.
    pub fn link(&self, path: &Path) -> bool {
        // Before it has a name: nobody's file is ever cut off.
        self.is_private.store(false, Ordering::Relaxed);
        let own = format!("/proc/self/fd/{}", self.file.as_raw_fd());
        let linked = rustix::fs::linkat(CWD, own, CWD, path, AtFlags::SYMLINK_FOLLOW).is_ok();
        if !linked {
            let names = rustix::fs::fstat(&self.file).map_or(1, |stat| stat.st_nlink);
            self.is_private.store(names == 0, Ordering::Relaxed);
        }
        linked
    }

    /// A file of `size_bytes`, created if it is not there; what it holds already counts for nothing.
    pub fn file(path: &Path, size_bytes: u64) -> Result<Arc<Self>> {
        let open = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        Self::sized(open.map_err(|e| at(path, &e))?, false, size_bytes)
    }

    /// An existing file, opened for reading only, none of it verified yet.
    pub fn existing(path: &Path) -> Result<Arc<Self>> {
        let file = File::open(path).map_err(|e| at(path, &e))?;
        let size_bytes = file.metadata().map_err(|e| at(path, &e))?.len();
        Ok(Self::new(file, false, size_bytes))
    }

    fn sized(file: File, is_private: bool, size_bytes: u64) -> Result<Arc<Self>> {
        ftruncate(&file, size_bytes).map_err(io::Error::from)?;
        Ok(Self::new(file, is_private, size_bytes))
    }

    fn new(file: File, is_private: bool, size_bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            file,
            is_private: AtomicBool::new(is_private),
            size_bytes,
            state: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Bytes in all.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The memfd or file, for `sendfile` and for mounting.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Memory that [`Artifact::release`] frees, bytes.
    pub fn private_bytes(&self) -> u64 {
        if self.is_private.load(Ordering::Relaxed) {
            self.size_bytes
        } else {
            0
        }
    }

    /// Frees its memory, whoever still holds it; a file of others stays as it is. Reading fails from now on.
    pub fn release(&self) {
        if self.is_private.load(Ordering::Relaxed) {
            // It can fail only where there is nothing to free.
            let _ = ftruncate(&self.file, 0);
        }
    }

    /// Writes all of `bytes` at `offset`; they are unverified. Writing beyond the end is [`Code::Io`].
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.check_range(offset, bytes.len())?;
        Ok(self.file.write_all_at(bytes, offset)?)
    }

    /// Fills `into` from `offset`, verified or not.
    pub fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<()> {
        self.check_range(offset, into.len())?;
        Ok(self.file.read_exact_at(into, offset)?)
    }

    fn check_range(&self, offset: u64, len: usize) -> Result<()> {
        match offset.checked_add(len as u64) {
            Some(end) if end <= self.size_bytes => Ok(()),
            _ => Err(Error::new(
                Code::Io,
                format!(
                    "bytes {offset}+{len} lie outside an artifact of {}",
                    self.size_bytes
                ),
            )),
        }
    }

    /// Reports `len` bytes from `offset` as verified, in whatever order; wakes readers when the frontier moves.
    pub fn mark_verified(&self, offset: u64, len: u64) {
        let mut state = self.lock();
        let before = state.frontier;
        state.mark(offset, offset.saturating_add(len).min(self.size_bytes));
        if state.frontier > before {
            self.changed.notify_all();
        }
    }

    /// Verified bytes from the start without a gap.
    pub fn frontier(&self) -> u64 {
        self.lock().frontier
    }

    /// All bytes are verified.
    pub fn is_complete(&self) -> bool {
        self.frontier() == self.size_bytes
    }

    /// Gives up: readers that wait, and later ones, get this error. The first call counts.
    pub fn fail(&self, error: Error) {
        self.lock().failed.get_or_insert(error);
        self.changed.notify_all();
    }

    /// The error of [`Artifact::fail`].
    pub fn failure(&self) -> Option<Error> {
        self.lock().failed.clone()
    }

    /// Waits until the frontier is above `position` and returns it; `position` at the end returns at once.
    pub fn wait_beyond(&self, position: u64) -> Result<u64> {
        let mut state = self.lock();
        loop {
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            if state.frontier > position || position >= self.size_bytes {
                return Ok(state.frontier);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until all is verified; `false` when that took longer than `timeout`.
    pub fn wait_complete(&self, timeout: Duration) -> Result<bool> {
        let until = Instant::now() + timeout;
        let mut state = self.lock();
        loop {
            if let Some(error) = &state.failed {
                return Err(error.clone());
            }
            let left = until.saturating_duration_since(Instant::now());
            if state.frontier == self.size_bytes || left.is_zero() {
                return Ok(state.frontier == self.size_bytes);
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// Reads verified bytes from the start, waiting for those that are not there yet.
    pub fn reader(self: &Arc<Self>) -> ArtifactReader {
        ArtifactReader {
            artifact: Arc::clone(self),
            position: 0,
            frontier: 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn mark(&mut self, mut start: u64, mut end: u64) {
        if end <= start || end <= self.frontier {
            return;
        }
        // Swallow every island that the range touches: those that start inside it, and the one before it.
        while let Some((&s, &e)) = self.islands.range(..=end).next_back() {
            if e < start {
                break;
            }
            self.islands.remove(&s);
            (start, end) = (start.min(s), end.max(e));
        }
        if start <= self.frontier {
            self.frontier = end;
        } else {
            self.islands.insert(start, end);
        }
    }
}

/// See [`Artifact::reader`]. A failed artifact gives an `io::Error` whose inner error is the [`Error`].
#[derive(Debug)]
pub struct ArtifactReader {
    artifact: Arc<Artifact>,
    position: u64,
    /// The last frontier seen, so that the lock is taken once a piece and not once a read.
    frontier: u64,
}

impl Read for ArtifactReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.artifact.size_bytes || buf.is_empty() {
            return Ok(0);
        }
        if self.position >= self.frontier {
            self.frontier = self
                .artifact
                .wait_beyond(self.position)
                .map_err(io::Error::other)?;
        }
        let len = (buf.len() as u64).min(self.frontier - self.position) as usize;
        self.artifact.file.read_exact_at(&mut buf[..len], self.position)?;
        self.position += len as u64;
        Ok(len)
    }
}

fn at(path: &Path, e: &io::Error) -> Error {
    let mut error = Error::from(io::Error::from(e.kind()));
    error.message = format!("{}: {e}", path.display());
    error
}
