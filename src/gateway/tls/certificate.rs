//! A certificate of ours: read from its files, and judged before anybody sees it.

use std::path::Path;
use std::sync::Arc;

use rustls::InconsistentKeys;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::CertificateSettings;
use crate::clock::Timestamp;
use crate::config::Mistake;

/// The largest file that is read, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// A certificate with its key.
#[derive(Debug)]
pub(super) struct Certificate {
    /// The hosts that it is for, in lower case; `*.` stands for one label.
    pub names: Vec<String>,
    /// When it expires.
    pub expires: Timestamp,
    /// What handshakes use.
    pub key: Arc<CertifiedKey>,
}

impl Certificate {
    /// From its files, which stand at `key` in the configuration.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn read(settings: &CertificateSettings, key: &str, provider: &CryptoProvider, now: Timestamp) -> Result<Self, Mistake> {
        let certificate = |problem: String| Mistake::new(format!("{key}.certificate_file"), problem);
        let private = |problem: String| Mistake::new(format!("{key}.key_file"), problem);
        let chain = chain(&settings.certificate_file).map_err(certificate)?;
        let (names, expires) = chain.first().ok_or_else(|| "has no certificate in it".to_owned()).and_then(said).map_err(certificate)?;
        if names.is_empty() {
            return Err(certificate("names no host; browsers read the subject's alternative names alone".to_owned()));
        }
        if expires <= now {
            return Err(certificate(format!("expired at {expires}")));
        }
        let pem = read(&settings.key_file).map_err(private)?;
        let pem = PrivateKeyDer::from_pem_slice(&pem)
            .map_err(|_| private("has no private key in it, as PEM and without a password".to_owned()))?;
        let signing = provider.key_provider.load_private_key(pem).map_err(|error| private(format!("cannot be used: {error}")))?;
        let key = CertifiedKey::new(chain, signing);
        match key.keys_match() {
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(private("is not the key of that certificate".to_owned())),
        }
        Ok(Self { names, expires, key: Arc::new(key) })
    }
}

/// All certificates of a PEM file.
pub(super) fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let pem = read(file)?;
    CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().map_err(|_| "is not PEM".to_owned())
}

/// What a file holds, bounded: a device or a log that is named by mistake must not fill the memory.
fn read(file: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;

    let unread = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    let mut bytes = Vec::new();
    std::fs::File::open(file).map_err(unread)?.take(LARGEST).read_to_end(&mut bytes).map_err(unread)?;
    Ok(bytes)
}

/// The hosts that a certificate names, and when it expires.
fn said(certificate: &CertificateDer<'_>) -> Result<(Vec<String>, Timestamp), String> {
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| "holds a certificate that cannot be read".to_owned())?;
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let names = alternative.iter().flat_map(|extension| &extension.value.general_names).filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    });
    Ok((names.collect(), Timestamp::from_secs(certificate.validity().not_after.timestamp())))
}

fn address(bytes: &[u8]) -> Option<String> {
    let four = <[u8; 4]>::try_from(bytes).map(|octets| std::net::Ipv4Addr::from(octets).to_string());
    let six = || <[u8; 16]>::try_from(bytes).map(|octets| format!("[{}]", std::net::Ipv6Addr::from(octets)));
    four.or_else(|_| six()).ok()
}
