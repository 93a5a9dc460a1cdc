//! Frames of HTTP/2 as they arrive, looked at from outside: floods end their connection, heads are bounded in time and size
//! (RFC 9113 §10.5).
//!
//! The framework's library bounds what it keeps of a client, not what a client makes it do: pings, settings, resets and the like
//! cost the client nothing. So each of them is charged to its connection, and what is useful earns.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::head::LARGEST;

/// What a connection may run up before it ends, in the price of a window update.
const MOST_CREDIT: u64 = 2048;
/// What comes back every second. So 32 pings a second, or 16 resets, go on for ever; what comes to more ends.
const A_SECOND: u64 = 256;
/// What a frame costs that asks for something to be done and brings nothing.
const BUSYWORK: u64 = 8;
/// What a cancelled request costs: it may have been on its way to the app. Its head earned one `BUSYWORK`.
const CANCELLED: u64 = 16;
/// So many bytes of a body, in either direction, earn one. A gRPC client may ping for every message that it reads.
const BYTES_GIVEN: u64 = 128;
const BYTES_TAKEN: u64 = 32;
/// What the client says first (RFC 9113 §3.4).
const PREFACE: usize = 24;

const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Why a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flood {
    /// More frames came that do nothing than a client has use for.
    #[error("a flood of frames")]
    Frames,
    /// It did not begin with its settings (RFC 9113 §3.4).
    #[error("no settings")]
    Settings,
    /// A head is larger than 32 KiB.
    #[error("a head that does not end")]
    Head,
}

/// One connection's frames.
#[derive(Debug)]
pub(super) struct Frames {
    at: At,
    has_begun: bool,
    /// The bytes of a head that has begun and not ended (RFC 9113 §6.10).
    head: Option<usize>,
    credit: u64,
    /// When the credit was last added to.
    counted: Instant,
    /// When what the client is in the middle of began.
    since: Option<Instant>,
    alarm: Option<Pin<Box<Sleep>>>,
}

/// What comes next.
#[derive(Debug, Clone, Copy)]
enum At {
    /// So many bytes of the preface.
    Preface(usize),
    /// A frame's first nine bytes, of which so many were there.
    Frame { seen: usize, bytes: [u8; 9] },
    /// So many bytes of a frame; are they a body's?
    Payload { left: usize, is_body: bool },
}

const FRAME: At = At::Frame { seen: 0, bytes: [0; 9] };

