//! Joins discovery to its UDP sockets and to HTTP.

use std::net::SocketAddr;

use super::Node;
use crate::core::discovery::{DiscoveryInput, DiscoveryOutput, HttpId, UdpSocketKind};
use crate::core::error::Code;
use crate::core::limits::KRPC_PACKET_BYTES_MAX;
use crate::core::swarm::{HintSource, Input, Progress, TorrentId};

/// Packets of one socket before the rest of the loop gets its turn; more wait in the kernel.
const PACKETS_PER_TURN: u32 = 64;
/// The longest packet that discovery reads, and one byte more, so that longer ones are seen to be so.
const PACKET_BYTES_MAX: usize = KRPC_PACKET_BYTES_MAX + 1;

impl Node {
    pub(super) fn read_udp(&mut self, kind: UdpSocketKind) {
        let mut packet = [0; PACKET_BYTES_MAX];
        for _ in 0..PACKETS_PER_TURN {
            let socket = match kind {
                UdpSocketKind::Dht => &self.dht,
                UdpSocketKind::Lsd => &self.lsd,
            };
            let received = socket.as_ref().map(|s| s.recv_from(&mut packet));
            let Some(Ok((len, from))) = received else {
                return self.drain_discovery();
            };
            let input = DiscoveryInput::Udp {
                socket: kind,
                from: SocketAddr::new(from.ip().to_canonical(), from.port()),
                data: &packet[..len],
            };
            let now = self.now();
            self.discovery.handle(now, input);
        }
        self.unread_udp.push(kind);
        self.drain_discovery();
    }

    /// Does what discovery has decided.
    pub(super) fn drain_discovery(&mut self) {
        while let Some(output) = self.discovery.poll() {
            match output {
                DiscoveryOutput::HttpGet { id, url } => {
                    self.http_pending += 1;
                    match self.pool() {
                        Some(pool) => pool.get(id, url),
                        None => self.http_done(id, &Err(Code::TrackerFailed)),
                    }
                }
                DiscoveryOutput::SendUdp { socket, to, bytes } => {
                    let socket = match socket {
                        UdpSocketKind::Dht => &self.dht,
                        UdpSocketKind::Lsd => &self.lsd,
                    };
                    if let Some(socket) = socket {
                        // A packet that cannot be sent counts as lost.
                        let _ = socket.send_to(&bytes, to);
                    }
                }
                DiscoveryOutput::Duty { infohash, duty } => {
                    if let Some(torrent) = self.swarm.torrent_of(&infohash) {
                        self.input(Input::Duty { torrent, duty });
                    }
                }
                DiscoveryOutput::Peers { infohash, peers } => {
                    if let Some(torrent) = self.swarm.torrent_of(&infohash) {
                        self.input(Input::Peers {
                            torrent,
                            peers: &peers,
                        });
                    }
                }
                DiscoveryOutput::Hints {
                    infohash,
                    socket,
                    addrs,
                } => {
                    let source = match socket {
                        UdpSocketKind::Dht => HintSource::Dht,
                        UdpSocketKind::Lsd => HintSource::Lsd,
                    };
                    if let Some(torrent) = self.swarm.torrent_of(&infohash) {
                        self.input(Input::Hints {
                            torrent,
                            source,
                            addrs: &addrs,
                        });
                    }
                }
                DiscoveryOutput::TrackerFailed { url, error } => {
                    self.report(super::Event::TrackerFailed { url, error });
                }
            }
        }
    }

    pub(super) fn http_done(&mut self, id: HttpId, result: &Result<Vec<u8>, Code>) {
        self.http_pending = self.http_pending.saturating_sub(1);
        let now = self.now();
        let result = result.as_deref().map_err(|code| *code);
        self.discovery
            .handle(now, DiscoveryInput::HttpDone { id, result });
        self.drain_discovery();
    }

    /// Gives discovery the counters of the next announces.
    pub(super) fn note_progress(&mut self, torrent: TorrentId, progress: &Progress) {
        let cfg = &self.torrents[usize::from(torrent.0)].cfg;
        let input = DiscoveryInput::Progress {
            infohash: cfg.infohash,
            uploaded: progress.uploaded_bytes,
            downloaded: progress.from_peers_bytes + progress.from_origin_bytes,
            left: cfg.artifact.size_bytes().saturating_sub(progress.done_bytes),
        };
        let now = self.now();
        self.discovery.handle(now, input);
        self.drain_discovery();
    }
}
