//! Who brings pieces into the rack over its uplink: a few importers, each piece by one of them. The tracker names them; they
//! are all neighbours of one another, so that claims (`suggest`) reach all of them. Where it has named nobody, members find
//! an order by themselves. Where those that it named bring nothing in any more, members do.

use super::torrent::{Job, Source, Torrent};
use super::types::{ConnId, TorrentId};
use super::{Micros, Swarm};
use crate::core::nearness::Duty;
use crate::core::time::MILLISECOND;

/// Importers that begin at once, in turn.
const IMPORTERS: usize = 3;
/// Pieces that one of them imports at a time.
const IMPORTS_MAX: usize = 3;
/// The next importer in turn waits for this part of a piece's time.
const STEPS: Micros = 4;
/// The other members wait for this part of a claim's time, and at random for up to another: often only one of them
/// has a neighbour with the piece.
const OTHERS: Micros = 7;
const OTHERS_SPREAD: Micros = 20;
/// Members of a rack whose importers are gone begin one after the other, the last ones all at once.
const STARVE_RANKS_MAX: usize = 16;
/// Neighbours in other racks that an importer dials for, and that the others do, in case the importers fail.
const ACROSS_IMPORTER: usize = 5;
const ACROSS_OTHER: usize = 1;
/// So long after the start we do not know our rack well enough to be sure that we are an importer. Later a farm that
/// starts at once waits for its importers.
pub(super) const SETTLE_US: Micros = 30 * MILLISECOND;

/// A node's place in the order of importers.
pub(super) fn tag(peer_id: &[u8; 20]) -> u64 {
    peer_id
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(*b)).wrapping_mul(0x0000_0100_0000_01b3)
        })
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Swarm {
    /// Finds our place among the agents of our rack.
    pub(super) fn rank_importers(&mut self, torrent: TorrentId) {
        let own = tag(&self.cfg.peer_id);
        let t = &self.torrents[usize::from(torrent.0)];
        let before = |c: &&ConnId| {
            self.peers
                .get(c)
                .is_some_and(|p| p.bootswarm && p.tag < own && t.local & p.mask() != 0)
        };
        let rank = match t.duty {
            Duty::Importer(rank) => usize::from(rank),
            Duty::Member => IMPORTERS + t.slots.iter().flatten().filter(before).count(),
            Duty::Unsaid => t.slots.iter().flatten().filter(before).count(),
        };
        self.torrents[usize::from(torrent.0)].import_rank = rank;
    }

    /// The tracker says who brings pieces into our rack.
    pub(super) fn on_duty(&mut self, torrent: TorrentId, duty: Duty) {
        let now = self.now;
        if let Some(t) = self.torrent(torrent).filter(|t| t.duty != duty) {
            t.duty = duty;
            t.forsaken = false;
            t.rack_moved_at = now;
            self.rank_importers(torrent);
            self.dirty = true;
            self.wake_at(now);
        }
    }

    /// Looks whether our rack's importers still bring in what is to be had elsewhere.
    pub(super) fn check_importers(&mut self) {
        let now = self.now;
        for at in 0..self.torrents.len() {
            let t = &mut self.torrents[at];
            if !t.waits_for_importers() {
                continue;
            }
            if t.starves_at() <= now {
                let lacks = |piece: &u32| {
                    let elsewhere = t.outside() & !t.too_far_for(*piece, now);
                    t.near_holders(*piece) == 0 && t.holders(*piece) & elsewhere != 0
                };
                if t.wanted.iter().any(lacks) {
                    t.forsaken = true;
                    self.dirty = true;
                    continue;
                }
                t.rack_moved_at = now;
            }
            let due = t.starves_at();
            self.wake_at(due);
        }
    }

    /// Somebody outside has a piece: from when on we may bring it in.
    pub(super) fn note_outside(&mut self, torrent: TorrentId, piece: u32) {
        let now = self.now;
        let t = &mut self.torrents[usize::from(torrent.0)];
        if !t.claims.is_fresh(piece) || t.has(piece) {
            return;
        }
        let step = t.times.p50().map_or(50 * MILLISECOND, |p| {
            (p / STEPS).clamp(MILLISECOND, 100 * MILLISECOND)
        });
        let at = if t.import_rank < IMPORTERS {
            let turn = (t.import_rank + piece as usize) % IMPORTERS;
            now + step * turn as u64 + self.rng.below(step / 4 + 1)
        } else {
            let claim_us = t.claim_us();
            now + claim_us / OTHERS + self.rng.below(claim_us / OTHERS_SPREAD + 1)
        };
        let t = &mut self.torrents[usize::from(torrent.0)];
        t.claims.wait(piece, at);
        self.claim_ends_at(at);
    }

    /// Looks again when a claim has ended.
    pub(super) fn claim_ends_at(&mut self, at: Micros) {
        self.claim_ends.insert(at / MILLISECOND + 1);
        self.check_claims();
    }

    pub(super) fn check_claims(&mut self) {
        while let Some(at) = self.claim_ends.first().map(|ms| ms * MILLISECOND) {
            if at > self.now {
                // What is overdue is done in this turn, and asks again for the next.
                if self.wake > self.now {
                    self.wake_at(at);
                }
                return;
            }
            self.claim_ends.pop_first();
            self.dirty = true;
        }
    }

    /// Looks again when a claim has become too old, at the end of a rack's imports.
    pub(super) fn check_stale_claims(&mut self) {
        let now = self.now;
        let dues = self.torrents.iter().flat_map(|t| t.claims_due(now));
        if let Some(due) = dues.map(|(_, due)| due).filter(|due| *due > now).min() {
            self.wake_at(due);
        }
    }
}

