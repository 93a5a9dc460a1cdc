//! A real MongoDB, a replica set of one, spoken to by hand: one command, one answer (`OP_MSG`). The driver is what is tested, and
//! not what tests it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use serde_json::Value;
use tempfile::TempDir;

use super::child::{self, Process, Signal, Spawn};
use super::{folder, wait};

/// A server of its own, with data that goes when it is dropped.
#[derive(Debug)]
pub struct MongoDb {
    process: Process,
    port: u16,
    data: TempDir,
    databases: AtomicU32,
}

impl MongoDb {
    /// The server that tests share. Take a [`database`](Self::database) of your own, and do not stop it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<MongoDb> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server for a test that stops or pauses it.
    pub fn start() -> Self {
        let mut server = Self::start_alone(&["--replSet", "doorward"]);
        let member = doc! { "_id": 0, "host": format!("127.0.0.1:{}", server.port) };
        let set = doc! { "_id": "doorward", "members": [member] };
        let begun = command(server.port, "admin", doc! { "replSetInitiate": set }).expect("mongod answers");
        assert_eq!(begun.get("ok"), Some(&Bson::Double(1.0)), "{begun}");
        server.await_primary();
        server
    }

    /// A server that belongs to no replica set, unless these arguments say so.
    pub fn start_alone(arguments: &[&str]) -> Self {
        let data = folder::new("mongo");
        let (port, process) = child::serve("mongod", |port| spawn(&data, port, arguments), |port| hello(port).is_some());
        Self { process, port, data, databases: AtomicU32::new(0) }
    }

    /// A new empty database, as a URL.
    pub fn database(&self) -> String {
        format!("mongodb://127.0.0.1:{}/doorward_{}", self.port, self.databases.fetch_add(1, Ordering::Relaxed))
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs a command in the database of a URL and gives the answer.
    pub fn run(&self, url: &str, words: Document) -> Document {
        let name = self.own(url);
        let answer = command(self.port, name, words).expect("mongod answers");
        assert_eq!(answer.get("ok"), Some(&Bson::Double(1.0)), "{answer}");
        answer
    }

    /// Runs a command that is written as JSON, and gives the first value of the first document found.
    pub fn first(&self, url: &str, words: &Value) -> String {
        let answer = self.run(url, in_order(words));
        let found = answer.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")).ok().and_then(|found| found.first());
        let value = found.and_then(Bson::as_document).and_then(|found| found.values().next());
        value.and_then(Bson::as_str).unwrap_or_default().to_owned()
    }

    /// All documents of a collection.
    pub fn documents(&self, url: &str, collection: &str) -> Vec<Document> {
        let answer = self.run(url, doc! { "find": collection, "batchSize": 100_000 });
        let cursor = answer.get_document("cursor").expect("a cursor");
        assert_eq!(cursor.get("id"), Some(&Bson::Int64(0)), "more than fits in one answer");
        cursor.get_array("firstBatch").expect("documents").iter().map(|one| one.as_document().expect("a document").clone()).collect()
    }

    /// The names of the collections of a database.
    pub fn collections(&self, url: &str) -> Vec<String> {
        let answer = self.run(url, doc! { "listCollections": 1, "nameOnly": true, "cursor": { "batchSize": 1000 } });
        let listed = answer.get_document("cursor").and_then(|cursor| cursor.get_array("firstBatch")).expect("collections");
        let names = listed.iter().map(|one| one.as_document().and_then(|one| one.get_str("name").ok()));
        names.map(|name| name.expect("a name").to_owned()).collect()
    }

    /// Everything in a database, as text: to look for what must not be there.
    pub fn dump(&self, url: &str) -> String {
        let collections = self.collections(url);
        assert!(!collections.is_empty());
        let lines = collections.iter().flat_map(|name| self.documents(url, name).into_iter().map(move |one| format!("{name} {one}\n")));
        lines.collect()
    }

    /// What the server has written to its folder, the log of operations included. It is told to compress nothing.
    pub fn files(&self) -> String {
        command(self.port, "admin", doc! { "fsync": 1 }).expect("mongod answers");
        let mut text = String::new();
        read_all(self.data.path(), &mut text);
        text
    }

    /// A test that asks one server about another's database is wrong, and should hear it.
    fn own<'a>(&self, url: &'a str) -> &'a str {
        let place = format!(":{}/", self.port);
        url.split_once(&place).unwrap_or_else(|| panic!("{url} is a database of another server")).1
    }

    /// Ends the server as the kernel does (kill -9). What was acknowledged stays.
    pub fn stop(&mut self) {
        self.process.end(Signal::Kill);
    }

    /// Holds it: connections stay open and nobody answers.
    pub fn pause(&mut self) {
        self.process.signal(Signal::Stop);
    }

    pub fn resume(&mut self) {
        self.process.signal(Signal::Cont);
    }

    /// Starts it again on the same port with the same data.
    pub fn start_again(&mut self) {
        self.process = spawn(&self.data, self.port, &["--replSet", "doorward"]);
        self.await_primary();
    }

    fn await_primary(&mut self) {
        let port = self.port;
        let is_primary = || says(port, "isWritablePrimary");
        assert!(child::await_ready("mongod", &mut self.process, is_primary), "mongod did not start: {}", self.process.output().text());
    }

    /// Waits until the database of a URL has no document like this.
    pub fn await_gone(&self, url: &str, collection: &str, id: &str) {
        let is_gone = || !self.documents(url, collection).iter().any(|one| one.get("_id").and_then(Bson::as_str) == Some(id));
        wait::until_true(&format!("{id} to be gone from {collection}"), Duration::from_secs(20), is_gone);
    }
}

/// Three servers that elect their primary, quickly.
#[derive(Debug)]
pub struct ReplicaSet(Vec<MongoDb>);

