//! What we send: whole pieces, first come first served, few at a time, so that each arrives soon.

use std::collections::VecDeque;

use super::Swarm;
use super::types::{ConnId, Outgoing, Output};
use crate::core::limits::REQUESTS_QUEUED_MAX;
use crate::core::wire::Block;

/// Peers served at a time.
const UPLOADS_MAX: usize = 4;
/// Payload bytes of one connection that wait in the shell.
const UNSENT_BYTES_MAX: u32 = 128 << 10;

/// The turn of the peers that asked for pieces.
#[derive(Default)]
pub(super) struct Uploads {
    /// A peer and the piece that it is served in this turn; the front ones are being served.
    turns: VecDeque<(ConnId, u32)>,
}

impl Swarm {
    /// Takes a request within the torrent; false when it is against the protocol.
    pub(super) fn on_request(&mut self, conn: ConnId, block: Block) -> bool {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return true;
        };
        let t = &self.torrents[usize::from(peer.torrent.0)];
        if block.len > crate::core::limits::BLOCK_BYTES_MAX {
            return false;
        }
        if !t.has(block.piece) || peer.queue.len() >= REQUESTS_QUEUED_MAX || peer.queue.contains(&block) {
            if peer.fast && !peer.queue.contains(&block) {
                self.send(conn, Outgoing::Reject(block));
            }
            return true;
        }
        peer.queue.push_back(block);
        let turn = (conn, block.piece);
        if !self.uploads.turns.contains(&turn) {
            self.uploads.turns.push_back(turn);
        }
        self.pump_uploads();
        true
    }

    pub(super) fn on_cancel(&mut self, conn: ConnId, block: Block) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        let Some(at) = peer.queue.iter().position(|b| *b == block) else {
            return;
        };
        peer.queue.remove(at);
        if peer.fast {
            self.send(conn, Outgoing::Reject(block));
        }
        self.pump_uploads();
    }

    pub(super) fn on_sent(&mut self, conn: ConnId, bytes: u32) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.unsent = peer.unsent.saturating_sub(bytes);
            peer.sent_at = self.now;
            self.pump_uploads();
        }
    }

    /// Forgets the turns of a peer that is gone.
    pub(super) fn forget_uploads(&mut self, conn: ConnId) {
        self.uploads.turns.retain(|(c, _)| *c != conn);
    }

    /// Sends what the turn allows.
    pub(super) fn pump_uploads(&mut self) {
        let mut served = 0;
        let mut at = 0;
        while at < self.uploads.turns.len() && served < UPLOADS_MAX {
            let (conn, piece) = self.uploads.turns[at];
            let Some(peer) = self.peers.get_mut(&conn) else {
                self.uploads.turns.remove(at);
                continue;
            };
            while peer.unsent < UNSENT_BYTES_MAX {
                let Some(next) = peer.queue.iter().position(|b| b.piece == piece) else {
                    break;
                };
                let Some(block) = peer.queue.remove(next) else {
                    break;
                };
                peer.unsent += block.len;
                peer.sent_at = self.now;
                let torrent = peer.torrent;
                self.torrents[usize::from(torrent.0)].progress.uploaded_bytes += u64::from(block.len);
                self.out.push_back(Output::SendBlock { conn, torrent, block });
            }
            // A turn is over when its last byte has gone to the kernel.
            if peer.unsent == 0 && !peer.queue.iter().any(|b| b.piece == piece) {
                self.uploads.turns.remove(at);
            } else {
                served += 1;
                at += 1;
            }
        }
    }
}
