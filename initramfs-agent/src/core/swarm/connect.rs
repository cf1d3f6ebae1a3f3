//! Whom we connect with: addresses, dialling, handshakes, duplicates.

use std::net::SocketAddr;

use super::Swarm;
use super::peer::Peer;
use super::torrent::{SLOTS, Torrent};
use super::types::{ConnId, Output, TorrentId};
use crate::core::limits::CONNECTIONS_MAX;
use crate::core::nearness::Nearness;
use crate::core::time::{Micros, SECOND};
use crate::core::wire::Outgoing;

/// Addresses remembered of one torrent.
const KNOWN_MAX: usize = 1024;
/// Neighbours in the rack that we dial for.
const LOCAL_WANTED: usize = 23;
/// The same where the tracker knows more than a rack of them: as many again dial us, and each costs announcements.
const LOCAL_WANTED_CROWD: usize = 14;
const RACK_MAX: usize = 30;
/// Outgoing connections that have not come up.
const DIALLING_MAX: usize = 16;
/// A handshake must be through by then.
pub(super) const HANDSHAKE_US: Micros = 10 * SECOND;
/// We send something at least that often.
pub(super) const KEEP_ALIVE_US: Micros = 100 * SECOND;
/// Between announces that we ask for.
pub(super) const WANT_PEERS_US: Micros = 5 * SECOND;

/// A known address of a peer, or of one of the server's seeders.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub nearness: Nearness,
    pub fails: u32,
    /// Not dialled before.
    pub next_at: Micros,
    pub conn: Option<ConnId>,
    pub seeder: bool,
}

/// How many neighbours a torrent has, dialled ones included, and how many it wants.
struct Neighbours {
    local: usize,
    across: usize,
    local_wanted: usize,
    across_wanted: usize,
}

impl Neighbours {
    fn of(t: &Torrent, now: Micros) -> Self {
        let is_local = |k: &&Known| k.nearness == Nearness::Local;
        let is_crowd = t.known.values().filter(is_local).count() > RACK_MAX;
        let local_wanted = if is_crowd || now < t.started_at + super::import::SETTLE_US {
            LOCAL_WANTED_CROWD
        } else {
            LOCAL_WANTED
        };
        let done = t.done();
        let mut neighbours = Self {
            local: 0,
            across: 0,
            local_wanted: if done { 0 } else { local_wanted },
            across_wanted: if done { 0 } else { t.across_wanted(now) },
        };
        for known in t.known.values().filter(|k| k.conn.is_some()) {
            neighbours.add(known, t.racked);
        }
        neighbours
    }

    fn add(&mut self, known: &Known, racked: bool) {
        if known.seeder {
            return;
        }
        if Swarm::counts_local(racked, known.nearness) {
            self.local += 1;
        } else {
            self.across += 1;
        }
    }

    /// Whether one at this address is wanted; the server's seeders always are.
    fn lack(&self, known: &Known, racked: bool) -> bool {
        if Swarm::counts_local(racked, known.nearness) {
            known.seeder || self.local < self.local_wanted
        } else {
            known.seeder || self.across < self.across_wanted
        }
    }

    fn are_enough(&self) -> bool {
        self.local >= self.local_wanted && self.across >= self.across_wanted
    }
}

