//! All readings of a path: how servers that decode, collapse, resolve, strip and fold differently would understand it.
//!
//! A path is forwarded as it came, so what we matched must be what the app will read, whatever it is written in. Instead of
//! choosing one reading, we make them all, in every order, and the route step asks that they agree.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use unicode_normalization::UnicodeNormalization;

use crate::admission::Refusal;

/// More readings than this has no honest path.
const MOST: usize = 48;

/// Readings are made of no more bytes than this in all: a long path is no way to keep us busy.
const MOST_BYTES: usize = 64 * 1024;

/// The readings of a path; the first is the path as it came.
#[derive(Debug)]
pub(super) struct Readings<'a>(Vec<Cow<'a, [u8]>>);

impl<'a> Readings<'a> {
    /// Of a path that is not [`plain`], without its query.
    ///
    /// # Errors
    /// `Malformed` when a reading has a control character, `AmbiguousPath` when there are too many of them.
    pub(super) fn of(path: &'a str) -> Result<Self, Refusal> {
        let mut readings = vec![Cow::Borrowed(path.as_bytes())];
        let mut bytes = path.len();
        let mut next = 0;
        while let Some(reading) = readings.get(next).cloned() {
            if reading.iter().any(u8::is_ascii_control) {
                return Err(Refusal::Malformed);
            }
            for step in STEPS {
                let Some(other) = step(&reading).filter(|other| !readings.iter().any(|known| **known == **other)) else { continue };
                bytes = bytes.saturating_add(other.len());
                readings.push(Cow::Owned(other));
            }
            if readings.len() > MOST || bytes > MOST_BYTES {
                return Err(Refusal::AmbiguousPath);
            }
            next = next.saturating_add(1);
        }
        Ok(Self(readings))
    }

    /// Each of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// Is there but one reading of this path, letter case aside? So it is when nothing in it can be decoded, collapsed, resolved,
/// cut or trimmed.
pub(super) fn plain(path: &str) -> bool {
    let mut before = b'a';
    for byte in path.bytes() {
        let harmless = byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'_' | b'~' | b'!' | b'$' | b'&' | b'(' | b')' | b'+' | b',' | b'=' | b'@');
        let fits = harmless || (byte == b'.' && before != b'/') || (byte == b'/' && before != b'/' && before != b'.');
        if !fits {
            return false;
        }
        before = byte;
    }
    before != b'.'
}

/// Does the path lie under `prefix`, by whole segments and as it came? Our own endpoints are served by this alone.
pub fn is_ours(path: &str, prefix: &str) -> bool {
    covers(prefix.as_bytes(), path.as_bytes(), Case::Exact)
}

/// How letters are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// As they are.
    Exact,
    /// Without their case.
    Folded,
}

/// Does `path` lie under `prefix`, by whole segments? The empty prefix covers all.
pub(super) fn covers(prefix: &[u8], path: &[u8], case: Case) -> bool {
    let Some((head, rest)) = path.split_at_checked(prefix.len()) else { return false };
    let same = match case {
        Case::Exact => head == prefix,
        Case::Folded => head.eq_ignore_ascii_case(prefix),
    };
    same && rest.first().is_none_or(|byte| *byte == b'/')
}

/// One way in which a server reads a path; `None` when it changes nothing.
type Step = fn(&[u8]) -> Option<Vec<u8>>;

const STEPS: [Step; 10] = [decoded, decoded_but_slashes, overlong, backslashes, parameters_off, cut, collapsed, resolved, trimmed, folded];

/// `%2e` is `.`, `%2f` is `/`.
fn decoded(path: &[u8]) -> Option<Vec<u8>> {
    match percent_decode(path).into() {
        Cow::Borrowed(_) => None,
        Cow::Owned(decoded) => Some(decoded),
    }
}

