//! A mailbox: an SMTP server in this process that keeps what it is given, and can refuse or fall silent.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::wait;

/// Long enough for a queue with a first retry.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the server does with mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Accept,
    /// Every recipient is answered with this status: 4xx to be tried again, 5xx for ever.
    Refuse(u16),
    /// Connections are taken, and nothing is ever said.
    Hang,
    /// The mail is read, and the connection closed instead of an answer.
    Cut,
    /// Every answer takes so long.
    Slow(Duration),
}

/// One message as it arrived.
#[derive(Clone, Debug)]
pub struct Mail {
    pub from: String,
    pub recipients: Vec<String>,
    /// User and password, where the client signed in.
    pub signed_in: Option<(String, String)>,
    /// Head and body as they came, without the dots that SMTP adds.
    pub raw: String,
}

/// The server; it ends with the value.
#[derive(Debug)]
pub struct Mailbox {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    manner: Manner,
    mails: Vec<Mail>,
    connections: usize,
}

impl Mailbox {
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State { manner: Manner::Accept, mails: Vec::new(), connections: 0 }));
        let task = tokio::spawn(accept(listener, Arc::clone(&state)));
        Self { address, state, task }
    }

    /// Without TLS, as a test server has it.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// From now on, for open connections too.
    pub fn behave(&self, manner: Manner) {
        self.state().manner = manner;
    }

    /// How often somebody has connected.
    pub fn connections(&self) -> usize {
        self.state().connections
    }

    /// Everything that has come, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.state().mails.clone()
    }

    pub fn mails_to(&self, recipient: &str) -> Vec<Mail> {
        self.mails().into_iter().filter(|mail| mail.recipients.iter().any(|to| to == recipient)).collect()
    }

    /// The first mail to somebody.
    pub async fn wait_for(&self, recipient: &str) -> Mail {
        self.wait_for_nth(recipient, 1).await
    }

    /// The `nth` mail to somebody, counted from 1.
    pub async fn wait_for_nth(&self, recipient: &str, nth: usize) -> Mail {
        let what = format!("mail {nth} to {recipient}");
        wait::until_async(&what, PATIENCE, || async { self.mails_to(recipient).into_iter().nth(nth - 1) }).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mail {
    /// A header's value, unfolded and decoded (RFC 2047); the first of that name.
    pub fn header(&self, name: &str) -> Option<String> {
        header(split(&self.raw).0, name).map(|value| decode_words(&value))
    }

    pub fn subject(&self) -> String {
        self.header("Subject").expect("a subject")
    }

    /// The part in plain text, decoded.
    pub fn text(&self) -> String {
        part(&self.raw, "text/plain").expect("a part in plain text")
    }

    /// The part in HTML, decoded.
    pub fn html(&self) -> Option<String> {
        part(&self.raw, "text/html")
    }

    /// The first number of at least four digits in the text: the code.
    pub fn code(&self) -> String {
        let text = self.text();
        text.split(|letter: char| !letter.is_ascii_digit()).find(|run| run.len() >= 4).expect("a code").to_owned()
    }
}

// === reading a message

fn split(message: &str) -> (&str, &str) {
    message.split_once("\r\n\r\n").unwrap_or((message, ""))
}

fn header(head: &str, name: &str) -> Option<String> {
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    unfolded.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// The decoded body of the first part of a type, at any depth.
fn part(message: &str, wanted: &str) -> Option<String> {
    let (head, body) = split(message);
    let kind = header(head, "Content-Type").unwrap_or_else(|| "text/plain".to_owned());
    if let Some(boundary) = kind.to_ascii_lowercase().starts_with("multipart/").then(|| parameter(&kind, "boundary")).flatten() {
        return body.split(&format!("--{boundary}")).skip(1).find_map(|part| self::part(part.trim_start_matches("\r\n"), wanted));
    }
    if !kind.to_ascii_lowercase().starts_with(wanted) {
        return None;
    }
    let encoding = header(head, "Content-Transfer-Encoding").unwrap_or_default().to_ascii_lowercase();
    Some(match encoding.as_str() {
        "base64" => from_base64(body),
        "quoted-printable" => from_quoted_printable(body),
        _ => body.to_owned(),
    })
}

fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|pair| {
        let (found, value) = pair.split_once('=')?;
        found.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn from_base64(text: &str) -> String {
    let packed: String = text.chars().filter(|letter| !letter.is_whitespace()).collect();
    String::from_utf8(STANDARD.decode(packed).expect("base64")).expect("UTF-8")
}

fn from_quoted_printable(text: &str) -> String {
    let joined = text.replace("=\r\n", "");
    let mut bytes = Vec::new();
    let mut rest = joined.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match (first, after) {
            (b'=', [high, low, after @ ..]) => (hex(*high) * 16 + hex(*low), after),
            _ => (*first, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).expect("UTF-8")
}

fn hex(digit: u8) -> u8 {
    u8::try_from(char::from(digit).to_digit(16).expect("a hexadecimal digit")).expect("below 16")
}

/// Encoded words, `=?utf-8?b?…?=` and `=?utf-8?q?…?=`; white space between two of them is not part of the text.
fn decode_words(value: &str) -> String {
    let mut text = String::new();
    let mut rest = value;
    while let Some((before, word, after)) = next_word(rest) {
        if !before.trim().is_empty() || text.is_empty() {
            text.push_str(before);
        }
        text.push_str(&word);
        rest = after;
    }
    text.push_str(rest);
    text
}

fn next_word(text: &str) -> Option<(&str, String, &str)> {
    let (before, inside) = text.split_once("=?")?;
    let (_charset, inside) = inside.split_once('?')?;
    let (encoding, inside) = inside.split_once('?')?;
    let (word, after) = inside.split_once("?=")?;
    let decoded = match encoding {
        "b" | "B" => from_base64(word),
        _ => from_quoted_printable(&word.replace('_', " ")),
    };
    Some((before, decoded, after))
}

// === speaking SMTP (RFC 5321, AUTH of RFC 4954)

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let manner = {
            let mut state = state.lock().expect("no holder panics");
            state.connections += 1;
            state.manner
        };
        tokio::spawn(serve(stream, manner, Arc::clone(&state)));
    }
}

async fn serve(stream: TcpStream, manner: Manner, state: Arc<Mutex<State>>) {
    if manner == Manner::Hang {
        // Held until the client has had enough.
        let mut held = BufReader::new(stream);
        while held.read_line(&mut String::new()).await.is_ok_and(|read| read > 0) {}
        return;
    }
    let mut dialogue = Dialogue { stream: BufReader::new(stream), state, from: String::new(), recipients: Vec::new(), signed_in: None };
    // A client that hangs up in the middle has sent nothing.
    drop(dialogue.run().await);
}

struct Dialogue {
    stream: BufReader<TcpStream>,
    state: Arc<Mutex<State>>,
    from: String,
    recipients: Vec<String>,
    signed_in: Option<(String, String)>,
}

impl Dialogue {
    async fn run(&mut self) -> std::io::Result<()> {
        self.say("220 mailbox ESMTP").await?;
        while let Some(line) = self.line().await? {
            match self.manner() {
                Manner::Hang => continue,
                Manner::Slow(time) => tokio::time::sleep(time).await,
                Manner::Accept | Manner::Refuse(_) | Manner::Cut => {}
            }
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => self.say("250-mailbox\r\n250-AUTH PLAIN LOGIN\r\n250-8BITMIME\r\n250 SMTPUTF8").await?,
                "HELO" | "NOOP" => self.say("250 mailbox").await?,
                "AUTH" => self.sign_in(&line).await?,
                "MAIL" => self.mail_from(&line).await?,
                "RCPT" => self.recipient(&line).await?,
                "DATA" => self.data().await?,
                "RSET" => self.reset().await?,
                "QUIT" => return self.say("221 goodbye").await,
                _ => self.say("502 not here").await?,
            }
        }
        Ok(())
    }

    async fn sign_in(&mut self, line: &str) -> std::io::Result<()> {
        let mut words = line.split_whitespace().skip(1);
        let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
        let initial = words.next().map(str::to_owned);
        let pair = match mechanism.as_str() {
            "PLAIN" => {
                let given = self.answer_or_ask(initial, "334 ").await?;
                let mut fields = given.split('\0').skip(1).map(str::to_owned);
                (fields.next().unwrap_or_default(), fields.next().unwrap_or_default())
            }
            "LOGIN" => {
                let user = self.answer_or_ask(initial, "334 VXNlcm5hbWU6").await?;
                (user, self.answer_or_ask(None, "334 UGFzc3dvcmQ6").await?)
            }
            _ => return self.say("504 not that way").await,
        };
        self.signed_in = Some(pair);
        self.say("235 welcome").await
    }

    async fn answer_or_ask(&mut self, given: Option<String>, question: &str) -> std::io::Result<String> {
        if let Some(given) = given {
            return Ok(from_base64(&given));
        }
        self.say(question).await?;
        let encoded = self.line().await?.unwrap_or_default();
        Ok(from_base64(&encoded))
    }

    async fn mail_from(&mut self, line: &str) -> std::io::Result<()> {
        self.from = in_brackets(line);
        self.recipients.clear();
        self.say("250 go on").await
    }

    async fn recipient(&mut self, line: &str) -> std::io::Result<()> {
        if let Manner::Refuse(status) = self.manner() {
            return self.say(&format!("{status} not now")).await;
        }
        self.recipients.push(in_brackets(line));
        self.say("250 go on").await
    }

    async fn data(&mut self) -> std::io::Result<()> {
        if self.recipients.is_empty() {
            return self.say("503 to whom?").await;
        }
        self.say("354 end with a dot").await?;
        let mut raw = String::new();
        while let Some(line) = self.line().await?.filter(|line| line != ".") {
            raw.push_str(line.strip_prefix('.').unwrap_or(&line));
            raw.push_str("\r\n");
        }
        if self.manner() == Manner::Cut {
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        let mail = Mail { from: self.from.clone(), recipients: self.recipients.clone(), signed_in: self.signed_in.clone(), raw };
        self.state.lock().expect("no holder panics").mails.push(mail);
        self.say("250 kept").await
    }

    async fn reset(&mut self) -> std::io::Result<()> {
        self.recipients.clear();
        self.say("250 forgotten").await
    }

    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).await?;
        Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn say(&mut self, text: &str) -> std::io::Result<()> {
        self.stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).await
    }

    fn manner(&self) -> Manner {
        self.state.lock().expect("no holder panics").manner
    }
}

fn in_brackets(line: &str) -> String {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(inside, _)| inside.to_owned()).unwrap_or_default()
}