impl Swarm {
    /// Remembers an address.
    pub(super) fn learn(&mut self, torrent: TorrentId, addr: SocketAddr, nearness: Nearness) {
        let ours = self.cfg.own_addrs.contains(&addr);
        if ours
            || addr.port() == 0
            || addr.ip().is_unspecified()
            || addr.ip().is_multicast()
            || self.is_banned(addr)
        {
            return;
        }
        let now = self.now;
        let Some(t) = self.torrents.get_mut(usize::from(torrent.0)) else {
            return;
        };
        let seeder = t.spec.seeders.contains(&addr);
        // A tracker that knows nodes elsewhere names some; where it does not, all are on one switch.
        t.racked |= nearness == Nearness::Across && !seeder;
        t.introduced |= nearness != Nearness::Unknown && !seeder;
        if let Some(known) = t.known.get_mut(&addr) {
            if nearness != Nearness::Unknown && !seeder {
                known.nearness = nearness;
            }
            return;
        }
        if t.known.len() >= KNOWN_MAX && !seeder {
            // Addresses from the tracker are worth more than those from PEX: make room for them.
            let victim = t
                .known
                .iter()
                .find(|(_, k)| k.nearness == Nearness::Unknown && k.conn.is_none());
            let Some(victim) = victim.map(|(a, _)| *a).filter(|_| nearness != Nearness::Unknown) else {
                return;
            };
            t.known.remove(&victim);
        }
        t.known.insert(
            addr,
            Known {
                nearness,
                fails: 0,
                next_at: now,
                conn: None,
                seeder,
            },
        );
    }

    pub(super) fn on_peers(&mut self, torrent: TorrentId, peers: &[(SocketAddr, Nearness)]) {
        for (addr, nearness) in peers.iter().take(KNOWN_MAX) {
            self.learn(torrent, *addr, *nearness);
        }
        let Some(t) = self.torrent(torrent) else {
            return;
        };
        let alone = t.known.values().all(|k| k.seeder);
        t.origin.set_alone(alone);
        self.refresh_local(torrent);
        self.wake_at(self.now);
    }

    /// Recomputes who counts as local; what the tracker says may have changed it.
    pub(super) fn refresh_local(&mut self, torrent: TorrentId) {
        let t = &mut self.torrents[usize::from(torrent.0)];
        t.local = 0;
        t.seeders = 0;
        for conn in t.slots.iter().flatten() {
            let Some(peer) = self.peers.get(conn) else {
                continue;
            };
            let exact = peer.listen.and_then(|a| t.known.get(&a)).map(|k| k.nearness);
            let nearness = exact.unwrap_or_else(|| {
                let ip = peer.addr.ip();
                let range = SocketAddr::new(ip, 0)..=SocketAddr::new(ip, u16::MAX);
                t.known
                    .range(range)
                    .next()
                    .map_or(Nearness::Unknown, |(_, k)| k.nearness)
            });
            if peer.origin {
                t.seeders |= peer.mask();
            } else if Self::counts_local(t.racked, nearness) {
                t.local |= peer.mask();
            }
        }
        self.rank_importers(torrent);
        self.dirty = true;
    }

    pub(super) fn is_banned(&self, addr: SocketAddr) -> bool {
        self.banned_addrs.contains(&addr) || self.banned_ips.contains(&addr.ip())
    }

    /// Dials who is missing.
    pub(super) fn dial(&mut self) {
        let dialled = self.peers.values().filter(|p| p.outgoing && !p.established);
        let mut room = DIALLING_MAX.saturating_sub(dialled.count());
        for at in 0..self.torrents.len() {
            let torrent = TorrentId(at as u16);
            let (chosen, neighbours) = self.choose(torrent, room);
            room -= chosen.len();
            for (addr, seeder) in chosen {
                self.connect(torrent, addr, seeder);
            }
            self.want_peers(torrent, neighbours.local + neighbours.across);
            let full_at = self.torrents[at].started_at + super::import::SETTLE_US;
            if full_at >= self.now {
                self.wake_at(full_at + 1);
            }
        }
    }

