//! `fetch` and `seed`: one torrent, one node.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::args::Args;
use super::output::Show;
use super::{read_file, usage};
use crate::core::error::{Code, Error, Result};
use crate::core::metainfo::Metainfo;
use crate::core::swarm::Progress;
use crate::io::console::{complain, say};
use crate::io::https::{Client, Url};
use crate::io::node::{Event, Node, NodeConfig, NodeHandle, TorrentConfig, known_hashes, verify_all};
use crate::io::signals;
use crate::io::store::Artifact;
use crate::io::trust::Trust;
use ring::rand::{SecureRandom, SystemRandom};

/// Longer than anybody waits; keeps sums of times within bounds.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

/// Downloads a torrent to a file.
pub(super) fn fetch(args: &Args) -> Result<()> {
    let out = args.out.as_deref().ok_or_else(|| usage("fetch needs -o OUT"))?;
    let torrent = Metainfo::parse(&read_file(&args.file)?)?;
    // Under its own name only when it is whole and right.
    let part = PathBuf::from(format!("{}.part", out.display()));
    let artifact = Artifact::file(&part, torrent.size_bytes)?;
    let mut run = Run::start(args, &torrent, &artifact, false)?;
    let mut result = run.wait(args.timeout.unwrap_or(FOREVER), true);
    if result.is_ok() && artifact.is_complete() {
        result = std::fs::rename(&part, out).map_err(|e| in_file(out, &e));
    }
    if result.is_ok() && artifact.is_complete() {
        run.report("done");
        let seed_for = if args.keep_seeding {
            Some(FOREVER)
        } else {
            args.seed_for
        };
        result = seed_for.map_or(Ok(()), |time| run.wait(time, false));
    } else if result.is_ok() {
        result = Err(Error::new(Code::ArtifactUnavailable, "stopped before the end"));
    }
    run.end();
    result
}

/// Checks a file against its torrent and serves it.
pub(super) fn seed(args: &Args) -> Result<()> {
    let data = args
        .data
        .as_deref()
        .ok_or_else(|| usage("seed needs --data PATH"))?;
    let torrent = Metainfo::parse(&read_file(&args.file)?)?;
    let artifact = Artifact::existing(data)?;
    if artifact.size_bytes() != torrent.size_bytes {
        let (is, expected) = (artifact.size_bytes(), torrent.size_bytes);
        let text = format!("{} has {is} bytes, the torrent's file {expected}", data.display());
        return Err(Error::new(Code::TorrentMalformed, text));
    }
    let wrong = verify_all(&artifact, torrent.piece_length, &torrent.pieces)?;
    if wrong > 0 {
        let text = format!("{wrong} pieces of {} are not the torrent's", data.display());
        return Err(Error::new(Code::ArtifactBadSha256, text));
    }
    let mut run = Run::start(args, &torrent, &artifact, true)?;
    let result = run.wait(args.seed_for.unwrap_or(FOREVER), false);
    run.end();
    result
}

/// A running node and what it has reported.
struct Run {
    handle: NodeHandle,
    events: Receiver<Event>,
    thread: JoinHandle<Result<()>>,
    started: Instant,
    took: Option<Duration>,
    progress: Progress,
    json: bool,
    stopped: bool,
}

impl Run {
    fn start(args: &Args, torrent: &Metainfo, artifact: &Arc<Artifact>, have_all: bool) -> Result<Self> {
        let mut cfg = NodeConfig::new(peer_id()?, random()?);
        cfg.port = args.port;
        cfg.bind = args.bind;
        // BEP 27: a private torrent is announced to its trackers only.
        cfg.lsd = args.lsd && !torrent.private;
        cfg.dht = !args.dht.is_empty() && !torrent.private;
        cfg.dht_bootstrap = args.dht.clone();
        cfg.http = Some(client(args)?);
        let mut node = Node::new(cfg)?;
        let id = node.add_torrent(TorrentConfig {
            infohash: torrent.infohash,
            name: torrent.name.clone(),
            piece_length: torrent.piece_length,
            pieces: known_hashes(torrent.pieces.clone()),
            torrent_url: None,
            artifact: Arc::clone(artifact),
            have_all,
            origins: origins(args, torrent),
            seeders: Vec::new(),
            trackers: trackers(args, torrent),
            first_answer: None,
        })?;
        let handle = node.handle();
        let for_signal = handle.clone();
        signals::on_stop(move || for_signal.stop())?;
        let port = node.port();
        let (sender, events) = channel();
        let started = Instant::now();
        handle.add_peers(id, args.peers.clone());
        let thread = node.spawn(sender)?;
        let hash: String = torrent.infohash.iter().map(|b| format!("{b:02x}")).collect();
        if args.json {
            let members = [
                ("type", "started".into()),
                ("port", u64::from(port).into()),
                ("infohash", hash.as_str().into()),
                ("name", torrent.name.as_str().into()),
                ("size_bytes", torrent.size_bytes.into()),
            ];
            Show::object(members).print_json();
        } else {
            say(&format!(
                "{} ({hash}), {} bytes, port {port}",
                torrent.name, torrent.size_bytes
            ));
        }
        Ok(Self {
            handle,
            events,
            thread,
            started,
            took: None,
            progress: Progress::default(),
            json: args.json,
            stopped: false,
        })
    }

