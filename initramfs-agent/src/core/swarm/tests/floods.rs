//! One that takes, or tells, as much as it can: others still get their places, and what it tells stays bounded.

use super::*;

/// Shakes hands from this host and port; whether the connection was taken.
fn knocks(s: &mut Swarm, now: Micros, conn: u32, from: ([u8; 4], u16), peer_id: [u8; 20]) -> bool {
    let conn = ConnId(conn);
    let addr = SocketAddr::from(from);
    let torrent = T0;
    s.handle(now, Input::Incoming { conn, addr, torrent });
    let handshake = Input::Handshake {
        conn,
        peer_id,
        fast: true,
        extended: true,
    };
    s.handle(now, handshake);
    let out = drain(s);
    !out.iter()
        .any(|o| matches!(o, Output::Close { conn: c, .. } if *c == conn))
}

fn numbered(n: u32) -> [u8; 20] {
    let mut peer_id = id(0);
    peer_id[12..16].copy_from_slice(&n.to_be_bytes());
    peer_id
}

#[test]
fn silent_connections_of_one_address_do_not_lock_the_others_out() {
    let mut s = swarm(1);
    let all = TorrentSpec {
        have_all: true,
        ..spec(9)
    };
    s.add_torrent(0, all);
    for n in 0..600 {
        knocks(
            &mut s,
            u64::from(n),
            n * 2 + 1,
            ([10, 0, 0, 66], 40_000 + n as u16),
            numbered(n),
        );
    }
    assert!(s.peers.len() <= crate::core::limits::CONNECTIONS_MAX);
    let now = 2 * SECOND;
    for n in 0..40 {
        let host = [10, 0, 1, n as u8];
        assert!(
            knocks(&mut s, now, 5001 + n * 2, (host, 40_000), numbered(1000 + n)),
            "{n}"
        );
    }
    assert_eq!(s.progress(T0).peers, 128);
}

#[test]
fn nodes_behind_one_address_get_all_the_places_that_are_free() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(9));
    for n in 0..128 {
        let from = ([10, 0, 0, 1], 40_000 + n as u16);
        assert!(knocks(&mut s, 0, n * 2 + 1, from, numbered(n)), "{n}");
    }
    assert_eq!(s.progress(T0).peers, 128);
}

/// Lets a minute pass; the addresses that were dialled. Nobody answers.
fn dialled(s: &mut Swarm, mut now: Micros) -> Vec<(Micros, SocketAddr)> {
    let end = now + 60 * SECOND;
    let mut all = Vec::new();
    let mut lost: Vec<(Micros, ConnId)> = Vec::new();
    loop {
        while let Some(output) = s.poll() {
            if let Output::Connect { conn, addr, .. } = output {
                all.push((now, addr));
                // Refused at once.
                lost.push((now + MILLISECOND, conn));
            }
        }
        let closes = lost.iter().map(|(at, _)| *at).min().unwrap_or(Micros::MAX);
        now = s.deadline().unwrap_or(Micros::MAX).min(closes).max(now);
        if now > end {
            return all;
        }
        match lost.iter().position(|(at, _)| *at <= now) {
            Some(at) => {
                let (_, conn) = lost.remove(at);
                s.handle(now, Input::Closed { conn });
            }
            None => s.handle(now, Input::Tick),
        }
    }
}

#[test]
fn invented_addresses_do_not_make_a_node_search_the_network() {
    let (mut s, liar) = with_peer(spec(9), id(9));
    hears(&mut s, 0, liar, Message::HaveNone);
    let mut dials = 0;
    for minute in 0..5 {
        let now = minute * 61 * SECOND;
        for message in 0..200 {
            let invented: Vec<SocketAddr> = (0..100)
                .map(|n| SocketAddr::from(([10, minute as u8 + 1, message, n], 6881)))
                .collect();
            let source = HintSource::Pex(liar);
            let (torrent, addrs) = (T0, &invented[..]);
            s.handle(
                now,
                Input::Hints {
                    torrent,
                    source,
                    addrs,
                },
            );
        }
        assert!(s.torrents[0].known.values().count() <= 50);
        let all = dialled(&mut s, now);
        dials += all.len();
        hears(&mut s, now + 60 * SECOND, liar, Message::KeepAlive);
    }
    // Four a second, once it is clear that they are invented.
    assert!((20..=5 * 61 * 4).contains(&dials), "{dials}");
}

