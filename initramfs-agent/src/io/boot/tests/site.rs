//! A site for tests: its server, its files, a scratch directory, a console that remembers.

use std::collections::VecDeque;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use sha1::{Digest as _, Sha1};

use super::super::options::{Options, Seed};
use crate::core::manifest::testing::{Sample, artifact, hex, public, sign};
use crate::core::metainfo::{info_dictionary, infohash};
use crate::io::https::testing::{Answer, Request, Server, ok, status, trust};
use crate::io::unpack::MARKER;

pub const PIECE: u32 = 16 << 10;
pub const SECRET: &str = "s3cret-wallet";

/// One regular file as a tar archive.
pub fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    end(member(name, "0000644", content))
}

/// A root file system with an init and one more file.
pub fn root(name: &str, content: &[u8]) -> Vec<u8> {
    let init = member("sbin/init", "0000755", b"#!/bin/sh\n");
    end([init, member(name, "0000644", content)].concat())
}

fn member(name: &str, mode: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0u8; 512];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, mode);
    put(108, "0000000\0");
    put(116, "0000000\0");
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut tar = [&header[..], content].concat();
    tar.resize(tar.len().next_multiple_of(512), 0);
    tar
}

fn end(mut tar: Vec<u8>) -> Vec<u8> {
    tar.resize(tar.len() + 1024, 0);
    tar
}

/// Bytes without a pattern.
pub fn noise(len: usize) -> Vec<u8> {
    let mut rng = crate::core::rng::Rng::new(len as u64);
    (0..len).map(|_| rng.next_u64() as u8).collect()
}

