//! `--mount`: a root file system that is not unpacked but mounted, by a program of stage 1.
//!
//! The program is called as `PROGRAM mount FILE TARGET` and ends with 0 when FILE is what is seen at TARGET, writable;
//! then archives are unpacked over it. `PROGRAM undo TARGET` takes that away before another try.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::options::Options;
use crate::core::error::{Code, Error, Result};
use crate::core::manifest::{Artifact, Format, Kind};
use crate::io::unpack::TargetRoot;

/// The program and the root that it makes.
pub struct Mounting {
    program: PathBuf,
    handover: PathBuf,
    target: PathBuf,
    /// It was called, and may have to be undone.
    called: bool,
}

impl Mounting {
    /// `None` when there is no such program: then files are only handed over.
    pub fn new(options: &Options) -> Option<Self> {
        Some(Self {
            program: options.mount.clone()?,
            handover: options.handover.clone()?,
            target: options.target.clone(),
            called: false,
        })
    }

    /// Mounts the root file system that was just handed over; the root from then on, marked as incomplete. `None` for
    /// anything else.
    ///
    /// # Errors
    /// `TARGET_INVALID` when the program fails.
    pub fn after(&mut self, artifact: &Artifact) -> Result<Option<TargetRoot>> {
        if artifact.kind != Kind::Rootfs || artifact.format != Format::Squashfs {
            return Ok(None);
        }
        self.called = true;
        let file = self.handover.join(&artifact.name);
        self.call(&["mount".as_ref(), file.as_path(), self.target.as_path()])?;
        TargetRoot::adopt(&self.target).map(Some)
    }

    /// Takes away what was mounted. The root of [`Mounting::after`] must have been dropped.
    pub fn undo(&mut self) {
        if std::mem::take(&mut self.called) {
            // What stays mounted makes the next call fail, and that is reported.
            let _ = self.call(&["undo".as_ref(), self.target.as_path()]);
        }
    }

    fn call(&self, args: &[&Path]) -> Result<()> {
        let status = Command::new(&self.program)
            .args(args)
            .stdin(Stdio::null())
            .status();
        let why = match status {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => status.to_string(),
            Err(e) => e.to_string(),
        };
        let message = format!("{} {}: {why}", self.program.display(), args[0].display());
        Err(Error::new(Code::TargetInvalid, message))
    }
}
