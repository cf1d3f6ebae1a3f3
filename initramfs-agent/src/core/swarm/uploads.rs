//! What we send: whole pieces, first come first served, few at a time, so that each arrives soon. One address has at most half
//! of what is served and of what waits while others ask, and nobody waits for those that read nothing. [`Uploads`] decides
//! who is served and owns what each connection has requested; `impl Swarm` asks it and sends.
//!
//! A connection that crawls ([`super::pace`]) has one turn at a time, served beside those of the others and counted apart from
//! them: a slow link gets what it takes, and nobody waits for it.

use std::collections::VecDeque;
use std::net::IpAddr;

use super::pace::Pace;
use super::peers::Peers;
use super::places::site;
use super::shares::Shares;
use super::torrent::Torrent;
use super::types::{ConnId, Output};
use super::{Micros, Swarm};
use crate::core::limits::{BLOCK_BYTES_MAX, REQUESTS_QUEUED_MAX};
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
/// Turns of one connection at a time: as many pieces as an agent has in flight. What else it has requested gets one when
/// another is over, so that nobody makes the queue as long as the torrent.
const TURNS_OF_ONE_MAX: usize = super::schedule::IN_FLIGHT_PIECES_MIN;
/// Turns of addresses with half of the places that are looked at again when others leave room.
const PASSED_OVER_MAX: usize = 4 * UPLOADS_FLAT_MAX;
/// Payload bytes of one connection that wait in the shell.
const UNSENT_BYTES_MAX: u32 = 32 << 10;

/// Addresses without a connection of which is known what they moved.
const GONE_MAX: usize = 64;

/// A turn in which nothing moves for this long does not count against the others.
const STUCK_US: Micros = 2 * SECOND;
/// An agent's turn lasts this many times what a piece takes after its last block, within these bounds, unless the agent
/// announces the piece before.
const PATIENCE_TIMES: Micros = 2;
const PATIENCE_MIN_US: Micros = 100 * MILLISECOND;
const PATIENCE_MAX_US: Micros = 5 * SECOND;

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
    /// Of connections that have requested something, in the order of their numbers.
    requests: Vec<Requests>,
    /// Blocks to send that [`Self::blocks`] has not yet given out.
    blocks: Vec<(ConnId, Block)>,
    /// Payload bytes that have gone to the kernel, those for our rack and those for others.
    sent_bytes: [u64; 2],
    /// What those moved whose connections are gone, by address and by whether it is in another rack: who connects anew is the
    /// same. The oldest first.
    gone: VecDeque<((IpAddr, bool), Pace)>,
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
    /// Nothing has moved for so long that others are served beside it; another piece of its connection has moved.
    Stuck,
    /// Nothing of its connection moves: it has no turns any more.
    Deaf,
    /// It goes on until then at least.
    Until(Micros),
}

/// The turns that are served at a time, of those that crawl or of the others.
struct Served {
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

impl Served {
    fn new(most: usize) -> Self {
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
    fn has_room(&self, peer: &Requester) -> bool {
        let is_first = self.shares.of(peer.site) == 0;
        let more = usize::from(is_first && self.has_unjudged[usize::from(peer.is_across)]);
        self.count < self.most + more && !(peer.is_across && self.across >= UPLOADS_ACROSS_MAX + more)
    }

    /// Whether there is room for nobody.
    fn is_full(&self) -> bool {
        self.count >= self.most + usize::from(self.has_unjudged.contains(&true))
    }

    fn note(&mut self, peer: &Requester, until: Micros, is_unjudged: bool) {
        self.next_at = self.next_at.min(until);
        self.count += 1;
        self.across += usize::from(peer.is_across);
        self.has_unjudged[usize::from(peer.is_across)] |= is_unjudged;
        self.shares.add(peer.site);
    }

    /// Remembers a turn, as long as there may be room for it.
    fn pass_over(&mut self, conn: ConnId, piece: u32) {
        if self.passed_over.len() < PASSED_OVER_MAX {
            self.passed_over.push((conn, piece));
        }
    }
}

/// What one connection has requested and not received.
struct Requests {
    conn: ConnId,
    /// In the order in which they came.
    waiting: VecDeque<Block>,
    /// Payload bytes handed to the shell that have not gone to the kernel.
    unsent_bytes: u32,
    /// When a block last went to the shell, or bytes to the kernel.
    moved_at: Micros,
    /// Its peer reads nothing: it has no turns until it does.
    is_deaf: bool,
    site: IpAddr,
    is_across: bool,
    pace: Pace,
}

impl Requests {
    fn new(conn: ConnId, now: Micros, peer: &Requester, pace: Pace) -> Self {
        Self {
            conn,
            waiting: VecDeque::new(),
            unsent_bytes: 0,
            moved_at: now,
            is_deaf: false,
            site: peer.site,
            is_across: peer.is_across,
            pace,
        }
    }

    /// Takes the next block of a piece, if the shell may hold more.
    fn next_block(&mut self, piece: u32, now: Micros) -> Option<Block> {
        if self.unsent_bytes >= UNSENT_BYTES_MAX {
            return None;
        }
        let at = self.waiting.iter().position(|b| b.piece == piece)?;
        let block = self.waiting.remove(at)?;
        self.unsent_bytes += block.len;
        self.moved_at = now;
        Some(block)
    }

