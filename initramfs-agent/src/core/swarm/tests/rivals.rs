//! A node among peers of every kind and an origin, in virtual time: nobody waits for a source while another is shown to be
//! faster.

use std::collections::BTreeMap;

use super::hedge::site;
use super::*;

/// What a manifest takes from an idle server.
const SERVER_US: Micros = 20 * MILLISECOND;

/// What a peer does with requests.
#[derive(Clone, Copy)]
enum Manner {
    /// It sends one block after the other, each in this time.
    Sends(Micros),
    Silent,
    /// It sends nothing, and a keep-alive every so often.
    Chats(Micros),
}

/// How the origin answers.
#[derive(Clone, Copy)]
enum Origin {
    /// A piece in this time.
    Sends(Micros),
    Busy,
}

enum Event {
    Block(ConnId, Block),
    Chat(ConnId),
    Piece(FetchId, u32),
    Ended(FetchId),
    Busy(FetchId),
}

/// One node and all that it talks to.
struct Site {
    s: Swarm,
    pieces: u32,
    now: Micros,
    manners: BTreeMap<ConnId, Manner>,
    free_at: BTreeMap<ConnId, Micros>,
    origin: Origin,
    events: BTreeMap<(Micros, u64), Event>,
    count: u64,
    /// What was asked of the origin: ranges, and when the first one was.
    fetches: usize,
    first_fetch_at: Micros,
    closed: usize,
}

impl Site {
    fn new(pieces: u32, origin: Origin) -> Self {
        let mut s = swarm_of(1, SERVER_US);
        s.add_torrent(0, site(pieces));
        Self {
            s,
            pieces,
            now: 0,
            manners: BTreeMap::new(),
            free_at: BTreeMap::new(),
            origin,
            events: BTreeMap::new(),
            count: 0,
            fetches: 0,
            first_fetch_at: Micros::MAX,
            closed: 0,
        }
    }

    /// A peer connects and says what it has: bits of a field, all where there are none.
    fn add(&mut self, manner: Manner, has: Option<&[u8]>) -> ConnId {
        let n = self.manners.len() as u8;
        let conn = join(&mut self.s, u32::from(n) * 2 + 1, n + 2, id(n + 2));
        self.manners.insert(conn, manner);
        if let Manner::Chats(every) = manner {
            self.at(every, Event::Chat(conn));
        }
        let message = has.map_or(Message::HaveAll, Message::Bitfield);
        self.s.handle(0, Input::Message { conn, message });
        self.act();
        conn
    }

    fn at(&mut self, at: Micros, event: Event) {
        self.count += 1;
        self.events.insert((at, self.count), event);
    }

    /// Lets it run until the node has everything; when that was, or `None`.
    fn run(&mut self, limit: Micros) -> Option<Micros> {
        while self.s.progress(T0).pieces_done < self.pieces {
            let deadline = self.s.deadline().unwrap_or(Micros::MAX);
            let event = self.events.first_key_value().map(|(at, _)| *at);
            let next = event.map_or(deadline, |(at, _)| at.min(deadline)).max(self.now);
            if next > limit {
                return None;
            }
            self.now = next;
            match event.filter(|(at, _)| *at <= next) {
                Some(key) => {
                    if let Some(event) = self.events.remove(&key) {
                        self.happen(event);
                    }
                }
                None => self.s.handle(next, Input::Tick),
            }
            self.act();
        }
        Some(self.now)
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Block(conn, block) => {
                if self.s.place_block(conn, block).is_some() {
                    self.s.handle(now, Input::Block { conn, block });
                }
            }
            Event::Chat(conn) => {
                let message = Message::KeepAlive;
                self.s.handle(now, Input::Message { conn, message });
                if let Some(Manner::Chats(every)) = self.manners.get(&conn) {
                    self.at(now + every, Event::Chat(conn));
                }
            }
            Event::Piece(fetch, piece) => self.s.handle(
                now,
                Input::Fetched {
                    fetch,
                    piece,
                    ok: true,
                },
            ),
            Event::Ended(fetch) | Event::Busy(fetch) => {
                let retry_after = matches!(event, Event::Busy(_)).then_some(2 * SECOND);
                let failed = false;
                self.s.handle(
                    now,
                    Input::FetchEnded {
                        fetch,
                        retry_after,
                        failed,
                    },
                );
            }
        }
    }

    fn act(&mut self) {
        let now = self.now;
        while let Some(output) = self.s.poll() {
            match output {
                Output::Send { conn, message } => self.said(conn, &message),
                Output::Close { conn, .. } => {
                    self.closed += 1;
                    self.manners.remove(&conn);
                    self.events
                        .retain(|_, e| !matches!(e, Event::Block(c, _) if *c == conn));
                }
                Output::Verify { torrent, piece, slot } => {
                    let ok = true;
                    self.s.handle(
                        now,
                        Input::Verified {
                            torrent,
                            piece,
                            slot,
                            ok,
                        },
                    );
                }
                Output::Fetch {
                    fetch, piece, count, ..
                } => {
                    self.fetches += 1;
                    self.first_fetch_at = self.first_fetch_at.min(now);
                    let Origin::Sends(piece_us) = self.origin else {
                        self.at(now + MILLISECOND, Event::Busy(fetch));
                        continue;
                    };
                    for n in 0..count {
                        self.at(
                            now + piece_us * Micros::from(n + 1),
                            Event::Piece(fetch, piece + n),
                        );
                    }
                    self.at(now + piece_us * Micros::from(count), Event::Ended(fetch));
                }
                Output::CancelFetch { fetch } => {
                    let of = |e: &Event| matches!(e, Event::Piece(f, _) | Event::Ended(f) if *f == fetch);
                    self.events.retain(|_, e| !of(e));
                }
                _ => {}
            }
        }
    }

    fn said(&mut self, conn: ConnId, message: &Outgoing) {
        match (message, self.manners.get(&conn)) {
            (Outgoing::Request(block), Some(Manner::Sends(block_us))) => {
                let free_at = self.free_at.get(&conn).copied().unwrap_or(0).max(self.now);
                let at = free_at + block_us;
                self.free_at.insert(conn, at);
                self.at(at, Event::Block(conn, *block));
            }
            (Outgoing::Cancel(block), _) => {
                let of = |e: &Event| matches!(e, Event::Block(c, b) if *c == conn && b == block);
                self.events.retain(|_, e| !of(e));
            }
            _ => {}
        }
    }
}

