//! The HTTPS origin, the fallback: used when peers have nothing for us, at random delays so that a farm
//! never runs there all at once, and never given up for good.

use super::backoff::Backoff;
use super::compare::Compare;
use super::torrent::{Job, Source, Torrent};
use super::types::{ConnId, FetchId, Output, TorrentId};
use super::{Micros, Swarm};
use crate::core::time::{MILLISECOND, SECOND};

/// Bytes of one range request at most, when there are no peers: they are held in memory.
const RANGE_BYTES_MAX: u64 = 4 << 20;
/// The same while the server's own seeder may yet serve us; and the first range is one piece, each good one lets the
/// next be twice as long. The first nodes of a farm have no peers for a moment only: were each to ask for megabytes, as
/// many streams as the server has would fill its link while all others wait for their manifests and hand-outs
/// (docs/bench.md).
const RANGE_SEEDED_BYTES_MAX: u64 = 512 << 10;
/// Without any peers the origin is asked after this grace.
const ALONE_US: Micros = SECOND;
/// The same when the tracker has said that there is nobody.
const ALONE_SURE_US: Micros = 300 * MILLISECOND;
/// Without other nodes, but connected to the server's seeder, which may be busy with those that came first, or before
/// tracker and seeder have answered: each waits between once and three times this. In a farm that starts at once the first
/// nodes know nobody yet, and a range for each of them would take the link from the hand-outs.
const SEEDED_US: Micros = 2 * SECOND;
/// A busy server gets so many times what its last answer took, up to this, before it is asked for payload.
const SERVER_TIMES: Micros = 4;
const SERVER_PATIENCE_MAX_US: Micros = 20 * SECOND;
/// With peers that were asked and have not sent a block at all: between once and twice this, or of four times what the
/// server's last answer took, where that is more; the longer one where nothing is known of the server.
const UNANSWERED_US: Micros = 300 * MILLISECOND;
const UNANSWERED_UNKNOWN_US: Micros = SECOND;
/// With peers: no useful block for this long.
const STUCK_US: Micros = 3 * SECOND;
/// With peers that keep announcing new pieces: no useful block for this long, by the piece times.
const STUCK_LIVELY_US: Micros = 15 * SECOND;
const STUCK_LIVELY_MIN_US: Micros = 3 * SECOND;
/// While no more neighbours wait for pieces, the server can bear that all read on from it.
const WAITING_FEW: u64 = 3;
/// However slow pieces are, nobody waits longer for one of them.
const SLOW_MAX_US: Micros = 60 * SECOND;
/// Added at random for each neighbour, so that a rack does not fall back as one.
const SPREAD_US: Micros = 100 * MILLISECOND;
const SPREAD_MIN_US: Micros = 10 * MILLISECOND;

/// What we know of the origin of one torrent, and how the peers do without it.
pub(super) struct Origin {
    /// The fetch that runs.
    fetch: Option<FetchId>,
    /// Fetches that ended well, one after another.
    good: u32,
    backoff: Backoff,
    /// Whether it is faster than the peers.
    pub compare: Compare,
    /// What the fetch that runs has brought: pieces and their bytes.
    fetched: (u64, u64),
    fetched_at: Micros,
    moved_at: Micros,
    heard_at: Micros,
    is_alone: bool,
    /// Random part of our patience, in thousandths of the spread: drawn anew for each turn.
    patience: Option<u64>,
}

impl Origin {
    pub fn new(now: Micros) -> Self {
        Self {
            fetch: None,
            good: 0,
            backoff: Backoff::default(),
            compare: Compare::default(),
            fetched: (0, 0),
            fetched_at: now,
            moved_at: now,
            heard_at: now,
            is_alone: false,
            patience: None,
        }
    }

    /// Nothing is being fetched.
    pub fn is_idle(&self) -> bool {
        self.fetch.is_none()
    }

