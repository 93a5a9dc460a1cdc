//! A real Redis that a test may stop, pause, flush and start again on the same port.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use redis::{Connection, FromRedisValue, RedisResult};
use tempfile::TempDir;

use super::child::{self, Process, Signal, Spawn};
use super::folder;

/// A server of its own: it starts in five milliseconds, so none is shared.
#[derive(Debug)]
pub struct Redis {
    process: Process,
    port: u16,
    data: TempDir,
}

impl Redis {
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// With more on its command line.
    pub fn start_with(more: &[&str]) -> Self {
        let data = folder::new("redis");
        let (port, process) = child::serve("redis", |port| spawn(&data, port, more), is_ready);
        Self { process, port, data }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it: [`Signal::Kill`] as a crash, [`Signal::Term`] as an operator would.
    pub fn stop(&mut self, signal: Signal) {
        self.process.end(signal);
    }

    /// Starts it again, empty, on the same port.
    pub fn start_again(&mut self) {
        self.start_again_with(&[]);
    }

    /// Starts it again, empty, on the same port, with more on its command line (`--replicaof`, `--requirepass`).
    pub fn start_again_with(&mut self, more: &[&str]) {
        self.process = spawn(&self.data, self.port, more);
        let port = self.port;
        assert!(
            child::await_ready("redis", &mut self.process, || is_ready(port)),
            "redis did not start again: {}",
            self.process.output().text()
        );
    }

    /// Holds it: connections stay open and nobody answers.
    pub fn pause(&mut self) {
        self.process.signal(Signal::Stop);
    }

    pub fn resume(&mut self) {
        self.process.signal(Signal::Cont);
    }

    /// Forgets everything.
    pub fn flush(&self) {
        self.command::<()>(&["FLUSHALL"]);
    }

    /// Any command, typed as in redis-cli.
    pub fn command<T: FromRedisValue>(&self, words: &[&str]) -> T {
        self.try_command(words).expect("redis answers")
    }

    /// Any command, which it may refuse.
    pub fn try_command<T: FromRedisValue>(&self, words: &[&str]) -> RedisResult<T> {
        let mut command = redis::cmd(words[0]);
        for word in &words[1..] {
            command.arg(*word);
        }
        command.query(&mut redis::Client::open(self.url())?.get_connection()?)
    }

    pub fn keys(&self) -> Vec<String> {
        self.command(&["KEYS", "*"])
    }

    /// Every key with its remaining life in milliseconds (-1: it never expires) and its value: to look for what must not
    /// be there, and for what would stay for ever.
    pub fn dump(&self) -> String {
        let mut connection = self.connect();
        let mut line = |key: String| {
            let life: i64 = self.command(&["PTTL", &key]);
            format!("{key} {life} {}", value(&mut connection, &key))
        };
        self.keys().into_iter().map(&mut line).collect::<Vec<_>>().join("\n")
    }

    fn connect(&self) -> Connection {
        redis::Client::open(self.url()).expect("a URL").get_connection().expect("redis listens")
    }
}

fn value(connection: &mut Connection, key: &str) -> String {
    let kind: String = redis::cmd("TYPE").arg(key).query(connection).expect("redis answers");
    let words: Vec<&str> = match kind.as_str() {
        "string" => vec!["GET", key],
        "list" => vec!["LRANGE", key, "0", "-1"],
        "set" => vec!["SMEMBERS", key],
        "zset" => vec!["ZRANGE", key, "0", "-1", "WITHSCORES"],
        "hash" => vec!["HGETALL", key],
        "stream" => vec!["XRANGE", key, "-", "+"],
        other => panic!("a type of key that is new here: {other}"),
    };
    let mut command = redis::cmd(words[0]);
    for word in &words[1..] {
        command.arg(*word);
    }
    let value: redis::Value = command.query(connection).expect("redis answers");
    text(&value)
}

/// A value with its bytes as text, so that a search finds what is inside.
fn text(value: &redis::Value) -> String {
    match value {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        redis::Value::Array(items) | redis::Value::Set(items) => items.iter().map(text).collect::<Vec<_>>().join(" "),
        redis::Value::Map(pairs) => pairs.iter().map(|(key, value)| format!("{}={}", text(key), text(value))).collect::<Vec<_>>().join(" "),
        other => format!("{other:?}"),
    }
}

fn spawn(data: &TempDir, port: u16, more: &[&str]) -> Process {
    let folder = data.path().display().to_string();
    let port = port.to_string();
    let mut arguments: Vec<String> =
        ["--bind", "127.0.0.1", "--port", &port, "--dir", &folder, "--save", "", "--appendonly", "no"].map(str::to_owned).to_vec();
    arguments.extend(more.iter().map(|word| (*word).to_owned()));
    Process::start(Spawn { program: "redis-server", arguments: &arguments, environment: &[], user: None }, Signal::Kill)
}

/// A server with a password says so; that is an answer too.
fn is_ready(port: u16) -> bool {
    let ask = || -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        stream.write_all(b"PING\r\n")?;
        let mut answer = vec![0_u8; 7];
        stream.read_exact(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer == b"+PONG\r\n" || answer == b"-NOAUTH")
}
