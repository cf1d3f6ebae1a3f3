//! A model of the server's seeder: hands each piece out once, to the rack with the fewest hand-outs
//! outstanding, then only rescues (docs/protocol.md, "Origin hand-out").

use std::collections::VecDeque;

use super::window::Window;
use crate::core::time::{Micros, SECOND};
use crate::core::wire::Block;

/// How long a piece may stay with a single holder while others lack it.
const SPREAD_US: Micros = 3 * SECOND / 2;

struct HandOut {
    piece: u32,
    node: usize,
    due: Micros,
}

/// A node as the seeder sees it.
struct Client {
    conn: usize,
    have: Vec<bool>,
    gone: bool,
    given: u32,
    /// Pieces that were ever handed to it: it may fetch them also when they have been handed to somebody else since.
    granted: Vec<bool>,
}

pub(super) struct Seeder {
    pieces: u32,
    piece_bytes: u32,
    link_bits: u64,
    racks: Vec<usize>,
    clients: Vec<Option<Client>>,
    /// Pieces to hand out, rescues first.
    queue: VecDeque<u32>,
    out: Vec<HandOut>,
    window: Window,
    rack_out: Vec<u32>,
    rack_given: Vec<u32>,
    /// Nodes that are there and have the piece.
    holders: Vec<u32>,
    /// Bytes sent over BitTorrent.
    pub sent_bytes: u64,
    /// Each piece has been with a node.
    pub copied: u32,
    once: Vec<bool>,
    /// When each piece was last handed out or got a holder, and how often it was handed out.
    moved_at: Vec<Micros>,
    handed: Vec<u32>,
}

impl Seeder {
    pub fn new(pieces: u32, piece_bytes: u32, link_bits: u64, racks: Vec<usize>) -> Self {
        let rack_count = racks.iter().max().map_or(1, |m| m + 1);
        Self {
            pieces,
            piece_bytes,
            link_bits,
            clients: racks.iter().map(|_| None).collect(),
            racks,
            queue: (0..pieces).collect(),
            out: Vec::new(),
            window: Window::new(),
            rack_out: vec![0; rack_count],
            rack_given: vec![0; rack_count],
            holders: vec![0; pieces as usize],
            sent_bytes: 0,
            copied: 0,
            once: vec![false; pieces as usize],
            moved_at: vec![0; pieces as usize],
            handed: vec![0; pieces as usize],
        }
    }

    pub fn connected(&mut self, node: usize, conn: usize) {
        let have = vec![false; self.pieces as usize];
        self.clients[node] = Some(Client {
            conn,
            granted: have.clone(),
            have,
            gone: false,
            given: 0,
        });
    }

    pub fn conn_of(&self, node: usize) -> Option<usize> {
        self.clients[node].as_ref().filter(|c| !c.gone).map(|c| c.conn)
    }

    pub fn closed(&mut self, node: usize, conn: usize) {
        let Some(client) = self.clients[node].as_mut().filter(|c| c.conn == conn && !c.gone) else {
            return;
        };
        client.gone = true;
        let had: Vec<u32> = (0..self.pieces).filter(|p| client.have[*p as usize]).collect();
        for piece in had {
            self.holders[piece as usize] -= 1;
            if self.holders[piece as usize] == 0 {
                self.queue.push_front(piece);
            }
        }
        let lost: Vec<u32> = self
            .out
            .iter()
            .filter(|h| h.node == node)
            .map(|h| h.piece)
            .collect();
        for piece in lost {
            self.end(piece, node);
            self.rescue(piece);
        }
    }

    fn rescue(&mut self, piece: u32) {
        if self.holders[piece as usize] == 0 && !self.queue.contains(&piece) {
            self.queue.push_front(piece);
        }
    }

    /// A piece that stays with one holder goes to another node as well: that one may be a liar, or slow.
    fn spread(&mut self, now: Micros) {
        for piece in 0..self.pieces {
            let at = piece as usize;
            let tries = self.handed[at].saturating_sub(1).min(6);
            let stays = self.holders[at] == 1 && now >= self.moved_at[at] + (SPREAD_US << tries);
            if stays && !self.out.iter().any(|h| h.piece == piece) {
                self.queue.push_back(piece);
            }
        }
    }

    fn end(&mut self, piece: u32, node: usize) -> bool {
        let Some(at) = self.out.iter().position(|h| h.piece == piece && h.node == node) else {
            return false;
        };
        self.out.swap_remove(at);
        self.rack_out[self.racks[node]] -= 1;
        true
    }

    pub fn has(&mut self, node: usize, piece: u32, now: Micros) {
        let Some(client) = self.clients[node].as_mut().filter(|c| !c.gone) else {
            return;
        };
        if !client.have[piece as usize] {
            client.have[piece as usize] = true;
            self.holders[piece as usize] += 1;
            self.moved_at[piece as usize] = now;
        }
        if !std::mem::replace(&mut self.once[piece as usize], true) {
            self.copied += 1;
        }
        if self.end(piece, node) {
            self.window.confirmed(self.piece_bytes, now);
        }
    }

    /// Whether the node may have this block.
    pub fn serves(&self, node: usize, block: Block) -> bool {
        let client = self.clients[node].as_ref().filter(|c| !c.gone);
        client.is_some_and(|c| c.granted.get(block.piece as usize).is_some_and(|g| *g))
    }

    /// Hand-outs to make now, as (connection, piece).
    pub fn hand_out(&mut self, now: Micros) -> Vec<(usize, u32)> {
        let late: Vec<(u32, usize)> = self
            .out
            .iter()
            .filter(|h| h.due <= now)
            .map(|h| (h.piece, h.node))
            .collect();
        for (piece, node) in late {
            self.end(piece, node);
            self.rescue(piece);
        }
        if self.queue.is_empty() {
            self.spread(now);
        }
        let most = self.window.size();
        let mut made = Vec::new();
        while self.out.len() < most {
            let Some(piece) = self.queue.pop_front() else {
                break;
            };
            if self.holders[piece as usize] > 1 {
                continue;
            }
            let best = (0..self.clients.len())
                .filter(|n| {
                    self.clients[*n]
                        .as_ref()
                        .is_some_and(|c| !c.gone && !c.have[piece as usize])
                })
                .min_by_key(|n| {
                    let rack = self.racks[*n];
                    let given = self.clients[*n].as_ref().map_or(0, |c| c.given);
                    (self.rack_out[rack], self.rack_given[rack], given, *n)
                });
            let Some(node) = best else {
                self.queue.push_front(piece);
                break;
            };
            let takes = u64::from(self.piece_bytes) * 8 * SECOND / self.link_bits.max(1);
            let due = now + SECOND + takes * (most as u64 + 2) * 4;
            self.out.push(HandOut { piece, node, due });
            self.moved_at[piece as usize] = now;
            self.handed[piece as usize] += 1;
            let rack = self.racks[node];
            self.rack_out[rack] += 1;
            self.rack_given[rack] += 1;
            if let Some(client) = self.clients[node].as_mut() {
                client.given += 1;
                client.granted[piece as usize] = true;
                made.push((client.conn, piece));
            }
        }
        if self.out.len() + 1 < most {
            self.window.idle();
        }
        made
    }
}
