//! Reports over plain HTTP, which need no certificate. A node that cannot verify the server's (its clock is wrong, or it has
//! another CA) reports that, or nobody would know. To the server it is an unverified report (docs/protocol.md).

use std::time::Duration;

use super::options::Options;
use crate::core::error::Code;
use crate::io::https::{Client, Timeouts, unproven};

/// A boot waits for this.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether nothing that was sent over HTTPS has arrived.
pub fn is_needed(code: Code) -> bool {
    code == Code::TlsFailed
}

/// Posts one event; whether the server has taken it. No secret is in it.
pub fn post(options: &Options, id: &str, event: &str) -> bool {
    let mut client = Client::without_trust();
    client.set_timeouts(Timeouts {
        connect: PATIENCE,
        idle: PATIENCE,
        total: PATIENCE,
    });
    if let Some(ip) = options.bind {
        client.set_bind(ip);
    }
    let url = format!("{}/v1/nodes/{id}/events", options.http);
    let events = format!("[{event}]");
    let answer = client.post(&url, "application/json", events.as_bytes(), &unproven);
    answer.is_ok_and(|answer| (200..=299).contains(&answer.status))
}
