//! Simulated swarms in virtual time.
