//! fork, which no safe crate has.

use std::io;

use rustix::process::Pid;

/// Which side of a fork one is on.
pub enum Side {
    /// The old process, and the new one's id.
    Parent(Option<Pid>),
    /// The new process.
    Child,
}

unsafe extern "C" {
    // POSIX, in the libc that std is linked with anyway.
    fn fork() -> i32;
}

/// Forks. To be called while the process has one thread only.
///
/// # Errors
/// What the kernel says, for want of memory or processes.
pub fn split() -> io::Result<Side> {
    // SAFETY: there is one thread, so the child inherits no lock that is never released.
    match unsafe { fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent(Pid::from_raw(pid))),
    }
}
