//! One torrent: which pieces we have, who has which, what is in flight.

use std::net::IpAddr;

use super::claims::Claims;
use super::dial::WANT_PEERS_US;
use super::known::Addresses;
use super::peer::Peer;
use super::piece_times::PieceTimes;
use super::types::{ConnId, FetchId, Progress, Slot, TorrentSpec};
use crate::core::limits::BLOCK_BYTES;
use crate::core::nearness::Duty;
use crate::core::time::{MILLISECOND, Micros};
use crate::core::wire::Block;

/// Connections of one torrent: each has a bit in the masks.
const SLOTS: usize = 128;
/// Blocks of the largest piece, as words of a bit set.
const BLOCK_WORDS: usize = 4;
const NOWHERE: u32 = u32::MAX;

/// Who delivers a piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Peer(ConnId),
    Fetch(FetchId),
}

/// A piece in flight.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub piece: u32,
    pub slot: Slot,
    pub source: Source,
    /// Blocks of the piece.
    pub blocks: u32,
    /// Blocks asked for so far; they are asked for in order.
    pub requested: u32,
    /// Blocks that have arrived.
    pub received: u32,
    got: [u64; BLOCK_WORDS],
    /// When it was assigned.
    pub started_at: Micros,
    /// When the last block came, or when it was assigned.
    pub moved_at: Micros,
    /// Blocks of the torrent that had come when it was assigned.
    pub seen: u64,
    /// All blocks are there and the shell checks the hash.
    pub verifying: bool,
    /// The peer is of the server, or it is a fetch.
    pub origin: bool,
}

impl Job {
    pub fn new(piece: u32, slot: Slot, source: Source, blocks: u32, now: Micros, origin: bool) -> Self {
        Self {
            piece,
            slot,
            source,
            blocks,
            requested: 0,
            received: 0,
            got: [0; BLOCK_WORDS],
            started_at: now,
            moved_at: now,
            seen: 0,
            verifying: false,
            origin,
        }
    }

    pub fn has_block(&self, index: u32) -> bool {
        self.got[index as usize / 64] >> (index % 64) & 1 == 1
    }

    pub fn set_block(&mut self, index: u32) {
        self.got[index as usize / 64] |= 1 << (index % 64);
        self.received += 1;
    }
}

/// What is known of one piece. Together, because each announcement needs most of it.
#[derive(Clone)]
struct Piece {
    /// Who has it, by the peers' bits.
    holders: u128,
    /// When a peer last announced it, in milliseconds.
    heard_ms: u32,
    /// When it was asked of a peer that neither sent nor refused it, whoever has been asked since; or its last block
    /// came. In milliseconds; 0: nobody owes it.
    owed_ms: u32,
    /// Where it is among the wanted ones.
    wanted_at: u32,
    have: bool,
}

/// One torrent of the node.
pub(super) struct Torrent {
    pub spec: TorrentSpec,
    pub pieces: u32,
    pub progress: Progress,
    by_piece: Vec<Piece>,
    /// Pieces that we lack and that nobody is delivering, in no order.
    pub wanted: Vec<u32>,
    /// How many wanted pieces each of them has, and the bits of those that have any.
    offers: [u32; SLOTS],
    pub useful: u128,
    /// What our rack brings in from outside.
    pub claims: Claims,
    pub jobs: Vec<Job>,
    pub slots: Vec<Option<ConnId>>,
    /// Bits of peers that count as being in our rack.
    pub local: u128,
    /// Bits of peers in racks next to ours.
    pub across: u128,
    /// Bits of peers that were asked and gave nothing: see `doubt.rs`.
    pub doubtful: u128,
    /// Bits of peers that may be asked for one more piece, but for those that may rest.
    pub room: u128,
    pub resting: u128,
    /// No rest of them ends before.
    pub rests_until: Micros,
    /// Bits of peers that say that they have everything and have not given anything yet.
    pub unproven: u128,
    /// Bits of peers that were not seen to give anything, once others were caught at giving nothing.
    pub suspect: u128,
    /// Addresses that said that they have everything and were caught at giving nothing.
    pub caught: u32,
    /// How many in our rack come before us in the order of importers.
    pub import_rank: usize,
    /// What the tracker has made of us.
    pub duty: Duty,
    /// When our rack last got a piece that nobody of it had, as far as we know.
    pub rack_moved_at: Micros,
    /// The importers that the tracker named bring nothing in any more.
    pub forsaken: bool,
    pub started_at: Micros,
    /// Bits of the server's seeders.
    pub seeders: u128,
    /// Bits of peers past the handshake.
    pub present: u128,
    /// Bits of peers that may have offered pieces while choking us; some may have none left.
    pub offering: u128,
    /// There are other racks, so peers of unknown nearness count as elsewhere.
    pub racked: bool,
    /// The tracker has named peers, in our rack or elsewhere.
    pub introduced: bool,
    /// Addresses that say that we are in another rack than they, a few.
    pub rack_sayers: Vec<IpAddr>,
    pub known: Addresses,
    /// Hints in a row that nobody answered, and when the next ones may be dialled.
    pub hints_dead: u32,
    pub hints_at: Micros,
    pub times: PieceTimes,
    pub intake: super::intake::Intake,
    pub origin: super::origin::Origin,
    pub metadata: super::metadata::Metadata,
    pub wanted_peers_at: Micros,
    /// The lowest piece that we lack, for the streaming window.
    pub first_missing: u32,
}

