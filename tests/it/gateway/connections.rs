//! How many connections there may be: in all, and from one network. Whoever comes on top is closed at once.

use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;

use super::{Edge, configuration, get, public};
use crate::support::child::{self, Output, Process, Signal, Spawn};
use crate::support::client::Raw;
use crate::support::curl::curl;
use crate::support::gateway::{Gateway, status_of};
use crate::support::upstream::Upstream;
use crate::support::{ports, wait};

const PATIENCE: Duration = Duration::from_secs(10);
const AT_ONCE: Duration = Duration::from_secs(2);

fn edge(app: &Upstream, listen: &str) -> Edge {
    Edge::start(listen, &public("app", &[&app.url()], ""))
}

/// A connection that has had an answer.
async fn held(edge: &Edge, before: &str) -> Raw {
    let mut raw = Raw::connect(edge.address()).await;
    raw.send(format!("{before}{}", get(""))).await;
    assert_eq!(raw.reply().await.expect("an answer").status, 200);
    raw
}

async fn is_turned_away(edge: &Edge, before: &str) -> bool {
    let mut raw = Raw::connect(edge.address()).await;
    raw.send(before).await;
    raw.is_closed_within(AT_ONCE).await
}

async fn refused(edge: &Edge, reason: &str, count: u32) {
    let line = format!("doorward_connections_refused_total{{reason=\"{reason}\"}} {count}\n");
    let shown = || async { edge.gateway.operator().get("/metrics").await.text().contains(&line).then_some(()) };
    wait::until_async(&line, PATIENCE, shown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_more_than_there_may_be_is_closed_at_once() {
    let app = Upstream::start().await;
    let edge = edge(&app, "connections = 3");
    let first = held(&edge, "").await;
    let _others = [held(&edge, "").await, held(&edge, "").await];

    assert!(is_turned_away(&edge, "").await);
    refused(&edge, "connections", 1).await;
    drop(first);

    let open = || async { edge.gateway.operator().get("/metrics").await.text().contains("doorward_connections_open 2\n").then_some(()) };
    wait::until_async("a free place", PATIENCE, open).await;
    held(&edge, "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_network_cannot_take_all_places() {
    let app = Upstream::start().await;
    let edge = edge(&app, "connections_per_address = 2\ntrusted_proxies = [\"127.0.0.0/8\"]\nproxy_protocol = true");
    let from = |address: &str| format!("PROXY TCP{} {address} 192.0.2.200 4711 443\r\n", if address.contains(':') { 6 } else { 4 });
    let _held = [held(&edge, &from("192.0.2.1")).await, held(&edge, &from("192.0.2.1")).await];
    let six = from("2001:db8:1:2::1").replace("192.0.2.200", "::1");
    let same = from("2001:db8:1:2:ffff::9").replace("192.0.2.200", "::1");
    let _six = [held(&edge, &six).await, held(&edge, &six).await];

    assert!(is_turned_away(&edge, &from("192.0.2.1")).await);
    assert!(is_turned_away(&edge, &same).await);

    held(&edge, &from("192.0.2.2")).await;
    refused(&edge, "connections_per_address", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_is_there_when_all_places_are_taken() {
    let app = Upstream::start().await;
    let edge = edge(&app, "connections = 1");
    let _held = held(&edge, "").await;

    assert!(is_turned_away(&edge, "").await);

    assert_eq!(edge.gateway.operator().get("/healthz").await.status, 200);
}

/// What the system knows of the timer of the gateway's end of this connection (`proc_pid_net(5)`): 2 asks whether the other end is there.
fn timer(gateway: SocketAddr, client: SocketAddr) -> Option<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the system's table");
    let ends = [format!(":{:04X}", gateway.port()), format!(":{:04X}", client.port())];
    table.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&ends[0]) && fields.get(2)?.ends_with(&ends[1]);
        is_it.then(|| fields.get(5).map(|timer| timer[..2].to_owned()))?
    })
}

/// A client may vanish without a word behind a stream that is silent: nobody else would find out.
#[tokio::test(flavor = "multi_thread")]
async fn the_system_asks_whether_a_silent_client_is_still_there() {
    let app = Upstream::start().await;
    let edge = edge(&app, "");
    let held = held(&edge, "").await;

    assert_eq!(timer(edge.address(), held.address()).as_deref(), Some("02"));
}

/// A shell that allows few open files, as many do, lets it have as many as the system allows.
#[tokio::test(flavor = "multi_thread")]
async fn open_files_are_as_many_as_the_system_allows() {
    let app = Upstream::start().await;
    let mut edge = edge(&app, "connections = 10000000");
    // Its configuration and its ports, from such a shell.
    edge.gateway.terminate();
    let script = format!("ulimit -Sn 300 && exec {} serve --config {}", env!("CARGO_BIN_EXE_doorward"), edge.gateway.config().display());
    let (output, arguments) = (Output::default(), ["-c".to_owned(), script]);
    let spawn = Spawn { program: "sh", arguments: &arguments, environment: &[], user: None };
    let mut process = Process::start_into(spawn, Signal::Term, output.clone());
    let admin = edge.gateway.admin();
    child::await_ready("the gateway", &mut process, || status_of(admin, "/readyz") == Some(200));

    let limits = std::fs::read_to_string(format!("/proc/{}/limits", process.pid())).unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let mut allowed = line.split_whitespace();
    let (soft, hard) = (allowed.next().unwrap(), allowed.next().unwrap());
    assert_eq!(soft, hard);
    // Where that is more than ten million, there is nothing to tell.
    let is_told = output.text().contains("open files, and listen.connections is 10000000");
    assert_eq!(is_told, hard.parse::<u64>().is_ok_and(|hard| hard < 10_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv4_and_ipv6_come_in_at_one_port_by_one_address_or_by_two() {
    let app = Upstream::start().await;
    let port = ports::free();
    for addresses in [format!("\"[::]:{port}\""), format!("\"0.0.0.0:{port}\", \"[::]:{port}\"")] {
        let _gateway = Gateway::start(|place| {
            let text = configuration(place, "", &public("app", &[&app.url()], ""));
            text.replace(&format!("public = [\"{}\"]", place.public), &format!("public = [\"{}\", {addresses}]", place.public))
        });
        // A machine without IPv6 has the socket for it all the same, and nobody to come in.
        let has_v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
        for (host, client) in [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")].into_iter().take(if has_v6 { 2 } else { 1 }) {
            let reply = curl(&[&format!("http://{host}:{port}/")]);

            assert_eq!(reply.status, 200, "{addresses} {host}: {reply:?}");
            assert_eq!(app.last().header("x-forwarded-for").as_deref(), Some(client), "{addresses}");
        }
    }
}
