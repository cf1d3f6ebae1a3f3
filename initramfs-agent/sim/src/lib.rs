//! Many real [`bootswarm_agent::core::swarm::Swarm`]s over a modelled network in virtual time.
//!
//! Modelled: links with rates (a node's up and down, a rack's uplink both ways, the server's), queues in
//! blocks, TCP windows, latency, the bytes of messages (those of a moment share packets; they wait behind payload), of
//! handshakes, announces, manifests and info dictionaries, a tracker that knows racks, the server's hand-out and HTTPS.
//! Acknowledgements take their bytes too. Not modelled: packet loss, processor time. The same configuration gives the
//! same trace, event by event.

mod agents;
mod arrive;
mod boot;
mod cables;
mod carry;
mod chains;
#[cfg(test)]
mod decisions;
mod grants;
mod handshakes;
mod hostile;
mod layout;
mod metadata;
mod net;
mod queue;
mod report;
mod seeder;
mod server;
mod setup;
mod streams;
#[cfg(test)]
mod tests;
mod timeline;
mod tracker;
mod window;
mod wire;
mod world;

pub use hostile::Hostility;
pub use layout::{Layout, Rack};
pub use report::{Report, Uplink};
pub use timeline::Moment;
pub use world::{run, run_watched};

use bootswarm_agent::core::time::{Micros, SECOND};
use chains::Chains;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// The nodes that boot, and the switches between them.
    pub layout: Layout,
    /// Bytes of the one artifact.
    pub payload_bytes: u64,
    /// Bytes of a piece; 0: what the size suggests.
    pub piece_length: u32,
    /// Rate of each node's link and the server's, each way, bits per second.
    pub link_bits: u64,
    /// Rate of each rack's uplink, each way; 0: that of the nodes' links.
    pub uplink_bits: u64,
    /// One-way delay.
    pub latency_us: Micros,
    /// Nodes start at random within this time.
    pub arrival_us: Micros,
    /// Seed of everything.
    pub seed: u64,
    /// Nodes that die at a random time, per cent.
    pub kill_percent: f64,
    /// Nodes with a tenth of the rate, per cent.
    pub slow_percent: f64,
    /// Peers beside the nodes that mean harm, evenly among the racks.
    pub corrupt: usize,
    /// What these do.
    pub hostility: Hostility,
    /// The server goes away when it has sent each piece once.
    pub server_gone_after_copy: bool,
    /// Each node fetches the manifest from the server first.
    pub manifest: bool,
    /// Nodes have HTTPS origins.
    pub https: bool,
    /// The server was told which racks hang behind which.
    pub chains_told: bool,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            layout: Layout::even(20, 1),
            payload_bytes: 4 << 20,
            piece_length: 0,
            link_bits: 8_000_000,
            uplink_bits: 0,
            latency_us: 200,
            arrival_us: 100_000,
            seed: 1,
            kill_percent: 0.0,
            slow_percent: 0.0,
            corrupt: 0,
            hostility: Hostility::Wrong,
            server_gone_after_copy: false,
            manifest: true,
            https: true,
            chains_told: true,
        }
    }
}

impl SimConfig {
    /// Rate of each rack's uplink, each way, bits per second.
    pub fn uplink_rate(&self) -> u64 {
        match self.uplink_bits {
            0 => self.link_bits,
            bits => bits,
        }
    }

    /// Which racks hang behind which, as far as the server knows.
    fn chains_as_told(&self) -> Chains {
        let behind = |rack: &Rack| rack.behind.filter(|_| self.chains_told);
        Chains::new(self.layout.racks().iter().map(behind).collect())
    }

    /// What one copy takes over the slowest of the links that each must pass: no farm can be faster.
    pub fn floor_us(&self) -> Micros {
        let slowest = if self.layout.has_uplinks() {
            self.link_bits.min(self.uplink_rate())
        } else {
            self.link_bits
        };
        self.payload_bytes * 8 * SECOND / slowest
    }

    /// Bytes of a piece, as the server chooses them (`src/metainfo.ts`).
    pub fn piece_bytes(&self) -> u32 {
        if self.piece_length != 0 {
            return self.piece_length;
        }
        let bytes = self.payload_bytes;
        match bytes {
            _ if bytes <= 1 << 20 => 16 << 10,
            _ if bytes <= 32 << 20 => 64 << 10,
            _ => (17..22)
                .map(|n| 1 << n)
                .find(|length| bytes <= u64::from(*length) << 12)
                .unwrap_or(4 << 20),
        }
    }
}
