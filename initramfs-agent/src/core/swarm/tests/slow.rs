//! A node whose own link is the slow one.

use std::collections::VecDeque;

use super::hedge::{fetched, site};
use super::*;

const PIECES: u32 = 40;
/// Neighbours that have everything.
const PEERS: u8 = 12;

/// What a download over a link that takes a block in `block_us` was like.
struct Seen {
    cancels: usize,
    fetches: usize,
    closes: usize,
    /// Most requests that waited, in the second half.
    waiting: usize,
    done: bool,
}

/// What waits in front of the node's link.
enum Arrival {
    Block(ConnId, Block),
    /// A piece of the origin, which takes as long as its blocks.
    Piece(FetchId, u32),
}

fn arrivals(outputs: &[Output]) -> Vec<Arrival> {
    let blocks = requests(outputs).into_iter().map(|(c, b)| Arrival::Block(c, b));
    let pieces = outputs
        .iter()
        .filter_map(fetched)
        .map(|(f, p, ..)| Arrival::Piece(f, p));
    blocks.chain(pieces).collect()
}

/// Blocks arrive one after another in the order of the requests, as through a full queue.
fn download(block_us: Micros) -> Seen {
    let mut s = swarm(1);
    s.add_torrent(0, site(PIECES + 1));
    let mut queue: VecDeque<Arrival> = VecDeque::new();
    let mut all = Vec::new();
    for n in 0..PEERS {
        let conn = join(&mut s, u32::from(n) * 2 + 1, n + 2, id(n + 2));
        all.extend(hears(&mut s, 0, conn, Message::HaveAll));
    }
    queue.extend(arrivals(&all));
    let (mut now, mut waiting) = (0, 0);
    while let Some(next) = queue.pop_front() {
        let blocks = match next {
            Arrival::Block(..) => 1,
            Arrival::Piece(..) => 4,
        };
        let arrives = now + blocks * block_us;
        while let Some(at) = s.deadline().filter(|at| *at < arrives) {
            s.handle(at.max(now), Input::Tick);
            let out = drain(&mut s);
            queue.extend(arrivals(&out));
            all.extend(out);
        }
        now = arrives;
        let mut out = Vec::new();
        match next {
            Arrival::Block(conn, block) => {
                if s.place_block(conn, block).is_some() {
                    s.handle(now, Input::Block { conn, block });
                }
            }
            Arrival::Piece(fetch, piece) => {
                s.handle(
                    now,
                    Input::Fetched {
                        fetch,
                        piece,
                        ok: true,
                    },
                );
                let (retry_after, failed) = (None, false);
                s.handle(
                    now,
                    Input::FetchEnded {
                        fetch,
                        retry_after,
                        failed,
                    },
                );
            }
        }
        while let Some(output) = s.poll() {
            if let Output::Verify { torrent, piece, slot } = output {
                s.handle(
                    now,
                    Input::Verified {
                        torrent,
                        piece,
                        slot,
                        ok: true,
                    },
                );
            }
            out.push(output);
        }
        queue.extend(arrivals(&out));
        all.extend(out);
        if s.progress(T0).pieces_done > PIECES / 2 {
            let blocks = queue.iter().filter(|a| matches!(a, Arrival::Block(..)));
            waiting = waiting.max(blocks.count());
        }
    }
    let count = |pick: fn(&Output) -> bool| all.iter().filter(|o| pick(o)).count();
    Seen {
        cancels: count(|o| {
            matches!(
                o,
                Output::Send {
                    message: Outgoing::Cancel(_),
                    ..
                }
            )
        }),
        fetches: count(|o| fetched(o).is_some()),
        closes: count(|o| matches!(o, Output::Close { .. })),
        waiting,
        done: s.progress(T0).pieces_done == PIECES + 1,
    }
}

#[test]
fn a_slow_link_is_not_taken_for_slow_peers() {
    // 0.2 and 0.15 Mbit/s.
    for block_us in [655_000, 900_000] {
        let seen = download(block_us);
        assert!(seen.done, "{block_us}");
        assert_eq!((seen.cancels, seen.closes), (0, 0), "{block_us}: nobody was late");
        assert!(
            seen.fetches <= 2,
            "{block_us}: the server's link helps no slow one, which asked it {} times",
            seen.fetches
        );
        assert!(
            seen.waiting <= 4,
            "{block_us}: {} waited in front of us",
            seen.waiting
        );
    }
}

