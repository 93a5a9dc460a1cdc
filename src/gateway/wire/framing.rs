//! Where the body of a request ends, decided byte by byte and in one way (RFC 9112 §§6, 7.1).
//!
//! Pure: it is fed what arrives, and says how much of it belongs to the request. What is behind the end is another request's,
//! and nobody else gets to see it before that one's head was read.

/// How the rest of a request is framed, and how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// In chunks.
    Chunked(Chunks),
    /// A handshake for another protocol: whatever comes belongs to it.
    Tunnel,
}

/// The body cannot be read in one way only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the framing of the body is not sound")]
pub(super) struct Unsound;

/// The place in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunks {
    at: At,
    /// Bytes that are neither data nor framing: extensions and trailers.
    extra: usize,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// A digit of a chunk's size; so many were there.
    Size { digits: u8, size: u64 },
    /// A chunk's extension.
    Extension { size: u64 },
    /// The line feed after a chunk's size.
    SizeEnd { size: u64 },
    /// So many bytes of data, at least one.
    Data(u64),
    /// The carriage return after the data.
    DataReturn,
    /// The line feed after it.
    DataEnd,
    /// A trailer, or the empty line.
    Line,
    /// A trailer's name.
    Name,
    /// Its value.
    Value,
    /// The line feed after it.
    ValueEnd,
    /// The line feed of the empty line.
    LastEnd,
    /// Nothing: the body is whole.
    End,
}

/// Bytes of extensions and trailers in one body, at most.
const MOST_EXTRA: usize = 16 * 1024;
/// Digits of a chunk's size, at most: no size overflows.
const MOST_DIGITS: u8 = 15;

impl Framing {
    /// The beginning of a chunked body.
    pub(super) const CHUNKED: Self = Self::Chunked(Chunks { at: At::Size { digits: 0, size: 0 }, extra: 0 });

    /// Has everything arrived that belongs to the request?
    pub(super) const fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunks { at: At::End, .. }))
    }

    /// How many of `bytes`, from the first on, belong to the request. Fewer than all only where it ends among them.
    ///
    /// # Errors
    /// [`Unsound`], for ever after.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<usize, Unsound> {
        match self {
            Self::Tunnel => Ok(bytes.len()),
            Self::Length(left) => Ok(skip(left, bytes.len())),
            Self::Chunked(chunks) => chunks.take(bytes),
        }
    }
}

/// Take at most `left` of `count`.
fn skip(left: &mut u64, count: usize) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(count);
    *left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
    taken
}

impl Chunks {
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Unsound> {
        let mut taken = 0;
        while let Some(byte) = bytes.get(taken) {
            match &mut self.at {
                At::End => break,
                At::Data(left) => {
                    taken += skip(left, bytes.len() - taken);
                    if *left == 0 {
                        self.at = At::DataReturn;
                    }
                }
                at => {
                    let next = at.after(*byte)?;
                    self.extra += usize::from(next.is_extra());
                    self.at = next;
                    taken += 1;
                }
            }
        }
        if self.extra > MOST_EXTRA { Err(Unsound) } else { Ok(taken) }
    }
}

impl At {
    /// What comes after `byte`.
    fn after(self, byte: u8) -> Result<Self, Unsound> {
        match (self, byte) {
            (Self::Size { digits, size }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if digits < MOST_DIGITS => {
                Ok(Self::Size { digits: digits + 1, size: size * 16 + u64::from(digit(byte)) })
            }
            (Self::Size { digits: 1.., size } | Self::Extension { size }, b'\r') => Ok(Self::SizeEnd { size }),
            (Self::Size { digits: 1.., size }, b';') => Ok(Self::Extension { size }),
            (Self::Extension { size }, byte) if is_text(byte) => Ok(Self::Extension { size }),
            (Self::SizeEnd { size: 0 } | Self::ValueEnd, b'\n') => Ok(Self::Line),
            (Self::SizeEnd { size }, b'\n') => Ok(Self::Data(size)),
            (Self::DataReturn, b'\r') => Ok(Self::DataEnd),
            (Self::DataEnd, b'\n') => Ok(Self::Size { digits: 0, size: 0 }),
            (Self::Line, b'\r') => Ok(Self::LastEnd),
            (Self::LastEnd, b'\n') => Ok(Self::End),
            (Self::Line | Self::Name, byte) if super::head::is_token_byte(byte) => Ok(Self::Name),
            (Self::Name, b':') => Ok(Self::Value),
            (Self::Value, b'\r') => Ok(Self::ValueEnd),
            (Self::Value, byte) if is_text(byte) => Ok(Self::Value),
            _ => Err(Unsound),
        }
    }

    const fn is_extra(self) -> bool {
        matches!(self, Self::Extension { .. } | Self::Name | Self::Value)
    }
}

const fn digit(byte: u8) -> u8 {
    match byte {
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => byte.wrapping_sub(b'0'),
    }
}

/// What may stand in a field's value or an extension: no control character but a tab.
pub(super) const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How much of `bytes` is the body, fed in pieces of `piece` bytes; `None` where it is not over.
    fn body(mut framing: Framing, bytes: &[u8], piece: usize) -> Result<Option<usize>, Unsound> {
        let mut taken = 0;
        while !framing.is_over() && taken < bytes.len() {
            let end = bytes.len().min(taken + piece);
            taken += framing.take(&bytes[taken..end])?;
        }
        Ok(framing.is_over().then_some(taken))
    }

