//! One TCP or TLS connection whose every wait is bounded.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, SocketFlags, SocketType};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::Timeouts;

/// A connection and what it has read ahead.
pub(super) struct Conn {
    stream: Stream,
    /// Read from the stream and not yet consumed.
    pub ahead: Vec<u8>,
    /// Where it leads: TLS or not, and the address.
    pub peer: (bool, SocketAddr),
    /// It has carried an exchange before, and may have gone stale since.
    pub reused: bool,
}

enum Stream {
    Plain(Timed),
    Tls(Box<StreamOwned<ClientConnection, Timed>>),
}

impl Conn {
    /// Connects from `bind` (any address when `None`); the TLS handshake happens with the first write.
    pub fn open(
        peer: (bool, SocketAddr),
        bind: Option<IpAddr>,
        tls: &Arc<ClientConfig>,
        timeouts: &Timeouts,
    ) -> io::Result<Self> {
        let timed = Timed {
            tcp: connect(peer.1, bind, timeouts.connect)?,
            idle: timeouts.idle,
            set: None,
            until: None,
            unsent: Vec::new(),
        };
        let stream = if peer.0 {
            let name = rustls::pki_types::ServerName::IpAddress(peer.1.ip().into());
            let session = ClientConnection::new(tls.clone(), name).map_err(io::Error::other)?;
            Stream::Tls(Box::new(StreamOwned::new(session, timed)))
        } else {
            Stream::Plain(timed)
        };
        Ok(Self {
            stream,
            ahead: Vec::new(),
            peer,
            reused: false,
        })
    }

    /// From now on, reads and writes fail with `TimedOut` after `idle` without a byte, and after `until`.
    pub fn set_waits(&mut self, idle: Duration, until: Instant) {
        let timed = self.timed();
        timed.idle = idle;
        timed.until = Some(until);
    }

    fn timed(&mut self) -> &mut Timed {
        match &mut self.stream {
            Stream::Plain(timed) => timed,
            Stream::Tls(tls) => &mut tls.sock,
        }
    }
}

impl Read for Conn {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if !self.ahead.is_empty() {
            let n = buf.len().min(self.ahead.len());
            buf[..n].copy_from_slice(&self.ahead[..n]);
            self.ahead.drain(..n);
            return Ok(n);
        }
        match &mut self.stream {
            Stream::Plain(timed) => timed.read(buf),
            Stream::Tls(tls) => tls.read(buf),
        }
    }
}

impl Write for Conn {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(timed) => timed.write(buf),
            Stream::Tls(tls) => tls.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Stream::Tls(tls) = &mut self.stream {
            tls.flush()?;
        }
        self.timed().send()
    }
}

fn connect(addr: SocketAddr, bind: Option<IpAddr>, timeout: Duration) -> io::Result<TcpStream> {
    let family = if addr.is_ipv4() {
        AddressFamily::INET
    } else {
        AddressFamily::INET6
    };
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    if let Some(ip) = bind {
        rustix::net::bind(&socket, &SocketAddr::new(ip, 0))?;
    }
    // Linux bounds a blocking connect by the send timeout, and says EINPROGRESS when it is over.
    set_socket_timeout(&socket, Timeout::Send, Some(timeout))?;
    match rustix::net::connect(&socket, &addr) {
        Err(rustix::io::Errno::INPROGRESS) => return Err(io::ErrorKind::TimedOut.into()),
        other => other?,
    }
    let tcp = TcpStream::from(socket);
    tcp.set_nodelay(true)?;
    Ok(tcp)
}

/// A socket that waits at most `idle` for the other side, and never past `until`. What is written goes out when it is
/// complete, or when an answer is waited for: the end of a TLS handshake shares the packet of the first request.
struct Timed {
    tcp: TcpStream,
    unsent: Vec<u8>,
    idle: Duration,
    set: Option<Duration>,
    until: Option<Instant>,
}

impl Timed {
    fn arm(&mut self) -> io::Result<()> {
        let left = self
            .until
            .map_or(self.idle, |t| t.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let wait = Some(left.min(self.idle));
        if self.set != wait {
            self.tcp.set_read_timeout(wait)?;
            self.tcp.set_write_timeout(wait)?;
            self.set = wait;
        }
        Ok(())
    }

    fn send(&mut self) -> io::Result<()> {
        while !self.unsent.is_empty() {
            self.arm()?;
            match self.tcp.write(&self.unsent).map_err(timed_out) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => drop(self.unsent.drain(..n)),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }
}

/// More than this is not held back.
const UNSENT_MAX: usize = 16 << 10;

/// What a socket timeout is called.
fn timed_out(e: io::Error) -> io::Error {
    if e.kind() == io::ErrorKind::WouldBlock {
        io::ErrorKind::TimedOut.into()
    } else {
        e
    }
}

impl Read for Timed {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.send()?;
        self.arm()?;
        self.tcp.read(buf).map_err(timed_out)
    }
}

impl Write for Timed {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        if self.unsent.len() >= UNSENT_MAX {
            self.send()?;
        }
        self.unsent.extend_from_slice(buf);
        Ok(buf.len())
    }

    /// Not yet: TLS flushes after each of its own steps.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
