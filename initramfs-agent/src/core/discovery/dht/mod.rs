//! A node of the DHT (BEP 5), small: it joins by the site's own nodes only, finds and announces the peers
//! of our torrents, and answers others. Everything it keeps is bounded.

mod lookup;
mod search;
mod serve;
mod store;
mod table;
#[cfg(test)]
mod tests;
mod token;

use std::collections::VecDeque;
use std::net::SocketAddr;

use lookup::{Goal, Lookup};
use search::{Search, Wanted};
use store::Store;
use table::Table;
use token::Tokens;

use super::krpc::{self, Contact, Message, NodeId, Query, Reject, Response};
use super::rate_limit::RateLimit;
use crate::core::limits::DHT_TRANSACTIONS_MAX;
use crate::core::rng::Rng;
use crate::core::time::{Micros, SECOND};

/// An answer that takes longer does not come.
const QUERY_TIMEOUT: Micros = 2 * SECOND;
/// How often we look for a node that was silent for too long.
const UPKEEP_EVERY: Micros = 30 * SECOND;
/// Queries that are kept free for searches: strangers cannot use all of them up.
const TRANSACTIONS_RESERVED: usize = DHT_TRANSACTIONS_MAX / 2;

/// What the node wants done.
#[derive(Debug)]
pub enum Output {
    /// Send a packet.
    Send {
        /// Where.
        to: SocketAddr,
        /// Its payload.
        bytes: Vec<u8>,
    },
    /// Peers of a torrent of ours.
    Peers {
        /// Of this torrent.
        infohash: [u8; 20],
        /// Their TCP addresses.
        peers: Vec<SocketAddr>,
    },
}

/// See the module.
pub struct Dht {
    id: NodeId,
    /// Our TCP port, for announces.
    port: u16,
    bootstrap: Vec<SocketAddr>,
    table: Table,
    store: Store,
    tokens: Tokens,
    rate_limit: RateLimit,
    transactions: Vec<Transaction>,
    lookups: Vec<Lookup>,
    torrents: Vec<Wanted>,
    /// The search for our own surroundings.
    refresh: Search,
    upkeep_at: Micros,
    outputs: VecDeque<Output>,
}

struct Transaction {
    id: [u8; 2],
    to: SocketAddr,
    deadline: Micros,
    purpose: Purpose,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Ping,
    Lookup(Goal, NodeId),
    Announce,
}

impl Dht {
    /// A node that knows nobody but these. `token_key` is secret; `port` is our TCP port.
    pub fn new(id: NodeId, token_key: [u8; 20], port: u16, bootstrap: Vec<SocketAddr>) -> Self {
        Self {
            id,
            port,
            bootstrap,
            table: Table::new(id),
            store: Store::default(),
            tokens: Tokens::new(token_key),
            rate_limit: RateLimit::default(),
            transactions: Vec::new(),
            lookups: Vec::new(),
            torrents: Vec::new(),
            refresh: Search::new(0),
            upkeep_at: UPKEEP_EVERY,
            outputs: VecDeque::new(),
        }
    }

    /// Looks for the peers of a torrent from now on, and announces us as one.
    pub fn add(&mut self, now: Micros, infohash: [u8; 20], incomplete: bool) {
        self.torrents.push(Wanted::new(now, infohash, incomplete));
    }

    /// The download is complete: no more haste.
    pub fn complete(&mut self, infohash: &[u8; 20]) {
        if let Some(torrent) = self.torrents.iter_mut().find(|t| t.infohash == *infohash) {
            torrent.incomplete = false;
        }
    }

    /// Searches for a torrent no more, nor announces us; what others remember of us is over in half an hour.
    pub fn leave(&mut self, infohash: &[u8; 20]) {
        self.torrents.retain(|torrent| torrent.infohash != *infohash);
        self.lookups
            .retain(|lookup| lookup.goal != Goal::Peers || lookup.target != *infohash);
    }

    /// The swarm needs peers: search again soon.
    pub fn want_peers(&mut self, now: Micros, infohash: &[u8; 20]) {
        if let Some(torrent) = self.torrents.iter_mut().find(|t| t.infohash == *infohash) {
            torrent.search.hurry(now);
        }
    }

    /// A node may be at this address.
    pub fn add_node(&mut self, now: Micros, addr: SocketAddr, rng: &mut Rng) {
        self.ping(now, addr, rng);
    }

