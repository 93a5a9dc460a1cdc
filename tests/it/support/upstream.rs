//! The app behind the gateway: it remembers every byte it was sent, and behaves as a test tells it.
//!
//! Written on bare sockets, because a test of a proxy wants the head exactly as it arrived, in its order and spelling.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::{client, wait};

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// The head's bytes, with the empty line that ends it.
    pub head: Vec<u8>,
    /// The body without its framing.
    pub body: Vec<u8>,
}

impl Received {
    pub fn head_text(&self) -> String {
        String::from_utf8_lossy(&self.head).into_owned()
    }

    pub fn method(&self) -> String {
        self.request_line().split(' ').next().unwrap_or_default().to_owned()
    }

    /// The request target, byte for byte.
    pub fn target(&self) -> String {
        self.request_line().split(' ').nth(1).unwrap_or_default().to_owned()
    }

    /// Name and value of every header line, in order, names as they were spelled.
    pub fn headers(&self) -> Vec<(String, String)> {
        client::header_lines(&self.head_text())
    }

    /// Every value of a header, whatever the case of its name.
    pub fn all(&self, name: &str) -> Vec<String> {
        let found = self.headers().into_iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).collect()
    }

    /// The value of a header that is there once; fails the test when it is repeated.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut all = self.all(name);
        assert!(all.len() < 2, "{name} arrived {} times", all.len());
        all.pop()
    }

    fn request_line(&self) -> String {
        self.head_text().lines().next().unwrap_or_default().to_owned()
    }
}

/// How the next request is answered; without one, by 200 and what was received, as JSON.
#[derive(Debug)]
enum Answer {
    Chunks(&'static str, UnboundedReceiver<String>),
    HangUp,
    Silence,
    Raw(Vec<u8>),
    Pieces(UnboundedReceiver<Vec<u8>>),
}

/// The app; it ends with the value.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct State {
    received: Vec<Received>,
    answers: VecDeque<Answer>,
    headers: Vec<(String, String)>,
    delay: Duration,
    status: Option<u16>,
    connections: usize,
    pieces: usize,
}

impl Upstream {
    pub async fn start() -> Self {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Where another one was until a moment ago.
    pub async fn start_at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State::default()));
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every request so far, oldest first.
    pub fn received(&self) -> Vec<Received> {
        self.state().received.clone()
    }

    /// The latest request.
    pub fn last(&self) -> Received {
        self.received().pop().expect("a request")
    }

    /// How many requests have come: "the upstream saw nothing" is a count that stays.
    pub fn count(&self) -> usize {
        self.state().received.len()
    }

    /// How many connections have been opened.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    pub async fn wait_for_count(&self, count: usize) {
        let look = || async { (self.count() >= count).then_some(()) };
        wait::until_async(&format!("{count} requests at the upstream"), Duration::from_secs(10), look).await;
    }

    /// Before every answer.
    pub fn delay(&self, delay: Duration) {
        self.state().delay = delay;
    }

    /// Of every ordinary answer from now on.
    pub fn status(&self, status: u16) {
        self.state().status = Some(status);
    }

    /// A header of every ordinary answer from now on (`Set-Cookie` may be given more than once).
    pub fn add_header(&self, name: &str, value: &str) {
        self.state().headers.push((name.to_owned(), value.to_owned()));
    }

    /// The next request is answered by chunks, each when it is sent here; the body ends when the sender is dropped.
    pub fn stream_next(&self) -> UnboundedSender<String> {
        self.chunks_next("text/event-stream")
    }

    /// The same, as something that a browser saves.
    pub fn download_next(&self) -> UnboundedSender<String> {
        self.chunks_next("application/octet-stream")
    }

    fn chunks_next(&self, kind: &'static str) -> UnboundedSender<String> {
        let (sender, chunks) = unbounded_channel();
        self.state().answers.push_back(Answer::Chunks(kind, chunks));
        sender
    }

    /// The next request is read, and its connection closed without an answer.
    pub fn hang_up_next(&self) {
        self.state().answers.push_back(Answer::HangUp);
    }

    /// The next request is read, and never answered.
    pub fn silence_next(&self) {
        self.state().answers.push_back(Answer::Silence);
    }

    /// The next request is answered with these bytes, and its connection closed.
    pub fn raw_next(&self, bytes: &[u8]) {
        self.state().answers.push_back(Answer::Raw(bytes.to_vec()));
    }

    /// The next request is answered with these bytes, each when they are sent here. When the sender is dropped, the connection is
    /// kept, and the next request on it is read.
    pub fn pieces_next(&self) -> UnboundedSender<Vec<u8>> {
        let (sender, pieces) = unbounded_channel();
        self.state().answers.push_back(Answer::Pieces(pieces));
        sender
    }

    /// Waits until so many of such pieces have been written in all.
    pub async fn wait_for_pieces(&self, count: usize) {
        let look = || async { (self.state().pieces >= count).then_some(()) };
        wait::until_async(&format!("{count} pieces to be written"), Duration::from_secs(10), look).await;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connections end with the task that accepts them, so a dropped upstream is gone at once.
async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        state.lock().expect("no holder panics").connections += 1;
        let state = Arc::clone(&state);
        connections.spawn(async move { drop(serve(stream, state).await) });
    }
}