/// The same, with `%2f` and `%5c` left as they are: they may stand for a character within a segment.
fn decoded_but_slashes(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        let code = after.first_chunk::<2>().filter(|_| *byte == b'%');
        let kept = code.filter(|code| code.eq_ignore_ascii_case(b"2f") || code.eq_ignore_ascii_case(b"5c"));
        let Some(code) = kept else {
            out.push(*byte);
            rest = after;
            continue;
        };
        // Guarded by a second escape, it comes out of the decoding below as it went in.
        out.extend_from_slice(b"%25");
        out.extend_from_slice(code);
        rest = after.get(2..).unwrap_or_default();
    }
    decoded(&out).filter(|out| out != path)
}

/// `%c0%ae` is `.` to those who do not ask for the shortest form (RFC 3629 §10), `%u002e` to some others.
fn overlong(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        if let Some(long) = two_bytes(rest) {
            out.push(long);
            rest = rest.get(2..).unwrap_or_default();
        } else if let Some(short) = four_digits(rest) {
            out.extend_from_slice(short.encode_utf8(&mut [0; 4]).as_bytes());
            rest = rest.get(6..).unwrap_or_default();
        } else {
            out.push(*byte);
            rest = after;
        }
    }
    Some(out).filter(|out| out != path)
}

fn two_bytes(path: &[u8]) -> Option<u8> {
    let [lead @ (0xC0 | 0xC1), trail @ 0x80..=0xBF] = path.first_chunk::<2>()? else { return None };
    Some((lead & 1) << 6 | trail & 0x3F)
}

fn four_digits(path: &[u8]) -> Option<char> {
    let digits = path.strip_prefix(b"%u").or_else(|| path.strip_prefix(b"%U"))?.first_chunk::<4>()?;
    let sound = digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| sound)?;
    char::from_u32(u32::from_str_radix(text, 16).ok()?)
}

fn backslashes(path: &[u8]) -> Option<Vec<u8>> {
    path.contains(&b'\\').then(|| path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect())
}

/// `/a;b=c/d` is `/a/d` (RFC 3986 §3.3).
fn parameters_off(path: &[u8]) -> Option<Vec<u8>> {
    let each = |segment: &[u8]| segment.split(|byte| *byte == b';').next().unwrap_or_default().to_vec();
    path.contains(&b';').then(|| segments(path).map(each).collect::<Vec<_>>().join(&b'/'))
}

/// A `?` or `#` that came out of a decoding ends the path.
fn cut(path: &[u8]) -> Option<Vec<u8>> {
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#'))?;
    path.get(..end).map(<[u8]>::to_vec)
}

fn collapsed(path: &[u8]) -> Option<Vec<u8>> {
    let mut out = path.to_vec();
    out.dedup_by(|one, other| *one == b'/' && *other == b'/');
    (out.len() != path.len()).then_some(out)
}

/// RFC 3986 §5.2.4: `..` takes away the segment before it; above the root there is nothing to take.
fn resolved(path: &[u8]) -> Option<Vec<u8>> {
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut all = segments(path).skip(1).peekable();
    while let Some(segment) = all.next() {
        match segment {
            b"." => {}
            b".." => {
                kept.pop();
            }
            other => {
                kept.push(other);
                continue;
            }
        }
        if all.peek().is_none() {
            kept.push(b"");
        }
    }
    let mut out = vec![b'/'];
    out.extend_from_slice(&kept.join(&b'/'));
    (out != path).then_some(out)
}

/// Some file systems drop dots and spaces at the end of a name.
fn trimmed(path: &[u8]) -> Option<Vec<u8>> {
    let out = segments(path).map(trim_end).collect::<Vec<_>>().join(&b'/');
    (out != path).then_some(out)
}

/// Some take letters that look alike, or differ in case beyond ASCII, for one.
fn folded(path: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(path).ok().filter(|text| !text.is_ascii())?;
    let out: String = text.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfkc().collect();
    (out.as_bytes() != path).then(|| out.into_bytes())
}

fn trim_end(segment: &[u8]) -> &[u8] {
    let end = segment.iter().rposition(|byte| !matches!(byte, b'.' | b' ')).map_or(0, |last| last.saturating_add(1));
    if matches!(segment, b"." | b"..") { segment } else { segment.get(..end).unwrap_or_default() }
}

fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/')
}

#[cfg(test)]
mod tests;
