//! The pictures in `docs/screenshots`: every page, light and dark, on a phone and on a desk. `make screenshots` takes them;
//! look at them before you commit them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use fantoccini::Locator;

use super::house::{self, ADA, House};
use super::tour;
use crate::support::browser::{Browser, JavaScript, Scheme, Window};
use crate::support::picture::Picture;
use crate::support::{gateway, ports, wait};

/// Rows of pixels: what is longer than this, such as all that the demo's app was told, is cut.
const TALLEST: usize = 3_200;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it writes into the source tree: `make screenshots`"]
async fn every_page_is_shown_as_it_is() {
    let browser = Browser::open(JavaScript::On).await;
    let house = House::open().await;
    tour::walk(&house, &browser, async |page| take(&browser, page).await).await;
    demo(&browser).await;
    browser.close().await;
}

/// What `doorward demo` shows besides: an inbox, and an app that tells what it was told.
async fn demo(browser: &Browser) {
    let (public, admin) = (ports::free_address(), ports::free_address());
    let _demo = gateway::start_command(&["demo", "--public", &public.to_string(), "--admin", &admin.to_string()], &[]);
    wait::until_true("the demo", Duration::from_secs(30), || gateway::status_of(admin, "/readyz") == Some(200));
    browser.goto(&format!("http://{public}/")).await;
    browser.fill("address", ADA).await;
    browser.press("form[action$='/login'] button").await;
    let verify = browser.url().await;
    wait::until_async("a code in the inbox", Duration::from_secs(20), || async {
        browser.goto(&format!("http://{public}/auth/dev/inbox")).await;
        browser.page.find(Locator::Css(".digits")).await.ok()
    })
    .await;
    take(browser, "demo-inbox").await;
    let code = browser.text_of(".digits").await;
    browser.goto(verify.as_str()).await;
    house::enter(browser, &code).await;
    take(browser, "demo-app").await;
}

/// The page as it is, in every way that a person may see it. A form that complains is the same page with a sentence more:
/// one picture is enough.
async fn take(browser: &Browser, page: &str) {
    for window in [Window::Phone, Window::Desktop] {
        for scheme in [Scheme::Light, Scheme::Dark] {
            if !page.ends_with("-error") || (window, scheme) == (Window::Phone, Scheme::Light) {
                browser.resize(window).await;
                browser.colour(scheme).await;
                let picture = Picture::read(&browser.picture().await).top(TALLEST);
                std::fs::write(file(page, window, scheme), picture.small()).unwrap();
            }
        }
    }
}

fn file(page: &str, window: Window, scheme: Scheme) -> PathBuf {
    let window = match window {
        Window::Narrow => "narrow",
        Window::Phone => "phone",
        Window::Desktop => "desktop",
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screenshots");
    folder.join(format!("{page}-{window}-{}.png", scheme.name()))
}
