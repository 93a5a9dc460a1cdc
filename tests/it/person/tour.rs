//! A walk past every page there is, as a person meets them, with a look at each.

use super::house::{self, ADA, House};
use crate::support::browser::Browser;

/// Leads a browser past every page; `look` is told the name of each when the browser shows it.
pub async fn walk(house: &House, browser: &Browser, mut look: impl AsyncFnMut(&'static str)) {
    house.visit(browser, "/books?shelf=2").await;
    look("login").await;
    browser.fill("address", "nobody").await;
    browser.press("form[action$='/login'] button").await;
    look("login-error").await;
    let code = house.ask_for_code(browser, ADA).await;
    look("verify").await;
    house::enter(browser, "12").await;
    look("verify-error").await;
    house::enter(browser, &code).await;
    assert!(browser.url().await.as_str().ends_with("/books?shelf=2"), "{}", browser.url().await);

    house.visit(browser, "/auth/login").await;
    look("login-signed-in").await;
    house.visit(browser, "/staff").await;
    look("error-403").await;
    house.visit(browser, "/auth/nothing").await;
    look("error-404").await;
    house.visit(browser, "/away").await;
    look("error-502").await;
    house.visit(browser, "/auth/logout").await;
    look("logout").await;
    let held = house.hold_database();
    browser.press("form[action$='/logout'] button").await;
    look("error-503").await;
    drop(held);
    house.visit(browser, "/auth/logout").await;
    browser.press("form[action$='/logout'] button").await;
    look("signed-out").await;
}
