//! Every page is light, asks nobody else for anything, and breaks no rule of its own policy.

use super::house::House;
use super::tour;
use crate::support::browser::{Browser, JavaScript};

/// Bytes of a page with all that it loads, as they go over the network.
const MOST: u64 = 50_000;

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_light_and_comes_from_here_alone() {
    let house = House::open().await;
    let browser = Browser::open(JavaScript::On).await;
    let here = browser_origin(&house);

    tour::walk(&house, &browser, async |page| {
        let loads = browser.loads().await;
        let bytes: u64 = loads.iter().map(|load| load.bytes).sum();
        assert!(loads.iter().all(|load| load.url.origin().ascii_serialization() == here), "{page}: {loads:?}");
        assert!((1_000..MOST).contains(&bytes), "{page} weighs {bytes} bytes: {loads:?}");
        // That a page of an error is an error is told there too.
        let complaints: Vec<String> = browser.complaints().await;
        let complaints: Vec<_> = complaints.iter().filter(|said| !said.contains("Failed to load resource")).collect();
        assert!(complaints.is_empty(), "{page}: {complaints:?}");
    })
    .await;
    browser.close().await;
}

fn browser_origin(house: &House) -> String {
    house.url("")
}
