//! What goes over the wire beside payload: its size and its meaning.

use super::world::PORT;
use crate::core::swarm::{ConnId, Input, Outgoing};

/// What a packet costs beside its payload, in bytes of payload that a link could carry instead.
pub(super) const PACKET_BYTES: u32 = 84;

/// Bytes of a message.
pub(super) fn wire_bytes(message: &Outgoing) -> u32 {
    match message {
        Outgoing::KeepAlive => 4,
        Outgoing::Unchoke | Outgoing::Interested | Outgoing::NotInterested => 5,
        Outgoing::HaveAll | Outgoing::HaveNone => 5,
        Outgoing::Have(_) | Outgoing::Suggest(_) => 9,
        Outgoing::Request(_) | Outgoing::Cancel(_) | Outgoing::Reject(_) => 17,
        Outgoing::Bitfield(bits) => 5 + bits.len() as u32,
        Outgoing::ExtendedHandshake => 120,
        Outgoing::Pex { added, dropped } => 60 + 7 * added.len() as u32 + 6 * dropped.len() as u32,
    }
}

/// What an agent's extension handshake says.
pub(super) fn agent_hello(conn: ConnId) -> Input<'static> {
    Input::ExtendedHandshake {
        conn,
        bootswarm: true,
        listen_port: Some(PORT),
        requests_max: Some(512),
        ut_pex: Some(1),
    }
}

/// Whether a message is the one that [`agent_hello`] answers.
pub(super) fn is_hello(message: &Outgoing) -> bool {
    matches!(message, Outgoing::ExtendedHandshake)
}
