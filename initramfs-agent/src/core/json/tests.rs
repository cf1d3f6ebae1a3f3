use super::{Value, parse, write_string};
use crate::core::rng::Rng;

/// The one canonical text of a value.
fn write(value: &Value<'_>, out: &mut String) {
    let between = |out: &mut String, i: usize| {
        if i > 0 {
            out.push(',');
        }
    };
    match value {
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Integer(n) => out.push_str(&n.to_string()),
        Value::String(s) => write_string(out, s),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                between(out, i);
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (i, (name, item)) in members.iter().enumerate() {
                between(out, i);
                write_string(out, name);
                out.push(':');
                write(item, out);
            }
            out.push('}');
        }
    }
}

const CANONICAL: &[&str] = &[
    r#"{"a":[],"b":{},"c":"","d":[0,9007199254740991,"x",{"y":[[]]}],"e":true,"f":false}"#,
    r#""\b\t\n\f\r\"\\\u0000\u001f/ü€😀""#,
    "[10,1]",
    "{\"\":1,\" \":2,\"A\":3,\"\u{7f}\":4}",
];

#[test]
fn what_is_canonical_survives_unchanged() {
    for text in CANONICAL {
        let mut again = String::new();
        write(&parse(text.as_bytes()).unwrap(), &mut again);
        assert_eq!(again, *text);
    }
}

#[test]
fn all_else_is_refused() {
    let deep = "[".repeat(100_000);
    let many = format!("[{}1]", "1,".repeat(40_000));
    for text in [
        "",
        " 1",
        "1 ",
        "01",
        "00",
        "-0",
        "-1",
        "1.0",
        "1e3",
        "9007199254740992",
        "99999999999999999999999",
        "null",
        "nul",
        "NaN",
        "tru",
        "[1,]",
        "[,1]",
        "[1 ]",
        "[1",
        "{",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\" :1}",
        "{\"b\":1,\"a\":2}",
        "{\"a\":1,\"a\":2}",
        "{\"ü\":1}",
        "\"",
        "\"\\",
        "\"\\u",
        "\"\\u00",
        "\"a\nb\"",
        "\"\\/\"",
        "\"\\u0041\"",
        "\"\\u000a\"",
        "\"\\u001F\"",
        "\"\\u00e4\"",
        "\"\\ud83d\\ude00\"",
        "\"\\x\"",
        "1 2",
        "{}{}",
        "\u{feff}{}",
        "'a'",
        "\"\\ü\"",
        "\"\\u00ü\"",
        deep.as_str(),
        many.as_str(),
    ] {
        assert!(
            parse(text.as_bytes()).is_err(),
            "{:?}",
            &text[..text.len().min(40)]
        );
    }
    for bytes in [&b"\"\xff\""[..], b"\"\xc0\x80\"", b"\"\xed\xa0\x80\""] {
        assert!(parse(bytes).is_err());
    }
}

/// Whatever is done to good documents: no panic, and what is accepted is canonical to the byte.
#[test]
fn mutations_never_pass_uncanonical() {
    let mut rng = Rng::new(7);
    let mut accepted = 0;
    for round in 0..60_000 {
        let mut text = CANONICAL[round % CANONICAL.len()].as_bytes().to_vec();
        for _ in 0..=rng.below(3) {
            let at = rng.below(text.len() as u64) as usize;
            match rng.below(4) {
                0 => text[at] = rng.next_u64() as u8,
                1 => text.truncate(at + 1),
                2 => text.insert(at, b"{}[]\",:\\u01 tf"[rng.below(14) as usize]),
                _ => text.swap(at, 0),
            }
        }
        if let Ok(value) = parse(&text) {
            let mut again = String::new();
            write(&value, &mut again);
            assert_eq!(again.as_bytes(), text);
            accepted += 1;
        }
    }
    assert!(
        accepted > 1000,
        "only {accepted} accepted: the mutations are too wild to mean anything"
    );
}
