//! A node that runs: it has booted, or is about to.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::totals::Totals;
use crate::core::error::Result;
use crate::core::giveback::Held;
use crate::core::swarm::{Progress, TorrentId};
use crate::io::node::NodeHandle;
use crate::io::store::Artifact;

/// See the module.
pub struct Running {
    handle: NodeHandle,
    node: JoinHandle<Result<()>>,
    monitor: JoinHandle<Progress>,
    totals: Arc<Totals>,
    /// In the order of the node's torrents; `None`: it was dropped.
    artifacts: Vec<Option<(String, Arc<Artifact>)>>,
    /// Of the manifest.
    pub version: u64,
}

impl Running {
    /// Takes what was started; `artifacts` in the order of the node's torrents.
    pub fn new(
        handle: NodeHandle,
        node: JoinHandle<Result<()>>,
        monitor: JoinHandle<Progress>,
        totals: Arc<Totals>,
        artifacts: Vec<(String, Arc<Artifact>)>,
        version: u64,
    ) -> Self {
        Self {
            handle,
            node,
            monitor,
            totals,
            artifacts: artifacts.into_iter().map(Some).collect(),
            version,
        }
    }

    /// What it seeds.
    pub fn held(&self) -> Vec<Held> {
        let held = |(at, slot): (usize, &Option<(String, Arc<Artifact>)>)| {
            let (_, artifact) = slot.as_ref()?;
            Some(Held {
                at,
                freed_bytes: artifact.private_bytes(),
                size_bytes: artifact.size_bytes(),
                uploaded_bytes: self.totals.uploaded_bytes(at),
            })
        };
        self.artifacts.iter().enumerate().filter_map(held).collect()
    }

    /// Stops seeding an artifact and frees its memory; returns its name.
    pub fn drop_artifact(&mut self, at: usize) -> Option<String> {
        let (name, _) = self.artifacts.get_mut(at)?.take()?;
        self.handle.leave(TorrentId(at as u16));
        Some(name)
    }

    /// Stops it; returns the last counters.
    pub fn stop(self) -> Progress {
        self.handle.stop();
        // A thread that panicked has printed that, and the boot is over anyway.
        let _ = self.node.join();
        self.monitor.join().unwrap_or_default()
    }
}
