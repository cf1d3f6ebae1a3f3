//! Which turns may be served at a time. Those of connections that crawl have a lane of their own.

use super::super::Micros;
use super::super::shares::Shares;
use super::super::types::ConnId;
use super::{Requester, UPLOADS_ACROSS_MAX, UPLOADS_FLAT_MAX};

/// Turns of addresses with half of the places that are looked at again when others leave room.
const PASSED_OVER_MAX: usize = 4 * UPLOADS_FLAT_MAX;

/// The turns that are served at a time, of those that crawl or of the others.
pub(super) struct Lane {
    most: usize,
    count: usize,
    across: usize,
    shares: Shares,
    /// Turns of addresses that have half of the places.
    passed_over: Vec<(ConnId, u32)>,
    /// Of one in our rack, or in another one, it has been unknown for long whether it crawls.
    has_unjudged: [bool; 2],
    /// When to look again.
    next_at: Micros,
}

impl Lane {
    pub fn new(most: usize) -> Self {
        Self {
            most,
            count: 0,
            across: 0,
            shares: Shares::default(),
            passed_over: Vec::new(),
            has_unjudged: [false; 2],
            next_at: Micros::MAX,
        }
    }

    /// Whether one more of this peer can be served. To other racks one goes after the other: the first rack that has a piece
    /// passes it on while the next one gets it.
    pub fn has_room(&self, peer: &Requester) -> bool {
        let is_first = self.shares.of(peer.site) == 0;
        let more = usize::from(is_first && self.has_unjudged[usize::from(peer.is_across)]);
        self.count < self.most + more && !(peer.is_across && self.across >= UPLOADS_ACROSS_MAX + more)
    }

    /// Whether an address has half of the places.
    pub fn has_half(&self, peer: &Requester) -> bool {
        let most = if peer.is_across {
            UPLOADS_ACROSS_MAX
        } else {
            self.most
        };
        self.shares.of(peer.site) >= most / 2
    }

    /// Whether there is room for nobody.
    pub fn is_full(&self) -> bool {
        self.count >= self.most + usize::from(self.has_unjudged.contains(&true))
    }

    pub fn note(&mut self, peer: &Requester, until: Micros, is_unjudged: bool) {
        self.next_at = self.next_at.min(until);
        self.count += 1;
        self.across += usize::from(peer.is_across);
        self.has_unjudged[usize::from(peer.is_across)] |= is_unjudged;
        self.shares.add(peer.site);
    }

    /// Remembers a turn, as long as there may be room for it.
    pub fn pass_over(&mut self, conn: ConnId, piece: u32) {
        if self.passed_over.len() < PASSED_OVER_MAX {
            self.passed_over.push((conn, piece));
        }
    }

    /// The turns that were passed over.
    pub fn take_passed_over(&mut self) -> Vec<(ConnId, u32)> {
        std::mem::take(&mut self.passed_over)
    }

    /// When to look again though nothing has happened.
    pub fn next_at(&self) -> Micros {
        self.next_at
    }
}
