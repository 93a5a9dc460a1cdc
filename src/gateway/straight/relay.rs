//! One exchange: the request goes to the app, the response to the client, or words of ours in its place.

#![expect(clippy::unnecessary_box_returns, reason = "the framework's errors are boxed everywhere")]

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use pingora::http::ResponseHeader;
use pingora::protocols::http::date::get_cached_date;
use pingora::{BError, Error, ErrorType, RetryType};
use tokio::io::AsyncWrite as _;

use super::answered::{Answered, Asker, Looked};
use super::asked::{Asked, spelled};
use super::body::Unsound;
use super::idle;
use super::line::Line;
use super::tunnel::{Tunnel, Went};
use crate::gateway::alarm;
use crate::gateway::context::RequestContext;
use crate::gateway::cord::{Cord, Pulled};
use crate::gateway::phases::{No, Phases};
use crate::gateway::server::MOST_TRIES;
use crate::gateway::tls::Handshake;
use crate::gateway::upstream::{Endpoint, Trial};
use crate::gateway::wire::Wire;
use crate::gateway::{edit, exchange};

/// Room for the head of a reply of ours, in bytes: few are longer.
const ROOM: usize = 512;

/// How an exchange has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client has its answer, and may ask again.
    Kept,
    /// Its connection ends.
    Closed,
    /// Somebody pulled its cord.
    Cut,
}

/// Why it does not go on.
enum Stop {
    Failed(BError),
    Cut,
}

impl From<BError> for Stop {
    fn from(error: BError) -> Self {
        Self::Failed(error)
    }
}

/// One exchange.
pub(super) struct Relay<'a> {
    phases: &'a Phases,
    wire: &'a mut Wire,
    asked: &'a Asked,
    handshake: Option<&'a Handshake>,
    ctx: &'a mut RequestContext,
    /// The client's connection stays.
    keeps: bool,
    /// The client has the beginning of the response.
    is_answered: bool,
    /// So many bytes of its body were passed on.
    passed: usize,
    /// The connection to the app was used before.
    is_reused: bool,
    /// What ends it from outside, once it is held by its session.
    pulled: Option<Pulled>,
}

impl<'a> Relay<'a> {
    pub(super) const fn new(
        phases: &'a Phases,
        wire: &'a mut Wire,
        asked: &'a Asked,
        handshake: Option<&'a Handshake>,
        ctx: &'a mut RequestContext,
        keeps: bool,
        pulled: Option<Pulled>,
    ) -> Self {
        Self { phases, wire, asked, handshake, ctx, keeps, is_answered: false, passed: 0, is_reused: false, pulled }
    }

    /// How many bytes of a body the client got.
    pub(super) const fn passed(&self) -> usize {
        self.passed
    }

    /// Have the app answer.
    pub(super) async fn forward(&mut self) -> End {
        let mut tries = 1;
        loop {
            let error = match self.attempt().await {
                Ok(()) => return self.ends(),
                Err(Stop::Cut) => return End::Cut,
                Err(Stop::Failed(error)) => error,
            };
            if !error.retry() || tries >= MOST_TRIES {
                return self.fail(&error).await;
            }
            tries += 1;
        }
    }

    /// Answer in the place of an app.
    pub(super) async fn refuse(&mut self, no: No) -> End {
        self.ctx.admitted = None;
        self.keeps &= !no.closes();
        let reply = Phases::words(self.asked.head(), self.ctx, no);
        self.answer(reply).await
    }

    const fn ends(&self) -> End {
        if self.keeps { End::Kept } else { End::Closed }
    }

    /// It came to nothing.
    async fn fail(&mut self, error: &Error) -> End {
        self.keeps = false;
        let Some(problem) = Phases::blamed(error, self.ctx).filter(|_| !self.is_answered) else { return End::Closed };
        let reply = Phases::instead(self.asked.head(), self.ctx, problem);
        self.answer(reply).await
    }

