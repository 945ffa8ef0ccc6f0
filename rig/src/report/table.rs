//! Plain tables and wrapped lines for what people read.
//!
//! Holds alignment and wrapping, and what becomes of a table that is wider than its page: columns go, then rows go on in further lines; a word is
//! never broken. Must not know what a table is about, nor a terminal. Units: columns of a terminal (one per character). Errors: none.
//! Tests: here and the golden reports.

/// A report is readable in a terminal this wide.
pub(super) const WIDTH: usize = 110;

/// A last column of words that go on under themselves needs so many columns to be readable.
const LAST: usize = 24;

/// Between two columns.
const GAP: usize = 2;

/// What a page consists of, for formats that lay it out otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// The heading of a section.
    Heading(String),
    /// A paragraph: how deep it stands, in columns, what stands before it (`*`, `!`, a name, or nothing), and its words.
    Line { depth: usize, mark: String, text: String },
    /// A table: its headings and the sides that its columns stand on, and its rows.
    Table { heading: Vec<(String, Align)>, rows: Vec<Row> },
}

/// Text for a reader, with the width of their lines.
#[derive(Debug, Clone)]
pub struct Page {
    text: String,
    /// The same for other formats.
    pieces: Vec<Piece>,
    /// Whether what is being written is known as a piece already.
    known: bool,
    width: usize,
    /// Columns of a table; a file has room for all of them.
    table_width: usize,
    /// How commands between backticks are told to this reader.
    hints: fn(&str) -> String,
}

impl Page {
    /// Nothing yet, for lines of so many columns; `hints` words the commands that a text names.
    pub fn new(width: usize, hints: fn(&str) -> String) -> Self {
        Self { text: String::new(), pieces: Vec::new(), known: false, width, table_width: width, hints }
    }

    /// As it is kept in a file: no table is too wide.
    pub fn of_file(hints: fn(&str) -> String) -> Self {
        Self { table_width: usize::MAX, ..Self::new(WIDTH, hints) }
    }

    /// Adds it as it is.
    pub fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// A text as this reader is told it.
    pub(super) fn worded(&self, text: &str) -> String {
        (self.hints)(text)
    }

    /// Adds the heading of a section.
    pub(super) fn heading(&mut self, title: &str) {
        self.pieces.push(Piece::Heading(title.to_owned()));
        self.known = true;
        self.push_str("\n");
        self.wrap("", title, 0);
        self.push_str(&format!("{}\n", "-".repeat(length(title).min(self.width))));
        self.known = false;
    }

    /// Adds `first` and then `text`, in lines that go on at column `indent`. A number and its `%` stay together.
    pub fn wrap(&mut self, first: &str, text: &str, indent: usize) {
        if !self.known {
            let depth = length(first) - length(first.trim_start());
            let (mark, text) = (first.trim().to_owned(), self.worded(text));
            self.pieces.push(Piece::Line { depth, mark, text });
        }
        let mut line = first.to_owned();
        let mut fresh = true;
        let mut words: Vec<String> = Vec::new();
        for word in self.worded(text).split_whitespace() {
            match words.last_mut() {
                Some(number) if word.starts_with('%') => number.extend([" ", word]),
                _ => words.push(word.to_owned()),
            }
        }
        for word in &words {
            let needed = length(&line) + usize::from(!fresh) + length(word);
            if !fresh && needed > self.width {
                self.line(&line);
                line = " ".repeat(indent);
                fresh = true;
            }
            if !fresh {
                line.push(' ');
            }
            line.push_str(word);
            fresh = false;
        }
        self.line(&line);
    }

    /// All of it.
    pub fn into_text(self) -> String {
        self.text
    }

    /// All of it but what was added as it is, piece by piece.
    pub(super) fn into_pieces(self) -> Vec<Piece> {
        self.pieces
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }
}

/// See [`Page::wrap`].
pub(super) fn wrap(out: &mut Page, first: &str, text: &str, indent: usize) {
    out.wrap(first, text, indent);
}

fn length(text: &str) -> usize {
    text.chars().count()
}

/// Which side a column's text stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// On the left; a last column goes on under itself where it is too long for the line.
    Left,
    /// On the right, as numbers do.
    Right,
}

