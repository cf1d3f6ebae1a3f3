//! SIGTERM and SIGINT as a call, through a pipe.

use std::io::{PipeWriter, Read, Write};
use std::sync::OnceLock;

use crate::core::error::Result;

static PIPE: OnceLock<PipeWriter> = OnceLock::new();

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

unsafe extern "C" {
    // POSIX, in the libc that std is linked with anyway; the handler stays installed (BSD semantics).
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
}

extern "C" fn on_signal(_: i32) {
    // A write of one byte is all that is safe here, and enough.
    if let Some(mut pipe) = PIPE.get() {
        let _ = pipe.write(&[1]);
    }
}

/// Calls `stop` in a thread of its own at the first signal; a second one ends the process at once.
///
/// # Errors
/// [`crate::core::error::Code::Io`] when there are no descriptors or threads left.
pub(crate) fn on_stop(stop: impl FnOnce() + Send + 'static) -> Result<()> {
    let (mut reader, writer) = std::io::pipe()?;
    if PIPE.set(writer).is_err() {
        return Ok(());
    }
    let builder = std::thread::Builder::new()
        .name("signals".into())
        .stack_size(64 << 10);
    builder.spawn(move || {
        let mut byte = [0];
        if reader.read_exact(&mut byte).is_ok() {
            stop();
        }
        if reader.read_exact(&mut byte).is_ok() {
            std::process::exit(1);
        }
    })?;
    for number in [SIGINT, SIGTERM] {
        // SAFETY: the handler touches nothing but an initialised static and one file descriptor.
        unsafe { signal(number, on_signal) };
    }
    Ok(())
}
