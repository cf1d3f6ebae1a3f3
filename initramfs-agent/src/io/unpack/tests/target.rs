//! The target root itself: its marker, emptying it, a full one, mounts in it, and who we are.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::super::*;
use super::support::*;
use crate::core::error::Code;

#[test]
fn only_an_empty_or_an_incomplete_directory_becomes_a_root() {
    let scratch = Scratch::new();
    let path = scratch.path.join("root");
    assert_eq!(
        TargetRoot::create(&scratch.path.join("no/root"))
            .err()
            .unwrap()
            .code,
        Code::TargetInvalid
    );
    std::fs::write(&path, "a file").unwrap();
    assert_eq!(TargetRoot::create(&path).err().unwrap().code, Code::TargetInvalid);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    std::fs::write(path.join("theirs"), "x").unwrap();
    assert_eq!(TargetRoot::create(&path).err().unwrap().code, Code::TargetInvalid);
    assert!(path.join("theirs").exists());
    std::fs::remove_file(path.join("theirs")).unwrap();
    let root = TargetRoot::create(&path).unwrap();
    assert!(root.is_incomplete().unwrap());
    untar(&Tar::default().file("d/f", b"x").end(), &root).unwrap();
    assert!(untar(b"garbage", &root).is_err());
    assert!(root.is_incomplete().unwrap());
    drop(root);
    let again = TargetRoot::create(&path).unwrap();
    assert!(!path.join("d").exists());
    again.complete().unwrap();
    assert!(!again.is_incomplete().unwrap());
    assert!(again.complete().is_err());
}

