//! The settings, commands and events of a [`super::Node`].

use std::net::{IpAddr, SocketAddr};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};

use mio::Waker;

use super::sockets::{self, Listening};
use crate::core::discovery::tracker::answer::Answer;
use crate::core::error::{Code, Error, Result};
use crate::core::swarm::{Progress, TorrentId};
use crate::io::https;
use crate::io::store::Artifact;

/// Settings of a node. [`NodeConfig::new`] has defaults for all but the identity.
#[derive(Clone)]
pub struct NodeConfig {
    /// Our BEP 3 identity; an agent's begins with `-BW0001-`.
    pub peer_id: [u8; 20],
    /// Seed of all random choices; different on every node and at every boot.
    pub seed: u64,
    /// TCP port to listen at, and UDP port of the DHT; 0: any free one.
    pub port: u16,
    /// The one address to listen at and to connect from; `None`: all of both families.
    pub bind: Option<IpAddr>,
    /// How many pieces beyond the first missing one are preferred (unpacking while downloading); 0: no order.
    pub window_pieces: u32,
    /// How long the server took for its last answer, microseconds; 0: not known.
    pub server_us: u64,
    /// For origins and trackers; without it neither is asked.
    pub http: Option<https::Client>,
    /// Whether to take part in the site's own DHT.
    pub dht: bool,
    /// The site's DHT nodes.
    pub dht_bootstrap: Vec<SocketAddr>,
    /// Whether to announce on the local network (BEP 14).
    pub lsd: bool,
}

impl NodeConfig {
    /// A node of this identity that knows only the peers it is given.
    pub fn new(peer_id: [u8; 20], seed: u64) -> Self {
        Self {
            peer_id,
            seed,
            port: 0,
            bind: None,
            window_pieces: 0,
            server_us: 0,
            http: None,
            dht: false,
            dht_bootstrap: Vec::new(),
            lsd: false,
        }
    }
}

/// The SHA-1 of a torrent's pieces, 20 bytes each, one for each piece; empty until they are known.
/// Another holder can keep them for another node.
pub type Hashes = Arc<OnceLock<Vec<u8>>>;

/// Hashes that are known from the start.
pub fn known_hashes(pieces: Vec<u8>) -> Hashes {
    Arc::new(OnceLock::from(pieces))
}

/// One torrent of a node.
#[derive(Clone)]
pub struct TorrentConfig {
    /// BEP 3 infohash.
    pub infohash: [u8; 20],
    /// The file's name, as in its info dictionary.
    pub name: String,
    /// Bytes in a piece, but for the last.
    pub piece_length: u32,
    /// Hashes that are not known come from peers (BEP 9) or from `torrent_url`.
    pub pieces: Hashes,
    /// The metainfo file over HTTPS.
    pub torrent_url: Option<String>,
    /// Where the bytes go, or lie. Its size is the torrent's.
    pub artifact: Arc<Artifact>,
    /// The artifact holds all pieces and they are verified.
    pub have_all: bool,
    /// URLs of the whole file, tried in turns; `http://` or `https://` with an IP address.
    pub origins: Vec<String>,
    /// The server's own seeders.
    pub seeders: Vec<SocketAddr>,
    /// Announce URLs.
    pub trackers: Vec<String>,
    /// What the first of them has answered already.
    pub first_answer: Option<Answer>,
}

/// Open ports that a node will listen at. Connections that come before it runs wait in the backlog.
pub struct Ports(pub(super) Listening);

impl Ports {
    /// Opens the ports that a node of this configuration needs.
    ///
    /// # Errors
    /// [`Code::Io`] when a port is taken or an address is not ours.
    pub fn open(cfg: &NodeConfig) -> Result<Self> {
        sockets::listen(cfg.bind, cfg.port, cfg.dht).map(Self)
    }

    /// The number of the port, in TCP and, with a DHT, in UDP.
    pub fn number(&self) -> u16 {
        self.0.port
    }
}

/// What a node reports.
#[derive(Clone, Debug)]
pub enum Event {
    /// All pieces of a torrent are in place and verified.
    TorrentDone {
        /// Which.
        torrent: TorrentId,
        /// Its counters at that moment.
        progress: Progress,
    },
    /// The counters of a torrent: once a second while they change, on [`NodeHandle::ask_progress`], and at the end.
    Progress {
        /// Which.
        torrent: TorrentId,
        /// Its counters.
        progress: Progress,
    },
    /// A peer sent wrong bytes or broke the protocol.
    Banned {
        /// Its address.
        addr: SocketAddr,
        /// What it did.
        code: Code,
    },
    /// A connection was closed whose first bytes are no BitTorrent handshake; reported once for each of a few addresses.
    Refused {
        /// Where it came from.
        addr: SocketAddr,
        /// What is wrong with it.
        error: Error,
    },
    /// A tracker failed; it is asked again later.
    TrackerFailed {
        /// Its announce URL.
        url: String,
        /// What it did.
        error: Error,
    },
    /// An origin failed; the next one is asked after a while.
    OriginFailed {
        /// Its URL.
        url: String,
        /// What it did.
        error: Error,
    },
    /// An artifact cannot be written; its readers have the same error.
    Failed {
        /// Which.
        torrent: TorrentId,
        /// Why.
        error: Error,
    },
    /// The loop has ended; nothing follows.
    Stopped,
}

/// Commands to a running node.
#[derive(Debug)]
pub(super) enum Command {
    Stop,
    AddPeers(TorrentId, Vec<SocketAddr>),
    AskProgress,
    Leave(TorrentId),
}

/// Sends commands to a running node, from any thread. One that has ended ignores them.
#[derive(Clone)]
pub struct NodeHandle {
    pub(super) commands: Sender<Command>,
    pub(super) waker: Arc<Waker>,
}

impl NodeHandle {
    /// Ends the loop: announces that to trackers, closes connections, sends [`Event::Stopped`].
    pub fn stop(&self) {
        self.send(Command::Stop);
    }

    /// Adds peers of a torrent.
    pub fn add_peers(&self, torrent: TorrentId, peers: Vec<SocketAddr>) {
        self.send(Command::AddPeers(torrent, peers));
    }

    /// Leaves a complete torrent: its peers, its trackers, and frees the memory of its artifact.
    pub fn leave(&self, torrent: TorrentId) {
        self.send(Command::Leave(torrent));
    }

    /// Asks for an [`Event::Progress`] of every torrent.
    pub fn ask_progress(&self) {
        self.send(Command::AskProgress);
    }

    fn send(&self, command: Command) {
        if self.commands.send(command).is_ok() {
            // A waker fails only when its loop is gone.
            let _ = self.waker.wake();
        }
    }
}
