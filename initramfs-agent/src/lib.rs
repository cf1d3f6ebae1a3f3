//! The bootswarm agent: fetches, verifies and unpacks a node's root file system from its LAN peers.
//!
//! `core` decides and does no I/O: time, randomness, packets and disk results are arguments.
//! `io` does sockets, TLS, files and unpacking, and decides nothing about the swarm.
//! `cli` reads arguments and reports to people and programs.
//!
//! The crate beside this one, `sim`, runs thousands of `core` state machines over a modelled network in virtual time.

#[cfg(feature = "io")]
pub mod cli;
pub mod core;
#[cfg(feature = "io")]
pub mod io;
