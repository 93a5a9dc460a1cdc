//! The access log: one line for each request, on standard error beside the other lines of the log, and cheap.
//!
//! Apart from `log.rs`, because it is written on every request: a worker composes its line at the end of a buffer that no other
//! worker uses, and a thread of its own writes out what has come together. Nothing on the path of a request waits for the
//! sink. Where that blocks, lines wait up to a bound; those beyond it are lost, and counted.

use std::cell::Cell;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use super::line::{is_visible, write_out};
use super::settings::LogFormat;
use crate::clock::{Clock as _, SystemClock, Timestamp};

/// How long lines are gathered before they are written.
const GATHER: Duration = Duration::from_millis(20);
/// More than this in one buffer is not waited with, in bytes.
const MUCH: usize = 128 * 1024;
/// More than this does not wait in one buffer while the sink blocks, in bytes.
const MOST: usize = 4 * 1024 * 1024;
/// How long a sink that blocks may keep the process from leaving.
const LAST_LINES: Duration = Duration::from_secs(5);
/// Buffers; workers beyond them share.
const LANES: usize = 32;

static LOG: OnceLock<Arc<Log>> = OnceLock::new();
/// Which buffer the next thread gets.
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed);
    static SECOND: Cell<Second> = const { Cell::new(Second { at: i64::MIN, text: [0; 19] }) };
}

/// Writes out what is left when it is dropped.
#[must_use = "lines are lost that wait when the process leaves"]
pub struct AccessLog(Arc<Log>);

struct Log {
    format: LogFormat,
    lanes: [Lane; LANES],
    state: Mutex<State>,
    bell: Condvar,
    lost: AtomicU64,
}

/// The lines of one worker; on a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
struct Lane(Mutex<Vec<u8>>);

#[derive(Default)]
struct State {
    /// There are lines.
    is_rung: bool,
    /// There are many.
    is_urgent: bool,
    is_leaving: bool,
    has_left: bool,
}

impl AccessLog {
    /// Begin it, for this process.
    ///
    /// # Errors
    /// When the thread that writes cannot be started, or it has begun already.
    pub(super) fn begin(format: LogFormat) -> io::Result<Self> {
        let log = Arc::new(Log {
            format,
            lanes: std::array::from_fn(|_| Lane::default()),
            state: Mutex::default(),
            bell: Condvar::new(),
            lost: AtomicU64::new(0),
        });
        LOG.set(Arc::clone(&log)).map_err(|_| io::Error::from(io::ErrorKind::AlreadyExists))?;
        let writer = Arc::clone(&log);
        thread::Builder::new().name("access log".to_owned()).spawn(move || writer.write())?;
        Ok(Self(log))
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.is_leaving = true;
        self.0.bell.notify_all();
        drop(self.0.bell.wait_timeout_while(state, LAST_LINES, |state| !state.has_left));
    }
}

/// Write a line, where there is a log.
pub fn write(message: fmt::Arguments<'_>, fields: impl FnOnce(&mut Line<'_>)) {
    if let Some(log) = LOG.get() {
        log.add(message, fields);
    }
}

impl Log {
    fn add(&self, message: fmt::Arguments<'_>, fields: impl FnOnce(&mut Line<'_>)) {
        let place = LANE.try_with(|lane| lane % LANES).unwrap_or_default();
        let Some(lane) = self.lanes.get(place) else { return };
        let mut lines = lane.lock();
        let before = lines.len();
        if before > MOST {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        compose(&mut lines, self.format, SystemClock.now(), message, fields);
        let after = lines.len();
        drop(lines);
        if before == 0 {
            self.ring(|state| state.is_rung = true);
        }
        if before < MUCH && after >= MUCH {
            self.ring(|state| state.is_urgent = true);
        }
    }

    fn ring(&self, how: impl FnOnce(&mut State)) {
        how(&mut self.state());
        self.bell.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What its thread does: wait for lines, gather more of them for a moment, write them.
    fn write(&self) {
        let mut batch = Vec::new();
        loop {
            let is_leaving = self.gather();
            for lane in &self.lanes {
                std::mem::swap(&mut *lane.lock(), &mut batch);
                // Whoever cannot read it has no log, and nothing else can be done about it.
                drop(io::stderr().lock().write_all(&batch));
                batch.clear();
                batch.shrink_to(2 * MUCH);
            }
            self.say_what_was_lost();
            if is_leaving {
                self.ring(|state| state.has_left = true);
                return;
            }
        }
    }

    /// Until there are lines, and a moment has passed. True when these are the last.
    fn gather(&self) -> bool {
        let quiet = |state: &mut State| !(state.is_rung || state.is_urgent || state.is_leaving);
        let state = self.bell.wait_while(self.state(), quiet).unwrap_or_else(PoisonError::into_inner);
        let few = |state: &mut State| !(state.is_urgent || state.is_leaving);
        let (mut state, _) = self.bell.wait_timeout_while(state, GATHER, few).unwrap_or_else(PoisonError::into_inner);
        (state.is_rung, state.is_urgent) = (false, false);
        state.is_leaving
    }

    fn say_what_was_lost(&self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lines = lost, "{lost} lines of the access log were lost: what reads the log was too slow");
        }
    }
}

