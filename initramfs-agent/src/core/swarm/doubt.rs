//! Whom we believe. A peer that says that it has pieces and sends none when it is asked, while others do, is doubted until
//! it sends one: what it says that it has does not count, it is asked when nobody else is left, and its address is
//! remembered.

use super::Swarm;
use super::peer::Peer;
use super::torrent::{Job, Source};
use super::types::{ConnId, TorrentId};

/// Silences in a row after which a peer is doubted that has given pieces before.
const SILENCES_DOUBTED: u32 = 2;
/// How many silences of an address are remembered: it is dialled the less often.
const DOUBT_MAX: u32 = 6;
/// Silences in a row that end a connection.
const SILENCES_MAX: u32 = 3;

impl Peer {
    fn is_doubtful(&self) -> bool {
        self.silences >= SILENCES_DOUBTED || self.silences > 0 && self.given == 0
    }

    /// Whether it fell silent so often that another shall have its place.
    pub fn is_useless(&self) -> bool {
        self.silences >= SILENCES_MAX && !self.origin
    }

    /// Whether what it says that it has counts: whoever says that it has everything must have sent something.
    pub fn is_credible(&self, pieces: u32) -> bool {
        !self.is_doubtful() && (self.block_us > 0 || self.have < pieces)
    }
}

impl Swarm {
    /// A peer owes us blocks and sends none, though others do.
    pub(super) fn doubt(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn).filter(|p| !p.origin) else {
            return;
        };
        let t = &mut self.torrents[usize::from(peer.torrent.0)];
        peer.silences += 1;
        let known = peer.listen.and_then(|a| t.known.get_mut(&a));
        if let Some(known) = known.filter(|_| peer.is_doubtful()) {
            t.caught += u32::from(known.doubt == 0 && peer.have == t.pieces);
            known.doubt = (known.doubt + 1).min(DOUBT_MAX);
        }
        self.weigh(conn);
    }

    /// It has given a piece that was right.
    pub(super) fn believe(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        peer.given += 1;
        let t = &mut self.torrents[usize::from(peer.torrent.0)];
        t.note_peer(peer);
        if let Some(known) = peer.listen.and_then(|a| t.known.get_mut(&a)) {
            known.doubt = 0;
        }
    }

    /// A connection to an address that fell silent before begins with a doubt.
    pub(super) fn remember_doubt(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        let t = &self.torrents[usize::from(peer.torrent.0)];
        let doubt = peer.listen.and_then(|a| t.known.get(&a)).map_or(0, |k| k.doubt);
        peer.silences = peer.silences.max(doubt.min(SILENCES_MAX - 1));
        self.weigh(conn);
    }

    /// Whether a peer is doubted may have changed.
    pub(super) fn weigh(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get(&conn).filter(|p| p.established) else {
            return;
        };
        let t = &mut self.torrents[usize::from(peer.torrent.0)];
        if peer.is_doubtful() {
            t.doubtful |= peer.mask();
        } else {
            t.doubtful &= !peer.mask();
        }
        t.note_peer(peer);
    }

    /// Bits of the neighbours that say that they have everything and have not given anything yet. None where there are no
    /// others: then there is nobody to be careful for.
    pub(super) fn untried(&self, torrent: TorrentId) -> u128 {
        let t = &self.torrents[usize::from(torrent.0)];
        debug_assert!(
            self.peers
                .values()
                .filter(|p| p.established && p.torrent == torrent)
                .all(|p| { (t.unproven & p.mask() != 0) == (!p.origin && !p.is_credible(t.pieces)) })
        );
        if t.present & !t.seeders & !t.unproven == 0 {
            return 0;
        }
        t.unproven
    }

    /// The one job of a piece, where it is with a peer that has not given anything yet and has sent no block of it.
    pub(super) fn idle_try(&self, torrent: TorrentId, piece: u32) -> Option<usize> {
        let t = &self.torrents[usize::from(torrent.0)];
        let mut jobs = t.jobs.iter().enumerate().filter(|(_, j)| j.piece == piece);
        let (at, job) = jobs.next()?;
        (jobs.next().is_none() && self.is_idle_try(torrent, job)).then_some(at)
    }

    pub(super) fn is_idle_try(&self, torrent: TorrentId, job: &Job) -> bool {
        let pieces = self.torrents[usize::from(torrent.0)].pieces;
        let is_untried = |conn| {
            let peer = self.peers.get(&conn);
            peer.is_some_and(|p| !p.origin && !p.is_credible(pieces))
        };
        job.received == 0 && matches!(job.source, Source::Peer(conn) if is_untried(conn))
    }

    /// Pieces in flight from these peers.
    pub(super) fn jobs_at(&self, torrent: TorrentId, bits: u128) -> usize {
        if bits == 0 {
            return 0;
        }
        let of = |source| match source {
            Source::Peer(conn) => self.peers.get(&conn).is_some_and(|p| p.mask() & bits != 0),
            Source::Fetch(_) => false,
        };
        let jobs = &self.torrents[usize::from(torrent.0)].jobs;
        jobs.iter().filter(|j| of(j.source)).count()
    }
}
