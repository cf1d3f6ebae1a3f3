use super::*;
use crate::core::rng::Rng;

/// What test/vectors/bencode.json says: each input in hex, and what a strict and a lenient reader say.
#[test]
fn golden_vectors() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/bencode.json");
    let text = std::fs::read_to_string(path).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() > 40);
    for case in &cases {
        let input = case["input"].as_str().unwrap();
        let bytes = input.as_bytes();
        for (keys, expected) in [
            (Keys::Sorted, &case["strict"]),
            (Keys::AnyOrder, &case["lenient"]),
        ] {
            let ok = expected.as_bool().unwrap();
            match parse(bytes, keys) {
                Ok(value) => {
                    assert!(ok, "{input} was accepted by {keys:?}");
                    if keys == Keys::Sorted {
                        assert_eq!(write(&value), bytes, "{input}");
                    }
                }
                Err(e) => {
                    assert_eq!(e.code, Code::BencodeMalformed);
                    assert!(!ok, "{input} was refused by {keys:?}: {e}");
                }
            }
        }
    }
}

/// A value from what it means, not from its raw bytes.
fn write(value: &Value<'_>) -> Vec<u8> {
    fn put(encoder: &mut Encoder, value: &Value<'_>) {
        match &value.kind {
            Kind::Int(v) => encoder.int(*v),
            Kind::Bytes(v) => encoder.bytes(v),
            Kind::List(items) => {
                encoder.list();
                items.iter().for_each(|item| put(encoder, item));
                encoder.end()
            }
            Kind::Dict(dict) => {
                encoder.dict();
                for (key, item) in dict.entries() {
                    encoder.bytes(key);
                    put(encoder, item);
                }
                encoder.end()
            }
        };
    }
    let mut encoder = Encoder::default();
    put(&mut encoder, value);
    encoder.finish()
}

#[test]
fn raw_spans_are_the_exact_bytes() {
    let input = b"d4:infod6:lengthi5e4:name1:ae5:otherli1ei2eee";
    let value = parse(input, Keys::Sorted).unwrap();
    let dict = value.as_dict().unwrap();
    assert_eq!(value.raw, input);
    assert_eq!(dict.get(b"info").unwrap().raw, b"d6:lengthi5e4:name1:ae");
    assert_eq!(dict.list(b"other").unwrap()[1].raw, b"i2e");
    assert_eq!(dict.dict(b"info").unwrap().int(b"length"), Some(5));
    assert_eq!(dict.dict(b"info").unwrap().bytes(b"name"), Some(&b"a"[..]));
    assert_eq!(dict.int(b"info"), None);
    assert_eq!(dict.get(b"absent"), None);
}

#[test]
fn prefix_returns_the_rest() {
    let (value, rest) = parse_prefix(b"d1:ai1eePAYLOAD", Keys::Sorted).unwrap();
    assert_eq!(value.raw, b"d1:ai1ee");
    assert_eq!(rest, b"PAYLOAD");
}

#[test]
fn unsorted_keys_are_found_in_lenient_mode() {
    let value = parse(b"d1:bi2e1:ai1e1:ci3ee", Keys::AnyOrder).unwrap();
    let dict = value.as_dict().unwrap();
    assert_eq!(
        [dict.int(b"a"), dict.int(b"b"), dict.int(b"c")],
        [Some(1), Some(2), Some(3)]
    );
    assert_eq!(value.raw, b"d1:bi2e1:ai1e1:ci3ee");
}

#[test]
fn depth_and_items_are_bounded() {
    let nested = |depth: usize| [vec![b'l'; depth], vec![b'e'; depth]].concat();
    assert!(parse(&nested(BENCODE_DEPTH_MAX), Keys::Sorted).is_ok());
    assert!(parse(&nested(BENCODE_DEPTH_MAX + 1), Keys::Sorted).is_err());
    assert!(parse(&vec![b'l'; 1 << 20], Keys::Sorted).is_err());
    let wide = |items: usize| [b"l".to_vec(), b"le".repeat(items), b"e".to_vec()].concat();
    assert!(parse(&wide(BENCODE_ITEMS_MAX - 1), Keys::Sorted).is_ok());
    assert!(parse(&wide(BENCODE_ITEMS_MAX), Keys::Sorted).is_err());
}

#[test]
fn every_truncation_is_refused() {
    let input = b"d8:intervali30e5:peers6:\x0a\x00\x00\x01\x1a\xe14:wordl1:a2:bb3:ccce1:zd1:yi-7eee";
    assert!(parse(input, Keys::Sorted).is_ok());
    for end in 0..input.len() {
        assert!(parse(&input[..end], Keys::AnyOrder).is_err(), "cut at {end}");
    }
}

/// Mutated and invented input never panics, and what is accepted strictly is canonical: writing it again
/// gives the same bytes.
#[test]
fn fuzz_from_seeds() {
    const ALPHABET: &[u8] = b"0123456789ilde:-\0\xff";
    let seeds: [&[u8]; 4] = [
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe",
        b"d8:completei1e8:intervali30e5:peersld2:ip8:10.0.0.14:porti1eeee",
        b"lli1eei-9223372036854775808ei9223372036854775807e0:e",
        b"d4:infod6:lengthi1e4:name1:x12:piece lengthi16384e6:pieces20:01234567890123456789ee",
    ];
    let mut rng = Rng::new(7);
    let mut accepted = 0;
    for round in 0..100_000_usize {
        let mut input = seeds[round % seeds.len()].to_vec();
        for _ in 0..=rng.below(3) {
            let at = rng.below(input.len() as u64) as usize;
            let byte = ALPHABET[rng.below(ALPHABET.len() as u64) as usize];
            match rng.below(4) {
                0 => input[at] = byte,
                1 => input.insert(at, byte),
                2 if input.len() > 1 => drop(input.remove(at)),
                _ => input.truncate(at + 1),
            }
        }
        let _ = parse_prefix(&input, Keys::AnyOrder);
        if let Ok(value) = parse(&input, Keys::Sorted) {
            accepted += 1;
            assert_eq!(write(&value), input);
            assert_eq!(parse(&input, Keys::AnyOrder).unwrap(), value);
        }
    }
    assert!(accepted > 1_000, "the fuzzer reaches nothing: {accepted}");
}
