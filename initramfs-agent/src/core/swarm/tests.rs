//! Hand-driven tests in virtual time: one state machine, and we are its peers; then two against each other.

use std::net::SocketAddr;

use super::*;
use crate::core::time::{MILLISECOND, SECOND};
use crate::core::wire::Message;

const PIECE: u32 = 64 << 10;
const T0: TorrentId = TorrentId(0);

fn addr(host: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host], 6881))
}

fn spec(pieces: u32) -> TorrentSpec {
    TorrentSpec {
        infohash: [1; 20],
        // The last piece is one byte short of a block.
        size_bytes: u64::from(pieces - 1) * u64::from(PIECE) + (16 << 10) - 1,
        piece_length: PIECE,
        have_all: false,
        has_origin: false,
        seeders: Vec::new(),
    }
}

fn id(n: u8) -> [u8; 20] {
    let mut id = *b"-BW0001-000000000000";
    id[19] = n;
    id
}

fn swarm(n: u8) -> Swarm {
    Swarm::new(SwarmConfig {
        seed: u64::from(n),
        listen_port: 6881,
        own_addrs: vec![addr(n)],
        peer_id: id(n),
        window_pieces: 0,
    })
}

fn drain(s: &mut Swarm) -> Vec<Output> {
    std::iter::from_fn(|| s.poll()).collect()
}

/// A swarm with one agent as its neighbour; what was said until then is thrown away.
fn with_peer(spec: TorrentSpec, peer_id: [u8; 20]) -> (Swarm, ConnId) {
    let mut s = swarm(1);
    s.add_torrent(0, spec);
    let conn = join(&mut s, 1, 2, peer_id);
    (s, conn)
}

fn join(s: &mut Swarm, conn: u32, host: u8, peer_id: [u8; 20]) -> ConnId {
    let conn = ConnId(conn);
    s.handle(
        0,
        Input::Incoming {
            conn,
            addr: SocketAddr::from(([10, 0, 0, host], 40_000)),
            torrent: T0,
        },
    );
    s.handle(
        0,
        Input::Handshake {
            conn,
            peer_id,
            fast: true,
            extended: true,
        },
    );
    drain(s);
    conn
}

fn hears(s: &mut Swarm, now: Micros, conn: ConnId, message: Message<'_>) -> Vec<Output> {
    s.handle(now, Input::Message { conn, message });
    drain(s)
}

fn requests(outputs: &[Output]) -> Vec<(ConnId, Block)> {
    let pick = |o: &Output| match o {
        Output::Send {
            conn,
            message: Outgoing::Request(b),
        } => Some((*conn, *b)),
        _ => None,
    };
    outputs.iter().filter_map(pick).collect()
}

fn banned(outputs: &[Output], code: Code) -> bool {
    outputs
        .iter()
        .any(|o| matches!(o, Output::Banned { code: c, .. } if *c == code))
}

/// Delivers all requested blocks; what follows.
fn deliver(s: &mut Swarm, now: Micros, asked: &[(ConnId, Block)]) -> Vec<Output> {
    let mut out = Vec::new();
    for (conn, block) in asked {
        assert!(s.place_block(*conn, *block).is_some(), "{block:?} has no place");
        s.handle(
            now,
            Input::Block {
                conn: *conn,
                block: *block,
            },
        );
        out.extend(drain(s));
    }
    out
}

#[test]
fn asks_whole_pieces_in_block_order_and_announces_them() {
    let (mut s, conn) = with_peer(spec(1), id(9));
    let asked = requests(&hears(&mut s, 10, conn, Message::HaveAll));
    assert_eq!(
        asked,
        [(
            conn,
            Block {
                piece: 0,
                begin: 0,
                len: (16 << 10) - 1
            }
        )]
    );
    let out = deliver(&mut s, 20, &asked);
    assert_eq!(
        out,
        [Output::Verify {
            torrent: T0,
            piece: 0,
            slot: Slot::Primary
        }]
    );
    s.handle(
        30,
        Input::Verified {
            torrent: T0,
            piece: 0,
            slot: Slot::Primary,
            ok: true,
        },
    );
    let out = drain(&mut s);
    assert!(out.contains(&Output::PieceDone {
        torrent: T0,
        piece: 0
    }));
    assert!(out.contains(&Output::TorrentDone { torrent: T0 }));
    assert!(out.contains(&Output::Send {
        conn,
        message: Outgoing::Have(0)
    }));
    assert!(s.has_piece(T0, 0) && !s.has_piece(T0, 1));
    let p = s.progress(T0);
    assert_eq!(
        (p.from_peers_bytes, p.from_origin_bytes, p.duplicate_bytes),
        ((16 << 10) - 1, 0, 0)
    );
}

