//! Peers that send wrong or invalid data, stall or disconnect.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use super::world::{Peer, TestNode, World, seeder_by_hand, shake, wait_for};
use super::*;
use crate::core::wire::{Block, Message, piece_header};

#[test]
fn wrong_bytes_are_blamed_and_got_elsewhere() {
    let world = Arc::new(World::new(600_000, 65_536));
    let liar = seeder_by_hand(&world, |world, peer| {
        while let Some(block) = peer.request() {
            if peer.send_block(world, block, true).is_err() {
                return;
            }
        }
    });
    let node = TestNode::fetch(&world, |t| t, &[liar]);
    let (addr, code) = wait_for(&node.events, |e| match e {
        Event::Banned { addr, code } => Some((addr, code)),
        _ => None,
    });
    assert_eq!((addr, code), (liar, Code::PeerBadPiece));
    let seeder = TestNode::seed(&world);
    node.handle.add_peers(TorrentId(0), vec![seeder.addr()]);
    node.assert_whole(&world);
    node.stop();
    seeder.stop();
}

#[test]
fn a_peer_that_stalls_does_not_hold_up_the_rest() {
    let world = Arc::new(World::new(600_000, 65_536));
    let staller = seeder_by_hand(&world, |world, peer| {
        if let Some(block) = peer.request() {
            let _ = peer.send_block(world, block, false);
        }
        while peer.request().is_some() {}
    });
    let node = TestNode::fetch(&world, |t| t, &[staller]);
    // It is at work before the other one appears.
    wait_for(&node.events, |e| match e {
        Event::Progress { progress, .. } => (progress.peers == 1).then_some(()),
        _ => None,
    });
    let seeder = TestNode::seed(&world);
    node.handle.add_peers(TorrentId(0), vec![seeder.addr()]);
    node.assert_whole(&world);
    node.stop();
    seeder.stop();
}

#[test]
fn a_peer_that_hangs_up_within_a_block_loses_nothing() {
    let world = Arc::new(World::new(600_000, 65_536));
    let quitter = seeder_by_hand(&world, |world, peer| {
        // Two blocks and the wrong beginning of a third, which must not count when another sends it whole.
        for _ in 0..2 {
            if let Some(block) = peer.request() {
                let _ = peer.send_block(world, block, false);
            }
        }
        if let Some(block) = peer.request() {
            let _ = peer
                .stream
                .write_all(&[&piece_header(&block)[..], &[0xee; 1000]].concat());
        }
    });
    let seeder = TestNode::seed(&world);
    let node = TestNode::fetch(&world, |t| t, &[quitter, seeder.addr()]);
    node.assert_whole(&world);
    node.stop();
    seeder.stop();
}

#[test]
fn strangers_are_refused_and_told_of_once() {
    let world = World::new(100_000, 16_384);
    let seeder = TestNode::seed(&world);
    let mut wrong_torrent = shake(&world);
    wrong_torrent.infohash[0] ^= 1;
    let mse = [0x5a; 96];
    for hello in [&wrong_torrent.encode()[..], &mse, b"GET / HTTP/1.1\r\n\r\n"] {
        let mut stream = TcpStream::connect(seeder.addr()).unwrap();
        stream.set_read_timeout(Some(WAIT)).unwrap();
        stream.write_all(hello).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer); // closed, or reset as our bytes were not read
        assert!(answer.is_empty());
    }
    seeder.handle.stop();
    let mut refused = Vec::new();
    wait_for(&seeder.events, |e| match e {
        Event::Refused { addr, error } => {
            refused.push((addr.ip(), error));
            None
        }
        Event::Stopped => Some(()),
        _ => None,
    });
    // Of the encrypted one; the request that came after it is of the same address.
    assert_eq!(refused.len(), 1, "{refused:?}");
    let (ip, error) = &refused[0];
    assert!(ip.is_loopback());
    assert_eq!(error.code, Code::PeerProtocol);
    assert!(error.message.contains("MSE"), "{error}");
}

#[test]
fn a_node_does_not_talk_to_itself() {
    let world = World::new(100_000, 16_384);
    let node = TestNode::seed(&world);
    let mut stream = TcpStream::connect(node.addr()).unwrap();
    stream.set_read_timeout(Some(WAIT)).unwrap();
    stream.write_all(&shake(&world).encode()).unwrap();
    let mut theirs = [0; 68];
    stream.read_exact(&mut theirs).unwrap();
    let mut again = TcpStream::connect(node.addr()).unwrap();
    again.set_read_timeout(Some(WAIT)).unwrap();
    again.write_all(&theirs).unwrap(); // its own identity
    let mut answer = Vec::new();
    again.read_to_end(&mut answer).unwrap();
    assert!(answer.is_empty());
    node.stop();
}

