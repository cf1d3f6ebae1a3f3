//! Text that others chose (servers, peers, files) as text that is safe on a console: printable ASCII, which every serial
//! console and terminal shows as it is.

/// Characters of a line on a console.
pub const LINE_CHARS_MAX: usize = 1000;

/// One line of at most `chars_max` characters. What is not printable ASCII becomes an escape (`\n`, `\u{1b}`), and `...`
/// stands for what was cut off.
pub fn printable(text: &str, chars_max: usize) -> String {
    let mut line = String::new();
    for c in text.chars() {
        let before = line.len();
        match c {
            ' '..='~' => line.push(c),
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\t' => line.push_str("\\t"),
            _ => line.extend(c.escape_unicode()),
        }
        if line.len() > chars_max {
            line.truncate(before);
            line.push_str("...");
            break;
        }
    }
    line
}

/// JSON that says the same to programs, as printable ASCII on one line.
pub fn printable_json(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for c in json.chars() {
        if let ' '..='~' = c {
            line.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            line.push_str(&format!("\\u{unit:04x}"));
        }
    }
    line
}

/// The bytes of so many hexadecimal digits; `None`: it is something else.
pub fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high << 4 | low) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_printable_ascii_is_an_escape() {
        assert_eq!(
            printable("a\u{1b}[2J\r\n\t\u{7f}\u{9b}\u{202e}\u{e4}~\\", 99),
            r"a\u{1b}[2J\r\n\t\u{7f}\u{9b}\u{202e}\u{e4}~\"
        );
    }

    #[test]
    fn a_line_is_bounded_and_no_escape_is_cut() {
        assert_eq!(printable("abcdef", 6), "abcdef");
        assert_eq!(printable("abcdefg", 6), "abcdef...");
        assert_eq!(printable("ab\u{1b}", 6), "ab...");
        assert_eq!(
            printable(&"x".repeat(1 << 20), LINE_CHARS_MAX).len(),
            LINE_CHARS_MAX + 3
        );
    }

    #[test]
    fn json_stays_the_same_json() {
        let json = "{\"a\u{9b}\u{2028}\":\"\u{1f600}\\n\u{7f}\"}";
        let line = printable_json(json);
        assert_eq!(line, r#"{"a\u009b\u2028":"\ud83d\ude00\n\u007f"}"#);
        let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&line), value(json));
    }
}
