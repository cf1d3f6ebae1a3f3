//! tar: ustar (POSIX.1-1988), GNU and pax (POSIX.1-2001).

mod header;
mod pax;

use rustix::fs::FileType;

pub(super) use self::header::BLOCK;
use self::header::Header;
use self::pax::Pax;
use super::input::Input;
use super::limits::{HEADER_BYTES_MAX, HEADERS_IN_A_ROW_MAX};
use super::member::{MemberPath, Meta, account, shown};
use super::target::Target;
use crate::core::error::{Code, Error, Result};

/// Whether a tar archive may begin with these bytes: a header whose checksum holds, or the end mark of an empty one.
pub(super) fn begins(head: &[u8]) -> bool {
    head.len() == BLOCK && (head.iter().all(|&b| b == 0) || Header::parse(head).is_ok())
}

/// Unpacks all members. Like GNU tar it stops at the first block of zeros; an archive without one is
/// cut off and refused. What follows is read to its end, so that checksums behind it are checked.
pub(super) fn unpack(input: &mut Input<'_>, target: &mut dyn Target<'_>) -> Result<()> {
    let mut global = Pax::default();
    loop {
        let mut pax = global.clone();
        let (mut headers, mut header_bytes) = (0, 0);
        let header = loop {
            let Some(block) = input.peek(BLOCK)? else {
                return Err(malformed("the archive ends without its end mark"));
            };
            if block.iter().all(|&b| b == 0) {
                if headers > 0 {
                    return Err(malformed("the archive ends between a header and its member"));
                }
                return finish(input, target);
            }
            let header = Header::parse(block)?;
            input.take(BLOCK);
            if b"xXgLK".contains(&header.kind) {
                header_bytes += header.size;
                if header_bytes > HEADER_BYTES_MAX {
                    return Err(malformed(&format!(
                        "headers of {header_bytes} bytes for one member; at most {HEADER_BYTES_MAX}"
                    )));
                }
            }
            match header.kind {
                b'x' | b'X' => pax.parse(&extension(&header, input)?)?,
                b'g' => {
                    global.parse_global(&extension(&header, input)?)?;
                    pax = global.clone();
                }
                b'L' => pax.path = Some(until_nul(extension(&header, input)?)),
                b'K' => pax.link = Some(until_nul(extension(&header, input)?)),
                b'V' => input.skip(padded(header.size))?,
                _ => break header,
            }
            headers += 1;
            if headers > HEADERS_IN_A_ROW_MAX {
                return Err(malformed("too many headers for one member"));
            }
        };
        member(&header, pax, input, target)?;
    }
}

fn member(header: &Header, pax: Pax, input: &mut Input<'_>, target: &mut dyn Target<'_>) -> Result<()> {
    let name = pax.path.as_deref().unwrap_or(&header.name);
    if pax.sparse {
        return Err(unsupported(name, "is a sparse file"));
    }
    let path = target.tally().begin(name, input)?;
    let mtime = pax.mtime.unwrap_or((header.mtime_s, 0));
    let link = pax.link.as_deref().unwrap_or(&header.link);
    let size = pax.size.unwrap_or(header.size);
    let meta = Meta {
        mode: header.mode,
        uid: account(pax.uid.unwrap_or(header.uid))?,
        gid: account(pax.gid.unwrap_or(header.gid))?,
        uname: pax.uname.unwrap_or_else(|| header.uname.clone()),
        gname: pax.gname.unwrap_or_else(|| header.gname.clone()),
        mtime_s: mtime.0,
        mtime_ns: mtime.1,
        xattrs: pax.xattrs,
    };
    target.tally().summary.xattrs_skipped += pax.xattrs_unknown;
    match header.kind {
        // Before ustar, a directory was a file whose name ends in a slash.
        b'0' | 0 | b'7' if !name.ends_with(b"/") => {
            target.file(&path, &meta, size, input)?;
            input.skip(padded(size) - size)
        }
        b'0' | 0 | b'5' | b'D' => {
            target.directory(&path, &meta)?;
            input.skip(if header.kind == b'5' { 0 } else { padded(size) })
        }
        b'1' => target.hard_link(&path, &MemberPath::parse(link)?),
        b'2' => target.symlink(&path, &meta, link),
        b'3' => target.node(&path, &meta, FileType::CharacterDevice, header.device),
        b'4' => target.node(&path, &meta, FileType::BlockDevice, header.device),
        b'6' => target.node(&path, &meta, FileType::Fifo, (0, 0)),
        b'S' => Err(unsupported(name, "is a sparse file")),
        b'M' => Err(unsupported(name, "continues another volume")),
        kind => Err(unsupported(
            name,
            &format!("is of the unknown kind {}", shown(&[kind])),
        )),
    }
}

/// The content of a header that describes the next member; its size is checked.
fn extension(header: &Header, input: &mut Input<'_>) -> Result<Vec<u8>> {
    let content = input.bytes(header.size as usize)?;
    input.skip(padded(header.size) - header.size)?;
    Ok(content)
}

fn finish(input: &mut Input<'_>, target: &mut dyn Target<'_>) -> Result<()> {
    if input.skip_zeros()? {
        target
            .tally()
            .summary
            .warn("data behind the end of the tar archive was ignored");
        input.drain()?;
    }
    Ok(())
}

fn padded(size: u64) -> u64 {
    size.saturating_add(BLOCK as u64 - 1) / BLOCK as u64 * BLOCK as u64
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

fn malformed(what: &str) -> Error {
    Error::new(Code::ArchiveMalformed, what)
}

fn unsupported(name: &[u8], what: &str) -> Error {
    Error::new(Code::ArchiveUnsupported, format!("{} {what}", shown(name)))
}
