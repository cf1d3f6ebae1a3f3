//! Leaves a torrent while the node runs on.

use super::Node;
use crate::core::discovery::DiscoveryInput;
use crate::core::swarm::{ConnId, TorrentId};

impl Node {
    /// Closes the connections of a complete torrent, announces that to its trackers, accepts no further
    /// connection for it, and frees
    /// the memory of its artifact. One that is not complete stays: somebody waits for it.
    pub(super) fn leave(&mut self, torrent: TorrentId) {
        let Some(ours) = self.torrents.get_mut(usize::from(torrent.0)) else {
            return;
        };
        if ours.is_gone || !ours.cfg.artifact.is_complete() {
            return;
        }
        ours.is_gone = true;
        let infohash = ours.cfg.infohash;
        let of_it = self
            .conns
            .iter()
            .filter(|(_, conn)| conn.torrent == Some(torrent));
        let of_it: Vec<ConnId> = of_it.map(|(id, _)| *id).collect();
        for id in of_it {
            self.lose(id);
        }
        let now = self.now();
        self.discovery.handle(now, DiscoveryInput::Leave { infohash });
        self.drain_discovery();
        self.torrents[usize::from(torrent.0)].cfg.artifact.release();
    }
}
