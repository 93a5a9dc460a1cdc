//! One event is one line, whatever a stranger wrote into it. Apart from `log.rs`, because it is about bytes, not about levels.
//!
//! The formatters escape what ASCII calls a control character, and JSON asks for no more. Terminals and tools that split
//! lines know others: U+009B begins an escape sequence, U+0085 and U+2028 end a line, U+202E turns the rest of it round.

use std::io::{self, Write};

use super::settings::LogFormat;

/// Standard error, on which each event is one line of characters that can be seen.
pub(super) struct Line(pub(super) LogFormat);

impl Write for Line {
    /// One event, whole: that is how the subscriber writes.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let mut out = io::stderr().lock();
        match visible(event, self.0) {
            Some(text) => out.write_all(text.as_bytes())?,
            None => out.write_all(event)?,
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The event with every character written out that cannot be seen, the line's end aside; nothing when it is fine as it is.
fn visible(event: &[u8], format: LogFormat) -> Option<String> {
    let (line, end) = match event.split_last() {
        Some((b'\n', line)) => (line, "\n"),
        _ => (event, ""),
    };
    if line.iter().all(|byte| matches!(byte, b' '..=b'~')) {
        return None;
    }
    let mut text = String::with_capacity(event.len());
    for letter in String::from_utf8_lossy(line).chars() {
        if is_visible(letter) { text.push(letter) } else { write_out(letter, format, &mut text) }
    }
    text.push_str(end);
    Some(text)
}

/// Rust's `Debug` knows which characters can be seen. Of ASCII it would also escape quotes, which belong to the line.
pub(super) fn is_visible(letter: char) -> bool {
    matches!(letter, ' '..='~') || (!letter.is_ascii() && letter.escape_debug().len() == 1)
}

/// Written out as the format does it.
pub(super) fn write_out(letter: char, format: LogFormat, text: &mut String) {
    match format {
        LogFormat::Text => text.extend(letter.escape_debug()),
        LogFormat::Json => {
            for unit in letter.encode_utf16(&mut [0; 2]) {
                text.push_str("\\u");
                text.extend([12, 8, 4, 0].into_iter().filter_map(|shift| char::from_digit(u32::from(*unit) >> shift & 0xf, 16)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_seen_stays() {
        assert_eq!(visible(b"{\"a\":\"b \\\\ c\"}\n", LogFormat::Json), None);
        assert_eq!(visible("Zoë \"日本\" \\ 😀\n".as_bytes(), LogFormat::Text).unwrap(), "Zoë \"日本\" \\ 😀\n");
        assert_eq!(visible(b"", LogFormat::Text), None);
    }

    #[test]
    fn what_cannot_be_seen_is_written_out() {
        let event = "a\u{2028}\u{85}\u{9b}31m\u{7f}\u{202e}\u{feff}\u{e0041}b\n";
        let json = visible(format!("\"{event}").trim_end().as_bytes(), LogFormat::Json).unwrap() + "\"";
        assert_eq!(json, r#""a\u2028\u0085\u009b31m\u007f\u202e\ufeff\udb40\udc41b""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), event.trim_end());
        assert_eq!(
            visible(event.as_bytes(), LogFormat::Text).unwrap(),
            "a\\u{2028}\\u{85}\\u{9b}31m\\u{7f}\\u{202e}\\u{feff}\\u{e0041}b\n"
        );
    }

    #[test]
    fn an_event_is_one_line() {
        for (format, expected) in [(LogFormat::Text, "a\\r\\nb\\u{1b}[31m\n"), (LogFormat::Json, "a\\u000d\\u000ab\\u001b[31m\n")] {
            assert_eq!(visible(b"a\r\nb\x1b[31m\n", format).unwrap(), expected);
        }
    }
}