/// 64 KiB in 5 ms: an idle server in the same building.
const HEALTHY: Origin = Origin::Sends(5 * MILLISECOND);

#[test]
fn peers_that_claim_everything_and_send_nothing_do_not_hold_up_a_boot() {
    for manner in [Manner::Silent, Manner::Chats(SECOND / 2)] {
        for pieces in [1, 2, 20, 200] {
            let mut site = Site::new(pieces, HEALTHY);
            for _ in 0..23 {
                site.add(manner, None);
            }
            let done = site.run(150 * SECOND).expect("it boots");
            assert!(done <= 3 * SECOND, "{pieces} pieces after {done}");
        }
    }
}

#[test]
fn nor_do_those_that_say_that_they_lack_a_piece() {
    let mut site = Site::new(200, HEALTHY);
    for n in 0..23 {
        let mut bits = [0xff; 25];
        bits[n] = 0x7f;
        site.add(Manner::Chats(SECOND / 2), Some(&bits));
    }
    let done = site.run(150 * SECOND).expect("it boots");
    assert!(done <= 12 * SECOND, "after {done}");
}

#[test]
fn one_slow_peer_does_not_hold_up_a_boot() {
    // 0.26 MB/s: 105 s for 26 MB, of which the origin would need 2 s.
    let mut site = Site::new(400, HEALTHY);
    site.add(Manner::Sends(63 * MILLISECOND), None);
    let done = site.run(150 * SECOND).expect("it boots");
    assert!(done <= 8 * SECOND, "after {done}");
}

#[test]
fn nor_do_many_that_trickle() {
    let mut site = Site::new(400, HEALTHY);
    for _ in 0..23 {
        site.add(Manner::Sends(2 * SECOND), None);
    }
    let done = site.run(300 * SECOND).expect("it boots");
    assert!(done <= 60 * SECOND, "after {done}");
}

#[test]
fn an_origin_that_is_no_faster_than_the_peers_is_left_alone() {
    // Both 1 MB/s, 100 s.
    let mut site = Site::new(1600, Origin::Sends(64 * MILLISECOND));
    site.add(Manner::Sends(16 * MILLISECOND), None);
    let done = site.run(150 * SECOND).expect("it boots");
    assert!(done >= 95 * SECOND, "after {done}");
    assert!((1..=8).contains(&site.fetches), "{} fetches", site.fetches);
}

#[test]
fn a_busy_origin_is_left_alone_for_longer_and_longer() {
    let mut site = Site::new(400, Origin::Busy);
    site.add(Manner::Sends(63 * MILLISECOND), None);
    site.run(150 * SECOND).expect("it boots");
    assert!((1..=8).contains(&site.fetches), "{} fetches", site.fetches);
}

#[test]
fn a_node_in_a_crowd_leaves_the_origin_to_those_who_have_nobody() {
    // Neighbours that lack most of it wait as we do, and give us something now and then.
    let mut site = Site::new(400, HEALTHY);
    for n in 0..23 {
        let mut bits = [0; 50];
        bits[n] = 0xff;
        bits[n + 23] = 0xff;
        site.add(Manner::Sends(300 * MILLISECOND), Some(&bits));
    }
    site.run(40 * SECOND);
    assert_eq!(site.fetches, 0);
}

#[test]
fn a_third_of_the_neighbours_that_sends_nothing_costs_little() {
    let boot = |silent: usize, manner: Manner| {
        let mut site = Site::new(400, Origin::Busy);
        for n in 0..8 + silent {
            match n % 3 == 0 && n / 3 < silent {
                true => site.add(manner, None),
                false => site.add(Manner::Sends(20 * MILLISECOND), None),
            };
        }
        site.run(300 * SECOND).expect("it boots")
    };
    let without = boot(0, Manner::Silent);
    for manner in [Manner::Silent, Manner::Chats(SECOND / 2)] {
        let with = boot(4, manner);
        assert!(with * 10 <= without * 13, "{with} instead of {without}");
    }
}

#[test]
fn a_peer_that_stays_silent_loses_its_place() {
    let mut site = Site::new(400, Origin::Busy);
    for n in 0..12 {
        match n % 2 {
            0 => site.add(Manner::Chats(SECOND / 2), None),
            _ => site.add(Manner::Sends(50 * MILLISECOND), None),
        };
    }
    site.run(300 * SECOND).expect("it boots");
    assert!(site.closed > 0);
}
