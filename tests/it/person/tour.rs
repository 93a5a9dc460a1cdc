//! A walk past every page there is, as a person meets them, with a look at each.

use super::house::{self, ADA, House};
use super::phone::Phone;
use crate::support::browser::Browser;

/// A phone number would do as well; no page says whether somebody has this address.
const STRANGER: &str = "nobody";

/// Leads a browser past every page; `look` is told the name of each when the browser shows it. It ends where it began: at
/// the door, signed out, but with an authenticator.
pub async fn walk(house: &House, browser: &Browser, look: impl AsyncFnMut(&'static str)) {
    let mut tour = Tour { house, browser, look };
    tour.door().await;
    tour.step_up().await;
    let phone = tour.account().await;
    tour.errors().await;
    tour.leaving().await;
    tour.second_factor(&phone).await;
}

struct Tour<'a, L> {
    house: &'a House,
    browser: &'a Browser,
    look: L,
}

impl<L: AsyncFnMut(&'static str)> Tour<'_, L> {
    async fn door(&mut self) {
        self.house.visit(self.browser, "/books?shelf=2").await;
        (self.look)("login").await;
        self.browser.fill("address", STRANGER).await;
        self.browser.press("form[action$='/login'] button").await;
        (self.look)("login-error").await;
        let code = self.house.ask_for_code(self.browser, ADA).await;
        (self.look)("verify").await;
        house::enter(self.browser, "12").await;
        (self.look)("verify-error").await;
        house::enter(self.browser, &code).await;
        assert!(self.browser.url().await.as_str().ends_with("/books?shelf=2"), "{}", self.browser.url().await);
        self.at("/auth/login", "login-signed-in").await;
    }

    async fn step_up(&mut self) {
        self.at("/vault", "step-up-enrol").await;
        self.at("/auth/step-up?need=fresh&next=%2Fbooks", "step-up").await;
    }

    async fn account(&mut self) -> Phone {
        self.at("/auth/account", "account").await;
        self.at("/auth/account/authenticator", "authenticator").await;
        self.browser.press("form[action$='/account/authenticator'] button").await;
        (self.look)("authenticator-picture").await;
        house::enter(self.browser, "12").await;
        (self.look)("authenticator-error").await;
        let phone = Phone::scan(self.browser).await;
        house::enter(self.browser, &phone.code().await).await;
        (self.look)("recovery-codes").await;
        self.browser.press("main a.button").await;
        (self.look)("account-enrolled").await;
        self.address().await;
        self.at("/auth/account/authenticator", "authenticator-off").await;
        self.at("/auth/account/recovery-codes", "recovery-codes-new").await;
        phone
    }

    async fn address(&mut self) {
        let (written, number) = house::NUMBER;
        self.at("/auth/account/email", "email").await;
        self.at("/auth/account/phone", "phone").await;
        self.browser.fill("address", "12").await;
        self.browser.press("form[action$='/account/phone'] button").await;
        (self.look)("phone-error").await;
        self.browser.fill("address", written).await;
        self.browser.press("form[action$='/account/phone'] button").await;
        (self.look)("phone-code").await;
        house::enter(self.browser, &self.house.phone_code(number).await).await;
        (self.look)("account-phone").await;
    }

    async fn errors(&mut self) {
        self.at("/staff", "error-403").await;
        self.at("/auth/nothing", "error-404").await;
        self.at("/away", "error-502").await;
    }

    async fn leaving(&mut self) {
        self.at("/auth/logout", "logout").await;
        let held = self.house.hold_database();
        self.browser.press("form[action$='/logout'] button").await;
        (self.look)("error-503").await;
        drop(held);
        self.house.sign_out(self.browser).await;
        (self.look)("signed-out").await;
    }

    async fn second_factor(&mut self, phone: &Phone) {
        self.house.visit(self.browser, "/books").await;
        self.house.sign_in(self.browser, ADA).await;
        (self.look)("second-factor").await;
        house::enter(self.browser, "12").await;
        (self.look)("second-factor-error").await;
        self.browser.press("a[href*='/auth/recovery']").await;
        (self.look)("recovery").await;
        house::enter(self.browser, "12").await;
        (self.look)("recovery-error").await;
        self.browser.press("a[href*='/auth/second-factor']").await;
        house::enter(self.browser, &phone.code().await).await;
        assert_eq!(self.browser.url().await.path(), "/books");
        self.house.sign_out(self.browser).await;
    }

    /// A page that one goes to by its address.
    async fn at(&mut self, path: &str, name: &'static str) {
        self.house.visit(self.browser, path).await;
        (self.look)(name).await;
    }
}
