//! The pages in a real browser: the policy holds and does not stand in the way.

use fantoccini::Locator;
use serde_json::json;

use crate::support::browser::{Browser, JavaScript};
use crate::support::gateway::{Gateway, Place};
use crate::support::upstream::Upstream;

fn gateway(app: &Upstream) -> Gateway {
    Gateway::start(|Place { public, admin, folder }| {
        format!(
            r#"
public_url = "http://{public}"
[listen]
public = ["{public}"]
admin = "{admin}"
[store]
url = "sqlite:{}/doorward.db"
encryption_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
[cookies]
secure = false
[development]
enabled = true
[[delivery.email]]
kind = "console"
[[route]]
name = "here"
host = "127.0.0.1"
upstream = ["{app}"]
[[route]]
name = "there"
host = "localhost"
upstream = ["{app}"]
require = "public"
"#,
            folder.display(),
            app = app.url()
        )
    })
}

async fn sign_in(browser: &Browser, login: &str) {
    browser.page.goto(login).await.unwrap();
    fill(browser, "address", "ada@example.com").await;
    fill(browser, "code", "000000").await;
}

/// Types into the one field of a form, and presses its button.
async fn fill(browser: &Browser, name: &str, text: &str) {
    let field = browser.page.wait().for_element(Locator::Id(name)).await.unwrap();
    field.send_keys(text).await.unwrap();
    browser.page.find(Locator::Css("form button")).await.unwrap().click().await.unwrap();
}

async fn address(browser: &Browser) -> String {
    browser.page.current_url().await.unwrap().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_leads_on_to_another_configured_host() {
    let app = Upstream::start().await;
    let gateway = gateway(&app);
    let browser = Browser::open(JavaScript::Off).await;
    let there = format!("http://localhost:{}/a?b=c", gateway.public().port());
    let next: String = url::form_urlencoded::byte_serialize(there.as_bytes()).collect();

    sign_in(&browser, &format!("http://{}/auth/login?next={next}", gateway.public())).await;

    browser.page.wait().for_url(&there.parse().unwrap()).await.unwrap();
    assert_eq!(address(&browser).await, there);
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_may_send_people_on_to_wherever_it_likes() {
    let (app, elsewhere) = (Upstream::start().await, Upstream::start().await);
    let gateway = gateway(&app);
    let browser = Browser::open(JavaScript::Off).await;
    let last = format!("{}/last", elsewhere.url());
    app.status(302);
    app.add_header("Location", &last);

    sign_in(&browser, &format!("http://{}/first", gateway.public())).await;

    browser.page.wait().for_url(&last.parse().unwrap()).await.unwrap();
    assert!(elsewhere.received().iter().any(|request| request.target() == "/last"));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_comes_back_to_where_they_were_going_and_leaves() {
    let app = Upstream::start().await;
    let gateway = gateway(&app);
    let browser = Browser::open(JavaScript::Off).await;
    let here = format!("http://{}/wiki?page=1", gateway.public());

    sign_in(&browser, &here).await;
    browser.page.wait().for_url(&here.parse().unwrap()).await.unwrap();
    browser.page.goto(&format!("http://{}/auth/logout", gateway.public())).await.unwrap();
    assert!(browser.text().await.contains("You are signed in as ada@example.com."));
    browser.page.find(Locator::Css("form button")).await.unwrap().click().await.unwrap();
    browser.page.wait().for_element(Locator::Css("a.button")).await.unwrap();

    assert!(browser.text().await.contains("You are signed out"));
    browser.page.goto(&here).await.unwrap();
    assert!(address(&browser).await.contains("/auth/login?next=%2Fwiki%3Fpage%3D1"));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_styled_fit_a_small_phone_and_can_be_read_aloud() {
    let app = Upstream::start().await;
    let gateway = gateway(&app);
    let browser = Browser::open(JavaScript::On).await;
    browser.page.set_window_size(320, 640).await.unwrap();

    for path in ["/auth/login", "/auth/verify", "/auth/logout", "/auth/nothing"] {
        browser.page.goto(&format!("http://{}{path}", gateway.public())).await.unwrap();
        let seen = browser.page.execute(LOOK, vec![]).await.unwrap();
        assert_eq!(
            seen,
            json!({ "wide": false, "styled": true, "lang": "en", "headings": 1, "mains": 1, "unlabelled": 0, "small": 0 }),
            "{path}"
        );
    }
    browser.close().await;
}

/// Wider than the window? Styled by our sheet? One main heading and one main part? Fields without a label, targets under 24
/// pixels (WCAG 2.5.8, links in sentences aside)?
const LOOK: &str = "
const all = (selector) => Array.from(document.querySelectorAll(selector));
return {
  wide: document.documentElement.scrollWidth > window.innerWidth,
  styled: getComputedStyle(document.querySelector('main')).maxWidth === '416px',
  lang: document.documentElement.lang,
  headings: all('h1').length,
  mains: all('main').length,
  unlabelled: all('input:not([type=hidden])').filter((field) => field.labels.length !== 1).length,
  small: all('button, .button, .way a, input:not([type=hidden])').filter((target) => target.checkVisibility() && target.getBoundingClientRect().height < 24).length,
};";
