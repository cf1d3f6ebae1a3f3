//! Pieces in flight at peers that fall silent: other peers first, then the HTTPS origin, the loser cancelled.

use super::*;

/// Whole pieces and a short last one, with an HTTPS origin.
pub(super) fn site(pieces: u32) -> TorrentSpec {
    TorrentSpec {
        has_origin: true,
        ..spec(pieces)
    }
}

/// Runs the timers until something passes the test; when, and what.
pub(super) fn until(s: &mut Swarm, end: Micros, wanted: impl Fn(&Output) -> bool) -> (Micros, Vec<Output>) {
    let mut all = Vec::new();
    loop {
        let at = s.deadline().expect("it never gives up");
        assert!(at <= end, "nothing until {end}: {all:?}");
        s.handle(at, Input::Tick);
        all.extend(drain(s));
        if all.iter().any(&wanted) {
            return (at, all);
        }
    }
}

pub(super) fn fetched(o: &Output) -> Option<(FetchId, u32, u32, Slot)> {
    match o {
        Output::Fetch {
            fetch,
            piece,
            count,
            slot,
            ..
        } => Some((*fetch, *piece, *count, *slot)),
        _ => None,
    }
}

fn good(s: &mut Swarm, now: Micros, piece: u32, slot: Slot) -> Vec<Output> {
    s.handle(
        now,
        Input::Verified {
            torrent: T0,
            piece,
            slot,
            ok: true,
        },
    );
    drain(s)
}

/// Two peers with different pieces; what they were asked for at `now`.
fn two(s: &mut Swarm, now: Micros) -> (ConnId, ConnId, Vec<(ConnId, Block)>) {
    let silent = join(s, 1, 2, id(9));
    let busy = join(s, 3, 3, id(8));
    // Pieces 0 and 8 are with the silent one, the rest with the other.
    let mut asked = requests(&hears(s, now, silent, Message::Bitfield(&[0x80, 0x80])));
    asked.extend(requests(&hears(s, now, busy, Message::Bitfield(&[0x7f, 0x00]))));
    (silent, busy, asked)
}

/// The busy peer delivers what it is asked for, a piece each 20 ms, until it has nothing more.
fn busy_delivers(s: &mut Swarm, busy: ConnId, mut asked: Vec<(ConnId, Block)>) -> (Micros, Vec<Output>) {
    let mut now = 10;
    let mut all = Vec::new();
    loop {
        asked.retain(|(c, _)| *c == busy);
        let Some(piece) = asked.first().map(|(_, b)| b.piece) else {
            return (now, all);
        };
        let (of_piece, rest): (Vec<_>, Vec<_>) = asked.into_iter().partition(|(_, b)| b.piece == piece);
        asked = rest;
        now += 20 * MILLISECOND;
        let mut out = deliver(s, now, &of_piece);
        out.extend(good(s, now, piece, Slot::Primary));
        asked.extend(requests(&out));
        all.extend(out);
    }
}

#[test]
fn a_silent_holder_is_given_up_in_seconds_and_its_pieces_come_from_the_origin() {
    let mut s = swarm(1);
    s.add_torrent(0, site(9));
    let (silent, busy, asked) = two(&mut s, 10);
    assert!(asked.iter().any(|(c, _)| *c == silent));
    let (now, _) = busy_delivers(&mut s, busy, asked);
    let (at, out) = until(
        &mut s,
        10 * SECOND,
        |o| matches!(o, Output::Close { conn, blame: Some(Code::PeerStalled) } if *conn == silent),
    );
    assert!((SECOND / 5..=3 * SECOND).contains(&at), "given up after {at}");
    assert!(!banned(&out, Code::PeerStalled), "stalling is no crime");
    let mut all = out;
    let at = if all.iter().any(|o| fetched(o).is_some()) {
        at
    } else {
        let (at, out) = until(&mut s, 20 * SECOND, |o| fetched(o).is_some());
        all.extend(out);
        at
    };
    assert!(at < now + 5 * SECOND, "fetched after {at}");
    let (_, piece, count, _) = all.iter().find_map(fetched).expect("seen");
    assert!(piece == 0 || piece == 8, "only what is missing");
    assert_eq!(count, 1);
}

