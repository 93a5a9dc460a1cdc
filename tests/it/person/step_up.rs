//! What is guarded more leads to what is missing, and from there back to where the person was.

use std::time::Duration;

use super::house::{self, ADA, House};
use crate::support::browser::{Browser, JavaScript, Window};
use crate::support::wait;

const WINDOWS: [(JavaScript, Window); 2] = [(JavaScript::Off, Window::Phone), (JavaScript::On, Window::Desktop)];

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_second_factor_sets_one_up_and_comes_back() {
    for (javascript, window) in WINDOWS {
        let house = House::open().await;
        let browser = Browser::open(javascript).await;
        browser.resize(window).await;
        house.visit(&browser, "/books").await;
        house.sign_in(&browser, ADA).await;

        house.visit(&browser, "/vault?box=7").await;
        assert_eq!(browser.url().await.path(), "/auth/step-up");
        browser.press("main a.button").await;
        house::enrol(&browser).await;

        assert_eq!(browser.url().await.as_str(), house.url("/vault?box=7"));
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_one_factor_shows_the_second_and_comes_back() {
    for (javascript, window) in WINDOWS {
        let house = House::open().await;
        let (here, there) = Browser::open_two(javascript).await;
        for device in [&here, &there] {
            device.resize(window).await;
            house.visit(device, "/books").await;
            house.sign_in(device, ADA).await;
        }
        house.visit(&here, "/auth/account/authenticator").await;
        let (phone, _) = house::enrol(&here).await;

        house.visit(&there, "/vault?box=7").await;
        assert_eq!(there.url().await.path(), "/auth/second-factor");
        house::enter(&there, &phone.code().await).await;

        assert_eq!(there.url().await.as_str(), house.url("/vault?box=7"));
        here.close().await;
        there.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_of_long_ago_is_made_fresh_by_a_code_and_comes_back() {
    for (javascript, window) in WINDOWS {
        let house = House::open().await;
        let browser = Browser::open(javascript).await;
        browser.resize(window).await;
        house.visit(&browser, "/fresh?page=3").await;
        house.sign_in(&browser, ADA).await;
        assert_eq!(browser.url().await.as_str(), house.url("/fresh?page=3"));

        wait::until_async("the sign-in to be too long ago", Duration::from_secs(60), || async {
            house.visit(&browser, "/fresh?page=3").await;
            (browser.url().await.path() == "/auth/step-up").then_some(())
        })
        .await;
        let before = house.codes(ADA).len();
        browser.press("form[action$='/step-up'] button").await;
        house::enter(&browser, &house.code(ADA, before + 1).await).await;

        assert_eq!(browser.url().await.as_str(), house.url("/fresh?page=3"));
        browser.close().await;
    }
}
