//! The routing table (BEP 5): nodes that have answered us, more of those near us than of those far away.

use std::net::SocketAddr;

use crate::core::discovery::krpc::{Contact, NodeId};
use crate::core::time::{Micros, SECOND};

/// Nodes in a bucket, and nodes in an answer.
pub const K: usize = 8;
/// A node that was silent for so long is questionable (BEP 5).
const QUESTIONABLE_AFTER: Micros = 900 * SECOND;
/// Queries in a row that a node may leave unanswered before it is bad.
const FAILURES_MAX: u32 = 2;

/// See the module. At most 160 buckets of [`K`] nodes.
pub struct Table {
    own: NodeId,
    /// By the number of leading bits that their nodes share with our identity.
    buckets: Vec<Vec<Entry>>,
}

struct Entry {
    contact: Contact,
    heard_at: Micros,
    failures: u32,
}

impl Table {
    /// An empty table around our identity.
    pub fn new(own: NodeId) -> Self {
        let buckets = (0..160).map(|_| Vec::new()).collect();
        Self { own, buckets }
    }

    /// How many nodes it holds.
    pub fn len(&self) -> usize {
        self.buckets.iter().map(Vec::len).sum()
    }

    /// A node has answered: it is kept if its bucket has room or a bad node to give up for it.
    pub fn answered(&mut self, now: Micros, contact: Contact) {
        let Some(bucket) = self.bucket(&contact.id) else {
            return;
        };
        if let Some(entry) = bucket.iter_mut().find(|entry| entry.contact.id == contact.id) {
            // Whoever takes over a known identity from elsewhere has to wait until the old one is bad.
            if entry.contact.addr == contact.addr || entry.failures >= FAILURES_MAX {
                *entry = Entry::new(now, contact);
            }
        } else if bucket.len() < K {
            bucket.push(Entry::new(now, contact));
        } else if let Some(bad) = bucket.iter_mut().find(|entry| entry.failures >= FAILURES_MAX) {
            *bad = Entry::new(now, contact);
        }
    }

    /// A known node has asked us something: it is still there. Says whether it is known.
    pub fn heard(&mut self, now: Micros, contact: &Contact) -> bool {
        let entry = self
            .bucket(&contact.id)
            .and_then(|bucket| bucket.iter_mut().find(|entry| entry.contact == *contact));
        if let Some(entry) = entry {
            entry.heard_at = now;
            return true;
        }
        false
    }

    /// Whether a node with this identity would be kept if it answered.
    pub fn has_room(&mut self, id: &NodeId) -> bool {
        self.bucket(id).is_some_and(|bucket| {
            bucket.len() < K || bucket.iter().any(|entry| entry.failures >= FAILURES_MAX)
        })
    }

    /// A node has left a query unanswered; a bad one goes, as long as others remain.
    pub fn failed(&mut self, addr: SocketAddr) {
        for bucket in &mut self.buckets {
            for entry in bucket.iter_mut().filter(|entry| entry.contact.addr == addr) {
                entry.failures += 1;
            }
            bucket.retain(|entry| entry.failures <= FAILURES_MAX);
        }
    }

    /// The nodes nearest to a point, nearest first, without bad ones, of one address family.
    pub fn closest(&self, target: &NodeId, count: usize, ipv4: bool) -> Vec<Contact> {
        let entries = self.buckets.iter().flatten();
        let usable = entries.filter(|e| e.failures < FAILURES_MAX && e.contact.addr.is_ipv4() == ipv4);
        let mut nearest: Vec<Contact> = usable.map(|entry| entry.contact).collect();
        nearest.sort_by_key(|contact| distance(&contact.id, target));
        nearest.truncate(count);
        nearest
    }

    /// The node that was silent for longest, if that makes it questionable.
    pub fn questionable(&self, now: Micros) -> Option<Contact> {
        let oldest = self.buckets.iter().flatten().min_by_key(|entry| entry.heard_at)?;
        (now >= oldest.heard_at + QUESTIONABLE_AFTER).then_some(oldest.contact)
    }

    /// The bucket of an identity; `None` for our own.
    fn bucket(&mut self, id: &NodeId) -> Option<&mut Vec<Entry>> {
        let apart = distance(id, &self.own);
        let byte = apart.iter().position(|&b| b != 0)?;
        self.buckets
            .get_mut(byte * 8 + apart[byte].leading_zeros() as usize)
    }
}

impl Entry {
    fn new(now: Micros, contact: Contact) -> Self {
        Self {
            contact,
            heard_at: now,
            failures: 0,
        }
    }
}

/// How far two points are apart: exclusive or, compared as a number.
pub fn distance(a: &NodeId, b: &NodeId) -> NodeId {
    std::array::from_fn(|at| a[at] ^ b[at])
}