    /// Not to be asked before.
    pub fn rests_until(&self) -> Micros {
        self.backoff.until()
    }

    /// The last piece of a fetch, or the start.
    pub fn fetched_at(&self) -> Micros {
        self.fetched_at
    }

    /// The last useful block of a peer, or the start.
    pub fn moved_at(&self) -> Micros {
        self.moved_at
    }

    /// A peer sent something useful.
    pub fn note_moved(&mut self, now: Micros) {
        self.moved_at = now;
    }

    /// A peer announced a piece that we lack.
    pub fn note_heard(&mut self, now: Micros) {
        self.heard_at = now;
    }

    /// Whether the tracker knows nobody else.
    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// What the tracker knows.
    pub fn set_alone(&mut self, is_alone: bool) {
        self.is_alone = is_alone;
    }

    fn begin(&mut self, now: Micros, fetch: FetchId) {
        self.fetch = Some(fetch);
        self.fetched = (0, 0);
        self.compare.begin(now);
    }

    /// The fetch is over, and with it the turn.
    fn end(&mut self) {
        self.fetch = None;
        self.patience = None;
    }

    /// A peer was faster.
    fn overtaken(&mut self, now: Micros) {
        self.end();
        self.compare.refused(now);
    }

    /// A piece of a fetch has come, right or wrong.
    fn note_piece(&mut self, ok: bool) {
        if ok {
            self.backoff.succeeded()
        } else {
            self.backoff.failed()
        }
    }

    /// The server has ended the fetch.
    fn note_end(&mut self, now: Micros, retry_after: Option<Micros>, failed: bool, draw: u64) {
        self.end();
        if failed {
            self.backoff.failed();
        }
        self.good = if failed || retry_after.is_some() {
            0
        } else {
            self.good + 1
        };
        self.backoff.rest(now, retry_after, draw);
        match (self.good, self.fetched) {
            (0, _) | (_, (0, _)) => self.compare.refused(now),
            (_, (pieces, bytes)) => self.compare.end(now, bytes, pieces),
        }
    }

    /// How long a range may be while the seeder may yet serve us: twice as long after each that ended well.
    fn range_bytes(&self, piece_length: u64) -> u64 {
        RANGE_SEEDED_BYTES_MAX.min(piece_length << self.good.min(16))
    }
}

impl Swarm {
    /// Starts a fetch where peers leave us stuck.
    pub(super) fn check_origin(&mut self) {
        for at in 0..self.torrents.len() {
            let t = &self.torrents[at];
            if !t.spec.has_origin
                || !t.metadata.is_known()
                || t.done()
                || !t.origin.is_idle()
                || t.wanted.is_empty()
            {
                continue;
            }
            let due = self.origin_due(TorrentId(at as u16));
            if due > self.now {
                self.wake_at(due);
            } else {
                self.fetch(TorrentId(at as u16));
            }
        }
    }

    /// Our share of patience for this turn, in thousandths.
    pub(super) fn patience(&mut self, torrent: TorrentId) -> u64 {
        let drawn = &mut self.torrents[usize::from(torrent.0)].origin.patience;
        *drawn.get_or_insert_with(|| self.rng.below(1000))
    }

    /// How long a server that was slow to answer is not asked for what others may send.
    pub(super) fn server_busy_us(&self) -> Micros {
        SERVER_TIMES
            .saturating_mul(self.cfg.server_us)
            .min(SERVER_PATIENCE_MAX_US)
    }

    /// The same where its seeder has not yet sent its handshake. The first node of a farm had its manifest at once; when
    /// the seeder lets it wait, all the others have come since.
    pub(super) fn server_silent_us(&self) -> Micros {
        let dialled = self.peers.values().filter(|p| p.origin && !p.established);
        let waits_us = dialled.map(|p| self.now.saturating_sub(p.opened_at)).max();
        let waits_us = SERVER_TIMES.saturating_mul(waits_us.unwrap_or(0));
        self.server_busy_us().max(waits_us.min(SERVER_PATIENCE_MAX_US))
    }