/// A file of the site: name, kind, format, bytes.
pub type SiteFile = (&'static str, &'static str, &'static str, Vec<u8>);

/// What the server does with one request for a manifest.
pub enum Plan {
    /// A manifest of the files.
    Give,
    /// A manifest whose JSON was changed before it was signed.
    Alter(Box<dyn Fn(String) -> String + Send>),
    /// This answer.
    Say(fn() -> Answer),
}

/// The server of a test and what it saw.
pub struct Site {
    pub server: Server,
    pub events: Receiver<Value>,
    pub requests: Receiver<String>,
    /// The header `Authorization` of each of them, or nothing.
    pub proofs: Receiver<String>,
    /// What is answered to the events of a node that has booted, if anything.
    pub seed_s: Arc<Mutex<Option<u64>>>,
}

impl Site {
    /// Follows `plans` one after another, and the last for ever. `origin`: serves artifacts.
    pub fn new(files: Vec<SiteFile>, sample: Sample, origin: bool, plans: Vec<Plan>) -> Self {
        let (event_sender, events) = channel();
        let (request_sender, requests) = channel();
        let (proof_sender, proofs) = channel();
        let plans = Mutex::new(VecDeque::from(plans));
        let seed_s = Arc::new(Mutex::new(None::<u64>));
        let word = seed_s.clone();
        let server = Server::https("server", move |r: &Request| {
            let target = r.target();
            request_sender.send(target.to_owned()).unwrap();
            let proof = r.header("authorization").unwrap_or_default();
            proof_sender.send(proof.to_owned()).unwrap();
            if target.ends_with("/events") {
                for event in serde_json::from_slice::<Vec<Value>>(&r.body).unwrap() {
                    // The test may have seen enough.
                    let _ = event_sender.send(event);
                }
                let booted = String::from_utf8_lossy(&r.body).contains("boot.completed");
                return match word.lock().unwrap().filter(|_| booted) {
                    Some(seconds) => ok(format!(r#"{{"seed_s":{seconds}}}"#).as_bytes()),
                    None => Answer::Keep(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
                };
            }
            if let Some(name) = target.strip_prefix("/v1/artifacts/x/") {
                return match files.iter().find(|file| file.0 == name) {
                    Some(file) if origin => range(r, &file.3),
                    _ => status(404, "ARTIFACT_NOT_FOUND", ""),
                };
            }
            if let Some(name) = target.strip_prefix("/v1/torrents/") {
                let torrent = |file: &SiteFile| {
                    let info = info(file);
                    let found = name == format!("{}.torrent", hex(&infohash(&info)));
                    found.then(|| [b"d4:info", &info[..], b"e"].concat())
                };
                return match files.iter().find_map(torrent) {
                    Some(torrent) if origin => ok(&torrent),
                    _ => status(404, "ARTIFACT_NOT_FOUND", ""),
                };
            }
            let query = |name: &str| {
                let (_, rest) = target.split_once(&format!("{name}=")).unwrap();
                rest.split('&').next().unwrap().to_owned()
            };
            let base = format!("https://{}", r.header("host").unwrap());
            let url = |name: &str| format!("{base}/v1/artifacts/x/{name}");
            let list = files
                .iter()
                .map(|(name, kind, format, bytes)| artifact(name, kind, format, &url(name), PIECE, bytes));
            let sample = Sample {
                artifacts: list.collect::<Vec<_>>().join(","),
                events_url: format!("{base}/v1/nodes/{}/events", query("node")),
                node: query("node"),
                nonce: query("nonce"),
                settings: format!(r#""WALLET":"{SECRET}""#),
                ..sample.clone()
            };
            let mut plans = plans.lock().unwrap();
            let plan = if plans.len() > 1 {
                &plans.pop_front().unwrap()
            } else {
                &plans[0]
            };
            match plan {
                Plan::Give => ok(&sign(sample.json().as_bytes(), 1)),
                Plan::Alter(change) => ok(&sign(change(sample.json()).as_bytes(), 1)),
                Plan::Say(answer) => answer(),
            }
        });
        Self {
            server,
            events,
            requests,
            proofs,
            seed_s,
        }
    }

    pub fn options(&self, target: &Path) -> Options {
        Options {
            note: None,
            credentials: None,
            server: self.server.url(""),
            node: Some("n1".into()),
            target: target.to_owned(),
            handover: None,
            mount: None,
            port: 0,
            bind: Some("127.0.0.1".parse().unwrap()),
            background: false,
            seed: Seed::No,
            retry_max: Some(0),
            init: None,
            http: self.server.url("").replace("https", "http"),
            set_clock: false,
            json: false,
            lsd: false,
            dht: false,
            tracker: true,
            origin: true,
            trust: trust("ca.pem", public(1)),
        }
    }

    /// All events in the order of their numbers, which must have no gap.
    pub fn events(&self) -> Vec<Value> {
        let mut events: Vec<Value> = self.events.try_iter().collect();
        events.sort_by_key(|e| e["seq"].as_u64().unwrap());
        for (n, event) in events.iter().enumerate() {
            assert_eq!(event["seq"].as_u64(), Some(n as u64), "{events:?}");
            assert_eq!(event["boot"], events[0]["boot"]);
        }
        events
    }
}

/// The info dictionary of a file.
pub fn info((name, _, _, bytes): &SiteFile) -> Vec<u8> {
    info_dictionary(name, bytes.len() as u64, PIECE, &hashes(bytes))
}

/// The SHA-1 of its pieces.
pub fn hashes(bytes: &[u8]) -> Vec<u8> {
    bytes.chunks(PIECE as usize).flat_map(Sha1::digest).collect()
}

pub fn range(r: &Request, bytes: &[u8]) -> Answer {
    let Some(range) = r.header("range") else {
        return ok(bytes);
    };
    let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
    let last = last.min(bytes.len() - 1);
    let head = format!(
        "HTTP/1.1 206 X\r\nContent-Range: bytes {first}-{last}/{}\r\nContent-Length: {}\r\n\r\n",
        bytes.len(),
        last + 1 - first
    );
    Answer::Keep([head.as_bytes(), &bytes[first..=last]].concat())
}

/// What the console showed.
#[derive(Clone, Default)]
pub struct Console(Arc<Mutex<Vec<u8>>>);

impl Console {
    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Console {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(buf)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A directory of this test that goes with it.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "bootswarm-boot-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub fn target(&self) -> PathBuf {
        self.0.join("root")
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.target().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    pub fn is_incomplete(&self) -> bool {
        self.target().join(MARKER).exists()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
