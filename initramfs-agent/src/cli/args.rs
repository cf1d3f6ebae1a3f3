//! Arguments to checked values.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::usage;
use crate::core::error::Result;
use crate::io::https::Url;

/// What was asked for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Args {
    /// The one file that every command takes.
    pub file: PathBuf,
    pub out: Option<PathBuf>,
    pub data: Option<PathBuf>,
    pub peers: Vec<SocketAddr>,
    pub trackers: Vec<String>,
    pub origins: Vec<String>,
    pub ca: Option<PathBuf>,
    pub dht: Vec<SocketAddr>,
    pub lsd: bool,
    pub port: u16,
    pub bind: Option<IpAddr>,
    pub seed_for: Option<Duration>,
    pub keep_seeding: bool,
    pub timeout: Option<Duration>,
    pub json: bool,
    pub kind: Option<String>,
    pub name: Option<String>,
    pub init: Option<String>,
}

impl Args {
    /// Reads the arguments after the command.
    ///
    /// # Errors
    /// `USAGE_INVALID`.
    pub fn parse(arguments: &[String]) -> Result<Self> {
        let mut args = Self::default();
        let mut file = None;
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || {
                rest.next()
                    .ok_or_else(|| usage(format!("{argument} needs a value")))
            };
            match argument.as_str() {
                "-o" | "--out" => args.out = Some(value()?.into()),
                "--data" => args.data = Some(value()?.into()),
                "--peer" => args.peers.push(number(argument, value()?)?),
                "--tracker" => args.trackers.push(url(argument, value()?)?),
                "--origin" => args.origins.push(url(argument, value()?)?),
                "--ca" => args.ca = Some(value()?.into()),
                "--dht" => args.dht.push(number(argument, value()?)?),
                "--lsd" => args.lsd = true,
                "--port" => args.port = number(argument, value()?)?,
                "--bind" => args.bind = Some(number(argument, value()?)?),
                "--seed-seconds" => args.seed_for = Some(seconds(argument, value()?)?),
                "--keep-seeding" => args.keep_seeding = true,
                "--timeout-s" => args.timeout = Some(seconds(argument, value()?)?),
                "--json" => args.json = true,
                "--kind" => args.kind = Some(value()?.clone()),
                "--name" => args.name = Some(value()?.clone()),
                "--init" => args.init = Some(value()?.clone()),
                option if option.starts_with('-') => return Err(usage(format!("unknown option: {option}"))),
                path if file.is_none() => file = Some(PathBuf::from(path)),
                other => return Err(usage(format!("one file expected, not also {other}"))),
            }
        }
        args.file = file.ok_or_else(|| usage("no file"))?;
        let mut urls = args.trackers.iter().chain(&args.origins);
        if let (None, Some(url)) = (&args.ca, urls.find(|url| url.starts_with("https:"))) {
            return Err(usage(format!(
                "{url}: https needs --ca, for no authority is trusted otherwise"
            )));
        }
        Ok(args)
    }
}

fn number<T: FromStr>(option: &str, text: &str) -> Result<T> {
    text.parse()
        .map_err(|_| usage(format!("{option}: cannot be {text}")))
}

/// A URL that the agent can use: `udp://`, `ws://`, host names and passwords are refused, or they would be ignored silently.
fn url(option: &str, text: &str) -> Result<String> {
    match Url::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(usage(format!(
            "{option}: not an http or https URL of an IP address without user and password: {text}"
        ))),
    }
}

fn seconds(option: &str, text: &str) -> Result<Duration> {
    // Bounded, so that it can be added to a time.
    number::<u32>(option, text).map(|s| Duration::from_secs(s.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::error::Code;

    fn parse(line: &str) -> Result<Args> {
        Args::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn values_are_read() {
        let args = parse(
            "a.torrent -o out --peer 127.0.0.1:1 --peer [::1]:2 --port 7 --bind 127.0.1.7 --seed-seconds 3 --json",
        )
        .unwrap();
        let expected = Args {
            file: "a.torrent".into(),
            out: Some("out".into()),
            peers: vec!["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()],
            port: 7,
            bind: Some("127.0.1.7".parse().unwrap()),
            seed_for: Some(Duration::from_secs(3)),
            json: true,
            ..Args::default()
        };
        assert_eq!(args, expected);
    }

    #[test]
    fn mistakes_are_named() {
        for (line, text) in [
            ("", "no file"),
            ("a b", "not also b"),
            ("a --frob", "unknown option: --frob"),
            ("a --port", "--port needs a value"),
            ("a --port 65536", "--port: cannot be 65536"),
            ("a --peer host:1", "--peer: cannot be host:1"),
            ("a --timeout-s -1", "--timeout-s: cannot be -1"),
            ("a --tracker udp://10.0.0.1:80", "--tracker: not an http or https"),
            ("a --tracker wss://10.0.0.1/", "--tracker: not an http or https"),
            ("a --tracker 10.0.0.1:8480", "--tracker: not an http or https"),
            ("a --tracker http://tracker.example/announce", "IP address"),
            ("a --origin ftp://10.0.0.1/f", "--origin: not an http or https"),
            (
                "a --origin http://me:secret@10.0.0.1/f",
                "without user and password",
            ),
            ("a --origin https://10.0.0.1/f", "https needs --ca"),
            ("a --tracker https://10.0.0.1/announce", "https needs --ca"),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.code, Code::UsageInvalid);
            assert!(error.message.contains(text), "{line}: {error}");
        }
    }
}
