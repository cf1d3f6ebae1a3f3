//! From verified pieces to the new root: every artifact in the manifest's order, each checked as a whole.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use ring::digest::{Context, SHA256};

use super::events::{Data, Log};
use super::identity::hex;
use super::memory::Free;
use crate::core::error::{Code, Error, Result};
use crate::core::manifest::{Artifact, Format, Kind};
use crate::io::store;
use crate::io::unpack::{self, TargetRoot, UnpackLimits, UnpackProgress, hand_over, link_over};

/// Directory of the root for files that are handed over.
const HANDOVER: &str = ".bootswarm";

/// Where artifacts go and how far they have come.
pub struct Unpacking<'a> {
    /// The root.
    pub root: TargetRoot,
    /// Another directory than the root's own for what is handed over.
    pub handover: Option<&'a Path>,
    /// Milestones.
    pub log: &'a Log,
    /// Bytes written so far, for the console.
    pub unpacked_bytes: Arc<AtomicU64>,
}

impl Unpacking<'_> {
    /// Unpacks or hands over one artifact while its bytes may still be coming.
    ///
    /// # Errors
    /// `ARTIFACT_BAD_SHA256`, those of unpacking, and those of the store.
    pub fn run(&self, artifact: &Artifact, bytes: &Arc<store::Artifact>) -> Result<()> {
        let progressed = AtomicBool::new(false);
        let mut reader = Hashing {
            inner: bytes.reader(),
            hash: Context::new(&SHA256),
            progressed: &progressed,
        };
        let before = self.unpacked_bytes.load(Ordering::Relaxed);
        let mut progress = |p: &UnpackProgress| {
            progressed.store(true, Ordering::Relaxed);
            self.unpacked_bytes
                .store(before + p.unpacked_bytes, Ordering::Relaxed);
        };
        let limits = match artifact.kind {
            Kind::Rootfs => UnpackLimits::rootfs(),
            Kind::Plugin => UnpackLimits::plugin(),
        };
        let format = match artifact.format {
            Format::Tar => Some(unpack::Format::Tar),
            Format::Cpio => Some(unpack::Format::Cpio),
            Format::Squashfs | Format::Raw => None,
        };
        let entries = match format {
            Some(format) => {
                let summary = unpack::unpack(&mut reader, format, &self.root, &limits, &mut progress)?;
                for warning in &summary.warnings {
                    self.log.say(&format!("{}: {warning}", artifact.name));
                }
                summary.entries
            }
            None => 1,
        };
        // The archive may end before the file does, and the hash is that of the file.
        let drained = io::copy(&mut reader, &mut io::sink()).map_err(store_error);
        let digest = reader.hash.finish();
        drained?;
        if digest.as_ref() != artifact.sha256 {
            let (want, have) = (hex(&artifact.sha256[..8]), hex(&digest.as_ref()[..8]));
            let message =
                format!("all pieces are right, but the file's SHA-256 is {have}... and not {want}...");
            return Err(Error::new(Code::ArtifactBadSha256, message));
        }
        let line = match format {
            Some(_) => format!("{} is unpacked, {entries} entries", artifact.name),
            None => {
                let path = self.hand_over(artifact, bytes, &mut progress)?;
                format!("{} is at {}", artifact.name, path.display())
            }
        };
        let data = Data::default()
            .text("name", &artifact.name)
            .number("entries", entries);
        self.log.event("artifact.unpacked", data, Some(&line));
        Ok(())
    }

    /// Where this artifact lies outside of the root, if it does.
    pub fn file_of(&self, artifact: &Artifact) -> Option<PathBuf> {
        let directory = self.handover.filter(|_| artifact.format.is_handed_over())?;
        Some(directory.join(&artifact.name))
    }

    /// Puts a file that is whole and right where the init looks for it.
    fn hand_over(
        &self,
        artifact: &Artifact,
        bytes: &Arc<store::Artifact>,
        progress: &mut dyn FnMut(&UnpackProgress),
    ) -> Result<PathBuf> {
        let mut place = |path: &Path| {
            if link_over(bytes, path)? {
                Ok(())
            } else {
                // Another file system, or one of an earlier try whose name went with that root.
                hand_over(&mut bytes.reader(), path, progress).map(|_| ())
            }
        };
        if let Some(dir) = self.handover {
            std::fs::create_dir_all(dir)?;
            let path = dir.join(&artifact.name);
            place(&path)?;
            return Ok(path);
        }
        let opened = self.root.directory(HANDOVER.as_bytes(), true);
        let dir = File::from(opened.map_err(|e| {
            Error::new(
                Code::TargetInvalid,
                format!("/{HANDOVER} in the target root: {e}"),
            )
        })?);
        // Through the open directory, so that no link of an archive leads out of the root.
        let path = PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(&artifact.name);
        place(&path)?;
        Ok(self.root.path().join(HANDOVER).join(&artifact.name))
    }
}

fn store_error(e: io::Error) -> Error {
    match e.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(error) => error.clone(),
        None => e.into(),
    }
}

/// Hashes what is read through it, and fails before the node's memory runs out.
struct Hashing<'a, R> {
    inner: R,
    hash: Context,
    /// More was unpacked since the last look at the memory.
    progressed: &'a AtomicBool,
}

impl<R: Read> Read for Hashing<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.progressed.swap(false, Ordering::Relaxed)
            && let Some(free) = Free::now()
        {
            free.check_floor().map_err(io::Error::other)?;
        }
        let n = self.inner.read(buf)?;
        self.hash.update(&buf[..n]);
        Ok(n)
    }
}
