//! How many columns the reader has.
//!
//! `COLUMNS` says it, or else the terminal. Where neither does, as in a file, a line is as long as it needs to be.
//! Must not know what is printed. Units: columns. Errors: none. Tests: below; `tests/cli_input.rs`.

use console::Term;

use super::called::worded;
use crate::report::Page;

/// Text is not wider, however wide the terminal: longer lines are hard to read.
const MOST: usize = 110;

/// For a report on standard output; without a terminal as it is in its file.
pub(super) fn report_page() -> Page {
    match of(&Term::stdout()) {
        Some(columns) => Page::new(columns.min(MOST), worded),
        None => Page::of_file(worded),
    }
}

/// Columns for a table on standard output.
pub(super) fn for_table() -> usize {
    of(&Term::stdout()).unwrap_or(usize::MAX)
}

/// Columns for paragraphs on standard output.
pub(super) fn for_text() -> usize {
    /// What is easy to read in a file, too.
    const USUAL: usize = 100;
    of(&Term::stdout()).map_or(USUAL, |columns| columns.min(MOST))
}

/// Columns for messages on standard error.
pub(super) fn for_messages() -> usize {
    /// What is usual for logs, too.
    const USUAL: usize = 80;
    of(&Term::stderr()).map_or(USUAL, |columns| columns.min(MOST))
}

fn of(terminal: &Term) -> Option<usize> {
    let said = std::env::var("COLUMNS").ok();
    said.as_deref()
        .and_then(asked)
        .or_else(|| terminal.size_checked().map(|(_, columns)| usize::from(columns)))
}

/// Fewer columns hold no table.
fn asked(columns: &str) -> Option<usize> {
    const FEWEST: usize = 20;
    columns.trim().parse::<usize>().ok().filter(|columns| *columns > 0).map(|columns| columns.max(FEWEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_says_a_width() {
        assert_eq!(["80", " 140 ", "3"].map(asked), [Some(80), Some(140), Some(20)]);
        assert_eq!(["", "0", "wide", "-5"].map(asked), [None; 4]);
    }
}
