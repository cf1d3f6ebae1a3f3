//! Merging a plugin's dpkg stanzas into the root's `var/lib/dpkg/status`.
//!
//! Coinboot's plugins carry the changed stanzas as `tmp/dpkg_status`. A stanza of the plugin takes
//! the place of the one with the same package and architecture, new ones follow at the end. The new
//! file replaces the old one in one step; whatever goes wrong, the old one is still there, whole.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;

use super::Summary;
use super::input::Input;
use super::limits::{DPKG_BYTES_MAX, STANZA_BYTES_MAX};
use super::parents::{Parent, Parents};
use super::root::{self, TargetRoot};
use crate::core::error::{Code, Error, Result};

/// The member that is merged and not unpacked.
pub(super) const MEMBER: &[u8] = b"tmp/dpkg_status";
pub(super) const DIRECTORY: &[u8] = b"var/lib/dpkg";
const STATUS: &[u8] = b"status";
const NEW: &[u8] = b"status.bootswarm-new";

type Key = (Vec<u8>, Vec<u8>);

/// Takes the member's content. One that makes no sense is a warning, and empty: it changes nothing.
pub(super) fn read(size: u64, input: &mut Input<'_>, summary: &mut Summary) -> Result<Vec<u8>> {
    if size > DPKG_BYTES_MAX {
        summary.warn(format!(
            "tmp/dpkg_status of {size} bytes is too large; dpkg's status is unchanged"
        ));
        input.skip(size)?;
        return Ok(Vec::new());
    }
    let text = input.bytes(size as usize)?;
    if let Err(why) = parse(&text) {
        summary.warn(format!("tmp/dpkg_status {why}; dpkg's status is unchanged"));
        return Ok(Vec::new());
    }
    Ok(text)
}

/// Merges the member's content. A status file that is strange stays as it is and is a warning.
/// Errors: `TARGET_FULL`, `IO`.
pub(super) fn merge(
    text: &[u8],
    root: &TargetRoot,
    parents: &mut Parents,
    summary: &mut Summary,
) -> Result<()> {
    // What is malformed was warned of when it was read.
    let stanzas = parse(text).unwrap_or_default();
    if stanzas.is_empty() {
        return Ok(());
    }
    let parent = parents
        .get(root, DIRECTORY, true)
        .map_err(|e| root::io("var/lib/dpkg", e))?;
    let old = match open_old(&parent) {
        Ok(old) => old,
        Err(why) => {
            summary.warn(format!("var/lib/dpkg/status {why}; it is unchanged"));
            return Ok(());
        }
    };
    let merged = write_new(&parent, old, &stanzas).and_then(|()| {
        rustix::fs::renameat(&parent.fd, NEW, &parent.fd, STATUS).map_err(std::io::Error::from)
    });
    if let Err(e) = merged {
        // The first error is the one to report.
        let _ = rustix::fs::unlinkat(&parent.fd, NEW, AtFlags::empty());
        if e.kind() == std::io::ErrorKind::InvalidData {
            summary.warn(format!("var/lib/dpkg/status {e}; it is unchanged"));
            return Ok(());
        }
        let e = Error::from(e);
        return Err(match e.code {
            Code::TargetFull => Error::new(
                Code::TargetFull,
                format!(
                    "merging dpkg's status needs {} bytes more than its old size",
                    text.len()
                ),
            ),
            code => Error::new(code, format!("merging dpkg's status: {}", e.message)),
        });
    }
    summary.dpkg_stanzas += stanzas.len() as u64;
    Ok(())
}

/// Stanzas by key, each with its order and its text without the empty line behind it.
fn parse(text: &[u8]) -> std::result::Result<HashMap<Key, (usize, &[u8])>, &'static str> {
    let mut stanzas = HashMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = 0;
        while end < rest.len() {
            let line = rest[end..]
                .iter()
                .position(|&b| b == b'\n')
                .map_or(rest.len() - end, |n| n + 1);
            if is_empty(&rest[end..end + line]) {
                break;
            }
            end += line;
        }
        let (stanza, behind) = rest.split_at(end);
        if !stanza.is_empty() {
            if !stanza
                .split(|&b| b == b'\n')
                .filter(|l| !l.is_empty())
                .all(is_field)
            {
                return Err("has a line that is no field");
            }
            let key = key(stanza).ok_or("has a stanza without a package")?;
            let order = stanzas.get(&key).map_or(stanzas.len(), |(order, _)| *order);
            stanzas.insert(key, (order, stanza.strip_suffix(b"\n").unwrap_or(stanza)));
        }
        let line = behind
            .iter()
            .position(|&b| b == b'\n')
            .map_or(behind.len(), |n| n + 1);
        rest = &behind[line..];
    }
    Ok(stanzas)
}

