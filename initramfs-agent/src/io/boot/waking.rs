//! Sends magic packets to the network that this node reaches the server by. Decides nothing.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use crate::core::wake::{Mac, magic_packet};

/// The discard service: whatever listens there ignores it.
const PORT: u16 = 9;
/// Nothing confirms a magic packet.
const TIMES: usize = 3;

/// Wakes the machines of these cards.
///
/// # Errors
/// What the system says; also where the server is reached by IPv6, which has no broadcasts.
pub fn wake(server: SocketAddr, macs: &[Mac]) -> io::Result<()> {
    // Its own address on the way to the server; this sends nothing.
    let route = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    route.connect(server)?;
    // Linux sends a broadcast to all by the interface that has the source address.
    let socket = UdpSocket::bind((route.local_addr()?.ip(), 0))?;
    socket.set_broadcast(true)?;
    for _ in 0..TIMES {
        for mac in macs {
            socket.send_to(&magic_packet(*mac), (Ipv4Addr::BROADCAST, PORT))?;
        }
    }
    Ok(())
}
