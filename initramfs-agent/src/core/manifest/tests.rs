use super::testing::{Sample, artifact, base64, public, sign};
use super::{Format, HEADER_LINE_BYTES, Kind, Manifest, open, part};
use crate::core::error::{Code, Result};
use crate::core::rng::Rng;

const NONCE: &str = "0123456789abcdef0123456789abcdef";

fn read(body: Vec<u8>) -> Result<Manifest> {
    open(body, &[public(9), public(1)], NONCE, "n1")
}

/// Signs and reads what a change makes of the sample's JSON.
fn code(change: impl FnOnce(String) -> String) -> Option<Code> {
    let before = Sample::default().json();
    let after = change(before.clone());
    assert_ne!(before, after, "the change changed nothing");
    read(sign(after.as_bytes(), 1)).err().map(|e| e.code)
}

fn swap(from: &str, to: &str) -> Option<Code> {
    code(|json| json.replacen(from, to, 1))
}

#[test]
fn reads_every_member() {
    let manifest = read(sign(Sample::default().json().as_bytes(), 1)).unwrap();
    assert_eq!((manifest.version, manifest.time_s), (3, 1_800_000_000));
    assert_eq!(
        (&*manifest.hostname, &*manifest.rack, &*manifest.site),
        ("rig-1", "r1", "farm")
    );
    assert_eq!(
        manifest.settings,
        [("A".into(), "1".into()), ("WALLET".into(), "s3cret \"q\"".into())]
    );
    assert_eq!(
        manifest.seeders,
        [
            "10.0.0.1:6881".parse().unwrap(),
            "[fd00::1]:6881".parse().unwrap()
        ]
    );
    assert_eq!(manifest.dht, ["10.0.0.1:6881".parse().unwrap()]);
    assert_eq!(manifest.trackers, ["http://10.0.0.1:8480/announce"]);
    assert_eq!(manifest.events_url, "https://10.0.0.1:8443/v1/nodes/n1/events");
    let a = &manifest.artifacts[0];
    assert_eq!(
        (a.format, a.kind, &*a.name, a.piece_length),
        (Format::Tar, Kind::Rootfs, "root.tar", 16384)
    );
    assert_eq!(
        (
            a.size_bytes,
            a.pieces.as_deref().map(<[u8]>::len),
            a.origins.len()
        ),
        (40_000, Some(60), 1)
    );
}

#[test]
fn nothing_counts_before_the_signature() {
    let json = Sample::default().json();
    let good = sign(json.as_bytes(), 1);
    assert_eq!(
        read(sign(json.as_bytes(), 2)).unwrap_err().code,
        Code::ManifestBadSignature
    );
    assert_eq!(
        read(sign(b"not json", 2)).unwrap_err().code,
        Code::ManifestBadSignature
    );
    assert_eq!(
        read(sign(b"not json", 1)).unwrap_err().code,
        Code::ManifestMalformed
    );
    assert_eq!(
        read([&good[..], b" "].concat()).unwrap_err().code,
        Code::ManifestBadSignature
    );
    for at in (0..good.len()).step_by(3) {
        let mut bad = good.clone();
        bad[at] ^= 1;
        let code = read(bad).unwrap_err().code;
        assert!(
            matches!(code, Code::ManifestBadSignature | Code::ManifestMalformed),
            "byte {at}: {code:?}"
        );
        assert!(
            at < 111 || code == Code::ManifestBadSignature,
            "byte {at}: {code:?}"
        );
    }
    for length in [0, 21, 22, 23, 110] {
        assert_eq!(
            read(good[..length].to_vec()).unwrap_err().code,
            Code::ManifestMalformed
        );
    }
    assert_eq!(
        read(good[..111].to_vec()).unwrap_err().code,
        Code::ManifestBadSignature
    );
    assert_eq!(
        read(vec![b'x'; (4 << 20) + 1]).unwrap_err().code,
        Code::ManifestMalformed
    );
    // Each signature has one spelling: the last character's unused bits must be zero.
    let mut other = good.clone();
    let last = other[107];
    other[107] = if last == b'A' { b'B' } else { last + 1 };
    assert_eq!(read(other).unwrap_err().code, Code::ManifestMalformed);
}

