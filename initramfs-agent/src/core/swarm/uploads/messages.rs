//! Peers' requests, what they take back and what they announce, and the blocks that answer them: asks [`super::Uploads`], and
//! sends.

use super::super::peers::Peers;
use super::super::places::site;
use super::super::torrent::Torrent;
use super::super::types::{ConnId, Output};
use super::super::{Micros, Swarm};
use super::{Answer, Requester};
use crate::core::limits::BLOCK_BYTES_MAX;
use crate::core::time::{MILLISECOND, SECOND};
use crate::core::wire::{Block, Outgoing};

/// An agent's turn lasts this many times what a piece takes after its last block, within these bounds, unless the agent
/// announces the piece before.
const PATIENCE_TIMES: Micros = 2;
const PATIENCE_MIN_US: Micros = 100 * MILLISECOND;
const PATIENCE_MAX_US: Micros = 5 * SECOND;

/// What [`super::Uploads`] must know of the peers.
fn requesters(peers: &Peers, torrents: &[Torrent]) -> impl Fn(ConnId) -> Requester {
    move |conn| {
        let peer = &peers[&conn];
        let t = &torrents[usize::from(peer.torrent.0)];
        let piece_us = t.times.p50().unwrap_or(SECOND);
        let patience_us = (piece_us * PATIENCE_TIMES).clamp(PATIENCE_MIN_US, PATIENCE_MAX_US);
        Requester {
            site: site(peer.addr.ip()),
            is_across: t.is_across(peer.mask()),
            is_agent: peer.bootswarm,
            is_fast: peer.fast,
            // Other clients may announce late or never.
            patience_us: if peer.bootswarm { patience_us } else { 0 },
        }
    }
}

impl Swarm {
    /// Takes a request within the torrent; false when it is against the protocol.
    pub(in crate::core::swarm) fn on_request(&mut self, conn: ConnId, block: Block) -> bool {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return true;
        };
        peer.has_asked = true;
        if block.len > BLOCK_BYTES_MAX {
            return false;
        }
        let has_piece = self.torrents[usize::from(peer.torrent.0)].has(block.piece);
        let requesters = requesters(&self.peers, &self.torrents);
        match self.uploads.request(self.now, conn, block, has_piece, requesters) {
            Answer::Queued => self.pump_uploads(),
            Answer::Rejected => self.send(conn, Outgoing::Reject(block)),
            Answer::Ignored => {}
        }
        true
    }

    pub(in crate::core::swarm) fn on_cancel(&mut self, conn: ConnId, block: Block) {
        let waited = self.uploads.cancel(self.now, conn, block);
        if waited && self.peers.get(&conn).is_some_and(|p| p.fast) {
            self.send(conn, Outgoing::Reject(block));
        }
        self.pump_uploads();
    }

    pub(in crate::core::swarm) fn on_sent(&mut self, conn: ConnId, bytes: u32) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.sent_at = self.now;
            self.uploads.sent(self.now, conn, bytes);
            self.pump_uploads();
        }
    }

    /// A peer has announced a piece: if it was from us, the next one's turn comes.
    pub(in crate::core::swarm) fn on_announced(&mut self, conn: ConnId, piece: u32) {
        let Some(needless) = self.uploads.announced(self.now, conn, piece) else {
            return;
        };
        if self.peers.get(&conn).is_some_and(|p| p.fast) {
            for block in needless {
                self.send(conn, Outgoing::Reject(block));
            }
        }
        self.pump_uploads();
    }

    /// Sends what the turn allows.
    pub(in crate::core::swarm) fn pump_uploads(&mut self) {
        let is_flat = self.torrents.iter().all(|t| t.outside() == 0);
        let requesters = requesters(&self.peers, &self.torrents);
        let next = self.uploads.advance(self.now, is_flat, requesters);
        self.wake = self.wake.min(next);
        for (conn, block) in self.uploads.blocks() {
            let Some(peer) = self.peers.get_mut(&conn) else {
                continue;
            };
            peer.sent_at = self.now;
            peer.budget.served(block.len);
            let torrent = peer.torrent;
            self.torrents[usize::from(torrent.0)].progress.uploaded_bytes += u64::from(block.len);
            self.out.push_back(Output::SendBlock { conn, torrent, block });
        }
    }
}
