//! Peers that mean harm: they join before the farm does, say that they have everything, and send wrong bytes or nothing.

use super::net::{Endpoint, Load};
use super::wire::{PACKET_BYTES, wire_bytes};
use super::world::World;
use bootswarm_agent::core::wire::Outgoing;

/// What a hostile peer does when it is asked for a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hostility {
    /// It sends wrong bytes.
    #[default]
    Wrong,
    /// It sends nothing.
    Silent,
}

impl World {
    /// Whether this is one of the peers that mean harm.
    pub(super) fn is_hostile(&self, endpoint: Endpoint) -> bool {
        (self.honest..self.nodes.len()).contains(&endpoint)
    }

    /// It lets the tracker introduce it to the farm.
    pub(super) fn join_hostile(&mut self, node: Endpoint) {
        self.nodes[node].started = true;
        self.tracker.put(node, self.rack(node), true);
    }

    /// What it says after its handshake: all pieces, and that it may be asked (BEP 3).
    pub(super) fn greet(&mut self, conn: usize) {
        let pieces = self.pieces();
        let mut all = vec![0xff; pieces.div_ceil(8) as usize];
        if let Some(last) = all.last_mut() {
            *last <<= (8 - pieces % 8) % 8;
        }
        for message in [Outgoing::Bitfield(all), Outgoing::Unchoke] {
            let bytes = wire_bytes(&message) + PACKET_BYTES;
            let packet = Load::Packet(self.packets.pack(message));
            self.conns[conn].pipes[1].queue.push_back((packet, bytes));
        }
        self.pump(conn, 1);
    }

    /// Somebody tells a hostile peer something.
    pub(super) fn tell_hostile(&mut self, conn: usize, message: &Outgoing) {
        if let (Outgoing::Request(block), Hostility::Wrong) = (message, self.cfg.hostility) {
            let queue = &mut self.conns[conn].pipes[1].queue;
            queue.push_back((Load::Block(*block), block.len));
            self.pump(conn, 1);
        }
    }
}
