use super::testnet::{DEAD_TRACKER, HASH, Net, TRACKER};
use super::*;
use crate::core::nearness::Duty;
use crate::core::time::SECOND;

const S: Micros = SECOND;

/// Whether everybody can reach everybody over connections that one of the two ends has learned of.
fn is_connected(net: &Net, nodes: &[usize]) -> bool {
    let knows = |a: usize, b: usize| net.nodes[a].peers.contains(&net.nodes[b].addr);
    let mut reached = vec![nodes[0]];
    let mut at = 0;
    while at < reached.len() {
        let a = reached[at];
        for &b in nodes {
            if !reached.contains(&b) && (knows(a, b) || knows(b, a)) {
                reached.push(b);
            }
        }
        at += 1;
    }
    reached.len() == nodes.len()
}

/// `count` nodes that start within 5 s and know only the first one, which has no torrent.
fn dht_site(seed: u64, count: usize, loss_percent: u64) -> (Net, Vec<usize>) {
    let mut net = Net::new(seed);
    net.loss_percent = loss_percent;
    let bootstrap = net.add(&[], false);
    let known = [net.nodes[bootstrap].addr];
    let mut nodes = Vec::new();
    for at in 0..count {
        net.run_until(at as u64 * 5 * S / count as u64);
        let node = net.add(&known, false);
        net.torrent(node, 1000, &[]);
        nodes.push(node);
    }
    (net, nodes)
}

#[test]
fn fifty_nodes_find_each_other_by_the_dht_alone() {
    for seed in 0..3 {
        let (mut net, nodes) = dht_site(seed, 50, 0);
        net.run_until(15 * S);
        assert!(is_connected(&net, &nodes), "seed {seed}");
        let fewest = nodes.iter().map(|&at| net.nodes[at].peers.len()).min();
        assert!(
            fewest >= Some(8),
            "seed {seed}: somebody knows only {fewest:?} peers"
        );
        assert!(
            net.nodes
                .iter()
                .all(|node| node.discovery.dht.node_count() <= 160 * 8)
        );
    }
}

#[test]
fn the_dht_bears_the_loss_of_every_fifth_packet() {
    let (mut net, nodes) = dht_site(9, 50, 20);
    net.run_until(30 * S);
    assert!(is_connected(&net, &nodes));
    let fewest = nodes.iter().map(|&at| net.nodes[at].peers.len()).min();
    assert!(fewest >= Some(8), "somebody knows only {fewest:?} peers");
}

#[test]
fn the_dht_lives_on_without_its_bootstrap_node_and_half_of_its_nodes() {
    let (mut net, nodes) = dht_site(4, 50, 0);
    net.run_until(20 * S);
    net.nodes[0].up = false;
    for &at in nodes.iter().step_by(2) {
        net.nodes[at].up = false;
    }
    // A newcomer that hears of one node from a BitTorrent peer needs nothing else.
    let newcomer = net.add(&[], false);
    net.torrent(newcomer, 1000, &[]);
    net.run_until(21 * S);
    assert!(net.nodes[newcomer].peers.is_empty());
    let addr = net.nodes[nodes[1]].addr;
    net.input(newcomer, DiscoveryInput::DhtNode { addr });
    net.run_until(45 * S);
    let alive = nodes
        .iter()
        .skip(1)
        .step_by(2)
        .filter(|&&at| net.nodes[newcomer].peers.contains(&net.nodes[at].addr));
    assert!(alive.count() >= 8);
}

#[test]
fn a_dht_whose_bootstrap_node_comes_late_is_found_soon() {
    let mut net = Net::new(2);
    let bootstrap = net.add(&[], false);
    net.nodes[bootstrap].up = false;
    let known = [net.nodes[bootstrap].addr];
    let nodes: Vec<usize> = (0..3).map(|_| net.add(&known, false)).collect();
    nodes.iter().for_each(|&at| net.torrent(at, 1000, &[]));
    net.run_until(600 * S);
    let silent = net.udp_packets;
    assert!(silent < 3 * 600, "{silent} packets into the void");
    net.nodes[bootstrap].up = true;
    net.run_until(760 * S);
    assert!(is_connected(&net, &nodes));
}

