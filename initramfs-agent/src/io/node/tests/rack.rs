//! Who is in another rack, on the wire: `bx` of the extension handshake (docs/protocol.md).

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use super::world::{Peer, TestNode, World, node, shake};
use super::*;
use crate::core::discovery::tracker::answer::Answer;
use crate::core::nearness::Nearness;
use crate::core::wire::{Block, ExtensionHandshake, ExtensionIds, Handshake, Message, Outgoing, encode};

fn agent(world: &World, n: u8) -> Handshake {
    let mut peer_id = *b"-BW0001-by-hand-....";
    peer_id[19] = n;
    Handshake {
        peer_id,
        extended: true,
        ..shake(world)
    }
}

fn send(peer: &mut Peer, ours: &ExtensionHandshake, messages: &[Outgoing]) {
    let mut bytes = Vec::new();
    for message in messages {
        encode(message, ours, ExtensionIds::default(), &mut bytes);
    }
    peer.stream.write_all(&bytes).unwrap();
}

/// The extension handshake of the node that has just connected.
fn extension_handshake(peer: &mut Peer) -> ExtensionHandshake {
    let read = |message: &Message<'_>| match message {
        Message::Extended { id: 0, payload } => Some(ExtensionHandshake::parse(payload).unwrap()),
        _ => None,
    };
    peer.next(read).expect("an extension handshake")
}

#[test]
fn a_node_says_to_whom_it_dials_in_which_rack_the_tracker_placed_it() {
    let world = World::new(20_000, 16_384);
    for (nearness, elsewhere) in [
        (Nearness::Across, Some(true)),
        (Nearness::Local, Some(false)),
        (Nearness::Far, None),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peers = vec![(listener.local_addr().unwrap(), nearness)];
        let introduced = |torrent| TorrentConfig {
            // It is not asked before half an hour.
            trackers: vec!["http://127.0.0.1:9/announce".into()],
            first_answer: Some(Answer {
                interval_s: Some(1800),
                min_interval_s: Some(1800),
                peers,
                ..Answer::default()
            }),
            ..torrent
        };
        let node = TestNode::fetch(&world, introduced, &[]);
        let mut peer = Peer::of(listener.accept().unwrap().0);
        peer.read_handshake();
        peer.stream.write_all(&agent(&world, 1).encode()).unwrap();
        assert_eq!(extension_handshake(&mut peer).elsewhere, elsewhere);
        node.stop();
    }
}

/// A block of a piece that the node lacks.
const LACKED: Block = Block {
    piece: 1,
    begin: 0,
    len: 1000,
};

/// Whether the node claims, to a neighbour, what it fetches from an agent that says so much of its rack.
fn claims(elsewhere: Option<bool>) -> bool {
    let world = World::new(20_000, 16_384);
    let node = {
        let torrent = world.torrent();
        let artifact = torrent.artifact.clone();
        let mut node = node(|_| {});
        node.add_torrent(torrent).unwrap();
        TestNode::run(node, artifact)
    };
    let connect = |n: u8, elsewhere: Option<bool>| {
        let mut peer = Peer::of(TcpStream::connect(node.addr()).unwrap());
        peer.stream.write_all(&agent(&world, n).encode()).unwrap();
        peer.read_handshake();
        let ours = ExtensionHandshake {
            bootswarm: true,
            listen_port: Some(1000 + u16::from(n)),
            ..ExtensionHandshake::default()
        };
        let hello = Outgoing::ExtendedHandshake {
            metadata_size: None,
            elsewhere,
        };
        send(&mut peer, &ours, &[hello]);
        peer
    };
    let say = |peer: &mut Peer, messages: &[Outgoing]| send(peer, &ExtensionHandshake::default(), messages);
    let mut near = connect(1, None);
    // Claims go to neighbours only, so this is one. The answer says that the node has read it.
    say(&mut near, &[Outgoing::Suggest(1), Outgoing::Request(LACKED)]);
    let rejected = |message: &Message<'_>| matches!(message, Message::Reject(LACKED)).then_some(());
    near.next(rejected).expect("a reject");
    let mut far = connect(2, elsewhere);
    say(&mut far, &[Outgoing::Have(0)]);
    assert_eq!(far.request().expect("a request").piece, 0);
    say(&mut near, &[Outgoing::Request(LACKED)]);
    let first = |message: &Message<'_>| match message {
        Message::Suggest { piece: 0 } => Some(true),
        Message::Reject(LACKED) => Some(false),
        _ => None,
    };
    let claimed = near.next(first).expect("a claim or a reject");
    node.stop();
    claimed
}

#[test]
fn a_node_that_knows_nobody_believes_who_says_that_it_is_in_another_rack() {
    assert!(claims(Some(true)));
    assert!(!claims(None));
}
