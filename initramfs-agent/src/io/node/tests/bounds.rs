//! What one peer can make a node hold, and who is kept out by it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mio::Events;

use super::world::{Peer, TestNode, World, node, shake};
use super::*;

/// A connection that has not been closed yet.
fn is_open(mut stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    matches!(stream.read(&mut [0]), Err(e) if e.kind() == std::io::ErrorKind::WouldBlock)
}

#[test]
fn strangers_that_say_nothing_keep_nobody_out() {
    let world = World::new(100_000, 16_384);
    let seeder = TestNode::seed(&world);
    let silent: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(seeder.addr()).unwrap())
        .collect();
    // It is answered although most of them are still there.
    let mut peer = Peer::connect(seeder.addr(), &world);
    let open = silent.iter().filter(|s| is_open(s)).count();
    assert!((100..=128).contains(&open), "{open} of 200 were kept");
    let all = peer.next(|m| matches!(m, crate::core::wire::Message::HaveAll).then_some(()));
    assert!(all.is_some());
    seeder.stop();
}

#[test]
fn peers_that_shake_hands_and_say_nothing_give_way_to_one_of_another_address() {
    let world = World::new(300_000, 65_536);
    let seeder = TestNode::seed(&world);
    let mut silent = Vec::new();
    for n in 0..140_u16 {
        let mut hello = shake(&world);
        hello.peer_id[..2].copy_from_slice(&n.to_be_bytes());
        let mut stream = TcpStream::connect(seeder.addr()).unwrap();
        stream.write_all(&hello.encode()).unwrap();
        silent.push(stream);
    }
    let torrent = world.torrent();
    let artifact = torrent.artifact.clone();
    let mut newcomer = node(|cfg| cfg.bind = Some([127, 0, 0, 2].into()));
    let id = newcomer.add_torrent(torrent).unwrap();
    newcomer.handle().add_peers(id, vec![seeder.addr()]);
    let newcomer = TestNode::run(newcomer, artifact);
    newcomer.assert_whole(&world);
    newcomer.stop();
    seeder.stop();
}

/// Runs a node in this thread until `over`, with a look at it after each turn.
fn drive(node: &mut Node, over: &AtomicBool, mut look: impl FnMut(&Node)) {
    let mut events = Events::with_capacity(64);
    while !over.load(Ordering::Relaxed) {
        node.flush_all();
        node.poll_once(&mut events, Some(Duration::from_millis(20)))
            .unwrap();
        look(node);
    }
}

#[test]
fn a_peer_that_does_not_read_is_not_answered_without_end() {
    let world = World::new(2_000_000, 65_536);
    let mut seeder = node(|_| {});
    seeder.add_torrent(world.seeding()).unwrap();
    let addr = SocketAddr::from(([127, 0, 0, 1], seeder.port()));
    let mut hello = shake(&world).encode().to_vec();
    hello.extend_from_slice(b"\0\0\0\x01\x02");
    let over = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&over);
    let asker = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_write_timeout(Some(WAIT)).unwrap();
        stream.write_all(&hello).unwrap();
        // Far more than are kept: each one too many is rejected, and nobody reads that.
        let request = |n: u32| {
            let (piece, begin) = (n / 49_152 % 30, n % 49_152);
            let head = &b"\0\0\0\x0d\x06"[..];
            [head, &piece.to_be_bytes(), &begin.to_be_bytes(), b"\0\0\x40\0"].concat()
        };
        let thousand = |n: u32| (0..1000).flat_map(|i| request(n * 1000 + i)).collect::<Vec<u8>>();
        let refused = (0..2000).any(|n| stream.write_all(&thousand(n)).is_err());
        done.store(true, Ordering::Relaxed);
        refused
    });
    let mut held = 0;
    drive(&mut seeder, &over, |node| {
        held = held.max(node.conns.values().map(|c| c.buffered_bytes()).sum());
    });
    assert!(asker.join().unwrap(), "it is hung up on in the end");
    assert!((1..200_000).contains(&held), "{held} bytes were held for it");
}
