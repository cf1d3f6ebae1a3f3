//! Peer exchange (BEP 11): compact addresses of peers that came and went.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::core::bencode::{Encoder, Keys, parse};
use crate::core::error::{Code, Error, Result};

/// Addresses that are taken from, or put into, each list of one message (BEP 11: 50 and 50).
pub const PEX_PEERS_MAX: usize = 50;

/// What a PEX message says; at most [`PEX_PEERS_MAX`] addresses of each family in each list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pex {
    /// Peers the sender is connected to now.
    pub added: Vec<SocketAddr>,
    /// Peers it has lost.
    pub dropped: Vec<SocketAddr>,
}

impl Pex {
    /// The bencoded dictionary.
    pub fn encode(added: &[SocketAddr], dropped: &[SocketAddr]) -> Vec<u8> {
        let mut out = Encoder::default();
        let (added4, added6) = compact(added);
        let (dropped4, dropped6) = compact(dropped);
        out.dict();
        out.bytes(b"added").bytes(&added4);
        // A byte of flags for each address; none of them says anything about us.
        out.bytes(b"added.f").bytes(&vec![0; added4.len() / 6]);
        out.bytes(b"added6").bytes(&added6);
        out.bytes(b"added6.f").bytes(&vec![0; added6.len() / 18]);
        out.bytes(b"dropped").bytes(&dropped4);
        out.bytes(b"dropped6").bytes(&dropped6);
        out.end();
        out.finish()
    }

    /// Reads the payload of a `ut_pex` message. What is beyond the limit, and ports of 0, is left out.
    ///
    /// # Errors
    /// [`Code::PeerProtocol`] when it is no bencoded dictionary or a list is not whole addresses.
    pub fn parse(payload: &[u8]) -> Result<Self> {
        let wrong = || Error::new(Code::PeerProtocol, "malformed peer exchange");
        let value = parse(payload, Keys::AnyOrder).map_err(|_| wrong())?;
        let dict = value.as_dict().ok_or_else(wrong)?;
        let list = |key4: &[u8], key6: &[u8]| {
            let four = dict.bytes(key4).unwrap_or_default();
            let six = dict.bytes(key6).unwrap_or_default();
            if four.len() % 6 != 0 || six.len() % 18 != 0 {
                return Err(wrong());
            }
            let four = four.chunks_exact(6).take(PEX_PEERS_MAX).filter_map(address::<4>);
            let six = six.chunks_exact(18).take(PEX_PEERS_MAX).filter_map(address::<16>);
            Ok(four.chain(six).collect())
        };
        Ok(Self {
            added: list(b"added", b"added6")?,
            dropped: list(b"dropped", b"dropped6")?,
        })
    }
}

fn compact(addresses: &[SocketAddr]) -> (Vec<u8>, Vec<u8>) {
    let (mut four, mut six) = (Vec::new(), Vec::new());
    for address in addresses.iter().take(PEX_PEERS_MAX) {
        let port = address.port().to_be_bytes();
        match address {
            SocketAddr::V4(a) => {
                four.extend_from_slice(&a.ip().octets());
                four.extend_from_slice(&port);
            }
            SocketAddr::V6(a) => {
                six.extend_from_slice(&a.ip().octets());
                six.extend_from_slice(&port);
            }
        }
    }
    (four, six)
}

fn address<const IP_BYTES: usize>(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_at(IP_BYTES);
    let port = u16::from_be_bytes([port[0], port[1]]);
    let ip = match <[u8; 4]>::try_from(ip) {
        Ok(ip) => Ipv4Addr::from(ip).into(),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(ip).ok()?).into(),
    };
    (port != 0).then(|| SocketAddr::new(ip, port))
}
