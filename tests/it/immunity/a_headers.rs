//! A 1 to 12: whatever a client writes into its headers, the app hears from us alone who is there.

use std::collections::BTreeMap;

use http::Method;
use proptest::strategy::{Strategy, ValueTree};
use serde_json::Value;

use super::factors::Enrolled;
use crate::flow::place::{ACCESS, Database, Place, REFRESH, Wants, code_of};
use crate::readings::runner;
use crate::support::child::{self, Process, Signal, Spawn};
use crate::support::client::{Raw, Reply};
use crate::support::upstream::Received;
use crate::support::{python, readers};

const ADA: &str = "ada@example.com";

const ROUTES: &str = "[[route]]\nname = \"vault\"\npath = \"/vault\"\nupstream = [\"UPSTREAM\"]\nrequire = \"second_factor\"\n\
    [[route]]\nname = \"inside\"\npath = \"/inside\"\nupstream = [\"UPSTREAM\"]\nrequire = \"public\"\nnetworks = [\"10.0.0.0/8\"]\n";

/// The names of every preset, as the manuals of those gateways write them.
const RESERVED: [&str; 20] = [
    "Remote-User",
    "Remote-Email",
    "Remote-Name",
    "Remote-Groups",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Forwarded-Preferred-Username",
    "X-Forwarded-Groups",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-Auth-Request-Preferred-Username",
    "X-Auth-Request-Groups",
    "X-authentik-username",
    "X-authentik-email",
    "X-authentik-name",
    "X-authentik-uid",
    "X-authentik-groups",
    "Cf-Access-Authenticated-User-Email",
    "Cf-Access-Jwt-Assertion",
    "X-Doorward-Assertion",
];

/// Every mark that a name may have beside letters and digits (RFC 9110 §5.6.2).
const MARKS: &str = "!#$%&'*+-.^_`|~";

/// As a server that folds the most would: everything that is no letter or digit is one character.
fn fold(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' }).collect()
}

fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| [fold(reserved), fold(&format!("x-{reserved}"))].contains(&fold(name)))
}

/// With each hyphen of a name as each of two marks: every mix of them.
fn mixes(name: &str, other: char) -> Vec<String> {
    let places: Vec<usize> = name.match_indices('-').map(|(place, _)| place).collect();
    let mix = |bits: usize| {
        let letter = |(place, letter): (usize, char)| {
            let number = places.iter().position(|known| *known == place);
            if number.is_some_and(|number| bits >> number & 1 == 1) { other } else { letter }
        };
        name.char_indices().map(letter).collect()
    };
    (0..1 << places.len()).map(mix).collect()
}

async fn send(place: &Place, path: &str, cookie: &str, lines: &[String]) -> Reply {
    let address = place.gateway.public();
    let cookie = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{cookie}{}Connection: close\r\n\r\n", lines.concat());
    Raw::exchange(address, head).await
}

/// Each name that folds to a reserved one, and what it says, as the app got them.
fn identity(seen: &Received) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in seen.headers().into_iter().filter(|(name, _)| is_reserved(name)) {
        found.entry(fold(&name)).or_default().push(value);
    }
    found
}

/// Sends forged names in portions; the app gets ours once each, or none where nobody is told.
async fn forge(place: &Place, path: &str, cookie: &str, names: &[String], is_told: bool) {
    for portion in names.chunks(60) {
        let lines: Vec<String> = portion.iter().map(|name| format!("{name}: forged\r\n")).collect();
        let before = place.upstream.count();
        let reply = send(place, path, cookie, &lines).await;
        assert_eq!((reply.status, place.upstream.count()), (200, before + 1), "{path}: {}", reply.text());
        let seen = place.upstream.last();
        assert!(!seen.head_text().contains("forged"), "{path}: {}", seen.head_text());
        let told = identity(&seen);
        assert!(told.values().all(|values| values.len() == 1), "{path}: {told:?}");
        let names: Vec<&str> = told.keys().map(String::as_str).collect();
        let expected: &[&str] = if is_told { &["remote_email", "remote_user", "x_doorward_assertion"] } else { &[] };
        assert_eq!(names, expected, "{path}");
    }
}

