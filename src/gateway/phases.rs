//! The way of one request through the framework's phases: each calls one step and translates its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE, STRICT_TRANSPORT_SECURITY};
use http::request::Parts;
use http::{HeaderMap, Response, StatusCode, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{BError, Error, ErrorSource, ErrorType};

use super::access;
use super::answer;
use super::client::{Caller, Connection};
use super::context::{Outcome, RequestContext};
use super::cord::{Cord, cord};
use super::exchange::Unread;
use super::flight::Flights;
use super::guard::guarded;
use super::live::Swap;
use super::record;
use super::settings::Patience;
use super::stream::{Asking, Full, LONG, LOOK, Line, Streams, Who};
use super::tls::Handshake;
use super::trace::Trace;
use super::upstream::{self, Endpoint, Failure, Nowhere, Trial};
use super::wire::Upload;
use super::{edit, exchange, head, wire};
use crate::admission::{Admitted, Challenge, Incoming, Matched, Refusal, Why};
use crate::clock::Clock;
use crate::endpoint::{Lost, Problem, Refusals};
use crate::outage::Outage;
use crate::random::{self, Entropy};
use crate::telemetry::{Decision, Metrics, Spans};

/// The client left before it had its answer.
const CLIENT_GONE: &str = "client_gone";

/// The proxy on the public listeners: what the framework calls, and what [`super::straight`] shares with it.
#[derive(Clone)]
pub(super) struct Phases {
    pub swap: Swap,
    pub metrics: Arc<Metrics>,
    pub refusals: Arc<Refusals>,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
    pub flights: Flights,
    pub streams: Streams,
    pub spans: Spans,
    pub patience: Patience,
}

#[async_trait]
impl ProxyHttp for Phases {
    type CTX = RequestContext;

    fn new_ctx(&self) -> RequestContext {
        self.begin()
    }

    /// None: nothing is compressed here.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn request_filter(&self, session: &mut Session, ctx: &mut RequestContext) -> pingora::Result<bool> {
        match guarded(self.arrive(session, ctx)).await {
            Ok(Ok(())) => Ok(ctx.admitted.is_none()),
            Ok(Err(no)) => self.answer(session, ctx, no).await,
            Err(_) => self.answer(session, ctx, No::Problem(Problem::Internal)).await,
        }
    }

    async fn upstream_peer(&self, _session: &mut Session, ctx: &mut RequestContext) -> pingora::Result<Box<HttpPeer>> {
        let manner = ctx.manner;
        Ok(Box::new(Self::choose(ctx).await?.peer(manner)))
    }

    fn fail_to_connect(&self, _session: &mut Session, _peer: &HttpPeer, ctx: &mut RequestContext, error: BError) -> BError {
        Self::not_connected(ctx, error)
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        error: BError,
        ctx: &mut RequestContext,
        is_reused: bool,
    ) -> BError {
        let trial = Trial {
            method: &session.req_header().method,
            is_answered: session.response_written().is_some_and(|head| !head.status.is_informational()),
            is_whole: !session.as_ref().retry_buffer_truncated(),
            is_reused,
            again: ctx.again,
            retries: ctx.retries(),
        };
        Self::in_vain(trial, ctx, error)
    }

    async fn upstream_request_filter(
        &self,
        session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut RequestContext,
    ) -> pingora::Result<()> {
        ctx.sent_on = 0;
        if let Some(problem) = self.reaches(ctx).await {
            ctx.instead = Some(problem);
            return Err(Error::explain(ErrorType::InternalError, "the app is not asked"));
        }
        let removed = edit::request(request, session.req_header(), ctx)?;
        if removed > 0 {
            self.metrics.reserved_headers_removed(removed);
        }
        Ok(())
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        is_last: bool,
        ctx: &mut RequestContext,
    ) -> pingora::Result<()> {
        if self.lasts(session.req_header().as_ref(), ctx, cord) && Self::is_over(ctx).await {
            return cut().await;
        }
        if session.was_upgraded() {
            // Frames of a tunnel are no body.
            return Ok(());
        }
        ctx.upload = ctx.upload.take().filter(|_| !is_last);
        if let Some(upload) = &ctx.upload {
            upload.moved(body.as_ref().map_or(0, Bytes::len));
        }
        let most = ctx.admitted.as_ref().and_then(|admitted| admitted.route().max_body);
        exchange::count(&mut ctx.sent_on, body.as_ref(), most)?;
        if is_last && body.as_ref().is_some_and(Bytes::is_empty) {
            // A last frame of HTTP/2 is often empty. The framework would write it as the chunk that ends the body, and then the
            // end: the app would take the second for its next request. To be let go when it no longer does.
            *body = None;
        }
        Ok(())
    }

    async fn response_filter(&self, session: &mut Session, response: &mut ResponseHeader, ctx: &mut RequestContext) -> pingora::Result<()> {
        let switched = response.status == StatusCode::SWITCHING_PROTOCOLS;
        ctx.interim += usize::from(response.status.is_informational());
        if !edit::is_sound(response) || ctx.interim > edit::MOST_INTERIM {
            return Err(Error::explain(ErrorType::InvalidHTTPHeader, "the head of a response is not sound").into_up());
        }
        if response.status.is_informational() && !switched {
            return edit::interim(response);
        }
        if switched && !ctx.manner.is_upgrade {
            // Nobody has asked for it; the framework would pass it on.
            return Err(Error::explain(ErrorType::InvalidHTTPHeader, "another protocol was switched to unasked").into_up());
        }
        if let (Some(backend), Some(attempt)) = (&ctx.backend, &mut ctx.attempt) {
            backend.upstream.succeeded(attempt);
        }
        let is_stream = switched || edit::is_event_stream(response.headers.get(CONTENT_TYPE));
        if let Some(problem) = self.begins(session.req_header().as_ref(), is_stream, ctx, cord).await {
            ctx.instead = Some(problem);
            return Err(Error::explain(ErrorType::InternalError, "the app's response is not passed on"));
        }
        edit::response(response, session.req_header().version, ctx)?;
        if let Some(hsts) = Handshake::of(session).and_then(|handshake| handshake.hsts.as_ref()) {
            response.insert_header(STRICT_TRANSPORT_SECURITY, hsts)?;
        }
        ctx.outcome.status = Some(response.status);
        if switched {
            // A tunnel may be silent for as long as it likes.
            session.set_read_timeout(None);
        }
        ctx.tell_stream();
        Ok(())
    }

    fn response_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut RequestContext,
    ) -> pingora::Result<Option<Duration>> {
        if !end || body.as_ref().is_some_and(|body| !body.is_empty()) {
            let was_silent = self.lasts(session.req_header().as_ref(), ctx, cord);
            ctx.asking = if was_silent { ctx.stream.as_ref().and_then(|open| open.ask()) } else { ctx.asking.take() };
        }
        ctx.passed(body.as_ref().map_or(0, Bytes::len));
        // Whoever is cut meanwhile gets none of it: the cord ends this request while it waits.
        Ok(ctx.asking.as_mut().and_then(Asking::holds_back))
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut RequestContext) -> FailToProxy {
        let begun = session.response_written().is_some_and(|head| !head.status.is_informational());
        let Some(problem) = Self::blamed(error, ctx) else {
            return FailToProxy { error_code: 0, can_reuse_downstream: false };
        };
        if begun {
            return FailToProxy { error_code: problem.status().as_u16(), can_reuse_downstream: false };
        }
        session.set_keepalive(None);
        let reply = Self::instead(session.req_header().as_ref(), ctx, problem);
        ctx.outcome.status = answer::write(session, reply).await;
        FailToProxy { error_code: problem.status().as_u16(), can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, ctx: &mut RequestContext) {
        self.tell(session.req_header().as_ref(), session.body_bytes_sent(), ctx);
        if ctx.admitted.is_some() && ctx.outcome.code.is_none() {
            // The app answered before it had read the whole upload.
            exchange::linger(session).await;
        }
    }

    /// Ours is in `fail_to_proxy`, and leaves the query out.
    fn suppress_error_log(&self, _session: &Session, _ctx: &RequestContext, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(&self, _session: &Session, _ctx: &RequestContext, _error: &Error, _context: ProxyWarnLogContext) -> bool {
        true
    }

    /// What the framework says of a request in its own lines: no target, where a query could hold a secret.
    fn request_summary(&self, _session: &Session, ctx: &RequestContext) -> String {
        ctx.request_id.clone()
    }
}

/// Why a request is answered here and not by an app.
pub(super) enum No {
    /// A decision, with the route's way of asking for credentials.
    Refused(Refusal, Challenge),
    /// The lack of one.
    Outage(Outage),
    /// Its head is not sound, or we made a mistake.
    Problem(Problem),
}

impl No {
    /// Does the connection end with it? Where the next request would begin is not sure either; or it is a handshake that must
    /// come first.
    pub(super) const fn closes(&self) -> bool {
        matches!(self, Self::Problem(_) | Self::Refused(Refusal::CertificateNeeded, _))
    }
}

impl Phases {
    /// A request begins.
    pub(super) fn begin(&self) -> RequestContext {
        RequestContext::new(self.swap.current(), self.clock.now(), self.flights.begin())
    }

    /// Head, caller, route, admission. On `Ok`, the request is admitted, or one of our endpoints has answered it.
    async fn arrive(&self, session: &mut Session, ctx: &mut RequestContext) -> Result<(), No> {
        if session.is_http2() {
            // Of HTTP/1 the wire sees to it.
            session.set_write_timeout(Some(self.patience.write));
        }
        // A client of HTTP/1.0 knows nothing that comes before its answer (RFC 9110 §15.2).
        let is_old = session.req_header().version == Version::HTTP_10;
        session.set_ignore_info_resp(is_old);
        head::unfold(session);
        let caller = self.identify(answer::connection(session), &session.req_header().headers, ctx)?;
        let arrived = self.pass_on(session, ctx, &caller).await;
        ctx.caller = Some(caller);
        arrived
    }

    /// To our endpoints, or through admission.
    async fn pass_on(&self, session: &mut Session, ctx: &mut RequestContext, caller: &Caller) -> Result<(), No> {
        head::strict(session).map_err(No::Problem)?;
        if session.is_http2() && exchange::announces_nothing(session) {
            exchange::nothing(session).await.map_err(No::Problem)?;
        }
        Self::directed(Handshake::of(session), answer::connection(session), ctx, caller)?;
        if ctx.live.endpoints.owns(session.req_header().uri.path()) {
            ctx.outcome = Outcome { decision: Decision::Own, code: None, status: None };
            let own = ctx.live.own.clone();
            let served = own.serve(session, ctx.call(caller)).await;
            ctx.outcome.status = served.status;
            if let Some(decided) = served.decided {
                ctx.decided_for_a_proxy(decided);
            }
            return Ok(());
        }
        self.decide(session, ctx, caller).await?;
        if session.is_http2() && !session.is_body_empty() && !ctx.manner.is_patient {
            let most = ctx.admitted.as_ref().map(|admitted| admitted.route().body_timeout);
            ctx.upload = most.and_then(Upload::begin);
        }
        Ok(())
    }

    /// A host that is not served under the name that the connection was made for is asked for over another one. A trusted proxy
    /// makes its connections for all hosts.
    pub(super) fn directed(handshake: Option<&Handshake>, connection: Connection, ctx: &RequestContext, caller: &Caller) -> Result<(), No> {
        let (Some(handshake), Some(tls)) = (handshake, ctx.live.tls.as_deref()) else { return Ok(()) };
        let is_proxy = ctx.live.trusted.has(connection.peer, connection.is_unix);
        let is_directed = is_proxy || tls.leads_to(handshake.name.as_deref(), &caller.client.host, ctx.live.gate.table());
        if is_directed { Ok(()) } else { Err(No::Problem(Problem::Misdirected)) }
    }

    /// The request's name, its place in a trace, and its caller.
    pub(super) fn identify(&self, connection: Connection, headers: &HeaderMap, ctx: &mut RequestContext) -> Result<Caller, No> {
        let mut caller = Caller::find(connection, headers, &ctx.live.trusted);
        let (id, span) = random::pair(self.entropy.as_ref()).map_err(|none| No::Outage(none.into()))?;
        ctx.request_id = caller.request_id.take().unwrap_or_else(|| random::name(id));
        let trace = Trace::of(headers, id, span);
        let is_believed = || ctx.live.trusted.has(connection.peer, connection.is_unix);
        ctx.trace = Some(if self.spans.is_on() { trace.recorded(is_believed(), self.spans.draws(record::chance(id))) } else { trace });
        Ok(caller)
    }

    async fn decide(&self, session: &Session, ctx: &mut RequestContext, caller: &Caller) -> Result<(), No> {
        let request = session.req_header();
        let live = Arc::clone(&ctx.live);
        let authorities = Handshake::vouched(Handshake::of(session), &live);
        let (head, request_id) = (request.as_ref(), ctx.request_id.clone());
        let incoming =
            Incoming { head, target: edit::target(request), client: &caller.client, authorities: &authorities, request_id: &request_id };
        let matched = live.gate.matched(&incoming).map_err(|refusal| No::Refused(refusal, Challenge::default()))?;
        ctx.backend = live.backends.of(matched.route());
        if exchange::announces_more(session, matched.route().max_body) {
            return Err(No::Problem(Problem::BodyTooLarge));
        }
        wire::wait_for_body(matched.route().body_timeout);
        self.admit(&incoming, &matched, ctx).await?;
        ctx.manner = edit::manner(&request.method, &request.headers);
        if ctx.manner.is_patient { self.opens(request.as_ref(), caller, ctx, cord) } else { Ok(()) }
    }

    /// It was let in, and silence is normal in it: it is held by its session from the beginning, if there is room.
    pub(super) fn opens(
        &self,
        head: &Parts,
        caller: &Caller,
        ctx: &mut RequestContext,
        cord: impl FnOnce() -> Option<Cord>,
    ) -> Result<(), No> {
        if let Some(admitted) = &ctx.admitted {
            let (who, line) = (Self::who(admitted, head, ctx, cord), Line::of(head, caller, ctx));
            let opened = self.streams.open(who, line, ctx.live.streams).map_err(|_| No::Problem(Problem::TooManyStreams));
            ctx.stream = Some(opened.inspect_err(|_| ctx.issued = admitted.issued().cloned())?);
        }
        Ok(())
    }

    /// Let it in on its route, or not.
    pub(super) async fn admit(&self, incoming: &Incoming<'_>, matched: &Matched, ctx: &mut RequestContext) -> Result<(), No> {
        let admitted = ctx.live.gate.admit(incoming, matched, ctx.now).await;
        if let Some(backend) = &ctx.backend {
            backend.metrics.admission(ctx.started.elapsed());
        }
        let admitted = admitted.map_err(|denied| {
            // The old refresh token is spent: whatever we say, the person needs the new one.
            ctx.issued = denied.issued;
            ctx.asked = ctx.live.gate.asked(incoming, matched);
            match denied.why {
                Why::Refused(refusal) => No::Refused(refusal, matched.route().challenge),
                Why::Outage(outage) => No::Outage(outage),
            }
        })?;
        ctx.outcome.decision = Decision::Admitted;
        ctx.admitted = Some(admitted);
        Ok(())
    }

    /// The address that an admitted request goes to.
    ///
    /// # Errors
    /// When there is none, or the request was never admitted.
    pub(super) async fn choose(ctx: &mut RequestContext) -> pingora::Result<&Endpoint> {
        let Some(backend) = ctx.backend.clone().filter(|_| ctx.admitted.is_some()) else {
            return Err(Error::explain(ErrorType::InternalError, "a request that was not admitted was about to be forwarded"));
        };
        let upstream = &backend.upstream;
        if ctx.place.is_none() {
            ctx.place = upstream.enter().await.map_err(nowhere)?;
        }
        let attempt = upstream.choose(|| ctx.whose(), &ctx.tried).await.map_err(nowhere)?;
        if ctx.asked_at.is_none() && ctx.trace.is_some_and(|trace| trace.is_recorded()) {
            ctx.asked_at = Some(Instant::now());
        }
        Ok(&ctx.attempt.insert(attempt).endpoint)
    }

    /// The address took no connection. The next one of the route, as long as there is one: nothing has been sent yet.
    #[expect(clippy::unnecessary_box_returns, reason = "the framework's errors are boxed everywhere")]
    pub(super) fn not_connected(ctx: &mut RequestContext, mut error: BError) -> BError {
        tracing::warn!(
            request.id = %ctx.request_id, route.name = ctx.route_name(), upstream.address = ctx.upstream(), error = error.etype().as_str(),
            "an upstream's address takes no connection"
        );
        let is_refusing = !upstream::is_unprocessed(&error);
        error.set_retry(ctx.failed_at(is_refusing.then_some(Failure::Connect)));
        error
    }

    /// It broke off. Once more, where that can do no harm: at another address, if there is one.
    #[expect(clippy::unnecessary_box_returns, reason = "the framework's errors are boxed everywhere")]
    pub(super) fn in_vain(trial: Trial<'_>, ctx: &mut RequestContext, mut error: BError) -> BError {
        let goes_again = trial.may_go_again(&error);
        if trial.is_its_fault(&error) {
            ctx.again += 1;
            if !ctx.failed_at(Some(Failure::Answer)) {
                // Where there is no other address, the same may do better the second time.
                ctx.tried.clear();
            }
        }
        error.set_retry(goes_again);
        error
    }

    /// What the client of a request is told that comes to nothing; `None` when it is gone and nobody reads it. Logged here.
    pub(super) fn blamed(error: &Error, ctx: &mut RequestContext) -> Option<Problem> {
        let Some(problem) = ctx.instead.or_else(|| blame(error)) else {
            access::failed(error, ctx);
            ctx.failed(ctx.outcome.decision, CLIENT_GONE);
            return None;
        };
        if ctx.instead.is_none() {
            access::failed(error, ctx);
        }
        let decision = if ctx.instead.is_none() { ctx.outcome.decision } else { Decision::Refused };
        ctx.failed(decision, problem.code());
        Some(problem)
    }

    /// Say what became of a request: in the log, and in the metrics.
    pub(super) fn tell(&self, head: &Parts, bytes: usize, ctx: &mut RequestContext) {
        let spent = ctx.started.elapsed();
        ctx.place = None;
        access::log(head, bytes, ctx, spent);
        record::keep(&self.spans, &head.method, ctx, spent);
        self.remember(head, ctx);
        if let Some(stream) = &mut ctx.stream {
            stream.told();
        }
        let metrics = ctx.backend.as_ref().map_or(&ctx.live.backends.without, |backend| &backend.metrics);
        metrics.request(ctx.outcome.decision, ctx.outcome.code_of_status(), spent);
    }

    /// The app's response begins: is it a stream for which there is room, and is who asked so long ago still signed in? If not,
    /// what is answered instead.
    pub(super) async fn begins(
        &self,
        head: &Parts,
        is_stream: bool,
        ctx: &mut RequestContext,
        cord: impl FnOnce() -> Option<Cord>,
    ) -> Option<Problem> {
        let (Some(admitted), Some(caller), None) = (&ctx.admitted, &ctx.caller, &ctx.stream) else { return None };
        if is_stream {
            let (who, line) = (Self::who(admitted, head, ctx, cord), Line::of(head, caller, ctx));
            return match self.streams.open(who, line, ctx.live.streams) {
                Ok(open) => {
                    ctx.stream = Some(open);
                    None
                }
                Err(Full) => Some(Problem::TooManyStreams),
            };
        }
        if admitted.claims().is_none() || ctx.started.elapsed() <= LONG {
            return None;
        }
        ctx.passed_at = Some(Instant::now());
        self.streams.is_over(admitted).await.then_some(Problem::Refused(Refusal::SessionEnded))
    }

    /// There is a connection to the app. Where it was long in coming, is who asked still signed in? If not, what is answered.
    pub(super) async fn reaches(&self, ctx: &RequestContext) -> Option<Problem> {
        let admitted = ctx.admitted.as_ref().filter(|admitted| admitted.claims().is_some())?;
        let is_over = ctx.started.elapsed() > LONG && self.streams.is_over(admitted).await;
        is_over.then_some(Problem::Refused(Refusal::SessionEnded))
    }

    /// Something of the request or of its response passes: hold it by its session, if it has been under way for long. True after a
    /// silence: its session may have ended meanwhile, and what cuts it looks now and then. So that is asked before anything passes
    /// ([`Phases::is_over`]).
    pub(super) fn lasts(&self, head: &Parts, ctx: &mut RequestContext, cord: impl FnOnce() -> Option<Cord>) -> bool {
        let (Some(admitted), Some(caller)) = (&ctx.admitted, &ctx.caller) else { return false };
        let now = Instant::now();
        if admitted.claims().is_none() || now.saturating_duration_since(ctx.started) < LONG {
            return false;
        }
        let silence = now.saturating_duration_since(ctx.passed_at.unwrap_or(ctx.started));
        if ctx.stream.is_some() {
            ctx.passed_at = Some(now);
            return silence >= LONG;
        }
        ctx.stream = Some(self.streams.hold(Self::who(admitted, head, ctx, cord), Line::of(head, caller, ctx)));
        ctx.passed_at = Some(now);
        silence > LOOK
    }

    /// Has the session of what is held ended? It is cut then.
    pub(super) async fn is_over(ctx: &RequestContext) -> bool {
        match &ctx.stream {
            Some(open) => open.is_over().await,
            None => false,
        }
    }

    /// What came to nothing can be looked up by its id.
    fn remember(&self, head: &Parts, ctx: &RequestContext) {
        let Some(code) = ctx.outcome.code.filter(|code| *code != CLIENT_GONE) else { return };
        self.refusals.remember(Lost {
            id: ctx.request_id.clone(),
            at: ctx.now,
            decision: ctx.outcome.decision.as_str(),
            code,
            status: ctx.outcome.code_of_status(),
            route: ctx.backend.as_ref().map(|backend| backend.name.clone()),
            rules: ctx.asked,
            method: head.method.to_string(),
            host: ctx.caller.as_ref().map(|caller| caller.client.host.clone()).unwrap_or_default(),
            path: head.uri.path().to_owned(),
        });
    }

    fn who(admitted: &Admitted, head: &Parts, ctx: &RequestContext, cord: impl FnOnce() -> Option<Cord>) -> Option<Who> {
        Who::of(admitted, &head.headers, &ctx.live.cookies, &ctx.request_id, cord)
    }

    /// Answer in the place of an app. The request has been answered then, so nothing goes upstream.
    async fn answer(&self, session: &mut Session, ctx: &mut RequestContext, no: No) -> pingora::Result<bool> {
        ctx.admitted = None;
        if no.closes() {
            session.set_keepalive(None);
        }
        let reply = Self::words(session.req_header().as_ref(), ctx, no);
        ctx.outcome.status = answer::write(session, reply).await;
        Ok(true)
    }

    /// Words for a request that is answered here.
    pub(super) fn words(head: &Parts, ctx: &mut RequestContext, no: No) -> Response<Bytes> {
        let endpoints = Arc::clone(&ctx.live.endpoints);
        let mut reply = match no {
            No::Refused(refusal, challenge) => {
                ctx.failed(Decision::Refused, refusal.code());
                endpoints.refused(refusal, challenge, head, &ctx.request_id)
            }
            No::Outage(outage) => {
                ctx.failed(Decision::Outage, Problem::Unavailable.code());
                endpoints.outage(outage, head, &ctx.request_id)
            }
            No::Problem(problem) => {
                ctx.failed(Decision::Refused, problem.code());
                endpoints.problem(problem, head, &ctx.request_id)
            }
        };
        for cookie in ctx.issued.iter().flat_map(|issued| edit::issued_cookies(&ctx.live.cookies, issued)) {
            reply.headers_mut().append(SET_COOKIE, cookie);
        }
        reply
    }

    /// Words for a request that was let in, and comes to nothing.
    pub(super) fn instead(head: &Parts, ctx: &RequestContext, problem: Problem) -> Response<Bytes> {
        let endpoints = &ctx.live.endpoints;
        let mut reply = match (problem, &ctx.admitted) {
            (Problem::Refused(refusal), Some(admitted)) => endpoints.refused(refusal, admitted.route().challenge, head, &ctx.request_id),
            (problem, _) => endpoints.problem(problem, head, &ctx.request_id),
        };
        if problem == Problem::Refused(Refusal::SessionEnded) {
            // This comes late: the browser's cookies may be those of the session that took this one's place (step-up), and whoever
            // has the old ones is told at the next request.
            reply.headers_mut().remove(SET_COOKIE);
            return reply;
        }
        // The old refresh token is spent, whether the app answers or not.
        for cookie in ctx.admitted.iter().filter_map(Admitted::issued).flat_map(|issued| edit::issued_cookies(&ctx.live.cookies, issued)) {
            reply.headers_mut().append(SET_COOKIE, cookie);
        }
        reply
    }
}

/// The cord of what this task serves was pulled: nothing more is done, until that ends it.
async fn cut<T>() -> T {
    std::future::pending().await
}

/// The word for a request that has to wait for others.
const BUSY: ErrorType = ErrorType::Custom("UpstreamBusy");

/// Why a request has no address, as the framework says it.
#[expect(clippy::unnecessary_box_returns, reason = "the framework's errors are boxed everywhere")]
fn nowhere(why: Nowhere) -> BError {
    let kind = match why {
        Nowhere::Busy => BUSY,
        Nowhere::NoAddress | Nowhere::Exhausted => ErrorType::ConnectNoRoute,
    };
    Error::because(kind, "choosing an address of the upstream", why).into_up()
}

/// Whose fault it is, in words for the client; `None` when the client is gone and nobody reads them.
fn blame(error: &Error) -> Option<Problem> {
    match (error.esource(), error.etype()) {
        (ErrorSource::Upstream, ErrorType::ConnectTimedout | ErrorType::ReadTimedout | ErrorType::WriteTimedout) => {
            Some(Problem::UpstreamTimeout)
        }
        (ErrorSource::Upstream, kind) if *kind == BUSY => Some(Problem::UpstreamBusy),
        (ErrorSource::Upstream, _) => Some(Problem::UpstreamFailed),
        (ErrorSource::Downstream, ErrorType::ReadTimedout) => Some(Problem::RequestTimeout),
        (ErrorSource::Downstream, ErrorType::ReadError) if exchange::unread(error) == Unread::TooSlow => Some(Problem::RequestTimeout),
        (ErrorSource::Downstream, kind) if *kind == exchange::TOO_LARGE => Some(Problem::BodyTooLarge),
        (ErrorSource::Downstream, ErrorType::InvalidHTTPHeader) => Some(Problem::Refused(Refusal::Malformed)),
        (ErrorSource::Downstream, _) if exchange::unread(error) == Unread::Unsound => Some(Problem::Refused(Refusal::Malformed)),
        (ErrorSource::Downstream, _) => None,
        (ErrorSource::Internal | ErrorSource::Unset, _) => Some(Problem::Internal),
    }
}
