//! How connections end: closed, banned, silent or no longer useful.

use super::connect::{HANDSHAKE_US, KEEP_ALIVE_US};
use super::types::{ConnId, Output};
use super::{Code, Micros, Swarm};
use crate::core::nearness::Nearness;
use crate::core::time::SECOND;
use crate::core::wire::Outgoing;

/// How often an address is dialled in vain: the wait doubles each time, and one of unknown nearness is forgotten then; a hint
/// sooner.
const FAILS_MAX: u32 = 6;
const HINT_FAILS_MAX: u32 = 3;
/// Bans that are remembered; any of them goes for the next one.
const BANS_MAX: usize = 4096;
/// BEP 3: a peer says something every two minutes.
const SILENCE_US: Micros = 150 * SECOND;

impl Swarm {
    pub(super) fn on_closed(&mut self, conn: ConnId) {
        self.forget(conn);
    }

    /// Closes a connection of ours.
    pub(super) fn close(&mut self, conn: ConnId, blame: Option<Code>) {
        if self.peers.contains_key(&conn) {
            self.forget(conn);
            self.out.push_back(Output::Close { conn, blame });
        }
    }

    /// Closes it for good: the address is not dialled or accepted again.
    pub(super) fn ban(&mut self, conn: ConnId, code: Code) {
        let Some(peer) = self.peers.get(&conn) else {
            return;
        };
        let addr = peer.listen.unwrap_or(peer.addr);
        // On loopback, and on the server, many share one address.
        if !addr.ip().is_loopback() && !peer.origin {
            if self.banned_ips.len() >= BANS_MAX {
                self.banned_ips.pop_first();
            }
            self.banned_ips.insert(addr.ip());
        }
        if self.banned_addrs.len() >= BANS_MAX {
            self.banned_addrs.pop_first();
        }
        self.banned_addrs.insert(addr);
        self.out.push_back(Output::Banned { addr, code });
        self.close(conn, Some(code));
        let same: Vec<ConnId> = self
            .peers
            .values()
            .filter(|p| self.is_banned(p.listen.unwrap_or(p.addr)))
            .map(|p| p.id)
            .collect();
        for conn in same {
            self.close(conn, Some(code));
        }
        for t in &mut self.torrents {
            let (ips, addrs) = (&self.banned_ips, &self.banned_addrs);
            t.known.retain(|a| !addrs.contains(a) && !ips.contains(&a.ip()));
        }
    }

    /// Takes a connection out of everything.
    fn forget(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.remove(&conn) else {
            return;
        };
        self.uploads.forget(self.now, conn);
        let (torrent, now) = (peer.torrent, self.now);
        let jitter = self.rng.below(SECOND);
        let t = &mut self.torrents[usize::from(torrent.0)];
        t.claims.forget(conn);
        if peer.established {
            let mask = !peer.mask();
            t.slots[usize::from(peer.bit)] = None;
            t.present &= mask;
            t.offering &= mask;
            t.local &= mask;
            t.doubtful &= mask;
            t.room &= mask;
            t.resting &= mask;
            t.unproven &= mask;
            t.seeders &= mask;
            t.forget_holder(&peer);
        }
        if let Some(known) = peer
            .listen
            .and_then(|a| t.known.get_mut(&a))
            .filter(|k| k.conn == Some(conn))
        {
            known.conn = None;
            known.fails = (known.fails + 1).min(FAILS_MAX);
            known.next_at = now + (SECOND << known.fails.max(known.doubt)) / 2 + jitter;
            let fails_max = if known.hint.is_some() {
                HINT_FAILS_MAX
            } else {
                FAILS_MAX
            };
            let drop = known.fails >= fails_max && !known.seeder && known.nearness == Nearness::Unknown;
            let next = known.next_at;
            if let Some(addr) = peer.listen {
                if peer.outgoing && !peer.established {
                    t.note_dialled(addr, false);
                }
                if drop {
                    t.known.remove(&addr);
                }
            }
            self.wake_at(next);
        }
        self.rank_importers(torrent);
        self.drop_jobs_of(torrent, conn);
        self.forget_metadata(torrent, conn);
        self.pump_uploads();
        self.dirty = true;
    }

    /// Ends connections that are silent, stuck or useless; keeps the others alive.
    pub(super) fn check_peers(&mut self) {
        let now = self.now;
        let mut ends = Vec::new();
        let mut pings = Vec::new();
        let mut next = Micros::MAX;
        for peer in self.peers.values() {
            let t = &self.torrents[usize::from(peer.torrent.0)];
            let last = if peer.established {
                peer.heard_at + SILENCE_US
            } else {
                peer.opened_at + HANDSHAKE_US
            };
            let both_done =
                peer.established && t.done() && peer.have == t.pieces && !peer.origin && t.pieces > 0;
            if now >= last || both_done {
                ends.push(peer.id);
                continue;
            }
            next = next.min(last);
            if peer.established {
                if now >= peer.sent_at + KEEP_ALIVE_US {
                    pings.push(peer.id);
                    next = next.min(now + KEEP_ALIVE_US);
                } else {
                    next = next.min(peer.sent_at + KEEP_ALIVE_US);
                }
            }
        }
        for conn in ends {
            self.close(conn, None);
        }
        for conn in pings {
            self.send(conn, Outgoing::KeepAlive);
        }
        self.wake_at(next);
    }
}
