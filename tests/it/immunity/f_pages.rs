//! F 62: what a stranger types is text, on every page and in every mail.

use base64::Engine as _;
use http::Method;
use serde_json::json;

use super::endpoints;
use crate::flow::place::{Database, Place, Wants};
use crate::support::browser::{Browser, JavaScript};
use crate::support::client::{Person, Reply};

/// Breaks out of text, of either sort of quotes, of a title, a style, a comment.
const EVIL: &str = "x'\"--></title></style></textarea><script>document.title='owned'</script><img src=x onerror=document.title='owned'>";

fn is_a_page(reply: &Reply) -> bool {
    reply.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
}

fn is_safe(what: &str, reply: &Reply) {
    let text = reply.text();
    assert!(!text.contains("<script>document") && !text.contains("<img src=x"), "{what}: {text}");
    assert_eq!(text.matches("</title>").count(), 1, "{what}");
    let policy = reply.all("content-security-policy");
    assert_eq!(policy.len(), 1, "{what}: {:?}", reply.headers);
    let policy = &policy[0];
    assert!(
        policy.contains("default-src 'none'") && policy.contains("base-uri 'none'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(policy.contains("form-action "), "{policy}");
    for word in ["unsafe-", "data: ", " * ", "*;", "'strict-dynamic'", "blob:"] {
        assert!(!directive(policy, "script-src").contains(word) && !directive(policy, "style-src").contains(word), "{what}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{what}: {policy}");
    for (name, value) in [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY")] {
        assert_eq!(reply.header(name).as_deref(), Some(value), "{what}");
    }
    for tag in tags(&text) {
        // Nothing inline that the policy would have to forbid.
        assert!(!tag.contains(" on") && !tag.contains(" style=") && !tag.contains(" srcdoc="), "{what}: {tag}");
        assert!(!tag.starts_with("<script") || tag == "<script", "{what}: {tag}");
        let forbidden = ["<iframe", "<object", "<embed", "<base", "<img src=x", "<textarea"];
        assert!(!forbidden.iter().any(|name| tag.starts_with(name)), "{what}: {tag}");
    }
    // Script is ours if the policy knows it, letter for letter.
    for script in text.split("<script>").skip(1) {
        let script = script.split("</script>").next().unwrap_or_default();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, script.as_bytes());
        let hash = format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(digest));
        assert!(directive(policy, "script-src").contains(&hash), "{what}: {policy}");
    }
    assert!(!text.contains("\"javascript:") && !text.contains("\"data:text"), "{what}: {text}");
}

/// Every tag without the values of its attributes: what is typed stands in those, with its quotes written out.
fn tags(text: &str) -> Vec<String> {
    let without: String = text.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    without.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(tag, _)| format!("<{tag}"))).collect()
}

fn directive<'a>(policy: &'a str, name: &str) -> &'a str {
    policy.split(';').map(str::trim).find(|part| part.starts_with(name)).unwrap_or_default()
}

async fn place_of_evil_name() -> Place {
    // The name over the door is the operator's; a careless one must not become markup either.
    let name: &str = "name = \"<script>document.title='owned'</script> & Söhne\"";
    Place::with(Wants { sections: vec![("pages", name)], ..Wants::default() }).await
}

/// A form that a browser sends: the answer is a page, a refusal too.
async fn submitted(place: &Place, path: &str, fields: &[(&str, &str)]) -> Reply {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let person = place.person();
    let request = person.request(Method::POST, path).header("Content-Type", "application/x-www-form-urlencoded").body(body);
    request.header("Accept", "text/html").header("Sec-Fetch-Mode", "navigate").send().await
}

async fn registered(place: &Place, email: &str, name: &str) -> Person {
    let person = place.person();
    let before = place.mailbox.mails_to(email).len();
    let asked = person.request(Method::POST, "/auth/register").header("User-Agent", EVIL).json(&json!({ "email": email, "name": name }));
    assert_eq!(asked.send().await.status, 200);
    let code = place.mailbox.wait_for_nth(email, before + 1).await.code();
    let entered =
        person.request(Method::POST, "/auth/verify-otp").header("User-Agent", EVIL).json(&json!({ "email": email, "code": code }));
    assert_eq!(entered.send().await.status, 200);
    person
}

