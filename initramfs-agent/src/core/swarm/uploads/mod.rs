//! What we send: whole pieces, first come first served, few at a time, so that each arrives soon. One address has at most half
//! of what is served and of what waits while others ask, and nobody waits for those that read nothing. [`Uploads`] decides
//! who is served; [`demand`] owns what each connection has requested, and [`messages`] asks and sends.
//!
//! A connection that crawls ([`pace`]) has one turn at a time, served beside those of the others and counted apart from
//! them: a slow link gets what it takes, and nobody waits for it.

mod demand;
mod lanes;
mod messages;
mod pace;
mod requests;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::net::IpAddr;

use super::Micros;
use super::shares::Shares;
use super::types::ConnId;
use crate::core::time::SECOND;
use crate::core::wire::Block;
use demand::Demand;
use lanes::Lane;
use requests::Requests;

/// Peers served at a time, and where there are no other racks.
const UPLOADS_MAX: usize = 6;
const UPLOADS_FLAT_MAX: usize = 7;
/// Of these, the ones in other racks.
const UPLOADS_ACROSS_MAX: usize = 2;
/// Agents' pieces that are served or wait, those for our rack and those for others; more are rejected. As many as a node
/// asks for: with fewer places than questions most are turned away, with more they wait.
const TURNS_MAX: usize = super::schedule::IN_FLIGHT_PIECES_MIN;
const TURNS_ACROSS_MAX: usize = 6;
/// Turns of one connection at a time: as many pieces as an agent has in flight. What else it has requested gets one when
/// another is over, so that nobody makes the queue as long as the torrent.
const TURNS_OF_ONE_MAX: usize = super::schedule::IN_FLIGHT_PIECES_MIN;

/// A turn in which nothing moves for this long does not count against the others.
const STUCK_US: Micros = 2 * SECOND;

/// What decides how a peer is served. It may change from one call to the next.
#[derive(Clone, Copy)]
pub(super) struct Requester {
    /// Its address, or network.
    pub site: IpAddr,
    /// It is in another rack.
    pub is_across: bool,
    /// It is an agent: it finds another holder when it is rejected.
    pub is_agent: bool,
    /// It speaks BEP 6, so that it can be rejected.
    pub is_fast: bool,
    /// How long its turn lasts after the last block is gone, unless it announces the piece before.
    pub patience_us: Micros,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It waits to be served.
    Queued,
    /// It is not served, and the peer shall know.
    Rejected,
    /// It waits already, or cannot be served and the peer would not understand a reject.
    Ignored,
}

/// What peers have requested of us, and whose turn it is.
#[derive(Default)]
pub(super) struct Uploads {
    /// In the order of their requests; the front ones are being served.
    turns: VecDeque<Turn>,
    demand: Demand,
    /// Blocks to send that [`Self::blocks`] has not yet given out.
    blocks: Vec<(ConnId, Block)>,
    /// When it was last looked whose turn it is.
    looked_at: Micros,
}

/// A peer and the piece that it is served in this turn.
struct Turn {
    conn: ConnId,
    piece: u32,
    /// The last block was given to the shell, or the turn began waiting.
    moved_at: Micros,
    /// When it was last served.
    served_at: Option<Micros>,
    /// Its connection crawls.
    is_crawling: bool,
}

impl Turn {
    fn new(conn: ConnId, piece: u32, is_crawling: bool, now: Micros) -> Self {
        Self {
            conn,
            piece,
            moved_at: now,
            served_at: None,
            is_crawling,
        }
    }

    /// For how long it has been served since `looked_at`.
    fn held_us(&self, looked_at: Micros, now: Micros) -> Micros {
        let was_served = self.served_at == Some(looked_at);
        if was_served {
            now.saturating_sub(looked_at)
        } else {
            0
        }
    }
}

/// How far a turn has come.
enum Stage {
    /// All is sent, and the peer has had the time to announce the piece.
    Over,
    /// Nothing of its connection moves: it has no turns any more.
    Deaf,
    /// It goes on.
    Goes {
        /// Until then at least; none: nothing has moved for so long that others are served beside it, though another piece of
        /// its connection has moved.
        until: Option<Micros>,
        /// It has been unknown for long whether the connection crawls.
        is_unjudged: bool,
        /// Whether it crawls, if that has changed.
        judged: Option<bool>,
    },
}

impl Uploads {
    /// Nobody waits for anything from us.
    pub fn is_idle(&self) -> bool {
        self.turns.is_empty()
    }

    /// Reads what most calls need: see [`super::Swarm::touch`].
    pub fn touch(&self) -> u64 {
        self.turns.front().map_or(0, |t| t.moved_at)
    }

