//! A place to sign in at: a gateway, the app behind it, the mail server beside it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Person, Reply};
use crate::support::gateway::{self, Gateway};
use crate::support::mariadb::MariaDb;
#[cfg(feature = "mongodb")]
use crate::support::mongo::MongoDb;
use crate::support::postgres::Postgres;
use crate::support::smtp::{Mail, Mailbox};
use crate::support::upstream::Upstream;
use crate::support::wait;

/// The key that every place seals with: 32 bytes, base64.
pub const ENCRYPTION_KEY: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// The names of our cookies where `cookies.secure` is off.
pub const ACCESS: &str = "doorward_access";
pub const REFRESH: &str = "doorward_refresh";
pub const CHALLENGE: &str = "doorward_challenge";

/// Which database a place keeps its truth in.
#[derive(Clone, Copy, Debug)]
pub enum Database {
    Sqlite,
    Postgres,
    MariaDb,
    #[cfg(feature = "mongodb")]
    MongoDb,
}

impl Database {
    pub fn url(self) -> String {
        match self {
            // Each gateway of a place has a folder of its own; the file is beside its configuration.
            Self::Sqlite => String::new(),
            Self::Postgres => Postgres::shared().database(),
            Self::MariaDb => MariaDb::shared().database(),
            #[cfg(feature = "mongodb")]
            Self::MongoDb => MongoDb::shared().database(),
        }
    }
}

