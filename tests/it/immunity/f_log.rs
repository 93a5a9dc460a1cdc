//! F 67: an event is one line of the log, in JSON and in text, whatever strangers write.

use serde_json::{Value, json};

use crate::flow::place::{CHALLENGE, Place, REFRESH, Wants};
use crate::support::client::Raw;

/// What breaks a line, ends a text, or commands a terminal.
const HOSTILE: [&str; 18] = [
    "\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}\r\n",
    "\n2026-01-01T00:00:00Z ERROR forged",
    "\r",
    "\t",
    "\0",
    "\x0b\x0c",
    "\x1b[2J\x1b[31mforged",
    "\x1b]0;forged\x07",
    "\u{7f}",
    "\u{85}forged",
    "\u{9b}31mforged",
    "\u{2028}forged",
    "\u{2029}forged",
    "\u{202e}degrof",
    "\u{feff}\u{200b}",
    "\u{e0041}",
    "\",\"level\":\"ERROR\",\"x\":\"",
    "{{}} ${jndi:ldap://127.0.0.1/x} %s%n \\u000a \\",
];

/// Every place of a request that a stranger fills.
async fn send_everywhere(place: &Place, text: &[u8]) {
    let shown = String::from_utf8_lossy(text).into_owned();
    let escaped: String = url::form_urlencoded::byte_serialize(text).collect();
    let raw = |parts: [&[u8]; 3]| parts.concat();
    let end: &[u8] = b"\r\nConnection: close\r\n\r\n";
    let heads = [
        raw([b"GET /page", text, b" HTTP/1.1\r\nHost: wiki.example.com\r\nConnection: close\r\n\r\n"]),
        raw([b"GET /auth/", text, b" HTTP/1.1\r\nHost: wiki.example.com\r\nConnection: close\r\n\r\n"]),
        raw([b"GET /page?q=", text, b" HTTP/1.1\r\nHost: wiki.example.com\r\nConnection: close\r\n\r\n"]),
        raw([b"X", text, b" /page HTTP/1.1\r\nHost: wiki.example.com\r\nConnection: close\r\n\r\n"]),
        raw([b"GET /page HTTP/1.1\r\nHost: wiki", text, end]),
        raw([b"GET /page HTTP/1.1\r\nHost: wiki.example.com\r\nUser-Agent: a", text, end]),
        raw([b"GET /page HTTP/1.1\r\nHost: wiki.example.com\r\nReferer: a", text, end]),
        raw([b"GET /page HTTP/1.1\r\nHost: wiki.example.com\r\nX-Request-Id: a", text, end]),
        raw([b"GET /page HTTP/1.1\r\nHost: wiki.example.com\r\nX-Forwarded-For: 1.2.3.4", text, end]),
        raw([b"GET /page HTTP/1.1\r\nHost: wiki.example.com\r\nForwarded: for=a", text, end]),
        raw([b"GET /page HTTP/1.1\r\nHost: wiki.example.com\r\nAccept-Language: de", text, end]),
        raw([b"GET /page HTTP/1.1\r\nHost: wiki.example.com\r\nAuthorization: Bearer a", text, end]),
        raw([b"GET /page HTTP/1.1\r\nHost: wiki.example.com\r\nCookie: doorward_access=a", text, end]),
        raw([b"GET /page HTTP/1.1\r\nHost: wiki.example.com\r\nX-A", text, b": 1\r\nConnection: close\r\n\r\n"]),
        raw([b"GET /page", escaped.as_bytes(), b" HTTP/1.1\r\nHost: wiki.example.com\r\nConnection: close\r\n\r\n"]),
    ];
    for head in heads {
        let mut connection = Raw::connect(place.gateway.public()).await;
        connection.send(&head).await;
        let reply = connection.reply().await;
        assert!(reply.is_some_and(|reply| reply.status >= 400), "{}", String::from_utf8_lossy(&head));
    }
    let person = place.person();
    person.set_cookie(CHALLENGE, &escaped);
    person.set_cookie(REFRESH, &escaped);
    for email in [format!("ada{shown}@example.com"), format!("ada@example.com{shown}"), shown.clone()] {
        person.post("/auth/request-otp", &json!({ "email": email })).await;
        person.post("/auth/register", &json!({ "email": email, "name": shown, "username": shown })).await;
        person.post("/auth/verify-otp", &json!({ "email": email, "code": shown, "challenge_id": shown })).await;
        person.post_form("/auth/login", &[("address", &email), ("next", &shown)]).await;
    }
    person.post("/auth/refresh", &json!({})).await;
    person.post("/auth/logout", &json!({})).await;
    person.request(http::Method::DELETE, &format!("/auth/sessions/{escaped}")).send().await;
}

