//! With the server's seeder, and without other nodes: when HTTPS takes over.

use super::hedge::{fetched, site, until};
use super::*;

#[test]
fn a_seeder_that_answers_nothing_is_replaced_by_https_within_seconds() {
    let mut s = swarm(1);
    s.add_torrent(
        0,
        TorrentSpec {
            seeders: vec![addr(200)],
            ..site(9)
        },
    );
    let conn = ConnId(0);
    // The kernel takes the connection; the process says nothing.
    s.handle(5, Input::Connected { conn });
    drain(&mut s);
    let (at, out) = until(&mut s, 8 * SECOND, |o| fetched(o).is_some());
    assert!(at <= 6 * SECOND + 100 * MILLISECOND, "after {at}");
    // The seeder may yet answer, and hundreds may ask as we do: ranges begin short and grow with success.
    let mut next = out.iter().find_map(fetched).expect("waited for");
    let mut counts = Vec::new();
    loop {
        let (fetch, first, count, _) = next;
        counts.push(count);
        for piece in first..first + count {
            s.handle(
                at,
                Input::Fetched {
                    fetch,
                    piece,
                    ok: true,
                },
            );
        }
        let (retry_after, failed) = (None, false);
        s.handle(
            at,
            Input::FetchEnded {
                fetch,
                retry_after,
                failed,
            },
        );
        if s.progress(T0).pieces_done == 9 {
            break;
        }
        next = until(&mut s, 10 * SECOND, |o| fetched(o).is_some())
            .1
            .iter()
            .find_map(fetched)
            .expect("goes on");
    }
    assert_eq!(counts, [1, 2, 4, 2]);
}

/// A swarm that is connected to the server's seeder, which has everything and keeps it choked.
fn seeded(seed: u8) -> (Swarm, ConnId) {
    seeded_of(seed, 2)
}

/// The same with so many pieces.
pub(super) fn seeded_of(seed: u8, pieces: u32) -> (Swarm, ConnId) {
    let mut s = swarm(seed);
    let spec = TorrentSpec {
        seeders: vec![addr(200)],
        ..site(pieces)
    };
    s.add_torrent(0, spec);
    let conn = ConnId(0);
    s.handle(5, Input::Connected { conn });
    let peer_id = *b"-WW0000-000000000000";
    let (fast, extended) = (true, true);
    s.handle(
        5,
        Input::Handshake {
            conn,
            peer_id,
            fast,
            extended,
        },
    );
    hears(&mut s, 5, conn, Message::HaveAll);
    (s, conn)
}

#[test]
fn who_is_connected_to_the_seeder_leaves_its_link_to_the_hand_outs_for_a_while() {
    for seed in 1..20 {
        let (mut s, _) = seeded(seed);
        let (torrent, peers) = (T0, &[][..]);
        s.handle(6, Input::Peers { torrent, peers });
        let (at, _) = until(&mut s, 10 * SECOND, |o| fetched(o).is_some());
        assert!(
            (2 * SECOND..=6 * SECOND + SECOND / 10).contains(&at),
            "seed {seed}: after {at}"
        );
    }
}

#[test]
fn a_seeder_that_stops_in_the_middle_is_replaced_by_https() {
    let (mut s, conn) = seeded(1);
    let asked = requests(&hears(&mut s, 7, conn, Message::AllowedFast { piece: 0 }));
    hears(&mut s, 7, conn, Message::AllowedFast { piece: 1 });
    deliver(&mut s, 8, &asked[..1]);
    // Both pieces are in flight there, and nothing comes.
    let mut pieces = Vec::new();
    while pieces.len() < 2 {
        let (at, out) = until(&mut s, 5 * SECOND, |o| fetched(o).is_some());
        for (fetch, piece, count, _) in out.iter().filter_map(fetched) {
            assert!(at <= 4 * SECOND, "{piece} after {at}");
            for piece in piece..piece + count {
                s.handle(
                    at,
                    Input::Fetched {
                        fetch,
                        piece,
                        ok: true,
                    },
                );
                pieces.push(piece);
            }
            s.handle(
                at,
                Input::FetchEnded {
                    fetch,
                    retry_after: None,
                    failed: false,
                },
            );
        }
    }
    assert_eq!(s.progress(T0).pieces_done, 2);
}

#[test]
fn a_server_that_took_long_for_the_manifest_is_not_asked_for_payload_soon() {
    for (server_us, least) in [(0, 2 * SECOND), (2 * SECOND, 8 * SECOND)] {
        let mut s = swarm_of(1, server_us);
        let seeders = vec![addr(200)];
        s.add_torrent(0, TorrentSpec { seeders, ..site(9) });
        s.handle(5, Input::Connected { conn: ConnId(0) });
        drain(&mut s);
        let (at, _) = until(&mut s, 100 * SECOND, |o| fetched(o).is_some());
        assert!(at >= least && at <= 3 * least + SECOND, "{server_us}: after {at}");
    }
}
