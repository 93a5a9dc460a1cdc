//! Endpoints on a database of their own, a mailbox that keeps what was sent, and visitors with a cookie jar.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use doorward::boot::Core;
use doorward::client::Client;
use doorward::clock::{Clock, SystemClock, Timestamp};
use doorward::config::Config;
use doorward::cookie::Cookies;
use doorward::endpoint::{Brand, Call, Endpoints, Inbox, Mail, Reply, Setup};
use doorward::id::AccountId;
use doorward::signin::events::Unheard;
use doorward::signin::{Account, Channel, Content, Deliver, Errand, Keyed, Message, Notice, Settings, SignIn};
use doorward::token::{Minter, Ring, Times, Verifier};
use http::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Handle;

use crate::support::{folder, wait};

/// Where people reach the endpoints.
pub const HOST: &str = "door.example.com";

/// How long to look for a message.
const SOON: Duration = Duration::from_secs(10);

/// What was sent.
#[derive(Default)]
pub struct Mailbox(Mutex<Vec<Message>>);

impl Deliver for Mailbox {
    fn enqueue(&self, message: Message) -> bool {
        self.0.lock().unwrap().push(message);
        true
    }

    fn is_slow(&self, _channel: Channel) -> bool {
        false
    }

    fn after(&self, pause: Duration, _channel: Channel, errand: Errand) -> bool {
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            errand.await;
        });
        true
    }
}

impl Inbox for Mailbox {
    fn latest(&self) -> Vec<Mail> {
        let sent = self.0.lock().unwrap();
        let mail = |message: &Message| {
            let code = message.code()?.expose().clone();
            Some(Mail { to: message.to.expose().to_owned(), code, at: Timestamp::from_secs(0) })
        };
        sent.iter().rev().filter_map(mail).collect()
    }
}

impl Mailbox {
    /// How many codes were sent.
    pub fn count(&self) -> usize {
        self.codes().len()
    }

    /// The code of message number `number`, counted from 1 among those that carry one, once it is there.
    pub async fn code(&self, number: usize) -> String {
        wait::until_async("a message", SOON, async || self.codes().get(number - 1).map(|(_, code)| code.clone())).await
    }

    /// To whom each code was sent, and the code.
    pub fn codes(&self) -> Vec<(String, String)> {
        let sent = self.0.lock().unwrap();
        let code = |message: &Message| Some((message.to.expose().to_owned(), message.code()?.expose().clone()));
        sent.iter().filter_map(code).collect()
    }

    /// To whom each notice was sent, and the notice.
    pub fn notices(&self) -> Vec<(String, Notice)> {
        let sent = self.0.lock().unwrap();
        let notice = |message: &Message| match &message.content {
            Content::Notice(notice) => Some((message.to.expose().to_owned(), notice.clone())),
            Content::Code { .. } => None,
        };
        sent.iter().filter_map(notice).collect()
    }

    /// The notices, once there are `count`.
    pub async fn notices_when(&self, count: usize) -> Vec<(String, Notice)> {
        wait::until_async("a notice", SOON, async || Some(self.notices()).filter(|notices| notices.len() >= count)).await
    }
}

/// What a test wants otherwise.
#[derive(Default)]
pub struct Wish {
    /// Another address than that of [`HOST`].
    pub public_url: Option<&'static str>,
    /// More sections of the configuration.
    pub lines: &'static str,
    /// Another database than SQLite.
    pub database: Option<String>,
    /// With the inbox of the demo.
    pub inbox: bool,
    /// With SMS and WhatsApp.
    pub phones: bool,
}

/// The endpoints, and what stands behind them.
pub struct Door {
    pub endpoints: Endpoints,
    pub sign_in: Arc<SignIn>,
    pub mailbox: Arc<Mailbox>,
    now: Cell<Timestamp>,
    _core: Core,
    folder: TempDir,
}

impl Door {
    pub async fn open() -> Self {
        Self::wished(Wish::default()).await
    }

    pub async fn wished(wish: Wish) -> Self {
        let folder = folder::new("endpoint");
        let url = wish.database.unwrap_or_else(|| format!("sqlite:{}/door.db", folder.path().display()));
        let public_url = wish.public_url.map_or_else(|| format!("https://{HOST}"), str::to_owned);
        let config = config(&public_url, &url, wish.lines);
        let core = Core::open(&config, &Handle::current()).await.expect("a database");
        let now = SystemClock.now();
        let ring = Arc::new(Ring::new(core.keymaker().ready(now).await.expect("keys")));
        let mailbox = Arc::new(Mailbox::default());
        let inbox = wish.inbox.then(|| -> Arc<dyn Inbox> { Arc::<Mailbox>::clone(&mailbox) });
        let sign_in = sign_in(&config, &core, &ring, &mailbox, wish.phones);
        let endpoints = endpoints(&config, Arc::clone(&sign_in), inbox);
        Self { endpoints, sign_in, mailbox, now: Cell::new(now), _core: core, folder }
    }

