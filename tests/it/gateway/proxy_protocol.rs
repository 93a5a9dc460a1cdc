//! The PROXY protocol: a load balancer that we trust says who is calling; nobody else can.

use std::time::{Duration, Instant};

use super::{Edge, get, public};
use crate::support::client::Raw;
use crate::support::curl;
use crate::support::tls::Authority;
use crate::support::upstream::Upstream;

const TRUSTING: &str = "proxy_protocol = true\ntrusted_proxies = [\"127.0.0.0/8\"]";

fn edge(app: &Upstream, listen: &str) -> Edge {
    Edge::start(listen, &public("app", &[&app.url()], ""))
}

/// Version 2, for a connection over IPv4, with an extension that we do not know.
fn second_version(source: [u8; 4], command: u8) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
    header.extend([0x20 | command, 0x11, 0, 12 + 6]);
    header.extend(source);
    header.extend([192, 0, 2, 200, 0x12, 0x67, 0x01, 0xbb]);
    header.extend([0xea, 0, 3, 1, 2, 3]);
    header
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_the_proxy_names_is_the_client() {
    let app = Upstream::start().await;
    let edge = edge(&app, TRUSTING);
    for (header, client) in [
        (b"PROXY TCP4 192.0.2.7 192.0.2.200 4711 443\r\n".to_vec(), "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 4711 443\r\n".to_vec(), "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "127.0.0.1"),
        (second_version([192, 0, 2, 8], 1), "192.0.2.8"),
        (second_version([192, 0, 2, 8], 0), "127.0.0.1"),
    ] {
        // The name that it puts into a header is the client's own word, and does not count.
        let request = get("X-Forwarded-For: 198.51.100.1\r\n");
        let reply = Raw::exchange(edge.address(), [&header[..], request.as_bytes()].concat()).await;

        assert_eq!(reply.status, 200, "{header:?}");
        let own_word = if client == "127.0.0.1" { "198.51.100.1, 127.0.0.1" } else { client };
        assert_eq!(app.last().header("x-forwarded-for").as_deref(), Some(own_word), "{header:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_may_come_in_pieces_and_with_tls_behind_it() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, TRUSTING);
    let mut raw = Raw::connect(edge.address()).await;
    for piece in ["PRO", "XY TCP4 192.0.2.7 192.0", ".2.200 4711 443\r", "\nGET / HTTP/1.1\r\nHo", "st: a\r\n\r\n"] {
        raw.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(raw.reply().await.expect("an answer").status, 200);
    assert_eq!(app.last().header("x-forwarded-for").as_deref(), Some("192.0.2.7"));

    let tls = format!("[tls]\ncertificate = [{}]\n", authority.server(&["a.example"]).toml());
    let edge = Edge::start(TRUSTING, &format!("{}{tls}", public("app", &[&app.url()], "")));
    let reply = curl::trusting(&authority.file(), edge.address(), "https://a.example/", &["--haproxy-protocol"]);
    assert_eq!((reply.status, reply.version.as_str()), (200, "HTTP/2"), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn from_everybody_else_it_is_a_bad_head() {
    let app = Upstream::start().await;
    let distrusting = "proxy_protocol = true\ntrusted_proxies = [\"192.0.2.0/24\"]";
    for listen in [distrusting, "trusted_proxies = [\"127.0.0.0/8\"]", ""] {
        let edge = edge(&app, listen);
        for header in [b"PROXY TCP4 192.0.2.7 192.0.2.200 4711 443\r\n".to_vec(), second_version([192, 0, 2, 8], 1)] {
            let reply = Raw::exchange(edge.address(), [&header[..], get("").as_bytes()].concat()).await;
            assert_eq!(reply.status, 400, "{listen}");
        }
    }
    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_that_does_not_speak_it_is_hung_up_on() {
    let app = Upstream::start().await;
    let edge = edge(&app, TRUSTING);
    for bytes in [get("").as_bytes(), b"PROXY TCP4 192.0.2.7 nonsense 4711 443\r\n", b"PROXY TCP9 a b 1 2\r\n", &[0; 8]] {
        let mut raw = Raw::connect(edge.address()).await;
        raw.send(bytes).await;
        assert!(raw.is_closed_within(Duration::from_secs(3)).await, "{bytes:?}");
    }
    let mut silent = Raw::connect(edge.address()).await;
    silent.send("PROXY TCP4 192.0.2.7").await;
    let begun = Instant::now();
    assert!(silent.is_closed_within(Duration::from_secs(20)).await);
    assert!(begun.elapsed() >= Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(app.count(), 0);
}
