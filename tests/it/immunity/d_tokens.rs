//! D 38, 39 and 43: nobody is taken for somebody else, however many ask at once; a token is where it belongs and nowhere else;
//! and nobody guesses what is drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use doorward::random::{self, Drawn, Entropy, SystemEntropy};
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::flow::place::{ACCESS, CHALLENGE, Database, Place, REFRESH, Wants, claims_of, verify, wrong};
use crate::support::client::{Person, Reply};
use crate::support::redis::Redis;
use crate::support::{ports, wait};

const ADA: &str = "ada@example.com";
const EVE: &str = "eve@example.com";

const NOTES: &str = "[[route]]\nname = \"notes\"\npath = \"/notes\"\nupstream = [\"UPSTREAM\"]\nrequire = \"session\"\n";

/// What the app was told, out of its answer.
fn told(reply: &Reply) -> BTreeMap<String, Vec<String>> {
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for pair in reply.json()["headers"].as_array().expect("the app repeats what it was sent") {
        let word = |at: usize| pair[at].as_str().unwrap_or_default().to_owned();
        told.entry(word(0).to_lowercase()).or_default().push(word(1));
    }
    told
}

/// The answer to a request of this person to this route says so, and nothing else.
fn is_of(reply: &Reply, email: &str, route: &str) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let told = told(reply);
    assert_eq!((&told["remote-email"], &told["remote-user"]), (&vec![email.to_owned()], &vec![email.to_owned()]), "{route}");
    let [assertion] = told["x-doorward-assertion"].as_slice() else { panic!("one assertion: {told:?}") };
    let claims = claims_of(assertion);
    assert_eq!((claims["email"].as_str(), claims["aud"].as_str()), (Some(email), Some(route)), "{claims}");
}

