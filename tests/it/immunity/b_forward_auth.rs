//! Neighbours that stay in front and ask.

use std::time::Duration;

use serde_json::Value;

use crate::support::client::Person;
use crate::support::gateway::{Gateway, Place};
use crate::support::wait;

fn gateway() -> Gateway {
    Gateway::start(|Place { public, admin, folder }| {
        format!(
            r#"public_url = "http://wiki.localhost"
[listen]
public = ["{public}"]
admin = "{admin}"
[forward_auth]
trusted_proxies = ["127.0.0.0/8"]
[store]
url = "sqlite:{}/doorward.db"
encryption_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
[cookies]
secure = false
[[delivery.email]]
kind = "console"
[[route]]
name = "open"
path = "/open"
upstream = ["http://127.0.0.1:1"]
require = "public"
[[route]]
name = "app"
upstream = ["http://127.0.0.1:1"]
require = "session"
"#,
            folder.display()
        )
    })
}

fn rows(gateway: &Gateway) -> Vec<Value> {
    let (code, printed, complained) = gateway.command(&["audit", "list", "--json", "--what", "forward_auth_contradicted"]);
    assert_eq!(code, 0, "{complained}");
    printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn tinyauth_1089_two_dialects_in_one_request_are_refused_and_written_down() {
    let gateway = gateway();
    let stranger: Person = gateway.person_at("wiki.localhost");

    let ask = |lie: &str| {
        stranger
            .request(http::Method::GET, "/auth/check/traefik")
            .header("X-Forwarded-Method", "GET")
            .header("X-Forwarded-Proto", "http")
            .header("X-Forwarded-Host", "wiki.localhost")
            .header("X-Forwarded-Uri", "/open/a")
            .header("X-Original-URL", lie)
            .header("X-Request-Id", "asked-1")
            .header("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0")
    };
    assert_eq!(ask("http://wiki.localhost/open/a").send().await.status, 200, "the same in two dialects is no conflict");
    for _ in 0..30 {
        assert_eq!(ask("http://wiki.localhost/secret").send().await.status, 400);
    }

    let told = wait::until("a row of the audit log", Duration::from_secs(20), || Some(rows(&gateway)).filter(|rows| !rows.is_empty()));
    assert!(told.len() <= 2, "thirty times the same is one row a minute at first: {told:?}");
    let row = &told[0];
    assert_eq!((&row["who"], &row["outcome"], &row["detail"]), (&"nobody".into(), &"refused".into(), &"traefik".into()));
    assert_eq!((&row["address"], &row["agent"]), (&"127.0.0.1".into(), &"Firefox, Linux".into()));
    assert!(row["request_id"].as_str().is_some_and(|id| !id.is_empty()));
    assert!(!row.to_string().contains("secret"), "{row}");

    // The rest is counted, and written when the minute is over, or the program leaves.
    let mut gateway = gateway;
    gateway.terminate();
    let counts: Vec<i64> = rows(&gateway).iter().map(|row| row["times"].as_i64().unwrap()).collect();
    assert_eq!(counts.iter().sum::<i64>(), 30, "{counts:?}");
    assert!(counts.len() <= 4, "{counts:?}");
}
