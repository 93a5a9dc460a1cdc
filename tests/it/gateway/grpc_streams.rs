//! Open gRPC streams end with their session, one by one: what somebody else has open on the same connection of HTTP/2 goes on.
//! Here and on another node, with Redis, without it, and while it is out.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::grpc::{SCRIPT, node, server};
use crate::flow::place::{ACCESS, Database, Place, Wants};
use crate::support::child::Signal;
use crate::support::client::Person;
use crate::support::gateway::Gateway;
use crate::support::redis::Redis;
use crate::support::tls::Authority;
use crate::support::{curl, python};

/// A second, and what a machine may take that runs all tests at once.
const PROMISED: f64 = 1.0;
const PATIENT: f64 = 5.0;

/// A client with two streams of Ada's and two of Grace's, on one connection.
struct Holding {
    client: Child,
    said: BufReader<ChildStdout>,
}

impl Holding {
    /// At this node, once all four have said something.
    fn at(node: &Gateway, authority: &Path, ada: &Person, grace: &Person) -> Self {
        let port = node.public().port().to_string();
        let mut command = Command::new(python::interpreter());
        command.args(["-c", SCRIPT, "hold", &port]).arg(authority).arg("a.example");
        command.args([ada, grace].map(|person| person.cookie(ACCESS).expect("signed in")));
        let mut client = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("python");
        let said = BufReader::new(client.stdout.take().expect("it is piped"));
        let mut holding = Self { client, said };
        let opened = holding.line();
        assert_eq!(opened["said"], json!(["you said one", "you said two"]), "{opened}");
        holding
    }

    /// What became of the streams, at the latest after ten seconds.
    fn ends(mut self) -> Value {
        self.client.stdin.take().expect("it is piped").write_all(b"look\n").expect("it listens");
        self.line()
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.said.read_line(&mut line).expect("it speaks");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        drop(self.client.kill());
        drop(self.client.wait());
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// Ada's two are over, soon after she was told that she is out; Grace's two go on, and so does the connection.
fn hers_alone_are_cut(ends: &Value, answered: f64, what: &str) {
    for stream in ["silent", "talk"] {
        // gRPC's word for a stream that was reset: CANCELLED.
        assert_eq!(ends[stream]["code"], 1, "{what}, {stream}: {ends:#}");
        let after = ends[stream]["at"].as_f64().expect("a time") - answered;
        eprintln!("{what}: the {stream} stream ended {after:.3} s after the answer{}", if after > PROMISED { ": late" } else { "" });
        assert!(after < PATIENT, "{what}, {stream}: {after}");
    }
    assert_eq!(
        (&ends["hers"], &ends["hers_silent"], &ends["hers_again"]),
        (&json!("you said still here"), &json!(true), &json!("echo hello")),
        "{what}: {ends:#}"
    );
    assert_eq!(ends["again"]["code"], 16, "{what}: {ends:#}");
}

/// Signs out at a node that speaks TLS.
fn signs_out_at(node: &Gateway, authority: &Path, person: &Person) {
    let token = format!("Authorization: Bearer {}", person.cookie(ACCESS).expect("signed in"));
    let reply = curl::trusting(authority, node.public(), "https://a.example/auth/logout", &["-X", "POST", "-H", &token]);
    assert_eq!((reply.status, reply.version.as_str()), (200, "HTTP/2"), "{} {}", reply.body, reply.said);
}

async fn signs_out(person: &Person) {
    let reply = person.post("/auth/logout?scope=global", &json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

/// A place, and two nodes of it in front of a gRPC server.
struct House {
    place: Place,
    authority: Authority,
    one: Gateway,
    two: Gateway,
    _server: crate::support::child::Process,
}

impl House {
    async fn with(wants: Wants) -> Self {
        let (port, server) = server();
        let (place, authority) = (Place::with(wants).await, Authority::new("ours"));
        let (one, two) = (node(&place, &authority, port), node(&place, &authority, port));
        Self { place, authority, one, two, _server: server }
    }

    /// Ada signs out at a third node: what she has open at both others ends.
    async fn cut_on_two_nodes(&self, what: &str, fault: impl FnOnce()) {
        let (ada, grace) = (self.place.sign_in("ada@example.com").await, self.place.sign_in("grace@example.com").await);
        let file = self.authority.file();
        let (here, there) = (Holding::at(&self.one, &file, &ada, &grace), Holding::at(&self.two, &file, &ada, &grace));
        fault();

        signs_out(&ada).await;

        let answered = now();
        for (node, holding) in [("one", here), ("two", there)] {
            hers_alone_are_cut(&holding.ends(), answered, &format!("{what}, node {node}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_cuts_ones_own_streams_and_no_others_of_the_connection() {
    let house = House::with(Wants::default()).await;
    let (ada, grace) = (house.place.sign_in("ada@example.com").await, house.place.sign_in("grace@example.com").await);
    let file = house.authority.file();
    let holding = Holding::at(&house.one, &file, &ada, &grace);

    signs_out_at(&house.one, &file, &ada);

    let (answered, ends) = (now(), holding.ends());
    hers_alone_are_cut(&ends, answered, "at the same node");
    // The app was told as well: of its waiting streams Grace's alone is left.
    assert_eq!(ends["held"], "1", "{ends:#}");
    let metrics = house.one.operator().get("/metrics").await.text();
    assert!(metrics.contains("doorward_streams_cut_total 2\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_grpc_on_two_nodes_are_cut_without_redis() {
    let house = House::with(Wants { store: Database::Postgres.url(), ..Wants::default() }).await;
    house.cut_on_two_nodes("without Redis", || {}).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_grpc_on_two_nodes_are_cut_with_redis_asked_and_while_it_is_out() {
    let mut redis = Redis::start();
    let house = House::with(Wants { store: Database::Postgres.url(), redis: Some(redis.url()), ..Wants::default() }).await;
    house.cut_on_two_nodes("Redis is asked", || {}).await;
    house.cut_on_two_nodes("Redis is gone", || redis.stop(Signal::Kill)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_grpc_on_two_nodes_are_cut_with_a_mirror_whole_stale_and_without_redis() {
    let mut redis = Redis::start();
    let wants = Wants {
        store: Database::Postgres.url(),
        redis: Some(redis.url()),
        sections: vec![("redis", "check = \"mirror\"")],
        ..Wants::default()
    };
    let house = House::with(wants).await;
    for node in [&house.one, &house.two] {
        node.wait_for_log("The mirror of revocations is whole");
    }
    house.cut_on_two_nodes("the mirror is whole", || {}).await;
    house.cut_on_two_nodes("Redis stands still", || redis.pause()).await;
    redis.resume();
    house.cut_on_two_nodes("the mirror lost Redis", || redis.stop(Signal::Kill)).await;
}
