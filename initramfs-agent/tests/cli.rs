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

/// A running `seed`, and the address it printed.
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
        "300",
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

/// An archive made by a shell script in a directory of its own, and what `check` says of it.
fn checked(name: &str, script: &str, arguments: &[&str]) -> (Option<i32>, Value) {
    let dir = std::env::temp_dir().join(format!("bootswarm-check-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let made = Command::new("bash")
        .args(["-euc", script])
        .current_dir(&dir)
        .status()
        .unwrap();
    assert!(made.success(), "{script}");
    let before = std::fs::read_dir(&dir).unwrap().count();
    let output = agent(&["check", "archive"])
        .args(arguments)
        .current_dir(&dir)
        .output()
        .unwrap();
    assert_eq!(
        before,
        std::fs::read_dir(&dir).unwrap().count(),
        "it wrote something"
    );
    std::fs::remove_dir_all(dir).unwrap();
    (
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap(),
    )
}

/// A small root: `/sbin/init` leads through a usr-merge link and an absolute one to a script.
const ROOT: &str = "mkdir -p t/usr/sbin t/usr/lib/systemd; ln -s usr/sbin t/sbin
    ln -s /usr/lib/systemd/systemd t/usr/sbin/init
    printf '#!/bin/sh\n' > t/usr/lib/systemd/systemd; chmod 755 t/usr/lib/systemd/systemd\n";

#[test]
fn check_says_what_an_archive_is() {
    for (name, pack, format, compression) in [
        ("plain", "tar -cf archive -C t .", "tar", "none"),
        ("gzip", "tar -cz -f archive -C t .", "tar", "gzip"),
        ("xz", "tar -cJ -f archive -C t .", "tar", "xz"),
        (
            "cpio",
            "cd t; find . | cpio -o -H newc --quiet | zstd -q > ../archive",
            "cpio",
            "zstd",
        ),
        // As pzstd does it: a skippable frame with the size of the next one before each frame.
        (
            "pzstd",
            "tar -cf plain -C t .; split -b 4096 plain part-
            for part in part-*; do zstd -q $part; size=$(stat -c %s $part.zst)
            printf '\\x50\\x2a\\x4d\\x18\\x04\\0\\0\\0'\"\\\\x$(printf %02x $((size % 256)))\\\\x$(printf %02x $((size / 256)))\\\\0\\\\0\"
            cat $part.zst; done > archive",
            "tar",
            "zstd",
        ),
    ] {
        let (code, said) = checked(name, &format!("{ROOT}{pack}"), &["--name", "base"]);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert_eq!(said["ok"], true);
        assert_eq!((&said["format"], &said["compression"]), (&format.into(), &compression.into()));
        assert_eq!(said["init"], "/sbin/init");
        assert_eq!(said["name"], "base");
        assert!(said["memory_bytes"].as_u64().unwrap() >= 4096, "{said}");
    }
    let (code, said) = checked(
        "init",
        "mkdir t; cp /bin/sh t/run; tar -cf archive -C t run",
        &["--init", "/run"],
    );
    assert_eq!((code, said["init"].as_str()), (Some(0), Some("/run")));
    let (code, said) = checked(
        "plugin",
        "mkdir t; touch t/a; tar -cf archive -C t a",
        &["--kind", "plugin"],
    );
    assert_eq!((code, said["kind"].as_str()), (Some(0), Some("plugin")));
    // The file that it is a second name of may be one of the root.
    let (code, _) = checked(
        "linked",
        "touch a; ln a b; tar -cf archive a b; tar --delete -f archive a",
        &["--kind", "plugin"],
    );
    assert_eq!(code, Some(0));
}

#[test]
fn check_refuses_what_every_agent_refuses() {
    let root = |name: &str, pack: &str, expected: &str| {
        let (code, said) = checked(name, &format!("{ROOT}{pack}"), &[]);
        assert_eq!(
            (code, said["code"].as_str()),
            (Some(1), Some(expected)),
            "{name}: {said}"
        );
        let message = said["message"].as_str().unwrap().to_owned();
        assert!(message.starts_with("archive: "), "{message}");
        message
    };
    root(
        "cut-gzip",
        "tar -cz -C t . | head -c -20 > archive",
        "ARCHIVE_MALFORMED",
    );
    root(
        "cut-tar",
        "tar -c -C t . | head -c 2048 | gzip > archive",
        "ARCHIVE_MALFORMED",
    );
    root(
        "garbage",
        "{ tar -cz -C t .; echo garbage; } > archive",
        "ARCHIVE_MALFORMED",
    );
    root(
        "sparse",
        "truncate -s 1M t/sparse; tar -cS -f archive -C t .",
        "ARCHIVE_UNSUPPORTED",
    );
    root(
        "dots",
        "tar -cP -f archive --transform 's,^t/,../,' t/usr",
        "ARCHIVE_ESCAPES",
    );
    root("text", "echo '0123 base.tar.gz' > archive", "ARCHIVE_UNSUPPORTED");
    root("bzip2", "tar -c -C t . | bzip2 > archive", "ARCHIVE_UNSUPPORTED");
    root("empty", ": > archive", "ARCHIVE_MALFORMED");
    root(
        "long",
        "tar -c -C t . | zstd -q --ultra --long=27 -22 > archive",
        "ARCHIVE_UNSUPPORTED",
    );
    let no_init = root(
        "no-init",
        "rm t/usr/lib/systemd/systemd; tar -cf archive -C t .",
        "ROOT_NO_INIT",
    );
    assert!(
        no_init.contains("/sbin/init, /usr/lib/systemd/systemd"),
        "{no_init}"
    );
    root(
        "not-executable",
        "chmod 644 t/usr/lib/systemd/systemd; tar -cf archive -C t .",
        "ROOT_NO_INIT",
    );
    root(
        "empty-init",
        ": > t/usr/lib/systemd/systemd; tar -cf archive -C t .",
        "ROOT_NO_INIT",
    );
    let plugin = |name: &str, script: &str, expected: &str| {
        let (code, said) = checked(name, script, &["--kind", "plugin"]);
        assert_eq!(
            (code, said["code"].as_str()),
            (Some(1), Some(expected)),
            "{name}: {said}"
        );
    };
    plugin("fifo", "mkfifo a; tar -cf archive a", "ARCHIVE_FORBIDDEN_ENTRY");
    plugin(
        "below",
        "touch a; tar -cf archive a; rm a; mkdir a; touch a/b; tar -rf archive a/b",
        "ARCHIVE_FORBIDDEN_ENTRY",
    );
    let (code, said) = checked("gone", ": > other", &[]);
    assert_eq!((code, said["code"].as_str()), (Some(3), Some("IO")), "{said}");
    assert_eq!(run(&["check", "x", "--kind", "kernel"]).status.code(), Some(2));
}

#[test]
fn check_reads_a_squashfs_as_far_as_its_superblock() {
    // mksquashfs is no tool that all have: the 96 bytes of a superblock as squashfs-tools 4.5 writes them.
    let superblock = "printf 'hsqs\\x03\\0\\0\\0\\0\\0\\0\\0\\0\\0\\x02\\0\\0\\0\\0\\0\\x06\\0\\x11\\0\\xc0\\0\\x01\\0\\x04\\0\\0\\0' > archive
        printf '\\0\\0\\0\\0\\0\\0\\0\\0\\x00\\x10\\0\\0\\0\\0\\0\\0' >> archive; truncate -s SIZE archive\n";
    let (code, said) = checked("squashfs", &superblock.replace("SIZE", "4096"), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        (said["format"].as_str(), said["compression"].as_str()),
        (Some("squashfs"), Some("zstd"))
    );
    assert_eq!(said.get("init"), None);
    for (name, script, arguments, expected) in [
        (
            "squashfs-cut",
            superblock.replace("SIZE", "4095"),
            &[][..],
            "ARCHIVE_MALFORMED",
        ),
        (
            "squashfs-head",
            superblock.replace("SIZE", "95"),
            &[],
            "ARCHIVE_MALFORMED",
        ),
        (
            "squashfs-gz",
            superblock.replace("SIZE", "4096") + "gzip archive; mv archive.gz archive",
            &[],
            "ARCHIVE_UNSUPPORTED",
        ),
        (
            "squashfs-plugin",
            superblock.replace("SIZE", "4096"),
            &["--kind", "plugin"],
            "ARCHIVE_UNSUPPORTED",
        ),
    ] {
        let (code, said) = checked(name, &script, arguments);
        assert_eq!(
            (code, said["code"].as_str()),
            (Some(1), Some(expected)),
            "{name}: {said}"
        );
    }
}
