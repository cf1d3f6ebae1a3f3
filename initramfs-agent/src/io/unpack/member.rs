//! What an archive says about one member, parsed once into valid values.

use super::limits::{NAME_BYTES_MAX, PATH_BYTES_MAX, PATH_DEPTH_MAX};
use crate::core::error::{Code, Error, Result};

/// A path inside the target root: names separated by one `/`, none of them `.` or `..`.
/// The empty path is the root itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct MemberPath(Vec<u8>);

impl MemberPath {
    /// Takes a name as it stands in an archive. Absolute names are taken relative to the root
    /// (Coinboot's older plugins were made with `tar -P`). Errors: `ARCHIVE_ESCAPES` for `..`.
    pub fn parse(raw: &[u8]) -> Result<Self> {
        let mut path = Vec::with_capacity(raw.len());
        let mut depth = 0;
        for name in raw.split(|&b| b == b'/') {
            match name {
                b"" | b"." => continue,
                b".." => {
                    return Err(Error::new(
                        Code::ArchiveEscapes,
                        format!("{} has .. in it", shown(raw)),
                    ));
                }
                _ => {}
            }
            depth += 1;
            if name.len() > NAME_BYTES_MAX || depth > PATH_DEPTH_MAX || name.contains(&0) {
                return Err(Error::new(
                    Code::ArchiveMalformed,
                    format!("{} is no path Linux could hold", shown(raw)),
                ));
            }
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
        }
        if path.len() > PATH_BYTES_MAX || raw.is_empty() {
            return Err(Error::new(
                Code::ArchiveMalformed,
                format!("{} is too long or empty", shown(raw)),
            ));
        }
        Ok(Self(path))
    }

    /// All of it.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The directory and the last name; none for the root itself.
    pub fn split(&self) -> Option<(&[u8], &[u8])> {
        if self.0.is_empty() {
            return None;
        }
        Some(match self.0.iter().rposition(|&b| b == b'/') {
            Some(slash) => (&self.0[..slash], &self.0[slash + 1..]),
            None => (&[], &self.0),
        })
    }

    /// Whether `other` is this directory or lies below it.
    pub fn holds(&self, other: &MemberPath) -> bool {
        self.0.is_empty()
            || other.0.starts_with(&self.0) && matches!(other.0.get(self.0.len()), None | Some(b'/'))
    }
}

impl std::fmt::Display for MemberPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&shown(&self.0))
    }
}

/// A name for people: printable, at most about 200 characters.
pub(super) fn shown(raw: &[u8]) -> String {
    let mut out = String::new();
    for &b in raw.iter().take(200) {
        match b {
            b' '..=b'~' if b != b'\\' => out.push(b as char),
            _ => out.push_str(&format!("\\{b:03o}")),
        }
    }
    if raw.is_empty() {
        out.push_str("(empty name)");
    } else if raw.len() > 200 {
        out.push_str("...");
    }
    out
}

/// Owner, mode, time and attributes of a member.
#[derive(Clone, Debug, Default)]
pub(super) struct Meta {
    /// Permission bits, 07777.
    pub mode: u32,
    /// Owner by number.
    pub uid: u32,
    /// Group by number.
    pub gid: u32,
    /// Owner by name, may be empty.
    pub uname: Vec<u8>,
    /// Group by name, may be empty.
    pub gname: Vec<u8>,
    /// Modification time, seconds since 1970.
    pub mtime_s: i64,
    /// And nanoseconds.
    pub mtime_ns: u32,
    /// Extended attributes, name and value.
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
}

/// A user or group number of an archive. `-1` means "leave as it is" to chown: not valid here.
pub(super) fn account(number: i64) -> Result<u32> {
    u32::try_from(number)
        .ok()
        .filter(|&n| n != u32::MAX)
        .ok_or_else(|| {
            Error::new(
                Code::ArchiveMalformed,
                format!("{number} is no user or group number"),
            )
        })
}

/// What may be a symbolic link's text: what Linux could store.
pub(super) fn link_text(path: &MemberPath, text: &[u8]) -> Result<()> {
    if text.is_empty() || text.len() > PATH_BYTES_MAX || text.contains(&0) {
        return Err(Error::new(
            Code::ArchiveMalformed,
            format!("{path} is no possible link"),
        ));
    }
    Ok(())
}

/// A member that may not be where or what it is.
pub(super) fn forbidden(path: &MemberPath, why: &str) -> Error {
    Error::new(Code::ArchiveForbiddenEntry, format!("{path} {why}"))
}

/// A hard link to nothing.
pub(super) fn missing(path: &MemberPath, target: &MemberPath) -> Error {
    Error::new(
        Code::ArchiveMalformed,
        format!(
            "{path} is a hard link to {}, which is not there",
            shown(target.bytes())
        ),
    )
}
