//! Whole boots in this process: a real TLS server, the real event loop, real files.

mod again;
mod clock;
mod detached;
mod mounting;
mod site;
mod tickets;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;

use serde_json::Value;

use self::site::{Console, PIECE, Plan, SECRET, Scratch, Site, SiteFile, hashes, info, noise, root, tar};
use super::background::Notifier;
use super::options::{Options, Seed};
use super::{Stop, run};
use crate::core::manifest::testing::{Sample, public};
use crate::core::metainfo::infohash;
use crate::io::https::testing::{Answer, Request, Server, ok, status, trust};
use crate::io::node::{Node, NodeConfig, TorrentConfig, known_hashes};
use crate::io::store::Artifact;
use crate::io::unpack::{MARKER, TargetRoot};

fn boot(options: Options) -> (i32, String) {
    let console = Console::default();
    let code = run(
        options,
        Notifier::none(),
        &Stop::default(),
        Box::new(console.clone()),
    )
    .unwrap();
    (code, console.text())
}

/// No trackers, seeders or DHT.
fn alone() -> Sample {
    Sample {
        seeders: String::new(),
        trackers: String::new(),
        ..Sample::default()
    }
}

fn root_and_plugins() -> Vec<SiteFile> {
    vec![
        (
            "root.tar",
            "rootfs",
            "tar",
            // More pieces than the manifest has hashes of.
            root("etc/os-release", &noise(300_000)),
        ),
        ("a.tar", "plugin", "tar", tar("etc/a", b"plugin a")),
        ("b.squashfs", "plugin", "squashfs", noise(50_000)),
    ]
}

fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|e| e["type"] == kind).collect()
}

