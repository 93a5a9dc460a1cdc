//! A provider's server, HTTP or HTTPS: it keeps what it is sent, and can refuse, hang, cut, drip, flood and lead astray.
//!
//! A thread per connection, and each connection serves one request: what a provider's server does between requests is not what is
//! tested here.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use tempfile::TempDir;

use super::{folder, python, wait};

const PATIENCE: Duration = Duration::from_secs(30);

/// What the server does with a request that it has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Answers with this status.
    Answer(u16),
    /// And with this body.
    Say(u16, String),
    /// Says nothing, and holds the connection.
    Hang,
    /// Answers with this status, and then a byte of the body every half second.
    Drip(u16),
    /// Sends the head itself a byte every half second.
    DripHead,
    /// Closes instead of answering.
    Cut,
    /// Closes in the middle of the head.
    CutHead,
    /// Sends the client elsewhere.
    Redirect(u16, String),
    /// Answers with this status and a body without end.
    Flood(u16),
    /// Answers with a head without end.
    FloodHead,
    /// Answers something that is no HTTP.
    Babble,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub head: String,
    /// Empty where it is no text.
    pub body: String,
    pub bytes: Vec<u8>,
}

/// The server; it takes no more connections once the value is gone.
#[derive(Debug)]
pub struct Provider {
    address: SocketAddr,
    shared: Arc<Shared>,
    tls: Option<TempDir>,
}

#[derive(Debug)]
struct Shared {
    manner: Mutex<Manner>,
    requests: Mutex<Vec<Request>>,
    ended: AtomicBool,
    /// How many bytes of floods were taken, at most, by one client.
    flooded: Mutex<usize>,
}

impl Provider {
    /// Without TLS.
    pub fn start() -> Self {
        Self::with(None)
    }

    /// With TLS, by a certificate for `name` (an address or a host) of an authority of its own.
    pub fn start_tls(name: &str) -> Self {
        super::install_crypto_provider();
        let folder = folder::new("provider");
        python::run(include_str!("certificate.py"), &[name, &folder.path().display().to_string()]);
        Self::with(Some(folder))
    }

    fn with(tls: Option<TempDir>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared {
            manner: Mutex::new(Manner::Answer(200)),
            requests: Mutex::default(),
            ended: AtomicBool::new(false),
            flooded: Mutex::new(0),
        });
        let (config, of_all) = (tls.as_ref().map(certified), Arc::clone(&shared));
        std::thread::spawn(move || accept(&listener, config.as_ref(), &of_all));
        Self { address, shared, tls }
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The certificate to trust.
    pub fn authority(&self) -> PathBuf {
        self.tls.as_ref().expect("it speaks TLS").path().join("authority.pem")
    }

    /// From now on.
    pub fn behave(&self, manner: Manner) {
        *self.shared.manner.lock().expect("no holder panics") = manner;
    }

    /// Everything that has come, oldest first.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().expect("no holder panics").clone()
    }

    /// The first requests, once they are there.
    pub fn wait_for(&self, count: usize) -> Vec<Request> {
        wait::until_true(&format!("{count} requests"), PATIENCE, || self.requests().len() >= count);
        self.requests()
    }

    /// How much of a flood one client has taken, at most.
    pub fn flooded(&self) -> usize {
        *self.shared.flooded.lock().expect("no holder panics")
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Who waits for a connection gets one, and looks up.
        drop(TcpStream::connect(self.address));
    }
}

impl Request {
    pub fn header(&self, name: &str) -> Option<String> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// User and password of Basic authentication.
    pub fn basic(&self) -> String {
        let header = self.header("Authorization").expect("authentication");
        String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ").expect("Basic")).expect("base64")).expect("text")
    }

    /// The body as a form, in the order of its fields; fails the test when it is not declared as one.
    pub fn form(&self) -> Vec<(String, String)> {
        assert_eq!(self.header("Content-Type").as_deref(), Some("application/x-www-form-urlencoded"));
        url::form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }

    /// The body as JSON; fails the test when it is not declared as such.
    pub fn json(&self) -> Value {
        assert_eq!(self.header("Content-Type").as_deref(), Some("application/json"));
        serde_json::from_str(&self.body).expect("JSON")
    }
}

fn certified(folder: &TempDir) -> Arc<ServerConfig> {
    let file = |name: &str| folder.path().join(name);
    let chain = CertificateDer::pem_file_iter(file("server.pem")).expect("a certificate").map(|one| one.expect("PEM")).collect();
    let key = PrivateKeyDer::from_pem_file(file("server.key")).expect("a key");
    Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).expect("they belong together"))
}