/// Both people, both routes, by cookie and by header, at once; `rounds` of each.
async fn at_once(place: &Place, people: &[(&'static str, Arc<Person>)], rounds: usize) {
    let mut all = JoinSet::new();
    for _ in 0..rounds {
        for (email, person) in people {
            for (route, path) in [("wiki", "/page"), ("notes", "/notes/page")] {
                let (by_cookie, by_header) = (Arc::clone(person), place.person());
                let (email, token) = (*email, person.cookie(ACCESS).expect("signed in"));
                all.spawn(async move {
                    is_of(&by_cookie.get(path).await, email, route);
                    is_of(&by_header.request(Method::GET, path).bearer(&token).send().await, email, route);
                });
            }
        }
    }
    while let Some(done) = all.join_next().await {
        done.expect("nobody was taken for somebody else");
    }
}

/// Two people on two routes, whose sessions are renewed in passing in the midst of it.
async fn never_cross(wants: Wants) {
    let place = Place::with(Wants { routes: NOTES, ..wants }).await;
    let people: Vec<(&'static str, Arc<Person>)> =
        vec![(ADA, Arc::new(place.sign_in(ADA).await)), (EVE, Arc::new(place.sign_in(EVE).await))];
    at_once(&place, &people, 100).await;

    // Who shows a refresh token alone is renewed, and so are a dozen tabs of the same browser.
    let mut renewed = JoinSet::new();
    for round in 0..12 {
        for (email, person) in &people {
            let tab = person.copy();
            tab.forget_cookie(ACCESS);
            let (email, route, path) = if round % 2 == 0 { (*email, "wiki", "/page") } else { (*email, "notes", "/notes/page") };
            renewed.spawn(async move {
                is_of(&tab.get(path).await, email, route);
                let claims = claims_of(&tab.cookie(ACCESS).expect("renewed"));
                assert_eq!(claims["email"], email);
                is_of(&tab.get(path).await, email, route);
            });
        }
    }
    while let Some(done) = renewed.join_next().await {
        done.expect("nobody was renewed as somebody else");
    }
    // One of them leaves: the other is who she was.
    let (ada, eve) = (&people[0].1, &people[1].1);
    let tab = eve.copy();
    assert_eq!(eve.copy().post("/auth/logout", &json!({})).await.status, 200);
    at_once(&place, &people[..1], 20).await;
    assert_eq!((tab.get("/page").await.status, tab.get("/notes/page").await.status), (401, 401));
    assert_eq!(ada.get("/auth/session").await.json()["email"], ADA);
}

/// Oathkeeper remembered an answer by a key that two people shared, Traefik let two wait for one answer.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_33496_two_people_on_two_routes_at_once_never_cross() {
    never_cross(Wants::default()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_71326_nor_do_they_where_redis_is_asked_for_both() {
    let redis = Redis::start();
    never_cross(Wants { redis: Some(redis.url()), sections: vec![("listen", "workers = 2")], ..Wants::default() }).await;
}

/// tinyauth kept the state of one sign-in where the next one found it.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_33544_sign_ins_at_once_are_each_their_own() {
    let place = Arc::new(Place::on(Database::Sqlite).await);
    let mut all = JoinSet::new();
    for number in 0..20 {
        let place = Arc::clone(&place);
        all.spawn(async move {
            let email = format!("person{number}@example.com");
            let person = place.sign_in(&email).await;
            is_of(&person.get("/page").await, &email, "wiki");
            let session = person.get("/auth/session").await.json();
            assert_eq!(session["email"], email);
            assert_eq!(person.get("/auth/sessions").await.json()["sessions"].as_array().unwrap().len(), 1);
        });
    }
    while let Some(done) = all.join_next().await {
        done.expect("each is who it is");
    }
}

// === where tokens are not

/// The bytes of a reply that scripts, caches and logs could see: all but the cookies that it sets.
fn seen(reply: &Reply) -> String {
    let headers = reply.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("set-cookie"));
    let headers: Vec<String> = headers.map(|(name, value)| format!("{name}: {value}")).collect();
    format!("{}\n{}", headers.join("\n"), reply.text())
}

/// Pomerium showed tokens on a page for people, and in its log; Traefik sent them to the server of its error pages.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_39315_a_token_is_in_no_page_no_log_and_at_no_app() {
    let dead = ports::free_address();
    let routes: &'static str = Box::leak(
        format!(
            "{NOTES}[[route]]\nname = \"dead\"\npath = \"/dead\"\nupstream = [\"http://{dead}\"]\nrequire = \"session\"\n\
             [[route]]\nname = \"vault\"\npath = \"/vault\"\nupstream = [\"UPSTREAM\"]\nrequire = \"second_factor\"\n"
        )
        .into_boxed_str(),
    );
    let place = Place::with(Wants { routes, sections: vec![("telemetry", "log = \"trace\"")], ..Wants::default() }).await;
    let person = place.person();
    let code = place.code_for(&person, ADA).await;
    let challenge = person.cookie(CHALLENGE).unwrap();
    let mut replies = vec![verify(&person, ADA, &wrong(&code)).await];
    assert_eq!(verify(&person, ADA, &code).await.status, 200);
    let (access, refresh) = (person.cookie(ACCESS).unwrap(), person.cookie(REFRESH).unwrap());

    for path in [
        "/auth/session",
        "/auth/sessions",
        "/auth/account",
        "/auth/login",
        "/auth/logout",
        "/auth/verify",
        "/auth/nowhere",
        "/auth/refresh",
    ] {
        replies.push(person.get(path).await);
        replies.push(person.visit(path).await);
    }
    // What the app says goes to the person as it is: it is looked at below. An app that fails, and one that is not there.
    for path in ["/dead/x", "/vault/x", "/page/%2e%2e/x", &format!("/dead/{challenge}")] {
        replies.push(person.get(path).await);
        replies.push(person.visit(path).await);
        replies.push(place.person().request(Method::GET, path).bearer(&access).send().await);
    }
    for status in [404, 500, 503] {
        place.upstream.status(status);
        replies.push(person.get("/page").await);
        replies.push(place.person().request(Method::GET, "/notes/x").bearer(&access).send().await);
    }
    place.upstream.status(200);
    place.upstream.hang_up_next();
    replies.push(person.visit("/page").await);
    replies
        .push(place.person().request(Method::GET, "/page").header("Cookie", &format!("{ACCESS}={access}; {ACCESS}={access}")).send().await);
    // Renewed in passing: new tokens, with the answer of an app that is not there.
    person.forget_cookie(ACCESS);
    replies.push(person.get("/dead/x").await);
    let (second, third) = (person.cookie(ACCESS).expect("renewed"), person.cookie(REFRESH).expect("renewed"));
    replies.push(person.copy().post("/auth/logout", &json!({})).await);
    replies.push(person.visit("/page").await);
    assert!(replies.iter().any(|reply| reply.status == 502) && replies.iter().any(|reply| reply.status == 401));

    let mut secrets = vec![refresh, third];
    for token in [access, second] {
        secrets.push(token.rsplit('.').next().unwrap().to_owned());
        secrets.push(token);
    }
    let (log, heads): (String, Vec<String>) = (
        place.gateway.log(),
        place.upstream.received().iter().map(|received| received.head_text() + &String::from_utf8_lossy(&received.body)).collect(),
    );
    assert!(log.contains("signed in") && heads.len() >= 6);
    for secret in &secrets {
        assert!(!log.contains(secret.as_str()), "a token is in the log");
        assert!(heads.iter().all(|head| !head.contains(secret.as_str())), "a token is at an app");
        for reply in &replies {
            assert!(!seen(reply).contains(secret.as_str()), "a token is in a reply: {} {}", reply.status, seen(reply));
        }
    }
}

