//! C 26 and 27, G 79 and 83: what TLS promises holds for every host, every version and every pace.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::gateway::{Edge, over_tls as edge, public};
use crate::support::curl;
use crate::support::tls::{Authority, handshake, section};
use crate::support::upstream::Upstream;

/// A site that asks for a client's certificate and one that does not, both under one certificate.
fn two_sites(app: &Upstream, servers: &Authority, clients: &Authority) -> Edge {
    let open = public("open", &[&app.url()], "host = \"open.example.com\"");
    let closed = format!("host = \"closed.example.com\"\nclient_ca = \"{}\"", clients.file().display());
    let closed = public("closed", &[&app.url()], &closed);
    Edge::start("", &format!("{open}{closed}{}", section("", &[&servers.server(&["*.example.com"])])))
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2022_23632_a_trailing_dot_leaves_no_option_behind() {
    let (app, servers, clients) = (Upstream::start().await, Authority::new("servers"), Authority::new("clients"));
    let edge = two_sites(&app, &servers, &clients);

    for protocol in ["--http2", "--http1.1"] {
        for (name, host, status) in [
            ("closed.example.com", "closed.example.com.", 403),
            ("closed.example.com.", "closed.example.com", 403),
            ("CLOSED.example.com", "Closed.Example.COM.:443", 403),
            ("open.example.com", "closed.example.com.", 421),
            ("open.example.com.", "CLOSED.example.com.", 421),
        ] {
            let reply = curl::at(edge.address(), &format!("https://{name}/"), &["--insecure", protocol, "-H", &format!("Host: {host}")]);
            assert_eq!(reply.status, status, "{name} {host}: {reply:?}");
        }
    }
    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_32305_a_weaker_name_opens_no_stronger_site() {
    let (app, servers, clients) = (Upstream::start().await, Authority::new("servers"), Authority::new("clients"));
    let edge = two_sites(&app, &servers, &clients);
    let pair = clients.client("ours");
    let (certificate, key) = (pair.certificate.display().to_string(), pair.key.display().to_string());
    let bare = format!("https://{}/", edge.address());

    for protocol in ["--http2", "--http1.1"] {
        for name in ["https://open.example.com/", "https://unknown.example.com/", "https://x.open.example.com/", &bare] {
            for certificate in [&[][..], &["--cert", &certificate, "--key", &key]] {
                let options = [&["--insecure", protocol, "-H", "Host: closed.example.com"], certificate].concat();
                let reply =
                    if name == bare { curl::curl(&[&[name], &options[..]].concat()) } else { curl::at(edge.address(), name, &options) };
                assert_eq!(reply.status, 421, "{name}: {reply:?}");
            }
        }
    }
    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_23656_a_version_that_is_switched_off_is_not_spoken() {
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
async fn cve_2026_22045_a_handshake_that_trickles_is_cut_at_the_total() {
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
async fn rustsec_2024_0399_a_hello_in_a_record_for_each_byte_harms_nobody() {
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
