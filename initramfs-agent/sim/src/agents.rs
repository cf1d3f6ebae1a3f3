//! What the modelled seeder knows of the swarm: which agent has what, what was handed to whom and when; and the
//! choice of piece and recipient (`server/swarm/handout-torrent.ts`).

use std::cmp::Ordering;

use super::chains::Chains;
use super::grants::Grants;
use bootswarm_agent::core::time::{MILLISECOND, Micros};

/// Who has less than this part of what the agents have in the mean lags, once that is so many pieces.
const LAG_PIECES_MIN: f64 = 6.0;
const LAG_TIMES: f64 = 3.0;

/// An agent's copy of a hand-out that has not been confirmed by its HAVE.
#[derive(Clone)]
pub(super) struct Given {
    pub piece: u32,
    pub at: Micros,
    pub deadline: Micros,
    /// How often the deadline was put off because bytes still flowed.
    pub extensions: u32,
    /// It counts towards the window.
    pub in_window: bool,
}

/// One agent's connection.
pub(super) struct Agent {
    pub conn: usize,
    pub have: Vec<bool>,
    pub have_count: u32,
    pub interested: bool,
    pub given: Vec<Given>,
    pub given_count: u32,
    /// Deadlines it missed since its last HAVE of a hand-out.
    pub strikes: u32,
    /// When the last byte went out to it, or it announced a piece.
    pub progress_at: Micros,
    /// When it last announced a new piece (or joined).
    pub have_at: Micros,
    /// Bytes a second of its own hand-outs.
    pub rate_bps: Option<f64>,
    pub confirmed_at: Micros,
    /// How often it was fed because it starved.
    pub fed: u32,
    /// Nobody but the origin gives it anything.
    pub isolated: bool,
    pub grants: Grants,
}

pub(super) struct Agents {
    pub pieces: u32,
    bytes: u64,
    piece_bytes: u32,
    racks: Vec<usize>,
    by_rack: Vec<Rack>,
    all: Vec<Option<Agent>>,
    count: usize,
    /// How many are connected, by the depths of their racks.
    counts: Vec<usize>,
    /// How many connected agents have each piece.
    pub copies: Vec<u32>,
    /// How many hand-outs of each piece are unconfirmed and within their deadline.
    pub outstanding: Vec<u32>,
    /// How often each piece was handed out.
    pub handed: Vec<u32>,
    /// When each piece last got a new copy, or was handed out.
    pub moved_at: Vec<Micros>,
    /// Pieces that all connected agents have announced together.
    have_total: u64,
    /// Pieces that no connected agent has.
    pub unheld: u32,
    /// No piece below it is needed.
    hint: u32,
}

/// What hand-outs go by.
#[derive(Default)]
struct Rack {
    nodes: Vec<usize>,
    /// Racks between it and the server.
    depth: usize,
    outstanding: u32,
    /// Pieces that came into the farm through it.
    received: u32,
}

impl Rack {
    fn order(&self) -> (u32, u32) {
        (self.outstanding, self.received)
    }
}

/// What a recipient must keep to.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Hand-outs that may be under way in all.
    pub window: f64,
    pub now: Micros,
    /// An agent that keeps us waiting for a hand-out for so long gets no other.
    pub stall_us: Micros,
}

impl Agents {
    /// `racks`: of each agent.
    pub fn new(bytes: u64, piece_bytes: u32, racks: Vec<usize>, chains: &Chains) -> Self {
        let pieces = bytes.div_ceil(u64::from(piece_bytes)).max(1) as u32;
        let n = pieces as usize;
        let mut by_rack: Vec<Rack> = Vec::new();
        by_rack.resize_with(racks.iter().max().map_or(1, |m| m + 1), Rack::default);
        for (node, rack) in racks.iter().enumerate() {
            by_rack[*rack].nodes.push(node);
        }
        for (at, rack) in by_rack.iter_mut().enumerate() {
            rack.depth = chains.depth(at);
        }
        let deepest = by_rack.iter().map(|rack| rack.depth).max().unwrap_or(0);
        Self {
            pieces,
            bytes,
            piece_bytes,
            all: racks.iter().map(|_| None).collect(),
            racks,
            by_rack,
            count: 0,
            counts: vec![0; deepest + 1],
            copies: vec![0; n],
            outstanding: vec![0; n],
            handed: vec![0; n],
            moved_at: vec![0; n],
            have_total: 0,
            unheld: pieces,
            hint: 0,
        }
    }

