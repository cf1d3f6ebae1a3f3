//! What is bounded, what is not known, and what is left out.

use super::super::*;
use super::support::*;
use crate::core::error::Code;

#[test]
fn headers_are_bounded_one_by_one_and_together() {
    let rootfs = UnpackLimits::rootfs();
    for kind in [b'x', b'g', b'L', b'K', b'X'] {
        let huge = Tar::default()
            .header(kind, "h", "", (1 << 20) + 1)
            .content(&vec![b'x'; (1 << 20) + 1]);
        refused(&huge.file("f", b"").end(), &rootfs, Code::ArchiveMalformed);
        let endless = Tar::default().header(kind, "h", "", 1 << 40).end();
        refused(&endless, &rootfs, Code::ArchiveMalformed);
    }
    let value = "v".repeat(600_000);
    let records = [("SCHILY.xattr.user.big", value.as_str())];
    refused(
        &Tar::default().pax(&records).pax(&records).file("f", b"").end(),
        &rootfs,
        Code::ArchiveMalformed,
    );
    let mut many = Tar::default();
    for _ in 0..20 {
        many = many.pax(&[("comment", "x")]);
    }
    refused(&many.file("f", b"").end(), &rootfs, Code::ArchiveMalformed);
    refused(
        &Tar::default().pax(&[("comment", "x")]).end(),
        &rootfs,
        Code::ArchiveMalformed,
    );
    for records in [
        "5 a=b\n",
        "99 a=b\n",
        "x a=b\n",
        "6 ab\n\n",
        "0 a=b\n",
        "-6 a=b\n",
        "13 size=-10\n",
        "12 mtime=x\n",
    ] {
        let pax = Tar::default()
            .header(b'x', "h", "", records.len() as u64)
            .content(records.as_bytes());
        refused(&pax.file("f", b"x").end(), &rootfs, Code::ArchiveMalformed);
    }
}

#[test]
fn names_are_bounded() {
    let rootfs = UnpackLimits::rootfs();
    for name in [
        "a/".repeat(257),
        "n".repeat(256),
        "abcdefg/".repeat(520),
        "a\0b".into(),
    ] {
        let archive = Tar::default().pax(&[("path", &name)]).file("f", b"").end();
        refused(&archive, &rootfs, Code::ArchiveMalformed);
    }
    let long = Tar::default()
        .pax(&[("path", &"a/".repeat(256))])
        .file("f", b"")
        .end();
    each(&long, &rootfs, |_, result| assert_eq!(result.unwrap().entries, 1));
}

#[test]
fn what_is_not_known_is_refused_not_guessed() {
    let rootfs = UnpackLimits::rootfs();
    for kind in [b'S', b'M', b'N', b'Z', b'9', 0xff] {
        let archive = Tar::default().header(kind, "f", "", 0).end();
        refused(&archive, &rootfs, Code::ArchiveUnsupported);
    }
    let sparse = Tar::default()
        .pax(&[("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0")])
        .file("f", b"x")
        .end();
    refused(&sparse, &rootfs, Code::ArchiveUnsupported);
    let scratch = Scratch::new();
    for format in ["gnu", "pax"] {
        scratch.sh(&format!(
            "truncate -s 9M s; echo end >> s; tar --sparse --format={format} -cf archive s"
        ));
        let archive = std::fs::read(scratch.path.join("archive")).unwrap();
        refused(&archive, &rootfs, Code::ArchiveUnsupported);
    }
}

#[test]
fn attributes_that_are_wanted_come_over() {
    let capability = "\u{1}\0\0\u{2}\0\u{4}\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let records = [
        ("SCHILY.xattr.security.capability", capability),
        ("SCHILY.xattr.security.selinux", "x"),
        ("SCHILY.xattr.trusted.overlay.opaque", "y"),
        ("LIBARCHIVE.xattr.user.a", "eA=="),
    ];
    let archive = Tar::default().pax(&records).file("f", b"x").file("g", b"x").end();
    each(&archive, &UnpackLimits::rootfs(), |scratch, result| {
        let mut value = [0; 64];
        let mut get =
            |name: &str| rustix::fs::getxattr(scratch.at(name), "security.capability", &mut value[..]);
        assert_eq!(get("g").ok(), None);
        let skipped = result.unwrap().xattrs_skipped;
        if is_root() {
            assert_eq!((get("f").unwrap(), skipped), (capability.len(), 3));
        } else {
            assert_eq!(skipped, 4);
        }
    });
}

#[test]
fn the_end_mark_is_needed_and_what_follows_is_not_unpacked() {
    let rootfs = UnpackLimits::rootfs();
    refused(&Tar::default().file("f", b"x").0, &rootfs, Code::ArchiveMalformed);
    let mut two = Tar::default().file("f", b"x").end();
    two.extend(Tar::default().file("g", b"x").end());
    each(&two, &rootfs, |scratch, result| {
        assert_eq!(result.unwrap().warnings.len(), 1);
        assert!(!scratch.at("g").exists());
    });
}

#[test]
fn too_many_members() {
    let limits = UnpackLimits {
        entries_max: 2,
        ..UnpackLimits::rootfs()
    };
    let two = Tar::default().file("a", b"").file("b", b"");
    each(&Tar(two.0.clone()).end(), &limits, |_, result| {
        assert_eq!(result.unwrap().entries, 2)
    });
    refused(&two.file("a", b"").end(), &limits, Code::ArchiveTooManyEntries);
}
