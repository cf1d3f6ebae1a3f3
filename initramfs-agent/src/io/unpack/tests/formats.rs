//! What a file is, by its first bytes: the server decides the same (test/vectors/format.json).

use super::super::*;
use super::support::*;
use crate::core::base64;
use crate::core::error::Code;

#[test]
fn golden_vectors() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../test/vectors/format.json");
    let text = std::fs::read_to_string(path).unwrap();
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert!(cases.len() > 20);
    for case in &cases {
        let about = case["about"].as_str().unwrap();
        let file = base64::decode(case["file"].as_str().unwrap().as_bytes()).unwrap();
        let format = match case["inside"].as_str() {
            Some("cpio") => Format::Cpio,
            _ => Format::Tar,
        };
        let scratch = Scratch::new();
        let result = unpack_with(&file, format, &scratch.root(), &UnpackLimits::plugin());
        if case["agent"] == "unpacks" {
            assert_eq!(result.expect(about).files, 1, "{about}");
            assert_eq!(scratch.read("a"), "hello\n", "{about}");
            continue;
        }
        let error = result.expect_err(about);
        let compression = case["compression"].as_str().filter(|name| *name != "gzip");
        match compression.map(|name| name.trim_end_matches("-legacy")) {
            Some(name) => {
                assert_eq!(error.code, Code::ArchiveUnsupported, "{about}: {error}");
                assert!(error.to_string().contains(name), "{about}: {error}");
            }
            None => assert_eq!(error.code, Code::ArchiveMalformed, "{about}: {error}"),
        }
    }
}