#[test]
fn a_bad_piece_bans_its_sender_and_is_asked_of_another() {
    let (mut s, bad) = with_peer(spec(1), id(9));
    let good = join(&mut s, 3, 3, id(8));
    let asked = requests(&hears(&mut s, 10, bad, Message::HaveAll));
    hears(&mut s, 10, good, Message::HaveAll);
    deliver(&mut s, 20, &asked);
    s.handle(
        30,
        Input::Verified {
            torrent: T0,
            piece: 0,
            slot: Slot::Primary,
            ok: false,
        },
    );
    let out = drain(&mut s);
    assert!(banned(&out, Code::PeerBadPiece));
    assert!(out.contains(&Output::Close {
        conn: bad,
        blame: Some(Code::PeerBadPiece)
    }));
    assert_eq!(requests(&out).first().map(|(c, _)| *c), Some(good));
    // Neither accepted nor dialled again.
    s.handle(
        40,
        Input::Incoming {
            conn: ConnId(5),
            addr: addr(2),
            torrent: T0,
        },
    );
    assert_eq!(
        drain(&mut s),
        [Output::Close {
            conn: ConnId(5),
            blame: None
        }]
    );
    s.handle(
        50,
        Input::Peers {
            torrent: T0,
            peers: &[(addr(2), Nearness::Local)],
        },
    );
    assert!(!drain(&mut s).iter().any(|o| matches!(o, Output::Connect { .. })));
}

#[test]
fn a_stock_peer_is_asked_only_when_it_unchokes_and_loses_requests_when_it_chokes() {
    let (mut s, conn) = with_peer(spec(3), *b"-TR4000-000000000000");
    let out = hears(&mut s, 10, conn, Message::HaveAll);
    assert_eq!(
        out,
        [Output::Send {
            conn,
            message: Outgoing::Interested
        }]
    );
    let asked = requests(&hears(&mut s, 20, conn, Message::Unchoke));
    assert!(!asked.is_empty());
    let piece = asked[0].1.piece;
    for (_, block) in asked.iter().filter(|(_, b)| b.piece == piece) {
        hears(&mut s, 30, conn, Message::Choke);
        let out = hears(&mut s, 30, conn, Message::Reject(*block));
        assert!(!banned(&out, Code::PeerProtocol));
    }
    assert!(requests(&hears(&mut s, 5 * SECOND, conn, Message::KeepAlive)).is_empty());
    s.handle(20 * SECOND, Input::Tick);
    drain(&mut s);
    assert!(!requests(&hears(&mut s, 20 * SECOND, conn, Message::Unchoke)).is_empty());
}

#[test]
fn takes_from_a_choking_seeder_exactly_what_it_is_given() {
    let mut s = swarm(1);
    s.add_torrent(
        0,
        TorrentSpec {
            seeders: vec![addr(200)],
            ..spec(5)
        },
    );
    let out = drain(&mut s);
    assert!(out.contains(&Output::Connect {
        conn: ConnId(0),
        addr: addr(200),
        torrent: T0
    }));
    let conn = ConnId(0);
    s.handle(5, Input::Connected { conn });
    s.handle(
        5,
        Input::Handshake {
            conn,
            peer_id: *b"-WW0000-000000000000",
            fast: true,
            extended: true,
        },
    );
    let hello = Input::ExtendedHandshake {
        conn,
        bootswarm: true,
        listen_port: None,
        requests_max: None,
        ut_pex: None,
    };
    s.handle(5, hello);
    drain(&mut s);
    assert!(requests(&hears(&mut s, 6, conn, Message::HaveAll)).is_empty());
    let asked = requests(&hears(&mut s, 7, conn, Message::AllowedFast { piece: 2 }));
    let begins: Vec<u32> = asked.iter().map(|(_, b)| b.begin >> 14).collect();
    assert_eq!(begins, [0, 1, 2, 3]);
    assert!(asked.iter().all(|(_, b)| b.piece == 2));
    deliver(&mut s, 8, &asked);
    s.handle(
        9,
        Input::Verified {
            torrent: T0,
            piece: 2,
            slot: Slot::Primary,
            ok: true,
        },
    );
    assert_eq!(s.progress(T0).from_origin_bytes, u64::from(PIECE));
}

