//! Every page in every language fits the narrowest window, and is laid out in the direction in which it is read.

use serde_json::json;

use super::house::House;
use super::tour;
use crate::support::browser::{Browser, JavaScript, Window};

/// In which direction each is read.
const LANGUAGES: [(&str, &str); 5] = [("en", "ltr"), ("de", "ltr"), ("fr", "ltr"), ("es", "ltr"), ("ar", "rtl")];

/// Nothing may stick out at either side; the language is told, and the direction is that of the page as it is laid out.
const LOOK: &str = "
const root = document.documentElement;
const inside = (box) => box.width === 0 || (box.left >= 0 && box.right <= window.innerWidth);
const out = Array.from(document.body.querySelectorAll('*')).filter((part) => !inside(part.getBoundingClientRect()));
return {
  width: window.innerWidth,
  scrolls: root.scrollWidth > root.clientWidth,
  out: out.map((part) => part.outerHTML.slice(0, 120)),
  lang: root.lang,
  direction: getComputedStyle(document.body).direction,
};";

#[tokio::test(flavor = "multi_thread")]
async fn every_page_fits_a_window_of_320_pixels_in_every_language() {
    let browser = Browser::open(JavaScript::On).await;
    browser.resize(Window::Narrow).await;
    for (language, direction) in LANGUAGES {
        let house = House::open().await;
        browser.speak(language).await;

        tour::walk(&house, &browser, async |page| {
            let seen = browser.ask(LOOK).await;
            let wanted = json!({ "width": 320, "scrolls": false, "out": [], "lang": language, "direction": direction });
            assert_eq!(seen, wanted, "{page} in {language}");
        })
        .await;
    }
    browser.close().await;
}
