//! Reports what the machine is, once a boot: reads what the kernel shows in `/proc` and `/sys`. A file that is not there
//! is a member that is not there.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::events::{Data, Log};
use super::memory;
use crate::core::inventory::{
    DISKS_MAX, MODEL_CHARS_MAX, NAME_CHARS_MAX, NICS_MAX, Pci, TEXT_CHARS_MAX, add_pci, cores, count,
    cpuinfo, dmi, mac, pci_class, secure_boot_of_params, secure_boot_of_variable, text, tpm,
};

/// Read of one file, bytes: `boot_params` are that long, and of `/proc/cpuinfo` the first processor suffices.
const FILE_BYTES_MAX: u64 = 4096;
/// Entries of one directory that are looked at: cards with virtual functions make PCI devices by the thousand.
const ENTRIES_MAX: usize = 1024;
const STACK_BYTES: usize = 256 << 10;
/// Of the variable `SecureBoot` in `efivars`; the GUID is that of EFI's own variables.
const SECURE_BOOT: &str = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

/// Reads and reports in a thread of its own: firmware variables and drivers may take their time. Without one there is no
/// inventory.
pub fn report(log: Arc<Log>) -> Option<JoinHandle<()>> {
    let builder = std::thread::Builder::new()
        .name("inventory".into())
        .stack_size(STACK_BYTES);
    let work = move || {
        log.event("machine.inventory", read(Path::new("/")), None);
    };
    builder.spawn(work).ok()
}

/// The data of `machine.inventory`; `root` has `proc` and `sys`.
fn read(root: &Path) -> Data {
    let machine = Machine(root);
    let mut data = Data::default();
    for (name, file) in [
        ("vendor", "sys_vendor"),
        ("product", "product_name"),
        ("version", "product_version"),
        ("serial", "product_serial"),
        ("uuid", "product_uuid"),
        ("board_vendor", "board_vendor"),
        ("board", "board_name"),
    ] {
        let value = machine.text(&format!("sys/class/dmi/id/{file}"));
        data = data.text_if(name, value.and_then(|value| dmi(&value)));
    }
    let data = machine.firmware(machine.processor(data));
    let memory_bytes = memory::memory("MemTotal:");
    data.number_if("memory_bytes", memory_bytes)
        .list("pci", machine.pci())
        .list("nics", machine.nics())
        .list("disks", machine.disks())
}

struct Machine<'a>(&'a Path);

