use super::*;
use crate::core::error::Code;
use crate::core::rng::Rng;
use crate::core::wire::Outgoing;

const MAX: usize = 16 << 10;
const BLOCK: Block = Block {
    piece: 0x01020304,
    begin: 0x8000,
    len: 0x4000,
};

fn encoded(message: &Outgoing) -> Vec<u8> {
    let mut out = Vec::new();
    let ids = ExtensionIds {
        ut_pex: Some(9),
        ut_metadata: Some(7),
    };
    encode(message, &ours(), ids, &mut out);
    out
}

fn ours() -> ExtensionHandshake {
    ExtensionHandshake {
        bootswarm: true,
        elsewhere: None,
        listen_port: Some(6881),
        requests_max: Some(512),
        ut_pex: Some(OUR_UT_PEX),
        ut_metadata: Some(OUR_UT_METADATA),
        metadata_size: None,
    }
}

fn all_outgoing() -> Vec<(Outgoing, Message<'static>)> {
    vec![
        (Outgoing::KeepAlive, Message::KeepAlive),
        (Outgoing::Unchoke, Message::Unchoke),
        (Outgoing::Interested, Message::Interested),
        (Outgoing::NotInterested, Message::NotInterested),
        (Outgoing::Have(7), Message::Have { piece: 7 }),
        (
            Outgoing::Bitfield(vec![0xff, 0x80]),
            Message::Bitfield(&[0xff, 0x80]),
        ),
        (Outgoing::HaveAll, Message::HaveAll),
        (Outgoing::HaveNone, Message::HaveNone),
        (Outgoing::Request(BLOCK), Message::Request(BLOCK)),
        (Outgoing::Cancel(BLOCK), Message::Cancel(BLOCK)),
        (Outgoing::Reject(BLOCK), Message::Reject(BLOCK)),
        (Outgoing::Suggest(3), Message::Suggest { piece: 3 }),
    ]
}

#[test]
fn what_we_send_is_what_is_read() {
    for (message, expected) in all_outgoing() {
        let bytes = encoded(&message);
        assert_eq!(
            parse(&bytes, MAX).unwrap(),
            Parsed::Message(expected, bytes.len())
        );
        for end in 0..bytes.len() {
            assert_eq!(
                parse(&bytes[..end], MAX).unwrap(),
                Parsed::Incomplete,
                "{message:?} cut at {end}"
            );
        }
    }
}

#[test]
fn bytes_are_those_of_the_standard() {
    assert_eq!(
        encoded(&Outgoing::Request(BLOCK)),
        b"\x00\x00\x00\x0d\x06\x01\x02\x03\x04\x00\x00\x80\x00\x00\x00\x40\x00"
    );
    assert_eq!(
        encoded(&Outgoing::Have(258)),
        b"\x00\x00\x00\x05\x04\x00\x00\x01\x02"
    );
    assert_eq!(
        piece_header(&BLOCK),
        *b"\x00\x00\x40\x09\x07\x01\x02\x03\x04\x00\x00\x80\x00"
    );
    let version = env!("CARGO_PKG_VERSION");
    let body = format!(
        "d2:bsi1e1:md11:ut_metadatai2e6:ut_pexi1ee13:metadata_sizei40000e1:pi6881e4:reqqi512e1:v{}:bootswarm/{version}e",
        version.len() + 10
    );
    assert_eq!(
        encoded(&Outgoing::ExtendedHandshake {
            metadata_size: Some(40_000),
            elsewhere: None
        })[6..],
        *body.as_bytes()
    );
    for (elsewhere, begins) in [
        (Some(true), "d2:bsi1e2:bxi1e1:md"),
        (Some(false), "d2:bsi1e2:bxi0e1:md"),
    ] {
        let metadata_size = None;
        let bytes = encoded(&Outgoing::ExtendedHandshake {
            metadata_size,
            elsewhere,
        });
        assert!(bytes[6..].starts_with(begins.as_bytes()));
        let parsed = ExtensionHandshake::parse(&bytes[6..]).unwrap();
        assert_eq!(parsed.elsewhere, elsewhere);
    }
    assert_eq!(ExtensionHandshake::parse(b"d2:bxi2ee").unwrap().elsewhere, None);
}

