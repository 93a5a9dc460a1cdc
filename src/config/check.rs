//! What types cannot say: numbers within their bounds, keys that must agree, addresses that must be on this machine.
//!
//! A section at a time, every mistake of it; nothing here stops at the first.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::{Host, Url};

use super::Config;
use super::mistake::Mistake;
use crate::admission::{LONGEST_SOCKET, Names, Place, Route, Table};
use crate::clock::{Clock as _, SystemClock};
use crate::deliver;
use crate::endpoint::Brand;
use crate::gateway::{Address, Tls, Trusts};
use crate::secret::RootKey;
use crate::store;
use crate::store::redis::{check_url, has_password};
use crate::telemetry::{self, TelemetrySettings};
use crate::token::Algorithm;

const MINUTE: Duration = Duration::from_mins(1);

impl Config {
    /// The key that the operator holds, from which all others are derived.
    ///
    /// # Errors
    /// The mistake, when it is missing or, outside of development, not 32 bytes of base64; a configuration that was loaded has none.
    pub fn root_key(&self) -> Result<RootKey, Mistake> {
        let wrong = |problem: &str| Mistake::new("store.encryption_key", format!("{problem}; `doorward init` makes one"));
        let text = self.store.encryption_key.as_ref().ok_or_else(|| wrong("is missing"))?.expose();
        let bytes = STANDARD.decode(text).map_err(|_| wrong("is not base64"));
        let whole = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).map_err(|_| wrong("is not 32 bytes long")));
        match whole {
            Err(_) if self.development.enabled && !text.trim().is_empty() => Ok(RootKey::stretched(text)),
            whole => whole.map(RootKey::new),
        }
    }

    /// Every mistake in it. One that was loaded has none.
    pub fn mistakes(&self) -> Vec<Mistake> {
        all(self)
    }

    /// Can only this machine reach it?
    pub fn is_local(&self) -> bool {
        is_loopback(&self.public_url) && self.listen.public.iter().chain(&self.listen.redirect).all(Address::is_local)
    }
}

/// Every mistake of a configuration whose types are right.
pub(super) fn all(config: &Config) -> Vec<Mistake> {
    let mut notes = Notes::default();
    front(config, &mut notes);
    listen(config, &mut notes);
    tls(config, &mut notes);
    store(config, &mut notes);
    redis(config, &mut notes);
    otp(config, &mut notes);
    tokens(config, &mut notes);
    session(config, &mut notes);
    cookies(config, &mut notes);
    delivery(config, &mut notes);
    claims_hook(config, &mut notes);
    limits(config, &mut notes);
    pages(config, &mut notes);
    development(config, &mut notes);
    routes(config, &mut notes);
    notes.0
}

#[derive(Default)]
struct Notes(Vec<Mistake>);

impl Notes {
    fn must(&mut self, holds: bool, key: &str, problem: &str) {
        if !holds {
            self.0.push(Mistake::new(key, problem));
        }
    }
}

fn front(config: &Config, notes: &mut Notes) {
    let url = &config.public_url;
    let web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    notes.must(web, "public_url", "should begin with https:// and name a host");
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    notes.must(!web || bare, "public_url", "should have no path, query or fragment");
    notes.must(url.username().is_empty() && url.password().is_none(), "public_url", "should have no user or password");
    let plain_is_fine = is_loopback(url) || !config.cookies.secure || config.development.enabled;
    notes.must(url.scheme() != "http" || plain_is_fine, "public_url", "should be https, or browsers will not keep the cookies");
    let segment = config.prefix.strip_prefix('/').unwrap_or_default();
    let plain = !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    notes.must(plain, "prefix", "should be one path segment of letters, digits, - and _, as \"/auth\"");
}

