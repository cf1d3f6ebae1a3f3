//! What goes over the wire beside payload: its size and its meaning.

use super::world::PORT;
use bootswarm_agent::core::swarm::{ConnId, Input};
use bootswarm_agent::core::wire::{Outgoing, metadata_part};

/// What a packet costs beside its payload, in bytes of payload that a link could carry instead.
pub(super) const PACKET_BYTES: u32 = 84;

/// What a full packet carries.
pub(super) const SEGMENT_BYTES: u32 = 1448;

/// Bytes of the acknowledgements of payload: one frame for two segments, as RFC 9293 wants at least (3.8.6.3).
/// Cards that hand over many segments at once make fewer.
pub(super) fn ack_bytes(payload_bytes: u32) -> u32 {
    payload_bytes.div_ceil(2 * SEGMENT_BYTES) * PACKET_BYTES
}

/// Bytes of a message.
pub(super) fn wire_bytes(message: &Outgoing) -> u32 {
    match message {
        Outgoing::KeepAlive => 4,
        Outgoing::Unchoke | Outgoing::Interested | Outgoing::NotInterested => 5,
        Outgoing::HaveAll | Outgoing::HaveNone => 5,
        Outgoing::Have(_) | Outgoing::Suggest(_) => 9,
        Outgoing::Request(_) | Outgoing::Cancel(_) | Outgoing::Reject(_) => 17,
        Outgoing::Bitfield(bits) => 5 + bits.len() as u32,
        Outgoing::ExtendedHandshake { .. } => 150,
        Outgoing::MetadataRequest(_) | Outgoing::MetadataReject(_) => 31,
        Outgoing::MetadataPart { part, info } => 53 + metadata_part(info, *part).len() as u32,
        Outgoing::Pex { added, dropped } => 60 + 7 * added.len() as u32 + 6 * dropped.len() as u32,
    }
}

/// What an agent's extension handshake says.
pub(super) fn agent_hello(
    conn: ConnId,
    metadata_size: Option<u32>,
    elsewhere: Option<bool>,
) -> Input<'static> {
    Input::ExtendedHandshake {
        conn,
        bootswarm: true,
        elsewhere,
        listen_port: Some(PORT),
        requests_max: Some(512),
        ut_pex: Some(1),
        metadata_size,
    }
}
