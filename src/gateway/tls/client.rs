//! Certificates of clients: which authorities a route may ask for, and which of them have signed what a client showed.
//!
//! A handshake takes any certificate whose key the client holds, and judges it here, authority by authority: a request for a
//! route that asks for one is then refused in words, and not by an alert that no browser explains.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};

use super::certificate;
use crate::clock::Timestamp;

/// An authority that a route names.
#[derive(Debug)]
pub(in crate::gateway) struct Authority {
    /// The file, as the route names it.
    pub name: PathBuf,
    certificates: Vec<CertificateDer<'static>>,
    verifier: Arc<dyn ClientCertVerifier>,
}

impl Authority {
    /// From its file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(name: PathBuf, provider: &Arc<CryptoProvider>) -> Result<Self, String> {
        let certificates = certificate::chain(&name)?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|error| format!("holds a certificate that cannot be used: {error}"))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
        let verifier = verifier.map_err(|_| "has no certificate in it".to_owned())?;
        Ok(Self { name, certificates, verifier })
    }

    /// Has it signed this chain, which begins with the client's own, and is that good at `now`?
    pub(super) fn has_signed(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> bool {
        let now = Duration::from_secs(u64::try_from(now.as_secs()).unwrap_or(0));
        chain
            .split_first()
            .is_some_and(|(own, others)| self.verifier.verify_client_cert(own, others, UnixTime::since_unix_epoch(now)).is_ok())
    }

    /// Does it trust the same certificates?
    pub(super) fn is(&self, other: &Self) -> bool {
        self.name == other.name && self.certificates == other.certificates
    }
}

/// Asks for a certificate of any of these authorities, and takes the handshake without one, or with another, too.
#[derive(Debug)]
pub(super) struct Asking {
    hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl Asking {
    pub(super) fn new(authorities: &[Arc<Authority>], provider: Arc<CryptoProvider>) -> Self {
        let hints = authorities.iter().flat_map(|one| one.verifier.root_hint_subjects().iter().cloned());
        Self { hints: hints.collect(), provider }
    }
}

impl ClientCertVerifier for Asking {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// Any: who signed it is looked at after the handshake ([`Authority::has_signed`]).
    fn verify_client_cert(&self, _: &CertificateDer<'_>, _: &[CertificateDer<'_>], _: UnixTime) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
