//! The command line: `fetch`, `seed`, `inspect` for people and tests, `check` for the server, `boot` for stage 1.

mod args;
mod check;
mod inspect;
mod output;
mod transfer;

use crate::core::error::{Code, Error, Result};
use crate::io::boot;
use crate::io::console::complain;
use args::Args;

const HELP: &str = "\
bootswarm-agent: fetches and seeds boot artifacts

usage:
  bootswarm-agent fetch FILE.torrent -o OUT [options]   download, then seed if told to
  bootswarm-agent seed FILE.torrent --data PATH [options]
                                                        check a file and serve it
  bootswarm-agent inspect FILE [--json]                 show a .torrent or a manifest
  bootswarm-agent check FILE [--kind rootfs|plugin] [--name NAME] [--init PATH]
                                                        whether nodes could unpack an archive
  bootswarm-agent boot [options]                        boot this node (stage 1)
  bootswarm-agent report --code CODE --message TEXT     tell the server why a node does not boot (stage 1)
  bootswarm-agent --help | --version

options of fetch and seed:
  --peer IP:PORT      a peer (may be repeated)
  --tracker URL       announce there too (may be repeated; http or https, IP address)
  --origin URL        HTTP origin of the whole file (may be repeated)
  --ca FILE           certificate authority (PEM or DER) of https origins and trackers
  --dht IP:PORT       take part in the DHT of this node (may be repeated)
  --lsd               find peers on the local network
  --port N            listen there (default: any free port)
  --bind IP           the one address to listen at and to connect from
  --seed-seconds N    seed so long (fetch: after the download)
  --keep-seeding      seed until SIGTERM (fetch; seed does so by default)
  --timeout-s N       fetch: give up after so long
  --json              one JSON object a line on stdout

exit codes: 0 done, 1 failed, 2 wrong usage; check: 1 refused, 3 not read to the end. Errors are `CODE: message` on stderr; docs/errors.md lists the codes.
";

/// Runs the command that the arguments (without the program's name) ask for; returns the exit code.
pub fn main(arguments: &[String]) -> i32 {
    let result = match arguments.first().map(String::as_str) {
        Some("--help" | "-h" | "help") => {
            print!("{HELP}");
            Ok(())
        }
        Some("--version" | "-V") => {
            println!("bootswarm-agent {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Some("fetch") => Args::parse(&arguments[1..]).and_then(|args| transfer::fetch(&args)),
        Some("seed") => Args::parse(&arguments[1..]).and_then(|args| transfer::seed(&args)),
        Some("inspect") => Args::parse(&arguments[1..]).and_then(|args| inspect::run(&args)),
        Some("check") => match Args::parse(&arguments[1..]).and_then(|args| check::run(&args)) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Some("boot") => return boot::main(&arguments[1..]),
        Some("report") => return boot::report::main(&arguments[1..]),
        Some(other) => Err(usage(format!("unknown command: {other}"))),
        None => Err(usage("no command")),
    };
    match result {
        Ok(()) => 0,
        Err(error) => {
            complain(&error.to_string());
            if error.code == Code::UsageInvalid { 2 } else { 1 }
        }
    }
}

fn usage(message: impl Into<String>) -> Error {
    let mut error = Error::new(Code::UsageInvalid, message);
    error.message.push_str(" (see --help)");
    error
}

fn read_file(path: &std::path::Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::new(Code::Io, format!("{}: {e}", path.display())))
}
