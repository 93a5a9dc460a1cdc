//! Where a request stands in a trace (W3C Trace Context, level 1): what came is gone on with under a name of our own, and where
//! nothing came, or nothing that can be read, a trace begins here.
//!
//! A stranger may say to which trace a request belongs: that is a name in logs, and opens nothing.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Names the trace, and the span that the receiver's is a child of.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// What vendors say of the trace; worth nothing without a `traceparent`.
pub(super) const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// `00-` trace `-` span `-` flags: so long is version 00, and so long is the part of later versions that we understand.
const LENGTH: usize = 55;
/// The sender may have recorded it; so are we, in the eyes of the app, which decides for itself otherwise.
const SAMPLED: u8 = 1;
const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A request's place in a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trace {
    id: [u8; 16],
    /// The sender's span.
    parent: Option<[u8; 8]>,
    /// The span that the app is told of.
    span: [u8; 8],
    flags: u8,
    /// Does somebody keep what becomes of it?
    is_recorded: bool,
    /// Nothing that could be read came: then what vendors say is of another trace.
    begins: bool,
}

/// An id of a trace, in lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TraceId([u8; 16]);

impl Trace {
    /// The place of a request with these headers. Where it begins a trace, that is called `id`; its span is called `span`.
    /// Both are random.
    pub(super) fn of(headers: &HeaderMap, id: [u8; 16], span: [u8; 8]) -> Self {
        let mut all = headers.get_all(TRACEPARENT).into_iter();
        let only = all.next().filter(|_| all.next().is_none());
        match only.and_then(|value| parent(value.as_bytes())) {
            Some((id, parent, flags)) => Self { id, parent: Some(parent), span, flags, is_recorded: false, begins: false },
            None => Self { id, parent: None, span, flags: SAMPLED, is_recorded: false, begins: true },
        }
    }

    /// Where traces are kept, this one is or is not, and the app is told so: by the sender's word if that `is_believed`, else by
    /// what was drawn.
    #[must_use]
    pub(super) fn recorded(self, is_believed: bool, is_drawn: bool) -> Self {
        let is_recorded = if is_believed && !self.begins { self.flags & SAMPLED == SAMPLED } else { is_drawn };
        Self { flags: if is_recorded { SAMPLED } else { 0 }, is_recorded, ..self }
    }

    /// Does somebody keep what becomes of it?
    pub(super) const fn is_recorded(&self) -> bool {
        self.is_recorded
    }

    /// The trace, the sender's span, ours, and the one below it that the app is told of. Ours is the other turned round: as
    /// random, and never the same.
    pub(super) fn spans(&self) -> ([u8; 16], Option<[u8; 8]>, [u8; 8], [u8; 8]) {
        (self.id, self.parent, self.span.map(|byte| !byte), self.span)
    }

    /// The name of the trace, in logs.
    pub(super) const fn id(&self) -> TraceId {
        TraceId(self.id)
    }

    /// Does it begin here, so that a `tracestate` that came belongs to no trace?
    pub(super) const fn begins(&self) -> bool {
        self.begins
    }

    /// What the app is told; always there, since hex is a sound value.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(&self.text()).ok()
    }

    /// The same as it stands on the wire.
    pub(super) fn text(&self) -> [u8; LENGTH] {
        let mut text = [b'-'; LENGTH];
        let parts: [(usize, &[u8]); 4] = [(0, &[0]), (3, &self.id), (36, &self.span), (53, &[self.flags])];
        for (place, bytes) in parts {
            let pairs = text.get_mut(place..).map(|rest| rest.as_chunks_mut::<2>().0).unwrap_or_default();
            for (pair, byte) in pairs.iter_mut().zip(bytes) {
                *pair = hex(*byte);
            }
        }
        text
    }
}

impl TraceId {
    /// As it is written.
    pub(super) fn text(self) -> [u8; 32] {
        let mut text = [b'0'; 32];
        for (pair, byte) in text.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = hex(byte);
        }
        text
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.text()).unwrap_or_default())
    }
}