#[test]
fn a_quiet_dht_stays_quiet() {
    let (mut net, nodes) = dht_site(5, 20, 0);
    for &at in &nodes {
        net.input(at, DiscoveryInput::Completed { infohash: HASH });
    }
    net.run_until(2000 * S);
    let before = net.udp_packets;
    net.run_until(5600 * S);
    let per_node_and_minute = (net.udp_packets - before) / 20 / 60;
    assert!(
        per_node_and_minute < 20,
        "{per_node_and_minute} packets of each node in a minute"
    );
}

#[test]
fn lsd_alone_is_enough() {
    let mut net = Net::new(3);
    net.loss_percent = 10;
    let nodes: Vec<usize> = (0..30).map(|_| net.add(&[], true)).collect();
    for (at, &node) in nodes.iter().enumerate() {
        net.run_until(at as u64 * S / 10);
        net.torrent(node, if at == 0 { 0 } else { 1000 }, &[]);
    }
    net.run_until(10 * S);
    assert!(is_connected(&net, &nodes));
    assert!(net.nodes.iter().all(|node| !node.peers.contains(&node.addr)));
    assert!(net.udp_packets <= 150, "{} packets of 30 nodes", net.udp_packets);
}

#[test]
fn one_tracker_alone_is_enough_beside_a_dead_one() {
    let mut net = Net::new(6);
    let nodes: Vec<usize> = (0..30).map(|_| net.add(&[], false)).collect();
    for &node in &nodes {
        net.run_until(net.now + S / 10);
        net.torrent(
            node,
            1000,
            &[DEAD_TRACKER, TRACKER, "udp://10.255.0.3:1/announce"],
        );
    }
    net.run_until(5 * S);
    assert!(is_connected(&net, &nodes));
    net.run_until(3600 * S);
    let of_first = net.asked.iter().filter(|(_, at, _)| *at == nodes[0]);
    let (dead, alive): (Vec<_>, Vec<_>) = of_first.partition(|(_, _, url)| url.starts_with(DEAD_TRACKER));
    assert!(
        (60..140).contains(&dead.len()),
        "{} requests to the dead one in an hour",
        dead.len()
    );
    assert!(
        (50..=65).contains(&alive.len()),
        "{} requests to the other",
        alive.len()
    );
    assert_eq!(net.udp_packets, 0);
}

#[test]
fn a_tracker_that_comes_back_is_used_within_a_minute() {
    let mut net = Net::new(7);
    let (a, b) = (net.add(&[], false), net.add(&[], false));
    net.torrent(a, 1000, &[TRACKER]);
    net.run_until(S);
    net.tracker_up = false;
    net.torrent(b, 1000, &[TRACKER]);
    net.run_until(1800 * S);
    assert!(net.nodes[b].peers.is_empty());
    net.tracker_up = true;
    net.run_until(1861 * S);
    assert!(net.nodes[b].peers.contains(&net.nodes[a].addr));
}

#[test]
fn the_tracker_hears_the_whole_story() {
    let mut net = Net::new(8);
    let node = net.add(&[], false);
    net.torrent(node, 1000, &[TRACKER, DEAD_TRACKER]);
    net.run_until(S);
    let (infohash, uploaded) = (HASH, 7);
    net.input(
        node,
        DiscoveryInput::Progress {
            infohash,
            uploaded,
            downloaded: 600,
            left: 400,
        },
    );
    net.input(node, DiscoveryInput::WantPeers { infohash });
    net.run_until(3 * S);
    net.input(node, DiscoveryInput::Completed { infohash });
    net.run_until(4 * S);
    net.input(node, DiscoveryInput::Stop);
    net.run_until(100 * S);
    let story: Vec<&str> = net.asked.iter().map(|(_, _, url)| url.as_str()).collect();
    let story: Vec<&str> = story
        .iter()
        .filter_map(|url| url.strip_prefix(TRACKER)?.split_once("port="))
        .map(|s| s.1)
        .collect();
    assert_eq!(
        story,
        [
            "6881&uploaded=0&downloaded=0&left=1000&numwant=50&compact=1&event=started",
            "6881&uploaded=7&downloaded=600&left=400&numwant=50&compact=1",
            "6881&uploaded=7&downloaded=600&left=0&numwant=0&compact=1&event=completed",
            "6881&uploaded=7&downloaded=600&left=0&numwant=0&compact=1&event=stopped",
        ]
    );
    let last = net.asked.iter().map(|(at, _, _)| *at).max();
    assert_eq!(last, Some(4 * S), "nothing comes after the end");
}