#[test]
fn what_the_rack_has_does_not_come_over_the_uplink() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(2));
    s.handle(
        0,
        Input::Peers {
            torrent: T0,
            peers: &[(addr(2), Nearness::Local), (addr(3), Nearness::Across)],
        },
    );
    let near = join(&mut s, 1, 2, id(9));
    let far = join(&mut s, 3, 3, id(8));
    hears(&mut s, 10, near, Message::Bitfield(&[0x80]));
    let out = hears(&mut s, 10, far, Message::HaveAll);
    let far_pieces: Vec<u32> = requests(&out)
        .iter()
        .filter(|(c, _)| *c == far)
        .map(|(_, b)| b.piece)
        .collect();
    assert!(
        !far_pieces.is_empty() && far_pieces.iter().all(|p| *p == 1),
        "{far_pieces:?}"
    );
    // The rack hears of it, and we heed what it says.
    assert!(out.contains(&Output::Send {
        conn: near,
        message: Outgoing::Suggest(1)
    }));
}

#[test]
fn a_claim_of_a_neighbour_is_heeded_for_a_while() {
    let mut s = swarm(1);
    s.add_torrent(0, spec(1));
    s.handle(
        0,
        Input::Peers {
            torrent: T0,
            peers: &[(addr(2), Nearness::Local), (addr(3), Nearness::Across)],
        },
    );
    let near = join(&mut s, 1, 2, id(9));
    let far = join(&mut s, 3, 3, id(8));
    hears(&mut s, 10, near, Message::Suggest { piece: 0 });
    assert!(requests(&hears(&mut s, 10, far, Message::HaveAll)).is_empty());
    s.handle(30 * SECOND, Input::Tick);
    assert_eq!(requests(&drain(&mut s)).first().map(|(c, _)| *c), Some(far));
}

#[test]
fn a_late_piece_is_asked_of_another_and_the_loser_is_cancelled() {
    let (mut s, slow) = with_peer(spec(1), id(9));
    let other = join(&mut s, 3, 3, id(8));
    let asked = requests(&hears(&mut s, 10, slow, Message::HaveAll));
    assert_eq!(asked.len(), 1);
    hears(&mut s, 10, other, Message::HaveAll);
    let mut out = Vec::new();
    for _ in 0..20 {
        let Some(at) = s.deadline().filter(|at| *at < 15 * SECOND) else {
            break;
        };
        s.handle(at, Input::Tick);
        out.extend(drain(&mut s));
    }
    assert!(requests(&out).iter().any(|(c, _)| *c == other), "{out:?}");
    assert!(out.contains(&Output::Send {
        conn: slow,
        message: Outgoing::Cancel(asked[0].1)
    }));
    assert!(out.contains(&Output::Discard {
        torrent: T0,
        piece: 0,
        slot: Slot::Primary
    }));
    // The late block has no place any more, and its sender is not blamed for it.
    assert_eq!(s.place_block(slow, asked[0].1), None);
    assert!(!banned(&drain(&mut s), Code::PeerProtocol));
    assert!(s.progress(T0).duplicate_bytes > 0);
}

#[test]
fn a_peer_that_goes_frees_its_slot() {
    let (mut s, conn) = with_peer(spec(1), id(9));
    hears(&mut s, 10, conn, Message::HaveAll);
    s.handle(20, Input::Closed { conn });
    assert!(drain(&mut s).contains(&Output::Discard {
        torrent: T0,
        piece: 0,
        slot: Slot::Primary
    }));
    assert_eq!(s.progress(T0).peers, 0);
}

#[test]
fn serves_few_at_a_time_and_rejects_what_it_lacks() {
    let mut s = swarm(1);
    s.add_torrent(
        0,
        TorrentSpec {
            have_all: true,
            ..spec(9)
        },
    );
    let block = |piece| Block {
        piece,
        begin: 0,
        len: 16 << 10,
    };
    let mut sent = 0;
    for n in 0..12u8 {
        let conn = join(
            &mut s,
            u32::from(n) * 2 + 1,
            20 + n,
            b"-TR4000-0000000000xx".map_first(n),
        );
        let out = hears(&mut s, 10, conn, Message::Request(block(u32::from(n) % 8)));
        sent += out
            .iter()
            .filter(|o| matches!(o, Output::SendBlock { .. }))
            .count();
    }
    assert_eq!(sent, 4);
    s.handle(
        20,
        Input::Sent {
            conn: ConnId(1),
            bytes: 16 << 10,
        },
    );
    assert_eq!(
        drain(&mut s)
            .iter()
            .filter(|o| matches!(o, Output::SendBlock { .. }))
            .count(),
        1
    );
    let conn = join(&mut s, 101, 90, id(90));
    let out = hears(
        &mut s,
        30,
        conn,
        Message::Request(Block {
            piece: 9,
            begin: 0,
            len: 1,
        }),
    );
    assert!(banned(&out, Code::PeerProtocol));
}

