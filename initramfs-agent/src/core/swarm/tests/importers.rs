//! Who brings pieces into a rack over its uplink, and when.

use super::*;
use crate::core::nearness::Duty;
use crate::core::swarm::import::tag;

/// A node with this many agents in its rack whose turn comes before its own, and one peer elsewhere.
fn node(before: usize) -> (Swarm, ConnId) {
    let mut s = swarm(1);
    let own = tag(&id(1));
    s.add_torrent(0, spec(4));
    let earlier: Vec<u8> = (2..250).filter(|n| tag(&id(*n)) < own).take(before).collect();
    assert_eq!(earlier.len(), before);
    let told: Vec<(SocketAddr, Nearness)> = (0..before)
        .map(|i| (addr(20 + i as u8), Nearness::Local))
        .chain([(addr(3), Nearness::Across)])
        .collect();
    s.handle(
        0,
        Input::Peers {
            torrent: T0,
            peers: &told,
        },
    );
    for (i, n) in earlier.iter().enumerate() {
        let conn = join(&mut s, 2 * i as u32 + 1, 20 + i as u8, id(*n));
        hears(&mut s, 0, conn, Message::HaveNone);
    }
    let far = join(&mut s, 101, 3, id(251));
    hears(&mut s, 0, far, Message::HaveNone);
    (s, far)
}

/// How long after one second, when the peer elsewhere announces a piece, the node asks it.
fn asks_at(before: usize) -> Micros {
    let (mut s, far) = node(before);
    asks_after(&mut s, far)
}

fn asks_after(s: &mut Swarm, far: ConnId) -> Micros {
    let mut now = SECOND;
    let mut out = hears(s, now, far, Message::Have { piece: 0 });
    while requests(&out).is_empty() {
        now = s.deadline().expect("it never gives up");
        assert!(now < 60 * SECOND, "never asks");
        s.handle(now, Input::Tick);
        out = drain(s);
    }
    now - SECOND
}

#[test]
fn importers_take_turns_and_the_others_wait_for_them() {
    let turns: Vec<Micros> = (0..3).map(asks_at).collect();
    assert!(turns[0] < 50 * MILLISECOND, "{turns:?}");
    assert!(turns[0] < turns[1] && turns[1] < turns[2], "{turns:?}");
    assert!(turns[2] < SECOND, "{turns:?}");
    let other = asks_at(6);
    assert!(
        (700 * MILLISECOND..SECOND).contains(&other),
        "no importer: {other}"
    );
}

#[test]
fn one_piece_tells_how_fast_the_links_are() {
    let (mut s, far) = node(6);
    let near = ConnId(1);
    let asked = requests(&hears(&mut s, 10, near, Message::Have { piece: 1 }));
    assert_eq!(asked[0].1.piece, 1);
    deliver_whole(&mut s, 2 * MILLISECOND, &asked);
    s.handle(
        3 * MILLISECOND,
        Input::Verified {
            torrent: T0,
            piece: 1,
            slot: Slot::Primary,
            ok: true,
        },
    );
    drain(&mut s);
    assert!(s.has_piece(T0, 1));
    // Guessed for slow links it would be 0.7 s, two thirds of the whole payload at 1 Gbit/s.
    let other = asks_after(&mut s, far);
    assert!(
        (30 * MILLISECOND..60 * MILLISECOND).contains(&other),
        "no importer: {other}"
    );
}

/// A peer elsewhere turns away what it was just asked for.
fn rejects(s: &mut Swarm, now: Micros, asked: &[(ConnId, Block)]) {
    for (conn, block) in asked {
        hears(s, now, *conn, Message::Reject(*block));
    }
}

/// A node with one agent in its rack, whose identity is higher, and one peer elsewhere.
fn first_of_two() -> (Swarm, ConnId, ConnId) {
    let mut s = swarm(1);
    s.add_torrent(0, spec(40));
    let peers = &[(addr(2), Nearness::Local), (addr(3), Nearness::Across)];
    s.handle(0, Input::Peers { torrent: T0, peers });
    let near = join(&mut s, 1, 2, id(9));
    let far = join(&mut s, 3, 3, id(8));
    hears(&mut s, 0, near, Message::HaveNone);
    hears(&mut s, 0, far, Message::HaveNone);
    (s, near, far)
}

