//! The signed boot manifest of docs/manifest.md: nothing in it is looked at before its signature holds.

mod fields;
mod limits;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use ring::signature::{ED25519, UnparsedPublicKey};

use super::base64;
use super::error::{Code, Error, Result};
use super::json;
use super::limits::MANIFEST_BYTES_MAX;

/// What all manifests have in common: the dictionary of the content coding `bw1` (docs/manifest.md).
pub const DICTIONARY: &[u8] = include_bytes!("dictionary.txt");

/// What is signed begins with this line, and so does the body but for the signature in it.
const HEADER: &[u8; 22] = b"bootswarm-manifest-v1\n";
/// Header, space, 88 characters of base64: all with the line feed.
const HEADER_LINE_BYTES: usize = 111;

/// What a node boots, checked against every rule of docs/manifest.md.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// In unpack order, at least one.
    pub artifacts: Vec<Artifact>,
    /// Bootstrap nodes of the site's DHT.
    pub dht: Vec<SocketAddr>,
    /// Where the node posts its events.
    pub events_url: String,
    /// What the node shall be called: a host name.
    pub hostname: String,
    /// The node's rack.
    pub rack: String,
    /// Environment, sorted by name. The values may be secret: never print them.
    pub settings: Vec<(String, String)>,
    /// The origin's BitTorrent seeders.
    pub seeders: Vec<SocketAddr>,
    /// Name of the installation.
    pub site: String,
    /// The server's time, seconds since 1970.
    pub time_s: u64,
    /// Announce URLs.
    pub trackers: Vec<String>,
    /// Catalog version, 1 and up.
    pub version: u64,
}

/// One file of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// What is inside it, behind its compression.
    pub format: Format,
    /// BEP 3 infohash of its info dictionary.
    pub infohash: [u8; 20],
    /// What it is for.
    pub kind: Kind,
    /// A file name: 1-128 bytes, no `/`, not `.` or `..`.
    pub name: String,
    /// HTTPS URLs of the whole file, 1-8.
    pub origins: Vec<String>,
    /// Bytes in a piece: a power of two.
    pub piece_length: u32,
    /// The SHA-1 of the pieces, 20 bytes each, exactly as many as there are pieces; `None`: they come from peers.
    pub pieces: Option<Vec<u8>>,
    /// Of the whole file: this decides.
    pub sha256: [u8; 32],
    /// 1 to 2^40.
    pub size_bytes: u64,
}

/// What is inside an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A tar archive to unpack.
    Tar,
    /// A cpio archive to unpack.
    Cpio,
    /// A file system image, handed over as a file.
    Squashfs,
    /// Anything else, handed over as a file.
    Raw,
}

impl Format {
    /// The node gets the file itself, and not what is in it.
    pub fn is_handed_over(self) -> bool {
        matches!(self, Self::Squashfs | Self::Raw)
    }
}

/// What an artifact is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The root file system.
    Rootfs,
    /// What is unpacked over it.
    Plugin,
}

/// Parts a manifest's body from the tracker's answers that come behind it for a node which has asked for them: no
/// JSON has a raw line feed. Those are hints that nobody has signed.
pub fn part(mut body: Vec<u8>) -> (Vec<u8>, Option<Vec<u8>>) {
    let json = body.get(HEADER_LINE_BYTES..).unwrap_or_default();
    let Some(at) = json.iter().position(|&byte| byte == b'\n') else {
        return (body, None);
    };
    let hints = body.split_off(HEADER_LINE_BYTES + at + 1);
    body.pop();
    (body, Some(hints))
}

/// Verifies and reads a manifest's body. The body is consumed: verifying writes into its header line, which
/// spares a second copy of it.
///
/// `keys` are those that may have signed it, `nonce` is this boot's (32 lower-case hex), `node_id` our own.
///
/// # Errors
/// The `MANIFEST_` codes, in the order of docs/manifest.md.
pub fn open(mut body: Vec<u8>, keys: &[[u8; 32]], nonce: &str, node_id: &str) -> Result<Manifest> {
    let signature =
        signature(&body).ok_or_else(|| Error::new(Code::ManifestMalformed, "manifest: header line"))?;
    let start = HEADER_LINE_BYTES - HEADER.len();
    body[start..HEADER_LINE_BYTES].copy_from_slice(HEADER);
    let signed = &body[start..];
    if !keys.iter().any(|key| {
        UnparsedPublicKey::new(&ED25519, key)
            .verify(signed, &signature)
            .is_ok()
    }) {
        return Err(Error::new(
            Code::ManifestBadSignature,
            "manifest: no known key has signed it",
        ));
    }
    let document = json::parse(&signed[HEADER.len()..]).map_err(|(what, at)| {
        Error::new(Code::ManifestMalformed, format!("manifest: {what} at byte {at}"))
    })?;
    limits::check(fields::manifest(&document)?, nonce, node_id)
}

/// The signature in the header line, if length and header line are as they must be.
fn signature(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() > MANIFEST_BYTES_MAX {
        return None;
    }
    let line = body.get(..HEADER_LINE_BYTES)?.strip_suffix(b"\n")?;
    let text = line
        .strip_prefix(&HEADER[..HEADER.len() - 1])?
        .strip_prefix(b" ")?;
    base64::decode(text).filter(|signature| signature.len() == 64)
}
