//! Wake-on-LAN for machines of this node's own network, where the server's broadcasts do not come (docs/protocol.md).

use super::json::{self, Value};

/// Machines in one answer; more are left out.
const MACS_MAX: usize = 16;

/// The address of a network card.
pub type Mac = [u8; 6];

/// Whom to wake, from the answer to a report: `{"wake":["52:54:00:00:00:01"]}`.
pub fn wanted(body: &[u8]) -> Vec<Mac> {
    let Ok(Value::Object(members)) = json::parse(body) else {
        return Vec::new();
    };
    let texts = members.into_iter().find_map(|(name, value)| match value {
        Value::Array(texts) if name == "wake" => Some(texts),
        _ => None,
    });
    let macs = texts.into_iter().flatten().filter_map(|text| match text {
        Value::String(text) => mac(&text),
        _ => None,
    });
    macs.take(MACS_MAX).collect()
}

/// The magic packet (AMD, publication 20213): six bytes of ones, then the card's address 16 times.
pub fn magic_packet(mac: Mac) -> [u8; 102] {
    let mut packet = [0xff; 102];
    for copy in packet[6..].chunks_exact_mut(6) {
        copy.copy_from_slice(&mac);
    }
    packet
}

fn mac(text: &str) -> Option<Mac> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next()?;
        if part.len() != 2 || !part.bytes().all(|c| c.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = [0x52, 0x54, 0, 0xa, 0xb, 0xc];

    #[test]
    fn the_server_names_macs_and_anything_else_is_none() {
        let body = br#"{"seed_s":900,"wake":["52:54:00:0a:0b:0c","00:00:00:00:00:01"]}"#;
        assert_eq!(wanted(body), [MAC, [0, 0, 0, 0, 0, 1]]);
        for none in [
            "",
            "{}",
            "[]",
            r#"{"wake":"52:54:00:0a:0b:0c"}"#,
            r#"{"wake":[1,"","52:54:00:0a:0b","52:54:00:0a:0b:0c:0d","52:54:00:0a:0b:+1","52-54-00-0a-0b-0c"]}"#,
        ] {
            assert_eq!(wanted(none.as_bytes()), [] as [Mac; 0], "{none}");
        }
        let many = format!(
            r#"{{"wake":[{}]}}"#,
            vec![r#""52:54:00:0a:0b:0c""#; 100].join(",")
        );
        assert_eq!(wanted(many.as_bytes()).len(), MACS_MAX);
    }

    #[test]
    fn a_magic_packet_has_the_address_16_times() {
        let packet = magic_packet(MAC);
        assert_eq!(packet[..6], [0xff; 6]);
        assert_eq!(packet[6..], MAC.repeat(16));
    }
}
