//! The demo, walked through by a real browser, with JavaScript and without: what a newcomer sees after `make demo`.

use std::net::SocketAddr;
use std::time::Duration;

use fantoccini::{Client, Locator};

use crate::support::browser::{Browser, JavaScript};
use crate::support::child::Process;
use crate::support::{gateway, ports, wait};

/// A running demo on ports of its own.
struct Demo {
    process: Process,
    public: SocketAddr,
}

impl Demo {
    fn start() -> Self {
        let (public, admin) = (ports::free_address(), ports::free_address());
        let process = gateway::start_command(&["demo", "--public", &public.to_string(), "--admin", &admin.to_string()], &[]);
        let is_ready = || gateway::status_of(admin, "/readyz") == Some(200);
        wait::until_true("the demo to be ready", Duration::from_secs(30), is_ready);
        Self { process, public }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.public)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_scripts_signs_in_sees_itself_and_signs_out() {
    walk(JavaScript::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_with_scripts_signs_in_sees_itself_and_signs_out() {
    walk(JavaScript::On).await;
}

/// To the app, and so to the sign-in; the code from the inbox; back to where they wanted to go; out, and asked again.
async fn walk(javascript: JavaScript) {
    let demo = Demo::start();
    let browser = Browser::open(javascript).await;
    let page = &browser.page;

    page.goto(&demo.url("/reports?year=2026")).await.unwrap();
    assert_eq!(path(page).await, "/auth/login");
    fill(page, "address", "Ada@Example.com").await;
    assert_eq!(path(page).await, "/auth/verify");

    let verify = page.current_url().await.unwrap();
    let code = code_in_the_inbox(&browser, &demo).await;
    assert!(demo.process.output().text().contains(&code), "it is printed too");
    page.goto(verify.as_str()).await.unwrap();
    fill(page, "code", &code).await;

    assert_eq!(page.current_url().await.unwrap().as_str(), demo.url("/reports?year=2026"));
    assert_eq!(text(page, "#remote-email").await, "ada@example.com");
    assert!(browser.text().await.contains("x-doorward-assertion"));

    page.goto(&demo.url("/auth/logout")).await.unwrap();
    click(page, "form button").await;
    page.goto(&demo.url("/")).await.unwrap();

    assert_eq!(path(page).await, "/auth/login");
    browser.close().await;
}

#[test]
fn the_demo_says_where_it_is() {
    let demo = Demo::start();

    let said = demo.process.output().text();

    assert!(said.contains(&demo.url("/auth/dev/inbox")), "{said}");
}

/// Types into a field and sends its form.
async fn fill(page: &Client, field: &str, value: &str) {
    let input = page.find(Locator::Id(field)).await.expect("the field");
    input.send_keys(value).await.expect("a field that takes text");
    click(page, "form button").await;
}

/// Clicks what leads to another page, and waits until the old one is gone.
async fn click(page: &Client, what: &str) {
    let old = page.find(Locator::Css("html")).await.expect("a page");
    page.find(Locator::Css(what)).await.expect("something to click").click().await.expect("a click");
    let is_gone = || async { old.tag_name().await.is_err().then_some(()) };
    wait::until_async("the next page", Duration::from_secs(10), is_gone).await;
    page.wait().for_element(Locator::Css("body")).await.expect("the next page");
}

/// The code that the inbox shows, when it has come.
async fn code_in_the_inbox(browser: &Browser, demo: &Demo) -> String {
    let look = || async {
        browser.page.goto(&demo.url("/auth/dev/inbox")).await.ok()?;
        browser.page.find(Locator::Css(".digits")).await.ok()?.text().await.ok()
    };
    wait::until_async("a code in the inbox", Duration::from_secs(10), look).await
}

async fn text(page: &Client, what: &str) -> String {
    page.find(Locator::Css(what)).await.expect("it is on the page").text().await.expect("text")
}

async fn path(page: &Client) -> String {
    page.current_url().await.expect("a page").path().to_owned()
}
