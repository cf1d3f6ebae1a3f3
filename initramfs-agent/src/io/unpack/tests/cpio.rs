//! cpio archives: of busybox, and of no tool.

use std::os::unix::fs::MetadataExt;

use super::super::*;
use super::support::*;
use crate::core::error::{Code, Result};

struct Member<'a> {
    name: &'a str,
    mode: u32,
    inode: u32,
    links: u32,
    content: &'a [u8],
}

fn file<'a>(name: &'a str, content: &'a [u8]) -> Member<'a> {
    Member {
        name,
        mode: 0o100_644,
        inode: 7,
        links: 1,
        content,
    }
}

fn newc(magic: &str, members: &[Member<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    let trailer = Member {
        mode: 0,
        ..file("TRAILER!!!", b"")
    };
    for m in members.iter().chain([&trailer]) {
        let sum: u32 = m.content.iter().map(|&b| u32::from(b)).sum();
        let sum = if magic == "070702" { sum } else { 0 };
        let fields = [
            m.inode,
            m.mode,
            0,
            0,
            m.links,
            1_500_000_000,
            m.content.len() as u32,
            8,
            1,
            5,
            1,
        ];
        out.extend_from_slice(magic.as_bytes());
        for field in fields.into_iter().chain([m.name.len() as u32 + 1, sum]) {
            out.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        out.extend_from_slice(m.name.as_bytes());
        out.push(0);
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend_from_slice(m.content);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

fn uncpio(archive: &[u8], root: &TargetRoot) -> Result<Summary> {
    unpack_with(archive, Format::Cpio, root, &UnpackLimits::rootfs())
}

#[test]
fn busybox_cpio_of_a_tree() {
    let scratch = Scratch::new();
    scratch.sh(
        r#"mkdir -p tree/bin tree/d; echo hi > tree/bin/sh; ln tree/bin/sh tree/d/same; ln -s ../bin/sh tree/d/l
        chmod 4711 tree/bin/sh; head -c 200001 /dev/urandom > tree/big; chmod 1777 tree/d
        (cd tree; find . | busybox cpio -o -H newc 2> /dev/null | gzip > ../archive)
        find tree -exec touch -h -d 2021-01-01 {} +"#,
    );
    let archive = std::fs::read(scratch.path.join("archive")).unwrap();
    let root = scratch.root();
    uncpio(&archive, &root).unwrap();
    root.complete().unwrap();
    let mode = if is_root() { 0o4711 } else { 0o711 };
    assert_eq!(scratch.at("bin/sh").metadata().unwrap().mode() & 0o7777, mode);
    assert_eq!(
        scratch.at("bin/sh").metadata().unwrap().ino(),
        scratch.at("d/same").metadata().unwrap().ino()
    );
    scratch.sh("diff -r --no-dereference tree root");
}

#[test]
fn archives_in_a_row_with_padding_and_other_compressions() {
    let scratch = Scratch::new();
    let root = scratch.root();
    let part = |name: &str, text: &str| newc("070701", &[file(name, text.as_bytes())]);
    std::fs::write(scratch.path.join("c"), part("c", "3")).unwrap();
    scratch.sh("gzip -k c; xz -k c; zstd -qk c");
    let compressed = |end: &str| std::fs::read(scratch.path.join(format!("c.{end}"))).unwrap();
    for tail in ["gz", "xz", "zst"] {
        let mut archive = part("a", "1");
        archive.resize(archive.len().next_multiple_of(512), 0);
        archive.extend(part("b", "2"));
        archive.extend([0; 4]);
        archive.extend(compressed(tail));
        archive.extend([0; 32]);
        archive.extend(part("d", "4"));
        for step in [1, 7, 1 << 20] {
            let limits = UnpackLimits::rootfs();
            let summary = unpack(
                &mut Dribble(&archive, step),
                Format::Cpio,
                &root,
                &limits,
                &mut |_| {},
            )
            .unwrap();
            assert_eq!(summary.files, 4);
            let all: String = ["a", "b", "c", "d"]
                .iter()
                .map(|name| scratch.read(name))
                .collect();
            assert_eq!(all, "1234");
            root.wipe().unwrap();
        }
    }
    let mut garbage = part("a", "1");
    garbage.extend(b"garbage");
    assert_eq!(code(uncpio(&garbage, &root)), Code::ArchiveMalformed);
}

#[test]
fn hard_links_by_inode_first_or_last_with_the_content() {
    for first in [true, false] {
        let scratch = Scratch::new();
        let root = scratch.root();
        let name = |name, full: bool| Member {
            links: 3,
            ..file(name, if full { b"content" } else { b"" })
        };
        let archive = newc(
            "070702",
            &[
                name("a", first),
                name("b", false),
                name("c", !first),
                file("d", b"own"),
            ],
        );
        uncpio(&archive, &root).unwrap();
        let inode = |name: &str| scratch.at(name).metadata().unwrap().ino();
        assert!(inode("a") == inode("b") && inode("b") == inode("c") && inode("c") != inode("d"));
        assert_eq!(scratch.read("a"), "content");
    }
}

#[test]
fn what_is_refused() {
    let scratch = Scratch::new();
    let root = scratch.root();
    let mut wrong = newc("070702", &[file("a", b"content")]);
    let at = wrong.windows(7).position(|w| w == b"content").unwrap();
    wrong[at] = b'C';
    assert_eq!(code(uncpio(&wrong, &root)), Code::ArchiveMalformed);
    let archive = newc("070701", &[file("a", b"content")]);
    for cut in 0..archive.len() {
        // Only the padding behind the trailer may miss.
        if cut < archive.len() - 3 {
            assert_eq!(
                code(uncpio(&archive[..cut], &root)),
                Code::ArchiveMalformed,
                "cut at {cut}"
            );
        }
    }
    assert_eq!(
        code(uncpio(&newc("070707", &[]), &root)),
        Code::ArchiveUnsupported
    );
    let escape = newc("070701", &[file("../canary/passwd", b"x")]);
    assert_eq!(code(uncpio(&escape, &root)), Code::ArchiveEscapes);
    // A name of one inode is replaced before the content comes: not written into the other file.
    let names = [
        Member {
            links: 2,
            ..file("a", b"")
        },
        Member {
            mode: 0o120_777,
            inode: 8,
            ..file("a", b"canary")
        },
        Member {
            links: 2,
            ..file("b", b"evil")
        },
    ];
    let result = uncpio(&newc("070701", &names), &root);
    assert!(matches!(
        code(result),
        Code::ArchiveForbiddenEntry | Code::ArchiveMalformed
    ));
    scratch.untouched();
}

#[test]
fn a_million_and_one_members_are_too_many() {
    /// The same directory over and over, without end.
    struct Endless(Vec<u8>, usize);
    impl std::io::Read for Endless {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let from = &self.0[self.1..];
            let n = from.len().min(out.len());
            out[..n].copy_from_slice(&from[..n]);
            self.1 = (self.1 + n) % self.0.len();
            Ok(n)
        }
    }
    let scratch = Scratch::new();
    let root = scratch.root();
    let one = Member {
        mode: 0o040_755,
        ..file("a/b", b"")
    };
    let block = newc("070701", &[one])[..116].repeat(1000);
    let mut reports = 0;
    let result = unpack(
        &mut Endless(block, 0),
        Format::Cpio,
        &root,
        &UnpackLimits::rootfs(),
        &mut |progress| {
            reports += 1;
            assert!(progress.entries <= 1_000_000);
        },
    );
    assert_eq!(code(result), Code::ArchiveTooManyEntries);
    assert!(reports >= 900, "{reports}");
}
