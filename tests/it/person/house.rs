//! A gateway as an operator runs it, with an app behind it and a mailbox that gets its codes; a person at its door.

use crate::support::browser::Browser;
use crate::support::child::{Process, Signal, Spawn};
use crate::support::gateway::{self, Gateway};
use crate::support::smtp::Mailbox;
use crate::support::upstream::Upstream;
use crate::support::{python, wait};

use std::time::Duration;

pub const ADA: &str = "ada@example.com";

/// The gateway, its app and its mailbox.
pub struct House {
    pub gateway: Gateway,
    pub app: Upstream,
    pub mailbox: Mailbox,
}

impl House {
    pub async fn open() -> Self {
        Self::with("resend_after = \"0s\"").await
    }

    /// With other lines about codes.
    pub async fn with(otp: &str) -> Self {
        let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
        app.add_header("Content-Type", "text/html; charset=utf-8");
        let gateway = Gateway::start(|place| configuration(place, otp, &app.url(), &mailbox.url()));
        Self { gateway, app, mailbox }
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
        let before = self.mailbox.mails_to(address).len();
        browser.fill("address", address).await;
        browser.press("form[action$='/login'] button").await;
        self.mailbox.wait_for_nth(address, before + 1).await.code()
    }

    /// Signs in at the page that the browser shows, by mail.
    pub async fn sign_in(&self, browser: &Browser, address: &str) {
        let code = self.ask_for_code(browser, address).await;
        enter(browser, &code).await;
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

fn configuration(place: &gateway::Place, otp: &str, app: &str, mail: &str) -> String {
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
name = "away"
path = "/away"
upstream = ["http://127.0.0.1:1"]
require = "public"
"#,
        folder = folder.display(),
    )
}
