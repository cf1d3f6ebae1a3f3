//! Carries out the outputs of the swarm's state machine, and feeds the results back to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::conn::Phase;
use super::pool::{Done, Pool, Range};
use super::sink::{Sink, copy};
use super::{Event, Node, sockets};
use crate::core::discovery::DiscoveryInput;
use crate::core::error::{Code, Error, Result};
use crate::core::metainfo::HASH_BYTES;
use crate::core::swarm::{ConnId, FetchId, Input, Output, Slot, TorrentId};
use crate::core::time::SECOND;
use crate::io::store::Artifact;

/// A range request that is under way.
pub(super) struct Fetching {
    torrent: TorrentId,
    cancelled: Arc<AtomicBool>,
}

impl Node {
    /// Feeds the state machine an input and carries out its outputs.
    pub(super) fn input(&mut self, input: Input<'_>) {
        let now = self.now();
        self.swarm.handle(now, input);
        self.drain();
    }

    /// Carries out the state machine's outputs, and those that follow from them, so that its view and ours never
    /// differ when bytes are placed.
    pub(super) fn drain(&mut self) {
        while let Some(output) = self.swarm.poll() {
            match output {
                Output::Connect { conn, addr, torrent } => {
                    let is_gone = self.torrents[usize::from(torrent.0)].is_gone;
                    let stream = (!is_gone).then(|| sockets::connect(self.cfg.bind, addr));
                    let added = stream.is_some_and(|s| {
                        s.is_ok_and(|s| self.add_conn(conn, s, addr, Phase::Connecting, Some(torrent)))
                    });
                    if !added {
                        self.swarm.handle(self.now(), Input::Closed { conn });
                    }
                }
                Output::Close { conn, .. } => drop(self.conns.remove(&conn)),
                Output::Send { conn, message } => self.send_message(conn, &message),
                Output::SendBlock { conn, block, .. } => self.send_block(conn, block),
                Output::Verify { torrent, piece, slot } => {
                    let ok = match self.verify(torrent, piece, slot) {
                        Ok(ok) => ok,
                        Err(error) => return self.fail(torrent, error),
                    };
                    let now = self.now();
                    self.swarm.handle(
                        now,
                        Input::Verified {
                            torrent,
                            piece,
                            slot,
                            ok,
                        },
                    );
                }
                Output::Discard { torrent, piece, slot } => {
                    self.torrents[usize::from(torrent.0)].sinks.remove(&(piece, slot));
                }
                Output::Fetch {
                    fetch,
                    torrent,
                    piece,
                    count,
                    ..
                } => self.fetch(fetch, torrent, piece, count),
                Output::CancelFetch { fetch } => {
                    if let Some(fetching) = self.fetches.remove(&fetch) {
                        fetching.cancelled.store(true, Ordering::Relaxed);
                    }
                }
                Output::Metadata { torrent, hashes } => {
                    // Another holder may have set it meanwhile, to the same value: the infohash is the same.
                    let _ = self.torrents[usize::from(torrent.0)].cfg.pieces.set(hashes);
                }
                Output::MetadataUnfit { torrent } => {
                    let name = &self.torrents[usize::from(torrent.0)].cfg.name;
                    let text = format!("the infohash of {name:?} is that of another file");
                    self.fail(torrent, Error::new(Code::ManifestBadInfohash, text));
                }
                Output::FetchMetadata { torrent } => self.fetch_metadata(torrent),
                Output::TorrentDone { torrent } => self.torrent_done(torrent),
                Output::Banned { addr, code } => self.report(Event::Banned { addr, code }),
                Output::WantPeers { torrent } => {
                    let infohash = self.torrents[usize::from(torrent.0)].cfg.infohash;
                    let now = self.now();
                    self.discovery.handle(now, DiscoveryInput::WantPeers { infohash });
                    self.drain_discovery();
                }
            }
        }
    }

