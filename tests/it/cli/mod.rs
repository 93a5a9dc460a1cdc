//! What an operator types, with the real program.

mod accounts;
mod change;
mod configuration;
mod explain;
mod keys;
mod library;
mod mail;
mod shell;

use serde_json::{Value, json};

use crate::support::client::Person;
use crate::support::gateway::{Gateway, Place};
use crate::support::smtp::Mailbox;
use crate::support::upstream::Upstream;

/// A gateway in front of one app, for people who are signed in; codes go to a mailbox.
async fn behind_a_door(app: &Upstream, mailbox: &Mailbox, more: &str) -> Gateway {
    let (app, mail, more) = (app.url(), mailbox.url(), more.to_owned());
    tokio::task::spawn_blocking(move || Gateway::start(|place| configuration(place, &app, &mail, &more))).await.unwrap()
}

fn configuration(place: &Place, app: &str, mail: &str, more: &str) -> String {
    let Place { public, admin, folder } = place;
    let database = folder.join("doorward.db").display().to_string();
    format!(
        r#"
public_url = "http://{public}"

[listen]
public = ["{public}"]
admin = "{admin}"

[store]
url = "sqlite:{database}"
encryption_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

[cookies]
secure = false

[otp]
resend_after = "0s"

[[delivery.email]]
kind = "smtp"
url = "{mail}"
from = "Wiki <door@example.com>"

[[route]]
name = "app"
upstream = ["{app}"]

{more}
"#
    )
}

/// Sign in by mail, for the `nth` time.
async fn sign_in(person: &Person, mailbox: &Mailbox, email: &str, nth: usize) {
    let asked = person.post("/auth/request-otp", &json!({ "email": email })).await;
    assert_eq!(asked.status, 200, "{}", asked.text());
    let code = mailbox.wait_for_nth(email, nth).await.code();
    let signed_in = person.post("/auth/verify-otp", &json!({ "email": email, "code": code })).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.text());
}

/// What a command printed as JSON.
fn printed(done: &(i32, String, String)) -> Value {
    assert_eq!(done.0, 0, "{done:?}");
    serde_json::from_str(&done.1).unwrap()
}
