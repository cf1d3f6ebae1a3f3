//! Lateness, uploads, the origin, connections.

use super::*;

#[test]
fn a_late_piece_is_asked_of_another_and_the_loser_is_cancelled() {
    let (mut s, slow) = with_peer(spec(1), id(9));
    let other = join(&mut s, 3, 3, id(8));
    let asked = requests(&hears(&mut s, 10, slow, Message::HaveAll));
    assert_eq!(asked.len(), 1);
    hears(&mut s, 10, other, Message::HaveAll);
    let mut out = Vec::new();
    for _ in 0..20 {
        let Some(at) = s.deadline().filter(|at| *at < 15 * SECOND) else {
            break;
        };
        s.handle(at, Input::Tick);
        out.extend(drain(&mut s));
    }
    assert!(requests(&out).iter().any(|(c, _)| *c == other), "{out:?}");
    assert!(out.contains(&Output::Send {
        conn: slow,
        message: Outgoing::Cancel(asked[0].1)
    }));
    assert!(out.contains(&Output::Discard {
        torrent: T0,
        piece: 0,
        slot: Slot::Primary
    }));
    // The late block has no place any more, and its sender is not blamed for it.
    assert_eq!(s.place_block(slow, asked[0].1), None);
    assert!(!banned(&drain(&mut s), Code::PeerProtocol));
    assert!(s.progress(T0).duplicate_bytes > 0);
}

#[test]
fn a_peer_that_goes_frees_its_slot() {
    let (mut s, conn) = with_peer(spec(1), id(9));
    hears(&mut s, 10, conn, Message::HaveAll);
    s.handle(20, Input::Closed { conn });
    assert!(drain(&mut s).contains(&Output::Discard {
        torrent: T0,
        piece: 0,
        slot: Slot::Primary
    }));
    assert_eq!(s.progress(T0).peers, 0);
}

#[test]
fn serves_few_at_a_time_and_rejects_what_it_lacks() {
    let mut s = swarm(1);
    s.add_torrent(
        0,
        TorrentSpec {
            have_all: true,
            ..spec(9)
        },
    );
    let block = |piece| Block {
        piece,
        begin: 0,
        len: 16 << 10,
    };
    let mut sent = 0;
    for n in 0..12u8 {
        let conn = join(
            &mut s,
            u32::from(n) * 2 + 1,
            20 + n,
            b"-TR4000-0000000000xx".map_first(n),
        );
        let out = hears(&mut s, 10, conn, Message::Request(block(u32::from(n) % 8)));
        sent += out
            .iter()
            .filter(|o| matches!(o, Output::SendBlock { .. }))
            .count();
    }
    assert_eq!(sent, 7);
    s.handle(
        20,
        Input::Sent {
            conn: ConnId(1),
            bytes: 16 << 10,
        },
    );
    assert_eq!(
        drain(&mut s)
            .iter()
            .filter(|o| matches!(o, Output::SendBlock { .. }))
            .count(),
        1
    );
    let conn = join(&mut s, 101, 90, id(90));
    let out = hears(
        &mut s,
        30,
        conn,
        Message::Request(Block {
            piece: 9,
            begin: 0,
            len: 1,
        }),
    );
    assert!(banned(&out, Code::PeerProtocol));
}

#[test]
fn agents_are_unchoked_with_the_handshake_and_other_clients_when_they_are_interested() {
    let mut s = swarm(1);
    s.add_torrent(
        0,
        TorrentSpec {
            have_all: true,
            ..spec(2)
        },
    );
    let unchokes = |outputs: &[Output]| {
        let unchoke = |o: &&Output| {
            matches!(
                o,
                Output::Send {
                    message: Outgoing::Unchoke,
                    ..
                }
            )
        };
        outputs.iter().filter(unchoke).count()
    };
    let mut greet = |conn: u32, peer_id: [u8; 20]| {
        let conn = ConnId(conn);
        let (addr, torrent) = (SocketAddr::from(([10, 0, 0, 9], 40_000)), T0);
        s.handle(0, Input::Incoming { conn, addr, torrent });
        let (fast, extended) = (true, true);
        s.handle(
            0,
            Input::Handshake {
                conn,
                peer_id,
                fast,
                extended,
            },
        );
        let at_once = unchokes(&drain(&mut s));
        let interested = unchokes(&hears(&mut s, 10, conn, Message::Interested));
        // It stays so: who is interested again has nothing new to hear.
        hears(&mut s, 20, conn, Message::NotInterested);
        let again = unchokes(&hears(&mut s, 30, conn, Message::Interested));
        (at_once, interested, again)
    };
    assert_eq!(greet(1, id(9)), (1, 0, 0));
    assert_eq!(greet(3, *b"-WW0109-000000000000"), (0, 1, 0));
}

