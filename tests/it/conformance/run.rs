//! What the replies said, what the gateway logged and what the app has read, side by side.
//!
//! Requests are told apart by the name that the gateway gives each (`X-Request-Id`): it stands in the reply, in the access log and
//! in what the app says.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::Value;

use super::streams::Request;
use crate::flow::place;
use crate::support::client::Reply;
use crate::support::gateway::{self, Gateway};
use crate::support::readers::{App, Reader, Reading};
use crate::support::wait;

pub const ADA: &str = "ada@example.com";
/// Less than the client's own patience: one stream that hangs is one line of what was wrong.
pub const PATIENT: Duration = Duration::from_secs(10);

/// Everything under `/private` asks for a session, the rest is public. `more` is added at the end.
pub fn configuration(place: &gateway::Place, app: &str, more: &str) -> String {
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
{more}
"#
    )
}

/// What happens to all streams with one app.
pub struct Run {
    pub door: Gateway,
    pub app: App,
    /// By the names of requests that were answered by the app: what it must have read, for which stream.
    expected: HashMap<String, (Request, String)>,
    /// By the names of those that the gateway answered: for which stream, and whether the app may have seen some of it.
    answered: HashMap<String, (String, bool)>,
    /// How many requests the app has refused, where it may.
    refused: usize,
    pub wrong: Vec<String>,
}

impl Run {
    pub fn new(door: Gateway, app: App) -> Self {
        Self { door, app, expected: HashMap::new(), answered: HashMap::new(), refused: 0, wrong: Vec::new() }
    }

    /// A reply of the gateway itself, for a stream; true when it is one.
    pub fn take_answer(&mut self, reply: &Reply, status: u16, may_be_seen: bool, stream: &str) -> bool {
        let id = reply.header("X-Request-Id").unwrap_or_default();
        let is_ours = reply.status == status && seen(reply).is_none() && !id.is_empty();
        let is_said = status < 400 || reply.header("Content-Type").is_some_and(|kind| kind == "application/problem+json");
        self.answered.insert(id, (stream.to_owned(), may_be_seen));
        is_ours && is_said
    }

    /// A reply of the app; true when it is one, and the client's own.
    pub fn take_forwarded(&mut self, reply: &Reply, request: &Request, stream: &str) -> bool {
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

    /// What is asked for behind a stream, by somebody else.
    pub fn behind(number: usize) -> Request {
        Request {
            method: "GET".to_owned(),
            target: format!("/behind/{number}").into_bytes(),
            body: Vec::new(),
            host: "app.example".to_owned(),
            is_signed_in: false,
            may_be_refused: false,
        }
    }

    /// Compares what the replies said, what the gateway logged and what the app has read.
    pub fn look(&mut self, reader: &Reader) {
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
