//! What belongs to one route at the edge: its upstream and its counters, made once.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::upstream::{Keepers, Trusts, Upstream};
use crate::admission::{Route, Table};
use crate::telemetry::{Metrics, RouteMetrics};

/// What the requests without a route are counted under.
pub(super) const NO_ROUTE: &str = "-";

/// One route's upstream and counters.
pub(super) struct Backend {
    /// The route's name.
    pub name: String,
    /// Where its requests go.
    pub upstream: Arc<Upstream>,
    /// What its requests count.
    pub metrics: RouteMetrics,
}

/// Those of all routes.
pub(super) struct Backends {
    by_name: HashMap<String, Arc<Backend>>,
    /// What requests count that have no route: our own endpoints, and what is refused before one is found.
    pub without: RouteMetrics,
}

impl Backends {
    /// From all routes. What those `before` know of their addresses is kept.
    pub(super) fn new(routes: &Table, trusts: &Trusts, metrics: &Arc<Metrics>, before: Option<&Self>) -> Self {
        let upstream_before = |name: &str| before.and_then(|before| before.by_name.get(name)).map(|backend| &*backend.upstream);
        let backend = |route: &Arc<Route>| {
            let upstream = Upstream::new(route, trusts, metrics, upstream_before(&route.name));
            let backend = Backend { name: route.name.clone(), upstream: Arc::new(upstream), metrics: metrics.route(&route.name) };
            (route.name.clone(), Arc::new(backend))
        };
        let backends = Self { by_name: routes.iter().map(backend).collect(), without: metrics.route(NO_ROUTE) };
        for (name, gone) in before.into_iter().flat_map(|before| &before.by_name) {
            gone.upstream.retire(backends.by_name.get(name).map(|backend| &*backend.upstream));
        }
        backends
    }

    /// Look after all upstreams, in the runtime `slow`, as long as what is returned lives.
    pub(super) fn keep(&self, slow: &Handle) -> Keepers {
        Keepers::keep(self.by_name.values().map(|backend| &backend.upstream), slow)
    }

    /// The backend of a route.
    pub(super) fn of(&self, route: &Route) -> Option<Arc<Backend>> {
        self.by_name.get(&route.name).cloned()
    }
}
