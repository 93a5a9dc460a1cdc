//! What a script adds where there is one: nothing that a person needs, and some steps less.

use super::house::{ADA, House};
use crate::support::browser::{Browser, JavaScript};

/// Control and a letter; the last lets go of the key.
const CUT: &str = "\u{E009}ax\u{E000}";
const PASTE: &str = "\u{E009}v\u{E000}";

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_pasted_is_sent_at_once() {
    let house = House::open().await;
    let browser = Browser::open(JavaScript::On).await;
    house.visit(&browser, "/books").await;
    let code = house.ask_for_code(&browser, ADA).await;

    let field = browser.find("[name=code]").await;
    field.send_keys(&format!("{code}{CUT}")).await.unwrap();
    browser.leave(async || field.send_keys(PASTE).await.unwrap()).await;

    assert_eq!(browser.url().await.path(), "/books");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_code_is_asked_for_where_the_first_is_entered_once_the_wait_is_over() {
    let house = House::with("resend_after = \"2s\"").await;
    let browser = Browser::open(JavaScript::On).await;
    house.visit(&browser, "/books").await;
    house.ask_for_code(&browser, ADA).await;
    let again = "form[data-wait] button";

    let waits = browser.ask(&format!("return document.querySelector({again:?}).disabled")).await;
    browser.find("form[data-wait] button:enabled").await;
    browser.press(again).await;

    assert_eq!(waits, true);
    let code = house.code(ADA, 2).await;
    super::house::enter(&browser, &code).await;
    assert_eq!(browser.url().await.path(), "/books");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_script_nothing_is_shown_that_needs_one() {
    let house = House::open().await;
    let browser = Browser::open(JavaScript::Off).await;
    house.visit(&browser, "/books").await;
    house.ask_for_code(&browser, ADA).await;

    let shown = "return Array.from(document.querySelectorAll('[data-script], form[data-wait]')).filter((part) => part.getClientRects().length).length";

    assert_eq!(browser.ask(shown).await, 0);
    browser.close().await;
}
