//! Archives of real tools and of no tool, each unpacked into a fresh root.

mod dialects;
mod hostile;
mod support;