#[test]
fn boots_with_only_the_https_origin_alive() {
    let scratch = Scratch::new();
    // A tracker and a seeder that nobody is at: port 1 of loopback refuses.
    let dead = Sample {
        trackers: r#""http://127.0.0.1:1/announce""#.into(),
        seeders: r#""127.0.0.1:1""#.into(),
        ..Sample::default()
    };
    let files = root_and_plugins();
    let site = Site::new(files.clone(), dead, true, vec![Plan::Give]);
    let (code, console) = boot(site.options(&scratch.target()));
    assert_eq!(code, 0, "{console}");
    assert_eq!(scratch.read("etc/os-release"), noise(300_000));
    assert_eq!(scratch.read("etc/a"), b"plugin a");
    assert_eq!(scratch.read(".bootswarm/b.squashfs"), files[2].3);
    assert_eq!(scratch.read("etc/hostname"), b"rig-1\n");
    assert_eq!(
        scratch.read("etc/environment"),
        format!("WALLET={SECRET}\n").as_bytes()
    );
    assert!(!scratch.is_incomplete());
    let events = site.events();
    let kinds: Vec<&str> = events
        .iter()
        .map(|e| e["type"].as_str().unwrap())
        // They come from threads of their own.
        .filter(|k| !["machine.inventory", "progress"].contains(k))
        .collect();
    assert_eq!(of(&events, "machine.inventory").len(), 1);
    assert_eq!(&kinds[..2], ["boot.started", "manifest.verified"]);
    assert_eq!(&kinds[kinds.len() - 2..], ["boot.completed", "seeding.ended"]);
    assert_eq!(of(&events, "artifact.started").len(), 3);
    assert_eq!(of(&events, "artifact.downloaded").len(), 3);
    let unpacked: Vec<&str> = of(&events, "artifact.unpacked")
        .iter()
        .map(|e| e["data"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(unpacked, ["root.tar", "a.tar", "b.squashfs"]);
    let total: usize = files.iter().map(|f| f.3.len()).sum();
    let completed = &of(&events, "boot.completed")[0]["data"];
    assert_eq!(
        (
            completed["from_origin_bytes"].as_u64(),
            completed["from_peers_bytes"].as_u64()
        ),
        (Some(total as u64), Some(0))
    );
    assert_eq!(completed["version"], 3);
    let asked = site.requests.try_iter().next().unwrap();
    let boot = events[0]["boot"].as_str().unwrap();
    assert!(
        asked.contains(&format!("&boot={boot}&arch={}&port=", std::env::consts::ARCH)),
        "{asked}"
    );
    assert!(
        console.contains("root complete after") && console.is_ascii(),
        "{console}"
    );
    assert!(!console.contains(SECRET) && !events.iter().any(|e| e.to_string().contains(SECRET)));
}

#[test]
fn a_node_seeds_until_the_server_says_that_the_storm_is_over() {
    for (seed_s, reason) in [(0, "storm-over"), (900, "time")] {
        let scratch = Scratch::new();
        let site = Site::new(root_and_plugins(), alone(), true, vec![Plan::Give]);
        *site.seed_s.lock().unwrap() = Some(seed_s);
        let mut options = site.options(&scratch.target());
        options.seed = Seed::Seconds(8);
        let (code, console) = boot(options);
        assert_eq!(code, 0, "{console}");
        let events = site.events();
        let ended = &of(&events, "seeding.ended")[0]["data"];
        assert_eq!(ended["reason"], reason);
        // The squashfs is the booted system's own.
        let given_back = ended["given_back_bytes"].as_u64().unwrap();
        assert!(given_back > 300_000 && given_back < 310_000, "{ended}");
        assert_eq!(scratch.read(".bootswarm/b.squashfs"), noise(50_000));
        assert!(console.contains("seeding ends, "), "{console}");
    }
}

#[test]
fn boots_with_only_peers_alive_after_the_manifest() {
    boots_from_a_peer(false);
}

#[test]
fn boots_with_the_peers_that_came_with_the_manifest() {
    boots_from_a_peer(true);
}

fn boots_from_a_peer(is_introduced: bool) {
    let scratch = Scratch::new();
    let files = root_and_plugins();
    // Another node that has booted: the real event loop with everything in memory.
    let mut config = NodeConfig::new(*b"-BW0001-abcdefghijkl", 1);
    config.bind = Some("127.0.0.1".parse().unwrap());
    let mut peer = Node::new(config).unwrap();
    for file in &files {
        let (name, _, _, bytes) = file;
        let artifact = Artifact::memory(bytes.len() as u64).unwrap();
        artifact.write_at(0, bytes).unwrap();
        peer.add_torrent(TorrentConfig {
            infohash: infohash(&info(file)),
            name: (*name).into(),
            piece_length: PIECE,
            pieces: known_hashes(hashes(bytes)),
            torrent_url: None,
            artifact,
            have_all: true,
            origins: Vec::new(),
            seeders: Vec::new(),
            trackers: Vec::new(),
            first_answer: None,
        })
        .unwrap();
    }
    let mut sample = alone();
    let mut hints = Vec::new();
    if is_introduced {
        let [high, low] = peer.port().to_be_bytes();
        let answer = [b"d8:intervali20e5:peers6:\x7f\0\0\x01", &[high, low][..], b"e"].concat();
        hints = [b"\nl", &answer.repeat(files.len())[..], b"e"].concat();
    } else {
        sample.seeders = format!(r#""127.0.0.1:{}""#, peer.port());
    }
    let handle = peer.handle();
    let (sender, _events) = channel();
    let peer = peer.spawn(sender).unwrap();
    // After its manifest the server hangs up on everything, events too.
    let given = AtomicU32::new(0);
    let site = Site::new(files.clone(), sample, false, vec![Plan::Give]);
    let gone = Server::https("server", {
        let inner = site.server.url("");
        let client = crate::io::https::Client::new(&trust("ca.pem", [0; 32]));
        move |r: &Request| {
            if !r.target().starts_with("/v1/manifest") || given.fetch_add(1, Ordering::SeqCst) > 0 {
                return Answer::Close(Vec::new());
            }
            assert!(r.target().contains("&port=") && r.target().contains("&peer_id=2d4257"));
            let answer = client.get(&format!("{inner}{}", r.target()), None).unwrap();
            let body = answer.read_all(1 << 20).unwrap();
            ok(&[body, hints.clone()].concat())
        }
    });
    let mut options = site.options(&scratch.target());
    options.server = gone.url("");
    let (code, console) = boot(options);
    assert_eq!(code, 0, "{console}");
    assert_eq!(scratch.read("etc/os-release"), noise(300_000));
    assert_eq!(scratch.read(".bootswarm/b.squashfs"), files[2].3);
    assert!(!scratch.is_incomplete());
    handle.stop();
    peer.join().unwrap().unwrap();
}

#[test]
fn a_wrong_sha256_wipes_the_root_and_a_fresh_manifest_heals_it() {
    let scratch = Scratch::new();
    let wrong = |json: String| {
        // The plugin's, which is unpacked after the root file system.
        let at = json.rfind("\"sha256\":\"").unwrap() + 10;
        format!("{}{}{}", &json[..at], "0".repeat(64), &json[at + 64..])
    };
    let files = vec![
        ("root.tar", "rootfs", "tar", root("big", &noise(100_000))),
        ("p.raw", "plugin", "raw", noise(20_000)),
    ];
    let site = Site::new(
        files,
        alone(),
        true,
        vec![Plan::Alter(Box::new(wrong)), Plan::Give],
    );
    let mut options = site.options(&scratch.target());
    options.retry_max = Some(1);
    let (code, console) = boot(options);
    assert_eq!(code, 0, "{console}");
    assert_eq!(scratch.read("big"), noise(100_000));
    let events = site.events();
    let failed = of(&events, "boot.failed");
    assert_eq!(failed.len(), 1);
    assert_eq!(
        (&failed[0]["data"]["code"], &failed[0]["data"]["retry_in_s"]),
        (&"ARTIFACT_BAD_SHA256".into(), &1.into())
    );
    assert!(
        console.contains("BOOT FAILED: ARTIFACT_BAD_SHA256: p.raw"),
        "{console}"
    );
    // What was right the first time was not fetched again.
    let fetched = |name: &str| {
        of(&events, "artifact.downloaded")
            .iter()
            .filter(|e| e["data"]["name"] == name)
            .count()
    };
    assert_eq!((fetched("root.tar"), fetched("p.raw")), (1, 2));
}

/// Runs one boot that must fail, and gives its code. The root must not look bootable.
fn failure(
    files: Vec<SiteFile>,
    plan: Plan,
    change: impl FnOnce(&mut Options, &Scratch),
) -> (String, String) {
    let scratch = Scratch::new();
    let site = Site::new(files, alone(), true, vec![plan]);
    let mut options = site.options(&scratch.target());
    change(&mut options, &scratch);
    let (code, console) = boot(options);
    assert_eq!(code, 1, "{console}");
    let events = site.events();
    let failed = of(&events, "boot.failed");
    // It comes from a thread of its own.
    let last = events.iter().rfind(|e| e["type"] != "machine.inventory");
    assert_eq!(
        (failed.len(), last.unwrap()["type"].as_str()),
        (1, Some("boot.failed")),
        "{console}"
    );
    let left = std::fs::read_dir(scratch.target()).map_or(0, Iterator::count);
    if left > 0 && scratch.target().join("mine").symlink_metadata().is_err() {
        assert!(scratch.is_incomplete() && left == 1, "{left} entries");
    }
    assert!(
        console.contains("BOOT FAILED: ") && console.contains("giving up"),
        "{console}"
    );
    (failed[0]["data"]["code"].as_str().unwrap().to_owned(), console)
}

#[test]
fn every_failure_is_told_with_its_code() {
    let files = root_and_plugins;
    let replace =
        |from: &'static str, to: &'static str| Plan::Alter(Box::new(move |json| json.replace(from, to)));
    let nothing = |_: &mut Options, _: &Scratch| {};
    let manifest = [
        (replace("\"farm\"", "\"farm\" "), "MANIFEST_MALFORMED"),
        (replace("\"nonce\":\"", "\"nonce\":\"x"), "MANIFEST_REPLAYED"),
        (replace("\"id\":\"n1\"", "\"id\":\"n2\""), "MANIFEST_WRONG_NODE"),
        (
            replace("root.tar\",\"origins", "r.tar\",\"origins"),
            "MANIFEST_BAD_INFOHASH",
        ),
        (
            replace("\"version\":3", "\"version\":3,\"zzz\":1"),
            "MANIFEST_UNKNOWN_FIELD",
        ),
        (
            Plan::Say(|| status(404, "MANIFEST_UNKNOWN_NODE", "")),
            "HTTP_STATUS",
        ),
        (
            Plan::Say(|| status(503, "ORIGIN_BUSY", "Retry-After: 9\r\n")),
            "ORIGIN_BUSY",
        ),
        (
            Plan::Say(|| Answer::Close(b"SSH-2.0\r\n\r\n".to_vec())),
            "HTTP_MALFORMED",
        ),
        (Plan::Say(|| Answer::Close(Vec::new())), "SERVER_UNREACHABLE"),
        (Plan::Say(|| ok(b"<html>login</html>")), "MANIFEST_MALFORMED"),
    ];
    for (plan, code) in manifest {
        assert_eq!(failure(files(), plan, nothing).0, code);
    }
    let stranger = |o: &mut Options, _: &Scratch| o.trust.manifest_keys = vec![public(2)];
    assert_eq!(failure(files(), Plan::Give, stranger).0, "MANIFEST_BAD_SIGNATURE");
    let taken = |_: &mut Options, s: &Scratch| {
        std::fs::create_dir(s.target()).unwrap();
        std::fs::write(s.target().join("mine"), "precious").unwrap();
    };
    assert_eq!(failure(files(), Plan::Give, taken).0, "TARGET_INVALID");
    let mut cut = files();
    cut[1].3.truncate(700);
    let (code, console) = failure(cut, Plan::Give, nothing);
    assert_eq!(code, "ARCHIVE_MALFORMED");
    // Which file it was, and what to do.
    assert!(
        console.contains("ARCHIVE_MALFORMED: a.tar of version 3: ")
            && console.contains("put a whole copy of it into the server's artifacts/"),
        "{console}"
    );
    let mut evil = files();
    evil[1].3 = tar("../evil", b"x");
    assert_eq!(failure(evil, Plan::Give, nothing).0, "ARCHIVE_ESCAPES");
    let headless = vec![("root.tar", "rootfs", "tar", tar("sbin/init", b"#!/bin/sh\n"))];
    let (code, console) = failure(headless, Plan::Give, nothing);
    assert_eq!(code, "ROOT_NO_INIT");
    assert!(
        console.contains("ROOT_NO_INIT: root.tar of version 3: it has no init that the kernel could run"),
        "{console}"
    );
    let rubbish = vec![("r.cpio", "rootfs", "cpio", noise(50_000))];
    assert_eq!(failure(rubbish, Plan::Give, nothing).0, "ARCHIVE_MALFORMED");
}

/// What a try has found wrong with a version's files no other try finds right: the node asks until there is another
/// version, and boots it without anybody's help.
#[test]
fn a_root_without_an_init_is_asked_for_until_the_catalog_changes() {
    let without_the_plugin = |json: String| {
        let plugin = json.find(r#",{"format""#).unwrap();
        let end = plugin + json[plugin..].find("}]").unwrap() + 1;
        [&json[..plugin], &json[end..]].concat()
    };
    let with_it = |json: String| json.replace("\"version\":3", "\"version\":4");
    let files = vec![
        ("root.tar", "rootfs", "tar", tar("etc/a", b"a")),
        ("init.tar", "plugin", "tar", root("etc/b", b"b")),
    ];
    let plans = vec![
        Plan::Alter(Box::new(without_the_plugin)),
        Plan::Alter(Box::new(without_the_plugin)),
        Plan::Alter(Box::new(with_it)),
    ];
    let scratch = Scratch::new();
    let site = Site::new(files, alone(), true, plans);
    let mut options = site.options(&scratch.target());
    options.retry_max = None;
    let (code, console) = boot(options);
    assert_eq!(code, 0, "{console}");
    assert_eq!(
        (scratch.read("etc/a"), scratch.read("etc/b")),
        (b"a".to_vec(), b"b".to_vec())
    );
    let events = site.events();
    let failed = of(&events, "boot.failed");
    assert_eq!(failed.len(), 2);
    assert!(
        failed.iter().all(|e| e["data"]["code"] == "ROOT_NO_INIT"),
        "{failed:?}"
    );
    let unpacked = of(&events, "artifact.unpacked");
    assert_eq!(
        unpacked
            .iter()
            .filter(|e| e["data"]["name"] == "root.tar")
            .count(),
        2
    );
    assert_eq!(of(&events, "boot.completed")[0]["data"]["version"], 4);
}

#[test]
fn a_busy_server_is_no_failure() {
    let scratch = Scratch::new();
    let [busy, busy2] = [(); 2].map(|()| Plan::Say(|| status(503, "ORIGIN_BUSY", "Retry-After: 1\r\n")));
    let site = Site::new(
        vec![("r.raw", "rootfs", "raw", noise(5))],
        alone(),
        true,
        vec![busy, busy2, Plan::Give],
    );
    let mut options = site.options(&scratch.target());
    options.retry_max = Some(1);
    options.handover = Some(scratch.0.join("out"));
    let (code, console) = boot(options);
    assert_eq!(
        (code, console.contains("the server is busy")),
        (0, true),
        "{console}"
    );
    assert!(of(&site.events(), "boot.failed").is_empty());
    assert_eq!(std::fs::read(scratch.0.join("out/r.raw")).unwrap(), noise(5));
}

/// A node that cannot believe the server says so over plain HTTP: over HTTPS nobody would ever hear of it.
#[test]
fn a_certificate_that_is_not_believed_is_told_without_one() {
    let scratch = Scratch::new();
    let site = Site::new(root_and_plugins(), alone(), true, vec![Plan::Give]);
    let (send, receive) = channel();
    let plain = Server::http(move |r: &Request| {
        send.send((r.target().to_owned(), r.body.clone())).unwrap();
        Answer::Keep(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())
    });
    let mut options = site.options(&scratch.target());
    options.trust = trust("other-ca.pem", public(1));
    options.http = plain.url("");
    let (code, console) = boot(options);
    assert_eq!(code, 1, "{console}");
    assert!(
        console.contains("TLS_FAILED") && console.contains("another CA than this node's"),
        "{console}"
    );
    let (target, body) = receive.try_recv().unwrap();
    assert_eq!(target, "/v1/nodes/n1/events");
    let events: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(events[0]["type"], "boot.failed");
    assert_eq!(events[0]["data"]["code"], "TLS_FAILED");
    assert!(!String::from_utf8_lossy(&body).contains(SECRET));
    // All other failures are reported over HTTPS alone.
    let mut options = site.options(&scratch.target());
    options.trust = trust("ca.pem", public(2));
    options.http = plain.url("");
    assert_eq!(boot(options).0, 1);
    assert!(receive.try_recv().is_err());
}

#[test]
fn json_is_one_event_a_line_and_nothing_else() {
    let scratch = Scratch::new();
    let site = Site::new(root_and_plugins(), alone(), true, vec![Plan::Give]);
    let mut options = site.options(&scratch.target());
    options.json = true;
    let (code, console) = boot(options);
    assert_eq!(code, 0);
    let lines: Vec<Value> = console
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines, site.events());
    assert!(!console.contains(SECRET));
}