#[test]
fn a_block_header_comes_before_its_payload() {
    let header = piece_header(&BLOCK);
    assert_eq!(
        parse(&header, MAX).unwrap(),
        Parsed::Message(Message::Piece(BLOCK), 13)
    );
    assert_eq!(parse(&header[..12], MAX).unwrap(), Parsed::Incomplete);
}

#[test]
fn lengths_that_do_not_fit_are_refused_at_once() {
    let cases: [&[u8]; 10] = [
        b"\xff\xff\xff\xff\x05",
        b"\x00\x00\x40\x01\x14",
        b"\x00\x00\x00\x02\x00",
        b"\x00\x00\x00\x04\x04",
        b"\x00\x00\x00\x0c\x06",
        b"\x00\x00\x00\x09\x07",
        b"\x00\x02\x00\x0a\x07",
        b"\x00\x00\x00\x01\x14",
        b"\x00\x00\x00\x02\x09",
        b"\x00\x00\x40\x01\xee",
    ];
    for bytes in cases {
        assert_eq!(
            parse(bytes, MAX).unwrap_err().code,
            Code::PeerProtocol,
            "{bytes:?}"
        );
    }
    assert_eq!(
        parse(b"\x00\x00\x00\x02\xee\x00", MAX).unwrap(),
        Parsed::Message(Message::Unknown, 6)
    );
    assert_eq!(message_bytes_max(u32::MAX), 1 << 20);
    assert_eq!(message_bytes_max(1), MAX + 256);
}

#[test]
fn handshake_both_ways() {
    let handshake = Handshake {
        infohash: *b"abcdefghij0123456789",
        peer_id: *b"-BW0001-abcdefghijkl",
        fast: true,
        extended: true,
    };
    let bytes = handshake.encode();
    assert_eq!(bytes[20..28], [0, 0, 0, 0, 0, 0x10, 0, 0x04]);
    assert_eq!(Handshake::parse(&bytes).unwrap(), Start::Complete(handshake));
    for end in 0..bytes.len() {
        assert_eq!(Handshake::parse(&bytes[..end]).unwrap(), Start::Incomplete);
    }
    assert_eq!(
        Handshake::parse(b"\x13Bitx").unwrap_err().code,
        Code::PeerProtocol
    );
    assert!(Handshake::parse(b"GET / HTTP/1.1").is_err());
}

#[test]
fn extension_handshake_is_read() {
    assert_eq!(ExtensionHandshake::parse(&ours().encode()).unwrap(), ours());
    // As libtorrent sends it, with keys of no interest; as a hostile peer might.
    let stock =
        b"d12:complete_agoi1e1:md11:lt_donthavei7e6:ut_pexi2ee13:metadata_sizei99e4:reqqi500e1:v2:lte";
    let read = ExtensionHandshake::parse(stock).unwrap();
    assert_eq!(
        (read.ut_pex, read.requests_max, read.listen_port, read.bootswarm),
        (Some(2), Some(500), None, false)
    );
    let odd = ExtensionHandshake::parse(b"d1:md6:ut_pexi999ee1:pi-1e4:reqqi-5e2:bsi2ee").unwrap();
    assert_eq!(odd, ExtensionHandshake::default());
    assert!(ExtensionHandshake::parse(b"i1e").is_err());
}

