//! Between which racks pieces cross where switches hang in chains (`server/swarm/rack-neighbours.ts`).

/// Which rack hangs behind which, as far as the server was told.
#[derive(Default)]
pub(super) struct Chains {
    /// By rack; none, or no entry: at the server.
    behind: Vec<Option<usize>>,
}

/// The racks that one exchanges pieces with.
pub(super) struct RackNeighbours {
    /// Those that are not behind it: whatever comes from the server comes from there.
    pub ahead: Vec<usize>,
    /// Those that hang behind it.
    pub behind: Vec<usize>,
}

/// Where a rack hangs, with those passed over that have nobody.
struct Hold {
    /// The next rack towards the server that has nodes; none: the server's own switch.
    up: Option<usize>,
    /// The rack itself, or the last one that was passed over.
    foot: usize,
}

impl Chains {
    /// For each rack the one that it hangs behind.
    pub fn new(behind: Vec<Option<usize>>) -> Self {
        Self { behind }
    }

    fn behind(&self, rack: usize) -> Option<usize> {
        self.behind.get(rack).copied().flatten()
    }

    /// Racks between this one and the server.
    pub fn depth(&self, rack: usize) -> usize {
        std::iter::successors(self.behind(rack), |rack| self.behind(*rack)).count()
    }

    /// Whether one link leads from one rack's switch to the other's, or both hang at the server.
    pub fn are_linked(&self, one: usize, other: usize) -> bool {
        let (up, other_up) = (self.behind(one), self.behind(other));
        up == Some(other) || other_up == Some(one) || up.is_none() && other_up.is_none()
    }

    /// `others`: the other racks that have nodes; the result keeps their order.
    pub fn neighbours(&self, rack: usize, others: &[usize]) -> RackNeighbours {
        let hold = |name: usize| {
            let (mut up, mut foot) = (self.behind(name), name);
            while let Some(empty) = up.filter(|up| *up != rack && !others.contains(up)) {
                (up, foot) = (self.behind(empty), empty);
            }
            Hold { up, foot }
        };
        let own = hold(rack);
        let (mut ahead, mut behind) = (Vec::new(), Vec::new());
        for other in others {
            let Hold { up, foot } = hold(*other);
            if up == Some(rack) {
                behind.push(*other);
            } else if own.up == Some(*other) || foot == own.foot || up.is_none() && own.up.is_none() {
                ahead.push(*other);
            }
        }
        RackNeighbours { ahead, behind }
    }
}
