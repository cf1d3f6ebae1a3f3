use super::*;

const S: Micros = SECOND;
const HASH: [u8; 20] = [0xab; 20];

fn lsd(seed: u64) -> (Lsd, Rng) {
    let mut rng = Rng::new(seed);
    (Lsd::new(6881, &mut rng), rng)
}

fn hear(lsd: &mut Lsd, now: Micros, data: &[u8], rng: &mut Rng) -> Vec<SocketAddr> {
    let mut peers = Vec::new();
    let from = "10.0.0.9:6771".parse().unwrap();
    lsd.heard(now, from, data, rng, |_, peer| peers.push(peer));
    peers
}

fn strings(value: &serde_json::Value) -> Vec<String> {
    let items = value.as_array().unwrap().iter();
    items.map(|v| v.as_str().unwrap().to_owned()).collect()
}

fn vectors() -> Vec<serde_json::Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/lsd.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn golden_vectors() {
    let mut good = 0;
    for case in vectors() {
        let about = case["about"].as_str().unwrap();
        let text = case["packet"].as_str().unwrap();
        let parsed = Packet::parse(text.as_bytes());
        let Some(expected) = case["parsed"].as_object() else {
            assert_eq!(parsed, None, "{about}");
            continue;
        };
        good += 1;
        let parsed = parsed.unwrap_or_else(|| panic!("{about}"));
        assert_eq!(
            u64::from(parsed.port),
            expected["port"].as_u64().unwrap(),
            "{about}"
        );
        let infohashes: Vec<String> = parsed.infohashes.iter().map(|hash| hex(hash)).collect();
        assert_eq!(infohashes, strings(&expected["infohashes"]), "{about}");
        assert_eq!(
            parsed.cookie.as_deref(),
            expected.get("cookie").and_then(|c| c.as_str()),
            "{about}"
        );
        if expected["canonical"].as_bool().unwrap() {
            assert_eq!(
                String::from_utf8(parsed.encode(LSD_GROUP)).unwrap(),
                text,
                "{about}"
            );
        }
    }
    assert!(good >= 5);
}

#[test]
fn the_first_two_announcements_and_then_every_five_minutes() {
    let (mut lsd, mut rng) = lsd(1);
    lsd.add(0, HASH, true);
    assert_eq!(lsd.deadline(), Some(0));
    assert_eq!(lsd.tick(0, &mut rng).len(), 1);
    let second = lsd.deadline().unwrap();
    assert!((5 * S..7 * S).contains(&second));
    assert!(lsd.tick(second - 1, &mut rng).is_empty());
    assert_eq!(lsd.tick(second, &mut rng).len(), 1);
    assert!((300 * S..375 * S).contains(&(lsd.deadline().unwrap() - second)));
}

#[test]
fn a_seed_and_a_node_with_peers_are_in_no_haste() {
    let (mut lsd, mut rng) = lsd(1);
    lsd.add(0, HASH, false);
    lsd.tick(0, &mut rng);
    assert!(lsd.deadline().unwrap() >= 300 * S);
    lsd.add(0, [1; 20], true);
    lsd.found(&[1; 20], 50);
    lsd.tick(0, &mut rng);
    assert!(lsd.deadline().unwrap() >= 300 * S);
}

#[test]
fn wanted_peers_never_make_it_more_than_one_in_a_minute() {
    let (mut lsd, mut rng) = lsd(1);
    lsd.add(0, HASH, false);
    lsd.tick(0, &mut rng);
    let mut packets = 0;
    for second in 1..=600 {
        lsd.want_peers(second * S, &HASH);
        packets += lsd.tick(second * S, &mut rng).len();
    }
    assert_eq!(packets, 10);
}

#[test]
fn many_torrents_share_packets_that_fit_an_ethernet_frame() {
    let (mut lsd, mut rng) = lsd(1);
    for at in 0..50 {
        lsd.add(0, [at; 20], false);
    }
    let packets = lsd.tick(0, &mut rng);
    assert_eq!(packets.len(), 50_usize.div_ceil(LSD_INFOHASHES_MAX));
    assert!(packets.iter().all(|packet| packet.len() <= 1400));
    let heard: usize = packets
        .iter()
        .map(|packet| Packet::parse(packet).unwrap().infohashes.len())
        .sum();
    assert_eq!(heard, 50);
}

#[test]
fn our_own_announcements_and_foreign_torrents_are_ignored() {
    let (mut ours, mut rng) = lsd(1);
    ours.add(0, HASH, true);
    let own = ours.tick(0, &mut rng).remove(0);
    assert!(hear(&mut ours, 0, &own, &mut rng).is_empty());
    let (mut other, mut other_rng) = lsd(2);
    other.add(0, HASH, true);
    let theirs = other.tick(0, &mut other_rng).remove(0);
    assert_eq!(
        hear(&mut ours, 0, &theirs, &mut rng),
        ["10.0.0.9:6881".parse().unwrap()]
    );
    let (mut stranger, mut stranger_rng) = lsd(3);
    stranger.add(0, [7; 20], true);
    let foreign = stranger.tick(0, &mut stranger_rng).remove(0);
    assert!(hear(&mut ours, 0, &foreign, &mut rng).is_empty());
}

