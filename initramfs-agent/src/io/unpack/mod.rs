//! Unpacking archives into a target root that they can never leave.
