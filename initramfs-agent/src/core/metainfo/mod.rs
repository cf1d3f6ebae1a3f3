//! Metainfo files (`.torrent`, BEP 3) of a single file, and the info dictionary that the manifest implies.

mod info;
#[cfg(test)]
mod tests;

pub use info::{InfoShape, info_dictionary, infohash};

use super::bencode::{self, Dict, Keys, Value};
use super::error::{Code, Error, Result};
use super::limits::{
    ARTIFACT_SIZE_BYTES_MAX, NAME_BYTES_MAX, PIECE_LENGTH_MAX, PIECE_LENGTH_MIN, TORRENT_BYTES_MAX,
    TORRENT_URLS_MAX, URL_BYTES_MAX,
};

/// Bytes in a SHA-1 hash.
pub const HASH_BYTES: usize = 20;

/// What a `.torrent` says, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metainfo {
    /// The file's name; see [`name_is_safe`].
    pub name: String,
    /// Its size, 1 to 2^40.
    pub size_bytes: u64,
    /// Bytes in a piece, but for the last: a power of two within the limits.
    pub piece_length: u32,
    /// The SHA-1 of the pieces, 20 bytes each; exactly as many as the size asks for.
    pub pieces: Vec<u8>,
    /// SHA-1 of the info dictionary as it stood in the file.
    pub infohash: [u8; 20],
    /// `announce` and `announce-list` (BEP 12) in their order, without repetitions; of any scheme.
    pub trackers: Vec<String>,
    /// `url-list` (BEP 19): where the file can be had over HTTP.
    pub web_seeds: Vec<String>,
    /// BEP 27: peers come from the trackers only.
    pub private: bool,
}

impl Metainfo {
    /// Parses a metainfo file.
    ///
    /// # Errors
    /// `TORRENT_MALFORMED`, also for what is well formed but not ours: several files, sizes out of bounds.
    pub fn parse(file: &[u8]) -> Result<Self> {
        if file.len() > TORRENT_BYTES_MAX {
            return Err(malformed("larger than the limit"));
        }
        let root = bencode::parse(file, Keys::AnyOrder).map_err(|e| malformed(&e.message))?;
        let root = root.as_dict().ok_or_else(|| malformed("not a dictionary"))?;
        let info_value = root.get(b"info").ok_or_else(|| malformed("no info"))?;
        let info = info_value
            .as_dict()
            .ok_or_else(|| malformed("info is not a dictionary"))?;
        if info.get(b"files").is_some() {
            return Err(malformed(
                "several files; only torrents of one file are supported",
            ));
        }
        let name = info
            .bytes(b"name")
            .and_then(|name| std::str::from_utf8(name).ok());
        let name = name
            .filter(|name| name_is_safe(name))
            .ok_or_else(|| malformed("name"))?;
        let size_bytes = info.int(b"length").and_then(|v| u64::try_from(v).ok());
        let size_bytes = size_bytes.ok_or_else(|| malformed("length"))?;
        let piece_length = info.int(b"piece length").and_then(|v| u32::try_from(v).ok());
        let piece_length = piece_length.ok_or_else(|| malformed("piece length"))?;
        let pieces = info.bytes(b"pieces").ok_or_else(|| malformed("pieces"))?;
        check_pieces(size_bytes, piece_length, pieces.len()).map_err(malformed)?;
        Ok(Self {
            name: name.to_owned(),
            size_bytes,
            piece_length,
            pieces: pieces.to_vec(),
            infohash: infohash(info_value.raw),
            trackers: trackers(root),
            web_seeds: web_seeds(root),
            private: info.int(b"private") == Some(1),
        })
    }
}

/// Whether a name can be a file in a directory and nothing else: 1-128 bytes, no `/`, no NUL, not `.` or `..`.
pub fn name_is_safe(name: &str) -> bool {
    let bytes = name.as_bytes();
    !bytes.is_empty()
        && bytes.len() <= NAME_BYTES_MAX
        && !bytes.iter().any(|b| matches!(b, b'/' | 0))
        && name != "."
        && name != ".."
}

/// Whether size, piece length and the bytes of the piece hashes are within the limits and fit together.
///
/// # Errors
/// Which of them is wrong.
pub fn check_pieces(
    size_bytes: u64,
    piece_length: u32,
    pieces_len: usize,
) -> std::result::Result<(), &'static str> {
    if size_bytes == 0 || size_bytes > ARTIFACT_SIZE_BYTES_MAX {
        return Err("the size is out of bounds");
    }
    if !piece_length.is_power_of_two() || !(PIECE_LENGTH_MIN..=PIECE_LENGTH_MAX).contains(&piece_length) {
        return Err("the piece length is out of bounds");
    }
    let count = size_bytes.div_ceil(u64::from(piece_length));
    if pieces_len as u64 != count * HASH_BYTES as u64 {
        return Err("the number of pieces does not fit the size");
    }
    Ok(())
}

fn malformed(what: &str) -> Error {
    Error::new(Code::TorrentMalformed, format!("torrent: {what}"))
}

fn trackers(root: &Dict<'_>) -> Vec<String> {
    let mut urls = Vec::new();
    if let Some(url) = root.get(b"announce") {
        add_url(&mut urls, url);
    }
    for tier in root.list(b"announce-list").unwrap_or_default() {
        for url in tier.as_list().unwrap_or_default() {
            add_url(&mut urls, url);
        }
    }
    urls
}

fn web_seeds(root: &Dict<'_>) -> Vec<String> {
    let mut urls = Vec::new();
    match root.get(b"url-list") {
        Some(value) if value.as_list().is_some() => {
            for url in value.as_list().unwrap_or_default() {
                add_url(&mut urls, url);
            }
        }
        Some(value) => add_url(&mut urls, value),
        None => {}
    }
    urls
}

/// An address that is no use must not spoil the torrent: what is not a short string is left out.
fn add_url(urls: &mut Vec<String>, value: &Value<'_>) {
    let Some(url) = value.as_bytes().and_then(|url| std::str::from_utf8(url).ok()) else {
        return;
    };
    let usable = !url.is_empty() && url.len() <= URL_BYTES_MAX && !url.chars().any(char::is_control);
    if usable && urls.len() < TORRENT_URLS_MAX && !urls.iter().any(|known| known == url) {
        urls.push(url.to_owned());
    }
}
