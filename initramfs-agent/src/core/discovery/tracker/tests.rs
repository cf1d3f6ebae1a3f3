use super::*;
use crate::core::nearness::Duty;

const S: Micros = SECOND;

fn answer(interval_s: u32, min_interval_s: Option<u32>) -> Answer {
    Answer {
        interval_s: Some(interval_s),
        min_interval_s,
        peers: Vec::new(),
        ..Answer::default()
    }
}

fn tracker() -> (Tracker, Rng) {
    (
        Tracker::new(0, "http://10.0.0.1:8480/announce".into()),
        Rng::new(1),
    )
}

#[test]
fn obeys_the_interval_and_comes_a_little_later() {
    let (mut tracker, mut rng) = tracker();
    assert!(tracker.is_due(0));
    assert_eq!(tracker.begin(0, HttpId(0)), Event::Started);
    assert!(!tracker.is_due(5 * S));
    tracker.succeed(S, &answer(40, None), &mut rng);
    assert!(!tracker.is_due(41 * S - 1));
    assert!((41 * S..46 * S).contains(&tracker.deadline()));
    assert_eq!(tracker.begin(46 * S, HttpId(1)), Event::None);
}

#[test]
fn absurd_intervals_are_bounded() {
    let (mut tracker, mut rng) = tracker();
    tracker.begin(0, HttpId(0));
    tracker.succeed(0, &answer(u32::MAX, Some(u32::MAX)), &mut rng);
    assert!(tracker.deadline() <= 4050 * S);
    tracker.begin(0, HttpId(1));
    tracker.succeed(0, &answer(0, Some(0)), &mut rng);
    assert!(tracker.deadline() >= S);
}

#[test]
fn wanted_peers_bring_it_forward_to_the_min_interval() {
    let (mut tracker, mut rng) = tracker();
    tracker.begin(0, HttpId(0));
    tracker.want_peers(S);
    tracker.succeed(S, &answer(30, Some(2)), &mut rng);
    assert!(
        tracker.deadline() >= 31 * S,
        "asked while in flight: this answer was it"
    );
    tracker.want_peers(2 * S);
    assert_eq!(tracker.deadline(), 3 * S);
    tracker.want_peers(10 * S);
    assert_eq!(tracker.deadline(), 3 * S);
}

#[test]
fn failures_back_off_with_jitter_and_a_success_ends_that() {
    let (mut tracker, mut rng) = tracker();
    let mut now = 0;
    let mut waits = Vec::new();
    for round in 0..12 {
        assert_eq!(tracker.begin(now, HttpId(round)), Event::Started);
        tracker.fail(now, &mut rng);
        tracker.want_peers(now);
        let wait = tracker.deadline() - now;
        let full = (S << round).min(60 * S);
        assert!((full / 2..full).contains(&wait), "round {round}: {wait}");
        waits.push(wait);
        now += wait;
    }
    assert_ne!(waits[10], waits[11]);
    tracker.begin(now, HttpId(20));
    tracker.succeed(now, &answer(30, None), &mut rng);
    tracker.begin(now, HttpId(21));
    tracker.fail(now, &mut rng);
    assert!(tracker.deadline() < now + S);
}

#[test]
fn a_silent_tracker_is_given_up_in_time() {
    let (mut tracker, _) = tracker();
    tracker.begin(0, HttpId(3));
    assert!(tracker.awaits(HttpId(3)) && !tracker.awaits(HttpId(4)));
    assert_eq!(tracker.deadline(), TIMEOUT);
    assert!(!tracker.is_overdue(TIMEOUT - 1));
    assert!(tracker.is_overdue(TIMEOUT));
}

#[test]
fn completed_is_told_once_and_again_until_it_is_heard() {
    let (mut tracker, mut rng) = tracker();
    tracker.begin(0, HttpId(0));
    tracker.complete(S);
    tracker.succeed(2 * S, &answer(30, None), &mut rng);
    assert!(
        tracker.is_due(2 * S),
        "it completed while the first announce was in flight"
    );
    assert_eq!(tracker.begin(2 * S, HttpId(1)), Event::Completed);
    tracker.fail(2 * S, &mut rng);
    assert_eq!(tracker.begin(4 * S, HttpId(2)), Event::Completed);
    tracker.succeed(4 * S, &answer(30, None), &mut rng);
    assert_eq!(tracker.begin(40 * S, HttpId(3)), Event::None);
}

#[test]
fn complete_before_the_first_announce_needs_no_event() {
    let (mut tracker, mut rng) = tracker();
    tracker.complete(0);
    assert_eq!(tracker.begin(0, HttpId(0)), Event::Started);
    tracker.succeed(0, &answer(30, None), &mut rng);
    assert_eq!(tracker.begin(40 * S, HttpId(1)), Event::None);
}

#[test]
fn short_intervals_grow_until_peers_are_wanted() {
    let (mut tracker, mut rng) = tracker();
    let mut now = 0;
    let mut wait = |tracker: &mut Tracker, interval_s| {
        tracker.begin(now, HttpId(0));
        tracker.succeed(now, &answer(interval_s, Some(1)), &mut rng);
        let wait = tracker.deadline() - now;
        now += wait;
        wait / S
    };
    let waits: Vec<Micros> = (0..20).map(|_| wait(&mut tracker, 4)).collect();
    assert!(
        (4..5).contains(&waits[0]) && (8..9).contains(&waits[1]),
        "{waits:?}"
    );
    assert!(waits[14..].iter().all(|w| (60..68).contains(w)), "{waits:?}");
    assert!(!tracker.may_name(), "it knows enough");
    tracker.want_peers(0);
    assert!(tracker.may_name());
    assert!((4..5).contains(&wait(&mut tracker, 4)));
    assert!(wait(&mut tracker, 30) >= 30);
}

#[test]
fn an_answer_says_who_brings_pieces_into_the_rack() {
    let duty = |importer: &str| {
        let answer = Answer::parse(format!("d{importer}8:intervali20ee").as_bytes());
        answer.map(|answer| answer.duty)
    };
    assert_eq!(duty("").unwrap(), Duty::Unsaid);
    assert_eq!(duty("8:importeri-1e").unwrap(), Duty::Member);
    assert_eq!(duty("8:importeri0e").unwrap(), Duty::Importer(0));
    assert_eq!(duty("8:importeri255e").unwrap(), Duty::Importer(255));
    assert_eq!(
        duty("8:importeri256e").unwrap(),
        Duty::Importer(255),
        "a late turn"
    );
    for unknown in ["8:importeri-2e", "8:importer1:1", "8:importerle"] {
        assert_eq!(duty(unknown).unwrap(), Duty::Unsaid, "{unknown}");
    }
}