trait MapFirst {
    fn map_first(&self, n: u8) -> Self;
}
impl MapFirst for [u8; 20] {
    fn map_first(&self, n: u8) -> Self {
        let mut id = *self;
        id[19] = n;
        id
    }
}

#[test]
fn alone_it_fetches_all_from_the_origin_and_backs_off() {
    let mut s = swarm(1);
    s.add_torrent(
        0,
        TorrentSpec {
            has_origin: true,
            ..spec(5)
        },
    );
    let mut out = drain(&mut s);
    let mut now = 0;
    while !out.iter().any(|o| matches!(o, Output::Fetch { .. })) {
        now = s.deadline().expect("it never gives up");
        assert!(now <= 2 * SECOND, "waits too long");
        s.handle(now, Input::Tick);
        out = drain(&mut s);
    }
    let whole = Output::Fetch {
        fetch: FetchId(0),
        torrent: T0,
        piece: 0,
        count: 5,
        slot: Slot::Primary,
    };
    assert!(out.contains(&whole));
    s.handle(
        now,
        Input::Fetched {
            fetch: FetchId(0),
            piece: 0,
            ok: true,
        },
    );
    s.handle(
        now,
        Input::Fetched {
            fetch: FetchId(0),
            piece: 1,
            ok: false,
        },
    );
    s.handle(
        now,
        Input::FetchEnded {
            fetch: FetchId(0),
            retry_after: Some(7 * SECOND),
            failed: false,
        },
    );
    let out = drain(&mut s);
    assert!(!out.iter().any(|o| matches!(o, Output::Fetch { .. })));
    let again = s.deadline().expect("it never gives up");
    assert!(again > now);
    let mut at = again;
    loop {
        s.handle(at, Input::Tick);
        if drain(&mut s).iter().any(|o| {
            matches!(
                o,
                Output::Fetch {
                    piece: 1,
                    count: 4,
                    ..
                }
            )
        }) {
            break;
        }
        at = s.deadline().expect("it never gives up").max(at + MILLISECOND);
        assert!(at < 60 * SECOND);
    }
    assert!(at >= now + 7 * SECOND, "did not heed Retry-After");
    assert_eq!(s.progress(T0).from_origin_bytes, u64::from(PIECE));
}

#[test]
fn two_connections_to_one_peer_leave_the_same_one_at_both_ends() {
    for (ours, theirs) in [(1, 2), (2, 1)] {
        let mut s = swarm(ours);
        s.add_torrent(0, spec(1));
        s.handle(
            0,
            Input::Peers {
                torrent: T0,
                peers: &[(addr(theirs), Nearness::Local)],
            },
        );
        s.handle(0, Input::Connected { conn: ConnId(0) });
        s.handle(
            0,
            Input::Handshake {
                conn: ConnId(0),
                peer_id: id(theirs),
                fast: true,
                extended: true,
            },
        );
        drain(&mut s);
        let conn = ConnId(1);
        s.handle(
            0,
            Input::Incoming {
                conn,
                addr: addr(theirs),
                torrent: T0,
            },
        );
        s.handle(
            0,
            Input::Handshake {
                conn,
                peer_id: id(theirs),
                fast: true,
                extended: true,
            },
        );
        let loser = if ours < theirs { conn } else { ConnId(0) };
        assert!(drain(&mut s).contains(&Output::Close {
            conn: loser,
            blame: None
        }));
        assert_eq!(s.progress(T0).peers, 1);
    }
}

