//! The info dictionary to those who ask us for it.

use std::sync::Arc;

use super::super::Swarm;
use super::super::types::ConnId;
use super::Metadata;
use crate::core::limits::METADATA_PART_BYTES;
use crate::core::wire::Outgoing;
use crate::core::wire::metadata_part;

/// A peer gets the whole so often, and a few parts more.
const SERVED_TIMES: usize = 2;
const SERVED_SPARE: usize = 8;

impl Swarm {
    pub(super) fn serve_metadata(&mut self, conn: ConnId, part: u32) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        let message = match &self.torrents[usize::from(peer.torrent.0)].metadata {
            Metadata::Known(info)
                if !metadata_part(info, part).is_empty()
                    && peer.metadata.served
                        < SERVED_TIMES * info.len().div_ceil(METADATA_PART_BYTES) + SERVED_SPARE =>
            {
                peer.metadata.served += 1;
                let info = Arc::clone(info);
                Outgoing::MetadataPart { part, info }
            }
            _ => Outgoing::MetadataReject(part),
        };
        self.send(conn, message);
    }
}