#[test]
fn honest_hints_are_dialled_beside_a_flood_of_another_kind() {
    let (mut s, liar) = with_peer(spec(9), id(9));
    hears(&mut s, 0, liar, Message::HaveNone);
    let invented: Vec<SocketAddr> = (0..50).map(|n| SocketAddr::from(([10, 9, 9, n], 6881))).collect();
    let honest = [addr(77)];
    for (source, addrs) in [
        (HintSource::Pex(liar), &invented[..]),
        (HintSource::Dht, &invented[..]),
        (HintSource::Lsd, &honest[..]),
    ] {
        let torrent = T0;
        s.handle(
            SECOND,
            Input::Hints {
                torrent,
                source,
                addrs,
            },
        );
    }
    let first = s.poll().map(|o| vec![o]).unwrap_or_default();
    let mut out = first;
    out.extend(drain(&mut s));
    let dialled = |o: &Output| matches!(o, Output::Connect { addr: a, .. } if *a == addr(77));
    assert!(out.iter().any(dialled), "{out:?}");
    let dials = out.iter().filter(|o| matches!(o, Output::Connect { .. })).count();
    assert!(dials <= 8, "{dials} at once");
}

#[test]
fn one_that_claims_every_piece_does_not_keep_its_rack_from_importing() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(40));
    let told = [(addr(2), Nearness::Local), (addr(3), Nearness::Across)];
    let (torrent, peers) = (T0, &told[..]);
    s.handle(0, Input::Peers { torrent, peers });
    let near = join(&mut s, 1, 2, id(9));
    let far = join(&mut s, 3, 3, id(8));
    hears(&mut s, 0, near, Message::HaveNone);
    let claims = |s: &mut Swarm, now| -> Vec<Output> {
        let all = (0..40).flat_map(|piece| hears(s, now, near, Message::Suggest { piece }));
        all.collect()
    };
    let mut out = claims(&mut s, 0);
    out.extend(hears(&mut s, 0, far, Message::HaveAll));
    let mut now = 0;
    let mut claims_at = SECOND;
    while s.progress(T0).pieces_done < 40 {
        let mut asked: std::collections::VecDeque<_> = requests(&out).into();
        while let Some(request) = asked.pop_front() {
            assert_eq!(request.0, far);
            let more = deliver(&mut s, now, &[request]);
            asked.extend(requests(&more));
            for output in more {
                if let Output::Verify { torrent, piece, slot } = output {
                    let ok = true;
                    s.handle(
                        now,
                        Input::Verified {
                            torrent,
                            piece,
                            slot,
                            ok,
                        },
                    );
                    asked.extend(requests(&drain(&mut s)));
                }
            }
        }
        now = s.deadline().expect("it never gives up").max(now);
        assert!(now < 60 * SECOND, "{:?} after {now}", s.progress(T0));
        out = Vec::new();
        if now >= claims_at {
            claims_at = now + SECOND;
            out.extend(claims(&mut s, now));
        }
        s.handle(now, Input::Tick);
        out.extend(drain(&mut s));
    }
}

/// How many messages are heard before their sender is banned.
fn heard_until_banned(mut say: impl FnMut(&mut Swarm, ConnId)) -> Option<usize> {
    let (mut s, conn) = with_peer(spec(9), id(9));
    (0..10_000).position(|_| {
        say(&mut s, conn);
        banned(&drain(&mut s), Code::PeerProtocol)
    })
}

#[test]
fn messages_without_end_and_without_effect_are_a_reason_for_a_ban() {
    let blocks = Block {
        piece: 3,
        begin: 0,
        len: 16 << 10,
    };
    for message in [
        Message::KeepAlive,
        Message::Unknown,
        Message::Port(1),
        Message::Unchoke,
        Message::Interested,
        Message::Have { piece: 3 },
        Message::Suggest { piece: 3 },
        Message::AllowedFast { piece: 3 },
        Message::Reject(blocks),
        Message::Request(blocks),
    ] {
        let heard = heard_until_banned(|s, conn| s.handle(SECOND, Input::Message { conn, message }));
        assert!((4096..4200).contains(&heard.unwrap()), "{message:?}: {heard:?}");
    }
    let greeting = |conn| Input::ExtendedHandshake {
        conn,
        bootswarm: true,
        elsewhere: None,
        listen_port: None,
        requests_max: None,
        ut_pex: None,
        metadata_size: None,
    };
    let hints = |conn| Input::Hints {
        torrent: T0,
        source: HintSource::Pex(conn),
        addrs: &[],
    };
    let metadata = |conn| Input::Metadata {
        conn,
        message: MetadataMessage::Reject { part: 0 },
    };
    for input in [greeting as fn(ConnId) -> Input<'static>, hints, metadata] {
        let heard = heard_until_banned(|s, conn| s.handle(SECOND, input(conn)));
        assert!((4096..4200).contains(&heard.unwrap()), "{heard:?}");
    }
}

#[test]
fn long_bitfields_cost_more_than_other_messages() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(64 << 10));
    let conn = join(&mut s, 1, 2, id(9));
    let none = vec![0; 8 << 10];
    let heard = (0..10_000).position(|_| {
        banned(
            &hears(&mut s, SECOND, conn, Message::Bitfield(&none)),
            Code::PeerProtocol,
        )
    });
    assert_eq!(heard, Some(4096 / 129));
}