impl Piece {
    fn new(piece: u32, have: bool) -> Self {
        Self {
            holders: 0,
            heard_ms: 0,
            owed_ms: 0,
            wanted_at: if have { NOWHERE } else { piece },
            have,
        }
    }
}

impl Torrent {
    pub fn new(spec: TorrentSpec, now: Micros) -> Self {
        let length = u64::from(spec.piece_length.max(1));
        let pieces = spec.size_bytes.div_ceil(length).min(u64::from(u32::MAX / 2)) as u32;
        let n = pieces as usize;
        let have_all = spec.have_all;
        let progress = Progress {
            pieces_total: pieces,
            pieces_done: if have_all { pieces } else { 0 },
            done_bytes: if have_all { spec.size_bytes } else { 0 },
            ..Progress::default()
        };
        Self {
            pieces,
            progress,
            wanted: if have_all {
                Vec::new()
            } else {
                (0..pieces).collect()
            },
            by_piece: (0..pieces).map(|piece| Piece::new(piece, have_all)).collect(),
            offers: [0; SLOTS],
            useful: 0,
            claims: Claims::new(n),
            jobs: Vec::new(),
            slots: vec![None; SLOTS],
            local: 0,
            across: 0,
            doubtful: 0,
            suspect: 0,
            caught: 0,
            import_rank: 0,
            duty: Duty::Unsaid,
            rack_moved_at: now,
            forsaken: false,
            started_at: now,
            seeders: 0,
            present: 0,
            room: 0,
            resting: 0,
            rests_until: Micros::MAX,
            unproven: 0,
            offering: 0,
            racked: false,
            introduced: false,
            rack_sayers: Vec::new(),
            known: Addresses::default(),
            hints_dead: 0,
            hints_at: 0,
            times: PieceTimes::default(),
            intake: super::intake::Intake::new(now),
            origin: super::origin::Origin::new(now),
            metadata: super::metadata::Metadata::new(&spec.metadata, now),
            // The trackers are asked at the start anyway, or have answered already.
            wanted_peers_at: now + WANT_PEERS_US,
            first_missing: if have_all { pieces } else { 0 },
            spec,
        }
    }

    /// Reads what most inputs need: see [`super::Swarm::touch`].
    pub fn touch(&self, piece: Option<u32>) -> u64 {
        let jobs = self.jobs.first().map_or(0, |j| j.moved_at);
        let piece = piece.and_then(|piece| self.by_piece.get(piece as usize));
        jobs ^ piece.map_or(0, |p| u64::from(p.heard_ms))
            ^ self.progress.done_bytes
            ^ self.local as u64
            ^ self.started_at
            ^ self.times.p50().unwrap_or(0)
    }

    pub fn done(&self) -> bool {
        self.progress.pieces_done == self.pieces
    }

    pub fn has(&self, piece: u32) -> bool {
        self.by_piece.get(piece as usize).is_some_and(|p| p.have)
    }

    pub fn bitfield(&self) -> Vec<u8> {
        let mut bytes = vec![0u8; self.by_piece.len().div_ceil(8)];
        for (i, _) in self.by_piece.iter().enumerate().filter(|(_, p)| p.have) {
            bytes[i / 8] |= 0x80 >> (i % 8);
        }
        bytes
    }

