//! Sends events to the server in batches, from a thread of its own that a boot never waits for.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::credentials::{Credentials, Ticket};
use super::identity::random;
use super::{retry, waking};
use crate::core::error::Result;
use crate::core::rng::Rng;
use crate::core::{giveback, wake};
use crate::io::https::{Client, Response, Timeouts, Url};

/// Events that wait for a server that does not answer.
const QUEUE_MAX: usize = 256;
/// Events in one post (docs/protocol.md).
const BATCH_MAX: usize = 64;
/// Bytes in one post (docs/protocol.md).
const BATCH_BYTES_MAX: usize = 64 << 10;
/// After the first event, for others to join it.
const LINGER: Duration = Duration::from_millis(300);
/// Nobody waits for this thread. Where a whole farm fills the server's link for a while, an agent that
/// gives up early needs another TLS handshake, which fills it more.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(20),
    idle: Duration::from_secs(20),
    total: Duration::from_secs(60),
};
const STACK_BYTES: usize = 512 << 10;

#[derive(Default)]
struct State {
    queue: VecDeque<(String, bool)>,
    url: Option<String>,
    /// The server's last answer about seeding, until it is taken.
    seed_s: Option<u64>,
    closing: bool,
    done: bool,
    /// It ended because nothing was left.
    all_sent: bool,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module.
pub struct Reporter {
    shared: Arc<Shared>,
}

impl Reporter {
    /// Starts the thread; it waits for [`Reporter::set_url`]. What it posts is signed with the node's key, if it has one.
    ///
    /// # Errors
    /// `IO` when there can be no thread.
    pub fn start(client: Client, credentials: Option<Arc<Credentials>>) -> Result<Self> {
        Self::start_with(client, credentials, TIMEOUTS)
    }

    /// The same with timeouts of the caller's.
    ///
    /// # Errors
    /// `IO` when there can be no thread.
    pub fn start_with(
        mut client: Client,
        credentials: Option<Arc<Credentials>>,
        timeouts: Timeouts,
    ) -> Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let theirs = shared.clone();
        client.set_timeouts(timeouts);
        let rng = Rng::new(u64::from_le_bytes(random()?));
        let builder = std::thread::Builder::new()
            .name("events".into())
            .stack_size(STACK_BYTES);
        builder.spawn(move || {
            let post = |url: &str, body: &[u8]| {
                let proof = |method: &str, target: &str, body: &[u8]| {
                    let signed = credentials.as_deref();
                    signed.map_or(String::new(), |c| c.header(method, target, body, Ticket::Unused))
                };
                client.post(url, "application/json", body, &proof)
            };
            let all_sent = send_all(&theirs, &post, rng);
            let mut state = theirs.lock();
            state.done = true;
            state.all_sent = all_sent;
            drop(state);
            theirs.changed.notify_all();
        })?;
        Ok(Self { shared })
    }

    /// Where events go from now on.
    pub fn set_url(&self, url: &str) {
        self.shared.lock().url = Some(url.to_owned());
        self.shared.changed.notify_all();
    }

    /// Queues an event. When the queue is full, the oldest progress goes first, then the oldest of all.
    pub fn push(&self, event: String, is_progress: bool) {
        let mut state = self.shared.lock();
        state.queue.push_back((event, is_progress));
        bound(&mut state.queue);
        self.shared.changed.notify_all();
    }

    /// What the server has answered about seeding since the last call, seconds (docs/protocol.md).
    pub fn take_seed_s(&self) -> Option<u64> {
        self.shared.lock().seed_s.take()
    }

    /// Sends what waits, once, for at most `patience`; whether the server has all of it. Later events are lost.
    pub fn finish(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut state = self.shared.lock();
        state.closing = true;
        self.shared.changed.notify_all();
        while !state.done {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false; // the process ends soon, and the thread with it
            }
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        state.all_sent
    }
}

fn bound(queue: &mut VecDeque<(String, bool)>) {
    while queue.len() > QUEUE_MAX {
        let victim = queue
            .iter()
            .position(|(_, is_progress)| *is_progress)
            .unwrap_or(0);
        queue.remove(victim);
    }
}

