//! The report for the summary of a CI job or a comment: Markdown of at most 64 KiB.
//!
//! The answer, the checks and the largest differences always; then the sections of the text, each whole or not at all, and at the end how many are left out.
//! Must not compute a number. Units: bytes; rates in per cent. Errors: none. Tests: `tests/golden/markdown.rs`.

use crate::analysis::model::{ReportModel, RunComparison};
use crate::analysis::words::several;

use super::answer::{Item, Tone, believe, conclude, differs, found};
use super::compared;
use super::table::{Align, Page, Piece, Row};
use super::text;

/// A comment of GitHub takes 65,536 characters; a step summary takes more.
const MOST_BYTES: usize = 64 << 10;

/// For what stands at the end.
const SPARE: usize = 256;

/// So many items of one list are always shown.
const ITEMS: usize = 10;

/// A section of the text, and its heading here where it has another one.
type Section<T> = (Option<&'static str>, fn(&mut Page, &T));

/// The sections that follow, the more needed first.
const SECTIONS: [Section<ReportModel>; 16] = [
    (Some("The run"), text::header::write),
    (Some("The same in full sentences"), text::found::write),
    (None, text::controls::write),
    (None, text::comparisons::write),
    (None, text::outcomes::write),
    (None, text::baseline::write),
    (None, text::errnos::write),
    (None, text::programs::write),
    (None, text::fixes::write),
    (None, text::claims::write),
    (None, text::kernels::write),
    (None, text::atlas::write),
    (None, text::diagnostics::write),
    (None, text::counter_measures::write),
    (None, text::latencies::write),
    (None, text::cells::write),
];

pub(super) fn render(model: &ReportModel) -> String {
    let (tone, word) = conclude(model);
    let complete = if model.run.complete { "" } else { " (NOT COMPLETE)" };
    let mut out = format!("## {} {word}\n\nrig run `{}`{complete}\n", sign(tone), model.run.id);
    list(&mut out, "What was found", &found::items(model));
    list(&mut out, "What differs", &differs::items(model));
    list(&mut out, "Can it be believed", &believe::items(model));
    sections(&mut out, &SECTIONS, model, &format!("rig report {}", model.run.id));
    out
}

/// The same of a comparison: the answer, then what stands around and behind it.
pub(super) fn of_comparison(of: &RunComparison) -> String {
    let (tone, word) = compared::conclude(of);
    let mut out = format!("## {} {word}\n", sign(tone));
    let all: [Section<RunComparison>; 8] = [
        (Some("What was compared"), compared::header),
        (Some("The answer"), compared::answer),
        (None, compared::changes),
        (None, compared::errnos),
        (None, compared::outcomes),
        (None, compared::latencies),
        (None, compared::not_compared),
        (None, compared::believed),
    ];
    sections(&mut out, &all, of, "rig compare");
    out
}

/// Each whole or not at all; `command` has what is left out.
fn sections<T>(out: &mut String, all: &[Section<T>], model: &T, command: &str) {
    let mut left_out = 0;
    for (heading, write) in all {
        let section = section(*heading, *write, model);
        if out.len() + section.len() + SPARE > MOST_BYTES {
            left_out += 1;
        } else {
            out.push_str(&section);
        }
    }
    if left_out > 0 {
        let what = several(left_out, "section");
        out.push_str(&format!("\n_{what} left out, to stay below 64 KiB: `{command}` has all of it._\n"));
    }
}

fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "✅",
        Tone::Bad => "❌",
        Tone::Mind => "⚠️",
        Tone::Plain | Tone::Heading => "▫️",
    }
}

fn list(out: &mut String, heading: &str, items: &[Item]) {
    out.push_str(&format!("\n### {heading}\n\n"));
    for item in items.iter().take(ITEMS) {
        out.push_str(&format!("- {} **{}** {}\n", sign(item.tone), escaped(item.mark), escaped(&item.text)));
    }
    if items.len() > ITEMS {
        out.push_str(&format!("- {} more in the report\n", items.len() - ITEMS));
    }
}

/// A section of the text; empty where it says nothing.
fn section<T>(heading: Option<&str>, write: fn(&mut Page, &T), model: &T) -> String {
    let mut page = Page::of_file(str::to_owned);
    write(&mut page, model);
    let pieces = page.into_pieces();
    let mut out = String::new();
    if let (Some(heading), false) = (heading, pieces.is_empty()) {
        out.push_str(&format!("\n### {heading}\n"));
    }
    let own = heading.is_some();
    let mut after_line = false;
    for (at, piece) in pieces.into_iter().enumerate() {
        match piece {
            Piece::Heading(_) if own && at == 0 => {}
            Piece::Heading(text) => out.push_str(&format!("\n### {}\n", escaped(&text))),
            Piece::Line { depth, mark, text } => {
                if !after_line {
                    out.push('\n');
                }
                let mark = mark.trim_matches(['*', '!']).trim().to_owned();
                let mark = if mark.is_empty() { String::new() } else { format!("**{}** ", escaped(&mark)) };
                let deep = if depth > 2 { "  " } else { "" };
                out.push_str(&format!("{deep}- {mark}{}\n", escaped(&text)));
                after_line = true;
                continue;
            }
            Piece::Table { heading, rows } => table(&mut out, &heading, &rows),
        }
        after_line = false;
    }
    out
}

fn table(out: &mut String, heading: &[(String, Align)], rows: &[Row]) {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| escaped(cell).replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    out.push('\n');
    let names: Vec<String> = heading.iter().map(|(name, _)| name.clone()).collect();
    out.push_str(&line(&names));
    let sides: Vec<&str> = heading
        .iter()
        .map(|(_, align)| match align {
            Align::Left => ":--",
            Align::Right => "--:",
        })
        .collect();
    out.push_str(&format!("| {} |\n", sides.join(" | ")));
    let mut whole: Vec<Vec<String>> = Vec::new();
    for row in rows {
        match row {
            Row::Cells(cells) => whole.push(cells.clone()),
            // Markdown has no row of one field: what is said of a row stands in its last field.
            Row::Note(note) => {
                if let Some(last) = whole.last_mut().and_then(|cells| cells.last_mut()) {
                    let gap = if last.is_empty() { "" } else { "; " };
                    last.push_str(&format!("{gap}{note}"));
                }
            }
        }
    }
    whole.iter().for_each(|cells| out.push_str(&line(cells)));
}

/// What would be markup is shown as it is; code between backticks stays code.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut code = false;
    let balanced = text.matches('`').count().is_multiple_of(2);
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let inside = before.is_alphanumeric() && letters.peek().is_some_and(|next| next.is_alphanumeric());
        before = letter;
        match letter {
            // Within a word it is no markup.
            '_' if inside => out.push('_'),
            '`' if balanced => {
                code = !code;
                out.push('`');
            }
            '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '~' | '`' if !code => {
                out.push('\\');
                out.push(letter);
            }
            '\n' | '\r' => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}