    /// Bytes of this piece; the last one may be shorter.
    pub fn piece_bytes(&self, piece: u32) -> u32 {
        let start = u64::from(piece) * u64::from(self.spec.piece_length);
        (self.spec.size_bytes - start).min(u64::from(self.spec.piece_length)) as u32
    }

    pub fn blocks_of(&self, piece: u32) -> u32 {
        self.piece_bytes(piece).div_ceil(BLOCK_BYTES)
    }

    /// The block at this position, as we ask for it.
    pub fn block(&self, piece: u32, index: u32) -> Block {
        let begin = index * BLOCK_BYTES;
        Block {
            piece,
            begin,
            len: (self.piece_bytes(piece) - begin).min(BLOCK_BYTES),
        }
    }

    /// Whether a request or a `piece` header lies within the torrent.
    pub fn within(&self, block: Block) -> bool {
        block.piece < self.pieces
            && block.len > 0
            && u64::from(block.begin) + u64::from(block.len) <= u64::from(self.piece_bytes(block.piece))
    }

    pub fn is_wanted(&self, piece: u32) -> bool {
        self.by_piece
            .get(piece as usize)
            .is_some_and(|p| p.wanted_at != NOWHERE)
    }

    pub fn take_wanted(&mut self, piece: u32) {
        let at = self.by_piece[piece as usize].wanted_at;
        if at == NOWHERE {
            return;
        }
        self.wanted.swap_remove(at as usize);
        if let Some(moved) = self.wanted.get(at as usize) {
            self.by_piece[*moved as usize].wanted_at = at;
        }
        self.by_piece[piece as usize].wanted_at = NOWHERE;
        let mut bits = self.holders(piece);
        while bits != 0 {
            let slot = bits.trailing_zeros() as usize;
            bits &= bits - 1;
            self.offers[slot] -= 1;
            if self.offers[slot] == 0 {
                self.useful &= !(1 << slot);
            }
        }
    }

    pub fn put_wanted(&mut self, piece: u32) {
        if self.has(piece) || self.is_wanted(piece) {
            return;
        }
        self.by_piece[piece as usize].wanted_at = self.wanted.len() as u32;
        self.wanted.push(piece);
        let mut bits = self.holders(piece);
        self.useful |= bits;
        while bits != 0 {
            self.offers[bits.trailing_zeros() as usize] += 1;
            bits &= bits - 1;
        }
    }

    /// Who has a piece, by the peers' bits.
    pub fn holders(&self, piece: u32) -> u128 {
        self.by_piece[piece as usize].holders
    }

    /// A peer has a piece; false when that was known.
    pub fn note_holder(&mut self, piece: u32, peer: &Peer) -> bool {
        let holders = &mut self.by_piece[piece as usize].holders;
        if *holders & peer.mask() != 0 {
            return false;
        }
        *holders |= peer.mask();
        if self.is_wanted(piece) {
            self.offers[usize::from(peer.bit)] += 1;
            self.useful |= peer.mask();
        }
        true
    }

    /// A peer is gone, and with it what it had.
    pub fn forget_holder(&mut self, peer: &Peer) {
        for piece in &mut self.by_piece {
            piece.holders &= !peer.mask();
        }
        self.offers[usize::from(peer.bit)] = 0;
        self.useful &= !peer.mask();
    }

    pub fn set_have(&mut self, piece: u32) {
        self.take_wanted(piece);
        self.by_piece[piece as usize].have = true;
        self.progress.pieces_done += 1;
        self.progress.done_bytes += u64::from(self.piece_bytes(piece));
        while self.has(self.first_missing) {
            self.first_missing += 1;
        }
    }

    pub fn job_at(&self, piece: u32, source: Source) -> Option<usize> {
        self.jobs
            .iter()
            .position(|j| j.piece == piece && j.source == source)
    }

    /// Who in our rack has a piece, as far as they are believed.
    pub fn near_holders(&self, piece: u32) -> u128 {
        self.holders(piece) & self.local & !(self.doubtful | self.suspect)
    }

    /// The slot a further writer of this piece would get, or `None` when both are taken.
    pub fn free_slot(&self, piece: u32) -> Option<Slot> {
        let mut primary = true;
        let mut spare = true;
        for j in self.jobs.iter().filter(|j| j.piece == piece) {
            match j.slot {
                Slot::Primary => primary = false,
                Slot::Spare => spare = false,
            }
        }
        if primary {
            Some(Slot::Primary)
        } else {
            spare.then_some(Slot::Spare)
        }
    }