/// Underscores: some servers fold them to hyphens, and the twin that was not removed counts.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_64484_no_mix_of_hyphens_and_underscores_reaches_the_app() {
    let place = Place::on(Database::Sqlite).await;
    let cookie = place.sign_in(ADA).await.cookie_header();
    let mut names: Vec<String> = RESERVED.iter().flat_map(|name| mixes(name, '_')).collect();
    names.extend(RESERVED.iter().flat_map(|name| mixes(&format!("X-{name}"), '_')));
    assert!(names.len() > 250, "{}", names.len());

    forge(&place, "/page", &cookie, &names, true).await;

    let metrics = place.gateway.operator().get("/metrics").await.text();
    assert!(metrics.contains(&format!("doorward_reserved_headers_removed_total {}\n", names.len())), "{metrics}");
}

/// The same where nobody is told to the app, where more is asked of people, and where a claim is empty.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_54763_it_holds_on_every_kind_of_route() {
    let place = Place::with(Wants { routes: ROUTES, ..Wants::default() }).await;
    let ada = Enrolled::at(&place, ADA).await;
    let cookie = ada.person.cookie_header();
    let names: Vec<String> = RESERVED.iter().flat_map(|name| mixes(name, '_')).collect();

    forge(&place, "/vault/x", &cookie, &names, true).await;
    forge(&place, "/open/x", &cookie, &names, false).await;
    forge(&place, "/open/x", "", &names, false).await;
}

/// A dot folds too, and so does every other mark that a name may have.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_88011_no_mark_of_a_name_hides_it() {
    let place = Place::on(Database::Sqlite).await;
    let cookie = place.sign_in(ADA).await.cookie_header();
    let mut names: Vec<String> = MARKS.chars().flat_map(|mark| RESERVED.map(|name| name.replace('-', &mark.to_string()))).collect();
    names.extend(MARKS.chars().flat_map(|mark| RESERVED.map(|name| name.to_uppercase().replacen('-', &mark.to_string(), 1))));
    let mut runner = runner(1);
    let mark = proptest::sample::select(MARKS.chars().collect::<Vec<_>>());
    for name in RESERVED.iter().cycle().take(400) {
        let mut letter = |letter: char| if letter == '-' { mark.new_tree(&mut runner).unwrap().current() } else { letter };
        names.push(name.chars().map(&mut letter).collect());
    }

    forge(&place, "/page", &cookie, &names, true).await;
    forge(&place, "/open/page", "", &names, false).await;
}

/// Removing only what is replaced leaves what the person has no claim for.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_30851_a_claim_that_is_empty_cannot_be_filled_from_outside() {
    let place = Place::on(Database::Sqlite).await;
    let cookie = place.sign_in(ADA).await.cookie_header();
    let lines = ["Remote-Name: Root", "remote-groups: admins", "REMOTE_NAME: Root", "Remote-Groups:"].map(|line| format!("{line}\r\n"));

    let reply = send(&place, "/page", &cookie, &lines).await;

    assert_eq!(reply.status, 200);
    let told = identity(&place.upstream.last());
    assert!(!told.contains_key("remote_name") && !told.contains_key("remote_groups"), "{told:?}");
    assert_eq!(told.get("remote_user"), Some(&vec![ADA.to_owned()]));
}

/// A WSGI server of Python's own library, and what it makes of header names (RFC 3875 §4.1.18).
const CGI: &str = r#"
import json, sys
from wsgiref.simple_server import WSGIRequestHandler, make_server

class Handler(WSGIRequestHandler):
    def log_message(self, *words):
        pass

def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps({name: value for name, value in environ.items() if name.startswith("HTTP_")}).encode()]

with make_server("127.0.0.1", int(sys.argv[1]), app, handler_class=Handler) as server:
    server.serve_forever()
"#;

fn cgi() -> (u16, Process) {
    let python = python::interpreter().display().to_string();
    child::serve(
        "wsgiref",
        |port| {
            let arguments = ["-c".to_owned(), CGI.to_owned(), port.to_string()];
            Process::start(Spawn { program: &python, arguments: &arguments, environment: &[], user: None }, Signal::Kill)
        },
        readers::is_open,
    )
}