    /// Whether nothing of a piece waits here or in the shell.
    fn is_gone(&self, piece: u32) -> bool {
        self.unsent_bytes == 0 && !self.waiting.iter().any(|b| b.piece == piece)
    }
}

impl Uploads {
    /// Nobody waits for anything from us.
    pub fn is_idle(&self) -> bool {
        self.turns.is_empty()
    }

    /// Reads what most calls need: see [`Swarm::touch`].
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
        let found = self.find(conn);
        let waiting = found.map(|at| &self.requests[at].waiting);
        if waiting.is_ok_and(|w| w.contains(&block)) {
            return Answer::Ignored;
        }
        if !has_piece || waiting.is_ok_and(|w| w.len() >= REQUESTS_QUEUED_MAX) {
            return refused;
        }
        let has_turn = self.has_turn(conn, block.piece);
        if !has_turn && peer.is_agent && peer.is_fast && self.is_crowded(conn, peer, requester) {
            return Answer::Rejected;
        }
        let at = found.unwrap_or_else(|at| {
            let pace = self.pace_of(now, &peer);
            self.requests.insert(at, Requests::new(conn, now, &peer, pace));
            at
        });
        self.requests[at].waiting.push_back(block);
        if !has_turn {
            self.give_turns(conn, now);
        }
        Answer::Queued
    }

    /// A peer takes a request back; whether it still waited.
    pub fn cancel(&mut self, conn: ConnId, block: Block) -> bool {
        let Ok(at) = self.find(conn) else {
            return false;
        };
        let waiting = &mut self.requests[at].waiting;
        let found = waiting.iter().position(|b| *b == block);
        found.and_then(|at| waiting.remove(at)).is_some()
    }

    /// Payload bytes of a connection have gone to the kernel.
    pub fn sent(&mut self, now: Micros, conn: ConnId, bytes: u32) {
        if let Ok(at) = self.find(conn) {
            let requests = &mut self.requests[at];
            requests.unsent_bytes = requests.unsent_bytes.saturating_sub(bytes);
            requests.moved_at = now;
            requests.pace.moved(bytes);
            self.sent_bytes[usize::from(requests.is_across)] += u64::from(bytes);
            if std::mem::take(&mut requests.is_deaf) {
                self.give_turns(conn, now);
            }
        }
    }

    /// A peer has announced a piece: that ends its turn, and what else it has requested of the piece is not sent. `None` if
    /// it has requested nothing of it.
    pub fn announced(&mut self, now: Micros, conn: ConnId, piece: u32) -> Option<Vec<Block>> {
        let Ok(at) = self.find(conn) else {
            return None;
        };
        let turn = self.turns.iter().position(|t| t.conn == conn && t.piece == piece);
        let ended = turn.and_then(|at| self.turns.remove(at));
        let held_us = ended.as_ref().map_or(0, |t| t.held_us(self.looked_at, now));
        self.requests[at].pace.held(held_us);
        let waiting = &mut self.requests[at].waiting;
        let needless: Vec<Block> = waiting.iter().filter(|b| b.piece == piece).copied().collect();
        if ended.is_none() && needless.is_empty() {
            return None;
        }
        waiting.retain(|b| b.piece != piece);
        self.give_turns(conn, now);
        Some(needless)
    }

    /// A connection is gone.
    pub fn forget(&mut self, now: Micros, conn: ConnId) {
        let own = self.turns.iter().filter(|t| t.conn == conn);
        let held_us = own.map(|t| t.held_us(self.looked_at, now)).sum();
        self.turns.retain(|t| t.conn != conn);
        let Ok(at) = self.find(conn) else {
            return;
        };
        let mut requests = self.requests.remove(at);
        requests.pace.held(held_us);
        let key = (requests.site, requests.is_across);
        let pace = match self.take_gone(key) {
            Some(known) => known.with(requests.pace),
            None => requests.pace,
        };
        if self.gone.len() >= GONE_MAX {
            self.gone.pop_front();
        }
        self.gone.push_back((key, pace));
    }

    /// What a connection has moved that has just come: what its address has since another one ended.
    fn pace_of(&mut self, now: Micros, peer: &Requester) -> Pace {
        let all_bytes = self.sent_bytes[usize::from(peer.is_across)];
        let known = self.take_gone((peer.site, peer.is_across));
        known.unwrap_or_else(|| Pace::new(now, all_bytes))
    }

    fn take_gone(&mut self, key: (IpAddr, bool)) -> Option<Pace> {
        let at = self.gone.iter().position(|(other, _)| *other == key)?;
        self.gone.remove(at).map(|(_, pace)| pace)
    }

