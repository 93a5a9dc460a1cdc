//! The reference against real servers: what nginx, Node and Python make of some hundred odd paths is what it says they do.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use tempfile::TempDir;

use super::property::{runner, target};
use super::reference::SERVERS;
use crate::support::child::{self, Process, Signal, Spawn};
use crate::support::{folder, python, readers};

/// A real server that says how it reads.
struct Real {
    port: u16,
    name: &'static str,
    _process: Process,
    _folder: TempDir,
}

impl Real {
    fn start(name: &'static str, command: impl Fn(u16, &TempDir) -> (String, Vec<String>)) -> Self {
        let folder = folder::new("reader");
        let environment = [("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned())];
        let spawn = |port| {
            let (program, arguments) = command(port, &folder);
            Process::start(Spawn { program: &program, arguments: &arguments, environment: &environment, user: None }, Signal::Kill)
        };
        let (port, process) = child::serve(name, spawn, readers::is_open);
        Self { port, name, _process: process, _folder: folder }
    }

    /// What it answers to a request for this path; none where it refuses.
    fn ask(&self, target: &str) -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], self.port))).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        let head = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers and closes");
        let is_good = answer.starts_with(b"HTTP/1.1 200 ") || answer.starts_with(b"HTTP/1.0 200 ");
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
        let (head, body) = (String::from_utf8_lossy(&answer[..end]).to_lowercase(), &answer[end + 4..]);
        is_good.then(|| if head.contains("transfer-encoding: chunked") { unchunked(body) } else { body.to_vec() })
    }

    /// The readings in its answer, by the name that the reference has for it.
    fn readings(&self, target: &str) -> BTreeMap<String, Vec<u8>> {
        let Some(answer) = self.ask(target) else { return BTreeMap::new() };
        if self.name.starts_with("nginx") {
            return BTreeMap::from([(self.name.to_owned(), answer)]);
        }
        let said: BTreeMap<String, Option<String>> = serde_json::from_slice(&answer).expect("JSON");
        let bytes = |text: String| text.chars().map(|letter| u8::try_from(letter).expect("latin1")).collect();
        said.into_iter().filter_map(|(name, reading)| Some((name, bytes(reading?)))).collect()
    }
}

fn unchunked(mut body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(end) = body.windows(2).position(|bytes| bytes == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&body[..end]).expect("digits"), 16).expect("a size");
        out.extend_from_slice(&body[end + 2..end + 2 + size]);
        body = &body[end + 4 + size..];
    }
    out
}

fn servers() -> Vec<Real> {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/readings");
    let python = python::interpreter().display().to_string();
    let words = |line: String| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let nginx = |name, merge| {
        Real::start(name, |port, folder| {
            let text = include_str!("nginx.conf").replace("FOLDER", &folder.path().display().to_string());
            let file = folder.path().join("nginx.conf");
            std::fs::write(&file, text.replace("PORT", &port.to_string()).replace("MERGE", merge)).expect("a writable folder");
            (readers::nginx(), vec!["-c".to_owned(), file.display().to_string()])
        })
    };
    let node = Real::start("node", |port, _| ("node".to_owned(), vec![format!("{here}/paths.js"), port.to_string()]));
    let wsgiref = Real::start("wsgiref", |port, _| (python.clone(), vec![format!("{here}/paths.py"), port.to_string()]));
    let uvicorn = Real::start("uvicorn", |port, _| {
        (python.clone(), words(format!("-m uvicorn --app-dir {here} --host 127.0.0.1 --port {port} --http h11 --no-access-log paths:asgi")))
    });
    let gunicorn = Real::start("gunicorn", |port, _| {
        (python.clone(), words(format!("-m gunicorn --chdir {here} --bind 127.0.0.1:{port} --workers 1 --no-control-socket paths:wsgi")))
    });
    vec![nginx("nginx", "on"), nginx("nginx, merge_slashes off", "off"), node, wsgiref, uvicorn, gunicorn]
}

/// What the reference says of a server, in the form that the real one tells it in.
fn said(name: &str, target: &str) -> Option<Vec<u8>> {
    let server = SERVERS.iter().find(|server| server.name == name).unwrap_or_else(|| panic!("no {name} in the reference"));
    let read = (server.reads)(target.as_bytes())?;
    // It writes out again what no URL may hold.
    if name == "Node, new URL()" { Some(escaped_by_whatwg(&read)) } else { Some(read) }
}

/// A path as the URL standard writes it: what is in its path percent-encode set is escaped, the rest stays.
fn escaped_by_whatwg(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for byte in path {
        if byte.is_ascii_graphic() && !b"\"#<>?^`{}".contains(byte) {
            out.push(*byte);
        } else {
            out.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    out
}

#[test]
fn real_servers_read_as_the_reference_says() {
    let servers = servers();
    let mut runner = runner(1);
    let odd = target();
    let mut compared: BTreeMap<String, usize> = BTreeMap::new();
    let mut wrong = Vec::new();

    for _ in 0..400 {
        let target = odd.new_tree(&mut runner).expect("a path").current();
        let target = target.split('?').next().unwrap_or_default();
        for (name, read) in servers.iter().flat_map(|server| server.readings(target)) {
            let said = said(&name, target);
            if said.as_ref() != Some(&read) {
                let said = said.map(|said| said.escape_ascii().to_string());
                wrong.push(format!("{name} reads {target} as {}, the reference says {said:?}", read.escape_ascii()));
            }
            *compared.entry(name).or_default() += 1;
        }
    }

    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared.len() >= 12 && compared.values().all(|count| *count >= 100), "{compared:?}");
}
