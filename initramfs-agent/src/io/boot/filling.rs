//! The new root: each artifact unpacked, handed over or mounted, then the settings; taken away when that fails.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::events::Log;
use super::mounting::Mounting;
use super::options::Options;
use super::places::{Kept, Place};
use super::settings;
use super::unpacking::Unpacking;
use crate::core::error::{Code, Error, Result};
use crate::core::manifest::{self, Kind, Manifest};
use crate::io::unpack::{TargetRoot, init_of};

/// A root that is being filled.
pub struct Filling<'a> {
    options: &'a Options,
    unpacking: Unpacking<'a>,
    mounting: Option<Mounting>,
}

impl<'a> Filling<'a> {
    /// Of an empty root, which is marked as incomplete. `unpacked_bytes` is kept up to date for the console.
    pub fn new(options: &'a Options, log: &'a Log, root: TargetRoot, unpacked_bytes: Arc<AtomicU64>) -> Self {
        Self {
            options,
            unpacking: Unpacking {
                root,
                handover: options.handover.as_deref(),
                log,
                unpacked_bytes,
            },
            mounting: Mounting::new(options),
        }
    }

    /// Fills the root while the bytes may still be coming, and takes the mark off. Artifacts that turn out right are kept
    /// for another try.
    ///
    /// # Errors
    /// Those of [`Unpacking::run`] and [`Mounting::after`] with the artifact's name, `ROOT_NO_INIT`, and those of the
    /// settings.
    pub fn run(&mut self, manifest: &Manifest, places: &[Place], kept: &mut Kept) -> Result<()> {
        for (artifact, place) in manifest.artifacts.iter().zip(places) {
            let unpacked = self.unpacking.run(artifact, &place.bytes);
            unpacked.map_err(|error| of_artifact(artifact, manifest.version, error))?;
            if let Some(mounting) = &mut self.mounting
                && let Some(root) = mounting.after(artifact)?
            {
                self.unpacking.root = root;
            }
            if !place.is_whole {
                kept.keep(artifact, &place.bytes, self.unpacking.file_of(artifact));
            }
        }
        let root = &self.unpacking.root;
        find_init(root, manifest, self.options)?;
        settings::write(root, &manifest.hostname, &manifest.settings)?;
        root.complete()
    }

    /// Takes away what there is of the root. The node must have stopped.
    pub fn undo(self) {
        // It may be open in what is to be unmounted.
        drop(self.unpacking);
        if let Some(mut mounting) = self.mounting {
            mounting.undo();
        }
        // Half a root helps nobody, and its memory may be what was missing.
        let _ = TargetRoot::open(&self.options.target).and_then(|root| root.wipe());
    }
}

/// Refuses a root in which nothing could be started. One that is handed over is not looked into, unless it was to be
/// mounted here.
fn find_init(root: &TargetRoot, manifest: &Manifest, options: &Options) -> Result<()> {
    let is_here = |a: &&manifest::Artifact| {
        a.kind == Kind::Rootfs && (!a.format.is_handed_over() || options.mount.is_some())
    };
    let Some(rootfs) = manifest.artifacts.iter().find(is_here) else {
        return Ok(());
    };
    init_of(root, options.init.as_deref())
        .map(drop)
        .map_err(|error| of_artifact(rootfs, manifest.version, error))
}

/// The error with its artifact, its version and what to do: it is read far from the catalog.
fn of_artifact(artifact: &manifest::Artifact, version: u64, error: Error) -> Error {
    let advice = match error.code {
        Code::ArchiveMalformed => "; put a whole copy of it into the server's artifacts/",
        Code::ArchiveUnsupported
        | Code::ArchiveEscapes
        | Code::ArchiveForbiddenEntry
        | Code::ArchiveTooManyEntries => "; pack it again (docs/unpacking.md)",
        Code::RootNoInit => "; put one into it, or name its own with init= in kernel_args",
        Code::TargetFull => {
            "; set `netboot.root: zram`, make the root a squashfs, or give the node more memory"
        }
        _ => "",
    };
    Error::new(
        error.code,
        format!(
            "{} of version {version}: {}{advice}",
            artifact.name, error.message
        ),
    )
}
