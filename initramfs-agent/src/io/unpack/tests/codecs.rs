//! Compression: cut off, damaged, too hungry, and readers that fail.

use std::io::Read;

use super::super::*;
use super::support::*;
use crate::core::error::{Code, Error};

fn plain() -> Vec<u8> {
    let mut noise = crate::core::rng::Rng::new(7);
    let content: Vec<u8> = (0..200_000).map(|_| (noise.next_u64() >> 58) as u8).collect();
    Tar::default()
        .dir("d")
        .file("d/a", &content)
        .file("d/b", b"end")
        .end()
}

/// The archive by every compressor, with the tool's name.
fn all(scratch: &Scratch, archive: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let tools = ["cat", "gzip -9", "xz -0 --block-size=65536", "zstd -q --check"];
    let run = |tool: &'static str| {
        std::fs::write(scratch.path.join("in"), archive).unwrap();
        scratch.sh(&format!("{tool} < in > out"));
        (tool, std::fs::read(scratch.path.join("out")).unwrap())
    };
    tools.into_iter().map(run).collect()
}

#[test]
fn every_cut_is_noticed() {
    let scratch = Scratch::new();
    let root = scratch.root();
    for (tool, archive) in all(&scratch, &plain()) {
        // All but a tar's second block of zeros, which nobody needs.
        let needed = if tool == "cat" {
            archive.len() - 512
        } else {
            archive.len()
        };
        let step = needed / 97;
        for cut in (0..needed).step_by(step).chain(needed - 40..needed) {
            let result = untar(&archive[..cut], &root);
            assert_eq!(
                code(result),
                Code::ArchiveMalformed,
                "{tool} cut at {cut} of {}",
                archive.len()
            );
        }
        untar(&archive, &root).unwrap();
    }
}

#[test]
fn damage_and_garbage_are_noticed() {
    let scratch = Scratch::new();
    let root = scratch.root();
    let mut rng = crate::core::rng::Rng::new(11);
    for (tool, archive) in all(&scratch, &plain()).into_iter().skip(1) {
        for _ in 0..40 {
            let mut damaged = archive.clone();
            // Behind the header, whose time and name gzip does not protect.
            let at = 30 + rng.below(archive.len() as u64 - 30) as usize;
            damaged[at] ^= 1 << rng.below(8);
            match untar(&damaged, &root) {
                Err(e) => assert!(
                    matches!(e.code, Code::ArchiveMalformed | Code::ArchiveUnsupported),
                    "{tool} at {at}: {e}"
                ),
                Ok(_) => panic!("{tool}: a flipped bit at {at} of {} went through", archive.len()),
            }
        }
        let mut longer = archive.clone();
        longer.extend(b"garbage");
        assert_eq!(code(untar(&longer, &root)), Code::ArchiveMalformed, "{tool}");
        let mut padded = archive;
        padded.extend([0; 4096]);
        untar(&padded, &root).unwrap();
    }
    for (garbage, expected) in [
        (b"".as_slice(), Code::ArchiveMalformed),
        (b"\0", Code::ArchiveMalformed),
        (b"<html>not found</html>", Code::ArchiveMalformed),
        (&[0xff; 5000], Code::ArchiveMalformed),
        (b"\x1f\x8b", Code::ArchiveMalformed),
        (b"BZh91AY&SY", Code::ArchiveUnsupported),
        (b"\x04\x22\x4d\x18rest", Code::ArchiveUnsupported),
    ] {
        assert_eq!(code(untar(garbage, &root)), expected, "{garbage:?}");
        let cpio = unpack_with(garbage, Format::Cpio, &root, &UnpackLimits::rootfs());
        assert_eq!(code(cpio), expected, "{garbage:?}");
    }
}

#[test]
fn decoders_that_want_too_much_memory_are_refused() {
    let scratch = Scratch::new();
    let root = scratch.root();
    std::fs::write(scratch.path.join("in"), plain()).unwrap();
    // Streamed in, so that the tools cannot shrink the window to the size of the file.
    scratch.sh("cat in | xz -6 > six; cat in | xz -7 > seven; cat in | xz -9 > nine");
    scratch.sh("cat in | zstd -q -19 > z19; cat in | zstd -q --long=24 > zlong");
    // A small first block or frame does not raise the limit for the next one.
    scratch.sh("cat six nine > later; cat z19 zlong > zlater");
    let unpack_of = |name: &str| untar(&std::fs::read(scratch.path.join(name)).unwrap(), &root);
    unpack_of("six").unwrap();
    unpack_of("z19").unwrap();
    for refused in ["seven", "nine", "zlong", "later", "zlater"] {
        assert_eq!(code(unpack_of(refused)), Code::ArchiveUnsupported, "{refused}");
    }
}

