//! The 512 bytes before each member of a tar archive.

use crate::core::error::{Code, Error, Result};

/// Everything in tar comes in blocks of this size, bytes.
pub(in super::super) const BLOCK: usize = 512;
/// Sizes above this are invalid and would overflow when padded.
const SIZE_MAX: i64 = 1 << 62;

/// A header with its numbers parsed and its checksum checked.
#[derive(Debug)]
pub(super) struct Header {
    /// The type flag.
    pub kind: u8,
    /// Name with the ustar prefix, if there is one.
    pub name: Vec<u8>,
    pub link: Vec<u8>,
    /// Permission bits, 07777.
    pub mode: u32,
    pub uid: i64,
    pub gid: i64,
    pub size: u64,
    pub mtime_s: i64,
    pub uname: Vec<u8>,
    pub gname: Vec<u8>,
    /// Major and minor of a device.
    pub device: (u32, u32),
}

impl Header {
    /// Parses a block of [`BLOCK`] bytes.
    pub fn parse(block: &[u8]) -> Result<Self> {
        let sum = number(&block[148..156])?;
        // Old tars added signed bytes.
        let (mut unsigned, mut signed) = (8 * 32, 8 * 32);
        for &b in block[..148].iter().chain(&block[156..]) {
            unsigned += i64::from(b);
            signed += i64::from(b as i8);
        }
        if sum != unsigned && sum != signed {
            return Err(malformed(
                "a tar header has a wrong checksum, or this is no tar archive",
            ));
        }
        let kind = block[156];
        let posix = &block[257..263] == b"ustar\0";
        let ustar = posix || &block[257..265] == b"ustar  \0";
        let mut name = text(&block[..100]);
        // GNU keeps other things where ustar has the prefix.
        if posix && block[345] != 0 {
            let mut long = text(&block[345..500]);
            long.push(b'/');
            long.append(&mut name);
            name = long;
        }
        let size = number(&block[124..136])?;
        let size = if matches!(kind, b'1'..=b'6') { 0 } else { size };
        if !(0..=SIZE_MAX).contains(&size) {
            return Err(malformed("a tar member has an impossible size"));
        }
        let device = if matches!(kind, b'3' | b'4') {
            (device(&block[329..337])?, device(&block[337..345])?)
        } else {
            (0, 0)
        };
        Ok(Self {
            kind,
            name,
            link: text(&block[157..257]),
            mode: (number(&block[100..108])? & 0o7777) as u32,
            uid: number(&block[108..116])?,
            gid: number(&block[116..124])?,
            size: size as u64,
            mtime_s: number(&block[136..148])?,
            uname: if ustar { text(&block[265..297]) } else { Vec::new() },
            gname: if ustar { text(&block[297..329]) } else { Vec::new() },
            device,
        })
    }
}

/// Octal digits between spaces and NULs, or GNU's base 256 (first bit set, two's complement).
fn number(field: &[u8]) -> Result<i64> {
    if field[0] & 0x80 != 0 {
        // Bit 6 is the sign; the bytes before the last eight must only repeat it.
        let negative = field[0] & 0x40 != 0;
        let mut value: i128 = if negative { -1 } else { 0 };
        for (i, &b) in field.iter().enumerate() {
            let b = if i == 0 {
                if negative { b | 0x80 } else { b & 0x7f }
            } else {
                b
            };
            value = (value << 8) | i128::from(b);
        }
        return i64::try_from(value).map_err(|_| malformed("a number in a tar header is too large"));
    }
    let digits = field
        .iter()
        .skip_while(|&&b| b == b' ' || b == 0)
        .take_while(|&&b| b != b' ' && b != 0);
    let mut value = 0_i64;
    for &digit in digits {
        if !(b'0'..=b'7').contains(&digit) {
            return Err(malformed(
                "a number in a tar header is not octal, or this is no tar archive",
            ));
        }
        value = value << 3 | i64::from(digit - b'0');
    }
    Ok(value)
}

fn device(field: &[u8]) -> Result<u32> {
    u32::try_from(number(field)?).map_err(|_| malformed("a device number is too large"))
}

fn text(field: &[u8]) -> Vec<u8> {
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    field[..end].to_vec()
}

fn malformed(what: &str) -> Error {
    Error::new(Code::ArchiveMalformed, what)
}
