//! Time as the state machines see it: a number that the caller passes in.

/// Microseconds since the agent (or the simulation) started.
pub type Micros = u64;

/// One millisecond.
pub const MILLISECOND: Micros = 1_000;
/// One second.
pub const SECOND: Micros = 1_000_000;
