//! How much and what an archive may do.

/// Bounds and permissions for one archive.
#[derive(Clone, Debug)]
pub struct UnpackLimits {
    /// Members, all kinds together.
    pub entries_max: u64,
    /// Bytes after decompression.
    pub bytes_max: u64,
    /// Memory the xz decoder may take, bytes: a dictionary of 8 MiB and its own. `xz -6` needs just that.
    pub xz_memory_bytes_max: u64,
    /// Largest zstd window as a power of two. `zstd -19` needs 2^23.
    pub zstd_window_log_max: u32,
    /// Whether device nodes, fifos and sockets may be made.
    pub nodes: bool,
    /// Whether a member `tmp/dpkg_status` is merged into `var/lib/dpkg/status` (Coinboot's plugins).
    pub merge_dpkg_status: bool,
    /// Whether directories that were there before the archive keep owner, mode and time.
    pub keep_directories: bool,
    /// Whether owners go by the names that the root knows. Numbers are all that a whole root can go by: the names are
    /// those of the host that packed it, and its own accounts come in the middle of it.
    pub owners_by_name: bool,
}

impl UnpackLimits {
    /// For a root file system: device nodes may be made, `tmp/dpkg_status` is a file like any other, owners are numbers.
    pub fn rootfs() -> Self {
        Self {
            entries_max: 1_000_000,
            bytes_max: 64 << 30,
            xz_memory_bytes_max: 9 << 20,
            zstd_window_log_max: 23,
            nodes: true,
            merge_dpkg_status: false,
            keep_directories: false,
            owners_by_name: false,
        }
    }

    /// For a plugin: no device nodes, its dpkg stanzas are merged, and the root's own directories stay as they are.
    pub fn plugin() -> Self {
        Self {
            nodes: false,
            merge_dpkg_status: true,
            keep_directories: true,
            owners_by_name: true,
            ..Self::rootfs()
        }
    }
}

/// Longest path of a member, bytes (Linux: 4096 with the NUL).
pub(super) const PATH_BYTES_MAX: usize = 4095;
/// Longest name in a path, bytes.
pub(super) const NAME_BYTES_MAX: usize = 255;
/// Deepest path of a member, names.
pub(super) const PATH_DEPTH_MAX: usize = 256;
/// Largest pax header or GNU long name, bytes.
pub(super) const HEADER_BYTES_MAX: u64 = 1 << 20;
/// Headers in a row that describe a member still to come.
pub(super) const HEADERS_IN_A_ROW_MAX: u32 = 16;
/// Symbolic links followed on the way to one member (as Linux).
pub(super) const LINKS_MAX: u32 = 40;
/// Buffer between decoder and files, bytes.
pub(super) const BUFFER_BYTES: usize = 32 << 10;
/// Buffer between reader and decoder, bytes.
pub(super) const SOURCE_BUFFER_BYTES: usize = 32 << 10;
/// Paths remembered until their directories' metadata is set, or until the last hard link came, bytes.
pub(super) const REMEMBERED_BYTES_MAX: usize = 512 << 10;
/// Directories of one archive that are known to be its own.
pub(super) const MADE_MAX: usize = 32 << 10;
/// Largest `etc/passwd` or `etc/group` that is looked into, bytes.
pub(super) const ACCOUNTS_BYTES_MAX: u64 = 1 << 20;
/// Largest `tmp/dpkg_status`, bytes; it is held in memory while it is merged.
pub(super) const DPKG_BYTES_MAX: u64 = 8 << 20;
/// Longest stanza of the root's own dpkg status, bytes.
pub(super) const STANZA_BYTES_MAX: usize = 1 << 20;
/// Lines kept in a summary.
pub(super) const WARNINGS_MAX: usize = 32;
/// Progress is reported after this many bytes or members.
pub(super) const PROGRESS_BYTES: u64 = 4 << 20;
/// See [`PROGRESS_BYTES`].
pub(super) const PROGRESS_ENTRIES: u64 = 1024;
/// What the model of a root may take, bytes: a million files with names of 100 bytes fit.
pub(super) const MODEL_BYTES_MAX: usize = 256 << 20;