/// CGI writes names in capitals with underscores: what is forged must not even come near.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_52845_a_cgi_app_is_told_by_us_alone() {
    let (port, _app) = tokio::task::spawn_blocking(cgi).await.unwrap();
    let routes = format!("[[route]]\nname = \"cgi\"\npath = \"/cgi\"\nupstream = [\"http://127.0.0.1:{port}\"]\n");
    let place = Place::with(Wants { routes: routes.leak(), ..Wants::default() }).await;
    let cookie = place.sign_in(ADA).await.cookie_header();
    let names: Vec<String> = MARKS.chars().flat_map(|mark| RESERVED.map(|name| name.replace('-', &mark.to_string()))).collect();

    for portion in names.chunks(50) {
        let lines: Vec<String> = portion.iter().map(|name| format!("{name}: forged\r\n")).collect();
        let reply = send(&place, "/cgi/x", &cookie, &lines).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let variables = reply.json();
        assert!(!variables.to_string().contains("forged"), "{variables}");
        assert_eq!(variables["HTTP_REMOTE_USER"], ADA);
        assert_eq!(variables["HTTP_REMOTE_NAME"], Value::Null);
        // PHP folds dots and more besides.
        let folded = variables.as_object().unwrap().keys().filter(|name| fold(name) == "http_remote_user").count();
        assert_eq!(folded, 1, "{variables}");
    }
}

/// A name that is nominated in `Connection` is taken off at the next hop: never one of ours.
#[tokio::test(flavor = "multi_thread")]
async fn ghsa_w9mr_28mw_j8hg_nominating_our_headers_takes_nothing_away() {
    let place = Place::on(Database::Sqlite).await;
    let cookie = place.sign_in(ADA).await.cookie_header();
    let address = place.gateway.public();

    for nominated in [
        "close, remote-user",
        "Remote-User, X-Doorward-Assertion, Remote-Email, close",
        "REMOTE-USER",
        "close\r\nConnection: Remote-User",
        "keep-alive, X-Request-Id, X-Real-Ip, Forwarded",
        "Remote-User\r\nProxy-Connection: Remote-User\r\nKeep-Alive: Remote-User",
    ] {
        let head = format!("GET /page HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nConnection: {nominated}\r\n\r\n");
        let reply = Raw::exchange(address, head).await;
        assert_eq!(reply.status, 200, "{nominated:?}: {}", reply.text());
        let seen = place.upstream.last();
        for name in [
            "Remote-User",
            "Remote-Email",
            "X-Doorward-Assertion",
            "X-Forwarded-For",
            "X-Forwarded-Host",
            "X-Forwarded-Proto",
            "X-Request-Id",
            "Host",
        ] {
            assert!(seen.header(name).is_some_and(|value| !value.is_empty()), "{nominated:?} took {name}: {}", seen.head_text());
        }
        let words = seen.all("connection").join(",").to_lowercase();
        assert!(words.split(',').all(|word| ["", "close", "keep-alive"].contains(&word.trim())), "{nominated:?}: {words}");
        assert!(seen.all("proxy-connection").is_empty() && seen.all("keep-alive").is_empty(), "{}", seen.head_text());
    }
    // An app without a host, or without a word of who is calling.
    let before = place.upstream.count();
    for nominated in ["Host", "host", "X-Forwarded-For", "X-Forwarded-Host", "x-forwarded-proto"] {
        let head = format!("GET /page HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nConnection: close, {nominated}\r\n\r\n");
        assert_eq!((Raw::exchange(address, head).await.status, place.upstream.count()), (400, before), "{nominated}");
    }
}

