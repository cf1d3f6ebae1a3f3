//! To whom new pieces are announced, and when.

use super::*;

#[test]
fn news_waits_for_company_where_it_is_no_use() {
    let (mut s, giver) = with_peer(spec(2), id(9));
    let has = join(&mut s, 3, 3, id(8));
    let lacks = join(&mut s, 5, 4, id(7));
    hears(&mut s, 10, has, Message::HaveAll);
    hears(&mut s, 10, lacks, Message::HaveNone);
    s.handle(10, Input::Closed { conn: has });
    let has = join(&mut s, 7, 3, id(8));
    let mut asked = requests(&hears(&mut s, 10, giver, Message::HaveAll));
    asked.retain(|(c, _)| *c == giver);
    let piece = asked[0].1.piece;
    asked.retain(|(_, b)| b.piece == piece);
    hears(&mut s, 10, has, Message::Bitfield(&[0xc0]));
    deliver_whole(&mut s, 20, &asked);
    s.handle(
        30,
        Input::Verified {
            torrent: T0,
            piece,
            slot: Slot::Primary,
            ok: true,
        },
    );
    let told = |out: &[Output], to: ConnId| {
        out.contains(&Output::Send {
            conn: to,
            message: Outgoing::Have(piece),
        })
    };
    let out = drain(&mut s);
    assert!(told(&out, giver), "its turn ends by it");
    assert!(told(&out, lacks), "it may want it");
    assert!(!told(&out, has), "it gains nothing by it");
    let mut all = Vec::new();
    while s.deadline().is_some_and(|at| at <= 5 * SECOND) {
        let at = s.deadline().expect("just seen");
        s.handle(at, Input::Tick);
        all.extend(drain(&mut s));
    }
    assert!(told(&all, has), "it hears of it a little later");
}

/// Whether a peer that lacks it hears at once of a piece that is common around us, while this many ask us for another.
fn tells_of_a_common_piece(askers: u8) -> bool {
    let (mut s, giver) = with_peer(spec(3), id(9));
    let lacks = join(&mut s, 3, 3, id(8));
    let common = [5, 7, 9].map(|conn| join(&mut s, u32::from(conn), conn, id(conn + 20)));
    for (piece, now) in [(1, 20), (0, 60)] {
        let asked = requests(&hears(&mut s, now, giver, Message::Have { piece }));
        for conn in common {
            hears(&mut s, now, conn, Message::Have { piece });
        }
        deliver_whole(&mut s, now + 10, &asked);
        let verified = Input::Verified {
            torrent: T0,
            piece,
            slot: Slot::Primary,
            ok: true,
        };
        s.handle(now + 10, verified);
        if piece == 0 {
            break;
        }
        for n in 0..askers {
            let conn = join(&mut s, 21 + 2 * u32::from(n), 40 + n, id(40 + n));
            let (begin, len) = (0, 16 << 10);
            hears(
                &mut s,
                now + 20,
                conn,
                Message::Request(Block { piece, begin, len }),
            );
        }
        drain(&mut s);
    }
    drain(&mut s).contains(&Output::Send {
        conn: lacks,
        message: Outgoing::Have(0),
    })
}

#[test]
fn who_serves_nobody_tells_at_once() {
    assert!(tells_of_a_common_piece(0));
    assert!(!tells_of_a_common_piece(1));
}

/// Whether a peer that lacks it hears at once of a piece that one other near us has, while we serve somebody else.
fn tells_of_a_second_copy(racks: bool) -> bool {
    let (mut s, giver) = with_peer(spec(3), id(9));
    if racks {
        let peers = [(addr(200), Nearness::Across)];
        s.handle(
            0,
            Input::Peers {
                torrent: T0,
                peers: &peers,
            },
        );
    }
    let near = [(addr(2), Nearness::Local), (addr(3), Nearness::Local)];
    s.handle(
        0,
        Input::Peers {
            torrent: T0,
            peers: &near,
        },
    );
    drain(&mut s);
    let lacks = join(&mut s, 3, 3, id(8));
    let asker = join(&mut s, 5, 40, id(40));
    let mut told = Vec::new();
    for (piece, now) in [(1, 20), (0, 60)] {
        let asked = requests(&hears(&mut s, now, giver, Message::Have { piece }));
        deliver_whole(&mut s, now + 10, &asked);
        let slot = Slot::Primary;
        let verified = Input::Verified {
            torrent: T0,
            piece,
            slot,
            ok: true,
        };
        s.handle(now + 10, verified);
        told = drain(&mut s);
        let (begin, len) = (0, 16 << 10);
        hears(
            &mut s,
            now + 20,
            asker,
            Message::Request(Block { piece, begin, len }),
        );
    }
    told.contains(&Output::Send {
        conn: lacks,
        message: Outgoing::Have(0),
    })
}

#[test]
fn without_racks_only_the_first_holder_tells_everybody_at_once() {
    assert!(tells_of_a_second_copy(true));
    assert!(!tells_of_a_second_copy(false));
}
