//! The info dictionary: who is asked when, who serves it, and who is believed.

use super::*;
use crate::core::limits::METADATA_PART_BYTES;
use crate::core::metainfo::{InfoShape, info_dictionary, infohash};
use crate::core::wire::{MetadataMessage, metadata_part};

pub(super) const PIECES: u32 = 20;

fn size(pieces: u32) -> u64 {
    spec(pieces).size_bytes
}

fn info_of(pieces: u32) -> Vec<u8> {
    let hashes: Vec<u8> = (0..pieces * 20).map(|i| i as u8).collect();
    info_dictionary("file", size(pieces), PIECE, &hashes)
}

pub(super) fn wanting(pieces: u32, has_url: bool) -> TorrentSpec {
    TorrentSpec {
        infohash: infohash(&info_of(pieces)),
        has_origin: has_url,
        metadata: MetadataSpec::Wanted {
            shape: InfoShape::new("file", size(pieces), PIECE),
            has_url,
        },
        ..spec(pieces)
    }
}

fn knowing(pieces: u32) -> TorrentSpec {
    TorrentSpec {
        metadata: MetadataSpec::Known(info_of(pieces).into()),
        ..wanting(pieces, false)
    }
}

fn greets(s: &mut Swarm, now: Micros, conn: ConnId, metadata_size: Option<u32>) -> Vec<Output> {
    let hello = Input::ExtendedHandshake {
        conn,
        elsewhere: None,
        bootswarm: true,
        listen_port: None,
        requests_max: None,
        ut_pex: None,
        metadata_size,
    };
    s.handle(now, hello);
    drain(s)
}

fn says(s: &mut Swarm, now: Micros, conn: ConnId, message: MetadataMessage<'_>) -> Vec<Output> {
    s.handle(now, Input::Metadata { conn, message });
    drain(s)
}

fn gives(s: &mut Swarm, now: Micros, conn: ConnId, info: &[u8], part: u32) -> Vec<Output> {
    let (total, bytes) = (info.len() as u64, metadata_part(info, part));
    says(s, now, conn, MetadataMessage::Data { part, total, bytes })
}

fn asked(outputs: &[Output]) -> Vec<(ConnId, u32)> {
    let pick = |o: &Output| match o {
        Output::Send {
            conn,
            message: Outgoing::MetadataRequest(part),
        } => Some((*conn, *part)),
        _ => None,
    };
    outputs.iter().filter_map(pick).collect()
}

pub(super) fn fetches(outputs: &[Output]) -> bool {
    outputs.iter().any(|o| matches!(o, Output::FetchMetadata { .. }))
}

fn told(outputs: &[Output]) -> Vec<(ConnId, Option<u32>)> {
    let pick = |o: &Output| match o {
        Output::Send {
            conn,
            message:
                Outgoing::ExtendedHandshake {
                    metadata_size,
                    elsewhere: None,
                },
        } => Some((*conn, *metadata_size)),
        _ => None,
    };
    outputs.iter().filter_map(pick).collect()
}

fn tick(s: &mut Swarm, now: Micros) -> Vec<Output> {
    s.handle(now, Input::Tick);
    drain(s)
}

/// Ticks until there is such an output; when that was.
pub(super) fn until(
    s: &mut Swarm,
    mut now: Micros,
    limit: Micros,
    wanted: fn(&[Output]) -> bool,
) -> Option<Micros> {
    while now < limit {
        if wanted(&tick(s, now)) {
            return Some(now);
        }
        now = s.deadline().unwrap_or(limit).max(now + 1);
    }
    None
}

