//! Peer exchange (BEP 11), the sending half: whom we are connected with. What comes in reaches us as
//! [`super::Input::Peers`] of unknown nearness.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::Swarm;
use super::types::ConnId;
use crate::core::time::SECOND;
use crate::core::wire::Outgoing;

/// Addresses in one message, as BEP 11 asks.
const PEX_ADDED_MAX: usize = 50;
/// Time between two messages to one peer.
const PEX_EVERY: u64 = 60 * SECOND;

impl Swarm {
    /// Sends PEX messages that are due.
    pub(super) fn check_pex(&mut self) {
        let due: Vec<ConnId> = self
            .peers
            .values()
            .filter(|p| p.pex && p.established && p.pex_at <= self.now)
            .map(|p| p.id)
            .collect();
        for conn in due {
            let peer = &self.peers[&conn];
            let torrent = peer.torrent;
            let now_there: BTreeSet<SocketAddr> = self
                .peers
                .values()
                .filter(|p| p.torrent == torrent && p.established && p.id != conn && !p.origin)
                .filter_map(|p| p.listen)
                .collect();
            let added: Vec<SocketAddr> = now_there
                .difference(&peer.pex_told)
                .take(PEX_ADDED_MAX)
                .copied()
                .collect();
            let dropped: Vec<SocketAddr> = peer
                .pex_told
                .difference(&now_there)
                .take(PEX_ADDED_MAX)
                .copied()
                .collect();
            if let Some(peer) = self.peers.get_mut(&conn) {
                peer.pex_at = self.now + PEX_EVERY;
                peer.pex_told.extend(added.iter().copied());
                for gone in &dropped {
                    peer.pex_told.remove(gone);
                }
            }
            if !added.is_empty() || !dropped.is_empty() {
                self.send(conn, Outgoing::Pex { added, dropped });
            }
        }
        if let Some(next) = self
            .peers
            .values()
            .filter(|p| p.pex && p.established)
            .map(|p| p.pex_at)
            .min()
        {
            self.wake_at(next);
        }
    }
}
