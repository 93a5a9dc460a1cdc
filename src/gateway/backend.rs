//! What belongs to one route at the edge: its upstream and its counters, made once.

use std::collections::HashMap;
use std::sync::Arc;

use super::upstream::Upstream;
use crate::admission::{Route, Table};
use crate::telemetry::{Metrics, RouteMetrics};

/// What the requests without a route are counted under.
pub(super) const NO_ROUTE: &str = "-";

/// One route's upstream and counters.
pub(super) struct Backend {
    /// The route's name.
    pub name: String,
    /// Where its requests go.
    pub upstream: Upstream,
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
    /// From all routes.
    pub(super) fn new(routes: &Table, metrics: &Metrics) -> Self {
        let backend = |route: &Arc<Route>| {
            let backend = Backend { name: route.name.clone(), upstream: Upstream::new(route), metrics: metrics.route(&route.name) };
            (route.name.clone(), Arc::new(backend))
        };
        Self { by_name: routes.iter().map(backend).collect(), without: metrics.route(NO_ROUTE) }
    }

    /// The backend of a route.
    pub(super) fn of(&self, route: &Route) -> Option<Arc<Backend>> {
        self.by_name.get(&route.name).cloned()
    }
}
