//! Handshakes and messages of peers. Invalid ones are blamed on their sender.

use super::peer::Peer;
use super::types::ConnId;
use super::{Code, Swarm};
use crate::core::nearness::Nearness;
use crate::core::time::{MILLISECOND, Micros, SECOND};
use crate::core::wire::{Block, Message, Outgoing};

/// Pieces that one peer may have offered us while choking us.
const ALLOWED_FAST_MAX: usize = 256;
/// A bitfield is read bit by bit: so many bytes of it cost as much as another message.
const BITFIELD_BYTES_EACH: usize = 64;
/// An agent that rejected us is not asked for about as long as a piece takes, within these bounds: asked sooner it is still
/// busy, and on slow links two of three requests were rejected.
const REST_MIN_US: Micros = 10 * MILLISECOND;
const REST_MAX_US: Micros = 8 * SECOND;

impl Swarm {
    /// A peer has sent what costs as much as so many messages. `None` where nothing is heard from it: it is no peer yet, or
    /// one no more, as it has sent too many without effect.
    pub(super) fn hear(&mut self, conn: ConnId, messages: u32) -> Option<&mut Peer> {
        let now = self.now;
        let peer = self.peers.get_mut(&conn).filter(|p| p.established)?;
        peer.heard_at = now;
        if !peer.budget.take(now, messages) {
            self.ban(conn, Code::PeerProtocol);
        }
        self.peers.get_mut(&conn)
    }

    /// The peer's pieces are known: we want some of them or not.
    fn note_interest(&mut self, conn: ConnId, piece: Option<u32>) {
        let Some(peer) = self.peers.get(&conn) else {
            return;
        };
        if peer.interested_sent {
            return;
        }
        let t = &self.torrents[usize::from(peer.torrent.0)];
        let wants = match piece {
            Some(piece) => !t.has(piece),
            None => !t.done() && (0..t.pieces).any(|p| !t.has(p) && t.holders(p) & peer.mask() != 0),
        };
        if wants {
            if let Some(peer) = self.peers.get_mut(&conn) {
                peer.interested_sent = true;
            }
            self.send(conn, Outgoing::Interested);
        }
    }

    pub(super) fn on_extended(
        &mut self,
        conn: ConnId,
        bootswarm: bool,
        listen_port: Option<u16>,
        requests_max: Option<u32>,
        ut_pex: Option<u8>,
    ) {
        let now = self.now;
        let Some(peer) = self.hear(conn, 1) else {
            return;
        };
        // The server's seeder says `bs` too, and keeps us choked: it is no agent, however we found it.
        peer.bootswarm = bootswarm && peer.peer_id.starts_with(b"-BW");
        if let Some(max) = requests_max {
            peer.requests_max = max.max(1);
        }
        if ut_pex.is_some_and(|id| id != 0) && !peer.pex {
            peer.pex = true;
            peer.pex_at = now + 2 * SECOND;
            self.wake_at(now + 2 * SECOND);
        }
        self.weigh(conn);
        if let (None, Some(port)) = (self.peers[&conn].listen, listen_port.filter(|p| *p != 0)) {
            self.note_listen(conn, port);
        }
        self.request_more(conn);
        self.dirty = true;
    }

    pub(super) fn on_message(&mut self, conn: ConnId, message: Message<'_>) {
        let messages = match message {
            Message::Bitfield(bytes) => 1 + (bytes.len() / BITFIELD_BYTES_EACH) as u32,
            _ => 1,
        };
        let Some(peer) = self.hear(conn, messages) else {
            return;
        };
        let is_first = !peer.spoken;
        if !matches!(
            message,
            Message::KeepAlive | Message::Extended { .. } | Message::Port(_) | Message::Unknown
        ) {
            peer.spoken = true;
        }
        let (fast, torrent) = (peer.fast, peer.torrent);
        let t = &self.torrents[usize::from(torrent.0)];
        let mut is_valid = true;
        match message {
            Message::KeepAlive
            | Message::Port(_)
            | Message::Extended { .. }
            | Message::Unknown
            | Message::NotInterested => {}
            Message::Interested => self.unchoke(conn),
            Message::Choke => self.on_choke(conn),
            Message::Unchoke => self.on_unchoke(conn),
            Message::Have { piece } if piece < t.pieces => self.on_have(conn, piece),
            // Not only as the first message: aria2 sends one again where that is shorter than many HAVEs.
            Message::Bitfield(bytes) => is_valid = self.on_bitfield(conn, bytes),
            Message::HaveAll if is_first && fast => self.on_have_all(conn),
            Message::HaveNone if is_first && fast => {}
            Message::Request(block) => is_valid = t.within(block) && self.on_request(conn, block),
            Message::Cancel(block) => self.on_cancel(conn, block),
            Message::Suggest { piece } if fast && piece < t.pieces => self.on_suggest(conn, piece),
            Message::AllowedFast { piece } if fast && piece < t.pieces => self.on_allowed_fast(conn, piece),
            Message::Reject(block) if fast => self.on_reject(conn, block),
            _ => is_valid = false,
        }
        if !is_valid {
            self.ban(conn, Code::PeerProtocol);
        }
    }

