//! What all tries of a boot share, and why one of them ended.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::events::Log;
use super::inventory;
use super::options::Options;
use super::places::Kept;
use crate::core::error::{Code, Error};
use crate::core::manifest::Manifest;
use crate::io::https::Client;

/// See the module.
pub struct Context {
    /// The flags, the kernel command line and `boot.conf`.
    pub options: Options,
    /// Events and the console.
    pub log: Arc<Log>,
    /// For the manifest, origins and trackers.
    pub client: Client,
    /// What earlier tries got.
    pub kept: Kept,
    /// What no try can unpack or start.
    pub refused: Option<Refused>,
    /// How long the last manifest took, microseconds.
    pub server_us: u64,
    /// Reports `machine.inventory`; `None` before that is begun.
    pub inventory: Option<JoinHandle<()>>,
}

impl Context {
    /// Before the first try.
    pub fn new(options: Options, log: Arc<Log>, client: Client) -> Self {
        Self {
            options,
            log,
            client,
            kept: Kept::default(),
            refused: None,
            server_us: 0,
            inventory: None,
        }
    }

    /// Has the machine's inventory reported, unless an earlier try of this boot has: beside the boot, which has asked for
    /// what it needs by now.
    pub fn report_inventory(&mut self) {
        if self.inventory.is_none() {
            self.inventory = inventory::report(self.log.clone());
        }
    }
}

/// A version that another try would refuse again: it is not downloaded anew, and the server is only asked for another one.
pub struct Refused {
    version: u64,
    infohashes: Vec<[u8; 20]>,
    error: Error,
}

impl Refused {
    /// What this error says of all further tries with the same manifest; `None`: they may end in another way.
    pub fn new(manifest: &Manifest, error: &Error) -> Option<Self> {
        is_of_the_archive(error.code).then(|| Self {
            version: manifest.version,
            infohashes: infohashes(manifest).collect(),
            error: error.clone(),
        })
    }

    /// The error in which a try with this manifest would end.
    pub fn error_of(&self, manifest: &Manifest) -> Option<Error> {
        let is_same =
            self.version == manifest.version && self.infohashes.iter().copied().eq(infohashes(manifest));
        is_same.then(|| self.error.clone())
    }
}

fn infohashes(manifest: &Manifest) -> impl Iterator<Item = [u8; 20]> {
    manifest.artifacts.iter().map(|a| a.infohash)
}

/// Whether another try with the same files must end in the same way.
fn is_of_the_archive(code: Code) -> bool {
    matches!(
        code,
        Code::ArchiveMalformed
            | Code::ArchiveUnsupported
            | Code::ArchiveEscapes
            | Code::ArchiveForbiddenEntry
            | Code::ArchiveTooManyEntries
            | Code::RootNoInit
    )
}

/// Why a try ended, and when the server may be asked again.
pub struct Failure {
    /// What went wrong.
    pub error: Error,
    /// `Retry-After`.
    pub retry_after_s: Option<u64>,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            error,
            retry_after_s: None,
        }
    }
}
