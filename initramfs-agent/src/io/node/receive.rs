//! Incoming connections, and received bytes.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use mio::{Interest, Token};

use super::conn::{Conn, Payload, Phase};
use super::{BUFFERED_FREE, Event, Node, SWEEP, TOKEN_CONNS};
use crate::core::discovery::DiscoveryInput;
use crate::core::error::{Error, Result};
use crate::core::limits::CONNECTIONS_MAX;
use crate::core::swarm::{ConnId, HintSource, Input, TorrentId};
use crate::core::time::{Micros, SECOND};
use crate::core::wire::{
    ExtensionHandshake, HANDSHAKE_BYTES, Handshake, Message, MetadataMessage, OUR_UT_METADATA, OUR_UT_PEX,
    Parsed, Pex, Start, parse,
};

/// From `connect` or `accept` to the whole handshake. Peers are in the same building.
const OPEN_WITHIN_US: Micros = 5 * SECOND;
/// Incoming connections without a handshake; the next one takes the place of another.
const STRANGERS_MAX: usize = 128;
/// Connections that are accepted before the rest of the loop gets its turn.
const ACCEPTS_PER_TURN: u32 = 64;
/// Unsent messages of one connection beyond which nothing more is read from it, so that a peer that does not read cannot make
/// us answer, bytes.
const UNSENT_BYTES_MAX: usize = 32 << 10;
/// A peer that reads none of them for so long is disconnected.
const UNSENT_WAIT_US: Micros = 10 * SECOND;
/// Addresses whose refused connections are logged; hostile peers must not fill the log.
const REFUSED_MAX: usize = 32;
/// Reads of one connection before the others get their turn.
const READS_PER_TURN: u32 = 8;

