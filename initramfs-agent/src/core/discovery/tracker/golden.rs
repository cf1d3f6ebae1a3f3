//! The golden vectors of test/vectors/tracker.json, and mutations of them.

use serde_json::Value;

use super::announce::{Announce, Event};
use super::answer::Answer;
use crate::core::limits::{PEERS_PER_ANSWER_MAX, TRACKER_ANSWER_BYTES_MAX};
use crate::core::nearness::Nearness;
use crate::core::rng::Rng;

fn vectors(key: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/tracker.json");
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    all[key].as_array().unwrap().clone()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

#[test]
fn announce_urls() {
    let cases = vectors("announces");
    assert!(cases.len() >= 5);
    for case in &cases {
        let number = |key: &str| case[key].as_u64().unwrap();
        let announce = Announce {
            infohash: unhex(case["infohash"].as_str().unwrap()).try_into().unwrap(),
            peer_id: unhex(case["peer_id"].as_str().unwrap()).try_into().unwrap(),
            port: number("port") as u16,
            uploaded: number("uploaded"),
            downloaded: number("downloaded"),
            left: number("left"),
            numwant: number("numwant") as u32,
            event: match case["event"].as_str().unwrap() {
                "started" => Event::Started,
                "completed" => Event::Completed,
                "stopped" => Event::Stopped,
                _ => Event::None,
            },
        };
        assert_eq!(
            announce.url(case["tracker"].as_str().unwrap()),
            case["url"].as_str().unwrap()
        );
    }
}

#[test]
fn answers() {
    let cases = vectors("answers");
    assert!(cases.len() > 30);
    for case in &cases {
        let about = case["about"].as_str().unwrap();
        let parsed = Answer::parse(&unhex(case["answer"].as_str().unwrap()));
        let Some(expected) = case["parsed"].as_object() else {
            let error = parsed.expect_err(about);
            assert_eq!(error.code.as_str(), case["error"].as_str().unwrap(), "{about}");
            continue;
        };
        let parsed = parsed.unwrap_or_else(|e| panic!("{about}: {e}"));
        let seconds = |key: &str| expected.get(key).map(|v| v.as_u64().unwrap() as u32);
        assert_eq!(parsed.interval_s, seconds("interval_s"), "{about}");
        assert_eq!(parsed.min_interval_s, seconds("min_interval_s"), "{about}");
        let peers: Vec<_> = expected["peers"].as_array().unwrap().iter().map(peer).collect();
        assert_eq!(parsed.peers, peers, "{about}");
    }
}

fn peer(value: &Value) -> (std::net::SocketAddr, Nearness) {
    let nearness = match value[1].as_str().unwrap() {
        "local" => Nearness::Local,
        "across" => Nearness::Across,
        "far" => Nearness::Far,
        _ => Nearness::Unknown,
    };
    (value[0].as_str().unwrap().parse().unwrap(), nearness)
}

#[test]
fn answers_are_bounded() {
    assert!(Answer::parse(&vec![b'd'; TRACKER_ANSWER_BYTES_MAX + 1]).is_err());
    let peers = [10, 0, 0, 1, 1, 1].repeat(PEERS_PER_ANSWER_MAX + 5);
    let body = [
        format!("d5:peers{}:", peers.len()).into_bytes(),
        peers,
        b"e".to_vec(),
    ]
    .concat();
    assert_eq!(Answer::parse(&body).unwrap().peers.len(), PEERS_PER_ANSWER_MAX);
}

#[test]
fn a_failure_reason_is_fit_for_a_log() {
    let reason = [b"go\n\x1b[31maway".to_vec(), vec![b'x'; 1000]].concat();
    let body = [
        format!("d14:failure reason{}:", reason.len()).into_bytes(),
        reason,
        b"e".to_vec(),
    ]
    .concat();
    let error = Answer::parse(&body).unwrap_err();
    assert!(error.message.starts_with("go[31mawayxxx") && error.message.len() <= 200);
}

#[test]
fn fuzz_from_the_vectors() {
    let cases = vectors("answers");
    let seeds: Vec<_> = cases
        .iter()
        .map(|case| unhex(case["answer"].as_str().unwrap()))
        .collect();
    let mut rng = Rng::new(17);
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
        if let Ok(answer) = Answer::parse(&input) {
            accepted += 1;
            assert!(
                answer
                    .peers
                    .iter()
                    .all(|(addr, _)| addr.port() != 0 && !addr.ip().is_unspecified())
            );
        }
    }
    assert!(accepted > 1_000, "the fuzzer reaches nothing: {accepted}");
}
