//! Nothing stands in the way of people who do not see or point as others do: axe-core, at every page.

use super::house::House;
use super::tour;
use crate::support::axe;
use crate::support::browser::{Browser, JavaScript, Scheme, Window};

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_nothing_grave_on_any_page_in_light_or_dark_on_a_phone_or_a_desk() {
    let house = House::open().await;
    let browser = Browser::open(JavaScript::On).await;
    let mut grave = Vec::new();

    tour::walk(&house, &browser, async |page| {
        for window in [Window::Phone, Window::Desktop] {
            for scheme in [Scheme::Light, Scheme::Dark] {
                browser.resize(window).await;
                browser.colour(scheme).await;
                let findings = axe::look(&browser).await;
                assert!(findings.passed > 10, "axe-core looked at {page}: {findings:?}");
                let told = findings.grave.into_iter().chain(findings.slight);
                grave.extend(told.map(|finding| format!("{page}, {window:?}, {scheme:?}: {finding}")));
            }
        }
    })
    .await;

    assert!(grave.is_empty(), "{grave:#?}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn axe_finds_what_is_wrong() {
    let house = House::open().await;
    let browser = Browser::open(JavaScript::On).await;
    house.visit(&browser, "/auth/login").await;

    browser.ask("for (const label of document.querySelectorAll('label')) label.remove()").await;

    let findings = axe::look(&browser).await;
    assert!(findings.grave.iter().any(|finding| finding.starts_with("label: ")), "{findings:?}");
    browser.close().await;
}
