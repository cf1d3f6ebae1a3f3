//! How near a peer is: trackers say it, and it decides whom we ask.

/// How near a peer is, as far as the source of its address knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nearness {
    /// In our rack: the first `local peers` of a tracker's answer.
    Local,
    /// In another rack.
    Across,
    /// Not known (LSD, DHT, PEX, incoming).
    Unknown,
}
