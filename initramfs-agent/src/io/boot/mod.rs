//! `bootswarm-agent boot`: from the kernel command line to an unpacked root, and on as a seeder.
//!
//! What goes wrong is told to the server and on the console, and tried again: a node is never left in the
//! dark, and a root that is not whole is never entered (it carries the marker of `io::unpack`).

mod attempt;
mod background;
mod clock;
mod events;
pub mod identity;
mod monitor;
mod options;
mod reporter;
mod retry;
mod settings;
mod sys;
#[cfg(test)]
mod tests;
mod unpacking;

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use self::attempt::{Context, Failure, Running};
use self::background::{Notifier, Role};
use self::events::{Data, Log};
use self::identity::{hex, random};
pub use self::options::{Options, Seed, USAGE};
use self::reporter::Reporter;
use crate::cli::signals;
use crate::core::error::{Code, Result};
use crate::core::rng::Rng;
use crate::io::https::Client;

/// For the last events, when the process ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// Runs `boot` with the arguments behind that word and gives the exit code: 0 after a boot, 1 after a failure
/// that is not tried again, 2 when it was called wrongly.
pub fn main(args: &[String]) -> i32 {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{USAGE}");
        return 0;
    }
    let options = match Options::read(args) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("bootswarm: {error}");
            if error.code == Code::UsageInvalid {
                eprint!("{USAGE}");
                return 2;
            }
            return 1;
        }
    };
    let notifier = match options.background.then(background::detach) {
        None => Notifier::none(),
        Some(Ok(Role::Child(notifier))) => notifier,
        Some(Ok(Role::Parent(code))) => return code,
        Some(Err(error)) => {
            eprintln!("bootswarm: {error}");
            return 1;
        }
    };
    let stop = Arc::new(Stop::default());
    let signalled = stop.clone();
    let result = signals::on_stop(move || signalled.request());
    let out = Box::new(std::io::stdout());
    match result.and_then(|()| run(options, notifier, &stop, out)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bootswarm: {error}");
            1
        }
    }
}

/// A wish to end, from a signal.
#[derive(Default)]
pub struct Stop {
    state: Mutex<(Phase, bool)>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing is worth waiting for: the root is marked as incomplete.
    #[default]
    Booting,
    /// The others are told before the end.
    Seeding,
}

impl Stop {
    /// Ends the process if it is still booting, else tells it to end.
    fn request(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.0 == Phase::Booting {
            std::process::exit(1);
        }
        state.1 = true;
        self.changed.notify_all();
    }

    /// Waits for the end of seeding; `None`: only a signal is one.
    fn wait(&self, at_most: Option<Duration>) {
        let until = at_most.map(|wait| Instant::now() + wait);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 = Phase::Seeding;
        while !state.1 {
            let left = until.map_or(Duration::from_secs(3600), |until| {
                until.saturating_duration_since(Instant::now())
            });
            if left.is_zero() {
                return;
            }
            state = self
                .changed
                .wait_timeout(state, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// Boots, seeds, ends; the process has no threads yet but those that the caller started.
fn run(options: Options, mut notifier: Notifier, stop: &Stop, out: Box<dyn Write + Send>) -> Result<i32> {
    let mut client = Client::new(&options.trust);
    if let Some(ip) = options.bind {
        client.set_bind(ip);
    }
    let reporter = Reporter::start(client.clone())?;
    let log = Arc::new(Log::new(hex(&random::<8>()?), options.json, reporter, out));
    let data = Data::default()
        .text("agent", env!("CARGO_PKG_VERSION"))
        .number("mem_total_bytes", attempt::memory("MemTotal:").unwrap_or(0));
    let line = format!("agent {}, server {}", env!("CARGO_PKG_VERSION"), options.server);
    log.event("boot.started", data, Some(&line));
    let seed = options.seed;
    let mut context = Context {
        options,
        log: log.clone(),
        client,
        kept: Vec::new(),
        hashes: Vec::new(),
        server_us: 0,
    };
    let Some(running) = boot(&mut context)? else {
        log.reporter().finish(FAREWELL);
        return Ok(1);
    };
    drop(context);
    notifier.complete();
    match seed {
        Seed::No => {}
        Seed::Seconds(seconds) => stop.wait(Some(Duration::from_secs(seconds))),
        Seed::Forever => stop.wait(None),
    }
    let uploaded = running.stop().uploaded_bytes;
    let data = Data::default().number("uploaded_bytes", uploaded);
    log.event(
        "seed.stopped",
        data,
        Some(&format!("{} uploaded, bye", events::megabytes(uploaded))),
    );
    log.reporter().finish(FAREWELL);
    Ok(0)
}

/// Tries until it works; `None` when it may not be tried again.
fn boot(context: &mut Context) -> Result<Option<Running>> {
    let mut rng = Rng::new(u64::from_le_bytes(random()?));
    let mut failures = 0u32;
    loop {
        let Failure { error, retry_after_s } = match attempt::run(context) {
            Ok(running) => return Ok(Some(running)),
            Err(failure) => failure,
        };
        if error.code == Code::OriginBusy && context.options.retry_max.is_none() {
            // The server is well and asks for patience: nothing has failed.
            let wait = retry::wait(1, retry_after_s, &mut rng);
            context.log.say(&format!(
                "the server is busy, next try in {} s",
                wait.as_secs_f64().ceil()
            ));
            std::thread::sleep(wait);
            continue;
        }
        let last = context.options.retry_max.is_some_and(|max| failures >= max);
        failures = failures.saturating_add(1);
        let wait = (!last).then(|| retry::wait(failures, retry_after_s, &mut rng));
        context.log.failed(&error, wait);
        match wait {
            Some(wait) => std::thread::sleep(wait),
            None => return Ok(None),
        }
    }
}