impl Lane {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn compose(out: &mut Vec<u8>, format: LogFormat, now: Timestamp, message: fmt::Arguments<'_>, fields: impl FnOnce(&mut Line<'_>)) {
    let mut line = Line { out, format };
    line.begin(now, message);
    fields(&mut line);
    line.end();
}

/// A line that is being written. What strangers have chosen is escaped: it stays one line.
pub struct Line<'a> {
    out: &'a mut Vec<u8>,
    format: LogFormat,
}

impl Line<'_> {
    /// A field that holds text.
    pub fn text(&mut self, name: &'static str, text: &str) {
        self.name(name);
        self.out.push(b'"');
        self.escaped(text);
        self.out.push(b'"');
    }

    /// A field that holds a number.
    pub fn number(&mut self, name: &'static str, number: u64) {
        self.name(name);
        digits(self.out, number);
    }

    /// A field that holds a word of letters and digits.
    pub fn word(&mut self, name: &'static str, word: &str) {
        self.quoted(name, |line| line.escaped(word));
    }

    /// A field that holds an address.
    pub fn address(&mut self, name: &'static str, address: IpAddr) {
        self.quoted(name, |line| line.ip(address));
    }

    fn begin(&mut self, now: Timestamp, message: fmt::Arguments<'_>) {
        match self.format {
            LogFormat::Json => {
                self.out.extend_from_slice(b"{\"timestamp\":\"");
                self.time(now);
                self.out.extend_from_slice(b"\",\"level\":\"INFO\",\"message\":\"");
                self.shown(message);
                self.out.push(b'"');
            }
            LogFormat::Text => {
                self.time(now);
                self.out.extend_from_slice(b"  INFO access: ");
                self.shown(message);
            }
        }
    }

    fn end(&mut self) {
        self.out.extend_from_slice(match self.format {
            LogFormat::Json => b",\"target\":\"access\"}\n",
            LogFormat::Text => b"\n",
        });
    }

    fn name(&mut self, name: &'static str) {
        let (before, after): (&[u8], &[u8]) = match self.format {
            LogFormat::Json => (b",\"", b"\":"),
            LogFormat::Text => (b" ", b"="),
        };
        self.out.extend_from_slice(before);
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(after);
    }

    /// In quotes where the format has no other way.
    fn quoted(&mut self, name: &'static str, value: impl FnOnce(&mut Self)) {
        self.name(name);
        let quote: &[u8] = match self.format {
            LogFormat::Json => b"\"",
            LogFormat::Text => b"",
        };
        self.out.extend_from_slice(quote);
        value(self);
        self.out.extend_from_slice(quote);
    }

    fn shown(&mut self, what: fmt::Arguments<'_>) {
        // It writes to memory, and never fails.
        Escaping(self).write_fmt(what).unwrap_or_default();
    }

    fn escaped(&mut self, text: &str) {
        let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
        if text.as_bytes().iter().fold(true, |all, byte| all & is_plain(byte)) {
            self.out.extend_from_slice(text.as_bytes());
            return;
        }
        let mut written = String::with_capacity(text.len() * 2);
        for letter in text.chars() {
            match letter {
                '"' | '\\' => written.extend(['\\', letter]),
                letter if is_visible(letter) => written.push(letter),
                letter => write_out(letter, self.format, &mut written),
            }
        }
        self.out.extend_from_slice(written.as_bytes());
    }

    fn ip(&mut self, address: IpAddr) {
        let IpAddr::V4(v4) = address else { return self.shown(format_args!("{address}")) };
        for (place, octet) in v4.octets().into_iter().enumerate() {
            if place > 0 {
                self.out.push(b'.');
            }
            digits(self.out, u64::from(octet));
        }
    }

    /// As RFC 3339 §5.6 writes it, with six digits of the second.
    fn time(&mut self, now: Timestamp) {
        self.out.extend_from_slice(&Second::of(now));
        let millis = now.as_millis().rem_euclid(1000);
        let digit = |power: i64| u8::try_from(millis / power % 10).map_or(b'0', |digit| b'0' + digit);
        self.out.extend_from_slice(&[b'.', digit(100), digit(10), digit(1), b'0', b'0', b'0', b'Z']);
    }
}

