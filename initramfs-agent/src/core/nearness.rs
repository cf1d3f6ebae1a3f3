//! How far away a peer is: what trackers tell, and what decides who is asked.

/// How near a peer is, as far as the one who told us knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nearness {
    /// In our rack: the first `local peers` of a tracker's answer.
    Local,
    /// In another rack.
    Across,
    /// Nobody said (LSD, DHT, PEX, incoming).
    Unknown,
}
