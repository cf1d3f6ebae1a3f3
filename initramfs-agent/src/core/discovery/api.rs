//! What goes into [`super::Discovery`] and what comes out.

use std::net::{IpAddr, SocketAddr};

use crate::core::error::{Code, Error};
use crate::core::nearness::{Duty, Nearness};

/// BEP 3 infohash of a torrent.
pub type InfoHash = [u8; 20];

/// What discovery must know of the node that it runs in.
#[derive(Clone, Debug)]
pub struct DiscoveryConfig {
    /// Of all random choices: the DHT identity, tokens, cookies, jitter. Different on every node.
    pub seed: u64,
    /// Our BitTorrent identity.
    pub peer_id: [u8; 20],
    /// TCP port at which we take BitTorrent connections; the DHT socket has the same number in UDP.
    pub listen_port: u16,
    /// The site's own DHT nodes. Public routers are never asked. Empty, and no [`DiscoveryInput::DhtNode`]:
    /// the DHT only answers.
    pub dht_bootstrap: Vec<SocketAddr>,
    /// Whether to announce on the local network (BEP 14).
    pub lsd: bool,
    /// Our own addresses, so that we do not hand ourselves out as a peer.
    pub own_addrs: Vec<IpAddr>,
}

/// An HTTP request to a tracker; numbers are not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HttpId(pub u32);

/// Which UDP socket a packet came in by or goes out by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UdpSocketKind {
    /// Bound to [`DiscoveryConfig::listen_port`].
    Dht,
    /// Bound to port 6771 (shared) and joined to [`super::LSD_GROUP`].
    Lsd,
}

/// The inputs of discovery. All that comes from the network may be hostile.
#[derive(Debug)]
pub enum DiscoveryInput<'a> {
    /// The deadline has come (calling it at another time is harmless).
    Tick,
    /// A [`DiscoveryOutput::HttpGet`] has ended: the body of a 200, or what went wrong. A body may be cut
    /// off by the caller one byte after `TRACKER_ANSWER_BYTES_MAX`; longer ones are refused.
    HttpDone {
        /// Which.
        id: HttpId,
        /// The whole body, or why there is none.
        result: Result<&'a [u8], Code>,
    },
    /// A UDP packet has arrived.
    Udp {
        /// By this socket.
        socket: UdpSocketKind,
        /// From there.
        from: SocketAddr,
        /// Its payload.
        data: &'a [u8],
    },
    /// A node of the DHT has become known by other means (the `port` message of BEP 5).
    DhtNode {
        /// Its UDP address.
        addr: SocketAddr,
    },
    /// The swarm wants more peers than it has.
    WantPeers {
        /// Of this torrent.
        infohash: InfoHash,
    },
    /// The counters of the next announces, bytes.
    Progress {
        /// Of this torrent.
        infohash: InfoHash,
        /// Payload sent.
        uploaded: u64,
        /// Payload received.
        downloaded: u64,
        /// Still to come; 0 once complete.
        left: u64,
    },
    /// The torrent is complete (after it was not; not for what was complete from the start).
    Completed {
        /// This one.
        infohash: InfoHash,
    },
    /// The node leaves a torrent, which is announced to its trackers.
    Leave {
        /// This one.
        infohash: InfoHash,
    },
    /// The node stops, which is announced to all trackers; nothing else happens any more.
    Stop,
}

/// What the shell has to do.
#[derive(Debug)]
pub enum DiscoveryOutput {
    /// GET this URL and answer [`DiscoveryInput::HttpDone`]. Answers to what was asked after
    /// [`DiscoveryInput::Stop`] are not needed.
    HttpGet {
        /// Its number.
        id: HttpId,
        /// `http://` or `https://`.
        url: String,
    },
    /// Send a packet.
    SendUdp {
        /// By this socket.
        socket: UdpSocketKind,
        /// Where.
        to: SocketAddr,
        /// Its payload.
        bytes: Vec<u8>,
    },
    /// A tracker says who brings pieces into our rack; before the peers that it names.
    Duty {
        /// In this torrent.
        infohash: InfoHash,
        /// We, or others; never [`Duty::Unsaid`].
        duty: Duty,
    },
    /// Peers of a torrent that a tracker names; some may be known already.
    Peers {
        /// Of this torrent.
        infohash: InfoHash,
        /// Their TCP addresses, and how near they are.
        peers: Vec<(SocketAddr, Nearness)>,
    },
    /// Anybody may have said that there are peers of a torrent here: what LSD and the DHT give.
    Hints {
        /// Of this torrent.
        infohash: InfoHash,
        /// The socket by which it was heard.
        socket: UdpSocketKind,
        /// Their TCP addresses.
        addrs: Vec<SocketAddr>,
    },
    /// A tracker failed; for the log. It is asked again later.
    TrackerFailed {
        /// Its announce URL.
        url: String,
        /// What it did.
        error: Error,
    },
}