fn is_empty(line: &[u8]) -> bool {
    line.iter().all(|b| b" \t\r\n".contains(b))
}

/// `Name: value`, or a line that continues the one before.
fn is_field(line: &[u8]) -> bool {
    matches!(line[0], b' ' | b'\t')
        || line.iter().position(|&b| b == b':').is_some_and(|colon| {
            colon > 0
                && line[..colon]
                    .iter()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(b))
        })
}

/// Package and architecture; none without a package.
fn key(stanza: &[u8]) -> Option<Key> {
    let mut package = None;
    let mut architecture = Vec::new();
    for line in stanza.split(|&b| b == b'\n') {
        let Some(colon) = line.iter().position(|&b| b == b':') else {
            continue;
        };
        let value = line[colon + 1..].trim_ascii();
        if line[..colon].eq_ignore_ascii_case(b"Package") && !value.is_empty() {
            package = Some(value.to_vec());
        } else if line[..colon].eq_ignore_ascii_case(b"Architecture") {
            architecture = value.to_vec();
        }
    }
    package.map(|package| (package, architecture))
}

/// The status file that is there, if any.
fn open_old(parent: &Parent) -> std::result::Result<Option<File>, String> {
    match root::open_regular(&parent.fd, STATUS) {
        Ok(fd) => Ok(Some(File::from(fd))),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::INVAL) => Err("is no file".into()),
        Err(e) => Err(format!("cannot be opened ({e})")),
    }
}

/// Writes the merged file beside the old one, with its owner and mode.
fn write_new(
    parent: &Parent,
    old: Option<File>,
    stanzas: &HashMap<Key, (usize, &[u8])>,
) -> std::io::Result<()> {
    match rustix::fs::unlinkat(&parent.fd, NEW, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => return Err(e.into()),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(&parent.fd, NEW, flags, Mode::from_raw_mode(0o600))?;
    let mut mode = 0o644;
    if let Some(old) = &old {
        let stat = rustix::fs::fstat(old)?;
        mode = stat.st_mode & 0o777;
        if rustix::process::geteuid().is_root() {
            let owner = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
            rustix::fs::fchown(&fd, Some(owner.0), Some(owner.1))?;
        }
    }
    rustix::fs::fchmod(&fd, Mode::from_raw_mode(mode))?;
    let mut out = BufWriter::new(File::from(fd));
    let mut written = vec![false; stanzas.len()];
    if let Some(old) = old {
        copy_old(BufReader::new(old), &mut out, stanzas, &mut written)?;
    }
    let mut new: Vec<_> = stanzas.values().filter(|(order, _)| !written[*order]).collect();
    new.sort_unstable_by_key(|(order, _)| *order);
    for (_, stanza) in new {
        put(&mut out, stanza)?;
    }
    out.flush()
}

/// Copies the old stanzas, the plugin's in the place of those it knows. `InvalidData` for a file that
/// is no dpkg status.
fn copy_old(
    mut old: BufReader<File>,
    out: &mut BufWriter<File>,
    stanzas: &HashMap<Key, (usize, &[u8])>,
    written: &mut [bool],
) -> std::io::Result<()> {
    let mut stanza = Vec::new();
    loop {
        let before = stanza.len();
        let room = (STANZA_BYTES_MAX - before) as u64;
        let n = std::io::Read::take(&mut old, room).read_until(b'\n', &mut stanza)?;
        if n > 0 && !is_empty(&stanza[before..]) {
            if stanza.len() == STANZA_BYTES_MAX {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::InvalidData,
                    "has a stanza without end",
                ));
            }
            continue;
        }
        stanza.truncate(before);
        if !stanza.is_empty() {
            let replaced = key(&stanza).and_then(|key| stanzas.get(&key));
            match replaced {
                Some((order, new)) if !written[*order] => {
                    written[*order] = true;
                    put(out, new)?;
                }
                Some(_) => {}
                None => put(out, stanza.strip_suffix(b"\n").unwrap_or(&stanza))?,
            }
            stanza.clear();
        }
        if n == 0 {
            return Ok(());
        }
    }
}

fn put(out: &mut BufWriter<File>, stanza: &[u8]) -> std::io::Result<()> {
    out.write_all(stanza)?;
    out.write_all(b"\n\n")
}
