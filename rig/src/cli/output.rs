//! A command's answer on standard output.
//!
//! Holds how it is written, and columns of text. Must not know what is written; lines beside the answer are in `streams.rs`.
//! Units: characters, bytes. Errors: [`Failure`], for an answer that a full disk cuts short. Tests: below, and `tests/trouble/deaf.rs` (root).

use std::io;

use super::streams::write;
use super::{Exit, Failure};

/// Writes a command's answer to standard output. A reader that went away (`rig matrix plan | head`) is no failure.
pub(super) fn print(text: &str) -> Result<Exit, Failure> {
    match write(&mut io::stdout().lock(), text) {
        Ok(()) => Ok(Exit::Done),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        Err(error) => Err(Failure::say(
            Exit::Testbed,
            format!("cannot write to standard output: {error}"),
            "is the disk behind it full?",
        )),
    }
}

/// Lines of cells, each column as wide as its widest cell; `right` columns are aligned to the right.
pub(super) fn columns(rows: &[Vec<String>], right: &[usize]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            line.push_str("  ");
            if right.contains(&column) {
                line.push_str(&format!("{cell:>width$}"));
            } else {
                line.push_str(&format!("{cell:width$}"));
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// `12.3 MiB`
pub(super) fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["bcd".to_owned(), "100".to_owned()]];
        assert_eq!(columns(&rows, &[1]), "  a      1\n  bcd  100\n");
    }
}
