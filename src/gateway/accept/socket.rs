//! A connection as it was accepted: a socket of either kind, whose small writes are gathered.
//!
//! The framework's own keeps 64 KiB for reading, which [`super::super::wire`] does itself, and writes a head and the body that
//! follows in two calls of the system; here it is one.

use std::fmt;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::os::fd::AsRawFd as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use async_trait::async_trait;
use bytes::Bytes;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{
    GetProxyDigest, GetSocketDigest, GetTimingDigest, Peek, Shutdown, SocketDigest, Ssl, TimingDigest, UniqueID, UniqueIDType,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// So much is gathered before it is written, in bytes: a head, and the body of a small response.
const GATHERED: usize = 4096;

/// The system's socket.
#[derive(Debug)]
pub(super) enum Raw {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// One end of a connection.
pub(in crate::gateway) struct Socket {
    raw: Raw,
    /// What is to be written; the first `sent` bytes of it are.
    gathered: Vec<u8>,
    sent: usize,
    /// So much may be gathered.
    room: usize,
    digest: Arc<SocketDigest>,
    /// What was read too early, to be read again.
    ahead: Bytes,
}

impl Socket {
    /// Of a new connection, whose other end is `peer`.
    pub(super) fn new(raw: Raw, peer: Option<SocketAddr>) -> Self {
        let digest = digest(&raw, peer);
        Self { raw, gathered: Vec::new(), sent: 0, room: GATHERED, digest, ahead: Bytes::new() }
    }

    /// Did it come over TCP?
    pub(super) const fn is_tcp(&self) -> bool {
        matches!(self.raw, Raw::Tcp(_))
    }

    /// The address at the other end; none at a Unix socket.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        self.digest.peer_addr().and_then(|peer| peer.as_inet()).map(std::net::SocketAddr::ip)
    }

    /// The other end speaks for somebody else, who is the peer from now on.
    pub(super) fn speaks_for(&mut self, peer: std::net::SocketAddr) {
        self.digest = digest(&self.raw, Some(peer.into()));
    }

    /// Have `bytes` read again, before anything else.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        self.ahead = bytes;
    }

    /// Gather what is written, or let it out at once: during a handshake, so that an alert arrives whatever becomes of it.
    pub(in crate::gateway) const fn gather(&mut self, gathers: bool) {
        self.room = if gathers { GATHERED } else { 0 };
    }

    /// Write what was gathered, together with `more`; says how much of `more` was written.
    fn poll_write_out(&mut self, context: &mut Context<'_>, more: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        loop {
            let waiting = self.gathered.get(self.sent..).unwrap_or_default();
            if waiting.is_empty() {
                self.all_sent();
                return if more.is_empty() { Poll::Ready(Ok(0)) } else { self.raw.poll_write_vectored(context, more) };
            }
            let all: Vec<_> = std::iter::once(IoSlice::new(waiting)).chain(more.iter().copied()).collect();
            let written = ready!(self.raw.poll_write_vectored(context, &all))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let ours = written.min(waiting.len());
            self.sent += ours;
            if written > ours {
                self.all_sent();
                return Poll::Ready(Ok(written - ours));
            }
        }
    }

    fn all_sent(&mut self) {
        self.gathered.clear();
        self.sent = 0;
    }

    /// Does so much more fit?
    fn has_room_for(&self, count: usize) -> bool {
        self.gathered.len() + count <= self.room
    }
}

fn digest(raw: &Raw, peer: Option<SocketAddr>) -> Arc<SocketDigest> {
    let digest = SocketDigest::from_raw_fd(raw.number());
    // It was made just now, so nothing is set in it.
    drop(digest.peer_addr.set(peer));
    Arc::new(digest)
}

impl Raw {
    fn number(&self) -> UniqueIDType {
        match self {
            Self::Tcp(stream) => stream.as_raw_fd(),
            Self::Unix(stream) => stream.as_raw_fd(),
        }
    }

    fn poll_read(&mut self, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, out),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, out),
        }
    }

    fn poll_write_vectored(&mut self, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
        }
    }

    fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.ahead.is_empty() {
            let read = this.raw.poll_read(context, out);
            if read.is_pending() {
                // Who waits for the other end has said what there was to say by now: the framework does not let out what it writes of
                // a body before its end. What cannot be written is told to who writes next.
                drop(Pin::new(&mut *this).poll_flush(context));
            }
            return read;
        }
        let count = this.ahead.len().min(out.remaining());
        out.put_slice(&this.ahead.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.has_room_for(bytes.len()) {
            this.gathered.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        this.poll_write_out(context, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(self: Pin<&mut Self>, context: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = pieces.iter().map(|piece| piece.len()).sum();
        if this.has_room_for(count) {
            this.gathered.reserve(count);
            for piece in pieces {
                this.gathered.extend_from_slice(piece);
            }
            return Poll::Ready(Ok(count));
        }
        this.poll_write_out(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.gathered.is_empty() {
            return Poll::Ready(Ok(()));
        }
        // A socket keeps nothing back itself.
        ready!(this.poll_write_out(context, &[]))?;
        // Who is idle holds no memory.
        this.gathered = Vec::new();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(context))?;
        self.get_mut().raw.poll_shutdown(context)
    }
}

#[async_trait]
impl Shutdown for Socket {
    async fn shutdown(&mut self) {
        // The other end may have gone first.
        drop(AsyncWriteExt::shutdown(self).await);
    }
}

impl UniqueID for Socket {
    fn id(&self) -> UniqueIDType {
        self.raw.number()
    }
}

impl Ssl for Socket {}

impl Peek for Socket {}

impl GetTimingDigest for Socket {
    fn get_timing_digest(&self) -> Vec<Option<TimingDigest>> {
        Vec::new()
    }
}

impl GetProxyDigest for Socket {
    fn get_proxy_digest(&self) -> Option<Arc<ProxyDigest>> {
        None
    }
}

impl GetSocketDigest for Socket {
    fn get_socket_digest(&self) -> Option<Arc<SocketDigest>> {
        Some(Arc::clone(&self.digest))
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("raw", &self.raw).finish_non_exhaustive()
    }
}