/// Who checks takes the last, who reads the first: what is there twice is refused, or arrives once and as we say.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2021_32777_what_is_there_twice_is_refused_or_ours() {
    let place = Place::on(Database::Sqlite).await;
    let ada = place.sign_in(ADA).await;
    let bob = place.sign_in("bob@example.org").await;
    let (adas, bobs) = (ada.cookie(ACCESS).unwrap(), bob.cookie(ACCESS).unwrap());
    let address = place.gateway.public();
    let ask = |lines: String| Raw::exchange(address, format!("GET /page HTTP/1.1\r\n{lines}Connection: close\r\n\r\n"));
    let pairs = |name: &str, one: &str, other: &str| {
        [format!("{name}: {one}\r\n{name}: {other}\r\n"), format!("{name}: {other}\r\n{}: {one}\r\n", name.to_lowercase())]
    };
    let host = format!("Host: {address}\r\n");

    let mut twice: Vec<String> = pairs("Host", &address.to_string(), "evil.example").into();
    twice.extend(pairs("Host", &address.to_string(), &address.to_string()));
    for (one, other) in [(&adas, &bobs), (&adas, &adas), (&adas, &"x".to_owned())] {
        twice.extend(pairs("Authorization", &format!("Bearer {one}"), &format!("Bearer {other}")).map(|lines| format!("{host}{lines}")));
        twice.extend(pairs("Cookie", &format!("{ACCESS}={one}"), &format!("{ACCESS}={other}")).map(|lines| format!("{host}{lines}")));
        twice.push(format!("{host}Cookie: {ACCESS}={one}; a=b; {ACCESS}={other}\r\n"));
    }
    twice.extend(pairs("Authorization", &format!("Bearer {adas}"), "Basic YTpi").map(|lines| format!("{host}{lines}")));
    for lines in twice {
        let reply = ask(lines.clone()).await;
        assert_eq!(reply.status, 400, "{lines}: {}", reply.text());
    }
    assert_eq!(place.upstream.count(), 0);

    for lines in pairs("Remote-User", "root", ADA) {
        assert_eq!(ask(format!("{host}Authorization: Bearer {adas}\r\n{lines}")).await.status, 200);
        assert_eq!(place.upstream.last().header("Remote-User").as_deref(), Some(ADA));
    }
}

/// Names that mean something between our own parts mean nothing when a client says them.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2023_27487_headers_of_our_own_are_not_taken_from_outside() {
    let place = Place::on(Database::Sqlite).await;
    let cookie = place.sign_in(ADA).await.cookie_header();
    let names = [
        "X-Request-Id",
        "X-Doorward-Assertion",
        "X-Doorward-Session",
        "X-Doorward-Anything-At-All",
        "X-Original-Url",
        "X-Original-Uri",
        "X-Original-Host",
        "X-Rewrite-Url",
        "X-Forwarded-Prefix",
        "X-Forwarded-Uri",
        "X-Forwarded-Path",
        "X-Forwarded-Method",
        "X-Forwarded-Port",
        "X-Forwarded-Scheme",
        "X-Forwarded-Server",
        "X-Scheme",
        "X-Real-Ip",
        "True-Client-Ip",
        "Cf-Connecting-Ip",
        "X-Client-Ip",
        "Forwarded",
    ];
    let spellings = names.iter().flat_map(|name| [(*name).to_owned(), name.replace('-', "_"), name.replace('-', ".").to_uppercase()]);
    let lines: Vec<String> = spellings.map(|name| format!("{name}: forged-by-a-client\r\n")).collect();

    for (path, cookie) in [("/page", cookie.as_str()), ("/open/x", "")] {
        let reply = send(&place, path, cookie, &lines).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        let seen = place.upstream.last();
        assert!(!seen.head_text().contains("forged-by-a-client"), "{}", seen.head_text());
        assert!(seen.header("X-Request-Id").is_some_and(|id| !id.is_empty()));
        assert!(!reply.headers.iter().any(|(_, value)| value.contains("forged-by-a-client")), "{:?}", reply.headers);
    }
    let refused = send(&place, "/page", "", &lines).await;
    assert_eq!(refused.status, 401);
    assert!(!refused.text().contains("forged-by-a-client"), "{}", refused.text());
}

