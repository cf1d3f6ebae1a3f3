//! What the kernel says about this node's memory.

use super::events::megabytes;
use crate::core::error::{Code, Error, Result};
use crate::core::giveback::Facts;
use crate::core::manifest::Artifact;

/// What must be left while a boot goes on, bytes: below it the kernel begins to kill.
const FLOOR_BYTES: u64 = 24 << 20;

/// A line of `/proc/meminfo`, bytes.
pub fn memory(line: &str) -> Option<u64> {
    of_line(&std::fs::read_to_string("/proc/meminfo").ok()?, line)
}

/// The facts of now; `None` where there is no `/proc`.
pub fn facts() -> Option<Facts> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    // Not every kernel has it.
    let pressure = std::fs::read_to_string("/proc/pressure/memory");
    Some(Facts {
        total_bytes: of_line(&text, "MemTotal:")?,
        available_bytes: of_line(&text, "MemAvailable:")?,
        pressure_centi: pressure.ok().and_then(|text| some_avg10_centi(&text)),
    })
}

/// What can be taken, bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Free {
    /// `MemAvailable`.
    available_bytes: u64,
    /// `SwapFree`: compressed memory, if anything, on a node in mid-boot.
    swap_bytes: u64,
}

impl Free {
    /// Of now; `None` where there is no `/proc`.
    pub fn now() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        Some(Self {
            available_bytes: of_line(&text, "MemAvailable:")?,
            swap_bytes: of_line(&text, "SwapFree:").unwrap_or(0),
        })
    }

    /// Before the download: whether it cannot end well. What is fetched stays in memory, and what is unpacked has at
    /// least its compressed size; compressed memory may hold that in half. `in_memory`: the target takes memory.
    /// `here`: what need not be fetched.
    ///
    /// # Errors
    /// `MEMORY_SHORT`.
    pub fn check_download(
        self,
        artifacts: &[Artifact],
        in_memory: bool,
        here: impl Fn(&Artifact) -> bool,
    ) -> Result<()> {
        let sum = |of: &dyn Fn(&Artifact) -> bool| -> u64 {
            let sizes = artifacts.iter().filter(|a| of(a)).map(|a| a.size_bytes);
            sizes.fold(0, u64::saturating_add)
        };
        let fetched = sum(&|a| !here(a));
        let unpacked = sum(&|a| in_memory && !a.format.is_handed_over());
        let needed = fetched.saturating_add(unpacked).saturating_add(FLOOR_BYTES);
        let free = self.available_bytes.saturating_add(self.swap_bytes / 2);
        if needed <= free {
            return Ok(());
        }
        let (fetched, unpacked, free) = (megabytes(fetched), megabytes(unpacked), megabytes(free));
        Err(short(&format!(
            "{fetched} to download and at least {unpacked} to unpack, {free} of memory left"
        )))
    }

    /// While it is unpacked: stops before the kernel kills. Pages that may still be swapped count as free.
    ///
    /// # Errors
    /// `MEMORY_SHORT`.
    pub fn check_floor(self) -> Result<()> {
        if self.available_bytes.saturating_add(self.swap_bytes) >= FLOOR_BYTES {
            return Ok(());
        }
        let left = megabytes(self.available_bytes);
        Err(short(&format!("only {left} of memory left while unpacking")))
    }
}

fn short(what: &str) -> Error {
    Error::new(
        Code::MemoryShort,
        format!("{what}; set `netboot.root: zram`, make the root a squashfs, or give the node more memory"),
    )
}

fn of_line(text: &str, line: &str) -> Option<u64> {
    let value = text.lines().find_map(|l| l.strip_prefix(line))?;
    Some(value.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

/// `some avg10=12.34 avg60=...`
fn some_avg10_centi(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once("some avg10=")?;
    let (percent, hundredths) = rest.split_whitespace().next()?.split_once('.')?;
    let (percent, hundredths) = (
        percent.parse::<u32>().ok()?,
        hundredths.get(..2)?.parse::<u32>().ok()?,
    );
    percent.checked_mul(100)?.checked_add(hundredths)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::manifest::{Format, Kind};

    fn artifact(format: Format, megabytes: u64) -> Artifact {
        Artifact {
            format,
            infohash: [0; 20],
            kind: Kind::Rootfs,
            name: "a".into(),
            origins: Vec::new(),
            piece_length: 1 << 20,
            pieces: None,
            sha256: [0; 32],
            size_bytes: megabytes << 20,
        }
    }

    #[test]
    fn a_download_that_cannot_end_well_is_not_begun() {
        let free = |available: u64, swap: u64| Free {
            available_bytes: available << 20,
            swap_bytes: swap << 20,
        };
        let none = |_: &Artifact| false;
        let tar = [artifact(Format::Tar, 40)];
        // The compressed copy, the least that it unpacks to, and the floor.
        assert!(free(104, 0).check_download(&tar, true, none).is_ok());
        let error = free(103, 0).check_download(&tar, true, none).unwrap_err();
        assert_eq!(error.code, Code::MemoryShort);
        assert!(
            error.message.contains("zram") && error.message.contains("squashfs"),
            "{error}"
        );
        // What helps: compressed memory, and a squashfs, which is in memory once.
        assert!(free(73, 62).check_download(&tar, true, none).is_ok());
        assert!(
            free(64, 0)
                .check_download(&[artifact(Format::Squashfs, 40)], true, none)
                .is_ok()
        );
        assert!(
            free(64, 0).check_download(&tar, false, none).is_ok(),
            "the target is a disk"
        );
        // What an earlier try has kept is here.
        assert!(free(64, 0).check_download(&tar, true, |_| true).is_ok());
        let vast = [artifact(Format::Tar, 1 << 40), artifact(Format::Tar, 1 << 43)];
        assert!(free(1 << 20, 0).check_download(&vast, true, none).is_err());
        assert!(free(24, 0).check_floor().is_ok() && free(0, 24).check_floor().is_ok());
        assert_eq!(free(23, 0).check_floor().unwrap_err().code, Code::MemoryShort);
        assert!(Free::now().is_some());
    }

    #[test]
    fn the_kernel_s_texts_are_read() {
        let text = "MemTotal:       24684708 kB\nMemFree:  1 kB\nMemAvailable:   23151616 kB\n";
        assert_eq!(of_line(text, "MemAvailable:"), Some(23_151_616 << 10));
        assert_eq!(of_line(text, "Swap:"), None);
        assert_eq!(of_line("MemTotal: 5 pages\n", "MemTotal:"), None);
        let pressure = "some avg10=12.05 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00";
        assert_eq!(some_avg10_centi(pressure), Some(1205));
        for wrong in [
            "",
            "some avg10=",
            "some avg10=1 avg60",
            "some avg10=x.00 a",
            "some avg10=4294967295.00 a",
        ] {
            assert_eq!(some_avg10_centi(wrong), None, "{wrong}");
        }
        let facts = facts().expect("Linux has /proc/meminfo");
        assert!(facts.total_bytes > facts.available_bytes && facts.available_bytes > 1 << 20);
    }
}
