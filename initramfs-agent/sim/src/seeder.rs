//! A model of the server's seeder: the rules of `server/swarm/handout.ts` and `handout-torrent.ts` for one torrent
//! (docs/protocol.md, "Origin hand-out"). Each piece once, to the rack with the fewest hand-outs outstanding, then
//! only rescues.

use super::agents::{Agents, Given, Limits};
use super::window::Window;
use bootswarm_agent::core::time::{MILLISECOND, Micros, SECOND};
use bootswarm_agent::core::wire::Block;

const LATENCY_GUESS_US: Micros = 2_500 * MILLISECOND;
const STALL_MIN_US: Micros = 200 * MILLISECOND;
const DEADLINE_MIN_US: Micros = 300 * MILLISECOND;
const DEADLINE_MAX_US: Micros = 60 * SECOND;
const EXTENSIONS_MAX: u32 = 4;
/// How long a piece may stay with a single holder while others lack it, at least and in times of a hand-out; the
/// shorter one with fewer hand-outs under way than this.
const SPREAD_MIN_US: Micros = 1_500 * MILLISECOND;
/// The same where so many agents wait for it.
const SPREAD_CROWD_MIN_US: Micros = 200 * MILLISECOND;
const CROWD_AGENTS: usize = 16;
const SPREAD_TIMES: u64 = 6;
const SPREAD_IDLE_TIMES: u64 = 2;
const IDLE_HANDOUTS_MAX: usize = 2;
/// How long an agent may get nothing from anybody before the origin feeds it.
const STARVE_MIN_US: Micros = 3 * SECOND;
const SWEEP_US: Micros = 100 * MILLISECOND;

pub(super) struct Seeder {
    agents: Agents,
    window: Window,
    /// From 0 to less than 1.
    random: Box<dyn FnMut() -> f64>,
    in_window: usize,
    /// The last times from hand-out to HAVE.
    latencies: Vec<Micros>,
    swept_at: Micros,
    /// Bytes sent over BitTorrent.
    pub sent_bytes: u64,
    /// Each piece has been with a node.
    pub copied: u32,
    once: Vec<bool>,
}

impl Seeder {
    pub fn new(agents: Agents, random: Box<dyn FnMut() -> f64>) -> Self {
        Self {
            once: vec![false; agents.pieces as usize],
            agents,
            window: Window::new(),
            random,
            in_window: 0,
            latencies: Vec::new(),
            swept_at: 0,
            sent_bytes: 0,
            copied: 0,
        }
    }

    pub fn connected(&mut self, node: usize, conn: usize, now: Micros) {
        self.leave(node);
        self.agents.join(node, conn, now);
    }

    pub fn conn_of(&self, node: usize) -> Option<usize> {
        self.agents.get(node).map(|a| a.conn)
    }

    pub fn closed(&mut self, node: usize, conn: usize) {
        if self.conn_of(node) == Some(conn) {
            self.leave(node);
        }
    }

    fn leave(&mut self, node: usize) {
        let given = self.agents.leave(node);
        self.in_window -= given.iter().filter(|g| g.in_window).count();
    }

    pub fn interest(&mut self, node: usize, interested: bool) {
        if let Some(agent) = self.agents.get_mut(node) {
            agent.interested = interested;
        }
    }

    /// Payload has gone out to it.
    pub fn sent(&mut self, node: usize, now: Micros) {
        if let Some(agent) = self.agents.get_mut(node) {
            agent.progress_at = now;
        }
    }

    /// A bitfield of an agent that has just come.
    pub fn bitfield(&mut self, node: usize, bits: &[u8], now: Micros) {
        for piece in 0..self.agents.pieces {
            if bits
                .get(piece as usize / 8)
                .is_some_and(|byte| byte & (0x80 >> (piece % 8)) != 0)
            {
                self.gain(node, piece, now);
            }
        }
    }

    /// It announces a piece.
    pub fn has(&mut self, node: usize, piece: u32, now: Micros) {
        let Some(agent) = self.agents.get_mut(node) else {
            return;
        };
        agent.grants.told(piece);
        let handed = agent.given.iter().any(|given| given.piece == piece);
        let first = self.agents.copies.get(piece as usize) == Some(&0);
        if self.gain(node, piece, now) && first && !handed {
            self.agents.brought(node);
        }
    }

