//! The thin shell: sockets, TLS, files, unpacking, signals, console.

pub mod boot;
pub(crate) mod console;
pub mod https;
pub mod node;
pub(crate) mod signals;
pub mod store;
pub mod trust;
pub mod unpack;
