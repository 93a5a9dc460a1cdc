//! The bytes of a connection, as one request after the other.
//!
//! ```text
//! head    whether it can be read in one way only, under one deadline      framing   where the body ends
//! front   reads heads, turns away what is not sound, serves the rest      Wire      what the framework reads from
//! ```
//!
//! The framework is lenient, has no deadline for a head, and keeps what it has read beyond a request. So it reads from a
//! [`Wire`]: that gives out one sound head and the bytes of its body, and nothing of what comes after.

mod framing;
mod front;
mod head;

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Buf as _, BytesMut};
use pingora::protocols::tls::SslDigest;
use pingora::protocols::{
    ALPN, GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, Stream, TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::time::timeout;

pub(super) use front::Front;

use crate::endpoint::Problem;
use framing::{Framing, Unsound};

/// How long the head of a request may take in all, from its first byte on.
const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// What is read at once.
const PIECE: usize = 8 * 1024;
/// What is kept of requests that come before the one in front of them is answered. More stays in the socket.
const MOST_AHEAD: usize = 64 * 1024;

/// A connection that gives out one request at a time.
pub(super) struct Wire {
    inner: Stream,
    /// What was read and not given out.
    buffer: BytesMut,
    /// So much of it is the head of the request that is being served.
    head: usize,
    framing: Framing,
}

impl Wire {
    /// Of a new connection.
    fn new(inner: Stream) -> Self {
        Self { inner, buffer: BytesMut::new(), head: 0, framing: Framing::Length(0) }
    }

    /// Read the next head, so that it can be given out. False where there is none: the client has closed, or was silent for
    /// `idle`.
    ///
    /// # Errors
    /// Why the request is turned away: not sound, too large, too slow.
    async fn next(&mut self, idle: Duration) -> Result<bool, Problem> {
        if !timeout(idle, self.first_byte()).await.unwrap_or(false) {
            return Ok(false);
        }
        match timeout(HEAD_DEADLINE, self.rest_of_head()).await {
            Ok(whole) => whole,
            Err(_) => Err(Problem::RequestTimeout),
        }
    }

    /// Until a head begins. Some clients end a body with an empty line that belongs to nothing (RFC 9112 §2.2).
    async fn first_byte(&mut self) -> bool {
        loop {
            while self.buffer.starts_with(b"\r\n") {
                self.buffer.advance(2);
            }
            if !self.buffer.is_empty() && self.buffer.as_ref() != b"\r" {
                return true;
            }
            if !matches!(self.more().await, Ok(1..)) {
                return false;
            }
        }
    }

    async fn rest_of_head(&mut self) -> Result<bool, Problem> {
        let mut looked_at = 0;
        loop {
            if let Some(length) = head::length(&self.buffer, looked_at)? {
                self.framing = head::read(self.buffer.get(..length).unwrap_or_default())?;
                self.head = length;
                return Ok(true);
            }
            looked_at = self.buffer.len();
            if !matches!(self.more().await, Ok(1..)) {
                return Ok(false);
            }
        }
    }

    async fn more(&mut self) -> io::Result<usize> {
        self.buffer.reserve(PIECE);
        self.inner.read_buf(&mut self.buffer).await
    }

    /// Give out what was read, as far as it is the request's.
    fn give(&mut self, out: &mut ReadBuf<'_>) -> io::Result<()> {
        let most = self.buffer.len().min(out.remaining());
        let count = if self.head > 0 {
            let count = most.min(self.head);
            self.head -= count;
            count
        } else {
            self.framing.take(self.buffer.get(..most).unwrap_or_default()).map_err(unsound)?
        };
        out.put_slice(self.buffer.get(..count).unwrap_or_default());
        self.buffer.advance(count);
        Ok(())
    }

    /// Read the body from the connection itself, and keep what is behind its end.
    fn poll_body(&mut self, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        std::task::ready!(Pin::new(&mut self.inner).poll_read(context, out))?;
        let read = out.filled().get(before..).unwrap_or_default();
        let count = self.framing.take(read).map_err(unsound)?;
        self.buffer.extend_from_slice(read.get(count..).unwrap_or_default());
        out.set_filled(before + count);
        Poll::Ready(Ok(()))
    }

    /// The request has arrived whole: what comes now is the next one's, or the client leaves.
    fn poll_ahead(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.buffer.len() < MOST_AHEAD {
            let mut piece = [0; 1024];
            let mut read = ReadBuf::new(&mut piece);
            std::task::ready!(Pin::new(&mut self.inner).poll_read(context, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.buffer.extend_from_slice(read.filled());
        }
        Poll::Pending
    }
}

fn unsound(unsound: Unsound) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, unsound)
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.head == 0 && this.framing.is_over() {
            return this.poll_ahead(context);
        }
        if !this.buffer.is_empty() {
            return Poll::Ready(this.give(out));
        }
        this.poll_body(context, out)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(context)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().inner).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[async_trait]
impl Shutdown for Wire {
    async fn shutdown(&mut self) {
        self.inner.shutdown().await;
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
