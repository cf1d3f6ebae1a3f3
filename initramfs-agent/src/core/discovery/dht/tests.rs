use std::collections::BTreeSet;

use super::table::{K, distance};
use super::*;
use crate::core::limits::{DHT_PEERS_MAX, DHT_TORRENTS_MAX, DHT_VALUES_MAX};

const S: Micros = SECOND;
const HASH: [u8; 20] = [7; 20];

fn addr(at: u32) -> SocketAddr {
    let [a, b, c, d] = (0x0a00_0000 + at).to_be_bytes();
    SocketAddr::from(([a, b, c, d], 6881))
}

fn random_id(rng: &mut Rng) -> NodeId {
    std::array::from_fn(|_| rng.next_u64() as u8)
}

fn node() -> (Dht, Rng) {
    (Dht::new([0; 20], [9; 20], 6881, Vec::new()), Rng::new(1))
}

fn sent(dht: &mut Dht) -> Vec<(SocketAddr, Vec<u8>)> {
    let outputs = std::iter::from_fn(|| dht.poll());
    outputs
        .filter_map(|output| match output {
            Output::Send { to, bytes } => Some((to, bytes)),
            Output::Peers { .. } => None,
        })
        .collect()
}

/// Sends one query and returns the answer to it.
fn query(dht: &mut Dht, now: Micros, from: SocketAddr, query: &Query<'_>, rng: &mut Rng) -> Option<Vec<u8>> {
    let packet = krpc::encode_query(b"q1", &[0xee; 20], query);
    dht.receive(now, from, &packet, rng);
    let answers = sent(dht)
        .into_iter()
        .filter(|(to, bytes)| *to == from && bytes.ends_with(b"1:t2:q11:y1:re"));
    answers.map(|(_, bytes)| bytes).next()
}

fn token(dht: &mut Dht, now: Micros, from: SocketAddr, rng: &mut Rng) -> Vec<u8> {
    let answer = query(dht, now, from, &Query::GetPeers { infohash: HASH }, rng).unwrap();
    match krpc::parse(&answer) {
        Ok(Message::Response { response, .. }) => response.token.unwrap().to_vec(),
        other => panic!("{other:?}"),
    }
}

fn announce(dht: &mut Dht, now: Micros, from: SocketAddr, token: &[u8], rng: &mut Rng) -> bool {
    let announce = Query::AnnouncePeer {
        infohash: HASH,
        port: Some(4000),
        token,
    };
    query(dht, now, from, &announce, rng).is_some()
}

