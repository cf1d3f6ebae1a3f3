//! The info dictionary over HTTPS: what came of asking, and when to ask again.

use super::super::types::TorrentId;
use super::super::{Micros, Swarm};
use crate::core::time::SECOND;

const BACKOFF_MAX: u32 = 5;

impl Swarm {
    /// What HTTPS gave, or when it may be asked again.
    pub(in crate::core::swarm) fn on_metadata_fetched(
        &mut self,
        torrent: TorrentId,
        info: Option<&[u8]>,
        retry_after: Option<Micros>,
    ) {
        if self
            .torrent(torrent)
            .is_none_or(|t| t.metadata.wanted().is_none())
        {
            return;
        }
        if info.is_some_and(|info| self.take_info(torrent, info)) {
            return;
        }
        let jitter = self.rng.below(1000);
        let now = self.now;
        if let Some(wanted) = self.torrents[usize::from(torrent.0)].metadata.wanted() {
            wanted.fetching = false;
            let wait = match retry_after {
                Some(wait) => wait.min(600 * SECOND) + wait.min(60 * SECOND) * jitter / 2000,
                None => {
                    wanted.fails = (wanted.fails + 1).min(BACKOFF_MAX);
                    (SECOND << wanted.fails) / 2 + SECOND * jitter / 1000
                }
            };
            wanted.rest_until = now + wait;
        }
        self.seek_metadata(torrent);
    }
}