#[test]
fn pieces_wait_for_their_hashes_and_neighbours_hear_of_them() {
    let info = info_of(PIECES);
    let len = info.len() as u32;
    let (mut s, a) = with_peer(wanting(PIECES, false), id(2));
    let b = join(&mut s, 3, 3, id(3));
    let c = join(&mut s, 5, 4, id(4));
    // What a peer has counts before its hashes are known, and nothing is asked for.
    let out = hears(&mut s, 1000, a, Message::HaveAll);
    assert!(requests(&out).is_empty());
    assert!(
        hears(&mut s, 1000, b, Message::Bitfield(&[0xff, 0xff, 0xf0]))
            .iter()
            .all(|o| { !matches!(o, Output::Banned { .. } | Output::Close { .. }) })
    );
    // A neighbour is asked at once, and only one.
    assert_eq!(asked(&greets(&mut s, 2000, a, Some(len))), [(a, 0)]);
    assert!(asked(&greets(&mut s, 2000, b, Some(len))).is_empty());
    assert!(asked(&greets(&mut s, 2000, c, None)).is_empty());
    let out = gives(&mut s, 3000, a, &info, 0);
    let hashes = out.iter().find_map(|o| match o {
        Output::Metadata { hashes, .. } => Some(hashes.clone()),
        _ => None,
    });
    assert_eq!(hashes.unwrap().len(), 20 * PIECES as usize);
    assert!(!requests(&out).is_empty());
    // Only peers that lack it hear of it; those that come later hear it in the first handshake.
    assert_eq!(told(&out), [(c, Some(len))]);
    s.handle(
        4000,
        Input::Incoming {
            conn: ConnId(7),
            addr: addr(9),
            torrent: T0,
        },
    );
    let handshake = Input::Handshake {
        conn: ConnId(7),
        peer_id: id(9),
        fast: true,
        extended: true,
    };
    s.handle(4000, handshake);
    assert_eq!(told(&drain(&mut s)), [(ConnId(7), Some(len))]);
    // And it is served, so often and no more.
    let request = MetadataMessage::Request { part: 0 };
    let parts = (0..30).filter(|_| {
        says(&mut s, 5000, c, request).iter().any(|o| {
            matches!(
                o,
                Output::Send {
                    message: Outgoing::MetadataPart { part: 0, .. },
                    ..
                }
            )
        })
    });
    assert_eq!(parts.count(), 10);
    let none = says(&mut s, 5000, b, MetadataMessage::Request { part: 1 });
    assert!(matches!(
        none[..],
        [Output::Send {
            message: Outgoing::MetadataReject(1),
            ..
        }]
    ));
}

#[test]
fn long_dictionaries_come_in_parts() {
    let pieces = 9000;
    let info = info_of(pieces);
    let parts = info.len().div_ceil(METADATA_PART_BYTES) as u32;
    assert_eq!(parts, 11);
    let (mut s, a) = with_peer(wanting(pieces, false), id(2));
    let mut out = greets(&mut s, 1000, a, Some(info.len() as u32));
    assert_eq!(asked(&out), [(a, 0), (a, 1), (a, 2), (a, 3)]);
    // A part out of turn is no use, and no crime.
    assert!(gives(&mut s, 1000, a, &info, 2).is_empty());
    for part in 0..parts {
        out = gives(&mut s, 2000, a, &info, part);
        let next: Vec<(ConnId, u32)> = (part + 4..part + 5)
            .filter(|p| *p < parts)
            .map(|p| (a, p))
            .collect();
        assert_eq!(asked(&out), next);
    }
    assert!(out.iter().any(|o| matches!(o, Output::Metadata { .. })));
}

