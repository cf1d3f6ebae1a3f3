//! Plugin archives as Coinboot made them, in both of its dialects, over a usr-merged base.

use std::os::unix::fs::MetadataExt;

use super::super::*;
use super::support::*;

fn plugin(make: &str) {
    let scratch = Scratch::new();
    scratch.sh(r#"mkdir -p layer/etc layer/lib/modules layer/usr/bin layer/tmp
        printf 'root:x:0:\nvideo:x:44:\n' > layer/etc/group
        echo driver > layer/lib/modules/driver.ko; echo dep > layer/lib/modules/modules.dep
        printf 'Package: p\nArchitecture: amd64\nVersion: 2\n' > layer/tmp/dpkg_status
        find layer -exec touch -d '2022-04-13 01:02:03.25' {} +"#);
    scratch.sh(make);
    let root = scratch.root();
    scratch.sh(
        r#"mkdir -p root/usr/lib/modules root/etc root/var/lib/dpkg; ln -s usr/lib root/lib
        chmod 0750 root/etc; touch -d 2020-01-01 root/usr/lib/modules
        echo old > root/usr/lib/modules/modules.dep; ln root/usr/lib/modules/modules.dep root/kept
        printf 'root:x:0:\n' > root/etc/group; printf 'root:x:0:0::/:\n' > root/etc/passwd
        printf 'Package: p\nArchitecture: amd64\nVersion: 1\n' > root/var/lib/dpkg/status"#,
    );
    let archive = std::fs::read(scratch.path.join("archive")).unwrap();
    let summary = unpack_with(&archive, Format::Tar, &root, &UnpackLimits::plugin()).unwrap();
    assert_eq!(summary.warnings, Vec::<String>::new());
    assert_eq!(summary.dpkg_stanzas, 1);
    assert!(scratch.at("lib").is_symlink());
    assert_eq!(scratch.read("usr/lib/modules/driver.ko"), "driver\n");
    assert_eq!(scratch.read("usr/lib/modules/modules.dep"), "dep\n");
    assert_eq!(scratch.read("kept"), "old\n");
    assert_eq!(
        scratch.read("var/lib/dpkg/status"),
        "Package: p\nArchitecture: amd64\nVersion: 2\n\n"
    );
    assert_eq!(scratch.at("etc").metadata().unwrap().mode() & 0o7777, 0o750);
    let group = scratch.at("etc/group").metadata().unwrap();
    assert_eq!(scratch.read("etc/group"), "root:x:0:\nvideo:x:44:\n");
    assert!(!scratch.at("tmp").exists());
    assert_eq!(group.mtime(), 1_649_811_723);
    if needs_root("the owner video of a plugin's member") {
        // The group came with the plugin itself, before the member that it owns.
        assert_eq!(
            scratch.at("usr/lib/modules/driver.ko").metadata().unwrap().gid(),
            44
        );
    }
    scratch.untouched();
}

const MEMBERS: &str = "etc/group lib/modules/driver.ko lib/modules/modules.dep";

#[test]
fn absolute_names_without_directories() {
    // What `tar -P` wrote; the names are made absolute here, for the layer is not the real root.
    plugin(&format!(
        r#"export TZ=UTC; cd layer; tar -P --format=gnu --transform 's,^,/,' --owner=root:0 --group=video:999 -czf ../archive {MEMBERS} tmp/dpkg_status
        tar -Ptzf ../archive | grep -q '^/etc/group'"#
    ));
}

#[test]
fn relative_pax_with_a_time_per_member() {
    plugin(&format!(
        r#"export TZ=UTC; cd layer; tar --format=pax --pax-option=delete=atime,delete=ctime --owner=root:0 --group=video:999 -czf ../archive {MEMBERS} tmp/dpkg_status
        zcat ../archive | grep -aq 'mtime='"#
    ));
}
