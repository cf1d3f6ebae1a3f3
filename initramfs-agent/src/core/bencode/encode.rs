//! Writing bencode. The caller writes keys in their order; nothing is sorted here.

/// Collects bencode: `Encoder::default().dict().bytes(b"a").int(1).end().finish()`.
#[derive(Clone, Debug, Default)]
pub struct Encoder(Vec<u8>);

impl Encoder {
    /// A number.
    pub fn int(&mut self, value: i64) -> &mut Self {
        self.0.push(b'i');
        self.0.extend_from_slice(value.to_string().as_bytes());
        self.end()
    }

    /// A string, or the key of a dictionary.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes.len().to_string().as_bytes());
        self.0.push(b':');
        self.0.extend_from_slice(bytes);
        self
    }

    /// Opens a list; [`Encoder::end`] closes it.
    pub fn list(&mut self) -> &mut Self {
        self.0.push(b'l');
        self
    }

    /// Opens a dictionary; keys and values follow in turns, and [`Encoder::end`] closes it.
    pub fn dict(&mut self) -> &mut Self {
        self.0.push(b'd');
        self
    }

    /// Closes what was opened last.
    pub fn end(&mut self) -> &mut Self {
        self.0.push(b'e');
        self
    }

    /// A value that is bencoded already.
    pub fn raw(&mut self, value: &[u8]) -> &mut Self {
        self.0.extend_from_slice(value);
        self
    }

    /// Takes the bytes out.
    pub fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}
