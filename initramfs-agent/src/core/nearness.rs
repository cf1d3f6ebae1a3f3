//! What trackers say of racks: how near a peer is, which decides whom we ask, and who brings pieces into ours.

/// How near a peer is, as far as the source of its address knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nearness {
    /// In our rack: the first `local peers` of a tracker's answer.
    Local,
    /// In another rack; where switches hang behind one another, in one that a single link leads to.
    Across,
    /// In a rack beyond others, which have nobody now: the last `far peers` of a tracker's answer.
    Far,
    /// Not known (LSD, DHT, PEX, incoming).
    Unknown,
}

/// What the tracker has made of us in our rack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duty {
    /// It has not said: there is none, or an older one.
    #[default]
    Unsaid,
    /// Others bring pieces into the rack.
    Member,
    /// We bring them in, after so many others.
    Importer(u8),
}
