//! The app behind `doorward demo`: it shows what an app receives. It has no sign-in of its own, which is the point.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response};
use serde_json::{Map, Value, json};

use super::answer::{Answer, plain};
use super::listener::{self, Bound, CannotListen};
use crate::endpoint::{Call, Problem};

/// The headers that say who is calling, in the names of the default preset.
const IDENTITY: [(&str, &str); 4] =
    [("remote-user", "User"), ("remote-email", "E-mail"), ("remote-name", "Name"), ("remote-groups", "Groups")];

const PAGE_HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Demo app</title>
<style>
:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5; }
body { max-width: 48rem; margin: 2rem auto; padding: 0 1rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1.5rem; }
dd, td { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #8886; }
th[scope=row] { white-space: nowrap; font-weight: 600; }
@media (max-width: 36rem) { th, td { display: block; } th { padding-bottom: 0; border: 0; } thead { display: none; } }
</style>
</head>
<body>
<h1>Demo app</h1>
"#;

/// The app, with the address that it listens on.
pub struct DemoApp {
    page: Arc<Page>,
    socket: Bound,
    address: SocketAddr,
}

/// What the app answers.
struct Page {
    logout: String,
}

impl DemoApp {
    /// On a free port of the loopback interface; signing out is at `prefix`.
    ///
    /// # Errors
    /// [`CannotListen`] when there is no free port.
    pub fn bind(prefix: &str) -> Result<Self, CannotListen> {
        let (socket, address) = listener::bind("the demo", SocketAddr::from(([127, 0, 0, 1], 0)))?;
        Ok(Self { page: Arc::new(Page { logout: format!("{prefix}/logout") }), socket, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn into_parts(self) -> (Arc<dyn Answer>, Bound) {
        (self.page, self.socket)
    }
}

#[async_trait]
impl Answer for Page {
    async fn answer(&self, request: Request<Bytes>, _call: Call) -> Response<Bytes> {
        let (head, body) = request.into_parts();
        if head.uri.path() == "/json" {
            return reply("application/json", as_json(&head, body.len()).to_string());
        }
        reply("text/html; charset=utf-8", self.html(&head))
    }

    fn refuse(&self, problem: Problem, _head: &Parts, call: &Call) -> Response<Bytes> {
        plain(problem, &call.request_id)
    }
}

impl Page {
    fn html(&self, head: &Parts) -> String {
        let mut page = PAGE_HEAD.to_owned();
        page.push_str(if head.headers.contains_key("remote-user") {
            "<p>This app has no sign-in of its own. The gateway in front of it says who you are:</p>\n<dl>\n"
        } else {
            "<p>This app has no sign-in of its own. The gateway in front of it has not said who you are.</p>\n<dl>\n"
        });
        for (name, label) in IDENTITY {
            if let Some(value) = head.headers.get(name) {
                line(&mut page, format_args!("<dt>{label}</dt><dd id=\"{name}\">{}</dd>", escape(&text(value))));
            }
        }
        line(&mut page, format_args!("</dl>\n<p><a href=\"{}\">Sign out</a> · <a href=\"/json\">As JSON</a></p>", escape(&self.logout)));
        line(
            &mut page,
            format_args!("<h2>What arrived</h2>\n<p><code>{} {}</code></p>", escape(head.method.as_str()), escape(&head.uri.to_string())),
        );
        page.push_str("<table>\n<thead><tr><th scope=\"col\">Header</th><th scope=\"col\">Value</th></tr></thead>\n<tbody>\n");
        for (name, value) in &head.headers {
            line(&mut page, format_args!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escape(name.as_str()), escape(&text(value))));
        }
        page.push_str("</tbody>\n</table>\n</body>\n</html>\n");
        page
    }
}

fn as_json(head: &Parts, body_length: usize) -> Value {
    let identity: Map<_, _> =
        IDENTITY.iter().filter_map(|(name, _)| Some(((*name).to_owned(), text(head.headers.get(*name)?).into()))).collect();
    json!({
        "method": head.method.as_str(),
        "target": head.uri.to_string(),
        "identity": identity,
        "headers": as_lists(&head.headers),
        "body_length": body_length,
    })
}

fn as_lists(headers: &HeaderMap) -> Map<String, Value> {
    let all = |name| headers.get_all(name).iter().map(text).collect::<Vec<_>>();
    headers.keys().map(|name| (name.as_str().to_owned(), all(name).into())).collect()
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

fn reply(kind: &'static str, body: String) -> Response<Bytes> {
    let mut reply = Response::new(Bytes::from(body));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
        ),
    );
    reply
}

fn line(page: &mut String, line: std::fmt::Arguments<'_>) {
    page.push_str(&line.to_string());
    page.push('\n');
}

/// For text and for attributes in double quotes.
fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(path: &str, lines: &[(&str, &str)]) -> String {
        let mut request = Request::builder().uri(path);
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        let call = Call {
            client: crate::client::Client { address: "127.0.0.1".parse().unwrap(), secure: false, host: "localhost".into() },
            peer: "127.0.0.1".parse().unwrap(),
            now: crate::clock::Timestamp::default(),
            request_id: "id".into(),
        };
        let page = Page { logout: "/auth/logout".into() };
        String::from_utf8(page.answer(request.body(Bytes::new()).unwrap(), call).await.into_body().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn it_shows_who_is_calling_and_what_arrived() {
        let page = ask("/wiki?q=1", &[("remote-user", "ann"), ("remote-email", "ann@example.com"), ("x-other", "1")]).await;
        assert!(page.contains("<dd id=\"remote-user\">ann</dd>"), "{page}");
        assert!(page.contains("<th scope=\"row\">x-other</th><td>1</td>"), "{page}");
        assert!(page.contains("<a href=\"/auth/logout\">Sign out</a>"), "{page}");
        assert!(page.contains("GET /wiki?q=1"), "{page}");
    }

    #[tokio::test]
    async fn what_a_stranger_sends_is_text() {
        let page = ask("/?q=%3Cscript%3E'", &[("remote-user", "<b>\"&'"), ("x-evil", "<script>alert(1)</script>")]).await;
        assert!(page.contains("&lt;b&gt;&quot;&amp;&#39;"), "{page}");
        assert!(!page.contains("<script"), "{page}");
    }

    #[tokio::test]
    async fn the_same_as_json() {
        let told: Value = serde_json::from_str(&ask("/json?x", &[("remote-user", "ann"), ("accept", "a"), ("accept", "b")]).await).unwrap();
        assert_eq!(told["identity"], json!({ "remote-user": "ann" }));
        assert_eq!(told["headers"]["accept"], json!(["a", "b"]));
        assert_eq!(told["target"], "/json?x");
    }
}
