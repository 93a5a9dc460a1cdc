//! The whole way: in by mail, an authenticator set up from the picture on the screen, in with both factors, a lost phone.
//! With JavaScript and without, on a phone and on a desk.

use super::house::{self, ADA, House};
use super::phone::Phone;
use crate::support::browser::{Browser, JavaScript, Window};

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_on_a_phone_a_person_goes_the_whole_way() {
    go(JavaScript::On, Window::Phone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_scripts_on_a_desk_a_person_goes_the_whole_way() {
    go(JavaScript::On, Window::Desktop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_on_a_phone_a_person_goes_the_whole_way() {
    go(JavaScript::Off, Window::Phone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_scripts_on_a_desk_a_person_goes_the_whole_way() {
    go(JavaScript::Off, Window::Desktop).await;
}

async fn go(javascript: JavaScript, window: Window) {
    let house = House::open().await;
    let browser = Browser::open(javascript).await;
    browser.resize(window).await;
    let way = Way { house: &house, browser: &browser };

    way.in_by_mail().await;
    let (phone, codes) = way.enrols().await;
    house.sign_out(&browser).await;
    way.in_with_both_factors(&phone).await;
    house.sign_out(&browser).await;
    way.in_without_the_phone(&codes[0]).await;
    house.sign_out(&browser).await;
    way.no_recovery_code_twice(&codes).await;
    browser.close().await;
}

/// A person on their way.
struct Way<'a> {
    house: &'a House,
    browser: &'a Browser,
}

impl Way<'_> {
    /// As far as a code by mail leads.
    async fn mail(&self) {
        self.house.visit(self.browser, "/books?shelf=2").await;
        assert_eq!(self.path().await, "/auth/login");
        self.house.sign_in(self.browser, ADA).await;
    }

    async fn in_by_mail(&self) {
        self.mail().await;
        self.is_inside().await;
    }

    async fn enrols(&self) -> (Phone, Vec<String>) {
        self.house.visit(self.browser, "/auth/account").await;
        self.browser.press("a[href$='/account/authenticator']").await;
        let (phone, codes) = house::enrol(self.browser).await;
        assert_eq!((phone.issuer.as_str(), phone.label.as_str()), ("Library", ADA));
        assert_eq!(self.path().await, "/auth/account");
        (phone, codes)
    }

    /// What is half done opens nothing, and is still there to be finished.
    async fn in_with_both_factors(&self, phone: &Phone) {
        self.mail().await;
        assert_eq!(self.path().await, "/auth/second-factor");
        let half = self.browser.url().await;
        self.house.visit(self.browser, "/books?shelf=2").await;
        assert_eq!(self.path().await, "/auth/login");
        self.browser.goto(half.as_str()).await;
        house::enter(self.browser, &phone.code().await).await;
        self.is_inside().await;
    }

    async fn in_without_the_phone(&self, code: &str) {
        self.mail().await;
        self.browser.press("a[href*='/auth/recovery']").await;
        house::enter(self.browser, code).await;
        self.is_inside().await;
    }

    async fn no_recovery_code_twice(&self, codes: &[String]) {
        self.mail().await;
        self.browser.press("a[href*='/auth/recovery']").await;
        house::enter(self.browser, &codes[0]).await;
        assert_eq!(self.path().await, "/auth/recovery");
        self.browser.find("#error").await;
        house::enter(self.browser, &codes[1]).await;
        self.is_inside().await;
    }

    /// Where they wanted to go.
    async fn is_inside(&self) {
        assert_eq!(self.browser.url().await.as_str(), self.house.url("/books?shelf=2"), "{}", self.browser.text().await);
    }

    async fn path(&self) -> String {
        self.browser.url().await.path().to_owned()
    }
}