    fn on_choke(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        peer.choked = true;
        self.torrents[usize::from(peer.torrent.0)].note_peer(peer);
        if !peer.fast {
            // BEP 3: a choke forgets all requests. With BEP 6 each is answered one by one.
            peer.cancelled += peer.outstanding;
            let torrent = peer.torrent;
            self.drop_jobs_of(torrent, conn);
        }
    }

    fn on_unchoke(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.choked = false;
            self.torrents[usize::from(peer.torrent.0)].note_peer(peer);
            self.dirty = true;
        }
    }

    fn on_have(&mut self, conn: ConnId, piece: u32) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        let (torrent, bit) = (peer.torrent, peer.mask());
        let t = &mut self.torrents[usize::from(torrent.0)];
        if t.note_holder(piece, peer) {
            peer.have += 1;
            if t.near_holders(piece) == bit && !t.has(piece) {
                t.rack_moved_at = self.now;
            }
            if peer.have == t.pieces {
                t.note_peer(peer);
            }
            t.note_heard(piece, self.now);
            t.claims.note_kept(piece, conn);
            // And its claim, if it had made one.
            peer.budget.give_back(2);
            if peer.has_asked && t.has(piece) {
                peer.useful_at = self.now;
            }
            self.dirty |= t.is_wanted(piece);
            if t.local & bit == 0 && t.racked {
                if t.distant() & bit == 0 {
                    self.note_outside(torrent, piece);
                } else {
                    let at = self.now + t.distant_us();
                    self.claim_ends_at(at);
                }
            }
            self.note_interest(conn, Some(piece));
            self.on_announced(conn, piece);
        }
        self.note_complete(conn);
    }

    /// Returns false when it is not one of this torrent.
    fn on_bitfield(&mut self, conn: ConnId, bytes: &[u8]) -> bool {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return true;
        };
        let t = &mut self.torrents[usize::from(peer.torrent.0)];
        if bytes.len() != t.pieces.div_ceil(8) as usize {
            return false;
        }
        let spare = bytes.len() as u32 * 8 - t.pieces;
        if bytes.last().is_some_and(|b| b.trailing_zeros() < spare) {
            return false;
        }
        let had = peer.have;
        for piece in 0..t.pieces {
            let has = bytes[piece as usize / 8] & (0x80 >> (piece % 8)) != 0;
            peer.have += u32::from(has && t.note_holder(piece, peer));
        }
        peer.budget.give_back(peer.have - had);
        t.note_peer(peer);
        self.dirty = true;
        self.note_interest(conn, None);
        self.note_complete(conn);
        true
    }

    fn on_have_all(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        let t = &mut self.torrents[usize::from(peer.torrent.0)];
        for piece in 0..t.pieces {
            t.note_holder(piece, peer);
        }
        peer.have = t.pieces;
        t.note_peer(peer);
        self.dirty = true;
        self.note_interest(conn, None);
        self.note_complete(conn);
    }

    /// A peer that chokes us lets us request a piece nevertheless.
    fn on_allowed_fast(&mut self, conn: ConnId, piece: u32) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        let t = &mut self.torrents[usize::from(peer.torrent.0)];
        if !t.has(piece) && !peer.allowed.contains(&piece) && peer.allowed.len() < ALLOWED_FAST_MAX {
            peer.allowed.push_back(piece);
            peer.budget.give_back(1);
            t.offering |= peer.mask();
            self.dirty = true;
        }
    }

    /// A peer will not send a block: the whole piece goes to somebody else.
    fn on_reject(&mut self, conn: ConnId, block: Block) {
        let (now, piece) = (self.now, block.piece);
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        let torrent = peer.torrent;
        let t = &self.torrents[usize::from(torrent.0)];
        let source = super::torrent::Source::Peer(conn);
        let Some(at) = t
            .jobs
            .iter()
            .position(|j| j.piece == piece && j.source == source && !j.verifying)
        else {
            if peer.cancelled > 0 {
                // It answers our cancel.
                peer.cancelled -= 1;
                peer.budget.give_back(1);
            }
            return;
        };
        peer.budget.give_back(1);
        peer.rejects = (peer.rejects + 1).min(8);
        peer.rest_until = now
            + if peer.bootswarm && !peer.origin {
                // Too many wait there already. Others will soon have the piece as well.
                let usual = t
                    .times
                    .p50()
                    .unwrap_or((50 * MILLISECOND) << peer.rejects)
                    .clamp(REST_MIN_US, REST_MAX_US);
                usual / 2 + self.rng.below(usual)
            } else {
                (100 * MILLISECOND) << peer.rejects
            };
        let until = peer.rest_until;
        peer.allowed.retain(|p| *p != piece);
        let t = &mut self.torrents[usize::from(torrent.0)];
        t.note_rest(peer);
        t.note_answer(piece, now);
        self.drop_job_but(torrent, at, Some(block));
        self.wake_at(until);
    }

    /// Somebody in our rack brings this piece in from outside: we need not.
    fn on_suggest(&mut self, conn: ConnId, piece: u32) {
        let Some(peer) = self.peers.get(&conn).filter(|p| p.bootswarm && !p.origin) else {
            return;
        };
        let (torrent, listen, bit) = (peer.torrent, peer.listen, peer.mask());
        let t = &mut self.torrents[usize::from(torrent.0)];
        // Claims go to a peer's own rack: the tracker has named us to it before it named it to us.
        let known = listen
            .and_then(|a| t.known.get_mut(&a))
            .filter(|k| k.nearness == Nearness::Unknown);
        if let Some(known) = known {
            known.nearness = Nearness::Local;
            self.refresh_local(torrent);
        }
        let Some(peer) = self.peers.get(&conn) else {
            return;
        };
        let t = &mut self.torrents[usize::from(torrent.0)];
        if t.local & bit == 0 || t.has(piece) || t.holders(piece) & bit != 0 {
            return;
        }
        // Both of us began at once: the one with the lower identity goes on, and waits for nobody when it is turned away.
        let gives_way = peer.peer_id < self.cfg.peer_id;
        if !gives_way && t.claims.is_ours(piece, self.now) {
            return;
        }
        if !t.claims.heeds(piece, self.now, conn) {
            return;
        }
        let lasts = t.claim_us() + self.rng.below(t.claim_us());
        t.note_claim(piece, self.now, self.now + lasts, Some(conn));
        if gives_way {
            let (local, slots) = (t.local, &self.peers);
            let other = t.jobs.iter().position(|j| {
                j.piece == piece
                    && j.received == 0
                    && !j.origin
                    && matches!(j.source, super::torrent::Source::Peer(c)
                    if slots.get(&c).is_some_and(|p| p.mask() & local == 0))
            });
            if let Some(at) = other {
                self.drop_job(torrent, at);
            }
        }
        self.claim_ends_at(self.now + lasts);
    }

    /// A connection of two complete nodes is of no more use.
    fn note_complete(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get(&conn) else {
            return;
        };
        let t = &self.torrents[usize::from(peer.torrent.0)];
        if t.done() && peer.have == t.pieces {
            self.wake_at(self.now + SECOND);
        }
    }

    /// Whether a peer counts as local: as long as no racks are known, everybody does.
    pub(super) fn counts_local(racked: bool, nearness: Nearness) -> bool {
        match nearness {
            Nearness::Local => true,
            Nearness::Across | Nearness::Far => false,
            Nearness::Unknown => !racked,
        }
    }
}
