//! gRPC, with the reference implementation on both sides: every kind of call, and refusals that its clients understand.

use serde_json::{Value, json};

use crate::flow::place::{ACCESS, ENCRYPTION_KEY, Place, Wants};
use crate::support::child::{self, Process, Signal, Spawn};
use crate::support::gateway::Gateway;
use crate::support::tls::Authority;
use crate::support::{folder, ports, python};

pub(super) const SCRIPT: &str = include_str!("../support/grpcapp.py");

pub(super) fn server() -> (u16, Process) {
    let script = folder::tools().join("grpcapp.py");
    std::fs::write(&script, SCRIPT).unwrap();
    let interpreter = python::interpreter().display().to_string();
    let spawn = |port: u16| {
        let arguments = [script.display().to_string(), "serve".to_owned(), port.to_string()];
        Process::start(Spawn { program: &interpreter, arguments: &arguments, environment: &[], user: None }, Signal::Kill)
    };
    child::serve("the gRPC server", spawn, |port| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())
}

/// A node of the same place that speaks TLS, in front of a gRPC server.
pub(super) fn node(place: &Place, authority: &Authority, port: u16) -> Gateway {
    let (issuer, store, pair) = (place.gateway.public(), place.wants.store.clone(), authority.server(&["a.example"]));
    let redis = place.wants.redis_section();
    let dead = ports::free_address();
    let route = |name: &str, path: &str, url: &str, require: &str| {
        format!("[[route]]\nname = \"{name}\"\npath = \"{path}\"\nupstream = [\"{url}\"]\nrequire = \"{require}\"\n")
    };
    let routes = route("demo", "/demo.Echo", &format!("h2c://127.0.0.1:{port}"), "session")
        + &route("second", "/second.Echo", &format!("h2c://127.0.0.1:{port}"), "second_factor")
        + &route("dead", "/dead.Echo", &format!("h2c://{dead}"), "public");
    Gateway::start(move |listen| {
        format!(
            "public_url = \"http://{issuer}\"\n[listen]\npublic = [\"{}\"]\nadmin = \"{}\"\n[tls]\ncertificate = [{}]\n\
             [store]\nurl = \"{store}\"\nencryption_key = \"{ENCRYPTION_KEY}\"\n{redis}[cookies]\nsecure = false\n\
             [[delivery.email]]\nkind = \"console\"\n{routes}",
            listen.public,
            listen.admin,
            pair.toml()
        )
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_call_passes_and_every_refusal_is_understood() {
    let (port, _server) = server();
    let (place, authority) = (Place::with(Wants::default()).await, Authority::new("ours"));
    let token = place.sign_in("ada@example.com").await.cookie(ACCESS).unwrap();
    let gateway = node(&place, &authority, port);

    let (address, file) = (gateway.public().port().to_string(), authority.file().display().to_string());
    let told = python::run(SCRIPT, &["call", &address, &file, "a.example", &token]);
    let told: Value = serde_json::from_str(&told).unwrap();

    for (call, expected) in [
        ("unary", json!("echo hello")),
        ("large", json!(true)),
        ("trailers", json!("ada@example.com")),
        ("client", json!("5")),
        ("server", json!(["m 0", "m 1", "m 2"])),
        ("both", json!(["you said 0", "you said 1", "you said 2"])),
        ("failing", json!({ "code": 9, "details": "not today" })),
        ("deadline", json!("yes")),
    ] {
        assert_eq!(told[call], expected, "{call}: {told:#}");
    }
    for (call, code) in [("stranger", 16), ("one_factor", 7), ("dead", 14), ("nowhere", 12)] {
        assert_eq!(told[call]["code"], code, "{call}: {told:#}");
    }
}
