//! A second address: added on the account's page, and good for signing in from then on.

use super::house::{self, ADA, House, NUMBER};
use crate::support::browser::{Browser, JavaScript, Window};

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_number_is_added_to_an_account_and_leads_into_it() {
    let (written, number) = NUMBER;
    for (javascript, window) in [(JavaScript::Off, Window::Phone), (JavaScript::On, Window::Desktop)] {
        let house = House::open().await;
        let browser = Browser::open(javascript).await;
        browser.resize(window).await;
        house.visit(&browser, "/books").await;
        house.sign_in(&browser, ADA).await;

        house.visit(&browser, "/auth/account").await;
        browser.press("a[href$='/account/phone']").await;
        browser.fill("address", written).await;
        browser.press("form[action$='/account/phone'] button").await;
        house::enter(&browser, &house.phone_code(number).await).await;
        assert_eq!(browser.url().await.path(), "/auth/account");
        house.sign_out(&browser).await;

        let before = house.pigeon.count();
        house.visit(&browser, "/books").await;
        browser.fill("address", written).await;
        browser.press("form[action$='/login'] button").await;
        house.pigeon.wait_for_count(before + 1).await;
        house::enter(&browser, &house.phone_code(number).await).await;

        assert_eq!(browser.url().await.path(), "/books");
        let seen = house.app.received().into_iter().rfind(|request| request.target() == "/books").unwrap();
        assert_eq!(seen.header("Remote-Email").as_deref(), Some(ADA));
        browser.close().await;
    }
}
