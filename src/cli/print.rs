//! What a command prints: tables for people, JSON for programs, times that both can read.

use std::io::{self, Write as _};

use serde_json::Value;

use super::Failed;
use crate::clock::Timestamp;

/// One line to standard error. Nobody may be listening.
pub(super) fn complain(line: &str) {
    drop(writeln!(io::stderr(), "{line}"));
}

/// One line to standard output.
pub(super) fn line(line: &str) -> Result<(), Failed> {
    Ok(writeln!(io::stdout(), "{line}")?)
}

/// One value, as JSON.
pub(super) fn json(value: &Value) -> Result<(), Failed> {
    line(&format!("{value:#}"))
}

/// Rows in columns as wide as their widest cell, under a heading.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> Result<(), Failed> {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|title| title.chars().count())).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    line(&row(&heading.map(str::to_owned), &widths))?;
    rows.iter().try_for_each(|cells| line(&row(cells, &widths)))
}

fn row(cells: &[String], widths: &[usize]) -> String {
    let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
    padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
}

/// A cell without characters that would move a terminal's cursor: names and browsers' agents are strangers' words.
pub(super) fn cell(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

/// A cell that may be empty.
pub(super) fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "-".to_owned(), cell)
}

/// `2026-11-20T13:05:00Z` (RFC 3339), whole seconds.
pub(super) fn time(at: Timestamp) -> String {
    let seconds = at.as_secs();
    let (year, month, day) = date(seconds.div_euclid(86_400));
    let rest = seconds.rem_euclid(86_400);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// Year, month and day of a day since 1970-01-01, in the proleptic Gregorian calendar. Years begin in March here, so that the
/// leap day is the last; 400 years are 146,097 days.
fn date(days: i64) -> (i64, i64, i64) {
    let since_march = days + 719_468;
    let (era, day) = (since_march.div_euclid(146_097), since_march.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day_of_month)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_for_people_and_programs() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_179_900, "2026-11-20T13:05:00Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(time(Timestamp::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_cell_cannot_move_the_cursor() {
        assert_eq!(cell("Ada\u{1b}[2J\r\n"), "Ada\u{FFFD}[2J\u{FFFD}\u{FFFD}");
    }
}
