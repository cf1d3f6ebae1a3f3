//! Real nodes over loopback, with peers and origins that misbehave.

mod bounds;
mod hostile;
mod origin;
mod rack;
mod world;

use std::time::Duration;

use super::*;
use crate::core::wire::Message;
use world::{Peer, TestNode, World, wait_for};

/// Ends what hangs, and judges nothing: these waits take a few seconds, and a busy machine takes ten times as long.
const WAIT: Duration = Duration::from_secs(300);

#[test]
fn a_file_goes_from_node_to_node() {
    let world = World::new(3_000_000, 65_536);
    let seeder = TestNode::seed(&world);
    let first = TestNode::fetch(&world, |t| t, &[seeder.addr()]);
    first.assert_whole(&world);
    let done = wait_for(&first.events, |e| match e {
        Event::TorrentDone { progress, .. } => Some(progress),
        _ => None,
    });
    assert_eq!(done.from_peers_bytes, 3_000_000);
    assert_eq!(done.duplicate_bytes, 0);
    // The first one serves what it has; the seeder is gone.
    let uploaded = seeder.stop().uploaded_bytes;
    assert_eq!(uploaded, 3_000_000);
    let second = TestNode::fetch(&world, |t| t, &[first.addr()]);
    second.assert_whole(&world);
    assert_eq!(first.stop().uploaded_bytes, 3_000_000);
    second.stop();
}

#[test]
fn nodes_that_start_at_once_help_each_other() {
    let world = World::new(8_000_000, 65_536);
    let seeder = TestNode::seed(&world);
    let nodes: Vec<TestNode> = (0..4)
        .map(|_| TestNode::fetch(&world, |t| t, &[seeder.addr()]))
        .collect();
    let addrs: Vec<_> = nodes.iter().map(TestNode::addr).collect();
    for node in &nodes {
        node.handle.add_peers(TorrentId(0), addrs.clone());
    }
    for node in &nodes {
        node.assert_whole(&world);
    }
    let uploaded: u64 = nodes.into_iter().map(|n| n.stop().uploaded_bytes).sum();
    assert!(uploaded > 0);
    seeder.stop();
}

#[test]
fn two_torrents_over_one_node() {
    let (a, b) = (World::new(500_000, 16_384), World::new(700_001, 32_768));
    let mut seeder = world::node(|_| {});
    for w in [&a, &b] {
        seeder.add_torrent(w.seeding()).unwrap();
    }
    let seeder = TestNode::run(seeder, a.seeding().artifact);
    let mut node = world::node(|_| {});
    let (ta, tb) = (a.torrent(), b.torrent());
    node.add_torrent(ta.clone()).unwrap();
    node.add_torrent(tb.clone()).unwrap();
    let node = TestNode::run(node, ta.artifact);
    for torrent in [TorrentId(0), TorrentId(1)] {
        node.handle.add_peers(torrent, vec![seeder.addr()]);
    }
    node.assert_whole(&a);
    assert!(tb.artifact.wait_complete(WAIT).unwrap());
    b.assert_same(&tb.artifact);
    node.stop();
    seeder.stop();
}

#[test]
fn a_node_that_leaves_a_torrent_frees_its_memory_and_keeps_the_other() {
    let (a, b) = (World::new(500_000, 16_384), World::new(700_001, 32_768));
    let mut seeder = world::node(|_| {});
    let (ta, tb) = (a.seeding(), b.seeding());
    seeder.add_torrent(ta.clone()).unwrap();
    seeder.add_torrent(tb.clone()).unwrap();
    let seeder = TestNode::run(seeder, ta.artifact.clone());
    let (mut peer_a, mut peer_b) = (Peer::connect(seeder.addr(), &a), Peer::connect(seeder.addr(), &b));
    // What is not whole stays; what is there twice goes once.
    let mut half = world::node(|_| {});
    let wanted = b.torrent();
    half.add_torrent(wanted.clone()).unwrap();
    let half = TestNode::run(half, wanted.artifact);
    half.handle.leave(TorrentId(0));
    for _ in 0..2 {
        seeder.handle.leave(TorrentId(0));
    }
    assert_eq!(peer_a.next(|_| None::<()>), None, "its connection is closed");
    assert!(ta.artifact.read_at(0, &mut [0; 1]).is_err(), "its memory is free");
    let mut again = std::net::TcpStream::connect(seeder.addr()).unwrap();
    std::io::Write::write_all(&mut again, &world::shake(&a).encode()).unwrap();
    assert_eq!(
        std::io::Read::read(&mut again, &mut [0; 1]).unwrap(),
        0,
        "nobody knows it any more"
    );
    half.handle.add_peers(TorrentId(0), vec![seeder.addr()]);
    half.assert_whole(&b);
    assert!(
        peer_b
            .next(|m| matches!(m, Message::Bitfield(_) | Message::HaveAll).then_some(()))
            .is_some()
    );
    half.stop();
    seeder.stop();
}

