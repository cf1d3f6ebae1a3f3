//! An answer: its head parsed within bounds, its body a stream that knows its end.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::coding::Coding;
use super::conn::Conn;
use super::{Idle, failure_at};
use crate::core::error::{Code, Error, Result};
use crate::core::limits::HTTP_HEAD_BYTES_MAX;

/// Most headers of an answer.
const HEADERS_MAX: usize = 64;
/// Answers of the `1xx` kind that are skipped.
const INTERIM_MAX: usize = 4;
/// Longest line of a chunk's size or of a trailer, bytes.
const CHUNK_LINE_BYTES_MAX: usize = 1024;
/// Most trailer lines.
const TRAILERS_MAX: usize = 16;

/// An HTTP answer; reading it reads the body. Its errors as [`io::Error`] hold our own [`Error`]:
/// [`Response::error_of`] gets it out.
pub struct Response {
    /// Status code, 200-599.
    pub status: u16,
    /// `Content-Length`, bytes.
    pub content_length: Option<u64>,
    /// `Content-Range` of a 206: first and last byte and, where the server knows it, the size of the whole.
    pub content_range: Option<(u64, u64, Option<u64>)>,
    /// `Retry-After`, when it is a number of seconds.
    pub retry_after_s: Option<u64>,
    /// We said that we take codings.
    pub(super) may_inflate: bool,
    coding: Coding,
    body: Body,
    conn: Option<Conn>,
    keep: bool,
    idle: Idle,
    addr: SocketAddr,
}

enum Body {
    /// So many bytes are still to come.
    Sized(u64),
    /// Inside a chunk with so many bytes left; 0 stands before the next size line.
    Chunked {
        left: u64,
        first: bool,
    },
    /// Until the server closes.
    ToEnd,
    Done,
}

/// Reads the head of an answer.
pub(super) fn read_head(mut conn: Conn, idle: Idle) -> Result<Response> {
    let addr = conn.peer.1;
    for _ in 0..=INTERIM_MAX {
        let head = head_bytes(&mut conn).map_err(|e| failure_at(&e, addr))?;
        let head = Head::parse(&head).ok_or_else(|| malformed(addr, "head"))?;
        if head.status < 200 {
            continue;
        }
        let body = head.body().ok_or_else(|| malformed(addr, "length"))?;
        let keep = head.keep && !matches!(body, Body::ToEnd);
        let mut response = Response {
            status: head.status,
            content_length: head.content_length,
            content_range: head.content_range,
            retry_after_s: head.retry_after_s,
            may_inflate: false,
            coding: head.coding,
            body,
            conn: Some(conn),
            keep,
            idle,
            addr,
        };
        if matches!(response.body, Body::Done | Body::Sized(0)) {
            response.finish();
        }
        return Ok(response);
    }
    Err(malformed(addr, "too many interim answers"))
}

fn malformed(addr: SocketAddr, what: &str) -> Error {
    Error::new(Code::HttpMalformed, format!("{addr}: answer malformed: {what}"))
}

