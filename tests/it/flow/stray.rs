//! What an app says unasked on a connection that is kept is nobody's answer: whoever asks next, on either way to the app, gets
//! his own.

use super::place::{ACCESS, Place, Wants};
use crate::support::child::Signal;
use crate::support::client::{Person, Raw, Reply};

/// A whole answer that nobody has asked for.
const STRAY: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray";
const WHOLE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst";

/// When the app says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    /// With its answer, in one piece.
    AtOnce,
    /// When the answer has arrived.
    Later,
    /// While the gateway's process stands still; the next request is there when it goes on.
    WhileStopped,
}

/// What is asked and answered, and what comes behind it.
#[derive(Clone, Copy, Debug)]
struct Case {
    method: &'static str,
    answer: &'static str,
    stray: &'static str,
}

const CASES: [Case; 6] = [
    Case { method: "GET", answer: WHOLE, stray: STRAY },
    // Longer than it says: the rest is an answer of its own to who reads on.
    Case { method: "GET", answer: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", stray: STRAY },
    Case { method: "GET", answer: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", stray: STRAY },
    Case { method: "HEAD", answer: "HTTP/1.1 200 OK\r\nContent-Length: 43\r\n\r\n", stray: STRAY },
    Case { method: "GET", answer: "HTTP/1.1 304 Not Modified\r\nContent-Length: 43\r\n\r\n", stray: STRAY },
    Case { method: "GET", answer: "HTTP/1.1 204 No Content\r\n\r\n", stray: STRAY },
];

/// The ways to an app: straight, and the framework's.
const WAYS: [&str; 2] = ["", "Content-Length: 0\r\n"];

/// A place whose gateway has one worker: every kept connection is there for everybody.
struct Room {
    place: Place,
    ada: Person,
    grace: Person,
    /// Pieces that the app has written so far.
    pieces: usize,
}

impl Room {
    async fn open() -> Self {
        let place = Place::with(Wants { sections: vec![("listen", "workers = 1")], ..Wants::default() }).await;
        let (ada, grace) = (place.sign_in("ada@example.com").await, place.sign_in("grace@example.com").await);
        Self { place, ada, grace, pieces: 0 }
    }

    async fn connect(&self) -> Raw {
        Raw::connect(self.place.gateway.public()).await
    }

    /// As a program asks, with the access token alone.
    fn request(&self, person: &Person, method: &str, lines: &str) -> String {
        let token = person.cookie(ACCESS).expect("signed in");
        let host = self.place.gateway.public();
        format!("{method} /mine HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{lines}\r\n")
    }

    /// Ada asks and is answered so. Then Grace asks: what she gets, and how many connections to the app were opened for it.
    async fn answer_of_grace(&mut self, case: Case, when: Option<When>, way: &str) -> (Reply, usize) {
        let (mut hers, mut other) = (self.connect().await, self.connect().await);
        let app = self.place.upstream.pieces_next();
        let stray = if when.is_some() { case.stray } else { "" };
        let first = if when == Some(When::AtOnce) { format!("{}{stray}", case.answer) } else { case.answer.to_owned() };
        app.send(first.into_bytes()).unwrap();
        hers.send(self.request(&self.ada, case.method, way)).await;
        let seen = if case.method == "HEAD" { hers.reply_head().await } else { hers.reply().await };
        assert!(seen.is_some_and(|reply| reply.status < 400), "{case:?} {when:?} {way:?}");
        let before = self.place.upstream.connections();
        self.pieces += 1;

        let request = self.request(&self.grace, "GET", way);
        if when == Some(When::WhileStopped) {
            self.place.gateway.signal(Signal::Stop);
        }
        if matches!(when, Some(When::Later | When::WhileStopped)) {
            // The app does not write to a connection that is gone: then nothing can come on it.
            drop(app.send(stray.as_bytes().to_vec()));
            self.pieces += 1;
        }
        self.place.upstream.wait_for_pieces(self.pieces).await;
        drop(app);
        other.send(request).await;
        if when == Some(When::WhileStopped) {
            self.place.gateway.signal(Signal::Cont);
        }
        (other.reply().await.expect("an answer"), self.place.upstream.connections() - before)
    }
}

fn is_hers(reply: &Reply) -> bool {
    reply.status == 200 && reply.text().contains("grace@example.com") && !reply.text().contains("stray")
}

/// Without this the tests below would prove nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_next_is_served_on_the_same_connection() {
    let mut room = Room::open().await;
    for way in WAYS {
        for case in CASES.into_iter().filter(|case| case.method == "GET") {
            let (reply, opened) = room.answer_of_grace(case, None, way).await;

            assert!(is_hers(&reply), "{case:?} {way:?}: {reply:?}");
            // The framework keeps a connection only after its answer has left, and a quick client may find none.
            assert!(opened == 0 || !way.is_empty(), "{case:?} {way:?}: {opened} connections");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_behind_an_answer_is_not_the_next_one() {
    let mut room = Room::open().await;
    for way in WAYS {
        for case in CASES {
            for when in [When::AtOnce, When::Later] {
                let (reply, _) = room.answer_of_grace(case, Some(when), way).await;

                assert!(is_hers(&reply), "{case:?} {when:?} {way:?}: {reply:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_came_while_nobody_looked_is_not_the_next_answer() {
    let mut room = Room::open().await;
    for way in WAYS {
        for case in CASES {
            let (reply, _) = room.answer_of_grace(case, Some(When::WhileStopped), way).await;

            assert!(is_hers(&reply), "{case:?} {way:?}: {reply:?}");
        }
    }
}
