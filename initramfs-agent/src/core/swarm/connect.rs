//! Whom we connect with: introductions, handshakes, duplicates.

use std::net::SocketAddr;

use super::Swarm;
use super::known::Known;
use super::peer::Peer;
use super::places::site;
use super::types::{ConnId, HintSource, Output, TorrentId};
use crate::core::limits::{CONNECTIONS_MAX, PEERS_PER_ANSWER_MAX};
use crate::core::nearness::Nearness;
use crate::core::time::{Micros, SECOND};
use crate::core::wire::Outgoing;

/// Hints that are taken at a time, and what there is between two PEX messages of a peer, one of which may come early.
const HINTS_AT_ONCE_MAX: usize = 100;
const PEX_AHEAD_US: Micros = 30 * SECOND;
/// Addresses that turn out to be our own.
const OWN_ADDRS_MAX: usize = 64;
/// So many addresses must say that there are racks where the tracker has named neighbours of ours only: it does that to the
/// first nodes of a farm where they are of one rack, and one liar shall not split a farm.
const RACK_SAYERS: usize = 3;
/// A handshake must be through by then.
pub(super) const HANDSHAKE_US: Micros = 10 * SECOND;
/// We send something at least that often.
pub(super) const KEEP_ALIVE_US: Micros = 100 * SECOND;
impl Swarm {
    /// Remembers an address; `hint` is who told of it where that is neither the tracker nor the manifest.
    pub(super) fn learn(
        &mut self,
        torrent: TorrentId,
        addr: SocketAddr,
        nearness: Nearness,
        hint: Option<HintSource>,
    ) {
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
        t.racked |= matches!(nearness, Nearness::Across | Nearness::Far) && !seeder;
        t.introduced |= nearness != Nearness::Unknown && !seeder;
        if let Some(known) = t.known.get_mut(&addr) {
            if nearness != Nearness::Unknown && !seeder {
                known.nearness = nearness;
            }
            known.hint = known.hint.and(hint);
            return;
        }
        let known = Known {
            nearness,
            fails: 0,
            doubt: 0,
            next_at: now,
            conn: None,
            seeder,
            hint,
        };
        t.known.add(addr, known, self.rng.next_u64());
    }

    pub(super) fn on_peers(&mut self, torrent: TorrentId, peers: &[(SocketAddr, Nearness)]) {
        for (addr, nearness) in peers.iter().take(PEERS_PER_ANSWER_MAX) {
            self.learn(torrent, *addr, *nearness, None);
        }
        self.introduced(torrent);
    }

    /// Somebody says where there may be peers.
    pub(super) fn on_hints(&mut self, torrent: TorrentId, source: HintSource, addrs: &[SocketAddr]) {
        if let HintSource::Pex(conn) = source {
            let now = self.now;
            let Some(peer) = self.hear(conn, 1) else {
                return;
            };
            // It may have sent one at the start, and one each minute (BEP 11).
            if peer.pex_heard_at > now + PEX_AHEAD_US {
                return;
            }
            peer.pex_heard_at = peer.pex_heard_at.max(now) + PEX_AHEAD_US;
        }
        for addr in addrs.iter().take(HINTS_AT_ONCE_MAX) {
            self.learn(torrent, *addr, Nearness::Unknown, Some(source));
        }
        self.introduced(torrent);
    }

    fn introduced(&mut self, torrent: TorrentId) {
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
        t.across = 0;
        t.seeders = 0;
        for conn in t.slots.iter().flatten() {
            let Some(peer) = self.peers.get(conn) else {
                continue;
            };
            let exact = peer.listen.and_then(|a| t.known.get(&a)).map(|k| k.nearness);
            let nearness = exact.unwrap_or_else(|| {
                let machine = t.known.of_machine(peer.addr);
                machine.map_or(Nearness::Unknown, |k| k.nearness)
            });
            if peer.origin {
                t.seeders |= peer.mask();
            } else if Self::counts_local(t.racked, nearness) {
                t.local |= peer.mask();
            } else if nearness == Nearness::Across {
                t.across |= peer.mask();
            }
        }
        self.rank_importers(torrent);
        self.dirty = true;
    }

    pub(super) fn is_banned(&self, addr: SocketAddr) -> bool {
        self.banned_addrs.contains(&addr) || self.banned_ips.contains(&addr.ip())
    }

