//! A connection to an app, in plain TCP or through a Unix socket.

use std::io;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use pingora::protocols::l4::ext::set_tcp_keepalive;
use pingora::protocols::l4::socket::SocketAddr;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::gateway::upstream::{Endpoint, PROBES};

/// What is read at once: of a head, and of a body at most.
const PIECE: usize = 8 * 1024;
const MOST: usize = 64 * 1024;

/// A connection to an app.
pub(super) struct Line {
    socket: Plain,
    read: BytesMut,
}

enum Plain {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Line {
    /// A new one.
    pub(super) async fn connect(endpoint: &Endpoint) -> io::Result<Self> {
        let socket = match endpoint.socket() {
            SocketAddr::Inet(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                set_tcp_keepalive(&stream, &PROBES).map_err(io::Error::other)?;
                Plain::Tcp(stream)
            }
            SocketAddr::Unix(address) => {
                let path = address.as_pathname().ok_or(io::ErrorKind::AddrNotAvailable)?;
                Plain::Unix(UnixStream::connect(path).await?)
            }
        };
        Ok(Self { socket, read: BytesMut::new() })
    }

    /// Send a request.
    pub(super) async fn say(&mut self, request: &[u8]) -> io::Result<()> {
        // A socket keeps nothing back itself.
        self.socket.write_all(request).await
    }

    /// What has arrived.
    pub(super) fn heard(&self) -> &[u8] {
        &self.read
    }

    /// So much of it is done with.
    pub(super) fn done(&mut self, count: usize) {
        self.read.advance(count.min(self.read.len()));
    }

    /// Read on; how many bytes came. About `rest` are expected.
    pub(super) fn poll_more(&mut self, rest: usize, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.read.capacity() - self.read.len() < PIECE {
            self.read.reserve(rest.clamp(PIECE, MOST));
        }
        pin!(self.socket.read_buf(&mut self.read)).poll(context)
    }

    /// Read on, and hold no memory as long as nothing comes.
    pub(super) fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut piece = [const { MaybeUninit::uninit() }; PIECE];
        let mut read = ReadBuf::uninit(&mut piece);
        ready!(Pin::new(&mut self.socket).poll_read(context, &mut read))?;
        self.read.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    }

    /// Say as much of this as is taken at once; how much that was.
    pub(super) fn poll_say(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    /// Say that nothing more comes.
    pub(super) fn poll_hang_up(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    /// It holds no memory while nobody uses it.
    pub(super) fn rest(&mut self) {
        self.read = BytesMut::new();
    }

    /// Has nothing happened on it? An app that speaks unasked, or has hung up, is not asked again on this connection.
    pub(super) fn is_quiet(&self) -> bool {
        // The system is asked: what the runtime knows is as old as its last look at all sockets, and what came since would be taken
        // for the answer to somebody else's request.
        let mut byte = [0_u8];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        let waiting = match &self.socket {
            Plain::Tcp(stream) => recv(stream, &mut byte, flags).map(drop),
            Plain::Unix(stream) => recv(stream, &mut byte, flags).map(drop),
        };
        self.read.is_empty() && waiting == Err(Errno::AGAIN)
    }
}

impl AsyncRead for Plain {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, out),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, out),
        }
    }
}

impl AsyncWrite for Plain {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::time::{Duration, Instant};

    use super::*;

    fn line(socket: Plain) -> Line {
        Line { socket, read: BytesMut::new() }
    }

    /// The runtime looks at its sockets when a task waits, and none does here between the app's bytes and the question.
    #[tokio::test]
    async fn what_an_app_said_a_moment_ago_is_heard_before_the_runtime_knows_of_it() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let unix = line(Plain::Unix(UnixStream::from_std(ours).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let tcp = line(Plain::Tcp(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap()));
        let (mut accepted, _) = listener.accept().unwrap();
        assert!(unix.is_quiet() && tcp.is_quiet());

        (&theirs).write_all(b"H").unwrap();
        accepted.write_all(b"H").unwrap();

        assert!(!unix.is_quiet());
        let deadline = Instant::now() + Duration::from_secs(5);
        while tcp.is_quiet() {
            assert!(Instant::now() < deadline, "the byte was not seen");
            std::thread::yield_now();
        }
    }

    #[tokio::test]
    async fn a_connection_that_its_app_has_closed_is_not_quiet() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let line = line(Plain::Unix(UnixStream::from_std(ours).unwrap()));
        assert!(line.is_quiet());

        drop(theirs);

        assert!(!line.is_quiet());
    }
}