#[test]
fn liars_are_banned_and_the_next_one_is_asked() {
    let info = info_of(PIECES);
    let len = info.len() as u32;
    let mut wrong = info.clone();
    wrong[60] ^= 1;
    let (mut s, a) = with_peer(wanting(PIECES, false), id(2));
    let b = join(&mut s, 3, 3, id(3));
    let c = join(&mut s, 5, 4, id(4));
    // Another size cannot be the right dictionary: such a peer is not asked.
    assert!(asked(&greets(&mut s, 1000, c, Some(len + 1))).is_empty());
    greets(&mut s, 1000, a, Some(len));
    greets(&mut s, 1000, b, Some(len));
    let out = gives(&mut s, 2000, a, &wrong, 0);
    assert!(banned(&out, Code::PeerBadPiece));
    assert_eq!(asked(&out), [(b, 0)]);
    // Bytes nobody asked for are not looked at.
    assert!(gives(&mut s, 2000, c, &info, 0).is_empty());
    let short = MetadataMessage::Data {
        part: 0,
        total: u64::from(len),
        bytes: &info[..100],
    };
    assert!(banned(&says(&mut s, 3000, b, short), Code::PeerProtocol));
    assert!(gives(&mut s, 3000, b, &info, 0).is_empty());
    let out = greets(&mut s, 4000, c, Some(len));
    assert_eq!(asked(&out), [(c, 0)]);
    assert!(
        gives(&mut s, 4000, c, &info, 0)
            .iter()
            .any(|o| matches!(o, Output::Metadata { .. }))
    );
}

#[test]
fn who_refuses_or_stalls_rests_while_others_are_asked() {
    let info = info_of(PIECES);
    let len = info.len() as u32;
    let (mut s, a) = with_peer(wanting(PIECES, false), id(2));
    greets(&mut s, 0, a, Some(len));
    let b = join(&mut s, 3, 3, id(3));
    greets(&mut s, 0, b, Some(len));
    let out = says(&mut s, 10_000, a, MetadataMessage::Reject { part: 0 });
    assert_eq!(asked(&out), [(b, 0)]);
    // The other one says nothing; nobody is left until the first has rested.
    let again = until(&mut s, 10_001, 20 * SECOND, |o| !asked(o).is_empty()).unwrap();
    assert!((5 * SECOND..6 * SECOND).contains(&again), "{again}");
    // A peer that leaves in the middle is forgotten.
    s.handle(again, Input::Closed { conn: a });
    drain(&mut s);
    let other = until(&mut s, again + 1, 20 * SECOND, |o| !asked(o).is_empty());
    assert!(other.is_some_and(|at| at < 8 * SECOND), "{other:?}");
}

#[test]
fn the_server_is_asked_after_a_drawn_wait_and_at_once_by_who_is_alone() {
    let len = info_of(PIECES).len() as u32;
    let seeded = || TorrentSpec {
        seeders: vec![addr(200)],
        ..wanting(PIECES, true)
    };
    let seeder_up = |s: &mut Swarm| {
        let conn = drain(s)
            .into_iter()
            .find_map(|o| match o {
                Output::Connect { conn, .. } => Some(conn),
                _ => None,
            })
            .unwrap();
        s.handle(0, Input::Connected { conn });
        let handshake = Input::Handshake {
            conn,
            peer_id: *b"-WW0000-bootseeder00",
            fast: true,
            extended: true,
        };
        s.handle(0, handshake);
        drain(s);
        greets(s, 0, conn, Some(len));
        conn
    };
    let mut waits = Vec::new();
    for n in 0..40 {
        let mut s = swarm(n);
        s.add_torrent(0, seeded());
        seeder_up(&mut s);
        waits.push(until(&mut s, 0, SECOND, |o| !asked(o).is_empty()).unwrap());
    }
    waits.sort_unstable();
    assert!(
        waits[0] < 30 * MILLISECOND && waits[39] <= 200 * MILLISECOND,
        "{waits:?}"
    );
    assert!(waits[39] > 150 * MILLISECOND, "{waits:?}");
    // The tracker knows nobody else.
    let mut s = swarm(7);
    s.add_torrent(0, seeded());
    let conn = seeder_up(&mut s);
    s.handle(
        500,
        Input::Peers {
            torrent: T0,
            peers: &[],
        },
    );
    let mut out = drain(&mut s);
    out.extend(tick(&mut s, 501));
    assert_eq!(asked(&out), [(conn, 0)]);
}