/// The bytes up to and with the empty line; what follows stays in `conn.ahead`.
fn head_bytes(conn: &mut Conn) -> io::Result<Vec<u8>> {
    let mut head = std::mem::take(&mut conn.ahead);
    let mut searched = 0;
    loop {
        let from = usize::saturating_sub(searched, 3);
        if let Some(at) = head[from..].windows(4).position(|w| w == b"\r\n\r\n") {
            conn.ahead = head.split_off(from + at + 4);
            return Ok(head);
        }
        searched = head.len();
        if searched >= HTTP_HEAD_BYTES_MAX {
            return Err(io::Error::other(malformed(conn.peer.1, "head too long")));
        }
        head.resize(searched + 2048, 0);
        let n = conn.read(&mut head[searched..])?;
        head.truncate(searched + n);
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

#[derive(Default)]
struct Head {
    status: u16,
    keep: bool,
    chunked: bool,
    content_length: Option<u64>,
    content_range: Option<(u64, u64, Option<u64>)>,
    retry_after_s: Option<u64>,
    coding: Coding,
}

impl Head {
    fn parse(bytes: &[u8]) -> Option<Self> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut headers);
        if !parsed.parse(bytes).ok()?.is_complete() {
            return None;
        }
        let mut head = Self {
            status: parsed.code?,
            keep: parsed.version? == 1,
            ..Self::default()
        };
        if !(100..600).contains(&head.status) {
            return None;
        }
        for header in parsed.headers.iter() {
            let value = header.value.trim_ascii();
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("content-length") {
                // Two lengths, even equal ones, are how answers are smuggled: refuse.
                if head.content_length.replace(number(value)?).is_some() {
                    return None;
                }
            } else if is("transfer-encoding") {
                if head.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return None;
                }
                head.chunked = true;
            } else if is("content-range") {
                head.content_range = Some(content_range(value)?);
            } else if is("content-encoding") {
                head.coding = Coding::of(value);
            } else if is("retry-after") {
                head.retry_after_s = number(value);
            } else if is("connection") && value.eq_ignore_ascii_case(b"close") {
                head.keep = false;
            }
        }
        Some(head)
    }

    fn body(&self) -> Option<Body> {
        match (self.status, self.chunked, self.content_length) {
            (204 | 304, false, None | Some(0)) => Some(Body::Done),
            (204 | 304, ..) | (_, true, Some(_)) => None,
            (_, true, None) => Some(Body::Chunked { left: 0, first: true }),
            (_, false, Some(length)) => Some(Body::Sized(length)),
            (_, false, None) => Some(Body::ToEnd),
        }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |n, &d| n * 10 + u64::from(d - b'0')))
}

/// `bytes FIRST-LAST/SIZE`, `SIZE` may be `*`; `bytes */SIZE` belongs to a 416 and counts as an empty range.
fn content_range(value: &[u8]) -> Option<(u64, u64, Option<u64>)> {
    let value = std::str::from_utf8(value).ok()?.strip_prefix("bytes ")?;
    let (range, size) = value.split_once('/')?;
    let size = if size == "*" {
        None
    } else {
        Some(number(size.as_bytes())?)
    };
    if range == "*" {
        return Some((0, 0, size));
    }
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first.as_bytes())?, number(last.as_bytes())?);
    (first <= last && size.is_none_or(|size| last < size)).then_some((first, last, size))
}

impl Response {
    /// This answer when its status is 2xx, else the error it stands for: `ORIGIN_BUSY` for a 503, `TICKET_REFUSED` where the server
    /// says so, else `HTTP_STATUS`, with the stable code of the server's error body in the message.
    ///
    /// # Errors
    /// `ORIGIN_BUSY`, `TICKET_REFUSED`, `HTTP_STATUS`.
    pub fn check(mut self) -> Result<Self> {
        if (200..300).contains(&self.status) {
            return Ok(self);
        }
        let mut body = Vec::new();
        // A body that cannot be read only costs the message its detail.
        let _ = (&mut self).take(4096).read_to_end(&mut body);
        let mut message = format!("{}: status {}", self.addr, self.status);
        let detail = server_code(&body);
        let code = match detail {
            _ if self.status == 503 => Code::OriginBusy,
            Some("TICKET_REFUSED") => Code::TicketRefused,
            _ => Code::HttpStatus,
        };
        if let Some(detail) = detail {
            message.push(' ');
            message.push_str(detail);
        }
        Err(Error::new(code, message))
    }

