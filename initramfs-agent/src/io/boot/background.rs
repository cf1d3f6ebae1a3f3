//! `--background`: the parent returns when the root is complete, the child seeds on.

use std::io::{PipeWriter, Read, Write};

use rustix::process::{Pid, Signal, WaitOptions};

use super::sys::{self, Side};
use crate::core::error::Result;

/// Reports the end of the boot from the child to its parent. Dropped without a report: the parent returns the child's
/// exit code, or 1.
pub struct Notifier(Option<PipeWriter>);

/// What a process is after [`detach`].
pub enum Role {
    /// It goes on with the boot.
    Child(Notifier),
    /// It ends with this code.
    Parent(i32),
}

impl Notifier {
    /// For a boot without a parent.
    pub fn none() -> Self {
        Self(None)
    }

    /// The root is complete: the parent returns 0, and this process lives on without it and its console.
    pub fn complete(&mut self) {
        if let Some(mut pipe) = self.0.take() {
            // Before the parent ends: its end would send the signal.
            let _ = rustix::process::set_parent_process_death_signal(None);
            let _ = rustix::process::chdir("/");
            leave_console();
            let _ = pipe.write_all(&[0]);
        }
    }
}

/// Forks; to be called before there is any thread. The parent waits here.
///
/// # Errors
/// `IO` when there can be no process.
pub fn detach() -> Result<Role> {
    let (mut read, write) = std::io::pipe()?;
    match sys::split()? {
        Side::Child => {
            drop(read);
            // Ending the parent before the root is complete ends the whole boot.
            let _ = rustix::process::set_parent_process_death_signal(Some(Signal::TERM));
            let _ = rustix::process::setsid();
            Ok(Role::Child(Notifier(Some(write))))
        }
        Side::Parent(child) => {
            drop(write);
            // The end of the pipe without a byte: the child is gone.
            Ok(Role::Parent(match read.read(&mut [0]) {
                Ok(1) => 0,
                _ => end_of(child),
            }))
        }
    }
}

/// The exit code of a child that has ended, as the shell has it: a signal is 128 and its number.
fn end_of(child: Option<Pid>) -> i32 {
    let status = match rustix::process::waitpid(child, WaitOptions::empty()) {
        Ok(Some((_, status))) => status,
        _ => return 1,
    };
    match (status.exit_status(), status.terminating_signal()) {
        (_, Some(signal)) => 128 + signal,
        // It has not reported that the root is complete.
        (Some(0) | None, None) => 1,
        (Some(code), None) => code,
    }
}

/// Points stdin and stderr at `/dev/null`: the console belongs to the booted system. The few lines of a
/// seeding node go to the kernel's log, which the booted system reads, where that may be written.
fn leave_console() {
    let mut open = std::fs::OpenOptions::new();
    if let Ok(null) = open.read(true).write(true).open("/dev/null") {
        let log = std::fs::OpenOptions::new().write(true).open("/dev/kmsg");
        let _ = rustix::stdio::dup2_stdin(&null);
        let _ = rustix::stdio::dup2_stdout(log.as_ref().unwrap_or(&null));
        let _ = rustix::stdio::dup2_stderr(&null);
    }
}
