//! The options of `boot`: flags first, then the kernel command line, then `boot.conf` beside the trust files.

#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::credentials::Credentials;
use super::identity;
use crate::core::error::{Code, Error, Result};
use crate::io::https::Url;
use crate::io::trust::Trust;

/// Largest command line or `boot.conf`, bytes.
const TEXT_BYTES_MAX: usize = 64 << 10;

/// How to call it.
pub const USAGE: &str = "\
usage: bootswarm-agent boot [options]
  --server URL       https://IP:PORT of the server      (kernel: bootswarm.server=)
  --http URL         the server's plain HTTP           (bootswarm.http=, default: port 8480 of the server)
  --node ID          identity of this node              (bootswarm.node=, default: MAC address)
  --target DIR       the root to fill, empty            (bootswarm.target=, default /sysroot)
  --port N           BitTorrent port, 0: any            (bootswarm.port=, default 0)
  --trust DIR        ca.pem, manifest.pub, boot.conf    (default /etc/bootswarm)
  --handover DIR     where squashfs and raw files go    (default TARGET/.bootswarm)
  --mount PROGRAM    mounts a squashfs root from there: docs/boot.md
  --key FILE         keep the key of this boot here     (default: in memory)
  --cmdline FILE     read this for the kernel's         (default /proc/cmdline)
  --bind IP          the one address of ours to use
  --background       return when the root is complete, seed on in the background
  --exit-after-boot  do not seed afterwards
  --seed-seconds N   seed for so long, then exit        (default: until SIGTERM)
  --once             exit 1 instead of trying again
  --retry-max N      try again at most N times
  --set-clock        set the clock from the manifest
  --note TEXT        tell the server with the first event
  --json             one JSON event per line on stdout
  --no-lsd --no-dht --no-tracker --no-origin  leave these out
The kernel command line may also have bootswarm.ticket=, which proves whose node this is: docs/tickets.md. It may name bootswarm.key=BASE64 and bootswarm.ca=PATH where --trust has no files.
";

/// What happens when the root is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seed {
    /// Exit at once.
    No,
    /// So many seconds.
    Seconds(u64),
    /// Until a signal says otherwise.
    Forever,
}

/// All options of `boot`, checked.
#[derive(Clone, Debug)]
pub struct Options {
    /// `https://IP:PORT`, without a slash at the end.
    pub server: String,
    /// Our identity; `None`: the MAC address.
    pub node: Option<String>,
    /// The root to fill.
    pub target: PathBuf,
    /// Where images go; `None`: into the target.
    pub handover: Option<PathBuf>,
    /// Mounts a root file system that was handed over.
    pub mount: Option<PathBuf>,
    /// BitTorrent port, 0: any.
    pub port: u16,
    /// The one address of ours to use.
    pub bind: Option<IpAddr>,
    /// Fork, and let the parent return when the root is complete.
    pub background: bool,
    /// What comes after the boot.
    pub seed: Seed,
    /// How often a failed boot is tried again; `None`: for ever.
    pub retry_max: Option<u32>,
    /// The same server's plain HTTP, for what needs no certificate.
    pub http: String,
    /// `init=` of the kernel's command line: what stage 1 starts in the new root.
    pub init: Option<String>,
    /// Set the clock from the manifest.
    pub set_clock: bool,
    /// A note from stage 1 to the server.
    pub note: Option<String>,
    /// Events on stdout.
    pub json: bool,
    /// Local service discovery.
    pub lsd: bool,
    /// The site's DHT.
    pub dht: bool,
    /// Announce to trackers.
    pub tracker: bool,
    /// HTTPS origins.
    pub origin: bool,
    /// The site's CA and keys.
    pub trust: Trust,
    /// The ticket of the boot script, and this boot's key; `None`: there is no ticket.
    pub credentials: Option<Arc<Credentials>>,
}

/// Flags as they came, before files are read.
#[derive(Default)]
struct Flags {
    server: Option<String>,
    http: Option<String>,
    node: Option<String>,
    target: Option<PathBuf>,
    port: Option<u16>,
    trust: Option<PathBuf>,
    handover: Option<PathBuf>,
    mount: Option<PathBuf>,
    cmdline: Option<PathBuf>,
    key: Option<PathBuf>,
    bind: Option<IpAddr>,
    seed_seconds: Option<u64>,
    retry_max: Option<u32>,
    note: Option<String>,
    switches: Vec<&'static str>,
}

