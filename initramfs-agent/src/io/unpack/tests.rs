//! Archives of real tools and of no tool, each unpacked into a fresh root.

mod bounds;
mod codecs;
mod coinboot;
mod cpio;
mod dialects;
mod dpkg;
mod formats;
mod fuzz;
mod hostile;
mod support;
mod target;