    fn chunked(bytes: &str) -> Result<Option<usize>, Unsound> {
        body(Framing::CHUNKED, bytes.as_bytes(), usize::MAX >> 1)
    }

    #[test]
    fn a_length_is_a_length() {
        assert_eq!(body(Framing::Length(3), b"abcGET", 2), Ok(Some(3)));
        assert_eq!(body(Framing::Length(3), b"ab", 2), Ok(None));
        assert_eq!(body(Framing::Length(0), b"GET", 2), Ok(Some(0)));
        assert!(!Framing::Tunnel.is_over());
    }

    #[test]
    fn chunks_end_where_they_say() {
        for whole in [
            "0\r\n\r\n",
            "3\r\nabc\r\n0\r\n\r\n",
            "0003;name=\"va lue\";x\r\nabc\r\nA\r\n0123456789\r\n000\r\nTrailer: x y\r\nB:\r\n\r\n",
            "a\r\n0\r\n\r\nGET /\r\n0\r\n\r\n",
        ] {
            assert_eq!(chunked(&format!("{whole}GET / HTTP/1.1")), Ok(Some(whole.len())), "{whole:?}");
            assert_eq!(body(Framing::CHUNKED, whole.as_bytes(), 1), Ok(Some(whole.len())), "{whole:?}");
            assert_eq!(body(Framing::CHUNKED, &whole.as_bytes()[..whole.len() - 1], 1000), Ok(None), "{whole:?}");
        }
    }

    #[test]
    fn what_others_read_leniently_is_refused() {
        for odd in [
            "3\nabc\r\n0\r\n\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "3\r\nabcd\r\n0\r\n\r\n",
            "3 \r\nabc\r\n0\r\n\r\n",
            " 3\r\nabc\r\n0\r\n\r\n",
            "+3\r\nabc\r\n0\r\n\r\n",
            "-3\r\nabc\r\n0\r\n\r\n",
            "0x3\r\nabc\r\n0\r\n\r\n",
            "3;a\nb\r\nabc\r\n0\r\n\r\n",
            "3;a\rb\r\nabc\r\n0\r\n\r\n",
            "3;\0\r\nabc\r\n0\r\n\r\n",
            "\r\n3\r\nabc\r\n0\r\n\r\n",
            ";x\r\n",
            "0000000000000003\r\nabc\r\n0\r\n\r\n",
            "ffffffffffffffff\r\n",
            "0\r\nTrailer : x\r\n\r\n",
            "0\r\n folded\r\n\r\n",
            "0\r\nA: b\n\r\n",
            "0\n\r\n",
            "0\r\n\n",
            "0\r\r\n",
            "3\r\nabc0\r\n\r\n",
            "g\r\n",
        ] {
            assert_eq!(chunked(odd), Err(Unsound), "{odd:?}");
        }
    }

    #[test]
    fn extensions_and_trailers_have_a_bound() {
        let extension = |length: usize| format!("1;{}\r\nx\r\n0\r\n\r\n", "e".repeat(length));
        assert!(chunked(&extension(MOST_EXTRA - 1)).is_ok());
        assert_eq!(chunked(&extension(MOST_EXTRA)), Err(Unsound));
        assert_eq!(chunked(&"1;eeeeeeee\r\nx\r\n".repeat(2000)), Err(Unsound));
        assert_eq!(chunked(&format!("0\r\n{}\r\n", "A: b\r\n".repeat(5000))), Err(Unsound));
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(bytes in "[0-3a;\r\nx: ]{0,40}", piece in 1_usize..8) {
            prop_assert_eq!(body(Framing::CHUNKED, bytes.as_bytes(), piece), body(Framing::CHUNKED, bytes.as_bytes(), 1000));
        }

        #[test]
        fn what_was_written_in_chunks_is_found_whole(chunks in prop::collection::vec("[ -~\r\n]{1,20}", 0..6), rest in "[ -~\r\n]{0,20}") {
            let pieces: Vec<String> = chunks.iter().map(|chunk| format!("{:x}\r\n{chunk}\r\n", chunk.len())).collect();
            let written = pieces.concat() + "0\r\n\r\n";
            prop_assert_eq!(chunked(&format!("{written}{rest}")), Ok(Some(written.len())));
        }
    }
}
