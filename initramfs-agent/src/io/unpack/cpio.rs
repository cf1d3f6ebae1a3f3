//! cpio newc (070701) and its crc variant (070702), as the kernel reads an initramfs: several
//! archives in a row, zeros between them, compressed segments behind uncompressed ones.
//! (Documentation/driver-api/early-userspace/buffer-format.rst)

use std::collections::HashMap;

use rustix::fs::FileType;

use super::input::Input;
use super::limits::{PATH_BYTES_MAX, REMEMBERED_BYTES_MAX};
use super::member::{MemberPath, Meta, account, shown};
use super::target::{Identity, Target};
use crate::core::error::{Code, Error, Result};

const HEADER: usize = 110;
const TRAILER: &[u8] = b"TRAILER!!!";

/// The fields of a header, in the order of the format.
struct Header {
    crc: bool,
    inode: u32,
    mode: u32,
    uid: u32,
    gid: u32,
    links: u32,
    mtime: u32,
    size: u32,
    device: (u32, u32),
    node: (u32, u32),
    name_bytes: u32,
    sum: u32,
}

/// A file with more names to come.
struct Linked {
    path: MemberPath,
    made: Identity,
    names_left: u32,
}

type Key = (u32, u32, u32);

/// Unpacks all archives in the stream. One that ends without its trailer is cut off and refused.
pub(super) fn unpack(input: &mut Input<'_>, target: &mut dyn Target<'_>) -> Result<()> {
    loop {
        archive(input, target)?;
        loop {
            if !input.skip_zeros()? {
                return Ok(());
            }
            if input.peek(1)?.is_some_and(|b| b == b"0") {
                break;
            }
            if !input.resume()? {
                return Err(malformed("there is garbage behind the cpio archive"));
            }
        }
    }
}

/// One archive, up to its trailer. Offsets count from its first byte: it may begin anywhere.
fn archive(input: &mut Input<'_>, target: &mut dyn Target<'_>) -> Result<()> {
    let mut links: HashMap<Key, Linked> = HashMap::new();
    let mut remembered = 0;
    loop {
        let header = match input.peek(HEADER)? {
            Some(bytes) => Header::parse(bytes)?,
            None => return Err(malformed("the archive ends without its trailer")),
        };
        input.take(HEADER);
        if header.name_bytes == 0 || header.name_bytes as usize > PATH_BYTES_MAX + 1 {
            return Err(malformed("a cpio member has a name of impossible length"));
        }
        let mut name = input.bytes(header.name_bytes as usize)?;
        if name.pop() != Some(0) {
            return Err(malformed("the name of a cpio member has no end"));
        }
        skip_padding(HEADER as u64 + u64::from(header.name_bytes), input)?;
        if name == TRAILER {
            return input.skip(header.size.into());
        }
        let path = target.tally().begin(&name, input)?;
        let size = u64::from(header.size);
        let meta = header.meta()?;
        match FileType::from_raw_mode(header.mode) {
            FileType::RegularFile if header.links > 1 => {
                let key = (header.device.0, header.device.1, header.inode);
                remembered +=
                    linked(&path, &meta, &header, links.get_mut(&key), input, target)?.map_or(0, |new| {
                        let bytes = new.path.bytes().len() + size_of::<Linked>();
                        links.insert(key, new);
                        bytes
                    });
                if links.get(&key).is_some_and(|linked| linked.names_left == 0) {
                    remembered -= links
                        .remove(&key)
                        .map_or(0, |l| l.path.bytes().len() + size_of::<Linked>());
                }
                if remembered > REMEMBERED_BYTES_MAX {
                    return Err(unsupported("the cpio archive has too many unfinished hard links"));
                }
            }
            FileType::RegularFile => {
                summed(&header, input, |input| {
                    target.file(&path, &meta, size, input).map(drop)
                })?;
            }
            FileType::Symlink => {
                if size > PATH_BYTES_MAX as u64 {
                    return Err(malformed("a symbolic link of impossible length"));
                }
                let text = input.bytes(header.size as usize)?;
                target.symlink(&path, &meta, &text)?;
            }
            FileType::Directory => {
                target.directory(&path, &meta)?;
                input.skip(size)?;
            }
            kind
            @ (FileType::CharacterDevice | FileType::BlockDevice | FileType::Fifo | FileType::Socket) => {
                target.node(&path, &meta, kind, header.node)?;
                input.skip(size)?;
            }
            FileType::Unknown => return Err(unsupported(&format!("{} is of an unknown kind", shown(&name)))),
        }
        skip_padding(size, input)?;
    }
}

/// One of several names of a file. The content comes with one of them, mostly the last.
fn linked(
    path: &MemberPath,
    meta: &Meta,
    header: &Header,
    known: Option<&mut Linked>,
    input: &mut Input<'_>,
    target: &mut dyn Target<'_>,
) -> Result<Option<Linked>> {
    let size = u64::from(header.size);
    let Some(known) = known else {
        let mut made = None;
        summed(header, input, |input| {
            made = target.file(path, meta, size, input)?;
            Ok(())
        })?;
        let Some(made) = made else { return Ok(None) };
        return Ok(Some(Linked {
            path: path.clone(),
            made,
            names_left: header.links - 1,
        }));
    };
    known.names_left -= 1;
    target.hard_link(path, &known.path)?;
    if size > 0 {
        summed(header, input, |input| {
            target.fill(path, known.made, meta, size, input)
        })?;
    }
    Ok(None)
}

/// Runs `body`, which takes the member's content; for the crc variant checks the sum of its bytes.
fn summed(
    header: &Header,
    input: &mut Input<'_>,
    body: impl FnOnce(&mut Input<'_>) -> Result<()>,
) -> Result<()> {
    input.sum_from_here(header.crc);
    body(input)?;
    if header.crc && input.sum() != header.sum {
        return Err(malformed("a cpio member has a wrong checksum"));
    }
    Ok(())
}

fn skip_padding(bytes: u64, input: &mut Input<'_>) -> Result<()> {
    input.skip((4 - bytes % 4) % 4)
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let crc = match &bytes[..6] {
            b"070701" => false,
            b"070702" => true,
            b"070707" => return Err(unsupported("the old portable cpio format; make it with -H newc")),
            _ => return Err(malformed("a cpio header was expected")),
        };
        let mut fields = [0_u32; 13];
        for (field, digits) in fields.iter_mut().zip(bytes[6..].chunks_exact(8)) {
            for &digit in digits {
                let value = char::from(digit)
                    .to_digit(16)
                    .ok_or_else(|| malformed("a cpio header has no number"))?;
                *field = *field << 4 | value;
            }
        }
        let [
            inode,
            mode,
            uid,
            gid,
            links,
            mtime,
            size,
            major,
            minor,
            rmajor,
            rminor,
            name_bytes,
            sum,
        ] = fields;
        Ok(Self {
            crc,
            inode,
            mode,
            uid,
            gid,
            links,
            mtime,
            size,
            device: (major, minor),
            node: (rmajor, rminor),
            name_bytes,
            sum,
        })
    }

    fn meta(&self) -> Result<Meta> {
        Ok(Meta {
            mode: self.mode & 0o7777,
            uid: account(self.uid.into())?,
            gid: account(self.gid.into())?,
            mtime_s: self.mtime.into(),
            ..Meta::default()
        })
    }
}

fn malformed(what: &str) -> Error {
    Error::new(Code::ArchiveMalformed, what)
}

fn unsupported(what: &str) -> Error {
    Error::new(Code::ArchiveUnsupported, what)
}
