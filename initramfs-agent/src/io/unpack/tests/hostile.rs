//! Archives that try to get out, and what each is refused for. The canary lies beside the root.

use std::os::unix::fs::MetadataExt;

use super::super::*;
use super::support::*;
use crate::core::error::Code;

#[test]
fn dot_dot_is_refused_everywhere() {
    let rootfs = UnpackLimits::rootfs();
    for name in [
        "../canary/passwd",
        "a/../../canary/passwd",
        "/../canary/passwd",
        "a/..",
        "..",
    ] {
        refused(
            &Tar::default().file(name, b"x").end(),
            &rootfs,
            Code::ArchiveEscapes,
        );
        refused(&Tar::default().dir(name).end(), &rootfs, Code::ArchiveEscapes);
        refused(
            &Tar::default().symlink(name, "x").end(),
            &rootfs,
            Code::ArchiveEscapes,
        );
        refused(
            &Tar::default().hard_link("x", name).end(),
            &rootfs,
            Code::ArchiveEscapes,
        );
        let pax = Tar::default().pax(&[("path", name)]).file("x", b"x").end();
        refused(&pax, &rootfs, Code::ArchiveEscapes);
        let pax = Tar::default()
            .pax(&[("linkpath", name)])
            .hard_link("x", "y")
            .end();
        refused(&pax, &rootfs, Code::ArchiveEscapes);
    }
}

#[test]
fn absolute_links_lead_inside() {
    let archive = Tar::default()
        .symlink("out", &canary())
        .file("out/passwd", b"mine")
        .dir("out/sub")
        .end();
    each(&archive, &UnpackLimits::rootfs(), |scratch, result| {
        result.unwrap();
        let inside = scratch.path.join("canary").to_str().unwrap()[1..].to_owned();
        assert_eq!(scratch.read(&format!("{inside}/passwd")), "mine");
    });
}

#[test]
fn relative_links_stop_at_the_root() {
    let archive = Tar::default()
        .symlink("out", "../../../../../../../../canary")
        .file("out/passwd", b"mine")
        .end();
    each(&archive, &UnpackLimits::rootfs(), |scratch, result| {
        result.unwrap();
        assert_eq!(scratch.read("canary/passwd"), "mine");
    });
}

#[test]
fn a_link_that_becomes_a_file_is_not_written_through() {
    let target = canary() + "/passwd";
    let archive = Tar::default()
        .symlink("passwd", &target)
        .file("passwd", b"mine")
        .end();
    each(&archive, &UnpackLimits::rootfs(), |scratch, result| {
        result.unwrap();
        assert!(scratch.at("passwd").symlink_metadata().unwrap().is_file());
        assert_eq!(scratch.read("passwd"), "mine");
    });
}

#[test]
fn a_directory_swapped_for_a_link_is_looked_up_again() {
    let archive = Tar::default()
        .dir("a")
        .dir("a/b")
        .symlink("a/b", &canary())
        .file("a/b/passwd", b"mine")
        .symlink("a/b", "/elsewhere")
        .file("a/b/passwd", b"again")
        .end();
    each(&archive, &UnpackLimits::rootfs(), |scratch, result| {
        result.unwrap();
        assert_eq!(scratch.read("elsewhere/passwd"), "again");
    });
}

#[test]
fn hard_links_stay_inside() {
    let rootfs = UnpackLimits::rootfs();
    let out = canary() + "/passwd";
    refused(
        &Tar::default().hard_link("x", &out).end(),
        &rootfs,
        Code::ArchiveMalformed,
    );
    refused(
        &Tar::default().hard_link("x", "../../etc/passwd").end(),
        &rootfs,
        Code::ArchiveEscapes,
    );
    let through = Tar::default()
        .symlink("d", &canary())
        .hard_link("x", "d/passwd")
        .end();
    refused(&through, &rootfs, Code::ArchiveMalformed);
    // A hard link to a link is the link, and a file then made there does not follow it.
    let link = Tar::default()
        .symlink("l", &out)
        .hard_link("x", "l")
        .file("x", b"mine")
        .end();
    each(&link, &rootfs, |scratch, result| {
        result.unwrap();
        assert_eq!(scratch.read("x"), "mine");
    });
}

#[test]
fn a_replaced_file_leaves_its_other_names_alone() {
    let archive = Tar::default()
        .file("a", b"first")
        .hard_link("b", "a")
        .file("a", b"second")
        .hard_link("b", "b")
        .end();
    each(&archive, &UnpackLimits::rootfs(), |scratch, result| {
        result.unwrap();
        assert_eq!(
            (scratch.read("a"), scratch.read("b")),
            ("second".into(), "first".into())
        );
    });
}

#[test]
fn nodes_are_for_the_root_file_system_of_root() {
    let nodes: [&[u8]; 3] = [b"3", b"4", b"6"];
    for kind in nodes {
        let archive = Tar::default().header(kind[0], "dev/null", "", 0).end();
        refused(&archive, &UnpackLimits::plugin(), Code::ArchiveForbiddenEntry);
        each(&archive, &UnpackLimits::rootfs(), |scratch, result| {
            if is_root() || kind == b"6" {
                result.unwrap();
                assert!(!scratch.at("dev/null").symlink_metadata().unwrap().is_file());
            } else {
                assert_eq!(code(result), Code::ArchiveForbiddenEntry);
            }
        });
    }
}