#[test]
fn hostile_input_never_panics_and_stays_bounded() {
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let mut s = swarm(1);
        s.add_torrent(
            0,
            TorrentSpec {
                has_origin: true,
                seeders: vec![addr(200)],
                ..spec(9)
            },
        );
        let mut now = 0;
        let mut asked: Vec<(ConnId, Block)> = Vec::new();
        let mut verify = Vec::new();
        for step in 0..3000 {
            now += rng.below(50 * MILLISECOND);
            let conn = ConnId(rng.below(24) as u32);
            let piece = if rng.below(8) == 0 {
                rng.next_u64() as u32
            } else {
                rng.below(11) as u32
            };
            let begin = if rng.below(8) == 0 {
                rng.next_u64() as u32
            } else {
                (rng.below(5) as u32) << 14
            };
            let len = if rng.below(4) == 0 {
                rng.next_u64() as u32
            } else {
                16 << 10
            };
            let block = Block { piece, begin, len };
            let from = SocketAddr::from(([10, 0, 1, rng.below(30) as u8], 7));
            let bits = vec![rng.next_u64() as u8; rng.below(4) as usize];
            let fetch = FetchId(rng.below(4) as u32);
            let peer_id = id(rng.below(40) as u8);
            let fast = rng.below(4) != 0;
            let some = [
                (from, Nearness::Unknown),
                (addr(1), Nearness::Local),
                (addr(7), Nearness::Across),
            ];
            let hello = Input::ExtendedHandshake {
                conn,
                bootswarm: rng.below(2) == 0,
                listen_port: Some(rng.next_u64() as u16),
                requests_max: Some(rng.below(3) as u32),
                ut_pex: Some(rng.below(3) as u8),
            };
            let say = |message| Input::Message { conn, message };
            match rng.below(26) {
                0..=2 => s.handle(
                    now,
                    Input::Incoming {
                        conn,
                        addr: from,
                        torrent: TorrentId(rng.below(2) as u16),
                    },
                ),
                3..=4 => s.handle(
                    now,
                    Input::Handshake {
                        conn,
                        peer_id,
                        fast,
                        extended: true,
                    },
                ),
                5 => s.handle(now, hello),
                6 => s.handle(now, say(Message::Bitfield(&bits))),
                7 => s.handle(now, say(Message::HaveAll)),
                8 => s.handle(now, say(Message::Have { piece })),
                9 => s.handle(now, say(Message::Request(block))),
                10 => s.handle(now, say(Message::Cancel(block))),
                11 => s.handle(now, say(Message::Reject(block))),
                12 => s.handle(now, say(Message::AllowedFast { piece })),
                13 => s.handle(now, say(Message::Suggest { piece })),
                14 => s.handle(now, say(Message::Choke)),
                15 => s.handle(now, say(Message::Unchoke)),
                16 => s.handle(now, Input::Block { conn, block }),
                17 => drop(s.place_block(conn, block)),
                18 => s.handle(
                    now,
                    Input::Peers {
                        torrent: T0,
                        peers: &some,
                    },
                ),
                19 => s.handle(
                    now,
                    Input::Fetched {
                        fetch,
                        piece,
                        ok: rng.below(2) == 0,
                    },
                ),
                20 => s.handle(
                    now,
                    Input::FetchEnded {
                        fetch,
                        retry_after: None,
                        failed: true,
                    },
                ),
                21 => s.handle(now, Input::Closed { conn }),
                22 => s.handle(now, Input::Sent { conn, bytes: len }),
                23 if !verify.is_empty() => {
                    let (torrent, piece, slot) = verify.swap_remove(rng.below(verify.len() as u64) as usize);
                    s.handle(
                        now,
                        Input::Verified {
                            torrent,
                            piece,
                            slot,
                            ok: rng.below(3) == 0,
                        },
                    );
                }
                24 if !asked.is_empty() => {
                    let (conn, block) = asked.swap_remove(rng.below(asked.len() as u64) as usize);
                    if s.place_block(conn, block).is_some() {
                        s.handle(now, Input::Block { conn, block });
                    }
                }
                _ => s.handle(now, Input::Tick),
            }
            let out = drain(&mut s);
            assert!(out.len() < 4000, "seed {seed} step {step}: {} outputs", out.len());
            asked.extend(requests(&out));
            asked.truncate(500);
            for o in out {
                if let Output::Verify { torrent, piece, slot } = o {
                    verify.push((torrent, piece, slot));
                }
            }
            let t = &s.torrents[0];
            assert!(
                s.peers.len() <= 64 && t.jobs.len() <= 64 && t.known.len() <= 1024,
                "seed {seed} step {step}"
            );
            for job in &t.jobs {
                let twin = t
                    .jobs
                    .iter()
                    .filter(|j| j.piece == job.piece && j.slot == job.slot)
                    .count();
                assert_eq!(twin, 1, "seed {seed} step {step}: two writers in one slot");
                assert!(
                    !t.is_wanted(job.piece),
                    "seed {seed} step {step}: in flight and wanted"
                );
            }
        }
    }
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let run = || {
        let (mut s, conn) = with_peer(spec(50), id(9));
        hears(&mut s, 10, conn, Message::HaveAll)
    };
    assert_eq!(run(), run());
}
