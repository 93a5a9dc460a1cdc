//! Open streams end with their session: over a WebSocket and over server-sent events, here and on another node, with Redis,
//! without it, and while it is out. Nobody else's stream is touched.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;
use socket2::{Domain, Socket, Type};

use super::place::{ACCESS, Database, Place, Wants};
use crate::support::child::Signal;
use crate::support::client::{Person, Raw, TEXT_FRAME};
use crate::support::gateway::Gateway;
use crate::support::redis::Redis;
use crate::support::wait;

/// Longer than a cut may take, and long enough for a machine that runs all tests at once.
const PATIENT: Duration = Duration::from_secs(5);

const UPGRADE: &str =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A WebSocket of `person` at `node`, through which something has come already.
async fn websocket(node: &Gateway, person: &Person) -> Raw {
    let mut raw = Raw::connect(node.public()).await;
    raw.send(request(node, person, UPGRADE)).await;
    assert_eq!(raw.reply_head().await.unwrap().status, 101);
    still_open(&mut raw).await;
    raw
}

async fn still_open(raw: &mut Raw) {
    raw.send_frame(TEXT_FRAME, "hello").await;
    assert_eq!(raw.frame().await, Some((TEXT_FRAME, "hello".to_owned())));
}

/// As a program asks, with the access token alone.
fn request(node: &Gateway, person: &Person, lines: &str) -> String {
    let token = person.cookie(ACCESS).expect("signed in");
    format!("GET /live HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n{lines}\r\n", node.public())
}

/// As a browser asks, with all its cookies.
fn visit(node: &Gateway, person: &Person, lines: &str) -> String {
    format!("GET /live HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\n{lines}\r\n", node.public(), person.cookie_header())
}

async fn switched(place: &Place, request: String) -> Raw {
    let mut raw = Raw::connect(place.gateway.public()).await;
    raw.send(request).await;
    assert_eq!(raw.reply_head().await.unwrap().status, 101);
    still_open(&mut raw).await;
    raw
}

