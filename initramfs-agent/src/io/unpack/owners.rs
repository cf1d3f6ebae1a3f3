//! Owners by name, looked up in the target root's own accounts, as GNU tar does for root.

use std::io::Read;

use super::limits::ACCOUNTS_BYTES_MAX;
use super::parents::Parents;
use super::root::{TargetRoot, open_regular};

type Names = Vec<(Vec<u8>, u32)>;

/// `etc/passwd` and `etc/group` of the target root, read when first needed and again when changed.
#[derive(Default)]
pub(super) struct Owners {
    users: Option<Names>,
    groups: Option<Names>,
}

impl Owners {
    /// The number of a user: by name if the root knows it.
    pub fn user(&mut self, name: &[u8], number: u32, root: &TargetRoot, parents: &mut Parents) -> u32 {
        find(&mut self.users, b"passwd", name, number, root, parents)
    }

    /// The number of a group: by name if the root knows it.
    pub fn group(&mut self, name: &[u8], number: u32, root: &TargetRoot, parents: &mut Parents) -> u32 {
        find(&mut self.groups, b"group", name, number, root, parents)
    }

    /// To be called when a member called `name`, in whatever directory, was written.
    pub fn changed(&mut self, name: &[u8]) {
        match name {
            b"passwd" => self.users = None,
            b"group" => self.groups = None,
            // Links and directories on the way, such as `etc` itself.
            b"etc" => *self = Self::default(),
            _ => {}
        }
    }
}

fn find(
    names: &mut Option<Names>,
    file: &[u8],
    name: &[u8],
    number: u32,
    root: &TargetRoot,
    parents: &mut Parents,
) -> u32 {
    if name.is_empty() {
        return number;
    }
    let names = names.get_or_insert_with(|| read(file, root, parents).unwrap_or_default());
    names
        .iter()
        .find(|(known, _)| known == name)
        .map_or(number, |(_, number)| *number)
}

/// Lines `name:password:number:...`. No file, a strange file: no names.
fn read(file: &[u8], root: &TargetRoot, parents: &mut Parents) -> Option<Names> {
    let etc = parents.get(root, b"etc", false).ok()?;
    let fd = open_regular(&etc.fd, file).ok()?;
    let mut text = Vec::new();
    std::fs::File::from(fd)
        .take(ACCOUNTS_BYTES_MAX)
        .read_to_end(&mut text)
        .ok()?;
    let line = |line: &[u8]| {
        let mut fields = line.split(|&b| b == b':');
        let name = fields.next()?.to_vec();
        let number = std::str::from_utf8(fields.nth(1)?).ok()?.parse().ok()?;
        (number != u32::MAX).then_some((name, number))
    };
    Some(text.split(|&b| b == b'\n').filter_map(line).collect())
}
