//! Bencode (BEP 3): a bounded parser that borrows from its input, and a small encoder.
//!
//! Every value knows its exact bytes, so that an infohash is taken over what was sent and not over
//! what we would have written.

mod encode;
#[cfg(test)]
mod tests;

pub use encode::Encoder;

use super::error::{Code, Error, Result};
use super::limits::{BENCODE_DEPTH_MAX, BENCODE_ITEMS_MAX};

/// Whether the keys of a dictionary must stand in the order that BEP 3 asks for. Twice the same key is
/// wrong in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keys {
    /// Sorted by their bytes.
    Sorted,
    /// As they come: some stock clients do not sort what they send.
    AnyOrder,
}

/// A parsed value with the bytes it was parsed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value<'a> {
    /// The value's own bytes in the input, from its first to its last.
    pub raw: &'a [u8],
    /// What it is.
    pub kind: Kind<'a>,
}

/// The four kinds of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// `i42e`; what does not fit 64 bits is malformed.
    Int(i64),
    /// `4:spam`.
    Bytes(&'a [u8]),
    /// `l...e`.
    List(Vec<Value<'a>>),
    /// `d...e`.
    Dict(Dict<'a>),
}

/// A dictionary; its entries are sorted by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dict<'a>(Vec<(&'a [u8], Value<'a>)>);

/// Parses one value that fills `input` to its end.
///
/// # Errors
/// `BENCODE_MALFORMED`.
pub fn parse(input: &[u8], keys: Keys) -> Result<Value<'_>> {
    let (value, rest) = parse_prefix(input, keys)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(malformed("bytes after the value", input.len() - rest.len()))
    }
}

/// Parses one value from the start of `input` and returns it with the bytes after it (BEP 9 appends
/// payload to a dictionary).
///
/// # Errors
/// `BENCODE_MALFORMED`.
pub fn parse_prefix(input: &[u8], keys: Keys) -> Result<(Value<'_>, &[u8])> {
    let mut parser = Parser {
        input,
        at: 0,
        items: 0,
        keys,
    };
    let value = parser.value(0)?;
    Ok((value, &input[parser.at..]))
}

impl<'a> Value<'a> {
    /// The number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self.kind {
            Kind::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The bytes, if it is a string.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match self.kind {
            Kind::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_list(&self) -> Option<&[Value<'a>]> {
        match &self.kind {
            Kind::List(items) => Some(items),
            _ => None,
        }
    }

    /// The dictionary, if it is one.
    pub fn as_dict(&self) -> Option<&Dict<'a>> {
        match &self.kind {
            Kind::Dict(dict) => Some(dict),
            _ => None,
        }
    }
}

impl<'a> Dict<'a> {
    /// The value of a key.
    pub fn get(&self, key: &[u8]) -> Option<&Value<'a>> {
        let at = self.0.binary_search_by(|(k, _)| (*k).cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    /// The number at a key, if it is one.
    pub fn int(&self, key: &[u8]) -> Option<i64> {
        self.get(key)?.as_int()
    }

    /// The string at a key, if it is one.
    pub fn bytes(&self, key: &[u8]) -> Option<&'a [u8]> {
        self.get(key)?.as_bytes()
    }

    /// The list at a key, if it is one.
    pub fn list(&self, key: &[u8]) -> Option<&[Value<'a>]> {
        self.get(key)?.as_list()
    }

    /// The dictionary at a key, if it is one.
    pub fn dict(&self, key: &[u8]) -> Option<&Dict<'a>> {
        self.get(key)?.as_dict()
    }

    /// All entries, sorted by key.
    pub fn entries(&self) -> &[(&'a [u8], Value<'a>)] {
        &self.0
    }
}

fn malformed(what: &str, at: usize) -> Error {
    Error::new(Code::BencodeMalformed, format!("{what} at byte {at}"))
}

struct Parser<'a> {
    input: &'a [u8],
    at: usize,
    items: usize,
    keys: Keys,
}

