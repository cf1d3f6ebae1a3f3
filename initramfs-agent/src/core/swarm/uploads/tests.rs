//! Whose turn it is, in virtual time.

use super::requests::Requests;
use super::*;
use crate::core::limits::REQUESTS_QUEUED_MAX;

const NEIGHBOUR: Requester = Requester {
    site: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
    is_across: false,
    is_agent: true,
    is_fast: true,
    patience_us: SECOND / 10,
};
const ELSEWHERE: Requester = Requester {
    is_across: true,
    ..NEIGHBOUR
};
const CLIENT: Requester = Requester {
    is_agent: false,
    patience_us: 0,
    ..NEIGHBOUR
};
const LEN: u32 = 16 << 10;

/// The peers of these tests: the first hundred are neighbours, the next are elsewhere, then come other clients, each at
/// its own address. The next three hundred are the same at one address, all others at two.
fn who(conn: ConnId) -> Requester {
    let [.., third, last] = conn.0.to_be_bytes();
    let host = match conn.0 {
        ..300 => [10, 0, third, last],
        300..600 => [10, 9, 9, 9],
        _ => [10, 8, 8, last % 2],
    };
    Requester {
        site: host.into(),
        ..[NEIGHBOUR, ELSEWHERE, CLIENT][conn.0 as usize / 100 % 3]
    }
}

fn block(piece: u32, index: u32) -> Block {
    Block {
        piece,
        begin: index * LEN,
        len: LEN,
    }
}

/// Requests the first block of a piece.
fn request(uploads: &mut Uploads, conn: u32, piece: u32) -> Answer {
    uploads.request(0, ConnId(conn), block(piece, 0), true, who)
}

/// The peers of which a block goes to each, and when to look again.
fn advance(uploads: &mut Uploads, now: Micros, is_flat: bool) -> (Vec<u32>, Micros) {
    let next = uploads.advance(now, is_flat, who);
    (uploads.blocks().map(|(conn, _)| conn.0).collect(), next)
}

#[test]
fn first_come_first_served_and_few_at_a_time() {
    for (is_flat, most) in [(true, 7), (false, 6)] {
        let mut uploads = Uploads::default();
        assert!(uploads.is_idle());
        // Not in the order of their numbers.
        let order: Vec<u32> = (0..8).map(|n| n * 3 % 8).collect();
        for conn in &order {
            assert_eq!(request(&mut uploads, *conn, 5), Answer::Queued);
        }
        assert_eq!(advance(&mut uploads, 0, is_flat).0, order[..most]);
        assert_eq!(advance(&mut uploads, 1, is_flat).0, [0; 0]);
        assert_eq!(uploads.announced(0, ConnId(order[2]), 6), None, "not its piece");
        assert_eq!(uploads.announced(0, ConnId(order[2]), 5), Some(vec![]));
        assert_eq!(advance(&mut uploads, 1, is_flat).0, order[most..most + 1]);
        assert!(!uploads.is_idle());
    }
}

#[test]
fn pieces_are_sent_whole_and_little_at_a_time() {
    let mut uploads = Uploads::default();
    let conn = ConnId(1);
    // The requests of two pieces, mixed: the first piece is sent before the second.
    for index in 0..4 {
        for piece in [7, 8] {
            let answer = uploads.request(0, conn, block(piece, index), true, who);
            assert_eq!(answer, Answer::Queued);
        }
    }
    let mut sent = Vec::new();
    for now in 0..8 {
        uploads.advance(now, true, who);
        let new: Vec<Block> = uploads.blocks().map(|(_, block)| block).collect();
        assert_eq!(new.len(), if now == 0 { 2 } else { usize::from(now < 7) });
        sent.extend(new);
        uploads.sent(now, conn, LEN);
    }
    let all = [7, 8].map(|piece| [0, 1, 2, 3].map(|index| block(piece, index)));
    assert_eq!(sent, all.concat());
    uploads.sent(0, conn, u32::MAX); // more than there was
    uploads.sent(0, ConnId(2), LEN);
}

#[test]
fn two_at_a_time_are_in_other_racks() {
    let mut uploads = Uploads::default();
    for conn in [100, 101, 102, 103, 1] {
        request(&mut uploads, conn, 5);
    }
    assert_eq!(advance(&mut uploads, 0, false).0, [100, 101, 1]);
    uploads.announced(0, ConnId(101), 5);
    assert_eq!(advance(&mut uploads, 0, false).0, [102]);
}