fn listen(config: &Config, notes: &mut Notes) {
    let listen = &config.listen;
    notes.must(!listen.public.is_empty(), "listen.public", "should name at least one address, as \"0.0.0.0:8080\"");
    notes.0.extend(taken_twice("listen.public", &listen.public));
    notes.0.extend(taken_twice("listen.redirect", &listen.redirect));
    let twice = listen.redirect.iter().any(|one| listen.public.iter().chain([&listen.admin]).any(|other| collide(one, other)));
    notes.must(!twice, "listen.redirect", "should not be listen.public or listen.admin: it answers nothing but where to go");
    let away = listen.redirect.is_empty() || config.public_url.scheme() == "https";
    notes.must(away, "listen.redirect", "needs a public_url that begins with https://: that is where it leads");
    let shared = listen.public.iter().any(|public| collide(public, &listen.admin));
    notes.must(!shared, "listen.admin", "should not be a public address: it shows health and metrics without sign-in");
    if let Some(path) = &listen.upgrade_socket {
        upgrade_socket(config, path, notes);
    }
    notes.must(listen.streams > 0, "listen.streams", "should be at least 1");
    let workers = listen.workers.is_none_or(|workers| (1..=256).contains(&workers));
    notes.must(workers, "listen.workers", "should be 1 to 256");
    let soon = listen.head_timeout <= 5 * MINUTE;
    notes.must(soon, "listen.head_timeout", "should be at most 5m: so long anybody holds a connection by sending nothing");
    for (key, span) in [
        ("listen.head_timeout", listen.head_timeout),
        ("listen.keep_alive", listen.keep_alive),
        ("listen.write_timeout", listen.write_timeout),
    ] {
        notes.must(!span.is_zero(), key, "should be more than nothing");
    }
    notes.must(listen.requests_per_connection > 0, "listen.requests_per_connection", "should be at least 1");
    notes.must(listen.connections > 0, "listen.connections", "should be at least 1");
    notes.must(listen.connections_per_address > 0, "listen.connections_per_address", "should be at least 1");
    let heard = !listen.proxy_protocol || !listen.trusted_proxies.is_empty();
    notes.must(heard, "listen.proxy_protocol", "is believed from listen.trusted_proxies alone, and there is none");
}

/// Who can write where it stands can take our sockets over, and what stands there already is not ours to remove.
fn upgrade_socket(config: &Config, path: &Path, notes: &mut Notes) {
    const KEY: &str = "listen.upgrade_socket";
    notes.must(path.is_absolute(), KEY, "should be a whole path, as \"/run/doorward/upgrade.sock\"");
    let short = path.as_os_str().len() <= LONGEST_SOCKET;
    notes.must(short, KEY, "is longer than 107 bytes, which no socket's path can be");
    let folder = path.parent().unwrap_or(path);
    let everybodys = ["/tmp", "/var/tmp", "/dev/shm"].iter().any(|shared| folder == Path::new(shared));
    notes.must(!everybodys, KEY, "should be in a folder of Doorward's own: in this one everybody can write");
    let taken = own_addresses(config).any(|address| matches!(address, Address::Unix(other) if other == path));
    notes.must(!taken, KEY, "is the path of a listener: requests come there");
}

/// Where we listen ourselves.
fn own_addresses(config: &Config) -> impl Iterator<Item = &Address> {
    config.listen.public.iter().chain(&config.listen.redirect).chain([&config.listen.admin])
}

/// Addresses of one list that cannot be listened on because of an earlier one. `0.0.0.0` and `[::]` get on with each other.
fn taken_twice(key: &str, addresses: &[Address]) -> Vec<Mistake> {
    let is_ipv4 = |address: &Address| address.ip().map(|ip| ip.is_ipv4());
    let takes = |earlier: &Address, later: &Address| is_ipv4(earlier) == is_ipv4(later) && collide(earlier, later);
    let later = addresses.iter().enumerate();
    let taken = later.filter_map(|(nth, later)| Some((nth, addresses.iter().take(nth).find(|earlier| takes(earlier, later))?)));
    let mistake = |(nth, by)| Mistake::new(format!("{key}[{nth}]"), format!("is taken by {by} already; keep the wider of the two"));
    taken.map(mistake).collect()
}

fn collide(one: &Address, other: &Address) -> bool {
    let (Address::Tcp(one), Address::Tcp(other)) = (one, other) else { return one == other };
    let same = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same
}

