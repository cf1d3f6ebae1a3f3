//! What proves to the server whose requests these are.

use std::sync::Arc;

use super::super::credentials::Credentials;
use super::site::{Plan, Scratch, Site};
use super::{alone, boot, root_and_plugins, status};

const TICKET: &str = "000102030405060708090a0b0c0d0e0f";

/// Boots with a ticket; gives the console, and the proof of each request by its target.
fn boot_with_ticket(plans: Vec<Plan>) -> (String, Vec<(String, String)>) {
    let scratch = Scratch::new();
    let site = Site::new(root_and_plugins(), alone(), true, plans);
    let mut options = site.options(&scratch.target());
    options.credentials = Credentials::new(TICKET, None).unwrap().map(Arc::new);
    let (code, console) = boot(options);
    assert_eq!(code, 0, "{console}");
    assert!(!console.contains(TICKET), "{console}");
    for event in site.events() {
        assert!(!event.to_string().contains(TICKET), "{event}");
    }
    let requests: Vec<String> = site.requests.try_iter().collect();
    (
        console,
        requests.into_iter().zip(site.proofs.try_iter()).collect(),
    )
}

#[test]
fn the_ticket_is_redeemed_with_the_manifest_and_reports_are_signed() {
    let (_, requests) = boot_with_ticket(vec![Plan::Give]);
    let ticket = format!(", ticket={TICKET}");
    let mut reports = 0;
    for (target, proof) in &requests {
        assert!(!target.contains(TICKET), "{target}");
        if target.starts_with("/v1/manifest") {
            assert!(proof.starts_with("Bootswarm key="), "{proof}");
            assert!(proof.ends_with(&ticket), "{proof}");
        } else if target.ends_with("/events") {
            assert!(proof.starts_with("Bootswarm key="), "{proof}");
            assert!(!proof.contains("ticket"), "{proof}");
            reports += 1;
        } else {
            assert_eq!(proof, "", "an artifact is nobody's: {target}");
        }
    }
    assert!(reports > 0);
}

#[test]
fn a_ticket_that_is_refused_is_left_out_and_the_node_boots() {
    let refuse = || status(403, "TICKET_REFUSED", "");
    let (console, requests) = boot_with_ticket(vec![Plan::Say(refuse), Plan::Give]);
    let without = "TICKET_REFUSED: booting as a node without a ticket";
    assert!(console.contains(without), "{console}");
    let (first, rest) = requests.split_first().unwrap();
    assert!(first.1.contains(TICKET));
    for (target, proof) in rest {
        assert_eq!(proof, "", "{target}");
    }
}

#[test]
fn another_refusal_is_a_boot_that_fails() {
    let drained = || status(403, "NODE_DRAINED", "");
    let scratch = Scratch::new();
    let site = Site::new(root_and_plugins(), alone(), true, vec![Plan::Say(drained)]);
    let mut options = site.options(&scratch.target());
    options.credentials = Credentials::new(TICKET, None).unwrap().map(Arc::new);
    let (code, console) = boot(options);
    assert_eq!(code, 1, "{console}");
    assert!(console.contains("HTTP_STATUS"), "{console}");
}
