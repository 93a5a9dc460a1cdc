//! The bytes of a connection, as one request after the other.
//!
//! ```text
//! head    whether it can be read in one way only, under one deadline      framing   where the body ends
//! front   reads heads, turns away what is not sound, serves the rest      Wire      what the framework reads from
//! pace    how long the client may keep us waiting                         line      what a route says to its wire
//! frames  of HTTP/2, which the framework reads, watched from outside     upload    how long its bodies take
//! ```
//!
//! The framework is lenient, has no deadline for a head, and keeps what it has read beyond a request. So it reads from a
//! [`Wire`]: that gives out one sound head and the bytes of its body, and nothing of what comes after.
//!
//! A connection between two requests holds no buffer: what it reads stands on the stack until something has come.

mod frames;
mod framing;
mod front;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod head;
mod line;
mod pace;
mod upload;

use std::fmt;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf as _, BytesMut};
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest, UniqueID, UniqueIDType,
};
use pingora::time::timeout;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

pub(super) use front::{Front, TurnedAway};
pub(super) use line::wait_for_body;
pub(super) use upload::Upload;

use super::alarm::{self, Alarm};
use super::settings::Patience;
use crate::endpoint::Problem;
use frames::{Flood, Frames};
use framing::{Framing, Unsound};
use line::Line;
use pace::Pace;

/// What is read at once.
const PIECE: usize = 8 * 1024;
/// What is kept of requests that come before the one in front of them is answered. More stays in the socket.
const MOST_AHEAD: usize = 64 * 1024;
/// How long a client may take to read the last of what we say.
const PARTING: Duration = Duration::from_secs(2);

/// A connection that gives out one request at a time.
pub(super) struct Wire {
    inner: Stream,
    /// What was read and not given out.
    ahead: BytesMut,
    framing: Framing,
    /// How long the client has made us wait for the body.
    giving: Pace,
    /// How long it has made us wait until it took something, and how long it may.
    taking: Pace,
    most: Duration,
    line: Line,
    /// How many fields the head has that was read, where it is plain ([`head::Said`]).
    plain: Option<usize>,
    alarm: Alarm,
    /// Where it is HTTP/2, and how long a head may take there.
    frames: Option<Box<(Frames, Duration)>>,
}

impl Wire {
    /// Of a new connection.
    fn new(inner: Stream, patience: Patience) -> Self {
        let (giving, taking) = (Pace::default(), Pace::default());
        Self {
            inner,
            ahead: BytesMut::new(),
            framing: Framing::Length(0),
            giving,
            taking,
            most: patience.write,
            line: Line::default(),
            plain: None,
            alarm: Alarm::default(),
            frames: None,
        }
    }

    /// Of a connection that speaks HTTP/2: others read it, and its client may be neither slow nor a flood all the same.
    fn through(inner: Stream, patience: Patience) -> Self {
        let frames = Some(Box::new((Frames::new(Instant::now()), patience.head)));
        Self { framing: Framing::Tunnel, frames, ..Self::new(inner, patience) }
    }

    /// The head of the first request: it begins at once, for all that it has one deadline. None where there is none.
    ///
    /// # Errors
    /// Why the request is turned away: not sound, too large, too slow.
    async fn first(&mut self, patience: Patience) -> Result<Option<BytesMut>, Problem> {
        let mut alarm = std::mem::take(&mut self.alarm);
        let head = alarm.within(alarm::after(patience.head), self.head()).await;
        self.alarm = alarm;
        match head {
            Some(head) => head,
            None if self.ahead.is_empty() => Ok(None),
            None => Err(Problem::RequestTimeout),
        }
    }

    /// The head of the next request. None where there is none: the client has closed, or was silent for too long.
    ///
    /// # Errors
    /// Those of [`Wire::first`].
    async fn next(&mut self, patience: Patience) -> Result<Option<BytesMut>, Problem> {
        self.line.forget_route();
        self.giving.reset();
        if self.ahead.is_empty() {
            // Its memory, too.
            self.ahead = BytesMut::new();
        }
        let mut alarm = std::mem::take(&mut self.alarm);
        let begins = alarm.within(alarm::after(patience.idle), self.begins()).await.unwrap_or(false);
        let head = if begins { alarm.within(alarm::after(patience.head), self.head()).await } else { Some(Ok(None)) };
        self.alarm = alarm;
        head.unwrap_or(Err(Problem::RequestTimeout))
    }

    /// Until a head begins; false where none does. Some clients end a body with an empty line that belongs to nothing
    /// (RFC 9112 §2.2).
    async fn begins(&mut self) -> bool {
        loop {
            while self.ahead.starts_with(b"\r\n") {
                self.ahead.advance(2);
            }
            if !self.ahead.is_empty() && self.ahead.as_ref() != b"\r" {
                return true;
            }
            if !matches!(self.more().await, Ok(1..)) {
                return false;
            }
        }
    }

    async fn head(&mut self) -> Result<Option<BytesMut>, Problem> {
        if !self.begins().await {
            return Ok(None);
        }
        let mut looked_at = 0;
        loop {
            if let Some(length) = head::length(&self.ahead, looked_at)? {
                let said = head::read(self.ahead.get(..length).unwrap_or_default())?;
                (self.framing, self.plain) = (said.framing, said.plain);
                return Ok(Some(self.take(length)));
            }
            looked_at = self.ahead.len();
            if !matches!(self.more().await, Ok(1..)) {
                return Ok(None);
            }
        }
    }