#[test]
fn https_helps_where_no_peer_does() {
    let info = info_of(PIECES);
    // Nobody to wait for.
    let mut s = swarm(1);
    s.add_torrent(0, wanting(PIECES, true));
    assert!(until(&mut s, 0, 250 * MILLISECOND, fetches).is_some());
    // A server that asks for patience gets it, one that is gone is asked again, less and less often.
    let answer = |s: &mut Swarm, now, info: Option<&[u8]>, retry_after| {
        let input = Input::MetadataFetched {
            torrent: T0,
            info,
            retry_after,
        };
        s.handle(now, input);
        drain(s)
    };
    answer(&mut s, SECOND, None, Some(10 * SECOND));
    let at = until(&mut s, SECOND, 60 * SECOND, fetches).unwrap();
    assert!((11 * SECOND..=16 * SECOND).contains(&at), "{at}");
    answer(&mut s, at, None, None);
    let next = until(&mut s, at, 60 * SECOND, fetches).unwrap();
    assert!((at + SECOND..=at + 2 * SECOND).contains(&next), "{next}");
    // What is not it changes nothing.
    answer(&mut s, next, Some(b"d4:spam4:eggse"), None);
    let last = until(&mut s, next, 60 * SECOND, fetches).unwrap();
    let out = answer(&mut s, last, Some(&info), None);
    assert!(out.iter().any(|o| matches!(o, Output::Metadata { .. })));
    // With peers about that give nothing it takes a little longer, and no promise keeps us from it for ever.
    let (mut s, a) = with_peer(wanting(PIECES, true), id(2));
    let at = until(&mut s, 0, 10 * SECOND, fetches).unwrap();
    assert!((500 * MILLISECOND..=2200 * MILLISECOND).contains(&at), "{at}");
    assert!(
        answer(&mut s, at, Some(&info), None)
            .iter()
            .any(|o| matches!(o, Output::Metadata { .. }))
    );
    assert!(asked(&greets(&mut s, at, a, Some(info.len() as u32))).is_empty());
}

#[test]
fn a_dictionary_of_another_file_ends_the_torrent() {
    let other = info_dictionary("other", size(PIECES), PIECE, &[7; 20 * PIECES as usize]);
    let mut s = swarm(1);
    s.add_torrent(
        0,
        TorrentSpec {
            infohash: infohash(&other),
            ..wanting(PIECES, true)
        },
    );
    let input = Input::MetadataFetched {
        torrent: T0,
        info: Some(&other),
        retry_after: None,
    };
    s.handle(0, input);
    assert!(drain(&mut s).contains(&Output::MetadataUnfit { torrent: T0 }));
    assert!(until(&mut s, 0, 60 * SECOND, fetches).is_none());
}

#[test]
fn a_seed_gives_it_to_a_stock_client() {
    let info = info_of(PIECES);
    let mut s = swarm(1);
    s.add_torrent(
        0,
        TorrentSpec {
            have_all: true,
            ..knowing(PIECES)
        },
    );
    let conn = join(&mut s, 1, 2, *b"-LT1000-000000000000");
    let out = says(&mut s, 0, conn, MetadataMessage::Request { part: 0 });
    let served = Output::Send {
        conn,
        message: Outgoing::MetadataPart {
            part: 0,
            info: info.into(),
        },
    };
    assert_eq!(out, [served]);
}

#[test]
fn one_silent_peer_is_enough_to_ask_over_https() {
    let mut s = swarm_of(1, 20 * MILLISECOND);
    s.add_torrent(0, wanting(PIECES, true));
    let len = info_of(PIECES).len() as u32;
    for n in 0..23 {
        let conn = join(&mut s, u32::from(n) * 2 + 1, n + 2, id(n + 2));
        greets(&mut s, 0, conn, Some(len));
    }
    let at = until(&mut s, 0, 60 * SECOND, fetches).expect("in the end");
    assert!((SECOND..3 * SECOND).contains(&at), "{at}");
}
