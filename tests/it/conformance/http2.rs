//! HTTP/2: what its RFC asks of a server, and requests that an app behind HTTP/1 must read as they were let in.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};

use super::run::{self, ADA, Run};
use super::streams::{self, Fate, Stream};
use crate::support::client::Reply;
use crate::support::curl;
use crate::support::gateway::Gateway;
use crate::support::http2::{script, section};
use crate::support::readers::{App, Reader};
use crate::support::tls::Authority;
use crate::support::upstream::Upstream;

const CORPUS: &str = include_str!("../corpus/http2.txt");

/// What the library that reads HTTP/2 does otherwise, and why that is well.
///
/// It says `PROTOCOL_ERROR` of whatever it cannot decode, and of a frame that comes behind the end of its stream, and ends the
/// connection: a generic code may stand for every other (RFC 9113 §5.4), and a stream's error may be taken for the connection's.
const GENERIC: [&str; 22] = [
    "hpack 2.3.3: an index beyond the tables",
    "hpack 2.3.3: a name's index beyond the tables",
    "hpack 4.2: a table size update at the end",
    "hpack 5.1: an integer that does not end",
    "hpack 5.2: padding of more than 7 bits",
    "hpack 5.2: padding that is not of ones",
    "hpack 5.2: the end of string inside",
    "hpack 5.2: a string longer than the block",
    "hpack 6.1: index 0",
    "hpack 6.3: a table larger than allowed",
    "http2 4.3: a block that is no HPACK",
    "http2 5.1: a half-closed stream gets DATA",
    "http2 5.1: a half-closed stream gets HEADERS",
    "http2 5.1: a stream that was reset gets HEADERS",
    "http2 5.1: a closed stream gets HEADERS",
    "http2 6.3: PRIORITY of four bytes",
    "http2 6.4: RST_STREAM of three bytes",
    "http2 6.5: an acknowledgement with a payload",
    "http2 6.5: SETTINGS of three bytes",
    "http2 6.5.2: INITIAL_WINDOW_SIZE above what may be",
    "http2 6.7: PING of six bytes",
    "http2 6.9: WINDOW_UPDATE of three bytes",
];
/// It passes over what is no field in trailers. No trailer reaches an app that speaks HTTP/1.
const PASSED_OVER: [&str; 1] = ["http2 8.3: a pseudo-header in trailers"];