impl ReplicaSet {
    pub fn start() -> Self {
        let members: Vec<MongoDb> = (0..3).map(|_| MongoDb::start_alone(&["--replSet", "doorward"])).collect();
        let listed =
            members.iter().zip(0_i32..).map(|(member, number)| doc! { "_id": number, "host": format!("127.0.0.1:{}", member.port) });
        let settings = doc! { "electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 200 };
        let set = doc! { "_id": "doorward", "members": listed.collect::<Vec<_>>(), "settings": settings };
        let begun = command(members[0].port, "admin", doc! { "replSetInitiate": set }).expect("mongod answers");
        assert_eq!(begun.get("ok"), Some(&Bson::Double(1.0)), "{begun}");
        let set = Self(members);
        set.await_whole();
        set
    }

    /// A new empty database, as a URL.
    pub fn database(&self) -> String {
        let hosts: Vec<String> = self.0.iter().map(|member| format!("127.0.0.1:{}", member.port)).collect();
        format!("mongodb://{}/doorward?replicaSet=doorward", hosts.join(","))
    }

    /// Another is elected, and then the killed one comes back and catches up.
    pub fn kill_the_primary_and_start_it_again(&mut self) {
        let primary = self.primary().expect("a primary");
        self.0[primary].stop();
        wait::until_true("another primary", Duration::from_secs(30), || self.primary().is_some());
        let member = &mut self.0[primary];
        member.process = spawn(&member.data, member.port, &["--replSet", "doorward"]);
        self.await_whole();
    }

    fn primary(&self) -> Option<usize> {
        self.0.iter().position(|member| says(member.port, "isWritablePrimary"))
    }

    fn await_whole(&self) {
        let is_whole =
            || self.primary().is_some() && self.0.iter().all(|one| says(one.port, "isWritablePrimary") || says(one.port, "secondary"));
        wait::until_true("a replica set to be whole", Duration::from_secs(30), is_whole);
    }
}

/// Does a server say this of itself?
fn says(port: u16, what: &str) -> bool {
    hello(port).is_some_and(|said| said.get(what) == Some(&Bson::Boolean(true)))
}

fn spawn(data: &TempDir, port: u16, more: &[&str]) -> Process {
    let (folder, port) = (data.path().display().to_string(), port.to_string());
    let mut arguments = vec!["--dbpath", &folder, "--port", &port, "--bind_ip", "127.0.0.1", "--nounixsocket", "--oplogSize", "64"];
    arguments.extend(["--wiredTigerCacheSizeGB", "0.25", "--wiredTigerCollectionBlockCompressor", "none"]);
    arguments.extend(["--wiredTigerJournalCompressor", "none", "--wiredTigerIndexPrefixCompression", "false"]);
    arguments.extend(["--setParameter", "ttlMonitorSleepSecs=1", "--setParameter", "diagnosticDataCollectionEnabled=false"]);
    arguments.extend(more);
    let arguments: Vec<String> = arguments.into_iter().map(str::to_owned).collect();
    Process::start(Spawn { program: &program(), arguments: &arguments, environment: &[], user: None }, Signal::Kill)
}

/// Out of a package of PyPI that brings one: Debian has none.
fn program() -> String {
    let library = folder::tools().join("mongodb/lib");
    let versions = std::fs::read_dir(&library).unwrap_or_else(|error| panic!("{}: {error}; `make setup` installs it", library.display()));
    let found = versions.flatten().map(|python| python.path().join("site-packages/fiftyone/db/bin/mongod"));
    let found: Vec<PathBuf> = found.filter(|path| path.exists()).collect();
    found.first().expect("a mongod; `make setup` installs it").display().to_string()
}

/// The name of a command is its first field; JSON knows no first.
fn in_order(words: &Value) -> Document {
    let words = words.as_object().expect("a command");
    let name = ["find", "update", "delete"].into_iter().find(|name| words.contains_key(*name)).expect("a command that is known here");
    let others = words.iter().filter(|(field, _)| *field != name).map(|(field, value)| (field.clone(), bson(value)));
    [(name.to_owned(), bson(&words[name]))].into_iter().chain(others).collect()
}

fn bson(value: &Value) -> Bson {
    match value {
        Value::Null => Bson::Null,
        Value::Bool(value) => Bson::Boolean(*value),
        Value::Number(value) => Bson::Int64(value.as_i64().expect("a whole number")),
        Value::String(value) => Bson::String(value.clone()),
        Value::Array(values) => Bson::Array(values.iter().map(bson).collect()),
        Value::Object(fields) => Bson::Document(fields.iter().map(|(name, value)| (name.clone(), bson(value))).collect()),
    }
}

fn hello(port: u16) -> Option<Document> {
    command(port, "admin", doc! { "hello": 1 })
}

/// One command on a connection of its own; none when nobody answers in time.
pub fn command(port: u16, database: &str, mut words: Document) -> Option<Document> {
    words.insert("$db", database);
    let body = words.to_vec().expect("a document");
    let length = i32::try_from(body.len() + 21).expect("a short one");
    let mut message: Vec<u8> = [length, 1, 0, 2013, 0].iter().flat_map(|number| number.to_le_bytes()).collect();
    message.push(0);
    message.extend(body);

    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.write_all(&message).ok()?;
    let mut length = [0; 4];
    stream.read_exact(&mut length).ok()?;
    let mut answer = vec![0; usize::try_from(i32::from_le_bytes(length)).ok()?.checked_sub(4)?];
    stream.read_exact(&mut answer).ok()?;
    Document::from_reader(answer.get(17..)?).ok()
}

fn read_all(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            read_all(&path, text);
        } else if let Ok(bytes) = std::fs::read(&path) {
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
}
