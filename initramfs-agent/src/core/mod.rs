//! Protocol and decisions without I/O.

pub mod base64;
pub mod bencode;
pub mod discovery;
pub mod error;
pub mod giveback;
pub mod inventory;
pub mod json;
pub mod limits;
pub mod manifest;
pub mod metainfo;
pub mod nearness;
pub mod rng;
pub mod swarm;
pub mod text;
pub mod time;
pub mod wake;
pub mod wire;