    /// Write a reply of ours.
    async fn answer(&mut self, mut reply: Response<Bytes>) -> End {
        if let Some(hsts) = self.hsts() {
            reply.headers_mut().insert(http::header::STRICT_TRANSPORT_SECURITY, hsts.clone());
        }
        let status = reply.status();
        let (head, body) = exchange::framed(reply, self.is_head());
        let mut text = Vec::with_capacity(ROOM);
        for piece in ["HTTP/1.1 ", status.as_str(), " ", status.canonical_reason().unwrap_or_default(), "\r\n"] {
            text.extend_from_slice(piece.as_bytes());
        }
        ResponseHeader::from(head).header_to_h1_wire(&mut text);
        spelled(&mut text, b"Date", get_cached_date().as_bytes());
        spelled(&mut text, b"Connection", if self.keeps { b"keep-alive" } else { b"close" });
        text.extend_from_slice(b"\r\n");
        self.passed = body.len();
        let written = match self.write(&text, &body).await {
            Ok(()) => self.flush().await,
            Err(stop) => Err(stop),
        };
        self.ctx.outcome.status = Some(status).filter(|_| written.is_ok());
        if written.is_ok() { self.ends() } else { End::Closed }
    }

    fn hsts(&self) -> Option<&'a http::HeaderValue> {
        self.handshake.and_then(|handshake| handshake.hsts.as_ref())
    }

    fn is_head(&self) -> bool {
        self.asked.head().method == Method::HEAD
    }

    /// One try, at one address.
    async fn attempt(&mut self) -> Result<(), Stop> {
        Phases::choose(self.ctx).await?;
        let Some(endpoint) = self.ctx.endpoint().map(Arc::clone) else { return Err(internal().into()) };
        let (request, forged) = self.asked.for_app(self.ctx)?;
        if forged > 0 {
            self.phases.metrics.reserved_headers_removed(forged);
        }
        let mut line = self.line(&endpoint).await?;
        if let Some(problem) = self.phases.reaches(self.ctx).await {
            self.ctx.instead = Some(problem);
            return Err(Error::explain(ErrorType::InternalError, "the app is not asked").into());
        }
        match self.converse(&mut line, &request).await {
            Ok(keeps_line) => {
                // Some apps send a body after an answer to HEAD all the same, and it may come later.
                if keeps_line && line.heard().is_empty() && !self.is_head() {
                    idle::keep(&endpoint, line);
                }
                Ok(())
            }
            Err(Stop::Cut) => Err(Stop::Cut),
            Err(Stop::Failed(error)) => Err(self.in_vain(error).into()),
        }
    }

    fn in_vain(&mut self, error: BError) -> BError {
        let trial = Trial {
            method: &self.asked.head().method,
            is_answered: self.is_answered,
            is_whole: true,
            is_reused: self.is_reused,
            again: self.ctx.again,
            retries: self.ctx.retries(),
        };
        Phases::in_vain(trial, self.ctx, error)
    }

    /// A connection to the address: one that waits, or a new one.
    async fn line(&mut self, endpoint: &Endpoint) -> Result<Line, Stop> {
        let waiting = idle::take(endpoint, self.ctx.manner.takes_idle_for());
        self.is_reused = waiting.is_some();
        if let Some(line) = waiting {
            return Ok(line);
        }
        let most = self.ctx.admitted.as_ref().and_then(|admitted| alarm::after(admitted.route().connect_timeout));
        let mut alarm = std::mem::take(self.wire.alarm());
        let connected = alarm.within(most, Line::connect(endpoint)).await;
        *self.wire.alarm() = alarm;
        let connected = connected.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()));
        connected.map_err(|error| Phases::not_connected(self.ctx, not_connected(error)).into_up().into())
    }

    /// Ask, and pass on the answer. Whether the app's connection can be used again.
    async fn converse(&mut self, line: &mut Line, request: &[u8]) -> Result<bool, Stop> {
        self.say(line, request).await?;
        let answered = self.hear(line).await?;
        if answered.is_tunnel() {
            self.is_answered = true;
            self.write(&answered.text, &[]).await?;
            self.flush().await?;
            return self.tunnel(line).await.map(|()| false);
        }
        let Answered { mut text, mut body, keeps_line, .. } = answered;
        let is_open = body.is_open();
        loop {
            let taken = body.take(line.heard(), &mut text).map_err(unsound)?;
            self.is_answered = true;
            self.write(&text, line.heard().get(..taken.plain).unwrap_or_default()).await?;
            text.clear();
            line.done(taken.count);
            self.passed += taken.body;
            self.ctx.passed(taken.body);
            if body.is_over() {
                break;
            }
            if self.more(line, body.rest()).await? == 0 {
                body.end(&mut text).map_err(|_| closed("while reading a response's body"))?;
            }
            self.hold().await?;
        }
        self.flush().await?;
        Ok(keeps_line && !is_open)
    }

    /// From here on both ends say what they like, until one of them has left.
    async fn tunnel(&mut self, line: &mut Line) -> Result<(), Stop> {
        let most = self.ctx.admitted.as_ref().map_or(Duration::MAX, |admitted| admitted.route().write_timeout);
        let mut tunnel = Tunnel::new(self.wire, line, most);
        loop {
            let went = poll_fn(|context| {
                if is_pulled(&mut self.pulled, context) {
                    return Poll::Ready(Err(Stop::Cut));
                }
                // A connection that breaks is an end like another.
                tunnel.poll(context).map(|went| Ok(went.unwrap_or(Went::Over)))
            })
            .await;
            let passed = tunnel.passed();
            self.passed += passed;
            self.ctx.passed(passed);
            match went? {
                Went::Over => return Ok(()),
                Went::AfterSilence if Phases::is_over(self.ctx).await => return Err(Stop::Cut),
                Went::AfterSilence | Went::On => {}
            }
        }
    }

    /// Hold it by its session, if it has been under way for long. After a silence its session may have ended: then nothing more
    /// passes.
    async fn hold(&mut self) -> Result<(), Stop> {
        let (phases, pulled) = (self.phases, &mut self.pulled);
        let is_held = phases.lasts(self.asked.head(), self.ctx, || Some(cord(pulled)));
        if is_held && Phases::is_over(self.ctx).await { Err(Stop::Cut) } else { Ok(()) }
    }

    /// Send the request.
    async fn say(&mut self, line: &mut Line, request: &[u8]) -> Result<(), Stop> {
        let most = self.ctx.admitted.as_ref().and_then(|admitted| alarm::after(admitted.route().write_timeout));
        let mut alarm = std::mem::take(self.wire.alarm());
        let said = alarm.within(most, line.say(request)).await;
        *self.wire.alarm() = alarm;
        match said {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(once_more(Error::because(ErrorType::WriteError, "writing a request", error)).into()),
            None => Err(Error::explain(ErrorType::WriteTimedout, "writing a request").into_up().into()),
        }
    }

    /// The head of the response. Those before it are passed on.
    async fn hear(&mut self, line: &mut Line) -> Result<Answered, Stop> {
        let mut looked = Looked::default();
        loop {
            let asker =
                Asker { ctx: self.ctx, is_head: self.is_head(), hsts: self.hsts(), upgrades: self.asked.upgrades, keeps: self.keeps };
            let is_due = looked.is_due(line.heard());
            let answered = if is_due { Answered::read(line.heard(), &asker).map_err(unsound)? } else { None };
            match answered {
                Some(answered) if answered.is_informational() => {
                    looked = Looked::default();
                    self.ctx.interim += 1;
                    if self.ctx.interim > edit::MOST_INTERIM {
                        return Err(unsound(Unsound).into());
                    }
                    line.done(answered.length);
                    self.write(&answered.text, &[]).await?;
                    self.flush().await?;
                }
                Some(answered) => {
                    line.done(answered.length);
                    self.begins(&answered).await?;
                    return Ok(answered);
                }
                None => {
                    if self.more(line, 0).await? == 0 {
                        return Err(once_more(closed("while reading a response's head")).into());
                    }
                }
            }
        }
    }

    /// The app has begun to answer.
    async fn begins(&mut self, answered: &Answered) -> Result<(), Stop> {
        if let (Some(backend), Some(attempt)) = (&self.ctx.backend, &mut self.ctx.attempt) {
            backend.upstream.succeeded(attempt);
        }
        let (phases, pulled) = (self.phases, &mut self.pulled);
        let is_stream = answered.is_event_stream || answered.is_tunnel();
        let problem = phases.begins(self.asked.head(), is_stream, self.ctx, || Some(cord(pulled))).await;
        if let Some(problem) = problem {
            self.ctx.instead = Some(problem);
            return Err(Error::explain(ErrorType::InternalError, "the app's response is not passed on").into());
        }
        self.ctx.outcome.status = Some(answered.status);
        self.ctx.tell_stream();
        Ok(())
    }

    /// More of what the app says; 0 at its end. Meanwhile the client gets what was gathered for it, or leaves, and the session may
    /// end.
    async fn more(&mut self, line: &mut Line, rest: usize) -> Result<usize, Stop> {
        let impatient = self.ctx.admitted.as_ref().filter(|_| !self.ctx.manner.is_patient);
        let deadline = impatient.and_then(|admitted| alarm::after(admitted.route().read_timeout));
        poll_fn(|context| {
            // First: where there is always more, nobody would ask.
            if is_pulled(&mut self.pulled, context) {
                return Poll::Ready(Err(Stop::Cut));
            }
            if let Poll::Ready(read) = line.poll_more(rest, context) {
                return Poll::Ready(
                    read.map_err(|error| once_more(Error::because(ErrorType::ReadError, "reading a response", error)).into()),
                );
            }
            if let Poll::Ready(Err(error)) = Pin::new(&mut *self.wire).poll_flush(context) {
                return Poll::Ready(Err(unwritten(error)));
            }
            let is_gone = self.wire.poll_gone(context).is_ready();
            // Who waits for a stream has nothing else to ask for. Asked last: what has just come counts, and wakes nobody again.
            if is_gone || (self.ctx.manner.is_patient && self.wire.is_full()) {
                let gone = Error::explain(ErrorType::ConnectionClosed, "the client has left");
                return Poll::Ready(Err(gone.into_down().into()));
            }
            let late = || Err(Error::explain(ErrorType::ReadTimedout, "reading a response").into_up().into());
            deadline.map_or(Poll::Pending, |deadline| self.wire.alarm().poll(deadline, context).map(|()| late()))
        })
        .await
    }

    /// Write both to the client, or have them gathered.
    async fn write(&mut self, text: &[u8], data: &[u8]) -> Result<(), Stop> {
        let mut written = 0;
        poll_fn(|context| {
            while written < text.len() + data.len() {
                let (first, second) =
                    (text.get(written..).unwrap_or_default(), data.get(written.saturating_sub(text.len())..).unwrap_or_default());
                let both = [IoSlice::new(first), IoSlice::new(second)];
                match Pin::new(&mut *self.wire).poll_write_vectored(context, &both) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(unwritten(io::ErrorKind::WriteZero.into()))),
                    Poll::Ready(Ok(count)) => written += count,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(unwritten(error))),
                    Poll::Pending if is_pulled(&mut self.pulled, context) => return Poll::Ready(Err(Stop::Cut)),
                    Poll::Pending => return Poll::Pending,
                }
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    /// Let out what was gathered.
    async fn flush(&mut self) -> Result<(), Stop> {
        poll_fn(|context| match Pin::new(&mut *self.wire).poll_flush(context) {
            Poll::Ready(flushed) => Poll::Ready(flushed.map_err(unwritten)),
            Poll::Pending if is_pulled(&mut self.pulled, context) => Poll::Ready(Err(Stop::Cut)),
            Poll::Pending => Poll::Pending,
        })
        .await
    }
}

