//! Points in time, and the one place where the system's clock is read.
//!
//! Apart, because every decision takes `now` as a parameter: a test moves time by passing another value.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
///
/// Stores keep it as `BIGINT` milliseconds; tokens carry whole seconds (RFC 7519 §2, `NumericDate`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// This point, `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(millis(span)))
    }

    /// This point, `span` earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(millis(span)))
    }

    /// The point that `text` writes as [`Display`](fmt::Display) does, or the beginning of a day: `2026-01-31T12:00:00Z`,
    /// `2026-01-31`. `None` when it writes none.
    pub fn parse(text: &str) -> Option<Self> {
        let (day, time) = text.split_once('T').map_or((text, None), |(day, time)| (day, Some(time)));
        let [year, month, day] = numbers(day, '-', [4, 2, 2])?;
        let [hour, minute, second] = match time {
            Some(time) => numbers(time.strip_suffix('Z')?, ':', [2, 2, 2])?,
            None => [0; 3],
        };
        let seconds = days(year, month, day)? * 86_400 + hour * 3600 + minute * 60 + second;
        (hour < 24 && minute < 60 && second < 60).then(|| Self::from_secs(seconds))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    /// In UTC, as RFC 3339 §5.6 writes it, in whole seconds: `2026-01-31T12:00:00Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.as_secs().div_euclid(86_400));
        let second = self.as_secs().rem_euclid(86_400);
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
    }
}

/// Year, month and day of a day counted from 1970-01-01 (Howard Hinnant, `civil_from_days`): years begin in March, so that
/// the leap day is the last of its year.
const fn civil(day: i64) -> (i64, i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let month = if march < 10 { march + 3 } else { march - 9 };
    let january = if month <= 2 { 1 } else { 0 };
    (year + era * 400 + january, month, of_year - (153 * march + 2) / 5 + 1)
}

/// The day counted from 1970-01-01; `None` when the calendar has no such day.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let march = if month > 2 { month - 3 } else { month + 9 };
    let shifted = if month > 2 { year } else { year - 1 };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let counted = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * march + 2) / 5 + day - 1 - 719_468;
    (civil(counted) == (year, month, day)).then_some(counted)
}

/// Numbers of so many digits each, and nothing else.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(between);
    let mut numbers = [0; 3];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let part = parts.next().filter(|part| part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit()))?;
        *number = part.parse().ok()?;
    }
    parts.next().is_none().then_some(numbers)
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Whole seconds of a span, rounded up: what `Retry-After` and `expires_in` say.
pub fn ceil_secs(span: Duration) -> u64 {
    span.as_secs().saturating_add(u64::from(span.subsec_nanos() > 0))
}

/// Tells what time it is.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp(millis(since))
    }
}

/// A clock that stands still until it is moved: for tests.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_millis()))
    }

    /// Move forward by `span`.
    pub fn advance(&self, span: Duration) {
        self.0.fetch_add(millis(span), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_rounded_up_for_those_who_wait() {
        assert_eq!(ceil_secs(Duration::from_millis(1)), 1);
        assert_eq!(ceil_secs(Duration::from_secs(2)), 2);
        assert_eq!(ceil_secs(Duration::ZERO), 0);
    }

    #[test]
    fn a_point_is_written_as_a_date() {
        let written = |secs| Timestamp::from_secs(secs).to_string();
        assert_eq!(written(0), "1970-01-01T00:00:00Z");
        assert_eq!(written(-1), "1969-12-31T23:59:59Z");
        assert_eq!(written(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(written(1_709_164_800), "2024-02-29T00:00:00Z");
        assert_eq!(written(1_709_251_199), "2024-02-29T23:59:59Z");
        assert_eq!(written(4_107_542_400), "2100-03-01T00:00:00Z");
    }

    #[test]
    fn a_date_is_read_as_it_is_written() {
        for secs in [0, -1, 951_782_400, 1_709_164_800, 1_709_251_199, 4_107_542_400] {
            assert_eq!(Timestamp::parse(&Timestamp::from_secs(secs).to_string()), Some(Timestamp::from_secs(secs)));
        }
        assert_eq!(Timestamp::parse("2024-02-29"), Some(Timestamp::from_secs(1_709_164_800)));
        let odd = ["", "2024", "2024-02-30", "2023-02-29", "2024-13-01", "2024-00-01", "2024-1-01", "2024-01-01T", "2024-01-01T00:00:00"];
        let more = ["2024-01-01T24:00:00Z", "2024-01-01T00:60:00Z", "2024-01-01T00:00Z", "+024-01-01", "2024-01-01 00:00:00Z"];
        for text in odd.into_iter().chain(more) {
            assert_eq!(Timestamp::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_time_ahead_is_no_time_ago() {
        let now = Timestamp::from_secs(10);
        assert_eq!(now.since(now.plus(Duration::from_secs(1))), Duration::ZERO);
        assert_eq!(now.since(now.minus(Duration::from_secs(1))), Duration::from_secs(1));
    }
}
