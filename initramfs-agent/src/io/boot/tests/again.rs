//! Files that are handed over outside of the root, when a boot fails and begins anew.

use super::site::{PIECE, Plan, Scratch, Site, SiteFile, noise, tar};
use super::{MARKER, TargetRoot, alone, boot, of, root_and_plugins};
use crate::core::manifest::testing::artifact;

/// A squashfs, and a plugin whose SHA-256 is wrong the first time.
fn second_try(change: impl Fn(String) -> String + Send + 'static) -> (Scratch, Vec<(String, Vec<u8>)>) {
    let scratch = Scratch::new();
    let wrong = move |json: String| {
        let at = json.rfind("\"sha256\":\"").unwrap() + 10;
        change(format!("{}{}{}", &json[..at], "0".repeat(64), &json[at + 64..]))
    };
    let files: Vec<SiteFile> = vec![
        ("root.squashfs", "rootfs", "squashfs", noise(50_000)),
        ("p.tar", "plugin", "tar", tar("etc/p", b"p")),
    ];
    let plans = vec![Plan::Alter(Box::new(wrong)), Plan::Give];
    let site = Site::new(files, alone(), true, plans);
    let mut options = site.options(&scratch.target());
    options.retry_max = Some(1);
    options.handover = Some(scratch.0.join("files"));
    let (code, console) = boot(options);
    assert_eq!(code, 0, "{console}");
    assert!(
        console.contains("BOOT FAILED: ARTIFACT_BAD_SHA256: p.tar"),
        "{console}"
    );
    let events = site.events();
    assert_eq!(of(&events, "machine.inventory").len(), 1, "once a boot");
    let entries = std::fs::read_dir(scratch.0.join("files")).unwrap();
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        (name, std::fs::read(entry.path()).unwrap())
    };
    let mut found: Vec<_> = entries.map(read).collect();
    found.sort();
    (scratch, found)
}

#[test]
fn a_file_of_an_earlier_try_is_taken_again() {
    let (_scratch, found) = second_try(|json| json);
    assert_eq!(found, [("root.squashfs".into(), noise(50_000))]);
}

#[test]
fn a_file_that_the_next_manifest_does_not_have_goes_away() {
    // The first manifest has the same bytes under another name, which is another torrent.
    let other_name = |json: String| {
        let (before, rest) = json.split_once(r#"{"format":"squashfs""#).unwrap();
        let (old, after) = rest.split_once(r#""size_bytes":50000}"#).unwrap();
        let (_, origin) = old.split_once(r#""origins":[""#).unwrap();
        let (origin, _) = origin.split_once('"').unwrap();
        let new = artifact(
            "old.squashfs",
            "rootfs",
            "squashfs",
            origin,
            PIECE,
            &noise(50_000),
        );
        [before, &new, after].concat()
    };
    let (_scratch, found) = second_try(other_name);
    assert_eq!(found, [("root.squashfs".into(), noise(50_000))]);
}

#[test]
fn a_second_boot_into_a_half_filled_root_begins_anew() {
    let scratch = Scratch::new();
    std::fs::create_dir(scratch.target()).unwrap();
    std::fs::write(scratch.target().join(MARKER), "").unwrap();
    std::fs::write(scratch.target().join("left-over"), "old").unwrap();
    let site = Site::new(root_and_plugins(), alone(), true, vec![Plan::Give]);
    assert_eq!(boot(site.options(&scratch.target())).0, 0);
    assert!(!scratch.target().join("left-over").exists());
    assert!(
        !TargetRoot::open(&scratch.target())
            .unwrap()
            .is_incomplete()
            .unwrap()
    );
}
