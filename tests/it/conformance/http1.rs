//! The corpus of HTTP/1, through the real program to five apps that tell how they have read it.
//!
//! Requests are told apart by the name that the gateway gives each (`X-Request-Id`): it stands in the reply, in the access log and
//! in what the app says. Behind each stream another client asks for something of its own, over the connection to the app that
//! the stream has used: it must get its own answer.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::streams::{self, Fate, Request, Stream};
use crate::flow::place;
use crate::support::client::{Raw, Reply};
use crate::support::gateway::{self, Gateway};
use crate::support::readers::{App, Reader, Reading};
use crate::support::wait;

const CORPUS: &str = include_str!("../corpus/http1.txt");
const ADA: &str = "ada@example.com";
/// Less than the client's own patience: one stream that hangs is one line of what was wrong.
const PATIENT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn nginx_reads_what_was_let_in() {
    compare(App::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gunicorn_reads_what_was_let_in() {
    compare(App::Gunicorn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn uvicorn_reads_what_was_let_in() {
    compare(App::Uvicorn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_reads_what_was_let_in() {
    compare(App::Node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_that_arrive_are_what_was_let_in() {
    compare(App::Bytes).await;
}

#[test]
fn the_corpus_is_large_and_has_both_kinds() {
    let all = streams::read(CORPUS, "x");
    let mut names: Vec<&str> = all.iter().map(|stream| stream.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let forwarded = all.iter().filter(|stream| stream.fates.iter().any(|fate| matches!(fate, Fate::Forwarded { .. }))).count();
    assert_eq!(names.len(), all.len(), "a name is there twice");
    assert!(all.len() >= 300 && forwarded >= 100 && all.len() - forwarded >= 100, "{} {forwarded}", all.len());
    assert!(all.iter().all(|stream| !stream.fates.is_empty()));
}

/// One app behind one gateway, all streams, and what was wrong.
async fn compare(app: App) {
    let reader = Reader::start(app).await;
    let url = reader.url();
    let door = tokio::task::spawn_blocking(move || Gateway::start(|place| configuration(place, &url))).await.expect("it starts");
    let mut run = Run { door, app, expected: HashMap::new(), answered: HashMap::new(), refused: 0, wrong: Vec::new() };
    for (number, stream) in streams::read(CORPUS, &token(&run.door).await).iter().enumerate() {
        if timeout(PATIENT, run.send(stream)).await.is_err() {
            run.wrong.push(format!("{}: there was neither an answer nor an end", stream.name));
        }
        run.ask_behind(number, &stream.name).await;
    }
    run.look(&reader);
    assert!(run.wrong.is_empty(), "{} with {app:?}:\n{}", run.wrong.len(), run.wrong.join("\n"));
}

fn configuration(place: &gateway::Place, app: &str) -> String {
    let gateway::Place { public, admin, folder } = place;
    let database = folder.join("doorward.db").display().to_string();
    let key = place::ENCRYPTION_KEY;
    // One worker: then a client gets the very connection to the app that the one before has used.
    format!(
        r#"public_url = "http://{public}"
[listen]
public = ["{public}"]
admin = "{admin}"
workers = 1
[store]
url = "sqlite:{database}"
encryption_key = "{key}"
[cookies]
secure = false
[development]
enabled = true
[[delivery.email]]
kind = "console"
[[route]]
name = "private"
host = "app.example"
path = "/private"
upstream = ["{app}"]
require = "session"
[[route]]
name = "public"
host = "app.example"
upstream = ["{app}"]
require = "public"
"#
    )
}

async fn token(door: &Gateway) -> String {
    let person = door.person();
    assert_eq!(place::ask(&person, ADA).await.status, 200);
    assert_eq!(place::verify(&person, ADA, "000000").await.status, 200);
    person.cookie(place::ACCESS).expect("a session")
}

/// What happens to all streams with one app.
struct Run {
    door: Gateway,
    app: App,
    /// By the names of requests that were answered by the app: what it must have read, for which stream.
    expected: HashMap<String, (Request, String)>,
    /// By the names of those that the gateway answered: for which stream, and whether the app may have seen some of it.
    answered: HashMap<String, (String, bool)>,
    /// How many requests the app has refused, where it may.
    refused: usize,
    wrong: Vec<String>,
}

impl Run {
    /// Sends one stream, and takes its replies.
    async fn send(&mut self, stream: &Stream) {
        let mut raw = Raw::connect(self.door.public()).await;
        raw.send(&stream.bytes).await;
        for fate in &stream.fates {
            if !self.follow(&mut raw, stream, fate).await {
                return;
            }
        }
        // What closes closes by itself, and has nothing more to say.
        if !stream.fates.last().is_some_and(Fate::closes) {
            raw.finish().await;
        }
        if !raw.is_closed_within(PATIENT).await {
            self.wrong.push(format!("{}: the connection stayed open, or had more to say: {:?}", stream.name, raw.reply().await));
        }
    }

    /// Takes one reply; false when it was not the one.
    async fn follow(&mut self, raw: &mut Raw, stream: &Stream, fate: &Fate) -> bool {
        let (is_right, reply) = match fate {
            Fate::Silence { .. } => {
                raw.finish().await;
                let reply = raw.reply().await;
                (reply.is_none(), reply)
            }
            Fate::Answered { status, may_be_seen, .. } => {
                let reply = final_reply(raw, "GET").await;
                (reply.as_ref().is_some_and(|reply| self.take_answer(reply, *status, *may_be_seen, &stream.name)), reply)
            }
            Fate::Forwarded { request, .. } => {
                let reply = final_reply(raw, &request.method).await;
                (reply.as_ref().is_some_and(|reply| self.take_forwarded(reply, request, &stream.name)), reply)
            }
        };
        if !is_right {
            self.wrong.push(format!("{}: {fate:?} became {reply:?}", stream.name));
        }
        is_right
    }

    fn take_answer(&mut self, reply: &Reply, status: u16, may_be_seen: bool, stream: &str) -> bool {
        let id = reply.header("X-Request-Id").unwrap_or_default();
        let is_ours = reply.status == status && seen(reply).is_none() && !id.is_empty();
        let is_said = status < 400 || reply.header("Content-Type").is_some_and(|kind| kind == "application/problem+json");
        self.answered.insert(id, (stream.to_owned(), may_be_seen));
        is_ours && is_said
    }

    fn take_forwarded(&mut self, reply: &Reply, request: &Request, stream: &str) -> bool {
        let id = reply.header("X-Request-Id").unwrap_or_default();
        let is_ours = reply.header("Content-Type").is_some_and(|kind| kind == "application/problem+json");
        if request.may_be_refused && reply.status >= 400 && !is_ours && !id.is_empty() {
            // The app has read it as one, and wants none of it.
            self.refused += 1;
            self.answered.insert(id, (stream.to_owned(), true));
            return true;
        }
        // Ours, and nobody else's.
        let is_own = seen(reply).is_none_or(|seen| seen == id) && (seen(reply).is_some() || self.app == App::Bytes);
        let is_new = self.expected.insert(id.clone(), (request.clone(), stream.to_owned())).is_none();
        (200..300).contains(&reply.status) && !id.is_empty() && is_own && is_new
    }

    /// Another client, after a stream.
    async fn ask_behind(&mut self, number: usize, stream: &str) {
        let target = format!("/behind/{number}");
        let mut raw = Raw::connect(self.door.public()).await;
        raw.send(format!("GET {target} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n")).await;
        let request = Request {
            method: "GET".to_owned(),
            target: target.into_bytes(),
            body: Vec::new(),
            host: "app.example".to_owned(),
            is_signed_in: false,
            may_be_refused: false,
        };
        let reply = raw.reply().await;
        if !reply.as_ref().is_some_and(|reply| self.take_forwarded(reply, &request, stream)) {
            self.wrong.push(format!("{stream}: whoever came behind got {reply:?}"));
        }
    }

    /// Compares what the replies said, what the gateway logged and what the app has read.
    fn look(&mut self, reader: &Reader) {
        let read = |id: &String, readings: &[Reading]| readings.iter().any(|reading| reading.id == *id);
        // The app says it a moment after its answer, as the log does.
        let has_all = || Some(reader.readings()).filter(|readings| self.expected.keys().all(|id| read(id, readings)));
        drop(wait::within(PATIENT, has_all));
        let log = wait::within(PATIENT, || Some(logged(&self.door.log())).filter(|log| self.ids().all(|id| log.contains_key(id))));
        let log = log.unwrap_or_else(|| logged(&self.door.log()));
        let readings = reader.readings();
        let mut wrong = Vec::new();
        // What an app cannot read has no name there.
        let (nameless, readings): (Vec<_>, Vec<_>) = readings.into_iter().partition(|reading| reading.id.is_empty() && !reading.is_whole);
        if nameless.len() > self.refused {
            wrong.push(format!("{} requests could not be read, and {} were refused", nameless.len(), self.refused));
        }
        for reading in &readings {
            wrong.extend(self.wrong_with(reading, &log));
        }
        for (id, (request, stream)) in &self.expected {
            let count = readings.iter().filter(|reading| reading.id == *id && reading.is_whole).count();
            if count != 1 {
                wrong.push(format!("{stream}: the app has read {} {count} times", request.method));
            }
        }
        for id in self.ids() {
            let count = log.get(id).map_or(0, Vec::len);
            if count != 1 {
                wrong.push(format!("{id} stands {count} times in the access log"));
            }
        }
        self.wrong.extend(wrong);
    }

    fn ids(&self) -> impl Iterator<Item = &String> {
        self.expected.keys().chain(self.answered.keys())
    }

    /// What is wrong with one reading, if anything.
    fn wrong_with(&self, reading: &Reading, log: &BTreeMap<String, Vec<Value>>) -> Option<String> {
        let lines = log.get(&reading.id).map(Vec::as_slice).unwrap_or_default();
        if let Some((stream, may_be_seen)) = self.answered.get(&reading.id) {
            let is_fine = *may_be_seen && !reading.is_whole;
            return (!is_fine).then(|| format!("{stream}: it was refused, and the app has read {reading:?}"));
        }
        let Some((request, stream)) = self.expected.get(&reading.id) else {
            // Its client left before it was whole.
            let is_broken_off = lines.iter().any(|line| line["refusal.code"] == "client_gone");
            return (reading.is_whole || !is_broken_off).then(|| format!("nobody sent {reading:?}"));
        };
        if lines.iter().any(|line| line["decision"] != "admitted" || line["method"] != request.method.as_str()) {
            return Some(format!("{stream}: the access log says {lines:?} of {request:?}"));
        }
        (!self.is_alike(reading, request)).then(|| format!("{stream}: {request:?} was read as {reading:?}"))
    }

    fn is_alike(&self, reading: &Reading, request: &Request) -> bool {
        let who = if request.is_signed_in {
            let is_ada = reading.email == ADA && !reading.user.is_empty() && reading.user != "root";
            is_ada && place::claims_of(&reading.assertion)["email"] == ADA
        } else {
            reading.user.is_empty() && reading.email.is_empty() && reading.assertion.is_empty()
        };
        // ASGI does not tell an empty query from none.
        let target = if self.app == App::Uvicorn { request.target.strip_suffix(b"?").unwrap_or(&request.target) } else { &request.target };
        let is_same = reading.is_whole && reading.method == request.method && reading.target == target;
        who && is_same && reading.body == request.body && reading.host == request.host
    }
}

/// The reply to a request, after what says that it is on its way.
async fn final_reply(raw: &mut Raw, method: &str) -> Option<Reply> {
    loop {
        let reply = if method == "HEAD" { raw.reply_head().await? } else { raw.reply().await? };
        if reply.status >= 200 {
            return Some(reply);
        }
    }
}

/// The name of the request that the app says it answers.
fn seen(reply: &Reply) -> Option<String> {
    let told = || {
        let value: Value = serde_json::from_slice(&reply.body).ok()?;
        let mut headers = value.get("headers")?.as_array()?.iter();
        let id = headers.find(|header| header[0].as_str().is_some_and(|name| name.eq_ignore_ascii_case("x-request-id")))?;
        Some(id[1].as_str()?.to_owned())
    };
    reply.header("X-Seen").or_else(told)
}

/// The lines of the access log, by the names of requests.
fn logged(log: &str) -> BTreeMap<String, Vec<Value>> {
    let mut all: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for line in log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        if line["target"] == "access" {
            all.entry(line["request.id"].as_str().unwrap_or_default().to_owned()).or_default().push(line);
        }
    }
    all
}
