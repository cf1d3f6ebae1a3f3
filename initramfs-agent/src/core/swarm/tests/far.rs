//! Racks beyond the next ones, where switches hang behind one another: what they have comes over the links of all on the way.

use super::*;

/// A node whom the tracker has named these two elsewhere, and two of another source that it does not know the rack of.
fn node(next: Nearness) -> (Swarm, [ConnId; 3]) {
    let mut s = swarm(1);
    s.add_torrent(0, spec(8));
    let peers = &[(addr(3), next), (addr(4), Nearness::Far)];
    s.handle(0, Input::Peers { torrent: T0, peers });
    let conns = [3, 4, 5].map(|host| {
        let conn = join(&mut s, 2 * u32::from(host) + 1, host, id(100 + host));
        hears(&mut s, 0, conn, Message::HaveNone);
        conn
    });
    drain(&mut s);
    (s, conns)
}

/// Whom the node asks for this piece, and how long after one second it does, if it hears of it from that one only.
fn asks(s: &mut Swarm, from: ConnId, piece: u32) -> (ConnId, Micros) {
    let mut now = SECOND;
    let mut out = hears(s, now, from, Message::Have { piece });
    while requests(&out).is_empty() {
        now = s.deadline().expect("it never gives up");
        s.handle(now, Input::Tick);
        out = drain(s);
    }
    (requests(&out)[0].0, now - SECOND)
}

#[test]
fn what_only_a_rack_beyond_has_is_left_to_the_next_one_for_a_while() {
    let soon = |next: Nearness, from: usize| {
        let (mut s, conns) = node(next);
        let (asked, after) = asks(&mut s, conns[from], 0);
        assert_eq!(asked, conns[from]);
        after < 50 * MILLISECOND
    };
    assert!(soon(Nearness::Across, 0));
    // Far, and of unknown rack. As long as nothing is known a claim lasts 5 s.
    assert!(!soon(Nearness::Across, 1) && !soon(Nearness::Across, 2));
    // Nobody nearer is there: they are as good as any.
    assert!(soon(Nearness::Far, 0) && soon(Nearness::Far, 1) && soon(Nearness::Far, 2));
}

#[test]
fn it_is_taken_from_the_next_rack_once_that_has_it() {
    let (mut s, [next, far, stranger]) = node(Nearness::Across);
    for conn in [far, stranger] {
        assert!(requests(&hears(&mut s, SECOND, conn, Message::Have { piece: 3 })).is_empty());
    }
    assert!(requests(&ticks(&mut s, 4 * SECOND)).is_empty());
    let mut out = hears(&mut s, 4 * SECOND, next, Message::Have { piece: 3 });
    out.extend(ticks(&mut s, 5 * SECOND));
    assert_eq!(requests(&out)[0].0, next);
}

fn ticks(s: &mut Swarm, until: Micros) -> Vec<Output> {
    let mut out = drain(s);
    while let Some(now) = s.deadline().filter(|now| *now <= until) {
        s.handle(now, Input::Tick);
        out.extend(drain(s));
    }
    out
}

#[test]
fn when_the_next_rack_is_gone_the_one_beyond_is_asked_at_once() {
    let (mut s, [next, far, _]) = node(Nearness::Across);
    assert!(requests(&hears(&mut s, SECOND, far, Message::Have { piece: 3 })).is_empty());
    s.handle(2 * SECOND, Input::Closed { conn: next });
    let mut out = drain(&mut s);
    out.extend(ticks(&mut s, 3 * SECOND));
    assert_eq!(requests(&out).first().map(|(conn, _)| *conn), Some(far));
}

/// Which of these the node dials: one in its rack, one far or next to it, and a hint.
fn dials(elsewhere: &[(SocketAddr, Nearness)]) -> Vec<SocketAddr> {
    let mut s = swarm(1);
    s.add_torrent(0, spec(8));
    let (source, addrs) = (HintSource::Lsd, &[addr(9), addr(10)]);
    let peers = &[&[(addr(2), Nearness::Local)], elsewhere].concat();
    s.handle(0, Input::Peers { torrent: T0, peers });
    s.handle(
        0,
        Input::Hints {
            torrent: T0,
            source,
            addrs,
        },
    );
    let mut dialled: Vec<SocketAddr> = ticks(&mut s, SECOND)
        .into_iter()
        .filter_map(|o| match o {
            Output::Connect { addr, .. } => Some(addr),
            _ => None,
        })
        .collect();
    dialled.sort_unstable();
    dialled
}

#[test]
fn hints_that_may_be_of_any_rack_are_dialled_by_those_who_know_nobody_elsewhere() {
    let next = |n| (addr(n), Nearness::Across);
    let far = |n| (addr(n), Nearness::Far);
    assert_eq!(dials(&[next(3)]), [addr(2), addr(3)]);
    assert_eq!(dials(&[far(3)]), [addr(2), addr(3)]);
    // Those next to ours are dialled, however many far ones there are.
    let many = [far(3), far(4), far(5), far(6), far(7), far(8), next(11), next(12)];
    let dialled = dials(&many);
    assert!(
        dialled.contains(&addr(11)) && dialled.contains(&addr(12)),
        "{dialled:?}"
    );
    // Without racks everybody counts as near.
    assert_eq!(dials(&[]), [addr(2), addr(9), addr(10)]);
}

#[test]
fn the_far_are_of_another_rack() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(8));
    let peers = &[(addr(3), Nearness::Far)];
    s.handle(0, Input::Peers { torrent: T0, peers });
    let far = join(&mut s, 7, 3, id(103));
    let t = &s.torrents[0];
    assert!(t.racked && t.introduced);
    assert_ne!(t.outside(), 0);
    assert_eq!((t.local, t.distant()), (0, 0));
    assert!(s.peers.contains_key(&far));
}
