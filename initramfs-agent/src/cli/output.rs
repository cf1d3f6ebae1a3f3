//! What commands show: as one line of JSON for programs, or indented for people.

use std::fmt::Write as _;

use crate::core::json::write_string;
use crate::core::text::{printable, printable_json};

/// Characters of one value for people.
const VALUE_CHARS_MAX: usize = 4096;

/// A value to show.
pub(super) enum Show {
    Text(String),
    /// A number or a boolean, as JSON writes it.
    Plain(String),
    List(Vec<Show>),
    Object(Vec<(String, Show)>),
}

impl From<&str> for Show {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u64> for Show {
    fn from(number: u64) -> Self {
        Self::Plain(number.to_string())
    }
}

impl From<bool> for Show {
    fn from(value: bool) -> Self {
        Self::Plain(value.to_string())
    }
}

impl From<&[String]> for Show {
    fn from(list: &[String]) -> Self {
        Self::List(list.iter().map(|text| text.as_str().into()).collect())
    }
}

impl Show {
    /// An object of these members.
    pub fn object<const N: usize>(members: [(&str, Show); N]) -> Self {
        Self::Object(
            members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        )
    }

    /// Writes a line of JSON to stdout; a reader that went away is no error.
    pub fn print_json(&self) {
        use std::io::Write as _;
        let mut text = String::new();
        self.json(&mut text);
        let _ = writeln!(std::io::stdout().lock(), "{}", printable_json(&text));
    }

    fn json(&self, out: &mut String) {
        match self {
            Self::Text(text) => write_string(out, text),
            Self::Plain(text) => out.push_str(text),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    item.json(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (i, (name, value)) in members.iter().enumerate() {
                    out.push_str(if i > 0 { "," } else { "" });
                    write_string(out, name);
                    out.push(':');
                    value.json(out);
                }
                out.push('}');
            }
        }
    }

    /// Lines for people, indented.
    pub fn readable(&self) -> String {
        let mut out = String::new();
        self.lines(0, &mut out);
        out
    }

    fn lines(&self, depth: usize, out: &mut String) {
        let indent = "  ".repeat(depth);
        let Self::Object(members) = self else {
            let _ = writeln!(out, "{indent}{}", self.inline());
            return;
        };
        for (name, value) in members {
            match value {
                Self::Object(_) => {
                    let _ = writeln!(out, "{indent}{name}:");
                    value.lines(depth + 1, out);
                }
                Self::List(items) if items.iter().any(|item| matches!(item, Self::Object(_))) => {
                    for item in items {
                        let _ = writeln!(out, "{indent}{name}:");
                        item.lines(depth + 1, out);
                    }
                }
                value => {
                    let _ = writeln!(out, "{indent}{name}: {}", value.inline());
                }
            }
        }
    }

    /// Text is made printable, so that a file cannot send escape sequences to the terminal.
    fn inline(&self) -> String {
        match self {
            Self::Text(text) => printable(text, VALUE_CHARS_MAX),
            Self::Plain(text) => text.clone(),
            Self::List(items) => items.iter().map(Self::inline).collect::<Vec<_>>().join(", "),
            Self::Object(_) => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_and_lines() {
        let inner = Show::object([("a", 7.into()), ("b", Show::List(vec!["x".into(), true.into()]))]);
        let shown = Show::object([("name", "q\"\u{1b}".into()), ("all", Show::List(vec![inner]))]);
        let mut text = String::new();
        shown.json(&mut text);
        assert_eq!(
            text,
            "{\"name\":\"q\\\"\\u001b\",\"all\":[{\"a\":7,\"b\":[\"x\",true]}]}"
        );
        assert_eq!(shown.readable(), "name: q\"\\u{1b}\nall:\n  a: 7\n  b: x, true\n");
    }
}
