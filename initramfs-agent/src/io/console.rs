//! What commands print for people: one line each, whatever it quotes of servers, peers and files.

use crate::core::text::{LINE_CHARS_MAX, printable};

/// A line on stdout.
pub fn say(text: &str) {
    println!("{}", printable(text, LINE_CHARS_MAX));
}

/// An error or a warning on stderr.
pub fn complain(text: &str) {
    eprintln!("{}", printable(text, LINE_CHARS_MAX));
}