fn accept(listener: &TcpListener, tls: Option<&Arc<ServerConfig>>, shared: &Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept() {
        if shared.ended.load(Ordering::SeqCst) {
            return;
        }
        let (tls, shared) = (tls.cloned(), Arc::clone(shared));
        std::thread::spawn(move || {
            stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
            stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
            // A client that hangs up has had enough.
            drop(match tls {
                None => serve(stream, TcpStream::shutdown, &shared),
                Some(config) => {
                    let connection = ServerConnection::new(config).expect("a server");
                    serve(StreamOwned::new(connection, stream), |stream, how| stream.sock.shutdown(how), &shared)
                }
            });
        });
    }
}

fn serve<S: Read + Write>(stream: S, close: impl Fn(&S, Shutdown) -> std::io::Result<()>, shared: &Shared) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let request = read(&mut stream)?;
    shared.requests.lock().expect("no holder panics").push(request);
    let manner = shared.manner.lock().expect("no holder panics").clone();
    let mut out = stream.into_inner();
    answer(&mut out, &manner, shared)?;
    out.flush()?;
    close(&out, Shutdown::Both)
}

fn read(stream: &mut impl BufRead) -> std::io::Result<Request> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    let words: Vec<String> = head.lines().next().unwrap_or_default().split(' ').map(str::to_owned).collect();
    let mut request = Request { method: words[0].clone(), path: words[1].clone(), head, body: String::new(), bytes: Vec::new() };
    let length = request.header("Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    request.body = String::from_utf8(body.clone()).unwrap_or_default();
    request.bytes = body;
    Ok(request)
}

fn answer(out: &mut impl Write, manner: &Manner, shared: &Shared) -> std::io::Result<()> {
    let whole = |status: u16, body: &str, more: &str| {
        format!("HTTP/1.1 {status} Said\r\nConnection: close\r\nContent-Length: {}\r\n{more}\r\n{body}", body.len())
    };
    match manner {
        Manner::Answer(status) => out.write_all(whole(*status, "{}", "").as_bytes()),
        Manner::Say(status, body) => out.write_all(whole(*status, body, "").as_bytes()),
        Manner::Redirect(status, to) => out.write_all(whole(*status, "", &format!("Location: {to}\r\n")).as_bytes()),
        Manner::Babble => out.write_all(b"220 mail.example.com ESMTP\r\n"),
        Manner::Cut => Ok(()),
        Manner::CutHead => out.write_all(b"HTTP/1.1 200 OK\r\nContent-Le"),
        Manner::Hang => {
            pause(PATIENCE, shared);
            Ok(())
        }
        Manner::Drip(status) => {
            out.write_all(format!("HTTP/1.1 {status} Said\r\nContent-Length: 1000\r\n\r\n").as_bytes())?;
            drip(out, &[b' '; 1000], shared)
        }
        Manner::DripHead => drip(out, whole(200, "", "").as_bytes(), shared),
        Manner::Flood(status) => {
            out.write_all(format!("HTTP/1.1 {status} Said\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes())?;
            flood(out, &[b"1000\r\n".as_slice(), &[b'a'; 0x1000], b"\r\n"].concat(), shared)
        }
        Manner::FloodHead => {
            out.write_all(b"HTTP/1.1 200 OK\r\n")?;
            flood(out, &[b"X-More: ".as_slice(), &[b'a'; 0x1000], b"\r\n"].concat(), shared)
        }
    }
}

/// Until the client has had enough, or 256 MiB.
fn flood(out: &mut impl Write, piece: &[u8], shared: &Shared) -> std::io::Result<()> {
    let mut taken = 0;
    while taken < 256 * 1024 * 1024 {
        out.write_all(piece)?;
        taken += piece.len();
        let mut flooded = shared.flooded.lock().expect("no holder panics");
        *flooded = taken.max(*flooded);
    }
    Ok(())
}

fn drip(out: &mut impl Write, bytes: &[u8], shared: &Shared) -> std::io::Result<()> {
    for byte in bytes {
        out.write_all(&[*byte])?;
        out.flush()?;
        if pause(Duration::from_millis(500), shared) {
            return Ok(());
        }
    }
    Ok(())
}

/// True when the server has ended meanwhile.
fn pause(time: Duration, shared: &Shared) -> bool {
    wait::within(time, || shared.ended.load(Ordering::SeqCst).then_some(())).is_some()
}
