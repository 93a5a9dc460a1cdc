//! The corpus of HTTP/1, through the real program to five apps that tell how they have read it.
//!
//! Behind each stream another client asks for something of its own, over the connection to the app that
//! the stream has used: it must get its own answer.

use tokio::time::timeout;

use super::run::{self, ADA, PATIENT, Run};
use super::streams::{self, Fate, Stream};
use crate::flow::place;
use crate::support::client::{Raw, Reply};
use crate::support::gateway::Gateway;
use crate::support::readers::{App, Reader};

const CORPUS: &str = include_str!("../corpus/http1.txt");

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
    let door = tokio::task::spawn_blocking(move || Gateway::start(|place| run::configuration(place, &url, ""))).await.expect("it starts");
    let mut run = Run::new(door, app);
    for (number, stream) in streams::read(CORPUS, &token(&run.door).await).iter().enumerate() {
        if timeout(PATIENT, run.send(stream)).await.is_err() {
            run.wrong.push(format!("{}: there was neither an answer nor an end", stream.name));
        }
        run.ask_behind(number, &stream.name).await;
    }
    run.look(&reader);
    assert!(run.wrong.is_empty(), "{} with {app:?}:\n{}", run.wrong.len(), run.wrong.join("\n"));
}

async fn token(door: &Gateway) -> String {
    let person = door.person();
    assert_eq!(place::ask(&person, ADA).await.status, 200);
    assert_eq!(place::verify(&person, ADA, "000000").await.status, 200);
    person.cookie(place::ACCESS).expect("a session")
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
            Fate::Silence { .. } | Fate::Reset { .. } => {
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

    /// Another client, after a stream.
    async fn ask_behind(&mut self, number: usize, stream: &str) {
        let request = Self::behind(number);
        let mut raw = Raw::connect(self.door.public()).await;
        raw.send(format!("GET /behind/{number} HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n")).await;
        let reply = raw.reply().await;
        if !reply.as_ref().is_some_and(|reply| self.take_forwarded(reply, &request, stream)) {
            self.wrong.push(format!("{stream}: whoever came behind got {reply:?}"));
        }
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