#[test]
fn bombs_end_at_the_limit() {
    let scratch = Scratch::new();
    let root = scratch.root();
    let limits = UnpackLimits {
        bytes_max: 20 << 20,
        ..UnpackLimits::rootfs()
    };
    let zeros = zstd::encode_all(&vec![0_u8; 16 << 20][..], 1).unwrap();
    assert!(zeros.len() < 2000);
    // 10 GiB behind a file that says so, behind one that says it is endless, and behind the end.
    for size in [10_u64 << 30, (1 << 33) - 1, 0] {
        let head = Tar::default().header(b'0', "zeros", "", size).0;
        let mut bomb = zstd::encode_all(&head[..], 1).unwrap();
        bomb.extend(zeros.repeat(640));
        assert_eq!(
            code(unpack_with(&bomb, Format::Tar, &root, &limits)),
            Code::TargetFull
        );
    }
    let mut bomb = zstd::encode_all(&[b'0'; 6][..], 1).unwrap();
    bomb.extend(zeros.repeat(640));
    assert_eq!(
        code(unpack_with(&bomb, Format::Cpio, &root, &limits)),
        Code::ArchiveMalformed
    );
    // More than any disk has: refused before the first byte of it is asked for.
    let head = Tar::default()
        .pax(&[("size", "4000000000000000000")])
        .file("f", b"x")
        .end();
    let limits = UnpackLimits {
        bytes_max: u64::MAX,
        ..UnpackLimits::rootfs()
    };
    let error = unpack_with(&head, Format::Tar, &root, &limits).unwrap_err();
    assert_eq!(error.code, Code::TargetFull);
    assert!(error.message.contains("4000000000000000000"), "{error}");
}

#[test]
fn an_error_of_the_reader_keeps_its_code() {
    struct Failing<'a>(&'a [u8], Option<Code>);
    impl Read for Failing<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let n = self.0.read(out)?;
            match (n, self.1) {
                (0, Some(code)) => Err(std::io::Error::other(Error::new(code, "of the reader"))),
                (0, None) => Err(std::io::ErrorKind::ConnectionReset.into()),
                _ => Ok(n),
            }
        }
    }
    let scratch = Scratch::new();
    let root = scratch.root();
    for (tool, archive) in all(&scratch, &plain()) {
        for at in [0, 3, archive.len() / 2, archive.len() - 1] {
            for (given, expected) in [
                (Some(Code::ArtifactBadSha256), Code::ArtifactBadSha256),
                (Some(Code::ArtifactUnavailable), Code::ArtifactUnavailable),
                (None, Code::Io),
            ] {
                let mut reader = Failing(&archive[..at], given);
                let limits = UnpackLimits::rootfs();
                let result = unpack(&mut reader, Format::Tar, &root, &limits, &mut |_| {});
                assert_eq!(code(result), expected, "{tool} at {at}");
                let mut reader = Failing(&archive[..at], given);
                let handed = hand_over(&mut reader, &scratch.path.join("file"), &mut |_| {});
                assert_eq!(handed.unwrap_err().code, expected);
                assert!(!scratch.path.join("file").exists() && !scratch.path.join("file.part").exists());
            }
        }
    }
}

#[test]
fn raw_files_are_handed_over_as_they_are() {
    let scratch = Scratch::new();
    let content = vec![0x1f; (9 << 20) + 5];
    let path = scratch.path.join("image");
    let mut reports = Vec::new();
    let size = hand_over(&mut Dribble(&content, 70_000), &path, &mut |p| {
        reports.push(p.read_bytes)
    })
    .unwrap();
    assert_eq!(size, content.len() as u64);
    assert_eq!(std::fs::read(path).unwrap(), content);
    assert_eq!((reports.len(), reports.last()), (3, Some(&size)));
}
