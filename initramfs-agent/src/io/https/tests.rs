use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::pki_types::UnixTime;

use super::testing::{Answer, Request, Server, ok, status, trust};
use super::{Client, Timeouts, unproven};
use crate::core::error::Code;

fn client() -> Client {
    Client::new(&trust("ca.pem", [0; 32]))
}

fn raw(answer: &'static str) -> Server {
    Server::http(move |_: &Request| Answer::Close(answer.as_bytes().to_vec()))
}

fn get(server: &Server) -> crate::core::error::Result<Vec<u8>> {
    client().get(&server.url("/"), None)?.check()?.read_all(1000)
}

#[test]
fn speaks_tls_keeps_the_connection_and_asks_for_ranges() {
    let server = Server::https("server", |r: &Request| {
        ok(format!(
            "{} {} {} {:?}",
            r.conn,
            r.target(),
            r.header("host").unwrap(),
            r.header("range")
        )
        .as_bytes())
    });
    let client = client();
    for (range, seen) in [(None, "None"), (Some((5, 9)), "Some(\"bytes=5-9\")")] {
        let body = client
            .get(&server.url("/a?b"), range)
            .unwrap()
            .check()
            .unwrap()
            .read_all(100)
            .unwrap();
        assert_eq!(
            String::from_utf8(body).unwrap(),
            format!("0 /a?b {} {seen}", server.addr)
        );
    }
    // A body that was not read to the end costs the connection.
    drop(client.get(&server.url("/"), None).unwrap());
    let body = client
        .clone()
        .get(&server.url("/"), None)
        .unwrap()
        .read_all(100)
        .unwrap();
    assert_eq!(body[0], b'1');
}

#[test]
fn clones_share_a_connection_to_each_server() {
    let server = Server::https("server", |r: &Request| ok(r.conn.to_string().as_bytes()));
    let (one, url) = (client(), server.url("/"));
    let two = one.clone();
    let conn = |client: &Client| client.get(&url, None).unwrap().read_all(9).unwrap();
    assert_eq!([conn(&one), conn(&two), conn(&one)], [b"0", b"0", b"0"]);
    // While one is in use the other opens its own.
    let busy = one.get(&url, None).unwrap();
    assert_eq!(conn(&two), b"1");
    assert_eq!(busy.read_all(9).unwrap(), b"0");
    // One server's connection does not cost another's.
    let other = Server::https("server", |r: &Request| ok(r.conn.to_string().as_bytes()));
    let there = || two.get(&other.url("/"), None).unwrap().read_all(9).unwrap();
    assert_eq!(
        [there(), conn(&one), there(), conn(&one)],
        [b"0", b"0", b"0", b"0"]
    );
}

