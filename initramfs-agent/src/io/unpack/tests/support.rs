//! A scratch directory with a target root and a canary beside it, and real tools to make archives.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::*;
use crate::core::error::{Code, Result};

/// Removed when dropped, also when the test fails.
pub struct Scratch {
    pub path: PathBuf,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl Scratch {
    /// A new directory with `canary/passwd` in it, beside where roots are made.
    pub fn new() -> Self {
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let base = if Path::new("/dev/shm").is_dir() {
            PathBuf::from("/dev/shm")
        } else {
            std::env::temp_dir()
        };
        let path = base.join(format!("bootswarm-unpack-{}-{n:06}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        std::fs::create_dir(path.join("canary")).unwrap();
        std::fs::write(path.join("canary/passwd"), "untouched").unwrap();
        Self { path }
    }

    pub fn root(&self) -> TargetRoot {
        TargetRoot::create(&self.path.join("root")).unwrap()
    }

    /// A path below the target root, as text of the host.
    pub fn at(&self, name: &str) -> PathBuf {
        self.path.join("root").join(name)
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.at(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
    }

    /// Runs a shell script in the scratch directory.
    pub fn sh(&self, script: &str) {
        let status = Command::new("bash")
            .args(["-euc", script])
            .current_dir(&self.path)
            .status()
            .unwrap();
        assert!(status.success(), "{script}");
    }

    /// That nothing beside the root changed: the canary is as it was and has no company.
    pub fn untouched(&self) {
        assert_eq!(
            std::fs::read_to_string(self.path.join("canary/passwd")).unwrap(),
            "untouched"
        );
        assert_eq!(std::fs::read_dir(self.path.join("canary")).unwrap().count(), 1);
        let mode = std::fs::metadata(self.path.join("canary/passwd"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o7777, 0o644);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Ok(root) = TargetRoot::open(&self.path.join("root")) {
            let wiped = root.wipe();
            assert!(std::thread::panicking() || wiped.is_ok(), "{wiped:?}");
        }
        let removed = std::fs::remove_dir_all(&self.path);
        assert!(std::thread::panicking() || removed.is_ok(), "{removed:?}");
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Says loudly that a part of a test needs root and did not run.
pub fn needs_root(what: &str) -> bool {
    if !is_root() {
        eprintln!("\n!!! NOT RUN, not root: {what}\n");
    }
    is_root()
}

pub fn unpack_with(
    archive: &[u8],
    format: Format,
    root: &TargetRoot,
    limits: &UnpackLimits,
) -> Result<Summary> {
    let mut reader = archive;
    unpack(&mut reader, format, root, limits, &mut |_| {})
}

pub fn untar(archive: &[u8], root: &TargetRoot) -> Result<Summary> {
    unpack_with(archive, Format::Tar, root, &UnpackLimits::rootfs())
}

pub fn code(result: Result<Summary>) -> Code {
    match result {
        Ok(summary) => panic!("unpacked: {summary:?}"),
        Err(e) => e.code,
    }
}

/// That the model answers as the root did, which was empty: the same members, or the same refusal word for word.
pub fn as_modelled(archive: &[u8], format: Format, limits: &UnpackLimits, result: &Result<Summary>) {
    let model = check::modelled(archive, format, limits);
    match (result, model) {
        (Ok(real), Ok(model)) => {
            let model = model.summary;
            assert_eq!(
                (real.read_bytes, real.unpacked_bytes, real.entries, real.files),
                (model.read_bytes, model.unpacked_bytes, model.entries, model.files)
            );
            assert_eq!(real.warnings, model.warnings);
        }
        // The model speaks for a node, where root unpacks.
        (Err(real), _) if !is_root() && real.message.ends_with("cannot be made by this process") => {}
        (Err(real), Err(model)) => assert_eq!(real.to_string(), model.to_string()),
        (real, model) => panic!("the root says {real:?}, the model {model:?}"),
    }
}

/// Unpacks into fresh roots, by kernel lookup and by walk, and checks the canary after each. The model of a root must
/// say the same.
pub fn each(archive: &[u8], limits: &UnpackLimits, check: impl Fn(&Scratch, Result<Summary>)) {
    for walk in [false, true] {
        let scratch = Scratch::new();
        let root = scratch.root();
        let root = if walk { root.without_kernel_lookup() } else { root };
        // `canary` in archives means this directory; it is the same length for every scratch.
        let real = scratch.path.join("canary").to_str().unwrap().to_owned();
        assert_eq!(real.len(), canary().len());
        let archive = replace(archive, canary().as_bytes(), real.as_bytes());
        let result = unpack_with(&archive, Format::Tar, &root, limits);
        as_modelled(&archive, Format::Tar, limits, &result);
        scratch.untouched();
        check(&scratch, result);
        scratch.untouched();
    }
}

/// A stand-in for the absolute path of the canary directory, as long as the real one.
pub fn canary() -> String {
    let scratch = Scratch::new();
    "/".to_owned() + &"C".repeat(scratch.path.join("canary").to_str().unwrap().len() - 1)
}

/// Puts the real path in and mends the checksums.
fn replace(archive: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = archive.to_vec();
    for block in out.chunks_mut(512) {
        let Some(at) = block.windows(from.len()).position(|w| w == from) else {
            continue;
        };
        block[at..at + to.len()].copy_from_slice(to);
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    out
}

pub fn refused(archive: &[u8], limits: &UnpackLimits, expected: Code) {
    each(archive, limits, |_, result| assert_eq!(code(result), expected));
}

/// Gives a few bytes at a time, to meet every boundary.
pub struct Dribble<'a>(pub &'a [u8], pub usize);

impl Read for Dribble<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let n = self.1.min(out.len()).min(self.0.len());
        out[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

/// Builds tar archives that no tool would make.
#[derive(Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    pub fn header(mut self, kind: u8, name: &str, link: &str, size: u64) -> Self {
        let mut block = [0_u8; 512];
        let name = &name.as_bytes()[..name.len().min(100)];
        block[..name.len()].copy_from_slice(name);
        block[100..108].copy_from_slice(if kind == b'5' { b"0000755\0" } else { b"0000644\0" });
        block[108..116].copy_from_slice(b"0000000\0");
        block[116..124].copy_from_slice(b"0000000\0");
        block[124..135].copy_from_slice(format!("{:011o}", size % (1 << 33)).as_bytes());
        if size >= 1 << 33 {
            block[124..128].copy_from_slice(&[0x80, 0, 0, 0]);
            block[128..136].copy_from_slice(&size.to_be_bytes());
        }
        block[136..148].copy_from_slice(b"14000000000\0");
        block[148..156].fill(b' ');
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link.as_bytes());
        block[257..265].copy_from_slice(b"ustar\x0000");
        // /dev/null; 0, 0 would be a whiteout, which Linux lets anybody make.
        block[329..336].copy_from_slice(b"0000001");
        block[337..344].copy_from_slice(b"0000003");
        let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&block);
        self
    }

    pub fn content(mut self, content: &[u8]) -> Self {
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, name: &str, content: &[u8]) -> Self {
        self.header(b'0', name, "", content.len() as u64).content(content)
    }

    pub fn dir(self, name: &str) -> Self {
        self.header(b'5', name, "", 0)
    }

    pub fn symlink(self, name: &str, text: &str) -> Self {
        self.header(b'2', name, text, 0)
    }

    pub fn hard_link(self, name: &str, target: &str) -> Self {
        self.header(b'1', name, target, 0)
    }

    pub fn pax(self, records: &[(&str, &str)]) -> Self {
        let mut body = Vec::new();
        for (key, value) in records {
            let rest = key.len() + value.len() + 3;
            let mut length = rest + 1;
            while length != rest + length.to_string().len() {
                length = rest + length.to_string().len();
            }
            body.extend_from_slice(format!("{length} {key}={value}\n").as_bytes());
        }
        self.header(b'x', "pax", "", body.len() as u64).content(&body)
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}
