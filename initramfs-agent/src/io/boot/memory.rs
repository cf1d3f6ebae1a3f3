//! What the kernel says about this node's memory.

use crate::core::giveback::Facts;

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
