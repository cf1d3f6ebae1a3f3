//! pax records: what did not fit into a tar header.

use crate::core::error::{Code, Error, Result};

/// What extended headers said about the next member.
#[derive(Clone, Debug, Default)]
pub(super) struct Pax {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    /// Seconds and nanoseconds.
    pub mtime: Option<(i64, u32)>,
    pub uid: Option<i64>,
    pub gid: Option<i64>,
    pub uname: Option<Vec<u8>>,
    pub gname: Option<Vec<u8>>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// Attributes in a dialect that is not read.
    pub xattrs_unknown: u64,
    /// GNU's records of a sparse file are there.
    pub sparse: bool,
}

impl Pax {
    /// Takes records `LENGTH KEY=VALUE\n`, LENGTH counting all of the record. An empty value takes
    /// back what an earlier header said. Unknown keys are passed over, as POSIX wants it.
    pub fn parse(&mut self, mut records: &[u8]) -> Result<()> {
        while !records.is_empty() {
            if records.iter().all(|&b| b == 0) {
                return Ok(());
            }
            let space = records
                .iter()
                .take(20)
                .position(|&b| b == b' ')
                .ok_or_else(malformed)?;
            let length = usize::try_from(integer(&records[..space])?).map_err(|_| malformed())?;
            if length <= space + 1 || length > records.len() || records[length - 1] != b'\n' {
                return Err(malformed());
            }
            let record = &records[space + 1..length - 1];
            let equals = record.iter().position(|&b| b == b'=').ok_or_else(malformed)?;
            self.take(&record[..equals], &record[equals + 1..])?;
            records = &records[length..];
        }
        Ok(())
    }

    /// Takes the records of a global header. What only makes sense for one member is not taken over:
    /// it would grow without bound, and give all members one name.
    pub fn parse_global(&mut self, records: &[u8]) -> Result<()> {
        self.parse(records)?;
        *self = Self {
            mtime: self.mtime,
            uid: self.uid,
            gid: self.gid,
            uname: self.uname.take(),
            gname: self.gname.take(),
            ..Self::default()
        };
        Ok(())
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        let some = !value.is_empty();
        match key {
            b"path" => self.path = some.then(|| value.to_vec()),
            b"linkpath" => self.link = some.then(|| value.to_vec()),
            b"uname" => self.uname = some.then(|| value.to_vec()),
            b"gname" => self.gname = some.then(|| value.to_vec()),
            b"uid" => self.uid = some.then(|| integer(value)).transpose()?,
            b"gid" => self.gid = some.then(|| integer(value)).transpose()?,
            b"mtime" => self.mtime = some.then(|| time(value)).transpose()?,
            b"size" => {
                let size = some.then(|| integer(value)).transpose()?;
                if size.is_some_and(|size| !(0..=1 << 62).contains(&size)) {
                    return Err(malformed());
                }
                self.size = size.map(|size| size as u64);
            }
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    if name.contains(&0) {
                        return Err(malformed());
                    }
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                } else if key.starts_with(b"GNU.sparse.") {
                    self.sparse = true;
                } else if key.starts_with(b"LIBARCHIVE.xattr.") || key.starts_with(b"SCHILY.acl.") {
                    self.xattrs_unknown += 1;
                }
            }
        }
        Ok(())
    }
}

fn integer(text: &[u8]) -> Result<i64> {
    let text = std::str::from_utf8(text).map_err(|_| malformed())?;
    text.parse().map_err(|_| malformed())
}

/// Decimal seconds with an optional fraction, rounded down as GNU tar does.
fn time(text: &[u8]) -> Result<(i64, u32)> {
    let dot = text.iter().position(|&b| b == b'.').unwrap_or(text.len());
    let mut seconds = integer(&text[..dot])?;
    let mut ns = 0;
    for i in 0..9 {
        let digit = text.get(dot + 1 + i).copied().unwrap_or(b'0');
        if !digit.is_ascii_digit() {
            return Err(malformed());
        }
        ns = ns * 10 + u32::from(digit - b'0');
    }
    if ns > 0 && text[0] == b'-' {
        seconds = seconds.checked_sub(1).ok_or_else(malformed)?;
        ns = 1_000_000_000 - ns;
    }
    Ok((seconds, ns))
}

fn malformed() -> Error {
    Error::new(Code::ArchiveMalformed, "a pax header makes no sense")
}