    pub fn now(&self) -> Timestamp {
        self.now.get()
    }

    /// Time passes.
    pub fn pass(&self, span: Duration) {
        self.now.set(self.now.get().plus(span));
    }

    /// All bytes of the SQLite database, its log included.
    pub fn everything_written(&self) -> Vec<u8> {
        let files = std::fs::read_dir(self.folder.path()).unwrap().flatten();
        files.flat_map(|file| std::fs::read(file.path()).unwrap()).collect()
    }

    /// An account as an operator or a sign-in leaves it; not kept yet.
    pub fn account(&self, email: Option<&str>, email_verified: bool, phone: Option<&str>, phone_verified: bool) -> Account {
        Account {
            id: AccountId::draw(self.sign_in.entropy.as_ref()).unwrap(),
            username: None,
            name: None,
            email: email.map(str::to_owned),
            email_verified,
            phone: phone.map(str::to_owned),
            phone_verified,
            groups: Vec::new(),
            claims: serde_json::Map::new(),
            disabled_at: None,
            created_at: self.now.get(),
            revision: 0,
        }
    }

    pub fn visitor(&self) -> Visitor<'_> {
        Visitor { door: self, jar: RefCell::default(), headers: RefCell::default() }
    }

    /// A visitor who has signed in as `email`.
    pub async fn signed_in(&self, email: &str) -> Visitor<'_> {
        let visitor = self.visitor();
        self.sign_in_with(&visitor, email).await;
        visitor
    }

    /// `visitor` signs in as `email`.
    pub async fn sign_in_with(&self, visitor: &Visitor<'_>, email: &str) {
        let sent = self.mailbox.count();
        assert_eq!(visitor.post("/auth/request-otp", &format!(r#"{{"email":"{email}"}}"#)).await.status(), 200);
        let code = self.mailbox.code(sent + 1).await;
        let reply = visitor.post("/auth/verify-otp", &format!(r#"{{"email":"{email}","code":"{code}"}}"#)).await;
        assert_eq!(reply.status(), 200);
    }
}

fn config(public_url: &str, url: &str, lines: &str) -> Config {
    let text = format!(
        r#"public_url = "{public_url}"
{lines}
[store]
url = "{url}"
encryption_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
[[delivery.email]]
kind = "console"
[[route]]
name = "wiki"
host = "wiki.example.com"
upstream = ["http://127.0.0.1:1"]
"#
    );
    Config::read("test", &text, std::iter::empty()).expect("a configuration")
}

fn sign_in(config: &Config, core: &Core, ring: &Arc<Ring>, mailbox: &Arc<Mailbox>, phones: bool) -> Arc<SignIn> {
    let phones = if phones { vec![Channel::Sms, Channel::Whatsapp] } else { Vec::new() };
    let issuer = config.public_url.as_str().trim_end_matches('/').to_owned();
    let times = Times { leeway: config.tokens.leeway, lifetime: config.tokens.access_lifetime };
    Arc::new(SignIn {
        accounts: core.store.clone(),
        challenges: core.store.clone(),
        pendings: core.store.clone(),
        factors: core.store.clone(),
        recovery_codes: core.store.clone(),
        sessions: core.store.clone(),
        address_changes: core.store.clone(),
        devices: core.store.clone(),
        limits: Arc::clone(&core.limits),
        spending: Arc::clone(&core.spending),
        deliver: Arc::<Mailbox>::clone(mailbox),
        revocations: Arc::clone(&core.revocations),
        minter: Minter::new(Arc::clone(ring)),
        verifier: Verifier::new(Arc::clone(ring), &issuer, &issuer, times),
        ring: Arc::clone(ring),
        sealer: core.sealer.clone(),
        under_way: core.under_way.clone(),
        entropy: Arc::clone(&core.entropy),
        events: Arc::new(Unheard),
        claims_hook: None,
        audit: Arc::clone(&core.audit),
        keyed: Keyed::new(&core.root),
        settings: Settings {
            audience: issuer.clone(),
            issuer,
            name: config.pages.name.clone(),
            otp: config.otp.clone(),
            session: config.session.clone(),
            limits: config.limits.clone(),
            tokens: config.tokens.clone(),
            channels: phones.into_iter().chain([Channel::Email]).collect(),
            development: config.development.enabled,
        },
    })
}

fn endpoints(config: &Config, sign_in: Arc<SignIn>, inbox: Option<Arc<dyn Inbox>>) -> Endpoints {
    let setup = Setup {
        sign_in,
        cookies: Cookies::new(&config.cookies),
        public_url: config.public_url.clone(),
        prefix: config.prefix.clone(),
        hosts: config.routes.iter().filter_map(|route| route.host.clone()).collect(),
        pages: Brand::read(&config.pages).expect("a brand"),
        development: config.development.enabled,
        inbox,
        forward_auth: None,
        refusals: Arc::default(),
        apps: None,
    };
    Endpoints::new(setup).expect("a prefix")
}

/// Somebody with a cookie jar.
pub struct Visitor<'a> {
    door: &'a Door,
    jar: RefCell<BTreeMap<String, String>>,
    headers: RefCell<Vec<(HeaderName, HeaderValue)>>,
}

impl Visitor<'_> {
    /// Send this header with each request.
    pub fn says(&self, name: &'static str, value: &str) -> &Self {
        self.headers.borrow_mut().push((HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap()));
        self
    }

    /// A browser that shows pages.
    pub fn browses(&self) -> &Self {
        self.says("sec-fetch-mode", "navigate").says("sec-fetch-site", "same-origin")
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.jar.borrow().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.jar.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None, b"").await
    }

    pub async fn post(&self, path: &str, json: &str) -> Reply {
        self.send("POST", path, Some("application/json"), json.as_bytes()).await
    }

    pub async fn submit(&self, path: &str, form: &str) -> Reply {
        self.send("POST", path, Some("application/x-www-form-urlencoded"), form.as_bytes()).await
    }

    pub async fn send(&self, method: &str, path: &str, kind: Option<&str>, body: &[u8]) -> Reply {
        let head = self.head(method, path, kind);
        let client = Client { address: "192.0.2.7".parse().unwrap(), secure: true, host: HOST.to_owned() };
        let call = Call { peer: client.address, client, now: self.door.now.get(), request_id: "r1".to_owned() };
        let request = Request::from_parts(head, Bytes::copy_from_slice(body));
        let reply = self.door.endpoints.answer(request, &call).await;
        assert_eq!(reply.headers()["x-request-id"], "r1", "{method} {path}");
        assert_eq!(reply.headers()["x-content-type-options"], "nosniff", "{method} {path}");
        assert!(reply.headers().contains_key("cache-control"), "{method} {path}");
        self.keep(reply.headers());
        reply
    }

    /// The head of a request, as this visitor sends it.
    pub fn head(&self, method: &str, path: &str, kind: Option<&str>) -> Parts {
        let mut builder = Request::builder().method(method).uri(path);
        for (name, value) in self.headers.borrow().iter() {
            builder = builder.header(name, value);
        }
        let jar: Vec<String> = self.jar.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !jar.is_empty() {
            builder = builder.header(COOKIE, jar.join("; "));
        }
        if let Some(kind) = kind {
            builder = builder.header(CONTENT_TYPE, kind);
        }
        builder.body(()).unwrap().into_parts().0
    }

    fn keep(&self, headers: &HeaderMap) {
        for cookie in cookies(headers) {
            let (pair, attributes) = cookie.split_once("; ").unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.starts_with("Max-Age=0;") {
                self.jar.borrow_mut().remove(name);
            } else {
                self.set_cookie(name, value);
            }
        }
    }
}

/// The `Set-Cookie` values of a reply.
pub fn cookies(headers: &HeaderMap) -> Vec<String> {
    headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
}

pub fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body().to_vec()).unwrap()
}

pub fn json(reply: &Reply) -> Value {
    serde_json::from_slice(reply.body()).unwrap_or_else(|_| panic!("no JSON: {}", text(reply)))
}

/// The status and the code of a problem.
pub fn problem(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.headers()["content-type"], "application/problem+json", "{}", text(reply));
    let body = json(reply);
    assert_eq!(body["status"], reply.status().as_u16());
    assert_eq!(body["request_id"], "r1");
    assert_eq!(body["type"], format!("urn:doorward:error:{}", body["code"].as_str().unwrap()));
    (reply.status().as_u16(), body["code"].as_str().unwrap().to_owned())
}
