//! A tunnel: whatever one end says the other gets, byte for byte, until one of them has left.
//!
//! There may be thousands, and nearly all are silent nearly always. So neither direction has a buffer of its own: what comes is
//! read onto the stack, and kept until the other end has taken it; nothing more is read meanwhile.
//!
//! Its session may end while it is silent, and what cuts it looks now and then. So after a silence whoever owns it is told before
//! anything passes.

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::time::Instant;

use super::line::Line;
use crate::gateway::alarm;
use crate::gateway::stream::LONG;
use crate::gateway::wire::Wire;

/// What is read at once.
const PIECE: usize = 8 * 1024;
/// How long an app may go on once its client has said its last word.
const PARTING: Duration = Duration::from_secs(2);

/// A tunnel.
pub(super) struct Tunnel<'a> {
    wire: &'a mut Wire,
    line: &'a mut Line,
    /// What the client has said and the app has not taken.
    said: BytesMut,
    /// The client says nothing more.
    is_mute: bool,
    /// When it ends, where the app keeps us waiting.
    until: Option<Instant>,
    /// How long the app may take until it takes something.
    most: Duration,
    /// When something was heard last, of either.
    heard_at: Instant,
    passed: usize,
}

/// What became of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// It goes on.
    On,
    /// After a silence it would: nothing was passed on yet.
    AfterSilence,
    /// It is over, and the other with it.
    Over,
}

impl<'a> Tunnel<'a> {
    /// Between these two; the app may take as long as `most` to take something.
    pub(super) fn new(wire: &'a mut Wire, line: &'a mut Line, most: Duration) -> Self {
        Self { wire, line, said: BytesMut::new(), is_mute: false, until: None, most, heard_at: Instant::now(), passed: 0 }
    }

    /// How many bytes went to the client since this was asked last.
    pub(super) const fn passed(&mut self) -> usize {
        std::mem::replace(&mut self.passed, 0)
    }

    /// Ready when one end has left, or has kept the other waiting for too long; and after a silence, before anything passes.
    ///
    /// # Errors
    /// When a connection breaks.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Went>> {
        loop {
            // In turn: one that never ends must not keep the other from being heard.
            let (up, down) = (self.poll_up(context)?, self.poll_down(context)?);
            for went in [up, down] {
                if let Poll::Ready(went @ (Went::AfterSilence | Went::Over)) = went {
                    return Poll::Ready(Ok(went));
                }
            }
            if up.is_pending() && down.is_pending() {
                return Poll::Pending;
            }
        }
    }

    /// Something was heard: how it goes on.
    fn heard(&mut self) -> Went {
        let now = Instant::now();
        let silence = now.saturating_duration_since(std::mem::replace(&mut self.heard_at, now));
        if silence < LONG { Went::On } else { Went::AfterSilence }
    }

    /// A piece of what the app says.
    fn poll_down(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Went>> {
        if self.line.heard().is_empty() {
            ready!(Pin::new(&mut *self.wire).poll_flush(context))?;
            if ready!(self.line.poll_piece(context))? == 0 {
                return Poll::Ready(Ok(Went::Over));
            }
            return Poll::Ready(Ok(self.heard()));
        }
        let count = ready!(Pin::new(&mut *self.wire).poll_write(context, self.line.heard()))?;
        if count == 0 {
            return Poll::Ready(Ok(Went::Over));
        }
        self.line.done(count);
        self.passed += count;
        if self.line.heard().is_empty() {
            self.line.rest();
        }
        Poll::Ready(Ok(Went::On))
    }

    /// A piece of what the client says.
    fn poll_up(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Went>> {
        if !self.said.is_empty() {
            return self.poll_said(context);
        }
        if self.is_mute {
            return self.poll_late(PARTING, context);
        }
        let mut piece = [const { MaybeUninit::uninit() }; PIECE];
        let mut read = ReadBuf::uninit(&mut piece);
        ready!(Pin::new(&mut *self.wire).poll_read(context, &mut read))?;
        if read.filled().is_empty() {
            self.is_mute = true;
            // Were it not taken at once, the app would hear of it when the connection ends.
            match self.line.poll_hang_up(context)? {
                Poll::Ready(()) | Poll::Pending => {}
            }
            return Poll::Ready(Ok(Went::On));
        }
        self.said.extend_from_slice(read.filled());
        Poll::Ready(Ok(self.heard()))
    }

    /// What the app has not taken yet.
    fn poll_said(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Went>> {
        let Poll::Ready(count) = self.line.poll_say(&self.said, context)? else { return self.poll_late(self.most, context) };
        self.until = None;
        self.said.advance(count);
        if self.said.is_empty() {
            self.said = BytesMut::new();
        }
        Poll::Ready(Ok(if count == 0 { Went::Over } else { Went::On }))
    }

    /// Over once the app has kept us waiting for as long as this.
    fn poll_late(&mut self, most: Duration, context: &mut Context<'_>) -> Poll<io::Result<Went>> {
        if self.until.is_none() {
            self.until = alarm::after(most);
        }
        let late = self.until.map_or(Poll::Pending, |until| self.wire.alarm().poll(until, context));
        late.map(|()| Ok(Went::Over))
    }
}