    /// The server took so long for something that it was asked, microseconds.
    pub fn server_took(&mut self, took_us: Micros) {
        self.cfg.server_us = self.cfg.server_us.max(took_us);
        for t in &mut self.torrents {
            t.times.note_server(self.cfg.server_us);
        }
    }

    /// The server's seeder has sent its handshake: what others may send is waited for from now on, as long as that took.
    pub(super) fn seeder_answered(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get(&conn).filter(|p| p.origin && p.outgoing) else {
            return;
        };
        let (took_us, torrent) = (self.now.saturating_sub(peer.opened_at), peer.torrent);
        self.server_took(took_us);
        if let Some(wanted) = self.torrents[usize::from(torrent.0)].metadata.wanted() {
            wanted.wait_from(self.now);
        }
    }

    /// Neighbours that have given us something or lack something as we do, not those that only say that they have everything;
    /// and how many of them are seen to wait.
    pub(super) fn credible_neighbours(&self, torrent: TorrentId) -> (u64, u64) {
        let t = &self.torrents[usize::from(torrent.0)];
        let peers = t.slots.iter().flatten().filter_map(|c| self.peers.get(c));
        let (mut all, mut waiting) = (0, 0);
        for peer in peers.filter(|p| !p.origin && p.is_credible(t.pieces)) {
            all += 1;
            waiting += u64::from(peer.have < t.pieces && peer.has_asked);
        }
        (all, waiting)
    }

    /// Whether the origin is faster than the peers, and so few wait for it that it can bear us.
    pub(super) fn prefers_origin(&self, torrent: TorrentId) -> bool {
        let t = &self.torrents[usize::from(torrent.0)];
        t.spec.has_origin
            && t.origin.compare.is_faster()
            && self.credible_neighbours(torrent).1 <= WAITING_FEW
    }

    /// How long peers may leave us without any answer at all before the origin is tried.
    pub(super) fn unanswered_us(&mut self, torrent: TorrentId) -> Micros {
        let random = self.patience(torrent);
        let base = match self.cfg.server_us {
            0 => UNANSWERED_UNKNOWN_US,
            _ => UNANSWERED_US.max(self.server_busy_us()),
        };
        base + base * random / 1000
    }

    /// When to see whether the origin is faster than the peers.
    fn compare_due(&mut self, torrent: TorrentId) -> Option<Micros> {
        let busy = self.server_busy_us();
        let t = &self.torrents[usize::from(torrent.0)];
        let compare = &t.origin.compare;
        let (all, waiting) = self.credible_neighbours(torrent);
        if compare.is_faster() && waiting <= WAITING_FEW {
            return Some(self.now);
        }
        if let (0, Some(since)) = (all, t.intake.unanswered_since()) {
            return Some(since + self.unanswered_us(torrent));
        }
        let left = t.spec.size_bytes - t.progress.done_bytes;
        if compare.is_nearly_done(self.now, left) {
            return None;
        }
        compare.due(all + waiting * waiting, busy)
    }