/// 100 seeds that have been quiet for long hear one newcomer: a few answer, the others hold back, and
/// the answers do not set off further ones.
#[test]
fn a_newcomer_is_answered_by_a_few() {
    let mut nodes: Vec<(Lsd, Rng)> = (0..100).map(lsd).collect();
    for (node, rng) in &mut nodes {
        node.add(0, HASH, false);
        node.tick(0, rng);
    }
    let (mut newcomer, mut rng) = lsd(1000);
    newcomer.add(100 * S, HASH, true);
    let hello = newcomer.tick(100 * S, &mut rng).remove(0);
    for (node, rng) in &mut nodes {
        assert_eq!(hear(node, 100 * S, &hello, rng).len(), 1);
    }
    let mut answers = 0;
    let mut peers_of_newcomer = 0;
    for step in 0..2000 {
        let now = 100 * S + step * 10_000;
        for at in 0..nodes.len() {
            let (node, node_rng) = &mut nodes[at];
            for packet in node.tick(now, node_rng) {
                answers += 1;
                peers_of_newcomer += hear(&mut newcomer, now, &packet, &mut rng).len();
                for (_, (other, rng)) in nodes.iter_mut().enumerate().filter(|(other, _)| *other != at) {
                    hear(other, now, &packet, rng);
                }
            }
        }
    }
    assert!(
        (1..=ANSWERS_ENOUGH as usize + 1).contains(&answers),
        "{answers} answers"
    );
    assert_eq!(peers_of_newcomer, answers);
}

/// The newcomer starts right after the seed has announced: it must not wait for the next regular one.
#[test]
fn a_seed_that_has_just_announced_answers_soon() {
    let (mut seed, mut seed_rng) = lsd(1);
    seed.add(0, HASH, false);
    seed.tick(0, &mut seed_rng);
    let (mut newcomer, mut rng) = lsd(2);
    newcomer.add(S / 10, HASH, true);
    let hello = newcomer.tick(S / 10, &mut rng).remove(0);
    hear(&mut seed, S / 10, &hello, &mut seed_rng);
    let at = seed.deadline().unwrap();
    assert!((2 * S..3 * S).contains(&at), "{at}");
    let answer = seed.tick(at, &mut seed_rng).remove(0);
    assert_eq!(hear(&mut newcomer, at, &answer, &mut rng).len(), 1);
    assert!(
        seed.deadline().unwrap() >= 300 * S,
        "the regular one is not moved"
    );
}

/// Whatever is heard: never more than one packet in two seconds.
#[test]
fn a_flood_of_newcomers_makes_no_flood_of_answers() {
    let (mut node, mut rng) = lsd(1);
    node.add(0, HASH, false);
    node.tick(0, &mut rng);
    let (port, infohashes, cookie) = (1, vec![HASH], None);
    let hello = Packet {
        port,
        infohashes,
        cookie,
    }
    .encode(LSD_GROUP);
    let mut packets = 0;
    for step in 1..=6000 {
        hear(&mut node, step * S / 100, &hello, &mut rng);
        packets += node.tick(step * S / 100, &mut rng).len();
    }
    assert!(packets <= 30, "{packets} packets in a minute");
}

#[test]
fn fuzz_from_the_vectors() {
    let seeds: Vec<Vec<u8>> = vectors()
        .iter()
        .map(|case| case["packet"].as_str().unwrap().into())
        .collect();
    let mut rng = Rng::new(13);
    let mut accepted = 0;
    for round in 0..100_000_usize {
        let mut input = seeds[round % seeds.len()].clone();
        for _ in 0..=rng.below(2) {
            let at = rng.below(input.len().max(1) as u64) as usize;
            match rng.below(3) {
                0 if at < input.len() => input[at] = rng.next_u64() as u8,
                1 if at < input.len() => drop(input.remove(at)),
                _ => input.insert(at, b"\r\n :0aF"[rng.below(7) as usize]),
            }
        }
        if let Some(packet) = Packet::parse(&input) {
            accepted += 1;
            assert!(packet.port != 0 && !packet.infohashes.is_empty());
            let again = Packet::parse(&packet.encode(LSD_GROUP)).unwrap();
            assert_eq!(again.infohashes, packet.infohashes);
        }
    }
    assert!(accepted > 1_000, "the fuzzer reaches nothing: {accepted}");
}

#[test]
fn an_address_that_floods_is_heeded_64_times_a_second() {
    let (mut lsd, mut rng) = lsd(1);
    lsd.add(0, [1; 20], true);
    let mut heard = Vec::new();
    let mut say = |now, host, port| {
        let packet = Packet {
            port,
            infohashes: vec![[1; 20]],
            cookie: None,
        };
        let from = SocketAddr::from(([10, 0, 0, host], 6771));
        let bytes = packet.encode(LSD_GROUP);
        lsd.heard(now, from, &bytes, &mut rng, |_, peer| heard.push((now, peer)));
    };
    for port in 1..5000 {
        say(0, 9, port);
    }
    say(0, 7, 6881);
    say(SECOND, 9, 6881);
    assert_eq!(heard.len(), 64 + 2);
    assert_eq!(
        heard[64..],
        [(0, 7), (SECOND, 9)].map(|(now, host)| (now, SocketAddr::from(([10, 0, 0, host], 6881))))
    );
}