    /// Up to `room` addresses to dial, each with whether it is a seeder's, and the neighbours that there are with them.
    fn choose(&mut self, torrent: TorrentId, room: usize) -> (Vec<(SocketAddr, bool)>, Neighbours) {
        let t = &self.torrents[usize::from(torrent.0)];
        let racked = t.racked;
        let mut neighbours = Neighbours::of(t, self.now);
        let mut ready: Vec<(u64, SocketAddr)> = Vec::new();
        // A farm's hundreds of addresses are gone through only when one of them may be dialled.
        let lone = |addr: &SocketAddr| t.known.get(addr).is_some_and(|k| k.conn.is_none());
        let idle = neighbours.are_enough() && !t.spec.seeders.iter().any(lone);
        for (addr, known) in t.known.iter().filter(|_| !idle) {
            if known.conn.is_some() || !neighbours.lack(known, racked) {
                continue;
            }
            if known.next_at > self.now {
                self.wake = self.wake.min(known.next_at);
            } else {
                let rank = if known.seeder {
                    0
                } else {
                    1 + self.rng.below(1 << 32)
                };
                ready.push((rank, *addr));
            }
        }
        ready.sort_unstable();
        let room = room.min(CONNECTIONS_MAX.saturating_sub(self.peers.len()));
        let mut chosen = Vec::new();
        for (_, addr) in ready {
            let known = &t.known[&addr];
            if !neighbours.lack(known, racked) {
                continue;
            }
            if chosen.len() >= room {
                break;
            }
            neighbours.add(known, racked);
            chosen.push((addr, known.seeder));
        }
        (chosen, neighbours)
    }

    fn connect(&mut self, torrent: TorrentId, addr: SocketAddr, origin: bool) {
        let conn = ConnId(self.next_conn);
        self.next_conn = self.next_conn.wrapping_add(2);
        let mut peer = Peer::new(conn, torrent, addr, true, self.now);
        peer.origin = origin;
        self.peers.insert(conn, peer);
        if let Some(known) = self.torrents[usize::from(torrent.0)].known.get_mut(&addr) {
            known.conn = Some(conn);
        }
        self.out.push_back(Output::Connect { conn, addr, torrent });
        self.wake_at(self.now + HANDSHAKE_US);
    }

    /// Asks for an announce when there are few neighbours, connected or dialled.
    fn want_peers(&mut self, torrent: TorrentId, neighbours: usize) {
        let now = self.now;
        let t = &mut self.torrents[usize::from(torrent.0)];
        if t.done() || neighbours >= 4 {
            return;
        }
        if t.wanted_peers_at <= now {
            t.wanted_peers_at = now + WANT_PEERS_US;
            self.out.push_back(Output::WantPeers { torrent });
        }
        let next = self.torrents[usize::from(torrent.0)].wanted_peers_at;
        self.wake_at(next);
    }