/// The trace, the sender's span, and the flags of a `traceparent` (§3.2).
fn parent(text: &[u8]) -> Option<([u8; 16], [u8; 8], u8)> {
    let (version, rest) = text.split_at_checked(3)?;
    let version = byte(version.strip_suffix(b"-")?)?;
    // Version 255 is none; a later one may say more, behind another hyphen.
    let is_whole = text.len() == LENGTH || (version > 0 && text.get(LENGTH) == Some(&b'-'));
    if version == u8::MAX || !is_whole {
        return None;
    }
    let (id, rest) = rest.split_at_checked(32)?;
    let (span, rest) = rest.strip_prefix(b"-")?.split_at_checked(16)?;
    let flags = byte(rest.strip_prefix(b"-")?.get(..2)?)?;
    let (id, span) = (array::<16>(id)?, array::<8>(span)?);
    // Of the flags we know one; the others must not be sent on (§3.2.2.5.2).
    (id != [0; 16] && span != [0; 8]).then_some((id, span, flags & SAMPLED))
}

/// Bytes written as lower-case hex.
fn array<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    if pairs.len() != N {
        return None;
    }
    for (place, pair) in bytes.iter_mut().zip(pairs) {
        *place = byte(pair)?;
    }
    Some(bytes)
}

fn byte(pair: &[u8]) -> Option<u8> {
    let [high, low] = pair else { return None };
    Some(digit(*high)? << 4 | digit(*low)?)
}

const fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

fn hex(byte: u8) -> [u8; 2] {
    [byte >> 4, byte & 0xf].map(|digit| DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: [u8; 16] = [7; 16];
    const SPAN: [u8; 8] = [0xab; 8];
    const CAME: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn trace(lines: &[&str]) -> Trace {
        let headers = lines.iter().map(|line| (TRACEPARENT, HeaderValue::from_str(line).unwrap()));
        Trace::of(&headers.collect(), FRESH, SPAN)
    }

    fn told(trace: Trace) -> String {
        trace.header().unwrap().to_str().unwrap().to_owned()
    }

    #[test]
    fn a_trace_that_came_is_gone_on_with_under_our_own_span() {
        for (line, flags) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "00"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff", "01"),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "01"),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-says", "01"),
        ] {
            let trace = trace(&[line]);
            assert!(!trace.begins(), "{line}");
            assert_eq!(told(trace), format!("00-{CAME}-abababababababab-{flags}"), "{line}");
            assert_eq!(trace.id().to_string(), CAME);
        }
    }

    #[test]
    fn who_is_believed_says_what_is_recorded_and_chance_does_else() {
        let line = |flags: &str| format!("00-{CAME}-00f067aa0ba902b7-{flags}");
        for (lines, is_believed, is_drawn, is_recorded) in [
            (vec![line("01")], true, false, true),
            (vec![line("00")], true, true, false),
            (vec![line("01")], false, false, false),
            (vec![line("00")], false, true, true),
            (vec![], true, false, false),
            (vec![], true, true, true),
        ] {
            let trace = trace(&lines.iter().map(String::as_str).collect::<Vec<_>>()).recorded(is_believed, is_drawn);
            assert_eq!(trace.is_recorded(), is_recorded, "{lines:?} {is_believed} {is_drawn}");
            assert!(told(trace).ends_with(if is_recorded { "-01" } else { "-00" }), "{lines:?}");
        }
    }

    #[test]
    fn our_span_stands_between_the_senders_and_the_one_that_the_app_is_told_of() {
        let (_, parent, ours, told) = trace(&[&format!("00-{CAME}-00f067aa0ba902b7-01")]).spans();
        assert_eq!((parent, ours, told), (Some([0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7]), [0x54; 8], SPAN));
        assert_eq!(trace(&[]).spans().1, None);
    }

    #[test]
    fn what_cannot_be_read_begins_a_new_one() {
        let long = format!("00-{CAME}-00f067aa0ba902b7-01-");
        for lines in [
            &[][..],
            &[""],
            &["00"],
            &[long.as_str()],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0"],
            &["00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"],
            &["00-00000000000000000000000000000000-00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01"],
            &["00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01"],
            &["ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
            &["cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what"],
            &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"; 2],
        ] {
            let trace = trace(lines);
            assert!(trace.begins(), "{lines:?}");
            assert_eq!(told(trace), "00-07070707070707070707070707070707-abababababababab-01", "{lines:?}");
        }
    }
}
