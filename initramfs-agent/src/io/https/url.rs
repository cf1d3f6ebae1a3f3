//! `http://` and `https://` URLs of IP literals. No names: the agent has no resolver.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::core::error::{Code, Error, Result};
use crate::core::limits::URL_BYTES_MAX;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// `https`.
    pub tls: bool,
    /// Address and port.
    pub addr: SocketAddr,
    /// Path and query as they stand in the request line.
    pub target: String,
}

impl Url {
    /// Parses `scheme://IP[:PORT][/path][?query]`; IPv6 in brackets.
    ///
    /// # Errors
    /// `CONFIG_INVALID` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            let shown: String = text.chars().take(80).filter(|c| !c.is_control()).collect();
            Error::new(
                Code::ConfigInvalid,
                format!("not a URL of an IP address: {shown:?}"),
            )
        })
    }

    /// The `Host` header: the port only where it is not the scheme's own.
    pub fn host(&self) -> String {
        let default_port = if self.tls { 443 } else { 80 };
        match self.addr {
            SocketAddr::V6(v6) if v6.port() == default_port => format!("[{}]", v6.ip()),
            addr if addr.port() == default_port => addr.ip().to_string(),
            addr => addr.to_string(),
        }
    }
}

fn parse(text: &str) -> Option<Url> {
    // A space or a line feed would let a URL write headers of its own.
    if text.len() > URL_BYTES_MAX || !text.bytes().all(|c| c.is_ascii_graphic()) || text.contains('#') {
        return None;
    }
    let (tls, rest) = match text.strip_prefix("https://") {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix("http://")?),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    let (ip, port) = match authority.strip_prefix('[') {
        Some(v6) => {
            let (ip, port) = v6.split_once(']')?;
            (IpAddr::V6(ip.parse::<Ipv6Addr>().ok()?), port)
        }
        None => {
            let colon = authority.find(':').unwrap_or(authority.len());
            let (ip, port) = authority.split_at(colon);
            (IpAddr::V4(ip.parse::<Ipv4Addr>().ok()?), port)
        }
    };
    let port = match port.strip_prefix(':') {
        Some(digits) if digits.bytes().all(|c| c.is_ascii_digit()) => {
            digits.parse().ok().filter(|&p| p != 0)?
        }
        None if port.is_empty() => 80 + 363 * u16::from(tls),
        _ => return None,
    };
    let target = if target.starts_with('/') {
        target.to_owned()
    } else {
        format!("/{target}")
    };
    Some(Url {
        tls,
        addr: SocketAddr::new(ip, port),
        target,
    })
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn parses_addresses_ports_and_targets() {
        for (text, tls, addr, target, host) in [
            (
                "https://10.0.0.1:8443/v1/manifest?node=a",
                true,
                "10.0.0.1:8443",
                "/v1/manifest?node=a",
                "10.0.0.1:8443",
            ),
            ("http://10.0.0.1", false, "10.0.0.1:80", "/", "10.0.0.1"),
            ("https://[fd00::1]/x", true, "[fd00::1]:443", "/x", "[fd00::1]"),
            ("http://[::1]:8480?q", false, "[::1]:8480", "/?q", "[::1]:8480"),
        ] {
            let url = Url::parse(text).unwrap();
            assert_eq!(
                (url.tls, url.addr.to_string().as_str(), url.target.as_str()),
                (tls, addr, target),
                "{text}"
            );
            assert_eq!(url.host(), host, "{text}");
        }
    }

    #[test]
    fn refuses_names_users_and_rubbish() {
        for text in [
            "https://boot.example/",
            "ftp://10.0.0.1/",
            "https://",
            "https://user@10.0.0.1/",
            "https://10.0.0.1:0/",
            "https://10.0.0.1:99999/",
            "https://10.0.0.1:/",
            "https://10.0.0.1:+1/",
            "https://[::1/",
            "https://[::1]x/",
            "https://10.0.0.1/a b",
            "https://10.0.0.1/\r\nHost: x",
            "https://10.0.0.1/#f",
            "https://::1/",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }
}