/// What is thrown into the log when somebody asks for it by a bearer token that is nearly one of ours.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_41181_a_token_that_is_refused_is_not_told_on_either() {
    let place = Place::with(Wants { routes: NOTES, sections: vec![("telemetry", "log = \"trace\"")], ..Wants::default() }).await;
    let token = place.sign_in(ADA).await.cookie(ACCESS).unwrap();
    let (body, signature) = token.rsplit_once('.').unwrap();
    let bad = format!("{body}.{}{}", &signature[1..], &signature[..1]);
    for path in ["/page", "/notes/x", "/auth/session"] {
        let refused = place.person().request(Method::GET, path).bearer(&bad).send().await;
        assert_eq!(refused.status, 401);
        assert!(!seen(&refused).contains(&bad) && !seen(&refused).contains(signature), "{}", seen(&refused));
    }
    // On what is public the app is not sent it, good or bad.
    for token in [&token, &bad] {
        let open = place.person().request(Method::GET, "/open/x").bearer(token).send().await;
        assert!([200, 401].contains(&open.status), "{}", open.status);
    }
    assert!(place.upstream.received().iter().all(|received| received.header("authorization").is_none()));
    wait::until_true("lines of those requests", Duration::from_secs(5), || place.gateway.log().contains("/notes/x"));
    assert!(!place.gateway.log().contains(&bad) && !place.gateway.log().contains(signature));
}

// === chance

/// The sum of squares of what was counted, against what each should have.
fn chi_square(counts: &[u32], total: u32) -> f64 {
    let expected = f64::from(total) / f64::from(u32::try_from(counts.len()).expect("few"));
    counts.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum()
}

/// Is it more even, or less, than chance leaves it once in a million? By Wilson and Hilferty, the cube root of it is nearly normal.
fn is_even(counts: &[u32]) -> bool {
    let freedom = f64::from(u32::try_from(counts.len()).expect("few")) - 1.0;
    let spread = 2.0 / (9.0 * freedom);
    let normal = ((chi_square(counts, counts.iter().sum()) / freedom).cbrt() - (1.0 - spread)) / spread.sqrt();
    normal.abs() < 4.9
}

const MILLION: usize = 1_000_000;

/// caddy-security drew its secrets from a source that can be foreseen.
#[test]
fn cve_2024_21495_a_million_codes_are_even() {
    let source = SystemEntropy::default();
    let mut digits = vec![[0_u32; 10]; 6];
    let mut pairs = vec![[0_u32; 100]; 5];
    let mut halves = vec![0_u32; 1000];
    for _ in 0..MILLION {
        let code = random::digits(&source, 6).expect("chance");
        let number: Vec<usize> = code.bytes().map(|byte| usize::from(byte - b'0')).collect();
        assert_eq!(number.len(), 6);
        for (place, digit) in number.iter().enumerate() {
            digits[place][*digit] += 1;
        }
        for (place, pair) in number.windows(2).enumerate() {
            pairs[place][pair[0] * 10 + pair[1]] += 1;
        }
        halves[number[0] * 100 + number[2] * 10 + number[5]] += 1;
    }
    assert!(digits.iter().all(|counts| is_even(counts)), "{digits:?}");
    assert!(pairs.iter().all(|counts| is_even(counts)), "{pairs:?}");
    assert!(is_even(&halves));
    // It does find what is not even: digits of a byte's remainder, each of the first six 26 times in 256 and not 25.6.
    let mut slanted = [0_u32; 10];
    for _ in 0..MILLION {
        slanted[usize::from(random::bytes::<1>(&source).expect("chance")[0] % 10)] += 1;
    }
    assert!(!is_even(&slanted), "{slanted:?}");
}

