//! A real HTTP(S) server inside the test process, on loopback and a port the kernel picks.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::io::trust::Trust;

/// `test/vectors` of the repository.
pub fn vectors() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../test/vectors")
}

/// Trust in the test CA (`ca.pem`, `other-ca.pem`) and one key.
pub fn trust(ca: &str, key: [u8; 32]) -> Trust {
    Trust::new(&std::fs::read(vectors().join("tls").join(ca)).unwrap(), vec![key]).unwrap()
}

/// One request as the server saw it.
pub struct Request {
    /// Request line and headers.
    pub head: String,
    /// As long as `Content-Length` said.
    pub body: Vec<u8>,
    /// Number of the connection, from 0.
    pub conn: usize,
}

impl Request {
    /// Path and query.
    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    /// A header's value by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1);
        lines.find_map(|line| {
            line.split_once(": ")
                .filter(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, v)| v)
        })
    }
}

/// What the server sends back, raw. An answer that is not to be the connection's last must say its length.
pub enum Answer {
    /// These bytes; then the next request.
    Keep(Vec<u8>),
    /// These bytes, then the connection is closed.
    Close(Vec<u8>),
}

/// A 200 with this body.
pub fn ok(body: &[u8]) -> Answer {
    let mut raw = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    raw.extend_from_slice(body);
    Answer::Keep(raw)
}

/// A status with the server's JSON error body.
pub fn status(code: u16, error: &str, headers: &str) -> Answer {
    let body = format!("{{\"code\":\"{error}\",\"message\":\"a test\"}}");
    Answer::Keep(
        format!(
            "HTTP/1.1 {code} X\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes(),
    )
}

type Handler = Arc<dyn Fn(&Request) -> Answer + Send + Sync>;

/// The server; it ends when dropped.
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    scheme: &'static str,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Plain HTTP.
    pub fn http(handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start(None, Arc::new(handler))
    }

    /// HTTPS with the certificate `test/vectors/tls/NAME.cert.der`.
    pub fn https(name: &str, handler: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let read = |what: &str| std::fs::read(vectors().join(format!("tls/{name}.{what}.der"))).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from(read("cert"))],
                PrivatePkcs8KeyDer::from(read("key")).into(),
            )
            .unwrap();
        Self::start(Some(Arc::new(config)), Arc::new(handler))
    }

    /// URL of a target at this server.
    pub fn url(&self, target: &str) -> String {
        format!("{}://{}{target}", self.scheme, self.addr)
    }

    fn start(tls: Option<Arc<ServerConfig>>, handler: Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let accepted = AtomicUsize::new(0);
        let thread = std::thread::spawn(move || {
            for tcp in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(tcp) = tcp else { continue };
                let (tls, handler) = (tls.clone(), handler.clone());
                let conn = accepted.fetch_add(1, Ordering::SeqCst);
                // Ends when the client closes its side, which it does when the test drops it.
                std::thread::spawn(move || match tls {
                    None => serve(tcp, conn, &handler),
                    Some(config) => serve(
                        StreamOwned::new(ServerConnection::new(config).unwrap(), tcp),
                        conn,
                        &handler,
                    ),
                });
            }
        });
        Self {
            addr,
            scheme,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.addr);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn serve(stream: impl Read + Write, conn: usize, handler: &Handler) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if !matches!(stream.read_line(&mut head), Ok(1..)) {
                return;
            }
        }
        let mut request = Request {
            head,
            body: Vec::new(),
            conn,
        };
        let length = request.header("content-length").map_or(0, |v| v.parse().unwrap());
        request.body.resize(length, 0);
        if stream.read_exact(&mut request.body).is_err() {
            return;
        }
        let (raw, keep) = match handler(&request) {
            Answer::Keep(raw) => (raw, true),
            Answer::Close(raw) => (raw, false),
        };
        if stream
            .get_mut()
            .write_all(&raw)
            .and_then(|()| stream.get_mut().flush())
            .is_err()
            || !keep
        {
            return;
        }
    }
}
