//! `bootswarm-agent report`: reports why a node does not boot where the agent that boots it cannot: it was killed, or could
//! not start. One post, no second try: the caller tries again later anyway.

use std::time::Duration;

use super::events::{Data, Log};
use super::identity::{hex, random};
use super::memory;
use super::options::Options;
use super::reporter::Reporter;
use super::unverified;
use crate::core::error::{Code, Error, Result};
use crate::io::console::complain;
use crate::io::https::{Client, Timeouts};

/// How to call it.
pub const USAGE: &str = "\
usage: bootswarm-agent report --code CODE --message TEXT [--retry-in-s N] [options of boot]
";

/// The console waits for this: long enough for a machine whose TLS handshake alone takes seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// A server that is away is given up sooner.
const SILENCE: Duration = Duration::from_secs(10);

/// Runs `report` with the arguments after that word; 0 when the server has taken it.
pub fn main(args: &[String]) -> i32 {
    match run(args) {
        Ok(()) => 0,
        Err(error) => {
            complain(&format!("bootswarm: {error}"));
            if error.code == Code::UsageInvalid {
                eprint!("{USAGE}");
                return 2;
            }
            1
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let mut options = Vec::new();
    let (mut code, mut message, mut retry_in_s) = (None, None, 0);
    let usage = |what: &str| Error::new(Code::UsageInvalid, what);
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let mut value = || {
            args.next()
                .ok_or_else(|| usage("no value for an option of report"))
        };
        match arg.as_str() {
            "--code" => {
                let text = value()?;
                code = Code::ALL.iter().find(|code| code.as_str() == text).copied();
            }
            "--message" => message = Some(value()?.clone()),
            "--retry-in-s" => {
                retry_in_s = value()?
                    .parse()
                    .map_err(|_| usage("--retry-in-s: not a number"))?
            }
            _ => options.push(arg.clone()),
        }
    }
    let code = code.ok_or_else(|| usage("--code must be one of docs/errors.md"))?;
    let message = message.ok_or_else(|| usage("no --message"))?;
    post(
        &options,
        &Error::new(code, message),
        Duration::from_secs(retry_in_s),
    )
}

/// Posts a failed boot of its own, in place of one whose agent cannot report this error.
/// `options` as `boot` has them.
///
/// # Errors
/// Those of [`Options::read`], and `SERVER_UNREACHABLE` when the server did not take it.
pub fn post(options: &[String], error: &Error, retry_in: Duration) -> Result<()> {
    // What is wrong may be the kernel command line: no more of it is read than a report needs.
    let mut args = vec!["--port".to_owned(), "0".to_owned()];
    args.extend_from_slice(options);
    let options = Options::read(&args)?;
    let id = options.node_id()?;
    let mut client = Client::new(&options.trust);
    if let Some(ip) = options.bind {
        client.set_bind(ip);
    }
    let reporter = Reporter::start_with(
        client,
        options.credentials.clone(),
        Timeouts {
            connect: SILENCE,
            idle: SILENCE,
            total: PATIENCE,
        },
    )?;
    // The console has shown it already.
    let log = Log::new(hex(&random::<8>()?), false, reporter, Box::new(std::io::sink()));
    log.event("boot.started", started(&options), None);
    let event = log.failed(error, (!retry_in.is_zero()).then_some(retry_in));
    log.reporter()
        .set_url(&format!("{}/v1/nodes/{id}/events", options.server));
    if log.reporter().finish(PATIENCE) || unverified::post(&options, &id, &event) {
        return Ok(());
    }
    Err(Error::new(
        Code::ServerUnreachable,
        "the server did not take the report",
    ))
}

/// The data of `boot.started`.
pub fn started(options: &Options) -> Data {
    let data = Data::default()
        .text("agent", env!("CARGO_PKG_VERSION"))
        .number("mem_total_bytes", memory::memory("MemTotal:").unwrap_or(0));
    match &options.note {
        Some(note) => data.text("note", note),
        None => data,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;
    use crate::core::manifest::testing::{base64, public};
    use crate::io::https::testing::{Answer, Server, status, vectors};

    fn words(text: &str) -> Vec<String> {
        text.split('|').map(str::to_owned).collect()
    }

    #[test]
    fn a_report_is_a_boot_that_failed_whatever_else_is_wrong_with_the_command_line() {
        let dir = std::env::temp_dir().join(format!("bootswarm-report-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::copy(vectors().join("tls/ca.pem"), dir.join("ca.pem")).unwrap();
        std::fs::write(dir.join("manifest.pub"), base64(&public(1))).unwrap();
        let (send, receive) = channel();
        let server = Server::https("server", move |request| {
            send.send((request.target().to_owned(), request.body.clone()))
                .unwrap();
            Answer::Keep(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec())
        });
        let cmdline = format!(
            "bootswarm.server={} bootswarm.node=rig-1 bootswarm.port=none",
            server.url("")
        );
        std::fs::write(dir.join("cmdline"), cmdline).unwrap();
        let trust = format!("--trust|{0}|--cmdline|{0}/cmdline", dir.display());
        let report = format!("--code|AGENT_KILLED|--message|no memory: \"zram\"|--retry-in-s|9|{trust}");
        assert_eq!(main(&words(&report)), 0);
        let (target, body) = receive.recv().unwrap();
        assert_eq!(target, "/v1/nodes/rig-1/events");
        let events: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let of = |at: usize| (events[at]["type"].as_str(), events[at]["seq"].as_u64());
        assert_eq!(
            (of(0), of(1)),
            ((Some("boot.started"), Some(0)), (Some("boot.failed"), Some(1)))
        );
        assert_eq!(
            events[1]["data"],
            serde_json::json!({"code": "AGENT_KILLED", "message": "no memory: \"zram\"", "retry_in_s": 9})
        );
        for (arguments, code) in [
            (format!("--code|NO_SUCH|--message|x|{trust}"), 2),
            (format!("--message|x|{trust}"), 2),
            (format!("--code|IO|{trust}"), 2),
            (format!("--code|IO|--message|x|--retry-in-s|soon|{trust}"), 2),
            ("--code".to_owned(), 2),
        ] {
            assert_eq!(main(&words(&arguments)), code, "{arguments}");
        }
        std::fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn a_server_that_does_not_take_it_is_no_success() {
        let server = Server::https("server", |_| status(503, "ORIGIN_BUSY", ""));
        let dir = std::env::temp_dir().join(format!("bootswarm-report-no-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::copy(vectors().join("tls/ca.pem"), dir.join("ca.pem")).unwrap();
        std::fs::write(dir.join("manifest.pub"), base64(&public(1))).unwrap();
        let arguments = format!(
            "--code|IO|--message|x|--node|n|--server|{}|--trust|{1}|--cmdline|{1}/none",
            server.url(""),
            dir.display()
        );
        assert_eq!(main(&words(&arguments)), 1);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