/// The server's default (`http.port`).
const HTTP_PORT: u16 = 8480;

const SWITCHES: [&str; 9] = [
    "--background",
    "--exit-after-boot",
    "--once",
    "--set-clock",
    "--json",
    "--no-lsd",
    "--no-dht",
    "--no-tracker",
    "--no-origin",
];

impl Options {
    /// Reads the arguments after `boot`, the command line and the trust directory.
    ///
    /// # Errors
    /// `USAGE_INVALID`, `CONFIG_MISSING`, `CONFIG_INVALID`, `TRUST_MISSING`, `TRUST_INVALID`.
    pub fn read(args: &[String]) -> Result<Self> {
        let flags = Flags::parse(args)?;
        let on = |switch: &str| flags.switches.contains(&switch);
        if flags.mount.is_some() && flags.handover.is_none() {
            return Err(Error::new(
                Code::UsageInvalid,
                "--mount needs --handover: the file must lie outside of the target",
            ));
        }
        let trust_dir = flags.trust.as_deref().unwrap_or(Path::new("/etc/bootswarm"));
        let cmdline = flags.cmdline.as_deref().unwrap_or(Path::new("/proc/cmdline"));
        let settings = Settings::read(&trust_dir.join("boot.conf"), cmdline)?;
        let trust = Trust::load(
            trust_dir,
            settings.get("key").as_deref(),
            settings.get("ca").as_deref().map(Path::new),
        )?;
        let (server, ip) = server(&flags, &settings)?;
        let seed = match flags.seed_seconds {
            _ if on("--exit-after-boot") => Seed::No,
            Some(seconds) => Seed::Seconds(seconds),
            None => Seed::Forever,
        };
        Ok(Self {
            server,
            http: http(&flags, &settings, ip)?,
            node: node(&flags, &settings)?,
            port: port(&flags, &settings)?,
            target: flags
                .target
                .or_else(|| settings.get("target").map(PathBuf::from))
                .unwrap_or("/sysroot".into()),
            handover: flags.handover,
            mount: flags.mount,
            bind: flags.bind,
            background: on("--background"),
            seed,
            retry_max: if on("--once") { Some(0) } else { flags.retry_max },
            init: settings.last("init=").map(str::to_owned),
            set_clock: on("--set-clock"),
            json: on("--json"),
            lsd: !on("--no-lsd"),
            dht: !on("--no-dht"),
            tracker: !on("--no-tracker"),
            origin: !on("--no-origin"),
            note: flags.note,
            trust,
            credentials: match settings.get("ticket") {
                Some(ticket) => Credentials::new(&ticket, flags.key.as_deref())?.map(Arc::new),
                None => None,
            },
        })
    }

    /// Who this node is.
    ///
    /// # Errors
    /// Those of [`identity::mac`].
    pub fn node_id(&self) -> Result<String> {
        match &self.node {
            Some(id) => Ok(id.clone()),
            None => identity::mac(Path::new("/sys/class/net")),
        }
    }
}

/// The server's `https://IP:PORT`, and that address.
fn server(flags: &Flags, settings: &Settings) -> Result<(String, IpAddr)> {
    let server = flags
        .server
        .clone()
        .or_else(|| settings.get("server"))
        .ok_or_else(|| {
            Error::new(
                Code::ConfigMissing,
                "which server? neither --server nor bootswarm.server= is given",
            )
        })?;
    let server = server.trim_end_matches('/').to_owned();
    let url = Url::parse(&server)?;
    if !url.tls {
        return Err(invalid(format!("the server must be an https:// URL: {server:?}")));
    }
    Ok((server, url.addr.ip()))
}

/// The plain HTTP of the server with this address.
fn http(flags: &Flags, settings: &Settings, server: IpAddr) -> Result<String> {
    let http = match flags.http.clone().or_else(|| settings.get("http")) {
        Some(http) => http.trim_end_matches('/').to_owned(),
        None => format!("http://{}", SocketAddr::new(server, HTTP_PORT)),
    };
    if Url::parse(&http)?.tls {
        return Err(invalid(format!(
            "bootswarm.http must be an http:// URL: {http:?}"
        )));
    }
    Ok(http)
}

