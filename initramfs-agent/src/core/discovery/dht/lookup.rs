//! One iterative search (BEP 5): asks the nodes nearest to a point for nodes that are nearer still.

use std::net::SocketAddr;

use super::table::{K, distance};
use crate::core::discovery::krpc::{Contact, NodeId};

/// Queries of one search at a time.
const PARALLEL: usize = 4;
/// Queries of one search in all, so that no answer can keep it going.
const QUERIES_MAX: usize = 96;
/// Candidates remembered; the farthest go first.
const CANDIDATES_MAX: usize = 128;

/// Different peers that are counted.
const FOUND_MAX: usize = 64;

/// What a search is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Goal {
    /// Nodes near a point, to know our surroundings.
    Nodes,
    /// Peers of a torrent, and afterwards to be announced as one.
    Peers,
}

/// See the module.
pub struct Lookup {
    /// The point.
    pub target: NodeId,
    /// What for.
    pub goal: Goal,
    /// Different peers found, at most [`FOUND_MAX`]; we ourselves may be among them.
    found: Vec<SocketAddr>,
    /// Nodes that answered.
    pub answered: usize,
    /// Nearest first; those whose identity is not known yet before all others.
    candidates: Vec<Candidate>,
    asked: usize,
}

struct Candidate {
    /// `None`: a bootstrap node that has not answered yet.
    id: Option<NodeId>,
    addr: SocketAddr,
    state: State,
}

#[derive(PartialEq, Eq)]
enum State {
    New,
    Asked,
    /// With the token for an announce.
    Answered(Option<Vec<u8>>),
    Failed,
}

impl Lookup {
    /// A search that starts at these nodes, and at addresses whose nodes are not known.
    pub fn new(target: NodeId, goal: Goal, contacts: &[Contact], bootstrap: &[SocketAddr]) -> Self {
        let mut lookup = Self {
            target,
            goal,
            found: Vec::new(),
            answered: 0,
            candidates: Vec::new(),
            asked: 0,
        };
        for &contact in contacts {
            lookup.add(Some(contact.id), contact.addr);
        }
        for &addr in bootstrap {
            lookup.add(None, addr);
        }
        lookup
    }

    /// Adds nodes that an answer named.
    pub fn extend(&mut self, contacts: &[Contact], own: &NodeId) {
        for contact in contacts.iter().filter(|contact| contact.id != *own) {
            self.add(Some(contact.id), contact.addr);
        }
    }

    /// Whom to ask next; it counts as asked.
    pub fn next(&mut self) -> Option<SocketAddr> {
        let in_flight = self.candidates.iter().filter(|c| c.state == State::Asked).count();
        if in_flight >= PARALLEL || self.asked >= QUERIES_MAX {
            return None;
        }
        let mut near = 0;
        for candidate in self.candidates.iter_mut().filter(|c| c.state != State::Failed) {
            if candidate.state == State::New {
                candidate.state = State::Asked;
                self.asked += 1;
                return Some(candidate.addr);
            }
            near += usize::from(candidate.id.is_some());
            if near >= K {
                break;
            }
        }
        None
    }

    /// A node that was asked has answered. It may have another identity than expected.
    pub fn answer(&mut self, contact: Contact, token: Option<&[u8]>) {
        let at = self
            .candidates
            .iter()
            .position(|c| c.addr == contact.addr && c.state == State::Asked);
        if let Some(at) = at {
            let mut candidate = self.candidates.remove(at);
            candidate.id = Some(contact.id);
            candidate.state = State::Answered(token.map(<[u8]>::to_vec));
            self.answered += 1;
            self.insert(candidate);
        }
    }

    /// A node that was asked has not answered, or refused.
    pub fn fail(&mut self, addr: SocketAddr) {
        let asked = self
            .candidates
            .iter_mut()
            .find(|c| c.addr == addr && c.state == State::Asked);
        if let Some(candidate) = asked {
            candidate.state = State::Failed;
        }
    }

    /// An answer named these peers.
    pub fn add_found(&mut self, peers: &[SocketAddr]) {
        for peer in peers {
            if self.found.len() < FOUND_MAX && !self.found.contains(peer) {
                self.found.push(*peer);
            }
        }
    }

    /// How many different peers were found.
    pub fn found(&self) -> usize {
        self.found.len()
    }

    /// Whether no answer is awaited any more; meaningful once [`Lookup::next`] returns `None`.
    pub fn is_idle(&self) -> bool {
        self.candidates.iter().all(|c| c.state != State::Asked)
    }

    /// The nearest nodes that take an announce, with their tokens.
    pub fn holders(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let with_token = self
            .candidates
            .iter()
            .filter_map(|candidate| match &candidate.state {
                State::Answered(Some(token)) => Some((candidate.addr, token.as_slice())),
                _ => None,
            });
        with_token.take(K)
    }

    fn add(&mut self, id: Option<NodeId>, addr: SocketAddr) {
        // One identity for an address: no node can fill the search with invented ones.
        if self
            .candidates
            .iter()
            .any(|c| c.addr == addr || (c.id.is_some() && c.id == id))
        {
            return;
        }
        let state = State::New;
        self.insert(Candidate { id, addr, state });
        if self.candidates.len() > CANDIDATES_MAX
            && let Some(at) = self.candidates.iter().rposition(|c| c.state == State::New)
        {
            self.candidates.remove(at);
        }
    }

    fn insert(&mut self, candidate: Candidate) {
        let target = self.target;
        let far = |id: &Option<NodeId>| id.map(|id| distance(&id, &target));
        let at = self
            .candidates
            .partition_point(|c| far(&c.id) <= far(&candidate.id));
        self.candidates.insert(at, candidate);
    }
}