async fn signs_out(person: &Person, scope: &str) {
    let reply = person.post(&format!("/auth/logout?scope={scope}"), &json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

async fn is_cut(raw: &mut Raw) {
    assert!(raw.is_closed_within(PATIENT).await, "the stream is still open");
}

async fn cut(place: &Place) -> String {
    let metrics = place.gateway.operator().get("/metrics").await.text();
    let line = metrics.lines().find(|line| line.starts_with("doorward_streams_cut_total "));
    line.and_then(|line| line.rsplit(' ').next()).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_websocket_and_a_silent_event_stream_end_when_their_session_does() {
    let place = Place::on(Database::Sqlite).await;
    let (ada, grace) = (place.sign_in("ada@example.com").await, place.sign_in("grace@example.com").await);
    let mut socket = websocket(&place.gateway, &ada).await;
    let mut hers = websocket(&place.gateway, &grace).await;
    let events = place.upstream.stream_next();
    let mut stream = Raw::connect(place.gateway.public()).await;
    stream.send(request(&place.gateway, &ada, "Accept: text/event-stream\r\n")).await;
    assert_eq!(stream.reply_head().await.unwrap().status, 200);
    events.send("data: 1\n\n".to_owned()).unwrap();
    assert!(stream.chunk().await.is_some());

    signs_out(&ada, "local").await;

    is_cut(&mut socket).await;
    is_cut(&mut stream).await;
    still_open(&mut hers).await;
    assert_eq!(cut(&place).await, "2");
    place.gateway.wait_for_log("was cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_elsewhere_cuts_the_other_device_and_not_this_one() {
    let place = Place::on(Database::Sqlite).await;
    let (here, there) = (place.sign_in("ada@example.com").await, place.sign_in("ada@example.com").await);
    let (mut this, mut other) = (websocket(&place.gateway, &here).await, websocket(&place.gateway, &there).await);

    signs_out(&here, "others").await;

    is_cut(&mut other).await;
    still_open(&mut this).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_on_another_node_is_cut_with_redis_without_it_and_while_it_is_out() {
    let mut redis = Redis::start();
    let store = Database::Postgres.url();
    let with = Place::with(Wants { store, redis: Some(redis.url()), ..Wants::default() }).await;
    let without = Place::on(Database::Postgres).await;
    for (place, is_out) in [(&with, false), (&without, false), (&with, true)] {
        let other = place.another_node().await;
        let ada = place.sign_in("ada@example.com").await;
        let mut there = websocket(&other, &ada).await;
        if is_out {
            redis.stop(Signal::Kill);
        }

        signs_out(&ada, "global").await;

        is_cut(&mut there).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_here_and_on_another_node_is_cut_with_a_mirror_whole_stale_and_without_redis() {
    let mut redis = Redis::start();
    let sections = vec![("redis", "check = \"mirror\"")];
    let place = Place::with(Wants { store: Database::Postgres.url(), redis: Some(redis.url()), sections, ..Wants::default() }).await;
    let other = place.another_node().await;
    for node in [&place.gateway, &other] {
        node.wait_for_log("The mirror of revocations is whole");
    }
    for fault in ["none", "it stands still", "it is gone"] {
        let (ada, grace) = (place.sign_in("ada@example.com").await, place.sign_in("grace@example.com").await);
        let (mut here, mut there) = (websocket(&place.gateway, &ada).await, websocket(&other, &ada).await);
        let mut hers = websocket(&other, &grace).await;
        match fault {
            "it stands still" => redis.pause(),
            "it is gone" => redis.stop(Signal::Kill),
            _ => {}
        }

        signs_out(&ada, "global").await;

        let began = Instant::now();
        is_cut(&mut here).await;
        is_cut(&mut there).await;
        eprintln!("Redis, {fault}: both streams were cut within {:?} of the answer", began.elapsed());
        still_open(&mut hers).await;
        if fault == "it stands still" {
            redis.resume();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_disabled_loses_its_streams() {
    let place = Place::on(Database::Postgres).await;
    let ada = place.sign_in("ada@example.com").await;
    let mut socket = websocket(&place.gateway, &ada).await;

    let config = place.gateway.config().display().to_string();
    let (code, _, error) = place.gateway.command(&["account", "disable", "ada@example.com", "--config", &config]);

    assert_eq!(code, 0, "{error}");
    is_cut(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_public_belongs_to_nobody_and_stays() {
    let place = Place::on(Database::Sqlite).await;
    let ada = place.sign_in("ada@example.com").await;
    let mut raw = Raw::connect(place.gateway.public()).await;
    raw.send(request(&place.gateway, &ada, UPGRADE).replacen("/live", "/open/live", 1)).await;
    assert_eq!(raw.reply_head().await.unwrap().status, 101);
    let mut private = websocket(&place.gateway, &ada).await;

    signs_out(&ada, "local").await;

    is_cut(&mut private).await;
    still_open(&mut raw).await;
}

/// Access tokens of three seconds.
async fn hasty() -> Place {
    let sections = vec![("tokens", "access_lifetime = \"3s\"\nleeway = \"0s\"")];
    Place::with(Wants { sections, ..Wants::default() }).await
}

/// Longer than the life of such a token, and a second more until it is noticed.
const OUTLIVED: Duration = Duration::from_millis(4500);

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_outlives_its_token_as_long_as_its_session_does() {
    let place = hasty().await;
    let (browser, program) = (place.sign_in("ada@example.com").await, place.sign_in("grace@example.com").await);
    let mut tab = switched(&place, visit(&place.gateway, &browser, UPGRADE)).await;
    let mut script = switched(&place, request(&place.gateway, &program, UPGRADE)).await;

    is_cut(&mut script).await;
    assert!(!tab.is_closed_within(OUTLIVED).await, "a person who could renew at any moment was cut");
    still_open(&mut tab).await;
    place.gateway.wait_for_log("its token's time is over and it was not renewed");

    signs_out(&browser, "local").await;
    is_cut(&mut tab).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_token_alone_stays_while_others_renew_the_session() {
    let place = hasty().await;
    let ada = place.sign_in("ada@example.com").await;
    let mut script = switched(&place, request(&place.gateway, &ada, UPGRADE)).await;

    assert!(!script.is_closed_within(Duration::from_secs(2)).await);
    let renewed = ada.post("/auth/refresh", &json!({})).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    // The first token's time is over by then, the second's is not.
    assert!(!script.is_closed_within(Duration::from_secs(2)).await, "the session was renewed");
    still_open(&mut script).await;

    is_cut(&mut script).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_refresh_token_of_somebody_else_prolongs_nothing() {
    let place = hasty().await;
    let (ada, mallory) = (place.sign_in("ada@example.com").await, place.sign_in("mallory@example.com").await);
    let token = ada.cookie(ACCESS).unwrap();
    let lines = format!("{UPGRADE}Authorization: Bearer {token}\r\n");
    mallory.forget_cookie(ACCESS);

    let mut stolen = switched(&place, visit(&place.gateway, &mallory, &lines)).await;

    is_cut(&mut stolen).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stream_too_many_is_refused_before_the_app_is_asked() {
    let place = Place::with(Wants { sections: vec![("listen", "streams = 1")], ..Wants::default() }).await;
    let ada = place.sign_in("ada@example.com").await;
    let mut first = websocket(&place.gateway, &ada).await;
    let before = place.upstream.count();

    for lines in [UPGRADE, "Accept: text/event-stream\r\n"] {
        let reply = Raw::exchange(place.gateway.public(), request(&place.gateway, &ada, lines)).await;
        assert_eq!((reply.status, reply.json()["code"].as_str()), (503, Some("too_many_streams")), "{}", reply.text());
        assert_eq!(reply.header("Retry-After").as_deref(), Some("5"));
    }
    assert_eq!(place.upstream.count(), before);
    // One that does not say so beforehand is found when its response begins.
    let _events = place.upstream.stream_next();
    let reply = Raw::exchange(place.gateway.public(), request(&place.gateway, &ada, "")).await;
    assert_eq!((reply.status, reply.json()["code"].as_str()), (503, Some("too_many_streams")), "{}", reply.text());
    assert_eq!(Raw::exchange(place.gateway.public(), request(&place.gateway, &ada, "")).await.status, 200);

    still_open(&mut first).await;
    drop(first);
    let again = || async {
        let mut raw = Raw::connect(place.gateway.public()).await;
        raw.send(request(&place.gateway, &ada, UPGRADE)).await;
        (raw.reply_head().await.unwrap().status == 101).then_some(())
    };
    wait::until_async("room for another stream", PATIENT, again).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_download_is_cut_as_a_stream_is_and_a_late_answer_is_kept_back() {
    let place = Place::on(Database::Sqlite).await;
    let ada = place.sign_in("ada@example.com").await;
    let pieces = place.upstream.download_next();
    let mut download = Raw::connect(place.gateway.public()).await;
    download.send(request(&place.gateway, &ada, "")).await;
    assert_eq!(download.reply_head().await.unwrap().status, 200);
    place.upstream.delay(Duration::from_secs(3));
    let mut late = Raw::connect(place.gateway.public()).await;
    late.send(request(&place.gateway, &ada, "")).await;
    assert!(!download.is_closed_within(Duration::from_millis(1200)).await);
    pieces.send("a piece".to_owned()).unwrap();
    assert_eq!(download.chunk().await.as_deref(), Some(&b"a piece"[..]));

    signs_out(&ada, "local").await;

    is_cut(&mut download).await;
    let reply = late.reply().await.unwrap();
    assert_eq!((reply.status, reply.json()["code"].as_str()), (401, Some("session_ended")), "{}", reply.text());
}

/// By then another session may have taken its place in the browser (step-up): its cookies are neither cleared nor overwritten.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_kept_back_leaves_the_cookies_alone() {
    let place = Place::on(Database::Sqlite).await;
    for is_renewed in [false, true] {
        let ada = place.sign_in("ada@example.com").await;
        let (tab, before) = (ada.copy(), place.upstream.count());
        if is_renewed {
            tab.forget_cookie(ACCESS);
        }
        place.upstream.delay(Duration::from_secs(2));
        let late = tokio::spawn(async move { tab.visit("/report").await });
        wait::until_true("the app to be asked", PATIENT, || place.upstream.count() > before);

        signs_out(&ada, "local").await;

        let reply = late.await.unwrap();
        assert_eq!((reply.status, reply.all("set-cookie")), (302, Vec::new()), "{is_renewed}: {}", reply.text());
        place.upstream.delay(Duration::ZERO);
    }
}

/// An app that takes no connection, until it is told to.
struct Deaf {
    listener: Socket,
    queue: Vec<TcpStream>,
}

impl Deaf {
    fn start() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        // For taking connections, too.
        listener.set_read_timeout(Some(2 * PATIENT)).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let fill = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
        Self { listener, queue: std::iter::from_fn(fill).collect() }
    }

    fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap().as_socket().unwrap())
    }

    /// What comes after those that fill the queue, and all that it says.
    fn hears(self) -> Vec<u8> {
        for _ in &self.queue {
            self.listener.accept().unwrap();
        }
        let (mut next, mut said) = (self.listener.accept().unwrap().0, Vec::new());
        next.set_read_timeout(Some(PATIENT)).unwrap();
        next.read_to_end(&mut said).unwrap();
        said
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_out_while_the_app_takes_no_connection_does_not_reach_it() {
    for lines in ["", UPGRADE] {
        let deaf = Deaf::start();
        let route = format!("[[route]]\nname = \"deaf\"\npath = \"/live\"\nupstream = [\"{}\"]\nrequire = \"session\"\n", deaf.url());
        let place = Place::with(Wants { routes: route.leak(), ..Wants::default() }).await;
        let ada = place.sign_in("ada@example.com").await;
        let mut raw = Raw::connect(place.gateway.public()).await;
        raw.send(request(&place.gateway, &ada, lines)).await;
        assert!(!raw.is_closed_within(Duration::from_millis(500)).await);

        signs_out(&ada, "local").await;
        let heard = tokio::task::spawn_blocking(|| deaf.hears()).await.unwrap();

        assert!(heard.is_empty(), "{lines}: {}", String::from_utf8_lossy(&heard));
        let reply = raw.reply().await.unwrap();
        assert_eq!((reply.status, reply.json()["code"].as_str()), (401, Some("session_ended")), "{lines}: {}", reply.text());
    }
}

/// More than passes between two looks of what cuts.
const FLOOD: usize = 10 * 1024 * 1024;
/// Longer than what counts as a silence.
const SILENCE: Duration = Duration::from_millis(1300);

#[tokio::test(flavor = "multi_thread")]
async fn what_an_app_says_after_a_silence_does_not_reach_who_has_signed_out_meanwhile() {
    let place = Place::on(Database::Sqlite).await;
    let length = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 2 * FLOOD);
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    let events = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned();
    let switched = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n".to_owned();
    for (lines, head) in [
        // Straight.
        ("", &length),
        ("", &chunked),
        ("", &events),
        // By the framework.
        ("Content-Length: 0\r\n", &chunked),
        ("Accept: text/event-stream\r\n", &events),
        (UPGRADE, &switched),
    ] {
        let ada = place.sign_in("ada@example.com").await;
        let app = place.upstream.pieces_next();
        let piece = |bytes: &str| if head.contains("chunked") { format!("{:x}\r\n{bytes}\r\n", bytes.len()) } else { bytes.to_owned() };
        let begun = piece("begun");
        let mut raw = Raw::connect(place.gateway.public()).await;
        raw.send(request(&place.gateway, &ada, lines)).await;
        app.send(format!("{head}{begun}").into_bytes()).unwrap();
        assert!(raw.reply_head().await.is_some_and(|reply| reply.status < 300), "{head}");
        assert_eq!(raw.bytes(begun.len()).await.as_deref(), Some(begun.as_bytes()), "{head}");
        assert!(!raw.is_closed_within(SILENCE).await, "{head}");

        signs_out(&ada, "local").await;
        app.send(piece(&"x".repeat(FLOOD)).into_bytes()).unwrap();

        assert!(raw.is_closed_within(PATIENT).await, "something passed, or it stayed open: {lines} {head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_after_a_silence_passes_whole_while_its_session_lasts() {
    let place = Place::on(Database::Sqlite).await;
    let ada = place.sign_in("ada@example.com").await;
    for lines in ["", "Content-Length: 0\r\n"] {
        let app = place.upstream.pieces_next();
        let mut raw = Raw::connect(place.gateway.public()).await;
        raw.send(request(&place.gateway, &ada, lines)).await;
        app.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n".to_vec()).unwrap();
        assert!(raw.reply_head().await.is_some());
        assert_eq!(raw.chunk().await.as_deref(), Some(&b"begun"[..]));
        assert!(!raw.is_closed_within(SILENCE).await);

        app.send(format!("{FLOOD:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(FLOOD)).into_bytes()).unwrap();

        let mut passed = 0;
        while let Some(chunk) = raw.chunk().await {
            passed += chunk.len();
        }
        assert_eq!(passed, FLOOD, "{lines:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_uploaded_after_a_silence_does_not_reach_the_app_when_the_session_has_ended() {
    let place = Place::on(Database::Sqlite).await;
    let (ada, grace) = (place.sign_in("ada@example.com").await, place.sign_in("grace@example.com").await);
    let upload = |person: &Person| {
        let token = person.cookie(ACCESS).unwrap();
        let head = format!("PUT /upload HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n", place.gateway.public());
        format!("{head}Content-Length: 200000\r\n\r\nbegun")
    };
    let (mut hers, mut other) = (Raw::connect(place.gateway.public()).await, Raw::connect(place.gateway.public()).await);
    hers.send(upload(&ada)).await;
    other.send(upload(&grace)).await;
    assert!(!hers.is_closed_within(SILENCE).await);

    signs_out(&ada, "local").await;
    let before = place.upstream.count();
    for raw in [&mut hers, &mut other] {
        raw.send("x".repeat(199_995)).await;
    }

    assert!(hers.is_closed_within(PATIENT).await);
    assert_eq!(other.reply().await.unwrap().status, 200);
    assert_eq!(place.upstream.count(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cut_has_its_line_in_the_access_log_and_is_counted() {
    let place = Place::on(Database::Sqlite).await;
    let ada = place.sign_in("ada@example.com").await;
    let mut socket = websocket(&place.gateway, &ada).await;

    signs_out(&ada, "local").await;
    is_cut(&mut socket).await;

    place.gateway.wait_for_log("\"refusal.code\":\"session_ended\"");
    let log = place.gateway.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let line = lines.into_iter().find(|line| line["target"] == "access" && line["path"] == "/live").expect("a line");
    assert_eq!((line["status"].as_u64(), line["decision"].as_str()), (Some(101), Some("admitted")), "{line}");
    assert_eq!((line["route.name"].as_str(), line["method"].as_str()), (Some("wiki"), Some("GET")), "{line}");
    // "hello", with the two bytes of its frame.
    assert_eq!(line["response.bytes"].as_u64(), Some(7), "{line}");
    assert!(line["upstream.address"].is_string() && line["duration_ms"].is_u64(), "{line}");
    let metrics = place.gateway.operator().get("/metrics").await.text();
    assert!(metrics.contains("doorward_requests_total{code=\"101\",decision=\"admitted\",route=\"wiki\"} 1"), "{metrics}");
    assert!(metrics.contains("doorward_streams_open 0"), "{metrics}");
}
