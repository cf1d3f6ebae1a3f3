//! A small blocking HTTP/1.1 client over rustls: TLS 1.3 only, IP literals only, no redirects, no cookies.

mod coding;
mod conn;
mod date;
mod ecdsa;
mod provider;
mod response;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod url;
mod verify;

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::crypto::CryptoProvider;
use rustls::pki_types::UnixTime;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};

use self::conn::Conn;
pub use self::response::Response;
pub use self::url::Url;
use super::trust::Trust;
use crate::core::error::{Code, Error, Result};

/// How long a client waits.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the next byte, in either direction. Three times this is enough for all but the body.
    pub idle: Duration,
    /// For the whole exchange, to the last byte of the body.
    pub total: Duration,
}

/// The TLS handshake, the head of an answer and the body of an error are small: a server that sends them byte by byte holds
/// nobody up for longer than this, in times of [`Timeouts::idle`].
const SMALL_TIMES: u32 = 3;
/// A body gets as much time more as it takes at this rate, bytes a second: a server ends slower downloads too.
const BODY_BYTES_PER_S_MIN: u64 = 8 << 10;

impl Default for Timeouts {
    fn default() -> Self {
        let s = Duration::from_secs;
        Self {
            connect: s(15),
            idle: s(20),
            total: s(600),
        }
    }
}

/// What proves whose a request is: the header for its method, target and body, with the line's end; empty: nothing does. Called for
/// each time that a request is sent.
pub type Proof<'a> = &'a dyn Fn(&str, &str, &[u8]) -> String;

/// Nothing proves it.
pub fn unproven(_: &str, _: &str, _: &[u8]) -> String {
    String::new()
}

/// A client that keeps one connection to each of a few servers, to be used again. A clone shares the configuration
/// and these connections: each TLS handshake costs the server milliseconds, and a farm has hundreds of nodes. Clones
/// that ask at the same time open connections of their own.
#[derive(Clone)]
pub struct Client {
    tls: Arc<ClientConfig>,
    bind: Option<IpAddr>,
    timeouts: Timeouts,
    idle: Idle,
}

/// Servers to which a connection is kept: HTTPS and the tracker's HTTP of one server, and an origin elsewhere.
const IDLE_MAX: usize = 3;

/// Where connections wait for the next request, at most one to each server, the latest last.
#[derive(Clone, Default)]
struct Idle(Arc<Mutex<Vec<Conn>>>);

impl Idle {
    fn take(&self, peer: (bool, SocketAddr)) -> Option<Conn> {
        let mut waiting = self.0.lock().expect("no panic while held");
        let at = waiting.iter().position(|conn| conn.peer == peer)?;
        Some(waiting.remove(at))
    }

    fn put(&self, conn: Conn) {
        let mut waiting = self.0.lock().expect("no panic while held");
        waiting.retain(|other| other.peer != conn.peer);
        if waiting.len() >= IDLE_MAX {
            waiting.remove(0);
        }
        waiting.push(conn);
    }
}

impl Client {
    /// A client that accepts the servers whose certificates `trust` verifies.
    pub fn new(trust: &Trust) -> Self {
        Self::with_clock(trust, UnixTime::now)
    }

    /// A client without trust anchors: it speaks HTTP, and refuses every HTTPS server.
    pub fn without_trust() -> Self {
        let provider = provider::provider();
        let tls = tls_builder(provider).with_root_certificates(RootCertStore::empty());
        Self::with_tls(tls.with_no_client_auth())
    }

    fn with_clock(trust: &Trust, clock: fn() -> UnixTime) -> Self {
        let provider = provider::provider();
        let verifier = verify::Verifier::new(trust.roots.clone(), provider.clone(), clock);
        let tls = tls_builder(provider)
            .dangerous() // our own verifier is webpki's but for the clock
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth();
        Self::with_tls(tls)
    }

    /// Without ALPN: HTTP/1.1 is what servers speak to who names no protocol, and its name costs bytes both ways.
    fn with_tls(tls: ClientConfig) -> Self {
        Self {
            tls: Arc::new(tls),
            bind: None,
            timeouts: Timeouts::default(),
            idle: Idle::default(),
        }
    }

    /// Connections start from this address of ours.
    pub fn set_bind(&mut self, ip: IpAddr) {
        self.bind = Some(ip);
    }

    /// Other waits than the default ones.
    pub fn set_timeouts(&mut self, timeouts: Timeouts) {
        self.timeouts = timeouts;
    }