/// Escapes what is formatted into it.
struct Escaping<'a, 'b>(&'a mut Line<'b>);

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.escaped(text);
        Ok(())
    }
}

/// A second, written out: the next line has the same one, most times.
#[derive(Clone, Copy)]
struct Second {
    at: i64,
    text: [u8; 19],
}

impl Second {
    fn of(now: Timestamp) -> [u8; 19] {
        let at = now.as_secs();
        let kept = SECOND.try_with(Cell::get).ok().filter(|second| second.at == at);
        kept.map_or_else(|| Self::written(now), |second| second.text)
    }

    fn written(now: Timestamp) -> [u8; 19] {
        let text = now.to_string();
        let text = text.as_bytes().first_chunk().copied().unwrap_or([b'0'; 19]);
        // A thread that ends keeps nothing.
        SECOND.try_with(|second| second.set(Self { at: now.as_secs(), text })).unwrap_or_default();
        text
    }
}

fn digits(out: &mut Vec<u8>, number: u64) {
    let mut text = [0; 20];
    let mut left = number;
    let mut first = text.len();
    for (place, digit) in text.iter_mut().enumerate().rev() {
        *digit = b'0' + u8::try_from(left % 10).unwrap_or_default();
        left /= 10;
        first = place;
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(text.get(first..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: LogFormat, path: &str) -> String {
        let mut out = Vec::new();
        compose(&mut out, format, Timestamp::from_millis(1_700_000_000_042), format_args!("{} {}", "GET", 200), |line| {
            line.text("path", path);
            line.number("status", 200);
            line.address("client.address", "192.0.2.7".parse().unwrap());
            line.address("other.address", "2001:db8::1".parse().unwrap());
            line.text("upstream.address", "10.0.0.255:3000");
            line.word("trace.id", "abc");
        });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_looks_like_the_others() {
        assert_eq!(
            line(LogFormat::Json, "/größe"),
            "{\"timestamp\":\"2023-11-14T22:13:20.042000Z\",\"level\":\"INFO\",\"message\":\"GET 200\",\"path\":\"/größe\",\"status\":200,\
             \"client.address\":\"192.0.2.7\",\"other.address\":\"2001:db8::1\",\"upstream.address\":\"10.0.0.255:3000\",\"trace.id\":\"abc\",\
             \"target\":\"access\"}\n"
        );
        assert_eq!(
            line(LogFormat::Text, "/größe"),
            "2023-11-14T22:13:20.042000Z  INFO access: GET 200 path=\"/größe\" status=200 client.address=192.0.2.7 \
             other.address=2001:db8::1 upstream.address=\"10.0.0.255:3000\" trace.id=abc\n"
        );
    }

    #[test]
    fn a_line_is_one_line_whatever_strangers_write() {
        let hostile = "/\"a\\\r\n\u{0}\u{7f}\u{85}\u{9b}\u{2028}\u{202e}\u{e0041}ü";
        for format in [LogFormat::Json, LogFormat::Text] {
            let line = line(format, hostile);
            let line = line.strip_suffix('\n').unwrap();
            assert!(line.chars().all(|letter| matches!(letter, '"' | '\\') || letter.escape_debug().len() == 1), "{line}");
        }
        let parsed: serde_json::Value = serde_json::from_str(&line(LogFormat::Json, hostile)).unwrap();
        assert_eq!(parsed["path"], hostile);
    }

    #[test]
    fn numbers_are_written_whole() {
        for number in [0, 9, 10, 255, 65_535, u64::MAX] {
            let mut out = Vec::new();
            digits(&mut out, number);
            assert_eq!(String::from_utf8(out).unwrap(), number.to_string());
        }
    }

    #[test]
    fn seconds_do_not_stick() {
        for secs in [5, 5, 6, 5, -1] {
            let now = Timestamp::from_secs(secs);
            assert_eq!(format!("{}Z", String::from_utf8(Second::of(now).to_vec()).unwrap()), now.to_string());
        }
    }
}
