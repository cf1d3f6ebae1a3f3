//! A node that is far behind its neighbours leaves the server's hand-outs to them: all others would wait for a piece that
//! it got first.

use super::types::{ConnId, TorrentId};
use super::{Micros, Swarm};
use crate::core::time::SECOND;
use crate::core::wire::Outgoing;

/// So many times the pieces that we have, the median neighbour has.
const TIMES: u32 = 3;
/// And so many at least: before that it may be chance.
const PIECES_MIN: u32 = 6;
/// As long as blocks come from somebody this often, we can do without hand-outs.
const FED_US: Micros = 5 * SECOND;
/// Between two looks.
const LOOK_US: Micros = SECOND / 4;

impl Swarm {
    /// Sends `interested` or `not interested` to the server's seeders: whether we want to be handed pieces.
    pub(super) fn check_lag(&mut self) {
        for at in 0..self.torrents.len() {
            let t = &self.torrents[at];
            if t.done() || t.seeders & t.present == 0 {
                continue;
            }
            let lags = self.lags(TorrentId(at as u16));
            let t = &self.torrents[at];
            // One that has nothing, or has not said what, is asked for nothing anyway.
            let turns = |c: &&ConnId| {
                self.peers
                    .get(c)
                    .is_some_and(|p| p.origin && p.have > 0 && p.interested_sent == lags)
            };
            let seeders: Vec<ConnId> = t.slots.iter().flatten().filter(turns).copied().collect();
            for conn in seeders {
                if let Some(peer) = self.peers.get_mut(&conn) {
                    peer.interested_sent = !lags;
                }
                let message = if lags {
                    Outgoing::NotInterested
                } else {
                    Outgoing::Interested
                };
                self.send(conn, message);
            }
            self.wake_at(self.now + LOOK_US);
        }
    }

    /// Whether others have far more than we do, and give it to us.
    fn lags(&self, torrent: TorrentId) -> bool {
        let t = &self.torrents[usize::from(torrent.0)];
        if t.origin.moved_at() + FED_US.max(3 * t.wait_us(self.now)) <= self.now {
            return false;
        }
        let peers = t.slots.iter().flatten().filter_map(|c| self.peers.get(c));
        let believed = peers.filter(|p| !p.origin && p.is_credible(t.pieces));
        let mut have: Vec<u32> = believed.map(|p| p.have).collect();
        have.sort_unstable();
        let usual = have.get(have.len() / 2).copied().unwrap_or(0);
        usual >= PIECES_MIN && usual > TIMES * t.progress.pieces_done
    }
}
