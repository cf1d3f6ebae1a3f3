//! The HTTP origin: alone, busy, broken.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::world::{TestNode, World, wait_for};
use super::*;

/// How an origin behaves; the number is that of the request, from 0.
type Behave = fn(u32, &World, u64, u64) -> Vec<u8>;

fn range(world: &World, first: u64, last: u64) -> Vec<u8> {
    let body = &world.data[first as usize..=last as usize];
    let (len, size) = (body.len(), world.data.len());
    let head = format!(
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {len}\r\nContent-Range: bytes {first}-{last}/{size}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A small origin; it serves as long as the test runs.
fn origin(world: &Arc<World>, behave: Behave) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let requests = Arc::new(AtomicU32::new(0));
    let (world, count) = (Arc::clone(world), Arc::clone(&requests));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (world, count) = (Arc::clone(&world), Arc::clone(&count));
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let mut asked = None;
                while let Some(Ok(line)) = lines.next() {
                    if let Some(range) = line.strip_prefix("Range: bytes=") {
                        let (first, last) = range.split_once('-').unwrap();
                        asked = Some((first.parse().unwrap(), last.parse().unwrap()));
                    }
                    if line.is_empty() {
                        let (first, last) = asked.take().unwrap();
                        let answer = behave(count.fetch_add(1, Ordering::Relaxed), &world, first, last);
                        if stream.write_all(&answer).is_err() || answer.starts_with(b"HTTP/1.1 206 Broken") {
                            return;
                        }
                    }
                }
            });
        }
    });
    (addr, requests)
}

fn fetch_from(world: &World, origins: &[SocketAddr]) -> TestNode {
    let origins = origins.iter().map(|addr| format!("http://{addr}/file")).collect();
    TestNode::fetch(world, |t| TorrentConfig { origins, ..t }, &[])
}

fn finish(world: &World, node: TestNode) {
    node.assert_whole(world);
    let progress = node.stop();
    assert_eq!(progress.from_origin_bytes, world.data.len() as u64);
    assert_eq!(progress.from_peers_bytes, 0);
}

#[test]
fn without_peers_all_comes_from_the_origin() {
    let world = Arc::new(World::new(1_500_001, 65_536));
    let (addr, _) = origin(&world, |_, world, first, last| range(world, first, last));
    let node = fetch_from(&world, &[addr]);
    finish(&world, node);
}

#[test]
fn a_busy_origin_is_left_alone_for_as_long_as_it_says() {
    let world = Arc::new(World::new(300_000, 65_536));
    let (addr, requests) = origin(&world, |n, world, first, last| match n {
        0 => b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n".to_vec(),
        _ => range(world, first, last),
    });
    let started = Instant::now();
    let node = fetch_from(&world, &[addr]);
    node.assert_whole(&world);
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert!(requests.load(Ordering::Relaxed) >= 2);
    finish(&world, node);
}

#[test]
fn a_broken_origin_is_replaced_by_the_next() {
    let world = Arc::new(World::new(300_000, 65_536));
    let (broken, _) = origin(&world, |_, world, first, last| {
        let mut answer = range(world, first, last);
        answer.splice(9..30, *b"206 Broken           ");
        answer.truncate(answer.len() / 2);
        answer
    });
    let (lying, _) = origin(&world, |_, world, first, last| {
        let mut answer = range(world, first, last);
        let end = answer.len() - 1;
        answer[end] ^= 1;
        answer
    });
    let (good, requests) = origin(&world, |_, world, first, last| range(world, first, last));
    let node = fetch_from(&world, &[broken, lying, good]);
    for code in [Code::HttpMalformed, Code::OriginBadPiece] {
        let (url, error) = wait_for(&node.events, |e| match e {
            Event::OriginFailed { url, error } => Some((url, error)),
            _ => None,
        });
        assert_eq!(error.code, code, "{url}: {error}");
    }
    node.assert_whole(&world);
    assert!(requests.load(Ordering::Relaxed) >= 1);
    node.stop();
}

#[test]
fn a_seed_announces_itself() {
    let world = World::new(100_000, 16_384);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/announce", listener.local_addr().unwrap());
    let mut seeder = super::world::node(|_| {});
    let torrent = TorrentConfig {
        trackers: vec![url],
        ..world.seeding()
    };
    seeder.add_torrent(torrent.clone()).unwrap();
    let seeder = TestNode::run(seeder, torrent.artifact);
    let mut query = String::new();
    BufReader::new(listener.accept().unwrap().0)
        .read_line(&mut query)
        .unwrap();
    assert!(
        query.contains("event=started") && query.contains("left=0"),
        "{query}"
    );
    seeder.stop();
}

#[test]
fn a_tracker_names_the_peers() {
    let world = Arc::new(World::new(300_000, 65_536));
    let seeder = TestNode::seed(&world);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let tracker = listener.local_addr().unwrap();
    let port = seeder.addr().port().to_be_bytes();
    let (seen, completed) = std::sync::mpsc::channel();
    let announces = std::thread::spawn(move || {
        let mut queries = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut query = String::new();
            BufReader::new(stream.try_clone().unwrap())
                .read_line(&mut query)
                .unwrap();
            let body = [&b"d8:intervali30e5:peers6:\x7f\0\0\x01"[..], &port, b"e"].concat();
            let head = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            stream.write_all(&[head.as_bytes(), &body].concat()).unwrap();
            let stopped = query.contains("event=stopped");
            if query.contains("event=completed") {
                let _ = seen.send(());
            }
            queries.push(query);
            if stopped {
                return queries;
            }
        }
        queries
    });
    let url = format!("http://{tracker}/announce");
    let node = TestNode::fetch(
        &world,
        |t| TorrentConfig {
            trackers: vec![url],
            ..t
        },
        &[],
    );
    node.assert_whole(&world);
    wait_for(&node.events, |e| {
        matches!(e, Event::TorrentDone { .. }).then_some(())
    });
    let port = format!("port={}", node.addr().port());
    // A node that is stopped in the same moment need not get round to it.
    completed
        .recv_timeout(WAIT)
        .expect("the tracker hears of the completion");
    node.stop();
    let queries = announces.join().unwrap();
    assert!(
        queries[0].contains("event=started") && queries[0].contains(&port),
        "{}",
        queries[0]
    );
    seeder.stop();
}