#[test]
fn cve_2024_21495_a_million_names_are_even_and_never_the_same() {
    let (system, drawn) = (SystemEntropy::default(), Drawn::default());
    let sources: [&dyn Entropy; 2] = [&system, &drawn];
    for source in sources {
        let mut bytes = vec![[0_u32; 256]; 16];
        let mut flips = [0_u32; 2];
        let mut all = BTreeSet::new();
        let mut before = [0_u8; 16];
        for _ in 0..MILLION {
            let name: [u8; 16] = random::bytes(source).expect("chance");
            for (place, byte) in name.iter().enumerate() {
                bytes[place][usize::from(*byte)] += 1;
            }
            let changed: u32 = name.iter().zip(before).map(|(one, other)| (one ^ other).count_ones()).sum();
            flips[0] += changed;
            flips[1] += 128 - changed;
            before = name;
            all.insert(name);
        }
        assert_eq!(all.len(), MILLION);
        assert!(bytes.iter().all(|counts| is_even(counts)));
        assert!(is_even(&flips), "{flips:?}");
    }
}

/// What the program itself sends and sets: codes by mail, and everything that names a session.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_21495_what_the_program_gives_out_is_drawn() {
    let place = Arc::new(Place::on(Database::Sqlite).await);
    let mut asked = JoinSet::new();
    for number in 0..200 {
        let place = Arc::clone(&place);
        asked.spawn(async move {
            let person = place.person();
            let code = place.code_for(&person, &format!("person{number}@example.com")).await;
            (code, person.cookie(CHALLENGE).expect("a challenge"))
        });
    }
    let given: Vec<(String, String)> = asked.join_all().await;
    let codes: BTreeSet<&String> = given.iter().map(|(code, _)| code).collect();
    // Of 200 codes out of a million, one in fifty runs has two of a kind; five would be a wonder.
    assert!(codes.len() >= 196, "{}", codes.len());
    let mut digits = [0_u32; 10];
    codes.iter().flat_map(|code| code.bytes()).for_each(|byte| digits[usize::from(byte - b'0')] += 1);
    assert!(is_even(&digits), "{digits:?}");

    let person = place.sign_in(ADA).await;
    let mut names: Vec<String> = given.into_iter().map(|(_, challenge)| challenge).collect();
    for _ in 0..50 {
        assert_eq!(person.post("/auth/refresh", &json!({})).await.status, 200);
        names.push(person.cookie(REFRESH).unwrap());
        let claims: Value = claims_of(&person.cookie(ACCESS).unwrap());
        names.push(claims["jti"].as_str().unwrap().to_owned());
    }
    assert!(names.iter().all(|name| name.len() >= 22), "128 bits at least");
    let different: BTreeSet<&String> = names.iter().collect();
    assert_eq!(different.len(), names.len());
    // None of them begins or ends as another does: they are no count, and no clock.
    for part in [|name: &String| name[..8].to_owned(), |name: &String| name[name.len() - 8..].to_owned()] {
        assert_eq!(names.iter().map(part).collect::<BTreeSet<String>>().len(), names.len());
    }
}

/// Where chance comes from: one module asks the system, and no other source is among what is built on directly.
#[test]
fn cve_2024_21495_there_is_one_source_of_chance() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (ours, _) = manifest.split_once("[dev-dependencies]").expect("dependencies come first");
    for name in ["rand", "fastrand", "oorandom", "nanorand", "getrandom", "rand_core", "tinyrand"] {
        let line = |line: &str| line.starts_with(&format!("{name} ")) || line.starts_with(&format!("{name}="));
        assert!(!ours.lines().any(line), "{name}");
    }
    let mut sources = vec![root.join("src")];
    let mut asking = Vec::new();
    while let Some(path) = sources.pop() {
        if path.is_dir() {
            sources.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        if ["SystemRandom", "thread_rng", "ThreadRng", "fastrand", "/dev/random", "/dev/urandom"].iter().any(|word| text.contains(word)) {
            asking.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
    assert_eq!(asking, ["src/random.rs"]);
}
