//! What crosses a rack's uplink, and whom we talk to.

use super::*;

#[test]
fn where_no_other_rack_is_known_everybody_is_near() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(2));
    s.handle(
        0,
        Input::Peers {
            torrent: T0,
            peers: &[(addr(2), Nearness::Local)],
        },
    );
    let stranger = join(&mut s, 1, 77, id(9));
    let asked = requests(&hears(&mut s, 10, stranger, Message::HaveAll));
    assert!(!asked.is_empty(), "asked at once, as a neighbour");
    assert_eq!(s.torrents[0].outside(), 0);
}

#[test]
fn two_of_other_racks_are_served_at_a_time() {
    let mut s = swarm(1);
    let all = TorrentSpec {
        have_all: true,
        ..spec(9)
    };
    s.add_torrent(0, all);
    let told: Vec<_> = (0..4u8).map(|n| (addr(20 + n), Nearness::Across)).collect();
    let told = [told, vec![(addr(30), Nearness::Local)]].concat();
    let peers = &told;
    s.handle(0, Input::Peers { torrent: T0, peers });
    let served = |out: &[Output]| -> Vec<u32> {
        let sent = out.iter().filter_map(|o| match o {
            Output::SendBlock { conn, .. } => Some(conn.0),
            _ => None,
        });
        sent.collect()
    };
    let asks = |s: &mut Swarm, conn: u32, host: u8| {
        let conn = join(s, conn, host, id(host));
        let (begin, len) = (0, 16 << 10);
        let piece = conn.0 % 8;
        served(&hears(s, 10, conn, Message::Request(Block { piece, begin, len })))
    };
    let far: Vec<_> = (0..4u8)
        .map(|n| asks(&mut s, 2 * u32::from(n) + 1, 20 + n))
        .collect();
    assert_eq!(far, [vec![1], vec![3], vec![], vec![]]);
    assert_eq!(asks(&mut s, 21, 30), [21], "of the own rack: not held up");
    let next = hears(&mut s, 20, ConnId(3), Message::Have { piece: 3 });
    assert_eq!(served(&next), [5]);
}

#[test]
fn keep_alives_are_sent_before_two_minutes_are_over() {
    let (mut s, conn) = with_peer(spec(1), id(9));
    let ping = Output::Send {
        conn,
        message: Outgoing::KeepAlive,
    };
    let mut at = 0;
    let mut sent = Vec::new();
    for _ in 0..2000 {
        at = s.deadline().expect("a connection is open");
        if at >= 110 * SECOND {
            break;
        }
        s.handle(at, Input::Tick);
        if drain(&mut s).contains(&ping) {
            sent.push(at);
        }
        if at > 50 * SECOND {
            hears(&mut s, at, conn, Message::KeepAlive);
        }
    }
    assert_eq!(sent.len(), 1, "at {at}: {sent:?}");
    assert!((90 * SECOND..=120 * SECOND).contains(&sent[0]), "{sent:?}");
}

#[test]
fn a_silent_connection_ends() {
    let (mut s, conn) = with_peer(spec(1), id(9));
    while let Some(at) = s.deadline().filter(|at| *at < 200 * SECOND) {
        s.handle(at, Input::Tick);
        if drain(&mut s).contains(&Output::Close { conn, blame: None }) {
            assert!(at >= 120 * SECOND, "BEP 3 allows two minutes: {at}");
            return;
        }
    }
    panic!("it is kept for ever");
}

#[test]
fn pex_tells_of_others_once_and_then_of_changes() {
    let (mut s, conn) = with_peer(spec(1), id(9));
    let hello = |s: &mut Swarm, conn, port| {
        let input = Input::ExtendedHandshake {
            conn,
            elsewhere: None,
            bootswarm: true,
            listen_port: Some(port),
            requests_max: None,
            ut_pex: Some(1),
            metadata_size: None,
        };
        s.handle(20, input);
        drain(s);
    };
    hello(&mut s, conn, 6881);
    let other = join(&mut s, 3, 3, id(8));
    hello(&mut s, other, 7000);
    let theirs = SocketAddr::from(([10, 0, 0, 3], 7000));
    let pex = |out: &[Output]| {
        out.iter().find_map(|o| match o {
            Output::Send {
                conn: c,
                message: Outgoing::Pex { added, dropped },
            } if *c == conn => Some((added.clone(), dropped.clone())),
            _ => None,
        })
    };
    let mut seen = Vec::new();
    let mut gone = false;
    while let Some(at) = s.deadline().filter(|at| *at < 140 * SECOND) {
        s.handle(at, Input::Tick);
        if let Some(said) = pex(&drain(&mut s)) {
            seen.push((at, said));
        }
        hears(&mut s, at, conn, Message::KeepAlive);
        if at > 30 * SECOND && !gone {
            gone = true;
            s.handle(at, Input::Closed { conn: other });
            drain(&mut s);
        }
    }
    let said: Vec<_> = seen.iter().map(|(_, said)| said.clone()).collect();
    assert_eq!(
        said,
        [(vec![theirs], vec![]), (vec![], vec![theirs])],
        "never of itself"
    );
    assert!(seen[1].0 - seen[0].0 >= 60 * SECOND, "BEP 11: once a minute");
}