#[test]
fn agents_look_elsewhere_when_many_wait_and_clients_queue() {
    let mut uploads = Uploads::default();
    let answers = |uploads: &mut Uploads, conns: std::ops::Range<u32>| {
        let queued = |conn: &u32| request(uploads, *conn, 5) == Answer::Queued;
        conns.filter(queued).count()
    };
    assert_eq!(answers(&mut uploads, 0..12), 8);
    // They do not keep each other out.
    assert_eq!(answers(&mut uploads, 100..112), 6);
    assert_eq!(answers(&mut uploads, 200..212), 12);
    // The rest of a piece whose turn comes is taken.
    let next = uploads.request(0, ConnId(0), block(5, 1), true, who);
    assert_eq!(next, Answer::Queued);
    assert_eq!(request(&mut uploads, 0, 6), Answer::Rejected);
}

#[test]
fn alone_an_agent_may_ask_for_more() {
    let mut uploads = Uploads::default();
    for piece in 0..20 {
        assert_eq!(request(&mut uploads, 1, piece), Answer::Queued);
    }
    // It has half of them when another one asks.
    for piece in 0..6 {
        let answer = request(&mut uploads, 2, piece);
        assert_eq!(answer == Answer::Queued, piece < 4, "{piece}");
    }
}

#[test]
fn a_turn_ends_when_its_peer_had_the_time_to_announce_the_piece() {
    for (conn, patience_us) in [(1, SECOND / 10), (201, 0)] {
        let mut uploads = Uploads::default();
        request(&mut uploads, conn, 5);
        assert_eq!(advance(&mut uploads, 10, true), (vec![conn], 10 + STUCK_US));
        uploads.sent(10, ConnId(conn), LEN);
        if patience_us > 0 {
            assert_eq!(advance(&mut uploads, 20, true).1, 10 + patience_us);
            assert_eq!(advance(&mut uploads, 9 + patience_us, true).1, 10 + patience_us);
        }
        assert!(!uploads.is_idle());
        assert_eq!(advance(&mut uploads, 10 + patience_us, true).1, Micros::MAX);
        assert!(uploads.is_idle());
    }
}

#[test]
fn turns_that_do_not_move_hold_nobody_up() {
    let mut uploads = Uploads::default();
    (0..7).for_each(|conn| assert_eq!(request(&mut uploads, conn, 5), Answer::Queued));
    request(&mut uploads, 200, 5);
    assert_eq!(advance(&mut uploads, 0, true), ((0..7).collect(), STUCK_US));
    assert_eq!(advance(&mut uploads, STUCK_US - 1, true), (vec![], STUCK_US));
    let next = 2 * STUCK_US;
    assert_eq!(advance(&mut uploads, STUCK_US, true), (vec![200], next));
    // Once their bytes have gone out, their turns are over.
    (0..7).for_each(|conn| uploads.sent(STUCK_US, ConnId(conn), LEN));
    assert_eq!(advance(&mut uploads, STUCK_US + 1, true), (vec![], next));
    uploads.announced(0, ConnId(200), 5);
    assert!(uploads.is_idle());
}

#[test]
fn who_reads_nothing_keeps_nobody_out() {
    // An agent and another client that request as much as they may, each over one connection.
    for deaf in [1, 200] {
        let mut uploads = Uploads::default();
        for piece in 0..20 {
            assert_eq!(request(&mut uploads, deaf, piece), Answer::Queued);
        }
        assert_eq!(advance(&mut uploads, 0, true).0, [deaf; 2]);
        for conn in 2..6 {
            assert_eq!(request(&mut uploads, conn, 0), Answer::Queued, "{conn}");
        }
        assert_eq!(advance(&mut uploads, 1, true).0, [2, 3, 4, 5]);
        // Then it is not counted any more.
        advance(&mut uploads, STUCK_US, true);
        assert!(uploads.turns.iter().all(|t| t.conn.0 != deaf));
        for conn in 6..10 {
            assert_eq!(request(&mut uploads, conn, 0), Answer::Queued, "{conn}");
        }
        assert_eq!(advance(&mut uploads, STUCK_US, true).0, [6, 7, 8]);
        // And is served on when it reads.
        uploads.sent(STUCK_US, ConnId(deaf), LEN);
        (2..10).for_each(|conn| drop(uploads.announced(STUCK_US, ConnId(conn), 0)));
        assert_eq!(advance(&mut uploads, STUCK_US, true).0, [deaf]);
    }
}

