//! The info dictionary while the server has a whole farm to serve.

use super::metadata::{PIECES, fetches, until, wanting};
use super::*;

#[test]
fn a_busy_server_is_asked_late() {
    for (server_us, least) in [(0, 0), (2 * SECOND, 8 * SECOND)] {
        let mut s = swarm_of(1, server_us);
        s.add_torrent(0, wanting(PIECES, true));
        s.handle(
            0,
            Input::Peers {
                torrent: T0,
                peers: &[(addr(9), Nearness::Local)],
            },
        );
        drain(&mut s);
        let at = until(&mut s, 0, 60 * SECOND, fetches).expect("in the end");
        assert!(at >= least && at <= least * 3 + 3 * SECOND, "{server_us}: {at}");
    }
}

#[test]
fn a_seeder_that_lets_us_wait_for_a_handshake_tells_of_a_busy_server() {
    let mut s = swarm_of(1, 0);
    let mut spec = wanting(PIECES, true);
    spec.seeders = vec![addr(200)];
    s.add_torrent(0, spec);
    drain(&mut s);
    assert_eq!(
        until(&mut s, 0, 9 * SECOND, fetches),
        None,
        "not while it is dialled"
    );
    let conn = ConnId(0);
    s.handle(9 * SECOND, Input::Connected { conn });
    let handshake = Input::Handshake {
        conn,
        peer_id: *b"-WW0001-000000000000",
        fast: true,
        extended: true,
    };
    s.handle(9 * SECOND, handshake);
    drain(&mut s);
    // It has the hashes, but does not send them.
    let at = until(&mut s, 9 * SECOND, 100 * SECOND, fetches).expect("in the end");
    assert!(at >= 29 * SECOND, "{at}");
}

#[test]
fn a_seeder_that_cannot_be_reached_keeps_nobody_from_https_for_long() {
    let mut s = swarm_of(1, 0);
    let mut spec = wanting(PIECES, true);
    spec.seeders = vec![addr(200)];
    s.add_torrent(0, spec);
    drain(&mut s);
    let at = until(&mut s, 0, 60 * SECOND, fetches).expect("after the dial has failed");
    assert!((10 * SECOND..=13 * SECOND).contains(&at), "{at}");
}