    /// The first bytes of what was read: without a copy, and where they are all of it, without a share in it.
    fn take(&mut self, length: usize) -> BytesMut {
        if self.ahead.len() == length { std::mem::take(&mut self.ahead) } else { self.ahead.split_to(length) }
    }

    async fn more(&mut self) -> io::Result<usize> {
        std::future::poll_fn(|context| self.poll_more(context)).await
    }

    /// Read on; how many bytes came.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut piece = [const { MaybeUninit::uninit() }; PIECE];
        let mut read = ReadBuf::uninit(&mut piece);
        ready!(Pin::new(&mut self.inner).poll_read(context, &mut read))?;
        self.ahead.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Give out what was read, as far as it is the request's.
    fn give(&mut self, out: &mut ReadBuf<'_>) -> io::Result<()> {
        let most = self.ahead.len().min(out.remaining());
        let count = self.framing.take(self.ahead.get(..most).unwrap_or_default()).map_err(unsound)?;
        out.put_slice(self.ahead.get(..count).unwrap_or_default());
        self.ahead.advance(count);
        if self.ahead.is_empty() {
            // Its memory, too: a tunnel may be silent for days after it.
            self.ahead = BytesMut::new();
        }
        Ok(())
    }

    /// Read the body from the connection itself, and keep what is behind its end.
    fn poll_body(&mut self, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, out);
        if read.is_pending() && self.is_late(context) {
            return Poll::Ready(Err(late()));
        }
        ready!(read)?;
        let read = out.filled().get(before..).unwrap_or_default();
        self.giving.moved(read.len());
        if let Some((frames, _)) = self.frames.as_deref_mut() {
            frames.take(read, Instant::now()).map_err(ended)?;
        }
        let count = self.framing.take(read).map_err(unsound)?;
        self.ahead.extend_from_slice(read.get(count..).unwrap_or_default());
        out.set_filled(before + count);
        Poll::Ready(Ok(()))
    }

    /// Has the client made us wait too long for the body, or for a head in frames? A tunnel may be silent for as long as it
    /// likes.
    fn is_late(&mut self, context: &mut Context<'_>) -> bool {
        if let Some((frames, most)) = self.frames.as_deref_mut() {
            return frames.poll_late(*most, context).is_ready();
        }
        self.framing != Framing::Tunnel && self.giving.poll_late(self.line.body(), context).is_ready()
    }

    /// Count the time that a write takes, and end it when there is none left.
    fn watch(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Pending if self.taking.poll_late(self.most, context).is_ready() => return Poll::Ready(Err(late())),
            Poll::Ready(Ok(count)) => {
                self.taking.moved(*count);
                if let Some((frames, _)) = self.frames.as_deref_mut() {
                    frames.taken(*count);
                }
            }
            Poll::Pending | Poll::Ready(Err(_)) => {}
        }
        written
    }

    /// Ready when the client has left. The request has arrived whole, and what comes is kept.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.poll_ahead(context).map(|_| ())
    }

    /// Has the client sent so much ahead that nobody reads on, and nobody would see it leave?
    pub(super) fn is_full(&self) -> bool {
        self.ahead.len() >= MOST_AHEAD
    }

    /// The one timer of this connection, for whoever waits for it or for its request.
    pub(super) const fn alarm(&mut self) -> &mut Alarm {
        &mut self.alarm
    }

    /// The request has arrived whole: what comes now is the next one's, or the client leaves.
    fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.ahead.len() < MOST_AHEAD {
            if ready!(self.poll_more(context))? == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Pending
    }
}

fn unsound(unsound: Unsound) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, unsound)
}

/// The framework only hears that the connection is no more.
fn ended(flood: Flood) -> io::Error {
    tracing::info!(cause = %flood, "a connection of HTTP/2 was ended: {flood}");
    io::Error::new(io::ErrorKind::InvalidData, flood)
}

/// The client has made us wait too long.
fn late() -> io::Error {
    io::ErrorKind::TimedOut.into()
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.framing.is_over() {
            return this.poll_ahead(context);
        }
        if !this.ahead.is_empty() {
            return Poll::Ready(this.give(out));
        }
        this.poll_body(context, out)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write(context, bytes);
        this.watch(context, written)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.inner).poll_flush(context).map_ok(|()| 0);
        this.watch(context, flushed).map_ok(|_| ())
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.inner).poll_write_vectored(context, pieces);
        this.watch(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[async_trait]
impl Shutdown for Wire {
    async fn shutdown(&mut self) {
        // A client that takes nothing is not waited for again.
        drop(timeout(PARTING, self.inner.shutdown()).await);
    }
}

impl UniqueID for Wire {
    fn id(&self) -> UniqueIDType {
        self.inner.id()
    }
}

impl Ssl for Wire {
    fn get_ssl_digest(&self) -> Option<Arc<SslDigest>> {
        self.inner.get_ssl_digest()
    }

    fn selected_alpn_proto(&self) -> Option<ALPN> {
        self.inner.selected_alpn_proto()
    }
}

impl Peek for Wire {}

impl GetTimingDigest for Wire {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        self.inner.get_timing_digest()
    }
}

impl GetProxyDigest for Wire {
    fn get_proxy_digest(&self) -> Option<Arc<pingora::protocols::raw_connect::ProxyDigest>> {
        self.inner.get_proxy_digest()
    }
}

impl GetSocketDigest for Wire {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        self.inner.get_socket_digest()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("framing", &self.framing).finish_non_exhaustive()
    }
}
