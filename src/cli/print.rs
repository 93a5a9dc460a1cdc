//! What a command prints: tables for people, JSON for programs.

use std::io::{self, Write as _};

use serde_json::Value;

use super::Failed;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_cannot_move_the_cursor() {
        assert_eq!(cell("Ada\u{1b}[2J\r\n"), "Ada\u{FFFD}[2J\u{FFFD}\u{FFFD}");
    }
}
