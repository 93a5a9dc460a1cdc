//! Two clients: one that sends exactly the bytes it is given, and one that keeps cookies as a browser does.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use reqwest::Method;
use reqwest::redirect::Policy;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// No answer takes longer here; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

pub const TEXT_FRAME: u8 = 1;
pub const CLOSE_FRAME: u8 = 8;

/// The lines of a head after its first, as name and value.
pub fn header_lines(head: &str) -> Vec<(String, String)> {
    let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// An answer of either client.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    /// In order, repeated ones too; the raw client keeps the spelling, the other has lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, read as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    pub fn all(&self, name: &str) -> Vec<String> {
        let found = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.clone()).collect()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        self.all(name).into_iter().next()
    }

    /// The whole `Set-Cookie` line of a cookie.
    pub fn set_cookie(&self, name: &str) -> Option<String> {
        self.all("set-cookie").into_iter().find(|line| line.starts_with(&format!("{name}=")))
    }
}

// === exact bytes

/// One connection on which a test writes what it likes.
#[derive(Debug)]
pub struct Raw {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("a listener");
        stream.set_nodelay(true).expect("a socket");
        Self { stream, buffer: Vec::new() }
    }

    /// Our end.
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connection")
    }

    /// Sends bytes on a connection of its own and reads one answer.
    pub async fn exchange(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Reply {
        let mut connection = Self::connect(address).await;
        connection.send(bytes).await;
        connection.reply().await.expect("an answer")
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        // A server that has refused already may have closed; its answer is what matters.
        drop(self.stream.write_all(bytes.as_ref()).await);
    }

    /// The next answer; nothing when the connection closes instead.
    pub async fn reply(&mut self) -> Option<Reply> {
        let mut reply = self.reply_head().await?;
        reply.body = self.body(&reply).await;
        Some(reply)
    }

    /// The next answer, if it begins within the time.
    pub async fn reply_within(&mut self, limit: Duration) -> Option<Reply> {
        if self.buffer.is_empty() && timeout(limit, self.more()).await.is_err() {
            return None;
        }
        self.reply().await
    }

    /// The next answer to a HEAD request, or the head of an answer whose body comes in pieces.
    pub async fn reply_head(&mut self) -> Option<Reply> {
        let head = String::from_utf8_lossy(&self.until(b"\r\n\r\n").await?).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Some(Reply { status: status.expect("a status"), headers: header_lines(&head), body: Vec::new() })
    }

    /// The next piece of a chunked body; nothing at its end, or when the connection closes in the middle.
    pub async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = String::from_utf8_lossy(&self.until(b"\r\n").await?).into_owned();
        let size = usize::from_str_radix(line.trim(), 16).expect("a chunk's size");
        let chunk = self.exactly(size).await?;
        self.exactly(2).await?;
        (size > 0).then_some(chunk)
    }

    /// So many bytes of whatever comes; nothing when the connection closes before.
    pub async fn bytes(&mut self, count: usize) -> Option<Vec<u8>> {
        self.exactly(count).await
    }

    /// Sends nothing more: the other side reads the end, and can still answer.
    pub async fn finish(&mut self) {
        // A server that has closed already is finished with.
        drop(self.stream.shutdown().await);
    }

    /// True when the server closes within the time, and says nothing more.
    pub async fn is_closed_within(&mut self, limit: Duration) -> bool {
        self.buffer.is_empty() && timeout(limit, self.more()).await.is_ok_and(|read| read == 0)
    }

    /// Sends a WebSocket frame, masked as a client must.
    pub async fn send_frame(&mut self, kind: u8, payload: &str) {
        let length = u8::try_from(payload.len()).ok().filter(|length| *length < 126).expect("a short frame");
        let mask = [7_u8, 77, 177, 17];
        let mut frame = vec![0x80 | kind, 0x80 | length];
        frame.extend(mask);
        frame.extend(payload.bytes().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        self.send(frame).await;
    }

    /// The next WebSocket frame: its kind and what is in it; nothing when the connection closes.
    pub async fn frame(&mut self) -> Option<(u8, String)> {
        let head = self.exactly(2).await?;
        let payload = self.exactly(usize::from(head[1] & 0x7f)).await?;
        Some((head[0] & 0x0f, String::from_utf8_lossy(&payload).into_owned()))
    }

    async fn body(&mut self, reply: &Reply) -> Vec<u8> {
        if matches!(reply.status, 100..=199 | 204 | 304) {
            return Vec::new();
        }
        if reply.header("Transfer-Encoding").is_some() {
            let mut body = Vec::new();
            while let Some(chunk) = self.chunk().await {
                body.extend(chunk);
            }
            return body;
        }
        if let Some(length) = reply.header("Content-Length") {
            return self.exactly(length.parse().expect("a length")).await.expect("the whole body");
        }
        while self.more().await > 0 {}
        std::mem::take(&mut self.buffer)
    }

    async fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(place) = self.buffer.windows(end.len()).position(|window| window == end) {
                return Some(self.buffer.drain(..place + end.len()).collect());
            }
            if self.more().await == 0 {
                return None;
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            if self.more().await == 0 {
                return None;
            }
        }
        Some(self.buffer.drain(..length).collect())
    }

    /// A reset connection is a closed one.
    async fn more(&mut self) -> usize {
        let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
        read.expect("the server neither answers nor closes").unwrap_or(0)
    }
}