    /// Handles events until the download is done (if `until_done`), the node has stopped or time is up,
    /// which is an error only for a download.
    fn wait(&mut self, time: Duration, until_done: bool) -> Result<()> {
        let until = Instant::now() + time;
        loop {
            match self
                .events
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(Event::TorrentDone { progress, .. }) => {
                    self.progress = progress;
                    self.took = Some(self.started.elapsed());
                    if until_done {
                        return Ok(());
                    }
                }
                Ok(Event::Stopped) | Err(RecvTimeoutError::Disconnected) => {
                    self.stopped = true;
                    return Ok(());
                }
                Ok(Event::Failed { error, .. }) => return Err(error),
                Ok(event) => self.show(&event),
                Err(RecvTimeoutError::Timeout) if until_done => {
                    let text = format!("not whole after {} s", time.as_secs());
                    return Err(Error::new(Code::ArtifactUnavailable, text));
                }
                Err(RecvTimeoutError::Timeout) => return Ok(()),
            }
        }
    }

    fn show(&mut self, event: &Event) {
        match event {
            Event::Progress { progress: p, .. } => {
                self.progress = *p;
                if self.json {
                    let members = [
                        ("type", "progress".into()),
                        ("done_bytes", p.done_bytes.into()),
                        ("peers", u64::from(p.peers).into()),
                        ("from_peers_bytes", p.from_peers_bytes.into()),
                        ("from_origin_bytes", p.from_origin_bytes.into()),
                        ("uploaded_bytes", p.uploaded_bytes.into()),
                    ];
                    Show::object(members).print_json();
                }
            }
            Event::Banned { addr, code } => self.complain(&format!("{addr}"), code.as_str()),
            Event::Refused { addr, error } => self.complain(&addr.to_string(), &error.to_string()),
            Event::TrackerFailed { url, error } | Event::OriginFailed { url, error } => {
                self.complain(url, &error.to_string())
            }
            _ => {}
        }
    }

    fn complain(&self, who: &str, what: &str) {
        if self.json {
            let members = [
                ("type", "problem".into()),
                ("who", who.into()),
                ("what", what.into()),
            ];
            Show::object(members).print_json();
        } else {
            complain(&format!("{who}: {what}"));
        }
    }

    fn report(&self, kind: &str) {
        let p = &self.progress;
        let took = self.took.unwrap_or_else(|| self.started.elapsed());
        // Whole numbers: what prints fractions takes 10 kB.
        let seconds = format!("{}.{:06}", took.as_secs(), took.subsec_micros());
        if self.json {
            let members = [
                ("type", kind.into()),
                ("seconds", Show::Plain(seconds)),
                ("bytes", p.done_bytes.into()),
                ("from_peers_bytes", p.from_peers_bytes.into()),
                ("from_origin_bytes", p.from_origin_bytes.into()),
                ("duplicate_bytes", p.duplicate_bytes.into()),
                ("uploaded_bytes", p.uploaded_bytes.into()),
                ("rss_peak_bytes", rss_peak_bytes().into()),
            ];
            Show::object(members).print_json();
        } else {
            say(&format!(
                "{kind}: {} bytes in {seconds} s, {} from peers, {} from the origin, {} twice, {} uploaded",
                p.done_bytes, p.from_peers_bytes, p.from_origin_bytes, p.duplicate_bytes, p.uploaded_bytes
            ));
        }
    }

    /// Stops the node and says how it went.
    fn end(mut self) {
        self.handle.stop();
        while !self.stopped {
            match self.events.recv() {
                Ok(Event::Stopped) | Err(_) => self.stopped = true,
                Ok(Event::Progress { progress, .. }) => self.progress = progress,
                Ok(_) => {}
            }
        }
        self.report("summary");
        // Its error, if any, has been reported as that of the artifact.
        let _ = self.thread.join();
    }
}

fn origins(args: &Args, torrent: &Metainfo) -> Vec<String> {
    let web_seeds = torrent.web_seeds.iter().map(|url| {
        if url.ends_with('/') {
            // BEP 19: a directory
            format!("{url}{}", torrent.name)
        } else {
            url.clone()
        }
    });
    let all = args.origins.iter().cloned().chain(web_seeds);
    // Names are never resolved: web seeds with host names are left out.
    all.filter(|url| Url::parse(url).is_ok()).collect()
}

fn trackers(args: &Args, torrent: &Metainfo) -> Vec<String> {
    // Those of the file with host names are left out: names are never resolved. Those given as options stay, and
    // their failures are shown.
    let usable = torrent.trackers.iter().filter(|url| Url::parse(url).is_ok());
    args.trackers.iter().chain(usable).cloned().collect()
}

fn client(args: &Args) -> Result<Client> {
    let mut client = match &args.ca {
        // No manifest is read here, so any key will do.
        Some(path) => Client::new(&Trust::new(&read_file(path)?, vec![[0; 32]])?),
        None => Client::without_trust(),
    };
    if let Some(ip) = args.bind {
        client.set_bind(ip);
    }
    Ok(client)
}

fn random() -> Result<u64> {
    let mut bytes = [0; 8];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| Error::new(Code::Io, "no random numbers"))?;
    Ok(u64::from_le_bytes(bytes))
}

/// `-BW0001-` and twelve letters or digits.
fn peer_id() -> Result<[u8; 20]> {
    let mut id = *b"-BW0001-............";
    let mut bits = u128::from(random()?) << 64 | u128::from(random()?);
    for byte in &mut id[8..] {
        *byte = b"abcdefghijklmnopqrstuvwxyz0123456789"[(bits % 36) as usize];
        bits /= 36;
    }
    Ok(id)
}

/// The most memory this process has had resident, bytes; 0 where there is no `/proc`.
fn rss_peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

fn in_file(path: &Path, e: &std::io::Error) -> Error {
    Error::new(Code::Io, format!("{}: {e}", path.display()))
}