/// Certificates are judged as they will be used.
fn tls(config: &Config, notes: &mut Notes) {
    notes.0.extend(Tls::read(&config.tls, &config.routes, SystemClock.now()).err().unwrap_or_default());
}

fn store(config: &Config, notes: &mut Notes) {
    if let Err(mistake) = config.root_key() {
        notes.0.push(mistake);
    }
    match config.store.url.expose().split_once(':').map(|(scheme, _)| scheme) {
        Some("sqlite") if names_no_file(config.store.url.expose()) => {
            notes.must(false, "store.url", "should name a file, as \"sqlite:doorward.db\": what is kept must last");
        }
        Some("sqlite" | "postgres" | "postgresql" | "mysql" | "mariadb") => {}
        Some("mongodb" | "mongodb+srv") if !cfg!(feature = "mongodb") => notes.must(false, "store.url", store::NO_MONGODB),
        Some("mongodb+srv") => {
            let instead = "mongodb+srv:// is not supported; list the servers: mongodb://one,two,three/DATABASE?replicaSet=NAME";
            notes.must(false, "store.url", instead);
        }
        Some("mongodb") => {
            notes.must(names_database(config.store.url.expose()), "store.url", "should name a database: mongodb://HOST/DATABASE");
        }
        Some(_) | None => notes.must(false, "store.url", "should begin with sqlite:, postgres://, mysql://, mariadb:// or mongodb://"),
    }
    notes.must(config.store.connections > 0, "store.connections", "should be at least 1");
    notes.must(!config.store.timeout.is_zero(), "store.timeout", "should be more than nothing");
}

fn names_no_file(url: &str) -> bool {
    let file = url.trim_start_matches("sqlite:").trim_start_matches("//").split('?').next().unwrap_or_default();
    file.is_empty() || url.contains(":memory:") || url.contains("mode=memory")
}

/// After the servers, which may be several and are not what a URL's host is.
fn names_database(url: &str) -> bool {
    let rest = url.trim_start_matches("mongodb:").trim_start_matches("//");
    let name = rest.split_once('/').and_then(|(_, path)| path.split('?').next());
    name.is_some_and(|name| !name.is_empty())
}

fn redis(config: &Config, notes: &mut Notes) {
    let Some(redis) = &config.redis else { return };
    if let Err(should) = check_url(redis.url.expose()) {
        notes.must(false, "redis.url", should);
    }
    let twice = redis.password.is_some() && has_password(redis.url.expose());
    notes.must(!twice, "redis.password", "stands in redis.url too; keep one of them");
    let within = !redis.timeout.is_zero() && redis.timeout <= Duration::from_secs(5);
    notes.must(within, "redis.timeout", "should be between 1ms and 5s");
    let within = (Duration::from_millis(100)..=Duration::from_secs(10)).contains(&redis.max_staleness);
    notes.must(within, "redis.max_staleness", "should be between 100ms and 10s");
    let plain = !redis.prefix.is_empty() && redis.prefix.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}' | b'*'));
    notes.must(plain, "redis.prefix", "should be a word without spaces, braces and stars");
}

fn otp(config: &Config, notes: &mut Notes) {
    let otp = &config.otp;
    notes.must((4..=10).contains(&otp.length), "otp.length", "should be 4 to 10 digits");
    notes.must(within_an_hour(otp.lifetime), "otp.lifetime", "should be between 1s and 1h");
    notes.must((1..=100).contains(&otp.attempts), "otp.attempts", "should be 1 to 100");
    notes.must(otp.resend_after <= 60 * MINUTE, "otp.resend_after", "should be at most 1h");
}

fn within_an_hour(span: Duration) -> bool {
    span >= Duration::from_secs(1) && span <= 60 * MINUTE
}

