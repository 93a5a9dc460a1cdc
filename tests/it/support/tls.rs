//! Authorities of the tests' own, and what they sign.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use tempfile::TempDir;

use super::folder;

const DAY: Duration = Duration::from_hours(24);

/// An authority, with a folder for its certificate and for all that it signs.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// The files of a certificate and of its key.
#[derive(Clone, Debug)]
pub struct Pair {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Pair {
    /// As a table in the list `tls.certificate`.
    pub fn toml(&self) -> String {
        format!("{{ certificate_file = \"{}\", key_file = \"{}\" }}", self.certificate.display(), self.key.display())
    }

    /// Takes the place of another pair, as a tool that renews does: each file replaced by a new one of the same name.
    pub fn replace(&self, other: &Self) {
        for (from, to) in [(&self.certificate, &other.certificate), (&self.key, &other.key)] {
            let new = to.with_extension("new");
            std::fs::copy(from, &new).expect("a writable folder");
            std::fs::rename(&new, to).expect("a writable folder");
        }
    }
}

/// How long a certificate is good.
#[derive(Clone, Copy, Debug)]
pub enum Good {
    /// Until this long from now.
    For(Duration),
    /// It was, until yesterday.
    NoMore,
}

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
        let folder = folder::new("authority");
        std::fs::write(folder.path().join("authority.pem"), issuer.pem()).expect("a writable folder");
        Self { issuer, folder }
    }

    /// What is to be trusted.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A server's certificate for these names, good for a week.
    pub fn server(&self, names: &[&str]) -> Pair {
        self.server_good(names, Good::For(7 * DAY))
    }

    pub fn server_good(&self, names: &[&str], good: Good) -> Pair {
        let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).expect("names");
        params.distinguished_name.push(DnType::CommonName, names.first().copied().unwrap_or("nobody"));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params, good)
    }

    /// A client's certificate.
    pub fn client(&self, name: &str) -> Pair {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params, Good::For(DAY))
    }

    fn sign(&self, mut params: CertificateParams, good: Good) -> Pair {
        let now = std::time::SystemTime::now();
        let (from, until) = match good {
            Good::For(span) => (now - DAY, now + span),
            Good::NoMore => (now - 3 * DAY, now - DAY),
        };
        (params.not_before, params.not_after) = (from.into(), until.into());
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let number = std::fs::read_dir(self.folder.path()).expect("the folder").count();
        let place = |kind: &str| self.folder.path().join(format!("{number}.{kind}"));
        let pair = Pair { certificate: place("pem"), key: place("key") };
        std::fs::write(&pair.certificate, certificate.pem()).expect("a writable folder");
        std::fs::write(&pair.key, key.serialize_pem()).expect("a writable folder");
        pair
    }
}

/// The section `[tls]` with these certificates.
pub fn section(more: &str, pairs: &[&Pair]) -> String {
    let pairs: Vec<_> = pairs.iter().map(|pair| pair.toml()).collect();
    format!("[tls]\n{more}\ncertificate = [{}]\n", pairs.join(", "))
}

/// What `openssl s_client` says about a handshake.
pub fn handshake(address: SocketAddr, options: &[&str]) -> String {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string()]).args(options);
    let done = command.stdin(Stdio::null()).output().expect("openssl; `make setup` installs it");
    String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned()
}