/// Rows under a heading, columns as wide as their longest cell.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Align>,
    rows: Vec<Row>,
    /// Headings of the columns that a reader can do without, the first to go first.
    spare: &'static [&'static str],
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Row {
    /// One text for each column.
    Cells(Vec<String>),
    /// A line of its own, wrapped, deeper than the rows.
    Note(String),
}

impl Table {
    /// No rows yet.
    pub fn new<const N: usize>(heading: [(&str, Align); N]) -> Self {
        Self {
            columns: heading.iter().map(|(_, align)| *align).collect(),
            rows: vec![Row::Cells(heading.iter().map(|(name, _)| (*name).to_owned()).collect())],
            spare: &[],
        }
    }

    /// Names the columns that go where the page is too narrow, the first one first.
    #[must_use]
    pub fn without_first(self, spare: &'static [&'static str]) -> Self {
        Self { spare, ..self }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(Row::Cells(cells.into()));
    }

    /// Adds a line of its own under the last row.
    pub fn note(&mut self, text: impl Into<String>) {
        self.rows.push(Row::Note(text.into()));
    }

    /// Whether nothing stands under the heading.
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// Every line begins with `indent` spaces.
    pub fn write(&self, out: &mut Page, indent: usize) {
        out.pieces.push(self.piece());
        out.known = true;
        self.lay_out(out, indent);
        out.known = false;
    }

    fn piece(&self) -> Piece {
        let (heading, rows) = match self.rows.split_first() {
            Some((Row::Cells(names), rows)) => (names.as_slice(), rows),
            _ => (&[][..], &[][..]),
        };
        let heading = heading.iter().cloned().zip(self.columns.iter().copied()).collect();
        Piece::Table { heading, rows: rows.to_vec() }
    }

    fn lay_out(&self, out: &mut Page, indent: usize) {
        let widths = self.widths();
        let (shown, gone) = self.fitting(&widths, out.table_width.saturating_sub(indent));
        let lines = self.lines(&shown, &widths, out.table_width, indent);
        for row in &self.rows {
            match row {
                Row::Note(text) => out.wrap(&" ".repeat(indent + 2), text, indent + 2),
                Row::Cells(cells) => {
                    for (at, columns) in lines.iter().enumerate() {
                        if at > 0 && columns.iter().all(|&column| cells[column].is_empty()) {
                            continue;
                        }
                        let indent = indent + if at == 0 { 0 } else { 4 };
                        self.write_line(out, cells, columns, &widths, indent);
                    }
                }
            }
        }
        if !gone.is_empty() {
            let text = format!("(no room for: {})", gone.join(", "));
            out.wrap(&" ".repeat(indent), &text, indent + 1);
        }
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths = vec![0; self.columns.len()];
        for row in &self.rows {
            if let Row::Cells(cells) = row {
                for (width, cell) in widths.iter_mut().zip(cells) {
                    *width = (*width).max(length(cell));
                }
            }
        }
        widths
    }

    /// What a column must have: all of its width, unless it is the last and its words go on under themselves.
    fn needed(&self, column: usize, widths: &[usize]) -> usize {
        if column + 1 == self.columns.len() && self.columns[column] == Align::Left {
            widths[column].min(LAST)
        } else {
            widths[column]
        }
    }

    /// The columns that fit into so many, or all that no reader can do without; and the headings of the others.
    fn fitting(&self, widths: &[usize], room: usize) -> (Vec<usize>, Vec<&'static str>) {
        let Some(Row::Cells(heading)) = self.rows.first() else { return (Vec::new(), Vec::new()) };
        let mut shown: Vec<usize> = (0..self.columns.len()).collect();
        let mut gone = Vec::new();
        for name in self.spare {
            let needed: usize = shown.iter().map(|column| self.needed(*column, widths) + GAP).sum();
            if needed <= room.saturating_add(GAP) {
                break;
            }
            shown.retain(|column| heading[*column] != *name);
            gone.push(*name);
        }
        (shown, gone)
    }

    /// The columns of each line of a row: one line, unless that is too narrow for them.
    fn lines(&self, shown: &[usize], widths: &[usize], width: usize, indent: usize) -> Vec<Vec<usize>> {
        let mut lines: Vec<Vec<usize>> = vec![Vec::new()];
        let mut used = indent;
        for &column in shown {
            let needed = self.needed(column, widths);
            let begun = lines.last().is_some_and(|line| !line.is_empty());
            if begun && used.saturating_add(needed) > width {
                lines.push(Vec::new());
                used = indent + 4;
            }
            if let Some(line) = lines.last_mut() {
                line.push(column);
            }
            used += needed + GAP;
        }
        lines
    }

    fn write_line(
        &self,
        out: &mut Page,
        cells: &[String],
        columns: &[usize],
        widths: &[usize],
        indent: usize,
    ) {
        let mut line = " ".repeat(indent);
        for &place in columns {
            let cell = &cells[place];
            if place + 1 == self.columns.len() && self.columns[place] == Align::Left {
                let column = length(&line);
                return out.wrap(&line, cell, column);
            }
            let fill = " ".repeat(widths[place] - length(cell));
            match self.columns[place] {
                Align::Left => line.extend([cell.as_str(), &fill, "  "]),
                Align::Right => line.extend([fill.as_str(), cell, "  "]),
            }
        }
        out.line(&line);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn columns_align_and_long_last_cells_go_on_under_themselves() {
        let mut table = Table::new([("a", Align::Left), ("n", Align::Right), ("why", Align::Left)]);
        table.row(["long name".into(), "7".into(), "word ".repeat(30)]);
        table.note("a note");
        let mut out = Page::of_file(str::to_owned);
        table.write(&mut out, 2);
        let text = out.into_text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "  a          n  why");
        assert!(lines[1].starts_with("  long name  7  word word"));
        assert!(lines[2].starts_with("                word"));
        assert_eq!(lines.last(), Some(&"    a note"));
        assert!(lines.iter().all(|line| length(line) <= WIDTH));
    }

    #[test]
    fn a_word_longer_than_the_line_stands_alone() {
        let mut out = Page::of_file(str::to_owned);
        out.wrap("* ", &format!("see {}", "x".repeat(200)), 2);
        assert_eq!(out.into_text().lines().count(), 2);
        let mut out = Page::of_file(str::to_owned);
        out.wrap("", &format!("{} 5 %", "x".repeat(WIDTH - 2)), 2);
        assert!(out.into_text().ends_with("\n  5 %\n"));
    }

    #[test]
    fn a_narrow_page_loses_spare_columns_and_then_has_rows_of_several_lines() {
        let mut table = Table::new([
            ("name", Align::Left),
            ("id", Align::Left),
            ("n", Align::Right),
            ("m", Align::Right),
        ])
        .without_first(&["id"]);
        table.row(["virtio-tap".into(), "0123456789".into(), "1,000".into(), "2,000".into()]);
        let at = |width| {
            let mut out = Page::new(width, str::to_owned);
            table.write(&mut out, 0);
            out.into_text()
        };
        assert_eq!(at(36), "name        id              n      m\nvirtio-tap  0123456789  1,000  2,000\n");
        assert_eq!(at(35), "name            n      m\nvirtio-tap  1,000  2,000\n(no room for: id)\n");
        assert_eq!(at(20), "name            n\n        m\nvirtio-tap  1,000\n    2,000\n(no room for: id)\n");
    }

    proptest! {
        #[test]
        fn no_line_is_longer_than_the_page_but_for_a_word_that_is(
            cells in proptest::collection::vec("[a-z,-]{1,12}( [a-z]{1,9}){0,6}", 4), width in 40_usize..120
        ) {
            let mut table = Table::new([("one", Align::Left), ("two", Align::Right), ("three", Align::Left), ("four", Align::Left)])
                .without_first(&["two"]);
            let [a, b, c, d] = <[String; 4]>::try_from(cells.clone()).unwrap();
            // Only a last column may have more than one word in a narrow table.
            let first = |text: &str| text.split(' ').next().unwrap().to_owned();
            table.row([first(&a), first(&b), first(&c), d]);
            let mut out = Page::new(width, str::to_owned);
            table.write(&mut out, 2);
            let text = out.into_text();
            prop_assert!(text.lines().all(|line| length(line) <= width), "{text}");
            for word in cells[3].split(' ') {
                prop_assert!(text.split_whitespace().any(|shown| shown == word), "{word}: {text}");
            }
        }
    }
}