fn tokens(config: &Config, notes: &mut Notes) {
    let tokens = &config.tokens;
    notes.must(tokens.access_lifetime >= Duration::from_secs(1), "tokens.access_lifetime", "should be at least 1s");
    let longer = tokens.refresh_lifetime > tokens.access_lifetime;
    notes.must(longer, "tokens.refresh_lifetime", "should be longer than tokens.access_lifetime");
    notes.must(tokens.leeway <= 5 * MINUTE, "tokens.leeway", "should be at most 5m");
    let rotates = tokens.rotate_after.is_none_or(|after| after >= tokens.access_lifetime && after >= MINUTE);
    notes.must(rotates, "tokens.rotate_after", "should be at least 1m, and no shorter than tokens.access_lifetime");
    notes.must(tokens.audience.as_deref() != Some(""), "tokens.audience", "should not be empty");
    let Some(secret) = &tokens.secret else { return };
    let long = config.development.enabled || secret.expose().chars().count() >= 32;
    notes.must(long, "tokens.secret", "should have at least 32 characters");
    notes.must(tokens.algorithm == Algorithm::Hs256, "tokens.secret", "is for algorithm HS256 alone");
}

fn session(config: &Config, notes: &mut Notes) {
    let session = &config.session;
    notes.must(session.idle.is_none_or(|idle| idle >= Duration::from_secs(2)), "session.idle", "should be at least 2s");
    notes.must(session.concurrent_refresh_window <= MINUTE, "session.concurrent_refresh_window", "should be at most 1m");
}

fn cookies(config: &Config, notes: &mut Notes) {
    let Some(domain) = config.cookies.domain.as_deref() else { return };
    let host = config.public_url.host();
    let named = matches!(host, Some(Host::Domain(_)));
    notes.must(named, "cookies.domain", "needs a public_url that names a host, not an address");
    let shared = domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.');
    notes.must(shared, "cookies.domain", "should be a domain of one's own, as \"example.com\", without a dot in front");
    let name = config.public_url.host_str().unwrap_or_default();
    let parent = name == domain || name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    notes.must(!named || !shared || parent, "cookies.domain", "should be the host of public_url, or a domain above it");
}

fn delivery(config: &Config, notes: &mut Notes) {
    let delivery = &config.delivery;
    let some = !(delivery.email.is_empty() && delivery.sms.is_empty() && delivery.whatsapp.is_empty());
    notes.must(some || config.development.enabled, "delivery.email", "is missing: without a provider nobody gets a code");
    for (key, problem) in deliver::mistakes(delivery) {
        notes.must(false, &format!("delivery.{key}"), &problem);
    }
}

fn claims_hook(config: &Config, notes: &mut Notes) {
    for (field, problem) in config.claims_hook.iter().flat_map(deliver::ClaimsHookSettings::mistakes) {
        notes.must(false, &format!("claims_hook.{field}"), problem);
    }
}

fn limits(config: &Config, notes: &mut Notes) {
    let limits = &config.limits;
    let counts = [
        ("limits.codes_per_address", limits.codes_per_address),
        ("limits.codes_per_network", limits.codes_per_network),
        ("limits.attempts_per_network", limits.attempts_per_network),
        ("limits.failures_per_account", limits.failures_per_account),
        ("limits.app_codes", limits.app_codes),
        ("limits.app_email", limits.app_email),
        ("limits.app_sms", limits.app_sms),
        ("limits.app_whatsapp", limits.app_whatsapp),
        ("limits.app_verifications", limits.app_verifications),
    ];
    for (key, count) in counts {
        notes.must(count > 0, key, "should be at least 1, or nobody gets in");
    }
    let costs = !(config.delivery.sms.is_empty() && config.delivery.whatsapp.is_empty());
    let served = !costs || !limits.sms_countries.is_empty();
    notes.must(
        served,
        "limits.sms_countries",
        "is empty: SMS and WhatsApp go to no country, though there is a provider; write as [\"DE\"]",
    );
    notes.must(limits.sms_breaker_digits <= 8, "limits.sms_breaker_digits", "should be at most 8: a prefix is not a number");
    let window = limits.sms_breaker_window >= MINUTE && limits.sms_breaker_window <= 24 * 60 * MINUTE;
    notes.must(window, "limits.sms_breaker_window", "should be between 1m and 24h");
    notes.must(limits.sms_breaker_least > 0, "limits.sms_breaker_least", "should be at least 1");
    notes.must(limits.sms_breaker_percent <= 100, "limits.sms_breaker_percent", "should be at most 100; 0 never shuts a prefix");
}

