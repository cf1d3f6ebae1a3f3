//! The decompressed archive, looked at in place: no byte is copied between decoder and file.

use super::codec::Decoder;
use super::limits::BUFFER_BYTES;
use crate::core::error::{Code, Error, Result};

/// A window over the decompressed stream.
pub(super) struct Input<'r> {
    decoder: Decoder<'r>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    bytes_max: u64,
    summing: bool,
    sum: u32,
    /// Bytes after decompression so far.
    pub unpacked_bytes: u64,
}

impl<'r> Input<'r> {
    pub fn new(decoder: Decoder<'r>, bytes_max: u64) -> Self {
        Self {
            decoder,
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            bytes_max,
            summing: false,
            sum: 0,
            unpacked_bytes: 0,
        }
    }

    /// Bytes taken from the reader so far.
    pub fn read_bytes(&self) -> u64 {
        self.decoder.read_bytes
    }

    /// What is around the archive: the compression of its first bytes.
    pub fn compression(&self) -> &'static str {
        self.decoder.compression
    }

    /// The next `n` bytes without taking them, or as many as there are before the end of the stream.
    pub fn head(&mut self, n: usize) -> Result<&[u8]> {
        while self.end - self.start < n && self.more()? {}
        Ok(&self.buffer[self.start..self.end.min(self.start + n)])
    }

    /// The next `n` bytes without taking them (`n` at most 4 KiB), or none at the end of the stream.
    /// A stream that ends within them is an error.
    pub fn peek(&mut self, n: usize) -> Result<Option<&[u8]>> {
        while self.end - self.start < n {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            if !self.more()? {
                return if self.start == self.end {
                    Ok(None)
                } else {
                    Err(truncated())
                };
            }
        }
        Ok(Some(&self.buffer[self.start..self.start + n]))
    }

    /// Between 1 and `max` of the next bytes without taking them. The stream must not end here.
    pub fn chunk(&mut self, max: u64) -> Result<&[u8]> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            if !self.more()? {
                return Err(truncated());
            }
        }
        let n = max.min((self.end - self.start) as u64) as usize;
        Ok(&self.buffer[self.start..self.start + n])
    }

    /// Takes `n` bytes that were seen.
    pub fn take(&mut self, n: usize) {
        if self.summing {
            let seen = &self.buffer[self.start..self.start + n];
            self.sum = seen.iter().fold(self.sum, |sum, &b| sum.wrapping_add(b.into()));
        }
        self.start += n;
        debug_assert!(self.start <= self.end);
    }

    /// Starts (or stops) adding up the bytes that are taken, as cpio's crc variant wants it.
    pub fn sum_from_here(&mut self, summing: bool) {
        self.summing = summing;
        self.sum = 0;
    }

    /// The sum since [`Input::sum_from_here`], modulo 2^32.
    pub fn sum(&self) -> u32 {
        self.sum
    }

    /// Passes over `n` bytes.
    pub fn skip(&mut self, mut n: u64) -> Result<()> {
        while n > 0 {
            let got = self.chunk(n)?.len();
            self.take(got);
            n -= got as u64;
        }
        Ok(())
    }

    /// The next `n` bytes as a vector; the caller bounds `n`.
    pub fn bytes(&mut self, n: usize) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        while out.len() < n {
            let chunk = self.chunk((n - out.len()) as u64)?;
            out.extend_from_slice(chunk);
            let got = chunk.len();
            self.take(got);
        }
        Ok(out)
    }

    /// Passes over zeros; false if the stream has ended behind them.
    pub fn skip_zeros(&mut self) -> Result<bool> {
        loop {
            let zeros = self.buffer[self.start..self.end]
                .iter()
                .take_while(|&&b| b == 0)
                .count();
            self.start += zeros;
            if self.start < self.end {
                return Ok(true);
            }
            self.start = 0;
            self.end = 0;
            if !self.more()? {
                return Ok(false);
            }
        }
    }

    /// Passes over all that is left, so that the decoder sees its checksums.
    pub fn drain(&mut self) -> Result<()> {
        loop {
            self.start = 0;
            self.end = 0;
            if !self.more()? {
                return Ok(());
            }
        }
    }

    /// Looks for a compressed segment at this place of an uncompressed archive.
    pub fn resume(&mut self) -> Result<bool> {
        let resumed = self.decoder.resume_at(&self.buffer[self.start..self.end])?;
        if resumed {
            self.unpacked_bytes -= (self.end - self.start) as u64;
            self.start = 0;
            self.end = 0;
        }
        Ok(resumed)
    }

    fn more(&mut self) -> Result<bool> {
        let n = self.decoder.read(&mut self.buffer[self.end..])?;
        self.end += n;
        self.unpacked_bytes += n as u64;
        if self.unpacked_bytes > self.bytes_max {
            return Err(Error::new(
                Code::TargetFull,
                format!(
                    "the archive unpacks to more than {} bytes, the limit",
                    self.bytes_max
                ),
            ));
        }
        Ok(n > 0)
    }
}

fn truncated() -> Error {
    Error::new(
        Code::ArchiveMalformed,
        "the archive ends in the middle of a member",
    )
}