impl Machine<'_> {
    fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = File::open(self.0.join(path)).ok()?;
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    fn text(&self, path: &str) -> Option<String> {
        Some(String::from_utf8_lossy(&self.bytes(path)?).into_owned())
    }

    fn number(&self, path: &str) -> Option<u64> {
        self.text(path)?.trim().parse().ok()
    }

    fn has(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }

    /// Names in a directory, in order.
    fn names(&self, path: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.join(path)).into_iter().flatten();
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut names: Vec<_> = names.filter_map(|name| name.into_string().ok()).collect();
        names.sort_unstable();
        names.truncate(ENTRIES_MAX);
        names
    }

    fn processor(&self, data: Data) -> Data {
        let info = self.text("proc/cpuinfo").unwrap_or_default();
        let model = cpuinfo(&info, "model name").and_then(|model| text(model, TEXT_CHARS_MAX));
        let cpus = self
            .text("sys/devices/system/cpu/present")
            .and_then(|list| count(&list));
        data.text_if("cpu", model)
            .number_if("cpus", cpus)
            .number_if("cores", cpus.and_then(|cpus| cores(&info, cpus)))
    }

    fn firmware(&self, mut data: Data) -> Data {
        let is_efi = self.has("sys/firmware/efi");
        let secure_boot = || {
            let params = self.bytes("sys/kernel/boot_params/data");
            let noted = params.and_then(|params| secure_boot_of_params(&params));
            noted.or_else(|| secure_boot_of_variable(&self.bytes(SECURE_BOOT)?))
        };
        // Boards of other processors may have neither.
        if is_efi || cfg!(any(target_arch = "x86", target_arch = "x86_64")) {
            data = data.text("firmware", if is_efi { "uefi" } else { "bios" });
        }
        if let Some(is_on) = is_efi.then(secure_boot).flatten() {
            data = data.flag("secure_boot", is_on);
        }
        // Missing where the kernel knows of no TPMs.
        if self.has("sys/class/tpm/tpm0") {
            let major = self.text("sys/class/tpm/tpm0/tpm_version_major");
            data.text("tpm", tpm(&major.unwrap_or_default()))
        } else if self.has("sys/class/tpm") {
            data.text("tpm", "none")
        } else {
            data
        }
    }

    fn pci(&self) -> Vec<Data> {
        let mut kinds: Vec<Pci> = Vec::new();
        for name in self.names("sys/bus/pci/devices") {
            let of = |file: &str| self.text(&format!("sys/bus/pci/devices/{name}/{file}"));
            let Some(class) = of("class").and_then(|class| pci_class(&class)) else {
                continue;
            };
            let (vendor, device) = (of("vendor"), of("device"));
            add_pci(
                &mut kinds,
                class,
                &vendor.unwrap_or_default(),
                &device.unwrap_or_default(),
            );
        }
        let data = |kind: &Pci| {
            Data::default()
                .text("class", &format!("{:04x}", kind.class))
                .text("id", &format!("{:04x}:{:04x}", kind.vendor, kind.device))
                .number("count", kind.count)
        };
        kinds.iter().map(data).collect()
    }

    /// Those with a device behind them: no bridges, no tunnels.
    fn nics(&self) -> Vec<Data> {
        let of = |name: String| {
            let path = format!("sys/class/net/{name}");
            let mac = self
                .has(&format!("{path}/device"))
                .then(|| mac(&self.text(&format!("{path}/address"))?))??;
            let driver: Option<PathBuf> =
                std::fs::read_link(self.0.join(format!("{path}/device/driver"))).ok();
            let driver = driver.as_deref().and_then(Path::file_name);
            let data = Data::default()
                .text_if("name", text(&name, NAME_CHARS_MAX))
                .text("mac", &mac)
                .text_if(
                    "driver",
                    driver.and_then(|driver| text(&driver.to_string_lossy(), NAME_CHARS_MAX)),
                );
            // -1 without a link.
            Some(data.number_if("speed_mbps", self.number(&format!("{path}/speed"))))
        };
        let names = self.names("sys/class/net").into_iter();
        names.filter_map(of).take(NICS_MAX).collect()
    }

    /// Those with a device behind them and something in it: no loop, RAM or mapped devices, no empty drives.
    fn disks(&self) -> Vec<Data> {
        let of = |name: String| {
            let path = format!("sys/block/{name}");
            // 512 bytes each, whatever the disk's own sectors are.
            let sectors = self.number(&format!("{path}/size"))?;
            let is_disk = sectors > 0 && !name.starts_with("sr") && self.has(&format!("{path}/device"));
            let model = || text(&self.text(&format!("{path}/device/model"))?, MODEL_CHARS_MAX);
            is_disk.then(|| {
                Data::default()
                    .text_if("name", text(&name, NAME_CHARS_MAX))
                    .number("size_bytes", sectors.saturating_mul(512))
                    .text_if("model", model())
            })
        };
        let names = self.names("sys/block").into_iter();
        names.filter_map(of).take(DISKS_MAX).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::https::testing::vectors;

    fn machine(name: &str) -> PathBuf {
        let root = std::env::temp_dir().join(format!("bootswarm-inventory-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        std::fs::create_dir_all(&root).unwrap();
        root
    }

    fn write(root: &Path, path: &str, bytes: impl AsRef<[u8]>) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    fn value(data: &Data) -> serde_json::Value {
        serde_json::from_str(&format!("{{{}}}", data.members())).unwrap()
    }

    #[test]
    fn a_machine_of_which_the_kernel_shows_all() {
        let root = machine("all");
        for (path, content) in [
            (
                "proc/cpuinfo",
                "model name\t: A CPU\nsiblings\t: 4\ncpu cores\t: 2\n",
            ),
            ("sys/devices/system/cpu/present", "0-7\n"),
            ("sys/class/dmi/id/sys_vendor", "Vendor\n"),
            ("sys/class/dmi/id/product_name", "Box \"9\"\n"),
            ("sys/class/dmi/id/product_serial", "Default string\n"),
            ("sys/class/dmi/id/product_uuid", "4c4c4544-0042\n"),
            ("sys/firmware/efi/fw_platform_size", "64\n"),
            ("sys/class/tpm/tpm0/tpm_version_major", "2\n"),
            ("sys/class/net/eth0/address", "52:54:00:AA:00:01\n"),
            ("sys/class/net/eth0/speed", "1000\n"),
            ("sys/class/net/eth1/address", "52:54:00:aa:00:02\n"),
            ("sys/class/net/eth1/speed", "-1\n"),
            ("sys/class/net/br0/address", "52:54:00:aa:00:03\n"),
            ("sys/block/sda/size", "1000\n"),
            ("sys/block/sda/device/model", "A DISK          \n"),
            ("sys/block/sdb/size", "0\n"),
            ("sys/block/sdb/device/model", "READER\n"),
            ("sys/block/loop0/size", "8\n"),
        ] {
            write(&root, path, content);
        }
        write(&root, SECURE_BOOT, [6, 0, 0, 0, 1]);
        for (address, class, device) in [
            ("0000:01:00.0", "0x030000", "0x2684"),
            ("0000:02:00.0", "0x030000", "0x2684"),
            ("0000:00:1f.0", "0x060100", "0x1234"),
        ] {
            for (file, text) in [("class", class), ("vendor", "0x10de"), ("device", device)] {
                write(&root, &format!("sys/bus/pci/devices/{address}/{file}"), text);
            }
        }
        for nic in ["eth0", "eth1"] {
            let device = root.join(format!("sys/class/net/{nic}/device"));
            std::fs::create_dir_all(&device).unwrap();
            std::os::unix::fs::symlink("../../../bus/pci/drivers/igb", device.join("driver")).unwrap();
        }
        let mut read = value(&read(&root));
        // Of this machine.
        assert!(read["memory_bytes"].as_u64().is_some());
        read["memory_bytes"] = 8_200_000_000_u64.into();
        let text = std::fs::read(vectors().join("inventory.json")).unwrap();
        assert_eq!(read, serde_json::from_slice::<serde_json::Value>(&text).unwrap());
        // The EFI stub's own note comes first: no call of the firmware.
        let mut params = vec![0; 4096];
        params[0x1ec] = 2;
        write(&root, "sys/kernel/boot_params/data", params);
        assert_eq!(value(&super::read(&root))["secure_boot"], false);
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn a_machine_of_which_the_kernel_shows_nothing() {
        let root = machine("none");
        let mut read = value(&read(&root));
        read.as_object_mut().unwrap().remove("memory_bytes");
        read.as_object_mut().unwrap().remove("firmware");
        assert_eq!(read, serde_json::json!({"pci": [], "nics": [], "disks": []}));
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn the_largest_inventory_is_one_that_every_server_keeps() {
        let root = machine("largest");
        let long = "\\".repeat(5000) + "x";
        for file in [
            "sys_vendor",
            "product_name",
            "product_version",
            "product_serial",
            "product_uuid",
            "board_vendor",
            "board_name",
        ] {
            write(&root, &format!("sys/class/dmi/id/{file}"), &long);
        }
        write(&root, "proc/cpuinfo", format!("model name: {}", &long[..4000]));
        for n in 0..60 {
            for (file, text) in [
                ("class", "0x020000".to_owned()),
                ("vendor", "0x8086".into()),
                ("device", format!("0x{n:04x}")),
            ] {
                write(&root, &format!("sys/bus/pci/devices/{n:02}/{file}"), text);
            }
            let nic = format!("sys/class/net/a-name-{n:08}");
            write(&root, &format!("{nic}/address"), format!("52:54:00:aa:00:{n:02}"));
            write(&root, &format!("{nic}/speed"), "100000");
            let device = root.join(format!("{nic}/device"));
            std::fs::create_dir_all(&device).unwrap();
            std::os::unix::fs::symlink("\\".repeat(200), device.join("driver")).unwrap();
            let disk = format!("sys/block/{}{n:02}", "\\".repeat(30));
            write(&root, &format!("{disk}/size"), u64::MAX.to_string());
            write(&root, &format!("{disk}/device/model"), &long);
        }
        let data = read(&root);
        let read = value(&data);
        let lengths = ["pci", "nics", "disks"].map(|name| read[name].as_array().unwrap().len());
        assert_eq!(lengths, [32, 8, 16]);
        // EVENT_UNKNOWN_DATA_BYTES_MAX of src/limits.ts.
        assert!(data.members().len() + 2 <= 8192, "{}", data.members().len());
        std::fs::remove_dir_all(root).unwrap();
    }

    #[test]
    fn this_machine_is_read() {
        let read = value(&read(Path::new("/")));
        assert!(read["cpus"].as_u64().unwrap() > 0 && read["memory_bytes"].as_u64().unwrap() > 0);
    }
}