#[test]
fn a_silent_peer_may_come_back() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(9));
    let (silent, busy, asked) = two(&mut s, 10);
    busy_delivers(&mut s, busy, asked);
    let (at, _) = until(
        &mut s,
        10 * SECOND,
        |o| matches!(o, Output::Close { conn, .. } if *conn == silent),
    );
    let conn = ConnId(5);
    let from = SocketAddr::from(([10, 0, 0, 2], 41_000));
    s.handle(
        at,
        Input::Incoming {
            conn,
            addr: from,
            torrent: T0,
        },
    );
    s.handle(
        at,
        Input::Handshake {
            conn,
            peer_id: id(9),
            fast: true,
            extended: true,
        },
    );
    drain(&mut s);
    let asked = requests(&hears(&mut s, at, conn, Message::Bitfield(&[0x80, 0x80])));
    assert!(!asked.is_empty(), "asked again");
}

#[test]
fn one_that_talks_but_does_not_deliver_rests_and_is_asked_again() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(9));
    let (silent, busy, asked) = two(&mut s, 10);
    let before: Vec<Block> = asked
        .iter()
        .filter(|(c, _)| *c == silent)
        .map(|(_, b)| *b)
        .collect();
    let (now, _) = busy_delivers(&mut s, busy, asked);
    hears(&mut s, now, silent, Message::KeepAlive);
    let cancelled = |o: &Output| matches!(o, Output::Send { conn, message: Outgoing::Cancel(b) } if *conn == silent && before.contains(b));
    let (at, out) = until(&mut s, 10 * SECOND, cancelled);
    assert!(at <= 3 * SECOND, "rested after {at}");
    assert!(!out.iter().any(|o| matches!(o, Output::Close { .. })));
    let asked =
        |o: &Output| matches!(o, Output::Send { conn, message: Outgoing::Request(_) } if *conn == silent);
    let (again, _) = until(&mut s, 20 * SECOND, asked);
    assert!(again >= at + SECOND, "no rest: {at} {again}");
}

#[test]
fn a_piece_in_flight_is_hedged_over_https_and_the_first_one_wins() {
    for https_wins in [true, false] {
        let mut s = swarm(1);
        s.add_torrent(0, site(2));
        let peer = join(&mut s, 1, 2, id(9));
        let asked = requests(&hears(&mut s, 10, peer, Message::Bitfield(&[0x80])));
        // The first block comes, the others do not; the peer stays alive.
        let rest = requests(&deliver(&mut s, 20, &asked[..1]));
        let asked = [&asked[..], &rest[..]].concat();
        let mut alive = 0;
        let (at, out) = loop {
            let at = s.deadline().expect("it never gives up");
            assert!(at < 15 * SECOND, "no hedge");
            s.handle(at, Input::Tick);
            let out = drain(&mut s);
            if at > alive {
                alive = at + 500 * MILLISECOND;
                hears(&mut s, at, peer, Message::KeepAlive);
            }
            if out.iter().any(|o| fetched(o).is_some_and(|(_, p, _, _)| p == 0)) {
                break (at, out);
            }
            if let Some((fetch, piece, _, _)) = out.iter().find_map(fetched) {
                // The piece that nobody has came by the usual way.
                s.handle(
                    at,
                    Input::Fetched {
                        fetch,
                        piece,
                        ok: true,
                    },
                );
                s.handle(
                    at,
                    Input::FetchEnded {
                        fetch,
                        retry_after: None,
                        failed: false,
                    },
                );
                drain(&mut s);
            }
        };
        let (fetch, _, _, slot) = out.iter().rev().find_map(fetched).expect("seen");
        if slot == Slot::Primary {
            // It was taken back altogether before: nothing to race with.
            panic!("the peer should still have its slot at {at}");
        }
        if https_wins {
            s.handle(
                at + 10,
                Input::Fetched {
                    fetch,
                    piece: 0,
                    ok: true,
                },
            );
            let out = drain(&mut s);
            for (_, block) in &asked[1..] {
                assert!(out.contains(&Output::Send {
                    conn: peer,
                    message: Outgoing::Cancel(*block)
                }));
            }
            assert!(
                !out.contains(&Output::CancelFetch { fetch }),
                "it has ended by itself"
            );
        } else {
            deliver(&mut s, at + 10, &asked[1..]);
            let out = good(&mut s, at + 20, 0, Slot::Primary);
            assert!(out.contains(&Output::CancelFetch { fetch }), "{out:?}");
            assert!(out.contains(&Output::Discard {
                torrent: T0,
                piece: 0,
                slot: Slot::Spare
            }));
        }
        assert!(s.has_piece(T0, 0));
    }
}

