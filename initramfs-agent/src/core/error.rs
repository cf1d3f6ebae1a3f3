//! The agent's one error type: a stable code for machines, a text for people.
//! Every code is listed in docs/errors.md; a test compares the two.

use std::fmt;

/// What went wrong, by the stable code of docs/errors.md.
macro_rules! codes {
    ($($variant:ident = $text:literal,)*) => {
        /// A stable code of docs/errors.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs)] // docs/errors.md describes each
        pub enum Code { $($variant,)* }

        impl Code {
            /// All codes of the agent.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The code as it stands in logs, events and docs/errors.md.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }
        }
    };
}

codes! {
    UsageInvalid = "USAGE_INVALID",
    AgentKilled = "AGENT_KILLED",
    ConfigMissing = "CONFIG_MISSING",
    ConfigInvalid = "CONFIG_INVALID",
    TrustMissing = "TRUST_MISSING",
    TrustInvalid = "TRUST_INVALID",
    ServerUnreachable = "SERVER_UNREACHABLE",
    TlsFailed = "TLS_FAILED",
    HttpMalformed = "HTTP_MALFORMED",
    HttpStatus = "HTTP_STATUS",
    OriginBusy = "ORIGIN_BUSY",
    TicketRefused = "TICKET_REFUSED",
    ManifestMalformed = "MANIFEST_MALFORMED",
    ManifestBadSignature = "MANIFEST_BAD_SIGNATURE",
    ManifestUnknownField = "MANIFEST_UNKNOWN_FIELD",
    ManifestReplayed = "MANIFEST_REPLAYED",
    ManifestWrongNode = "MANIFEST_WRONG_NODE",
    ManifestLimit = "MANIFEST_LIMIT",
    ManifestBadInfohash = "MANIFEST_BAD_INFOHASH",
    BencodeMalformed = "BENCODE_MALFORMED",
    TorrentMalformed = "TORRENT_MALFORMED",
    TrackerMalformed = "TRACKER_MALFORMED",
    TrackerFailed = "TRACKER_FAILED",
    PeerProtocol = "PEER_PROTOCOL",
    PeerBadPiece = "PEER_BAD_PIECE",
    PeerStalled = "PEER_STALLED",
    OriginBadPiece = "ORIGIN_BAD_PIECE",
    ArtifactBadSha256 = "ARTIFACT_BAD_SHA256",
    ArtifactUnavailable = "ARTIFACT_UNAVAILABLE",
    ArchiveMalformed = "ARCHIVE_MALFORMED",
    ArchiveUnsupported = "ARCHIVE_UNSUPPORTED",
    ArchiveEscapes = "ARCHIVE_ESCAPES",
    ArchiveTooManyEntries = "ARCHIVE_TOO_MANY_ENTRIES",
    ArchiveForbiddenEntry = "ARCHIVE_FORBIDDEN_ENTRY",
    RootNoInit = "ROOT_NO_INIT",
    MemoryShort = "MEMORY_SHORT",
    TargetFull = "TARGET_FULL",
    TargetInvalid = "TARGET_INVALID",
    Io = "IO",
}

/// A failure with its code and what a person needs to know about it.
#[derive(Clone, Debug)]
pub struct Error {
    /// The stable code.
    pub code: Code,
    /// One line for people; never secret, never unbounded.
    pub message: String,
}

/// What fallible functions of the agent return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of this code; `message` says what, where and what was expected.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        let code = if e.kind() == std::io::ErrorKind::StorageFull {
            Code::TargetFull
        } else {
            Code::Io
        };
        Self::new(code, e.to_string())
    }
}