/// A cord for who holds it.
pub(super) fn cord(pulled: &mut Option<Pulled>) -> Cord {
    let cord = Cord::default();
    *pulled = Some(cord.pulled());
    cord
}

fn is_pulled(pulled: &mut Option<Pulled>, context: &mut Context<'_>) -> bool {
    pulled.as_mut().is_some_and(|pulled| pulled.as_mut().poll(context).is_ready())
}

fn internal() -> BError {
    Error::explain(ErrorType::InternalError, "a request without an address was about to be forwarded")
}

fn unsound(unsound: Unsound) -> BError {
    Error::because(ErrorType::InvalidHTTPHeader, "reading a response", unsound).into_up()
}

fn closed(at: &'static str) -> BError {
    Error::explain(ErrorType::ConnectionClosed, at).into_up()
}

/// Where a connection that was idle turns out to be dead, nothing was done yet.
fn once_more(error: BError) -> BError {
    let mut error = error.into_up();
    error.retry = RetryType::ReusedOnly;
    error
}

fn unwritten(error: io::Error) -> Stop {
    Error::because(ErrorType::WriteError, "writing a response", error).into_down().into()
}

fn not_connected(error: io::Error) -> BError {
    let kind = match error.kind() {
        io::ErrorKind::TimedOut => ErrorType::ConnectTimedout,
        io::ErrorKind::ConnectionRefused => ErrorType::ConnectRefused,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => ErrorType::ConnectNoRoute,
        _ => ErrorType::ConnectError,
    };
    Error::because(kind, "connecting", error).into_up()
}
