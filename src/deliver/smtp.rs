//! Mail by SMTP: over TLS that is verified, through a pool of connections, to the canonical address alone.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use async_trait::async_trait;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::{Error, PoolConfig};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};
use percent_encoding::percent_decode_str;
use url::Url;

use super::letters::Letters;
use super::settings::EmailProvider;
use super::{NotSent, Provider, Sending, Wrong};
use crate::secret::Secret;

/// For a connection, and for each answer of the server.
const PATIENCE: Duration = Duration::from_secs(10);
/// For a whole message: a server that answers every line just in time is given up.
const WHOLE: Duration = Duration::from_secs(30);
/// Connections that are kept for the next message.
const POOL: u32 = 8;
const IDLE: Duration = Duration::from_mins(1);

/// A mail server, as the settings describe it.
#[derive(Debug)]
pub(super) struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    login: Option<(String, Secret<String>)>,
    from: Mailbox,
}

/// How the way to the server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    /// TLS from the first byte.
    Wrapped,
    /// STARTTLS, or nothing is sent.
    Required,
    /// STARTTLS if the server offers it.
    Opportunistic,
    /// None: this machine, or a network of one's own.
    Plain,
}

impl Server {
    /// The server that `settings` describe.
    ///
    /// # Errors
    /// Every mistake: the field, and a sentence without its value.
    pub(super) fn read(settings: &EmailProvider) -> Result<Self, Vec<Wrong>> {
        let url = settings.url.as_ref().ok_or(("url", "is missing")).and_then(|url| read_url(url.expose()));
        let login = url.as_ref().ok().map(|url| read_login(url, settings.password.as_ref()));
        let from = settings.from.as_deref().ok_or(("from", "is missing"));
        let from =
            from.and_then(|from| from.parse::<Mailbox>().map_err(|_| ("from", "should be an address, as \"Wiki <door@example.com>\"")));
        let encryption = url.as_ref().map_or(Ok(Encryption::Plain), read_encryption);
        match (url, encryption, login, from) {
            (Ok(url), Ok(encryption), Some(Ok(login)), Ok(from)) => Ok(Self::new(&url, encryption, login, from)),
            (url, encryption, login, from) => {
                Err([url.err(), encryption.err(), login.and_then(Result::err), from.err()].into_iter().flatten().collect())
            }
        }
    }

    fn new(url: &Url, encryption: Encryption, login: Option<(String, Secret<String>)>, from: Mailbox) -> Self {
        let usual = match encryption {
            Encryption::Wrapped => 465,
            Encryption::Required => 587,
            Encryption::Opportunistic | Encryption::Plain => 25,
        };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        Self { host, port: url.port().unwrap_or(usual), encryption, login, from }
    }

    fn tls(&self) -> Result<Tls, NotSent> {
        let parameters = || TlsParameters::new(self.host.clone()).map_err(|error| not_sent(&error));
        Ok(match self.encryption {
            Encryption::Wrapped => Tls::Wrapper(parameters()?),
            Encryption::Required => Tls::Required(parameters()?),
            Encryption::Opportunistic => Tls::Opportunistic(parameters()?),
            Encryption::Plain => Tls::None,
        })
    }
}

fn read_url(text: &str) -> Result<Url, Wrong> {
    let url =
        Url::parse(text).ok().filter(|url| matches!(url.scheme(), "smtp" | "smtps") && url.host_str().is_some_and(|host| !host.is_empty()));
    let url = url.ok_or(("url", "should be smtps://user@host or smtp://user@host"))?;
    if matches!(url.path(), "" | "/") && url.fragment().is_none() {
        return Ok(url);
    }
    Err(("url", "should end after the host and the port"))
}

