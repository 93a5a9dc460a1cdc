//! F 60 and 61: nobody is sent to a stranger's host, and no token is ever in a URL.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use http::Method;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use url::Url;

use super::endpoints;
use crate::flow::place::{ACCESS, CHALLENGE, Database, ENCRYPTION_KEY, Place, REFRESH, code_of};
use crate::support::browser::{Browser, JavaScript};
use crate::support::client::{Person, Raw, Reply};
use crate::support::gateway::Gateway;
use crate::support::upstream::Upstream;

/// What strangers write where a place is asked for.
fn corpus() -> Vec<String> {
    let lines = include_str!("redirects.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| serde_json::from_str(line).expect("a JSON string a line")).collect()
}

/// With codes that are zeros, hosts to be sent to, and an app that is gone.
fn gateway(app: &Upstream) -> Gateway {
    let app = app.url();
    Gateway::start(move |place| {
        format!(
            r#"public_url = "http://{public}"
[listen]
public = ["{public}"]
admin = "{admin}"
[store]
url = "sqlite:{folder}/doorward.db"
encryption_key = "{ENCRYPTION_KEY}"
[otp]
resend_after = "0s"
[cookies]
secure = false
[development]
enabled = true
[[delivery.email]]
kind = "console"
[[route]]
name = "wiki"
host = "wiki.example.com"
upstream = ["{app}"]
[[route]]
name = "files"
host = "files.example.com"
upstream = ["{app}"]
[[route]]
name = "apps"
host = "*.apps.example.com"
upstream = ["{app}"]
[[route]]
name = "gone"
host = "gone.example.com"
upstream = ["http://127.0.0.1:9"]
require = "public"
[[route]]
name = "forbidden"
host = "forbidden.example.com"
upstream = ["{app}"]
groups = ["nobody"]
[[route]]
name = "here"
upstream = ["{app}"]
"#,
            public = place.public,
            admin = place.admin,
            folder = place.folder.display(),
        )
    })
}

/// Every place that an answer leads to or shows as one, with the page that it is on.
type Places = BTreeSet<(String, String)>;

fn places(base: &str, reply: &Reply) -> Places {
    let mut found: Places = reply.all("location").into_iter().chain(reply.all("refresh")).map(|place| (base.to_owned(), place)).collect();
    let text = reply.text();
    for name in [" href=\"", " action=\"", " src=\"", " formaction=\"", " content=\"", "name=\"next\" value=\""] {
        let values = text.split(name).skip(1).filter_map(|rest| rest.split_once('"').map(|(value, _)| unescaped(value)));
        // Words about the window are no places.
        found.extend(values.filter(|value| name != " content=\"" || value.contains("url=")).map(|value| (base.to_owned(), value)));
    }
    found
}

fn unescaped(text: &str) -> String {
    let named =
        [("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&lt;", "<"), ("&#60;", "<"), ("&gt;", ">"), ("&#62;", ">")];
    let text = named.iter().fold(text.to_owned(), |text, (name, letter)| text.replace(name, letter));
    text.replace("&amp;", "&").replace("&#38;", "&")
}

/// As the parser of the `url` crate reads it (WHATWG).
fn read(base: &str, place: &str) -> Option<Url> {
    Url::parse(base).expect("a base").join(place).ok()
}

fn is_ours(host: &str) -> bool {
    let app = host.strip_suffix(".apps.example.com").is_some_and(|label| !label.is_empty() && !label.contains('.'));
    app || ["127.0.0.1", "wiki.example.com", "files.example.com", "gone.example.com", "forbidden.example.com"].contains(&host)
}

/// One line of the corpus, at every place that takes one.
async fn try_everywhere(gateway: Addresses, number: usize, line: String) -> Places {
    let base = format!("http://{}/auth/login", gateway.public);
    let person = Person::at(gateway.public);
    let encoded: String = url::form_urlencoded::byte_serialize(line.as_bytes()).collect();
    let mut found = Places::new();
    // Signed in at half of them: pages then show other links.
    if number.is_multiple_of(2) {
        person.set_cookie(ACCESS, &gateway.access);
    }
    for path in gateway.pages.iter() {
        found.append(&mut places(&base, &person.visit(&format!("{path}?next={encoded}")).await));
    }
    for (path, fields) in [
        ("/auth/login", vec![("address", "no address"), ("next", line.as_str())]),
        ("/auth/verify", vec![("code", "1"), ("next", line.as_str())]),
        ("/auth/logout", vec![("next", line.as_str())]),
        ("/auth/logout", vec![("scope", "local")]),
    ] {
        let query = if fields.len() == 1 { format!("{path}?next={encoded}&rd={encoded}") } else { path.to_owned() };
        let nobody = Person::at(gateway.public);
        found.append(&mut places(&base, &nobody.post_form(&query, &fields).await));
    }
    found.append(&mut signed_in_and_sent_on(&gateway, &base, number, &line).await);
    found.append(&mut as_the_target(&gateway, &line).await);
    found
}

/// The whole way: the form, the code, and on.
async fn signed_in_and_sent_on(gateway: &Addresses, base: &str, number: usize, line: &str) -> Places {
    let person = Person::at(gateway.public);
    let email = format!("p{number}@example.com");
    let sent = person.post_form("/auth/login", &[("address", &email), ("next", line)]).await;
    if line.contains(char::REPLACEMENT_CHARACTER) {
        // Nobody types that: it stands for bytes that were no text.
        assert_eq!((sent.status, person.cookie_names().len()), (422, 0), "{line:?}");
        return places(base, &sent);
    }
    assert_eq!(sent.status, 303, "{line:?}: {}", sent.text());
    let entered = person.post_form("/auth/verify", &[("code", "000000"), ("next", line)]).await;
    assert_eq!(entered.status, 303, "{line:?}: {}", entered.text());
    let mut found = places(base, &sent);
    found.append(&mut places(base, &entered));
    found
}

/// As the target of a request: the page that says no leads back to it.
async fn as_the_target(gateway: &Addresses, line: &str) -> Places {
    let mut found = Places::new();
    if !line.starts_with('/') || !line.bytes().all(|byte| byte.is_ascii_graphic()) {
        return found;
    }
    for (host, cookie) in
        [(gateway.public.to_string(), ""), ("gone.example.com".to_owned(), ""), ("forbidden.example.com".to_owned(), &gateway.access)]
    {
        let head = format!(
            "GET {line} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\nCookie: {ACCESS}={cookie}\r\nConnection: close\r\n\r\n"
        );
        let reply = Raw::exchange(gateway.public, head).await;
        assert!(reply.status >= 300 || line.starts_with("/auth/"), "{line:?} at {host}: {}", reply.status);
        found.append(&mut places(&format!("http://{host}/"), &reply));
    }
    found
}

#[derive(Clone)]
struct Addresses {
    public: SocketAddr,
    access: String,
    pages: Arc<Vec<String>>,
}

/// Gateways of every make were led astray by a slash, a tab, a name before an `@`, a host that begins like their own.
#[tokio::test(flavor = "multi_thread")]
async fn ghsa_qqxw_no_spelling_of_a_place_leads_to_a_stranger() {
    let app = Upstream::start().await;
    let gateway = gateway(&app);
    let member = gateway.person();
    assert_eq!(member.post("/auth/request-otp", &json!({ "email": "member@example.com" })).await.status, 200);
    assert_eq!(member.post("/auth/verify-otp", &json!({ "email": "member@example.com", "code": "000000" })).await.status, 200);
    let pages = endpoints::all().into_iter().filter(endpoints::Listed::is_page);
    let pages = Arc::new(pages.map(|listed| listed.at()).chain(["/auth/no-such-page".to_owned()]).collect());
    let addresses = Addresses { public: gateway.public(), access: member.cookie(ACCESS).unwrap(), pages };
    let corpus = corpus();
    assert!(corpus.len() >= 500, "{}", corpus.len());

    let (few, mut all) = (Arc::new(Semaphore::new(4)), JoinSet::new());
    for (number, line) in corpus.into_iter().enumerate() {
        let (few, addresses) = (Arc::clone(&few), addresses.clone());
        all.spawn(async move {
            let _few = few.acquire_owned().await.unwrap();
            (line.clone(), try_everywhere(addresses, number, line).await)
        });
    }
    let found: BTreeMap<String, Places> = all.join_all().await.into_iter().collect();

    let mut once = BTreeMap::new();
    for (line, places) in &found {
        assert!(!places.is_empty(), "{line:?} was shown nowhere");
        for (base, place) in places.iter().filter(|(_, place)| place != "data:,") {
            let reached = read(base, place).unwrap_or_else(|| panic!("{line:?} gave {place:?}, which no browser can read"));
            let host = reached.host_str().unwrap_or_default();
            assert!(matches!(reached.scheme(), "http" | "https") && is_ours(host), "{line:?} leads to {reached} by {place:?}");
            assert!(reached.username().is_empty() && reached.password().is_none(), "{line:?} leads to {reached}");
            assert!(place.bytes().all(|byte| byte.is_ascii_graphic()), "{line:?} gave {place:?}");
            once.insert((base.clone(), place.clone()), reached);
        }
    }
    // Ours are not all refused, or the rest would say nothing.
    for host in ["wiki.example.com", "files.example.com", "x.apps.example.com"] {
        assert!(once.values().any(|reached| reached.host_str() == Some(host)), "nothing leads to {host}");
    }
    chromium_reads_the_same(&addresses, once).await;
}

/// The parser that counts is a browser's.
async fn chromium_reads_the_same(addresses: &Addresses, places: BTreeMap<(String, String), Url>) {
    let browser = Browser::open(JavaScript::On).await;
    browser.page.goto(&format!("http://{}/auth/login", addresses.public)).await.unwrap();
    let pairs: Vec<&(String, String)> = places.keys().collect();
    assert!(pairs.len() > 200, "{}", pairs.len());
    let script = "return arguments[0].map(([base, place]) => { const url = new URL(place, base);
        return [url.href, url.protocol, url.hostname, url.username + url.password]; });";
    let read = browser.page.execute(script, vec![json!(pairs)]).await.unwrap();
    for ((pair, ours), theirs) in places.iter().zip(read.as_array().unwrap()) {
        let part = |number: usize| theirs[number].as_str().unwrap_or_default();
        assert_eq!(part(0), ours.as_str(), "{pair:?} is read otherwise by Chromium");
        assert!(matches!(part(1), "http:" | "https:") && is_ours(part(2)) && part(3).is_empty(), "{pair:?} leads to {theirs}");
    }
    browser.close().await;
}

