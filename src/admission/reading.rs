//! All readings of a path: how servers that decode, collapse, resolve, strip and fold differently would understand it.
//!
//! A path is forwarded as it came, so what we matched must be what the app will read, whatever it is written in. Instead of
//! choosing one reading, we make them all, in every order, and the route step asks that they agree. `docs/paths.md` lists them
//! with the servers that read so.

use std::borrow::Cow;

use percent_encoding::percent_decode;
use unicode_normalization::UnicodeNormalization;

use crate::admission::Refusal;

/// More readings than this has no honest path.
const MOST: usize = 64;

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
        let harmless =
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~' | b'!' | b'$' | b'&' | b'(' | b')' | b',' | b'=' | b'@');
        // A plus around a segment is a blank there to some, and is dropped.
        let fits = match byte {
            b'.' | b'+' => before != b'/',
            b'/' => !matches!(before, b'/' | b'.' | b'+'),
            _ => harmless,
        };
        if !fits {
            return false;
        }
        before = byte;
    }
    !matches!(before, b'.' | b'+')
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

const STEPS: [Step; 21] = [
    decoded,
    decoded_but_both,
    decoded_but_slashes,
    decoded_but_backslashes,
    four_digits,
    overlong,
    without_garbage,
    without_lone_percents,
    backslashes,
    parameters_off,
    parameter_cut,
    cut,
    authority_off,
    collapsed,
    resolved,
    blanks_for_pluses,
    blanks_off,
    trimmed,
    dots_climb_each,
    dots_climb_once,
    folded,
];

/// `%2e` is `.`, `%2f` is `/`.
fn decoded(path: &[u8]) -> Option<Vec<u8>> {
    match percent_decode(path).into() {
        Cow::Borrowed(_) => None,
        Cow::Owned(decoded) => Some(decoded),
    }
}

/// The same, with `%2f` and `%5c` left as they are: they may stand for a character within a segment.
fn decoded_but_both(path: &[u8]) -> Option<Vec<u8>> {
    decoded_but(path, |code| code.eq_ignore_ascii_case(b"2f") || code.eq_ignore_ascii_case(b"5c"))
}

/// The same, with `%2f` alone left as it is.
fn decoded_but_slashes(path: &[u8]) -> Option<Vec<u8>> {
    decoded_but(path, |code| code.eq_ignore_ascii_case(b"2f"))
}

/// The same, with `%5c` alone left as it is.
fn decoded_but_backslashes(path: &[u8]) -> Option<Vec<u8>> {
    decoded_but(path, |code| code.eq_ignore_ascii_case(b"5c"))
}

