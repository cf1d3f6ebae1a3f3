//! The node's settings in the new root: `/etc/hostname` and `/etc/environment`.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use crate::core::error::{Code, Error, Result};
use crate::io::unpack::TargetRoot;

/// Largest `/etc/environment` of a root file system that is kept, bytes.
const ENVIRONMENT_BYTES_MAX: u64 = 1 << 20;

/// Writes both files, each replaced in one step, always inside the root whatever links the archives left.
/// Lines of `/etc/environment` that set other names stay as they are.
///
/// # Errors
/// `TARGET_FULL`, `TARGET_INVALID`, `IO`.
pub fn write(root: &TargetRoot, hostname: &str, settings: &[(String, String)]) -> Result<()> {
    let etc = root.directory(b"etc", true).map_err(|e| error("etc", e))?;
    replace(&etc, "hostname", format!("{hostname}\n").as_bytes())?;
    if !settings.is_empty() {
        let merged = merge(&read(&etc, "environment")?, settings);
        replace(&etc, "environment", &merged)?;
    }
    Ok(())
}

fn error(what: &str, e: Errno) -> Error {
    let code = match e {
        Errno::NOSPC | Errno::DQUOT => Code::TargetFull,
        Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::ROFS => Code::TargetInvalid,
        _ => Code::Io,
    };
    Error::new(code, format!("writing settings: /{what}: {e}"))
}

/// What a regular file holds; nothing if there is none, or something else has its name.
fn read(etc: &OwnedFd, name: &str) -> Result<Vec<u8>> {
    // NONBLOCK: a FIFO of this name must not stop the boot.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(etc, name, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => return Ok(Vec::new()),
        Err(e) => return Err(error(name, e)),
    };
    let mut text = Vec::new();
    if file.metadata()?.is_file() {
        file.take(ENVIRONMENT_BYTES_MAX).read_to_end(&mut text)?;
    }
    Ok(text)
}

fn replace(etc: &OwnedFd, name: &str, content: &[u8]) -> Result<()> {
    let new = format!("{name}.bootswarm-new");
    // Something of this name from an archive must not be followed or written into.
    match rustix::fs::unlinkat(etc, &*new, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(e) => return Err(error(&new, e)),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o644);
    let fd = rustix::fs::openat(etc, &*new, flags, mode).map_err(|e| error(&new, e))?;
    rustix::fs::fchmod(&fd, mode).map_err(|e| error(&new, e))?;
    File::from(fd).write_all(content)?;
    rustix::fs::renameat(etc, &*new, etc, name).map_err(|e| error(name, e))
}

/// The old text without the lines that set one of these names, then one line for each.
fn merge(old: &[u8], settings: &[(String, String)]) -> Vec<u8> {
    let sets_ours = |line: &[u8]| {
        let line = line.trim_ascii_start();
        let line = line.strip_prefix(b"export ").unwrap_or(line).trim_ascii_start();
        let name = line.split(|&c| c == b'=').next().unwrap_or_default();
        name.len() < line.len() && settings.iter().any(|(ours, _)| ours.as_bytes() == name)
    };
    let mut new = Vec::with_capacity(old.len() + 256);
    for line in old
        .split_inclusive(|&c| c == b'\n')
        .filter(|line| !sets_ours(line))
    {
        new.extend_from_slice(line);
    }
    if new.last().is_some_and(|&c| c != b'\n') {
        new.push(b'\n');
    }
    for (name, value) in settings {
        new.extend_from_slice(format!("{name}={}\n", quote(value)).as_bytes());
    }
    new
}