impl Node {
    /// Accepts the connections that wait.
    pub(super) fn accept(&mut self) {
        self.unaccepted = false;
        for at in 0..self.listeners.len() {
            for taken in 0.. {
                if taken == ACCEPTS_PER_TURN {
                    self.unaccepted = true;
                    break;
                }
                match self.listeners[at].accept() {
                    Ok((stream, addr)) => self.accepted(stream, addr),
                    Err(e) if matches!(e.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                    Err(_) => break,
                }
            }
        }
    }

    fn accepted(&mut self, stream: TcpStream, addr: SocketAddr) {
        let addr = SocketAddr::new(addr.ip().to_canonical(), addr.port());
        self.make_room(addr.ip());
        if self.conns.len() >= CONNECTIONS_MAX {
            return;
        }
        let _ = stream.set_nodelay(true);
        let id = ConnId(self.next_incoming);
        self.next_incoming = self.next_incoming.wrapping_add(2);
        self.add_conn(id, stream, addr, Phase::Handshaking, None);
    }

    /// Where strangers have all places that they may have, the one goes whose address has most of them, and of these the
    /// one that has let us wait longest: whoever means to say who he is does so at once.
    fn make_room(&mut self, newcomer: IpAddr) {
        let strangers = || self.conns.iter().filter(|(_, c)| c.torrent.is_none());
        let full = self.conns.len() >= CONNECTIONS_MAX || strangers().count() >= STRANGERS_MAX;
        if !full {
            return;
        }
        let mut crowds: BTreeMap<IpAddr, usize> = BTreeMap::from([(newcomer, 1)]);
        for (_, conn) in strangers() {
            *crowds.entry(conn.addr.ip()).or_default() += 1;
        }
        let strangers = strangers().map(|(id, c)| (crowds[&c.addr.ip()], Reverse(*id)));
        if let Some((_, Reverse(id))) = strangers.max() {
            self.lose(id);
        }
    }

    /// Watches a connection; `false` when that cannot be.
    pub(super) fn add_conn(
        &mut self,
        id: ConnId,
        mut stream: TcpStream,
        addr: SocketAddr,
        phase: Phase,
        torrent: Option<TorrentId>,
    ) -> bool {
        let both = Interest::READABLE | Interest::WRITABLE;
        let token = Token(TOKEN_CONNS + id.0 as usize);
        if self.poll.registry().register(&mut stream, token, both).is_err() {
            return false;
        }
        let now = self.now();
        let mut conn = Conn::new(stream, addr, phase, now + OPEN_WITHIN_US);
        conn.torrent = torrent;
        self.conns.insert(id, Box::new(conn));
        self.sweep_at = self.sweep_at.min(now + SWEEP);
        true
    }

    /// Gives up connections that did not open in time, and those that have read nothing for too long.
    pub(super) fn sweep(&mut self, now: Micros) {
        let waiting = |c: &Conn| c.phase != Phase::Open || c.is_paused;
        let late = self.conns.iter().filter(|(_, c)| waiting(c) && c.close_at <= now);
        let late: Vec<ConnId> = late.map(|(id, _)| *id).collect();
        for id in late {
            self.lose(id);
        }
        let any = self.conns.values().any(|c| waiting(c));
        self.sweep_at = if any { now + SWEEP } else { Micros::MAX };
    }

    /// The far end is gone, or its connection is given up.
    pub(super) fn lose(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.remove(&id) {
            // The state machine knows incoming ones from their handshake on.
            if id.0.is_multiple_of(2) || conn.phase == Phase::Open {
                self.input(Input::Closed { conn: id });
            }
        }
    }

    pub(super) fn readable(&mut self, id: ConnId) {
        let mut buffer = std::mem::take(&mut self.buffer);
        self.read(id, &mut buffer);
        self.buffer = buffer;
    }

    fn read(&mut self, id: ConnId, buffer: &mut [u8]) {
        for _ in 0..READS_PER_TURN {
            let Some(conn) = self.conns.get_mut(&id) else {
                return;
            };
            if conn.phase == Phase::Connecting {
                return;
            }
            if conn.is_paused || conn.out_waiting() > UNSENT_BYTES_MAX {
                return self.pause(id);
            }
            let held = conn.partial.len();
            let read = match conn.stream.read(&mut buffer[held..]) {
                Ok(0) => return self.lose(id),
                Ok(read) => read,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return self.lose(id),
            };
            buffer[..held].copy_from_slice(&conn.partial);
            conn.partial = Vec::new();
            let full = held + read == buffer.len();
            match self.consume(id, &buffer[..held + read]) {
                Ok(used) => {
                    if let Some(conn) = self.conns.get_mut(&id) {
                        conn.partial.extend_from_slice(&buffer[used..held + read]);
                        if conn.partial.len() > BUFFERED_FREE {
                            self.keep_within_memory();
                        }
                    }
                }
                Err(error) => {
                    match self.conns.get(&id).map(|c| (c.phase, c.addr)) {
                        Some((Phase::Open, _)) => self.input(Input::Malformed { conn: id }),
                        Some((_, addr)) => self.refuse(addr, error),
                        None => {}
                    }
                    return self.lose(id); // a stranger, whom the state machine does not know
                }
            }
            if !full {
                return; // less came than there was room for: the socket is empty
            }
        }
        self.unread.push_back(id);
    }

    /// A peer does not read what we send: nothing is read from it until it does.
    fn pause(&mut self, id: ConnId) {
        let now = self.now();
        if let Some(conn) = self.conns.get_mut(&id).filter(|c| !c.is_paused) {
            conn.is_paused = true;
            conn.close_at = now + UNSENT_WAIT_US;
            self.sweep_at = self.sweep_at.min(now + SWEEP);
        }
    }

    /// A paused peer has read something.
    pub(super) fn resume(&mut self, id: ConnId) {
        let now = self.now();
        let Some(conn) = self.conns.get_mut(&id).filter(|c| c.is_paused) else {
            return;
        };
        conn.close_at = now + UNSENT_WAIT_US;
        if conn.out_waiting() <= UNSENT_BYTES_MAX / 2 {
            conn.is_paused = false;
            self.unread.push_back(id);
        }
    }

    /// Logs why a connection is refused, for a bounded number of addresses.
    fn refuse(&mut self, addr: SocketAddr, error: Error) {
        if self.refused.len() < REFUSED_MAX && self.refused.insert(addr.ip()) {
            self.report(Event::Refused { addr, error });
        }
    }

    /// Handles the complete messages; returns their length in bytes. An error is the peer's fault.
    fn consume(&mut self, id: ConnId, bytes: &[u8]) -> Result<usize> {
        let mut at = 0;
        loop {
            let Some(conn) = self.conns.get_mut(&id) else {
                return Ok(bytes.len());
            };
            let rest = &bytes[at..];
            if conn.phase == Phase::Handshaking {
                match Handshake::parse(rest)? {
                    Start::Incomplete => return Ok(at),
                    Start::Complete(handshake) => self.on_handshake(id, &handshake),
                }
                at += HANDSHAKE_BYTES;
                continue;
            }
            if let Some(payload) = &conn.payload {
                if rest.is_empty() {
                    return Ok(at);
                }
                let take = rest.len().min((payload.block.len - payload.done) as usize);
                self.take_payload(id, &rest[..take]);
                at += take;
                continue;
            }
            let Some(torrent) = conn.torrent else {
                return Ok(bytes.len());
            };
            match parse(rest, self.torrents[usize::from(torrent.0)].body_bytes_max)? {
                Parsed::Incomplete => return Ok(at),
                Parsed::Message(message, len) => {
                    at += len;
                    self.message(id, torrent, message)?;
                }
            }
        }
    }

    fn on_handshake(&mut self, id: ConnId, theirs: &Handshake) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let addr = conn.addr;
        let incoming = conn.torrent.is_none();
        let torrent = self.swarm.torrent_of(&theirs.infohash);
        let torrent = torrent.filter(|t| !self.torrents[usize::from(t.0)].is_gone);
        let fits = torrent.is_some_and(|t| incoming || conn.torrent == Some(t));
        let (true, Some(torrent)) = (fits, torrent) else {
            return self.lose(id);
        };
        if incoming && theirs.peer_id == self.cfg.peer_id {
            return self.lose(id);
        }
        conn.torrent = Some(torrent);
        conn.phase = Phase::Open;
        if incoming {
            self.send_handshake(id, torrent);
            self.input(Input::Incoming {
                conn: id,
                addr,
                torrent,
            });
        }
        let (peer_id, fast, extended) = (theirs.peer_id, theirs.fast, theirs.extended);
        self.input(Input::Handshake {
            conn: id,
            peer_id,
            fast,
            extended,
        });
    }

