//! What the manifest's values may be: for us, within the limits, and true to their infohashes.

use std::net::SocketAddr;

use super::fields::{ArtifactFields, Fields};
use super::{Artifact, Format, Kind, Manifest};
use crate::core::base64;
use crate::core::error::{Code, Error, Result};
use crate::core::limits::{
    HOSTNAME_BYTES_MAX, LABEL_BYTES_MAX, MANIFEST_ADDRESSES_MAX, MANIFEST_ARTIFACTS_MAX,
    MANIFEST_INLINE_PIECES_MAX, SETTING_NAME_BYTES_MAX, SETTING_VALUE_BYTES_MAX, SETTINGS_MAX, URL_BYTES_MAX,
};
use crate::core::metainfo::{HASH_BYTES, check_pieces, info_dictionary, infohash, name_is_safe};

/// Checks everything and makes the manifest of it.
///
/// # Errors
/// `MANIFEST_REPLAYED`, `MANIFEST_WRONG_NODE`, `MANIFEST_LIMIT`, `MANIFEST_BAD_INFOHASH`, in this order.
pub(super) fn check(fields: Fields<'_>, nonce: &str, node_id: &str) -> Result<Manifest> {
    if fields.nonce != nonce {
        return Err(Error::new(
            Code::ManifestReplayed,
            "manifest: made for another boot",
        ));
    }
    if fields.node_id != node_id {
        let other: String = fields.node_id.chars().take(64).collect();
        return Err(Error::new(
            Code::ManifestWrongNode,
            format!("manifest: made for node {other:?}"),
        ));
    }
    demand(fields.version >= 1, "version")?;
    let hostname = text(fields.hostname, HOSTNAME_BYTES_MAX, "node.hostname")?;
    // It becomes a line of a file.
    demand(
        hostname
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"-._".contains(&c)),
        "node.hostname",
    )?;
    let (rack, site) = (
        text(fields.rack, LABEL_BYTES_MAX, "node.rack")?,
        text(fields.site, LABEL_BYTES_MAX, "site")?,
    );
    let events_url = text(fields.events_url, URL_BYTES_MAX, "events_url")?;
    demand(fields.settings.len() <= SETTINGS_MAX, "node.settings")?;
    let settings = fields.settings.into_iter().map(setting).collect::<Result<_>>()?;
    let (dht, seeders) = (
        addresses(&fields.dht, "dht")?,
        addresses(&fields.seeders, "seeders")?,
    );
    demand(fields.trackers.len() <= MANIFEST_ADDRESSES_MAX, "trackers")?;
    let trackers = urls(&fields.trackers, "trackers")?;
    demand(
        (1..=MANIFEST_ARTIFACTS_MAX).contains(&fields.artifacts.len()),
        "artifacts",
    )?;
    let artifacts: Vec<Artifact> = fields.artifacts.iter().map(artifact).collect::<Result<_>>()?;
    for (i, artifact) in artifacts.iter().enumerate() {
        demand(
            artifacts[..i].iter().all(|a| a.infohash != artifact.infohash),
            "artifacts: one of them twice",
        )?;
    }
    for a in &artifacts {
        let fits = |pieces: &[u8]| {
            infohash(&info_dictionary(&a.name, a.size_bytes, a.piece_length, pieces)) == a.infohash
        };
        if !a.pieces.as_deref().is_none_or(fits) {
            let message = format!(
                "manifest: the infohash of {:?} is not that of its info dictionary",
                a.name
            );
            return Err(Error::new(Code::ManifestBadInfohash, message));
        }
    }
    Ok(Manifest {
        artifacts,
        dht,
        events_url,
        hostname,
        rack,
        settings,
        seeders,
        site,
        time_s: fields.time_s,
        trackers,
        version: fields.version,
    })
}

fn artifact(fields: &ArtifactFields<'_>) -> Result<Artifact> {
    demand(name_is_safe(fields.name), "artifacts[].name")?;
    let format = match fields.format {
        "tar" => Format::Tar,
        "cpio" => Format::Cpio,
        "squashfs" => Format::Squashfs,
        "raw" => Format::Raw,
        _ => return Err(limit("artifacts[].format")),
    };
    let kind = match fields.kind {
        "rootfs" => Kind::Rootfs,
        "plugin" => Kind::Plugin,
        _ => return Err(limit("artifacts[].kind")),
    };
    demand(
        (1..=MANIFEST_ADDRESSES_MAX).contains(&fields.origins.len()),
        "artifacts[].origins",
    )?;
    let origins = urls(&fields.origins, "artifacts[].origins")?;
    demand(
        origins.iter().all(|url| url.starts_with("https://")),
        "artifacts[].origins",
    )?;
    let piece_length = u32::try_from(fields.piece_length).map_err(|_| limit("artifacts[].piece_length"))?;
    let pieces = base64::decode(fields.pieces.as_bytes()).ok_or_else(|| limit("artifacts[].pieces"))?;
    let count = fields.size_bytes.div_ceil(u64::from(piece_length.max(1)));
    let inline = count <= MANIFEST_INLINE_PIECES_MAX;
    // Without them the info dictionary comes from peers, and is held against the same three values.
    let hashes_len = match (inline, pieces.len()) {
        (false, 0) => count as usize * HASH_BYTES,
        (true, len) => len,
        (false, _) => return Err(limit("artifacts[].pieces of a large artifact")),
    };
    check_pieces(fields.size_bytes, piece_length, hashes_len).map_err(limit)?;
    Ok(Artifact {
        format,
        infohash: hex(fields.infohash).ok_or_else(|| limit("artifacts[].infohash"))?,
        kind,
        name: fields.name.to_owned(),
        origins,
        piece_length,
        pieces: inline.then_some(pieces),
        sha256: hex(fields.sha256).ok_or_else(|| limit("artifacts[].sha256"))?,
        size_bytes: fields.size_bytes,
    })
}

fn limit(name: &str) -> Error {
    Error::new(Code::ManifestLimit, format!("manifest: out of bounds: {name}"))
}

fn demand(holds: bool, name: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(limit(name)) }
}

fn text(value: &str, max: usize, name: &str) -> Result<String> {
    demand((1..=max).contains(&value.len()), name)?;
    Ok(value.to_owned())
}

fn urls(values: &[&str], name: &str) -> Result<Vec<String>> {
    values.iter().map(|url| text(url, URL_BYTES_MAX, name)).collect()
}

fn setting((name, value): (&str, &str)) -> Result<(String, String)> {
    let mut chars = name.bytes();
    let good = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == b'_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == b'_')
        && name.len() <= SETTING_NAME_BYTES_MAX
        && value.len() <= SETTING_VALUE_BYTES_MAX
        && !value.contains(['\0', '\n']);
    demand(good, "node.settings")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn addresses(values: &[&str], name: &str) -> Result<Vec<SocketAddr>> {
    demand(values.len() <= MANIFEST_ADDRESSES_MAX, name)?;
    let address = |text: &&str| {
        let (_, port) = text.rsplit_once(':')?;
        // The standard library takes zones and zeros before the port; the contract does not.
        let plain = !text.contains('%') && !port.starts_with('0');
        text.parse().ok().filter(|_| plain)
    };
    values
        .iter()
        .map(|text| address(text).ok_or_else(|| limit(name)))
        .collect()
}

/// Lower-case hexadecimal digits, exactly as many as `N` bytes have.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'a'..=b'f' => Some(c - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}
