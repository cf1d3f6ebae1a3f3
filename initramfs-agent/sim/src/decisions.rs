//! The decisions that the server makes and that are modelled here, compared with the server's own:
//! `test/vectors/decisions/`, which its tests read too.

use serde_json::Value;

use super::agents::Agents;
use super::chains::Chains;
use super::grants::Grants;
use super::handshakes::Handshakes;
use super::seeder::Seeder;
use super::streams::{HandingOut, Streams};
use super::tracker::Tracker;
use super::window::Window;
use bootswarm_agent::core::nearness::Duty;
use bootswarm_agent::core::time::{MILLISECOND, Micros};

/// The cases of one file; there are some.
fn cases(name: &str) -> Vec<Value> {
    let path = format!(
        "{}/../../test/vectors/decisions/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    let all: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = all.as_array().unwrap().clone();
    assert!(!cases.is_empty());
    cases
}

/// The steps of a case, each a name and its values, numbered for messages.
fn steps(case: &Value) -> impl Iterator<Item = (String, String, &[Value])> {
    let about = case["about"].as_str().unwrap();
    let steps = case["steps"].as_array().unwrap();
    assert!(!steps.is_empty(), "{about}");
    steps.iter().enumerate().map(move |(at, step)| {
        let step = step.as_array().unwrap();
        let name = step[0].as_str().unwrap().to_owned();
        (format!("{about}, step {at}: {step:?}"), name, &step[1..])
    })
}

fn int(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("a number: {value}"))
}

fn us(value: &Value) -> Micros {
    int(value) * MILLISECOND
}

fn ints(value: &Value) -> Vec<usize> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|v| int(v) as usize)
        .collect()
}

/// The draws of a case, over and over.
fn draws(case: &Value) -> impl FnMut() -> f64 + use<> {
    let all: Vec<f64> = case["random"]
        .as_array()
        .unwrap()
        .iter()
        .map(|v| v.as_f64().unwrap())
        .collect();
    let mut at = 0;
    move || {
        at += 1;
        all[(at - 1) % all.len()]
    }
}

/// For each rack the one that it hangs behind, where some do.
fn behind(case: &Value) -> Vec<Option<usize>> {
    let behind = case["behind"].as_array().cloned().unwrap_or_default();
    behind
        .iter()
        .map(|rack| rack.as_u64().map(|rack| rack as usize))
        .collect()
}

/// Numbers in the order in which they come first, then those that do not come.
fn by_coming(come: impl Iterator<Item = usize>, count: usize) -> Vec<usize> {
    let mut order = Vec::new();
    for number in come.chain(0..count) {
        if !order.contains(&number) {
            order.push(number);
        }
    }
    order
}

/// The server goes through agents and racks as they have come, the model as they are numbered: they are numbered as they come.
fn handout_agents(case: &Value) -> (Agents, impl Fn(usize) -> usize) {
    let (racks, behind) = (ints(&case["racks"]), behind(case));
    let joins = steps(case).filter(|(_, name, _)| name == "join");
    let nodes = by_coming(joins.map(|(.., values)| int(&values[0]) as usize), racks.len());
    let order = by_coming(nodes.iter().map(|node| racks[*node]), behind.len());
    let rack_at = |rack: usize| order.iter().position(|r| *r == rack).unwrap();
    let is_behind = |rack: &usize| behind.get(*rack).copied().flatten().map(rack_at);
    let chains = Chains::new(order.iter().map(is_behind).collect());
    let racks = nodes.iter().map(|node| rack_at(racks[*node])).collect();
    let (bytes, piece_bytes) = (int(&case["size_bytes"]), int(&case["piece_bytes"]) as u32);
    let at = move |node| nodes.iter().position(|n| *n == node).unwrap();
    (Agents::new(bytes, piece_bytes, racks, &chains), at)
}

#[test]
fn hand_outs() {
    for case in cases("handout").into_iter().chain(cases("handout-chains")) {
        let (agents, at) = handout_agents(&case);
        let mut seeder = Seeder::new(agents, Box::new(draws(&case)));
        for (step, name, values) in steps(&case) {
            let conn = || int(&values[0]) as usize;
            let node = || at(conn());
            match name.as_str() {
                "join" => seeder.connected(node(), conn(), us(&values[1])),
                "leave" => seeder.closed(node(), conn()),
                "have" => seeder.has(node(), int(&values[1]) as u32, us(&values[2])),
                "sent" => seeder.sent(node(), us(&values[1])),
                "interest" => seeder.interest(node(), values[1].as_bool().unwrap()),
                "poll" => {
                    let made = seeder.hand_out(us(&values[0]));
                    let made: Vec<Vec<usize>> = made.iter().map(|(n, p)| vec![*n, *p as usize]).collect();
                    let expected: Vec<Vec<usize>> = values[1].as_array().unwrap().iter().map(ints).collect();
                    assert_eq!(made, expected, "{step}");
                }
                _ => panic!("{step}"),
            }
        }
    }
}

