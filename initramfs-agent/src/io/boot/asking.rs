//! The request for the manifest: also the first announce to the server's tracker.

use std::time::Duration;

use super::context::{Context, Failure};
use super::credentials::Ticket;
use super::events::Log;
use super::identity::{hex, random};
use super::monitor::ServerAnswer;
use super::options::Options;
use crate::core::discovery::tracker::answer::Answer;
use crate::core::error::Code;
use crate::core::limits::{MANIFEST_BYTES_MAX, TRACKER_ANSWER_BYTES_MAX};
use crate::core::manifest::{self, Manifest};
use crate::io::https::{Client, Response, Timeouts};

/// A manifest is small, but a whole farm asks for its own at once: an agent that gives up early has cost the
/// server a handshake for nothing and asks again. Lost packets are repeated after up to 7 s.
const MANIFEST_TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(20),
    idle: Duration::from_secs(20),
    total: Duration::from_secs(120),
};
/// What the server's tracker answers for each artifact; empty when it was not asked, or its answers are unusable.
pub type Introductions = Vec<Option<Answer>>;

/// Gets and verifies a manifest with a nonce of its own. With a port and a peer id this is the first announce too.
pub fn fetch(
    client: &Client,
    options: &Options,
    log: &Log,
    id: &str,
    listening: Option<(u16, [u8; 20])>,
) -> std::result::Result<(Manifest, Introductions), Failure> {
    let nonce = hex(&random::<16>()?);
    // Events go over the same connection: a TLS handshake is as long as a manifest.
    let mut client = client.clone();
    client.set_timeouts(MANIFEST_TIMEOUTS);
    let mut url = format!(
        "{}/v1/manifest?node={id}&nonce={nonce}&boot={}&arch={}",
        options.server,
        log.boot(),
        std::env::consts::ARCH
    );
    if let Some((port, peer_id)) = listening {
        url.push_str(&format!("&port={port}&peer_id={}", hex(&peer_id)));
    }
    let body = match (request(&client, options, &url), &options.credentials) {
        (Err(Failure { error, .. }), Some(credentials)) if error.code == Code::TicketRefused => {
            log.say(&format!("{error}: booting as a node without a ticket"));
            credentials.refused();
            request(&client, options, &url)?
        }
        (answer, _) => answer?,
    }
    .read_all(MANIFEST_BYTES_MAX + TRACKER_ANSWER_BYTES_MAX)?;
    let (body, hints) = match listening {
        Some(_) => manifest::part(body),
        None => (body, None),
    };
    let manifest = manifest::open(body, &options.trust.manifest_keys, &nonce, id)?;
    // Unusable hints only cost a request to the tracker.
    let answers = hints.and_then(|hints| Answer::parse_list(&hints, manifest.artifacts.len()).ok());
    Ok((manifest, answers.unwrap_or_default()))
}

/// Requests a manifest in this node's name, which redeems its ticket.
fn request(client: &Client, options: &Options, url: &str) -> std::result::Result<Response, Failure> {
    let answer = client.get_compressed(url, &|method, target, body| {
        let proven = options.credentials.as_deref();
        proven.map_or(String::new(), |c| {
            c.header(method, target, body, Ticket::Redeemed)
        })
    })?;
    let retry_after_s = answer.retry_after_s;
    answer.check().map_err(|error| Failure { error, retry_after_s })
}

/// Asks the server whether it would still give the same artifacts.
pub fn ask(context: &Context, manifest: &Manifest, id: &str) -> Box<dyn FnMut() -> ServerAnswer + Send> {
    let (client, options, id) = (context.client.clone(), context.options.clone(), id.to_owned());
    let log = context.log.clone();
    let (version, hashes) = (
        manifest.version,
        manifest.artifacts.iter().map(|a| a.infohash).collect::<Vec<_>>(),
    );
    Box::new(move || match fetch(&client, &options, &log, &id, None) {
        Ok((new, _))
            if new.version == version
                && new
                    .artifacts
                    .iter()
                    .map(|a| a.infohash)
                    .eq(hashes.iter().copied()) =>
        {
            ServerAnswer::Same
        }
        Ok(_) => ServerAnswer::Changed,
        Err(_) => ServerAnswer::Silent,
    })
}