fn decoded_but(path: &[u8], is_kept: fn(&[u8; 2]) -> bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        let code = after.first_chunk::<2>().filter(|code| *byte == b'%' && is_kept(code));
        let Some(code) = code else {
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

/// `%u002e` is `.` to Microsoft's servers and to older Jettys.
fn four_digits(path: &[u8]) -> Option<Vec<u8>> {
    let unit = |rest: &[u8]| {
        let digits = rest.strip_prefix(b"%u").or_else(|| rest.strip_prefix(b"%U"))?.first_chunk::<4>()?;
        let sound = digits.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(digits).ok().filter(|_| sound)?;
        Some((char::from_u32(u32::from_str_radix(text, 16).ok()?)?, 6))
    };
    replaced(path, unit)
}

/// `%c0%ae` is `.` to those who do not ask for the shortest form (RFC 3629 §10), in as many bytes as they like.
fn overlong(path: &[u8]) -> Option<Vec<u8>> {
    replaced(path, |rest| two_bytes(rest).or_else(|| more_bytes(rest)))
}

/// Two bytes that spell one: `c0 ae`. Some do not look at the second one's first bits either: `c0 2e`.
fn two_bytes(rest: &[u8]) -> Option<(char, usize)> {
    let [lead @ (0xC0 | 0xC1), trail] = rest.first_chunk::<2>()? else { return None };
    let letter = char::from((lead & 1) << 6 | trail & 0x3F);
    let is_trail = trail & 0xC0 == 0x80;
    (is_trail || "./\\%;".contains(letter)).then_some((letter, 2))
}

/// Three to six bytes that spell what fewer could.
fn more_bytes(rest: &[u8]) -> Option<(char, usize)> {
    let (lead, after) = rest.split_first()?;
    let (length, shortest) = match lead {
        0xE0 => (3, 0x800),
        0xF0 => (4, 0x1_0000),
        0xF8 => (5, 0x20_0000),
        0xFC => (6, 0x400_0000),
        _ => return None,
    };
    let trail = after.get(..length - 1).filter(|trail| trail.iter().all(|byte| byte & 0xC0 == 0x80))?;
    let value = trail.iter().fold(0_u32, |value, byte| value << 6 | u32::from(byte & 0x3F));
    let letter = char::from_u32(value).filter(|_| value < shortest)?;
    Some((letter, length))
}

/// With every place where `letter` finds one, of so many bytes, replaced by it.
fn replaced(path: &[u8], letter: impl Fn(&[u8]) -> Option<(char, usize)>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    let mut is_changed = false;
    while let Some((byte, after)) = rest.split_first() {
        if let Some((letter, length)) = letter(rest) {
            out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
            rest = rest.get(length..).unwrap_or_default();
            is_changed = true;
        } else {
            out.push(*byte);
            rest = after;
        }
    }
    is_changed.then_some(out)
}

/// Bytes that are no text are left out by some decoders.
fn without_garbage(path: &[u8]) -> Option<Vec<u8>> {
    let out: Vec<u8> = path.utf8_chunks().flat_map(|chunk| chunk.valid().bytes()).collect();
    (out != path).then_some(out)
}

/// And so is, by some, a percent sign that begins no escape.
fn without_lone_percents(path: &[u8]) -> Option<Vec<u8>> {
    let is_escape = |rest: &[u8]| rest.first_chunk::<2>().is_some_and(|code| code.iter().all(u8::is_ascii_hexdigit));
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((byte, after)) = rest.split_first() {
        if *byte != b'%' || is_escape(after) || after.starts_with(b"u") || after.starts_with(b"U") {
            out.push(*byte);
        }
        rest = after;
    }
    (out.len() != path.len()).then_some(out)
}

fn backslashes(path: &[u8]) -> Option<Vec<u8>> {
    path.contains(&b'\\').then(|| path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect())
}

/// `/a;b=c/d` is `/a/d` (RFC 3986 §3.3).
fn parameters_off(path: &[u8]) -> Option<Vec<u8>> {
    let each = |segment: &[u8]| segment.split(|byte| *byte == b';').next().unwrap_or_default().to_vec();
    path.contains(&b';').then(|| segments(path).map(each).collect::<Vec<_>>().join(&b'/'))
}

/// And to some it ends there.
fn parameter_cut(path: &[u8]) -> Option<Vec<u8>> {
    let end = path.iter().position(|byte| *byte == b';')?;
    path.get(..end).map(<[u8]>::to_vec)
}

/// A `?` or `#` that came out of a decoding ends the path.
fn cut(path: &[u8]) -> Option<Vec<u8>> {
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#'))?;
    path.get(..end).map(<[u8]>::to_vec)
}

/// `//a/b` is `/b` on the host `a` to those who take the target for a reference (RFC 3986 §4.2).
fn authority_off(path: &[u8]) -> Option<Vec<u8>> {
    let rest = path.strip_prefix(b"//")?;
    let rest = rest.iter().position(|byte| *byte != b'/').and_then(|first| rest.get(first..)).unwrap_or_default();
    let end = rest.iter().position(|byte| *byte == b'/');
    Some(end.and_then(|end| rest.get(end..)).unwrap_or(b"/").to_vec())
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

/// A plus is a blank in forms, and to some everywhere. It matters around a segment alone, where blanks are dropped.
fn blanks_for_pluses(path: &[u8]) -> Option<Vec<u8>> {
    let blank = |byte: &u8| matches!(byte, b'+' | b' ');
    each(path, |segment| {
        let first = segment.iter().position(|byte| !blank(byte)).unwrap_or(segment.len());
        let last = segment.iter().rposition(|byte| !blank(byte)).unwrap_or(0);
        let outer = |(place, byte): (usize, &u8)| if *byte == b'+' && (place < first || place > last) { b' ' } else { *byte };
        segment.iter().enumerate().map(outer).collect()
    })
}

/// Blanks around a segment are nothing to some: `/.. /` is `/../`.
fn blanks_off(path: &[u8]) -> Option<Vec<u8>> {
    each(path, |segment| segment.trim_ascii().to_vec())
}

/// Some file systems drop dots and blanks at the end of a name.
fn trimmed(path: &[u8]) -> Option<Vec<u8>> {
    each(path, |segment| trim_end(segment).to_vec())
}

/// Dots and blanks that are neither `.` nor `..`: `...` was two up on some systems.
fn dots_climb_each(path: &[u8]) -> Option<Vec<u8>> {
    each(path, |segment| match climbs(segment) {
        Some(count) => vec![b"..".as_slice(); count].join(&b'/'),
        None => segment.to_vec(),
    })
}

/// And one up where but one dot or blank is dropped.
fn dots_climb_once(path: &[u8]) -> Option<Vec<u8>> {
    each(path, |segment| if climbs(segment).is_some() { b"..".to_vec() } else { segment.to_vec() })
}

/// How many steps up a segment of dots and blanks leads, if it is not written as RFC 3986 writes it.
fn climbs(segment: &[u8]) -> Option<usize> {
    let is_odd = segment != b".." && segment.iter().all(|byte| matches!(byte, b'.' | b' '));
    let dots = segment.split(|byte| *byte == b'.').count().saturating_sub(1);
    dots.checked_sub(1).filter(|count| is_odd && *count > 0)
}

/// Some take letters that look alike, or differ in case beyond ASCII, for one.
fn folded(path: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(path).ok().filter(|text| !text.is_ascii())?;
    let mut out = String::with_capacity(text.len());
    for letter in text.nfkc().map(look_alike).filter(|letter| !is_ignored(*letter)) {
        if letter.is_ascii() {
            // Those are compared without their case anyway.
            out.push(letter);
        } else {
            out.extend(letter.to_uppercase().flat_map(char::to_lowercase));
        }
    }
    let out: String = out.nfkc().collect();
    (out != text).then(|| out.into_bytes())
}

/// What a letter becomes where a system's own character set has no such one (Windows' best fit).
const fn look_alike(letter: char) -> char {
    match letter {
        '\u{2044}' | '\u{2215}' | '\u{29f8}' => '/',
        '\u{a5}' | '\u{20a9}' | '\u{2216}' | '\u{29f5}' | '\u{29f9}' => '\\',
        '\u{3002}' => '.',
        other => other,
    }
}

/// Letters without a shape, which some file systems do not compare.
const fn is_ignored(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// With every segment as `change` makes it.
fn each(path: &[u8], change: impl Fn(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> {
    let out = segments(path).map(change).collect::<Vec<_>>().join(&b'/');
    (out != path).then_some(out)
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
