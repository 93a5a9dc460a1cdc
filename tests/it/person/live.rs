//! What an app keeps open with the page in a person's browser: by the browser's own sockets, which take nothing but what the
//! specifications say.

use serde_json::json;

use super::house::{ADA, House};
use crate::support::browser::{Browser, JavaScript};

const SOCKET: &str = "return new Promise(done => {
    const socket = new WebSocket('ws://' + location.host + '/books/live');
    socket.onopen = () => socket.send('hello');
    socket.onmessage = said => { window.said = said.data; socket.close(1000); };
    socket.onclose = end => done([window.said, end.code]);
})";

const EVENTS: &str = "return new Promise(done => {
    const events = new EventSource('/books/events');
    events.onmessage = said => { events.close(); done(said.data); };
    events.onerror = () => done(null);
})";

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_opens_sockets_and_streams_of_events_in_a_session() {
    let house = House::open().await;
    let browser = Browser::open(JavaScript::On).await;
    house.visit(&browser, "/books").await;
    house.sign_in(&browser, ADA).await;

    let socket = browser.ask(SOCKET).await;
    let events = house.app.stream_next();
    events.send("data: news\n\n".to_owned()).unwrap();
    let event = browser.ask(EVENTS).await;

    assert_eq!(socket, json!(["hello", 1000]));
    assert_eq!(event, json!("news"));
    browser.close().await;
}
