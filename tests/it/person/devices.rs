//! Two devices of one person: what is done on one is seen on the other.

use super::house::{ADA, House};
use crate::support::browser::{Browser, JavaScript, Window};

const WINDOWS: [(JavaScript, Window); 4] = [
    (JavaScript::Off, Window::Phone),
    (JavaScript::On, Window::Phone),
    (JavaScript::Off, Window::Desktop),
    (JavaScript::On, Window::Desktop),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_ended_on_another_is_signed_out_at_its_next_request() {
    for (javascript, window) in WINDOWS {
        let house = House::open().await;
        let (here, there) = Browser::open_two(javascript).await;
        for device in [&here, &there] {
            device.resize(window).await;
            house.visit(device, "/books").await;
            house.sign_in(device, ADA).await;
        }

        house.visit(&here, "/auth/account").await;
        here.press("button[name=end]:not([value=others])").await;

        assert_eq!(here.ask("return document.querySelectorAll('button[name=end]').length").await, 0, "no other device is left");
        house.visit(&there, "/books").await;
        assert_eq!(there.url().await.path(), "/auth/login");
        assert_eq!(books(&house), 2, "the app saw each device once");
        house.visit(&here, "/books").await;
        assert_eq!(here.url().await.path(), "/books");
        here.close().await;
        there.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_everywhere_is_seen_on_the_other_device_at_its_next_request() {
    for (javascript, window) in [WINDOWS[0], WINDOWS[3]] {
        let house = House::open().await;
        let (here, there) = Browser::open_two(javascript).await;
        for device in [&here, &there] {
            device.resize(window).await;
            house.visit(device, "/books").await;
            house.sign_in(device, ADA).await;
            assert_eq!(device.url().await.path(), "/books");
        }

        house.visit(&here, "/auth/logout").await;
        here.press("button[name=scope][value=global]").await;

        house.visit(&there, "/books").await;
        assert_eq!(there.url().await.path(), "/auth/login");
        assert_eq!(books(&house), 2, "the app saw each device once");
        here.close().await;
        there.close().await;
    }
}

/// How often the app was asked for its books.
fn books(house: &House) -> usize {
    house.app.received().iter().filter(|request| request.target() == "/books").count()
}
