//! How many connections there may be at once: in all, and from one client network.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::telemetry::Metrics;

/// How many connections there may be.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// In all.
    pub total: usize,
    /// From one client network.
    pub per_network: usize,
}

/// Counts connections.
#[derive(Clone)]
pub(in crate::gateway) struct Caps(Arc<Counts>);

struct Counts {
    bounds: Bounds,
    metrics: Arc<Metrics>,
    open: AtomicUsize,
    /// By client network; only those that have a connection.
    networks: Mutex<HashMap<IpAddr, usize>>,
}

/// One among those that there may be, as long as it lives.
pub(super) struct Place {
    counts: Arc<Counts>,
    among: Among,
}

enum Among {
    All,
    Those(IpAddr),
    /// It is not counted.
    None,
}

impl Caps {
    /// None yet.
    pub(in crate::gateway) fn new(bounds: Bounds, metrics: Arc<Metrics>) -> Self {
        Self(Arc::new(Counts { bounds, metrics, open: AtomicUsize::new(0), networks: Mutex::default() }))
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// A place among all; `None` when there is none left.
    pub(super) fn one_of_all(&self) -> Option<Place> {
        self.0.metrics.connections(1);
        let place = self.place(Among::All);
        if self.0.open.fetch_add(1, Ordering::Relaxed) >= self.0.bounds.total {
            self.0.metrics.connection_refused("connections");
            return None;
        }
        Some(place)
    }

    /// A place among those of a network; `None` when there is none left. Where nobody is named, and on this machine, nothing is
    /// counted.
    pub(super) fn one_of_network(&self, address: Option<IpAddr>) -> Option<Place> {
        let Some(network) = address.and_then(network) else { return Some(self.place(Among::None)) };
        let mut networks = self.0.lock();
        let open = networks.entry(network).or_default();
        if *open >= self.0.bounds.per_network {
            drop(networks);
            self.0.metrics.connection_refused("connections_per_address");
            return None;
        }
        *open += 1;
        drop(networks);
        Some(self.place(Among::Those(network)))
    }

    fn place(&self, among: Among) -> Place {
        Place { counts: Arc::clone(&self.0), among }
    }
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, network: IpAddr) {
        if let Entry::Occupied(mut open) = self.lock().entry(network) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        match self.among {
            Among::None => {}
            Among::All => {
                self.counts.metrics.connections(-1);
                self.counts.open.fetch_sub(1, Ordering::Relaxed);
            }
            Among::Those(network) => self.counts.leave(network),
        }
    }
}

/// What one client can move within: an IPv4 address, an IPv6 /64. None for this machine, which is a proxy or its operator.
fn network(address: IpAddr) -> Option<IpAddr> {
    match address.to_canonical() {
        canonical if canonical.is_loopback() => None,
        IpAddr::V4(v4) => Some(IpAddr::V4(v4)),
        IpAddr::V6(v6) => Some(IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caps(total: usize, per_network: usize) -> Caps {
        Caps::new(Bounds { total, per_network }, Arc::new(Metrics::new().unwrap()))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_place_that_is_left_can_be_taken() {
        let caps = caps(2, 1);
        let (first, second) = (caps.one_of_all().unwrap(), caps.one_of_all());
        assert!(second.is_some() && caps.one_of_all().is_none());
        assert!(caps.metrics().render().contains("doorward_connections_open 2\n"));
        drop(first);
        assert!(caps.one_of_all().is_some());
    }

    #[test]
    fn a_network_has_its_own_bound() {
        let caps = caps(9, 2);
        let held = [caps.one_of_network(Some(address("192.0.2.1"))), caps.one_of_network(Some(address("::ffff:192.0.2.1")))];
        assert!(held.iter().all(Option::is_some));
        assert!(caps.one_of_network(Some(address("192.0.2.1"))).is_none());
        assert!(caps.one_of_network(Some(address("192.0.2.2"))).is_some());
        drop(held);
        let held = [caps.one_of_network(Some(address("2001:db8::1"))), caps.one_of_network(Some(address("2001:db8::ffff:1")))];
        assert!(caps.one_of_network(Some(address("2001:db8:0:0:9::"))).is_none());
        assert!(caps.one_of_network(Some(address("2001:db8:0:1::1"))).is_some());
        drop(held);
        assert!(caps.0.lock().is_empty());
    }

    #[test]
    fn this_machine_is_not_counted() {
        let caps = caps(9, 1);
        for nobody in [Some(address("127.0.0.1")), Some(address("::1")), None] {
            let held = [caps.one_of_network(nobody), caps.one_of_network(nobody)];
            assert!(held.iter().all(Option::is_some));
        }
    }
}