    /// False when it was known that the agent has the piece.
    fn gain(&mut self, node: usize, piece: u32, now: Micros) -> bool {
        if !self.agents.gain(node, piece, now) {
            return false;
        }
        if !std::mem::replace(&mut self.once[piece as usize], true) {
            self.copied += 1;
        }
        let bytes = self.agents.bytes(piece);
        let given = self.agents.release(node, piece);
        let Some(agent) = self.agents.get_mut(node) else {
            return false;
        };
        agent.have_at = now;
        agent.progress_at = now;
        agent.fed = 0;
        let Some(given) = given else {
            agent.isolated = false;
            return true;
        };
        agent.strikes = 0;
        let took = now.saturating_sub(given.at.max(agent.confirmed_at)).max(100);
        let rate = bytes as f64 * SECOND as f64 / took as f64;
        agent.rate_bps = Some(agent.rate_bps.map_or(rate, |r| r * 0.75 + rate * 0.25));
        agent.confirmed_at = now;
        self.in_window -= usize::from(given.in_window);
        self.latencies.push(now - given.at);
        if self.latencies.len() > 15 {
            self.latencies.remove(0);
        }
        self.window.confirmed(bytes, now);
        true
    }

    /// Whether the node may have this block; it counts as given.
    pub fn serves(&mut self, node: usize, block: Block) -> bool {
        let agent = self.agents.get_mut(node);
        agent.is_some_and(|a| a.grants.take(block.piece, block.len))
    }

    /// Agents that are connected, and pieces that none of them has.
    pub fn needs(&self) -> (usize, u32) {
        (self.agents.count(), self.agents.unheld)
    }

    /// The window allows one more hand-out.
    fn is_wide(&self) -> bool {
        (self.in_window as f64) < self.window.size()
    }

    /// Hand-outs to make now, as (connection, piece).
    pub fn hand_out(&mut self, now: Micros) -> Vec<(usize, u32)> {
        let mut made = Vec::new();
        if now >= self.swept_at + SWEEP_US {
            self.swept_at = now;
            self.expire(now);
            self.rescue(now, &mut made);
        }
        while self.is_wide() {
            let Some(piece) = self.agents.next_needed() else {
                break;
            };
            let Some(node) = self.recipient(piece, now) else {
                break;
            };
            self.grant(node, piece, now, &mut made);
        }
        self.feed(now, &mut made);
        if self.in_window as f64 + 1.0 < self.window.size() {
            self.window.idle();
        }
        made
    }

    fn recipient(&mut self, piece: u32, now: Micros) -> Option<usize> {
        let limits = Limits {
            window: self.window.size(),
            now,
            stall_us: self.stall_us(),
        };
        self.agents.recipient(piece, limits, &mut self.random)
    }

    fn grant(&mut self, node: usize, piece: u32, now: Micros, made: &mut Vec<(usize, u32)>) {
        let deadline = now + self.allowance(node, piece);
        if let Some(conn) = self.agents.give(node, piece, now, deadline) {
            self.in_window += 1;
            made.push((conn, piece));
        }
    }

    /// How long this agent may take: four times what its rate says, doubled for each earlier try.
    fn allowance(&self, node: usize, piece: u32) -> Micros {
        let median = self.median();
        let Some(agent) = self.agents.get(node) else {
            return median;
        };
        let given: u64 = agent
            .given
            .iter()
            .map(|g| u64::from(self.agents.bytes(g.piece)))
            .sum();
        let bytes = given + u64::from(self.agents.bytes(piece));
        let ahead = if self.latencies.is_empty() {
            self.in_window
        } else {
            agent.given.len()
        };
        let own = match agent.rate_bps {
            None => median * (ahead as Micros + 1),
            Some(rate) => (bytes as f64 * SECOND as f64 / rate) as Micros,
        };
        let tries = self.agents.handed[piece as usize].min(6);
        ((4 * own.max(median)).max(DEADLINE_MIN_US) << tries).min(DEADLINE_MAX_US)
    }