#[test]
fn windows() {
    for case in cases("window") {
        let mut window = Window::new();
        for (step, name, values) in steps(&case) {
            match name.as_str() {
                "confirmed" => {
                    window.confirmed(int(&values[0]) as u32, us(&values[1]));
                    let expected = values[2].as_f64().unwrap();
                    assert!(
                        (window.size() - expected).abs() < 1e-9,
                        "{step}: {}",
                        window.size()
                    );
                }
                "idle" => window.idle(),
                _ => panic!("{step}"),
            }
        }
    }
}

#[test]
fn grants() {
    for case in cases("grants") {
        let mut grants = Grants::default();
        for (step, name, values) in steps(&case) {
            let piece = int(&values[0]) as u32;
            match name.as_str() {
                "give" => grants.give(piece, int(&values[1]) as u32),
                "take" => {
                    let taken = grants.take(piece, int(&values[1]) as u32);
                    assert_eq!(taken, values[2].as_bool().unwrap(), "{step}");
                }
                "told" => grants.told(piece),
                _ => panic!("{step}"),
            }
        }
    }
}

#[test]
fn introductions() {
    for case in cases("tracker").into_iter().chain(cases("tracker-chains")) {
        let mut tracker = Tracker::new(Chains::new(behind(&case)));
        let mut random = draws(&case);
        for (step, name, values) in steps(&case) {
            let node = || int(&values[0]) as usize;
            let (rack, seed) = (|| int(&values[1]) as usize, || values[2].as_bool().unwrap());
            match name.as_str() {
                "put" => tracker.put(node(), rack(), seed()),
                "remove" => tracker.remove(node()),
                "introduce" => {
                    let numwant = int(&values[3]) as usize;
                    let met = tracker.introduce(node(), rack(), seed(), numwant, &mut random);
                    // Where no racks hang behind others, nobody is far.
                    let (expected, turn) = (&values[4..values.len() - 1], &values[values.len() - 1]);
                    let mut met_in = vec![met.local, met.across];
                    met_in.extend((expected.len() > 2).then_some(met.far));
                    let expected: Vec<Vec<usize>> = expected.iter().map(ints).collect();
                    assert_eq!(met_in, expected, "{step}");
                    let duty = match turn.as_u64() {
                        Some(turn) => Duty::Importer(turn as u8),
                        None if turn.is_null() => Duty::Unsaid,
                        None => Duty::Member,
                    };
                    assert_eq!(met.duty, duty, "{step}");
                }
                "interval" => assert_eq!(tracker.interval_s(), int(&values[0]), "{step}"),
                _ => panic!("{step}"),
            }
        }
    }
}

#[test]
fn handshakes() {
    for case in cases("handshakes") {
        let mut handshakes = Handshakes::new();
        for (step, name, values) in steps(&case) {
            match name.as_str() {
                "arrive" => handshakes.arrive(int(&values[0]) as usize),
                "finish" => handshakes.finish(int(&values[0]) as usize, us(&values[1])),
                "next" => assert_eq!(handshakes.next(us(&values[0])), ints(&values[1]), "{step}"),
                _ => panic!("{step}"),
            }
        }
    }
}

#[test]
fn streams() {
    for case in cases("streams") {
        let (most, small) = (int(&case["streams_max"]) as u32, int(&case["small_bytes_max"]));
        let mut streams = Streams::new(most, small);
        let mut handing_out = HandingOut::default();
        let mut is_handing_out = false;
        let mut leases = std::collections::BTreeMap::new();
        for (step, name, values) in steps(&case) {
            match name.as_str() {
                // A node, bytes, the time, and 0 or the seconds after which to ask again.
                "admit" => {
                    let node = int(&values[0]) as usize;
                    let admitted = streams.admit(node, int(&values[1]), us(&values[2]), is_handing_out);
                    assert_eq!(
                        admitted.as_ref().err().copied().unwrap_or(0),
                        int(&values[3]),
                        "{step}"
                    );
                    leases.extend(admitted.ok().map(|lease| (node, lease)));
                }
                "release" => {
                    let lease = leases.remove(&(int(&values[0]) as usize)).unwrap();
                    streams.release(lease, us(&values[1]));
                }
                "counters" => {
                    let (agents, unheld) = (int(&values[0]) as usize, int(&values[1]) as u32);
                    is_handing_out = handing_out.look(agents, unheld, int(&values[2]), us(&values[3]));
                    assert_eq!(is_handing_out, values[4].as_bool().unwrap(), "{step}");
                }
                _ => panic!("{step}"),
            }
        }
    }
}