    /// Bytes of a piece; the last may be shorter.
    pub fn bytes(&self, piece: u32) -> u32 {
        let start = u64::from(piece) * u64::from(self.piece_bytes);
        (self.bytes - start).min(u64::from(self.piece_bytes)) as u32
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn get(&self, node: usize) -> Option<&Agent> {
        self.all[node].as_ref()
    }

    pub fn get_mut(&mut self, node: usize) -> Option<&mut Agent> {
        self.all[node].as_mut()
    }

    pub fn all_mut(&mut self) -> impl Iterator<Item = (usize, &mut Agent)> {
        let all = self.all.iter_mut().enumerate();
        all.filter_map(|(node, agent)| Some((node, agent.as_mut()?)))
    }

    /// All, with how many racks lie between their own and the server.
    pub fn all_with_depth(&mut self) -> impl Iterator<Item = (usize, usize, &mut Agent)> {
        let (racks, by_rack) = (&self.racks, &self.by_rack);
        let all = self.all.iter_mut().enumerate();
        all.filter_map(|(node, agent)| Some((node, by_rack[racks[node]].depth, agent.as_mut()?)))
    }

    /// Racks between an agent's own and the server.
    pub fn depth(&self, node: usize) -> usize {
        self.by_rack[self.racks[node]].depth
    }

    /// Those whom only the origin feeds and who keep their deadlines.
    pub fn isolated(&self) -> Vec<usize> {
        let fed = |a: &Agent| a.isolated && a.interested && a.strikes == 0;
        let all = self.all.iter().enumerate();
        all.filter(|(_, a)| a.as_ref().is_some_and(fed))
            .map(|(node, _)| node)
            .collect()
    }

    pub fn join(&mut self, node: usize, conn: usize, now: Micros) {
        self.count += 1;
        let depth = self.depth(node);
        self.counts[depth] += 1;
        self.all[node] = Some(Agent {
            conn,
            grants: Grants::default(),
            have: vec![false; self.pieces as usize],
            have_count: 0,
            interested: true,
            given: Vec::new(),
            given_count: 0,
            strikes: 0,
            progress_at: now,
            have_at: now,
            rate_bps: None,
            confirmed_at: now,
            fed: 0,
            isolated: false,
        });
    }

    /// Takes an agent off the books; what it had been given and not confirmed.
    pub fn leave(&mut self, node: usize) -> Vec<Given> {
        let given = self.all[node].as_ref().map_or(Vec::new(), |a| a.given.clone());
        for g in &given {
            self.release(node, g.piece);
        }
        let Some(agent) = self.all[node].take() else {
            return given;
        };
        self.count -= 1;
        let depth = self.depth(node);
        self.counts[depth] -= 1;
        self.have_total -= u64::from(agent.have_count);
        for piece in (0..self.pieces).filter(|p| agent.have[*p as usize]) {
            let copies = &mut self.copies[piece as usize];
            self.unheld += u32::from(*copies == 1);
            *copies = copies.saturating_sub(1);
            if *copies == 0 {
                self.hint = self.hint.min(piece);
            }
        }
        given
    }

    /// Notes that an agent has a piece; false when that was known.
    pub fn gain(&mut self, node: usize, piece: u32, now: Micros) -> bool {
        let Some(agent) = self.all[node].as_mut() else {
            return false;
        };
        let Some(have) = agent.have.get_mut(piece as usize).filter(|h| !**h) else {
            return false;
        };
        *have = true;
        agent.have_count += 1;
        self.have_total += 1;
        self.copies[piece as usize] += 1;
        self.unheld -= u32::from(self.copies[piece as usize] == 1);
        self.moved_at[piece as usize] = now;
        true
    }

    /// An agent got a piece that nobody had otherwise than by a hand-out: by HTTPS. All other racks will take it from its
    /// rack, so it counts like one.
    pub fn brought(&mut self, node: usize) {
        self.by_rack[self.racks[node]].received += 1;
    }

    /// Notes a hand-out; the connection that it goes to.
    pub fn give(&mut self, node: usize, piece: u32, now: Micros, deadline: Micros) -> Option<usize> {
        let agent = self.all[node].as_mut()?;
        agent.given.push(Given {
            piece,
            at: now,
            deadline,
            extensions: 0,
            in_window: true,
        });
        agent.given_count += 1;
        agent.grants.give(piece, self.piece_bytes);
        self.outstanding[piece as usize] += 1;
        self.handed[piece as usize] += 1;
        self.moved_at[piece as usize] = now;
        let rack = &mut self.by_rack[self.racks[node]];
        rack.outstanding += 1;
        rack.received += 1;
        Some(agent.conn)
    }

    /// Takes a hand-out off the books: confirmed, overdue, or its holder gone.
    pub fn release(&mut self, node: usize, piece: u32) -> Option<Given> {
        let agent = self.all[node].as_mut()?;
        let at = agent.given.iter().position(|g| g.piece == piece)?;
        let given = agent.given.remove(at);
        self.outstanding[piece as usize] -= 1;
        self.by_rack[self.racks[node]].outstanding -= 1;
        if self.copies[piece as usize] == 0 {
            self.hint = self.hint.min(piece);
        }
        Some(given)
    }

    /// An agent has starved: of what it lacks nobody may have the pieces that were never handed out, whoever says so.
    pub fn disbelieve(&mut self, node: usize) {
        let Some(agent) = self.all[node].as_ref() else {
            return;
        };
        for piece in (0..self.pieces).filter(|p| !agent.have[*p as usize]) {
            let at = piece as usize;
            if self.handed[at] == 0 && self.copies[at] > 0 {
                self.copies[at] = 0;
                self.unheld += 1;
                self.hint = self.hint.min(piece);
            }
        }
    }

    /// The lowest piece that this agent lacks and nobody is being given.
    pub fn next_lacking(&self, node: usize) -> Option<u32> {
        let agent = self.get(node)?;
        (0..self.pieces).find(|p| !agent.have[*p as usize] && self.outstanding[*p as usize] == 0)
    }

    /// The lowest piece that nobody has and nobody is being given.
    pub fn next_needed(&mut self) -> Option<u32> {
        while self.hint < self.pieces {
            let at = self.hint as usize;
            if self.copies[at] == 0 && self.outstanding[at] == 0 {
                return Some(self.hint);
            }
            self.hint += 1;
        }
        None
    }

    /// Far behind the others: what it is handed stays with it for long.
    fn lags(&self, agent: &Agent) -> bool {
        let mean = self.have_total as f64 / self.count.max(1) as f64;
        mean >= LAG_PIECES_MIN && f64::from(agent.have_count) * LAG_TIMES < mean
    }

    /// Who shall get this piece: of the racks nearest to the server with an agent that can take it, in the one with the fewest
    /// unconfirmed hand-outs, then the fewest copies received, an agent that does not lag, with fewest strikes, unconfirmed, and
    /// pieces given, ties at random. Racks behind those get it from them: who is busy there is waited for, but nobody who
    /// owes a hand-out.
    pub fn recipient(&self, piece: u32, limits: Limits, random: &mut dyn FnMut() -> f64) -> Option<usize> {
        let strikes = |node: usize| self.get(node).map_or(0, |agent| agent.strikes);
        let mut owing = None;
        for depth in (0..self.counts.len()).filter(|depth| self.counts[*depth] > 0) {
            let best = self.best_at(depth, piece, limits, random);
            if best.is_some_and(|node| strikes(node) == 0) {
                return best;
            }
            owing = owing.or(best);
            if self.is_worth_waiting(depth, piece, limits) {
                break;
            }
        }
        owing
    }

    fn racks_at(&self, depth: usize) -> impl Iterator<Item = &Rack> {
        self.by_rack.iter().filter(move |rack| rack.depth == depth)
    }

    /// Whether an agent of these racks can take a piece as soon as it is no longer busy.
    fn is_worth_waiting(&self, depth: usize, piece: u32, limits: Limits) -> bool {
        let agents = self.racks_at(depth).flat_map(|rack| &rack.nodes);
        let mut agents = agents.filter_map(|node| self.get(*node));
        agents.any(|agent| agent.strikes == 0 && agent.takes(piece, limits))
    }

    fn best_at(
        &self,
        depth: usize,
        piece: u32,
        limits: Limits,
        random: &mut dyn FnMut() -> f64,
    ) -> Option<usize> {
        // A few recipients at a time, each with the next piece already waiting; a lone node gets all of it.
        let share = (limits.window / self.counts[depth].max(1) as f64).ceil();
        let each = (share as usize).max(2);
        let mut best: Option<(&Rack, usize)> = None;
        for rack in self.racks_at(depth) {
            if best.is_some_and(|(than, _)| rack.order() > than.order()) {
                continue;
            }
            let Some(node) = self.best_of(rack, piece, each, limits, random) else {
                continue;
            };
            if best.is_some_and(|(than, _)| rack.order() == than.order()) && random() < 0.5 {
                continue;
            }
            best = Some((rack, node));
        }
        best.map(|(_, node)| node)
    }

    fn best_of(
        &self,
        rack: &Rack,
        piece: u32,
        each: usize,
        limits: Limits,
        random: &mut dyn FnMut() -> f64,
    ) -> Option<usize> {
        let mut best: Option<((bool, u32, usize, u32), usize)> = None;
        let mut ties = 1.0;
        for node in &rack.nodes {
            let agent = self.get(*node);
            let Some(agent) = agent.filter(|a| a.given.len() < each && a.takes(piece, limits)) else {
                continue;
            };
            let order = (
                self.lags(agent),
                agent.strikes,
                agent.given.len(),
                agent.given_count,
            );
            match best.as_ref().map(|(than, _)| order.cmp(than)) {
                Some(Ordering::Greater) => continue,
                Some(Ordering::Equal) => ties += 1.0,
                _ => ties = 1.0,
            }
            if ties == 1.0 || random() * ties < 1.0 {
                best = Some((order, *node));
            }
        }
        best.map(|(_, node)| node)
    }
}

impl Agent {
    /// Whether it can take a piece, however many it is being handed.
    fn takes(&self, piece: u32, limits: Limits) -> bool {
        let rests_us = limits.now.saturating_sub(self.progress_at);
        let sits = !self.given.is_empty() && rests_us > limits.stall_us;
        let paused = self.strikes > 0 && rests_us < strike_pause(self.strikes);
        let has = self.have[piece as usize] || self.given.iter().any(|g| g.piece == piece);
        self.interested && !has && !sits && !paused
    }
}

/// How long an agent that missed so many deadlines gets nothing: 0.5 s doubling to 32 s.
fn strike_pause(strikes: u32) -> Micros {
    (250 * MILLISECOND) << strikes.min(7)
}
