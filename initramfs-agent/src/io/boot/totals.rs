//! The counters of a node's artifacts, for others to see while the monitor runs.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::core::swarm::Progress;

/// See the module.
#[derive(Default)]
pub struct Totals {
    /// Those of each artifact, and whether the node has reported every one as whole.
    state: Mutex<(Vec<Progress>, bool)>,
    changed: Condvar,
}

impl Totals {
    /// Sets the counters of all artifacts.
    pub fn set(&self, progress: &[Progress], all_done: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.clear();
        state.0.extend_from_slice(progress);
        state.1 = all_done;
        self.changed.notify_all();
    }

    /// The counters of all artifacts together once every one is reported, or those of now when that takes longer: the
    /// unpacker may have read the last byte before the report of it has come.
    pub fn when_done(&self, at_most: Duration) -> Progress {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(state, at_most, |state| !state.1);
        total(&waited.unwrap_or_else(PoisonError::into_inner).0.0)
    }

    /// What others have got of an artifact from here, bytes.
    pub fn uploaded_bytes(&self, at: usize) -> u64 {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.get(at).map_or(0, |progress| progress.uploaded_bytes)
    }
}

/// The counters of all artifacts together.
pub fn total(progress: &[Progress]) -> Progress {
    progress.iter().fold(Progress::default(), |sum, p| Progress {
        pieces_done: sum.pieces_done + p.pieces_done,
        pieces_total: sum.pieces_total + p.pieces_total,
        done_bytes: sum.done_bytes + p.done_bytes,
        from_peers_bytes: sum.from_peers_bytes + p.from_peers_bytes,
        from_origin_bytes: sum.from_origin_bytes + p.from_origin_bytes,
        duplicate_bytes: sum.duplicate_bytes + p.duplicate_bytes,
        uploaded_bytes: sum.uploaded_bytes + p.uploaded_bytes,
        peers: sum.peers.max(p.peers),
    })
}
