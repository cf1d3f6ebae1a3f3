use super::*;
use crate::core::rng::Rng;

fn unhex(text: &str) -> Vec<u8> {
    let digit = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

fn strings(value: &serde_json::Value) -> Vec<String> {
    let items = value.as_array().unwrap().iter();
    items.map(|v| v.as_str().unwrap().to_owned()).collect()
}

fn vectors() -> Vec<serde_json::Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/metainfo.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn golden_vectors() {
    let mut good = 0;
    for case in vectors() {
        let about = case["about"].as_str().unwrap();
        let parsed = Metainfo::parse(&unhex(case["torrent"].as_str().unwrap()));
        let Some(expected) = case["metainfo"].as_object() else {
            let error = parsed.expect_err(about);
            assert_eq!(error.code, Code::TorrentMalformed, "{about}");
            continue;
        };
        good += 1;
        let got = parsed.unwrap_or_else(|e| panic!("{about}: {e}"));
        assert_eq!(got.name, expected["name"].as_str().unwrap(), "{about}");
        assert_eq!(
            got.size_bytes,
            expected["size_bytes"].as_u64().unwrap(),
            "{about}"
        );
        assert_eq!(
            u64::from(got.piece_length),
            expected["piece_length"].as_u64().unwrap(),
            "{about}"
        );
        assert_eq!(got.pieces, unhex(expected["pieces"].as_str().unwrap()), "{about}");
        assert_eq!(
            got.infohash.to_vec(),
            unhex(expected["infohash"].as_str().unwrap()),
            "{about}"
        );
        assert_eq!(got.trackers, strings(&expected["trackers"]), "{about}");
        assert_eq!(got.web_seeds, strings(&expected["web_seeds"]), "{about}");
        assert_eq!(got.private, expected["private"].as_bool().unwrap(), "{about}");
        if expected["canonical"].as_bool().unwrap() {
            let info = info_dictionary(&got.name, got.size_bytes, got.piece_length, &got.pieces);
            assert_eq!(infohash(&info), got.infohash, "{about}");
        }
    }
    assert!(good >= 5);
}

#[test]
fn names() {
    for name in [
        "a",
        "rootfs.tar.zst",
        "...",
        ".hidden",
        "a..b",
        "ä",
        &"x".repeat(128),
    ] {
        assert!(name_is_safe(name), "{name}");
    }
    for name in ["", ".", "..", "/", "a/b", "/etc", "../x", "a\0", &"x".repeat(129)] {
        assert!(!name_is_safe(name), "{name}");
    }
}

#[test]
fn larger_than_the_limit() {
    assert!(Metainfo::parse(&vec![b'd'; TORRENT_BYTES_MAX + 1]).is_err());
}

/// Whatever is done to good files: no panic, and what is accepted keeps its promises.
#[test]
fn fuzz_from_the_vectors() {
    let seeds: Vec<Vec<u8>> = vectors()
        .iter()
        .map(|case| unhex(case["torrent"].as_str().unwrap()))
        .collect();
    let mut rng = Rng::new(11);
    let mut accepted = 0;
    for round in 0..100_000_usize {
        let mut input = seeds[round % seeds.len()].clone();
        for _ in 0..=rng.below(2) {
            if input.is_empty() {
                break;
            }
            let at = rng.below(input.len() as u64) as usize;
            match rng.below(3) {
                0 => input[at] = rng.next_u64() as u8,
                1 => input[at] = b"0123456789ilde:"[rng.below(15) as usize],
                _ => drop(input.remove(at)),
            }
        }
        if let Ok(got) = Metainfo::parse(&input) {
            accepted += 1;
            assert!(name_is_safe(&got.name));
            assert!(check_pieces(got.size_bytes, got.piece_length, got.pieces.len()).is_ok());
        }
    }
    assert!(accepted > 1_000, "the fuzzer reaches nothing: {accepted}");
}

#[test]
fn an_info_dictionary_has_its_shape_and_no_other() {
    for (size, length) in [(1, 16_384), (130_000_000, 262_144), (1 << 40, 4 << 20)] {
        let shape = InfoShape::new("n\u{e4}me", size, length);
        let count = size.div_ceil(u64::from(length)) as usize;
        let hashes: Vec<u8> = (0..count * 20).map(|i| i as u8).collect();
        let info = info_dictionary("n\u{e4}me", size, length, &hashes);
        assert_eq!(
            (shape.len(), shape.hashes(&info)),
            (info.len(), Some(&hashes[..]))
        );
        assert_eq!(shape.with(&hashes), info);
        assert!(shape.hashes(&info[1..]).is_none() && shape.hashes(&info[..info.len() - 1]).is_none());
        assert!(InfoShape::new("name", size, length).hashes(&info).is_none());
        assert!(
            InfoShape::new("n\u{e4}me", size + 1, length)
                .hashes(&info)
                .is_none()
        );
        assert!(
            InfoShape::new("n\u{e4}me", size, length * 2)
                .hashes(&info)
                .is_none()
        );
        assert!(
            shape
                .hashes(&shape.with(&[&hashes[..], &[0; 20]].concat()))
                .is_none()
        );
    }
}
