//! Whom we dial: who is missing of our rack and of others, what the tracker names before hints, few at a time.

use std::net::SocketAddr;

use super::Swarm;
use super::connect::HANDSHAKE_US;
use super::known::Known;
use super::peer::Peer;
use super::torrent::Torrent;
use super::types::{ConnId, HintSource, Output, TorrentId};
use crate::core::limits::CONNECTIONS_MAX;
use crate::core::nearness::{Duty, Nearness};
use crate::core::time::{MILLISECOND, Micros, SECOND};

/// Neighbours in the rack that we dial for.
const LOCAL_WANTED: usize = 23;
/// The same where the tracker knows more than a rack of them: as many again dial us, and each costs news.
const LOCAL_WANTED_CROWD: usize = 14;
const RACK_MAX: usize = 30;
/// Outgoing connections that have not come up.
const DIALLING_MAX: usize = 16;
/// Of these, to hints of one kind: an invented address holds its place for seconds.
const DIALLING_HINTS_MAX: usize = 2;
/// After so many hints in a row that nobody answered, the next ones are dialled one by one, this far apart: nobody makes us
/// search the network for him.
const HINTS_DEAD_MAX: u32 = 16;
const HINTS_DEAD_US: Micros = 250 * MILLISECOND;
/// Hints that may be of any rack are dialled for so many neighbours elsewhere.
const HINTS_ELSEWHERE: usize = 1;
/// Between announces that we ask for.
pub(super) const WANT_PEERS_US: Micros = 5 * SECOND;

/// Neighbours that a torrent has or dials.
#[derive(Clone, Copy, Default)]
struct Neighbours {
    local: usize,
    across: usize,
    /// Those that may be beyond the racks next to ours: they take nobody's place there.
    far: usize,
    /// Those that fell silent: they keep nobody's place.
    doubted: usize,
    /// Those that say that they have everything and have not sent anything.
    untried: usize,
    /// Dialled hints, by their kind.
    hints: [usize; 4],
    /// What is wanted in the rack, and elsewhere.
    local_wanted: usize,
    across_wanted: usize,
}

fn kind(hint: HintSource) -> usize {
    match hint {
        HintSource::Pex(_) => 0,
        HintSource::Lsd => 1,
        HintSource::Dht => 2,
        HintSource::Itself => 3,
    }
}

impl Neighbours {
    fn note(&mut self, known: &Known, racked: bool) {
        if known.seeder {
            return;
        }
        if known.doubt > 0 {
            self.doubted += 1;
        } else if Swarm::counts_local(racked, known.nearness) {
            self.local += 1;
        } else if known.nearness == Nearness::Across {
            self.across += 1;
        } else {
            self.far += 1;
        }
    }

    fn is_full(&self) -> bool {
        self.local >= self.local_wanted && self.across >= self.across_wanted
    }

    /// Whether one more of this sort shall be dialled.
    fn wants(&self, known: &Known, racked: bool) -> bool {
        let doubted = if known.doubt > 0 { self.doubted } else { 0 };
        let elsewhere = self.across + self.far + doubted;
        let room = match known.nearness {
            nearness if Swarm::counts_local(racked, nearness) => self.local + doubted < self.local_wanted,
            Nearness::Across => self.across + doubted < self.across_wanted,
            Nearness::Unknown => elsewhere < self.across_wanted.min(HINTS_ELSEWHERE),
            _ => elsewhere < self.across_wanted,
        };
        known.seeder
            || room
                && known
                    .hint
                    .is_none_or(|h| self.hints[kind(h)] < DIALLING_HINTS_MAX)
    }
}

impl Swarm {
    /// Dials who is missing.
    pub(super) fn dial(&mut self) {
        for at in 0..self.torrents.len() {
            let torrent = TorrentId(at as u16);
            let mut neighbours = self.count_neighbours(torrent);
            for addr in self.choose(torrent, &mut neighbours) {
                self.connect(torrent, addr);
            }
            let Neighbours {
                local,
                across,
                far,
                untried,
                ..
            } = neighbours;
            self.want_peers(torrent, (local + across + far).saturating_sub(untried));
            let full_at = self.torrents[at].started_at + super::import::SETTLE_US;
            if full_at >= self.now {
                self.wake_at(full_at + 1);
            }
        }
    }