    /// How many nodes the routing table holds.
    pub fn node_count(&self) -> usize {
        self.table.len()
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Dht::tick`] is due.
    pub fn deadline(&self) -> Option<Micros> {
        let transactions = self.transactions.iter().map(|transaction| transaction.deadline);
        let upkeep = (self.table.len() > 0).then_some(self.upkeep_at);
        transactions.chain(upkeep).chain(self.search_deadline()).min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Micros, rng: &mut Rng) {
        while let Some(at) = self.transactions.iter().position(|t| now >= t.deadline) {
            let transaction = self.transactions.remove(at);
            self.table.failed(transaction.to);
            self.unanswered(&transaction);
        }
        if now >= self.upkeep_at {
            self.upkeep_at = now + UPKEEP_EVERY;
            if let Some(contact) = self.table.questionable(now) {
                self.ping(now, contact.addr, rng);
            }
        }
        self.search(now, rng);
    }

    /// A packet has arrived.
    pub fn receive(&mut self, now: Micros, from: SocketAddr, data: &[u8], rng: &mut Rng) {
        // An address may be forged, so a flood must not cost us the answer that we wait for from there.
        let is_awaited = self.transactions.iter().any(|t| t.to == from);
        if !is_awaited && self.rate_limit.is_over(now, from.ip()) {
            return;
        }
        let message = krpc::parse(data);
        let ours = match message {
            Ok(Message::Response { transaction, .. } | Message::Error { transaction, .. }) => {
                self.take_transaction(transaction, from)
            }
            _ => None,
        };
        if ours.is_none() && !self.rate_limit.admit(now, from.ip()) {
            return;
        }
        match (message, ours) {
            (
                Ok(Message::Query {
                    transaction,
                    id,
                    query,
                }),
                _,
            ) => self.serve(now, Contact { id, addr: from }, transaction, &query, rng),
            (Ok(Message::Response { id, response, .. }), Some(ours)) => {
                self.answered(now, &ours, Contact { id, addr: from }, &response);
            }
            (Ok(Message::Error { .. }), Some(ours)) => self.unanswered(&ours),
            (Err(Reject::Answer { transaction, code }), _) => {
                let text = if code == krpc::METHOD_UNKNOWN {
                    "Method Unknown"
                } else {
                    "Protocol Error"
                };
                self.send(from, krpc::encode_error(transaction, code, text));
            }
            (Ok(Message::Response { .. } | Message::Error { .. }) | Err(Reject::Ignore), _) => {}
        }
        self.search(now, rng);
    }

    /// The query that this answers: number and address must both fit.
    fn take_transaction(&mut self, id: &[u8], from: SocketAddr) -> Option<Transaction> {
        let at = self
            .transactions
            .iter()
            .position(|t| t.id == id && t.to == from)?;
        Some(self.transactions.remove(at))
    }

    fn answered(&mut self, now: Micros, transaction: &Transaction, from: Contact, response: &Response<'_>) {
        if from.id == self.id {
            // A bootstrap address of our own, or somebody who copies us.
            return self.unanswered(transaction);
        }
        self.table.answered(now, from);
        let Purpose::Lookup(goal, target) = transaction.purpose else {
            return;
        };
        let Some(lookup) = self
            .lookups
            .iter_mut()
            .find(|l| l.goal == goal && l.target == target)
        else {
            return;
        };
        lookup.answer(from, response.token);
        lookup.extend(&response.nodes, &self.id);
        if goal == Goal::Peers && !response.values.is_empty() {
            lookup.add_found(&response.values);
            let peers = response.values.clone();
            let infohash = target;
            self.outputs.push_back(Output::Peers { infohash, peers });
        }
    }

    fn unanswered(&mut self, transaction: &Transaction) {
        if let Purpose::Lookup(goal, target) = transaction.purpose
            && let Some(lookup) = self
                .lookups
                .iter_mut()
                .find(|l| l.goal == goal && l.target == target)
        {
            lookup.fail(transaction.to);
        }
    }

    fn has_room(&self) -> bool {
        self.transactions.len() < DHT_TRANSACTIONS_MAX
    }

    /// Asks whether a node is there, unless we are asking it already or too many others.
    fn ping(&mut self, now: Micros, addr: SocketAddr, rng: &mut Rng) {
        let asking = self
            .transactions
            .iter()
            .any(|t| t.to == addr && t.purpose == Purpose::Ping);
        if !asking && self.transactions.len() < DHT_TRANSACTIONS_MAX - TRANSACTIONS_RESERVED {
            self.ask(now, addr, &Query::Ping, Purpose::Ping, rng);
        }
    }

    fn ask(&mut self, now: Micros, to: SocketAddr, query: &Query<'_>, purpose: Purpose, rng: &mut Rng) {
        let mut number = rng.next_u64() as u16;
        while self.transactions.iter().any(|t| t.id == number.to_be_bytes()) {
            number = number.wrapping_add(1);
        }
        let id = number.to_be_bytes();
        let deadline = now + QUERY_TIMEOUT;
        let bytes = krpc::encode_query(&id, &self.id, query);
        self.transactions.push(Transaction {
            id,
            to,
            deadline,
            purpose,
        });
        self.send(to, bytes);
    }

    fn send(&mut self, to: SocketAddr, bytes: Vec<u8>) {
        self.outputs.push_back(Output::Send { to, bytes });
    }
}