#[test]
fn who_goes_on_of_two_that_began_at_once_does_not_wait_for_the_other_when_it_is_turned_away() {
    let (mut s, near, far) = first_of_two();
    let mut now = SECOND;
    let asked = requests(&asks_from(&mut s, &mut now, far, 0));
    hears(&mut s, now, near, Message::Suggest { piece: 0 });
    rejects(&mut s, now, &asked);
    // The other one has given way; a claim that is believed lasts five seconds here, a rest less than these.
    s.handle(now + 200 * MILLISECOND, Input::Tick);
    assert_eq!(requests(&drain(&mut s)).first().map(|(_, b)| b.piece), Some(0));
}

#[test]
fn what_was_left_to_us_is_requested_before_what_anybody_may_bring_in() {
    let (mut s, _, far) = first_of_two();
    let mut now = SECOND;
    let asked = requests(&asks_from(&mut s, &mut now, far, 7));
    rejects(&mut s, now, &asked);
    // While it rests it tells of many others, of which a third are ours to bring in at once.
    for piece in (0..40).filter(|piece| *piece != 7) {
        assert!(requests(&hears(&mut s, now, far, Message::Have { piece })).is_empty());
    }
    let (_, next) = asks_next(&mut s);
    assert_eq!(next[0].1.piece, 7);
}

/// A node that has five of six pieces, 100 ms each, one agent in its rack and two elsewhere; and the time.
fn before_the_last() -> (Swarm, ConnId, [ConnId; 2], Micros) {
    let mut s = swarm(1);
    s.add_torrent(0, spec(6));
    let told = [
        (addr(2), Nearness::Local),
        (addr(3), Nearness::Across),
        (addr(4), Nearness::Across),
    ];
    s.handle(
        0,
        Input::Peers {
            torrent: T0,
            peers: &told,
        },
    );
    let near = join(&mut s, 1, 2, id(9));
    let far = [join(&mut s, 3, 3, id(8)), join(&mut s, 5, 4, id(7))];
    let mut now = SECOND;
    // Five pieces from the rack, 100 ms each.
    for piece in 0..5 {
        let asked = requests(&hears(&mut s, now, near, Message::Have { piece }));
        now += 100 * MILLISECOND;
        deliver_whole(&mut s, now, &asked);
        let slot = Slot::Primary;
        s.handle(
            now,
            Input::Verified {
                torrent: T0,
                piece,
                slot,
                ok: true,
            },
        );
        drain(&mut s);
    }
    assert_eq!(s.progress(T0).pieces_done, 5);
    (s, near, far, now)
}

/// What it asks for next, and when.
fn asks_next(s: &mut Swarm) -> (Micros, Vec<(ConnId, Block)>) {
    loop {
        let now = s.deadline().expect("it never gives up");
        s.handle(now, Input::Tick);
        let asked = requests(&drain(s));
        if !asked.is_empty() {
            return (now, asked);
        }
    }
}

#[test]
fn the_last_import_is_not_waited_for_as_long_as_a_claim() {
    let (mut s, _, far, mut now) = before_the_last();
    let first = requests(&asks_from(&mut s, &mut now, far[0], 5));
    assert_eq!(first[0].0, far[0]);
    hears(&mut s, now, far[1], Message::Have { piece: 5 });
    let (again_at, again) = asks_next(&mut s);
    assert_eq!(again[0].0, far[1]);
    assert!(again_at - now < 400 * MILLISECOND, "after {}", again_at - now);
}

#[test]
fn nor_is_what_another_said_that_it_brings() {
    let (mut s, near, far, now) = before_the_last();
    hears(&mut s, now, near, Message::Suggest { piece: 5 });
    hears(&mut s, now, far[0], Message::Have { piece: 5 });
    let (asks_at, asked) = asks_next(&mut s);
    assert_eq!(asked[0].0, far[0]);
    let waited = asks_at - now;
    assert!(
        (200 * MILLISECOND..400 * MILLISECOND).contains(&waited),
        "{waited}"
    );
}

/// What the node does until it asks for the piece that this peer elsewhere has.
fn asks_from(s: &mut Swarm, now: &mut Micros, far: ConnId, piece: u32) -> Vec<Output> {
    let mut out = hears(s, *now, far, Message::Have { piece });
    while requests(&out).is_empty() {
        *now = s.deadline().expect("it never gives up");
        s.handle(*now, Input::Tick);
        out = drain(s);
    }
    out
}

