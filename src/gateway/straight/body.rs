//! Where the body of a response ends (RFC 9112 §6.3), and what the client gets of it.
//!
//! Pure: what has arrived goes in, what is passed on comes out. Chunks are taken apart and made anew: what an app writes between
//! them (extensions, trailers, blanks) reaches nobody.

use std::io::Write as _;

use httparse::Status;
use memchr::memchr;

/// How the body of a response is framed, and how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// So many bytes are left.
    Length(u64),
    /// In chunks.
    Chunked(At),
    /// It ends with the connection; the client gets it in chunks.
    Open,
}

/// The place in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// Before a chunk's size.
    Size,
    /// So many bytes of data, at least one.
    Data(u64),
    /// The line's end after it.
    DataEnd,
    /// Trailers, of which so many bytes were there.
    Trailers(usize),
    /// Nothing: the body is whole.
    End,
}

/// The body cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body of the response is not sound")]
pub(super) struct Unsound;

/// What is done with bytes that have arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Taken {
    /// So many of them are done with.
    pub count: usize,
    /// So many of those, from the first on, go to the client as they are, after what was written out.
    pub plain: usize,
    /// Bytes of the body itself.
    pub body: usize,
}

/// The line of a chunk's size may be as long, and all trailers together, in bytes.
const MOST: usize = 16 * 1024;

impl Body {
    /// No body at all.
    pub(super) const NONE: Self = Self::Length(0);
    /// The beginning of a chunked body.
    pub(super) const CHUNKED: Self = Self::Chunked(At::Size);

    /// Has all of it arrived?
    pub(super) const fn is_over(self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(At::End))
    }

    /// Does it end with the connection?
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Open)
    }

    /// About how much is still to come, for who makes room.
    pub(super) fn rest(self) -> usize {
        match self {
            Self::Length(left) | Self::Chunked(At::Data(left)) => usize::try_from(left).unwrap_or(usize::MAX),
            Self::Chunked(_) | Self::Open => 0,
        }
    }

    /// Take what has arrived: what is not passed on as it is goes to `out`.
    ///
    /// # Errors
    /// [`Unsound`], for ever after.
    pub(super) fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Taken, Unsound> {
        match self {
            Self::Length(left) => {
                let count = skip(left, bytes.len());
                Ok(Taken { count, plain: count, body: count })
            }
            Self::Open => {
                chunk(bytes, out);
                Ok(Taken { count: bytes.len(), plain: 0, body: bytes.len() })
            }
            Self::Chunked(at) => at.take(bytes, out),
        }
    }

    /// The connection has ended: what belongs behind the last byte goes to `out`.
    ///
    /// # Errors
    /// [`Unsound`] where more should have come.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Unsound> {
        let Self::Open = *self else { return Err(Unsound) };
        *self = Self::NONE;
        out.extend_from_slice(LAST);
        Ok(())
    }
}

/// The last chunk, without trailers.
const LAST: &[u8] = b"0\r\n\r\n";

/// One chunk; none of nothing, which would be the last.
fn chunk(data: &[u8], out: &mut Vec<u8>) {
    if !data.is_empty() {
        // Memory takes everything.
        write!(out, "{:x}\r\n", data.len()).unwrap_or_default();
        out.extend_from_slice(data);
        out.extend_from_slice(b"\r\n");
    }
}

/// Take at most `left` of `count`.
fn skip(left: &mut u64, count: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(count);
    *left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
    taken
}