/// Each of these on every database: `NAME => FUNCTION` makes a module of that name.
macro_rules! on_each_database {
    ($($test:ident => $body:ident;)*) => {
        $(mod $test {
            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$body($crate::flow::place::Database::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgresql() {
                super::$body($crate::flow::place::Database::Postgres).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_mariadb() {
                super::$body($crate::flow::place::Database::MariaDb).await;
            }

            #[cfg(feature = "mongodb")]
            #[tokio::test(flavor = "multi_thread")]
            async fn on_mongodb() {
                super::$body($crate::flow::place::Database::MongoDb).await;
            }
        })*
    };
}
pub(crate) use on_each_database;

/// What a place is like.
#[derive(Clone, Debug, Default)]
pub struct Wants {
    /// URL of the store; SQLite in a folder of the place when empty.
    pub store: String,
    pub redis: Option<String>,
    /// Lines of TOML for sections, by name: `("otp", "resend_after = \"0s\"")`.
    pub sections: Vec<(&'static str, &'static str)>,
    /// More routes, as TOML; `UPSTREAM` stands for the app's URL.
    pub routes: &'static str,
}

pub struct Place {
    pub upstream: Upstream,
    pub mailbox: Mailbox,
    pub gateway: Gateway,
    pub wants: Wants,
    _folder: tempfile::TempDir,
}

impl Place {
    pub async fn with(mut wants: Wants) -> Self {
        let folder = crate::support::folder::new("place");
        if wants.store.is_empty() {
            wants.store = format!("sqlite:{}/doorward.db", folder.path().display());
        }
        let upstream = Upstream::start().await;
        let mailbox = Mailbox::start().await;
        let (app, smtp, like) = (upstream.url(), mailbox.url(), wants.clone());
        let gateway = tokio::task::spawn_blocking(move || Gateway::start(|listen| like.toml(listen, &app, &smtp))).await.unwrap();
        Self { upstream, mailbox, gateway, wants, _folder: folder }
    }

    pub async fn on(database: Database) -> Self {
        Self::with(Wants { store: database.url(), ..Wants::default() }).await
    }

    /// Another node of this place: same database, same Redis, same app.
    pub async fn another_node(&self) -> Gateway {
        let issuer = self.gateway.public();
        let (app, smtp, like) = (self.upstream.url(), self.mailbox.url(), self.wants.clone());
        let configure = move |listen: &gateway::Place| {
            like.toml(listen, &app, &smtp).replacen(&format!("http://{}", listen.public), &format!("http://{issuer}"), 1)
        };
        tokio::task::spawn_blocking(move || Gateway::start(configure)).await.unwrap()
    }

    pub fn person(&self) -> Person {
        self.gateway.person()
    }

    /// Asks for a code and takes it from the mailbox.
    pub async fn code_for(&self, person: &Person, email: &str) -> String {
        let before = self.codes_to(email).len();
        let asked = ask(person, email).await;
        assert_eq!(asked.status, 200, "{}", asked.text());
        let look = || async { self.codes_to(email).into_iter().nth(before) };
        wait::until_async(&format!("a code to {email}"), Duration::from_secs(10), look).await
    }

    /// The codes that were sent, oldest first: they stand in the subject. Notices have none.
    fn codes_to(&self, email: &str) -> Vec<String> {
        let has_code =
            |mail: &Mail| mail.subject().split(' ').any(|word| word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_digit()));
        self.mailbox.mails_to(email).iter().filter(|mail| has_code(mail)).map(Mail::code).collect()
    }

    /// The whole sign-in.
    pub async fn sign_in(&self, email: &str) -> Person {
        let person = self.person();
        let code = self.code_for(&person, email).await;
        let verified = verify(&person, email, &code).await;
        assert_eq!(verified.status, 200, "{}", verified.text());
        person
    }
}

pub async fn ask(person: &Person, email: &str) -> Reply {
    person.post("/auth/request-otp", &json!({ "email": email })).await
}

pub async fn verify(person: &Person, email: &str, code: &str) -> Reply {
    person.post("/auth/verify-otp", &json!({ "email": email, "code": code })).await
}

pub fn code_of(reply: &Reply) -> String {
    reply.json()["code"].as_str().unwrap_or_default().to_owned()
}

/// A code that is not this one.
pub fn wrong(code: &str) -> String {
    let last = if code.ends_with('7') { '8' } else { '7' };
    format!("{}{last}", &code[..code.len() - 1])
}

pub fn claims_of(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

impl Wants {
    /// The section `[redis]`; nothing where there is none.
    pub fn redis_section(&self) -> String {
        self.redis.as_ref().map(|url| format!("[redis]\nurl = \"{url}\"\n{}\n", self.section("redis"))).unwrap_or_default()
    }

    fn section(&self, name: &str) -> String {
        let lines: Vec<_> = self.sections.iter().filter(|(section, _)| *section == name).map(|(_, line)| *line).collect();
        lines.join("\n")
    }

    fn toml(&self, listen: &gateway::Place, app: &str, smtp: &str) -> String {
        let redis = self.redis_section();
        let known = ["listen", "store", "redis", "otp", "cookies"];
        let mut names: Vec<&str> = self.sections.iter().map(|(name, _)| *name).filter(|name| !known.contains(name)).collect();
        names.dedup();
        let others: Vec<_> = names.iter().map(|name| format!("[{name}]\n{}\n", self.section(name))).collect();
        let others = others.concat();
        format!(
            r#"public_url = "http://{public}"
[listen]
public = ["{public}"]
admin = "{admin}"
{listen_more}
[store]
url = "{store}"
encryption_key = "{ENCRYPTION_KEY}"
{store_more}
{redis}
[otp]
{otp}
[cookies]
secure = false
{others}
[[delivery.email]]
kind = "smtp"
url = "{smtp}"
from = "Wiki <door@example.com>"
{routes}
[[route]]
name = "open"
path = "/open"
upstream = ["{app}"]
require = "public"
[[route]]
name = "wiki"
upstream = ["{app}"]
require = "session"
"#,
            public = listen.public,
            admin = listen.admin,
            listen_more = self.section("listen"),
            store = self.store,
            store_more = self.section("store"),
            otp = if self.section("otp").is_empty() { "resend_after = \"0s\"".to_owned() } else { self.section("otp") },
            routes = self.routes.replace("UPSTREAM", app),
        )
    }
}
