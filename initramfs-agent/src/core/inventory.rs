//! What a machine is (`machine.inventory` of docs/protocol.md), from the texts of the kernel's files. `io::boot::inventory`
//! reads those.

use super::text::printable;

/// Characters of one text. All lists full and all texts this long, an inventory is below the 8 KiB that a server of any
/// release keeps.
pub const TEXT_CHARS_MAX: usize = 64;
/// Characters of a name of a driver or disk, and of a disk's model (ATA and NVMe have 40).
pub const NAME_CHARS_MAX: usize = 16;
pub const MODEL_CHARS_MAX: usize = 40;
/// Kinds of PCI devices, network cards and disks in one inventory.
pub const PCI_KINDS_MAX: usize = 32;
pub const NICS_MAX: usize = 8;
pub const DISKS_MAX: usize = 16;

/// What boards say whose vendor has set nothing, lower case.
const PLACEHOLDERS: [&str; 20] = [
    "0",
    "0123456789",
    "03000200-0400-0500-0006-000700080009",
    "123456789",
    "1234567890",
    "default string",
    "empty",
    "invalid",
    "n/a",
    "none",
    "not applicable",
    "not available",
    "not specified",
    "o.e.m.",
    "system manufacturer",
    "system product name",
    "system serial number",
    "system version",
    "to be filled by o.e.m.",
    "unknown",
];

/// A text as it may be shown, at most this long; `None` when there is none.
pub fn text(raw: &str, chars_max: usize) -> Option<String> {
    let text = raw.trim();
    (!text.is_empty()).then(|| printable(text, chars_max))
}

/// A text of DMI; `None` for one that says nothing of this machine.
pub fn dmi(raw: &str) -> Option<String> {
    let text = raw.trim();
    let is_placeholder = PLACEHOLDERS
        .iter()
        .any(|placeholder| text.eq_ignore_ascii_case(placeholder));
    // `........`, `xxxxxxxx`, `00000000-0000-...`
    let mut digits = text.bytes().filter(|&c| c != b'-');
    let first = digits.next();
    let is_filler = text.len() > 1 && digits.all(|c| Some(c) == first);
    if is_placeholder || is_filler {
        return None;
    }
    self::text(text, TEXT_CHARS_MAX)
}

/// A value of `/proc/cpuinfo`: the first processor's.
pub fn cpuinfo<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (before, value) = line.split_once(':')?;
        (before.trim_end() == name).then(|| value.trim())
    })
}

/// The cores of so many logical processors, if all packages are alike.
pub fn cores(text: &str, cpus: u64) -> Option<u64> {
    let number = |name| cpuinfo(text, name)?.parse::<u64>().ok();
    let (cores, threads) = (number("cpu cores")?, number("siblings")?);
    cpus.checked_mul(cores)?.checked_div(threads)
}

/// How many are in a list of the kernel's: `0-3,8`.
pub fn count(list: &str) -> Option<u64> {
    let of = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    let ranges = list.trim().split(',').map(of);
    ranges.into_iter().try_fold(0u64, |sum, n| sum.checked_add(n?))
}

/// A kind of PCI device that tells machines apart, and how many of it there are.
#[derive(Debug, PartialEq, Eq)]
pub struct Pci {
    /// Class and subclass: `0x0300` is a VGA controller.
    pub class: u16,
    /// Vendor.
    pub vendor: u16,
    /// Device.
    pub device: u16,
    /// How many.
    pub count: u64,
}

/// The class of a device that is listed: storage (01), network (02), display (03) or processing accelerator (12).
pub fn pci_class(class: &str) -> Option<u16> {
    let class = u16::try_from(hex(class)? >> 8).ok()?;
    matches!(class >> 8, 1..=3 | 0x12).then_some(class)
}

/// Counts a device of this class.
pub fn add_pci(kinds: &mut Vec<Pci>, class: u16, vendor: &str, device: &str) -> Option<()> {
    let number = |text: &str| u16::try_from(hex(text)?).ok();
    let (vendor, device) = (number(vendor)?, number(device)?);
    let same = |kind: &&mut Pci| (kind.class, kind.vendor, kind.device) == (class, vendor, device);
    if let Some(kind) = kinds.iter_mut().find(same) {
        kind.count += 1;
    } else if kinds.len() < PCI_KINDS_MAX {
        kinds.push(Pci {
            class,
            vendor,
            device,
            count: 1,
        });
    }
    Some(())
}

/// A MAC address of Ethernet.
pub fn mac(address: &str) -> Option<String> {
    let mac = address.trim().to_ascii_lowercase();
    let is_byte = |byte: &str| byte.len() == 2 && byte.bytes().all(|c| c.is_ascii_hexdigit());
    let is_mac = mac.len() == 17 && mac.split(':').all(is_byte) && mac != "00:00:00:00:00:00";
    is_mac.then_some(mac)
}

/// The version of a TPM by its major number.
pub fn tpm(major: &str) -> &'static str {
    match major.trim() {
        "1" => "1.2",
        "2" => "2.0",
        _ => "unknown",
    }
}