impl At {
    fn take(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<Taken, Unsound> {
        let mut taken = Taken::default();
        while let Some(count) = self.step(bytes.get(taken.count..).unwrap_or_default(), out, &mut taken.body)? {
            taken.count += count;
        }
        Ok(taken)
    }

    /// One step; `None` where it needs more, or is at the end.
    fn step(&mut self, rest: &[u8], out: &mut Vec<u8>, body: &mut usize) -> Result<Option<usize>, Unsound> {
        match self {
            Self::Size => self.size(rest),
            Self::Data(left) => {
                let count = skip(left, rest.len());
                chunk(rest.get(..count).unwrap_or_default(), out);
                *body += count;
                if *left == 0 {
                    *self = Self::DataEnd;
                }
                Ok(Some(count).filter(|count| *count > 0))
            }
            Self::DataEnd => match rest {
                [b'\r', b'\n', ..] => {
                    *self = Self::Size;
                    Ok(Some(2))
                }
                [] | [b'\r'] => Ok(None),
                _ => Err(Unsound),
            },
            Self::Trailers(seen) => {
                let Some(end) = memchr(b'\n', rest) else {
                    return if rest.len() + *seen > MOST { Err(Unsound) } else { Ok(None) };
                };
                let is_empty = rest.get(..end).is_some_and(|line| line.is_empty() || line == b"\r");
                let seen = *seen + end + 1;
                *self = if is_empty { Self::End } else { Self::Trailers(seen) };
                if is_empty {
                    out.extend_from_slice(LAST);
                }
                if seen > MOST { Err(Unsound) } else { Ok(Some(end + 1)) }
            }
            Self::End => Ok(None),
        }
    }

    fn size(&mut self, rest: &[u8]) -> Result<Option<usize>, Unsound> {
        // The parser takes a line without digits for a zero.
        if !rest.first().is_none_or(u8::is_ascii_hexdigit) {
            return Err(Unsound);
        }
        match httparse::parse_chunk_size(rest).map_err(|_| Unsound)? {
            Status::Partial if rest.len() > MOST => Err(Unsound),
            Status::Partial => Ok(None),
            Status::Complete((count, size)) => {
                *self = if size == 0 { Self::Trailers(0) } else { Self::Data(size) };
                Ok(Some(count))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What the client gets of `bytes`, which arrive in pieces of so many, and how many were taken.
    fn passed(mut body: Body, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, usize, bool), Unsound> {
        let (mut out, mut waiting, mut taken) = (Vec::new(), Vec::new(), 0);
        for piece in bytes.chunks(piece) {
            waiting.extend_from_slice(piece);
            let mut written = Vec::new();
            let done = body.take(&waiting, &mut written)?;
            out.extend(written);
            out.extend_from_slice(&waiting[..done.plain]);
            waiting.drain(..done.count);
            taken += done.count;
        }
        Ok((out, taken, body.is_over()))
    }

    /// What is in chunks, which nothing stands between.
    fn data(chunks: &[u8]) -> String {
        let (mut rest, mut data) = (std::str::from_utf8(chunks).unwrap(), String::new());
        loop {
            let (size, after) = rest.split_once("\r\n").unwrap();
            let size = usize::from_str_radix(size, 16).unwrap();
            let (chunk, after) = after.split_at(size);
            data += chunk;
            rest = after.strip_prefix("\r\n").unwrap();
            if size == 0 {
                assert_eq!(rest, "");
                return data;
            }
        }
    }

    fn chunked(bytes: &str) -> Result<String, Unsound> {
        passed(Body::CHUNKED, bytes.as_bytes(), usize::MAX).map(|(out, _, _)| String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_length_is_passed_on_as_it_is() {
        assert_eq!(passed(Body::Length(3), b"abcHTTP", 2), Ok((b"abc".to_vec(), 3, true)));
        assert_eq!(passed(Body::Length(4), b"abc", 2), Ok((b"abc".to_vec(), 3, false)));
        assert!(Body::NONE.is_over());
    }

    #[test]
    fn chunks_lose_what_stands_between_them() {
        for (came, told) in [
            ("0\r\n\r\n", "0\r\n\r\n"),
            ("3\r\nabc\r\n0\r\n\r\nHTTP/1.1", "3\r\nabc\r\n0\r\n\r\n"),
            (
                "0003;a=\"b\"\r\nabc\r\nA \r\n0123456789\r\n00\r\nSet-Cookie: a=b\r\nB: c\r\n\r\n",
                "3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n",
            ),
        ] {
            assert_eq!(chunked(came).as_deref(), Ok(told), "{came:?}");
        }
    }

    #[test]
    fn a_body_that_cannot_be_read_is_unsound() {
        for odd in ["g\r\n", "-1\r\n", "3\r\nabcd\r\n", "3\r\nabc0\r\n", "fffffffffffffffff\r\n", "\r\n", "3\nabc"] {
            assert_eq!(chunked(odd), Err(Unsound), "{odd:?}");
        }
        assert_eq!(chunked(&format!("0\r\n{}", "A: b\r\n".repeat(5000))), Err(Unsound));
        assert_eq!(chunked(&format!("0\r\nA: {}", "b".repeat(MOST))), Err(Unsound));
        assert_eq!(chunked(&format!("1;{}", "b".repeat(MOST))), Err(Unsound));
    }

    #[test]
    fn only_what_is_open_may_end_with_the_connection() {
        let mut out = Vec::new();
        let mut open = Body::Open;
        assert_eq!(open.take(b"ab", &mut out), Ok(Taken { count: 2, plain: 0, body: 2 }));
        assert_eq!(open.end(&mut out), Ok(()));
        assert_eq!((out.as_slice(), open.is_over()), (&b"2\r\nab\r\n0\r\n\r\n"[..], true));
        assert_eq!(Body::Length(1).end(&mut Vec::new()), Err(Unsound));
        let mut chunked = Body::CHUNKED;
        assert_eq!(chunked.end(&mut Vec::new()), Err(Unsound));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(chunks in prop::collection::vec("[ -~\r\n]{1,20}", 0..6), rest in "[ -~\r\n]{0,9}", piece in 1_usize..9) {
            let pieces: Vec<String> = chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect();
            let written = pieces.concat() + "0\r\n\r\n";
            let whole = format!("{written}{rest}");
            let (out, taken, is_over) = passed(Body::CHUNKED, whole.as_bytes(), piece).unwrap();
            prop_assert_eq!((taken, is_over), (written.len(), true));
            prop_assert_eq!(data(&out), chunks.concat());
        }
    }
}