async fn a_visited_place(format: &'static str) -> (Place, String) {
    let wants = Wants { sections: vec![("telemetry", format), ("otp", "resend_after = \"0s\"")], ..Wants::default() };
    let place = Place::with(wants).await;
    for text in HOSTILE {
        send_everywhere(&place, text.as_bytes()).await;
    }
    send_everywhere(&place, b"\xff\xfe\x85\x9b31m").await;
    // A person with an odd name and a browser of an odd name signs in, and is told of.
    let person = place.person();
    person.post("/auth/register", &json!({ "email": "ada@example.com", "name": "\u{202e}<Ada>\u{2028}" })).await;
    let signed_in = place.sign_in("eve@example.com").await;
    signed_in.get("/last-of-all").await;
    place.gateway.wait_for_log("/last-of-all");
    let log = place.gateway.log();
    (place, log)
}

/// Only characters that can be seen, and only whole lines.
fn is_plain(log: &str) {
    for line in log.split('\n') {
        let odd: Vec<char> =
            line.chars().filter(|letter| *letter != '"' && *letter != '\'' && *letter != '\\' && letter.escape_debug().len() > 1).collect();
        assert!(odd.is_empty(), "{odd:?} in {line:?}");
    }
}

/// Envoy wrote a header's line breaks into its access log, and with them lines of a stranger's making.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_45808_a_stranger_writes_no_line_of_the_log() {
    let (_place, log) = a_visited_place("log = \"debug\"").await;
    is_plain(&log);
    let mut requests = 0;
    for line in log.lines() {
        let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        let event = event.as_object().expect("an object");
        assert!(event["timestamp"].is_string() && event["message"].is_string() && event["target"].is_string(), "{line}");
        assert_ne!(event["message"], "forged", "{line}");
        assert_ne!(event["level"], "ERROR", "{line}");
        // A key that is there twice would be read by one tool so and by another otherwise.
        for key in event.keys() {
            assert_eq!(
                line.matches(&format!(",\"{key}\":")).count() + line.matches(&format!("{{\"{key}\":")).count(),
                1,
                "{key} in {line}"
            );
        }
        requests += usize::from(event["target"] == "access");
    }
    assert!(requests > 300, "{requests} lines of access");
    assert!(log.contains(r"\u2028") && log.contains(r"\u009b"), "what cannot be seen is written out, not lost");
}

/// The same in the format for eyes, which a terminal shows.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_25294_a_stranger_commands_no_terminal() {
    let (_place, log) = a_visited_place("log = \"debug\"\nlog_format = \"text\"").await;
    is_plain(&log);
    let mut requests = 0;
    for line in log.lines() {
        let (time, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no time: {line:?}"));
        assert!(time.len() == 27 && time.ends_with('Z') && time.starts_with("20"), "{line:?}");
        let level = rest.split_whitespace().next().unwrap_or_default();
        assert!(["DEBUG", "INFO", "WARN"].contains(&level), "{line:?}");
        requests += usize::from(rest.contains(" access: "));
    }
    assert!(requests > 300, "{requests} lines of access");
}
