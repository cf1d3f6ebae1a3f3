//! Decompression, recognised by the first bytes: gzip, xz, zstd or none, and several of them in a row.
//!
//! Written on the decoders' own streaming calls, not on their `Read` adapters: so a failure of the
//! reader, a truncated stream and a window that is too large stay apart.

use std::io::{ErrorKind, Read};

use flate2::{Decompress, FlushDecompress, Status};
use liblzma::stream::{Action, Error as XzError, Status as XzStatus, Stream};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, get_error_name};

use super::limits::{SOURCE_BUFFER_BYTES, UnpackLimits};
use crate::core::error::{Code, Error, Result};

enum State {
    /// Before the first byte, or after the end of a compressed stream.
    Between {
        first: bool,
    },
    Plain,
    Gzip(Decompress),
    Xz(Stream),
    Zstd(DCtx<'static>),
    End,
}

/// Decompresses what a reader gives.
pub(super) struct Decoder<'r> {
    source: &'r mut (dyn Read + Send),
    buffer: Vec<u8>,
    start: usize,
    ended: bool,
    state: State,
    xz_memory_bytes_max: u64,
    zstd_window_log_max: u32,
    /// Of the first stream; `none` before it was seen.
    pub compression: &'static str,
    /// Bytes taken from the reader.
    pub read_bytes: u64,
}

/// One call of a decoder: input taken, output made, and whether its stream has ended.
struct Step {
    taken: usize,
    made: usize,
    ended: bool,
}

impl<'r> Decoder<'r> {
    pub fn new(source: &'r mut (dyn Read + Send), limits: &UnpackLimits) -> Self {
        Self {
            source,
            buffer: Vec::with_capacity(SOURCE_BUFFER_BYTES),
            start: 0,
            ended: false,
            state: State::Between { first: true },
            xz_memory_bytes_max: limits.xz_memory_bytes_max,
            zstd_window_log_max: limits.zstd_window_log_max,
            compression: "none",
            read_bytes: 0,
        }
    }

    /// Decompressed bytes into `out`; 0 only at the end (`out` is not empty).
    pub fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        loop {
            match self.state {
                State::End => return Ok(0),
                State::Between { first } => {
                    self.detect(first)?;
                    continue;
                }
                State::Plain if self.start == self.buffer.len() => {
                    let n = read_some(self.source, out)?;
                    self.read_bytes += n as u64;
                    return Ok(n);
                }
                _ => {}
            }
            if self.start == self.buffer.len() && !self.ended {
                self.fill()?;
            }
            let input = &self.buffer[self.start..];
            let had = input.len();
            let step = match &mut self.state {
                State::Gzip(gzip) => gunzip(gzip, input, out)?,
                State::Xz(xz) => unxz(xz, input, out, self.xz_memory_bytes_max)?,
                State::Zstd(zstd) => unzstd(zstd, input, out, self.zstd_window_log_max)?,
                State::Plain | State::Between { .. } | State::End => {
                    let n = had.min(out.len());
                    out[..n].copy_from_slice(&input[..n]);
                    Step {
                        taken: n,
                        made: n,
                        ended: false,
                    }
                }
            };
            self.start += step.taken;
            if step.ended {
                self.state = State::Between { first: false };
            }
            if step.made > 0 {
                return Ok(step.made);
            }
            if step.taken == 0 && !step.ended && (had > 0 || self.ended) {
                return Err(malformed(if had > 0 {
                    "the compressed data makes no sense"
                } else {
                    "the compressed data ends in the middle"
                }));
            }
        }
    }

    /// Gives back `bytes` that were read from an uncompressed part, to look for a compressed one
    /// behind it, as in an initramfs of several segments. False if nothing compressed begins there.
    pub fn resume_at(&mut self, bytes: &[u8]) -> Result<bool> {
        if !matches!(self.state, State::Plain) {
            return Ok(false);
        }
        let mut rest = bytes.to_vec();
        rest.extend_from_slice(&self.buffer[self.start..]);
        self.buffer = rest;
        self.start = 0;
        self.state = State::Between { first: false };
        self.detect(false)?;
        Ok(true)
    }

    fn fill(&mut self) -> Result<()> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let had = self.buffer.len();
        self.buffer.resize(SOURCE_BUFFER_BYTES.max(had + 64), 0);
        let result = read_some(self.source, &mut self.buffer[had..]);
        self.buffer.truncate(had + *result.as_ref().unwrap_or(&0));
        let n = result?;
        self.read_bytes += n as u64;
        self.ended = n == 0;
        Ok(())
    }

    /// Looks at the next bytes and chooses a decoder. Zeros between two streams are padding.
    fn detect(&mut self, first: bool) -> Result<()> {
        loop {
            if !first {
                while self.start < self.buffer.len() && self.buffer[self.start] == 0 {
                    self.start += 1;
                }
            }
            if self.buffer.len() - self.start >= 6 || self.ended {
                break;
            }
            self.fill()?;
        }
        let head = &self.buffer[self.start..];
        self.state = if head.starts_with(&[0x1f, 0x8b]) {
            State::Gzip(Decompress::new_gzip(15))
        } else if head.starts_with(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
            State::Xz(Stream::new_stream_decoder(self.xz_memory_bytes_max, 0).map_err(|_| no_memory("xz"))?)
        } else if head.starts_with(&[0x28, 0xb5, 0x2f, 0xfd])
            || (head.len() >= 4 && head[0] & 0xf0 == 0x50 && head[1..4] == [0x2a, 0x4d, 0x18])
        {
            let mut zstd = DCtx::try_create().ok_or_else(|| no_memory("zstd"))?;
            zstd.set_parameter(DParameter::WindowLogMax(self.zstd_window_log_max))
                .map_err(|code| Error::new(Code::ArchiveUnsupported, get_error_name(code)))?;
            State::Zstd(zstd)
        } else if let Some((name, _)) = UNSUPPORTED.iter().find(|(_, magic)| head.starts_with(magic)) {
            return Err(Error::new(
                Code::ArchiveUnsupported,
                format!("compressed with {name}; gzip, xz, zstd and none are known"),
            ));
        } else if first && !head.is_empty() || head.starts_with(b"07070") {
            State::Plain
        } else if first {
            return Err(malformed("the archive is empty"));
        } else if head.is_empty() {
            State::End
        } else {
            return Err(malformed("there is garbage behind the compressed data"));
        };
        if first {
            self.compression = match self.state {
                State::Gzip(_) => "gzip",
                State::Xz(_) => "xz",
                State::Zstd(_) => "zstd",
                State::Between { .. } | State::Plain | State::End => "none",
            };
        }
        Ok(())
    }
}