impl Torrent {
    /// Neighbours in other racks that we dial for.
    pub(super) fn across_wanted(&self, now: Micros) -> usize {
        if now >= self.started_at + SETTLE_US && self.import_rank < IMPORTERS {
            ACROSS_IMPORTER
        } else {
            ACROSS_OTHER
        }
    }

    /// Bits of the agents and clients in other racks.
    pub(super) fn outside(&self) -> u128 {
        self.present & !self.local & !self.seeders
    }

    /// Bits of those of them that may be in a rack beyond the next ones, as long as we have neighbours in these: what they
    /// give comes over the links of all racks on the way, which bring in the same.
    pub(super) fn distant(&self) -> u128 {
        match self.across & self.present {
            0 => 0,
            across => self.outside() & !across,
        }
    }

    /// How long we wait for the racks next to ours to get a piece that a rack beyond has announced.
    pub(super) fn distant_us(&self) -> Micros {
        let later = self.import_rank.min(STARVE_RANKS_MAX) as Micros;
        self.claim_us() + self.claim_us() / OTHERS * later
    }

    /// Bits of the peers that are not asked for a piece yet.
    pub(super) fn too_far_for(&self, piece: u32, now: Micros) -> u128 {
        if now >= self.heard_at(piece) + self.distant_us() {
            return 0;
        }
        self.distant()
    }

    /// Whether a peer is in another rack.
    pub(super) fn is_across(&self, mask: u128) -> bool {
        self.racked && self.local & mask == 0
    }

    /// Pieces that others of our rack bring in, and when we no longer wait for them. All of the rack waits for the last ones:
    /// who has claimed one may have been turned away, or have a single neighbour with it, who is slow.
    fn claims_due(&self, now: Micros) -> impl Iterator<Item = (u32, Micros)> {
        let late = self.late_at_the_end_us(now);
        let wait = 2 * late + late / STEPS * self.import_rank as u64;
        let claims = if self.rack_is_ending() {
            self.claims.open()
        } else {
            &[]
        };
        let others = claims.iter().filter(|c| c.by.is_some());
        others.map(move |c| (c.piece, c.since + wait))
    }

    /// Those of them for which we do not wait any more.
    pub(super) fn stale_claims(&self, now: Micros) -> Vec<u32> {
        let stale = self.claims_due(now).filter(|(_, due)| *due <= now);
        stale.map(|(piece, _)| piece).collect()
    }

    /// Whether others bring in what we lack.
    fn waits_for_importers(&self) -> bool {
        self.racked && self.duty == Duty::Member && !self.forsaken && !self.done()
    }

    /// When a member takes its rack's importers for dead, if they bring nothing in until then. The first among its
    /// neighbours are the first to do so: of a large rack not all shall begin at once.
    fn starves_at(&self) -> Micros {
        let later = self.import_rank.saturating_sub(IMPORTERS).min(STARVE_RANKS_MAX) as Micros;
        self.rack_moved_at + self.claim_us() * (STEPS + later) / STEPS
    }

    /// Whether we may begin to bring one more piece in.
    pub(super) fn may_import(&self) -> bool {
        if self.waits_for_importers() {
            return false;
        }
        let imports = |j: &&Job| {
            let is_of_peer = matches!(j.source, Source::Peer(_)) && !j.origin;
            is_of_peer && !j.verifying && self.near_holders(j.piece) == 0
        };
        self.jobs.iter().filter(imports).count() < IMPORTS_MAX
    }
}
