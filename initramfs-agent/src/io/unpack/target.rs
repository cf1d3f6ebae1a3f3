//! Where members go: a directory that becomes a root ([`super::place`]), or a model of one in memory that only
//! finds out what an archive would do ([`super::model`]). The readers of tar and cpio know neither.

use rustix::fs::FileType;

use super::input::Input;
use super::member::{MemberPath, Meta};
use super::tally::Tally;
use crate::core::error::Result;

/// Which file a name stands for, as device and inode do.
pub(super) type Identity = (u64, u64);

/// See the module. What each call does to what is there: docs/unpacking.md.
pub(super) trait Target<'a> {
    /// The rules that all targets share, and what was counted.
    fn tally(&mut self) -> &mut Tally<'a>;

    /// A directory. One that exists keeps its content, a link to one stays a link.
    fn directory(&mut self, path: &MemberPath, meta: &Meta) -> Result<()>;

    /// A regular file with the next `size` bytes of the input; none if it was no file for the root.
    fn file(
        &mut self,
        path: &MemberPath,
        meta: &Meta,
        size: u64,
        input: &mut Input<'_>,
    ) -> Result<Option<Identity>>;

    /// The content of a file made earlier, which came with a later name of it (cpio).
    fn fill(
        &mut self,
        path: &MemberPath,
        made: Identity,
        meta: &Meta,
        size: u64,
        input: &mut Input<'_>,
    ) -> Result<()>;

    /// A symbolic link. Its text is only stored, whatever it says.
    fn symlink(&mut self, path: &MemberPath, meta: &Meta, text: &[u8]) -> Result<()>;

    /// A second name for a member or a file that was there before.
    fn hard_link(&mut self, path: &MemberPath, target: &MemberPath) -> Result<()>;

    /// A device node, fifo or socket.
    fn node(&mut self, path: &MemberPath, meta: &Meta, kind: FileType, device: (u32, u32)) -> Result<()>;
}