#[test]
fn a_peer_that_gets_and_announces_piece_after_piece_is_served_on() {
    let pieces = 20_000;
    let mut s = swarm(1);
    let all = TorrentSpec {
        have_all: true,
        ..spec(pieces)
    };
    s.add_torrent(0, all);
    let conn = join(&mut s, 1, 2, id(9));
    let (begin, len) = (0, 16 << 10);
    for piece in 0..pieces - 1 {
        hears(&mut s, SECOND, conn, Message::Suggest { piece });
        let request = Message::Request(Block { piece, begin, len });
        let out = hears(&mut s, SECOND, conn, request);
        assert!(
            out.iter().any(|o| matches!(o, Output::SendBlock { .. })),
            "{piece}: {out:?}"
        );
        s.handle(SECOND, Input::Sent { conn, bytes: len });
        hears(&mut s, SECOND, conn, Message::Have { piece });
    }
}

#[test]
fn rejects_of_what_we_have_cancelled_cost_a_peer_nothing() {
    let (mut s, conn) = with_peer(spec(9), id(9));
    let block = Block {
        piece: 3,
        begin: 0,
        len: 16 << 10,
    };
    for _ in 0..10_000 {
        s.peers.get_mut(&conn).expect("it is there").cancelled = 1;
        assert_eq!(hears(&mut s, SECOND, conn, Message::Reject(block)), []);
    }
}

#[test]
fn clients_that_read_nothing_do_not_keep_agents_from_being_served() {
    let mut s = swarm(1);
    let all = TorrentSpec {
        have_all: true,
        ..spec(40)
    };
    s.add_torrent(0, all);
    let request = |piece| {
        let (begin, len) = (0, 16 << 10);
        Message::Request(Block { piece, begin, len })
    };
    // One that is no agent, and one that says that it is.
    for (n, peer_id) in [(66, *b"-TR4000-000000000000"), (67, id(67))] {
        let conn = join(&mut s, n * 2 + 1, n as u8, peer_id);
        for piece in 0..39 {
            hears(&mut s, 0, conn, request(piece));
        }
    }
    for (n, now) in [(2, MILLISECOND), (3, 3 * SECOND)] {
        let conn = join(&mut s, n * 2 + 1, n as u8, id(n as u8));
        let out = hears(&mut s, now, conn, request(7));
        let serves = |o: &Output| matches!(o, Output::SendBlock { conn: to, .. } if *to == conn);
        assert!(out.iter().any(serves), "{n}: {out:?}");
    }
}

#[test]
fn agents_that_trickle_do_not_keep_others_from_being_served() {
    let mut s = swarm(1);
    let all = TorrentSpec {
        have_all: true,
        ..spec(500)
    };
    s.add_torrent(0, all);
    let (begin, len) = (0, 16 << 10);
    let request = |piece| Message::Request(Block { piece, begin, len });
    let bad = [66, 67].map(|n| join(&mut s, u32::from(n) * 2 + 1, n, id(n)));
    let good = join(&mut s, 5, 2, id(2));
    let mut served = 0;
    for step in 0..400 {
        let now = Micros::from(step) * 100 * MILLISECOND;
        for conn in bad {
            for piece in 0..9 {
                hears(&mut s, now, conn, request(piece));
            }
            s.handle(now, Input::Sent { conn, bytes: 400 });
            drain(&mut s);
        }
        let piece = 20 + step;
        let out = hears(&mut s, now, good, request(piece));
        let serves = |o: &Output| matches!(o, Output::SendBlock { conn, .. } if *conn == good);
        if out.iter().any(serves) {
            served += u32::from(step >= 300);
            s.handle(
                now,
                Input::Sent {
                    conn: good,
                    bytes: len,
                },
            );
            hears(&mut s, now, good, Message::Have { piece });
        }
    }
    assert_eq!(served, 100, "of the last hundred pieces");
}

#[test]
fn nobody_ends_anothers_connection_by_its_identity() {
    let peers = |s: &Swarm| -> Vec<ConnId> { s.peers.values().map(|p| p.id).collect() };
    let knock = |s: &mut Swarm, conn, host| knocks(s, 0, conn, ([10, 0, 0, host], 40_000), id(2));
    // We have dialled the peer, and its identity is the lower one.
    let mut s = swarm(9);
    s.add_torrent(0, spec(9));
    let (torrent, told) = (T0, [(addr(2), Nearness::Local)]);
    let peers_input = Input::Peers {
        torrent,
        peers: &told,
    };
    s.handle(0, peers_input);
    let conn = ConnId(0);
    s.handle(0, Input::Connected { conn });
    let (peer_id, fast, extended) = (id(2), true, true);
    s.handle(
        0,
        Input::Handshake {
            conn,
            peer_id,
            fast,
            extended,
        },
    );
    assert!(knock(&mut s, 1, 66));
    assert_eq!(peers(&s), [conn, ConnId(1)]);
    // Or it dials us after the other has.
    let mut s = swarm(1);
    s.add_torrent(0, spec(9));
    assert!(knock(&mut s, 1, 66) && knock(&mut s, 3, 2));
    assert!(!knock(&mut s, 5, 2), "its second one");
}