#[test]
fn neighbours_find_each_other_without_a_server() {
    let world = World::new(300_000, 16_384);
    let lsd = |cfg: &mut NodeConfig| cfg.lsd = true;
    let mut seeder = world::node(lsd);
    seeder.add_torrent(world.seeding()).unwrap();
    let seeder = TestNode::run(seeder, world.seeding().artifact);
    let mut node = world::node(lsd);
    let torrent = world.torrent();
    node.add_torrent(torrent.clone()).unwrap();
    let node = TestNode::run(node, torrent.artifact);
    node.assert_whole(&world);
    node.stop();
    seeder.stop();
}

#[test]
fn misfits_are_refused_before_they_run() {
    let world = World::new(100_000, 16_384);
    let mut torrent = world.torrent();
    torrent.pieces = known_hashes(world.pieces[..20].to_vec());
    let error = world::node(|_| {}).add_torrent(torrent).unwrap_err();
    assert_eq!(error.code, Code::TorrentMalformed);
    let taken = world::node(|_| {});
    let mut cfg = NodeConfig::new([1; 20], 1);
    cfg.bind = Some([127, 0, 0, 1].into());
    cfg.port = taken.port();
    assert_eq!(Node::new(cfg).err().map(|e| e.code), Some(Code::Io));
}

#[test]
fn a_full_disk_ends_the_torrent_and_not_the_node() {
    let world = World::new(400_000, 16_384);
    let seeder = TestNode::seed(&world);
    // A file that cannot be written stands for a disk that takes no more.
    let path = std::env::temp_dir().join(format!("bootswarm-node-{}", std::process::id()));
    std::fs::write(&path, vec![0; 400_000]).unwrap();
    let artifact = crate::io::store::Artifact::existing(&path).unwrap();
    let read_only = artifact.clone();
    let node = TestNode::fetch(
        &world,
        |t| TorrentConfig {
            artifact: read_only,
            ..t
        },
        &[seeder.addr()],
    );
    let error = wait_for(&node.events, |e| match e {
        Event::Failed { error, .. } => Some(error),
        _ => None,
    });
    assert_eq!(error.code, Code::Io);
    assert!(artifact.wait_complete(WAIT).is_err());
    std::fs::remove_file(&path).unwrap();
    node.stop();
    seeder.stop();
}

#[test]
fn all_addresses_of_both_families_are_listened_at() {
    let world = World::new(200_000, 16_384);
    let mut seeder = world::node(|cfg| cfg.bind = None);
    let torrent = world.seeding();
    seeder.add_torrent(torrent.clone()).unwrap();
    let seeder = TestNode::run(seeder, torrent.artifact);
    for ip in ["127.0.0.1", "127.0.3.9", "::1"] {
        let addr = SocketAddr::new(ip.parse().unwrap(), seeder.addr().port());
        if std::net::TcpListener::bind((addr.ip(), 0)).is_err() {
            continue; // a machine without IPv6
        }
        let mut node = world::node(|cfg| cfg.bind = None);
        let torrent = world.torrent();
        let id = node.add_torrent(torrent.clone()).unwrap();
        node.handle().add_peers(id, vec![addr]);
        let node = TestNode::run(node, torrent.artifact);
        node.assert_whole(&world);
        node.stop();
    }
    seeder.stop();
}