fn node(flags: &Flags, settings: &Settings) -> Result<Option<String>> {
    let node = flags.node.clone().or_else(|| settings.get("node"));
    let node = node.map(|node| node.to_ascii_lowercase());
    match node.as_deref().filter(|node| !identity::is_valid(node)) {
        Some(node) => Err(invalid(format!("not a node identity: {node:?}"))),
        None => Ok(node),
    }
}

fn port(flags: &Flags, settings: &Settings) -> Result<u16> {
    match (flags.port, settings.get("port")) {
        (Some(port), _) => Ok(port),
        (None, Some(text)) => number("bootswarm.port", &text),
        (None, None) => Ok(0),
    }
}

fn invalid(message: String) -> Error {
    Error::new(Code::ConfigInvalid, message)
}

/// The words of `boot.conf` and of the kernel command line.
struct Settings(Vec<String>);

impl Settings {
    fn read(boot_conf: &Path, cmdline: &Path) -> Result<Self> {
        // Later ones win: what the kernel was given counts more than what was built in.
        Ok(Self([read_words(boot_conf)?, read_words(cmdline)?].concat()))
    }

    /// The value of `bootswarm.NAME=`.
    fn get(&self, name: &str) -> Option<String> {
        let value = |word: &String| {
            word.strip_prefix("bootswarm.")?
                .strip_prefix(name)?
                .strip_prefix('=')
                .map(str::to_owned)
        };
        self.0.iter().rev().find_map(value)
    }

    /// What follows the prefix in the last word that has it.
    fn last(&self, prefix: &str) -> Option<&str> {
        self.0.iter().rev().find_map(|word| word.strip_prefix(prefix))
    }
}

impl Flags {
    fn parse(args: &[String]) -> Result<Self> {
        let mut flags = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            if let Some(switch) = SWITCHES.iter().find(|switch| *switch == arg) {
                flags.switches.push(switch);
                continue;
            }
            let (name, inline) = match arg.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (arg.as_str(), None),
            };
            let usage = |what: &str| Error::new(Code::UsageInvalid, format!("{what} {name:?}"));
            let mut value = || {
                inline
                    .or_else(|| args.next().map(String::as_str))
                    .ok_or_else(|| usage("no value for"))
            };
            match name {
                "--server" => flags.server = Some(value()?.into()),
                "--http" => flags.http = Some(value()?.into()),
                "--node" => flags.node = Some(value()?.into()),
                "--target" => flags.target = Some(value()?.into()),
                "--trust" => flags.trust = Some(value()?.into()),
                "--handover" => flags.handover = Some(value()?.into()),
                "--mount" => flags.mount = Some(value()?.into()),
                "--key" => flags.key = Some(value()?.into()),
                "--cmdline" => flags.cmdline = Some(value()?.into()),
                "--port" => flags.port = Some(number(name, value()?)?),
                "--bind" => flags.bind = Some(value()?.parse().map_err(|_| usage("not an IP address:"))?),
                "--seed-seconds" => flags.seed_seconds = Some(number(name, value()?)?),
                "--note" => flags.note = Some(value()?.into()),
                "--retry-max" => flags.retry_max = Some(number(name, value()?)?),
                _ => return Err(usage("unknown option")),
            }
        }
        Ok(flags)
    }
}

fn number<T: std::str::FromStr>(name: &str, text: &str) -> Result<T> {
    let digits = !text.is_empty() && text.bytes().all(|c| c.is_ascii_digit());
    let value = if digits { text.parse().ok() } else { None };
    value.ok_or_else(|| invalid(format!("{name}: not a number in range: {text:?}")))
}

/// The words of a command line or of `boot.conf`, whose lines may be comments. A file that is not there has none.
fn read_words(path: &Path) -> Result<Vec<String>> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(invalid(format!("{}: {e}", path.display()))),
    };
    if bytes.len() > TEXT_BYTES_MAX {
        return Err(invalid(format!("{}: too large", path.display())));
    }
    Ok(words(&String::from_utf8_lossy(&bytes)))
}

/// Splits words as the kernel does: double quotes keep spaces and are dropped.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let mut quoted = false;
        let mut word = String::new();
        for c in line.chars().chain([' ']) {
            match c {
                '"' => quoted = !quoted,
                c if c.is_whitespace() && !quoted => {
                    if !word.is_empty() {
                        words.push(std::mem::take(&mut word));
                    }
                }
                c => word.push(c),
            }
        }
    }
    words
}
