//! Whom which pieces are asked of.

use super::*;

#[test]
fn asks_whole_pieces_in_block_order_and_announces_them() {
    let (mut s, conn) = with_peer(spec(1), id(9));
    let asked = requests(&hears(&mut s, 10, conn, Message::HaveAll));
    assert_eq!(
        asked,
        [(
            conn,
            Block {
                piece: 0,
                begin: 0,
                len: (16 << 10) - 1
            }
        )]
    );
    let out = deliver(&mut s, 20, &asked);
    assert_eq!(
        out,
        [Output::Verify {
            torrent: T0,
            piece: 0,
            slot: Slot::Primary
        }]
    );
    s.handle(
        30,
        Input::Verified {
            torrent: T0,
            piece: 0,
            slot: Slot::Primary,
            ok: true,
        },
    );
    let out = drain(&mut s);
    assert!(out.contains(&Output::TorrentDone { torrent: T0 }));
    assert!(out.contains(&Output::Send {
        conn,
        message: Outgoing::Have(0)
    }));
    assert!(s.has_piece(T0, 0) && !s.has_piece(T0, 1));
    let p = s.progress(T0);
    assert_eq!(
        (p.from_peers_bytes, p.from_origin_bytes, p.duplicate_bytes),
        ((16 << 10) - 1, 0, 0)
    );
}

#[test]
fn a_bad_piece_bans_its_sender_and_is_asked_of_another() {
    let (mut s, bad) = with_peer(spec(1), id(9));
    let good = join(&mut s, 3, 3, id(8));
    let asked = requests(&hears(&mut s, 10, bad, Message::HaveAll));
    hears(&mut s, 10, good, Message::HaveAll);
    deliver(&mut s, 20, &asked);
    s.handle(
        30,
        Input::Verified {
            torrent: T0,
            piece: 0,
            slot: Slot::Primary,
            ok: false,
        },
    );
    let out = drain(&mut s);
    assert!(banned(&out, Code::PeerBadPiece));
    assert!(out.contains(&Output::Close {
        conn: bad,
        blame: Some(Code::PeerBadPiece)
    }));
    assert_eq!(requests(&out).first().map(|(c, _)| *c), Some(good));
    // Neither accepted nor dialled again.
    s.handle(
        40,
        Input::Incoming {
            conn: ConnId(5),
            addr: addr(2),
            torrent: T0,
        },
    );
    assert_eq!(
        drain(&mut s),
        [Output::Close {
            conn: ConnId(5),
            blame: None
        }]
    );
    s.handle(
        50,
        Input::Peers {
            torrent: T0,
            peers: &[(addr(2), Nearness::Local)],
        },
    );
    assert!(!drain(&mut s).iter().any(|o| matches!(o, Output::Connect { .. })));
}

#[test]
fn a_stock_peer_is_asked_only_when_it_unchokes_and_loses_requests_when_it_chokes() {
    let (mut s, conn) = with_peer(spec(3), *b"-TR4000-000000000000");
    let out = hears(&mut s, 10, conn, Message::HaveAll);
    assert_eq!(
        out,
        [Output::Send {
            conn,
            message: Outgoing::Interested
        }]
    );
    let asked = requests(&hears(&mut s, 20, conn, Message::Unchoke));
    assert!(!asked.is_empty());
    let piece = asked[0].1.piece;
    for (_, block) in asked.iter().filter(|(_, b)| b.piece == piece) {
        hears(&mut s, 30, conn, Message::Choke);
        let out = hears(&mut s, 30, conn, Message::Reject(*block));
        assert!(!banned(&out, Code::PeerProtocol));
    }
    assert!(requests(&hears(&mut s, 5 * SECOND, conn, Message::KeepAlive)).is_empty());
    s.handle(20 * SECOND, Input::Tick);
    drain(&mut s);
    assert!(!requests(&hears(&mut s, 20 * SECOND, conn, Message::Unchoke)).is_empty());
}

#[test]
fn a_request_that_is_turned_away_is_not_cancelled_on_top() {
    let (mut s, conn) = with_peer(spec(1), id(9));
    let asked = requests(&hears(&mut s, 10, conn, Message::HaveAll));
    assert_eq!(asked.len(), 1, "an agent is asked for one block at a time");
    let out = hears(&mut s, 20, conn, Message::Reject(asked[0].1));
    let cancels = |o: &&Output| {
        let message = match o {
            Output::Send { message, .. } => Some(message),
            _ => None,
        };
        matches!(message, Some(Outgoing::Cancel(_)))
    };
    assert_eq!(out.iter().find(cancels), None);
    assert!(out.iter().any(|o| matches!(o, Output::Discard { piece: 0, .. })));
    // It is asked again, and what it sends then is no flood of blocks that nobody wanted.
    let at = s.deadline().expect("it is asked again");
    s.handle(at.max(5 * SECOND), Input::Tick);
    let asked = requests(&drain(&mut s));
    assert_eq!(asked.len(), 1);
    assert!(deliver(&mut s, 6 * SECOND, &asked).iter().all(|o| !cancels(&o)));
}

