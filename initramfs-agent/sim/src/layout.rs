//! Which nodes hang at which switch, and which switch is behind which.

/// A switch and its nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rack {
    /// Nodes at this switch.
    pub nodes: usize,
    /// The rack whose switch its uplink leads to, an earlier one; none: the core, where the server hangs.
    pub behind: Option<usize>,
}

/// Racks, and their nodes in the same order. One rack alone has no uplink: all hang at the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    racks: Vec<Rack>,
}

/// Addresses have one byte for the rack (10.RACK.0.0/16).
const RACKS_MAX: usize = 254;
/// And two for the node.
const NODES_MAX: usize = 60_000;

impl Layout {
    /// So many nodes in racks as even as they can be, each with an uplink to the core.
    pub fn even(nodes: usize, racks: usize) -> Self {
        let racks = racks.clamp(1, RACKS_MAX.min(nodes.max(1)));
        let first = |rack: usize| (rack * nodes).div_ceil(racks);
        let sizes: Vec<usize> = (0..racks).map(|r| first(r + 1) - first(r)).collect();
        Self::star(&sizes)
    }

    /// Racks of these sizes, each with an uplink to the core.
    pub fn star(sizes: &[usize]) -> Self {
        let rack = |nodes: &usize| Rack {
            nodes: *nodes,
            behind: None,
        };
        Self {
            racks: sizes.iter().map(rack).collect(),
        }
    }

    /// Racks of these sizes, of which the first has an uplink to the core and each has up to `ways` others behind it, filled in
    /// their order. With one way it is a line.
    pub fn tree(ways: usize, sizes: &[usize]) -> Self {
        let mut layout = Self::star(sizes);
        for (at, rack) in layout.racks.iter_mut().enumerate().skip(1) {
            rack.behind = Some((at - 1) / ways.max(1));
        }
        layout
    }

    /// `6,24,48` or `21x24` (all uplinks lead to the core), `line:10x24`, `tree:3:13x24`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let layout = if let Some(sizes) = text.strip_prefix("line:") {
            Self::tree(1, &parse_sizes(sizes)?)
        } else if let Some((ways, sizes)) = text.strip_prefix("tree:").and_then(|t| t.split_once(':')) {
            Self::tree(ways.parse().ok().filter(|w| *w > 0)?, &parse_sizes(sizes)?)
        } else {
            Self::star(&parse_sizes(text)?)
        };
        Some(layout)
    }

    /// The racks, in their order.
    pub fn racks(&self) -> &[Rack] {
        &self.racks
    }

    /// Nodes in all racks.
    pub fn nodes(&self) -> usize {
        self.racks.iter().map(|r| r.nodes).sum()
    }

    /// Whether there are racks at all, and uplinks with them.
    pub fn has_uplinks(&self) -> bool {
        self.racks.len() > 1
    }

    /// A rack, the one that it is behind, and so on up to the one at the core.
    pub fn up(&self, rack: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(rack), |rack| self.racks[*rack].behind)
    }
}

/// `24,48,10x24`: at least one size, none of them 0.
fn parse_sizes(text: &str) -> Option<Vec<usize>> {
    let mut sizes = Vec::new();
    for item in text.split(',') {
        let (count, size) = item.split_once('x').unwrap_or(("1", item));
        let (count, size): (usize, usize) = (count.parse().ok()?, size.parse().ok()?);
        if count == 0 || size == 0 || count > RACKS_MAX || size > NODES_MAX {
            return None;
        }
        sizes.extend(std::iter::repeat_n(size, count));
    }
    (sizes.len() <= RACKS_MAX && sizes.iter().sum::<usize>() <= NODES_MAX).then_some(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(layout: &Layout) -> Vec<usize> {
        layout.racks.iter().map(|r| r.nodes).collect()
    }

    fn behind(layout: &Layout) -> Vec<Option<usize>> {
        layout.racks.iter().map(|r| r.behind).collect()
    }

    #[test]
    fn racks_are_as_even_as_they_can_be() {
        assert_eq!(sizes(&Layout::even(504, 21)), [24; 21]);
        assert_eq!(sizes(&Layout::even(10, 4)), [3, 2, 3, 2]);
        assert_eq!(sizes(&Layout::even(3, 7)), [1; 3]);
        assert_eq!(Layout::even(7, 1).nodes(), 7);
        assert!(!Layout::even(7, 1).has_uplinks());
    }

    #[test]
    fn a_layout_is_read_from_sizes_a_line_or_a_tree() {
        let mixed = Layout::parse("6,2x24,250").expect("sizes");
        assert_eq!(sizes(&mixed), [6, 24, 24, 250]);
        assert_eq!(behind(&mixed), [None; 4]);
        let line = Layout::parse("line:4x24").expect("a line");
        assert_eq!(behind(&line), [None, Some(0), Some(1), Some(2)]);
        assert_eq!(line.up(3).collect::<Vec<_>>(), [3, 2, 1, 0]);
        let tree = Layout::parse("tree:2:6x3,48").expect("a tree");
        assert_eq!(behind(&tree)[1..], [0, 0, 1, 1, 2, 2].map(Some));
        assert_eq!(tree.nodes(), 66);
        for wrong in [
            "",
            "0",
            "24,",
            "x24",
            "3x",
            "line:",
            "tree:24",
            "tree:0:24",
            "255x1",
            "ring:3x3",
            "2x60000",
        ] {
            assert_eq!(Layout::parse(wrong), None, "{wrong}");
        }
    }
}
