//! One connection: what has been received in part, and what waits to be sent.

use std::collections::VecDeque;
use std::net::SocketAddr;

use mio::net::TcpStream;
use rustix::net::sockopt;

use crate::core::swarm::{Slot, TorrentId};
use crate::core::time::Micros;
use crate::core::wire::{Block, ExtensionIds, PIECE_HEADER_BYTES};

/// Payload has a lower priority than everything else that leaves this machine: a request that waits behind a few blocks in front
/// of our own link leaves another node's link idle. AF11 is high-throughput data (RFC 4594); Linux puts it into
/// the last band of its default queue, and switches that look at it into a low class.
const BULK_TOS: u8 = 0x28;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// `connect` has not ended.
    Connecting,
    /// The peer's handshake has not come whole.
    Handshaking,
    /// Messages flow.
    Open,
}

/// A block whose header has come and whose payload is coming.
#[derive(Clone, Copy, Debug)]
pub(super) struct Payload {
    pub block: Block,
    /// Bytes that have come.
    pub done: u32,
    /// Where they go: the slot and the serial of its sink; `None`: nowhere.
    pub place: Option<(Slot, u32)>,
}

/// A block on its way out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sending {
    pub block: Block,
    pub header: [u8; PIECE_HEADER_BYTES],
    /// Bytes of header and payload that the kernel has.
    pub done: u32,
}

/// A connection and its buffers; those are empty, and take no memory, while it is idle.
pub(super) struct Conn {
    pub stream: TcpStream,
    pub addr: SocketAddr,
    pub phase: Phase,
    /// Known from the start for outgoing ones, from the handshake for incoming ones.
    pub torrent: Option<TorrentId>,
    /// When it is given up: unless it is open by then, or as long as it is deaf unless it reads something by then.
    pub close_at: Micros,
    /// It does not read what we send, so we do not read what it sends.
    pub is_paused: bool,
    /// The beginning of a message that has not come whole.
    pub partial: Vec<u8>,
    pub payload: Option<Payload>,
    /// The peer's ids for extension messages.
    pub ids: ExtensionIds,
    /// Encoded messages, and how many of their bytes the kernel has.
    pub out: Vec<u8>,
    pub out_done: usize,
    pub blocks: VecDeque<Block>,
    pub sending: Option<Sending>,
    /// The piece that it carries, until the peer announces that: see [`BULK_TOS`].
    bulk: Option<u32>,
    /// The kernel takes more: no write has been refused since it last said so.
    pub writable: bool,
    /// It is on the loop's list of connections with something to send.
    pub flush_listed: bool,
}

impl Conn {
    pub fn new(stream: TcpStream, addr: SocketAddr, phase: Phase, close_at: Micros) -> Self {
        Self {
            stream,
            addr,
            phase,
            torrent: None,
            close_at,
            is_paused: false,
            partial: Vec::new(),
            payload: None,
            ids: ExtensionIds::default(),
            out: Vec::new(),
            out_done: 0,
            blocks: VecDeque::new(),
            sending: None,
            bulk: None,
            writable: false,
            flush_listed: false,
        }
    }

    /// Payload of a piece is about to go out.
    pub fn begin_bulk(&mut self, piece: u32) {
        if self.bulk.replace(piece).is_none() {
            // Where that cannot be, it goes out like everything else.
            let _ = sockopt::set_ip_tos(&self.stream, BULK_TOS);
        }
    }

    /// The peer has announced a piece: when it is what we sent last, nothing is under way that could be overtaken.
    pub fn end_bulk(&mut self, piece: u32) {
        if self.bulk == Some(piece) && self.sending.is_none() && self.blocks.is_empty() {
            self.bulk = None;
            let _ = sockopt::set_ip_tos(&self.stream, 0);
        }
    }

    /// Bytes of messages that the kernel does not have yet.
    pub fn out_waiting(&self) -> usize {
        self.out.len() - self.out_done
    }

    /// Memory that it holds beyond its own size.
    pub fn buffered_bytes(&self) -> usize {
        self.partial.capacity() + self.out.capacity()
    }

    pub fn has_output(&self) -> bool {
        self.out_waiting() > 0 || self.sending.is_some() || !self.blocks.is_empty()
    }

    /// Frees the buffers that bursts needed.
    pub fn shrink(&mut self) {
        if self.out_done == self.out.len() {
            self.out_done = 0;
            if self.out.capacity() > 1024 {
                self.out = Vec::new();
            } else {
                self.out.clear();
            }
        }
        if self.blocks.is_empty() && self.blocks.capacity() > 32 {
            self.blocks = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn payload_steps_back_until_the_peer_has_announced_it() {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let stream = TcpStream::from_std(std::net::TcpStream::connect(addr).unwrap());
        let mut conn = Conn::new(stream, addr, Phase::Open, 0);
        let tos = |conn: &Conn| sockopt::ip_tos(&conn.stream).unwrap();
        assert_eq!(tos(&conn), 0);
        conn.begin_bulk(3);
        assert_eq!(tos(&conn), BULK_TOS);
        conn.end_bulk(2);
        assert_eq!(tos(&conn), BULK_TOS, "another piece");
        let block = Block {
            piece: 3,
            begin: 0,
            len: 16 << 10,
        };
        conn.blocks.push_back(block);
        conn.end_bulk(3);
        assert_eq!(tos(&conn), BULK_TOS, "more of it waits");
        conn.blocks.clear();
        conn.end_bulk(3);
        assert_eq!(tos(&conn), 0);
    }
}
