//! The demo, as a stranger meets it: from its app to the sign-in, the code from the inbox page, back to where they wanted to
//! go, out, and asked to sign in again. In a real browser, with scripts and without.

use std::net::SocketAddr;
use std::time::Duration;

use fantoccini::{Client, Locator};

use crate::support::browser::{Browser, JavaScript};
use crate::support::child::{self, Process};
use crate::support::{gateway, ports, wait};

struct Demo {
    process: Process,
    public: SocketAddr,
}

fn start() -> Demo {
    let (public, admin) = (ports::free_address(), ports::free_address());
    let arguments = ["demo", "--public", &public.to_string(), "--admin", &admin.to_string()].map(str::to_owned);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut process = gateway::start_command(&words, &[]);
    let ready = child::await_ready("the demo", &mut process, || gateway::status_of(admin, "/readyz") == Some(200));
    assert!(ready, "{}", process.output().text());
    Demo { process, public }
}

async fn click(page: &Client, css: &str) {
    page.find(Locator::Css(css)).await.unwrap_or_else(|_| panic!("no {css}")).click().await.unwrap();
}

async fn write(page: &Client, css: &str, text: &str) {
    page.find(Locator::Css(css)).await.unwrap_or_else(|_| panic!("no {css}")).send_keys(text).await.unwrap();
}

async fn is_at(page: &Client, path: &str) {
    let limit = Duration::from_secs(10);
    wait::until_async(&format!("the page {path}"), limit, || async { page.current_url().await.unwrap().path().eq(path).then_some(()) })
        .await;
}

async fn from_the_app_to_the_app(javascript: JavaScript) {
    let demo = tokio::task::spawn_blocking(start).await.unwrap();
    let base = format!("http://{}", demo.public);
    let browser = Browser::open(javascript).await;
    let page = &browser.page;

    // To the app, and so to the sign-in.
    page.goto(&format!("{base}/somewhere?deep=1")).await.unwrap();
    is_at(page, "/auth/login").await;
    write(
        page,
        "main input[type=email], main input[name=email], main input[name=handle], main input:not([type=hidden])",
        "ada@example.com",
    )
    .await;
    click(page, "main button[type=submit]").await;
    is_at(page, "/auth/verify").await;

    // The code, from the inbox page.
    let verify = page.current_url().await.unwrap();
    page.goto(&format!("{base}/auth/dev/inbox")).await.unwrap();
    let inbox = browser.text().await;
    let code = inbox
        .split(|c: char| !c.is_ascii_digit())
        .find(|digits| digits.len() == 6)
        .unwrap_or_else(|| panic!("no code in {inbox}"))
        .to_owned();
    assert!(demo.process.output().text().contains(&code), "it is printed too");
    page.goto(verify.as_str()).await.unwrap();
    write(page, "#code", &code).await;
    click(page, "main button[type=submit]").await;

    // Where they wanted to go, as who they are.
    is_at(page, "/somewhere").await;
    assert_eq!(page.current_url().await.unwrap().query(), Some("deep=1"));
    let shown = browser.text().await;
    assert!(shown.contains("ada@example.com") && shown.to_lowercase().contains("remote-user"), "{shown}");

    // Out, and asked again.
    click(page, "a[href='/auth/logout']").await;
    is_at(page, "/auth/logout").await;
    click(page, "main button[type=submit]").await;
    page.goto(&format!("{base}/somewhere")).await.unwrap();
    is_at(page, "/auth/login").await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_without_scripts_goes_the_whole_way() {
    from_the_app_to_the_app(JavaScript::Off).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_with_scripts_goes_the_whole_way() {
    from_the_app_to_the_app(JavaScript::On).await;
}