    /// A peer announces a piece.
    pub fn note_heard(&mut self, piece: u32, now: Micros) {
        self.by_piece[piece as usize].heard_ms = (now / MILLISECOND) as u32;
        if !self.has(piece) {
            self.origin.note_heard(now);
        }
    }

    /// When a peer last announced a piece, or 0.
    pub fn heard_at(&self, piece: u32) -> Micros {
        Micros::from(self.by_piece[piece as usize].heard_ms) * MILLISECOND
    }

    /// A piece is asked of a peer.
    pub fn note_owed(&mut self, piece: u32, now: Micros) {
        let owed = &mut self.by_piece[piece as usize].owed_ms;
        if *owed == 0 {
            *owed = (now / MILLISECOND).max(1) as u32;
        }
    }

    /// A block of it has come, or its holder has refused it: what nobody answers counts from here.
    pub fn note_answer(&mut self, piece: u32, now: Micros) {
        self.by_piece[piece as usize].owed_ms = 0;
        self.note_owed(piece, now);
    }

    /// Since when nobody has answered for a piece in flight.
    pub fn owed_since(&self, piece: u32) -> Micros {
        Micros::from(self.by_piece[piece as usize].owed_ms) * MILLISECOND
    }

    /// A peer rests.
    pub fn note_rest(&mut self, peer: &Peer) {
        self.resting |= peer.mask();
        self.rests_until = self.rests_until.min(peer.rest_until);
    }

    /// What decides whether a peer is asked for pieces may have changed.
    pub fn note_peer(&mut self, peer: &Peer) {
        if !peer.established {
            return;
        }
        let bit = peer.mask();
        self.room &= !bit;
        self.unproven &= !bit;
        if peer.has_room() {
            self.room |= bit;
        }
        if !peer.origin && !peer.is_credible(self.pieces) {
            self.unproven |= bit;
        }
    }

    /// How many peers there are besides the server's seeders.
    pub fn neighbours(&self) -> u64 {
        u64::from((self.present & !self.seeders).count_ones())
    }

    /// Somebody in our rack, or we, bring a piece in until then.
    pub fn note_claim(&mut self, piece: u32, now: Micros, until: Micros, by: Option<ConnId>) {
        let (by_piece, near) = (&self.by_piece, self.local & !(self.doubtful | self.suspect));
        let is_outside = |piece: u32| by_piece[piece as usize].holders & near == 0;
        self.claims.note(piece, now, until, by, is_outside);
    }
}

#[cfg(test)]
mod tests {
    use super::super::types::{MetadataSpec, TorrentId};
    use super::*;
    use crate::core::rng::Rng;

    const PIECES: u32 = 40;

    #[test]
    fn useful_is_who_has_a_piece_that_nobody_delivers() {
        let mut t = Torrent::new(
            TorrentSpec {
                infohash: [0; 20],
                size_bytes: u64::from(PIECES * BLOCK_BYTES),
                piece_length: BLOCK_BYTES,
                have_all: false,
                has_origin: false,
                seeders: Vec::new(),
                metadata: MetadataSpec::Known(Vec::new().into()),
            },
            0,
        );
        let addr = "10.0.0.1:6881".parse().expect("an address");
        let peers: Vec<Peer> = (0..6)
            .map(|bit| {
                let mut peer = Peer::new(ConnId(bit * 2), TorrentId(0), addr, true, 0);
                peer.bit = bit as u8;
                peer
            })
            .collect();
        let mut rng = Rng::new(1);
        let mut seen = [0, 0];
        for step in 0..5_000 {
            let piece = rng.below(u64::from(PIECES)) as u32;
            let peer = &peers[rng.below(6) as usize];
            match rng.below(100) {
                0 if !t.has(piece) => t.set_have(piece),
                1..4 => t.forget_holder(peer),
                4..20 => drop(t.note_holder(piece, peer)),
                20..60 => t.put_wanted(piece),
                _ => t.take_wanted(piece),
            }
            for peer in &peers {
                let has = |piece: u32| t.holders(piece) & peer.mask() != 0;
                let is_useful = (0..PIECES).any(|piece| t.is_wanted(piece) && has(piece));
                assert_eq!(t.useful & peer.mask() != 0, is_useful, "step {step}");
                seen[usize::from(is_useful)] += 1;
            }
        }
        assert!(seen.iter().all(|times| *times > 1_000), "{seen:?}");
    }
}