#[test]
fn compressed_bodies_are_inflated_within_bounds_and_only_when_asked_for() {
    let zip = |bytes: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    let plain = vec![7; 100_000];
    let whole = zip(&plain);
    let mut spoiled = whole.clone();
    let crc = spoiled.len() - 6;
    spoiled[crc] ^= 1;
    let bodies = [
        whole.clone(),
        [&whole[..], b"x"].concat(),
        whole[..whole.len() - 1].to_vec(),
        spoiled,
        b"not gzip".to_vec(),
    ];
    let server = Server::https("server", move |r: &Request| {
        let body = &bodies[r.target()[1..].parse::<usize>().unwrap()];
        let asked = r.header("accept-encoding") == Some("bw1, gzip");
        let head = format!(
            "HTTP/1.1 200 X\r\nContent-Encoding: gzip\r\nX: {asked}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        Answer::Keep([head.as_bytes(), body].concat())
    });
    let client = client();
    let get = |n: usize, max| {
        let answer = client
            .get_compressed(&server.url(&format!("/{n}")), &unproven)
            .unwrap();
        answer.read_all(max).map_err(|e| e.code)
    };
    assert_eq!(get(0, 100_000).unwrap(), plain);
    assert_eq!(get(0, 99_999), Err(Code::HttpMalformed), "a bomb");
    for n in 1..5 {
        assert_eq!(get(n, 100_000), Err(Code::HttpMalformed), "{n}");
    }
    let as_it_is = client
        .get(&server.url("/0"), None)
        .unwrap()
        .read_all(100_000)
        .unwrap();
    assert_eq!(as_it_is, whole);
}

#[test]
fn posts_a_body() {
    let server = Server::https("server", |r: &Request| {
        ok(format!(
            "{} {}",
            r.header("content-type").unwrap(),
            String::from_utf8_lossy(&r.body)
        )
        .as_bytes())
    });
    let answer = client()
        .post(&server.url("/e"), "application/json", b"[1]", &unproven)
        .unwrap();
    assert_eq!(answer.read_all(100).unwrap(), b"application/json [1]");
}

#[test]
fn a_connection_that_went_stale_is_replaced_once() {
    let seen = AtomicUsize::new(0);
    let server = Server::https("server", move |_: &Request| {
        match seen.fetch_add(1, Ordering::SeqCst) {
            0 => ok(b"first"),
            1 => Answer::Close(Vec::new()),
            2 => ok(b"second"),
            _ => Answer::Close(Vec::new()),
        }
    });
    let client = client();
    for expected in ["first", "second"] {
        let body = client.get(&server.url("/"), None).unwrap().read_all(100).unwrap();
        assert_eq!(body, expected.as_bytes());
    }
    let e = client.get(&server.url("/"), None).map(|_| ()).unwrap_err();
    assert_eq!(e.code, Code::ServerUnreachable);
}

#[test]
fn what_is_sent_again_is_proven_anew() {
    let (send, proofs) = std::sync::mpsc::channel();
    let seen = AtomicUsize::new(0);
    let server = Server::https("server", move |r: &Request| {
        send.send(r.header("authorization").unwrap().to_owned()).unwrap();
        match seen.fetch_add(1, Ordering::SeqCst) {
            1 => Answer::Close(Vec::new()),
            _ => ok(b"fine"),
        }
    });
    let client = client();
    let made = AtomicUsize::new(0);
    let proof = |method: &str, target: &str, body: &[u8]| {
        let number = made.fetch_add(1, Ordering::SeqCst);
        format!("Authorization: {method} {target} {} {number}\r\n", body.len())
    };
    let get = client.get_compressed(&server.url("/m?x=1"), &proof).unwrap();
    get.read_all(100).unwrap();
    client.post(&server.url("/e"), "a/b", b"[1]", &proof).unwrap();
    assert_eq!(
        proofs.try_iter().collect::<Vec<_>>(),
        ["GET /m?x=1 0 0", "POST /e 3 1", "POST /e 3 2"]
    );
}

#[test]
fn refuses_a_server_of_another_authority_and_plain_text_where_tls_is_due() {
    let server = Server::https("server", |_: &Request| ok(b"secret"));
    let stranger = Client::new(&trust("other-ca.pem", [0; 32]));
    assert_eq!(
        stranger.get(&server.url("/"), None).map(|_| ()).unwrap_err().code,
        Code::TlsFailed
    );
    let plain = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", plain.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let mut tcp = plain.accept().unwrap().0;
        tcp.read_exact(&mut [0; 100]).unwrap(); // of the ClientHello
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        tcp // closing it now would reset the connection before the answer is read
    });
    assert_eq!(
        client().get(&url, None).map(|_| ()).unwrap_err().code,
        Code::TlsFailed
    );
    answering.join().unwrap();
}

#[test]
fn a_clock_that_cannot_be_right_does_not_stop_a_boot() {
    let server = Server::https("later", |_: &Request| ok(b"fine"));
    let trust = trust("ca.pem", [0; 32]);
    let at = |clock: fn() -> UnixTime| {
        Client::with_clock(&trust, clock)
            .get(&server.url("/"), None)
            .map(|_| ())
    };
    at(|| UnixTime::since_unix_epoch(Duration::ZERO)).unwrap();
    // 2027 is a clock that may be right, and the certificate starts in 2060.
    let e = at(|| UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000))).unwrap_err();
    assert_eq!(e.code, Code::TlsFailed);
    assert!(
        e.message.contains(
            "this node's clock says 2027-01-15 08:00:00 UTC, and the server's certificate begins 2060-"
        ),
        "{e}"
    );
    at(|| UnixTime::since_unix_epoch(Duration::from_secs(3_000_000_000))).unwrap();
    let e = at(|| UnixTime::since_unix_epoch(Duration::from_secs(4_200_000_000))).unwrap_err();
    assert_eq!(e.code, Code::TlsFailed, "2103: expired");
    assert!(
        e.message
            .contains("clock says 2103-02-04 02:40:00 UTC, and the server's certificate ended "),
        "{e}"
    );
}

#[test]
fn reads_chunks_and_bodies_up_to_the_end_of_the_connection() {
    let server = raw(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
         4;x=y\r\nWiki\r\nA\r\npedia in\r\n\r\n0\r\nTrailer: x\r\n\r\n",
    );
    assert_eq!(get(&server).unwrap(), b"Wikipedia in\r\n");
    assert_eq!(
        get(&raw("HTTP/1.0 200 OK\r\n\r\nto the end")).unwrap(),
        b"to the end"
    );
    assert_eq!(get(&raw("HTTP/1.1 204 No Content\r\n\r\n")).unwrap(), b"");
}

