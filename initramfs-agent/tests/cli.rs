//! The executable as people and scripts use it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use bootswarm_agent::core::metainfo::info_dictionary;
use serde_json::Value;
use sha1::{Digest, Sha1};

fn agent(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootswarm-agent"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> Output {
    agent(arguments).output().unwrap()
}

/// A directory of the test's own with a file and its torrent.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("bootswarm-cli-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let data: Vec<u8> = (0..500_000u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        let pieces: Vec<u8> = data.chunks(16_384).flat_map(Sha1::digest).collect();
        let info = info_dictionary("file", data.len() as u64, 16_384, &pieces);
        std::fs::write(dir.join("file"), &data).unwrap();
        std::fs::write(dir.join("file.torrent"), [b"d4:info", &info[..], b"e"].concat()).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running `seed`, and the address it told.
fn seed(place: &Place) -> (Child, String, BufReader<std::process::ChildStdout>) {
    let (torrent, data) = (place.path("file.torrent"), place.path("file"));
    let mut child = agent(&["seed", &torrent, "--data", &data, "--bind", "127.0.0.1", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    let started: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(started["type"], "started");
    (child, format!("127.0.0.1:{}", started["port"]), lines)
}

fn terminate(child: &Child) {
    let pid = rustix::process::Pid::from_child(child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
}

fn last_json(lines: impl BufRead) -> Value {
    let last = lines.lines().map(Result::unwrap).last().unwrap();
    serde_json::from_str(&last).unwrap()
}

#[test]
fn seed_and_fetch() {
    let place = Place::new("transfer");
    let (mut seeder, addr, rest) = seed(&place);
    let (torrent, out) = (place.path("file.torrent"), place.path("out"));
    let fetched = run(&[
        "fetch",
        &torrent,
        "-o",
        &out,
        "--peer",
        &addr,
        "--json",
        "--timeout-s",
        "60",
    ]);
    assert!(
        fetched.status.success(),
        "{}",
        String::from_utf8_lossy(&fetched.stderr)
    );
    assert_eq!(
        std::fs::read(&out).unwrap(),
        std::fs::read(place.path("file")).unwrap()
    );
    assert!(!Path::new(&place.path("out.part")).exists());
    let summary = last_json(&fetched.stdout[..]);
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["bytes"], 500_000);
    assert_eq!(summary["from_peers_bytes"], 500_000);
    assert_eq!(summary["from_origin_bytes"], 0);
    assert!(summary["seconds"].as_f64().unwrap() > 0.0);
    let rss = summary["rss_peak_bytes"].as_u64().unwrap();
    assert!(rss > 0 && rss < 64 << 20, "{rss}");
    // SIGTERM ends the seeder cleanly, with its counters.
    terminate(&seeder);
    assert_eq!(last_json(rest)["uploaded_bytes"], 500_000);
    assert_eq!(seeder.wait().unwrap().code(), Some(0));
}

#[test]
fn fetch_that_cannot_end_fails_with_its_code() {
    let place = Place::new("alone");
    let (torrent, out) = (place.path("file.torrent"), place.path("out"));
    let alone = run(&[
        "fetch",
        &torrent,
        "-o",
        &out,
        "--bind",
        "127.0.0.1",
        "--timeout-s",
        "1",
    ]);
    assert_eq!(alone.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&alone.stderr).contains("ARTIFACT_UNAVAILABLE: "));
    assert!(
        !Path::new(&out).exists(),
        "an unfinished file under the final name"
    );
}

#[test]
fn seed_refuses_other_data() {
    let place = Place::new("damaged");
    let data = place.path("file");
    let mut bytes = std::fs::read(&data).unwrap();
    bytes[20_000] ^= 1;
    std::fs::write(&data, &bytes).unwrap();
    let refused = run(&["seed", &place.path("file.torrent"), "--data", &data]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("1 pieces of"));
}

#[test]
fn inspect_shows_a_torrent() {
    let place = Place::new("inspect");
    let shown = run(&["inspect", &place.path("file.torrent"), "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(
        (&shown["name"], &shown["size_bytes"]),
        (&"file".into(), &500_000.into())
    );
    assert_eq!(shown["pieces"], 31);
    let broken = run(&["inspect", &place.path("file")]);
    assert_eq!(broken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&broken.stderr).starts_with("TORRENT_MALFORMED: "));
}

#[test]
fn usage_is_told() {
    let help = run(&["--help"]);
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("--keep-seeding"));
    let version = run(&["--version"]);
    assert_eq!(
        String::from_utf8_lossy(&version.stdout).trim(),
        concat!("bootswarm-agent ", env!("CARGO_PKG_VERSION"))
    );
    for arguments in [
        &["frob"][..],
        &[],
        &["fetch"],
        &["fetch", "x"],
        &["seed", "x", "--port", "y"],
    ] {
        let wrong = run(arguments);
        assert_eq!(wrong.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&wrong.stderr).starts_with("USAGE_INVALID: "));
    }
}