#[test]
fn takes_from_a_choking_seeder_exactly_what_it_is_given() {
    let mut s = swarm(1);
    s.add_torrent(
        0,
        TorrentSpec {
            seeders: vec![addr(200)],
            ..spec(5)
        },
    );
    let out = drain(&mut s);
    assert!(out.contains(&Output::Connect {
        conn: ConnId(0),
        addr: addr(200),
        torrent: T0
    }));
    let conn = ConnId(0);
    s.handle(5, Input::Connected { conn });
    s.handle(
        5,
        Input::Handshake {
            conn,
            peer_id: *b"-WW0000-000000000000",
            fast: true,
            extended: true,
        },
    );
    let hello = Input::ExtendedHandshake {
        conn,
        elsewhere: None,
        bootswarm: true,
        listen_port: None,
        requests_max: None,
        ut_pex: None,
        metadata_size: None,
    };
    s.handle(5, hello);
    drain(&mut s);
    assert!(requests(&hears(&mut s, 6, conn, Message::HaveAll)).is_empty());
    let asked = requests(&hears(&mut s, 7, conn, Message::AllowedFast { piece: 2 }));
    assert_eq!(asked.len(), 3, "the rest when it moves");
    let blocks = deliver_whole(&mut s, 8, &asked);
    let begins: Vec<u32> = blocks.iter().map(|b| b.begin >> 14).collect();
    assert_eq!(begins, [0, 1, 2, 3]);
    assert!(blocks.iter().all(|b| b.piece == 2));
    s.handle(
        9,
        Input::Verified {
            torrent: T0,
            piece: 2,
            slot: Slot::Primary,
            ok: true,
        },
    );
    assert_eq!(s.progress(T0).from_origin_bytes, u64::from(PIECE));
}

#[test]
fn what_the_rack_has_does_not_come_over_the_uplink() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(2));
    s.handle(
        0,
        Input::Peers {
            torrent: T0,
            peers: &[(addr(2), Nearness::Local), (addr(3), Nearness::Across)],
        },
    );
    let near = join(&mut s, 1, 2, id(9));
    let far = join(&mut s, 3, 3, id(8));
    hears(&mut s, 10, near, Message::Bitfield(&[0x80]));
    let out = hears(&mut s, 10, far, Message::HaveAll);
    let far_pieces: Vec<u32> = requests(&out)
        .iter()
        .filter(|(c, _)| *c == far)
        .map(|(_, b)| b.piece)
        .collect();
    assert!(
        !far_pieces.is_empty() && far_pieces.iter().all(|p| *p == 1),
        "{far_pieces:?}"
    );
    // The rack hears of it, and we heed what it says.
    assert!(out.contains(&Output::Send {
        conn: near,
        message: Outgoing::Suggest(1)
    }));
}

#[test]
fn a_claim_of_a_neighbour_is_heeded_for_a_while() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(1));
    s.handle(
        0,
        Input::Peers {
            torrent: T0,
            peers: &[(addr(2), Nearness::Local), (addr(3), Nearness::Across)],
        },
    );
    let near = join(&mut s, 1, 2, id(9));
    let far = join(&mut s, 3, 3, id(8));
    hears(&mut s, 10, near, Message::Suggest { piece: 0 });
    assert!(requests(&hears(&mut s, 10, far, Message::HaveAll)).is_empty());
    s.handle(30 * SECOND, Input::Tick);
    assert_eq!(requests(&drain(&mut s)).first().map(|(c, _)| *c), Some(far));
}

#[test]
fn little_is_asked_ahead_of_an_agent_unless_it_is_fast() {
    for (block_us, ahead) in [(200 * MILLISECOND, 1), (1_000, 5)] {
        let (mut s, conn) = with_peer(spec(9), id(9));
        let mut asked = requests(&hears(&mut s, 10, conn, Message::HaveAll));
        assert_eq!(asked.len(), 2, "before anything is known");
        let mut now = 10;
        for _ in 0..3 {
            now += block_us;
            let next = asked.remove(0);
            asked.extend(requests(&deliver(&mut s, now, &[next])));
        }
        assert_eq!(asked.len(), ahead, "{block_us}");
    }
}

#[test]
fn who_turned_us_away_is_left_alone_for_about_what_pieces_take() {
    let (mut s, conn) = with_peer(spec(12), id(9));
    let mut asked = requests(&hears(&mut s, 10, conn, Message::HaveAll));
    // Four blocks a piece, each takes a second, one or two pieces under way at a time.
    let mut now = 0;
    for _ in 0..18 {
        now += SECOND;
        let mut out = deliver(&mut s, now, &asked);
        let verify = |o: &Output| match o {
            Output::Verify { piece, slot, .. } => Some((*piece, *slot)),
            _ => None,
        };
        for (piece, slot) in out.iter().filter_map(verify).collect::<Vec<_>>() {
            let (torrent, ok) = (T0, true);
            let verified = Input::Verified {
                torrent,
                piece,
                slot,
                ok,
            };
            s.handle(now, verified);
            out.extend(drain(&mut s));
        }
        asked = requests(&out);
    }
    assert!(!asked.is_empty());
    while let Some((_, block)) = asked.pop() {
        asked.extend(requests(&hears(&mut s, now, conn, Message::Reject(block))));
    }
    let again = (1..200).map(|n| n * 100 * MILLISECOND).find(|waited| {
        s.handle(now + waited, Input::Tick);
        !requests(&drain(&mut s)).is_empty()
    });
    let waited = again.expect("it is asked again");
    assert!((2 * SECOND..=12 * SECOND).contains(&waited), "{waited} us");
}