/// What happens to a connection after an answer.
#[derive(PartialEq, Eq)]
enum Next {
    Keep,
    Close,
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection = Connection { stream, buffer: Vec::new() };
    while let Some(received) = connection.receive().await? {
        let (answer, delay) = {
            let mut state = state.lock().expect("no holder panics");
            state.received.push(received.clone());
            (state.answers.pop_front(), state.delay)
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let next = match answer {
            Some(answer) => connection.answer(answer, &state).await?,
            None if received.header("Upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket")) => {
                return connection.echo_frames(&received).await;
            }
            None => connection.tell(&received, &state).await?,
        };
        if next == Next::Close {
            return Ok(());
        }
    }
    Ok(())
}

struct Connection {
    stream: TcpStream,
    /// Read, and not yet used.
    buffer: Vec<u8>,
}

impl Connection {
    /// The next request, or nothing when the client has hung up.
    async fn receive(&mut self) -> std::io::Result<Option<Received>> {
        let Some(head) = self.until(b"\r\n\r\n").await? else {
            return Ok(None);
        };
        let mut received = Received { head, body: Vec::new() };
        if received.header("Expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        if received.header("Transfer-Encoding").is_some() {
            received.body = self.chunked().await?;
        } else if let Some(length) = received.header("Content-Length") {
            received.body = self.exactly(length.parse().expect("a length")).await?;
        }
        Ok(Some(received))
    }

    /// 200, and what arrived.
    async fn tell(&mut self, received: &Received, state: &Mutex<State>) -> std::io::Result<Next> {
        let (status, headers) = {
            let state = state.lock().expect("no holder panics");
            (state.status.unwrap_or(200), state.headers.clone())
        };
        let body = json!({
            "method": received.method(),
            "target": received.target(),
            "headers": received.headers(),
            "body": String::from_utf8_lossy(&received.body),
        })
        .to_string();
        let mut answer = format!("HTTP/1.1 {status} Upstream\r\nContent-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            answer.extend([name.as_str(), ": ", value.as_str(), "\r\n"]);
        }
        answer.push_str("\r\n");
        if received.method() != "HEAD" {
            answer.push_str(&body);
        }
        self.stream.write_all(answer.as_bytes()).await?;
        let closes = received.header("Connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Ok(if closes { Next::Close } else { Next::Keep })
    }

    async fn answer(&mut self, answer: Answer, state: &Mutex<State>) -> std::io::Result<Next> {
        match answer {
            Answer::Chunks(kind, chunks) => self.stream_chunks(kind, chunks).await,
            Answer::HangUp => Ok(Next::Close),
            Answer::Silence => std::future::pending().await,
            Answer::Raw(bytes) => {
                self.stream.write_all(&bytes).await?;
                Ok(Next::Close)
            }
            Answer::Pieces(mut pieces) => {
                while let Some(piece) = pieces.recv().await {
                    self.stream.write_all(&piece).await?;
                    state.lock().expect("no holder panics").pieces += 1;
                }
                Ok(Next::Keep)
            }
        }
    }

    async fn stream_chunks(&mut self, kind: &str, mut chunks: UnboundedReceiver<String>) -> std::io::Result<Next> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n");
        self.stream.write_all(head.as_bytes()).await?;
        while let Some(chunk) = chunks.recv().await {
            self.stream.write_all(format!("{:x}\r\n{chunk}\r\n", chunk.len()).as_bytes()).await?;
        }
        self.stream.write_all(b"0\r\n\r\n").await?;
        Ok(Next::Keep)
    }

    /// Switches to WebSocket (RFC 6455) and sends every frame back, unmasked, until the client closes.
    async fn echo_frames(&mut self, received: &Received) -> std::io::Result<()> {
        let key = received.header("Sec-WebSocket-Key").unwrap_or_default();
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\r\n",
            accept_key(&key)
        );
        self.stream.write_all(answer.as_bytes()).await?;
        loop {
            let head = self.exactly(2).await?;
            let length = usize::from(head[1] & 0x7f);
            assert!(length < 126, "the tests send short frames");
            let mask = self.exactly(4).await?;
            let masked = self.exactly(length).await?;
            let mut frame = vec![head[0], head[1] & 0x7f];
            frame.extend(masked.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
            self.stream.write_all(&frame).await?;
            if head[0] & 0x0f == client::CLOSE_FRAME {
                return Ok(());
            }
        }
    }

    async fn chunked(&mut self) -> std::io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.until(b"\r\n").await?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
            let size = String::from_utf8_lossy(&line).trim().split(';').next().unwrap_or_default().to_owned();
            let size = usize::from_str_radix(&size, 16).expect("a chunk's size");
            let chunk = self.exactly(size).await?;
            self.exactly(2).await?;
            if size == 0 {
                return Ok(body);
            }
            body.extend(chunk);
        }
    }

    async fn until(&mut self, end: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(place) = self.buffer.windows(end.len()).position(|window| window == end) {
                return Ok(Some(self.buffer.drain(..place + end.len()).collect()));
            }
            if self.more().await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> std::io::Result<Vec<u8>> {
        while self.buffer.len() < length {
            if self.more().await? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.buffer.drain(..length).collect())
    }

    async fn more(&mut self) -> std::io::Result<usize> {
        self.stream.read_buf(&mut self.buffer).await
    }
}

/// The answer to a client's key (RFC 6455 §4.2.2).
fn accept_key(key: &str) -> String {
    let digest = aws_lc_rs::digest::digest(
        &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
        format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes(),
    );
    STANDARD.encode(digest)
}