impl<'a> Parser<'a> {
    fn fail<T>(&self, what: &str) -> Result<T> {
        Err(malformed(what, self.at))
    }

    fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    fn value(&mut self, depth: usize) -> Result<Value<'a>> {
        self.items += 1;
        if self.items > BENCODE_ITEMS_MAX {
            return self.fail("too many values");
        }
        let from = self.at;
        let kind = match self.peek() {
            Some(b'i') => Kind::Int(self.int()?),
            Some(b'0'..=b'9') => Kind::Bytes(self.bytes()?),
            Some(b'l' | b'd') if depth == BENCODE_DEPTH_MAX => return self.fail("nested too deep"),
            Some(b'l') => Kind::List(self.list(depth)?),
            Some(b'd') => Kind::Dict(self.dict(depth)?),
            Some(_) => return self.fail("no value"),
            None => return self.fail("the end instead of a value"),
        };
        Ok(Value {
            raw: &self.input[from..self.at],
            kind,
        })
    }

    fn int(&mut self) -> Result<i64> {
        self.at += 1;
        let from = self.at;
        let negative = self.peek() == Some(b'-');
        if negative {
            self.at += 1;
        }
        let first = self.at;
        let mut value: i64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            // Built below zero, because i64::MIN has no positive counterpart.
            let Some(next) = value
                .checked_mul(10)
                .and_then(|v| v.checked_sub(i64::from(digit - b'0')))
            else {
                return self.fail("a number beyond 64 bits");
            };
            value = next;
            self.at += 1;
        }
        let digits = self.at - first;
        if self.peek() != Some(b'e') || digits == 0 {
            return self.fail("no number");
        }
        if self.input[first] == b'0' && (digits > 1 || negative) {
            self.at = from;
            return self.fail("a number with a needless zero");
        }
        self.at += 1;
        if negative {
            return Ok(value);
        }
        value
            .checked_neg()
            .map_or_else(|| self.fail("a number beyond 64 bits"), Ok)
    }

    fn bytes(&mut self) -> Result<&'a [u8]> {
        let from = self.at;
        let mut len: usize = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            if self.at > from && self.input[from] == b'0' {
                return self.fail("a length with a needless zero");
            }
            // A length beyond the input is wrong anyway; this also keeps it from overflowing.
            len = len * 10 + usize::from(digit - b'0');
            if len > self.input.len() {
                return self.fail("a string longer than the input");
            }
            self.at += 1;
        }
        if self.peek() != Some(b':') {
            return self.fail("no colon after a length");
        }
        let start = self.at + 1;
        let Some(bytes) = self.input.get(start..start + len) else {
            return self.fail("a string longer than the input");
        };
        self.at = start + len;
        Ok(bytes)
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value<'a>>> {
        self.at += 1;
        let mut items = Vec::new();
        while self.peek() != Some(b'e') {
            items.push(self.value(depth + 1)?);
        }
        self.at += 1;
        Ok(items)
    }

    fn dict(&mut self, depth: usize) -> Result<Dict<'a>> {
        self.at += 1;
        let mut entries: Vec<(&'a [u8], Value<'a>)> = Vec::new();
        let mut sorted = true;
        while self.peek() != Some(b'e') {
            if !matches!(self.peek(), Some(b'0'..=b'9')) {
                return self.fail("no key");
            }
            let key = self.bytes()?;
            if let Some((last, _)) = entries.last()
                && *last >= key
            {
                sorted = false;
                if self.keys == Keys::Sorted {
                    return self.fail("keys out of order");
                }
            }
            entries.push((key, self.value(depth + 1)?));
        }
        if !sorted {
            entries.sort_by_key(|(key, _)| *key);
            if entries.windows(2).any(|pair| pair[0].0 == pair[1].0) {
                return self.fail("twice the same key");
            }
        }
        self.at += 1;
        Ok(Dict(entries))
    }
}