/// So many agents of our rack and then so many of others ask for a piece each: how many of them are turned away.
fn turned_away(near: u8, far: u8) -> [usize; 2] {
    let mut s = swarm(1);
    let spec = TorrentSpec {
        have_all: true,
        ..spec(40)
    };
    s.add_torrent(0, spec);
    let host = |n: u8| addr(20 + n);
    let told: Vec<(SocketAddr, Nearness)> = (0..near)
        .map(|n| (host(n), Nearness::Local))
        .chain((near..near + far).map(|n| (host(n), Nearness::Across)))
        .collect();
    s.handle(
        0,
        Input::Peers {
            torrent: T0,
            peers: &told,
        },
    );
    let mut away = [0, 0];
    for n in 0..near + far {
        let conn = join(&mut s, u32::from(n) * 2 + 1, 20 + n, id(100 + n));
        let block = Block {
            piece: u32::from(n),
            begin: 0,
            len: 16 << 10,
        };
        let out = hears(&mut s, 10, conn, Message::Request(block));
        let rejects = out.contains(&Output::Send {
            conn,
            message: Outgoing::Reject(block),
        });
        away[usize::from(n >= near)] += usize::from(rejects);
    }
    away
}

#[test]
fn our_rack_and_the_others_do_not_keep_each_other_out() {
    assert_eq!(turned_away(8, 6), [0, 0]);
    assert_eq!(turned_away(11, 8), [3, 2]);
}

#[test]
fn alone_it_fetches_all_from_the_origin_and_backs_off() {
    let mut s = swarm(1);
    s.add_torrent(
        0,
        TorrentSpec {
            has_origin: true,
            ..spec(5)
        },
    );
    let mut out = drain(&mut s);
    let mut now = 0;
    while !out.iter().any(|o| matches!(o, Output::Fetch { .. })) {
        now = s.deadline().expect("it never gives up");
        assert!(now <= 2 * SECOND, "waits too long");
        s.handle(now, Input::Tick);
        out = drain(&mut s);
    }
    let whole = Output::Fetch {
        fetch: FetchId(0),
        torrent: T0,
        piece: 0,
        count: 5,
        slot: Slot::Primary,
    };
    assert!(out.contains(&whole));
    s.handle(
        now,
        Input::Fetched {
            fetch: FetchId(0),
            piece: 0,
            ok: true,
        },
    );
    s.handle(
        now,
        Input::Fetched {
            fetch: FetchId(0),
            piece: 1,
            ok: false,
        },
    );
    s.handle(
        now,
        Input::FetchEnded {
            fetch: FetchId(0),
            retry_after: Some(7 * SECOND),
            failed: false,
        },
    );
    let out = drain(&mut s);
    assert!(!out.iter().any(|o| matches!(o, Output::Fetch { .. })));
    let again = s.deadline().expect("it never gives up");
    assert!(again > now);
    let mut at = again;
    loop {
        s.handle(at, Input::Tick);
        if drain(&mut s).iter().any(|o| {
            matches!(
                o,
                Output::Fetch {
                    piece: 1,
                    count: 4,
                    ..
                }
            )
        }) {
            break;
        }
        at = s.deadline().expect("it never gives up").max(at + MILLISECOND);
        assert!(at < 60 * SECOND);
    }
    assert!(at >= now + 7 * SECOND, "did not heed Retry-After");
    assert_eq!(s.progress(T0).from_origin_bytes, u64::from(PIECE));
}

#[test]
fn two_connections_to_one_peer_leave_the_same_one_at_both_ends() {
    for (ours, theirs) in [(1, 2), (2, 1)] {
        let mut s = swarm(ours);
        s.add_torrent(0, spec(1));
        s.handle(
            0,
            Input::Peers {
                torrent: T0,
                peers: &[(addr(theirs), Nearness::Local)],
            },
        );
        s.handle(0, Input::Connected { conn: ConnId(0) });
        s.handle(
            0,
            Input::Handshake {
                conn: ConnId(0),
                peer_id: id(theirs),
                fast: true,
                extended: true,
            },
        );
        drain(&mut s);
        let conn = ConnId(1);
        s.handle(
            0,
            Input::Incoming {
                conn,
                addr: addr(theirs),
                torrent: T0,
            },
        );
        s.handle(
            0,
            Input::Handshake {
                conn,
                peer_id: id(theirs),
                fast: true,
                extended: true,
            },
        );
        let loser = if ours < theirs { conn } else { ConnId(0) };
        assert!(drain(&mut s).contains(&Output::Close {
            conn: loser,
            blame: None
        }));
        assert_eq!(s.progress(T0).peers, 1);
    }
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let run = || {
        let (mut s, conn) = with_peer(spec(50), id(9));
        hears(&mut s, 10, conn, Message::HaveAll)
    };
    assert_eq!(run(), run());
}
