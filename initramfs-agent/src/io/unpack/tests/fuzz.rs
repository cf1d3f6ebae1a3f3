//! Damaged archives by the thousand: never a panic, never a byte outside of the root.
//! A failure prints its seed; `BOOTSWARM_FUZZ_SEED` runs one seed, `BOOTSWARM_FUZZ_RUNS` more of them.

use super::super::*;
use super::support::*;
use crate::core::error::Code;
use crate::core::rng::Rng;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Repairs the checksums of what still looks like tar headers, or nothing would get past them.
fn mend(archive: &mut [u8]) {
    for block in archive.chunks_exact_mut(512) {
        if &block[257..262] == b"ustar" {
            block[148..156].fill(b' ');
            let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
            block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
    }
}

fn damage(archive: &mut [u8], seed: u64) {
    const WORDS: &[&[u8]] = &[
        b"../",
        b"/",
        b"..",
        b"\0",
        b"\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\0\0\0\0\0\0\x01",
        b"77777777777",
        b"FFFFFFFF",
        b"00000000",
        b"a/b/c",
        b"path=../x\n",
        b"TRAILER!!!",
    ];
    let mut rng = Rng::new(seed);
    for _ in 0..1 + rng.below(3) {
        let length = archive.len() as u64;
        let at = rng.below(length) as usize;
        match rng.below(6) {
            0 | 1 => archive[at] = rng.next_u64() as u8,
            2 | 3 => {
                let word = WORDS[rng.below(WORDS.len() as u64) as usize];
                let end = (at + word.len()).min(archive.len());
                archive[at..end].copy_from_slice(&word[..end - at]);
            }
            4 => {
                // The type flag of some block.
                let kinds = b"01234567xgLKSDVM\0X";
                let at = at / 512 * 512 + 156;
                if at < archive.len() {
                    archive[at] = kinds[rng.below(kinds.len() as u64) as usize];
                }
            }
            _ => {
                // A block moves to another place.
                let (from, to) = (rng.below(length / 512) as usize * 512, at / 512 * 512);
                if to + 512 <= archive.len() {
                    archive.copy_within(from..from + 512, to);
                }
            }
        }
    }
}

fn fuzz(archive: &[u8], format: Format, runs: u64) {
    let scratch = Scratch::new();
    let root = scratch.root();
    let limits = UnpackLimits {
        bytes_max: 1 << 20,
        // No device nodes by chance.
        nodes: false,
        merge_dpkg_status: true,
        ..UnpackLimits::rootfs()
    };
    let seeds = match number("BOOTSWARM_FUZZ_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("BOOTSWARM_FUZZ_RUNS").unwrap_or(runs),
    };
    let mut whole = 0;
    for seed in seeds.clone() {
        let mut damaged = archive.to_vec();
        damage(&mut damaged, seed);
        if seed % 8 != 0 && format == Format::Tar {
            mend(&mut damaged);
        }
        let run = std::panic::AssertUnwindSafe(|| unpack_with(&damaged, format, &root, &limits));
        let result =
            std::panic::catch_unwind(run).unwrap_or_else(|_| panic!("{format:?}: seed {seed} panics"));
        if seed % 16 == 0 {
            // The root was empty before.
            as_modelled(&damaged, format, &limits, &result);
        }
        match result {
            Ok(_) => whole += 1,
            Err(e) => assert!(
                !matches!(e.code, Code::Io | Code::TargetInvalid),
                "{format:?}: seed {seed} ends in {e}"
            ),
        }
        let canary = std::fs::read(scratch.path.join("canary/passwd"));
        assert_eq!(
            canary.ok().as_deref(),
            Some(b"untouched".as_slice()),
            "{format:?}: seed {seed} got out"
        );
        let beside = std::fs::read_dir(&scratch.path).unwrap().count();
        assert_eq!(
            beside, 2,
            "{format:?}: seed {seed} made something beside the root"
        );
        if seed % 16 == 15 {
            root.wipe().unwrap();
        }
    }
    scratch.untouched();
    let runs = seeds.end - seeds.start;
    assert!(
        runs == 1 || (whole > runs / 50 && whole < runs),
        "{whole} of {runs} were whole: damage is too mild or too harsh"
    );
}

#[test]
fn tar() {
    let archive = Tar::default()
        .dir("a/b")
        .file("a/b/c", &[b'x'; 700])
        .symlink("l", "a")
        .symlink("out", "../canary")
        .hard_link("h", "a/b/c")
        .pax(&[
            ("path", "out/passwd"),
            ("mtime", "12.5"),
            ("SCHILY.xattr.user.x", "y"),
            ("size", "3"),
        ])
        .file("x", b"abc")
        .header(b'L', "././@LongLink", "", 8)
        .content(b"a/longer")
        .file("short", b"text")
        .file("tmp/dpkg_status", b"Package: a\n\nPackage: b\n")
        .end();
    fuzz(&archive[..archive.len() - 512], Format::Tar, 2000);
}

#[test]
fn cpio() {
    let scratch = Scratch::new();
    scratch.sh(
        "mkdir -p t/a/b; echo x > t/a/b/c; ln t/a/b/c t/h; ln -s ../canary t/out; head -c 500 /dev/zero > t/z
        cd t; find . | busybox cpio -o -H newc > ../archive 2> /dev/null",
    );
    let archive = std::fs::read(scratch.path.join("archive")).unwrap();
    let end = archive.windows(10).position(|w| w == b"TRAILER!!!").unwrap() + 14;
    fuzz(&archive[..end.min(archive.len())], Format::Cpio, 2000);
}