#[test]
fn a_claim_lasts_for_eight_slow_pieces_but_a_minute_at_most() {
    for (piece_us, claim_us) in [(6 * SECOND, 48 * SECOND), (20 * SECOND, 60 * SECOND)] {
        let mut s = swarm(1);
        s.add_torrent(0, spec(4));
        for _ in 0..8 {
            s.torrents[0].times.note(piece_us);
        }
        assert_eq!(s.torrents[0].claim_us(), claim_us);
    }
}

/// The same node with no agent of its rack before it, whom the tracker has told this.
fn node_with(duty: Duty) -> (Swarm, ConnId) {
    let (mut s, far) = node(0);
    s.handle(0, Input::Duty { torrent: T0, duty });
    drain(&mut s);
    (s, far)
}

#[test]
fn the_tracker_says_who_imports() {
    let turn = |turn| {
        let (mut s, far) = node_with(Duty::Importer(turn));
        asks_after(&mut s, far)
    };
    assert!(turn(0) < 50 * MILLISECOND && turn(0) < turn(1) && turn(1) < turn(2));
    // The others of them come next, where a claim does not keep them from it.
    assert_eq!(turn(3), turn(23));
    assert!((700 * MILLISECOND..SECOND).contains(&turn(3)), "{}", turn(3));
}

#[test]
fn a_member_imports_only_when_its_rack_gets_nothing_any_more() {
    let (mut s, far) = node_with(Duty::Member);
    // As long as nothing is known a claim lasts 5 s.
    let asks = asks_after(&mut s, far);
    assert!((4 * SECOND..5 * SECOND).contains(&asks), "{asks}");
}

#[test]
fn a_member_waits_while_others_bring_pieces_in() {
    let (mut s, far) = node_with(Duty::Member);
    let near = join(&mut s, 7, 4, id(4));
    s.handle(
        0,
        Input::Peers {
            torrent: T0,
            peers: &[(addr(4), Nearness::Local)],
        },
    );
    hears(&mut s, 0, near, Message::HaveNone);
    hears(&mut s, SECOND, far, Message::Have { piece: 0 });
    let mut asked = Vec::new();
    for (at, piece) in [(4, 1), (8, 2)] {
        asked.extend(ticks_until(&mut s, at * SECOND));
        asked.extend(hears(&mut s, at * SECOND, near, Message::Have { piece }));
    }
    asked.extend(ticks_until(&mut s, 12 * SECOND));
    let pieces: Vec<u32> = requests(&asked).iter().map(|(_, block)| block.piece).collect();
    // Of the near one, which does not send it, it wants nothing else meanwhile.
    assert!(
        pieces.iter().all(|piece| *piece == 1) && !pieces.is_empty(),
        "{pieces:?}"
    );
}

/// Lets time pass; what it does meanwhile.
fn ticks_until(s: &mut Swarm, until: Micros) -> Vec<Output> {
    let mut out = Vec::new();
    while let Some(at) = s.deadline().filter(|at| *at <= until) {
        s.handle(at, Input::Tick);
        out.extend(drain(s));
    }
    out
}

/// How many of 23 agents of its rack a node dials within a second.
fn dials(duty: Duty, elsewhere: &[(SocketAddr, Nearness)]) -> usize {
    let mut s = swarm(1);
    s.add_torrent(0, spec(4));
    s.handle(0, Input::Duty { torrent: T0, duty });
    let near = (0..23).map(|n| (addr(20 + n), Nearness::Local));
    let peers: Vec<(SocketAddr, Nearness)> = near.chain(elsewhere.iter().copied()).collect();
    s.handle(
        0,
        Input::Peers {
            torrent: T0,
            peers: &peers,
        },
    );
    let mut dialled = 0;
    for now in (0..SECOND).step_by(10 * MILLISECOND as usize) {
        s.handle(now, Input::Tick);
        for output in drain(&mut s) {
            let Output::Connect { conn, addr: to, .. } = output else {
                continue;
            };
            dialled += usize::from(elsewhere.iter().all(|(other, _)| *other != to));
            s.handle(now, Input::Connected { conn });
            let hello = Input::Handshake {
                conn,
                peer_id: id(conn.0 as u8 + 100),
                fast: true,
                extended: true,
            };
            s.handle(now, hello);
        }
    }
    dialled
}

#[test]
fn who_brings_pieces_in_changes_nothing_of_whom_others_dial() {
    for elsewhere in [&[][..], &[(addr(9), Nearness::Across)]] {
        assert_eq!(dials(Duty::Unsaid, elsewhere), 23);
        assert_eq!(dials(Duty::Member, elsewhere), 23);
    }
}