#[test]
fn no_hedge_over_https_while_others_get_the_piece() {
    let mut s = swarm(1);
    s.add_torrent(0, site(1));
    let slow = join(&mut s, 1, 2, id(9));
    hears(&mut s, 10, slow, Message::HaveAll);
    // Every second another neighbour gets it, rejects us because it is busy, and the slow one lives on.
    for n in 0..12u8 {
        let conn = join(&mut s, 3 + 2 * u32::from(n), 3 + n, id(10 + n));
        hears(&mut s, 10, conn, Message::HaveNone);
    }
    for n in 0..12u8 {
        let conn = ConnId(3 + 2 * u32::from(n));
        let now = SECOND * u64::from(n) + 20;
        while s.deadline().is_some_and(|at| at < now) {
            let at = s.deadline().expect("just seen");
            s.handle(at, Input::Tick);
            let out = drain(&mut s);
            assert!(out.iter().all(|o| fetched(o).is_none()), "at {at}: {out:?}");
            for (c, block) in requests(&out) {
                hears(&mut s, at, c, Message::Reject(block));
            }
        }
        hears(&mut s, now, slow, Message::KeepAlive);
        let out = hears(&mut s, now, conn, Message::Have { piece: 0 });
        for (c, block) in requests(&out) {
            hears(&mut s, now, c, Message::Reject(block));
        }
    }
}

#[test]
fn a_fetch_that_hangs_gives_way_to_a_peer() {
    let mut s = swarm(1);
    s.add_torrent(0, site(3));
    let (_, out) = until(&mut s, 3 * SECOND, |o| fetched(o).is_some());
    let (fetch, ..) = out.iter().find_map(fetched).expect("seen");
    let peer = join(&mut s, 1, 2, id(9));
    hears(&mut s, SECOND, peer, Message::HaveAll);
    let mut asked = Vec::new();
    let mut cancelled = false;
    for _ in 0..200 {
        let at = s.deadline().expect("it never gives up");
        s.handle(at, Input::Tick);
        asked.extend(requests(&drain(&mut s)));
        while let Some(piece) = asked.first().map(|(_, b)| b.piece) {
            let (now, rest): (Vec<_>, Vec<_>) = asked.into_iter().partition(|(_, b)| b.piece == piece);
            asked = rest;
            let mut out = deliver(&mut s, at, &now);
            for slot in [Slot::Primary, Slot::Spare] {
                out.extend(good(&mut s, at, piece, slot));
            }
            cancelled |= out.contains(&Output::CancelFetch { fetch });
            asked.extend(requests(&out));
        }
        if s.progress(T0).pieces_done == 3 {
            assert!(at < 10 * SECOND, "after {at}");
            assert!(cancelled);
            return;
        }
    }
    panic!("the peer was not asked");
}
