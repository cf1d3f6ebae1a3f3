//! `--mount` with a program that copies instead of mounting: what it puts there counts as the mounted root.

use std::os::unix::fs::PermissionsExt;

use super::site::{Plan, Scratch, Site, noise, tar};
use super::*;

fn files() -> Vec<SiteFile> {
    vec![
        ("base.squashfs", "rootfs", "squashfs", noise(50_000)),
        ("a.tar", "plugin", "tar", tar("usr/lib/a", b"plugin")),
        ("b.squashfs", "plugin", "squashfs", noise(9)),
    ]
}

/// A program that notes how it is called, and then does this with FILE and TARGET.
fn options(site: &Site, scratch: &Scratch, mount: &str) -> Options {
    let dir = scratch.0.display();
    let program = scratch.0.join("mount");
    let undo = "rm -rf \"$2\"/usr \"$2\"/lib \"$2\"/bin \"$2\"/.boot*";
    let text = format!(
        "#!/bin/sh\nset -e\necho \"$*\" >>{dir}/calls\nif [ $1 = undo ]; then {undo}; exit 0; fi\n{mount}\n"
    );
    std::fs::write(&program, text).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    Options {
        handover: Some(scratch.0.join("out")),
        mount: Some(program),
        retry_max: Some(1),
        ..site.options(&scratch.target())
    }
}

const BASE: &str = "mkdir -p \"$3\"/usr/lib \"$3\"/usr/bin; ln -s usr/bin \"$3\"/bin; cp /bin/true \"$3\"/usr/bin/init; ln -s usr/lib \"$3\"/lib; cp \"$2\" \"$3\"/usr/image";

#[test]
fn a_squashfs_root_is_mounted_and_plugins_are_unpacked_over_it() {
    let scratch = Scratch::new();
    let site = Site::new(files(), alone(), true, vec![Plan::Give]);
    let (code, console) = boot(options(&site, &scratch, BASE));
    assert_eq!(code, 0, "{console}");
    // Through the base's own link, which stays one.
    assert_eq!(scratch.read("lib/a"), b"plugin");
    assert_eq!(scratch.read("usr/image"), noise(50_000));
    let root = scratch.target();
    assert!(!root.join(MARKER).exists() && root.join("etc/hostname").exists());
    let calls = std::fs::read_to_string(scratch.0.join("calls")).unwrap();
    let dir = scratch.0.display();
    assert_eq!(
        calls,
        format!("mount {dir}/out/base.squashfs {}\n", root.display())
    );
}

#[test]
fn a_mount_that_fails_is_told_undone_and_tried_again() {
    let scratch = Scratch::new();
    let site = Site::new(files(), alone(), true, vec![Plan::Give]);
    let dir = scratch.0.display();
    let mount = format!("{BASE}\n[ -e {dir}/second ] || {{ >{dir}/second; exit 32; }}");
    let (code, console) = boot(options(&site, &scratch, &mount));
    assert_eq!(code, 0, "{console}");
    assert!(
        console.contains("TARGET_INVALID") && console.contains("mount mount: exit status: 32"),
        "{console}"
    );
    assert_eq!(scratch.read("lib/a"), b"plugin");
    let calls = std::fs::read_to_string(scratch.0.join("calls")).unwrap();
    let words: Vec<_> = calls.lines().map(|line| &line[..5]).collect();
    assert_eq!(words, ["mount", "undo ", "mount"]);
}

#[test]
fn a_mounted_root_without_an_init_is_undone() {
    let scratch = Scratch::new();
    let site = Site::new(files(), alone(), true, vec![Plan::Give]);
    let mut options = options(&site, &scratch, &BASE.replace("/bin/true", "/etc/passwd"));
    options.retry_max = Some(0);
    let (code, console) = boot(options);
    assert_eq!(code, 1, "{console}");
    assert!(
        console.contains("ROOT_NO_INIT: base.squashfs of version 3: "),
        "{console}"
    );
    let calls = std::fs::read_to_string(scratch.0.join("calls")).unwrap();
    let words: Vec<_> = calls.lines().map(|line| &line[..5]).collect();
    assert_eq!(words, ["mount", "undo "]);
}

#[test]
fn without_a_program_it_is_handed_over_only() {
    let scratch = Scratch::new();
    let site = Site::new(files(), alone(), true, vec![Plan::Give]);
    let mut options = options(&site, &scratch, "exit 1");
    options.mount = None;
    let (code, console) = boot(options);
    assert_eq!(code, 0, "{console}");
    assert_eq!(
        std::fs::read(scratch.0.join("out/base.squashfs")).unwrap(),
        noise(50_000)
    );
    assert!(!scratch.0.join("calls").exists());
}