    pub(super) fn on_connected(&mut self, conn: ConnId) {
        if let Some(peer) = self.peers.get_mut(&conn) {
            peer.heard_at = self.now;
            peer.sent_at = self.now;
        }
    }

    pub(super) fn on_incoming(&mut self, conn: ConnId, addr: SocketAddr, torrent: TorrentId) {
        let full = self.peers.len() >= CONNECTIONS_MAX && !self.make_room(None, addr.ip());
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
        let (torrent, outgoing, listen, addr) = (peer.torrent, peer.outgoing, peer.listen, peer.addr);
        if peer_id == self.cfg.peer_id {
            if let Some(addr) = listen {
                if self.cfg.own_addrs.len() < OWN_ADDRS_MAX {
                    self.cfg.own_addrs.push(addr);
                }
                self.torrents[usize::from(torrent.0)].known.remove(&addr);
            }
            return self.close(conn, None);
        }
        // Two connections to one peer: both ends keep the one that the lower identity opened. Anybody can say that he is
        // another one: from elsewhere he ends no connection of that one, nor keeps him out.
        let twin = self
            .peers
            .values()
            .filter(|p| p.established && p.torrent == torrent && p.peer_id == peer_id)
            .find(|p| p.addr.ip() == addr.ip())
            .map(|p| (p.id, p.outgoing));
        if let Some((old, old_outgoing)) = twin {
            let ours_stays = self.cfg.peer_id < peer_id;
            if old_outgoing == outgoing || old_outgoing == ours_stays {
                return self.close(conn, None);
            }
            self.close(old, None);
        }
        let free = |s: &Self| {
            s.torrents[usize::from(torrent.0)]
                .slots
                .iter()
                .position(Option::is_none)
        };
        let bit = free(self).or_else(|| {
            self.make_room(Some(torrent), addr.ip());
            free(self)
        });
        let Some(bit) = bit else {
            return self.close(conn, None);
        };
        let t = &mut self.torrents[usize::from(torrent.0)];
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
            peer.bit = bit as u8;
            peer.bootswarm = peer_id.starts_with(b"-BW") && !peer.origin;
        }
        if let Some(addr) = listen {
            let t = &mut self.torrents[usize::from(torrent.0)];
            t.note_dialled(addr, true);
            if let Some(known) = t.known.get_mut(&addr) {
                known.fails = 0;
            }
        }
        self.remember_doubt(conn);
        self.seeder_answered(conn);
        if let Some(message) = first {
            self.send(conn, message);
        }
        if extended {
            let metadata_size = self.torrents[usize::from(torrent.0)].metadata.size();
            let known = listen.and_then(|a| self.torrents[usize::from(torrent.0)].known.get(&a));
            let elsewhere = known.filter(|k| !k.seeder).and_then(|k| match k.nearness {
                Nearness::Local => Some(false),
                Nearness::Across => Some(true),
                Nearness::Far | Nearness::Unknown => None,
            });
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

    /// A peer says that the tracker has named us to it as being in another rack, or in its own. To the first node of a farm the
    /// tracker named nobody: without this it would take all that dial it for neighbours, and fetch over the uplink what its
    /// rack has. Where the tracker has named neighbours of ours and nobody elsewhere, several must say so. Of a large rack it
    /// names few to each node: without this those that dial it would count as of other racks.
    pub(super) fn note_rack(&mut self, conn: ConnId, elsewhere: bool) {
        let Some(peer) = self.peers.get(&conn).filter(|p| p.bootswarm && !p.origin) else {
            return;
        };
        let (torrent, listen, site) = (peer.torrent, peer.listen, site(peer.addr.ip()));
        let t = &mut self.torrents[usize::from(torrent.0)];
        if elsewhere && t.rack_sayers.len() < RACK_SAYERS && !t.rack_sayers.contains(&site) {
            t.rack_sayers.push(site);
        }
        let believed = !elsewhere || t.racked || !t.introduced || t.rack_sayers.len() >= RACK_SAYERS;
        let known = listen.and_then(|a| t.known.get_mut(&a));
        if let Some(known) = known.filter(|k| believed && k.nearness == Nearness::Unknown) {
            known.nearness = if elsewhere {
                Nearness::Across
            } else {
                Nearness::Local
            };
            t.racked |= elsewhere;
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
        self.learn(torrent, addr, Nearness::Unknown, Some(HintSource::Itself));
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
        self.remember_doubt(conn);
        self.refresh_local(torrent);
    }
}