    /// When patience with the peers ends.
    fn origin_due(&mut self, torrent: TorrentId) -> Micros {
        let random = self.patience(torrent);
        let busy = self.server_busy_us();
        let t = &self.torrents[usize::from(torrent.0)];
        let peers = t.neighbours();
        let others = t.known.values().any(|k| !k.seeder && k.fails < 3);
        let seeder = t.known.values().any(|k| k.seeder && k.fails == 0);
        let patience = if peers == 0 && (t.present & t.seeders != 0 || seeder && !t.origin.is_alone) {
            // Neither tracker nor seeder has answered, or the seeder has: the server is there, or busy.
            let base = SEEDED_US.max(busy);
            base + 2 * base * random / 1000
        } else if peers == 0 {
            if t.origin.is_alone || !others {
                ALONE_SURE_US
            } else {
                ALONE_US + ALONE_US * random / 2000
            }
        } else {
            let lively = t.origin.heard_at + STUCK_US > self.now;
            let base = match (lively, t.times.p95()) {
                (true, None) => STUCK_LIVELY_US,
                (true, Some(p)) => (16 * p).clamp(STUCK_LIVELY_MIN_US, STUCK_LIVELY_US.max(t.slow_us())),
                (false, p) => STUCK_US.max(busy).max(p.map_or(0, |p| 8 * p)),
            };
            base + t.spread_us() * peers * random / 1000
        };
        // Behind our own link all wait, also for what the origin sends.
        let stuck = t.origin.moved_at + patience.max(2 * t.wait_us(self.now));
        let rests = t.origin.rests_until();
        let compare = if peers > 0 {
            self.compare_due(torrent)
        } else {
            None
        };
        compare.map_or(stuck, |at| at.min(stuck)).max(rests)
    }

    /// Asks the origin for a run of pieces that nobody delivers.
    fn fetch(&mut self, torrent: TorrentId) {
        let at = usize::from(torrent.0);
        let now = self.now;
        // With neighbours each takes one random piece and shares it; alone we read on from the front.
        let reads_on = self.prefers_origin(torrent);
        let t = &self.torrents[at];
        let crowd = t.present & t.local != 0 && !reads_on;
        let first = if crowd {
            let n = t.wanted.len() as u64;
            let from = self.rng.below(n) as usize;
            let mut run = t.wanted[from..].iter().chain(&t.wanted[..from]);
            let fresh = run.clone().find(|p| !t.claims.holds(**p, now)).copied();
            fresh.or_else(|| run.next().copied())
        } else {
            t.wanted.iter().min().copied()
        };
        let Some(first) = first else {
            return;
        };
        let most = if crowd {
            1
        } else {
            let seeded = reads_on || t.known.values().any(|k| k.seeder && k.fails == 0);
            let length = u64::from(t.spec.piece_length);
            let bytes = if seeded {
                t.origin.range_bytes(length)
            } else {
                RANGE_BYTES_MAX
            };
            (bytes / length).max(1)
        };
        let mut count = 1;
        while u64::from(count) < most && t.is_wanted(first + count) {
            count += 1;
        }
        self.start_fetch(torrent, first, count);
    }

    /// Asks the origin for these pieces; each must have a free slot, and all but a single one must be wanted.
    pub(super) fn start_fetch(&mut self, torrent: TorrentId, first: u32, count: u32) {
        let at = usize::from(torrent.0);
        let Some(slot) = self.torrents[at].free_slot(first) else {
            return;
        };
        let fetch = FetchId(self.next_fetch);
        self.next_fetch = self.next_fetch.wrapping_add(1);
        for piece in first..first + count {
            self.claim(torrent, piece);
            let t = &mut self.torrents[at];
            let blocks = t.blocks_of(piece);
            t.take_wanted(piece);
            let source = Source::Fetch(fetch);
            t.jobs.push(Job::new(piece, slot, source, blocks, self.now, true));
        }
        let late = self.torrents[at].late_us(self.now);
        let now = self.now;
        self.torrents[at].origin.begin(now, fetch);
        self.wake_at(self.now + late);
        self.out.push_back(Output::Fetch {
            fetch,
            torrent,
            piece: first,
            count,
            slot,
        });
    }

    /// A piece of a fetch is not wanted any more; with the last one the fetch ends.
    pub(super) fn end_fetch(&mut self, torrent: TorrentId, fetch: FetchId) {
        let t = &mut self.torrents[usize::from(torrent.0)];
        let last = !t.jobs.iter().any(|j| j.source == Source::Fetch(fetch));
        if last && t.origin.fetch == Some(fetch) {
            t.origin.overtaken(self.now);
            self.out.push_back(Output::CancelFetch { fetch });
            self.wake_at(self.now + MILLISECOND);
        }
    }

