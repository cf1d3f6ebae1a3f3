//! Content codings of a body: gzip, and `bw1` of docs/manifest.md.

use std::io::Read;

use flate2::{Decompress, FlushDecompress, Status};

use crate::core::manifest::DICTIONARY;

/// What we say that we take.
pub(super) const ACCEPTED: &str = "bw1, gzip";

/// How a body is coded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Coding {
    /// As it is, or in a way that we did not ask for.
    #[default]
    Plain,
    Gzip,
    /// zlib with the dictionary of manifests.
    Bw1,
}

impl Coding {
    /// Of a `Content-Encoding`.
    pub fn of(header: &[u8]) -> Self {
        if header.eq_ignore_ascii_case(b"gzip") {
            Self::Gzip
        } else if header.eq_ignore_ascii_case(b"bw1") {
            Self::Bw1
        } else {
            Self::Plain
        }
    }

    /// What `body` stands for, if it is whole, nothing follows it, and it has at most `max` bytes inside.
    pub fn decode(self, body: Vec<u8>, max: usize) -> Option<Vec<u8>> {
        match self {
            Self::Plain => Some(body),
            Self::Gzip => gunzip(&body, max),
            Self::Bw1 => inflate(&body, max),
        }
    }
}

/// The one gzip member that `body` is.
fn gunzip(body: &[u8], max: usize) -> Option<Vec<u8>> {
    let mut plain = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(body);
    (&mut decoder).take(max as u64 + 1).read_to_end(&mut plain).ok()?;
    // All of it was read, its checksum too, and nothing follows.
    let whole = plain.len() <= max && decoder.into_inner().is_empty();
    whole.then_some(plain)
}

/// The one zlib stream that `body` is.
fn inflate(body: &[u8], max: usize) -> Option<Vec<u8>> {
    const STEP: usize = 4 << 10;
    let mut stream = Decompress::new(true);
    let mut plain = Vec::new();
    loop {
        let rest = body.get(usize::try_from(stream.total_in()).ok()?..)?;
        let (before_in, before_out) = (stream.total_in(), stream.total_out());
        plain.reserve(STEP);
        match stream.decompress_vec(rest, &mut plain, FlushDecompress::None) {
            Ok(Status::StreamEnd) => {
                let whole = stream.total_in() == body.len() as u64 && plain.len() <= max;
                return whole.then_some(plain);
            }
            Ok(_) if plain.len() > max => return None,
            // No progress: it ends too early.
            Ok(_) if (stream.total_in(), stream.total_out()) == (before_in, before_out) => return None,
            Ok(_) => {}
            // Once: a second request for a dictionary is an error.
            Err(e) => {
                e.needs_dictionary()?;
                stream.set_dictionary(DICTIONARY).ok()?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::base64;
    use crate::io::https::testing::vectors;

    #[test]
    fn reads_the_golden_vectors_of_bw1() {
        let text = std::fs::read_to_string(vectors().join("manifest-coding.json")).unwrap();
        let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert!(cases.len() > 5);
        for case in &cases {
            let name = case["name"].as_str().unwrap();
            let bytes = |key: &str| {
                case[key]
                    .as_str()
                    .map(|text| base64::decode(text.as_bytes()).unwrap())
            };
            let coded = bytes("coded").unwrap();
            let plain = bytes("plain");
            assert_eq!(Coding::Bw1.decode(coded.clone(), 10_000), plain, "{name}");
            if let Some(plain) = plain.filter(|plain| !plain.is_empty()) {
                assert_eq!(
                    Coding::Bw1.decode(coded.clone(), plain.len()),
                    Some(plain.clone()),
                    "{name}"
                );
                assert_eq!(Coding::Bw1.decode(coded, plain.len() - 1), None, "{name}: a bomb");
            }
        }
    }

    #[test]
    fn rubbish_is_refused() {
        let text = std::fs::read_to_string(vectors().join("manifest-coding.json")).unwrap();
        let cases: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        let good = base64::decode(cases[0]["coded"].as_str().unwrap().as_bytes()).unwrap();
        let mut rng = crate::core::rng::Rng::new(1);
        for _ in 0..20_000 {
            let mut body: Vec<u8> = (0..rng.below(60)).map(|_| rng.next_u64() as u8).collect();
            if body.len() > 6 && rng.below(2) == 0 {
                // As far as the name of the dictionary it is right.
                body[..6].copy_from_slice(&good[..6]);
            }
            if let Some(plain) = Coding::Bw1.decode(body, 1000) {
                assert!(plain.len() <= 1000);
            }
        }
    }
}
