//! `tmp/dpkg_status` of Coinboot's plugins.

use std::os::unix::fs::PermissionsExt;

use super::super::*;
use super::support::*;

const OLD: &str = "Package: a\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1\n\n\
Package: b\nArchitecture: amd64\nVersion: 1\nDescription: two lines\n of text\n\n\
Package: b\nArchitecture: i386\nVersion: 1\n";

fn merged(old: Option<&str>, new: &[u8]) -> (String, Summary) {
    let scratch = Scratch::new();
    let root = scratch.root();
    if let Some(old) = old {
        std::fs::create_dir_all(scratch.at("var/lib/dpkg")).unwrap();
        std::fs::write(scratch.at("var/lib/dpkg/status"), old).unwrap();
        std::fs::set_permissions(
            scratch.at("var/lib/dpkg/status"),
            PermissionsExt::from_mode(0o640),
        )
        .unwrap();
    }
    let archive = Tar::default()
        .file("etc/group", b"x")
        .file("tmp/dpkg_status", new)
        .end();
    let summary = unpack_with(&archive, Format::Tar, &root, &UnpackLimits::plugin()).unwrap();
    assert!(!scratch.at("tmp").exists());
    assert!(!scratch.at("var/lib/dpkg/status.bootswarm-new").exists());
    if old.is_some() {
        let mode = scratch
            .at("var/lib/dpkg/status")
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o640);
    }
    (
        std::fs::read_to_string(scratch.at("var/lib/dpkg/status")).unwrap_or_default(),
        summary,
    )
}

#[test]
fn the_plugin_wins_by_package_and_architecture_and_adds_new_ones() {
    let new =
        "\n\nPackage: b\nArchitecture: i386\nVersion: 2\n\n\n\npackage: c\nARCHITECTURE: all\nVersion: 3";
    let (text, summary) = merged(Some(OLD), new.as_bytes());
    let expected = OLD.replace(
        "i386\nVersion: 1\n",
        "i386\nVersion: 2\n\npackage: c\nARCHITECTURE: all\nVersion: 3\n\n",
    );
    assert_eq!(text, expected);
    assert_eq!((summary.dpkg_stanzas, summary.warnings.len()), (2, 0));
}

#[test]
fn a_root_without_a_status_gets_one() {
    let (text, _) = merged(
        None,
        b"Package: z\nVersion: 1\n\nPackage: y\nVersion: 1\n\nPackage: z\nVersion: 2\n",
    );
    assert_eq!(text, "Package: z\nVersion: 2\n\nPackage: y\nVersion: 1\n\n");
}

#[test]
fn the_old_file_survives_what_makes_no_sense() {
    for new in [
        b"Version: 1\n".as_slice(),
        b"Package: a\nno field\n",
        b"Package:\n",
        b"\x1f\x8b\0\0garbage\xff",
        b"Package: a\n\nrubbish",
        b": x\n",
    ] {
        let (text, summary) = merged(Some(OLD), new);
        assert_eq!(text, OLD);
        assert_eq!(
            (summary.dpkg_stanzas, summary.warnings.len()),
            (0, 1),
            "{summary:?}"
        );
    }
    let (text, summary) = merged(Some(OLD), b"");
    assert_eq!((text.as_str(), summary.warnings.len()), (OLD, 0));
    let endless = "x".repeat(2 << 20);
    let (text, summary) = merged(Some(&endless), b"Package: a\n");
    assert_eq!((text, summary.warnings.len()), (endless, 1));
}

#[test]
fn a_huge_one_is_passed_over() {
    let huge = vec![b'x'; 9 << 20];
    let (text, summary) = merged(Some(OLD), &huge);
    assert_eq!((text.as_str(), summary.warnings.len()), (OLD, 1));
}

#[test]
fn a_link_in_its_place_is_left_alone() {
    let scratch = Scratch::new();
    let root = scratch.root();
    let archive = Tar::default()
        .symlink("var/lib/dpkg/status", "/canary")
        .file("tmp/dpkg_status", b"Package: a\n")
        .end();
    let summary = unpack_with(&archive, Format::Tar, &root, &UnpackLimits::plugin()).unwrap();
    assert_eq!(summary.warnings.len(), 1);
    assert!(scratch.at("var/lib/dpkg/status").is_symlink());
    scratch.untouched();
}

#[test]
fn in_a_root_file_system_it_is_a_file() {
    let scratch = Scratch::new();
    let archive = Tar::default().file("tmp/dpkg_status", b"Package: a\n").end();
    untar(&archive, &scratch.root()).unwrap();
    assert_eq!(scratch.read("tmp/dpkg_status"), "Package: a\n");
}