    /// A peer requests a block; `has_piece`: we could send it. `requester` knows all connections that have requested
    /// something.
    pub fn request(
        &mut self,
        now: Micros,
        conn: ConnId,
        block: Block,
        has_piece: bool,
        requester: impl Fn(ConnId) -> Requester,
    ) -> Answer {
        let peer = requester(conn);
        let refused = if peer.is_fast {
            Answer::Rejected
        } else {
            Answer::Ignored
        };
        let requests = self.demand.get(conn);
        if requests.is_some_and(|r| r.has(block)) {
            return Answer::Ignored;
        }
        if !has_piece || requests.is_some_and(Requests::is_full) {
            return refused;
        }
        let has_turn = self.has_turn(conn, block.piece);
        if !has_turn && peer.is_agent && peer.is_fast && self.is_crowded(conn, peer, requester) {
            return Answer::Rejected;
        }
        self.demand.add(now, conn, &peer, block);
        if !has_turn {
            self.give_turns(conn, now);
        }
        Answer::Queued
    }

    /// A peer takes a request back; whether it still waited. Where nothing else of the piece waits that ends its turn: the
    /// peer gets the piece elsewhere, and may not announce it for long.
    pub fn cancel(&mut self, now: Micros, conn: ConnId, block: Block) -> bool {
        let Some(requests) = self.demand.get_mut(conn) else {
            return false;
        };
        let waited = requests.cancel(block);
        let is_left = requests.pieces().any(|piece| piece == block.piece);
        if !is_left && self.end_turn(now, conn, block.piece) {
            self.give_turns(conn, now);
        }
        waited
    }

    /// Payload bytes of a connection have gone to the kernel.
    pub fn sent(&mut self, now: Micros, conn: ConnId, bytes: u32) {
        if self.demand.sent(now, conn, bytes) {
            self.give_turns(conn, now);
        }
    }

    /// A peer has announced a piece: that ends its turn, and what else it has requested of the piece is not sent. `None` if
    /// it has requested nothing of it.
    pub fn announced(&mut self, now: Micros, conn: ConnId, piece: u32) -> Option<Vec<Block>> {
        let has_ended = self.end_turn(now, conn, piece);
        let needless = self.demand.get_mut(conn)?.cancel_piece(piece);
        if !has_ended && needless.is_empty() {
            return None;
        }
        self.give_turns(conn, now);
        Some(needless)
    }

    /// A connection is gone.
    pub fn forget(&mut self, now: Micros, conn: ConnId) {
        let own = self.turns.iter().filter(|t| t.conn == conn);
        let held_us = own.map(|t| t.held_us(self.looked_at, now)).sum();
        self.turns.retain(|t| t.conn != conn);
        self.demand.forget(conn, held_us);
    }

    /// Serves those whose turn it is; [`Self::blocks`] has what is to be sent. Returns when to call this again though nothing
    /// has happened. `is_flat`: there are no other racks.
    pub fn advance(&mut self, now: Micros, is_flat: bool, requester: impl Fn(ConnId) -> Requester) -> Micros {
        let most = if is_flat { UPLOADS_FLAT_MAX } else { UPLOADS_MAX };
        let mut lanes = [Lane::new(most), Lane::new(most)];
        let mut sites = self.turns.iter().map(|t| requester(t.conn).site);
        let first = sites.next();
        let others_wait = sites.any(|site| Some(site) != first);
        let any_crawls = self.turns.iter().any(|t| t.is_crawling);
        let mut at = 0;
        while at < self.turns.len() && (any_crawls || !lanes[0].is_full()) {
            let turn = &self.turns[at];
            let (conn, piece) = (turn.conn, turn.piece);
            let peer = requester(conn);
            let lane = &mut lanes[usize::from(turn.is_crawling)];
            if !lane.has_room(&peer) {
                at += 1;
            } else if others_wait && lane.has_half(&peer) {
                lane.pass_over(conn, piece);
                at += 1;
            } else {
                at = self.serve_next(at, now, &peer, lane);
            }
        }
        // What nobody else asks for.
        for lane in &mut lanes {
            for (conn, piece) in lane.take_passed_over() {
                let at = self.turns.iter().position(|t| t.conn == conn && t.piece == piece);
                let peer = requester(conn);
                if let Some(at) = at.filter(|_| lane.has_room(&peer)) {
                    self.serve_next(at, now, &peer, lane);
                }
            }
        }
        self.looked_at = now;
        let [others, crawling] = lanes;
        others.next_at().min(crawling.next_at())
    }

    /// Serves a turn; where the next one is.
    fn serve_next(&mut self, at: usize, now: Micros, peer: &Requester, lane: &mut Lane) -> usize {
        let conn = self.turns[at].conn;
        match self.serve(at, now, peer) {
            Stage::Over => {
                self.turns.remove(at);
                self.give_turns(conn, now);
                at
            }
            Stage::Deaf => {
                let before = self.turns.iter().take(at).filter(|t| t.conn == conn).count();
                self.turns.retain(|t| t.conn != conn);
                at - before
            }
            Stage::Goes {
                until,
                is_unjudged,
                judged,
            } => {
                if let Some(until) = until {
                    lane.note(peer, until, is_unjudged);
                }
                judged.map_or(at + 1, |is_crawling| self.note_judged(at, is_crawling, now))
            }
        }
    }

