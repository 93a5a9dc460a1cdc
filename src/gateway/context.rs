//! What one request has become so far: the state between phases.

use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use tokio::sync::OwnedSemaphorePermit;

use super::backend::Backend;
use super::client::Caller;
use super::flight::Flight;
use super::live::Live;
use super::stream::{Asking, Open};
use super::trace::Trace;
use super::upstream::{self, Attempt, Endpoint, Failure, Manner};
use super::wire::Upload;
use crate::admission::{Admitted, RuleSet};
use crate::clock::Timestamp;
use crate::endpoint::{Call, Decided, Problem};
use crate::telemetry::Decision;
use crate::token::Issued;

/// The state of one request.
pub(super) struct RequestContext {
    /// The rules that counted when it began.
    pub live: Arc<Live>,
    /// When its head was there.
    pub started: Instant,
    /// Its time: the clock is read once.
    pub now: Timestamp,
    /// Its name, in logs, in the reply and at the app.
    pub request_id: String,
    /// Its place in a trace; known together with its name.
    pub trace: Option<Trace>,
    /// Its body, while it comes by HTTP/2.
    pub upload: Option<Upload>,
    /// Who is calling; known once the head has been found sound.
    pub caller: Option<Caller>,
    /// The route's backend, once it is known.
    pub backend: Option<Arc<Backend>>,
    /// The rules that were asked about it before it was refused.
    pub asked: RuleSet,
    /// Proof that it was let in: without it nothing goes upstream.
    pub admitted: Option<Admitted>,
    /// Tokens that were made in passing for a request that is denied all the same.
    pub issued: Option<Issued>,
    /// Its place among the requests at the upstream, where their number is bounded.
    pub place: Option<OwnedSemaphorePermit>,
    /// The address that it is at.
    pub attempt: Option<Attempt>,
    /// Those that it was at in vain.
    pub tried: Vec<Arc<Endpoint>>,
    /// How often it was sent again after an upstream had broken off.
    pub again: usize,
    /// What its connection must know of it.
    pub manner: Manner,
    /// When an app was first asked; known where that is recorded.
    pub asked_at: Option<Instant>,
    /// So many bytes of its body have been sent on, in this try.
    pub sent_on: u64,
    /// How many responses came before the response itself, in all tries.
    pub interim: usize,
    /// What is answered instead of the app's response that was there already.
    pub instead: Option<Problem>,
    /// What became of it.
    pub outcome: Outcome,
    /// Held by its session: a stream, or a request that has been under way for long.
    pub stream: Option<Box<Open>>,
    /// Whether its session has ended is being asked: what passes is held back meanwhile.
    pub asking: Option<Asking>,
    /// When something of it passed, or its session was asked about, since it is under way for long.
    pub passed_at: Option<Instant>,
    _flight: Flight,
}

/// What became of a request, for the log and the metrics.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// The decision.
    pub decision: Decision,
    /// The fixed word of what went wrong.
    pub code: Option<&'static str>,
    /// What was answered; `None` when nothing was.
    pub status: Option<StatusCode>,
}

impl Outcome {
    /// The status as a number; 499 where the client was gone before there was one.
    pub(super) fn code_of_status(&self) -> u16 {
        self.status.map_or(499, |status| status.as_u16())
    }
}

impl RequestContext {
    /// At the head's arrival.
    pub(super) fn new(live: Arc<Live>, now: Timestamp, flight: Flight) -> Self {
        Self {
            live,
            started: Instant::now(),
            now,
            request_id: String::new(),
            trace: None,
            upload: None,
            caller: None,
            backend: None,
            asked: RuleSet::default(),
            admitted: None,
            issued: None,
            place: None,
            attempt: None,
            tried: Vec::new(),
            again: 0,
            manner: Manner::default(),
            asked_at: None,
            sent_on: 0,
            interim: 0,
            outcome: Outcome { decision: Decision::Refused, code: None, status: None },
            instead: None,
            stream: None,
            asking: None,
            passed_at: None,
            _flight: flight,
        }
    }

    /// What our endpoints are told.
    pub(super) fn call(&self, caller: &Caller) -> Call {
        Call { client: caller.client.clone(), peer: caller.peer, now: self.now, request_id: self.request_id.clone() }
    }

    /// The address that it is at, or was at last.
    pub(super) fn endpoint(&self) -> Option<&Arc<Endpoint>> {
        self.attempt.as_ref().map(|attempt| &attempt.endpoint)
    }

    /// The same, in words that outlive the request.
    pub(super) fn label(&self) -> Option<Arc<str>> {
        self.endpoint().map(|endpoint| Arc::clone(&endpoint.label))
    }

    /// The same, in words.
    pub(super) fn upstream(&self) -> Option<&str> {
        self.endpoint().map(|endpoint| &*endpoint.label)
    }

    /// Who asks, as a number: the session, else the client's address.
    pub(super) fn whose(&self) -> u64 {
        let session = self.admitted.as_ref().and_then(Admitted::session);
        let address = || self.caller.as_ref().map(|caller| caller.client.address.to_string()).unwrap_or_default();
        session.map_or_else(|| upstream::number(address().as_bytes()), |session| upstream::number(session.as_str().as_bytes()))
    }

    /// How often it may be sent again when an upstream has broken off.
    pub(super) fn retries(&self) -> usize {
        self.backend.as_ref().map_or(0, |backend| backend.upstream.retries())
    }

    /// The app has begun to answer: who is cut later has that in the log.
    pub(super) fn tell_stream(&mut self) {
        let (status, upstream) = (self.outcome.status, self.stream.as_ref().and_then(|_| self.label()));
        if let Some(line) = self.stream.as_mut().and_then(|open| open.line()) {
            (line.status, line.upstream) = (status, upstream);
        }
    }

    /// So many bytes of the answer's body went to the client.
    pub(super) fn passed(&mut self, bytes: usize) {
        if let Some(line) = self.stream.as_mut().and_then(|open| open.line()) {
            line.bytes = line.bytes.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }

    /// It failed at this address, which did this wrong, if anything. True when there is another to try.
    pub(super) fn failed_at(&mut self, failure: Option<Failure>) -> bool {
        let (Some(backend), Some(attempt)) = (&self.backend, &mut self.attempt) else { return false };
        if let Some(failure) = failure {
            backend.upstream.failed(attempt, failure);
            self.tried.push(Arc::clone(&attempt.endpoint));
        }
        backend.upstream.has_another(&self.tried)
    }

    /// The route's name, or a dash.
    pub(super) fn route_name(&self) -> &str {
        self.backend.as_ref().map_or("-", |backend| &backend.name)
    }

    /// A proxy that stays in front asked, and this was decided: it counts as a request of the route.
    pub(super) fn decided_for_a_proxy(&mut self, decided: Decided) {
        self.backend = decided.route.and_then(|route| self.live.backends.of(&route));
        self.outcome = Outcome { decision: decided.decision, code: decided.code, status: self.outcome.status };
    }

    /// It came to nothing, for this reason.
    pub(super) fn failed(&mut self, decision: Decision, code: &'static str) {
        self.outcome = Outcome { decision, code: Some(code), status: self.outcome.status };
    }
}
