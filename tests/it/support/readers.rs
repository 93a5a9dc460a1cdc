//! Apps of others that say how they have read each request: nginx, two servers in Python, one in Node.
//!
//! Two servers that read one byte stream in two ways are what request smuggling lives on. So each of these tells what it has
//! made of the bytes it was given, and a test compares.

use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use tempfile::TempDir;

use super::child::{self, Process, Signal, Spawn};
use super::upstream::{Received, Upstream};
use super::{folder, python};

/// Whose way of reading it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum App {
    /// Debian's.
    Nginx,
    /// WSGI, with a parser of its own.
    Gunicorn,
    /// ASGI, with h11 for a parser.
    Uvicorn,
    /// Its `http` module, with llhttp for a parser.
    Node,
    /// Ours, on a bare socket: it keeps what it was sent byte for byte.
    Bytes,
}

/// One request, as an app has read it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The name that the gateway gave it.
    pub id: String,
    pub method: String,
    pub target: Vec<u8>,
    pub host: String,
    pub body: Vec<u8>,
    /// `Remote-User`, empty where it was not sent.
    pub user: String,
    /// `Remote-Email`.
    pub email: String,
    /// The gateway's assertion.
    pub assertion: String,
    /// False where the app knows that it has not seen all of it, or could not read it.
    pub is_whole: bool,
}

/// A running app; it ends with the value.
#[derive(Debug)]
pub enum Reader {
    Process { app: App, port: u16, process: Process, _folder: TempDir },
    Bytes(Upstream),
}

impl Reader {
    pub async fn start(app: App) -> Self {
        if app == App::Bytes {
            return Self::Bytes(Upstream::start().await);
        }
        tokio::task::spawn_blocking(move || {
            let folder = folder::new("reader");
            let (port, process) = child::serve(app.name(), |port| app.spawn(port, &folder), is_open);
            Self::Process { app, port, process, _folder: folder }
        })
        .await
        .expect("it starts")
    }

    pub fn url(&self) -> String {
        match self {
            Self::Process { port, .. } => format!("http://127.0.0.1:{port}"),
            Self::Bytes(upstream) => upstream.url(),
        }
    }

    /// Everything that it has read so far, oldest first.
    pub fn readings(&self) -> Vec<Reading> {
        match self {
            Self::Process { app, process, .. } => process.output().text().lines().filter_map(|line| app.reading(line)).collect(),
            Self::Bytes(upstream) => upstream.received().iter().map(Reading::of).collect(),
        }
    }
}

impl App {
    fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Gunicorn => "gunicorn",
            Self::Uvicorn => "uvicorn",
            Self::Node => "node",
            Self::Bytes => "ours",
        }
    }

    fn spawn(self, port: u16, folder: &TempDir) -> Process {
        let (program, arguments) = self.command(port, folder);
        // Python's tracks stay out of the sources.
        let environment = [("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned())];
        Process::start(Spawn { program: &program, arguments: &arguments, environment: &environment, user: None }, Signal::Kill)
    }

    fn command(self, port: u16, folder: &TempDir) -> (String, Vec<String>) {
        let sources = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support");
        let python = python::interpreter().display().to_string();
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        match self {
            Self::Nginx => {
                let text = include_str!("reader.conf").replace("FOLDER", &folder.path().display().to_string());
                let file = folder.path().join("nginx.conf");
                std::fs::write(&file, text.replace("PORT", &port.to_string())).expect("a writable folder");
                (nginx(), vec!["-c".to_owned(), file.display().to_string()])
            }
            Self::Gunicorn => {
                let line = format!(
                    "-m gunicorn --chdir {sources} --bind 127.0.0.1:{port} --workers 1 --worker-class gthread --threads 8 --keep-alive 75 \
                     --limit-request-line 0 --limit-request-field_size 0 --limit-request-fields 1000 --no-control-socket reader:app"
                );
                (python, words(&line))
            }
            Self::Uvicorn => {
                let line = format!(
                    "-m uvicorn --app-dir {sources} --host 127.0.0.1 --port {port} --http h11 --h11-max-incomplete-event-size 100000 \
                     --timeout-keep-alive 75 --no-access-log reader:asgi"
                );
                (python, words(&line))
            }
            Self::Node => ("node".to_owned(), vec![format!("{sources}/reader.js"), port.to_string()]),
            Self::Bytes => unreachable!("it is no program"),
        }
    }

    /// What a line of its output says of a request.
    fn reading(self, line: &str) -> Option<Reading> {
        if line.contains("Invalid HTTP request") || line.contains("Invalid request from") {
            return Some(Reading::default());
        }
        let value: Value = serde_json::from_str(line).ok()?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        // nginx writes bytes as they came; the others say each byte as the character of its number.
        let bytes = |text: String| match self {
            Self::Nginx => text.into_bytes(),
            Self::Gunicorn | Self::Uvicorn | Self::Node | Self::Bytes => {
                text.chars().map(|letter| u8::try_from(u32::from(letter)).expect("a byte")).collect()
            }
        };
        let is_whole = value.get("whole").map_or_else(|| text("status") == "204", |whole| whole == true);
        Some(Reading {
            id: text("id"),
            method: text("method"),
            target: bytes(text("target")),
            host: text("host"),
            body: bytes(text("body")),
            user: text("user"),
            email: text("email"),
            assertion: text("assertion"),
            is_whole,
        })
    }
}

impl Reading {
    fn of(received: &Received) -> Self {
        let field = |name: &str| received.header(name).unwrap_or_default();
        let first = received.head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let target = first.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        Self {
            id: field("X-Request-Id"),
            method: received.method(),
            target: target.to_vec(),
            host: field("Host"),
            body: received.body.clone(),
            user: field("Remote-User"),
            email: field("Remote-Email"),
            assertion: field("X-Doorward-Assertion"),
            is_whole: true,
        }
    }
}

/// Debian's stands where only root looks.
pub fn nginx() -> String {
    let known = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
    known.into_iter().find(|path| std::path::Path::new(path).exists()).unwrap_or("nginx").to_owned()
}

pub fn is_open(port: u16) -> bool {
    TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port))).is_ok()
}
