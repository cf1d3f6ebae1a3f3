//! `inspect`: what a `.torrent` or a manifest says. Nothing is verified but the form: a manifest's signature
//! means something only to the node that asked for it. Values of settings may be secret and are not shown.

use super::args::Args;
use super::output::Show;
use super::read_file;
use crate::core::error::{Code, Error, Result};
use crate::core::json::{self, Value};
use crate::core::metainfo::Metainfo;

const MANIFEST_MAGIC: &[u8] = b"bootswarm-manifest-v1 ";

/// Shows a file.
pub(super) fn run(args: &Args) -> Result<()> {
    let bytes = read_file(&args.file)?;
    let shown = if bytes.starts_with(MANIFEST_MAGIC) {
        manifest(&bytes)?
    } else {
        torrent(&Metainfo::parse(&bytes)?)
    };
    if args.json {
        shown.print_json();
    } else {
        print!("{}", shown.readable());
    }
    Ok(())
}

fn torrent(torrent: &Metainfo) -> Show {
    let hash: String = torrent.infohash.iter().map(|b| format!("{b:02x}")).collect();
    Show::object([
        ("type", "torrent".into()),
        ("name", torrent.name.as_str().into()),
        ("infohash", hash.as_str().into()),
        ("size_bytes", torrent.size_bytes.into()),
        ("piece_length", u64::from(torrent.piece_length).into()),
        ("pieces", (torrent.pieces.len() as u64 / 20).into()),
        ("trackers", torrent.trackers[..].into()),
        ("web_seeds", torrent.web_seeds[..].into()),
        ("private", torrent.private.into()),
    ])
}

fn manifest(bytes: &[u8]) -> Result<Show> {
    let malformed = |what: &str| Error::new(Code::ManifestMalformed, format!("manifest: {what}"));
    let line = bytes.iter().position(|b| *b == b'\n');
    let body = &bytes[line.ok_or_else(|| malformed("header line"))? + 1..];
    let document = json::parse(body).map_err(|(what, at)| malformed(&format!("{what} at byte {at}")))?;
    let Value::Object(members) = &document else {
        return Err(malformed("not an object"));
    };
    let mut shown = vec![("type".to_owned(), Show::from("manifest"))];
    shown.extend(
        members
            .iter()
            .map(|(name, value)| (name.to_string(), shape(name, value))),
    );
    Ok(Show::Object(shown))
}

/// A value as it is shown: hashes of pieces by their number, settings by their names.
fn shape(name: &str, value: &Value<'_>) -> Show {
    match (name, value) {
        ("pieces", Value::String(base64)) => (base64.len() as u64 / 4 * 3 / 20).into(),
        ("settings", Value::Object(members)) => {
            Show::List(members.iter().map(|(name, _)| name.as_ref().into()).collect())
        }
        (_, Value::Bool(b)) => (*b).into(),
        (_, Value::Integer(n)) => (*n).into(),
        (_, Value::String(text)) => text.as_ref().into(),
        (_, Value::Array(items)) => Show::List(items.iter().map(|item| shape("", item)).collect()),
        (_, Value::Object(members)) => {
            let members = members
                .iter()
                .map(|(name, value)| (name.to_string(), shape(name, value)));
            Show::Object(members.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifest_is_shown_without_secrets() {
        let body = br#"{"artifacts":[{"name":"a\u001b","pieces":"AAAAAAAAAAAAAAAAAAAAAAAAAAA="}],"node":{"settings":{"POOL":"secret"}},"version":3}"#;
        let bytes = [MANIFEST_MAGIC, b"x\n", body].concat();
        let shown = manifest(&bytes).unwrap();
        let text = shown.readable();
        assert!(
            text.contains(
                "
  pieces: 1
"
            ),
            "{text}"
        );
        assert!(text.contains("version: 3\n"), "{text}");
        assert!(text.contains("\n  settings: POOL\n"), "{text}");
        assert!(!text.contains("secret") && !text.contains('\x1b'));
        assert!(manifest(b"bootswarm-manifest-v1 x").is_err());
    }
}
