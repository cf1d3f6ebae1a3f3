//! Sockets with the options that a node needs, all non-blocking.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use mio::net::{TcpListener, TcpStream, UdpSocket};
use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

use crate::core::error::{Code, Error, Result};

/// A farm boots at once: what arrives while the loop is busy waits here.
const BACKLOG: i32 = 512;
/// What one connection may have waiting in the kernel for us to read it, bytes; the kernel counts twice that with its own
/// overhead. A network within one building needs a tenth (docs/swarm.md), and left to itself the kernel gives 6 MB to each.
const RECEIVE_BYTES: usize = 256 << 10;
/// Other ports that are tried when the first is free in TCP but not in UDP.
const PORT_TRIES: u32 = 16;
/// The group and port of BEP 14 for IPv4.
pub(super) const LSD_ADDR: (Ipv4Addr, u16) = (Ipv4Addr::new(239, 192, 152, 143), 6771);

/// What a node listens with.
pub(super) struct Listening {
    pub tcp: Vec<TcpListener>,
    pub dht: Option<UdpSocket>,
    pub port: u16,
}

/// Opens the listeners, and the DHT's socket at the same number if wanted.
pub(super) fn listen(bind: Option<IpAddr>, port: u16, dht: bool) -> Result<Listening> {
    let first = bind.unwrap_or(Ipv4Addr::UNSPECIFIED.into());
    let mut tries = 0;
    loop {
        match listen_once(bind, first, port, dht) {
            Ok(listening) => return Ok(listening),
            Err(e) if port == 0 && tries < PORT_TRIES && e.kind() == io::ErrorKind::AddrInUse => tries += 1,
            Err(e) => {
                let text = format!("cannot listen at {}: {e}", SocketAddr::new(first, port));
                return Err(Error::new(Code::Io, text));
            }
        }
    }
}

fn listen_once(bind: Option<IpAddr>, first: IpAddr, port: u16, dht: bool) -> io::Result<Listening> {
    let main = listener(SocketAddr::new(first, port))?;
    let port = main.local_addr()?.port();
    let mut tcp = vec![main];
    if bind.is_none() {
        match listener(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)) {
            Ok(six) => tcp.push(six),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => return Err(e),
            Err(_) => {} // a kernel without IPv6
        }
    }
    let dht = if dht {
        Some(udp(SocketAddr::new(first, port), false)?)
    } else {
        None
    };
    Ok(Listening { tcp, dht, port })
}

fn socket(addr: &SocketAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let family = match addr {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    Ok(net::socket_with(family, kind, flags, None)?)
}

fn listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let fd = socket(&addr, SocketType::STREAM)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    if addr.is_ipv6() {
        sockopt::set_ipv6_v6only(&fd, true)?;
    }
    // Connections have it from their listener.
    sockopt::set_socket_recv_buffer_size(&fd, RECEIVE_BYTES)?;
    net::bind(&fd, &addr)?;
    net::listen(&fd, BACKLOG)?;
    Ok(TcpListener::from_std(fd.into()))
}

fn udp(addr: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let fd = socket(&addr, SocketType::DGRAM)?;
    if shared {
        sockopt::set_socket_reuseaddr(&fd, true)?;
        sockopt::set_socket_reuseport(&fd, true)?;
    }
    net::bind(&fd, &addr)?;
    Ok(UdpSocket::from_std(fd.into()))
}

/// Starts to connect; the socket becomes writable when that has ended, well or not.
pub(super) fn connect(bind: Option<IpAddr>, to: SocketAddr) -> io::Result<TcpStream> {
    let fd = socket(&to, SocketType::STREAM)?;
    sockopt::set_tcp_nodelay(&fd, true)?;
    sockopt::set_socket_recv_buffer_size(&fd, RECEIVE_BYTES)?;
    if let Some(ip) = bind.filter(|ip| ip.is_ipv4() == to.is_ipv4()) {
        net::bind(&fd, &SocketAddr::new(ip, 0))?;
    }
    match net::connect(&fd, &to) {
        Ok(()) | Err(rustix::io::Errno::INPROGRESS) => Ok(TcpStream::from_std(fd.into())),
        Err(e) => Err(e.into()),
    }
}

/// The socket of local service discovery (BEP 14): many agents of one host share its port and receive from
/// each other. With an address it works on that address's interface, else it receives on all and sends on the first.
pub(super) fn lsd(bind: Option<IpAddr>) -> io::Result<UdpSocket> {
    let (group, port) = LSD_ADDR;
    // Bound to the group, it receives nothing else.
    let socket = udp(SocketAddr::new(group.into(), port), true)?;
    sockopt::set_ip_multicast_loop(&socket, true)?;
    if let Some(IpAddr::V4(ip)) = bind {
        sockopt::set_ip_add_membership(&socket, &group, &ip)?;
        sockopt::set_ip_multicast_if(&socket, &ip)?;
        return Ok(socket);
    }
    // Not left to the routes: a booting node may have none for multicast.
    let mut joined = false;
    for index in multicast_interfaces()? {
        let any = Ipv4Addr::UNSPECIFIED;
        if sockopt::set_ip_add_membership_with_ifindex(&socket, &group, &any, index).is_ok() && !joined {
            joined = true;
            sockopt::set_ip_multicast_if_with_ifindex(&socket, &group, &any, index)?;
        }
    }
    if joined {
        Ok(socket)
    } else {
        Err(io::ErrorKind::NetworkDown.into())
    }
}

/// Indices of the interfaces that are up and can do multicast.
fn multicast_interfaces() -> io::Result<Vec<u32>> {
    const UP_AND_MULTICAST: u32 = 0x1001;
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/sys/class/net")? {
        let path = entry?.path();
        let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap_or_default();
        let flags = u32::from_str_radix(read("flags").trim().trim_start_matches("0x"), 16).unwrap_or(0);
        if flags & UP_AND_MULTICAST == UP_AND_MULTICAST {
            found.extend(read("ifindex").trim().parse::<u32>());
        }
    }
    found.sort_unstable();
    Ok(found)
}