fn read_encryption(url: &Url) -> Result<Encryption, Wrong> {
    let asked = url.query_pairs().map(|(name, value)| if name == "tls" { value.into_owned() } else { String::new() });
    let asked: Vec<String> = asked.collect();
    match (url.scheme(), asked.as_slice()) {
        ("smtps", []) => Ok(Encryption::Wrapped),
        (_, []) if is_loopback(url) => Ok(Encryption::Plain),
        (_, []) => Ok(Encryption::Required),
        ("smtp", [tls]) if tls == "required" => Ok(Encryption::Required),
        ("smtp", [tls]) if tls == "opportunistic" => Ok(Encryption::Opportunistic),
        ("smtp", [tls]) if tls == "none" => Ok(Encryption::Plain),
        _ => Err(("url", "may end with ?tls=required, ?tls=opportunistic or ?tls=none, on smtp:// alone")),
    }
}

/// A host with a scheme that browsers do not know is text, an address too.
fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn read_login(url: &Url, password: Option<&Secret<String>>) -> Result<Option<(String, Secret<String>)>, Wrong> {
    let decode = |text: &str| percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
    let user = decode(url.username()).map_err(|_| ("url", "has a user that is no text"))?;
    let inline =
        url.password().map(|text| decode(text).map(Secret::new)).transpose().map_err(|_| ("url", "has a password that is no text"))?;
    match (user.is_empty(), inline, password.cloned()) {
        (true, None, None) => Ok(None),
        (true, ..) => Err(("password", "needs a user in url, as smtps://user@host")),
        (false, Some(_), Some(_)) => Err(("password", "stands in url too; keep one of them")),
        (false, None, None) => Err(("password", "is missing for the user in url")),
        (false, Some(password), None) | (false, None, Some(password)) if password.expose().is_empty() => Err(("password", "is empty")),
        (false, Some(password), None) | (false, None, Some(password)) => Ok(Some((user, password))),
    }
}

/// Sends mail through one server.
pub(super) struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    name: String,
    letters: Arc<Letters>,
}

impl Smtp {
    /// Through `server`; `name` is for logs and metrics. To be called inside the runtime of the queue.
    pub(super) fn new(server: Server, name: &str, letters: Arc<Letters>) -> Result<Self, NotSent> {
        let tls = server.tls()?;
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.host)
            .port(server.port)
            .tls(tls)
            .timeout(Some(PATIENCE))
            .pool_config(PoolConfig::new().max_size(POOL).idle_timeout(IDLE));
        if let Some((user, password)) = server.login {
            builder = builder.credentials(Credentials::new(user, password.expose().clone()));
        }
        Ok(Self { transport: builder.build(), from: server.from, name: name.to_owned(), letters })
    }

    fn mail(&self, sending: &Sending<'_>) -> Result<lettre::Message, NotSent> {
        let Sending { message, id, now } = sending;
        let refused = |what: &str| NotSent::Refused(what.to_owned());
        let to: Address = message.to.expose().parse().map_err(|_| refused("not an address that SMTP can carry"))?;
        let letter = self.letters.letter(message);
        let written = UNIX_EPOCH + Duration::from_millis(u64::try_from(now.as_millis()).unwrap_or(0));
        lettre::Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(letter.subject)
            .date(written)
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            // RFC 3834 §5: nobody's holiday shall answer it.
            .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(letter.text, letter.html))
            .map_err(|_| refused("the mail cannot be written"))
    }
}

#[async_trait]
impl Provider for Smtp {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<(), NotSent> {
        let mail = self.mail(sending)?;
        match tokio::time::timeout(WHOLE, self.transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(not_sent(&error)),
            Err(_) => Err(NotSent::Silent("timed out".to_owned())),
        }
    }
}

/// A server's words may repeat the address: of an answer only its number is told.
fn not_sent(error: &Error) -> NotSent {
    if let Some(code) = error.status() {
        let cause = format!("SMTP {code}");
        return if error.is_permanent() { NotSent::Refused(cause) } else { NotSent::Later(cause) };
    }
    let cause = error.source().filter(|_| !error.is_response()).map(ToString::to_string).unwrap_or_default();
    NotSent::Silent(match (error.is_timeout(), error.is_tls(), error.is_response()) {
        (true, ..) => "timed out".to_owned(),
        (_, true, _) => format!("TLS: {cause}"),
        (.., true) => "an answer that is no SMTP".to_owned(),
        (false, false, false) => format!("no connection: {cause}"),
    })
}
