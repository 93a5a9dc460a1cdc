//! Whom upstreams must be vouched for by, and the certificates that we show them: read from their files with the configuration,
//! so that a mistake in one is told before it counts.

use std::collections::HashMap;
use std::hash::{Hash as _, Hasher as _};
use std::path::Path;
use std::sync::Arc;

use pingora::utils::tls::{CertKey, WrappedX509};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::Fnv;
use crate::admission::{RouteSettings, UpstreamTlsSettings};
use crate::config::Mistake;

/// What TLS to the upstreams of all routes needs.
#[derive(Default)]
pub struct Trusts(HashMap<String, Trust>);

/// The same for one route.
#[derive(Clone, Default)]
pub(super) struct Trust {
    /// Who vouches for it; the system's authorities when unset.
    pub authorities: Option<Arc<[WrappedX509]>>,
    /// What we show.
    pub identity: Option<Arc<CertKey>>,
    /// Differs when the files held something else.
    pub fingerprint: u64,
}

impl Trusts {
    /// From the files that the routes name.
    ///
    /// # Errors
    /// Every file that cannot be read or does not hold what it should, by its key.
    pub fn read(routes: &[RouteSettings]) -> Result<Self, Vec<Mistake>> {
        let (mut trusts, mut mistakes) = (HashMap::new(), Vec::new());
        for (index, route) in routes.iter().enumerate() {
            let mut note = |field: &str, problem: String| {
                mistakes.push(Mistake::new(format!("route[{index}].upstream_tls.{field}"), problem));
            };
            let trust = Trust::read(&route.upstream_tls, &mut note);
            trusts.insert(route.name.clone(), trust);
        }
        if mistakes.is_empty() { Ok(Self(trusts)) } else { Err(mistakes) }
    }

    /// That of a route.
    pub(super) fn of(&self, route: &str) -> Trust {
        self.0.get(route).cloned().unwrap_or_default()
    }
}

impl Trust {
    fn read(settings: &UpstreamTlsSettings, note: &mut impl FnMut(&str, String)) -> Self {
        let mut hasher = Fnv::default();
        settings.server_name.hash(&mut hasher);
        let authorities = settings.ca_file.as_deref().and_then(|file| {
            let read = authorities(file).map_err(|problem| note("ca_file", problem)).ok()?;
            for der in &read {
                der.as_ref().hash(&mut hasher);
            }
            wrapped(&read).map_err(|problem| note("ca_file", format!("{}: {problem}", file.display()))).ok()
        });
        let identity = settings.certificate_file.as_deref().zip(settings.key_file.as_deref()).and_then(|(certificate, key)| {
            let (chain, key) = identity(certificate, key, note)?;
            for der in &chain {
                der.as_ref().hash(&mut hasher);
            }
            key.secret_der().hash(&mut hasher);
            let chain = chain.into_iter().map(|der| der.as_ref().to_vec()).collect();
            Some(Arc::new(CertKey::new(chain, key.secret_der().to_vec())))
        });
        Self { authorities: authorities.map(Into::into), identity, fingerprint: hasher.finish() }
    }
}

/// Every certificate of a file, at least one.
fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unread = |error: rustls::pki_types::pem::Error| format!("{} cannot be read: {}", file.display(), said(&error));
    let read = CertificateDer::pem_file_iter(file).map_err(unread)?.collect::<Result<Vec<_>, _>>().map_err(unread)?;
    if read.is_empty() {
        return Err(format!("{} holds no certificate in PEM", file.display()));
    }
    Ok(read)
}

fn said(error: &rustls::pki_types::pem::Error) -> String {
    match error {
        rustls::pki_types::pem::Error::Io(error) => error.to_string(),
        rustls::pki_types::pem::Error::NoItemsFound => "it holds none".to_owned(),
        _ => "it is no sound PEM".to_owned(),
    }
}

fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = certificates(file)?;
    let mut roots = RootCertStore::empty();
    for certificate in &read {
        roots.add(certificate.clone()).map_err(|error| format!("{} holds a certificate that cannot vouch: {error}", file.display()))?;
    }
    Ok(read)
}

/// A chain and its key, which belong together.
fn identity(
    certificate: &Path,
    key: &Path,
    note: &mut impl FnMut(&str, String),
) -> Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let chain = certificates(certificate).and_then(|chain| wrapped(&chain).map(|_| chain));
    let chain = chain.map_err(|problem| note("certificate_file", problem)).ok();
    let secret = PrivateKeyDer::from_pem_file(key);
    let secret = secret.map_err(|error| note("key_file", format!("{} cannot be read: {}", key.display(), said(&error)))).ok();
    let (chain, secret) = (chain?, secret?);
    let tried =
        ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_client_auth_cert(chain.clone(), secret.clone_key());
    if let Err(error) = tried {
        note("key_file", format!("{} is not the key of {}: {error}", key.display(), certificate.display()));
        return None;
    }
    Some((chain, secret))
}

/// As the framework wants them: it would panic at one that it cannot read.
fn wrapped(certificates: &[CertificateDer<'_>]) -> Result<Vec<WrappedX509>, String> {
    let parse =
        |der: &CertificateDer<'_>| WrappedX509::try_new(der.as_ref().to_vec(), |der| X509Certificate::from_der(der).map(|(_, it)| it));
    certificates.iter().map(parse).collect::<Result<_, _>>().map_err(|error| format!("a certificate cannot be read: {error}"))
}
