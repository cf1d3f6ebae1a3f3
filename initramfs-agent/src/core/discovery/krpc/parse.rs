//! Reading DHT messages.

use std::net::SocketAddr;

use super::{Contact, METHOD_UNKNOWN, Message, NodeId, PROTOCOL_ERROR, Query, Reject, Response};
use crate::core::bencode::{self, Dict, Keys};
use crate::core::discovery::compact;
use crate::core::limits::{KRPC_PACKET_BYTES_MAX, KRPC_TOKEN_BYTES_MAX, PEERS_PER_ANSWER_MAX};

/// Nodes taken from one answer (a stock node sends 8 to 20).
const NODES_MAX: usize = 64;

/// Parses a packet. Addresses that nobody can send to are left out of answers.
///
/// # Errors
/// What to do with a packet that is not right.
pub fn parse(packet: &[u8]) -> Result<Message<'_>, Reject<'_>> {
    if packet.len() > KRPC_PACKET_BYTES_MAX {
        return Err(Reject::Ignore);
    }
    let root = bencode::parse(packet, Keys::AnyOrder).map_err(|_| Reject::Ignore)?;
    let root = root.as_dict().ok_or(Reject::Ignore)?;
    let transaction = root
        .bytes(b"t")
        .filter(|t| !t.is_empty() && t.len() <= KRPC_TOKEN_BYTES_MAX);
    let transaction = transaction.ok_or(Reject::Ignore)?;
    match root.bytes(b"y") {
        Some(b"q") => {
            let wrong = |code| Reject::Answer { transaction, code };
            let method = root.bytes(b"q").ok_or_else(|| wrong(PROTOCOL_ERROR))?;
            let arguments = root.dict(b"a").ok_or_else(|| wrong(PROTOCOL_ERROR))?;
            let id = hash(arguments, b"id").ok_or_else(|| wrong(PROTOCOL_ERROR))?;
            let query = query(method, arguments).map_err(wrong)?;
            Ok(Message::Query {
                transaction,
                id,
                query,
            })
        }
        Some(b"r") => {
            let values = root.dict(b"r").ok_or(Reject::Ignore)?;
            let id = hash(values, b"id").ok_or(Reject::Ignore)?;
            let response = response(values);
            Ok(Message::Response {
                transaction,
                id,
                response,
            })
        }
        Some(b"e") => {
            let code = root
                .list(b"e")
                .and_then(|list| list.first()?.as_int())
                .unwrap_or(0);
            Ok(Message::Error { transaction, code })
        }
        _ => Err(Reject::Ignore),
    }
}

fn hash(dict: &Dict<'_>, key: &[u8]) -> Option<NodeId> {
    dict.bytes(key)?.try_into().ok()
}

fn query<'a>(method: &[u8], arguments: &Dict<'a>) -> Result<Query<'a>, i64> {
    let infohash = || hash(arguments, b"info_hash").ok_or(PROTOCOL_ERROR);
    match method {
        b"ping" => Ok(Query::Ping),
        b"find_node" => {
            let target = hash(arguments, b"target").ok_or(PROTOCOL_ERROR)?;
            Ok(Query::FindNode { target })
        }
        b"get_peers" => Ok(Query::GetPeers {
            infohash: infohash()?,
        }),
        b"announce_peer" => {
            let implied = arguments.int(b"implied_port").is_some_and(|implied| implied != 0);
            let port = arguments.int(b"port").and_then(|port| u16::try_from(port).ok());
            let port = port.filter(|&port| port != 0);
            if port.is_none() && !implied {
                return Err(PROTOCOL_ERROR);
            }
            let token = arguments
                .bytes(b"token")
                .filter(|token| token.len() <= KRPC_TOKEN_BYTES_MAX);
            Ok(Query::AnnouncePeer {
                infohash: infohash()?,
                port: port.filter(|_| !implied),
                token: token.ok_or(PROTOCOL_ERROR)?,
            })
        }
        _ => Err(METHOD_UNKNOWN),
    }
}

/// Parts of the wrong type or length count as absent: the rest of an answer is still of use.
fn response<'a>(values: &Dict<'a>) -> Response<'a> {
    let mut nodes = Vec::new();
    for (key, size) in [
        (&b"nodes"[..], 20 + compact::V4_BYTES),
        (b"nodes6", 20 + compact::V6_BYTES),
    ] {
        let bytes = values.bytes(key).unwrap_or_default();
        nodes.extend(bytes.chunks_exact(size).filter_map(contact).take(NODES_MAX));
    }
    let peers = values.list(b"values").unwrap_or_default().iter();
    let peers = peers
        .filter_map(|peer| compact::parse(peer.as_bytes()?))
        .filter(compact::is_usable);
    Response {
        nodes,
        values: peers.take(PEERS_PER_ANSWER_MAX).collect::<Vec<SocketAddr>>(),
        token: values
            .bytes(b"token")
            .filter(|token| token.len() <= KRPC_TOKEN_BYTES_MAX),
    }
}

fn contact(bytes: &[u8]) -> Option<Contact> {
    let (id, addr) = bytes.split_at_checked(20)?;
    let addr = compact::parse(addr).filter(compact::is_usable)?;
    let id = id.try_into().ok()?;
    Some(Contact { id, addr })
}