    /// The whole body, inflated where we asked for that.
    ///
    /// # Errors
    /// `HTTP_MALFORMED` when it is longer than `max` bytes, before or after, or not well formed, else what broke the connection.
    pub fn read_all(mut self, max: usize) -> Result<Vec<u8>> {
        let announced = self.content_length.unwrap_or(0);
        if announced > max as u64 {
            return Err(malformed(self.addr, "body too long"));
        }
        let mut body = Vec::with_capacity(announced as usize);
        (&mut self)
            .take(max as u64 + 1)
            .read_to_end(&mut body)
            .map_err(|e| self.error_of(&e))?;
        if body.len() > max {
            return Err(malformed(self.addr, "body too long"));
        }
        if self.may_inflate {
            return self
                .coding
                .decode(body, max)
                .ok_or_else(|| malformed(self.addr, "coding"));
        }
        Ok(body)
    }

    /// The agent's error for what reading this body returned.
    pub fn error_of(&self, e: &io::Error) -> Error {
        failure_at(e, self.addr)
    }

    /// Bounds the waits for the body as [`Conn::set_waits`] does.
    pub(super) fn set_waits(&mut self, idle: Duration, until: Instant) {
        if let Some(conn) = &mut self.conn {
            conn.set_waits(idle, until);
        }
    }

    /// The body has been read: the connection may serve the next request.
    fn finish(&mut self) {
        self.body = Body::Done;
        if let Some(mut conn) = self.conn.take()
            && self.keep
            && conn.ahead.is_empty()
        {
            conn.reused = true;
            self.idle.put(conn);
        }
    }

    fn chunk_line(conn: &mut Conn) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        let mut byte = [0];
        while conn.read(&mut byte)? == 1 {
            match (byte[0], line.last()) {
                (b'\n', Some(b'\r')) => {
                    line.pop();
                    return Ok(line);
                }
                (b'\n', _) => break,
                (c, _) if line.len() < CHUNK_LINE_BYTES_MAX => line.push(c),
                _ => break,
            }
        }
        Err(io::Error::other(malformed(conn.peer.1, "chunk")))
    }

    /// Reads the next chunk's size; with the last one also the trailers. Returns the size.
    fn next_chunk(conn: &mut Conn, first: bool) -> io::Result<u64> {
        let bad = |conn: &Conn| io::Error::other(malformed(conn.peer.1, "chunk"));
        if !first && !Self::chunk_line(conn)?.is_empty() {
            return Err(bad(conn));
        }
        let line = Self::chunk_line(conn)?;
        let digits = line.split(|&c| c == b';').next().unwrap_or_default().trim_ascii();
        if digits.is_empty() || digits.len() > 12 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(bad(conn));
        }
        let text = std::str::from_utf8(digits).expect("hexadecimal digits");
        let size = u64::from_str_radix(text, 16).expect("at most 12 digits");
        if size == 0 {
            for _ in 0..=TRAILERS_MAX {
                if Self::chunk_line(conn)?.is_empty() {
                    return Ok(0);
                }
            }
            return Err(bad(conn));
        }
        Ok(size)
    }
}

impl Read for Response {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(conn) = &mut self.conn else { return Ok(0) };
        if let Body::Chunked { left: 0, first } = self.body {
            let left = Self::next_chunk(conn, first)?;
            if left == 0 {
                self.finish();
                return Ok(0);
            }
            self.body = Body::Chunked { left, first: false };
        }
        let left = match self.body {
            Body::Sized(left) | Body::Chunked { left, .. } => left,
            Body::ToEnd => u64::MAX,
            Body::Done => return Ok(0),
        };
        let want = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if want == 0 {
            return Ok(0);
        }
        let n = conn.read(&mut buf[..want])?;
        if let Body::Sized(left) | Body::Chunked { left, .. } = &mut self.body {
            *left -= n as u64;
        }
        match self.body {
            Body::ToEnd if n == 0 => self.finish(),
            _ if n == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            Body::Sized(0) => self.finish(),
            _ => {}
        }
        Ok(n)
    }
}

/// The `code` member of a JSON error body, if it looks like one of ours.
fn server_code(body: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("\"code\":\"")?;
    let (code, _) = rest.split_once('"')?;
    let shown = |c: u8| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_';
    (code.len() <= 64 && code.bytes().all(shown)).then_some(code)
}
