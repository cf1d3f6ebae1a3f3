//! Two threads that do blocking HTTP for the loop: ranges of an origin, and trackers.
//!
//! Pieces of an origin go into a memory of the request's own and are copied into place by the loop:
//! so a server's bytes can never overwrite what a peer delivered and was verified meanwhile.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mio::Waker;
use sha1::{Digest, Sha1};

use crate::core::discovery::HttpId;
use crate::core::error::{Code, Error, Result};
use crate::core::limits::{TORRENT_BYTES_MAX, TRACKER_ANSWER_BYTES_MAX};
use crate::core::metainfo::{Metainfo, info_dictionary};
use crate::core::swarm::{FetchId, TorrentId};
use crate::io::https::{Client, Timeouts};
use crate::io::store::Artifact;

const THREADS: usize = 2;
/// Enough for a TLS handshake in a debug build; pages that are not touched cost nothing.
const STACK_BYTES: usize = 512 << 10;
const READ_BYTES: usize = 32 << 10;
/// Of an error's body.
const ERROR_BYTES_MAX: usize = 4 << 10;
/// A tracker that a whole farm asks at once over a slow link may take seconds; asking anew would make it worse.
const TRACKER_TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(10),
    idle: Duration::from_secs(10),
    total: Duration::from_secs(15),
};

/// A range of whole pieces to get from an origin.
pub(super) struct Range {
    pub fetch: FetchId,
    pub url: String,
    /// First byte of the file.
    pub first: u64,
    /// Bytes in all.
    pub len: u64,
    pub piece: u32,
    pub piece_length: u32,
    /// 20 bytes for each piece of the range.
    pub hashes: Vec<u8>,
    pub cancelled: Arc<AtomicBool>,
}

/// Results.
pub(super) enum Done {
    /// A piece lies, with its hash checked, at `at` of `scratch`.
    Piece {
        fetch: FetchId,
        piece: u32,
        ok: bool,
        scratch: Arc<Artifact>,
        at: u64,
        len: u32,
    },
    /// The range has ended.
    Ended {
        fetch: FetchId,
        retry_after_s: Option<u64>,
        /// Of what was asked, with why it did not come whole.
        failed: Option<(String, Error)>,
    },
    /// A metainfo file has come, or has not.
    Torrent {
        torrent: TorrentId,
        info: Option<Vec<u8>>,
        retry_after_s: Option<u64>,
        /// Of what was asked, with why it did not come.
        failed: Option<(String, Error)>,
    },
    /// A tracker has answered.
    Http {
        id: HttpId,
        result: std::result::Result<Vec<u8>, Code>,
    },
}

#[derive(Default)]
struct Queue {
    ranges: VecDeque<Range>,
    torrents: VecDeque<(TorrentId, String)>,
    gets: VecDeque<(HttpId, String)>,
    closed: bool,
}

/// The threads and their queue. Dropped, they end after the request that they are doing.
pub(super) struct Pool {
    shared: Arc<(Mutex<Queue>, Condvar)>,
}

impl Pool {
    /// Starts the threads. Answers go to `done`, and `waker` is called after each.
    pub fn start(client: &Client, done: &Sender<Done>, waker: &Arc<Waker>) -> Result<Self> {
        let shared = Arc::new((Mutex::new(Queue::default()), Condvar::new()));
        for index in 0..THREADS {
            let worker = Worker {
                shared: Arc::clone(&shared),
                ranges: client.clone(),
                trackers: client.clone(),
                done: done.clone(),
                waker: Arc::clone(waker),
                ranges_first: index == 0,
            };
            let builder = std::thread::Builder::new()
                .name("http".into())
                .stack_size(STACK_BYTES);
            builder.spawn(move || worker.run())?;
        }
        Ok(Self { shared })
    }

    /// Queues a range.
    pub fn fetch(&self, range: Range) {
        lock(&self.shared.0).ranges.push_back(range);
        self.shared.1.notify_all();
    }

    /// Queues a request for a metainfo file.
    pub fn torrent(&self, torrent: TorrentId, url: String) {
        lock(&self.shared.0).torrents.push_back((torrent, url));
        self.shared.1.notify_all();
    }

