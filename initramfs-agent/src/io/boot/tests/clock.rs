//! `--set-clock` where it is not allowed, so that no test touches the clock of its machine.

use std::time::SystemTime;

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use super::*;

/// Boots in a thread that may not set the clock, as its own threads may not; also where the tests run as root.
fn boot_without_right(options: Options) -> (i32, String) {
    std::thread::spawn(|| {
        let none = CapabilitySets {
            effective: CapabilitySet::empty(),
            permitted: CapabilitySet::empty(),
            inheritable: CapabilitySet::empty(),
        };
        set_capabilities(None, none).unwrap();
        assert!(capabilities(None).unwrap().permitted.is_empty());
        boot(options)
    })
    .join()
    .unwrap()
}

#[test]
fn a_clock_that_may_not_be_set_is_told_and_the_boot_goes_on() {
    let now_s = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    for set_clock in [true, false] {
        let scratch = Scratch::new();
        let sample = Sample {
            time_s: now_s + 3600,
            ..alone()
        };
        let files = vec![("root.tar", "rootfs", "tar", root("etc/a", b"a"))];
        let site = Site::new(files, sample, true, vec![Plan::Give]);
        let options = Options {
            set_clock,
            ..site.options(&scratch.target())
        };
        let (code, console) = boot_without_right(options);
        assert_eq!(code, 0, "{console}");
        assert_eq!(scratch.read("etc/a"), b"a");
        assert_eq!(
            console.contains("the clock cannot be set: Operation not permitted"),
            set_clock,
            "{console}"
        );
        assert!(!console.contains("the clock is set"), "{console}");
    }
}
