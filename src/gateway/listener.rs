//! Our addresses, taken before anything starts: an address that is taken already is one clear error, not a process that lives
//! on without ears. (The framework binds inside a service, and panics there.)

use std::net::{SocketAddr, TcpListener};

use super::ListenSettings;

/// An address that we cannot listen on.
#[derive(Debug, thiserror::Error)]
#[error("{key}: cannot listen on {address}: {cause}")]
pub struct CannotListen {
    /// The key that names it.
    pub key: &'static str,
    /// The address.
    pub address: SocketAddr,
    /// The system's words.
    pub cause: std::io::Error,
}

/// An address that is ours, and listens already.
#[derive(Debug)]
pub(super) struct Bound {
    /// The address, with the port that the system chose where 0 was asked for.
    pub address: SocketAddr,
    /// Its socket.
    pub socket: TcpListener,
}

/// All our addresses.
#[derive(Debug)]
pub struct Listeners {
    pub(super) public: Vec<Bound>,
    pub(super) admin: Bound,
}

impl Listeners {
    /// Take the addresses of the section.
    ///
    /// # Errors
    /// [`CannotListen`] with the first that is not to be had.
    pub fn bind(settings: &ListenSettings) -> Result<Self, CannotListen> {
        let public = settings.public.iter().map(|address| bind("listen.public", *address)).collect::<Result<_, _>>()?;
        Ok(Self { public, admin: bind("listen.admin", settings.admin)? })
    }

    /// Where proxied traffic and our own endpoints are.
    pub fn public(&self) -> Vec<SocketAddr> {
        self.public.iter().map(|bound| bound.address).collect()
    }

    /// Where health, readiness and metrics are.
    pub fn admin(&self) -> SocketAddr {
        self.admin.address
    }
}

/// Take one address, which stands under `key`.
pub(super) fn bind(key: &'static str, address: SocketAddr) -> Result<Bound, CannotListen> {
    let take = || {
        let socket = TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        Ok(Bound { address: socket.local_addr()?, socket })
    };
    take().map_err(|cause| CannotListen { key, address, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_is_named() {
        let first = bind("listen.admin", SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let refused = bind("listen.public", first.address).unwrap_err();
        assert!(refused.to_string().starts_with(&format!("listen.public: cannot listen on {}: ", first.address)), "{refused}");
    }
}
