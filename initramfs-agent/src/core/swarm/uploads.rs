//! What we send: whole pieces, first come first served, few at a time, so that each arrives soon.

use std::collections::VecDeque;

use super::types::{ConnId, Output};
use super::{Micros, Swarm};
use crate::core::limits::REQUESTS_QUEUED_MAX;
use crate::core::time::{MILLISECOND, SECOND};
use crate::core::wire::{Block, Outgoing};

/// Peers served at a time, and where there are no other racks.
const UPLOADS_MAX: usize = 6;
const UPLOADS_FLAT_MAX: usize = 7;
/// Of these, the ones in other racks.
const UPLOADS_ACROSS_MAX: usize = 2;
/// Agents' pieces that are served or wait, those for our rack and those for others; more are rejected. As many as a node
/// asks for: with fewer places than questions most are turned away, with more they wait.
const TURNS_MAX: usize = super::schedule::IN_FLIGHT_PIECES_MIN;
const TURNS_ACROSS_MAX: usize = 6;
/// Payload bytes of one connection that wait in the shell.
const UNSENT_BYTES_MAX: u32 = 32 << 10;

/// A turn in which nothing moves for this long does not count against the others.
const STUCK_US: Micros = 2 * SECOND;

/// The turn of the peers that asked for pieces.
#[derive(Default)]
pub(super) struct Uploads {
    /// In the order of their requests; the front ones are being served.
    turns: VecDeque<Turn>,
}

/// A peer and the piece that it is served in this turn.
struct Turn {
    conn: ConnId,
    piece: u32,
    /// The last block was given to the shell, or the turn began waiting.
    moved_at: Micros,
}

impl Uploads {
    /// Nobody waits for anything from us.
    pub(super) fn is_idle(&self) -> bool {
        self.turns.is_empty()
    }
}

impl Swarm {
    /// Takes a request within the torrent; false when it is against the protocol.
    pub(super) fn on_request(&mut self, conn: ConnId, block: Block) -> bool {
        let Some(peer) = self.peers.get(&conn) else {
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
        let waiting = self
            .uploads
            .turns
            .iter()
            .any(|t| t.conn == conn && t.piece == block.piece);
        // An agent that is turned away soon finds another holder; a long queue here would only keep it
        // waiting. What leaves the rack serves a whole rack, and is not kept out by our own.
        let across = t.is_across(peer.mask());
        let most = if across { TURNS_ACROSS_MAX } else { TURNS_MAX };
        let alike = |turn: &&Turn| {
            let other = self.peers.get(&turn.conn);
            other.is_some_and(|p| self.torrents[usize::from(p.torrent.0)].is_across(p.mask()) == across)
        };
        let full = self.uploads.turns.iter().filter(alike).count() >= most;
        // Alone it may ask for as much as it likes: there is nobody to be fair to.
        let crowd = full && self.uploads.turns.iter().any(|t| t.conn != conn);
        if !waiting && peer.bootswarm && peer.fast && crowd {
            self.send(conn, Outgoing::Reject(block));
            return true;
        }
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.queue.push_back(block);
        }
        if !waiting {
            let turn = Turn {
                conn,
                piece: block.piece,
                moved_at: self.now,
            };
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
        self.uploads.turns.retain(|t| t.conn != conn);
    }

    /// A peer has announced a piece: if it was from us, the next one's turn comes.
    pub(super) fn turn_over(&mut self, conn: ConnId, piece: u32) {
        let before = self.uploads.turns.len();
        self.uploads.turns.retain(|t| t.conn != conn || t.piece != piece);
        if self.uploads.turns.len() < before {
            self.pump_uploads();
        }
    }

    /// Sends what the turn allows.
    pub(super) fn pump_uploads(&mut self) {
        let now = self.now;
        let flat = self.torrents.iter().all(|t| t.outside() == 0);
        let most = if flat { UPLOADS_FLAT_MAX } else { UPLOADS_MAX };
        let (mut served, mut served_across) = (0, 0);
        let mut at = 0;
        while at < self.uploads.turns.len() && served < most {
            let Turn { conn, piece, .. } = self.uploads.turns[at];
            let Some(peer) = self.peers.get_mut(&conn) else {
                self.uploads.turns.remove(at);
                continue;
            };
            let torrent = peer.torrent;
            let t = &mut self.torrents[usize::from(torrent.0)];
            // One after the other: the first rack that has a piece passes it on while the next one gets it.
            let across = t.is_across(peer.mask());
            if across && served_across >= UPLOADS_ACROSS_MAX {
                at += 1;
                continue;
            }
            let mut left = peer.queue.iter().any(|b| b.piece == piece);
            while left && peer.unsent < UNSENT_BYTES_MAX {
                let next = peer.queue.iter().position(|b| b.piece == piece);
                let Some(block) = next.and_then(|n| peer.queue.remove(n)) else {
                    left = false;
                    break;
                };
                peer.unsent += block.len;
                peer.sent_at = now;
                t.progress.uploaded_bytes += u64::from(block.len);
                self.uploads.turns[at].moved_at = now;
                self.out.push_back(Output::SendBlock { conn, torrent, block });
            }
            let idle = now.saturating_sub(self.uploads.turns[at].moved_at);
            // Kernels and switches hold much: a turn is over when the peer announces the piece.
            // Peers that do not, and those that are stuck, do not hold the others up.
            let patience = match peer.bootswarm {
                true => (t.times.p50().unwrap_or(SECOND) * 2).clamp(100 * MILLISECOND, 5 * SECOND),
                false => 0,
            };
            let gone = !left && peer.unsent == 0;
            let stuck = idle >= patience.max(STUCK_US);
            if gone && idle >= patience {
                self.uploads.turns.remove(at);
                continue;
            }
            if !stuck {
                let until =
                    self.uploads.turns[at].moved_at + if gone { patience } else { patience.max(STUCK_US) };
                self.wake = self.wake.min(until);
                served += 1;
                served_across += usize::from(across);
            }
            at += 1;
        }
    }
}