    fn torrent_done(&mut self, torrent: TorrentId) {
        let infohash = self.torrents[usize::from(torrent.0)].cfg.infohash;
        let progress = self.swarm.progress(torrent);
        self.note_progress(torrent, &progress);
        let now = self.now();
        self.discovery.handle(now, DiscoveryInput::Completed { infohash });
        self.drain_discovery();
        self.report(Event::TorrentDone { torrent, progress });
    }

    /// First byte and length of a piece.
    fn extent(&self, torrent: TorrentId, piece: u32) -> (u64, u32) {
        let cfg = &self.torrents[usize::from(torrent.0)].cfg;
        let base = u64::from(piece) * u64::from(cfg.piece_length);
        let len = (cfg.artifact.size_bytes() - base).min(u64::from(cfg.piece_length));
        (base, len as u32)
    }

    /// The hashes of these pieces; the state machine asks for none before they are known.
    fn expected(&self, torrent: TorrentId, piece: u32, count: u32) -> &[u8] {
        let at = piece as usize * HASH_BYTES;
        let hashes = self.torrents[usize::from(torrent.0)].cfg.pieces.get();
        hashes.map_or(&[], |all| &all[at..at + count as usize * HASH_BYTES])
    }

    /// The serial of the sink for a piece in a slot; `None` when there is no memory for it.
    pub(super) fn sink(&mut self, torrent: TorrentId, piece: u32, slot: Slot) -> Option<u32> {
        let (base, len) = self.extent(torrent, piece);
        let t = &mut self.torrents[usize::from(torrent.0)];
        if let Some(sink) = t.sinks.get(&(piece, slot)) {
            return Some(sink.serial);
        }
        let (target, base) = match slot {
            Slot::Primary => (Arc::clone(&t.cfg.artifact), base),
            Slot::Spare => (Artifact::memory(u64::from(len)).ok()?, 0),
        };
        self.next_serial = self.next_serial.wrapping_add(1);
        let serial = self.next_serial;
        t.sinks
            .insert((piece, slot), Sink::new(serial, target, base, len));
        Some(serial)
    }

    /// Takes the next bytes of the block that is coming, and reports it when it is whole.
    pub(super) fn take_payload(&mut self, id: ConnId, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let (Some(payload), Some(torrent)) = (&mut conn.payload, conn.torrent) else {
            return;
        };
        let (block, place) = (payload.block, payload.place);
        let offset = block.begin + payload.done;
        payload.done += bytes.len() as u32;
        let whole = payload.done == block.len;
        if whole {
            conn.payload = None;
        }
        let Some((slot, serial)) = place else {
            return;
        };
        let t = &mut self.torrents[usize::from(torrent.0)];
        // A slot that was discarded meanwhile, or given to somebody else, takes none of this peer's bytes.
        let Some(sink) = t
            .sinks
            .get_mut(&(block.piece, slot))
            .filter(|s| s.serial == serial)
        else {
            return;
        };
        if let Err(error) = sink.write(offset, bytes) {
            return self.fail(torrent, error);
        }
        if whole {
            self.input(Input::Block { conn: id, block });
        }
    }

    fn verify(&mut self, torrent: TorrentId, piece: u32, slot: Slot) -> Result<bool> {
        let (base, len) = self.extent(torrent, piece);
        let sink = self.torrents[usize::from(torrent.0)].sinks.remove(&(piece, slot));
        let Some(mut sink) = sink else {
            return Ok(false);
        };
        let ok = sink.check(self.expected(torrent, piece, 1))?;
        let artifact = &self.torrents[usize::from(torrent.0)].cfg.artifact;
        if ok {
            if slot == Slot::Spare {
                sink.copy_to(artifact, base)?;
            }
            artifact.mark_verified(base, u64::from(len));
        }
        Ok(ok)
    }

    /// The store cannot be written any more: this torrent has failed.
    fn fail(&mut self, torrent: TorrentId, error: Error) {
        let artifact = &self.torrents[usize::from(torrent.0)].cfg.artifact;
        if artifact.failure().is_none() {
            artifact.fail(error.clone());
            self.report(Event::Failed { torrent, error });
        }
    }

