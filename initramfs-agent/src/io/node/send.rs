//! What goes out: messages from memory, blocks from the store through `sendfile`.

use std::io::ErrorKind;

use rustix::io::Errno;
use rustix::net::{SendFlags, send};

use super::conn::{Conn, Phase, Sending};
use super::{BUFFERED_FREE, Node};
use crate::core::limits::REQUESTS_QUEUED_MAX;
use crate::core::swarm::{ConnId, Input, TorrentId};
use crate::core::wire::{
    Block, ExtensionHandshake, Handshake, OUR_UT_METADATA, OUR_UT_PEX, Outgoing, PIECE_HEADER_BYTES, encode,
    piece_header,
};
use crate::io::store::Artifact;

/// Messages that a peer does not take: beyond this it is not reading at all, bytes.
const OUT_BYTES_MAX: usize = 256 << 10;
/// Payload of one connection before the others get their turn, bytes.
const SEND_PER_TURN: u32 = 1 << 20;

/// How writing to a connection ended.
enum Wrote {
    /// All there was.
    All,
    /// The turn is over.
    Turn,
    /// The kernel takes no more.
    Full,
    /// The peer is gone.
    Broken,
}

impl Node {
    pub(super) fn send_handshake(&mut self, id: ConnId, torrent: TorrentId) {
        let ours = Handshake {
            infohash: self.torrents[usize::from(torrent.0)].cfg.infohash,
            peer_id: self.cfg.peer_id,
            fast: true,
            extended: true,
        };
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.out.extend_from_slice(&ours.encode());
        }
        self.list_for_flush(id);
    }

    pub(super) fn send_message(&mut self, id: ConnId, message: &Outgoing) {
        let ours = ExtensionHandshake {
            bootswarm: true,
            elsewhere: None,
            listen_port: Some(self.port),
            requests_max: Some(REQUESTS_QUEUED_MAX as u32),
            ut_pex: Some(OUR_UT_PEX),
            ut_metadata: Some(OUR_UT_METADATA),
            metadata_size: None,
        };
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        encode(message, &ours, conn.ids, &mut conn.out);
        // A bitfield alone may be longer.
        let waiting = match message {
            Outgoing::Bitfield(_) => 0,
            _ => conn.out_waiting(),
        };
        if waiting > OUT_BYTES_MAX {
            return self.lose(id);
        }
        if waiting > BUFFERED_FREE {
            self.keep_within_memory();
        }
        self.list_for_flush(id);
    }

    pub(super) fn send_block(&mut self, id: ConnId, block: Block) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.blocks.push_back(block);
            self.list_for_flush(id);
        }
    }

    fn list_for_flush(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id).filter(|c| c.writable && !c.flush_listed) {
            conn.flush_listed = true;
            self.flush.push_back(id);
        }
    }

    /// The kernel takes bytes again, or a `connect` has ended.
    pub(super) fn writable(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        if conn.phase == Phase::Connecting {
            let failed = conn.stream.take_error().map_or(true, |e| e.is_some());
            if failed || conn.stream.peer_addr().is_err() {
                return self.lose(id);
            }
            conn.phase = Phase::Handshaking;
            conn.writable = true;
            if let Some(torrent) = conn.torrent {
                self.send_handshake(id, torrent);
                self.input(Input::Connected { conn: id });
            }
            return;
        }
        conn.writable = true;
        if conn.has_output() {
            self.list_for_flush(id);
        }
    }

    /// Sends what waits, each connection in its turn.
    pub(super) fn flush_all(&mut self) {
        for _ in 0..self.flush.len() {
            let Some(id) = self.flush.pop_front() else {
                return;
            };
            let Some(conn) = self.conns.get_mut(&id) else {
                continue;
            };
            conn.flush_listed = false;
            let artifact = conn
                .torrent
                .map(|t| &*self.torrents[usize::from(t.0)].cfg.artifact);
            let piece_length = conn
                .torrent
                .map_or(0, |t| self.torrents[usize::from(t.0)].cfg.piece_length);
            let mut payload = 0;
            let waiting = conn.out_waiting();
            let wrote = write(conn, artifact, piece_length, &mut payload);
            match wrote {
                Wrote::All => conn.shrink(),
                Wrote::Turn => {}
                Wrote::Full => conn.writable = false,
                Wrote::Broken => {}
            }
            if payload > 0 {
                self.input(Input::Sent {
                    conn: id,
                    bytes: payload,
                });
            }
            if self
                .conns
                .get(&id)
                .is_some_and(|c| c.is_paused && c.out_waiting() < waiting)
            {
                self.resume(id);
            }
            match wrote {
                Wrote::Broken => self.lose(id),
                Wrote::Turn => self.list_for_flush(id),
                _ => {}
            }
        }
    }
}

fn write(conn: &mut Conn, artifact: Option<&Artifact>, piece_length: u32, payload: &mut u32) -> Wrote {
    loop {
        // A message never goes between the header of a block and its end.
        if conn.sending.is_none() && conn.out_waiting() > 0 {
            match send(
                &conn.stream,
                &conn.out[conn.out_done..],
                SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            ) {
                Ok(sent) => conn.out_done += sent,
                Err(e) => return refused(e),
            }
            if conn.out_waiting() > 0 {
                continue;
            }
            conn.out.clear();
            conn.out_done = 0;
        }
        if *payload >= SEND_PER_TURN {
            return Wrote::Turn;
        }
        if conn.sending.is_none() {
            let Some(block) = conn.blocks.pop_front() else {
                return Wrote::All;
            };
            conn.begin_bulk(block.piece);
            conn.sending = Some(Sending {
                block,
                header: piece_header(&block),
                done: 0,
            });
        }
        let (Some(sending), Some(artifact)) = (&mut conn.sending, artifact) else {
            return Wrote::Broken;
        };
        let header = PIECE_HEADER_BYTES as u32;
        if sending.done < header {
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT | SendFlags::MORE;
            match send(&conn.stream, &sending.header[sending.done as usize..], flags) {
                Ok(sent) => sending.done += sent as u32,
                Err(e) => return refused(e),
            }
            continue;
        }
        let done = sending.done - header;
        let block = sending.block;
        let mut at =
            u64::from(block.piece) * u64::from(piece_length) + u64::from(block.begin) + u64::from(done);
        match rustix::fs::sendfile(
            &conn.stream,
            artifact.fd(),
            Some(&mut at),
            (block.len - done) as usize,
        ) {
            Ok(0) => return Wrote::Broken, // the file is shorter than it was
            Ok(sent) => {
                sending.done += sent as u32;
                *payload += sent as u32;
                if done + sent as u32 == block.len {
                    conn.sending = None;
                }
            }
            Err(e) => return refused(e),
        }
    }
}

fn refused(e: Errno) -> Wrote {
    match std::io::Error::from(e).kind() {
        ErrorKind::WouldBlock => Wrote::Full,
        ErrorKind::Interrupted => Wrote::Turn,
        _ => Wrote::Broken,
    }
}