#[test]
fn the_window_comes_first_and_the_rest_is_not_left_out() {
    let mut s = Swarm::new(SwarmConfig {
        seed: 3,
        listen_port: 6881,
        own_addrs: vec![addr(1)],
        peer_id: id(1),
        window_pieces: 4,
        server_us: 0,
    });
    s.add_torrent(0, spec(40));
    let conn = join(&mut s, 1, 2, id(9));
    let mut asked = requests(&hears(&mut s, 10, conn, Message::HaveAll));
    let mut now = 10;
    let mut missing = 0;
    while !asked.is_empty() {
        now += 10 * MILLISECOND;
        let piece = asked[0].1.piece;
        assert!(piece < missing + 24, "{piece} long before {missing} is there");
        let (mine, rest): (Vec<_>, Vec<_>) = asked.into_iter().partition(|(_, b)| b.piece == piece);
        asked = rest;
        let mut out = deliver(&mut s, now, &mine);
        s.handle(
            now,
            Input::Verified {
                torrent: T0,
                piece,
                slot: Slot::Primary,
                ok: true,
            },
        );
        out.extend(drain(&mut s));
        asked.extend(requests(&out));
        while s.has_piece(T0, missing) {
            missing += 1;
        }
    }
    assert_eq!(missing, 40);
}

/// An agent connects, and says that we are in another rack, in its own, or nothing of it.
fn greets(s: &mut Swarm, n: u8, elsewhere: Option<bool>) -> ConnId {
    let conn = join(s, 2 * u32::from(n) + 1, n, id(n));
    s.handle(
        0,
        Input::ExtendedHandshake {
            conn,
            bootswarm: true,
            elsewhere,
            listen_port: Some(6881),
            requests_max: None,
            ut_pex: None,
            metadata_size: None,
        },
    );
    drain(s);
    conn
}

/// Whether a piece that a peer has is claimed, as what comes over the uplink is; what a neighbour has is just taken. The
/// tracker has named these; `elsewhere` is what the peer says of us.
fn claims_what_it_has(told: &[(SocketAddr, Nearness)], elsewhere: Option<bool>) -> bool {
    let mut s = swarm(1);
    s.add_torrent(0, spec(2));
    s.handle(
        0,
        Input::Peers {
            torrent: T0,
            peers: told,
        },
    );
    drain(&mut s);
    let far = greets(&mut s, 3, elsewhere);
    let near = greets(&mut s, 4, None);
    // Claims go to neighbours only, so this is one.
    hears(&mut s, 0, near, Message::Suggest { piece: 1 });
    let mut out = hears(&mut s, 0, far, Message::Have { piece: 0 });
    while requests(&out).is_empty() {
        let now = s.deadline().expect("it asks");
        s.handle(now, Input::Tick);
        out.extend(drain(&mut s));
    }
    out.contains(&Output::Send {
        conn: near,
        message: Outgoing::Suggest(0),
    })
}

#[test]
fn the_first_node_of_a_farm_learns_of_racks_from_those_that_dial_it() {
    assert!(!claims_what_it_has(&[], None));
    assert!(!claims_what_it_has(&[], Some(false)));
    assert!(claims_what_it_has(&[], Some(true)));
}

#[test]
fn who_was_told_of_neighbours_only_does_not_believe_one_peer_in_racks() {
    let neighbour = [(addr(9), Nearness::Local)];
    assert!(!claims_what_it_has(&neighbour, Some(true)));
    assert!(claims_what_it_has(
        &[neighbour[0], (addr(8), Nearness::Across)],
        Some(true)
    ));
}

#[test]
fn who_was_told_of_neighbours_only_believes_three_addresses_in_racks() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(2));
    let peers = &[(addr(9), Nearness::Local)];
    s.handle(0, Input::Peers { torrent: T0, peers });
    drain(&mut s);
    for (n, believed) in [(3, false), (4, false), (4, false), (5, true)] {
        let conn = greets(&mut s, n, Some(true));
        assert_eq!(s.torrents[0].racked, believed, "{n}");
        s.handle(0, Input::Closed { conn });
    }
}

