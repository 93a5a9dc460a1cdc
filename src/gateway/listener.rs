//! Our addresses, taken before anything starts: an address that is taken already is one clear error, not a process that lives
//! on without ears. (The framework binds inside a service, and panics there.)

use std::fmt;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use socket2::{Domain, SockAddr, Socket, Type};

use super::ListenSettings;
use crate::admission::LONGEST_SOCKET;

/// How many connections may wait to be accepted; the system allows fewer (`net.core.somaxconn`).
const QUEUE: i32 = 65_535;

/// Before a path.
const UNIX: &str = "unix:";

/// Where one can listen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// `0.0.0.0:443`.
    Tcp(SocketAddr),
    /// `unix:/run/doorward.sock`.
    Unix(PathBuf),
}

impl Address {
    /// Its IP address; none where only this machine can come from.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(address) => Some(address.ip()),
            Self::Unix(_) => None,
        }
    }

    /// Can only this machine reach it?
    pub fn is_local(&self) -> bool {
        self.ip().is_none_or(|ip| ip.is_loopback())
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix(UNIX) {
            Some(path) if path.len() > LONGEST_SOCKET => Err("is longer than 107 bytes, which no socket's path can be"),
            Some(path) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some(_) => Err("should name a whole path, as \"unix:/run/doorward.sock\""),
            None => text.parse().map(Self::Tcp).map_err(|_| "should be an address and a port, as \"127.0.0.1:8080\", or \"unix:/path\""),
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// An address that we cannot listen on.
#[derive(Debug, thiserror::Error)]
#[error("{key}: cannot listen on {address}: {cause}")]
pub struct CannotListen {
    /// The key that names it.
    pub key: &'static str,
    /// The address.
    pub address: Address,
    /// The system's words.
    pub cause: io::Error,
}

/// An address that is ours, and listens already.
#[derive(Debug)]
pub(super) struct Bound {
    /// The address, with the port that the system chose where 0 was asked for.
    pub address: Address,
    /// Its socket.
    pub socket: Ear,
    /// The file of a Unix socket.
    pub file: Option<SocketFile>,
}

/// A socket that listens, in either kind.
#[derive(Debug)]
pub(super) enum Ear {
    /// TCP.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

/// The file of a Unix socket; it goes with the value, unless another process listens there by then.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    handed_over: Arc<AtomicBool>,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if !self.handed_over.load(Ordering::SeqCst) {
            // Gone already is gone.
            drop(fs::remove_file(&self.path));
        }
    }
}

/// Sockets of ours for another process, which goes on listening where we leave off.
#[derive(Debug)]
pub struct Lent {
    /// Each with its address as it was asked for in the configuration.
    pub sockets: Vec<(Address, OwnedFd)>,
    handed_over: Arc<AtomicBool>,
}

impl Lent {
    /// The other process has them: the files of Unix sockets are its own from now on, whatever becomes of us.
    pub fn given(&self) {
        self.handed_over.store(true, Ordering::SeqCst);
    }

    /// They are ours alone: the other process has left, or has come to nothing.
    pub fn returned(&self) {
        self.handed_over.store(false, Ordering::SeqCst);
    }

    /// Has another process got them?
    pub fn is_given(&self) -> bool {
        self.handed_over.load(Ordering::SeqCst)
    }
}

/// What the system keeps for a connection beyond what is under way, in bytes; connections have it from their listener. Else a
/// client that reads nothing holds up to 4 MiB of it, and one that reads slowly is seen to read every minute or so.
const MOST_UNSENT: u32 = 128 * 1024;

/// All our addresses.
#[derive(Debug)]
pub struct Listeners {
    pub(super) public: Vec<Bound>,
    pub(super) redirect: Vec<Bound>,
    pub(super) admin: Bound,
    handed_over: Arc<AtomicBool>,
}

impl Listeners {
    /// Take the addresses of the section.
    ///
    /// # Errors
    /// [`CannotListen`] with the first that is not to be had.
    pub fn bind(settings: &ListenSettings) -> Result<Self, CannotListen> {
        Self::inherit(settings, Vec::new())
    }

