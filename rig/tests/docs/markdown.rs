//! Markdown that the generators write: rows of tables, words in code.
//!
//! Must not know a page. Units: none. Errors: none. Tests: below.

use std::fmt::Write as _;

/// One row of a table. Writing to a string cannot fail.
pub(crate) fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// The head of a table.
pub(crate) fn head(text: &mut String, columns: &[&str]) {
    row(text, columns);
    let _ = writeln!(text, "|{}", "---|".repeat(columns.len()));
}

/// A word as code.
pub(crate) fn code(word: impl std::fmt::Display) -> String {
    format!("`{word}`")
}

/// Words as code, one after another.
pub(crate) fn codes<W: std::fmt::Display>(words: impl IntoIterator<Item = W>) -> String {
    words.into_iter().map(code).collect::<Vec<_>>().join(" ")
}

/// A sentence about something in the words of a table: "the RST" -> "The RST."
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{first}{}{end}", letters.as_str())
}

#[test]
fn a_bar_in_a_cell_does_not_end_it() {
    let mut text = String::new();
    head(&mut text, &["a", "b"]);
    row(&mut text, &["1|2", &codes(["x", "y"])]);
    assert_eq!(text, "| a | b |\n|---|---|\n| 1\\|2 | `x` `y` |\n");
    assert_eq!(sentence("the end"), "The end.");
}
