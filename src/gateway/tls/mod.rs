//! TLS on the public listeners: certificates by the name that the client asks for, versions, what is spoken inside.
//!
//! ```text
//! settings   what the operator writes         certificate  files, judged before anybody sees them
//! Tls        all that is live, swapped whole   client       certificates of clients, and who signed them
//! stream     a connection, after its handshake handshake    what requests are told of that
//! ```
//!
//! What is live is replaced as a whole, like routes are: a handshake begins with what counts then, and ends with it.

mod certificate;
mod client;
mod handshake;
mod settings;
mod stream;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use http::HeaderValue;
use rustls::crypto::CryptoProvider;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{Acceptor, ClientHello, NoClientAuth, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio_rustls::LazyConfigAcceptor;

pub(super) use handshake::Handshake;
pub(super) use stream::Secured;

pub use settings::{CertificateSettings, TlsSettings, Version};

use super::accept::Socket;
use crate::admission::{RouteSettings, Table, canonical_host};
use crate::clock::Timestamp;
use crate::config::Mistake;
use certificate::Certificate;
use client::{Asking, Authority};

/// What is spoken inside, the best first (RFC 7301).
const SPOKEN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// All that counts for a handshake.
#[derive(Debug)]
pub struct Tls {
    certificates: Arc<Certificates>,
    authorities: Vec<Arc<Authority>>,
    /// For names that lead to no route which asks for a client's certificate.
    plain: Arc<ServerConfig>,
    /// For those that may. What one has agreed upon is never resumed with the other, nor under another name (RFC 6066 §3).
    asking: Arc<ServerConfig>,
    hsts: Option<HeaderValue>,
}

impl Tls {
    /// From the section `[tls]` and the authorities that routes name; `None` where it has no certificate. Expired is what is so
    /// at `now`.
    ///
    /// # Errors
    /// Every mistake, with its key.
    pub fn read(settings: &TlsSettings, routes: &[RouteSettings], now: Timestamp) -> Result<Option<Self>, Vec<Mistake>> {
        if settings.certificate.is_empty() {
            let mistakes = without_certificate(settings, routes);
            return if mistakes.is_empty() { Ok(None) } else { Err(mistakes) };
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let (certificates, authorities) = (Certificates::read(&settings.certificate, &provider, now), authorities(routes, &provider));
        let (certificates, authorities) = match (certificates, authorities) {
            (Ok(certificates), Ok(authorities)) => (Arc::new(certificates), authorities),
            (certificates, authorities) => {
                return Err([certificates.err().unwrap_or_default(), authorities.err().unwrap_or_default()].concat());
            }
        };
        let unusable = |error: rustls::Error| vec![Mistake::new("tls", format!("cannot be used: {error}"))];
        let asked = Arc::new(Asking::new(&authorities, Arc::clone(&provider)));
        let plain = config(settings.min_version, Arc::clone(&provider), &certificates, Arc::new(NoClientAuth)).map_err(unusable)?;
        let asking = config(settings.min_version, provider, &certificates, asked).map_err(unusable)?;
        let hsts = settings.hsts.and_then(|span| HeaderValue::try_from(format!("max-age={}", span.as_secs())).ok());
        Ok(Some(Self { certificates, authorities, plain: Arc::new(plain), asking: Arc::new(asking), hsts }))
    }

    /// Every name of every certificate, and when it expires.
    pub(super) fn expiries(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.certificates.0.iter().flat_map(|one| one.names.iter().map(|name| (name.as_str(), one.expires)))
    }

    /// The authorities that routes name.
    pub(super) fn authorities(&self) -> &[Arc<Authority>] {
        &self.authorities
    }

    /// Speak TLS on a connection, at `now`, in front of these routes.
    ///
    /// # Errors
    /// When the client does not, or not so that we agree.
    pub(super) async fn handshake(&self, mut socket: Socket, routes: &Table, now: Timestamp) -> io::Result<Secured> {
        socket.gather(false);
        let hello = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
        let name = hello.client_hello().server_name().map(str::to_ascii_lowercase);
        let asks = !self.authorities.is_empty() && !routes.authorities(name.as_deref()).is_empty();
        let config = if asks { &self.asking } else { &self.plain };
        let mut stream = hello.into_stream(Arc::clone(config)).await?;
        stream.get_mut().0.gather(true);
        let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let signed_by = self.authorities.iter().filter(|one| !chain.is_empty() && one.has_signed(chain, now)).cloned().collect();
        Ok(Secured::new(stream, Handshake { name, signed_by, hsts: self.hsts.clone() }))
    }

    /// May a request for `host` (as in a Host header) come over a connection that was made for `name`? Where the two differ,
    /// both must be served with the same certificate and ask for the same authorities' certificates: whoever comes under one
    /// name has then been asked for all that the other asks for.
    pub(super) fn leads_to(&self, name: Option<&str>, host: &str, routes: &Table) -> bool {
        let (name, host) = (name.and_then(canonical_host), canonical_host(host));
        if name == host {
            return true;
        }
        let first = |host: Option<&str>| self.certificates.of(host).first().map(|one| Arc::as_ptr(&one.key));
        let (name, host) = (name.as_deref(), host.as_deref());
        first(name) == first(host) && routes.authorities(name) == routes.authorities(host)
    }
}

/// What stands in the configuration and is of no use without TLS.
fn without_certificate(settings: &TlsSettings, routes: &[RouteSettings]) -> Vec<Mistake> {
    let alone =
        (*settings != TlsSettings::default()).then(|| Mistake::new("tls.certificate", "is missing: there is no TLS without a certificate"));
    let asking = routes.iter().enumerate().filter(|(_, route)| route.client_ca.is_some());
    let asking = asking.map(|(index, _)| Mistake::new(format!("route[{index}].client_ca"), "needs tls.certificate: TLS has to end here"));
    alone.into_iter().chain(asking).collect()
}

/// The authorities that routes name, each once.
fn authorities(routes: &[RouteSettings], provider: &Arc<CryptoProvider>) -> Result<Vec<Arc<Authority>>, Vec<Mistake>> {
    let (mut read, mut mistakes) = (BTreeMap::new(), Vec::new());
    for (index, file) in routes.iter().enumerate().filter_map(|(index, route)| Some((index, route.client_ca.as_ref()?))) {
        match Authority::read(file.clone(), provider) {
            Ok(authority) => drop(read.insert(file, Arc::new(authority))),
            Err(problem) => mistakes.push(Mistake::new(format!("route[{index}].client_ca"), problem)),
        }
    }
    if mistakes.is_empty() { Ok(read.into_values().collect()) } else { Err(mistakes) }
}

fn config(
    oldest: Version,
    provider: Arc<CryptoProvider>,
    certificates: &Arc<Certificates>,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, rustls::Error> {
    let both: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
    let versions = match oldest {
        Version::Tls12 => both,
        Version::Tls13 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let mut config = builder.with_client_cert_verifier(clients).with_cert_resolver(Arc::<Certificates>::clone(certificates));
    config.alpn_protocols = SPOKEN.iter().map(|protocol| protocol.to_vec()).collect();
    // Tickets that the client keeps, sealed by keys that change: no lock that handshakes share.
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    Ok(config)
}

/// Our certificates, in the order of the configuration; there is at least one.
#[derive(Debug)]
struct Certificates(Vec<Certificate>);

impl Certificates {
    fn read(settings: &[CertificateSettings], provider: &CryptoProvider, now: Timestamp) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let read =
            settings.iter().enumerate().map(|(index, one)| Certificate::read(one, &format!("tls.certificate[{index}]"), provider, now));
        let read = read.filter_map(|one| one.map_err(|mistake| mistakes.push(mistake)).ok()).collect();
        if mistakes.is_empty() { Ok(Self(read)) } else { Err(mistakes) }
    }

    /// Those for a host, given in lower case: that name it, else those with a star for its first label, else the first.
    fn of(&self, host: Option<&str>) -> Vec<&Certificate> {
        let host = host.map(|host| host.strip_suffix('.').unwrap_or(host)).unwrap_or_default();
        let star = host.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        let naming = |name: &str| self.0.iter().filter(|one| one.names.iter().any(|own| own == name)).collect::<Vec<_>>();
        let found = Some(naming(host)).filter(|found| !found.is_empty());
        let found = found.or_else(|| star.map(|star| naming(&star)).filter(|found| !found.is_empty()));
        found.unwrap_or_else(|| self.0.iter().take(1).collect())
    }
}

impl ResolvesServerCert for Certificates {
    /// Of several for one host the first whose kind of key the client knows.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fitting = self.of(hello.server_name());
        let known = fitting.iter().find(|one| one.key.key.choose_scheme(hello.signature_schemes()).is_some());
        known.or_else(|| fitting.first()).map(|one| Arc::clone(&one.key))
    }
}