    /// As [`Listeners::bind`], where another process has lent some of them. What it lent and the section does not name is closed.
    ///
    /// # Errors
    /// [`CannotListen`] with the first that is not to be had.
    pub fn inherit(settings: &ListenSettings, mut lent: Vec<(Address, OwnedFd)>) -> Result<Self, CannotListen> {
        // Until it leaves, the files are the other's: they must outlive us, should we not come to serve.
        let handed_over = Arc::new(AtomicBool::new(!lent.is_empty()));
        let mut take = |key, address: &Address| {
            let inherited = lent.iter().position(|(one, _)| one == address).map(|place| lent.swap_remove(place).1);
            let only_v6 = settings.is_only_v6(address);
            let ear = inherited.map_or_else(|| Ear::bind(address, settings.unix_mode.0, only_v6), |socket| Ear::inherited(socket, only_v6));
            let bound = ear.and_then(|socket| Bound::new(address, socket, &handed_over));
            bound.map_err(|cause| CannotListen { key, address: address.clone(), cause })
        };
        let public = settings.public.iter().map(|address| take("listen.public", address)).collect::<Result<_, _>>()?;
        let redirect = settings.redirect.iter().map(|address| take("listen.redirect", address)).collect::<Result<_, _>>()?;
        let admin = take("listen.admin", &settings.admin)?;
        Ok(Self { public, redirect, admin, handed_over })
    }

    /// All sockets once more, for another process.
    ///
    /// # Errors
    /// When the system gives no more descriptors.
    pub fn lend(&self) -> io::Result<Lent> {
        let all = self.public.iter().chain(&self.redirect).chain([&self.admin]);
        let sockets = all.map(|bound| Ok((bound.address.clone(), bound.socket.again()?))).collect::<io::Result<_>>()?;
        Ok(Lent { sockets, handed_over: Arc::clone(&self.handed_over) })
    }

    /// Where proxied traffic and our own endpoints are.
    pub fn public(&self) -> Vec<Address> {
        self.public.iter().map(|bound| bound.address.clone()).collect()
    }

    /// Where health, readiness and metrics are.
    pub fn admin(&self) -> Address {
        self.admin.address.clone()
    }
}

impl Bound {
    fn new(address: &Address, socket: Ear, handed_over: &Arc<AtomicBool>) -> io::Result<Self> {
        let (address, file) = match (&socket, address) {
            (Ear::Tcp(listener), _) => (Address::Tcp(listener.local_addr()?), None),
            (Ear::Unix(_), Address::Unix(path)) => {
                (address.clone(), Some(SocketFile { path: path.clone(), handed_over: Arc::clone(handed_over) }))
            }
            (Ear::Unix(_), Address::Tcp(_)) => return Err(ErrorKind::InvalidInput.into()),
        };
        Ok(Self { address, socket, file })
    }
}

impl Ear {
    /// A new socket of this address. `mode` is a Unix socket's, `only_v6` one of IPv6's.
    fn bind(address: &Address, mode: u32, only_v6: bool) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => {
                let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None)?;
                socket.set_reuse_address(true)?;
                if address.is_ipv6() {
                    socket.set_only_v6(only_v6)?;
                }
                socket.bind(&(*address).into())?;
                socket.set_tcp_notsent_lowat(MOST_UNSENT)?;
                listen(&socket)?;
                Ok(Self::Tcp(socket.into()))
            }
            Address::Unix(path) => {
                clear(path)?;
                let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
                socket.bind(&SockAddr::unix(path)?)?;
                // Before it listens, so that nobody can come in with the wrong mode.
                fs::set_permissions(path, Permissions::from_mode(mode))?;
                listen(&socket)?;
                Ok(Self::Unix(socket.into()))
            }
        }
    }

    fn inherited(socket: OwnedFd, only_v6: bool) -> io::Result<Self> {
        let socket = Socket::from(socket);
        let address = socket.local_addr()?;
        let is_any = address.as_socket_ipv6().is_some_and(|address| address.ip().is_unspecified());
        if is_any && socket.only_v6()? != only_v6 {
            return Err(io::Error::new(ErrorKind::AddrInUse, "IPv4 came in here until now, or did not: that takes a restart"));
        }
        listen(&socket)?;
        let is_unix = address.domain() == Domain::UNIX;
        Ok(if is_unix { Self::Unix(socket.into()) } else { Self::Tcp(socket.into()) })
    }

    fn again(&self) -> io::Result<OwnedFd> {
        match self {
            Self::Tcp(listener) => listener.try_clone().map(OwnedFd::from),
            Self::Unix(listener) => listener.try_clone().map(OwnedFd::from),
        }
    }
}