#[test]
fn reports_status_range_and_retry_after() {
    let server = Server::http(|r: &Request| match r.target() {
        "/busy" => status(503, "ORIGIN_BUSY", "Retry-After: 7\r\n"),
        "/404" => status(404, "MANIFEST_UNKNOWN_NODE", ""),
        _ => Answer::Keep(
            b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 2-4/9\r\nContent-Length: 3\r\n\r\nabc".to_vec(),
        ),
    });
    let client = client();
    let busy = client.get(&server.url("/busy"), None).unwrap();
    assert_eq!((busy.status, busy.retry_after_s), (503, Some(7)));
    assert_eq!(busy.check().map(|_| ()).unwrap_err().code, Code::OriginBusy);
    let e = client
        .get(&server.url("/404"), None)
        .unwrap()
        .check()
        .map(|_| ())
        .unwrap_err();
    assert_eq!(
        e.to_string(),
        format!("HTTP_STATUS: {}: status 404 MANIFEST_UNKNOWN_NODE", server.addr)
    );
    let mut part = client.get(&server.url("/"), Some((2, 4))).unwrap();
    assert_eq!(
        (part.status, part.content_range, part.content_length),
        (206, Some((2, 4, Some(9))), Some(3))
    );
    let mut body = String::new();
    part.read_to_string(&mut body).unwrap();
    assert_eq!(body, "abc");
}

#[test]
fn refuses_malformed_answers() {
    for answer in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 99 X\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n",
        "HTTP/1.1 206 P\r\nContent-Range: bytes 4-2/9\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 206 P\r\nContent-Range: bytes 2-9/9\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n",
        "HTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\nHTTP/1.1 100 C\r\n\r\n",
    ] {
        assert_eq!(
            get(&raw(answer)).unwrap_err().code,
            Code::HttpMalformed,
            "{answer:?}"
        );
    }
    let long = Server::http(|_: &Request| {
        Answer::Close(format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(20_000)).into())
    });
    assert_eq!(get(&long).unwrap_err().code, Code::HttpMalformed);
    let cut = raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    assert_eq!(get(&cut).unwrap_err().code, Code::ServerUnreachable);
}

#[test]
fn waits_no_longer_than_it_was_told() {
    // It accepts (the kernel does) and never answers.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let mut client = client();
    let ms = Duration::from_millis;
    for (idle, total) in [(50, 10_000), (10_000, 50)] {
        client.set_timeouts(Timeouts {
            connect: ms(1000),
            idle: ms(idle),
            total: ms(total),
        });
        let e = client.get(&url, None).map(|_| ()).unwrap_err();
        assert_eq!(
            (e.code, e.message.contains("in time")),
            (Code::ServerUnreachable, true),
            "{e}"
        );
    }
}

/// Answers the first request with these bytes, then with one byte after the other; how many of those were taken.
fn dripping(head: &'static str, bytes: usize) -> (String, std::thread::JoinHandle<usize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answering = std::thread::spawn(move || {
        let mut tcp = listener.accept().unwrap().0;
        tcp.read_exact(&mut [0; 16]).unwrap();
        tcp.write_all(head.as_bytes()).unwrap();
        let takes = |_: &usize| {
            std::thread::sleep(Duration::from_millis(1));
            tcp.write_all(b"x").is_ok()
        };
        (0..bytes).take_while(takes).count()
    });
    (url, answering)
}

#[test]
fn a_server_that_sends_byte_by_byte_is_left() {
    let mut client = client();
    client.set_timeouts(Timeouts {
        connect: Duration::from_secs(60),
        idle: Duration::from_millis(100),
        total: Duration::from_secs(600),
    });
    let late = |answer: crate::core::error::Result<Vec<u8>>| {
        let e = answer.unwrap_err();
        assert_eq!(
            (e.code, e.message.contains("in time")),
            (Code::ServerUnreachable, true),
            "{e}"
        );
    };
    // Shorter than the longest head, so that nothing else ends it.
    let (url, answering) = dripping("HTTP/1.1 200 OK\r\nX: ", 15_000);
    late(client.get(&url, None).and_then(|answer| answer.read_all(9)));
    assert!(answering.join().unwrap() < 15_000);
    // 12,000 bytes are worth a second.
    let (url, answering) = dripping("HTTP/1.1 200 OK\r\nContent-Length: 12000\r\n\r\n", 12_000);
    late(client.get(&url, None).and_then(|answer| answer.read_all(12_000)));
    assert!(answering.join().unwrap() < 12_000);
    let (url, answering) = dripping("HTTP/1.1 503 Busy\r\nContent-Length: 4000\r\n\r\n", 4000);
    let e = client
        .get(&url, None)
        .and_then(|answer| answer.check())
        .map(|_| ())
        .unwrap_err();
    assert_eq!(e.code, Code::OriginBusy);
    assert!(answering.join().unwrap() < 4000);
}

#[test]
fn connects_from_the_address_it_is_given() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut client = client();
    client.set_bind("127.0.0.9".parse().unwrap());
    let asking = std::thread::spawn(move || client.get(&url, None).map(|_| ()));
    assert_eq!(listener.accept().unwrap().1.ip().to_string(), "127.0.0.9");
    assert_eq!(asking.join().unwrap().unwrap_err().code, Code::ServerUnreachable);
}