    fn fetch(&mut self, fetch: FetchId, torrent: TorrentId, piece: u32, count: u32) {
        let (first, _) = self.extent(torrent, piece);
        let (last, last_len) = self.extent(torrent, piece + count - 1);
        let cancelled = Arc::new(AtomicBool::new(false));
        let t = &self.torrents[usize::from(torrent.0)];
        let range = Range {
            fetch,
            url: t.cfg.origins[t.origin % t.cfg.origins.len()].clone(),
            first,
            len: last + u64::from(last_len) - first,
            piece,
            piece_length: t.cfg.piece_length,
            hashes: self.expected(torrent, piece, count).to_vec(),
            cancelled: Arc::clone(&cancelled),
        };
        match self.pool() {
            Some(pool) => {
                pool.fetch(range);
                self.fetches.insert(fetch, Fetching { torrent, cancelled });
            }
            None => {
                let now = self.now();
                let ended = Input::FetchEnded {
                    fetch,
                    retry_after: None,
                    failed: true,
                };
                self.swarm.handle(now, ended);
            }
        }
    }

    fn fetch_metadata(&mut self, torrent: TorrentId) {
        let url = self.torrents[usize::from(torrent.0)].cfg.torrent_url.clone();
        match (url, self.pool()) {
            (Some(url), Some(pool)) => pool.torrent(torrent, url),
            _ => {
                let now = self.now();
                let nothing = Input::MetadataFetched {
                    torrent,
                    info: None,
                    retry_after: None,
                };
                self.swarm.handle(now, nothing);
            }
        }
    }

    /// The HTTP threads, started when they are first needed.
    pub(super) fn pool(&mut self) -> Option<&Pool> {
        if self.pool.is_none() {
            let client = self.cfg.http.as_ref()?;
            self.pool = Pool::start(client, &self.done_sender, &self.waker).ok();
        }
        self.pool.as_ref()
    }

    /// Takes what the HTTP threads have done.
    pub(super) fn take_done(&mut self) {
        while let Ok(done) = self.done.try_recv() {
            match done {
                Done::Piece {
                    fetch,
                    piece,
                    ok,
                    scratch,
                    at,
                    len,
                } => {
                    let Some(torrent) = self.fetches.get(&fetch).map(|f| f.torrent) else {
                        continue;
                    };
                    if ok && !self.swarm.has_piece(torrent, piece) {
                        let (base, _) = self.extent(torrent, piece);
                        let artifact = &self.torrents[usize::from(torrent.0)].cfg.artifact;
                        match copy(&scratch, at, artifact, base, len) {
                            Ok(()) => artifact.mark_verified(base, u64::from(len)),
                            Err(error) => return self.fail(torrent, error),
                        }
                    }
                    self.input(Input::Fetched { fetch, piece, ok });
                }
                Done::Ended {
                    fetch,
                    retry_after_s,
                    failed,
                } => {
                    let Some(fetching) = self.fetches.remove(&fetch) else {
                        continue;
                    };
                    let has_failed = failed.is_some();
                    if let Some((url, error)) = failed {
                        self.torrents[usize::from(fetching.torrent.0)].origin += 1;
                        self.report(Event::OriginFailed { url, error });
                    }
                    let retry_after = retry_after_s.map(|s| s.saturating_mul(SECOND));
                    self.input(Input::FetchEnded {
                        fetch,
                        retry_after,
                        failed: has_failed,
                    });
                }
                Done::Torrent {
                    torrent,
                    info,
                    retry_after_s,
                    failed,
                } => {
                    if let Some((url, error)) = failed {
                        self.report(Event::OriginFailed { url, error });
                    }
                    let retry_after = retry_after_s.map(|s| s.saturating_mul(SECOND));
                    let info = info.as_deref();
                    self.input(Input::MetadataFetched {
                        torrent,
                        info,
                        retry_after,
                    });
                }
                Done::Http { id, result } => self.http_done(id, &result),
            }
        }
    }
}