    /// Serves those whose turn it is; [`Self::blocks`] has what is to be sent. Returns when to call this again though nothing
    /// has happened. `is_flat`: there are no other racks.
    pub fn advance(&mut self, now: Micros, is_flat: bool, requester: impl Fn(ConnId) -> Requester) -> Micros {
        let most = if is_flat { UPLOADS_FLAT_MAX } else { UPLOADS_MAX };
        let mut lanes = [Served::new(most), Served::new(most)];
        let mut sites = self.turns.iter().map(|t| requester(t.conn).site);
        let first = sites.next();
        let others_wait = sites.any(|site| Some(site) != first);
        let any_crawls = self.turns.iter().any(|t| t.is_crawling);
        let mut at = 0;
        while at < self.turns.len() && (any_crawls || !lanes[0].is_full()) {
            let turn = &self.turns[at];
            let (conn, piece) = (turn.conn, turn.piece);
            let peer = requester(conn);
            let served = &mut lanes[usize::from(turn.is_crawling)];
            let share = if peer.is_across { UPLOADS_ACROSS_MAX } else { most } / 2;
            if !served.has_room(&peer) {
                at += 1;
            } else if others_wait && served.shares.of(peer.site) >= share {
                served.pass_over(conn, piece);
                at += 1;
            } else {
                at = self.serve_next(at, now, &peer, served);
            }
        }
        // What nobody else asks for.
        for served in &mut lanes {
            for (conn, piece) in std::mem::take(&mut served.passed_over) {
                let at = self.turns.iter().position(|t| t.conn == conn && t.piece == piece);
                let peer = requester(conn);
                if let Some(at) = at.filter(|_| served.has_room(&peer)) {
                    self.serve_next(at, now, &peer, served);
                }
            }
        }
        self.looked_at = now;
        let [others, crawling] = lanes;
        others.next_at.min(crawling.next_at)
    }

    /// Serves a turn; where the next one is.
    fn serve_next(&mut self, at: usize, now: Micros, peer: &Requester, served: &mut Served) -> usize {
        let conn = self.turns[at].conn;
        match self.serve(at, now, peer) {
            Stage::Over => {
                self.turns.remove(at);
                self.give_turns(conn, now);
                at
            }
            Stage::Stuck => self.judge(at, now),
            Stage::Deaf => {
                let before = self.turns.iter().take(at).filter(|t| t.conn == conn).count();
                self.turns.retain(|t| t.conn != conn);
                at - before
            }
            Stage::Until(until) => {
                served.note(peer, until, self.is_unjudged(conn));
                self.judge(at, now)
            }
        }
    }

    /// Looks whether the connection of a turn begins or ceases to crawl; where the next turn is.
    fn judge(&mut self, at: usize, now: Micros) -> usize {
        let Turn { conn, piece, .. } = self.turns[at];
        let Ok(found) = self.find(conn) else {
            return at + 1;
        };
        let requests = &mut self.requests[found];
        let places = if requests.is_across {
            UPLOADS_ACROSS_MAX
        } else {
            UPLOADS_FLAT_MAX
        };
        let all_bytes = self.sent_bytes[usize::from(requests.is_across)];
        if !requests.pace.judge(now, all_bytes, places) {
            return at + 1;
        }
        let is_crawling = requests.pace.is_crawling();
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
        let Turn { conn, piece, .. } = self.turns[at];
        let Ok(found) = self.find(conn) else {
            return Stage::Over;
        };
        let (turn, requests) = (&mut self.turns[at], &mut self.requests[found]);
        if requests.is_across != peer.is_across {
            turn.is_crawling = false;
            requests.is_across = peer.is_across;
            requests.pace = Pace::new(now, self.sent_bytes[usize::from(peer.is_across)]);
        }
        requests.pace.held(turn.held_us(self.looked_at, now));
        turn.served_at = Some(now);
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
        if now.saturating_sub(turn.moved_at) < lasts_us {
            Stage::Until(turn.moved_at + lasts_us)
        } else if is_gone {
            Stage::Over
        } else if now.saturating_sub(requests.moved_at) < lasts_us {
            Stage::Stuck
        } else {
            requests.is_deaf = true;
            Stage::Deaf
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
        let is_crawling = self.is_crawling(conn);
        let all = self.turns.iter().filter(|t| t.is_crawling == is_crawling);
        let all = all.map(|t| requester(t.conn));
        let alike = all.filter(|r| r.is_agent && r.is_across == peer.is_across);
        let mut shares = Shares::default();
        alike.for_each(|r| shares.add(r.site));
        // To an address that has less than half, none has more than half; to one that has none, none more than a quarter where
        // nobody moves enough to tell who crawls.
        let own = shares.of(peer.site);
        let mut turns = shares.sum(if own >= most / 2 { usize::MAX } else { most / 2 });
        if own == 0 && turns >= most && self.turns.iter().any(|t| self.is_unjudged(t.conn)) {
            turns = shares.sum(most / 4);
        }
        // Alone it may ask for as much as it likes: there is nobody to be fair to.
        turns >= most && self.turns.iter().any(|t| t.conn != conn)
    }

    fn is_crawling(&self, conn: ConnId) -> bool {
        self.find(conn)
            .is_ok_and(|at| self.requests[at].pace.is_crawling())
    }

    fn is_unjudged(&self, conn: ConnId) -> bool {
        self.find(conn)
            .is_ok_and(|at| self.requests[at].pace.is_unjudged())
    }

    fn has_turn(&self, conn: ConnId, piece: u32) -> bool {
        self.turns.iter().any(|t| t.conn == conn && t.piece == piece)
    }

    /// Gives a connection turns for what it has requested, in that order, as many as one may have.
    fn give_turns(&mut self, conn: ConnId, now: Micros) {
        let Ok(found) = self.find(conn) else {
            return;
        };
        let Requests { is_deaf, pace, .. } = &self.requests[found];
        if *is_deaf {
            return;
        }
        let is_crawling = pace.is_crawling();
        let most = if is_crawling { 1 } else { TURNS_OF_ONE_MAX };
        let mut own: Vec<u32> = self
            .turns
            .iter()
            .filter(|t| t.conn == conn)
            .map(|t| t.piece)
            .collect();
        for block in &self.requests[found].waiting {
            let piece = block.piece;
            if own.len() >= most {
                return;
            }
            if !own.contains(&piece) {
                own.push(piece);
                self.turns.push_back(Turn::new(conn, piece, is_crawling, now));
            }
        }
    }

    /// Where the requests of a connection are, or belong.
    fn find(&self, conn: ConnId) -> Result<usize, usize> {
        self.requests.binary_search_by_key(&conn, |r| r.conn)
    }
}

/// What [`Uploads`] must know of the peers.
fn requesters(peers: &Peers, torrents: &[Torrent]) -> impl Fn(ConnId) -> Requester {
    move |conn| {
        let peer = &peers[&conn];
        let t = &torrents[usize::from(peer.torrent.0)];
        let piece_us = t.times.p50().unwrap_or(SECOND);
        let patience_us = (piece_us * PATIENCE_TIMES).clamp(PATIENCE_MIN_US, PATIENCE_MAX_US);
        Requester {
            site: site(peer.addr.ip()),
            is_across: t.is_across(peer.mask()),
            is_agent: peer.bootswarm,
            is_fast: peer.fast,
            // Other clients may announce late or never.
            patience_us: if peer.bootswarm { patience_us } else { 0 },
        }
    }
}

impl Swarm {
    /// Takes a request within the torrent; false when it is against the protocol.
    pub(super) fn on_request(&mut self, conn: ConnId, block: Block) -> bool {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return true;
        };
        peer.has_asked = true;
        if block.len > BLOCK_BYTES_MAX {
            return false;
        }
        let has_piece = self.torrents[usize::from(peer.torrent.0)].has(block.piece);
        let requesters = requesters(&self.peers, &self.torrents);
        match self.uploads.request(self.now, conn, block, has_piece, requesters) {
            Answer::Queued => self.pump_uploads(),
            Answer::Rejected => self.send(conn, Outgoing::Reject(block)),
            Answer::Ignored => {}
        }
        true
    }