    /// `GET`, of the bytes `first..=last` when a range is given. An answer of any status is `Ok`: see
    /// [`Response::check`].
    ///
    /// # Errors
    /// `CONFIG_INVALID` (not a URL of an IP address), `SERVER_UNREACHABLE`, `TLS_FAILED`, `HTTP_MALFORMED`.
    pub fn get(&self, url: &str, range: Option<(u64, u64)>) -> Result<Response> {
        let url = Url::parse(url)?;
        let range = range.map_or(String::new(), |(first, last)| {
            format!("Range: bytes={first}-{last}\r\n")
        });
        let head = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\n{range}\r\n",
            url.target,
            url.host()
        );
        self.exchange(&url, &|| head.clone().into_bytes())
    }

    /// `GET` of a body that the server may compress: it is inflated, within the same limit, by [`Response::read_all`].
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn get_compressed(&self, url: &str, proof: Proof) -> Result<Response> {
        let url = Url::parse(url)?;
        let head = || {
            format!(
                "GET {} HTTP/1.1\r\nHost: {}\r\nAccept-Encoding: {}\r\n{}\r\n",
                url.target,
                url.host(),
                coding::ACCEPTED,
                proof("GET", &url.target, b"")
            )
        };
        let mut response = self.exchange(&url, &|| head().into_bytes())?;
        response.may_inflate = true;
        Ok(response)
    }

    /// `POST` of a small body; errors as in [`Client::get`]. It may arrive twice when a connection breaks.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post(&self, url: &str, content_type: &str, body: &[u8], proof: Proof) -> Result<Response> {
        let url = Url::parse(url)?;
        let head = || {
            format!(
                "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{}\r\n",
                url.target,
                url.host(),
                body.len(),
                proof("POST", &url.target, body)
            )
        };
        self.exchange(&url, &|| [head().as_bytes(), body].concat())
    }

    /// `request` makes its bytes, for each time that it is sent.
    fn exchange(&self, url: &Url, request: &dyn Fn() -> Vec<u8>) -> Result<Response> {
        let peer = (url.tls, url.addr);
        let until = Instant::now() + self.timeouts.total;
        if let Some(conn) = self.idle.take(peer) {
            match self.attempt(conn, &request(), until) {
                // The server closed it while it waited: that says nothing about a new one.
                Err(e) if e.code == Code::ServerUnreachable && Instant::now() < until => {}
                other => return other,
            }
        }
        let conn = Conn::open(peer, self.bind, &self.tls, &self.timeouts).map_err(|e| failure(&e, url))?;
        self.attempt(conn, &request(), until)
    }

    fn attempt(&self, mut conn: Conn, request: &[u8], until: Instant) -> Result<Response> {
        let idle = self.timeouts.idle;
        conn.set_waits(idle, until.min(Instant::now() + idle * SMALL_TIMES));
        let (_, addr) = conn.peer;
        conn.write_all(request)
            .and_then(|()| conn.flush())
            .map_err(|e| failure_at(&e, addr))?;
        let mut response = response::read_head(conn, self.idle.clone())?;
        let body_time = match (response.status, response.content_length) {
            (200..=299, None) => self.timeouts.total,
            (200..=299, Some(bytes)) => {
                idle * SMALL_TIMES + Duration::from_secs(bytes / BODY_BYTES_PER_S_MIN)
            }
            _ => idle * SMALL_TIMES,
        };
        let body_time = body_time.min(self.timeouts.total);
        response.set_waits(idle, until.min(Instant::now() + body_time));
        Ok(response)
    }
}

fn tls_builder(provider: Arc<CryptoProvider>) -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("ring speaks TLS 1.3")
}

fn failure(e: &io::Error, url: &Url) -> Error {
    failure_at(e, url.addr)
}

/// The stable code of what broke a connection.
fn failure_at(e: &io::Error, addr: SocketAddr) -> Error {
    let inner = e.get_ref();
    if let Some(error) = inner.and_then(|x| x.downcast_ref::<Error>()) {
        return error.clone();
    }
    let code = match inner {
        Some(x) if x.is::<rustls::Error>() => Code::TlsFailed,
        _ => Code::ServerUnreachable,
    };
    let what = match e.kind() {
        io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        io::ErrorKind::UnexpectedEof => "connection closed early".to_owned(),
        _ => match inner.and_then(|x| x.downcast_ref()) {
            Some(error) => tls_failure(error),
            None => e.to_string(),
        },
    };
    Error::new(code, format!("{addr}: {what}"))
}

/// Why a certificate is not accepted, and what to do about it.
fn tls_failure(error: &rustls::Error) -> String {
    use rustls::{CertificateError as Why, Error::InvalidCertificate};
    let clock = |now: &UnixTime, what: &str, at: &UnixTime| {
        format!(
            "this node's clock says {}, and the server's certificate {what} {}: set the clock (firmware setup, battery)",
            date::utc(now.as_secs()),
            date::utc(at.as_secs())
        )
    };
    match error {
        InvalidCertificate(Why::ExpiredContext { time, not_after }) => clock(time, "ended", not_after),
        InvalidCertificate(Why::NotValidYetContext { time, not_before }) => clock(time, "begins", not_before),
        InvalidCertificate(Why::UnknownIssuer) => {
            "another CA than this node's has signed the server's certificate: make stage 1 with data/trust/ of this server".to_owned()
        }
        InvalidCertificate(Why::NotValidForName | Why::NotValidForNameContext { .. }) => {
            "the server's certificate is not for this address: check the server's `address` and bootswarm.server="
                .to_owned()
        }
        other => other.to_string(),
    }
}
