//! The pictures in `docs/screenshots`: every page, light and dark, on a phone and on a desk. `make screenshots` takes them;
//! look at them before you commit them.

use std::path::{Path, PathBuf};

use super::house::House;
use super::tour;
use crate::support::browser::{Browser, JavaScript, Scheme, Window};
use crate::support::picture::Picture;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it writes into the source tree: `make screenshots`"]
async fn every_page_is_shown_as_it_is() {
    let house = House::open().await;
    let browser = Browser::open(JavaScript::On).await;

    tour::walk(&house, &browser, async |page| {
        for window in [Window::Phone, Window::Desktop] {
            for scheme in [Scheme::Light, Scheme::Dark] {
                browser.resize(window).await;
                browser.colour(scheme).await;
                let small = Picture::read(&browser.picture().await).small();
                std::fs::write(file(page, window, scheme), small).unwrap();
            }
        }
    })
    .await;
    browser.close().await;
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
