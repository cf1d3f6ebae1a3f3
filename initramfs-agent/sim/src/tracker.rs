//! Whom the server's tracker introduces to whom, and how often it wants to hear from them
//! (`server/swarm/tracker-swarm.ts`, `tracker.ts`).

use std::collections::BTreeMap;

use super::chains::{Chains, RackNeighbours};
use super::net::Endpoint;
use bootswarm_agent::core::nearness::Duty;

/// Neighbours in the own rack.
const LOCAL_MAX: usize = 23;
/// Neighbours in other racks; more when the own rack is small, so that the mesh stays a mesh.
const ACROSS_MIN: usize = 4;
const DEGREE_MIN: usize = 12;
/// Importers of a rack: as many as can all be neighbours of one another.
const IMPORTERS_MAX: usize = LOCAL_MAX + 1;
/// Agents with a turn below this begin at once.
const TURNS_AT_ONCE: usize = 3;
/// Announces a second that all nodes together shall stay below, and the bounds of what follows from it.
const ANNOUNCES_PER_SECOND: usize = 25;
const INTERVAL_MIN_S: u64 = 2;
const INTERVAL_MAX_S: u64 = 20;

/// A node as introduced to others.
#[derive(Clone, Copy)]
struct Member {
    rack: usize,
    seed: bool,
    /// How often it was named to others: the less, the rather it is named next.
    named: u32,
}

/// Whom a node shall meet: in its own rack, and elsewhere.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Introduction {
    pub local: Vec<Endpoint>,
    /// In racks that one link leads to.
    pub across: Vec<Endpoint>,
    /// In racks beyond others that have nobody now.
    pub far: Vec<Endpoint>,
    /// Who brings pieces into its rack.
    pub duty: Duty,
}

/// The nodes of one torrent.
#[derive(Default)]
pub(super) struct Tracker {
    chains: Chains,
    members: Vec<Option<Member>>,
    /// Racks in the order in which they came; each with its nodes.
    racks: Vec<(usize, Vec<Endpoint>)>,
    /// The importers of each rack, in the order of their coming.
    importers: BTreeMap<usize, Vec<Endpoint>>,
    count: usize,
}

impl Tracker {
    /// `chains`: which racks hang behind which.
    pub fn new(chains: Chains) -> Self {
        Self {
            chains,
            ..Self::default()
        }
    }

    /// Enters a node, or renews it with whatever has changed.
    pub fn put(&mut self, node: Endpoint, rack: usize, seed: bool) {
        let named = self.members.get(node).copied().flatten().map_or(0, |m| m.named);
        self.take_out(node);
        if self.members.len() <= node {
            self.members.resize(node + 1, None);
        }
        self.members[node] = Some(Member { rack, seed, named });
        match self.racks.iter_mut().find(|(name, _)| *name == rack) {
            Some((_, nodes)) => nodes.push(node),
            None => self.racks.push((rack, vec![node])),
        }
        self.count += 1;
    }

    #[cfg(test)]
    pub fn remove(&mut self, node: Endpoint) {
        self.take_out(node);
        for importers in self.importers.values_mut() {
            importers.retain(|importer| *importer != node);
        }
    }

    fn take_out(&mut self, node: Endpoint) {
        let Some(member) = self.members.get_mut(node).and_then(Option::take) else {
            return;
        };
        self.count -= 1;
        if let Some(at) = self.racks.iter().position(|(name, _)| *name == member.rack) {
            let nodes = &mut self.racks[at].1;
            if let Some(place) = nodes.iter().position(|n| *n == node) {
                nodes.swap_remove(place);
            }
            if nodes.is_empty() {
                self.racks.remove(at);
            }
        }
    }

    /// Seconds until a node that downloads shall announce again.
    pub fn interval_s(&self) -> u64 {
        let follow = self.count.div_ceil(ANNOUNCES_PER_SECOND) as u64;
        follow.clamp(INTERVAL_MIN_S, INTERVAL_MAX_S)
    }

