//! A gateway as an operator runs it, with an app behind it and a mailbox that gets its codes; a person at its door.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;

use super::phone::Phone;
use crate::support::browser::Browser;
use crate::support::child::{Process, Signal, Spawn};
use crate::support::gateway::{self, Gateway};
use crate::support::smtp::{Mail, Mailbox};
use crate::support::upstream::Upstream;
use crate::support::{python, wait};

pub const ADA: &str = "ada@example.com";

/// A number as a person writes it, and as it is.
pub const NUMBER: (&str, &str) = ("+49 1512 3456789", "+4915123456789");

/// The gateway, its app and its mailbox.
pub struct House {
    pub gateway: Gateway,
    pub app: Upstream,
    pub mailbox: Mailbox,
    /// Where SMS and WhatsApp go, by webhook.
    pub pigeon: Upstream,
}

impl House {
    pub async fn open() -> Self {
        Self::with("resend_after = \"0s\"").await
    }

    /// With other lines about codes.
    pub async fn with(otp: &str) -> Self {
        let (app, mailbox, pigeon) = (Upstream::start().await, Mailbox::start().await, Upstream::start().await);
        app.add_header("Content-Type", "text/html; charset=utf-8");
        let gateway = Gateway::start(|place| configuration(place, otp, &app.url(), &mailbox.url(), &pigeon.url()));
        Self { gateway, app, mailbox, pigeon }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway.public())
    }

    /// Goes to a page of this house.
    pub async fn visit(&self, browser: &Browser, path: &str) {
        browser.goto(&self.url(path)).await;
    }

    /// Asks for a code at the door and takes it from the mail; the browser is left where it is to be entered.
    pub async fn ask_for_code(&self, browser: &Browser, address: &str) -> String {
        let before = self.codes(address).len();
        browser.fill("address", address).await;
        browser.press("form[action$='/login'] button").await;
        self.code(address, before + 1).await
    }

    /// Every code that was sent to an address, oldest first. A code stands in its mail's subject; other mails have none.
    pub fn codes(&self, address: &str) -> Vec<String> {
        let of_code = |mail: &Mail| mail.subject().split(|letter: char| !letter.is_ascii_digit()).any(|run| run.len() == 6);
        self.mailbox.mails_to(address).iter().filter(|mail| of_code(mail)).map(Mail::code).collect()
    }

    /// The `nth` code for an address, counted from 1, once it has come.
    pub async fn code(&self, address: &str, nth: usize) -> String {
        let what = format!("code {nth} for {address}");
        wait::until_async(&what, Duration::from_secs(20), || async { self.codes(address).into_iter().nth(nth - 1) }).await
    }

    /// Signs in at the page that the browser shows, by mail.
    pub async fn sign_in(&self, browser: &Browser, address: &str) {
        let code = self.ask_for_code(browser, address).await;
        enter(browser, &code).await;
    }

    /// The latest code for a phone, once it has come.
    pub async fn phone_code(&self, number: &str) -> String {
        let code = |body: &[u8]| {
            let message: Value = serde_json::from_slice(body).ok()?;
            (message["to"] == number).then(|| message["code"].as_str().map(str::to_owned)).flatten()
        };
        let look = || async { self.pigeon.received().iter().rev().find_map(|request| code(&request.body)) };
        wait::until_async("a code for a phone", Duration::from_secs(20), look).await
    }

    pub async fn sign_out(&self, browser: &Browser) {
        self.visit(browser, "/auth/logout").await;
        browser.press("form[action$='/logout'] button").await;
    }

    /// Holds the database so that nothing can be written until the value is dropped.
    pub fn hold_database(&self) -> Process {
        let script = "import sqlite3, sys, threading
held = sqlite3.connect(sys.argv[1], isolation_level=None)
held.execute('BEGIN IMMEDIATE')
print('held', flush=True)
threading.Event().wait()";
        let database = self.gateway.config().with_file_name("doorward.db").display().to_string();
        let arguments = ["-c".to_owned(), script.to_owned(), database];
        let program = python::interpreter().display().to_string();
        let process = Process::start(Spawn { program: &program, arguments: &arguments, environment: &[], user: None }, Signal::Kill);
        wait::until_true("the database to be held", Duration::from_secs(20), || process.output().text().contains("held"));
        process
    }
}

/// Types a code into its field and sends it.
pub async fn enter(browser: &Browser, code: &str) {
    browser.fill("code", code).await;
    browser.press("form:has([name=code]) button").await;
}

/// Sets up an authenticator, from the page that tells what one is, with a phone that scans the picture; gives that phone and
/// the recovery codes, and leaves the browser where it is led afterwards.
pub async fn enrol(browser: &Browser) -> (Phone, Vec<String>) {
    browser.press("form[action$='/account/authenticator'] button").await;
    let phone = Phone::scan(browser).await;
    enter(browser, &phone.code().await).await;
    let codes = recovery_codes(browser).await;
    browser.press("main a.button").await;
    (phone, codes)
}

/// The ten codes that the page shows.
pub async fn recovery_codes(browser: &Browser) -> Vec<String> {
    let codes: Vec<String> = browser.text_of("#codes").await.split_whitespace().map(str::to_owned).collect();
    let distinct: HashSet<&String> = codes.iter().collect();
    assert_eq!((codes.len(), distinct.len()), (10, 10), "{codes:?}");
    codes
}

fn configuration(place: &gateway::Place, otp: &str, app: &str, mail: &str, pigeon: &str) -> String {
    let gateway::Place { public, admin, folder } = place;
    format!(
        r#"public_url = "http://{public}"
[listen]
public = ["{public}"]
admin = "{admin}"
[store]
url = "sqlite:{folder}/doorward.db"
encryption_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
timeout = "1s"
[otp]
{otp}
[cookies]
secure = false
[pages]
name = "Library"
[[delivery.email]]
kind = "smtp"
url = "{mail}"
from = "Library <door@example.com>"
[[delivery.sms]]
kind = "webhook"
url = "{pigeon}/sms"
secret = "a secret that is long enough for a webhook"
allow_private = true
[[delivery.whatsapp]]
kind = "webhook"
url = "{pigeon}/whatsapp"
secret = "a secret that is long enough for a webhook"
allow_private = true
[limits]
sms_countries = ["DE"]
[[route]]
name = "wiki"
upstream = ["{app}"]
[[route]]
name = "staff"
path = "/staff"
upstream = ["{app}"]
groups = ["staff"]
[[route]]
name = "vault"
path = "/vault"
upstream = ["{app}"]
require = "second_factor"
[[route]]
name = "fresh"
path = "/fresh"
upstream = ["{app}"]
max_age = "5s"
[[route]]
name = "away"
path = "/away"
upstream = ["http://127.0.0.1:1"]
require = "public"
"#,
        folder = folder.display(),
    )
}
