//! The thin shell: sockets, TLS, files, unpacking, console.

pub mod boot;
pub mod https;
pub mod node;
pub mod store;
pub mod trust;
pub mod unpack;