    fn count_neighbours(&self, torrent: TorrentId) -> Neighbours {
        let t = &self.torrents[usize::from(torrent.0)];
        let mut all = Neighbours::default();
        let mut crowd = 0;
        for known in t.known.values() {
            crowd += usize::from(known.nearness == Nearness::Local && known.hint.is_none());
            let Some(peer) = known.conn.and_then(|c| self.peers.get(&c)) else {
                continue;
            };
            all.note(known, t.racked);
            if let Some(hint) = known.hint.filter(|_| !peer.established) {
                all.hints[kind(hint)] += 1;
            }
            let is_untried =
                peer.established && !known.seeder && known.doubt == 0 && !peer.is_credible(t.pieces);
            all.untried += usize::from(is_untried);
        }
        if !t.done() {
            let settles = self.now < t.started_at + super::import::SETTLE_US;
            // Importers are all neighbours of one another.
            all.local_wanted = if t.racked && matches!(t.duty, Duty::Importer(_)) {
                LOCAL_WANTED
            } else if crowd > RACK_MAX || settles {
                LOCAL_WANTED_CROWD
            } else {
                LOCAL_WANTED
            };
            all.across_wanted = t.across_wanted(self.now);
        }
        all
    }

    /// Whom to dial now: the server's seeders, then those that the tracker names, then hints, each in random order, and last
    /// those who fell silent before.
    fn choose(&mut self, torrent: TorrentId, neighbours: &mut Neighbours) -> Vec<SocketAddr> {
        let mut dialling = self
            .peers
            .values()
            .filter(|p| p.outgoing && !p.established)
            .count();
        let now = self.now;
        let t = &self.torrents[usize::from(torrent.0)];
        // A farm's hundreds of addresses are gone through only when one of them may be dialled.
        let lone = |addr: &SocketAddr| t.known.get(addr).is_some_and(|k| k.conn.is_none());
        let idle = neighbours.is_full() && !t.spec.seeders.iter().any(lone);
        let mut ready: Vec<(u32, bool, u64, SocketAddr)> = Vec::new();
        for (addr, known) in t.known.iter().filter(|_| !idle) {
            if known.conn.is_some() || !neighbours.wants(known, t.racked) {
                continue;
            }
            let next_at = match known.hint {
                Some(_) => known.next_at.max(t.hints_at),
                None => known.next_at,
            };
            if next_at > now {
                self.wake = self.wake.min(next_at);
            } else if known.seeder {
                ready.push((0, false, 0, *addr));
            } else {
                let draw = self.rng.below(1 << 32);
                ready.push((1 + known.doubt, known.hint.is_some(), draw, *addr));
            }
        }
        ready.sort_unstable();
        let mut chosen = Vec::new();
        let t = &mut self.torrents[usize::from(torrent.0)];
        for (.., addr) in ready {
            let Some(known) = t.known.get(&addr).filter(|k| neighbours.wants(k, t.racked)) else {
                continue;
            };
            if dialling >= DIALLING_MAX || self.peers.len() + chosen.len() >= CONNECTIONS_MAX {
                break;
            }
            if let Some(hint) = known.hint {
                if t.hints_at > now {
                    continue;
                }
                neighbours.hints[kind(hint)] += 1;
                if t.hints_dead >= HINTS_DEAD_MAX {
                    t.hints_at = now + HINTS_DEAD_US;
                }
            }
            dialling += 1;
            neighbours.note(known, t.racked);
            chosen.push(addr);
        }
        chosen
    }

    fn connect(&mut self, torrent: TorrentId, addr: SocketAddr) {
        let conn = ConnId(self.next_conn);
        self.next_conn = self.next_conn.wrapping_add(2);
        let mut peer = Peer::new(conn, torrent, addr, true, self.now);
        if let Some(known) = self.torrents[usize::from(torrent.0)].known.get_mut(&addr) {
            known.conn = Some(conn);
            peer.origin = known.seeder;
        }
        self.peers.insert(conn, peer);
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
}

impl Torrent {
    /// A dialled address has shaken hands, or has not.
    pub fn note_dialled(&mut self, addr: SocketAddr, answered: bool) {
        if self.known.get(&addr).is_some_and(|k| k.hint.is_some()) {
            self.hints_dead = if answered {
                0
            } else {
                self.hints_dead.saturating_add(1)
            };
        }
    }
}
