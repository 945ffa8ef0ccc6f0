//! What the report for a terminal says, as HTML: its lines as lists, its tables as tables.
//!
//! Must not know a section. Units: none. Errors: none. Tests: `tests/golden/page.rs`.

use askama::Template;

use crate::analysis::model::ReportModel;
use crate::report::table::{Align, Page, Piece, Row};

use super::section::{Section, html};

/// A caption is a few words.
const CAPTION: usize = 90;

#[derive(Template)]
#[template(path = "page/pieces.html")]
struct Pieces {
    pieces: Vec<Shown>,
}

enum Shown {
    Heading(String),
    Lines(Vec<Line>),
    Table(Table),
}

struct Line {
    deep: bool,
    mark: String,
    text: String,
}

struct Table {
    caption: String,
    heading: Vec<(String, bool)>,
    rows: Vec<TableRow>,
    /// Whether it is long enough to be sorted and searched.
    filtered: bool,
}

struct TableRow {
    cells: Vec<(String, bool)>,
    notes: Vec<String>,
}

/// From so many rows on a reader wants to sort.
const LONG: usize = 6;

/// A section of the report for a terminal as one of the page; nothing where it says nothing.
pub(super) fn section(
    id: &'static str,
    title: &'static str,
    write: fn(&mut Page, &ReportModel),
    model: &ReportModel,
) -> Option<Section> {
    let body = of_text(write, model);
    (!body.is_empty()).then_some(Section { id, title, body })
}

/// The same without its heading, as HTML; empty where it says nothing.
pub(super) fn of_text(write: fn(&mut Page, &ReportModel), model: &ReportModel) -> String {
    let mut page = Page::of_file(str::to_owned);
    write(&mut page, model);
    of_page(page)
}

/// What was written onto a page, without its heading, as HTML; empty where that is nothing.
pub(super) fn of_page(page: Page) -> String {
    let mut pieces = page.into_pieces();
    if let Some(Piece::Heading(_)) = pieces.first() {
        pieces.remove(0);
    }
    if pieces.is_empty() { String::new() } else { html(&Pieces { pieces: shown(pieces) }) }
}

/// A table of our own making.
pub(super) fn table<const N: usize>(
    caption: &str,
    heading: [(&str, Align); N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let heading = heading.iter().map(|(name, align)| ((*name).to_owned(), *align)).collect();
    let rows: Vec<Row> = rows.into_iter().map(|cells| Row::Cells(cells.into())).collect();
    html(&Pieces { pieces: vec![Shown::Table(of_rows(caption.to_owned(), heading, rows))] })
}

/// Lines of our own making.
pub(super) fn lines(texts: &[&str]) -> String {
    let line = |text: &&str| Line { deep: false, mark: String::new(), text: (*text).to_owned() };
    html(&Pieces { pieces: vec![Shown::Lines(texts.iter().map(line).collect())] })
}

fn shown(pieces: Vec<Piece>) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    // A table is about what was said before it.
    let mut said = String::new();
    for piece in pieces {
        match piece {
            Piece::Heading(text) => {
                said.clone_from(&text);
                shown.push(Shown::Heading(text));
            }
            Piece::Line { text, .. } if text.is_empty() => {}
            Piece::Line { depth, mark, text } => {
                said.clone_from(&text);
                let line = Line { deep: depth > 2, mark, text };
                match shown.last_mut() {
                    Some(Shown::Lines(lines)) => lines.push(line),
                    _ => shown.push(Shown::Lines(vec![line])),
                }
            }
            Piece::Table { heading, rows } => {
                let caption = short(&said, heading.first().map_or("", |(name, _)| name));
                shown.push(Shown::Table(of_rows(caption, heading, rows)));
            }
        }
    }
    shown
}

/// The first words of the line before a table.
fn short(said: &str, first: &str) -> String {
    let said = if said.is_empty() { first } else { said };
    if said.chars().count() <= CAPTION {
        return said.trim_end_matches([':', '.']).to_owned();
    }
    let cut: String = said.chars().take(CAPTION).collect();
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words);
    format!("{} ...", whole.trim_end_matches([',', ';', ':']))
}

fn of_rows(caption: String, heading: Vec<(String, Align)>, rows: Vec<Row>) -> Table {
    let sides: Vec<bool> = heading.iter().map(|(_, align)| *align == Align::Right).collect();
    let mut made: Vec<TableRow> = Vec::new();
    for row in rows {
        match row {
            Row::Cells(cells) => {
                let cells = cells.into_iter().zip(sides.iter().copied()).collect();
                made.push(TableRow { cells, notes: Vec::new() });
            }
            Row::Note(note) => {
                if let Some(row) = made.last_mut() {
                    row.notes.push(note);
                }
            }
        }
    }
    let heading = heading.into_iter().map(|(name, _)| name).zip(sides).collect();
    Table { caption, heading, filtered: made.len() >= LONG, rows: made }
}
