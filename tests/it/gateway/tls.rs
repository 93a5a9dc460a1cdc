//! TLS, as browsers and tools meet it: certificates by name, versions, what is spoken inside, and clients that take their time.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Edge, get, public};
use crate::support::client::Raw;
use crate::support::curl::{self, at};
use crate::support::tls::{Authority, Pair};
use crate::support::upstream::Upstream;

/// The section `[tls]` with these certificates.
fn section(more: &str, pairs: &[&Pair]) -> String {
    let pairs: Vec<_> = pairs.iter().map(|pair| pair.toml()).collect();
    format!("[tls]\n{more}\ncertificate = [{}]\n", pairs.join(", "))
}

/// A gateway with one public route, over TLS.
fn edge(app: &Upstream, tls: &str) -> Edge {
    Edge::start("", &format!("{}\n{tls}", public("app", &[&app.url()], "")))
}

/// What `openssl s_client` says about a handshake.
fn handshake(address: SocketAddr, options: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string()]).args(options);
    let done = command.stdin(Stdio::null()).output().expect("openssl; `make setup` installs it");
    String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_served_in_both_versions_of_http() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, &section("", &[&authority.server(&["a.example"])]));

    for (option, version) in [("--http2", "HTTP/2"), ("--http1.1", "HTTP/1.1")] {
        let reply = curl::trusting(&authority.file(), edge.address(), "https://a.example/page?x", &[option]);

        assert_eq!((reply.exit, reply.status, reply.version.as_str()), (0, 200, version), "{reply:?}");
        let seen = app.last();
        assert_eq!(seen.target(), "/page?x");
        assert_eq!(seen.header("host").as_deref(), Some("a.example"));
        assert_eq!(seen.header("x-forwarded-proto").as_deref(), Some("https"));
        assert_eq!(seen.header("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_travels_both_ways_in_both_versions() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, &section("", &[&authority.server(&["a.example"])]));
    let body = "0123456789abcdef".repeat(20_000);
    let file = authority.folder().join("body");
    std::fs::write(&file, &body).unwrap();
    let upload = format!("@{}", file.display());

    for option in ["--http2", "--http1.1"] {
        let reply =
            curl::trusting(&authority.file(), edge.address(), "https://a.example/up", &[option, "--data-binary", &upload, "-H", "Expect:"]);

        assert_eq!((reply.exit, reply.status), (0, 200), "{reply:?}");
        assert_eq!(app.last().body, body.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_that_is_asked_for_chooses_the_certificate() {
    let (app, first, second) = (Upstream::start().await, Authority::new("first"), Authority::new("second"));
    let pairs = [first.server(&["a.example"]), second.server(&["*.b.example", "c.example"]), first.server(&["special.b.example"])];
    let edge = edge(&app, &section("", &pairs.iter().collect::<Vec<_>>()));

    for (host, authority, fits) in [
        ("a.example", &first, true),
        ("A.Example", &first, true),
        ("x.b.example", &second, true),
        ("c.example", &second, true),
        ("special.b.example", &first, true),
        ("x.y.b.example", &second, false),
        ("b.example", &second, false),
        ("unknown.example", &first, false),
    ] {
        let reply = curl::trusting(&authority.file(), edge.address(), &format!("https://{host}/"), &[]);
        assert_eq!(reply.exit == 0, fits, "{host}: {reply:?}");
    }
    let unknown = at(edge.address(), "https://unknown.example/", &["--insecure"]);
    assert!(unknown.said.contains("subject: CN=a.example"), "{unknown:?}");
    let nameless = handshake(edge.address(), &["-noservername"]);
    assert!(nameless.contains("subject=CN = a.example"), "{nameless}");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_below_the_oldest_are_refused() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let pair = authority.server(&["a.example"]);
    for (setting, spoken) in [("", ["-tls1_2", "-tls1_3"].as_slice()), ("min_version = \"1.3\"", &["-tls1_3"])] {
        let edge = edge(&app, &section(setting, &[&pair]));
        for version in ["-tls1", "-tls1_1", "-tls1_2", "-tls1_3"] {
            let said = handshake(edge.address(), &[version, "-cipher", "ALL:@SECLEVEL=0"]);
            assert_eq!(said.contains("CN = a.example"), spoken.contains(&version), "{setting} {version}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocol_is_not_agreed_upon() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, &section("", &[&authority.server(&["a.example"])]));

    let said = handshake(edge.address(), &["-alpn", "ftp,imap"]);

    assert!(said.contains("no application protocol"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_tls_gets_no_page() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, &section("", &[&authority.server(&["a.example"])]));

    let plain = at(edge.address(), "http://a.example/", &["--http0.9"]);

    assert_eq!((plain.status, app.count()), (0, 0), "{plain:?}");
    let mut raw = Raw::connect(edge.address()).await;
    raw.send(get("")).await;
    assert!(timeout(Duration::from_secs(5), raw.reply_head()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_runs_through_tls() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, &section("", &[&authority.server(&["a.example"])]));

    let upgrade = [
        "--http1.1",
        "-H",
        "Connection: Upgrade",
        "-H",
        "Upgrade: websocket",
        "-H",
        "Sec-WebSocket-Version: 13",
        "-H",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "--max-time",
        "2",
    ];
    let reply = curl::trusting(&authority.file(), edge.address(), "https://a.example/", &upgrade);

    assert_eq!(reply.status, 101, "{reply:?}");
}

/// A handshake's first flight, as a real client sends it.
async fn hello() -> Vec<u8> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = tokio::task::spawn_blocking(move || handshake(address, &["-servername", "a.example"]));
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = [0_u8; 5];
    stream.read_exact(&mut head).await.unwrap();
    let mut rest = vec![0_u8; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut rest).await.unwrap();
    drop(stream);
    client.await.unwrap();
    [&head[..], &rest].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_that_trickles_is_cut_at_the_total() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, &section("", &[&authority.server(&["a.example"])]));
    let hello = hello().await;
    let mut stream = TcpStream::connect(edge.address()).await.unwrap();
    let begun = Instant::now();

    let mut ticks = tokio::time::interval(Duration::from_millis(200));
    let mut bytes = hello.iter().cycle();
    let mut answer = [0_u8; 1];
    let cut = loop {
        tokio::select! {
            _ = ticks.tick() => {
                if begun.elapsed() > Duration::from_secs(30) || stream.write_all(&[*bytes.next().unwrap()]).await.is_err() {
                    break begun.elapsed();
                }
            }
            read = stream.read(&mut answer) => {
                assert!(!matches!(read, Ok(1..)), "an answer to half a hello");
                break begun.elapsed();
            }
        }
    };

    assert!((9..20).contains(&cut.as_secs()), "{cut:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hello_in_a_record_for_each_byte_harms_nobody() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, &section("", &[&authority.server(&["a.example"])]));
    let hello = hello().await;
    let pieces: Vec<u8> = hello[5..].iter().flat_map(|byte| [hello[0], hello[1], hello[2], 0, 1, *byte]).collect();

    let mut stream = TcpStream::connect(edge.address()).await.unwrap();
    stream.write_all(&pieces).await.unwrap();
    let mut answer = [0_u8; 1];
    let read = timeout(Duration::from_secs(15), stream.read(&mut answer)).await.expect("an answer, or an end");

    // A handshake's record or an alert's; either is well.
    assert!(read.is_err() || matches!(answer[0], 0 | 21 | 22), "{answer:?}");
    let reply = curl::trusting(&authority.file(), edge.address(), "https://a.example/", &[]);
    assert_eq!(reply.status, 200, "{reply:?}");
}
