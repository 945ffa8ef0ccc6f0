//! A table whose cells all go on under themselves, so that it fits; where even that is too wide, a list.
//!
//! Unlike `report::Table`, which is for numbers and has one column of words. Must not know what is in a cell. Units: columns. Errors: none. Tests: `layout.rs`.

use super::words::{Look, Words};

/// Between two columns.
const GAP: usize = 2;

/// A cell of more columns than this is a sentence, ...
const SENTENCE: usize = 50;

/// ... which nobody reads in a column that is narrower than this.
const NARROW: usize = 22;

/// The heading and the rows, each with as many cells.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) rows: Vec<Vec<Words>>,
}

impl Columns {
    /// Its lines, of at most so many columns unless a word is longer.
    pub(super) fn lines(&self, room: usize) -> Vec<String> {
        match self.widths(room) {
            Some(widths) => self.table(&widths),
            None => self.list(room),
        }
    }

    /// `None` where not even the longest words fit beside each other, or a sentence would be squeezed into a narrow column.
    fn widths(&self, room: usize) -> Option<Vec<usize>> {
        let count = self.rows.first()?.len();
        let most = |of: &dyn Fn(&Words) -> usize, column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(of).max().unwrap_or(0)
        };
        let wanted: Vec<usize> = (0..count).map(|column| most(&Words::width, column)).collect();
        let mut widths: Vec<usize> = (0..count).map(|column| most(&Words::longest, column)).collect();
        let room = room.checked_sub(GAP * count.saturating_sub(1))?;
        let mut left = room.checked_sub(widths.iter().sum())?;
        while left > 0 {
            // To the column that is narrowest for what it holds.
            let narrow = (0..count).filter(|&column| widths[column] < wanted[column]);
            let Some(next) = narrow.max_by_key(|&column| 1_000 * wanted[column] / widths[column].max(1))
            else {
                break;
            };
            widths[next] += 1;
            left -= 1;
        }
        let squeezed = |column: usize| wanted[column] > SENTENCE && widths[column] < NARROW;
        (!(0..count).any(squeezed)).then_some(widths)
    }

    fn table(&self, widths: &[usize]) -> Vec<String> {
        let mut lines = Vec::new();
        for (at, row) in self.rows.iter().enumerate() {
            let cells: Vec<Vec<(String, usize)>> =
                row.iter().zip(widths).map(|(cell, &width)| cell.lines(width)).collect();
            let height = cells.iter().map(Vec::len).max().unwrap_or(0);
            for line in 0..height {
                let mut text = String::new();
                for (cell, &width) in cells.iter().zip(widths) {
                    let (words, used) = cell.get(line).cloned().unwrap_or_default();
                    text.push_str(&words);
                    text.push_str(&" ".repeat(width.saturating_sub(used) + GAP));
                }
                lines.push(text.trim_end().to_owned());
            }
            if at == 0 {
                let rule: Vec<String> = widths.iter().map(|&width| "-".repeat(width)).collect();
                lines.push(rule.join(&" ".repeat(GAP)));
            }
        }
        lines
    }

    /// The first cell of each row, and under it the others after their headings.
    fn list(&self, room: usize) -> Vec<String> {
        let Some((heading, rows)) = self.rows.split_first() else { return Vec::new() };
        let mut lines = Vec::new();
        for row in rows {
            let Some((first, others)) = row.split_first() else { continue };
            lines.extend(first.lines(room).into_iter().map(|(line, _)| line));
            for (name, cell) in heading.iter().skip(1).zip(others).filter(|(_, cell)| !cell.is_empty()) {
                let mut words = Words::default();
                words.push(&format!("{}: ", name.text()), Look::Slanted);
                words.extend(cell);
                lines.extend(
                    words.lines(room.saturating_sub(4)).into_iter().map(|(line, _)| format!("    {line}")),
                );
            }
        }
        lines
    }
}