#[test]
fn metadata_messages_both_ways_and_bounded() {
    let messages = [
        MetadataMessage::Request { part: 3 },
        MetadataMessage::Reject { part: 0 },
        MetadataMessage::Data {
            part: 1,
            total: 20_000,
            bytes: &[9; 3616],
        },
    ];
    for message in messages {
        assert_eq!(MetadataMessage::parse(&message.encode()).unwrap(), Some(message));
    }
    let stock = b"d8:msg_typei1e5:piecei0e10:total_sizei5eexxxxx";
    let part = MetadataMessage::parse(stock).unwrap().unwrap();
    assert_eq!(part.encode(), stock);
    // Kinds of later standards are ignored (BEP 9), malformed messages are not.
    assert_eq!(
        MetadataMessage::parse(b"d8:msg_typei9e5:piecei0ee").unwrap(),
        None
    );
    let long = [
        &b"d8:msg_typei1e5:piecei0e10:total_sizei99999ee"[..],
        &[0; MAX + 1],
    ]
    .concat();
    let bad: [&[u8]; 7] = [
        b"",
        b"le",
        b"d8:msg_typei0ee",
        b"d5:piecei0ee",
        b"d8:msg_typei0e5:piecei-1ee",
        b"d8:msg_typei1e5:piecei0ee5:bytes",
        &long,
    ];
    for payload in bad {
        assert_eq!(
            MetadataMessage::parse(payload).unwrap_err().code,
            Code::PeerProtocol
        );
    }
    // The longest one passes the limit of a message.
    let info: std::sync::Arc<[u8]> = vec![1; 5 << 20].into();
    let bytes = encoded(&Outgoing::MetadataPart { part: 300, info });
    let max = message_bytes_max(1);
    assert!(matches!(
        parse(&bytes, max),
        Ok(Parsed::Message(Message::Extended { id: 7, .. }, _))
    ));
}

#[test]
fn pex_both_ways_and_bounded() {
    let addresses = [
        "10.0.0.1:6881".parse().unwrap(),
        "[fd00::1]:51413".parse().unwrap(),
    ];
    let pex = Pex::parse(&Pex::encode(&addresses, &addresses[..1])).unwrap();
    assert_eq!(pex.added, addresses);
    assert_eq!(pex.dropped, addresses[..1]);
    let many = vec![addresses[0]; 1000];
    assert_eq!(
        Pex::parse(&Pex::encode(&many, &many)).unwrap().added.len(),
        PEX_PEERS_MAX
    );
    let body = [b"d5:added600:".as_slice(), &[1; 600], b"e"].concat();
    assert_eq!(Pex::parse(&body).unwrap().added.len(), PEX_PEERS_MAX);
    assert_eq!(
        Pex::parse(b"d5:added6:\x0a\x00\x00\x01\x00\x00e").unwrap(),
        Pex::default()
    );
    assert!(Pex::parse(b"d5:added5:aaaaae").is_err());
    assert!(Pex::parse(b"le").is_err());
}

/// Streams of valid messages, damaged and cut anywhere: no panic, no claim on bytes that are not there,
/// and an undamaged stream is read whole.
#[test]
fn fuzz_from_seeds() {
    let mut rng = Rng::new(3);
    let mut messages = 0_u32;
    for round in 0..20_000_u32 {
        let mut stream = Vec::new();
        let all = all_outgoing();
        for _ in 0..4 {
            stream.extend(encoded(&all[rng.below(all.len() as u64) as usize].0));
        }
        stream.extend(encoded(&Outgoing::Pex {
            added: vec!["1.2.3.4:5".parse().unwrap()],
            dropped: vec![],
        }));
        stream.extend(encoded(&Outgoing::MetadataPart {
            part: 0,
            info: vec![7; 30].into(),
        }));
        let damaged = round % 2 == 1;
        if damaged {
            for _ in 0..=rng.below(3) {
                let at = rng.below(stream.len() as u64) as usize;
                stream[at] = rng.next_u64() as u8;
            }
        }
        let mut at = 0;
        while let Ok(Parsed::Message(message, len)) = parse(&stream[at..], MAX) {
            if let Message::Extended { payload, .. } = message {
                let _ = Pex::parse(payload);
                let _ = ExtensionHandshake::parse(payload);
                let _ = MetadataMessage::parse(payload);
            }
            at += len;
            messages += 1;
            assert!(at <= stream.len());
        }
        assert!(damaged || at == stream.len());
    }
    assert!(messages > 50_000);
}
