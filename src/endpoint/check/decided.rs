//! What was decided for a proxy that asked, for who counts and logs it.

use std::sync::Arc;

use crate::admission::{Refusal, Route};
use crate::endpoint::reply::No;
use crate::telemetry::Decision;

/// A decision, beside the reply that says it (`http::Extensions`).
#[derive(Debug, Clone)]
pub struct Decided {
    /// The route of what was asked for; none where there is none, or where nobody may ask.
    pub route: Option<Arc<Route>>,
    /// What was decided.
    pub decision: Decision,
    /// The fixed word of what is wrong.
    pub code: Option<&'static str>,
}

impl Decided {
    pub(super) const fn admitted() -> Self {
        Self { route: None, decision: Decision::Admitted, code: None }
    }

    pub(super) const fn refused(refusal: Refusal) -> Self {
        Self { route: None, decision: Decision::Refused, code: Some(refusal.code()) }
    }

    /// It could not be decided, or nothing could be asked.
    pub(super) fn not(no: &No) -> Self {
        let decision = if no.is_outage() { Decision::Outage } else { Decision::Refused };
        Self { route: None, decision, code: Some(no.problem.code()) }
    }
}