    /// `random` gives numbers from 0 to less than 1.
    pub fn introduce(
        &mut self,
        to: Endpoint,
        rack: usize,
        seed: bool,
        numwant: usize,
        random: &mut dyn FnMut() -> f64,
    ) -> Introduction {
        let duty = self.duty(to, rack, seed);
        let empty = Vec::new();
        let importers = &self.importers;
        let (members, racks) = (&mut self.members, &self.racks);
        let own = racks
            .iter()
            .find(|(name, _)| *name == rack)
            .map_or(&empty, |(_, n)| n);
        let mut local = pick(members, own, LOCAL_MAX.min(numwant), &[to], seed, random);
        if let Duty::Importer(_) = duty {
            let fits = |node: &Endpoint| *node != to && members[*node].is_some_and(|m| !(seed && m.seed));
            let fellows = importers.get(&rack).into_iter().flatten().copied();
            let mut first: Vec<Endpoint> = fellows.filter(fits).collect();
            local.retain(|node| !first.contains(node));
            first.append(&mut local);
            first.truncate(LOCAL_MAX.min(numwant));
            local = first;
        }
        let wanted = ACROSS_MIN
            .max(DEGREE_MIN.saturating_sub(local.len()))
            .min(numwant - local.len());
        // One from each of the neighbouring racks, of its importers, in random order, and round again until there are enough;
        // those behind the own rack come last.
        let others: Vec<usize> = racks
            .iter()
            .map(|(name, _)| *name)
            .filter(|name| *name != rack)
            .collect();
        let RackNeighbours { ahead, behind } = self.chains.neighbours(rack, &others);
        let nodes_of = |name: &usize| {
            let named = importers.get(name).filter(|i| !i.is_empty());
            named.or_else(|| racks.iter().find(|(n, _)| n == name).map(|(_, nodes)| nodes))
        };
        let mut left: Vec<&Vec<Endpoint>> = [ahead, behind]
            .into_iter()
            .flat_map(|racks| shuffled(racks, random))
            .filter_map(|name| nodes_of(&name))
            .collect();
        let mut taken = vec![to];
        while taken.len() <= wanted && !left.is_empty() {
            let mut next = Vec::new();
            for nodes in left {
                if taken.len() > wanted {
                    break;
                }
                if let Some(node) = pick(members, nodes, 1, &taken, seed, random).first() {
                    taken.push(*node);
                    next.push(nodes);
                }
            }
            left = next;
        }
        let is_linked = |node: &Endpoint| {
            let other = members[*node].map_or(rack, |member| member.rack);
            self.chains.are_linked(rack, other)
        };
        let (across, far) = taken.split_off(1).into_iter().partition(is_linked);
        Introduction {
            local,
            across,
            far,
            duty,
        }
    }

    /// A rack's first agents that lack something become its importers; in racks behind others several share a turn.
    fn duty(&mut self, node: Endpoint, rack: usize, seed: bool) -> Duty {
        if self.members.get(node).copied().flatten().is_none() {
            return Duty::Unsaid;
        }
        let importers = self.importers.entry(rack).or_default();
        let turn = importers.iter().position(|importer| *importer == node);
        let turn = turn.or_else(|| {
            let may_be = !seed && importers.len() < IMPORTERS_MAX;
            may_be.then(|| {
                importers.push(node);
                importers.len() - 1
            })
        });
        match turn {
            Some(turn) if self.chains.depth(rack) == 0 => Duty::Importer(turn as u8),
            Some(turn) => Duty::Importer((turn % TURNS_AT_ONCE) as u8),
            None if importers.is_empty() => Duty::Unsaid,
            None => Duty::Member,
        }
    }
}

fn shuffled(mut racks: Vec<usize>, random: &mut dyn FnMut() -> f64) -> Vec<usize> {
    for i in (1..racks.len()).rev() {
        racks.swap(i, (random() * (i + 1) as f64) as usize);
    }
    racks
}

/// Up to `count` nodes at random, of two candidates the one that was named less often, so that connections spread evenly.
fn pick(
    members: &mut [Option<Member>],
    nodes: &[Endpoint],
    count: usize,
    but: &[Endpoint],
    seed: bool,
    random: &mut dyn FnMut() -> f64,
) -> Vec<Endpoint> {
    // Two complete nodes are of no use to each other, and no node is introduced to itself.
    let fits =
        |node: Endpoint| !but.contains(&node) && members[node].is_some_and(|member| !(seed && member.seed));
    let candidates = sample(nodes, (count * 2).max(count + 8), fits, random);
    let named = |node: Endpoint| members[node].map_or(0, |member| member.named);
    let surplus = candidates.len().saturating_sub(count);
    let mut picked = Vec::new();
    for (i, a) in candidates.iter().enumerate().take(count) {
        let b = candidates[candidates.len() - 1 - i];
        picked.push(if i < surplus && named(b) < named(*a) {
            b
        } else {
            *a
        });
    }
    for node in &picked {
        if let Some(member) = &mut members[*node] {
            member.named += 1;
        }
    }
    picked
}

/// Up to `count` different fitting nodes in random order: a shuffle that stops early.
fn sample(
    nodes: &[Endpoint],
    count: usize,
    fits: impl Fn(Endpoint) -> bool,
    random: &mut dyn FnMut() -> f64,
) -> Vec<Endpoint> {
    let mut all = nodes.to_vec();
    let mut found = Vec::new();
    for i in 0..all.len() {
        if found.len() >= count {
            break;
        }
        let j = i + (random() * (all.len() - i) as f64) as usize;
        all.swap(i, j);
        if fits(all[i]) {
            found.push(all[i]);
        }
    }
    found
}
