//! To whom a new piece is announced at once, and to whom together with the next ones: a `have` in a packet of its own costs
//! ten times its bytes, and in a farm most go to peers that gain nothing by them.

use super::torrent::Torrent;
use super::types::{ConnId, Output, TorrentId};
use super::{Micros, Swarm};
use crate::core::time::{MILLISECOND, SECOND};
use crate::core::wire::Outgoing;

/// A piece with so many holders near us is common; without racks the first one is enough: it announces the piece to all of
/// its own neighbours, and no uplink waits for it.
const COMMON: u32 = 3;
const COMMON_FLAT: u32 = 1;
/// Common pieces are announced to the server's seeder later: each packet to it is acknowledged over the one link that all
/// share. Eight piece times, within these bounds: it hands pieces to agents that seem to get none, and knows how long pieces
/// take.
const WAIT_SEEDER_MIN_US: Micros = 4 * SECOND;
const WAIT_SEEDER_MAX_US: Micros = 12 * SECOND;
/// How long other announcements may wait, by the piece times; without racks nobody has to bring anything in for others, and
/// they may wait longer.
const WAIT_MIN_US: Micros = 20 * MILLISECOND;
const WAIT_MAX_US: Micros = 4 * SECOND;
const WAIT_FLAT_MAX_US: Micros = 8 * SECOND;

impl Swarm {
    /// Announces a piece that is in place; `from` delivered it.
    pub(super) fn tell_have(&mut self, torrent: TorrentId, piece: u32, from: Option<ConnId>) {
        let t = &self.torrents[usize::from(torrent.0)];
        let holders = t.holders(piece);
        let enough = if t.racked { COMMON } else { COMMON_FLAT };
        let near = t.near_holders(piece);
        let common = near.count_ones() >= enough;
        let first = near == 0;
        // Our link has nothing better to do; when a farm starts, every step from rack to rack counts.
        let idle = self.uploads.is_idle();
        let due = self.now + t.news_us();
        let done = t.done();
        let conns: Vec<ConnId> = t.slots.iter().flatten().copied().collect();
        let mut waits = false;
        for conn in conns {
            let Some(peer) = self.peers.get_mut(&conn) else {
                continue;
            };
            let t = &self.torrents[usize::from(torrent.0)];
            let has = holders & peer.mask() != 0;
            let near = t.local & peer.mask() != 0;
            let soon = !(peer.bootswarm || peer.origin)
                || from == Some(conn)
                || done
                || (idle && !has && !peer.origin)
                || (!has && if near { !common } else { first });
            if soon {
                self.send(conn, Outgoing::Have(piece));
            } else {
                let until = if peer.origin && common {
                    self.now + t.seeder_news_us()
                } else {
                    due
                };
                if peer.later.is_empty() || until < peer.later_at {
                    peer.later_at = until;
                }
                peer.later.push(piece);
                waits = true;
            }
        }
        if waits {
            self.wake_at(due);
        }
    }

    /// Sends the announcements that have waited for a peer.
    pub(super) fn flush_news(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        for piece in peer.later.drain(..) {
            let message = Outgoing::Have(piece);
            self.out.push_back(Output::Send { conn, message });
        }
    }

    /// Sends announcements that have waited long enough.
    pub(super) fn check_news(&mut self) {
        let now = self.now;
        let mut next = Micros::MAX;
        let mut due = Vec::new();
        for peer in self.peers.values().filter(|p| !p.later.is_empty()) {
            if peer.later_at <= now {
                due.push(peer.id);
            } else {
                next = next.min(peer.later_at);
            }
        }
        for conn in due {
            self.flush_news(conn);
        }
        if next != Micros::MAX {
            self.wake_at(next);
        }
    }
}

impl Torrent {
    fn seeder_news_us(&self) -> Micros {
        let wait = self.times.p50().map_or(0, |p| 8 * p);
        wait.clamp(WAIT_SEEDER_MIN_US, WAIT_SEEDER_MAX_US)
    }

    fn news_us(&self) -> Micros {
        let most = if self.racked {
            WAIT_MAX_US
        } else {
            WAIT_FLAT_MAX_US
        };
        self.times
            .p50()
            .map_or(WAIT_MAX_US, |p| (4 * p).clamp(WAIT_MIN_US, most))
    }
}