#[test]
fn unknown_missing_and_mistyped_members() {
    assert_eq!(
        swap(r#""version":3"#, r#""version":3,"zebra":true"#),
        Some(Code::ManifestUnknownField)
    );
    assert_eq!(
        swap(r#""rack":"#, r#""purpose":{},"rack":"#),
        Some(Code::ManifestUnknownField)
    );
    assert_eq!(
        swap(r#"{"format":"#, r#"{"extra":[],"format":"#),
        Some(Code::ManifestUnknownField)
    );
    assert_eq!(swap(r#","version":3"#, ""), Some(Code::ManifestMalformed));
    assert_eq!(swap(r#""site":"farm","#, ""), Some(Code::ManifestMalformed));
    assert_eq!(swap(r#""rack":"r1","#, ""), Some(Code::ManifestMalformed));
    for (from, to) in [
        (r#""version":3"#, r#""version":"3""#),
        (r#""version":3"#, r#""version":[3]"#),
        (r#""version":3"#, r#""version":3.0"#),
        (r#""version":3"#, r#""version":3,"version":3"#),
        (r#""site":"farm""#, r#""site":1"#),
        (r#""site":"farm""#, r#""site":null"#),
        (r#""A":"1""#, r#""A":1"#),
        (r#""A":"1","WALLET""#, r#""WALLET":"1","A""#),
        (r#"["10.0.0.1:6881"]"#, r#""10.0.0.1:6881""#),
        (r#"["10.0.0.1:6881"]"#, "[1]"),
        (r#""artifacts":[{"#, r#""artifacts":[1,{"#),
        (r#""site":"farm""#, r#""site": "farm""#),
        (r#""site":"farm""#, r#""site":"\u0066arm""#),
    ] {
        assert_eq!(swap(from, to), Some(Code::ManifestMalformed), "{to}");
    }
    for whole in ["[]", "{}", "1", "\"\""] {
        assert_eq!(code(|_| whole.into()), Some(Code::ManifestMalformed), "{whole}");
    }
}

#[test]
fn for_this_boot_and_this_node_only() {
    assert_eq!(
        swap(NONCE, "0123456789abcdef0123456789abcdee"),
        Some(Code::ManifestReplayed)
    );
    assert_eq!(
        swap(r#""id":"n1""#, r#""id":"n2""#),
        Some(Code::ManifestWrongNode)
    );
    // Before the limits, which would object as well.
    assert_eq!(
        swap(r#""version":3"#, r#""version":0"#),
        Some(Code::ManifestLimit)
    );
    let json = Sample {
        nonce: "x".into(),
        version: 0,
        ..Sample::default()
    }
    .json();
    assert_eq!(
        read(sign(json.as_bytes(), 1)).unwrap_err().code,
        Code::ManifestReplayed
    );
}

#[test]
fn limits() {
    let long = |n: usize| "x".repeat(n);
    let cases = [
        (r#""version":3"#, r#""version":0"#.to_owned()),
        ("rig-1", String::new()),
        ("rig-1", long(64)),
        ("rig-1", "a b".into()),
        ("rig-1", "a\\nb".into()),
        (r#""rack":"r1""#, format!(r#""rack":"{}""#, long(65))),
        (r#""rack":"r1""#, r#""rack":"""#.into()),
        ("farm", long(65)),
        (r#""A":"1""#, r#""1A":"1""#.into()),
        (r#""A":"1""#, r#""":"1""#.into()),
        (r#""A":"1""#, r#""A-B":"1""#.into()),
        (r#""A":"1""#, format!(r#""A{}":"1""#, long(64))),
        (r#""A":"1""#, format!(r#""A":"{}""#, long(4097))),
        (r#""A":"1""#, r#""A":"1\n2""#.into()),
        (r#""A":"1""#, r#""A":"\u0000""#.into()),
        (
            r#"["10.0.0.1:6881"]"#,
            format!("[{}]", [r#""10.0.0.1:1""#; 9].join(",")),
        ),
        ("fd00::1]:6881", "fd00::1%1]:6881".into()),
        ("fd00::1]:6881", "fd00::1]".into()),
        ("fd00::1]:6881", "fd00::1]:0".into()),
        ("fd00::1]:6881", "fd00::1]:06881".into()),
        ("[fd00::1]:6881", "boot.example:6881".into()),
        (
            r#"["http://10.0.0.1:8480/announce"]"#,
            format!("[{}]", [r#""http://1.1.1.1/""#; 9].join(",")),
        ),
        (r#""root.tar""#, r#""..""#.into()),
        (r#""root.tar""#, r#""a/b""#.into()),
        (r#""root.tar""#, r#""a\u0000b""#.into()),
        (r#""root.tar""#, format!("\"{}\"", long(129))),
        (r#""tar""#, r#""zip""#.into()),
        (r#""rootfs""#, r#""kernel""#.into()),
        (
            r#""https://10.0.0.1:8443/v1/art"#,
            r#""http://10.0.0.1:8443/v1/art"#.into(),
        ),
        (
            r#""https://10.0.0.1:8443/v1/art"#,
            format!(r#""https://{}"#, long(2048)),
        ),
        (
            r#""origins":["#,
            format!(r#""origins":[{}"#, r#""https://1.1.1.1/","#.repeat(8)),
        ),
        (r#""piece_length":16384"#, r#""piece_length":16385"#.into()),
        (r#""piece_length":16384"#, r#""piece_length":8192"#.into()),
        (r#""piece_length":16384"#, r#""piece_length":8388608"#.into()),
        (r#""piece_length":16384"#, r#""piece_length":4294983680"#.into()),
        (r#""piece_length":16384"#, r#""piece_length":32768"#.into()),
        (r#""size_bytes":40000"#, r#""size_bytes":0"#.into()),
        (r#""size_bytes":40000"#, r#""size_bytes":1099511627777"#.into()),
        (r#""size_bytes":40000"#, r#""size_bytes":60000"#.into()),
        (r#""pieces":""#, r#""pieces":"AAAA"#.into()),
        (r#""pieces":""#, r#""pieces":"AA"#.into()),
        (r#""infohash":""#, r#""infohash":"0"#.into()),
        (r#""sha256":""#, r#""sha256":"A"#.into()),
    ];
    for (from, to) in &cases {
        assert_eq!(swap(from, to), Some(Code::ManifestLimit), "{from} -> {to}");
    }
    let one = Sample::default().artifacts;
    let with = |artifacts: String| {
        read(sign(
            Sample {
                artifacts,
                ..Sample::default()
            }
            .json()
            .as_bytes(),
            1,
        ))
    };
    assert_eq!(with(String::new()).unwrap_err().code, Code::ManifestLimit);
    assert_eq!(
        with([one.as_str(); 2].join(",")).unwrap_err().code,
        Code::ManifestLimit
    );
    let many: Vec<String> = (0..257u32)
        .map(|i| artifact(&format!("p{i}"), "plugin", "tar", "https://1.1.1.1/", 16384, &[1]))
        .collect();
    assert_eq!(with(many.join(",")).unwrap_err().code, Code::ManifestLimit);
    assert_eq!(with(many[..256].join(",")).unwrap().artifacts.len(), 256);
}

#[test]
fn the_infohash_must_be_that_of_the_info_dictionary() {
    assert_eq!(
        swap(r#""name":"root.tar""#, r#""name":"loot.tar""#),
        Some(Code::ManifestBadInfohash)
    );
    assert_eq!(
        swap(r#""size_bytes":40000"#, r#""size_bytes":40001"#),
        Some(Code::ManifestBadInfohash)
    );
    assert_eq!(
        code(|json| {
            let at = json.find("\"pieces\":\"").unwrap() + 10;
            let mut pieces = json[at..at + 4].to_owned();
            pieces = base64(&[pieces.as_bytes()[0] ^ 3, 1, 2]);
            format!("{}{pieces}{}", &json[..at], &json[at + 4..])
        }),
        Some(Code::ManifestBadInfohash)
    );
}

/// Whatever a holder of the key signs by mistake: no panic, and every answer is one of the manifest's codes.
#[test]
fn signed_rubbish_is_refused_with_a_code() {
    let mut rng = Rng::new(11);
    let good = Sample::default().json().into_bytes();
    let mut accepted = 0;
    for _ in 0..1_500 {
        let mut json = good.clone();
        for _ in 0..=rng.below(2) {
            let at = rng.below(json.len() as u64) as usize;
            match rng.below(4) {
                0 => json[at] = b"0123456789abc\"{}[],:\\"[rng.below(21) as usize],
                1 => json.truncate(at),
                2 => json.insert(at, b"0123456789abc\"{}[],:\\"[rng.below(21) as usize]),
                _ => {
                    let end = (at + rng.below(40) as usize).min(json.len());
                    json.drain(at..end);
                }
            }
            if json.is_empty() {
                break;
            }
        }
        match read(sign(&json, 1)) {
            Ok(_) => accepted += 1,
            Err(e) => assert!(
                e.code.as_str().starts_with("MANIFEST_") && e.code != Code::ManifestBadSignature,
                "{e}"
            ),
        }
    }
    assert!(accepted < 400, "{accepted}");
}

/// What the server's language signed: both sides take the same bodies, and refuse the same with the same code.
#[test]
fn golden_vectors_of_the_server() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/manifest");
    let mut seen = (0, 0);
    for file in std::fs::read_dir(dir).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for case in serde_json::from_str::<Vec<serde_json::Value>>(&text).unwrap() {
            let text = |name: &str| case[name].as_str().unwrap();
            let bytes = |name: &str| crate::core::base64::decode(text(name).as_bytes()).unwrap();
            let key = bytes("public_key_base64").try_into().unwrap();
            let result = open(bytes("body_base64"), &[key], text("nonce"), text("node"));
            let got = result.as_ref().map_or_else(|e| e.code.as_str(), |_| "ok");
            assert_eq!(got, text("expect"), "{}: {:?}", text("name"), result.err());
            *(if got == "ok" { &mut seen.0 } else { &mut seen.1 }) += 1;
        }
    }
    assert!(seen.0 >= 5 && seen.1 >= 100, "{seen:?}");
}

#[test]
fn what_comes_behind_the_json_is_parted_from_it() {
    let body = [&[b'x'; HEADER_LINE_BYTES][..], b"{\"a\":1}"].concat();
    assert_eq!(part(body.clone()), (body.clone(), None));
    let with = |hints: &[u8]| [&body[..], b"\n", hints].concat();
    assert_eq!(part(with(b"")), (body.clone(), Some(Vec::new())));
    assert_eq!(part(with(b"l\ne")), (body, Some(b"l\ne".to_vec())));
    assert_eq!(part(b"short\n".to_vec()), (b"short\n".to_vec(), None));
}

/// A site's server may be older than its stage 1.
#[test]
fn reads_what_an_earlier_release_of_the_server_signed() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../test/vectors/releases/agent-0.1.0.json"
    );
    let vector: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let text = |name: &str| vector[name].as_str().unwrap();
    let key = crate::core::base64::decode(text("manifest_key").as_bytes()).unwrap();
    let body = text("manifest").as_bytes().to_vec();
    let manifest = open(body, &[key.try_into().unwrap()], text("nonce"), text("node")).unwrap();
    assert_eq!(manifest.artifacts.len(), 3);
    assert_eq!(manifest.settings, [("POOL".into(), "pool.example:3333".into())]);
}
