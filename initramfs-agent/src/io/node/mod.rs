//! The event loop that joins the swarm and discovery state machines to sockets, the store and HTTP.
//!
//! One thread and one epoll own all connections of all torrents; it decides nothing about the swarm.
//! Received bytes are parsed where they lie in one shared buffer and go from there to the store while
//! they are hashed; sent payload goes from the store to the socket inside the kernel.
//!
//! ```text
//! let mut node = Node::new(NodeConfig::new(peer_id, seed))?;
//! let torrent = node.add_torrent(TorrentConfig { .. })?;
//! let handle = node.handle();              // stop, add peers, from any thread
//! let loop_ = node.spawn(events_sender)?;  // or node.run(&events_sender) in this thread
//! ```

mod api;
mod conn;
mod discover;
mod drive;
mod leave;
mod pool;
mod receive;
mod run;
mod send;
mod sink;
mod sockets;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use mio::net::{TcpListener, UdpSocket};
use mio::{Interest, Poll, Token, Waker};

pub use api::{Event, Hashes, NodeConfig, NodeHandle, Ports, TorrentConfig, known_hashes};
pub use sink::verify_all;

use crate::core::discovery::{Discovery, DiscoveryConfig, UdpSocketKind};
use crate::core::error::{Code, Error, Result};
use crate::core::metainfo::{HASH_BYTES, InfoShape, check_pieces, infohash};
use crate::core::swarm::{
    ConnId, FetchId, MetadataSpec, Progress, Slot, Swarm, SwarmConfig, TorrentId, TorrentSpec,
};
use crate::core::time::{MILLISECOND, Micros, SECOND};
use crate::core::wire::message_bytes_max;
use api::Command;
use conn::Conn;
use sink::Sink;

/// The shared receive buffer; more only where a torrent's bitfield does not fit.
const RECEIVE_BYTES: usize = 64 << 10;
/// What all connections together may buffer of incomplete and unsent messages, bytes. Beyond it, those that buffer most are
/// closed, but none that buffers less than [`BUFFERED_FREE`].
const BUFFERED_BYTES_MAX: usize = 4 << 20;
/// See [`BUFFERED_BYTES_MAX`].
const BUFFERED_FREE: usize = 4 << 10;
/// Between looks at connections that do not come up.
const SWEEP: Micros = 250 * MILLISECOND;

const TOKEN_WAKER: Token = Token(0);
const TOKEN_DHT: Token = Token(1);
const TOKEN_LSD: Token = Token(2);
const TOKEN_LISTENERS: usize = 3;
/// Connections have their number plus this.
const TOKEN_CONNS: usize = 16;

/// One torrent as the shell sees it.
struct Torrent {
    cfg: TorrentConfig,
    /// Pieces that are arriving from peers.
    sinks: BTreeMap<(u32, Slot), Sink>,
    body_bytes_max: usize,
    /// Which origin is asked next.
    origin: usize,
    /// We have left it.
    is_gone: bool,
    reported: Progress,
}

/// A node of the swarm; see the module.
pub struct Node {
    cfg: NodeConfig,
    port: u16,
    poll: Poll,
    started: Instant,
    listeners: Vec<TcpListener>,
    dht: Option<UdpSocket>,
    lsd: Option<UdpSocket>,
    swarm: Swarm,
    discovery: Discovery,
    torrents: Vec<Torrent>,
    conns: BTreeMap<ConnId, Box<Conn>>,
    next_incoming: u32,
    next_serial: u32,
    /// Connections with something to send.
    flush: VecDeque<ConnId>,
    /// Connections whose turn to read ended before their socket was empty.
    unread: VecDeque<ConnId>,
    /// The same of the UDP sockets.
    unread_udp: Vec<UdpSocketKind>,
    /// Addresses whose refused connections were logged.
    refused: BTreeSet<IpAddr>,
    /// Connections may wait to be accepted.
    unaccepted: bool,
    /// Empty while its bytes are being looked at.
    buffer: Vec<u8>,
    sweep_at: Micros,
    report_at: Micros,
    pool: Option<pool::Pool>,
    fetches: BTreeMap<FetchId, drive::Fetching>,
    done_sender: Sender<pool::Done>,
    done: Receiver<pool::Done>,
    commands_sender: Sender<Command>,
    commands: Receiver<Command>,
    waker: Arc<Waker>,
    events: Option<Sender<Event>>,
    /// Requests to trackers that have not been answered.
    http_pending: usize,
    stopping: bool,
}

impl Node {
    /// Opens the sockets. Nothing is sent before [`Node::run`].
    ///
    /// # Errors
    /// [`Code::Io`] when a port is taken or an address is not ours.
    pub fn new(cfg: NodeConfig) -> Result<Self> {
        let ports = Ports::open(&cfg)?;
        Self::with_ports(cfg, ports)
    }

