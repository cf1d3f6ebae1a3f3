use super::*;
use crate::core::manifest::testing::{base64, public};
use crate::io::https::testing::vectors;

struct Dir(PathBuf);

impl Dir {
    fn new(name: &str, cmdline: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("bootswarm-options-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::copy(vectors().join("tls/ca.pem"), dir.join("ca.pem")).unwrap();
        std::fs::write(dir.join("manifest.pub"), base64(&public(1))).unwrap();
        std::fs::write(dir.join("cmdline"), cmdline).unwrap();
        Self(dir)
    }

    fn read(&self, more: &str) -> Result<Options> {
        let dir = self.0.display();
        let args = format!("--trust {dir} --cmdline {dir}/cmdline {more}");
        Options::read(&args.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    fn code(&self, more: &str) -> Code {
        self.read(more).map(|o| panic!("{o:?}")).unwrap_err().code
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

#[test]
fn flags_come_before_the_command_line_and_that_before_the_file() {
    let dir = Dir::new(
        "order",
        "quiet bootswarm.server=https://10.0.0.1:8443/ bootswarm.node=AA:bb:cc:00:11:22 bootswarm.port=7000 \"bootswarm.target=/new root\" xbootswarm.node=no\n",
    );
    std::fs::write(
        dir.0.join("boot.conf"),
        "# built in\nbootswarm.server=https://10.9.9.9\nbootswarm.port=1\n",
    )
    .unwrap();
    let o = dir.read("").unwrap();
    assert_eq!(
        (&*o.server, o.port, o.target),
        ("https://10.0.0.1:8443", 7000, PathBuf::from("/new root"))
    );
    assert_eq!(o.node.as_deref(), Some("aa:bb:cc:00:11:22"));
    assert_eq!(
        (o.seed, o.retry_max, o.lsd && o.dht && o.tracker && o.origin),
        (Seed::Forever, None, true)
    );
    assert_eq!(o.trust.manifest_keys, [public(1)]);
    let o = dir
        .read("--server https://[::1]:1 --node=n2 --port 5 --target /t --bind ::1 --once --no-dht --seed-seconds 9 --background --json")
        .unwrap();
    assert_eq!(
        (&*o.server, o.node.as_deref(), o.port),
        ("https://[::1]:1", Some("n2"), 5)
    );
    assert_eq!(
        (o.bind, o.retry_max, o.seed),
        (Some("::1".parse().unwrap()), Some(0), Seed::Seconds(9))
    );
    assert!(!o.dht && o.lsd && o.json && o.background);
    std::fs::write(dir.0.join("cmdline"), "").unwrap();
    assert_eq!(
        dir.read("--exit-after-boot").map(|o| (o.server, o.seed)).unwrap(),
        ("https://10.9.9.9".into(), Seed::No)
    );
}

#[test]
fn says_what_is_wrong() {
    let dir = Dir::new("wrong", "");
    assert_eq!(dir.code(""), Code::ConfigMissing);
    for (more, code) in [
        ("--server http://10.0.0.1", Code::ConfigInvalid),
        ("--server https://boot.example", Code::ConfigInvalid),
        ("--server https://1.1.1.1 --node -x", Code::ConfigInvalid),
        ("--server https://1.1.1.1 --port 65536", Code::ConfigInvalid),
        ("--server https://1.1.1.1 --port +1", Code::ConfigInvalid),
        ("--server https://1.1.1.1 --bind here", Code::UsageInvalid),
        ("--serve https://1.1.1.1", Code::UsageInvalid),
        ("--server", Code::UsageInvalid),
        ("word", Code::UsageInvalid),
        ("--server https://1.1.1.1 --mount /m", Code::UsageInvalid),
    ] {
        assert_eq!(dir.code(more), code, "{more}");
    }
    std::fs::write(dir.0.join("cmdline"), "bootswarm.port=x").unwrap();
    assert_eq!(dir.code("--server https://1.1.1.1"), Code::ConfigInvalid);
}

#[test]
fn the_command_line_cannot_replace_trust_that_was_built_in() {
    let dir = Dir::new(
        "trust",
        &format!(
            "bootswarm.server=https://1.1.1.1 bootswarm.key={}",
            base64(&public(2))
        ),
    );
    assert_eq!(dir.read("").unwrap().trust.manifest_keys, [public(1)]);
    std::fs::remove_file(dir.0.join("manifest.pub")).unwrap();
    assert_eq!(dir.read("").unwrap().trust.manifest_keys, [public(2)]);
}

#[test]
fn usage_names_every_flag() {
    for switch in SWITCHES {
        assert!(USAGE.contains(switch), "{switch}");
    }
}