// === cookies

/// Somebody with a browser's cookie jar. It follows no redirect, and sends `Secure` cookies on loopback as browsers do.
#[derive(Debug)]
pub struct Person {
    client: reqwest::Client,
    base: String,
    host: Option<String>,
    jar: Mutex<BTreeMap<String, String>>,
}

/// A request in the making.
#[derive(Debug)]
pub struct Request<'a> {
    person: &'a Person,
    builder: reqwest::RequestBuilder,
}

impl Person {
    /// A person at a server, by its address; the `Host` is the address.
    pub fn at(address: SocketAddr) -> Self {
        let client = reqwest::Client::builder().redirect(Policy::none()).timeout(PATIENCE).no_proxy().build();
        Self { client: client.expect("a client"), base: format!("http://{address}"), host: None, jar: Mutex::default() }
    }

    /// A person who asks for a host by name at that address.
    pub fn at_host(address: SocketAddr, host: &str) -> Self {
        Self { host: Some(host.to_owned()), ..Self::at(address) }
    }

    /// The same jar's contents in a new browser: what a thief or a second tab has.
    pub fn copy(&self) -> Self {
        let copy = Self { client: self.client.clone(), base: self.base.clone(), host: self.host.clone(), jar: Mutex::default() };
        copy.jar().clone_from(&self.jar());
        copy
    }

    /// The same jar at another server: a second node.
    pub fn copy_at(&self, address: SocketAddr) -> Self {
        Self { base: format!("http://{address}"), ..self.copy() }
    }

    pub fn request(&self, method: Method, path: &str) -> Request<'_> {
        let mut builder = self.client.request(method, format!("{}{path}", self.base));
        if let Some(host) = &self.host {
            builder = builder.header("Host", host);
        }
        Request { person: self, builder }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path).send().await
    }

    /// GET as a browser navigates: it wants a page.
    pub async fn visit(&self, path: &str) -> Reply {
        let request = self.request(Method::GET, path).header("Accept", "text/html,application/xhtml+xml");
        request.header("Sec-Fetch-Mode", "navigate").header("Sec-Fetch-Dest", "document").send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.request(Method::POST, path).json(body).send().await
    }

    pub async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mut request = self.request(Method::POST, path);
        request.builder = request.builder.form(fields);
        request.send().await
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar().get(name).cloned()
    }

    pub fn cookie_names(&self) -> Vec<String> {
        self.jar().keys().cloned().collect()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar().insert(name.to_owned(), value.to_owned());
    }

    pub fn forget_cookie(&self, name: &str) {
        self.jar().remove(name);
    }

    /// The `Cookie` header that the next request carries.
    pub fn cookie_header(&self) -> String {
        self.jar().iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Keeps what a reply sets, and drops what it clears.
    fn keep(&self, reply: &Reply) {
        for line in reply.all("set-cookie") {
            let (pair, attributes) = line.split_once(';').unwrap_or((&line, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            if clears(attributes) {
                self.forget_cookie(name.trim());
            } else {
                self.set_cookie(name.trim(), value.trim());
            }
        }
    }

    fn jar(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.jar.lock().expect("no holder panics")
    }
}

/// `Max-Age` of nothing, or `Expires` at the beginning of time.
fn clears(attributes: &str) -> bool {
    attributes.split(';').filter_map(|attribute| attribute.trim().split_once('=')).any(|(name, value)| {
        (name.eq_ignore_ascii_case("max-age") && value.parse::<i64>().is_ok_and(|age| age <= 0))
            || (name.eq_ignore_ascii_case("expires") && value.contains("1970"))
    })
}

impl Request<'_> {
    /// Adds a header, beside others of that name.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub fn json(mut self, body: &Value) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    pub fn body(mut self, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.body(body);
        self
    }

    pub async fn send(self) -> Reply {
        self.try_send().await.expect("an answer")
    }

    /// For a server that may be gone.
    pub async fn try_send(mut self) -> Result<Reply, reqwest::Error> {
        let cookies = self.person.cookie_header();
        if !cookies.is_empty() {
            self.builder = self.builder.header("Cookie", cookies);
        }
        let answer = self.builder.send().await?;
        let status = answer.status().as_u16();
        let headers = answer.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
        let reply = Reply { status, headers, body: answer.bytes().await?.to_vec() };
        self.person.keep(&reply);
        Ok(reply)
    }
}