#[test]
fn what_a_peer_has_got_elsewhere_is_not_sent() {
    let mut uploads = Uploads::default();
    for index in 0..3 {
        uploads.request(0, ConnId(1), block(5, index), true, who);
    }
    assert_eq!(advance(&mut uploads, 0, true).0, [1, 1]);
    let needless = uploads.announced(0, ConnId(1), 5);
    assert_eq!(needless, Some(vec![block(5, 2)]));
    uploads.sent(0, ConnId(1), 2 * LEN);
    assert!(uploads.is_idle());
    assert_eq!(uploads.announced(0, ConnId(1), 5), None);
}

#[test]
fn one_address_has_half_of_the_places_while_others_wait() {
    let mut uploads = Uploads::default();
    let is_queued = |uploads: &mut Uploads, conn| request(uploads, conn, 5) == Answer::Queued;
    let of_one = (300..312).filter(|conn| is_queued(&mut uploads, *conn)).count();
    assert_eq!(of_one, 8);
    let others = (1..9).filter(|conn| is_queued(&mut uploads, *conn)).count();
    assert_eq!(others, 4);
    assert!(!is_queued(&mut uploads, 320));
    assert_eq!(advance(&mut uploads, 0, true).0, [300, 301, 302, 1, 2, 3, 4]);
    (1..5).for_each(|conn| drop(uploads.announced(0, ConnId(conn), 5)));
    assert_eq!(advance(&mut uploads, 0, true).0, [303, 304, 305, 306]);
    // What others leave is its own again.
    assert!(is_queued(&mut uploads, 1));
    (300..304).for_each(|conn| drop(uploads.announced(0, ConnId(conn), 5)));
    assert_eq!(advance(&mut uploads, 0, true).0, [1, 307]);
}

#[test]
fn a_piece_that_is_taken_back_holds_no_place() {
    let mut uploads = Uploads::default();
    for conn in [100, 101, 102, 103] {
        request(&mut uploads, conn, 5);
    }
    uploads.request(0, ConnId(101), block(5, 1), true, who);
    uploads.request(0, ConnId(101), block(5, 2), true, who);
    assert_eq!(advance(&mut uploads, 0, false).0, [100, 101, 101]);
    // What was given to the shell is sent, and nobody waits for it to be announced.
    assert!(!uploads.cancel(0, ConnId(100), block(5, 0)));
    assert_eq!(advance(&mut uploads, 0, false).0, [102]);
    // Another block of the piece still waits.
    assert!(!uploads.cancel(0, ConnId(101), block(5, 0)));
    assert_eq!(advance(&mut uploads, 0, false).0, [0; 0]);
    assert!(uploads.cancel(0, ConnId(101), block(5, 2)));
    assert_eq!(advance(&mut uploads, 0, false).0, [103]);
}

#[test]
fn one_address_elsewhere_has_one_of_the_two_places_for_other_racks() {
    let mut uploads = Uploads::default();
    for conn in [400, 401, 402] {
        request(&mut uploads, conn, 5);
    }
    assert_eq!(advance(&mut uploads, 0, false).0, [400, 401]);
    request(&mut uploads, 100, 5);
    assert_eq!(advance(&mut uploads, 0, false).0, [100]);
    uploads.announced(0, ConnId(100), 5);
    assert_eq!(advance(&mut uploads, 0, false).0, [0; 0]);
    uploads.announced(0, ConnId(400), 5);
    assert_eq!(advance(&mut uploads, 0, false).0, [402]);
}

#[test]
fn what_cannot_be_served_is_rejected_where_the_peer_understands_it() {
    let mut uploads = Uploads::default();
    for (is_fast, refused) in [(true, Answer::Rejected), (false, Answer::Ignored)] {
        let who = |_| Requester { is_fast, ..CLIENT };
        let conn = ConnId(u32::from(is_fast));
        let mut ask = |piece, has| uploads.request(0, conn, block(piece, 0), has, who);
        assert_eq!(ask(5, false), refused);
        assert_eq!(ask(5, true), Answer::Queued);
        assert_eq!(ask(5, true), Answer::Ignored, "it waits already");
    }
    assert!(uploads.cancel(0, ConnId(1), block(5, 0)));
    assert!(!uploads.cancel(0, ConnId(1), block(5, 0)));
    assert!(!uploads.cancel(0, ConnId(2), block(5, 0)));
    assert_eq!(advance(&mut uploads, 0, true).0, [0]);
}