/// What somebody makes of a good token.
fn bent(token: &str) -> Vec<String> {
    let parts: Vec<&str> = token.split('.').collect();
    let (head, body, seal) = (parts[0], parts[1], parts[2]);
    let mut all: Vec<String> = (0..token.len()).step_by(7).map(|end| token[..end].to_owned()).collect();
    all.extend((1..5).map(|cut| token[..token.len() - cut].to_owned()));
    all.extend([
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{head}..{seal}"),
        format!(".{body}.{seal}"),
        format!("{token}."),
        format!("{token}.{seal}"),
        format!("{token}="),
        format!("{token}A"),
        format!("\"{token}"),
        format!("{token} {token}"),
        format!("{head}.{body}.{}", seal.to_uppercase()),
        format!("{body}.{head}.{seal}"),
        format!("{head}.{body}.%00"),
        token.replace('.', "%2e"),
        "e30.e30.e30".to_owned(),
        "eyJhbGciOiJub25lIn0.e30.".to_owned(),
        "null".to_owned(),
        "\u{fc}\u{20ac}".to_owned(),
        "\\".repeat(64),
        "a.b.c".repeat(1500),
    ]);
    // One letter of it another.
    let mut runner = runner(1);
    let places = 0..token.len();
    let letters = proptest::sample::select("ABCxyz019-_.=+/ \"".chars().collect::<Vec<_>>());
    for _ in 0..150 {
        let place = places.new_tree(&mut runner).unwrap().current();
        let letter = letters.new_tree(&mut runner).unwrap().current();
        let other = format!("{}{letter}{}", &token[..place], &token[place + 1..]);
        if other != token {
            all.push(other);
        }
    }
    all
}

/// A cookie that cannot be read is no cookie: never a 200 without the headers.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_25748_a_broken_token_lets_nobody_in() {
    let place = Place::on(Database::Sqlite).await;
    let token = place.sign_in(ADA).await.cookie(ACCESS).unwrap();
    let address = place.gateway.public();
    let ask =
        |line: String| Raw::exchange(address, format!("GET /page HTTP/1.1\r\nHost: {address}\r\n{line}\r\nConnection: close\r\n\r\n"));

    let bent = bent(&token);
    assert!(bent.len() > 200, "{}", bent.len());
    for other in &bent {
        for line in [format!("Cookie: {ACCESS}={other}"), format!("Authorization: Bearer {other}")] {
            // What names no issuer of ours in `Authorization` is the app's; nobody is signed in by it.
            let reply = ask(line.clone()).await;
            assert!(matches!(reply.status, 400 | 401), "{line}: {} {}", reply.status, reply.text());
        }
    }
    for line in [
        format!("Cookie: {ACCESS}={}", "x".repeat(40_000)),
        format!("Cookie: {ACCESS}=\0{token}"),
        format!("Cookie: {ACCESS}={token}\0"),
        format!("Cookie: {ACCESS}={token}; {ACCESS}={token}"),
        format!("Cookie: {ACCESS}=\"{token}\""),
        format!("Cookie: {REFRESH}={token}"),
        format!("Cookie: {ACCESS} {token}"),
        format!("Cookie: $Version=1; {ACCESS}=\"{token}\""),
    ] {
        let status = ask(line.clone()).await.status;
        assert!(matches!(status, 400 | 401 | 431), "{line}: {status}");
    }
    assert_eq!(place.upstream.count(), 0);
    assert_eq!(ask(format!("Cookie: {ACCESS}={token}")).await.status, 200);
}

/// Where a client says that it is, and by which scheme it came, changes neither a rule nor where it is sent.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_21494_a_strangers_address_and_scheme_are_its_own() {
    let place = Place::with(Wants { routes: ROUTES, ..Wants::default() }).await;
    let address = place.gateway.public();
    let lies = [
        "X-Forwarded-For: 10.0.0.1",
        "X-Forwarded-For: 10.0.0.1, 127.0.0.1",
        "x_forwarded_for: 10.0.0.1",
        "X-Real-IP: 10.0.0.1",
        "True-Client-IP: 10.0.0.1",
        "CF-Connecting-IP: 10.0.0.1",
        "Client-IP: 10.0.0.1",
        "Forwarded: for=10.0.0.1;proto=https;host=evil.example",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
        "X-Forwarded-Scheme: https",
    ];
    let lines: Vec<String> = lies.iter().map(|line| format!("{line}\r\n")).collect();

    let inside = send(&place, "/inside/x", "", &lines).await;
    assert_eq!((inside.status, place.upstream.count()), (401, 0));
    let navigation: Vec<String> = lines.iter().cloned().chain(["Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n".to_owned()]).collect();
    let sent = send(&place, "/page", "", &navigation).await;
    let location = sent.header("location").unwrap_or_default();
    assert_eq!(sent.status, 302, "{}", sent.text());
    assert!(!location.contains("https") && !location.contains("evil"), "{location}");

    assert_eq!(send(&place, "/open/x", "", &lines).await.status, 200);
    let seen = place.upstream.last();
    assert_eq!(seen.header("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto").as_deref(), Some("http"));
    assert_eq!(seen.header("x-forwarded-host"), Some(address.to_string()));
    assert!(!seen.head_text().contains("10.0.0.1"), "{}", seen.head_text());
}

