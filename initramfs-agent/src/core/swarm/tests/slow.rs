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

/// Blocks arrive one after another in the order of the requests, as through a full queue.
fn download(block_us: Micros) -> Seen {
    let mut s = swarm(1);
    s.add_torrent(0, site(PIECES + 1));
    let mut queue: VecDeque<(ConnId, Block)> = VecDeque::new();
    let mut all = Vec::new();
    for n in 0..PEERS {
        let conn = join(&mut s, u32::from(n) * 2 + 1, n + 2, id(n + 2));
        all.extend(hears(&mut s, 0, conn, Message::HaveAll));
    }
    queue.extend(requests(&all));
    let (mut now, mut waiting) = (0, 0);
    while let Some((conn, block)) = queue.pop_front() {
        let arrives = now + block_us;
        while let Some(at) = s.deadline().filter(|at| *at < arrives) {
            s.handle(at.max(now), Input::Tick);
            let out = drain(&mut s);
            queue.extend(requests(&out));
            all.extend(out);
        }
        now = arrives;
        let mut out = Vec::new();
        if s.place_block(conn, block).is_some() {
            s.handle(now, Input::Block { conn, block });
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
        queue.extend(requests(&out));
        all.extend(out);
        if s.progress(T0).pieces_done > PIECES / 2 {
            waiting = waiting.max(queue.len());
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
        assert_eq!(seen.fetches, 0, "{block_us}: the server's link helps no slow one");
        assert!(
            seen.waiting <= 4,
            "{block_us}: {} waited in front of us",
            seen.waiting
        );
    }
}

#[test]
fn a_fast_link_asks_for_as_much_as_before() {
    let seen = download(6_000);
    assert!(seen.done && seen.cancels == 0, "{}", seen.cancels);
    assert!(seen.waiting >= 9, "{} under way", seen.waiting);
}