#[test]
fn wiping_follows_no_links_and_ends_in_any_depth() {
    let scratch = Scratch::new();
    let root = scratch.root();
    let canary = scratch.path.join("canary").to_str().unwrap().to_owned();
    let mut tar = Tar::default()
        .symlink("out", &canary)
        .symlink("d/up", "..")
        .file("d/.bootswarm-wiped-0", b"");
    // Deeper than any path: each link shortens the way to the place where the next level is made.
    let mut place = String::new();
    for level in 0..38 {
        for _ in 0..40 {
            place.push_str(&"x".repeat(60));
            tar = tar.pax(&[("path", &place)]).dir("x");
            place.push('/');
        }
        let link = format!("s{level}");
        tar = tar
            .pax(&[("path", &link), ("linkpath", &format!("/{place}"))])
            .symlink("x", "y");
        place = link + "/";
    }
    untar(&tar.end(), &root).unwrap();
    if !is_root() {
        std::fs::set_permissions(scratch.at("d"), PermissionsExt::from_mode(0o000)).unwrap();
    }
    root.wipe().unwrap();
    let left: Vec<_> = std::fs::read_dir(root.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(left, [MARKER]);
    scratch.untouched();
}

#[test]
fn directories_get_their_mode_and_time_when_all_is_in_them() {
    let scratch = Scratch::new();
    let root = scratch.root();
    let mut tar = Tar::default()
        .header(b'5', "locked", "", 0)
        .file("locked/f", b"x");
    // In no order, and more than are remembered at once.
    for i in 0..9000 {
        tar = tar.dir(&format!("locked/{i:070}"));
    }
    let mut archive = tar.file("locked/last", b"x").end();
    // 0500 instead of 0644 on the first header.
    archive[100..108].copy_from_slice(b"0000500\0");
    archive[148..156].fill(b' ');
    let sum: u32 = archive[..512].iter().map(|&b| u32::from(b)).sum();
    archive[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    untar(&archive, &root).unwrap();
    let meta = scratch.at("locked").metadata().unwrap();
    assert_eq!(meta.permissions().mode() & 0o7777, 0o500);
    let time = |name: &str| scratch.at(name).metadata().unwrap().modified().unwrap();
    assert_eq!(
        time("locked"),
        std::time::UNIX_EPOCH + std::time::Duration::from_secs(0o14000000000)
    );
    assert_eq!(time("locked"), time(&format!("locked/{:070}", 3)));
    assert_eq!(time("locked"), time(&format!("locked/{:070}", 8999)));
}

/// Runs the test `name` of this file once more, in a mount namespace of its own.
fn in_namespace(name: &str) -> bool {
    if std::env::var_os("BOOTSWARM_IN_NAMESPACE").is_some() {
        return true;
    }
    if needs_root(&format!("{name} (mounts)")) {
        let status = Command::new("unshare")
            .args(["-m", "--propagation", "private", "--"])
            .arg(std::env::current_exe().unwrap())
            .args([
                &format!("io::unpack::tests::target::{name}"),
                "--exact",
                "--nocapture",
            ])
            .env("BOOTSWARM_IN_NAMESPACE", "1")
            .status()
            .unwrap();
        assert!(status.success());
    }
    false
}

#[test]
fn a_full_root_says_what_was_needed() {
    if !in_namespace("a_full_root_says_what_was_needed") {
        return;
    }
    let scratch = Scratch::new();
    scratch.sh("mkdir root; mount -t tmpfs -o size=1m,nr_inodes=50 none root");
    let root = scratch.root();
    let archive = Tar::default().file("big", &vec![b'x'; 3 << 20]).end();
    let error = untar(&archive, &root).unwrap_err();
    assert_eq!(error.code, Code::TargetFull);
    assert!(error.message.contains("3145728"), "{error}");
    let zeros = zstd::encode_all(&archive[..], 1).unwrap();
    assert_eq!(code(untar(&zeros, &root)), Code::TargetFull);
    let mut many = Tar::default();
    for i in 0..60 {
        many = many.file(&format!("f{i}"), b"");
    }
    assert_eq!(code(untar(&many.end(), &root)), Code::TargetFull);
    root.wipe().unwrap();
    // Blocks run out although the sum of the sizes would fit.
    let mut blocks = Tar::default();
    for i in 0..40 {
        blocks = blocks.file(&format!("f{i}"), &vec![b'x'; 25_000]);
    }
    assert_eq!(code(untar(&blocks.end(), &root)), Code::TargetFull);
    root.wipe().unwrap();
    let status = Tar::default()
        .file("var/lib/dpkg/status", &b"Package: a\n\n".repeat(40_000))
        .file("fill", &vec![b'x'; 400_000])
        .file("tmp/dpkg_status", b"Package: b\n")
        .end();
    let result = unpack_with(&status, Format::Tar, &root, &UnpackLimits::plugin());
    assert_eq!(code(result), Code::TargetFull);
    assert_eq!(
        scratch.at("var/lib/dpkg/status").metadata().unwrap().len(),
        480_000
    );
    assert!(!scratch.at("var/lib/dpkg/status.bootswarm-new").exists());
    let handed = hand_over(&mut &archive[..], &scratch.at("file"), &mut |_| {});
    assert_eq!(handed.unwrap_err().code, Code::TargetFull);
    scratch.untouched();
    drop(root);
    scratch.sh("umount root");
}

#[test]
fn mounts_in_the_root_are_not_entered() {
    if !in_namespace("mounts_in_the_root_are_not_entered") {
        return;
    }
    for kind in ["--bind canary", "-t proc none"] {
        let scratch = Scratch::new();
        let root = scratch.root();
        scratch.sh(&format!("mkdir -p root/d/m; mount {kind} root/d/m"));
        for path in ["d/m/passwd", "d/m/self/root/x", "d/m/self/cwd/x"] {
            let result = untar(&Tar::default().file(path, b"x").end(), &root);
            assert_eq!(code(result), Code::TargetInvalid, "{kind} {path}");
        }
        let link = Tar::default().symlink("l", "/d/m").file("l/passwd", b"x").end();
        assert_eq!(code(untar(&link, &root)), Code::TargetInvalid);
        assert_eq!(root.wipe().unwrap_err().code, Code::TargetInvalid);
        scratch.untouched();
        scratch.sh("umount root/d/m || umount root/*/m");
        root.wipe().unwrap();
    }
}

#[test]
fn all_of_it_holds_for_another_user_too() {
    if std::env::var_os("BOOTSWARM_OTHER_USER").is_some() || !needs_root("the tests as another user") {
        return;
    }
    let scratch = Scratch::new();
    let exe = scratch.path.join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &exe).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(&exe)
        .args([
            "io::unpack::tests::",
            "--skip",
            "fuzz",
            "--skip",
            "million",
            "--skip",
            "several_members",
        ])
        .env("BOOTSWARM_OTHER_USER", "1")
        .env("HOME", "/nonexistent")
        .current_dir(&scratch.path)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(text.contains("test io::unpack::tests::hostile::"), "{text}");
}