/// Whether the server has taken all, when it ends.
fn send_all(shared: &Shared, post: &dyn Fn(&str, &[u8]) -> Result<Response>, mut rng: Rng) -> bool {
    let mut taken = true;
    let mut failures = 0;
    let mut rest = Duration::ZERO;
    while let Some((url, batch)) = next_batch(shared, rest) {
        let body = format!(
            "[{}]",
            batch
                .iter()
                .map(|(event, _)| event.as_str())
                .collect::<Vec<_>>()
                .join(",")
        );
        let answer = post(&url, body.as_bytes()).and_then(|answer| {
            let (status, retry_after_s) = (answer.status, answer.retry_after_s);
            let body = answer.read_all(4096)?;
            Ok((status, retry_after_s, body))
        });
        // What the server will never take is dropped, what it could not take now is kept.
        let keep = !matches!(answer, Ok((200..=299 | 400..=428 | 430..=499, _, _)));
        if !keep {
            taken &= matches!(answer, Ok((200..=299, _, _)));
            if let Ok((_, _, body)) = answer {
                obey(shared, &url, &body);
            }
            (failures, rest) = (0, Duration::ZERO);
            continue;
        }
        failures += 1;
        rest = retry::wait(failures, answer.ok().and_then(|(_, wait, _)| wait), &mut rng);
        let mut state = shared.lock();
        if state.closing {
            return false;
        }
        for event in batch.into_iter().rev() {
            state.queue.push_front(event);
        }
        bound(&mut state.queue);
    }
    taken
}

/// What the server wants of this node, in its answer to a report.
fn obey(shared: &Shared, url: &str, body: &[u8]) {
    if let Some(seconds) = giveback::seed_s(body) {
        shared.lock().seed_s = Some(seconds);
    }
    let macs = wake::wanted(body);
    if macs.is_empty() {
        return;
    }
    // Who asked for it sees whether the machine comes.
    let _ = Url::parse(url).map(|url| waking::wake(url.addr, &macs));
}