    pub(super) fn on_cancel(&mut self, conn: ConnId, block: Block) {
        if !self.uploads.cancel(conn, block) {
            return;
        }
        if self.peers.get(&conn).is_some_and(|p| p.fast) {
            self.send(conn, Outgoing::Reject(block));
        }
        self.pump_uploads();
    }

    pub(super) fn on_sent(&mut self, conn: ConnId, bytes: u32) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.sent_at = self.now;
            self.uploads.sent(self.now, conn, bytes);
            self.pump_uploads();
        }
    }

    /// A peer has announced a piece: if it was from us, the next one's turn comes.
    pub(super) fn on_announced(&mut self, conn: ConnId, piece: u32) {
        let Some(needless) = self.uploads.announced(self.now, conn, piece) else {
            return;
        };
        if self.peers.get(&conn).is_some_and(|p| p.fast) {
            for block in needless {
                self.send(conn, Outgoing::Reject(block));
            }
        }
        self.pump_uploads();
    }

    /// Sends what the turn allows.
    pub(super) fn pump_uploads(&mut self) {
        let is_flat = self.torrents.iter().all(|t| t.outside() == 0);
        let requesters = requesters(&self.peers, &self.torrents);
        let next = self.uploads.advance(self.now, is_flat, requesters);
        self.wake = self.wake.min(next);
        for (conn, block) in self.uploads.blocks() {
            let Some(peer) = self.peers.get_mut(&conn) else {
                continue;
            };
            peer.sent_at = self.now;
            peer.budget.served(block.len);
            let torrent = peer.torrent;
            self.torrents[usize::from(torrent.0)].progress.uploaded_bytes += u64::from(block.len);
            self.out.push_back(Output::SendBlock { conn, torrent, block });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEIGHBOUR: Requester = Requester {
        site: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
        is_across: false,
        is_agent: true,
        is_fast: true,
        patience_us: SECOND / 10,
    };
    const ELSEWHERE: Requester = Requester {
        is_across: true,
        ..NEIGHBOUR
    };
    const CLIENT: Requester = Requester {
        is_agent: false,
        patience_us: 0,
        ..NEIGHBOUR
    };
    const LEN: u32 = 16 << 10;

    /// The peers of these tests: the first hundred are neighbours, the next are elsewhere, then come other clients, each at
    /// its own address. The next three hundred are the same at one address, all others at two.
    fn who(conn: ConnId) -> Requester {
        let [.., third, last] = conn.0.to_be_bytes();
        let host = match conn.0 {
            ..300 => [10, 0, third, last],
            300..600 => [10, 9, 9, 9],
            _ => [10, 8, 8, last % 2],
        };
        Requester {
            site: host.into(),
            ..[NEIGHBOUR, ELSEWHERE, CLIENT][conn.0 as usize / 100 % 3]
        }
    }

    fn block(piece: u32, index: u32) -> Block {
        Block {
            piece,
            begin: index * LEN,
            len: LEN,
        }
    }

    /// Requests the first block of a piece.
    fn request(uploads: &mut Uploads, conn: u32, piece: u32) -> Answer {
        uploads.request(0, ConnId(conn), block(piece, 0), true, who)
    }

    /// The peers of which a block goes to each, and when to look again.
    fn advance(uploads: &mut Uploads, now: Micros, is_flat: bool) -> (Vec<u32>, Micros) {
        let next = uploads.advance(now, is_flat, who);
        (uploads.blocks().map(|(conn, _)| conn.0).collect(), next)
    }

    #[test]
    fn first_come_first_served_and_few_at_a_time() {
        for (is_flat, most) in [(true, 7), (false, 6)] {
            let mut uploads = Uploads::default();
            assert!(uploads.is_idle());
            // Not in the order of their numbers.
            let order: Vec<u32> = (0..8).map(|n| n * 3 % 8).collect();
            for conn in &order {
                assert_eq!(request(&mut uploads, *conn, 5), Answer::Queued);
            }
            assert_eq!(advance(&mut uploads, 0, is_flat).0, order[..most]);
            assert_eq!(advance(&mut uploads, 1, is_flat).0, [0; 0]);
            assert_eq!(uploads.announced(0, ConnId(order[2]), 6), None, "not its piece");
            assert_eq!(uploads.announced(0, ConnId(order[2]), 5), Some(vec![]));
            assert_eq!(advance(&mut uploads, 1, is_flat).0, order[most..most + 1]);
            assert!(!uploads.is_idle());
        }
    }

    #[test]
    fn pieces_are_sent_whole_and_little_at_a_time() {
        let mut uploads = Uploads::default();
        let conn = ConnId(1);
        // The requests of two pieces, mixed: the first piece is sent before the second.
        for index in 0..4 {
            for piece in [7, 8] {
                let answer = uploads.request(0, conn, block(piece, index), true, who);
                assert_eq!(answer, Answer::Queued);
            }
        }
        let mut sent = Vec::new();
        for now in 0..8 {
            uploads.advance(now, true, who);
            let new: Vec<Block> = uploads.blocks().map(|(_, block)| block).collect();
            assert_eq!(new.len(), if now == 0 { 2 } else { usize::from(now < 7) });
            sent.extend(new);
            uploads.sent(now, conn, LEN);
        }
        let all = [7, 8].map(|piece| [0, 1, 2, 3].map(|index| block(piece, index)));
        assert_eq!(sent, all.concat());
        uploads.sent(0, conn, u32::MAX); // more than there was
        uploads.sent(0, ConnId(2), LEN);
    }

    #[test]
    fn two_at_a_time_are_in_other_racks() {
        let mut uploads = Uploads::default();
        for conn in [100, 101, 102, 103, 1] {
            request(&mut uploads, conn, 5);
        }
        assert_eq!(advance(&mut uploads, 0, false).0, [100, 101, 1]);
        uploads.announced(0, ConnId(101), 5);
        assert_eq!(advance(&mut uploads, 0, false).0, [102]);
    }

    #[test]
    fn agents_look_elsewhere_when_many_wait_and_clients_queue() {
        let mut uploads = Uploads::default();
        let answers = |uploads: &mut Uploads, conns: std::ops::Range<u32>| {
            let queued = |conn: &u32| request(uploads, *conn, 5) == Answer::Queued;
            conns.filter(queued).count()
        };
        assert_eq!(answers(&mut uploads, 0..12), 8);
        // They do not keep each other out.
        assert_eq!(answers(&mut uploads, 100..112), 6);
        assert_eq!(answers(&mut uploads, 200..212), 12);
        // The rest of a piece whose turn comes is taken.
        let next = uploads.request(0, ConnId(0), block(5, 1), true, who);
        assert_eq!(next, Answer::Queued);
        assert_eq!(request(&mut uploads, 0, 6), Answer::Rejected);
    }

    #[test]
    fn alone_an_agent_may_ask_for_more() {
        let mut uploads = Uploads::default();
        for piece in 0..20 {
            assert_eq!(request(&mut uploads, 1, piece), Answer::Queued);
        }
        // It has half of them when another one asks.
        for piece in 0..6 {
            let answer = request(&mut uploads, 2, piece);
            assert_eq!(answer == Answer::Queued, piece < 4, "{piece}");
        }
    }

    #[test]
    fn a_turn_ends_when_its_peer_had_the_time_to_announce_the_piece() {
        for (conn, patience_us) in [(1, SECOND / 10), (201, 0)] {
            let mut uploads = Uploads::default();
            request(&mut uploads, conn, 5);
            assert_eq!(advance(&mut uploads, 10, true), (vec![conn], 10 + STUCK_US));
            uploads.sent(10, ConnId(conn), LEN);
            if patience_us > 0 {
                assert_eq!(advance(&mut uploads, 20, true).1, 10 + patience_us);
                assert_eq!(advance(&mut uploads, 9 + patience_us, true).1, 10 + patience_us);
            }
            assert!(!uploads.is_idle());
            assert_eq!(advance(&mut uploads, 10 + patience_us, true).1, Micros::MAX);
            assert!(uploads.is_idle());
        }
    }

    #[test]
    fn turns_that_do_not_move_hold_nobody_up() {
        let mut uploads = Uploads::default();
        (0..7).for_each(|conn| assert_eq!(request(&mut uploads, conn, 5), Answer::Queued));
        request(&mut uploads, 200, 5);
        assert_eq!(advance(&mut uploads, 0, true), ((0..7).collect(), STUCK_US));
        assert_eq!(advance(&mut uploads, STUCK_US - 1, true), (vec![], STUCK_US));
        let next = 2 * STUCK_US;
        assert_eq!(advance(&mut uploads, STUCK_US, true), (vec![200], next));
        // Once their bytes have gone out, their turns are over.
        (0..7).for_each(|conn| uploads.sent(STUCK_US, ConnId(conn), LEN));
        assert_eq!(advance(&mut uploads, STUCK_US + 1, true), (vec![], next));
        uploads.announced(0, ConnId(200), 5);
        assert!(uploads.is_idle());
    }

    #[test]
    fn who_reads_nothing_keeps_nobody_out() {
        // An agent and another client that request as much as they may, each over one connection.
        for deaf in [1, 200] {
            let mut uploads = Uploads::default();
            for piece in 0..20 {
                assert_eq!(request(&mut uploads, deaf, piece), Answer::Queued);
            }
            assert_eq!(advance(&mut uploads, 0, true).0, [deaf; 2]);
            for conn in 2..6 {
                assert_eq!(request(&mut uploads, conn, 0), Answer::Queued, "{conn}");
            }
            assert_eq!(advance(&mut uploads, 1, true).0, [2, 3, 4, 5]);
            // Then it is not counted any more.
            advance(&mut uploads, STUCK_US, true);
            assert!(uploads.turns.iter().all(|t| t.conn.0 != deaf));
            for conn in 6..10 {
                assert_eq!(request(&mut uploads, conn, 0), Answer::Queued, "{conn}");
            }
            assert_eq!(advance(&mut uploads, STUCK_US, true).0, [6, 7, 8]);
            // And is served on when it reads.
            uploads.sent(STUCK_US, ConnId(deaf), LEN);
            (2..10).for_each(|conn| drop(uploads.announced(STUCK_US, ConnId(conn), 0)));
            assert_eq!(advance(&mut uploads, STUCK_US, true).0, [deaf]);
        }
    }

    #[test]
    fn what_a_peer_has_got_elsewhere_is_not_sent() {
        let mut uploads = Uploads::default();
        for index in 0..3 {
            uploads.request(0, ConnId(1), block(5, index), true, who);
        }
        assert_eq!(advance(&mut uploads, 0, true).0, [1, 1]);
        let needless = uploads.announced(0, ConnId(1), 5);
        assert_eq!(needless, Some(vec![block(5, 2)]));
        uploads.sent(0, ConnId(1), 2 * LEN);
        assert!(uploads.is_idle());
        assert_eq!(uploads.announced(0, ConnId(1), 5), None);
    }

    #[test]
    fn one_address_has_half_of_the_places_while_others_wait() {
        let mut uploads = Uploads::default();
        let is_queued = |uploads: &mut Uploads, conn| request(uploads, conn, 5) == Answer::Queued;
        let of_one = (300..312).filter(|conn| is_queued(&mut uploads, *conn)).count();
        assert_eq!(of_one, 8);
        let others = (1..9).filter(|conn| is_queued(&mut uploads, *conn)).count();
        assert_eq!(others, 4);
        assert!(!is_queued(&mut uploads, 320));
        assert_eq!(advance(&mut uploads, 0, true).0, [300, 301, 302, 1, 2, 3, 4]);
        (1..5).for_each(|conn| drop(uploads.announced(0, ConnId(conn), 5)));
        assert_eq!(advance(&mut uploads, 0, true).0, [303, 304, 305, 306]);
        // What others leave is its own again.
        assert!(is_queued(&mut uploads, 1));
        (300..304).for_each(|conn| drop(uploads.announced(0, ConnId(conn), 5)));
        assert_eq!(advance(&mut uploads, 0, true).0, [1, 307]);
    }

    #[test]
    fn one_address_elsewhere_has_one_of_the_two_places_for_other_racks() {
        let mut uploads = Uploads::default();
        for conn in [400, 401, 402] {
            request(&mut uploads, conn, 5);
        }
        assert_eq!(advance(&mut uploads, 0, false).0, [400, 401]);
        request(&mut uploads, 100, 5);
        assert_eq!(advance(&mut uploads, 0, false).0, [100]);
        uploads.announced(0, ConnId(100), 5);
        assert_eq!(advance(&mut uploads, 0, false).0, [0; 0]);
        uploads.announced(0, ConnId(400), 5);
        assert_eq!(advance(&mut uploads, 0, false).0, [402]);
    }

    #[test]
    fn what_cannot_be_served_is_rejected_where_the_peer_understands_it() {
        let mut uploads = Uploads::default();
        for (is_fast, refused) in [(true, Answer::Rejected), (false, Answer::Ignored)] {
            let who = |_| Requester { is_fast, ..CLIENT };
            let conn = ConnId(u32::from(is_fast));
            let mut ask = |piece, has| uploads.request(0, conn, block(piece, 0), has, who);
            assert_eq!(ask(5, false), refused);
            assert_eq!(ask(5, true), Answer::Queued);
            assert_eq!(ask(5, true), Answer::Ignored, "it waits already");
        }
        assert!(uploads.cancel(ConnId(1), block(5, 0)));
        assert!(!uploads.cancel(ConnId(1), block(5, 0)));
        assert!(!uploads.cancel(ConnId(2), block(5, 0)));
        assert_eq!(advance(&mut uploads, 0, true).0, [0]);
    }

    #[test]
    fn one_connection_holds_a_bounded_number_of_requests_and_turns() {
        let mut uploads = Uploads::default();
        let conn = ConnId(299);
        let held = |uploads: &Uploads| {
            let turns = uploads.turns.iter().filter(|t| t.conn == conn);
            (turns.count(), uploads.requests.last().map(|r| r.waiting.len()))
        };
        let most = REQUESTS_QUEUED_MAX;
        // As long as others are served first, its turns are not looked at.
        (0..7).for_each(|conn| assert_eq!(request(&mut uploads, conn, 0), Answer::Queued));
        for piece in 0..most as u32 + 9 {
            let answer = request(&mut uploads, conn.0, piece);
            assert_eq!(answer == Answer::Queued, piece < most as u32);
        }
        assert_eq!(held(&uploads), (8, Some(most)));
        for piece in 0..2 * most as u32 {
            request(&mut uploads, conn.0, piece);
            uploads.cancel(conn, block(piece, 0));
            uploads.advance(0, true, who);
        }
        assert_eq!(held(&uploads), (8, Some(0)));
        uploads.forget(0, conn);
        assert_eq!(uploads.turns.len(), 7);
        assert!(uploads.requests.iter().all(|r| r.conn != conn));
        (0..7).for_each(|conn| uploads.forget(0, ConnId(conn)));
        assert!(uploads.is_idle() && uploads.requests.is_empty());
    }

    /// A machine that requests pieces of four blocks, and reads them over a link of its own.
    struct Reader {
        conn: ConnId,
        bytes_a_second: u64,
        /// It requests as much as it may and announces nothing; others take one piece after the other.
        is_greedy: bool,
        piece: u32,
        /// What it has not yet read, and what it has read of its piece, bytes.
        unread: u64,
        read: u64,
        pieces: usize,
    }

    impl Reader {
        fn new(conn: u32, bytes_a_second: u64, is_greedy: bool) -> Self {
            Self {
                conn: ConnId(conn),
                bytes_a_second,
                is_greedy,
                piece: 0,
                unread: 0,
                read: 0,
                pieces: 0,
            }
        }

        fn asks(&self, uploads: &mut Uploads, now: Micros) {
            let wanted = if self.is_greedy {
                self.piece..self.piece + 9
            } else {
                self.piece..self.piece + 1
            };
            for piece in wanted {
                for index in 0..4 {
                    uploads.request(now, self.conn, block(piece, index), true, who);
                }
            }
        }

        fn reads(&mut self, uploads: &mut Uploads, now: Micros, bytes: u64) {
            let bytes = bytes.min(self.unread);
            self.unread -= bytes;
            self.read += bytes;
            if bytes > 0 {
                uploads.sent(now, self.conn, bytes as u32);
            }
            if self.read >= 4 * u64::from(LEN) {
                self.read = 0;
                if !self.is_greedy {
                    uploads.announced(now, self.conn, self.piece);
                }
                self.piece += 1;
                self.pieces += 1;
            }
        }
    }

    /// Lets them read over a link that they share for so many seconds. Returns the pieces that each got in the second half,
    /// and whether anybody crawled.
    fn share(
        link_bytes_a_second: u64,
        seconds: u64,
        is_flat: bool,
        mut all: Vec<Reader>,
    ) -> (Vec<usize>, bool) {
        const STEPS: u64 = 100;
        let mut uploads = Uploads::default();
        let (mut early, mut crawled) = (Vec::new(), false);
        for step in 0..seconds * STEPS {
            let now = step * SECOND / STEPS;
            if step == seconds * STEPS / 2 {
                early = all.iter().map(|r| r.pieces).collect();
            }
            for at in 0..all.len() {
                all[(at + step as usize) % all.len()].asks(&mut uploads, now);
            }
            uploads.advance(now, is_flat, who);
            for (conn, block) in uploads.blocks() {
                let reader = all.iter_mut().find(|r| r.conn == conn);
                reader.expect("one of them").unread += u64::from(block.len);
            }
            let reading = all.iter().filter(|r| r.unread > 0).count();
            crawled |= uploads.requests.iter().any(|r| r.pace.is_crawling());
            // What a slow reader leaves is for the others.
            let (mut link, mut left) = (link_bytes_a_second / STEPS, reading as u64);
            all.sort_by_key(|r| r.bytes_a_second);
            for reader in all.iter_mut().filter(|r| r.unread > 0) {
                let bytes = (link / left).min(reader.bytes_a_second / STEPS);
                link -= bytes;
                left -= 1;
                reader.reads(&mut uploads, now, bytes);
            }
        }
        let late = all.iter().zip(early).map(|(r, early)| r.pieces - early);
        (late.collect(), crawled)
    }

    const FAST: u64 = 12_500_000;

    fn honest(conns: std::ops::Range<u32>) -> Vec<Reader> {
        conns.map(|conn| Reader::new(conn, FAST, false)).collect()
    }

    #[test]
    fn two_addresses_that_trickle_hold_nobody_up() {
        for (is_flat, first, rate) in [
            (true, 1, 8_000),
            (true, 1, 500),
            (false, 1, 8_000),
            (false, 1, 500),
            (false, 101, 8_000),
            (false, 101, 500),
        ] {
            let (without, _) = share(FAST, 40, is_flat, honest(first + 2..first + 8));
            let mut all = vec![
                Reader::new(first, rate, true),
                Reader::new(first + 1, 2 * rate, true),
            ];
            all.extend(honest(first + 2..first + 8));
            let (with, crawled) = share(FAST, 40, is_flat, all);
            assert!(crawled);
            let are_served = with[..2].iter().all(|pieces| *pieces > 0);
            assert!(are_served || rate < 8_000, "{with:?}");
            for (with, without) in with[2..].iter().zip(&without) {
                assert!(
                    *with * 10 >= *without * 9,
                    "{is_flat} {first} {rate}: {with} of {without}"
                );
            }
        }
    }

    #[test]
    fn who_connects_again_and_again_is_known() {
        let mut uploads = Uploads::default();
        let (mut served, mut asked) = (0, 0);
        for step in 0..4_000u64 {
            let now = step * SECOND / 100;
            // They read nothing, and begin anew before that shows.
            let bad = [1_200, 1_201].map(|first| ConnId(first + 2 * (step / 100) as u32));
            for conn in bad {
                for piece in 0..9 {
                    uploads.request(now, conn, block(piece, 0), true, who);
                }
            }
            for conn in 3..9 {
                let answer = uploads.request(now, ConnId(conn), block(step as u32, 0), true, who);
                asked += usize::from(step >= 2_000);
                served += usize::from(step >= 2_000 && answer == Answer::Queued);
            }
            uploads.advance(now, true, who);
            let blocks: Vec<_> = uploads.blocks().collect();
            for (conn, block) in blocks.into_iter().filter(|(conn, _)| conn.0 < 9) {
                uploads.sent(now, conn, block.len);
                uploads.announced(now, conn, block.piece);
            }
            if step % 100 == 99 {
                bad.into_iter().for_each(|conn| uploads.forget(now, conn));
            }
        }
        assert!(served * 10 >= asked * 9, "{served} of {asked}");
        assert_eq!(uploads.gone.len(), 2, "one for each address");
    }

    #[test]
    fn who_takes_little_of_each_piece_is_counted_as_who_trickles() {
        let mut uploads = Uploads::default();
        let (mut served, mut asked) = (0, 0);
        for step in 0..2_000u64 {
            let now = step * SECOND / 100;
            for conn in [1, 2] {
                for piece in 0..9 {
                    let tiny = Block {
                        len: 1,
                        ..block(piece + 9 * step as u32, 0)
                    };
                    uploads.request(now, ConnId(conn), tiny, true, who);
                }
            }
            for conn in 3..9 {
                let answer = uploads.request(now, ConnId(conn), block(step as u32, 0), true, who);
                asked += usize::from(step >= 1_000);
                served += usize::from(step >= 1_000 && answer == Answer::Queued);
            }
            uploads.advance(now, true, who);
            let blocks: Vec<_> = uploads.blocks().collect();
            for (conn, block) in blocks {
                uploads.sent(now, conn, block.len);
                if conn.0 > 2 {
                    uploads.announced(now, conn, block.piece);
                }
            }
        }
        assert!(served * 10 >= asked * 9, "{served} of {asked}");
    }

    #[test]
    fn where_all_links_are_slow_nobody_crawls() {
        for link in [125_000, 1_000_000] {
            let slow = |conns: std::ops::Range<u32>| conns.map(|c| Reader::new(c, link, false)).collect();
            let (pieces, crawled) = share(link, 120, true, slow(1..11));
            assert!(!crawled, "{link}");
            assert!(pieces.iter().all(|p| *p > 0), "{pieces:?}");
        }
    }

    #[test]
    fn a_slow_link_gets_what_it_takes() {
        let slow = || Reader::new(1, 187_500, false);
        let (alone, ..) = share(FAST, 40, true, vec![slow()]);
        let mut all = vec![slow()];
        all.extend(honest(2..12));
        let (among, ..) = share(FAST, 40, true, all);
        assert!(among[0] * 10 >= alone[0] * 9, "{among:?} {alone:?}");
    }
}
