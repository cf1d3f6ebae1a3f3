//! The messages of the DHT (BEP 5; IPv6 contacts as in BEP 32).

mod encode;
mod parse;
#[cfg(test)]
mod tests;

pub use encode::{encode_error, encode_query, encode_response};
pub use parse::parse;

use std::net::SocketAddr;

/// Identity of a DHT node, or a point in the space of identities.
pub type NodeId = [u8; 20];

/// BEP 5 error: the arguments make no sense.
pub const PROTOCOL_ERROR: i64 = 203;
/// BEP 5 error: we do not know this query.
pub const METHOD_UNKNOWN: i64 = 204;

/// A node and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contact {
    /// Its identity.
    pub id: NodeId,
    /// Its UDP address.
    pub addr: SocketAddr,
}

/// A message, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Somebody asks.
    Query {
        /// To be sent back as it is.
        transaction: &'a [u8],
        /// Who asks.
        id: NodeId,
        /// What.
        query: Query<'a>,
    },
    /// An answer to a query of ours.
    Response {
        /// The one of our query.
        transaction: &'a [u8],
        /// Who answers.
        id: NodeId,
        /// What.
        response: Response<'a>,
    },
    /// A query of ours was refused.
    Error {
        /// The one of our query.
        transaction: &'a [u8],
        /// 201 to 204.
        code: i64,
    },
}

/// The four queries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query<'a> {
    /// Are you there?
    Ping,
    /// Which nodes do you know near this identity?
    FindNode {
        /// This one.
        target: NodeId,
    },
    /// Which peers of this torrent do you know, or which nodes near it?
    GetPeers {
        /// This one.
        infohash: [u8; 20],
    },
    /// I am a peer of this torrent.
    AnnouncePeer {
        /// This one.
        infohash: [u8; 20],
        /// My TCP port; `None`: the one this packet came from (`implied_port`).
        port: Option<u16>,
        /// From an answer to `get_peers`.
        token: &'a [u8],
    },
}

/// An answer; which parts are there depends on the query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response<'a> {
    /// `nodes` and `nodes6`.
    pub nodes: Vec<Contact>,
    /// Peers of the torrent.
    pub values: Vec<SocketAddr>,
    /// For `announce_peer`.
    pub token: Option<&'a [u8]>,
}

/// Why a packet is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reject<'a> {
    /// It is no message; do not answer.
    Ignore,
    /// It is a query, and a wrong one: answer this error.
    Answer {
        /// Of the query.
        transaction: &'a [u8],
        /// [`PROTOCOL_ERROR`] or [`METHOD_UNKNOWN`].
        code: i64,
    },
}
