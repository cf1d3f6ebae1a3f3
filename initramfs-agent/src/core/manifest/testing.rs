//! Manifests for tests, made and signed here.

use ring::signature::{Ed25519KeyPair, KeyPair};
use sha2::{Digest as _, Sha256};

use crate::core::json::write_string;
use crate::core::metainfo::{info_dictionary, infohash};

/// A key pair from 32 equal bytes.
pub fn key(seed: u8) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
}

/// Its public half.
pub fn public(seed: u8) -> [u8; 32] {
    key(seed).public_key().as_ref().try_into().unwrap()
}

/// Standard base64.
pub fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for i in 0..4 {
            let shown = i <= chunk.len();
            out.push(if shown {
                char::from(ALPHABET[(bits >> (18 - 6 * i) & 63) as usize])
            } else {
                '='
            });
        }
    }
    out
}

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A whole body around some JSON, signed with [`key`] of `seed`.
pub fn sign(json: &[u8], seed: u8) -> Vec<u8> {
    let signed = [b"bootswarm-manifest-v1\n", json].concat();
    let signature = base64(key(seed).sign(&signed).as_ref());
    [format!("bootswarm-manifest-v1 {signature}\n").as_bytes(), json].concat()
}

/// The JSON of one artifact with these bytes.
pub fn artifact(
    name: &str,
    kind: &str,
    format: &str,
    origin: &str,
    piece_length: u32,
    bytes: &[u8],
) -> String {
    let pieces: Vec<u8> = bytes
        .chunks(piece_length as usize)
        .flat_map(sha1::Sha1::digest)
        .collect();
    let inline = if pieces.len() / 20 > 16 { &[][..] } else { &pieces };
    let hash = infohash(&info_dictionary(name, bytes.len() as u64, piece_length, &pieces));
    let (hash, sha256, pieces) = (hex(&hash), hex(&Sha256::digest(bytes)), base64(inline));
    let mut quoted = String::new();
    write_string(&mut quoted, name);
    format!(
        r#"{{"format":"{format}","infohash":"{hash}","kind":"{kind}","name":{quoted},"origins":["{origin}"],"piece_length":{piece_length},"pieces":"{pieces}","sha256":"{sha256}","size_bytes":{}}}"#,
        bytes.len()
    )
}

/// What [`Sample::json`] is made of, where tests want their own.
#[derive(Clone)]
pub struct Sample {
    /// JSON of the artifacts, with commas between them.
    pub artifacts: String,
    /// `events_url`.
    pub events_url: String,
    /// `node.id`.
    pub node: String,
    /// Members of `node.settings`.
    pub settings: String,
    /// `nonce`.
    pub nonce: String,
    /// `seeders` and `trackers`, as array contents.
    pub seeders: String,
    /// See `seeders`.
    pub trackers: String,
    /// `time_s`.
    pub time_s: u64,
    /// `version`.
    pub version: u64,
}

impl Default for Sample {
    fn default() -> Self {
        let origin = "https://10.0.0.1:8443/v1/artifacts/x/root.tar";
        Self {
            artifacts: artifact("root.tar", "rootfs", "tar", origin, 16384, &[7; 40_000]),
            events_url: "https://10.0.0.1:8443/v1/nodes/n1/events".into(),
            node: "n1".into(),
            settings: r#""A":"1","WALLET":"s3cret \"q\"""#.into(),
            nonce: "0123456789abcdef0123456789abcdef".into(),
            seeders: r#""10.0.0.1:6881","[fd00::1]:6881""#.into(),
            trackers: r#""http://10.0.0.1:8480/announce""#.into(),
            time_s: 1_800_000_000,
            version: 3,
        }
    }
}

impl Sample {
    /// The canonical JSON.
    pub fn json(&self) -> String {
        format!(
            r#"{{"artifacts":[{}],"dht":["10.0.0.1:6881"],"events_url":"{}","node":{{"hostname":"rig-1","id":"{}","rack":"r1","settings":{{{}}}}},"nonce":"{}","seeders":[{}],"site":"farm","time_s":{},"trackers":[{}],"version":{}}}"#,
            self.artifacts,
            self.events_url,
            self.node,
            self.settings,
            self.nonce,
            self.seeders,
            self.time_s,
            self.trackers,
            self.version
        )
    }
}