fn listen(socket: &Socket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    socket.listen(QUEUE)
}

/// Remove the socket of a process that has ended without doing so. Anything else that stands there is left alone.
fn clear(path: &Path) -> io::Result<()> {
    let there = match fs::symlink_metadata(path) {
        Ok(there) => there,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !there.file_type().is_socket() {
        return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket"));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(ErrorKind::AddrInUse, "in use: another process listens there")),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// Take one TCP address, which stands under `key`; says which it is, where port 0 was asked for.
pub(super) fn bind(key: &'static str, address: SocketAddr) -> Result<(Bound, SocketAddr), CannotListen> {
    let take = || {
        let socket = Ear::bind(&Address::Tcp(address), 0, false)?;
        let bound = Bound::new(&Address::Tcp(address), socket, &Arc::default())?;
        let taken = if let Address::Tcp(taken) = bound.address { taken } else { address };
        Ok((bound, taken))
    };
    take().map_err(|cause| CannotListen { key, address: Address::Tcp(address), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_is_named() {
        let (_first, taken) = bind("listen.admin", SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let refused = bind("listen.public", taken).unwrap_err();
        assert!(refused.to_string().starts_with(&format!("listen.public: cannot listen on {taken}: ")), "{refused}");
    }

    #[test]
    fn an_address_is_one_of_two_kinds() {
        assert_eq!("127.0.0.1:80".parse(), Ok(Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 80)))));
        assert_eq!("unix:/run/a.sock".parse(), Ok(Address::Unix("/run/a.sock".into())));
        for text in ["unix:a.sock", "unix:", "/run/a.sock", "localhost:80", "80", ""] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_lent_is_listened_on_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let settings = ListenSettings {
            public: vec![Address::Tcp(SocketAddr::from(([127, 0, 0, 1], 0)))],
            admin: Address::Unix(path.clone()),
            ..ListenSettings::default()
        };
        let first = Listeners::bind(&settings).unwrap();
        let address = first.public();
        let lent = first.lend().unwrap();
        lent.given();

        let settings = ListenSettings { public: address.clone(), ..settings };
        let second = Listeners::inherit(&settings, lent.sockets).unwrap();
        drop(first);

        assert_eq!(second.public(), address);
        assert!(UnixStream::connect(&path).is_ok());
        second.lend().unwrap().returned();
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn what_is_lent_hears_the_same_families_or_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.sock");
        let unix = Address::Unix(file.clone());
        let settings = |public| ListenSettings { public, admin: Address::Unix(folder.path().join("a.sock")), ..ListenSettings::default() };
        let first = Listeners::bind(&settings(vec![unix.clone(), "[::]:0".parse().unwrap()])).unwrap();
        let [_, both] = first.public().try_into().unwrap();
        let Address::Tcp(address) = both else { panic!("{both}") };
        let ipv4 = Address::Tcp(SocketAddr::from(([127, 0, 0, 1], address.port())));
        let lend = || first.lend().unwrap().sockets;

        let refused = Listeners::inherit(&settings(vec![unix.clone(), both.clone(), ipv4]), lend()).unwrap_err();

        assert!(refused.to_string().ends_with("takes a restart"), "{refused}");
        assert!(Listeners::inherit(&settings(vec![unix, both]), lend()).is_ok());
        assert!(file.exists(), "whoever did not come to serve has taken nothing away");
    }
}
