//! From JSON to the manifest's members: each must be there with its type, and no other may be.
//! What the values may be is the business of `limits`.

use crate::core::error::{Code, Error, Result};
use crate::core::json::Value;

/// The members as they stand in the JSON.
pub(super) struct Fields<'a> {
    pub artifacts: Vec<ArtifactFields<'a>>,
    pub dht: Vec<&'a str>,
    pub events_url: &'a str,
    pub hostname: &'a str,
    pub node_id: &'a str,
    pub rack: &'a str,
    pub settings: Vec<(&'a str, &'a str)>,
    pub nonce: &'a str,
    pub seeders: Vec<&'a str>,
    pub site: &'a str,
    pub time_s: u64,
    pub trackers: Vec<&'a str>,
    pub version: u64,
}

/// The members of one artifact as they stand in the JSON.
pub(super) struct ArtifactFields<'a> {
    pub format: &'a str,
    pub infohash: &'a str,
    pub kind: &'a str,
    pub name: &'a str,
    pub origins: Vec<&'a str>,
    pub piece_length: u64,
    pub pieces: &'a str,
    pub sha256: &'a str,
    pub size_bytes: u64,
}

/// Takes the document apart.
///
/// # Errors
/// `MANIFEST_UNKNOWN_FIELD`, `MANIFEST_MALFORMED`.
pub(super) fn manifest<'a>(document: &'a Value<'a>) -> Result<Fields<'a>> {
    let [
        artifacts,
        dht,
        events_url,
        node,
        nonce,
        seeders,
        site,
        time_s,
        trackers,
        version,
    ] = members(
        document,
        [
            "artifacts",
            "dht",
            "events_url",
            "node",
            "nonce",
            "seeders",
            "site",
            "time_s",
            "trackers",
            "version",
        ],
    )?;
    let artifacts = list(artifacts, "artifacts")?
        .iter()
        .map(artifact)
        .collect::<Result<_>>()?;
    let (dht, events_url) = (strings(dht, "dht")?, string(events_url, "events_url")?);
    let [hostname, id, rack, settings] = members(node, ["hostname", "id", "rack", "settings"])?;
    Ok(Fields {
        artifacts,
        dht,
        events_url,
        hostname: string(hostname, "node.hostname")?,
        node_id: string(id, "node.id")?,
        rack: string(rack, "node.rack")?,
        settings: map(settings)?,
        nonce: string(nonce, "nonce")?,
        seeders: strings(seeders, "seeders")?,
        site: string(site, "site")?,
        time_s: integer(time_s, "time_s")?,
        trackers: strings(trackers, "trackers")?,
        version: integer(version, "version")?,
    })
}

fn artifact<'a>(value: &'a Value<'a>) -> Result<ArtifactFields<'a>> {
    let [
        format,
        infohash,
        kind,
        name,
        origins,
        piece_length,
        pieces,
        sha256,
        size_bytes,
    ] = members(
        value,
        [
            "format",
            "infohash",
            "kind",
            "name",
            "origins",
            "piece_length",
            "pieces",
            "sha256",
            "size_bytes",
        ],
    )?;
    Ok(ArtifactFields {
        format: string(format, "format")?,
        infohash: string(infohash, "infohash")?,
        kind: string(kind, "kind")?,
        name: string(name, "name")?,
        origins: strings(origins, "origins")?,
        piece_length: integer(piece_length, "piece_length")?,
        pieces: string(pieces, "pieces")?,
        sha256: string(sha256, "sha256")?,
        size_bytes: integer(size_bytes, "size_bytes")?,
    })
}

fn malformed(what: &str, name: &str) -> Error {
    Error::new(Code::ManifestMalformed, format!("manifest: {name} {what}"))
}

/// The values of exactly these members; `names` is sorted.
fn members<'a, const N: usize>(value: &'a Value<'a>, names: [&str; N]) -> Result<[&'a Value<'a>; N]> {
    let Value::Object(members) = value else {
        return Err(malformed("is not an object", names[0]));
    };
    if let Some((name, _)) = members.iter().find(|(name, _)| !names.contains(&&**name)) {
        let name: String = name.chars().take(64).collect();
        return Err(Error::new(
            Code::ManifestUnknownField,
            format!("manifest: unknown member {name:?}"),
        ));
    }
    let mut found = [value; N];
    for (slot, wanted) in found.iter_mut().zip(names) {
        let member = members.iter().find(|(name, _)| name == wanted);
        *slot = &member.ok_or_else(|| malformed("is missing", wanted))?.1;
    }
    Ok(found)
}

fn string<'a>(value: &'a Value<'a>, name: &str) -> Result<&'a str> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(malformed("is not a string", name)),
    }
}

fn integer(value: &Value<'_>, name: &str) -> Result<u64> {
    match value {
        Value::Integer(n) => Ok(*n),
        _ => Err(malformed("is not an integer", name)),
    }
}

fn list<'a>(value: &'a Value<'a>, name: &str) -> Result<&'a [Value<'a>]> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(malformed("is not an array", name)),
    }
}

fn strings<'a>(value: &'a Value<'a>, name: &str) -> Result<Vec<&'a str>> {
    list(value, name)?.iter().map(|item| string(item, name)).collect()
}

fn map<'a>(value: &'a Value<'a>) -> Result<Vec<(&'a str, &'a str)>> {
    let Value::Object(members) = value else {
        return Err(malformed("is not an object", "node.settings"));
    };
    members
        .iter()
        .map(|(name, value)| Ok((&**name, string(value, "node.settings")?)))
        .collect()
}
