//! Invalid input from seeds: nothing panics, nothing grows, no two writers share a slot.

use super::*;
use crate::core::metainfo::{InfoShape, infohash};
use crate::core::wire::MetadataMessage;

#[test]
fn hostile_input_never_panics_and_stays_bounded() {
    let shape = InfoShape::new("file", spec(9).size_bytes, PIECE);
    let info = shape.with(&[3; 180]);
    for seed in 0..60 {
        let mut rng = Rng::new(seed);
        let mut s = swarm(1);
        s.add_torrent(
            0,
            TorrentSpec {
                has_origin: true,
                seeders: vec![addr(200)],
                infohash: infohash(&info),
                metadata: match seed % 2 {
                    0 => MetadataSpec::Known(info.clone().into()),
                    _ => MetadataSpec::Wanted {
                        shape: shape.clone(),
                        has_url: true,
                    },
                },
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
                elsewhere: [None, Some(false), Some(true)][rng.below(3) as usize],
                bootswarm: rng.below(2) == 0,
                listen_port: Some(rng.next_u64() as u16),
                requests_max: Some(rng.below(3) as u32),
                ut_pex: Some(rng.below(3) as u8),
                metadata_size: [None, Some(info.len() as u32)][rng.below(2) as usize],
            };
            let say = |message| Input::Message { conn, message };
            let part = rng.below(3) as u32;
            let rubbish = vec![rng.next_u64() as u8; 1 + rng.below(400) as usize];
            let given = match rng.below(3) {
                0 => &rubbish[..],
                _ => &info,
            };
            match rng.below(30) {
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
                25 => {
                    let message = MetadataMessage::Request { part };
                    s.handle(now, Input::Metadata { conn, message });
                }
                26 => {
                    let (part, total) = (part / 2, given.len() as u64);
                    let message = MetadataMessage::Data {
                        part,
                        total,
                        bytes: given,
                    };
                    s.handle(now, Input::Metadata { conn, message });
                }
                27 => {
                    let message = MetadataMessage::Reject { part };
                    s.handle(now, Input::Metadata { conn, message });
                }
                28 => s.handle(
                    now,
                    Input::MetadataFetched {
                        torrent: TorrentId(rng.below(2) as u16),
                        info: Some(given).filter(|_| rng.below(20) == 0),
                        retry_after: None,
                    },
                ),
                _ => s.handle(now, Input::Tick),
            }
            let out = drain(&mut s);
            assert!(out.len() < 4000, "seed {seed} step {step}: {} outputs", out.len());
            asked.extend(requests(&out));
            asked.truncate(500);
            let known = s.torrents[0].metadata.is_known();
            for o in out {
                assert!(known || !matches!(o, Output::Verify { .. } | Output::Fetch { .. }));
                if let Output::Verify { torrent, piece, slot } = o {
                    verify.push((torrent, piece, slot));
                }
            }
            let t = &s.torrents[0];
            assert!(
                s.peers.len() <= 64 && t.jobs.len() <= 64 && t.known.values().count() <= 1024,
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