#[tokio::test(flavor = "multi_thread")]
async fn every_section_of_the_rfc_holds() {
    let (app, slow, authority) = (Upstream::start().await, Upstream::start().await, Authority::new("ours"));
    slow.delay(std::time::Duration::from_secs(2));
    let route = |name: &str, path: &str, app: &Upstream| {
        format!(
            "[[route]]\nname = \"{name}\"\nhost = \"app.example\"\npath = \"{path}\"\nupstream = [\"{}\"]\nrequire = \"public\"\n",
            app.url()
        )
    };
    let more = format!("{}{}", route("slow", "/slow", &slow), section(&authority));
    let url = app.url();
    let door = start(url, more).await;

    let lines = script("http2_list.py", door.public(), &authority.file(), &[]);

    let is_wrong = |line: &&Value| {
        let case = line["case"].as_str().expect("a name");
        let is_generic = GENERIC.contains(&case) && line["seen"].as_array().and_then(|seen| seen.last()) == Some(&json!("goaway 0 1"));
        line["right"] != !(is_generic || PASSED_OVER.contains(&case))
    };
    let wrong: Vec<&Value> = lines.iter().filter(is_wrong).collect();
    assert!(lines.len() >= 150, "{}", lines.len());
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), lines.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_reads_what_was_let_in() {
    compare(App::Nginx).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gunicorn_reads_what_was_let_in() {
    compare(App::Gunicorn).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn node_reads_what_was_let_in() {
    compare(App::Node).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bytes_that_arrive_are_what_was_let_in() {
    compare(App::Bytes).await;
}

async fn start(url: String, more: String) -> Gateway {
    tokio::task::spawn_blocking(move || Gateway::start(|place| run::configuration(place, &url, &more))).await.expect("it starts")
}

/// One app behind one gateway, all requests, and what was wrong.
async fn compare(app: App) {
    let (reader, authority) = (Reader::start(app).await, Authority::new("ours"));
    let door = start(reader.url(), section(&authority)).await;
    let streams = streams::read(CORPUS, &token(door.public(), &authority.file()));
    assert!(streams.len() >= 100, "{}", streams.len());
    let file = authority.folder().join("streams.json");
    let steps: Vec<Value> = streams.iter().map(|stream| json!(stream.steps.iter().map(step).collect::<Vec<_>>())).collect();
    std::fs::write(&file, json!(steps).to_string()).expect("a writable folder");

    let lines = script("http2_send.py", door.public(), &authority.file(), &[&file.display().to_string()]);

    assert_eq!(lines.len(), streams.len());
    let mut run = Run::new(door, app);
    for (number, (stream, line)) in streams.iter().zip(&lines).enumerate() {
        run.follow_http2(stream, &line["stream"]);
        let behind = reply(&line["behind"]);
        if !behind.is_some_and(|reply| run.take_forwarded(&reply, &Run::behind(number), &stream.name)) {
            run.wrong.push(format!("{}: whoever came behind got {}", stream.name, line["behind"]));
        }
    }
    run.look(&reader);
    assert!(run.wrong.is_empty(), "{} with {app:?}:\n{}", run.wrong.len(), run.wrong.join("\n"));
}

/// A mark and bytes, each byte as the character of its number.
fn step((mark, bytes): &(char, Vec<u8>)) -> Value {
    json!([mark.to_string(), bytes.iter().map(|byte| char::from(*byte)).collect::<String>()])
}

/// Signs in over TLS.
fn token(door: SocketAddr, authority: &Path) -> String {
    let post = |path: &str, body: Value| {
        let (url, body) = (format!("https://app.example{path}"), body.to_string());
        let options = ["--http1.1", "--header", "Content-Type: application/json", "--data", &body];
        let reply = curl::trusting(authority, door, &url, &options);
        assert_eq!(reply.status, 200, "{reply:?}");
        reply
    };
    post("/auth/request-otp", json!({ "email": ADA }));
    let verified = post("/auth/verify-otp", json!({ "email": ADA, "code": "000000" }));
    let body: Value = serde_json::from_str(&verified.body).expect("JSON");
    body["access_token"].as_str().expect("a token").to_owned()
}

/// The answer in what the script says of a request, if there was one.
fn reply(said: &Value) -> Option<Reply> {
    let status = said.get("fields").and(said["status"].as_u64()).and_then(|status| u16::try_from(status).ok())?;
    let headers = said["fields"].as_object()?.iter();
    let headers = headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect();
    Some(Reply { status, headers, body: said["body"].as_str().unwrap_or_default().as_bytes().to_vec() })
}

impl Run {
    /// What became of one request.
    fn follow_http2(&mut self, stream: &Stream, said: &Value) {
        let reply = reply(said);
        let [fate] = &stream.fates[..] else { panic!("{} has one fate", stream.name) };
        let is_right = match (fate, &reply) {
            (Fate::Answered { status, may_be_seen, .. }, Some(reply)) => self.take_answer(reply, *status, *may_be_seen, &stream.name),
            (Fate::Forwarded { request, .. }, Some(reply)) => self.take_forwarded(reply, request, &stream.name),
            (Fate::Reset { .. }, None) => said.get("timeout").is_none(),
            // In the framework's words: it has none.
            (Fate::Reset { .. }, Some(reply)) => {
                let id = reply.header("x-request-id").unwrap_or_default();
                reply.status == 400 && (id.is_empty() || self.take_answer(reply, 400, true, &stream.name))
            }
            (Fate::Answered { .. } | Fate::Forwarded { .. } | Fate::Silence { .. }, _) => false,
        };
        if !is_right {
            self.wrong.push(format!("{}: {fate:?} became {said}", stream.name));
        }
    }
}