    fn fetching(&self, fetch: FetchId) -> Option<usize> {
        self.torrents.iter().position(|t| t.origin.fetch == Some(fetch))
    }

    pub(super) fn on_fetched(&mut self, fetch: FetchId, piece: u32, ok: bool) {
        let Some(at) = self.fetching(fetch) else {
            return;
        };
        let now = self.now;
        let t = &mut self.torrents[at];
        t.origin.fetched_at = now;
        t.note_fetched(now);
        if ok && piece < t.pieces {
            t.origin.fetched.0 += 1;
            t.origin.fetched.1 += u64::from(t.piece_bytes(piece));
        }
        let Some(job) = t.job_at(piece, Source::Fetch(fetch)) else {
            // Somebody was faster; what came is too much.
            if piece < t.pieces {
                t.progress.duplicate_bytes += u64::from(t.piece_bytes(piece));
            }
            return;
        };
        t.jobs.remove(job);
        let bytes = u64::from(t.piece_bytes(piece));
        if ok && !t.has(piece) {
            t.progress.from_origin_bytes += bytes;
            t.origin.note_piece(true);
            self.piece_done(TorrentId(at as u16), piece, None);
            return;
        }
        t.progress.duplicate_bytes += bytes;
        if !ok {
            t.origin.note_piece(false);
        }
        if !t.jobs.iter().any(|j| j.piece == piece) {
            t.put_wanted(piece);
        }
        self.dirty = true;
    }

    pub(super) fn on_fetch_ended(&mut self, fetch: FetchId, retry_after: Option<Micros>, failed: bool) {
        let Some(at) = self.fetching(fetch) else {
            return;
        };
        let draw = self.rng.below(1000);
        let now = self.now;
        self.torrents[at].origin.note_end(now, retry_after, failed, draw);
        while let Some(job) = self.torrents[at]
            .jobs
            .iter()
            .position(|j| j.source == Source::Fetch(fetch))
        {
            self.drop_job(TorrentId(at as u16), job);
        }
        self.dirty = true;
        self.wake_at(self.now);
    }
}

impl Torrent {
    /// Where pieces take so long that the bounds of our patience are little more than one of them: three times the slow ones.
    pub(super) fn slow_us(&self) -> Micros {
        self.times.p95().map_or(0, |p| (3 * p).min(SLOW_MAX_US))
    }

    /// What each neighbour adds to our patience with them at most.
    pub(super) fn spread_us(&self) -> Micros {
        self.times
            .p95()
            .map_or(SPREAD_US, |p| (2 * p).clamp(SPREAD_MIN_US, SPREAD_US))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_grow_with_each_good_one_and_begin_anew_when_one_fails() {
        let mut origin = Origin::new(0);
        let piece = 64 << 10;
        let mut ranges = Vec::new();
        for ended in [
            Some(false),
            Some(false),
            Some(false),
            Some(false),
            Some(true),
            None,
        ] {
            ranges.push(origin.range_bytes(piece) / piece);
            origin.begin(0, FetchId(1));
            assert!(!origin.is_idle());
            if let Some(failed) = ended {
                origin.note_end(SECOND, None, failed, 0);
                assert!(origin.is_idle());
            }
        }
        assert_eq!(ranges, [1, 2, 4, 8, 8, 1]);
        assert_eq!(origin.rests_until(), 2 * SECOND, "one failure, no draw");
    }

    #[test]
    fn a_right_piece_ends_the_rests() {
        let mut origin = Origin::new(0);
        origin.note_piece(false);
        origin.note_end(0, None, true, 0);
        assert_eq!(origin.rests_until(), 2 * SECOND);
        origin.note_piece(true);
        origin.note_end(5, None, false, 999);
        assert_eq!(origin.rests_until(), 5);
    }
}
