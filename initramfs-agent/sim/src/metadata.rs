//! How the hashes of the pieces reach a simulated node: BEP 9 among the nodes, the seeder, HTTPS.

use super::arrive::NO_ANSWER_US;
use super::boot::REQUEST_BYTES;
use super::net::{Endpoint, Event};
use super::world::World;
use bootswarm_agent::core::limits::MANIFEST_INLINE_PIECES_MAX;
use bootswarm_agent::core::metainfo::InfoShape;
use bootswarm_agent::core::swarm::{ConnId, Input, MetadataSpec, TorrentId};
use bootswarm_agent::core::wire::{MetadataMessage, Outgoing, metadata_part};

/// The TLS handshake and what stands around an info dictionary in a metainfo file.
const TORRENT_BYTES: u32 = 1_500;
/// The name of the one artifact.
pub(super) const NAME: &str = "rootfs.tar";

impl World {
    /// What the manifest says of the info dictionary; without a manifest a node knows all of it.
    pub fn metadata_spec(&self) -> MetadataSpec {
        let (size, piece) = (self.cfg.payload_bytes, self.cfg.piece_bytes());
        if !self.cfg.manifest || size.div_ceil(u64::from(piece)) <= MANIFEST_INLINE_PIECES_MAX {
            return MetadataSpec::Known(self.info.clone());
        }
        MetadataSpec::Wanted {
            shape: InfoShape::new(NAME, size, piece),
            has_url: self.cfg.https,
        }
    }

    /// The node asks for the metainfo file over HTTPS.
    pub fn fetch_metadata(&mut self, node: Endpoint) {
        self.server_metadata += 1;
        let at = if self.server_gone {
            self.now + NO_ANSWER_US
        } else {
            self.charge(node, self.server(), REQUEST_BYTES);
            let bytes = TORRENT_BYTES + self.info.len() as u32;
            self.charge(self.server(), node, bytes) + 3 * self.cfg.latency_us
        };
        self.events.push(at, Event::MetadataFetched(node));
    }

    /// The answer to it.
    pub fn metadata_fetched(&mut self, node: Endpoint) {
        let info = self.info.clone();
        let input = Input::MetadataFetched {
            torrent: TorrentId(0),
            info: (!self.server_gone).then_some(&info),
            retry_after: None,
        };
        self.tell(node, input);
    }

    /// A node hears a BEP 9 message of another, or of the seeder; [`World::drain`] must follow.
    pub fn hear_metadata(&mut self, node: Endpoint, conn: ConnId, message: &Outgoing) {
        let mut part_bytes = Vec::new();
        let message = match message {
            Outgoing::MetadataRequest(part) => MetadataMessage::Request { part: *part },
            Outgoing::MetadataReject(part) => MetadataMessage::Reject { part: *part },
            Outgoing::MetadataPart { part, info } => {
                part_bytes.extend_from_slice(metadata_part(info, *part));
                MetadataMessage::Data {
                    part: *part,
                    total: info.len() as u64,
                    bytes: &part_bytes,
                }
            }
            _ => return,
        };
        self.hear(node, Input::Metadata { conn, message });
    }
}