/// Waits for something to send, lets others join it, and takes it. `None`: the end.
fn next_batch(shared: &Shared, rest: Duration) -> Option<(String, Vec<(String, bool)>)> {
    let mut state = shared.lock();
    while (state.queue.is_empty() || state.url.is_none()) && !state.closing {
        state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    let until = Instant::now() + rest.max(LINGER);
    while !state.closing && (!rest.is_zero() || state.queue.len() < BATCH_MAX) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        state = shared
            .changed
            .wait_timeout(state, left)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
    }
    let url = state.url.clone()?;
    let mut bytes = 2;
    let mut count = 0;
    for (event, _) in state.queue.iter().take(BATCH_MAX) {
        bytes += event.len() + 1;
        if bytes > BATCH_BYTES_MAX {
            break;
        }
        count += 1;
    }
    let batch: Vec<_> = state.queue.drain(..count).collect();
    (!batch.is_empty()).then_some((url, batch))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::channel;

    use super::*;
    use crate::io::https::testing::{Answer, Request, Server, status, trust};

    fn no_content() -> Answer {
        Answer::Keep(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())
    }

    fn reporter() -> Reporter {
        Reporter::start(Client::new(&trust("ca.pem", [0; 32])), None).unwrap()
    }

    #[test]
    fn posts_arrays_in_order_and_flushes_at_the_end() {
        let (sender, posts) = channel();
        let server = Server::https("server", move |r: &Request| {
            sender
                .send((r.target().to_owned(), String::from_utf8(r.body.clone()).unwrap()))
                .unwrap();
            no_content()
        });
        let reporter = reporter();
        for n in 0..100 {
            reporter.push(n.to_string(), false);
        }
        reporter.set_url(&server.url("/v1/nodes/n1/events"));
        reporter.finish(Duration::from_secs(20));
        let all: Vec<String> = posts
            .try_iter()
            .flat_map(|(target, body)| {
                assert_eq!(target, "/v1/nodes/n1/events");
                let inner = body
                    .strip_prefix('[')
                    .unwrap()
                    .strip_suffix(']')
                    .unwrap()
                    .to_owned();
                let events: Vec<String> = inner.split(',').map(str::to_owned).collect();
                assert!(events.len() <= 64);
                events
            })
            .collect();
        assert_eq!(all, (0..100).map(|n| n.to_string()).collect::<Vec<_>>());
    }

    #[test]
    fn keeps_what_a_busy_server_refused_and_drops_what_it_never_takes() {
        let count = AtomicUsize::new(0);
        let (sender, posts) = channel();
        let server = Server::https("server", move |r: &Request| {
            sender.send(String::from_utf8(r.body.clone()).unwrap()).unwrap();
            match count.fetch_add(1, Ordering::SeqCst) {
                0 => status(503, "REPORTS_NOT_SAVED", "Retry-After: 1\r\n"),
                1 => status(400, "EVENTS_INVALID", ""),
                _ => no_content(),
            }
        });
        let reporter = reporter();
        reporter.set_url(&server.url("/"));
        let wait = || posts.recv_timeout(Duration::from_secs(20)).unwrap();
        reporter.push("1".into(), false);
        assert_eq!((wait(), wait()), ("[1]".into(), "[1]".into()));
        reporter.push("2".into(), false);
        assert_eq!(wait(), "[2]");
        reporter.finish(Duration::from_secs(20));
        assert!(posts.try_recv().is_err());
    }

    #[test]
    fn rests_as_long_as_a_busy_server_asks() {
        let count = AtomicUsize::new(0);
        let (sender, posts) = channel();
        let server = Server::https("server", move |_: &Request| {
            sender.send(Instant::now()).unwrap();
            match count.fetch_add(1, Ordering::SeqCst) {
                0 => status(503, "REPORTS_NOT_SAVED", "Retry-After: 2\r\n"),
                1 => status(429, "REPORTS_TOO_MANY", "Retry-After: 3\r\n"),
                _ => no_content(),
            }
        });
        let reporter = reporter();
        reporter.set_url(&server.url("/"));
        reporter.push("1".into(), false);
        let wait = || posts.recv_timeout(Duration::from_secs(60)).unwrap();
        let (first, second, third) = (wait(), wait(), wait());
        assert!(second - first >= Duration::from_secs(2));
        assert!(third - second >= Duration::from_secs(3));
        assert!(reporter.finish(Duration::from_secs(60)));
    }

    #[test]
    fn what_a_busy_server_refused_is_bounded_and_progress_goes_first() {
        let (sender, posts) = channel();
        let server = Server::https("server", move |r: &Request| {
            let _ = sender.send(String::from_utf8(r.body.clone()).unwrap());
            status(503, "REPORTS_NOT_SAVED", "")
        });
        let reporter = reporter();
        reporter.set_url(&server.url("/"));
        reporter.push("0".into(), false);
        assert_eq!(posts.recv_timeout(Duration::from_secs(60)).unwrap(), "[0]");
        for n in 1..2 * QUEUE_MAX {
            reporter.push(n.to_string(), true);
        }
        assert!(reporter.shared.lock().queue.len() <= QUEUE_MAX);
        let again = posts.recv_timeout(Duration::from_secs(60)).unwrap();
        assert!(again.starts_with("[0,"), "what is no progress is kept: {again}");
    }

    #[test]
    fn a_full_queue_drops_progress_first() {
        let mut queue = VecDeque::new();
        for n in 0..QUEUE_MAX + 30 {
            queue.push_back((n.to_string(), n % 16 == 15));
            bound(&mut queue);
        }
        assert_eq!(queue.len(), QUEUE_MAX);
        // 16 of the first 256 are progress and go first; then the oldest.
        assert!(queue.iter().take(200).all(|(_, is_progress)| !is_progress));
        assert_eq!(queue.back().unwrap().0, (QUEUE_MAX + 29).to_string());
    }

    #[test]
    fn a_server_that_is_gone_holds_nobody_up() {
        let gone = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let reporter = reporter();
        reporter.set_url(&format!("https://{gone}/"));
        let started = Instant::now();
        for n in 0..1000 {
            reporter.push(n.to_string(), n % 2 == 0);
        }
        reporter.finish(Duration::from_secs(5));
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}
