//! Writing DHT messages.

use super::{NodeId, Query, Response};
use crate::core::bencode::Encoder;
use crate::core::discovery::compact;

/// A query of ours.
pub fn encode_query(transaction: &[u8], id: &NodeId, query: &Query<'_>) -> Vec<u8> {
    let mut out = Encoder::default();
    out.dict().bytes(b"a").dict().bytes(b"id").bytes(id);
    let method: &[u8] = match query {
        Query::Ping => b"ping",
        Query::FindNode { target } => {
            out.bytes(b"target").bytes(target);
            b"find_node"
        }
        Query::GetPeers { infohash } => {
            out.bytes(b"info_hash").bytes(infohash);
            b"get_peers"
        }
        Query::AnnouncePeer {
            infohash,
            port,
            token,
        } => {
            out.bytes(b"implied_port").int(i64::from(port.is_none()));
            out.bytes(b"info_hash").bytes(infohash);
            out.bytes(b"port").int(port.unwrap_or(0).into());
            out.bytes(b"token").bytes(token);
            b"announce_peer"
        }
    };
    out.end().bytes(b"q").bytes(method);
    finish(out, transaction, b"q")
}

/// An answer of ours.
pub fn encode_response(transaction: &[u8], id: &NodeId, response: &Response<'_>) -> Vec<u8> {
    let (mut nodes, mut nodes6) = (Vec::new(), Vec::new());
    for contact in &response.nodes {
        let out = if contact.addr.is_ipv4() {
            &mut nodes
        } else {
            &mut nodes6
        };
        out.extend_from_slice(&contact.id);
        compact::write(out, contact.addr);
    }
    let mut out = Encoder::default();
    out.dict().bytes(b"r").dict().bytes(b"id").bytes(id);
    if !nodes.is_empty() {
        out.bytes(b"nodes").bytes(&nodes);
    }
    if !nodes6.is_empty() {
        out.bytes(b"nodes6").bytes(&nodes6);
    }
    if let Some(token) = response.token {
        out.bytes(b"token").bytes(token);
    }
    if !response.values.is_empty() {
        out.bytes(b"values").list();
        for &peer in &response.values {
            let mut bytes = Vec::with_capacity(compact::V6_BYTES);
            compact::write(&mut bytes, peer);
            out.bytes(&bytes);
        }
        out.end();
    }
    out.end();
    finish(out, transaction, b"r")
}

/// A refusal of ours.
pub fn encode_error(transaction: &[u8], code: i64, text: &str) -> Vec<u8> {
    let mut out = Encoder::default();
    out.dict()
        .bytes(b"e")
        .list()
        .int(code)
        .bytes(text.as_bytes())
        .end();
    finish(out, transaction, b"e")
}

fn finish(mut out: Encoder, transaction: &[u8], kind: &[u8]) -> Vec<u8> {
    out.bytes(b"t")
        .bytes(transaction)
        .bytes(b"y")
        .bytes(kind)
        .end()
        .finish()
}