fn values(dht: &mut Dht, now: Micros, rng: &mut Rng) -> Vec<SocketAddr> {
    let answer = query(dht, now, addr(99), &Query::GetPeers { infohash: HASH }, rng).unwrap();
    match krpc::parse(&answer) {
        Ok(Message::Response { response, .. }) => response.values,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_announce_needs_the_token_of_its_address_and_time() {
    let (mut dht, mut rng) = node();
    let good = token(&mut dht, 0, addr(1), &mut rng);
    assert!(
        !announce(&mut dht, S, addr(2), &good, &mut rng),
        "another address"
    );
    assert!(!announce(&mut dht, S, addr(1), b"", &mut rng));
    assert!(values(&mut dht, S, &mut rng).is_empty());
    assert!(announce(&mut dht, 599 * S, addr(1), &good, &mut rng));
    assert!(
        !announce(&mut dht, 600 * S, addr(1), &good, &mut rng),
        "two secrets later"
    );
    let mut peer = addr(1);
    peer.set_port(4000);
    assert_eq!(values(&mut dht, 601 * S, &mut rng), [peer]);
    assert!(
        values(&mut dht, 2400 * S, &mut rng).is_empty(),
        "forgotten after half an hour"
    );
}

#[test]
fn an_announce_for_a_torrent_of_ours_is_a_peer() {
    let (mut dht, mut rng) = node();
    dht.add(0, HASH, true);
    let good = token(&mut dht, 0, addr(1), &mut rng);
    let announce = Query::AnnouncePeer {
        infohash: HASH,
        port: None,
        token: &good,
    };
    dht.receive(
        0,
        addr(1),
        &krpc::encode_query(b"q1", &[0xee; 20], &announce),
        &mut rng,
    );
    let found = std::iter::from_fn(|| dht.poll()).find_map(|output| match output {
        Output::Peers { infohash, peers } => Some((infohash, peers)),
        Output::Send { .. } => None,
    });
    assert_eq!(found, Some((HASH, vec![addr(1)])), "with the implied port");
}

#[test]
fn what_we_keep_for_others_is_bounded() {
    let mut store = Store::default();
    let mut rng = Rng::new(1);
    for at in 0..DHT_PEERS_MAX as u32 + 10 {
        store.add(0, HASH, addr(at));
    }
    let peers = store.get(0, &HASH, true, &mut rng);
    assert_eq!(peers.len(), DHT_VALUES_MAX);
    assert!(!peers.contains(&addr(0)), "the oldest gave way");
    assert_ne!(
        peers,
        store.get(0, &HASH, true, &mut rng),
        "everybody gets others"
    );
    for at in 0..DHT_TORRENTS_MAX {
        store.add(0, invented(at), addr(1));
    }
    let mut kept = |infohash| !store.get(0, &infohash, true, &mut rng).is_empty();
    assert!(!kept(invented(0)), "the oldest of those that one address has");
    assert!(kept(invented(1)) && kept(HASH));
}

/// A torrent that is not [`HASH`].
fn invented(number: usize) -> [u8; 20] {
    let mut infohash = [0; 20];
    infohash[..8].copy_from_slice(&(number as u64).to_be_bytes());
    infohash
}

#[test]
fn one_address_does_not_push_out_what_others_announce() {
    let (mut store, mut rng) = (Store::default(), Rng::new(1));
    for at in 0..20 {
        store.add(0, HASH, addr(at));
    }
    for port in 0..2000 {
        store.add(1, HASH, SocketAddr::from(([10, 9, 9, 9], port)));
    }
    for number in 0..2000 {
        for port in 0..30 {
            store.add(2, invented(number), SocketAddr::from(([10, 9, 9, 9], port)));
        }
    }
    let kept: BTreeSet<_> = (0..200)
        .flat_map(|_| store.get(3, &HASH, true, &mut rng))
        .collect();
    assert!((0..20).all(|at| kept.contains(&addr(at))), "{}", kept.len());
}

#[test]
fn a_full_answer_fits_an_ethernet_frame() {
    let (mut dht, mut rng) = node();
    for at in 0..2000 {
        dht.store.add(0, HASH, addr(at));
        dht.table.answered(
            0,
            Contact {
                id: random_id(&mut rng),
                addr: addr(at),
            },
        );
    }
    let answer = query(
        &mut dht,
        0,
        addr(1),
        &Query::GetPeers { infohash: HASH },
        &mut rng,
    )
    .unwrap();
    assert!(answer.len() <= 1472, "{} bytes", answer.len());
}

#[test]
fn the_table_is_bounded_and_keeps_those_who_answer() {
    let mut rng = Rng::new(3);
    let mut table = Table::new([0; 20]);
    let contact = |at: u32, rng: &mut Rng| Contact {
        id: random_id(rng),
        addr: addr(at),
    };
    let first = contact(0, &mut rng);
    table.answered(0, first);
    for at in 1..20_000 {
        table.answered(0, contact(at, &mut rng));
    }
    assert!(table.len() <= 16 * K);
    let near = table.closest(&first.id, K, true);
    assert_eq!(near[0], first);
    assert!(
        near.windows(2)
            .all(|p| distance(&p[0].id, &first.id) < distance(&p[1].id, &first.id))
    );
    assert!(table.closest(&first.id, K, false).is_empty());
    table.failed(first.addr);
    table.failed(first.addr);
    assert!(
        !table.closest(&first.id, K, true).contains(&first),
        "bad after two failures"
    );
    assert!(table.has_room(&first.id));
    let thief = Contact {
        id: near[1].id,
        addr: addr(77_777),
    };
    table.answered(0, thief);
    assert!(
        !table.closest(&first.id, 999, true).contains(&thief),
        "an identity is not taken over"
    );
}

#[test]
fn a_sender_must_answer_before_it_is_known() {
    let (mut dht, mut rng) = node();
    assert!(query(&mut dht, 0, addr(1), &Query::Ping, &mut rng).is_some());
    dht.receive(
        0,
        addr(2),
        &krpc::encode_query(b"zz", &[0xdd; 20], &Query::Ping),
        &mut rng,
    );
    let pings = sent(&mut dht);
    assert_eq!(dht.node_count(), 0);
    let (_, ping) = pings
        .iter()
        .find(|(to, bytes)| *to == addr(2) && bytes.ends_with(b"1:y1:qe"))
        .unwrap();
    let Ok(Message::Query { transaction, .. }) = krpc::parse(ping) else {
        panic!("{ping:?}");
    };
    let pong = krpc::encode_response(transaction, &[0xdd; 20], &Response::default());
    dht.receive(0, addr(3), &pong, &mut rng);
    assert_eq!(dht.node_count(), 0, "the answer came from elsewhere");
    dht.receive(0, addr(2), &pong, &mut rng);
    assert_eq!(dht.node_count(), 1);
    dht.receive(0, addr(2), &pong, &mut rng);
    assert_eq!(dht.node_count(), 1);
}

#[test]
fn a_flood_is_not_answered_and_costs_bounded_memory() {
    let (mut dht, mut rng) = node();
    let packet = krpc::encode_query(b"aa", &[0xee; 20], &Query::Ping);
    for _ in 0..10_000 {
        dht.receive(S, addr(1), &packet, &mut rng);
    }
    assert_eq!(sent(&mut dht).len(), 64 + 1, "one source, and one ping of ours");
    let mut answers = 0;
    for at in 0..100_000 {
        let id = random_id(&mut rng);
        dht.receive(
            2 * S,
            addr(at),
            &krpc::encode_query(b"aa", &id, &Query::Ping),
            &mut rng,
        );
        answers += sent(&mut dht).len();
    }
    assert!(
        answers <= 2000 + DHT_TRANSACTIONS_MAX,
        "{answers} answers to many sources"
    );
    assert!(dht.transactions.len() <= DHT_TRANSACTIONS_MAX - TRANSACTIONS_RESERVED);
    assert_eq!(dht.node_count(), 0);
    assert!(
        query(&mut dht, 3 * S, addr(1), &Query::Ping, &mut rng).is_some(),
        "a second later all is well"
    );
}

#[test]
fn unasked_answers_count_and_cost_nobody_the_answer_that_is_awaited() {
    let (mut dht, mut rng) = node();
    let unasked = krpc::encode_response(b"zz", &[0xee; 20], &Response::default());
    let flood = |dht: &mut Dht, rng: &mut Rng| {
        for _ in 0..1000 {
            dht.receive(S, addr(1), &unasked, rng);
            dht.receive(S, addr(1), b"no bencode", rng);
        }
    };
    flood(&mut dht, &mut rng);
    assert_eq!(query(&mut dht, S, addr(1), &Query::Ping, &mut rng), None);
    // Others, and what we wait for from the same address, are heeded.
    assert!(query(&mut dht, S, addr(2), &Query::Ping, &mut rng).is_some());
    sent(&mut dht);
    dht.add_node(S, addr(1), &mut rng);
    flood(&mut dht, &mut rng);
    let packets = sent(&mut dht);
    let Ok(Message::Query { transaction, .. }) = krpc::parse(&packets[0].1) else {
        panic!("{packets:?}");
    };
    let pong = krpc::encode_response(transaction, &[0xdd; 20], &Response::default());
    dht.receive(S, addr(1), &pong, &mut rng);
    assert_eq!(dht.node_count(), 1);
}

/// A node that names ever nearer nodes, all lies, does not keep a search going for ever.
#[test]
fn a_search_ends_whatever_the_answers_say() {
    let (mut dht, mut rng) = node();
    dht.bootstrap.push(addr(1));
    dht.add(0, HASH, true);
    let (mut now, mut queries, mut next) = (0, 0, 100);
    dht.tick(now, &mut rng);
    // The next search would come later.
    while now < S / 2 {
        let packets = sent(&mut dht);
        for (to, packet) in &packets {
            let Ok(Message::Query {
                transaction,
                query: Query::GetPeers { .. },
                ..
            }) = krpc::parse(packet)
            else {
                continue;
            };
            queries += 1;
            let mut nodes = Vec::new();
            for _ in 0..8 {
                next += 1;
                let mut id = HASH;
                id[16..].copy_from_slice(&(u32::MAX - next).to_be_bytes());
                nodes.push(Contact { id, addr: addr(next) });
            }
            let token = None;
            let values = Vec::new();
            let response = Response { nodes, values, token };
            let answer = krpc::encode_response(transaction, &random_id(&mut rng), &response);
            dht.receive(now, *to, &answer, &mut rng);
        }
        if packets.is_empty() {
            now = dht.deadline().unwrap().max(now + 1);
            dht.tick(now, &mut rng);
        }
    }
    assert!((60..=96).contains(&queries), "{queries} queries");
}

/// Mutated traffic between two real nodes: no panic, and bounds hold.
#[test]
fn fuzz_a_node_with_mutated_traffic() {
    let mut rng = Rng::new(23);
    let mut dht = Dht::new([1; 20], [2; 20], 6881, vec![addr(1)]);
    dht.add(0, HASH, true);
    let mut other = Dht::new([3; 20], [4; 20], 6881, vec![addr(2)]);
    other.add(0, HASH, true);
    let mut now = 0;
    for _ in 0..30_000 {
        now += rng.below(200_000);
        dht.tick(now, &mut rng);
        other.tick(now, &mut rng);
        for (_, mut bytes) in sent(&mut dht) {
            if rng.below(3) == 0 {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes[at] = rng.next_u64() as u8;
            }
            other.receive(now, addr(2), &bytes, &mut rng);
        }
        for (_, mut bytes) in sent(&mut other) {
            if rng.below(3) == 0 {
                let at = rng.below(bytes.len() as u64) as usize;
                bytes.truncate(at + 1);
            }
            dht.receive(now, addr(1), &bytes, &mut rng);
        }
        dht.want_peers(now, &HASH);
        assert!(dht.transactions.len() <= DHT_TRANSACTIONS_MAX);
    }
    assert!(dht.node_count() > 0 && other.node_count() > 0);
}