#[test]
fn an_agent_of_our_rack_that_the_tracker_did_not_name_is_a_neighbour() {
    let told = [(addr(8), Nearness::Across), (addr(9), Nearness::Local)];
    assert!(claims_what_it_has(&told, None));
    assert!(!claims_what_it_has(&told, Some(false)));
}

#[test]
fn neighbours_that_dial_us_do_not_make_a_crowd_of_those_that_the_tracker_named() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(4));
    for n in 0..10 {
        greets(&mut s, 60 + n, Some(false));
    }
    let near = (0..23).map(|n| (addr(20 + n), Nearness::Local));
    let peers = &near.collect::<Vec<_>>();
    s.handle(0, Input::Peers { torrent: T0, peers });
    let mut dialled = drain(&mut s);
    // Later than it takes to know one's rack.
    s.handle(SECOND, Input::Tick);
    dialled.extend(drain(&mut s));
    let dialled = dialled.iter().filter(|o| matches!(o, Output::Connect { .. }));
    assert_eq!(dialled.count(), 13);
}

#[test]
fn a_peer_is_told_whether_it_is_of_our_rack() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(1));
    let peers = &[(addr(3), Nearness::Across), (addr(4), Nearness::Local)];
    s.handle(0, Input::Peers { torrent: T0, peers });
    let dialled = drain(&mut s);
    let mut said = Vec::new();
    for output in dialled {
        let Output::Connect { conn, addr, .. } = output else {
            continue;
        };
        s.handle(0, Input::Connected { conn });
        let (peer_id, fast, extended) = (id(conn.0 as u8 + 100), true, true);
        let hello = Input::Handshake {
            conn,
            peer_id,
            fast,
            extended,
        };
        s.handle(0, hello);
        said.extend(drain(&mut s).iter().find_map(|o| match o {
            Output::Send {
                message: Outgoing::ExtendedHandshake { elsewhere, .. },
                ..
            } => Some((addr, *elsewhere)),
            _ => None,
        }));
    }
    said.sort();
    assert_eq!(said, [(addr(3), Some(true)), (addr(4), Some(false))]);
}

#[test]
fn what_the_tracker_says_of_a_peer_counts_more_than_what_the_peer_says() {
    let elsewhere = (addr(8), Nearness::Across);
    assert!(claims_what_it_has(
        &[(addr(3), Nearness::Across), elsewhere],
        Some(false)
    ));
    assert!(!claims_what_it_has(
        &[(addr(3), Nearness::Local), elsewhere],
        Some(true)
    ));
}

#[test]
fn only_agents_are_believed_about_racks() {
    let client = *b"-TR4000-000000000000";
    let seeder = *b"-WW0109-000000000000";
    for (peer_id, bootswarm, believed) in [
        (id(3), true, true),
        (id(3), false, false),
        (client, true, false),
        (seeder, true, false),
    ] {
        let mut s = swarm(1);
        s.add_torrent(0, spec(2));
        let conn = join(&mut s, 7, 3, peer_id);
        let says = |elsewhere| Input::ExtendedHandshake {
            conn,
            bootswarm,
            elsewhere,
            listen_port: Some(6881),
            requests_max: None,
            ut_pex: None,
            metadata_size: None,
        };
        s.handle(0, says(Some(true)));
        assert_eq!(s.torrents[0].racked, believed, "{peer_id:?} {bootswarm}");
        // A second handshake, which brings the hashes of the pieces, says nothing of racks and takes nothing back.
        s.handle(0, says(None));
        assert_eq!(s.torrents[0].racked, believed, "{peer_id:?} {bootswarm}");
    }
}

#[test]
fn an_agent_that_was_dialled_does_not_say_where_its_peer_is() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(1));
    let peers = &[(addr(3), Nearness::Across)];
    s.handle(0, Input::Peers { torrent: T0, peers });
    drain(&mut s);
    let conn = ConnId(7);
    let from = SocketAddr::from(([10, 0, 0, 3], 40_000));
    s.handle(
        0,
        Input::Incoming {
            conn,
            addr: from,
            torrent: T0,
        },
    );
    let hello = Input::Handshake {
        conn,
        peer_id: id(3),
        fast: true,
        extended: true,
    };
    s.handle(0, hello);
    // It knows where the peer listens from the peer's own handshake only, and the peer has asked the tracker itself.
    assert!(drain(&mut s).contains(&Output::Send {
        conn,
        message: Outgoing::ExtendedHandshake {
            metadata_size: None,
            elsewhere: None
        }
    }));
}
