//! Looks at a running simulation: how far the nodes are, and which links stand idle.

use super::world::World;
use bootswarm_agent::core::swarm::TorrentId;
use bootswarm_agent::core::time::{Micros, SECOND};

/// What a span of virtual time was like. Shares are of what the links could have carried in it; bytes count when they
/// join a link's queue, so that a share may exceed 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// The end of the span, seconds.
    pub at_s: f64,
    /// Nodes that have everything.
    pub done: usize,
    /// What the nodes have by then, of all that they want.
    pub have: f64,
    /// The nodes' links, up and down.
    pub node_up: f64,
    pub node_down: f64,
    /// The racks' uplinks, out and in; 0 without racks.
    pub rack_up: f64,
    pub rack_down: f64,
    /// The server's link, from the server.
    pub server_up: f64,
}

impl Moment {
    /// What the columns of [`Self::row`] are.
    pub const HEADER: &'static str = "   at_s   done   have  node up/down  rack up/down  server";

    /// A line of a table.
    pub fn row(&self) -> String {
        let Self { at_s, done, have, .. } = self;
        let (up, down, out, into) = (self.node_up, self.node_down, self.rack_up, self.rack_down);
        let server = self.server_up;
        format!("{at_s:7.3} {done:6} {have:6.3}   {up:5.2} {down:5.2}   {out:5.2} {into:5.2}   {server:5.2}")
    }
}

/// Takes the moments of a run.
pub(super) struct Timeline {
    every_us: Micros,
    next: Micros,
    before: [u64; 5],
}

impl Timeline {
    /// A look every so many microseconds; 0: none at all.
    pub fn new(every_us: Micros) -> Self {
        Self {
            every_us,
            next: if every_us == 0 { Micros::MAX } else { every_us },
            before: [0; 5],
        }
    }

    /// Whether a span ends before what happens now.
    pub fn due(&self, now: Micros) -> bool {
        now >= self.next
    }

    /// The span that has ended.
    pub fn look(&mut self, world: &World) -> Moment {
        let at = self.next;
        self.next += self.every_us;
        let (nodes, racks) = (world.honest, world.cfg.layout.racks().len());
        let bytes = |first: usize, count: usize| -> u64 {
            let links = world.links[first..].iter().step_by(2).take(count);
            links.map(|l| l.bytes).sum()
        };
        let cables = &world.cables;
        let now = [
            bytes(cables.up(0), nodes),
            bytes(cables.down(0), nodes),
            bytes(cables.rack_out(0), racks),
            bytes(cables.rack_in(0), racks),
            bytes(cables.up(world.server()), 1),
        ];
        let (links, uplinks) = (world.cfg.link_bits, world.cfg.uplink_rate());
        let rates = [links, links, uplinks, uplinks, links];
        let counts = [nodes, nodes, racks, racks, 1];
        let mut shares = [0.0; 5];
        for (i, share) in shares.iter_mut().enumerate() {
            let could = rates[i] as f64 / 8.0 * self.every_us as f64 / SECOND as f64;
            *share = (now[i] - self.before[i]) as f64 / (could * counts[i] as f64);
        }
        self.before = now;
        let progress = world.nodes.iter().map(|n| n.swarm.progress(TorrentId(0)));
        let bytes_done: u64 = progress.map(|p| p.done_bytes).sum();
        let [node_up, node_down, rack_up, rack_down, server_up] = shares;
        Moment {
            at_s: at as f64 / SECOND as f64,
            done: world.nodes.iter().filter(|n| n.done_at.is_some()).count(),
            have: bytes_done as f64 / (world.cfg.payload_bytes as f64 * nodes as f64),
            node_up,
            node_down,
            rack_up,
            rack_down,
            server_up,
        }
    }
}