    fn message(&mut self, id: ConnId, torrent: TorrentId, message: Message<'_>) -> Result<()> {
        match message {
            Message::Piece(block) => {
                let slot = self.swarm.place_block(id, block);
                self.drain();
                let place = slot.and_then(|slot| Some((slot, self.sink(torrent, block.piece, slot)?)));
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.payload = Some(Payload {
                        block,
                        done: 0,
                        place,
                    });
                }
            }
            Message::Extended { id: 0, payload } => {
                let theirs = ExtensionHandshake::parse(payload)?;
                if let Some(conn) = self.conns.get_mut(&id) {
                    conn.ids.ut_pex = theirs.ut_pex;
                    conn.ids.ut_metadata = theirs.ut_metadata;
                }
                self.input(Input::ExtendedHandshake {
                    conn: id,
                    bootswarm: theirs.bootswarm,
                    elsewhere: theirs.elsewhere,
                    listen_port: theirs.listen_port,
                    requests_max: theirs.requests_max,
                    ut_pex: theirs.ut_pex,
                    metadata_size: theirs.ut_metadata.and(theirs.metadata_size),
                });
            }
            Message::Extended {
                id: OUR_UT_PEX,
                payload,
            } => {
                let pex = Pex::parse(payload)?;
                self.input(Input::Hints {
                    torrent,
                    source: HintSource::Pex(id),
                    addrs: &pex.added,
                });
            }
            Message::Extended {
                id: OUR_UT_METADATA,
                payload,
            } => {
                self.input(match MetadataMessage::parse(payload)? {
                    Some(message) => Input::Metadata { conn: id, message },
                    None => Input::Message { conn: id, message },
                });
            }
            Message::Port(port) => {
                if let Some(conn) = self.conns.get(&id) {
                    let addr = SocketAddr::new(conn.addr.ip(), port);
                    let now = self.now();
                    self.discovery.handle(now, DiscoveryInput::DhtNode { addr });
                    self.drain_discovery();
                }
                self.input(Input::Message { conn: id, message });
            }
            message => {
                if let (Message::Have { piece }, Some(conn)) = (&message, self.conns.get_mut(&id)) {
                    conn.end_bulk(*piece);
                }
                self.input(Input::Message { conn: id, message });
            }
        }
        Ok(())
    }
}
