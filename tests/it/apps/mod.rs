//! Registered apps and codes as a service, with the real program: what a backend calls, and what an operator types for it.

mod access;
mod codes;
mod commands;
mod otp;
mod outages;
mod routes;

use std::cell::Cell;
use std::io::Cursor;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use doorward::clock::{Clock, SystemClock};
use doorward::secret::Secret;
use doorward::store::StoreSettings;
use doorward::store::sql::Store;
use http::Method;
use serde_json::{Value, json};

use crate::flow::place::{Database, Place, Wants};
use crate::support::authenticator::Authenticator;
use crate::support::client::{Person, Reply};
use crate::support::gateway::Gateway;
use crate::support::wait;

/// Makes a test of each behaviour on each database.
macro_rules! on_each_database {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { $crate::apps::on_each_database!(@Sqlite $($name)+); }
        mod postgres { $crate::apps::on_each_database!(@Postgres $($name)+); }
        mod mariadb { $crate::apps::on_each_database!(@MariaDb $($name)+); }
        #[cfg(feature = "mongodb")]
        mod mongodb { $crate::apps::on_each_database!(@MongoDb $($name)+); }
    };
    (@$database:ident $($name:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name($crate::flow::place::Database::$database).await;
            }
        )+
    };
}
use on_each_database;

/// As many codes and attempts as a test likes.
const GENEROUS: &str = "app_codes = 1000\napp_email = 1000\napp_sms = 1000\napp_verifications = 10000";

/// A place whose limits are those that the contract names.
async fn strict_on(database: Database) -> Place {
    Place::on(database).await
}

/// A place without the limits of a minute.
async fn generous_on(database: Database) -> Place {
    Place::with(Wants { store: database.url(), sections: vec![("limits", GENEROUS)], ..Wants::default() }).await
}

/// A place where many codes may be wrong.
async fn lenient_on(database: Database) -> Place {
    let sections = vec![("limits", GENEROUS), ("limits", "failures_per_account = 1000"), ("otp", "attempts = 100")];
    Place::with(Wants { store: database.url(), sections, ..Wants::default() }).await
}

/// A command that must do its work.
fn done(gateway: &Gateway, arguments: &[&str]) -> Value {
    let (code, printed, complaint) = gateway.command(arguments);
    assert_eq!(code, 0, "{arguments:?}: {complaint}");
    serde_json::from_str(&printed).unwrap()
}

/// The store of a place, beside its gateway.
fn store(place: &Place) -> Store {
    let url = Secret::new(place.wants.store.clone());
    Store::open(url.expose(), &StoreSettings { url: url.clone(), ..StoreSettings::default() }).unwrap()
}

/// An app's backend: it holds the app's key.
pub struct Backend {
    pub key: String,
    pub client: Person,
}

impl Backend {
    /// That of an app which is registered for it.
    pub fn registered(place: &Place, name: &str) -> Self {
        let app = done(&place.gateway, &["app", "add", name, "--owner", "Ada", "--json"]);
        Self::with(place, app["key"].as_str().unwrap())
    }

    pub fn with(place: &Place, key: &str) -> Self {
        Self { key: key.to_owned(), client: place.person() }
    }

