//! Compact addresses (BEP 5, 7, 23): 4 or 16 bytes of IP address and 2 of port, in network order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of an IPv4 address with its port.
pub const V4_BYTES: usize = 6;
/// Bytes of an IPv6 address with its port.
pub const V6_BYTES: usize = 18;

/// Reads one address of 6 or 18 bytes; `None` when it has another length.
pub fn parse(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_at_checked(bytes.len().checked_sub(2)?)?;
    let ip = match ip.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(ip).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(ip).ok()?),
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_be_bytes(port.try_into().ok()?)))
}

/// Appends an address in its 6 or 18 bytes.
pub fn write(out: &mut Vec<u8>, addr: SocketAddr) {
    match addr.ip() {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
    out.extend_from_slice(&addr.port().to_be_bytes());
}

/// Whether a connection to this address can make sense: a unicast address and a port.
pub fn is_usable(addr: &SocketAddr) -> bool {
    let ip_usable = match addr.ip() {
        IpAddr::V4(ip) => !ip.is_unspecified() && !ip.is_multicast() && ip != Ipv4Addr::BROADCAST,
        IpAddr::V6(ip) => ip != Ipv6Addr::UNSPECIFIED && !ip.is_multicast(),
    };
    ip_usable && addr.port() != 0
}