#[test]
fn one_connection_holds_a_bounded_number_of_requests_and_turns() {
    let mut uploads = Uploads::default();
    let conn = ConnId(299);
    let held = |uploads: &Uploads| {
        let turns = uploads.turns.iter().filter(|t| t.conn == conn);
        (turns.count(), uploads.demand.get(conn).map(Requests::waiting))
    };
    let most = REQUESTS_QUEUED_MAX;
    // As long as others are served first, its turns are not looked at.
    (0..7).for_each(|conn| assert_eq!(request(&mut uploads, conn, 0), Answer::Queued));
    for piece in 0..most as u32 + 9 {
        let answer = request(&mut uploads, conn.0, piece);
        assert_eq!(answer == Answer::Queued, piece < most as u32);
    }
    assert_eq!(held(&uploads), (8, Some(most)));
    for piece in 0..2 * most as u32 {
        request(&mut uploads, conn.0, piece);
        uploads.cancel(0, conn, block(piece, 0));
        uploads.advance(0, true, who);
    }
    assert_eq!(held(&uploads), (0, Some(0)));
    uploads.forget(0, conn);
    assert_eq!(uploads.turns.len(), 7);
    assert!(uploads.demand.get(conn).is_none());
    (0..7).for_each(|conn| uploads.forget(0, ConnId(conn)));
    assert!(uploads.is_idle() && (0..7).all(|conn| uploads.demand.get(ConnId(conn)).is_none()));
}

/// A machine that requests pieces of four blocks, and reads them over a link of its own.
struct Reader {
    conn: ConnId,
    bytes_a_second: u64,
    /// It requests as much as it may and announces nothing; others take one piece after the other.
    is_greedy: bool,
    piece: u32,
    /// What it has not yet read, and what it has read of its piece, bytes.
    unread: u64,
    read: u64,
    pieces: usize,
}

impl Reader {
    fn new(conn: u32, bytes_a_second: u64, is_greedy: bool) -> Self {
        Self {
            conn: ConnId(conn),
            bytes_a_second,
            is_greedy,
            piece: 0,
            unread: 0,
            read: 0,
            pieces: 0,
        }
    }

    fn asks(&self, uploads: &mut Uploads, now: Micros) {
        let wanted = if self.is_greedy {
            self.piece..self.piece + 9
        } else {
            self.piece..self.piece + 1
        };
        for piece in wanted {
            for index in 0..4 {
                uploads.request(now, self.conn, block(piece, index), true, who);
            }
        }
    }

    fn reads(&mut self, uploads: &mut Uploads, now: Micros, bytes: u64) {
        let bytes = bytes.min(self.unread);
        self.unread -= bytes;
        self.read += bytes;
        if bytes > 0 {
            uploads.sent(now, self.conn, bytes as u32);
        }
        if self.read >= 4 * u64::from(LEN) {
            self.read = 0;
            if !self.is_greedy {
                uploads.announced(now, self.conn, self.piece);
            }
            self.piece += 1;
            self.pieces += 1;
        }
    }
}

/// Lets them read over a link that they share for so many seconds. Returns the pieces that each got in the second half,
/// and whether anybody crawled.
fn share(link_bytes_a_second: u64, seconds: u64, is_flat: bool, mut all: Vec<Reader>) -> (Vec<usize>, bool) {
    const STEPS: u64 = 100;
    let mut uploads = Uploads::default();
    let (mut early, mut crawled) = (Vec::new(), false);
    for step in 0..seconds * STEPS {
        let now = step * SECOND / STEPS;
        if step == seconds * STEPS / 2 {
            early = all.iter().map(|r| r.pieces).collect();
        }
        for at in 0..all.len() {
            all[(at + step as usize) % all.len()].asks(&mut uploads, now);
        }
        uploads.advance(now, is_flat, who);
        for (conn, block) in uploads.blocks() {
            let reader = all.iter_mut().find(|r| r.conn == conn);
            reader.expect("one of them").unread += u64::from(block.len);
        }
        let reading = all.iter().filter(|r| r.unread > 0).count();
        crawled |= all.iter().any(|r| uploads.demand.is_crawling(r.conn));
        // What a slow reader leaves is for the others.
        let (mut link, mut left) = (link_bytes_a_second / STEPS, reading as u64);
        all.sort_by_key(|r| r.bytes_a_second);
        for reader in all.iter_mut().filter(|r| r.unread > 0) {
            let bytes = (link / left).min(reader.bytes_a_second / STEPS);
            link -= bytes;
            left -= 1;
            reader.reads(&mut uploads, now, bytes);
        }
    }
    let late = all.iter().zip(early).map(|(r, early)| r.pieces - early);
    (late.collect(), crawled)
}

