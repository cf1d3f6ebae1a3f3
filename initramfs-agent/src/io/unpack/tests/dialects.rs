//! What the tools people use write, and what must come out.

use std::os::unix::fs::MetadataExt;

use super::super::*;
use super::support::*;

/// A small tree with everything a plain user may make.
const TREE: &str = r#"
mkdir -p tree/usr/bin tree/usr/lib/deep/er tree/etc tree/empty
echo hello > tree/usr/bin/tool; chmod 4755 tree/usr/bin/tool
printf '' > tree/etc/none
head -c 300000 /dev/urandom > tree/usr/lib/big
ln tree/usr/lib/big tree/usr/lib/deep/big2
ln -s usr/lib tree/lib
ln -s /etc/none tree/usr/lib/deep/er/absolute
chmod 1777 tree/empty; chmod 0700 tree/usr/lib/deep
long=tree/$(printf 'd%.0s' {1..120})/$(printf 'f%.0s' {1..200})
mkdir -p "$(dirname "$long")"; echo long > "$long"
ln -s "$(printf 'x%.0s' {1..150})" tree/longlink
find tree -exec touch -h -d '2021-03-04 05:06:07.5' {} +
"#;

/// Compares two trees by kind, mode, size, time in seconds, links and content.
fn same(scratch: &Scratch, whole_seconds: bool) {
    let time = if whole_seconds { "%.10T@" } else { "%T@" };
    scratch.sh(&format!(
        r#"list() {{ (cd "$1"; find . -mindepth 1 ! -name .bootswarm-incomplete -printf '%P %y %m %n %l {time} ' \( -type f -printf '%s\n' -o -printf '\n' \) | sort); }}
        diff <(list tree) <(list root); diff -r --no-dereference -x .bootswarm-incomplete tree root"#
    ));
}

fn check(make: &str, whole_seconds: bool, format: Format) {
    let scratch = Scratch::new();
    scratch.sh(TREE);
    scratch.sh(make);
    let archive = std::fs::read(scratch.path.join("archive")).unwrap();
    if !is_root() {
        scratch.sh("chmod 0755 tree/usr/bin/tool; chmod u-s tree/usr/bin/tool");
    }
    for walk in [false, true] {
        let root = if walk {
            scratch.root().without_kernel_lookup()
        } else {
            scratch.root()
        };
        let summary = unpack_with(&archive, format, &root, &UnpackLimits::rootfs()).unwrap();
        assert_eq!(summary.read_bytes, archive.len() as u64);
        assert_eq!(summary.warnings, Vec::<String>::new());
        same(&scratch, whole_seconds);
        assert!(root.is_incomplete().unwrap());
        root.wipe().unwrap();
        let step = 1 + archive.len() / 500;
        let limits = UnpackLimits::rootfs();
        unpack(&mut Dribble(&archive, step), format, &root, &limits, &mut |_| {}).unwrap();
        same(&scratch, whole_seconds);
        root.complete().unwrap();
        assert!(!root.is_incomplete().unwrap());
        assert!(
            TargetRoot::create(root.path()).is_err(),
            "a whole root must not be emptied"
        );
        std::fs::write(scratch.at(MARKER), "").unwrap();
    }
    scratch.untouched();
}

#[test]
fn gnu_tar_plain() {
    check("tar --format=gnu -C tree -cf archive .", true, Format::Tar);
}

#[test]
fn gnu_tar_pax_gzip() {
    check("tar --format=pax -C tree -czf archive .", false, Format::Tar);
}

#[test]
fn gnu_tar_pax_xz() {
    check("tar --format=pax -C tree -cJf archive .", false, Format::Tar);
}

#[test]
fn gnu_tar_pax_zstd() {
    check(
        "tar --format=pax -C tree -c . | zstd -q > archive",
        false,
        Format::Tar,
    );
}

#[test]
fn busybox_tar() {
    check("busybox tar -C tree -cf archive .", true, Format::Tar);
}

#[test]
fn python_tarfile() {
    for format in ["GNU_FORMAT", "PAX_FORMAT"] {
        let make = format!(
            "python3 -c 'import tarfile; t = tarfile.open(\"archive\", \"w:gz\", format=tarfile.{format}); t.add(\"tree\", \".\"); t.close()'"
        );
        check(&make, true, Format::Tar);
    }
}

#[test]
fn gzip_of_several_members_and_xz_streams_and_zstd_frames() {
    let split = "tar --format=pax -C tree -cf plain .; split -b 100000 plain part; rm -f archive;";
    for tool in ["gzip -c", "xz -c", "zstd -qc"] {
        check(
            &format!("{split} for p in part*; do {tool} $p >> archive; done"),
            false,
            Format::Tar,
        );
    }
}

/// Packed on a host that calls 1234 and 4321 `miner` and `wheel`; in the root they are 77 and 10.
#[test]
fn a_plugin_goes_by_names_and_a_whole_root_by_numbers() {
    if !needs_root("owners by name") {
        return;
    }
    for (limits, expected) in [
        (UnpackLimits::plugin(), [(77, 10), (1234, 10)]),
        (UnpackLimits::rootfs(), [(1234, 4321), (1234, 4321)]),
    ] {
        let scratch = Scratch::new();
        scratch.sh(
            "mkdir tree; echo 1 > tree/a; tar -C tree --owner=miner:1234 --group=wheel:4321 -cf archive a
            mkdir tree/b; tar -C tree --owner=unknown:1234 --group=wheel:4321 -rf archive b",
        );
        let root = scratch.root();
        std::fs::create_dir(scratch.at("etc")).unwrap();
        std::fs::write(scratch.at("etc/passwd"), "root:x:0:0::/:\nminer:x:77:78::/:\n").unwrap();
        std::fs::write(scratch.at("etc/group"), "wheel:x:10:\n").unwrap();
        let archive = std::fs::read(scratch.path.join("archive")).unwrap();
        unpack_with(&archive, Format::Tar, &root, &limits).unwrap();
        let owner = |name: &str| std::fs::metadata(scratch.at(name)).map(|meta| (meta.uid(), meta.gid()));
        assert_eq!([owner("a").unwrap(), owner("b").unwrap()], expected);
    }
}
