//! Canonical JSON as docs/manifest.md defines it: a strict parser, and the writing of strings.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

/// Depth of nesting that is parsed.
const DEPTH_MAX: usize = 16;
/// Values in one document, all levels together.
const VALUES_MAX: usize = 32_768;
/// Largest integer: 2^53-1.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// A value of canonical JSON. Strings without escapes borrow from the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// `true` or `false`.
    Bool(bool),
    /// 0 to 2^53-1.
    Integer(u64),
    /// Text.
    String(Cow<'a, str>),
    /// Values in order.
    Array(Vec<Value<'a>>),
    /// Members sorted by name, no name twice.
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// Parses a document that is canonical to the byte.
///
/// # Errors
/// What is wrong, and where (offset in bytes).
pub fn parse(document: &[u8]) -> Result<Value<'_>, (&'static str, usize)> {
    let Ok(text) = std::str::from_utf8(document) else {
        return Err(("not UTF-8", 0));
    };
    let mut parser = Parser {
        text,
        at: 0,
        values: 0,
    };
    let value = parser.value(0).and_then(|value| {
        if parser.at == text.len() {
            Ok(value)
        } else {
            Err("more than one value")
        }
    });
    value.map_err(|what| (what, parser.at))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

type Parsed<T> = Result<T, &'static str>;

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, c: u8) -> bool {
        let is = self.peek() == Some(c);
        self.at += usize::from(is);
        is
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let is = self.text.as_bytes()[self.at..].starts_with(word.as_bytes());
        self.at += if is { word.len() } else { 0 };
        is
    }

    fn value(&mut self, depth: usize) -> Parsed<Value<'a>> {
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return Err("too deep or too many values");
        }
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'0'..=b'9') => self.integer().map(Value::Integer),
            Some(b'[') => self.array(depth),
            Some(b'{') => self.object(depth),
            _ if self.eat_word("true") => Ok(Value::Bool(true)),
            _ if self.eat_word("false") => Ok(Value::Bool(false)),
            _ => Err("no value of canonical JSON"),
        }
    }

    fn array(&mut self, depth: usize) -> Parsed<Value<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        if self.eat(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.eat(b']') {
                return Ok(Value::Array(items));
            }
            if !self.eat(b',') {
                return Err("',' or ']' expected");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Value<'a>> {
        self.at += 1;
        let mut members: Vec<(Cow<'a, str>, Value<'a>)> = Vec::new();
        if self.eat(b'}') {
            return Ok(Value::Object(members));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err("member name expected");
            }
            let name = self.string()?;
            if !name.is_ascii() {
                return Err("a member name that is not ASCII");
            }
            if members.last().is_some_and(|(last, _)| *last >= name) {
                return Err("members out of order or twice");
            }
            if !self.eat(b':') {
                return Err("':' expected");
            }
            members.push((name, self.value(depth + 1)?));
            if self.eat(b'}') {
                return Ok(Value::Object(members));
            }
            if !self.eat(b',') {
                return Err("',' or '}' expected");
            }
        }
    }

    fn integer(&mut self) -> Parsed<u64> {
        let start = self.at;
        let mut value = 0u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if self.at > start && value == 0 {
                return Err("a leading zero");
            }
            value = value * 10 + u64::from(digit - b'0');
            if value > INTEGER_MAX {
                return Err("an integer beyond 2^53-1");
            }
            self.at += 1;
        }
        Ok(value)
    }

    /// A string; the parser stands at its opening quote.
    fn string(&mut self) -> Parsed<Cow<'a, str>> {
        self.at += 1;
        let mut owned = String::new();
        let mut plain = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let rest = &self.text[plain..self.at];
                    self.at += 1;
                    if owned.is_empty() {
                        return Ok(Cow::Borrowed(rest));
                    }
                    owned.push_str(rest);
                    return Ok(Cow::Owned(owned));
                }
                Some(b'\\') => {
                    owned.push_str(&self.text[plain..self.at]);
                    self.at += 1;
                    owned.push(self.escape()?);
                    plain = self.at;
                }
                Some(0..0x20) => return Err("a control character in a string"),
                Some(_) => self.at += 1,
                None => return Err("a string without end"),
            }
        }
    }

    /// What follows a backslash: only what must be escaped, each in its one way.
    fn escape(&mut self) -> Parsed<char> {
        let short = self.peek().ok_or("a string without end")?;
        self.at += 1;
        match short {
            b'"' | b'\\' => return Ok(char::from(short)),
            b'b' => return Ok('\u{8}'),
            b't' => return Ok('\t'),
            b'n' => return Ok('\n'),
            b'f' => return Ok('\u{c}'),
            b'r' => return Ok('\r'),
            b'u' => {}
            _ => return Err("an escape that is not canonical"),
        }
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        self.at += 4;
        match digits {
            Some(
                &[
                    b'0',
                    b'0',
                    high @ (b'0' | b'1'),
                    low @ (b'0'..=b'9' | b'a'..=b'f'),
                ],
            ) => {
                let low = if low <= b'9' { low - b'0' } else { low - b'a' + 10 };
                let c = (high - b'0') << 4 | low;
                if matches!(c, 8 | 9 | 10 | 12 | 13) {
                    return Err("an escape that has a shorter form");
                }
                Ok(char::from(c))
            }
            _ => Err("an escape that is not canonical"),
        }
    }
}

/// Appends `text` as a JSON string, quotes and all.
pub fn write_string(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => {
                out.push_str("\\u00");
                out.extend([c as u8 >> 4, c as u8 & 15].map(|d| char::from(HEX[usize::from(d)])));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}