#[test]
fn a_fast_link_asks_for_its_fill() {
    let seen = download(6_000);
    assert!(seen.done && seen.cancels == 0, "{}", seen.cancels);
    assert!(seen.waiting >= 8, "{} under way", seen.waiting);
}

fn interest(outputs: &[Output], conn: ConnId) -> Vec<bool> {
    let pick = |o: &Output| match o {
        Output::Send { conn: c, message } if *c == conn => match message {
            Outgoing::Interested => Some(true),
            Outgoing::NotInterested => Some(false),
            _ => None,
        },
        _ => None,
    };
    outputs.iter().filter_map(pick).collect()
}

/// Lets the timers run until then.
fn pass(s: &mut Swarm, until: Micros) -> Vec<Output> {
    let mut all = Vec::new();
    while let Some(at) = s.deadline().filter(|at| *at <= until) {
        s.handle(at, Input::Tick);
        all.extend(drain(s));
    }
    all
}

#[test]
fn hand_outs_are_left_to_those_who_are_far_ahead_as_long_as_they_feed_us() {
    let (mut s, seeder) = super::seeded::seeded_of(1, 40);
    let peers: Vec<ConnId> = (2..5)
        .map(|n| join(&mut s, u32::from(n) * 2 + 1, n, id(n)))
        .collect();
    // Two of three neighbours get six pieces, we the first block of one.
    let mut asked = Vec::new();
    for piece in 0..6 {
        for conn in &peers[..2] {
            asked.extend(requests(&hears(&mut s, 10, *conn, Message::Have { piece })));
        }
    }
    assert!(asked.len() > 1, "{asked:?}");
    let mut out = deliver(&mut s, SECOND, &asked[..1]);
    out.extend(pass(&mut s, 2 * SECOND));
    assert_eq!(interest(&out, seeder), [false], "said once");
    // Nobody sends anything any more.
    let out = pass(&mut s, 30 * SECOND);
    assert_eq!(interest(&out, seeder), [true]);
}

#[test]
fn the_last_piece_is_asked_of_another_soon_though_its_holder_has_begun() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(9));
    let [first, other] = [2, 3].map(|n| join(&mut s, u32::from(n) * 2 + 1, n, id(n)));
    let mut asked = requests(&hears(&mut s, 0, first, Message::Bitfield(&[0xff, 0x80])));
    let mut now = 0;
    let last = loop {
        let (conn, block) = asked.remove(0);
        if s.progress(T0).pieces_done == 8 {
            break (conn, block);
        }
        now += 25 * MILLISECOND;
        let mut out = deliver(&mut s, now, &[(conn, block)]);
        let whole = out.iter().find_map(|o| match o {
            Output::Verify { piece, slot, .. } => Some((*piece, *slot)),
            _ => None,
        });
        if let Some((piece, slot)) = whole {
            s.handle(
                now,
                Input::Verified {
                    torrent: T0,
                    piece,
                    slot,
                    ok: true,
                },
            );
            out.extend(drain(&mut s));
        }
        asked.extend(requests(&out));
    };
    assert_eq!(last.0, first);
    hears(&mut s, now, other, Message::HaveAll);
    let begun = now;
    let (at, _) = super::hedge::until(
        &mut s,
        now + 10 * SECOND,
        |o| matches!(o, Output::Send { conn, message: Outgoing::Request(_) } if *conn == other),
    );
    // Pieces took 0.1 to 0.2 s.
    assert!(at - begun <= 500 * MILLISECOND, "after {}", at - begun);
}

#[test]
fn where_pieces_take_long_the_server_is_asked_no_sooner_than_three_of_them() {
    for (piece_us, least, most) in [
        (SECOND / 10, 1_500 * MILLISECOND, 2 * SECOND),
        (3 * SECOND, 20 * SECOND, 21 * SECOND),
        (12 * SECOND, 36 * SECOND, 37 * SECOND),
        (100 * SECOND, 60 * SECOND, 61 * SECOND),
    ] {
        let (mut s, _) = with_peer(site(9), id(9));
        for _ in 0..4 {
            s.torrents[0].times.note(piece_us);
        }
        let quiet = s.quiet_us(T0);
        assert!((least..=most).contains(&quiet), "{piece_us}: {quiet}");
    }
}