/// Pomerium put the session into a URL, and an open redirect gave it away.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2021_29651_no_token_is_ever_in_a_url() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.person();
    let (mut replies, mut secrets) = (Vec::new(), Vec::new());
    let mut note = |person: &Person| {
        secrets.extend([ACCESS, REFRESH, CHALLENGE].into_iter().filter_map(|name| person.cookie(name)));
    };

    replies.push(person.visit("/wiki/page?x=1").await);
    replies.push(person.visit(&replies[0].header("location").unwrap()).await);
    replies.push(person.post_form("/auth/login", &[("address", "ada@example.com"), ("next", "/wiki/page?x=1")]).await);
    note(&person);
    let code = place.mailbox.wait_for("ada@example.com").await.code();
    replies.push(person.visit(&replies[2].header("location").unwrap()).await);
    replies.push(person.post_form("/auth/verify", &[("code", &code), ("next", "/wiki/page?x=1")]).await);
    note(&person);
    replies.push(person.visit(&replies[4].header("location").unwrap()).await);
    for listed in endpoints::all().into_iter().filter(|listed| listed.method == "GET") {
        replies.push(person.visit(&listed.at()).await);
    }
    person.forget_cookie(ACCESS);
    replies.push(person.visit("/wiki/renewed").await);
    note(&person);
    replies.push(person.post("/auth/refresh", &json!({})).await);
    note(&person);
    replies
        .push(person.request(Method::POST, "/auth/logout").header("Accept", "text/html").header("Sec-Fetch-Mode", "navigate").send().await);
    secrets.push(code);
    assert!(secrets.len() >= 6);

    let pages = replies.iter().filter(|reply| reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html")));
    assert!(pages.clone().count() >= 5);
    for page in pages {
        // Not even the path of a page goes to whoever is linked from it.
        assert!(
            ["no-referrer", "same-origin"].contains(&page.header("referrer-policy").unwrap_or_default().as_str()),
            "{:?}",
            page.headers
        );
    }
    let base = format!("http://{}/auth/login", place.gateway.public());
    for (_, url) in replies.iter().flat_map(|reply| places(&base, reply)) {
        for secret in &secrets {
            assert!(!url.contains(secret.as_str()), "{url}");
        }
    }
    let seen = place.upstream.received();
    assert!(seen.len() >= 2);
    for request in seen {
        for secret in &secrets {
            assert!(
                !request.target().contains(secret.as_str()) && !request.header("referer").unwrap_or_default().contains(secret.as_str())
            );
        }
    }
    in_a_url_none_is_taken(&place).await;
}

/// Nor is one believed that stands there.
async fn in_a_url_none_is_taken(place: &Place) {
    let person = place.sign_in("ada@example.com").await;
    let (access, refresh) = (person.cookie(ACCESS).unwrap(), person.cookie(REFRESH).unwrap());
    let before = place.upstream.count();
    for name in ["access_token", "token", "jwt", "id_token", "session", "doorward_access", "bearer", "pomerium_jwt"] {
        for path in ["/wiki/page", "/auth/session", "/auth/sessions"] {
            let reply = place.person().get(&format!("{path}?{name}={access}")).await;
            assert_eq!(reply.status, 401, "{path} {name}");
        }
    }
    let reply =
        place.person().request(Method::POST, &format!("/auth/refresh?refresh_token={refresh}&doorward_refresh={refresh}")).send().await;
    assert_eq!((reply.status, code_of(&reply).as_str()), (401, "invalid_refresh"));
    let form = place.person().post_form("/wiki/page", &[("access_token", &access)]).await;
    assert_eq!(form.status, 401, "RFC 6750 §2.2 is for those who want it");
    assert_eq!(place.upstream.count(), before);
}
