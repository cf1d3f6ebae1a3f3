//! `--background`, in a process of its own: this test executable, which runs this one test only.

use std::time::Duration;

use super::site::{Plan, Scratch, Site, noise};
use super::{alone, root_and_plugins};
use crate::core::manifest::testing::public;

#[test]
fn background_returns_when_the_root_is_complete() {
    // The other process: this same test, started below.
    if let Ok(args) = std::env::var("BOOTSWARM_TEST_ARGS") {
        let args: Vec<String> = args.split(' ').map(str::to_owned).collect();
        std::process::exit(crate::io::boot::main(&args));
    }
    let run = |site: &Site, scratch: &Scratch, more: &str| {
        let dir = scratch.0.display();
        std::fs::copy(
            crate::io::https::testing::vectors().join("tls/ca.pem"),
            scratch.0.join("ca.pem"),
        )
        .unwrap();
        std::fs::write(
            scratch.0.join("manifest.pub"),
            crate::core::manifest::testing::base64(&public(1)),
        )
        .unwrap();
        let args = format!(
            "--trust {dir} --cmdline {dir}/none --server {} --node n1 --target {dir}/root --bind 127.0.0.1 --background --no-lsd --no-dht {more}",
            site.server.url("")
        );
        std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "io::boot::tests::detached::background_returns_when_the_root_is_complete",
                "--nocapture",
                "--test-threads=1",
            ])
            .env("BOOTSWARM_TEST_ARGS", args)
            .output()
            .unwrap()
    };
    let scratch = Scratch::new();
    let site = Site::new(root_and_plugins(), alone(), true, vec![Plan::Give]);
    let output = run(&site, &scratch, "--seed-seconds 1");
    assert!(output.status.success(), "{output:?}");
    assert_eq!(scratch.read("etc/os-release"), noise(300_000));
    assert!(!scratch.is_incomplete());
    // The child lives on, reports, and ends by itself.
    let wait = || site.events.recv_timeout(Duration::from_secs(300)).unwrap();
    while wait()["type"] != "seeding.ended" {}

    let scratch = Scratch::new();
    let site = Site::new(
        vec![("r", "rootfs", "tar", noise(5000))],
        alone(),
        true,
        vec![Plan::Give],
    );
    let output = run(&site, &scratch, "--once");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("BOOT FAILED: ARCHIVE_MALFORMED"), "{text}");
    assert!(scratch.is_incomplete());
}
