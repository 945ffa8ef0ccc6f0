//! Plain tables and wrapped lines for the formats that people read.
//!
//! Holds alignment and wrapping. Must not know what a table is about.
//! Units: columns of a terminal (one per character). Errors: none.
//! Tests: here and the golden reports.

/// A report is readable in a terminal this wide.
pub(super) const WIDTH: usize = 110;

/// Which side a column's text stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Rows under a heading, columns as wide as their longest cell.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<Align>,
    rows: Vec<Row>,
}

#[derive(Debug)]
enum Row {
    Cells(Vec<String>),
    /// A line of its own, wrapped, deeper than the rows.
    Note(String),
}

impl Table {
    pub(super) fn new<const N: usize>(heading: [(&str, Align); N]) -> Self {
        Self {
            columns: heading.iter().map(|(_, align)| *align).collect(),
            rows: vec![Row::Cells(heading.iter().map(|(name, _)| (*name).to_owned()).collect())],
        }
    }

    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(Row::Cells(cells.into()));
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.rows.push(Row::Note(text.into()));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// Every line begins with `indent` spaces. A row's last cell goes on under itself where it is too long for the line.
    pub(super) fn write(&self, out: &mut String, indent: usize) {
        let mut widths = vec![0; self.columns.len()];
        for row in &self.rows {
            if let Row::Cells(cells) = row {
                for (width, cell) in widths.iter_mut().zip(cells) {
                    *width = (*width).max(cell.chars().count());
                }
            }
        }
        for row in &self.rows {
            match row {
                Row::Note(text) => wrap(out, &" ".repeat(indent + 2), text, indent + 2),
                Row::Cells(cells) => {
                    let mut line = " ".repeat(indent);
                    let last = cells.len().saturating_sub(1);
                    for (place, cell) in cells.iter().enumerate() {
                        if place == last && self.columns[place] == Align::Left {
                            break;
                        }
                        let fill = " ".repeat(widths[place] - cell.chars().count());
                        match self.columns[place] {
                            Align::Left => line.extend([cell.as_str(), &fill, "  "]),
                            Align::Right => line.extend([fill.as_str(), cell, "  "]),
                        }
                    }
                    if self.columns[last] == Align::Left {
                        let column = line.chars().count();
                        wrap(out, &line, &cells[last], column);
                    } else {
                        out.push_str(line.trim_end());
                        out.push('\n');
                    }
                }
            }
        }
    }
}

/// Writes `first` and then `text`, in lines of at most [`WIDTH`] that go on at column `indent`. A number and its `%` stay together.
pub(super) fn wrap(out: &mut String, first: &str, text: &str, indent: usize) {
    let mut line = first.to_owned();
    let mut fresh = true;
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match words.last_mut() {
            Some(number) if word.starts_with('%') => number.extend([" ", word]),
            _ => words.push(word.to_owned()),
        }
    }
    for word in &words {
        let needed = line.chars().count() + usize::from(!fresh) + word.chars().count();
        if !fresh && needed > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = " ".repeat(indent);
            fresh = true;
        }
        if !fresh {
            line.push(' ');
        }
        line.push_str(word);
        fresh = false;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_long_last_cells_go_on_under_themselves() {
        let mut table = Table::new([("a", Align::Left), ("n", Align::Right), ("why", Align::Left)]);
        table.row(["long name".into(), "7".into(), "word ".repeat(30)]);
        table.note("a note");
        let mut out = String::new();
        table.write(&mut out, 2);
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines[0], "  a          n  why");
        assert!(lines[1].starts_with("  long name  7  word word"));
        assert!(lines[2].starts_with("                word"));
        assert_eq!(lines.last(), Some(&"    a note"));
        assert!(lines.iter().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn a_word_longer_than_the_line_stands_alone() {
        let mut out = String::new();
        wrap(&mut out, "* ", &format!("see {}", "x".repeat(200)), 2);
        assert_eq!(out.lines().count(), 2);
        out.clear();
        wrap(&mut out, "", &format!("{} 5 %", "x".repeat(WIDTH - 2)), 2);
        assert!(out.ends_with("\n  5 %\n"), "{out}");
    }
}
