//! Names of upstreams, resolved by us and again in time. What a name had is used until it has something else: a resolver that
//! is out takes no app with it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pingora::protocols::l4::socket::SocketAddr as Socket;

use super::endpoint;
use crate::admission::{Address, Place};

/// A name and a port.
type Named = (String, u16);

/// Finds the addresses of a name.
#[async_trait]
pub(super) trait Resolve: Send + Sync {
    /// All of them.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// As the system does: hosts file, then DNS.
pub(super) struct System {
    /// How long an answer may take.
    pub patience: Duration,
}

#[async_trait]
impl Resolve for System {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let found = tokio::time::timeout(self.patience, tokio::net::lookup_host((host, port))).await;
        Ok(found.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??.collect())
    }
}

/// What the names of a route resolved to.
pub(super) struct Names {
    found: Mutex<HashMap<Named, Vec<SocketAddr>>>,
    wanted: Vec<Named>,
}

/// What a look at a name brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// The same as before.
    Same,
    /// Something else.
    Changed,
}

impl Names {
    /// Those among `addresses`; what `before` knows of them is known here.
    pub(super) fn new(addresses: &[Address], before: Option<&Self>) -> Self {
        let named = |address: &Address| match &address.place {
            Place::Named { host, port } => Some((host.clone(), *port)),
            Place::Fixed(_) | Place::Unix(_) => None,
        };
        let wanted: Vec<Named> = addresses.iter().filter_map(named).collect();
        let mut found = before.map(|before| before.found().clone()).unwrap_or_default();
        found.retain(|name, _| wanted.contains(name));
        Self { found: Mutex::new(found), wanted }
    }

    /// The names themselves.
    pub(super) fn all(&self) -> &[Named] {
        &self.wanted
    }

    /// Is something known of each?
    pub(super) fn are_known(&self) -> bool {
        let found = self.found();
        self.wanted.iter().all(|name| found.contains_key(name))
    }

    /// Every place of `addresses` that is known, with the address that it belongs to; each place once.
    pub(super) fn places<'a>(&self, addresses: &'a [Address]) -> Vec<(&'a Address, Socket)> {
        let found = self.found();
        let mut places: Vec<(&Address, Socket)> = Vec::new();
        for address in addresses {
            let here: Vec<Socket> = match &address.place {
                Place::Named { host, port } => found.get(&(host.clone(), *port)).into_iter().flatten().copied().map(Socket::Inet).collect(),
                place @ (Place::Fixed(_) | Place::Unix(_)) => endpoint::socket(place).into_iter().collect(),
            };
            for socket in here {
                if !places.iter().any(|(_, taken)| *taken == socket) {
                    places.push((address, socket));
                }
            }
        }
        places
    }

    /// Look a name up.
    ///
    /// # Errors
    /// When it has no address, or nobody says: what it had stays.
    pub(super) async fn look_up(&self, name: &Named, resolver: &dyn Resolve) -> io::Result<Look> {
        let mut addresses = resolver.resolve(&name.0, name.1).await?;
        if addresses.is_empty() {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        // Resolvers give them in turn; only another set is another answer.
        addresses.sort_unstable();
        addresses.dedup();
        let before = self.found().insert(name.clone(), addresses.clone());
        Ok(if before == Some(addresses) { Look::Same } else { Look::Changed })
    }

    fn found(&self) -> MutexGuard<'_, HashMap<Named, Vec<SocketAddr>>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
