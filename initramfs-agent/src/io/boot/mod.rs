//! `bootswarm-agent boot`: from the kernel command line to an unpacked root, and on as a seeder.
//!
//! Failures are reported to the server and on the console, and the boot is tried again. A root that is not whole is never
//! entered (it carries the marker of `io::unpack`).

mod asking;
mod attempt;
mod background;
mod clock;
mod context;
mod credentials;
mod events;
mod filling;
pub mod identity;
mod inventory;
mod memory;
mod monitor;
mod mounting;
mod options;
mod places;
pub mod report;
mod reporter;
mod retry;
mod running;
mod seeding;
mod settings;
mod sys;
#[cfg(test)]
mod tests;
mod totals;
mod unpacking;
mod unverified;
mod waking;

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use self::background::{Notifier, Role};
use self::context::{Context, Failure};
use self::events::Log;
use self::identity::{hex, random};
pub use self::options::{Options, Seed, USAGE};
use self::reporter::Reporter;
use self::running::Running;
use self::seeding::Seeding;
use crate::core::error::{Code, Result};
use crate::core::rng::Rng;
use crate::io::console::complain;
use crate::io::https::Client;
use crate::io::signals;

/// For the last events, when the process ends.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// Runs `boot` with the arguments after that word and returns the exit code: 0 after a boot, 1 after a failure
/// that is not tried again, 2 when it was called wrongly; 128 and the signal's number (`--background`) when it was
/// killed.
pub fn main(args: &[String]) -> i32 {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{USAGE}");
        return 0;
    }
    let options = match Options::read(args) {
        Ok(options) => options,
        Err(error) => {
            complain(&format!("bootswarm: {error}"));
            if error.code == Code::UsageInvalid {
                eprint!("{USAGE}");
                return 2;
            }
            // The kernel command line comes from the server, where it may be corrected.
            let _ = report::post(args, &error, Duration::ZERO);
            return 1;
        }
    };
    let notifier = match options.background.then(background::detach) {
        None => Notifier::none(),
        Some(Ok(Role::Child(notifier))) => notifier,
        Some(Ok(Role::Parent(code))) => return code,
        Some(Err(error)) => {
            complain(&format!("bootswarm: {error}"));
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
            complain(&format!("bootswarm: {error}"));
            1
        }
    }
}

/// Whether a signal has asked the process to end.
#[derive(Default)]
pub struct Stop {
    state: Mutex<StopState>,
    changed: Condvar,
}

#[derive(Default)]
struct StopState {
    phase: Phase,
    is_requested: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing is worth waiting for: the root is marked as incomplete.
    #[default]
    Booting,
    /// The end is reported to trackers and the server first.
    Seeding,
}

impl Stop {
    /// Ends the process if it is still booting, else asks it to end.
    fn request(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.phase == Phase::Booting {
            std::process::exit(1);
        }
        state.is_requested = true;
        self.changed.notify_all();
    }

    /// Waits for at most this long; returns whether there was a signal.
    fn wait(&self, at_most: Duration) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.phase = Phase::Seeding;
        let waited = self
            .changed
            .wait_timeout_while(state, at_most, |state| !state.is_requested);
        waited.unwrap_or_else(PoisonError::into_inner).0.is_requested
    }
}

/// Boots, seeds, ends; the process has no threads yet but those that the caller started.
fn run(options: Options, mut notifier: Notifier, stop: &Stop, out: Box<dyn Write + Send>) -> Result<i32> {
    let mut client = Client::new(&options.trust);
    if let Some(ip) = options.bind {
        client.set_bind(ip);
    }
    let reporter = Reporter::start(client.clone(), options.credentials.clone())?;
    let log = Arc::new(Log::new(hex(&random::<8>()?), options.json, reporter, out));
    let data = report::started(&options);
    let line = format!("agent {}, server {}", env!("CARGO_PKG_VERSION"), options.server);
    log.event("boot.started", data, Some(&line));
    let seed = options.seed;
    let mut context = Context::new(options, log.clone(), client);
    let booted = boot(&mut context)?;
    let inventory = context.inventory.take();
    drop(context);
    let code = if booted.is_some() { 0 } else { 1 };
    if let Some(running) = booted {
        notifier.complete();
        let rng = Rng::new(u64::from_le_bytes(random()?));
        Seeding::new(running, &log, rng).run(seed, stop);
    }
    // Over long ago, but after the shortest of boots.
    let _ = inventory.map(JoinHandle::join);
    log.reporter().finish(LAST_EVENTS);
    Ok(code)
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
        if error.code == Code::OriginBusy && context.options.retry_max != Some(0) {
            // The server works and asks us to wait: nothing has failed, so this does not count as a try.
            let wait = retry::wait(1, retry_after_s, &mut rng);
            context.log.say(&format!(
                "the server is busy, next try in {} s",
                retry::seconds(wait)
            ));
            std::thread::sleep(wait);
            continue;
        }
        let last = context.options.retry_max.is_some_and(|max| failures >= max);
        failures = failures.saturating_add(1);
        let wait = (!last).then(|| retry::wait(failures, retry_after_s, &mut rng));
        let event = context.log.failed(&error, wait);
        if unverified::is_needed(error.code)
            && let Ok(id) = context.options.node_id()
        {
            unverified::post(&context.options, &id, &event);
        }
        match wait {
            Some(wait) => std::thread::sleep(wait),
            None => return Ok(None),
        }
    }
}