    /// The same at another node.
    pub fn at(&self, node: &Gateway) -> Self {
        Self { key: self.key.clone(), client: node.person() }
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let request = self.client.request(method, path).bearer(&self.key);
        let request = if let Some(body) = body { request.json(body) } else { request };
        request.send().await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Has a code sent to an address of a subject.
    pub async fn send(&self, subject: &str, to: &str) -> Reply {
        self.post("/auth/api/code", &json!({ "subject": subject, "channel": "email", "to": to })).await
    }

    /// The same, and takes it from the mailbox: the challenge's id, and the code.
    pub async fn sent(&self, place: &Place, subject: &str, to: &str) -> (String, String) {
        let before = place.mailbox.mails_to(to).len();
        let sent = self.send(subject, to).await;
        assert_eq!(sent.status, 201, "{}", sent.text());
        let code = place.mailbox.wait_for_nth(to, before + 1).await.code();
        assert!(!sent.text().contains(&code), "a code is in no reply");
        (sent.json()["challenge_id"].as_str().unwrap().to_owned(), code)
    }

    pub async fn verify(&self, body: &Value) -> Reply {
        self.post("/auth/api/code/verify", body).await
    }

    pub async fn register(&self, subject: &str) -> Reply {
        self.post("/auth/api/otp", &json!({ "subject": subject })).await
    }

    pub async fn enable(&self, subject: &str, code: &str) -> Reply {
        self.call(Method::PUT, &format!("/auth/api/otp/{subject}/enable"), Some(&json!({ "code": code }))).await
    }

    pub async fn disable(&self, subject: &str, code: &str) -> Reply {
        self.call(Method::DELETE, &format!("/auth/api/otp/{subject}"), Some(&json!({ "code": code }))).await
    }

    pub async fn recover(&self, subject: &str, proof: &Value) -> Reply {
        self.call(Method::POST, &format!("/auth/api/otp/{subject}/recover"), Some(proof)).await
    }

    pub async fn status(&self, subject: &str) -> Reply {
        self.call(Method::GET, &format!("/auth/api/otp/{subject}"), None).await
    }

    /// Registers an authenticator and enables it.
    pub async fn enrolled(&self, subject: &str) -> Phone {
        let told = self.register(subject).await;
        assert_eq!(told.status, 201, "{}", told.text());
        let phone = Phone::scanned(&told.json());
        let enabled = self.enable(subject, &phone.code().await).await;
        assert_eq!(enabled.status, 200, "{}", enabled.text());
        phone
    }
}

fn secs() -> i64 {
    SystemClock.now().as_secs()
}

/// A subject's phone. It never gives a code of a step twice: it begins one step back, which is still good, and goes one ahead.
pub struct Phone {
    pub app: Authenticator,
    used: Cell<i64>,
}

impl Phone {
    /// One whose camera has seen the picture; what it read is what the reply says beside it.
    pub fn scanned(told: &Value) -> Self {
        let read = read(&STANDARD.decode(told["qr_png"].as_str().unwrap()).unwrap());
        assert_eq!(read, told["otpauth_url"].as_str().unwrap());
        let app = Authenticator::scanned(&read);
        assert_eq!(app.bytes(), Authenticator::typed(told["secret"].as_str().unwrap()).bytes());
        Self { app, used: Cell::new(secs() / 30 - 2) }
    }

    /// A code that was never used; after a while, when all that are good were.
    pub async fn code(&self) -> String {
        let step = wait::until_async("the next step", Duration::from_secs(60), async || {
            let step = (self.used.get() + 1).max(secs() / 30 - 1);
            (step <= secs() / 30 + 1).then_some(step)
        })
        .await;
        self.used.set(step);
        self.app.code(step * 30)
    }

    pub fn wrong(&self) -> String {
        self.app.wrong(secs())
    }
}

/// What a camera reads in a PNG: opened by one library, read by another, neither of them the product's.
fn read(png: &[u8]) -> String {
    let mut decoder = png::Decoder::new(Cursor::new(png));
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().expect("a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut pixels).expect("a picture");
    let (width, height) = (usize::try_from(info.width).unwrap(), usize::try_from(info.height).unwrap());
    let step = info.color_type.samples();
    let mut seen = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| pixels[(y * width + x) * step]);
    let grids = seen.detect_grids();
    assert_eq!(grids.len(), 1, "one code in the picture");
    grids[0].decode().expect("a code that can be read").1
}

/// Says no, with this status and code.
fn assert_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.json()["code"].as_str()), (status, Some(code)), "{}", reply.text());
    assert_eq!(reply.header("content-type").as_deref(), Some("application/problem+json"));
    assert_eq!(reply.header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(reply.header("x-request-id").as_deref(), reply.json()["request_id"].as_str());
    let waits = reply.header("retry-after").and_then(|wait| wait.parse::<u64>().ok());
    assert_eq!(waits.is_some_and(|wait| wait > 0), matches!(status, 429 | 503), "{reply:?}");
    assert_eq!(reply.header("www-authenticate").is_some(), matches!(status, 401 | 403) && code != "cross_site", "{reply:?}");
}