#[test]
fn a_torrent_that_is_left_is_announced_once_more_and_never_again() {
    let (mut net, nodes) = dht_site(3, 2, 0);
    let node = net.add(&[net.nodes[0].addr], true);
    net.torrent(node, 0, &[TRACKER]);
    net.run_until(20 * S);
    net.input(node, DiscoveryInput::Leave { infohash: HASH });
    net.input(node, DiscoveryInput::Leave { infohash: HASH });
    let last = net.asked.last().unwrap().2.clone();
    assert!(last.ends_with("&event=stopped"), "{last}");
    let count = net.asked.len();
    let discovery = &mut net.nodes[node].discovery;
    discovery.handle(20 * S, DiscoveryInput::WantPeers { infohash: HASH });
    discovery.handle(20 * S, DiscoveryInput::Completed { infohash: HASH });
    assert!(discovery.announcer.deadline().is_none());
    assert!(discovery.lsd.as_ref().unwrap().deadline().is_none());
    net.nodes[node].peers.clear();
    let newcomer = net.add(&[net.nodes[0].addr], true);
    net.torrent(newcomer, 1000, &[]);
    net.run_until(2000 * S);
    assert_eq!(net.asked.len(), count, "no tracker hears of it again");
    assert!(net.nodes[node].peers.is_empty(), "nor does it hear of peers");
    assert!(!net.nodes[newcomer].peers.is_empty() && nodes.len() == 2);
}

#[test]
fn the_same_seed_gives_the_same_packets() {
    let transcript = |seed| {
        let (mut net, _) = dht_site(seed, 20, 5);
        net.run_until(60 * S);
        (net.transcript.finalize(), net.udp_packets)
    };
    assert_eq!(transcript(1), transcript(1));
    assert_ne!(transcript(1), transcript(2));
}

#[test]
fn who_was_introduced_with_the_manifest_does_not_ask_at_once() {
    let config = |seed| DiscoveryConfig {
        seed,
        peer_id: *b"-BW0001-abcdefghijkl",
        listen_port: 7000,
        dht_bootstrap: Vec::new(),
        lsd: false,
        own_addrs: Vec::new(),
    };
    let list = b"ld8:importeri2e8:intervali20e11:local peersi1e12:min intervali1e5:peers12:\x0a\x4d\x01\x02\x1b\x58\x0a\x4d\x02\x02\x1b\x58ed14:failure reason2:noee";
    let mut answers = tracker::answer::Answer::parse_list(list, 2).unwrap();
    assert!(tracker::answer::Answer::parse_list(list, 1).is_err());
    assert!(answers[1].is_none());
    let url = || vec!["http://10.77.255.1:8480/announce".to_owned()];
    let mut discovery = Discovery::new(config(1));
    discovery.add_torrent(0, [1; 20], 100, url(), answers[0].take());
    let Some(DiscoveryOutput::Duty { duty, .. }) = discovery.poll() else {
        panic!("who imports comes first");
    };
    assert_eq!(duty, Duty::Importer(2));
    let Some(DiscoveryOutput::Peers { infohash, peers }) = discovery.poll() else {
        panic!("then peers");
    };
    assert_eq!(infohash, [1; 20]);
    assert_eq!(
        peers,
        [
            ("10.77.1.2:7000".parse().unwrap(), Nearness::Local),
            ("10.77.2.2:7000".parse().unwrap(), Nearness::Across)
        ]
    );
    assert!(discovery.poll().is_none(), "no announce yet");
    let at = discovery.deadline().unwrap();
    assert!((20_000_000..23_000_000).contains(&at), "{at}");
    // It has started as far as the tracker knows: the end is announced as such.
    discovery.handle(5_000_000, DiscoveryInput::Completed { infohash: [1; 20] });
    let Some(DiscoveryOutput::HttpGet { url, .. }) = discovery.poll() else {
        panic!("the end is told at once");
    };
    assert!(url.contains("&event=completed"), "{url}");
    // Without an introduction it asks at once.
    let mut other = Discovery::new(config(2));
    other.add_torrent(
        0,
        [1; 20],
        100,
        vec!["http://10.77.255.1:8480/announce".to_owned()],
        None,
    );
    assert!(
        matches!(other.poll(), Some(DiscoveryOutput::HttpGet { url, .. }) if url.contains("&event=started"))
    );
}