    pub(super) fn on_connected(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.heard_at = self.now;
            peer.sent_at = self.now;
        }
    }

    pub(super) fn on_incoming(&mut self, conn: ConnId, addr: SocketAddr, torrent: TorrentId) {
        let full = self.peers.len() >= CONNECTIONS_MAX;
        let known = usize::from(torrent.0) < self.torrents.len();
        if full
            || !known
            || self.is_banned(addr)
            || conn.0.is_multiple_of(2)
            || self.peers.contains_key(&conn)
        {
            self.out.push_back(Output::Close { conn, blame: None });
            return;
        }
        self.peers
            .insert(conn, Peer::new(conn, torrent, addr, false, self.now));
        self.wake_at(self.now + HANDSHAKE_US);
    }

    pub(super) fn on_handshake(&mut self, conn: ConnId, peer_id: [u8; 20], fast: bool, extended: bool) {
        let now = self.now;
        let Some(peer) = self.peers.get_mut(&conn).filter(|p| !p.established) else {
            return;
        };
        peer.heard_at = now;
        let (torrent, outgoing, listen) = (peer.torrent, peer.outgoing, peer.listen);
        if peer_id == self.cfg.peer_id {
            if let Some(addr) = listen {
                self.cfg.own_addrs.push(addr);
                self.torrents[usize::from(torrent.0)].known.remove(&addr);
            }
            return self.close(conn, None);
        }
        // Two connections to one peer: both ends keep the one that the lower identity opened.
        let twin = self
            .peers
            .values()
            .find(|p| p.established && p.torrent == torrent && p.peer_id == peer_id)
            .map(|p| (p.id, p.outgoing));
        if let Some((old, old_outgoing)) = twin {
            let ours_stays = self.cfg.peer_id < peer_id;
            if old_outgoing == outgoing || old_outgoing == ours_stays {
                return self.close(conn, None);
            }
            self.close(old, None);
        }
        let t = &mut self.torrents[usize::from(torrent.0)];
        let Some(bit) = t.slots.iter().position(Option::is_none).filter(|b| *b < SLOTS) else {
            return self.close(conn, None);
        };
        t.slots[bit] = Some(conn);
        t.present |= 1 << bit;
        let first = match (fast, t.done(), t.progress.pieces_done) {
            (true, true, _) => Some(Outgoing::HaveAll),
            (true, false, 0) => Some(Outgoing::HaveNone),
            (false, false, 0) => None,
            _ => Some(Outgoing::Bitfield(t.bitfield())),
        };
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.established = true;
            peer.peer_id = peer_id;
            peer.tag = super::import::tag(&peer_id);
            peer.fast = fast;
            peer.extended = extended;
            peer.bit = bit;
            peer.bootswarm = peer_id.starts_with(b"-BW") && !peer.origin;
        }
        if let Some(known) = listen.and_then(|a| self.torrents[usize::from(torrent.0)].known.get_mut(&a)) {
            known.fails = 0;
        }
        self.seeder_answered(conn);
        if let Some(message) = first {
            self.send(conn, message);
        }
        if extended {
            let metadata_size = self.torrents[usize::from(torrent.0)].metadata.size();
            let known = listen.and_then(|a| self.torrents[usize::from(torrent.0)].known.get(&a));
            let elsewhere = known.is_some_and(|k| k.nearness == Nearness::Across && !k.seeder);
            self.send(
                conn,
                Outgoing::ExtendedHandshake {
                    metadata_size,
                    elsewhere,
                },
            );
        }
        if self.peers.get(&conn).is_some_and(|p| p.bootswarm) {
            self.unchoke(conn);
        }
        self.refresh_local(torrent);
        self.wake_at(now + KEEP_ALIVE_US);
    }

    /// Lets a peer ask, once and for all. Agents hear of it with the handshake. Other clients hear of it when they say
    /// that they are interested, as from any other peer: webtorrent looks at nothing that comes in the packet of the
    /// handshake but the pieces, and would wait for its `unchoke` for ever.
    pub(super) fn unchoke(&mut self, conn: ConnId) {
        let first = self
            .peers
            .get_mut(&conn)
            .is_some_and(|p| !std::mem::replace(&mut p.unchoked, true));
        if first {
            self.send(conn, Outgoing::Unchoke);
        }
    }

    /// A peer says that the tracker has named us to it as being in another rack. To the first node of a farm the tracker
    /// named nobody: without this it would take all that dial it for neighbours, and fetch over the uplink what its rack
    /// has. Where the tracker has named neighbours of ours and nobody elsewhere, the peer is not believed.
    pub(super) fn note_elsewhere(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get(&conn).filter(|p| p.bootswarm && !p.origin) else {
            return;
        };
        let (torrent, listen) = (peer.torrent, peer.listen);
        let t = &mut self.torrents[usize::from(torrent.0)];
        let believed = t.racked || !t.introduced;
        let known = listen.and_then(|a| t.known.get_mut(&a));
        if let Some(known) = known.filter(|k| believed && k.nearness == Nearness::Unknown) {
            known.nearness = Nearness::Across;
            t.racked = true;
            self.refresh_local(torrent);
        }
    }

    /// An incoming peer has said where it listens.
    pub(super) fn note_listen(&mut self, conn: ConnId, port: u16) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        let addr = SocketAddr::new(peer.addr.ip(), port);
        let torrent = peer.torrent;
        peer.listen = Some(addr);
        if self.is_banned(addr) {
            return self.close(conn, None);
        }
        self.learn(torrent, addr, Nearness::Unknown);
        let t = &mut self.torrents[usize::from(torrent.0)];
        let mut seeder = false;
        if let Some(known) = t.known.get_mut(&addr) {
            seeder = known.seeder;
            if known.conn.is_none() {
                known.conn = Some(conn);
                known.fails = 0;
            }
        }
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.origin = seeder;
        }
        self.refresh_local(torrent);
    }
}
