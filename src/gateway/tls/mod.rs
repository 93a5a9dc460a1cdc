//! TLS on the public listeners: certificates by the name that the client asks for, versions, what is spoken inside.
//!
//! ```text
//! settings   what the operator writes        certificate   files, judged before anybody sees them
//! Tls        all that is live, swapped whole  stream        a connection, after its handshake
//! ```
//!
//! What is live is replaced as a whole, like routes are: a handshake begins with what counts then, and ends with it.

mod certificate;
mod settings;
mod stream;

use std::io;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{Acceptor, ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio_rustls::LazyConfigAcceptor;

pub(super) use stream::Secured;

pub use settings::{CertificateSettings, TlsSettings, Version};

use super::accept::Socket;
use crate::clock::Timestamp;
use crate::config::Mistake;
use certificate::Certificate;

/// What is spoken inside, the best first (RFC 7301).
const SPOKEN: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// All that counts for a handshake.
#[derive(Debug)]
pub struct Tls {
    certificates: Arc<Certificates>,
    plain: Arc<ServerConfig>,
}

impl Tls {
    /// From the section `[tls]`; `None` where it has no certificate. Expired is what is so at `now`.
    ///
    /// # Errors
    /// Every mistake, with its key.
    pub fn read(settings: &TlsSettings, now: Timestamp) -> Result<Option<Self>, Vec<Mistake>> {
        if settings.certificate.is_empty() {
            let alone = *settings != TlsSettings::default();
            return if alone {
                Err(vec![Mistake::new("tls.certificate", "is missing: there is no TLS without a certificate")])
            } else {
                Ok(None)
            };
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let certificates = Arc::new(Certificates::read(&settings.certificate, &provider, now)?);
        let plain = config(settings.min_version, provider, Arc::clone(&certificates));
        let plain = plain.map_err(|error| vec![Mistake::new("tls", format!("cannot be used: {error}"))])?;
        Ok(Some(Self { certificates, plain: Arc::new(plain) }))
    }

    /// Every name of every certificate, and when it expires.
    pub(super) fn expiries(&self) -> impl Iterator<Item = (&str, Timestamp)> {
        self.certificates.0.iter().flat_map(|one| one.names.iter().map(|name| (name.as_str(), one.expires)))
    }

    /// Speak TLS on a connection.
    ///
    /// # Errors
    /// When the client does not, or not so that we agree.
    pub(super) async fn handshake(&self, mut socket: Socket) -> io::Result<Secured> {
        socket.gather(false);
        let hello = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
        let mut stream = hello.into_stream(Arc::clone(&self.plain)).await?;
        stream.get_mut().0.gather(true);
        Ok(Secured::new(stream))
    }
}

fn config(oldest: Version, provider: Arc<CryptoProvider>, certificates: Arc<Certificates>) -> Result<ServerConfig, rustls::Error> {
    let both: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];
    let versions = match oldest {
        Version::Tls12 => both,
        Version::Tls13 => &[&rustls::version::TLS13],
    };
    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(certificates);
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
