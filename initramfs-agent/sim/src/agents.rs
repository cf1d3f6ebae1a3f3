//! What the modelled seeder knows of the swarm: which agent has what, what was handed to whom and when; and the
//! choice of piece and recipient (`server/swarm/handout-torrent.ts`).

use bootswarm_agent::core::rng::Rng;
use bootswarm_agent::core::time::{MILLISECOND, Micros};

/// Who has less than this part of what the agents have in the mean lags, once that is so many pieces.
const LAG_PIECES_MIN: u64 = 6;
const LAG_TIMES: u64 = 3;

/// An agent's copy of a hand-out that has not been confirmed by its HAVE.
#[derive(Clone)]
pub(super) struct Given {
    pub piece: u32,
    pub at: Micros,
    pub deadline: Micros,
    /// How often the deadline was put off because bytes still flowed.
    pub extensions: u32,
    /// It counts towards the window.
    pub in_window: bool,
}

/// One agent's connection.
pub(super) struct Agent {
    pub conn: usize,
    pub have: Vec<bool>,
    pub have_count: u32,
    pub interested: bool,
    pub given: Vec<Given>,
    pub given_count: u32,
    /// Deadlines it missed since its last HAVE of a hand-out.
    pub strikes: u32,
    /// When the last byte went out to it, or it told of a piece.
    pub progress_at: Micros,
    /// When it last told of a new piece (or joined).
    pub have_at: Micros,
    /// Bytes a second of its own hand-outs.
    pub rate_bps: Option<f64>,
    pub confirmed_at: Micros,
    /// How often it was fed because it starved.
    pub fed: u32,
    /// Nobody but the origin gives it anything.
    pub isolated: bool,
    /// Pieces that were ever handed to it: it may fetch them also when they have been handed to somebody else since.
    pub granted: Vec<bool>,
}

pub(super) struct Agents {
    pub pieces: u32,
    bytes: u64,
    piece_bytes: u32,
    racks: Vec<usize>,
    rack_out: Vec<u32>,
    rack_given: Vec<u32>,
    all: Vec<Option<Agent>>,
    count: usize,
    /// How many connected agents have each piece.
    pub copies: Vec<u32>,
    /// How many hand-outs of each piece are unconfirmed and within their deadline.
    pub outstanding: Vec<u32>,
    /// How often each piece was handed out.
    pub handed: Vec<u32>,
    /// When each piece last got a new copy, or was handed out.
    pub moved_at: Vec<Micros>,
    /// Pieces that all connected agents have told of together.
    have_total: u64,
    /// No piece below it is needed.
    hint: u32,
    rng: Rng,
}

impl Agents {
    pub fn new(bytes: u64, piece_bytes: u32, racks: Vec<usize>, rng: Rng) -> Self {
        let pieces = bytes.div_ceil(u64::from(piece_bytes)).max(1) as u32;
        let n = pieces as usize;
        let rack_count = racks.iter().max().map_or(1, |m| m + 1);
        Self {
            pieces,
            bytes,
            piece_bytes,
            all: racks.iter().map(|_| None).collect(),
            racks,
            rack_out: vec![0; rack_count],
            rack_given: vec![0; rack_count],
            count: 0,
            copies: vec![0; n],
            outstanding: vec![0; n],
            handed: vec![0; n],
            moved_at: vec![0; n],
            have_total: 0,
            hint: 0,
            rng,
        }
    }

    /// Bytes of a piece; the last may be shorter.
    pub fn bytes(&self, piece: u32) -> u32 {
        let start = u64::from(piece) * u64::from(self.piece_bytes);
        (self.bytes - start).min(u64::from(self.piece_bytes)) as u32
    }

    pub fn count(&self) -> usize {
        self.count
    }

    pub fn get(&self, node: usize) -> Option<&Agent> {
        self.all[node].as_ref()
    }

    pub fn get_mut(&mut self, node: usize) -> Option<&mut Agent> {
        self.all[node].as_mut()
    }

    pub fn all_mut(&mut self) -> impl Iterator<Item = (usize, &mut Agent)> {
        let all = self.all.iter_mut().enumerate();
        all.filter_map(|(node, agent)| Some((node, agent.as_mut()?)))
    }

    /// Those whom only the origin feeds and who keep their deadlines.
    pub fn isolated(&self) -> Vec<usize> {
        let fed = |a: &Agent| a.isolated && a.interested && a.strikes == 0;
        let all = self.all.iter().enumerate();
        all.filter(|(_, a)| a.as_ref().is_some_and(fed))
            .map(|(node, _)| node)
            .collect()
    }

    pub fn join(&mut self, node: usize, conn: usize, now: Micros) {
        let none = vec![false; self.pieces as usize];
        self.count += 1;
        self.all[node] = Some(Agent {
            conn,
            granted: none.clone(),
            have: none,
            have_count: 0,
            interested: true,
            given: Vec::new(),
            given_count: 0,
            strikes: 0,
            progress_at: now,
            have_at: now,
            rate_bps: None,
            confirmed_at: now,
            fed: 0,
            isolated: false,
        });
    }