/// A value as the shell, systemd's `EnvironmentFile=` and pam_env all read it: bare where it can be, else in
/// single quotes. A value with a single quote in it needs escapes that pam_env alone does not undo.
fn quote(value: &str) -> String {
    let bare = |c: u8| c.is_ascii_alphanumeric() || b"_./:@%+,=-".contains(&c);
    if value.bytes().all(bare) {
        return value.to_owned();
    }
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    let mut quoted = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    fn root(name: &str) -> (PathBuf, TargetRoot) {
        let path = std::env::temp_dir().join(format!("bootswarm-settings-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        let root = TargetRoot::open(&path).unwrap();
        (path, root)
    }

    fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
        list.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect()
    }

    #[test]
    fn makes_files_where_there_are_none_and_replaces_only_its_own_names() {
        let (path, root) = root("plain");
        write(&root, "rig-1", &pairs(&[("A", "1"), ("B", "two words")])).unwrap();
        assert_eq!(
            std::fs::read_to_string(path.join("etc/hostname")).unwrap(),
            "rig-1\n"
        );
        assert_eq!(
            std::fs::read_to_string(path.join("etc/environment")).unwrap(),
            "A=1\nB='two words'\n"
        );
        let old = "# A=0\nPATH=/bin\n A=0\nexport B=\"x\"\nAB=3\nA";
        std::fs::write(path.join("etc/environment"), old).unwrap();
        write(&root, "rig-2", &pairs(&[("A", ""), ("B", "it's")])).unwrap();
        let new = std::fs::read_to_string(path.join("etc/environment")).unwrap();
        assert_eq!(new, "# A=0\nPATH=/bin\nAB=3\nA\nA=\nB=\"it's\"\n");
        write(&root, "rig-2", &[]).unwrap();
        assert_eq!(
            std::fs::read_to_string(path.join("etc/environment")).unwrap(),
            new
        );
        assert_eq!(
            path.join("etc/hostname").metadata().unwrap().permissions().mode() & 0o777,
            0o644
        );
        std::fs::remove_dir_all(path).unwrap();
    }

    /// The shell is the judge: it must read back exactly what the manifest said.
    #[test]
    fn the_shell_reads_every_value_back() {
        let (path, root) = root("shell");
        let values = [
            "",
            "plain",
            "two words",
            "$HOME `id` $(id)",
            "it's",
            "\"quoted\"",
            "it's $HOME \\ \"`x`\"",
            "#no comment",
            "a;b&c|d",
            "\u{e4}\u{20ac}",
            "\t tab ",
            "\\",
            "~",
            "*",
            "back\\slash 'n' \\$",
            "\r",
        ];
        let settings: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(i, v)| (format!("V{i}"), (*v).to_owned()))
            .collect();
        write(&root, "h", &settings).unwrap();
        let script: String = (0..values.len())
            .map(|i| format!("printf '%s\\n' \"$V{i}\";"))
            .collect();
        let run = std::process::Command::new("/bin/sh")
            .arg("-c")
            .arg(format!(". {}/etc/environment; {script}", path.display()))
            .output()
            .unwrap();
        let seen = String::from_utf8(run.stdout).unwrap();
        assert_eq!(seen.split_terminator('\n').collect::<Vec<_>>(), values);
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn links_of_an_archive_lead_nowhere_outside() {
        let (path, root) = root("links");
        let outside = path.with_extension("outside");
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(outside.join("environment"), "SECRET=1\n").unwrap();
        // An absolute link starts at the root: /etc -> /real is a directory inside.
        symlink("/real", path.join("etc")).unwrap();
        std::fs::create_dir(path.join("real")).unwrap();
        for name in [
            "hostname",
            "environment",
            "hostname.bootswarm-new",
            "environment.bootswarm-new",
        ] {
            symlink(outside.join("environment"), path.join("real").join(name)).unwrap();
        }
        write(&root, "h", &pairs(&[("A", "1")])).unwrap();
        assert_eq!(
            std::fs::read_to_string(path.join("real/environment")).unwrap(),
            "A=1\n"
        );
        assert_eq!(
            std::fs::read_to_string(path.join("real/hostname")).unwrap(),
            "h\n"
        );
        assert_eq!(
            std::fs::read_to_string(outside.join("environment")).unwrap(),
            "SECRET=1\n"
        );
        std::fs::remove_file(path.join("etc")).unwrap();
        std::fs::write(path.join("etc"), "a file").unwrap();
        assert_eq!(write(&root, "h", &[]).unwrap_err().code, Code::TargetInvalid);
        std::fs::remove_dir_all(path).unwrap();
        std::fs::remove_dir_all(outside).unwrap();
    }
}
