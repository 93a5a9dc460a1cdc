//! What the tests stand on, tested itself: a support that lies would make every other test lie.

use std::time::Duration;

use lettre::message::MultiPart;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls as ClientTls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use serde_json::json;
use sqlx::Row;

use crate::support::alike::{kolmogorov_smirnov, refused_by_holm, tail};
use crate::support::browser::{Browser, JavaScript};
use crate::support::child::Signal;
use crate::support::client::{CLOSE_FRAME, Person, Raw, TEXT_FRAME};
use crate::support::gateway::{Gateway, Place};
use crate::support::mailserver::{self, MailServer, Tls};
use crate::support::mariadb::MariaDb;
use crate::support::picture::Picture;
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::smtp::{Mailbox, Manner};
use crate::support::upstream::{Received, Upstream};
use crate::support::{install_crypto_provider, ports, python, wait};

#[test]
fn no_port_is_given_twice() {
    let first: Vec<u16> = (0..50).map(|_| ports::free()).collect();

    let mut distinct = first.clone();
    distinct.sort_unstable();
    distinct.dedup();

    assert_eq!(distinct.len(), first.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_gives_each_test_a_database() {
    let server = Postgres::shared();
    let (mine, yours) = (server.database(), server.database());

    server.psql(&mine, "CREATE TABLE words (word TEXT); INSERT INTO words VALUES ('hodge')");
    let pool = sqlx::PgPool::connect(&mine).await.unwrap();
    let row = sqlx::query("SELECT word FROM words").fetch_one(&pool).await.unwrap();

    assert_eq!(row.get::<String, _>(0), "hodge");
    assert!(server.dump(&mine).contains("hodge"));
    assert!(!server.dump(&yours).contains("hodge"));
}

#[test]
fn postgres_comes_back_with_its_data() {
    let mut server = Postgres::start();
    let url = server.database();
    server.psql(&url, "CREATE TABLE words (word TEXT); INSERT INTO words VALUES ('hodge')");

    server.stop();
    let gone = is_refused(&url);
    server.start_again();

    assert!(gone);
    assert_eq!(server.psql(&url, "SELECT word FROM words"), "hodge");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_postgres_answers_later() {
    let mut server = Postgres::start();
    let url = server.database();
    let pool = sqlx::PgPool::connect(&url).await.unwrap();

    server.pause();
    let query = sqlx::query("SELECT 1").fetch_one(&pool);
    let unanswered = tokio::time::timeout(Duration::from_millis(300), query).await;
    server.resume();

    assert!(unanswered.is_err());
    assert_eq!(server.psql(&url, "SELECT 1"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn mariadb_gives_each_test_a_database() {
    let server = MariaDb::shared();
    let (mine, yours) = (server.database(), server.database());

    server.sql(&mine, "CREATE TABLE words (word TEXT); INSERT INTO words VALUES ('hodge')");
    let pool = sqlx::MySqlPool::connect(&mine).await.unwrap();
    let row = sqlx::query("SELECT word FROM words").fetch_one(&pool).await.unwrap();

    assert_eq!(row.get::<String, _>(0), "hodge");
    assert!(server.dump(&mine).contains("hodge"));
    assert!(!server.dump(&yours).contains("hodge"));
}

#[test]
fn mariadb_comes_back_with_its_data() {
    let mut server = MariaDb::start();
    let url = server.database();
    server.sql(&url, "CREATE TABLE words (word TEXT); INSERT INTO words VALUES ('hodge')");

    server.stop();
    let gone = is_refused(&url);
    server.start_again();

    assert!(gone);
    assert_eq!(server.sql(&url, "SELECT word FROM words"), "hodge");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_mariadb_answers_later() {
    let mut server = MariaDb::start();
    let url = server.database();
    let pool = sqlx::MySqlPool::connect(&url).await.unwrap();

    server.pause();
    let query = sqlx::query("SELECT 1").fetch_one(&pool);
    let unanswered = tokio::time::timeout(Duration::from_millis(300), query).await;
    server.resume();

    assert!(unanswered.is_err());
    assert_eq!(server.sql(&url, "SELECT 1"), "1");
}

/// True when nobody listens where a URL points.
fn is_refused(url: &str) -> bool {
    let url = url::Url::parse(url).unwrap();
    std::net::TcpStream::connect(("127.0.0.1", url.port().unwrap())).is_err()
}

#[test]
fn redis_shows_all_it_holds_and_forgets_it() {
    let server = Redis::start();

    server.command::<()>(&["SET", "one", "hodge", "PX", "60000"]);
    server.command::<()>(&["HSET", "two", "field", "podge"]);
    let held = server.dump();
    server.flush();

    assert!(held.contains("hodge") && held.contains("podge"), "{held}");
    assert!(held.contains("two -1"), "{held}");
    assert!(server.keys().is_empty());
}

#[test]
fn redis_starts_again_empty_on_the_same_port() {
    let mut server = Redis::start();
    server.command::<()>(&["SET", "one", "hodge"]);
    let before = server.url();

    server.stop(Signal::Term);
    server.start_again();

    assert_eq!(server.url(), before);
    assert!(server.keys().is_empty());
}

#[test]
fn redis_can_follow_another() {
    let (first, mut second) = (Redis::start(), Redis::start());
    first.command::<()>(&["SET", "one", "hodge"]);

    second.stop(Signal::Kill);
    second.start_again_with(&["--replicaof", "127.0.0.1", &first.port().to_string()]);

    wait::until_true("the replica to have the key", Duration::from_secs(20), || second.keys() == ["one"]);
}

#[test]
fn a_paused_redis_is_silent_until_it_resumes() {
    let mut server = Redis::start();
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_connection().unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(200))).unwrap();

    server.pause();
    let silent = redis::cmd("PING").query::<String>(&mut connection);
    server.resume();

    assert!(silent.unwrap_err().is_timeout());
    assert_eq!(server.command::<String>(&["PING"]), "PONG");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mailbox_keeps_and_decodes_what_is_mailed() {
    let mailbox = Mailbox::start().await;

    let sent = send(&mailbox, "ada@example.com").await;

    let mail = mailbox.wait_for("ada@example.com").await;
    assert_eq!(sent, Ok(()));
    assert_eq!(mail.subject(), "Grüße: your code is 123456");
    assert_eq!(mail.text().trim(), "Grüße, Ada.\r\nYour code is 123456 = fine.");
    assert!(mail.html().unwrap().contains("<b>Grüße</b>"));
    assert_eq!(mail.code(), "123456");
    assert_eq!(mail.from, "door@example.com");
    assert_eq!(mail.signed_in, Some(("door".to_owned(), "hodge".to_owned())));
    assert_eq!(mailbox.mails_to("bob@example.com").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_mailbox_can_refuse_and_fall_silent() {
    let mailbox = Mailbox::start().await;

    mailbox.behave(Manner::Refuse(451));
    let refused = send(&mailbox, "ada@example.com").await;
    mailbox.behave(Manner::Hang);
    let held = tokio::time::timeout(Duration::from_millis(300), send(&mailbox, "ada@example.com")).await;

    assert!(refused.unwrap_err().contains("451"));
    assert!(held.is_err());
    assert!(mailbox.mails().is_empty());
    assert_eq!(mailbox.connections(), 2);
}

/// Mails a code with letters that need every encoding.
async fn send(mailbox: &Mailbox, to: &str) -> Result<(), String> {
    let message = Message::builder()
        .from("Door <door@example.com>".parse().unwrap())
        .to(to.parse().unwrap())
        .subject("Grüße: your code is 123456")
        .multipart(MultiPart::alternative_plain_html(
            "Grüße, Ada.\r\nYour code is 123456 = fine.".to_owned(),
            "<p><b>Grüße</b>, Ada</p>".to_owned(),
        ))
        .unwrap();
    let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&mailbox.url())
        .unwrap()
        .credentials(Credentials::new("door".to_owned(), "hodge".to_owned()))
        .build();
    transport.send(message).await.map(drop).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_remembers_every_byte() {
    let upstream = Upstream::start().await;
    let request = "POST /a%2Fb?c HTTP/1.1\r\nhOST: wiki\r\nX-One: 1\r\nX-One:  2\r\nContent-Length: 4\r\n\r\nbody";

    let reply = Raw::exchange(upstream.address(), request).await;

    let received = upstream.last();
    assert_eq!(format!("{}body", received.head_text()), request);
    assert_eq!(received.body, b"body");
    assert_eq!(received.target(), "/a%2Fb?c");
    assert_eq!(received.header("host").as_deref(), Some("wiki"));
    assert_eq!(received.all("x-one"), ["1", "2"]);
    assert_eq!(reply.json()["headers"][0], json!(["hOST", "wiki"]));
    assert_eq!((upstream.count(), upstream.connections()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_streams_when_it_is_told() {
    let upstream = Upstream::start().await;
    let chunks = upstream.stream_next();
    let mut client = Raw::connect(upstream.address()).await;

    client.send("GET /events HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let head = client.reply_head().await.unwrap();
    chunks.send("one".to_owned()).unwrap();
    let first = client.chunk().await;
    chunks.send("two".to_owned()).unwrap();
    let second = client.chunk().await;
    drop(chunks);

    assert_eq!(head.status, 200);
    assert_eq!((first, second), (Some(b"one".to_vec()), Some(b"two".to_vec())));
    assert_eq!(client.chunk().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_echoes_websocket_frames() {
    let upstream = Upstream::start().await;
    let mut client = Raw::connect(upstream.address()).await;

    client.send("GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").await;
    let head = client.reply_head().await.unwrap();
    client.send_frame(TEXT_FRAME, "hodge").await;
    let echoed = client.frame().await;
    client.send_frame(CLOSE_FRAME, "").await;
    let closed = client.frame().await;

    assert_eq!(head.status, 101);
    assert_eq!(head.header("sec-websocket-accept").as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(echoed, Some((TEXT_FRAME, "hodge".to_owned())));
    assert_eq!(closed, Some((CLOSE_FRAME, String::new())));
    assert!(client.is_closed_within(Duration::from_secs(5)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_upstream_misbehaves_when_it_is_told() {
    let upstream = Upstream::start().await;
    let person = Person::at(upstream.address());

    upstream.hang_up_next();
    let hung_up = person.request(reqwest::Method::POST, "/").try_send().await;
    upstream.raw_next(b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n");
    let raw = person.get("/").await;
    upstream.status(503);
    let status = person.get("/").await;
    upstream.silence_next();
    let silent = tokio::time::timeout(Duration::from_millis(200), person.get("/")).await;
    upstream.delay(Duration::from_millis(200));
    let late = tokio::time::timeout(Duration::from_millis(100), person.get("/")).await;

    assert!(hung_up.is_err() && silent.is_err() && late.is_err());
    assert_eq!((raw.status, status.status), (418, 503));
    upstream.wait_for_count(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_keeps_cookies_until_they_are_cleared() {
    let upstream = Upstream::start().await;
    let person = Person::at_host(upstream.address(), "wiki.example.com");
    upstream.add_header("Set-Cookie", "__Host-a=1; Path=/; Secure; HttpOnly");
    upstream.add_header("Set-Cookie", "b=2; Max-Age=60");
    let first = person.post("/", &json!({ "hodge": "podge" })).await;

    let thief = person.copy();
    upstream.add_header("Set-Cookie", "b=; Max-Age=0");
    let second = person.visit("/page").await;

    assert_eq!(first.set_cookie("__Host-a").as_deref(), Some("__Host-a=1; Path=/; Secure; HttpOnly"));
    assert_eq!(second.all("set-cookie").len(), 3);
    assert_eq!(upstream.received()[0].header("cookie"), None);
    assert_eq!(upstream.last().header("cookie").as_deref(), Some("__Host-a=1; b=2"));
    assert_eq!(upstream.last().header("host").as_deref(), Some("wiki.example.com"));
    assert_eq!(person.cookie_names(), ["__Host-a"]);
    assert_eq!(thief.cookie("b").as_deref(), Some("2"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_asks_two_servers_with_one_jar() {
    let (here, there) = (Upstream::start().await, Upstream::start().await);
    let person = Person::at(here.address());
    person.set_cookie("a", "1");

    person.post_form("/form", &[("code", "12 34")]).await;
    let elsewhere = person.copy_at(there.address());
    let request = elsewhere.request(reqwest::Method::PUT, "/body").bearer("hodge").body("podge");
    let reply = request.send().await;

    assert_eq!(here.last().body, b"code=12+34");
    assert_eq!(there.last().header("cookie").as_deref(), Some("a=1"));
    assert_eq!(there.last().header("authorization").as_deref(), Some("Bearer hodge"));
    assert!(reply.text().contains("podge"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_runs_scripts_only_where_they_are_on() {
    let upstream = Upstream::start().await;
    let page = "<body><p>plain</p><script>document.body.append('scripted')</script></body>";
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\n\r\n{page}", page.len());

    let mut texts = Vec::new();
    for javascript in [JavaScript::On, JavaScript::Off] {
        let browser = Browser::open(javascript).await;
        upstream.raw_next(answer.as_bytes());
        browser.page.goto(&upstream.url()).await.unwrap();
        texts.push(browser.text().await);
        browser.close().await;
    }

    assert!(texts.iter().all(|text| text.contains("plain")), "{texts:?}");
    assert!(texts[0].contains("scripted"));
    assert!(!texts[1].contains("scripted"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_camera_reads_what_the_browser_shows() {
    let drawn = qrcode::QrCode::new("otpauth://totp/Hodge").unwrap().render::<qrcode::render::svg::Color<'_>>().build();
    let upstream = Upstream::start().await;
    upstream
        .raw_next(format!("HTTP/1.1 200 OK\r\nContent-Type: image/svg+xml\r\nContent-Length: {}\r\n\r\n{drawn}", drawn.len()).as_bytes());
    let browser = Browser::open(JavaScript::Off).await;

    browser.goto(&upstream.url()).await;
    let taken = Picture::read(&browser.picture().await);

    assert_eq!(taken.codes(), ["otpauth://totp/Hodge"]);
    assert_eq!(Picture::read(&taken.small()).codes(), ["otpauth://totp/Hodge"]);
    browser.close().await;
}

#[test]
fn python_has_a_token_library_that_is_not_ours() {
    let script = "import jwt, sys; print(jwt.decode(jwt.encode({'sub': sys.argv[1]}, 'k' * 32), 'k' * 32, algorithms=['HS256'])['sub'])";

    assert_eq!(python::run(script, &["ada"]), "ada");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_not_ours_insists_on_tls_and_a_password() {
    install_crypto_provider();
    for tls in [Tls::Upgraded, Tls::Implicit] {
        let server = MailServer::start(tls);

        let stranger = mail_through(&server, tls, "podge").await;
        let known = mail_through(&server, tls, mailserver::PASSWORD).await;

        assert!(stranger.unwrap_err().contains("535"));
        assert_eq!(known, Ok(()));
        let mails = server.wait_for_mails(1);
        assert_eq!(mails.len(), 1, "{mails:?}");
        assert_eq!((&mails[0]["encrypted"], &mails[0]["signed_in"]), (&json!(true), &json!(true)));
        assert_eq!(mails[0]["recipients"], json!(["ada@example.com"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_not_ours_takes_mail_in_the_clear() {
    let server = MailServer::start(Tls::None);

    let message = Message::builder().from("door@example.com".parse().unwrap()).to("ada@example.com".parse().unwrap());
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1").port(server.port()).build();
    transport.send(message.body("Your code is 123456".to_owned()).unwrap()).await.unwrap();

    assert_eq!(server.wait_for_mails(1)[0]["encrypted"], json!(false));
}

async fn mail_through(server: &MailServer, tls: Tls, password: &str) -> Result<(), String> {
    let authority = Certificate::from_pem(&std::fs::read(server.authority()).unwrap()).unwrap();
    let parameters = TlsParameters::builder("127.0.0.1".to_owned()).add_root_certificate(authority).build().unwrap();
    let security = match tls {
        Tls::None => ClientTls::None,
        Tls::Upgraded => ClientTls::Required(parameters),
        Tls::Implicit => ClientTls::Wrapper(parameters),
    };
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(server.port())
        .tls(security)
        .credentials(Credentials::new(mailserver::USER.to_owned(), password.to_owned()))
        .build();
    let message = Message::builder().from("door@example.com".parse().unwrap()).to("ada@example.com".parse().unwrap());
    let message = message.body("Your code is 123456".to_owned()).unwrap();
    let sent = tokio::time::timeout(Duration::from_secs(10), transport.send(message)).await;
    sent.expect("an answer in time").map(drop).map_err(|error| error.to_string())
}

/// The least that a gateway needs: SQLite in its folder, mail to its output, one public route.
fn least(place: &Place, upstream: &str) -> String {
    let Place { public, admin, folder } = place;
    format!(
        r#"
            public_url = "http://{public}"

            [listen]
            public = ["{public}"]
            admin = "{admin}"

            [store]
            url = "sqlite:{folder}/doorward.db"
            encryption_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

            [cookies]
            secure = false

            [[delivery.email]]
            kind = "console"

            [[route]]
            name = "app"
            upstream = ["{upstream}"]
            require = "public"
        "#,
        folder = folder.display()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_killed_ended_and_started_again_on_its_ports() {
    let upstream = Upstream::start().await;
    let mut gateway = Gateway::start(|place| least(place, &upstream.url()));
    let (person, first) = (gateway.person(), gateway.pid());

    let before = person.get("/one").await;
    gateway.kill9();
    let gone = person.request(reqwest::Method::GET, "/two").try_send().await;
    let took = gateway.restart();
    let after = gateway.person_at("wiki.example.com").get("/three").await;
    let ended = gateway.terminate();
    gateway.restart();

    assert_eq!((before.status, after.status), (200, 200));
    assert!(gone.is_err());
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert!(ended.success(), "{ended}: {}", gateway.log());
    assert_ne!(gateway.pid(), first);
    assert_eq!(upstream.received().iter().map(Received::target).collect::<Vec<_>>(), ["/one", "/three"]);
    assert_eq!(upstream.last().header("host").as_deref(), Some("wiki.example.com"));
    assert_eq!(gateway.operator().get("/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_says_what_is_wrong_with_its_configuration() {
    let upstream = Upstream::start().await;
    let gateway = Gateway::start(|place| least(place, &upstream.url()));

    let (right, _, _) = gateway.command(&["check"]);
    let text = std::fs::read_to_string(gateway.config()).unwrap();
    std::fs::write(gateway.config(), text.replace("kind = \"console\"", "kind = \"pigeon\"")).unwrap();
    let (wrong, _, complaint) = gateway.command(&["check"]);

    assert_eq!((right, wrong), (0, 1));
    assert!(complaint.contains("delivery.email"), "{complaint}");
}

/// Numbers between 0 and 1 that look random and are always the same (splitmix64).
fn noise(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x2545_F491_4F6C_DD1D);
    let next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap()) / f64::from(u32::MAX)
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn close(value: f64, expected: f64, by: f64) {
    assert!((value - expected).abs() < by, "{value} is not {expected}");
}

#[test]
fn the_distribution_of_distances_is_the_one_in_the_tables() {
    // Critical values of Kolmogorov's distribution (Smirnov 1948).
    for (lambda, probability) in [(1.224, 0.10), (1.358, 0.05), (1.628, 0.01), (1.949, 0.001)] {
        close(tail(lambda), probability, probability / 50.0);
    }
    close(tail(0.1), 1.0, 1e-9);
}

#[test]
fn the_distance_of_two_samples_is_the_one_by_hand() {
    close(kolmogorov_smirnov(&[1.0, 2.0, 3.0, 4.0], &[3.0, 4.0, 5.0, 6.0]).0, 0.5, 1e-9);
    close(kolmogorov_smirnov(&[1.0, 1.0, 2.0], &[1.0, 2.0, 2.0]).0, 1.0 / 3.0, 1e-9);
    close(kolmogorov_smirnov(&[1.0, 2.0], &[1.0, 2.0]).0, 0.0, 1e-9);
    close(kolmogorov_smirnov(&[1.0, 2.0], &[3.0, 4.0]).0, 1.0, 1e-9);
}

#[test]
fn samples_of_one_distribution_are_told_apart_as_seldom_as_is_said() {
    let below = (0..200).filter(|run| kolmogorov_smirnov(&noise(2 * run, 1000), &noise(2 * run + 1, 1000)).1 < 0.05).count();

    assert!((2..=22).contains(&below), "{below} of 200 below 5 %");
}

#[test]
fn a_twentieth_of_a_spread_more_is_seen_in_a_few_thousand() {
    let other: Vec<f64> = noise(2, 4000).into_iter().map(|value| value + 0.05).collect();

    let (_, probability) = kolmogorov_smirnov(&noise(1, 4000), &other);

    assert!(probability < 0.001, "{probability}");
}

#[test]
fn what_is_asked_often_is_refused_less_easily() {
    assert_eq!(refused_by_holm(&[0.04], 0.05), [true]);
    assert_eq!(refused_by_holm(&[0.04, 0.5], 0.05), [false, false]);
    assert_eq!(refused_by_holm(&[0.5, 0.001, 0.02], 0.05), [false, true, true]);
    assert_eq!(refused_by_holm(&[0.03, 0.03], 0.05), [false, false]);
}
