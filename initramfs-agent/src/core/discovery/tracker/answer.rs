//! A tracker's answer (BEP 3, 7, 23, and `local peers`, `far peers` of docs/protocol.md).

use std::net::{IpAddr, SocketAddr};

use crate::core::bencode::{self, Dict, Keys, Value};
use crate::core::discovery::compact;
use crate::core::error::{Code, Error, Result};
use crate::core::limits::{PEERS_PER_ANSWER_MAX, TRACKER_ANSWER_BYTES_MAX};
use crate::core::nearness::{Duty, Nearness};

/// Characters of a `failure reason` that are worth keeping.
const REASON_CHARS_MAX: usize = 200;

/// What a tracker said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// `interval`, seconds.
    pub interval_s: Option<u32>,
    /// `min interval`, seconds.
    pub min_interval_s: Option<u32>,
    /// `peers` and `peers6`, without those nobody can connect to.
    pub peers: Vec<(SocketAddr, Nearness)>,
    /// `importer`: who brings pieces into our rack.
    pub duty: Duty,
}

impl Answer {
    /// Parses the body of an answer.
    ///
    /// # Errors
    /// `TRACKER_MALFORMED`; `TRACKER_FAILED` with the `failure reason` when the tracker gives one.
    pub fn parse(body: &[u8]) -> Result<Self> {
        if body.len() > TRACKER_ANSWER_BYTES_MAX {
            return Err(malformed("larger than the limit"));
        }
        let root = bencode::parse(body, Keys::AnyOrder).map_err(|e| malformed(&e.message))?;
        Self::read(&root)
    }

    /// The answers that came behind a manifest (docs/manifest.md), one for each of its `count` artifacts; `None` for
    /// those that are of no use.
    ///
    /// # Errors
    /// `TRACKER_MALFORMED` when it is no list of so many.
    pub fn parse_list(list: &[u8], count: usize) -> Result<Vec<Option<Self>>> {
        if list.len() > TRACKER_ANSWER_BYTES_MAX {
            return Err(malformed("larger than the limit"));
        }
        let root = bencode::parse(list, Keys::AnyOrder).map_err(|e| malformed(&e.message))?;
        let answers = root.as_list().filter(|answers| answers.len() == count);
        let answers = answers.ok_or_else(|| malformed("not a list of the right length"))?;
        Ok(answers.iter().map(|answer| Self::read(answer).ok()).collect())
    }

    fn read(root: &Value<'_>) -> Result<Self> {
        let root = root.as_dict().ok_or_else(|| malformed("not a dictionary"))?;
        if let Some(reason) = root.get(b"failure reason") {
            return Err(Error::new(
                Code::TrackerFailed,
                readable(reason.as_bytes().unwrap_or_default()),
            ));
        }
        let local = count(root, "local peers")?;
        let far = count(root, "far peers")?.unwrap_or(0);
        let mut peers = peers(root, local, far)?;
        peers.retain(|(addr, _)| compact::is_usable(addr));
        peers.truncate(PEERS_PER_ANSWER_MAX);
        Ok(Self {
            interval_s: seconds(root, b"interval")?,
            min_interval_s: seconds(root, b"min interval")?,
            peers,
            duty: duty(root),
        })
    }
}

fn count(root: &Dict<'_>, key: &str) -> Result<Option<usize>> {
    let Some(value) = root.get(key.as_bytes()) else {
        return Ok(None);
    };
    let count = value.as_int().and_then(|count| usize::try_from(count).ok());
    count.map(Some).ok_or_else(|| malformed(key))
}

/// `importer`: our turn among the importers of our rack, or -1 when others are; missing: nothing is said. What a newer
/// tracker may mean by anything else counts as missing, and costs neither the peers of its answer nor the rack its
/// importers: as long as a node does not know that it may wait for others, it brings pieces in itself.
fn duty(root: &Dict<'_>) -> Duty {
    match root.int(b"importer") {
        Some(-1) => Duty::Member,
        // All late turns are alike.
        Some(turn @ 0..) => Duty::Importer(u8::try_from(turn).unwrap_or(u8::MAX)),
        _ => Duty::Unsaid,
    }
}

fn malformed(what: &str) -> Error {
    Error::new(Code::TrackerMalformed, format!("tracker answer: {what}"))
}

/// Text of a stranger, fit for a log line.
fn readable(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.chars()
        .filter(|c| !c.is_control())
        .take(REASON_CHARS_MAX)
        .collect()
}

fn seconds(root: &Dict<'_>, key: &[u8]) -> Result<Option<u32>> {
    let Some(value) = root.get(key) else {
        return Ok(None);
    };
    let seconds = value.as_int().filter(|&s| s >= 0);
    let seconds = seconds.ok_or_else(|| malformed("an interval"))?;
    Ok(Some(u32::try_from(seconds).unwrap_or(u32::MAX)))
}

/// The first ones are in our rack, so many; the last ones are far, so many.
fn peers(root: &Dict<'_>, local: Option<usize>, far: usize) -> Result<Vec<(SocketAddr, Nearness)>> {
    // Counted before anything is left out, because `local peers` and `far peers` count that way too.
    let nearness = |at: usize, of: usize| match local {
        None => Nearness::Unknown,
        Some(count) if at < count => Nearness::Local,
        Some(_) if at.saturating_add(far) >= of => Nearness::Far,
        Some(_) => Nearness::Across,
    };
    let mut peers = Vec::new();
    match root.get(b"peers") {
        None => {}
        Some(value) => {
            if let Some(list) = value.as_list() {
                for (at, entry) in list.iter().enumerate() {
                    let nearness = nearness(at, list.len());
                    peers.extend(dictionary_peer(entry)?.map(|addr| (addr, nearness)));
                }
            } else {
                let found: Vec<SocketAddr> = compact_peers(value, compact::V4_BYTES)?.collect();
                let of = found.len();
                peers.extend(
                    found
                        .into_iter()
                        .enumerate()
                        .map(|(at, addr)| (addr, nearness(at, of))),
                );
            }
        }
    }
    if let Some(value) = root.get(b"peers6") {
        let found = compact_peers(value, compact::V6_BYTES)?;
        let elsewhere = local.map_or(Nearness::Unknown, |_| Nearness::Across);
        peers.extend(found.map(|addr| (addr, elsewhere)));
    }
    Ok(peers)
}

fn compact_peers<'a>(value: &Value<'a>, size: usize) -> Result<impl Iterator<Item = SocketAddr> + use<'a>> {
    let bytes = value.as_bytes().filter(|bytes| bytes.len() % size == 0);
    let bytes = bytes.ok_or_else(|| malformed("peers"))?;
    Ok(bytes.chunks_exact(size).filter_map(compact::parse))
}

/// One entry of the dictionary model. Host names are allowed there; we resolve none and leave them out.
fn dictionary_peer(entry: &Value<'_>) -> Result<Option<SocketAddr>> {
    let entry = entry.as_dict().ok_or_else(|| malformed("a peer"))?;
    let ip = entry.bytes(b"ip").ok_or_else(|| malformed("a peer's ip"))?;
    let port = entry.int(b"port").and_then(|port| u16::try_from(port).ok());
    let port = port.ok_or_else(|| malformed("a peer's port"))?;
    let ip = std::str::from_utf8(ip)
        .ok()
        .and_then(|ip| ip.parse::<IpAddr>().ok());
    Ok(ip.map(|ip| SocketAddr::new(ip, port)))
}
