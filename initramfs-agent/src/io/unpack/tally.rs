//! What every target counts, and refuses, alike: the rules that need no look at the target.

use super::input::Input;
use super::limits::{BUFFER_BYTES, PROGRESS_BYTES, PROGRESS_ENTRIES, UnpackLimits};
use super::member::{MemberPath, forbidden};
use super::root::MARKER;
use super::{Summary, UnpackProgress};
use crate::core::error::{Code, Error, Result};

/// Members so far, and what an archive may do.
pub(super) struct Tally<'a> {
    pub limits: &'a UnpackLimits,
    pub summary: Summary,
    progress: &'a mut dyn FnMut(&UnpackProgress),
    reported: UnpackProgress,
}

impl<'a> Tally<'a> {
    pub fn new(limits: &'a UnpackLimits, progress: &'a mut dyn FnMut(&UnpackProgress)) -> Self {
        Self {
            limits,
            summary: Summary::default(),
            progress,
            reported: UnpackProgress::default(),
        }
    }

    /// Counts a member and takes its name.
    pub fn begin(&mut self, raw: &[u8], input: &Input<'_>) -> Result<MemberPath> {
        self.summary.entries += 1;
        if self.summary.entries > self.limits.entries_max {
            return Err(Error::new(
                Code::ArchiveTooManyEntries,
                format!("more than {} members", self.limits.entries_max),
            ));
        }
        let path = MemberPath::parse(raw)?;
        if path.split().is_some_and(|(_, name)| name == MARKER.as_bytes()) {
            return Err(forbidden(&path, "is the name of the agent's own marker"));
        }
        if self.summary.entries - self.reported.entries >= PROGRESS_ENTRIES {
            self.report(input);
        }
        Ok(path)
    }

    /// Refuses a file that exceeds what one archive may unpack to, before its first byte is written.
    pub fn fits(&self, path: &MemberPath, size: u64, input: &Input<'_>) -> Result<()> {
        let max = self.limits.bytes_max;
        // What the buffer holds has been counted already.
        let left = max
            .saturating_sub(input.unpacked_bytes)
            .saturating_add(BUFFER_BYTES as u64);
        if size > left {
            return Err(Error::new(
                Code::TargetFull,
                format!("{path} of {size} bytes exceeds the limit of {max} bytes for one archive"),
            ));
        }
        Ok(())
    }

    /// Refuses devices, fifos and sockets where they may not be.
    pub fn allows_node(&self, path: &MemberPath) -> Result<()> {
        if self.limits.nodes {
            return Ok(());
        }
        Err(forbidden(
            path,
            "is a device, fifo or socket (or an overlayfs whiteout)",
        ))
    }

    /// Reports progress when enough was written since the last time.
    pub fn wrote(&mut self, input: &Input<'_>) {
        if input.unpacked_bytes.saturating_sub(self.reported.unpacked_bytes) >= PROGRESS_BYTES {
            self.report(input);
        }
    }

    fn report(&mut self, input: &Input<'_>) {
        self.reported = UnpackProgress {
            read_bytes: input.read_bytes(),
            unpacked_bytes: input.unpacked_bytes,
            entries: self.summary.entries,
        };
        (self.progress)(&self.reported);
    }

    /// The last progress, and what was done.
    pub fn finish(mut self, input: &Input<'_>) -> Summary {
        self.report(input);
        self.summary.read_bytes = input.read_bytes();
        self.summary.unpacked_bytes = input.unpacked_bytes;
        self.summary
    }
}