fn pages(config: &Config, notes: &mut Notes) {
    notes.0.extend(Brand::read(&config.pages).err().unwrap_or_default());
    let log = telemetry::log::filter(&config.telemetry.log).is_ok();
    notes.must(log, "telemetry.log", "should be a level, as \"info\", or directives, as \"doorward=debug,info\"");
    traces(&config.telemetry, notes);
}

fn traces(settings: &TelemetrySettings, notes: &mut Notes) {
    notes.must((0.0..=1.0).contains(&settings.otlp_sample), "telemetry.otlp_sample", "should be between 0 and 1");
    if let Some(endpoint) = &settings.otlp_endpoint {
        notes.must(cfg!(feature = "otel"), "telemetry.otlp_endpoint", telemetry::NO_OTEL);
        if let Err(should) = telemetry::traces(endpoint) {
            notes.must(false, "telemetry.otlp_endpoint", should);
        }
    }
    if let Some(text) = &settings.otlp_headers {
        notes.must(settings.otlp_endpoint.is_some(), "telemetry.otlp_headers", "is for nobody: telemetry.otlp_endpoint is unset");
        if let Err(should) = telemetry::headers(text.expose()) {
            notes.must(false, "telemetry.otlp_headers", should);
        }
    }
}

fn development(config: &Config, notes: &mut Notes) {
    let closed = !config.development.enabled || config.is_local();
    notes.must(closed, "development.enabled", "is only for a public_url and public listeners on this machine: every code is zeros");
}

/// Where requests go, and under which names identity travels, is judged by what uses it.
fn routes(config: &Config, notes: &mut Notes) {
    match Table::new(&config.routes, &config.prefix) {
        Ok(table) => loops(config, &table, notes),
        Err(mistakes) => notes.0.extend(mistakes),
    }
    notes.0.extend(Trusts::read(&config.routes).err().unwrap_or_default());
    notes.0.extend(Names::new(&config.identity).err().unwrap_or_default());
}

/// An upstream that is one of our own public listeners: each request would come back, until nothing is left.
fn loops(config: &Config, table: &Table, notes: &mut Notes) {
    notes.0.extend(table.iter().enumerate().flat_map(|(index, route)| loops_of(config, route, &format!("route[{index}]"))));
}

/// The same of one route, whose settings stand at `key`.
pub(crate) fn loops_of(config: &Config, route: &Route, key: &str) -> Vec<Mistake> {
    let public = || config.listen.public.iter().chain(&config.listen.redirect);
    let leads_here = |place: &Place| public().any(|own| leads_to(place, own));
    let addresses = route.destination.addresses.iter().enumerate().filter(|(_, address)| leads_here(&address.place));
    let mistake = |(nth, _)| Mistake::new(format!("{key}.upstream[{nth}]"), "is an address of listen.public or listen.redirect: a loop");
    addresses.map(mistake).collect()
}

/// Does a connection to this place end at this listener of ours, as far as the configuration can tell?
fn leads_to(place: &Place, own: &Address) -> bool {
    match (place, own) {
        (Place::Unix(path), Address::Unix(own)) => path == own,
        (Place::Fixed(address), Address::Tcp(own)) => {
            let is_here = own.ip().is_unspecified() && (address.ip().is_loopback() || address.ip().is_unspecified());
            address.port() == own.port() && (address.ip() == own.ip() || is_here)
        }
        (Place::Named { host, port }, Address::Tcp(own)) => {
            let is_here = own.ip().is_unspecified() || own.ip().is_loopback();
            host == "localhost" && *port == own.port() && is_here
        }
        (Place::Unix(_), Address::Tcp(_)) | (Place::Fixed(_) | Place::Named { .. }, Address::Unix(_)) => false,
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