    /// The same with ports that are open already.
    ///
    /// # Errors
    /// [`Code::Io`].
    pub fn with_ports(cfg: NodeConfig, ports: Ports) -> Result<Self> {
        let poll = Poll::new()?;
        let registry = poll.registry();
        let waker = Arc::new(Waker::new(registry, TOKEN_WAKER)?);
        let mut listening = ports.0;
        for (i, listener) in listening.tcp.iter_mut().enumerate() {
            registry.register(listener, Token(TOKEN_LISTENERS + i), Interest::READABLE)?;
        }
        if let Some(dht) = &mut listening.dht {
            registry.register(dht, TOKEN_DHT, Interest::READABLE)?;
        }
        // Without multicast there is no local discovery, and all else works.
        let mut lsd = if cfg.lsd {
            sockets::lsd(cfg.bind).ok()
        } else {
            None
        };
        if let Some(lsd) = &mut lsd {
            registry.register(lsd, TOKEN_LSD, Interest::READABLE)?;
        }
        let port = listening.port;
        let own_addrs: Vec<SocketAddr> = cfg.bind.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        let (done_sender, done) = channel();
        let (commands_sender, commands) = channel();
        Ok(Self {
            swarm: Swarm::new(SwarmConfig {
                seed: cfg.seed,
                listen_port: port,
                own_addrs,
                peer_id: cfg.peer_id,
                window_pieces: cfg.window_pieces,
                server_us: cfg.server_us,
            }),
            discovery: Discovery::new(DiscoveryConfig {
                seed: cfg.seed ^ 0xd15c_0e4e,
                peer_id: cfg.peer_id,
                listen_port: port,
                dht_bootstrap: cfg.dht_bootstrap.clone(),
                lsd: lsd.is_some(),
                own_addrs: cfg.bind.into_iter().collect(),
            }),
            poll,
            port,
            started: Instant::now(),
            listeners: listening.tcp,
            dht: listening.dht,
            lsd,
            torrents: Vec::new(),
            conns: BTreeMap::new(),
            next_incoming: 1,
            next_serial: 0,
            flush: VecDeque::new(),
            unread: VecDeque::new(),
            unread_udp: Vec::new(),
            refused: BTreeSet::new(),
            unaccepted: false,
            buffer: vec![0; RECEIVE_BYTES],
            sweep_at: Micros::MAX,
            report_at: SECOND,
            pool: None,
            fetches: BTreeMap::new(),
            done_sender,
            done,
            commands_sender,
            commands,
            waker,
            events: None,
            http_pending: 0,
            stopping: false,
            cfg,
        })
    }

    /// The port at which we listen, in TCP and, with a DHT, in UDP.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A way to talk to the node while it runs.
    pub fn handle(&self) -> NodeHandle {
        NodeHandle {
            commands: self.commands_sender.clone(),
            waker: Arc::clone(&self.waker),
        }
    }

    /// Takes part in one more torrent, before the loop runs. Earlier ones have priority.
    ///
    /// # Errors
    /// [`Code::TorrentMalformed`] when size, piece length and hashes do not fit together.
    pub fn add_torrent(&mut self, mut cfg: TorrentConfig) -> Result<TorrentId> {
        let size_bytes = cfg.artifact.size_bytes();
        let malformed = |what| Error::new(Code::TorrentMalformed, format!("{}: {what}", cfg.name));
        let pieces = size_bytes.div_ceil(u64::from(cfg.piece_length.max(1))) as usize;
        let hashes = cfg.pieces.get();
        let hashes_len = hashes.map_or(pieces * HASH_BYTES, Vec::len);
        check_pieces(size_bytes, cfg.piece_length, hashes_len).map_err(malformed)?;
        if cfg.have_all && hashes.is_none() {
            return Err(malformed("whole, but the hashes of its pieces are unknown"));
        }
        let shape = InfoShape::new(&cfg.name, size_bytes, cfg.piece_length);
        let has_url = cfg.torrent_url.is_some() && self.cfg.http.is_some();
        let metadata = match hashes.map(|hashes| shape.with(hashes)) {
            Some(info) if infohash(&info) == cfg.infohash => MetadataSpec::Known(info.into()),
            // Its info dictionary has more keys than docs/manifest.md allows: it is not kept, and not served to others.
            Some(_) => MetadataSpec::Known(Vec::new().into()),
            None => MetadataSpec::Wanted { shape, has_url },
        };
        if self.cfg.http.is_none() {
            cfg.origins.clear();
            cfg.trackers.clear();
        }
        let now = self.now();
        let spec = TorrentSpec {
            infohash: cfg.infohash,
            size_bytes,
            piece_length: cfg.piece_length,
            have_all: cfg.have_all,
            has_origin: !cfg.origins.is_empty(),
            seeders: cfg.seeders.clone(),
            metadata,
        };
        let body_bytes_max = message_bytes_max(pieces as u32);
        let wanted = RECEIVE_BYTES.max(body_bytes_max + RECEIVE_BYTES / 2);
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        if cfg.have_all {
            cfg.artifact.mark_verified(0, size_bytes);
        }
        let id = self.swarm.add_torrent(now, spec);
        let left = if cfg.have_all { 0 } else { size_bytes };
        let (trackers, first) = (cfg.trackers.clone(), cfg.first_answer.take());
        self.discovery
            .add_torrent(now, cfg.infohash, left, trackers, first);
        self.torrents.push(Torrent {
            reported: self.swarm.progress(id),
            sinks: BTreeMap::new(),
            body_bytes_max,
            origin: 0,
            is_gone: false,
            cfg,
        });
        Ok(id)
    }

    /// Ends the connections that hold most memory in buffers while all together hold too much.
    fn keep_within_memory(&mut self) {
        loop {
            let held = self.conns.iter().map(|(id, conn)| (conn.buffered_bytes(), *id));
            let (sum, most) = held.fold((0, (0, ConnId(0))), |(sum, most), next| {
                (sum + next.0, next.max(most))
            });
            if sum <= BUFFERED_BYTES_MAX || most.0 <= BUFFERED_FREE {
                return;
            }
            self.lose(most.1);
        }
    }
}
