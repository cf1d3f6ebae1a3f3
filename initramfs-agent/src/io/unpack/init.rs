//! Whether a root can be booted: the program that stage 1 starts in it.

use std::io::Read;

use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;

use super::limits::LINKS_MAX;
use super::root::{TargetRoot, open_regular};
use crate::core::error::{Code, Error, Result};

/// Where stage 1 looks for what it runs in the new root, in its order (image/stage1/root). What the kernel's command
/// line calls `init=` comes before them.
pub const INITS: [&str; 5] = [
    "/sbin/init",
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
    "/etc/init",
    "/bin/init",
];

/// The program that can be started in this root.
///
/// Errors: `ROOT_NO_INIT`.
pub fn init_of(root: &TargetRoot, asked: Option<&str>) -> Result<String> {
    asked
        .into_iter()
        .chain(INITS)
        .find(|path| is_runnable(root, path).unwrap_or(false))
        .map(str::to_owned)
        .ok_or_else(|| no_init(asked))
}

/// The error of a root without a program to start.
pub fn no_init(asked: Option<&str>) -> Error {
    let looked: Vec<&str> = asked.into_iter().chain(INITS).collect();
    Error::new(
        Code::RootNoInit,
        format!(
            "it has no init that the kernel could run (an executable program or script at {})",
            looked.join(", ")
        ),
    )
}

/// Whether the kernel runs a file that begins like this: ELF, or a script with its interpreter.
pub(super) fn is_program(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF") || head.starts_with(b"#!")
}

/// Links are followed inside the root, as the booted system will follow them.
fn is_runnable(root: &TargetRoot, path: &str) -> std::result::Result<bool, Errno> {
    let mut path = path.as_bytes().to_vec();
    for _ in 0..=LINKS_MAX {
        let slash = path.iter().rposition(|&b| b == b'/');
        let (directory, name) = path.split_at(slash.map_or(0, |at| at + 1));
        let directory_fd = root.directory(directory, false)?;
        let stat = rustix::fs::statat(&directory_fd, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink => {
                let text = rustix::fs::readlinkat(&directory_fd, name, Vec::new())?;
                let text = text.to_bytes();
                path = if text.starts_with(b"/") {
                    text.to_vec()
                } else {
                    [directory, text].concat()
                };
            }
            FileType::RegularFile if stat.st_mode & 0o111 != 0 => {
                let mut head = Vec::new();
                let file = std::fs::File::from(open_regular(&directory_fd, name)?);
                return Ok(file.take(4).read_to_end(&mut head).is_ok() && is_program(&head));
            }
            _ => return Ok(false),
        }
    }
    Err(Errno::LOOP)
}
