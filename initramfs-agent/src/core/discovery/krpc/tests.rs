use serde_json::Value;

use super::*;
use crate::core::limits::KRPC_PACKET_BYTES_MAX;
use crate::core::rng::Rng;

fn vectors() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/krpc.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A message as the vectors write it.
fn describe(parsed: &Result<Message<'_>, Reject<'_>>) -> Value {
    match parsed {
        Err(Reject::Ignore) => serde_json::json!("ignore"),
        Err(Reject::Answer { transaction, code }) => {
            serde_json::json!({"transaction": hex(transaction), "refuse": code})
        }
        Ok(Message::Error { transaction, code }) => {
            serde_json::json!({"transaction": hex(transaction), "error": code})
        }
        Ok(Message::Query {
            transaction,
            id,
            query,
        }) => {
            let mut value = serde_json::json!({"transaction": hex(transaction), "id": hex(id)});
            value["query"] = match query {
                Query::Ping => "ping",
                Query::FindNode { .. } => "find_node",
                Query::GetPeers { .. } => "get_peers",
                Query::AnnouncePeer { .. } => "announce_peer",
            }
            .into();
            match query {
                Query::Ping => {}
                Query::FindNode { target } => value["target"] = hex(target).into(),
                Query::GetPeers { infohash } => value["infohash"] = hex(infohash).into(),
                Query::AnnouncePeer {
                    infohash,
                    port,
                    token,
                } => {
                    value["infohash"] = hex(infohash).into();
                    value["port"] = port.unwrap_or(0).into();
                    value["token"] = hex(token).into();
                }
            }
            value
        }
        Ok(Message::Response {
            transaction,
            id,
            response,
        }) => {
            let nodes: Vec<_> = response
                .nodes
                .iter()
                .map(|c| [hex(&c.id), c.addr.to_string()])
                .collect();
            let values: Vec<_> = response.values.iter().map(ToString::to_string).collect();
            let mut value = serde_json::json!({
                "transaction": hex(transaction), "id": hex(id), "nodes": nodes, "values": values
            });
            if let Some(token) = response.token {
                value["token"] = hex(token).into();
            }
            value
        }
    }
}

fn encode(parsed: &Result<Message<'_>, Reject<'_>>) -> Option<Vec<u8>> {
    match parsed {
        Ok(Message::Query {
            transaction,
            id,
            query,
        }) => Some(encode_query(transaction, id, query)),
        Ok(Message::Response {
            transaction,
            id,
            response,
        }) => Some(encode_response(transaction, id, response)),
        _ => None,
    }
}

#[test]
fn golden_vectors() {
    let mut canonical = 0;
    for case in vectors() {
        let about = case["about"].as_str().unwrap();
        let packet = unhex(case["packet"].as_str().unwrap());
        let parsed = parse(&packet);
        assert_eq!(describe(&parsed), case["parsed"], "{about}");
        if case["canonical"] == true {
            canonical += 1;
            assert_eq!(hex(&encode(&parsed).unwrap()), hex(&packet), "{about}");
        }
    }
    assert!(canonical >= 8);
}

#[test]
fn errors_are_written_as_the_bep_shows() {
    assert_eq!(
        encode_error(b"aa", 201, "A Generic Error Ocurred"),
        b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee"
    );
}

#[test]
fn larger_than_the_limit() {
    let packet = [
        b"d1:t".to_vec(),
        format!("{KRPC_PACKET_BYTES_MAX}:").into(),
        vec![b'x'; KRPC_PACKET_BYTES_MAX],
        b"e".to_vec(),
    ];
    assert_eq!(parse(&packet.concat()), Err(Reject::Ignore));
}

#[test]
fn fuzz_from_the_vectors() {
    let seeds: Vec<_> = vectors()
        .iter()
        .map(|case| unhex(case["packet"].as_str().unwrap()))
        .collect();
    let mut rng = Rng::new(19);
    let mut accepted = 0;
    for round in 0..100_000_usize {
        let mut input = seeds[round % seeds.len()].clone();
        for _ in 0..=rng.below(2) {
            let at = rng.below(input.len().max(1) as u64) as usize;
            match rng.below(3) {
                0 if at < input.len() => input[at] = rng.next_u64() as u8,
                1 if at < input.len() => drop(input.remove(at)),
                _ => input.insert(at, b"0123456789ilde:-"[rng.below(16) as usize]),
            }
        }
        let parsed = parse(&input);
        if let Some(written) = encode(&parsed) {
            accepted += 1;
            assert_eq!(parse(&written), parsed);
        }
    }
    assert!(accepted > 1_000, "the fuzzer reaches nothing: {accepted}");
}