    /// Takes back what is overdue; what has stalled no longer holds the window.
    fn expire(&mut self, now: Micros) {
        let stall = self.stall_us();
        let idle = self.is_wide() && self.agents.next_needed().is_none();
        let idle_us = (idle && !self.latencies.is_empty())
            .then(|| self.spread_least().max(SPREAD_IDLE_TIMES * self.median()));
        let mut held = Vec::new();
        for (node, agent) in self.agents.all_mut() {
            held.extend(agent.given.iter().map(|given| (node, given.piece)));
        }
        for (node, piece) in held {
            let tries = self.agents.handed[piece as usize].saturating_sub(1).min(6);
            let alone = self.agents.copies[piece as usize] == 0;
            let Some(agent) = self.agents.get_mut(node) else {
                continue;
            };
            let Some(given) = agent.given.iter_mut().find(|g| g.piece == piece) else {
                continue;
            };
            if given.in_window && now.saturating_sub(given.at.max(agent.progress_at)) > stall {
                given.in_window = false;
                self.in_window -= 1;
            }
            let age = now - given.at;
            let lost = alone && idle_us.is_some_and(|us| age > us << tries);
            if now < given.deadline && !lost {
                continue;
            }
            let flowing = now - agent.progress_at < SECOND.max(age / 4);
            if flowing && !lost && given.extensions < EXTENSIONS_MAX {
                given.extensions += 1;
                given.deadline = now + age;
                continue;
            }
            self.in_window -= usize::from(given.in_window);
            agent.strikes += 1;
            agent.progress_at = now;
            self.agents.release(node, piece);
        }
    }

    /// A piece that stays with one holder, and an agent to whom nobody gives anything.
    fn rescue(&mut self, now: Micros, made: &mut Vec<(usize, u32)>) {
        if self.agents.count() < 2 || self.agents.next_needed().is_some() {
            return;
        }
        let median = if self.latencies.is_empty() {
            0
        } else {
            self.median()
        };
        for piece in 0..self.agents.pieces {
            if !self.is_wide() {
                break;
            }
            let at = piece as usize;
            if self.agents.copies[at] != 1 || self.agents.outstanding[at] != 0 {
                continue;
            }
            let tries = self.agents.handed[at].saturating_sub(1).min(6);
            let times = if self.in_window < IDLE_HANDOUTS_MAX {
                SPREAD_IDLE_TIMES
            } else {
                SPREAD_TIMES
            };
            if now - self.agents.moved_at[at] < self.spread_least().max(times * median) << tries {
                continue;
            }
            if let Some(node) = self.recipient(piece, now) {
                self.grant(node, piece, now, made);
            }
        }
        let starve = STARVE_MIN_US.max(16 * median);
        let pieces = self.agents.pieces;
        let mut starved = Vec::new();
        for (node, depth, agent) in self.agents.all_with_depth() {
            let full = agent.have_count == pieces;
            if agent.isolated || !agent.interested || full || !agent.given.is_empty() {
                continue;
            }
            // Each rack on the way takes its time.
            if now - agent.have_at < (starve * (1 + depth as u64)) << agent.fed.min(6) {
                continue;
            }
            agent.fed += 1;
            agent.have_at = now;
            agent.isolated = true;
            starved.push(node);
        }
        for node in starved {
            self.agents.disbelieve(node);
        }
    }

    /// Feeds those whom nobody else feeds, two pieces at a time.
    fn feed(&mut self, now: Micros, made: &mut Vec<(usize, u32)>) {
        for node in self.agents.isolated() {
            while self.is_wide() {
                let room = |given: &[Given]| given.len() < 2;
                if !self.agents.get(node).is_some_and(|a| room(&a.given)) {
                    break;
                }
                let Some(piece) = self.agents.next_lacking(node) else {
                    break;
                };
                self.grant(node, piece, now, made);
            }
        }
    }

    /// How long a piece may stay with a single holder at least.
    fn spread_least(&self) -> Micros {
        if self.agents.count() > CROWD_AGENTS {
            SPREAD_CROWD_MIN_US
        } else {
            SPREAD_MIN_US
        }
    }

    fn median(&self) -> Micros {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or(LATENCY_GUESS_US)
    }

    fn stall_us(&self) -> Micros {
        STALL_MIN_US.max(2 * self.median())
    }
}
