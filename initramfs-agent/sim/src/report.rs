//! What a simulation found.

/// What one rack's uplink carried, in payloads: for the rack, and for those behind it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uplink {
    /// Towards the rack.
    pub copies_in: f64,
    /// Away from it.
    pub copies_out: f64,
}

impl Uplink {
    pub(super) fn most(&self) -> f64 {
        self.copies_in.max(self.copies_out)
    }
}

/// Figures of one run. Times count from the start of the first node.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Payload over the rate of the slowest link on the way, seconds: no node can be faster.
    pub floor_s: f64,
    /// When each piece had been with a node, seconds; 0 when that never was.
    pub first_copy_s: f64,
    /// When the first node had everything, seconds.
    pub first_s: f64,
    /// The median node.
    pub median_s: f64,
    /// 95 per cent of the nodes were done by then.
    pub p95_s: f64,
    /// 99 per cent of the nodes were done by then.
    pub p99_s: f64,
    /// The last node.
    pub last_s: f64,
    /// The last of those with full links.
    pub last_fast_s: f64,
    /// 99 per cent of the same.
    pub healthy_p99_s: f64,
    /// The median and the last of those with a tenth of the rate; 0 without any. Their links need ten floors.
    pub slow_median_s: f64,
    pub slow_last_s: f64,
    /// Payload bytes that the server sent, over BitTorrent and HTTPS, in payloads.
    pub origin_copies: f64,
    /// The HTTPS part of it.
    pub https_copies: f64,
    /// All bytes that left the server, in payloads: headers of full segments are not modelled, all else is.
    pub origin_link_copies: f64,
    /// Nodes that asked the server for the hashes of the pieces.
    pub server_metadata: usize,
    /// Most payloads that came in over one rack's uplink.
    pub rack_copies_max: f64,
    /// The same, the mean of the racks.
    pub rack_copies_mean: f64,
    /// Most payloads over one uplink, either way.
    pub uplink_copies_max: f64,
    /// Each rack's uplink; none without racks.
    pub uplinks: Vec<Uplink>,
    /// Received bytes that were not needed, of all received.
    pub duplicate_share: f64,
    /// Nodes that lived and did not get everything.
    pub failed: usize,
    /// Nodes that died, as asked.
    pub killed: usize,
    /// Bans by nodes.
    pub banned: usize,
    /// Bans of nodes that had done nothing wrong.
    pub banned_wrongly: usize,
    /// A hash of the trace.
    pub trace: u64,
    /// Events simulated.
    pub events: u64,
}

impl Report {
    /// The figure to compare: the last node's time in floors.
    pub fn last_over_floor(&self) -> f64 {
        self.last_s / self.floor_s
    }

    fn rows(&self) -> [(&'static str, String); 27] {
        let s = |v: f64| format!("{v:.3}");
        [
            ("floor_s", s(self.floor_s)),
            ("first_copy_s", s(self.first_copy_s)),
            ("first_s", s(self.first_s)),
            ("median_s", s(self.median_s)),
            ("p95_s", s(self.p95_s)),
            ("p99_s", s(self.p99_s)),
            ("last_s", s(self.last_s)),
            ("last_fast_over_floor", s(self.last_fast_s / self.floor_s)),
            ("healthy_p99_over_floor", s(self.healthy_p99_s / self.floor_s)),
            ("slow_median_over_floor", s(self.slow_median_s / self.floor_s)),
            ("slow_last_over_floor", s(self.slow_last_s / self.floor_s)),
            ("last_over_floor", s(self.last_over_floor())),
            ("origin_copies", s(self.origin_copies)),
            ("https_copies", s(self.https_copies)),
            ("origin_link_copies", s(self.origin_link_copies)),
            ("server_metadata", self.server_metadata.to_string()),
            ("rack_copies_max", s(self.rack_copies_max)),
            ("rack_copies_mean", s(self.rack_copies_mean)),
            ("uplink_copies_max", s(self.uplink_copies_max)),
            ("duplicate_share", format!("{:.5}", self.duplicate_share)),
            ("failed", self.failed.to_string()),
            ("killed", self.killed.to_string()),
            ("banned", self.banned.to_string()),
            ("banned_wrongly", self.banned_wrongly.to_string()),
            ("events", self.events.to_string()),
            ("median_over_floor", s(self.median_s / self.floor_s)),
            ("trace", format!("\"{:016x}\"", self.trace)),
        ]
    }

    /// One line of JSON; with each rack's uplink as `[in, out]`.
    pub fn json(&self) -> String {
        let rows = self.rows().map(|(k, v)| format!("\"{k}\":{v}"));
        let uplinks = self.uplinks.iter();
        let uplinks: Vec<String> = uplinks
            .map(|u| format!("[{:.3},{:.3}]", u.copies_in, u.copies_out))
            .collect();
        format!("{{{},\"uplinks\":[{}]}}", rows.join(","), uplinks.join(","))
    }

    /// One figure on each line.
    pub fn text(&self) -> String {
        self.rows()
            .iter()
            .map(|(k, v)| format!("{k:21} {}\n", v.trim_matches('"')))
            .collect()
    }
}
