//! Rows 30, 73, 78: HTTP/2 as a way past the rules, into the app's connection, or to use the gateway up.

use std::time::Duration;

use serde_json::{Value, json};

use crate::conformance::run;
use crate::support::gateway::Gateway;
use crate::support::http2::{script, section};
use crate::support::tls::Authority;
use crate::support::upstream::Upstream;
use crate::support::{curl, wait};

/// A gateway that speaks TLS, the app behind it, and who signed for it.
struct House {
    app: Upstream,
    authority: Authority,
    door: Gateway,
}

impl House {
    async fn open(listen: &str, route: &str) -> Self {
        let (app, authority) = (Upstream::start().await, Authority::new("ours"));
        let url = app.url();
        let (listen, more) = (format!("\n{listen}\nworkers = 1\n"), format!("{route}\n{}", section(&authority)));
        let configure = move |place: &_| run::configuration(place, &url, &more).replacen("\nworkers = 1\n", &listen, 1);
        let door = tokio::task::spawn_blocking(move || Gateway::start(configure)).await.expect("it starts");
        Self { app, authority, door }
    }

    /// What one of the things that a client can do comes to.
    fn suffer(&self, kind: &str) -> Value {
        let mut said = script("http2_floods.py", self.door.public(), &self.authority.file(), &[kind]);
        assert_eq!(said.len(), 1, "{kind}: {said:?}");
        said.remove(0)
    }

    /// What came of one request with these fields, each `name: value`, in this order.
    fn ask(&self, fields: &[&str]) -> Value {
        let steps: Vec<_> = fields.iter().map(|field| ["h", field]).collect();
        let file = self.authority.folder().join("streams.json");
        std::fs::write(&file, json!([steps]).to_string()).unwrap();
        let said = script("http2_send.py", self.door.public(), &self.authority.file(), &[&file.display().to_string()]);
        said[0]["stream"].clone()
    }

    fn serves_others(&self) -> bool {
        curl::trusting(&self.authority.file(), self.door.public(), "https://app.example/other", &["--http2"]).status == 200
    }

    /// Kilobytes of memory.
    fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.door.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }
}

/// Was it turned away, and not forwarded?
fn is_turned_away(said: &Value) -> bool {
    let is_malformed = said["status"] == 400 || said["fields"]["grpc-status"] == "13";
    is_malformed || ["reset", "goaway", "closed"].iter().any(|end| said.get(end).is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_33186_a_path_without_a_slash_is_no_path() {
    let house = House::open("", "").await;
    for path in
        ["private", "admin", "private/x", "*", "https://app.example/private/x", "//app.example/private", "", "?/private", "\\private"]
    {
        let path = format!(":path: {path}");
        let said = house.ask(&[":method: POST", ":scheme: https", ":authority: app.example", &path, "content-type: application/grpc"]);
        assert!(is_turned_away(&said), "{path}: {said}");
    }
    // One that has it is decided upon as it is.
    let said = house.ask(&[":method: POST", ":scheme: https", ":authority: app.example", ":path: /private/x"]);
    assert_eq!(said["status"], 401, "{said}");
    // The usual request behind each went through; nothing else did.
    assert!(house.app.received().iter().all(|seen| seen.target().starts_with("/behind/")), "{:?}", house.app.received());
}

#[tokio::test(flavor = "multi_thread")]
async fn ghsa_4px2_nothing_of_http_2_becomes_a_line_of_http_1() {
    let house = House::open("", "").await;
    let usual = [":method: GET", ":scheme: https", ":authority: app.example", ":path: /x"];
    for breaker in ["\r\n", "\n", "\r", "\0", " "] {
        for (place, field) in usual.iter().enumerate() {
            let broken = format!("{field}{breaker}HTTP/1.1{breaker}remote-user: root");
            let mut fields = usual;
            fields[place] = &broken;
            let said = house.ask(&fields);
            assert!(is_turned_away(&said), "{broken:?}: {said}");
        }
        if breaker != " " {
            let said = house.ask(&[&usual[..], &[&format!("x: 1{breaker}remote-user: root")]].concat());
            assert!(is_turned_away(&said), "{breaker:?}: {said}");
        }
        let said = house.ask(&[&usual[..], &[&format!("x{breaker}remote-user: root")]].concat());
        assert!(is_turned_away(&said), "{breaker:?}: {said}");
    }
    for field in ["transfer-encoding: chunked", "connection: x", "te: chunked", "content-length: 5", "host: other.example"] {
        let said = house.ask(&[&usual[..], &[field]].concat());
        assert!(is_turned_away(&said), "{field}: {said}");
    }
    assert!(house.app.received().iter().all(|seen| seen.target().starts_with("/behind/")), "{:?}", house.app.received());
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_8671_floods_end_and_cost_no_memory() {
    let house = House::open("", "").await;
    assert!(house.serves_others());
    let before = house.memory();
    for kind in [
        "ping",
        "settings",
        "empty-settings",
        "priority",
        "window-update",
        "unknown",
        "rapid-reset",
        "made-you-reset",
        "broken-heads",
        "odd-lengths",
        "empty-data",
        "padded-data",
        "continuation",
        "empty-continuation",
    ] {
        let said = house.suffer(kind);

        assert_eq!(said["ended"], true, "{kind}: {said}");
        assert!(said["sent"].as_u64().unwrap() < 200_000, "{kind}: {said}");
        assert!(house.serves_others(), "behind {kind}");
    }
    let grown = house.memory().saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} kB");
}

#[tokio::test(flavor = "multi_thread")]
async fn rustsec_2023_0034_who_keeps_us_waiting_is_not_waited_for() {
    let times = "head_timeout = \"1s\"\nkeep_alive = \"2s\"\nwrite_timeout = \"1s\"";
    let route = |app: &str| {
        format!(
            "[[route]]\nname = \"slow\"\nhost = \"app.example\"\npath = \"/slow-body\"\nupstream = [\"{app}\"]\nrequire = \"public\"\nbody_timeout = \"1s\"\n"
        )
    };
    let silent = Upstream::start().await;
    silent.silence_next();
    let house = House::open(times, &route(&silent.url())).await;

    for kind in ["slow-preface", "slow-head", "endless-head", "idle"] {
        let said = house.suffer(kind);
        assert_eq!(said["ended"], true, "{kind}: {said}");
    }
    // A stream of which nothing comes or goes is given up, and its connection is not.
    for kind in ["slow-body", "zero-window"] {
        let said = house.suffer(kind);
        assert!(said["first"].get("reset").is_some(), "{kind}: {said}");
        assert_eq!(said["again"], 200, "{kind}: {said}");
    }
    assert_eq!(house.suffer("zero-windows")["left"], 0);
    assert!(house.serves_others());
    wait::until_true("no request in flight", Duration::from_secs(10), || silent.count() <= 1);
}