impl Frames {
    /// Of a connection that begins `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self { at: At::Preface(PREFACE), has_begun: false, head: None, credit: MOST_CREDIT, counted: now, since: Some(now), alarm: None }
    }

    /// The client sent `bytes`.
    ///
    /// # Errors
    /// [`Flood`], and the connection has to end.
    pub(super) fn take(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Flood> {
        while let Some((first, rest)) = bytes.split_first() {
            bytes = match &mut self.at {
                At::Preface(left) | At::Payload { left, .. } => {
                    let count = (*left).min(bytes.len());
                    *left -= count;
                    bytes.get(count..).unwrap_or_default()
                }
                At::Frame { seen, bytes: head } => {
                    if let Some(place) = head.get_mut(*seen) {
                        *place = *first;
                    }
                    *seen += 1;
                    rest
                }
            };
            self.go_on(now)?;
        }
        Ok(())
    }

    /// The client took so many bytes.
    pub(super) fn taken(&mut self, bytes: usize) {
        self.earn(whole(bytes) / BYTES_TAKEN);
    }

    /// Ready when the client has been in the middle of something other than a body for `most`.
    pub(super) fn poll_late(&mut self, most: Duration, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = self.since.and_then(|since| since.checked_add(most)) else { return Poll::Pending };
        let alarm = self.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.deadline() != deadline {
            alarm.as_mut().reset(deadline);
        }
        alarm.as_mut().poll(context)
    }

    /// See whether something is complete, and what comes after it.
    fn go_on(&mut self, now: Instant) -> Result<(), Flood> {
        match self.at {
            At::Frame { seen: 9, bytes: [high, middle, low, kind, flags, ..] } => {
                let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
                self.frame(kind, flags, length, now)?;
                self.at = At::Payload { left: length, is_body: kind == 0 };
                return self.go_on(now);
            }
            At::Preface(0) | At::Payload { left: 0, .. } => self.at = FRAME,
            At::Preface(_) | At::Frame { .. } | At::Payload { .. } => {}
        }
        let is_between = self.head.is_none() && matches!(self.at, At::Frame { seen: 0, .. } | At::Payload { is_body: true, .. });
        self.since = if is_between { None } else { self.since.or(Some(now)) };
        Ok(())
    }

    /// A frame begins (RFC 9113 §6).
    fn frame(&mut self, kind: u8, flags: u8, length: usize, now: Instant) -> Result<(), Flood> {
        if !std::mem::replace(&mut self.has_begun, true) && (kind != 4 || flags & ACK != 0) {
            return Err(Flood::Settings);
        }
        match kind {
            0 if length > 0 || flags & END_STREAM != 0 => self.earn(whole(length) / BYTES_GIVEN),
            1 => self.earn(BUSYWORK),
            3 => self.pay(CANCELLED, now)?,
            8 => self.pay(1, now)?,
            _ => self.pay(BUSYWORK, now)?,
        }
        if kind == 1 || kind == 9 {
            let size = self.head.take().unwrap_or_default() + length;
            if size > LARGEST {
                return Err(Flood::Head);
            }
            self.head = (flags & END_HEADERS == 0).then_some(size);
        }
        Ok(())
    }

    fn earn(&mut self, credit: u64) {
        self.credit = self.credit.saturating_add(credit).min(MOST_CREDIT);
    }

    fn pay(&mut self, price: u64, now: Instant) -> Result<(), Flood> {
        let past = now.saturating_duration_since(self.counted);
        let back = u64::try_from(past.as_millis()).unwrap_or(u64::MAX).saturating_mul(A_SECOND) / 1000;
        if back > 0 {
            self.counted = now;
            self.earn(back);
        }
        self.credit = self.credit.checked_sub(price).ok_or(Flood::Frames)?;
        Ok(())
    }
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    fn begun(now: Instant) -> Frames {
        let mut frames = Frames::new(now);
        frames.take(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", now).unwrap();
        frames.take(&frame(4, 0, &[]), now).unwrap();
        frames.credit = MOST_CREDIT;
        frames
    }

    #[test]
    fn a_connection_begins_with_settings() {
        for (kind, flags) in [(6, 0), (4, 1), (1, 5)] {
            let mut frames = Frames::new(Instant::now());
            frames.take(&[0; PREFACE], Instant::now()).unwrap();
            assert_eq!(frames.take(&frame(kind, flags, &[0; 8]), Instant::now()), Err(Flood::Settings), "{kind}");
        }
    }

    /// How many of these frames may come at once.
    fn borne(one: &[u8]) -> Option<u32> {
        let now = Instant::now();
        let mut frames = begun(now);
        (0..100_000).find(|_| frames.take(one, now).is_err())
    }

    #[test]
    fn what_does_nothing_is_a_flood_and_what_does_is_none() {
        let cancelled = [frame(1, 5, b"x"), frame(3, 0, &[0; 4])].concat();
        for (one, most) in [
            (frame(6, 0, &[0; 8]), Some(256)),
            (frame(4, 0, &[]), Some(256)),
            (frame(2, 0, &[0; 5]), Some(256)),
            (frame(0, 0, &[]), Some(256)),
            (frame(200, 0, &[]), Some(256)),
            (frame(8, 0, &[0; 4]), Some(2048)),
            (frame(3, 0, &[0; 4]), Some(128)),
            (frame(1, 5, b"x"), None),
            (frame(0, 0, &[0; 1000]), None),
            (frame(0, 1, &[]), None),
        ] {
            assert_eq!(borne(&one), most, "{one:?}");
        }
        assert_eq!(borne(&cancelled), Some(255));
    }

    #[test]
    fn credit_comes_back_with_time_and_with_what_is_read() {
        let now = Instant::now();
        let mut frames = begun(now);
        let ping = frame(6, 0, &[0; 8]);
        for second in 0..100 {
            for _ in 0..32 {
                assert_eq!(frames.take(&ping, now + Duration::from_secs(second)), Ok(()));
            }
        }
        for _ in 0..10_000 {
            frames.taken(1024);
            assert_eq!(frames.take(&ping.repeat(4), now), Ok(()));
        }
    }

    #[test]
    fn a_head_has_a_size_however_it_is_cut() {
        let now = Instant::now();
        for piece in [1000, 16_000] {
            let mut frames = begun(now);
            let mut seen = piece;
            frames.take(&frame(1, 0, &vec![0; piece]), now).unwrap();
            while frames.take(&frame(9, 0, &vec![0; piece]), now).is_ok() {
                seen += piece;
            }
            assert!(seen <= LARGEST && seen + piece > LARGEST, "{seen}");
        }
    }

    #[test]
    fn only_between_frames_and_within_bodies_there_is_time() {
        let now = Instant::now();
        let whole =
            [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, &[]), frame(1, 0, b"ab"), frame(9, 4, b"c"), frame(0, 1, b"body")];
        let (bytes, mut frames) = (whole.concat(), Frames::new(now));
        // After the preface, the settings, the continuation and within the body.
        let (preface, settings) = (24, 33);
        let (head, data) = (settings + 11 + 10, settings + 11 + 10 + 9);
        for (place, byte) in bytes.iter().enumerate() {
            frames.take(&[*byte], now).unwrap();
            let seen = place + 1;
            let has_time = seen == preface || seen == settings || seen == head || seen >= data;
            assert_eq!(frames.since.is_none(), has_time, "after {seen}");
        }
    }

    #[test]
    fn a_deadline_is_that_of_what_began_first() {
        let (start, mut frames) = (Instant::now(), begun(Instant::now()));
        let head = frame(1, 0, b"ab");
        frames.take(&head[..3], start + Duration::from_secs(1)).unwrap();
        frames.take(&head[3..], start + Duration::from_secs(2)).unwrap();
        frames.take(&frame(9, 0, b"c"), start + Duration::from_secs(3)).unwrap();
        assert_eq!(frames.since, Some(start + Duration::from_secs(1)));
        frames.take(&frame(9, 4, b"c"), start + Duration::from_secs(4)).unwrap();
        assert_eq!(frames.since, None);
    }
}