#[test]
fn files_and_directories_replace_one_another_as_documented() {
    let rootfs = UnpackLimits::rootfs();
    let full = Tar::default().file("d/f", b"x").file("d", b"x").end();
    refused(&full, &rootfs, Code::ArchiveForbiddenEntry);
    let below = Tar::default().file("d", b"x").file("d/f", b"x").end();
    refused(&below, &rootfs, Code::ArchiveForbiddenEntry);
    let root = Tar::default().file("/", b"x").end();
    each(&root, &rootfs, |_, result| assert_eq!(result.unwrap().files, 0));
    refused(
        &Tar::default().symlink("./", "x").end(),
        &rootfs,
        Code::ArchiveForbiddenEntry,
    );
    refused(
        &Tar::default().file(MARKER, b"").end(),
        &rootfs,
        Code::ArchiveForbiddenEntry,
    );
    let alias = Tar::default()
        .symlink("x", "/")
        .hard_link(&format!("x/{MARKER}"), "y")
        .end();
    refused(&alias, &rootfs, Code::ArchiveForbiddenEntry);
    let archive = Tar::default()
        .dir("d")
        .file("d", b"file")
        .dir("e")
        .symlink("e", "d")
        .file("g", b"x")
        .dir("g")
        .file("g/h", b"x")
        .symlink("dangling", "nowhere")
        .dir("dangling")
        .symlink("usr-lib", "real")
        .dir("real")
        .dir("usr-lib")
        .file("usr-lib/f", b"merged")
        .end();
    each(&archive, &rootfs, |scratch, result| {
        result.unwrap();
        assert_eq!(scratch.read("d"), "file");
        assert_eq!(scratch.read("real/f"), "merged");
        assert!(scratch.at("usr-lib").is_symlink());
        assert!(!scratch.at("dangling").is_symlink());
        assert!(scratch.at("g/h").is_file());
        assert_eq!(scratch.at("e").read_link().unwrap().to_str(), Some("d"));
    });
}

#[test]
fn missing_parents_are_roots_and_existing_ones_keep_their_metadata() {
    let archive = Tar::default().file("new/dir/f", b"x").file("old/f", b"x").end();
    let scratch = Scratch::new();
    let root = scratch.root();
    scratch.sh("mkdir root/old; chmod 2750 root/old");
    if is_root() {
        scratch.sh("chown 5:6 root/old");
    }
    untar(&archive, &root).unwrap();
    let old = scratch.at("old").metadata().unwrap();
    assert_eq!(old.mode() & 0o7777, 0o2750);
    assert_eq!(scratch.at("new/dir").metadata().unwrap().mode() & 0o7777, 0o755);
    if needs_root("owners of parents") {
        assert_eq!((old.uid(), old.gid()), (5, 6));
        let new = scratch.at("new").metadata().unwrap();
        assert_eq!((new.uid(), new.gid()), (0, 0));
        // A setgid parent's group must not rub off.
        assert_eq!(scratch.at("old/f").metadata().unwrap().gid(), 0);
    }
}

/// As `tar -C "$(mktemp -d)" .` packs it: the temporary directory is 0700, and all is the packer's.
#[test]
fn a_plugin_changes_no_directory_that_it_did_not_bring() {
    let owned = |kind: &str| {
        if is_root() {
            format!("--owner={kind} --group={kind}")
        } else {
            String::new()
        }
    };
    for walk in [false, true] {
        let scratch = Scratch::new();
        let root = scratch.root();
        let root = if walk { root.without_kernel_lookup() } else { root };
        scratch.sh(&format!(
            "umask 022; mkdir -p root/etc/ssh base; chmod 755 root root/etc; chmod 1777 root/etc/ssh
            mkdir -p tree/etc/ssh tree/opt/own tree/opt/twice; chmod 700 tree tree/etc tree/etc/ssh; chmod 750 tree/opt tree/opt/own
            chmod 711 tree/opt/twice; touch tree/etc/ssh/f tree/opt/own/f tree/opt/twice/f
            tar -C tree {} -cf archive opt/twice/f .",
            owned("1000")
        ));
        let stat = |name: &str| {
            let meta = scratch.at(name).metadata().unwrap();
            (meta.mode() & 0o7777, meta.uid(), meta.mtime())
        };
        let ours = [".", "etc", "etc/ssh"];
        let before = ours.map(stat).map(|(mode, uid, _)| (mode, uid));
        let archive = std::fs::read(scratch.path.join("archive")).unwrap();
        unpack_with(&archive, Format::Tar, &root, &UnpackLimits::plugin()).unwrap();
        assert_eq!(ours.map(stat).map(|(mode, uid, _)| (mode, uid)), before);
        // Its own have its metadata, also one that was made for a member before its own came.
        assert_eq!(
            (stat("opt").0, stat("opt/own").0, stat("opt/twice").0),
            (0o750, 0o750, 0o711)
        );
        if needs_root("owners of a plugin's directories") {
            assert_eq!(
                (stat("opt").1, stat("opt/own").1, stat("opt/twice").1),
                (1000, 1000, 1000)
            );
        }
        // A whole root says what its directories are.
        unpack_with(&archive, Format::Tar, &root, &UnpackLimits::rootfs()).unwrap();
        assert_eq!(ours.map(|name| stat(name).0), [0o700, 0o700, 0o700]);
        scratch.untouched();
    }
}

#[test]
fn link_loops_end() {
    let archive = Tar::default()
        .symlink("a", "b")
        .symlink("b", "a")
        .file("a/f", b"x")
        .end();
    refused(&archive, &UnpackLimits::rootfs(), Code::ArchiveMalformed);
}