    /// The connection of a turn begins or ceases to crawl; where the next turn is.
    fn note_judged(&mut self, at: usize, is_crawling: bool, now: Micros) -> usize {
        let Turn { conn, piece, .. } = self.turns[at];
        self.turns[at].is_crawling = is_crawling;
        if !is_crawling {
            self.give_turns(conn, now);
            return at + 1;
        }
        let before = self.turns.iter().take(at).filter(|t| t.conn == conn).count();
        self.turns.retain(|t| t.conn != conn || t.piece == piece);
        at + 1 - before
    }

    /// The blocks to send, in order.
    pub fn blocks(&mut self) -> impl Iterator<Item = (ConnId, Block)> {
        self.blocks.drain(..)
    }

    /// Takes the blocks of a turn as far as the shell may hold them.
    fn serve(&mut self, at: usize, now: Micros, peer: &Requester) -> Stage {
        let turn = &mut self.turns[at];
        let (conn, piece) = (turn.conn, turn.piece);
        let held_us = turn.held_us(self.looked_at, now);
        turn.served_at = Some(now);
        let Some(held) = self.demand.held(now, conn, peer.is_across, held_us) else {
            return Stage::Over;
        };
        if held.has_moved {
            turn.is_crawling = false;
        }
        let requests = held.requests;
        while let Some(block) = requests.next_block(piece, now) {
            turn.moved_at = now;
            self.blocks.push((conn, block));
        }
        // Kernels and switches hold much: a turn is over when the peer announces the piece. Peers that do not, and those
        // that are stuck, do not hold the others up.
        let is_gone = requests.is_gone(piece);
        let lasts_us = if is_gone {
            peer.patience_us
        } else {
            peer.patience_us.max(STUCK_US)
        };
        let moves = now.saturating_sub(turn.moved_at) < lasts_us;
        if !moves && is_gone {
            return Stage::Over;
        }
        if !moves && now.saturating_sub(requests.moved_at()) >= lasts_us {
            requests.fall_silent();
            return Stage::Deaf;
        }
        Stage::Goes {
            until: moves.then_some(turn.moved_at + lasts_us),
            is_unjudged: requests.is_unjudged(),
            judged: requests.judge(now, held.all_bytes),
        }
    }

    /// Whether an agent had better look for another holder of a piece: a long queue here would only keep it waiting. What
    /// leaves the rack serves a whole rack, and is not kept out by our own; other clients queue beside agents.
    fn is_crowded(&self, conn: ConnId, peer: Requester, requester: impl Fn(ConnId) -> Requester) -> bool {
        let most = if peer.is_across {
            TURNS_ACROSS_MAX
        } else {
            TURNS_MAX
        };
        let is_crawling = self.demand.is_crawling(conn);
        let all = self.turns.iter().filter(|t| t.is_crawling == is_crawling);
        let all = all.map(|t| requester(t.conn));
        let alike = all.filter(|r| r.is_agent && r.is_across == peer.is_across);
        let mut shares = Shares::default();
        alike.for_each(|r| shares.add(r.site));
        // To an address that has less than half, none has more than half; to one that has none, none more than a quarter where
        // nobody moves enough to tell who crawls.
        let own = shares.of(peer.site);
        let mut turns = shares.sum(if own >= most / 2 { usize::MAX } else { most / 2 });
        if own == 0 && turns >= most && self.turns.iter().any(|t| self.demand.is_unjudged(t.conn)) {
            turns = shares.sum(most / 4);
        }
        // Alone it may ask for as much as it likes: there is nobody to be fair to.
        turns >= most && self.turns.iter().any(|t| t.conn != conn)
    }

    fn has_turn(&self, conn: ConnId, piece: u32) -> bool {
        self.turns.iter().any(|t| t.conn == conn && t.piece == piece)
    }

    /// Ends a turn before its time; whether there was one.
    fn end_turn(&mut self, now: Micros, conn: ConnId, piece: u32) -> bool {
        let turn = self.turns.iter().position(|t| t.conn == conn && t.piece == piece);
        let Some(ended) = turn.and_then(|at| self.turns.remove(at)) else {
            return false;
        };
        if let Some(requests) = self.demand.get_mut(conn) {
            requests.held(ended.held_us(self.looked_at, now));
        }
        true
    }

    /// Gives a connection turns for what it has requested, in that order, as many as one may have.
    fn give_turns(&mut self, conn: ConnId, now: Micros) {
        let Some(requests) = self.demand.get(conn) else {
            return;
        };
        let is_crawling = requests.is_crawling();
        let mut own: Vec<u32> = self
            .turns
            .iter()
            .filter(|t| t.conn == conn)
            .map(|t| t.piece)
            .collect();
        for piece in requests.pieces() {
            if own.len() >= requests.turns_max() {
                return;
            }
            if !own.contains(&piece) {
                own.push(piece);
                self.turns.push_back(Turn::new(conn, piece, is_crawling, now));
            }
        }
    }
}
