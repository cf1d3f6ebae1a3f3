//! Who brings which piece in from outside of our rack: each comes over the uplink once, as long as the node that has claimed
//! it brings it.

use super::types::ConnId;
use crate::core::time::Micros;

/// Claims of one piece that we respect: nobody can keep us from it for ever.
const CLAIMS_HEEDED: u8 = 64;

/// Somebody of our rack, or ourselves, brings a piece in from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    pub piece: u32,
    /// Who said so; none: we.
    pub by: Option<ConnId>,
    pub since: Micros,
}

/// The claims of one torrent.
pub(super) struct Claims {
    /// Until when each piece is somebody's, or not yet ours to bring in; 0: it never was.
    until: Vec<Micros>,
    /// How often each was claimed.
    made: Vec<u8>,
    /// Those that may still run.
    open: Vec<Claim>,
}

impl Claims {
    /// For so many pieces.
    pub fn new(pieces: usize) -> Self {
        Self {
            until: vec![0; pieces],
            made: vec![0; pieces],
            open: Vec::new(),
        }
    }

    /// Whether a piece is left to somebody else.
    pub fn holds(&self, piece: u32, now: Micros) -> bool {
        self.until[piece as usize] > now
    }

    /// Whether it was never claimed, and has no turn yet.
    pub fn is_fresh(&self, piece: u32) -> bool {
        self.until[piece as usize] == 0
    }

    /// Whether it was claimed so often that no claim of it counts any more.
    pub fn is_worn(&self, piece: u32) -> bool {
        self.made[piece as usize] >= CLAIMS_HEEDED
    }

    /// Our turn to bring it in comes then.
    pub fn wait(&mut self, piece: u32, until: Micros) {
        self.until[piece as usize] = until.max(1);
    }

    /// Somebody brings a piece in until then. Claims that have run out, and those of pieces that are no longer
    /// `outside`, are forgotten.
    pub fn note(
        &mut self,
        piece: u32,
        now: Micros,
        until: Micros,
        by: Option<ConnId>,
        is_outside: impl Fn(u32) -> bool,
    ) {
        self.until[piece as usize] = until;
        self.made[piece as usize] = self.made[piece as usize].saturating_add(1);
        let ends = &self.until;
        self.open
            .retain(|c| c.piece != piece && ends[c.piece as usize] > now && is_outside(c.piece));
        self.open.push(Claim {
            piece,
            by,
            since: now,
        });
    }

    /// We said that we bring it and failed: we may try again.
    pub fn give_up(&mut self, piece: u32, now: Micros) {
        if self.open.iter().any(|c| c.piece == piece && c.by.is_none()) {
            self.until[piece as usize] = now;
        }
    }

    /// A peer is gone, and with it what it wanted to bring.
    pub fn forget(&mut self, by: ConnId) {
        for claim in self.open.iter().filter(|c| c.by == Some(by)) {
            self.until[claim.piece as usize] = 0;
        }
        self.open.retain(|c| c.by != Some(by));
    }

    /// Claims that may still run.
    pub fn open(&self) -> &[Claim] {
        &self.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: Option<ConnId> = Some(ConnId(3));

    #[test]
    fn a_claim_holds_until_it_runs_out_or_its_maker_is_gone() {
        let mut claims = Claims::new(4);
        assert!(claims.is_fresh(0) && !claims.holds(0, 0));
        claims.note(0, 10, 20, PEER, |_| true);
        claims.note(1, 10, 20, None, |_| true);
        assert!(claims.holds(0, 19) && !claims.holds(0, 20));
        claims.give_up(0, 12);
        assert!(claims.holds(0, 12), "it is not ours");
        claims.give_up(1, 12);
        assert!(!claims.holds(1, 12) && !claims.is_fresh(1));
        claims.forget(ConnId(3));
        assert!(claims.is_fresh(0));
        assert_eq!(claims.open().len(), 1);
    }

    #[test]
    fn those_that_ran_out_or_came_true_are_dropped_with_the_next() {
        let mut claims = Claims::new(4);
        claims.note(0, 10, 20, PEER, |_| true);
        claims.note(1, 10, 90, PEER, |_| true);
        claims.note(2, 10, 90, PEER, |_| true);
        claims.note(3, 20, 90, None, |piece| piece != 1);
        let open: Vec<u32> = claims.open().iter().map(|c| c.piece).collect();
        assert_eq!(open, [2, 3]);
    }

    #[test]
    fn nobody_can_claim_a_piece_for_ever() {
        let mut claims = Claims::new(1);
        for _ in 0..CLAIMS_HEEDED {
            assert!(!claims.is_worn(0));
            claims.note(0, 0, 1, PEER, |_| true);
        }
        assert!(claims.is_worn(0));
    }
}
