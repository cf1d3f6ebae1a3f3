//! Who brings which piece in from outside of our rack: each comes over the uplink once, as long as the node that has claimed
//! it brings it.

use super::types::ConnId;
use crate::core::time::Micros;

/// Claims of one piece that we respect: nobody can keep us from it for ever.
const CLAIMS_HEEDED: u8 = 64;

/// Claims of one peer that are heeded at a time: as many as a node has pieces in flight, fewer until it has kept one, and one
/// after it has broken several in a row. Whoever claims all pieces and brings none keeps no rack waiting.
const OPEN_MAX: usize = 8;
const OPEN_UNPROVEN_MAX: usize = 4;
const BROKEN_MAX: u32 = 4;

/// How a peer has kept its word.
struct Maker {
    by: ConnId,
    has_kept: bool,
    /// Claims in a row that ran out, or that it repeated.
    broken: u32,
}

impl Maker {
    fn open_max(&self) -> usize {
        match (self.broken >= BROKEN_MAX, self.has_kept) {
            (true, _) => 1,
            (false, true) => OPEN_MAX,
            (false, false) => OPEN_UNPROVEN_MAX,
        }
    }
}

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
    /// Until when the others leave each piece to us, because we said that we bring it in.
    ours_until: Vec<Micros>,
    /// How often each was claimed.
    made: Vec<u8>,
    /// Those that may still run.
    open: Vec<Claim>,
    makers: Vec<Maker>,
}

impl Claims {
    /// For so many pieces.
    pub fn new(pieces: usize) -> Self {
        Self {
            until: vec![0; pieces],
            ours_until: vec![0; pieces],
            made: vec![0; pieces],
            open: Vec::new(),
            makers: Vec::new(),
        }
    }

    /// Whether a piece is left to somebody else.
    pub fn holds(&self, piece: u32, now: Micros) -> bool {
        self.until[piece as usize] > now
    }

    /// Whether the others leave a piece to us, also when we were turned away once.
    pub fn is_ours(&self, piece: u32, now: Micros) -> bool {
        self.ours_until[piece as usize] > now
    }

    /// Whether it was never claimed, and has no turn yet.
    pub fn is_fresh(&self, piece: u32) -> bool {
        self.until[piece as usize] == 0
    }

    /// Whether it was claimed so often that no claim of it counts any more.
    pub fn is_worn(&self, piece: u32) -> bool {
        self.made[piece as usize] >= CLAIMS_HEEDED
    }

    /// Whether we leave a piece to this peer because it says so. It must be noted then.
    pub fn heeds(&mut self, piece: u32, now: Micros, by: ConnId) -> bool {
        if self.is_worn(piece) {
            return false;
        }
        let at = self.makers.iter().position(|m| m.by == by);
        let at = at.unwrap_or_else(|| {
            self.makers.push(Maker {
                by,
                has_kept: false,
                broken: 0,
            });
            self.makers.len() - 1
        });
        let maker = &mut self.makers[at];
        let ends = &self.until;
        let own = self.open.iter().filter(|c| c.by == Some(by));
        let (mut open, mut again) = (0, false);
        for claim in own {
            open += usize::from(ends[claim.piece as usize] > now);
            again |= claim.piece == piece;
        }
        if again {
            maker.broken += 1;
            return maker.broken < BROKEN_MAX;
        }
        open < maker.open_max()
    }

    /// A peer has got a piece.
    pub fn note_kept(&mut self, piece: u32, by: ConnId) {
        if self.open.iter().any(|c| c.piece == piece && c.by == Some(by))
            && let Some(maker) = self.makers.iter_mut().find(|m| m.by == by)
        {
            maker.has_kept = true;
            maker.broken = 0;
        }
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
        self.ours_until[piece as usize] = if by.is_none() { until } else { 0 };
        self.made[piece as usize] = self.made[piece as usize].saturating_add(1);
        let (ends, makers) = (&self.until, &mut self.makers);
        self.open.retain(|c| {
            let holds = c.piece != piece && ends[c.piece as usize] > now;
            let outside = is_outside(c.piece);
            if outside && !holds && c.piece != piece {
                makers
                    .iter_mut()
                    .filter(|m| Some(m.by) == c.by)
                    .for_each(|m| m.broken += 1);
            }
            holds && outside
        });
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
        self.makers.retain(|m| m.by != by);
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
    fn one_peer_cannot_claim_everything() {
        let mut claims = Claims::new(64);
        let by = ConnId(3);
        let heeded = |claims: &mut Claims, now, lasts| {
            let heeded = (0..64).filter(|piece| {
                let heeds = claims.heeds(*piece, now, by);
                if heeds {
                    claims.note(*piece, now, now + lasts, Some(by), |_| true);
                }
                heeds
            });
            heeded.count()
        };
        assert_eq!(heeded(&mut claims, 0, 10), OPEN_UNPROVEN_MAX);
        // One is kept: it may claim as many as a node brings in.
        claims.note_kept(2, by);
        claims.note(63, 20, 21, None, |piece| piece != 2);
        claims.note_kept(2, by);
        assert!(heeded(&mut claims, 20, 10) <= OPEN_MAX);
        // All others ran out, again and again.
        let later: Vec<usize> = (3..9).map(|n| heeded(&mut claims, n * 10, 10)).collect();
        assert_eq!(later[1..], [1; 5], "{later:?}");
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
