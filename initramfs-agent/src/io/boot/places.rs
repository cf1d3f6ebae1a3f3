//! Where the bytes of each artifact go: what an earlier try of this boot kept, else a new place.

use std::path::PathBuf;
use std::sync::Arc;

use super::memory::Free;
use super::options::Options;
use crate::core::error::Result;
use crate::core::manifest::{self, Manifest};
use crate::core::metainfo::{info_dictionary, infohash};
use crate::io::node::{Hashes, known_hashes};
use crate::io::store::Artifact;

/// The place of one artifact of a manifest.
pub struct Place {
    /// Where its bytes go, or lie.
    pub bytes: Arc<Artifact>,
    /// An earlier try fetched all of it.
    pub is_whole: bool,
    /// SHA-1 of its pieces, as far as they are known.
    pub hashes: Hashes,
}

/// What earlier tries of a boot got.
#[derive(Default)]
pub struct Kept {
    artifacts: Vec<KeptArtifact>,
    hashes: Vec<KeptHashes>,
}

/// A whole artifact whose SHA-256 was right: it need not be fetched again.
struct KeptArtifact {
    infohash: [u8; 20],
    sha256: [u8; 32],
    bytes: Arc<Artifact>,
    /// Where it was handed over, outside of the root that is wiped after a failure.
    file: Option<PathBuf>,
}

/// Hashes of pieces that a node gets, or has got, from its peers or over HTTPS; never those that manifests had.
struct KeptHashes {
    infohash: [u8; 20],
    hashes: Hashes,
}

impl KeptArtifact {
    fn is(&self, artifact: &manifest::Artifact) -> bool {
        self.infohash == artifact.infohash && self.sha256 == artifact.sha256
    }
}

impl Kept {
    /// An artifact is whole, and was right.
    pub fn keep(&mut self, artifact: &manifest::Artifact, bytes: &Arc<Artifact>, file: Option<PathBuf>) {
        self.artifacts.push(KeptArtifact {
            infohash: artifact.infohash,
            sha256: artifact.sha256,
            bytes: bytes.clone(),
            file,
        });
    }

    /// A place for each artifact, in the manifest's order; what the manifest does not name is kept no more.
    /// `in_memory`: the target takes memory.
    ///
    /// # Errors
    /// `MEMORY_SHORT`, and `IO` where there can be no place.
    pub fn places(&mut self, manifest: &Manifest, options: &Options, in_memory: bool) -> Result<Vec<Place>> {
        let stores = self.stores(manifest, options, in_memory)?;
        self.hashes
            .retain(|kept| manifest.artifacts.iter().any(|a| a.infohash == kept.infohash));
        let place = |(artifact, (bytes, is_whole))| Place {
            bytes,
            is_whole,
            hashes: self.hashes_of(artifact),
        };
        Ok(manifest.artifacts.iter().zip(stores).map(place).collect())
    }

    /// Each artifact's bytes, and whether they are whole: kept, or new memory; in the target's file system where the file
    /// itself is what the node gets.
    fn stores(
        &mut self,
        manifest: &Manifest,
        options: &Options,
        in_memory: bool,
    ) -> Result<Vec<(Arc<Artifact>, bool)>> {
        self.artifacts.retain(|kept| {
            let is_wanted = manifest.artifacts.iter().any(|a| kept.is(a));
            if let Some(file) = kept.file.as_ref().filter(|_| !is_wanted) {
                // It would take memory for ever. Another of its name may have its place by now.
                let _ = std::fs::remove_file(file);
            }
            is_wanted
        });
        let find = |a: &manifest::Artifact| self.artifacts.iter().find(|kept| kept.is(a));
        if let Some(free) = Free::now() {
            free.check_download(&manifest.artifacts, in_memory, |a| find(a).is_some())?;
        }
        let store = |a: &manifest::Artifact| match find(a) {
            Some(kept) => Ok((kept.bytes.clone(), true)),
            None if a.format.is_handed_over() => {
                let directory = options.handover.as_ref().unwrap_or(&options.target);
                std::fs::create_dir_all(directory)?;
                Ok((Artifact::unnamed(directory, a.size_bytes)?, false))
            }
            None => Ok((Artifact::memory(a.size_bytes)?, false)),
        };
        manifest.artifacts.iter().map(store).collect()
    }

    /// The hashes of an artifact's pieces: the manifest's, else what an earlier try got, else none yet.
    fn hashes_of(&mut self, artifact: &manifest::Artifact) -> Hashes {
        if let Some(pieces) = &artifact.pieces {
            return known_hashes(pieces.clone());
        }
        let is_of_it = |pieces: &[u8]| {
            let info = info_dictionary(&artifact.name, artifact.size_bytes, artifact.piece_length, pieces);
            infohash(&info) == artifact.infohash
        };
        if let Some(kept) = self.hashes.iter().find(|k| k.infohash == artifact.infohash) {
            // Another name or size under the same infohash is for the search to refuse.
            if kept.hashes.get().is_none_or(|pieces| is_of_it(pieces)) {
                return kept.hashes.clone();
            }
        }
        let hashes = Hashes::default();
        self.hashes.push(KeptHashes {
            infohash: artifact.infohash,
            hashes: hashes.clone(),
        });
        hashes
    }
}
