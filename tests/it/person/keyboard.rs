//! The whole way with a keyboard alone: no field and no button needs a pointer, and one sees where one is.

use serde_json::Value;

use super::house::{ADA, House};
use super::phone::Phone;
use crate::support::browser::{Browser, JavaScript};

const TAB: &str = "\u{E004}";
const ENTER: &str = "\u{E007}";
const SPACE: &str = " ";

/// More stops than any page has.
const STOPS: usize = 60;

/// Where the focus is, and how it is drawn: the ring of WCAG 2.4.13 is two pixels wide at least, and in the window.
const FOCUS: &str = "
const focused = document.activeElement;
const style = getComputedStyle(focused);
const box = focused.getBoundingClientRect();
return {
  what: focused.outerHTML.slice(0, 120),
  ring: style.outlineStyle === 'none' ? 0 : parseFloat(style.outlineWidth),
  seen: focused === document.body || (box.top >= 0 && box.bottom <= window.innerHeight),
};";

/// A person with a keyboard.
struct Typist<'a>(&'a Browser);

impl Typist<'_> {
    async fn press(&self, keys: &str) {
        self.0.page.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// Goes on from stop to stop until this is reached, and looks at each whether one sees where one is.
    async fn tab_to(&self, what: &str) {
        let is_here = format!("return document.activeElement.matches({what:?})");
        for _ in 0..STOPS {
            if self.0.ask(&is_here).await == true {
                return self.sees_focus().await;
            }
            self.press(TAB).await;
        }
        panic!("no key leads to {what} on {}", self.0.url().await);
    }

    async fn sees_focus(&self) {
        let focus: Value = self.0.ask(FOCUS).await;
        assert!(focus["ring"].as_f64().unwrap() >= 2.0 && focus["seen"] == true, "{focus}");
    }

    /// Presses a key that leads to another page.
    async fn leave_by(&self, key: &str) {
        self.0.leave(async || self.press(key).await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_goes_the_whole_way_with_a_keyboard_alone() {
    let house = House::open().await;
    let browser = Browser::open(JavaScript::On).await;
    let typist = Typist(&browser);
    house.visit(&browser, "/books").await;

    typist.tab_to("[name=address]").await;
    typist.press(ADA).await;
    typist.press(TAB).await;
    typist.tab_to("form button").await;
    typist.leave_by(SPACE).await;
    let code = house.code(ADA, 1).await;
    typist.tab_to("[name=code]").await;
    typist.leave_by(&format!("{code}{ENTER}")).await;
    assert_eq!(browser.url().await.path(), "/books");

    house.visit(&browser, "/auth/account").await;
    typist.tab_to("a[href$='/account/authenticator']").await;
    typist.leave_by(ENTER).await;
    typist.tab_to("form[action$='/account/authenticator'] button").await;
    typist.leave_by(SPACE).await;
    let phone = Phone::scan(&browser).await;
    typist.tab_to("[name=code]").await;
    typist.leave_by(&format!("{}{ENTER}", phone.code().await)).await;
    typist.tab_to("main a.button").await;
    typist.leave_by(ENTER).await;
    typist.tab_to("a[href$='/logout']").await;
    typist.leave_by(ENTER).await;
    typist.tab_to("form button").await;
    typist.leave_by(ENTER).await;

    typist.tab_to("a[href$='/login']").await;
    typist.leave_by(ENTER).await;
    typist.tab_to("[name=address]").await;
    typist.leave_by(&format!("{ADA}{ENTER}")).await;
    let code = house.code(ADA, 2).await;
    typist.tab_to("[name=code]").await;
    typist.leave_by(&format!("{code}{ENTER}")).await;
    typist.tab_to("[name=code]").await;
    typist.leave_by(&format!("{}{ENTER}", phone.code().await)).await;
    house.visit(&browser, "/books").await;
    assert_eq!(browser.url().await.path(), "/books");
    browser.close().await;
}
