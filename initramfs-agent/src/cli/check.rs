//! `check`: whether nodes could unpack an archive, and boot it where it is a root file system. The server asks before
//! it publishes (docs/agent-cli.md). One line of JSON on stdout, whatever the answer.

use std::fs::File;

use super::args::Args;
use super::output::Show;
use super::usage;
use crate::core::error::{Code, Error, Result};
use crate::io::unpack::{self, Checked, INITS, UnpackLimits};

/// Every agent would refuse it.
const REFUSED: i32 = 1;
/// The file could not be read to its end: nothing is known of it.
const NOT_READ: i32 = 3;

/// Checks a file; returns the exit code.
///
/// # Errors
/// `USAGE_INVALID`.
pub(super) fn run(args: &Args) -> Result<i32> {
    let rootfs = match args.kind.as_deref() {
        None | Some("rootfs") => true,
        Some("plugin") => false,
        Some(other) => return Err(usage(format!("--kind: cannot be {other}"))),
    };
    let name = args.name.clone().or_else(|| {
        let name = args.file.file_name()?;
        Some(name.to_string_lossy().into_owned())
    });
    let name = name.ok_or_else(|| usage("no file"))?;
    let (shown, code) = match check(args, rootfs) {
        Ok(checked) => (whole(&name, rootfs, &checked), 0),
        Err(error) => {
            let code = if error.code == Code::Io { NOT_READ } else { REFUSED };
            let shown = Show::object([
                ("type", "check".into()),
                ("ok", false.into()),
                ("name", name.as_str().into()),
                ("code", error.code.as_str().into()),
                ("message", format!("{name}: {}", error.message).as_str().into()),
            ]);
            (shown, code)
        }
    };
    shown.print_json();
    Ok(code)
}

fn check(args: &Args, rootfs: bool) -> Result<Checked> {
    let mut file = File::open(&args.file)?;
    let (limits, programs) = if rootfs {
        let inits = args.init.as_deref().into_iter().chain(INITS);
        (UnpackLimits::rootfs(), inits.collect())
    } else {
        (UnpackLimits::plugin(), Vec::new())
    };
    let checked = unpack::check(&mut file, &limits, !rootfs, &programs)?;
    match checked.format {
        "squashfs" if !rootfs => Err(Error::new(
            Code::ArchiveUnsupported,
            "a plugin is unpacked over the root file system, and a squashfs is not unpacked; pack it with tar",
        )),
        // What is in it shows when it is mounted.
        "squashfs" => Ok(checked),
        _ if rootfs && checked.program.is_none() => Err(unpack::no_init(args.init.as_deref())),
        _ => Ok(checked),
    }
}

fn whole(name: &str, rootfs: bool, checked: &Checked) -> Show {
    let mut members = vec![
        ("type", Show::from("check")),
        ("ok", true.into()),
        ("name", name.into()),
        ("kind", if rootfs { "rootfs" } else { "plugin" }.into()),
        ("format", checked.format.into()),
        ("compression", checked.compression.into()),
        ("size_bytes", checked.summary.read_bytes.into()),
        ("unpacked_bytes", checked.summary.unpacked_bytes.into()),
        ("entries", checked.summary.entries.into()),
    ];
    if let Some(bytes) = checked.memory_bytes {
        members.push(("memory_bytes", bytes.into()));
    }
    if let Some(init) = &checked.program {
        members.push(("init", init.as_str().into()));
    }
    members.push(("warnings", checked.summary.warnings[..].into()));
    Show::Object(members.into_iter().map(|(n, v)| (n.to_owned(), v)).collect())
}
