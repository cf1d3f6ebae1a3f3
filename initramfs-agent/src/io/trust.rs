//! Trust anchors: the site's certificate authority and the keys that sign manifests.
//!
//! They come with stage 1 as files. The kernel command line may name them only where no file does:
//! whoever can write to the command line must not be able to replace what was built in.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;

use crate::core::base64;
use crate::core::error::{Code, Error, Result};

/// Largest trust file, bytes.
const FILE_BYTES_MAX: u64 = 256 << 10;

/// The trust anchors of a node.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Certificate authorities that sign the server's certificate.
    pub roots: Arc<RootCertStore>,
    /// Public ed25519 keys, any of which may sign a manifest (two while a key is being replaced).
    pub manifest_keys: Vec<[u8; 32]>,
}

impl Trust {
    /// Trust from its parts. `ca` is DER, or PEM with one or more certificates.
    ///
    /// # Errors
    /// `TRUST_MISSING` without a certificate or a key, `TRUST_INVALID` when one cannot be read.
    pub fn new(ca: &[u8], manifest_keys: Vec<[u8; 32]>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        for der in certificates(ca)? {
            roots
                .add(CertificateDer::from(der))
                .map_err(|e| Error::new(Code::TrustInvalid, format!("CA certificate: {e}")))?;
        }
        if roots.is_empty() {
            return Err(Error::new(Code::TrustMissing, "no CA certificate"));
        }
        if manifest_keys.is_empty() {
            return Err(Error::new(Code::TrustMissing, "no manifest key"));
        }
        Ok(Self {
            roots: Arc::new(roots),
            manifest_keys,
        })
    }

    /// Reads `ca.pem` and `manifest.pub` of a directory. `fallback_key` (base64) and `fallback_ca` (a path)
    /// stand in for a file that does not exist, never for one that does.
    ///
    /// # Errors
    /// `TRUST_MISSING`, `TRUST_INVALID`.
    pub fn load(dir: &Path, fallback_key: Option<&str>, fallback_ca: Option<&Path>) -> Result<Self> {
        let ca_path = dir.join("ca.pem");
        let ca = match (read(&ca_path)?, fallback_ca) {
            (Some(ca), _) => ca,
            (None, Some(path)) => read(path)?.ok_or_else(|| missing(path))?,
            (None, None) => return Err(missing(&ca_path)),
        };
        let keys_path = dir.join("manifest.pub");
        let keys = match (read(&keys_path)?, fallback_key) {
            (Some(text), _) => parse_keys(&text)?,
            (None, Some(key)) => parse_keys(key.as_bytes())?,
            (None, None) => return Err(missing(&keys_path)),
        };
        Self::new(&ca, keys)
    }
}

fn missing(path: &Path) -> Error {
    Error::new(Code::TrustMissing, format!("{} does not exist", path.display()))
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let refuse = |why: String| Error::new(Code::TrustInvalid, format!("{}: {why}", path.display()));
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Ok(meta) if meta.len() > FILE_BYTES_MAX => return Err(refuse("too large".into())),
        _ => {}
    }
    std::fs::read(path).map(Some).map_err(|e| refuse(e.to_string()))
}

/// One base64 key a line; empty lines and lines that start with `#` do not count.
fn parse_keys(text: &[u8]) -> Result<Vec<[u8; 32]>> {
    let lines = text.split(|&c| c == b'\n').map(<[u8]>::trim_ascii);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(|line| {
            let key = base64::decode(line).and_then(|bytes| bytes.try_into().ok());
            key.ok_or_else(|| Error::new(Code::TrustInvalid, "manifest key: 32 bytes in base64 expected"))
        })
        .collect()
}

fn certificates(ca: &[u8]) -> Result<Vec<Vec<u8>>> {
    const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
    const END: &[u8] = b"-----END CERTIFICATE-----";
    if ca.first() == Some(&0x30) {
        return Ok(vec![ca.to_vec()]); // a DER SEQUENCE
    }
    let mut found = Vec::new();
    let mut rest = ca;
    while let Some(begin) = find(rest, BEGIN) {
        rest = &rest[begin + BEGIN.len()..];
        let end = find(rest, END).unwrap_or(rest.len());
        let body: Vec<u8> = rest[..end]
            .iter()
            .copied()
            .filter(|c| !c.is_ascii_whitespace())
            .collect();
        let der = base64::decode(&body).filter(|_| end < rest.len());
        found.push(der.ok_or_else(|| Error::new(Code::TrustInvalid, "CA certificate: broken PEM"))?);
        rest = &rest[end..];
    }
    Ok(found)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::Trust;
    use crate::core::error::Code;
    use crate::io::https::testing::vectors;

    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn dir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("bootswarm-trust-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn code(dir: &Path, key: Option<&str>, ca: Option<&Path>) -> Option<Code> {
        Trust::load(dir, key, ca).err().map(|e| e.code)
    }

    #[test]
    fn files_come_first_and_the_command_line_only_fills_gaps() {
        let (dir, ca) = (dir("gaps"), vectors().join("tls/ca.pem"));
        assert_eq!(code(&dir, None, None), Some(Code::TrustMissing));
        assert_eq!(code(&dir, Some(KEY), None), Some(Code::TrustMissing));
        assert_eq!(
            code(&dir, Some(KEY), Some(&dir.join("absent"))),
            Some(Code::TrustMissing)
        );
        let trust = Trust::load(&dir, Some(KEY), Some(&ca)).unwrap();
        assert_eq!((trust.manifest_keys[0][31], trust.roots.len()), (31, 1));
        let two = [
            std::fs::read(&ca).unwrap(),
            std::fs::read(vectors().join("tls/other-ca.pem")).unwrap(),
        ]
        .concat();
        std::fs::write(dir.join("ca.pem"), two).unwrap();
        std::fs::write(
            dir.join("manifest.pub"),
            format!("# old and new\n\n{KEY}\n{}\n", KEY.replace("AAEC", "AQEC")),
        )
        .unwrap();
        let trust = Trust::load(&dir, Some("rubbish"), Some(Path::new("/rubbish"))).unwrap();
        assert_eq!((trust.manifest_keys.len(), trust.roots.len()), (2, 2));
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        let (dir, ca) = (dir("bad"), vectors().join("tls/ca.pem"));
        assert_eq!(code(&dir, Some("c2hvcnQ="), Some(&ca)), Some(Code::TrustInvalid));
        assert_eq!(
            code(&dir, Some("not base64"), Some(&ca)),
            Some(Code::TrustInvalid)
        );
        assert_eq!(
            code(&dir, Some("# nothing\n"), Some(&ca)),
            Some(Code::TrustMissing)
        );
        let pem = std::fs::read_to_string(&ca).unwrap();
        for broken in [
            pem.replace("-----END", "-----FIN"),
            pem.replacen("MII", "M!I", 1),
            "\u{30}\u{3}abc".into(),
        ] {
            std::fs::write(dir.join("ca.pem"), &broken).unwrap();
            assert_eq!(code(&dir, Some(KEY), None), Some(Code::TrustInvalid), "{broken}");
        }
        std::fs::write(dir.join("ca.pem"), "no certificate at all").unwrap();
        assert_eq!(code(&dir, Some(KEY), None), Some(Code::TrustMissing));
        std::fs::write(dir.join("ca.pem"), vec![b'x'; 300 << 10]).unwrap();
        assert_eq!(code(&dir, Some(KEY), None), Some(Code::TrustInvalid));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