const UNSUPPORTED: &[(&str, &[u8])] = &[
    ("bzip2", b"BZh"),
    ("lzma", &[0x5d, 0, 0]),
    ("lz4", &[0x04, 0x22, 0x4d, 0x18]),
    ("lz4", &[0x02, 0x21, 0x4c, 0x18]),
    ("lzop", &[0x89, b'L', b'Z', b'O']),
    ("lzip", b"LZIP"),
    ("compress", &[0x1f, 0x9d]),
];

fn gunzip(gzip: &mut Decompress, input: &[u8], out: &mut [u8]) -> Result<Step> {
    let (taken, made) = (gzip.total_in(), gzip.total_out());
    let status = gzip
        .decompress(input, out, FlushDecompress::None)
        .map_err(|e| malformed(&format!("gzip: {e}")))?;
    Ok(Step {
        taken: (gzip.total_in() - taken) as usize,
        made: (gzip.total_out() - made) as usize,
        ended: status == Status::StreamEnd,
    })
}

fn unxz(xz: &mut Stream, input: &[u8], out: &mut [u8], memory_bytes_max: u64) -> Result<Step> {
    let (taken, made) = (xz.total_in(), xz.total_out());
    let status = xz.process(input, out, Action::Run).map_err(|e| match e {
        XzError::MemLimit => Error::new(
            Code::ArchiveUnsupported,
            format!(
                "xz needs more than {memory_bytes_max} bytes of memory; compress with a smaller dictionary"
            ),
        ),
        XzError::Mem => no_memory("xz"),
        XzError::Options => Error::new(Code::ArchiveUnsupported, "xz: unknown options"),
        _ => malformed("xz: corrupt data"),
    })?;
    Ok(Step {
        taken: (xz.total_in() - taken) as usize,
        made: (xz.total_out() - made) as usize,
        ended: matches!(status, XzStatus::StreamEnd),
    })
}

fn unzstd(zstd: &mut DCtx<'static>, input: &[u8], out: &mut [u8], window_log_max: u32) -> Result<Step> {
    let mut from = InBuffer::around(input);
    let mut to = OutBuffer::around(out);
    // ZSTD_ErrorCode: 16 is frameParameter_windowTooLarge, 64 memory_allocation.
    let left = zstd
        .decompress_stream(&mut to, &mut from)
        .map_err(|code| match code.wrapping_neg() {
            16 => Error::new(
                Code::ArchiveUnsupported,
                format!("zstd needs a window of more than 2^{window_log_max} bytes"),
            ),
            64 => no_memory("zstd"),
            _ => malformed(&format!("zstd: {}", get_error_name(code))),
        })?;
    Ok(Step {
        taken: from.pos,
        made: to.pos(),
        ended: left == 0 && (from.pos > 0 || to.pos() > 0),
    })
}

/// Reads once; `Interrupted` is tried again, an error of ours inside an `io::Error` is taken out.
pub(super) fn read_some(source: &mut (dyn Read + Send), out: &mut [u8]) -> Result<usize> {
    loop {
        match source.read(out) {
            Ok(n) => return Ok(n),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => {
                let inner = e.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
                return Err(match inner {
                    Some(own) => own.clone(),
                    None => Error::new(Code::Io, format!("reading the archive: {e}")),
                });
            }
        }
    }
}

fn malformed(what: &str) -> Error {
    Error::new(Code::ArchiveMalformed, what)
}

fn no_memory(decoder: &str) -> Error {
    Error::new(Code::Io, format!("no memory for the {decoder} decoder"))
}