/// `secure_boot` of x86's `boot_params` (offset 0x1ec), where the kernel's EFI stub has noted it: 2 is off, 3 is on.
pub fn secure_boot_of_params(params: &[u8]) -> Option<bool> {
    match params.get(0x1ec)? {
        2 => Some(false),
        3 => Some(true),
        _ => None,
    }
}

/// The EFI variable `SecureBoot`: four bytes of attributes, then 0 or 1 (UEFI 2.10, 3.3).
pub fn secure_boot_of_variable(variable: &[u8]) -> Option<bool> {
    match variable {
        [_, _, _, _, value @ (0 | 1)] => Some(*value == 1),
        _ => None,
    }
}

fn hex(text: &str) -> Option<u32> {
    u32::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_of_a_machine_is_left_out() {
        for nothing in [
            "",
            " \n",
            "To Be Filled By O.E.M.\n",
            "Default string",
            "None",
            "0123456789",
            "........",
            "XXXXXXXX",
            "0",
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "03000200-0400-0500-0006-000700080009",
        ] {
            assert_eq!(dmi(nothing), None, "{nothing}");
        }
        assert_eq!(dmi(" PowerEdge R740 \n").as_deref(), Some("PowerEdge R740"));
        assert_eq!(dmi("1").as_deref(), Some("1"));
        assert_eq!(dmi("a\u{1b}[2J\u{e4}").as_deref(), Some(r"a\u{1b}[2J\u{e4}"));
        let long = dmi(&"ab".repeat(5000)).unwrap();
        assert_eq!(long.len(), TEXT_CHARS_MAX + 3);
    }

    #[test]
    fn processors() {
        let text = "processor\t: 0\nmodel name\t: AMD EPYC 7302: 16-Core\nsiblings\t: 32\ncpu cores\t: 16\n\nprocessor\t: 1\n";
        assert_eq!(cpuinfo(text, "model name"), Some("AMD EPYC 7302: 16-Core"));
        assert_eq!(cores(text, 64), Some(32));
        assert_eq!(cores("cpu cores: 1\nsiblings: 0\n", 4), None);
        assert_eq!(cores("cpu cores: 18446744073709551615\nsiblings: 1", 4), None);
        assert_eq!(cpuinfo("", "model name"), None);
        for (list, expected) in [
            ("0\n", Some(1)),
            ("0-31", Some(32)),
            ("0-3,8,10-11\n", Some(7)),
            ("", None),
            ("3-1", None),
            ("0-18446744073709551615", None),
            ("0-9,x", None),
        ] {
            assert_eq!(count(list), expected, "{list}");
        }
    }

    #[test]
    fn pci_devices_are_counted_by_kind() {
        assert_eq!(pci_class("0x030000\n"), Some(0x0300));
        assert_eq!(pci_class("0x120000"), Some(0x1200));
        for other in ["0x060400", "030000", "0x", "0xffffffff", ""] {
            assert_eq!(pci_class(other), None, "{other}");
        }
        let mut kinds = Vec::new();
        for device in ["0x2684\n", "0x2684", "0x1533"] {
            add_pci(&mut kinds, 0x0300, "0x10de\n", device);
        }
        add_pci(&mut kinds, 0x0300, "0x10de", "0x12684");
        let of = |kind: &Pci| (kind.vendor, kind.device, kind.count);
        let counted: Vec<_> = kinds.iter().map(of).collect();
        assert_eq!(counted, [(0x10de, 0x2684, 2), (0x10de, 0x1533, 1)]);
        for device in 0..100 {
            add_pci(&mut kinds, 0x0200, "0x8086", &format!("0x{device:04x}"));
        }
        assert_eq!(kinds.len(), PCI_KINDS_MAX);
    }

    #[test]
    fn firmware_and_addresses() {
        assert_eq!(mac("52:54:00:AB:00:01\n").as_deref(), Some("52:54:00:ab:00:01"));
        for wrong in [
            "00:00:00:00:00:00",
            "80:00:02:08:fe:80:00:00",
            "",
            "52:54:00:ab:00:0g",
        ] {
            assert_eq!(mac(wrong), None, "{wrong}");
        }
        let mut params = vec![0; 4096];
        assert_eq!(secure_boot_of_params(&params), None);
        params[0x1ec] = 3;
        assert_eq!(secure_boot_of_params(&params), Some(true));
        params[0x1ec] = 2;
        assert_eq!(secure_boot_of_params(&params), Some(false));
        assert_eq!(secure_boot_of_params(&params[..9]), None);
        assert_eq!(secure_boot_of_variable(&[6, 0, 0, 0, 1]), Some(true));
        assert_eq!(secure_boot_of_variable(&[6, 0, 0, 0, 0]), Some(false));
        assert_eq!(secure_boot_of_variable(&[1]), None);
        assert_eq!((tpm("2\n"), tpm("1"), tpm("")), ("2.0", "1.2", "unknown"));
    }
}