#[test]
fn what_comes_byte_by_byte_is_understood() {
    let world = World::new(100_000, 16_384);
    let seeder = TestNode::seed(&world);
    let mut peer = Peer::of(TcpStream::connect(seeder.addr()).unwrap());
    peer.stream.set_nodelay(true).unwrap();
    let request = b"\0\0\0\x01\x0f\0\0\0\x01\x02\0\0\0\x0d\x06\0\0\0\x02\0\0\x10\0\0\0\x20\0";
    for byte in [&shake(&world).encode()[..], request].concat() {
        peer.stream.write_all(&[byte]).unwrap();
    }
    peer.read_handshake();
    let header = peer.next(|m| match m {
        Message::Piece(block) => Some(*block),
        _ => None,
    });
    assert_eq!(
        header,
        Some(Block {
            piece: 2,
            begin: 0x1000,
            len: 0x2000
        })
    );
    let at = 2 * 16_384 + 0x1000;
    assert_eq!(peer.payload(0x2000), world.data[at..at + 0x2000]);
    seeder.stop();
}

#[test]
fn nonsense_ends_the_connection_only() {
    let world = World::new(100_000, 16_384);
    let seeder = TestNode::seed(&world);
    let nonsense: [&[u8]; 4] = [
        b"\xff\xff\xff\xff\x05",                     // a bitfield of 4 GiB
        b"\0\0\0\x06\x14\x00i1e\n",                  // an extension handshake that is no dictionary
        b"\0\0\0\x05\x04\x00\x00\xff\xff",           // a piece that there is not
        b"\0\0\0\x0d\x06\0\0\0\0\0\0\0\0\x7f\0\0\0", // a request of 2 GiB
    ];
    for bytes in nonsense {
        let mut peer = Peer::connect(seeder.addr(), &world);
        peer.stream.write_all(bytes).unwrap();
        assert_eq!(peer.next(|_| None::<()>), None, "{bytes:?}: still connected");
        // From the same address there are others: on loopback a ban is of the port.
    }
    let node = TestNode::fetch(&world, |t| t, &[seeder.addr()]);
    node.assert_whole(&world);
    node.stop();
    seeder.stop();
}

/// Valid conversations with damage from a seed: the node drops those who send them and serves on.
#[test]
fn damaged_conversations_do_no_harm() {
    let world = World::new(100_000, 16_384);
    let seeder = TestNode::seed(&world);
    let mut rng = crate::core::rng::Rng::new(11);
    let parts: [&[u8]; 6] = [
        b"\0\0\0\x01\x0f",
        b"\0\0\0\x01\x02",
        b"\0\0\0\x0d\x06\0\0\0\x01\0\0\0\0\0\0\x40\0",
        b"\0\0\0\x1b\x14\0d1:md6:ut_pexi2ee1:pi99ee\n",
        b"\0\0\0\x12\x14\x01d5:added6:aaaaaae",
        b"\0\0\0\x0d\x07\0\0\0\x01\0\0\0\0abcd",
    ];
    for _ in 0..200 {
        let mut bytes = shake(&world).encode().to_vec();
        for _ in 0..4 {
            bytes.extend_from_slice(parts[rng.below(parts.len() as u64) as usize]);
        }
        for _ in 0..=rng.below(4) {
            let at = 48 + rng.below(bytes.len() as u64 - 48) as usize; // the handshake stays one
            bytes[at] = rng.next_u64() as u8;
        }
        let mut stream = TcpStream::connect(seeder.addr()).unwrap();
        // It may have disconnected by now, and that is as good.
        let _ = stream.write_all(&bytes);
    }
    let node = TestNode::fetch(&world, |t| t, &[seeder.addr()]);
    node.assert_whole(&world);
    node.stop();
    seeder.stop();
}

#[test]
fn those_who_ask_and_never_read_are_dropped() {
    let world = World::new(2_000_000, 65_536);
    let seeder = TestNode::seed(&world);
    let mut peer = Peer::connect(seeder.addr(), &world);
    peer.stream.set_nonblocking(false).unwrap();
    peer.stream.set_write_timeout(Some(WAIT)).unwrap();
    // Far more requests than are kept: each one too many is rejected, and nobody reads the rejections.
    let request = |n: u32| {
        let (piece, begin) = (n / 49_152 % 30, n % 49_152);
        [
            &b"\0\0\0\x0d\x06"[..],
            &piece.to_be_bytes(),
            &begin.to_be_bytes(),
            b"\0\0\x40\0",
        ]
        .concat()
    };
    let thousand = |n: u32| (0..1000).flat_map(|i| request(n * 1000 + i)).collect::<Vec<u8>>();
    let hung_up = (0..2000).any(|n| peer.stream.write_all(&thousand(n)).is_err());
    assert!(hung_up, "34 MB of requests were taken");
    let node = TestNode::fetch(&world, |t| t, &[seeder.addr()]);
    node.assert_whole(&world);
    node.stop();
    seeder.stop();
}