    /// Takes an agent off the books; what it had been given and not confirmed.
    pub fn leave(&mut self, node: usize) -> Vec<Given> {
        let given = self.all[node].as_ref().map_or(Vec::new(), |a| a.given.clone());
        for g in &given {
            self.release(node, g.piece);
        }
        let Some(agent) = self.all[node].take() else {
            return given;
        };
        self.count -= 1;
        self.have_total -= u64::from(agent.have_count);
        for piece in (0..self.pieces).filter(|p| agent.have[*p as usize]) {
            self.copies[piece as usize] -= 1;
            if self.copies[piece as usize] == 0 {
                self.hint = self.hint.min(piece);
            }
        }
        given
    }

    /// Notes that an agent has a piece; false when that was known.
    pub fn gain(&mut self, node: usize, piece: u32, now: Micros) -> bool {
        let Some(agent) = self.all[node].as_mut() else {
            return false;
        };
        let Some(have) = agent.have.get_mut(piece as usize).filter(|h| !**h) else {
            return false;
        };
        *have = true;
        agent.have_count += 1;
        self.have_total += 1;
        self.copies[piece as usize] += 1;
        self.moved_at[piece as usize] = now;
        true
    }

    /// Notes a hand-out; the connection that it goes to.
    pub fn give(&mut self, node: usize, piece: u32, now: Micros, deadline: Micros) -> Option<usize> {
        let agent = self.all[node].as_mut()?;
        agent.given.push(Given {
            piece,
            at: now,
            deadline,
            extensions: 0,
            in_window: true,
        });
        agent.given_count += 1;
        agent.granted[piece as usize] = true;
        self.outstanding[piece as usize] += 1;
        self.handed[piece as usize] += 1;
        self.moved_at[piece as usize] = now;
        self.rack_out[self.racks[node]] += 1;
        self.rack_given[self.racks[node]] += 1;
        Some(agent.conn)
    }

    /// Takes a hand-out off the books: confirmed, overdue, or its holder gone.
    pub fn release(&mut self, node: usize, piece: u32) -> Option<Given> {
        let agent = self.all[node].as_mut()?;
        let at = agent.given.iter().position(|g| g.piece == piece)?;
        let given = agent.given.remove(at);
        self.outstanding[piece as usize] -= 1;
        self.rack_out[self.racks[node]] -= 1;
        if self.copies[piece as usize] == 0 {
            self.hint = self.hint.min(piece);
        }
        Some(given)
    }

    /// The lowest piece that this agent lacks and nobody is being given.
    pub fn next_lacking(&self, node: usize) -> Option<u32> {
        let agent = self.get(node)?;
        (0..self.pieces).find(|p| !agent.have[*p as usize] && self.outstanding[*p as usize] == 0)
    }

    /// The lowest piece that nobody has and nobody is being given.
    pub fn next_needed(&mut self) -> Option<u32> {
        while self.hint < self.pieces {
            let at = self.hint as usize;
            if self.copies[at] == 0 && self.outstanding[at] == 0 {
                return Some(self.hint);
            }
            self.hint += 1;
        }
        None
    }

    /// Far behind the others: what it is handed stays with it for long.
    fn lags(&self, agent: &Agent) -> bool {
        let mean = self.have_total / (self.count as u64).max(1);
        mean >= LAG_PIECES_MIN && u64::from(agent.have_count) * LAG_TIMES < mean
    }

    /// Who shall get this piece: in the rack with the fewest unconfirmed hand-outs, then the fewest copies
    /// received, an agent that does not lag, with fewest strikes, unconfirmed, and pieces given, ties at random.
    pub fn recipient(
        &mut self,
        piece: u32,
        per_agent: usize,
        now: Micros,
        stall_us: Micros,
    ) -> Option<usize> {
        let mut best = None;
        for (node, agent) in self.all.iter().enumerate() {
            let Some(agent) = agent else {
                continue;
            };
            let sits = !agent.given.is_empty() && now.saturating_sub(agent.progress_at) > stall_us;
            let rests =
                agent.strikes > 0 && now.saturating_sub(agent.progress_at) < strike_pause(agent.strikes);
            let has = agent.have[piece as usize] || agent.given.iter().any(|g| g.piece == piece);
            if !agent.interested || agent.given.len() >= per_agent || has || sits || rests {
                continue;
            }
            let rack = self.racks[node];
            let draw = self.rng.next_u64();
            let key = (
                (self.rack_out[rack], self.rack_given[rack]),
                (
                    self.lags(agent),
                    agent.strikes,
                    agent.given.len(),
                    agent.given_count,
                ),
                draw,
            );
            if best.as_ref().is_none_or(|(k, _)| key < *k) {
                best = Some((key, node));
            }
        }
        best.map(|(_, node)| node)
    }
}

/// How long an agent that missed so many deadlines gets nothing: 0.5 s doubling to 32 s.
fn strike_pause(strikes: u32) -> Micros {
    (250 * MILLISECOND) << strikes.min(7)
}