/// A route that asks nothing of people still tells nothing that strangers wrote.
#[tokio::test(flavor = "multi_thread")]
async fn otobo_6128_a_public_route_removes_them_too() {
    let place = Place::on(Database::Sqlite).await;
    let ada = place.sign_in(ADA).await;
    let names: Vec<String> = RESERVED.iter().flat_map(|name| [(*name).to_owned(), name.to_lowercase(), format!("X-{name}")]).collect();

    forge(&place, "/open/x", "", &names, false).await;
    forge(&place, "/open/x", &ada.cookie_header(), &names, false).await;
    // And what passes without a look at anybody: a preflight.
    let mut preflight = ada.request(Method::OPTIONS, "/page").header("Origin", "https://other.example");
    preflight = preflight.header("Access-Control-Request-Method", "PUT");
    for name in RESERVED {
        preflight = preflight.header(name, "forged");
    }
    assert_eq!(preflight.send().await.status, 200);
    let seen = place.upstream.last();
    assert!(identity(&seen).is_empty() && !seen.head_text().contains("forged"), "{}", seen.head_text());
}

/// As an app verifies it, with a library that is not ours: the key by its name, one algorithm, issuer, audience, type.
const VERIFIER: &str = r#"
import sys, jwt
jwks, issuer, audience, token = sys.argv[1:]
try:
    header = jwt.get_unverified_header(token)
    assert header["typ"] == "doorward-assertion+jwt", "another type"
    key = jwt.PyJWKSet.from_json(jwks)[header["kid"]]
    claims = jwt.decode(token, key, algorithms=["ES256", "EdDSA"], issuer=issuer, audience=audience, options={"require": ["exp", "aud", "iss", "sub"]})
    print("believed " + claims["email"])
except (jwt.PyJWTError, KeyError, AssertionError) as error:
    print(type(error).__name__)
"#;

/// An assertion is for one app: whoever steals it at another gets nowhere, for it is signed just as well.
#[tokio::test(flavor = "multi_thread")]
async fn aws_albeast_an_assertion_for_one_app_is_worth_nothing_at_another() {
    let place = Place::with(Wants { routes: ROUTES, ..Wants::default() }).await;
    let ada = Enrolled::at(&place, ADA).await;
    let assertion_at = async |path: &str| {
        let reply = ada.person.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {}", code_of(&reply));
        place.upstream.last().header("X-Doorward-Assertion").unwrap()
    };
    let (wiki, vault) = (assertion_at("/page").await, assertion_at("/vault/x").await);
    let jwks = place.person().get("/auth/.well-known/jwks.json").await.text();
    let issuer = format!("http://{}", place.gateway.public());
    let believes = |audience: &str, issuer: &str, token: &str| python::run(VERIFIER, &[&jwks, issuer, audience, token]);

    assert_eq!(believes("wiki", &issuer, &wiki), format!("believed {ADA}"));
    assert_eq!(believes("vault", &issuer, &vault), format!("believed {ADA}"));
    assert_eq!(believes("vault", &issuer, &wiki), "InvalidAudienceError");
    assert_eq!(believes("wiki", &issuer, &vault), "InvalidAudienceError");
    assert_eq!(believes("wiki", "https://other.example", &wiki), "InvalidIssuerError");
    // What signs people in here is no assertion, and an assertion signs nobody in.
    assert_ne!(believes("wiki", &issuer, &ada.person.cookie(ACCESS).unwrap()), format!("believed {ADA}"));
    let before = place.upstream.count();
    for path in ["/page", "/vault/x"] {
        for line in [format!("Cookie: {ACCESS}={wiki}\r\n"), format!("Authorization: Bearer {wiki}\r\n")] {
            assert_eq!(send(&place, path, "", &[line]).await.status, 401, "{path}");
        }
    }
    assert_eq!(place.upstream.count(), before);
}