    /// Queues a request to a tracker.
    pub fn get(&self, id: HttpId, url: String) {
        lock(&self.shared.0).gets.push_back((id, url));
        self.shared.1.notify_all();
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let mut queue = lock(&self.shared.0);
        queue.closed = true;
        queue.ranges.clear();
        queue.torrents.clear();
        self.shared.1.notify_all();
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

enum Job {
    Range(Range),
    Torrent(TorrentId, String),
    Get(HttpId, String),
}

struct Worker {
    shared: Arc<(Mutex<Queue>, Condvar)>,
    ranges: Client,
    trackers: Client,
    done: Sender<Done>,
    waker: Arc<Waker>,
    /// One thread prefers ranges, the other trackers, so that neither kind can hold up the other.
    ranges_first: bool,
}

impl Worker {
    fn run(mut self) {
        self.trackers.set_timeouts(TRACKER_TIMEOUTS);
        while let Some(job) = self.next() {
            match job {
                Job::Range(range) => {
                    let (retry_after_s, failed) = match self.range(&range) {
                        Ok(retry_after_s) => (retry_after_s, None),
                        Err(error) => (None, Some((range.url, error))),
                    };
                    let fetch = range.fetch;
                    self.report(Done::Ended {
                        fetch,
                        retry_after_s,
                        failed,
                    });
                }
                Job::Torrent(torrent, url) => {
                    let (info, retry_after_s, failed) = match self.torrent(&url) {
                        Ok(Ok(info)) => (Some(info), None, None),
                        Ok(Err(retry_after_s)) => (None, Some(retry_after_s), None),
                        Err(error) => (None, None, Some((url, error))),
                    };
                    self.report(Done::Torrent {
                        torrent,
                        info,
                        retry_after_s,
                        failed,
                    });
                }
                Job::Get(id, url) => {
                    let result = self.get(&url).map_err(|e| e.code);
                    self.report(Done::Http { id, result });
                }
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = lock(&self.shared.0);
        loop {
            let torrent = |q: &mut Queue| q.torrents.pop_front().map(|(id, url)| Job::Torrent(id, url));
            let range = |q: &mut Queue| torrent(q).or_else(|| q.ranges.pop_front().map(Job::Range));
            let get = |q: &mut Queue| q.gets.pop_front().map(|(id, url)| Job::Get(id, url));
            let job = if self.ranges_first {
                range(&mut queue).or_else(|| get(&mut queue))
            } else {
                get(&mut queue).or_else(|| range(&mut queue))
            };
            // Announces that are queued when the pool closes are still sent: trackers hear that we leave.
            if job.is_some() || queue.closed {
                return job;
            }
            queue = self.shared.1.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn report(&self, done: Done) {
        if self.done.send(done).is_ok() {
            let _ = self.waker.wake();
        }
    }

    fn get(&self, url: &str) -> Result<Vec<u8>> {
        let response = self.trackers.get(url, None)?;
        if response.status != 200 {
            return Err(Error::new(Code::HttpStatus, "not 200"));
        }
        let mut body = Vec::new();
        let mut limited = response.take(TRACKER_ANSWER_BYTES_MAX as u64 + 1);
        limited.read_to_end(&mut body).map_err(|e| io_code(&e))?;
        Ok(body)
    }

    /// Gets the info dictionary of a metainfo file, made anew from what it says: only a dictionary of the form of
    /// docs/manifest.md then has its infohash. Or the time that a busy server asks for.
    fn torrent(&self, url: &str) -> Result<std::result::Result<Vec<u8>, u64>> {
        let response = self.ranges.get(url, None)?;
        if matches!(response.status, 503 | 429) {
            return Ok(Err(response.retry_after_s.unwrap_or(1)));
        }
        let metainfo = Metainfo::parse(&response.check()?.read_all(TORRENT_BYTES_MAX)?)?;
        let Metainfo {
            name,
            size_bytes,
            piece_length,
            pieces,
            ..
        } = metainfo;
        Ok(Ok(info_dictionary(&name, size_bytes, piece_length, &pieces)))
    }

    /// Gets a range; `Some` is the time that a busy server asks for.
    fn range(&self, range: &Range) -> Result<Option<u64>> {
        let cancelled = || range.cancelled.load(Ordering::Relaxed);
        if cancelled() {
            return Ok(None);
        }
        let last = range.first + range.len - 1;
        let mut response = self.ranges.get(&range.url, Some((range.first, last)))?;
        let whole = match response.status {
            206 => response
                .content_range
                .is_some_and(|(f, l, _)| (f, l) == (range.first, last)),
            // A server without ranges is of use only for the whole file.
            200 => range.first == 0 && response.content_length == Some(range.len),
            503 | 429 => {
                let retry_after_s = response.retry_after_s.unwrap_or(1);
                // To its end, so that the connection can be used again: another TLS
                // handshake would cost a busy server more.
                let _ = response.read_all(ERROR_BYTES_MAX);
                return Ok(Some(retry_after_s));
            }
            _ => false,
        };
        if !whole {
            return Err(Error::new(Code::HttpStatus, "not the range that was asked for"));
        }
        let scratch = Artifact::memory(range.len)?;
        let mut buffer = vec![0; READ_BYTES];
        for (index, hash) in range.hashes.chunks_exact(20).enumerate() {
            let at = index as u64 * u64::from(range.piece_length);
            let len = (range.len - at).min(u64::from(range.piece_length)) as u32;
            let mut sha1 = Sha1::new();
            let mut filled = 0;
            while filled < len {
                if cancelled() {
                    return Ok(None);
                }
                let room = READ_BYTES.min((len - filled) as usize);
                let n = response.read(&mut buffer[..room]).map_err(|e| io_code(&e))?;
                if n == 0 {
                    return Err(Error::new(Code::HttpMalformed, "the answer ended early"));
                }
                sha1.update(&buffer[..n]);
                scratch.write_at(at + u64::from(filled), &buffer[..n])?;
                filled += n as u32;
            }
            let ok = sha1.finalize().as_slice() == hash;
            let (fetch, piece) = (range.fetch, range.piece + index as u32);
            self.report(Done::Piece {
                fetch,
                piece,
                ok,
                scratch: Arc::clone(&scratch),
                at,
                len,
            });
            if !ok {
                return Err(Error::new(Code::OriginBadPiece, "wrong bytes"));
            }
        }
        // To the end of the body, so that the connection can be used again.
        let _ = response.read(&mut buffer[..1]);
        Ok(None)
    }
}

fn io_code(e: &std::io::Error) -> Error {
    let inner = e.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    inner
        .cloned()
        .unwrap_or_else(|| Error::new(Code::ServerUnreachable, e.to_string()))
}
