//! Pieces in flight: from the assignment over blocks and the hash check to the end.

use super::torrent::{Job, Source};
use super::types::{ConnId, Output, Slot, TorrentId};
use super::{Code, Swarm};
use crate::core::limits::BLOCK_BYTES;
use crate::core::time::{MILLISECOND, SECOND};
use crate::core::wire::{Block, Outgoing};

/// Blocks nobody asked for, or that come again, before the peer is banned.
const UNSOLICITED_MAX: u32 = 64;

impl Swarm {
    /// Has `piece` delivered by `conn`; false when both slots are taken or the peer is gone.
    pub(super) fn start_job(&mut self, conn: ConnId, piece: u32) -> bool {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&conn) else {
            return false;
        };
        let t = &mut self.torrents[usize::from(peer.torrent.0)];
        let Some(slot) = t.free_slot(piece) else {
            return false;
        };
        let blocks = t.blocks_of(piece);
        t.take_wanted(piece);
        t.note_asked(now);
        t.note_owed(piece, now);
        t.origin.compare.note_asked(now);
        let mut job = Job::new(piece, slot, Source::Peer(conn), blocks, now, peer.origin);
        job.seen = t.blocks_seen();
        t.jobs.push(job);
        if peer.pending_blocks == 0 {
            peer.block_at = now;
        }
        peer.pending_blocks += blocks;
        t.note_peer(peer);
        let late = t.late_us(now);
        self.wake_at(now + late);
        self.request_more(conn);
        true
    }

    /// Sends the requests of a peer's jobs, oldest job first, as far as its limit allows.
    pub(super) fn request_more(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        let t = &mut self.torrents[usize::from(peer.torrent.0)];
        let room = peer.requests_room(t.is_across(peer.mask()));
        for i in 0..t.jobs.len() {
            if t.jobs[i].source != Source::Peer(conn) {
                continue;
            }
            while t.jobs[i].requested < t.jobs[i].blocks {
                if peer.outstanding >= room {
                    return;
                }
                let block = t.block(t.jobs[i].piece, t.jobs[i].requested);
                t.jobs[i].requested += 1;
                peer.outstanding += 1;
                peer.sent_at = self.now;
                self.out.push_back(Output::Send {
                    conn,
                    message: Outgoing::Request(block),
                });
            }
        }
    }

    /// Ends a job that is not to go on. One whose hash is being checked stays until the answer.
    pub(super) fn drop_job(&mut self, torrent: TorrentId, at: usize) {
        self.drop_job_but(torrent, at, None);
    }

    /// The same after the peer has refused one of its blocks: that one needs no cancel, which would cost a farm that turns
    /// every other request away a tenth of its packets.
    pub(super) fn drop_job_but(&mut self, torrent: TorrentId, at: usize, rejected: Option<Block>) {
        let t = &mut self.torrents[usize::from(torrent.0)];
        if t.jobs[at].verifying {
            return;
        }
        let job = t.jobs.remove(at);
        let piece = job.piece;
        for i in (0..job.blocks).filter(|i| job.has_block(*i)) {
            t.progress.duplicate_bytes += u64::from(t.block(piece, i).len);
        }
        self.out.push_back(Output::Discard {
            torrent,
            piece,
            slot: job.slot,
        });
        if !t.jobs.iter().any(|j| j.piece == piece) {
            t.put_wanted(piece);
            t.claims.give_up(piece, self.now);
            self.wake = self.wake.min(self.now + 100 * MILLISECOND);
        }
        self.dirty = true;
        let conn = match job.source {
            Source::Peer(conn) => conn,
            Source::Fetch(fetch) => return self.end_fetch(torrent, fetch),
        };
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        peer.pending_blocks = peer.pending_blocks.saturating_sub(job.blocks - job.received);
        t.note_peer(peer);
        for i in (0..job.requested).filter(|i| !job.has_block(*i)) {
            let block = t.block(piece, i);
            peer.outstanding = peer.outstanding.saturating_sub(1);
            if rejected == Some(block) {
                continue;
            }
            peer.cancelled += 1;
            self.out.push_back(Output::Send {
                conn,
                message: Outgoing::Cancel(block),
            });
        }
        self.request_more(conn);
    }

    /// Ends all jobs of a peer that is gone or has choked us.
    pub(super) fn drop_jobs_of(&mut self, torrent: TorrentId, conn: ConnId) {
        loop {
            let t = &self.torrents[usize::from(torrent.0)];
            let Some(at) = t
                .jobs
                .iter()
                .position(|j| j.source == Source::Peer(conn) && !j.verifying)
            else {
                return;
            };
            self.drop_job(torrent, at);
        }
    }

    pub(super) fn place(&mut self, conn: ConnId, block: Block) -> Option<Slot> {
        let peer = self.peers.get_mut(&conn)?;
        let t = self.torrents.get(usize::from(peer.torrent.0))?;
        if !peer.established || !t.within(block) || !block.begin.is_multiple_of(BLOCK_BYTES) {
            return None;
        }
        let index = block.begin / BLOCK_BYTES;
        let job = &t.jobs[t.job_at(block.piece, Source::Peer(conn))?];
        if index >= job.requested || job.has_block(index) || t.block(block.piece, index) != block {
            return None;
        }
        peer.heard_at = self.now;
        peer.receiving = Some(block);
        Some(job.slot)
    }

    /// Counts a block that has no place; too many of them are a flood.
    pub(super) fn unplaced(&mut self, conn: ConnId, block: Block) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        peer.heard_at = self.now;
        if let Some(t) = self.torrents.get_mut(usize::from(peer.torrent.0)) {
            t.progress.duplicate_bytes += u64::from(block.len);
        }
        if peer.cancelled > 0 {
            peer.cancelled -= 1;
            return;
        }
        peer.unsolicited += 1;
        if peer.unsolicited > UNSOLICITED_MAX {
            self.ban(conn, Code::PeerProtocol);
        }
    }

    pub(super) fn on_block(&mut self, conn: ConnId, block: Block) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        peer.heard_at = now;
        let placed = peer.receiving.take() == Some(block);
        let torrent = peer.torrent;
        let Some(t) = self.torrents.get_mut(usize::from(torrent.0)) else {
            return;
        };
        let at = if placed {
            t.job_at(block.piece, Source::Peer(conn))
        } else {
            None
        };
        let index = block.begin / BLOCK_BYTES;
        let Some(at) = at.filter(|at| index < t.jobs[*at].requested && !t.jobs[*at].has_block(index)) else {
            if placed {
                // The job was dropped while the payload was on its way.
                t.progress.duplicate_bytes += u64::from(block.len);
                peer.cancelled = peer.cancelled.saturating_sub(1);
            }
            return;
        };
        t.note_block(now);
        t.note_answer(block.piece, now);
        let job = &mut t.jobs[at];
        job.set_block(index);
        job.moved_at = now;
        peer.pending_blocks = peer.pending_blocks.saturating_sub(1);
        peer.outstanding = peer.outstanding.saturating_sub(1);
        peer.rejects = 0;
        peer.stalls = 0;
        peer.useful_at = now;
        let doubted = std::mem::take(&mut peer.silences) > 0;
        let took = now.saturating_sub(peer.block_at);
        peer.block_us = if peer.block_us == 0 {
            took.max(1)
        } else {
            (peer.block_us * 7 + took) / 8
        };
        peer.block_at = now;
        t.origin.note_moved(now);
        t.origin.compare.note_bytes(now, block.len);
        if job.received == job.blocks {
            job.verifying = true;
            let slot = job.slot;
            let took = now - job.started_at;
            t.times.note(took);
            if t.local & peer.mask() == 0 {
                t.times.note_across(took);
            }
            self.out.push_back(Output::Verify {
                torrent,
                piece: block.piece,
                slot,
            });
        }
        t.note_peer(peer);
        if doubted {
            self.weigh(conn);
        }
        self.request_more(conn);
        self.dirty = true;
    }

    pub(super) fn on_verified(&mut self, torrent: TorrentId, piece: u32, slot: Slot, ok: bool) {
        let Some(t) = self.torrent(torrent) else {
            return;
        };
        let Some(at) = t
            .jobs
            .iter()
            .position(|j| j.piece == piece && j.slot == slot && j.verifying)
        else {
            return;
        };
        let job = t.jobs.remove(at);
        let bytes = u64::from(t.piece_bytes(piece));
        if ok && !t.has(piece) {
            if job.origin {
                t.progress.from_origin_bytes += bytes;
            } else {
                t.progress.from_peers_bytes += bytes;
            }
            let from = match job.source {
                Source::Peer(conn) => Some(conn),
                Source::Fetch(_) => None,
            };
            if let Some(conn) = from {
                self.believe(conn);
            }
            self.piece_done(torrent, piece, from);
            return;
        }
        t.progress.duplicate_bytes += bytes;
        if !t.has(piece) && !t.jobs.iter().any(|j| j.piece == piece) {
            t.put_wanted(piece);
        }
        self.dirty = true;
        if let (false, Source::Peer(conn)) = (ok, job.source) {
            self.ban(conn, Code::PeerBadPiece);
        }
    }

    /// A piece is in place: announces it, and ends what else was fetching it.
    pub(super) fn piece_done(&mut self, torrent: TorrentId, piece: u32, from: Option<ConnId>) {
        let t = &mut self.torrents[usize::from(torrent.0)];
        t.set_have(piece);
        let conns: Vec<ConnId> = t.slots.iter().flatten().copied().collect();
        self.tell_have(torrent, piece, from);
        loop {
            let t = &self.torrents[usize::from(torrent.0)];
            let Some(at) = t.jobs.iter().position(|j| j.piece == piece && !j.verifying) else {
                break;
            };
            self.drop_job(torrent, at);
        }
        self.dirty = true;
        let t = &mut self.torrents[usize::from(torrent.0)];
        if !t.done() {
            return;
        }
        self.out.push_back(Output::TorrentDone { torrent });
        for conn in conns {
            let interested = self
                .peers
                .get_mut(&conn)
                .is_some_and(|p| std::mem::take(&mut p.interested_sent));
            if interested {
                self.send(conn, Outgoing::NotInterested);
            }
        }
        // Connections between two that have all end a little later, when the last messages are out.
        self.wake_at(self.now + SECOND);
    }
}