const FAST: u64 = 12_500_000;

fn honest(conns: std::ops::Range<u32>) -> Vec<Reader> {
    conns.map(|conn| Reader::new(conn, FAST, false)).collect()
}

#[test]
fn two_addresses_that_trickle_hold_nobody_up() {
    for (is_flat, first, rate) in [
        (true, 1, 8_000),
        (true, 1, 500),
        (false, 1, 8_000),
        (false, 1, 500),
        (false, 101, 8_000),
        (false, 101, 500),
    ] {
        let (without, _) = share(FAST, 40, is_flat, honest(first + 2..first + 8));
        let mut all = vec![
            Reader::new(first, rate, true),
            Reader::new(first + 1, 2 * rate, true),
        ];
        all.extend(honest(first + 2..first + 8));
        let (with, crawled) = share(FAST, 40, is_flat, all);
        assert!(crawled);
        let are_served = with[..2].iter().all(|pieces| *pieces > 0);
        assert!(are_served || rate < 8_000, "{with:?}");
        for (with, without) in with[2..].iter().zip(&without) {
            assert!(
                *with * 10 >= *without * 9,
                "{is_flat} {first} {rate}: {with} of {without}"
            );
        }
    }
}

#[test]
fn who_connects_again_and_again_is_known() {
    let mut uploads = Uploads::default();
    let (mut served, mut asked) = (0, 0);
    for step in 0..4_000u64 {
        let now = step * SECOND / 100;
        // They read nothing, and begin anew before that shows.
        let bad = [1_200, 1_201].map(|first| ConnId(first + 2 * (step / 100) as u32));
        for conn in bad {
            for piece in 0..9 {
                uploads.request(now, conn, block(piece, 0), true, who);
            }
        }
        for conn in 3..9 {
            let answer = uploads.request(now, ConnId(conn), block(step as u32, 0), true, who);
            asked += usize::from(step >= 2_000);
            served += usize::from(step >= 2_000 && answer == Answer::Queued);
        }
        uploads.advance(now, true, who);
        let blocks: Vec<_> = uploads.blocks().collect();
        for (conn, block) in blocks.into_iter().filter(|(conn, _)| conn.0 < 9) {
            uploads.sent(now, conn, block.len);
            uploads.announced(now, conn, block.piece);
        }
        if step % 100 == 99 {
            bad.into_iter().for_each(|conn| uploads.forget(now, conn));
        }
    }
    assert!(served * 10 >= asked * 9, "{served} of {asked}");
}

#[test]
fn who_takes_little_of_each_piece_is_counted_as_who_trickles() {
    let mut uploads = Uploads::default();
    let (mut served, mut asked) = (0, 0);
    for step in 0..2_000u64 {
        let now = step * SECOND / 100;
        for conn in [1, 2] {
            for piece in 0..9 {
                let tiny = Block {
                    len: 1,
                    ..block(piece + 9 * step as u32, 0)
                };
                uploads.request(now, ConnId(conn), tiny, true, who);
            }
        }
        for conn in 3..9 {
            let answer = uploads.request(now, ConnId(conn), block(step as u32, 0), true, who);
            asked += usize::from(step >= 1_000);
            served += usize::from(step >= 1_000 && answer == Answer::Queued);
        }
        uploads.advance(now, true, who);
        let blocks: Vec<_> = uploads.blocks().collect();
        for (conn, block) in blocks {
            uploads.sent(now, conn, block.len);
            if conn.0 > 2 {
                uploads.announced(now, conn, block.piece);
            }
        }
    }
    assert!(served * 10 >= asked * 9, "{served} of {asked}");
}

#[test]
fn where_all_links_are_slow_nobody_crawls() {
    for link in [125_000, 1_000_000] {
        let slow = |conns: std::ops::Range<u32>| conns.map(|c| Reader::new(c, link, false)).collect();
        let (pieces, crawled) = share(link, 120, true, slow(1..11));
        assert!(!crawled, "{link}");
        assert!(pieces.iter().all(|p| *p > 0), "{pieces:?}");
    }
}

#[test]
fn a_slow_link_gets_what_it_takes() {
    let slow = || Reader::new(1, 187_500, false);
    let (alone, ..) = share(FAST, 40, true, vec![slow()]);
    let mut all = vec![slow()];
    all.extend(honest(2..12));
    let (among, ..) = share(FAST, 40, true, all);
    assert!(among[0] * 10 >= alone[0] * 9, "{among:?} {alone:?}");
}