/// Authelia, Zitadel, authentik and caddy-security showed what was typed as markup.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_33525_what_a_stranger_types_is_text_on_every_page() {
    let place = place_of_evil_name().await;
    let member = registered(&place, "eve@example.com", EVIL).await;
    let encoded: String = url::form_urlencoded::byte_serialize(EVIL.as_bytes()).collect();
    let mut pages = 0;
    for who in [&member, &place.person()] {
        for listed in endpoints::all().into_iter().filter(|listed| listed.method == "GET") {
            for query in [String::new(), format!("?next=%2F{encoded}&error={encoded}&message={encoded}&name={encoded}&{encoded}={encoded}")]
            {
                let what = format!("{}{query}", listed.at());
                let reply = who.visit(&what).await;
                if is_a_page(&reply) {
                    is_safe(&what, &reply);
                    pages += 1;
                }
            }
        }
        for path in ["/auth/nothing", &format!("/auth/{encoded}"), &format!("/auth/login/{encoded}")] {
            let reply = who.request(Method::GET, path).header("Accept", "text/html").header("Accept-Language", EVIL).send().await;
            assert!(is_a_page(&reply), "{path}: {reply:?}");
            is_safe(path, &reply);
        }
        for (path, fields) in [
            ("/auth/login", vec![("address", EVIL), ("next", EVIL)]),
            ("/auth/login", vec![("address", "x"), ("next", &format!("/{EVIL}"))]),
            ("/auth/verify", vec![("code", EVIL), ("next", &format!("/{EVIL}"))]),
            ("/auth/logout", vec![("scope", EVIL)]),
            ("/auth/login", vec![(EVIL, EVIL)]),
        ] {
            let reply = submitted(&place, path, &fields).await;
            assert!(is_a_page(&reply), "{path} {fields:?}: {}", reply.text());
            is_safe(path, &reply);
            pages += 1;
        }
        let refused = who.request(Method::GET, &format!("/page/{encoded}%00")).header("Accept", "text/html").send().await;
        assert!(refused.status >= 300 || refused.status == 200);
    }
    assert!(pages >= 20, "{pages}");
}

/// Zitadel put a name as it was into the HTML of its mails.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_41953_a_name_is_text_in_mails() {
    let place = place_of_evil_name().await;
    let member = registered(&place, "eve@example.com", EVIL).await;
    for language in ["en", "de", "fr", "es", "ar", EVIL] {
        let asked = member.request(Method::POST, "/auth/request-otp").header("Accept-Language", language).header("User-Agent", EVIL);
        assert_eq!(asked.json(&json!({ "email": "eve@example.com" })).send().await.status, 200, "{language}");
    }
    place.mailbox.wait_for_nth("eve@example.com", 7).await;
    for mail in place.mailbox.mails() {
        let html = mail.html().expect("a part in HTML");
        let lower = html.to_lowercase();
        assert!(!lower.contains("<script") && !lower.contains("<img") && !lower.contains("onerror"), "{html}");
        assert!(html.contains("&#60;script&#62;") || html.contains("&lt;script&gt;"), "the name over the door is in it, as text: {html}");
        assert!(!html.contains("http:") && !html.contains("https:"), "a mail with a code leads nowhere: {html}");
        for name in ["From", "To", "Subject"] {
            assert_eq!(mail.raw.lines().filter(|line| line.starts_with(&format!("{name}: "))).count(), 1, "{}", mail.raw);
        }
    }
}

/// What the policy is worth is for a browser to say.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_21496_no_script_of_a_stranger_runs_in_a_browser() {
    let place = Place::on(Database::Sqlite).await;
    let browser = Browser::open(JavaScript::On).await;
    let encoded: String = url::form_urlencoded::byte_serialize(EVIL.as_bytes()).collect();
    let own = format!("http://{}", place.gateway.public());
    for listed in endpoints::all().into_iter().filter(|listed| listed.method == "GET") {
        browser.page.goto(&format!("{own}{}?next=/{encoded}", listed.at())).await.unwrap();
        assert!(!browser.page.title().await.unwrap().contains("owned"), "{listed:?}");
    }
    browser.page.goto(&format!("{own}/auth/login?next=/{encoded}")).await.unwrap();
    browser.page.find(fantoccini::Locator::Id("address")).await.unwrap().send_keys(EVIL).await.unwrap();
    browser.page.find(fantoccini::Locator::Css("form button")).await.unwrap().click().await.unwrap();
    browser.page.wait().for_element(fantoccini::Locator::Id("error")).await.unwrap();
    let again = browser.page.find(fantoccini::Locator::Id("address")).await.unwrap().prop("value").await.unwrap();
    assert_eq!(again.as_deref(), Some(EVIL), "it is shown as it was typed");
    assert!(!browser.page.title().await.unwrap().contains("owned"));

    // The policy itself: script that got into the page all the same does not run.
    let planted = "const script = document.createElement('script'); script.textContent = \"document.title='owned'\";
        document.body.append(script); const frame = document.createElement('iframe'); frame.src = 'data:text/html,x'; document.body.append(frame);
        return document.title;";
    let title = browser.page.execute(planted, vec![]).await.unwrap();
    assert!(!title.as_str().unwrap().contains("owned"), "{title}");
    browser.close().await;
}
