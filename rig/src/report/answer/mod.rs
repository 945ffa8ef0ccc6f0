//! The answer of a run on one screen of 24 lines and 80 columns: what was found, what differs, whether to believe it, and where to read on.
//!
//! Holds the order of the parts and what each may take. Must not compute a number, nor know a terminal: a line has a tone, and who prints it gives it a colour.
//! Units: rates in per cent. Errors: none.
//! Tests: `tests/golden/answer.rs`.

pub(super) mod believe;
pub(super) mod differs;
pub(super) mod found;
mod screen;

use crate::analysis::model::ReportModel;
use crate::analysis::{Conclusion, conclusion};

pub(super) use screen::Item;
use screen::{LINES, part};

pub use screen::{Line, Tone};

/// The screen of a run: `folder` is where its files are, as the reader would type it; `hints` words the commands that it names.
pub fn answer(model: &ReportModel, folder: &str, hints: fn(&str) -> String) -> Vec<Line> {
    let complete = if model.run.complete { "complete" } else { "NOT COMPLETE" };
    let (tone, word) = conclude(model);
    let mut screen = vec![Line { tone, text: format!("{word} · run {} ({complete})", model.run.id) }];
    screen.extend(part("What was found", &found::items(model), 9, "in the report"));
    screen.extend(part("What differs", &differs::items(model), 5, "in the report"));
    let read = [
        Item::new(Tone::Plain, "report", format!("{folder}/report.txt")),
        Item::new(Tone::Plain, "an errno", explain(folder, hints)),
    ];
    let read = part("Where to read on", &read, 3, "");
    // Its heading is still to come.
    let left = LINES.saturating_sub(screen.len() + read.len() + 1);
    screen.extend(part("Can it be believed", &believe::items(model), left, "in the report"));
    screen.extend(read);
    screen
}

/// The run in a few words.
pub(super) fn conclude(model: &ReportModel) -> (Tone, &'static str) {
    match conclusion(model) {
        Conclusion::Done => (Tone::Good, "No difference found"),
        Conclusion::Short => (Tone::Bad, "NOT PROVEN: something is missing"),
        Conclusion::Alert => (Tone::Bad, "ALERT OR DIFFERENCE: see what differs"),
    }
}

/// The command that says more of an errno, for the runs in the folder around this one.
fn explain(folder: &str, hints: fn(&str) -> String) -> String {
    let around = std::path::Path::new(folder).parent().map(|around| around.display().to_string());
    let results = match around.as_deref() {
        None | Some("" | "results") => String::new(),
        Some(other) => format!(" --results {other}"),
    };
    let command = hints(&format!("`rig explain ENOENT{results}`"));
    format!("{}: who can set it, and what was measured", command.trim_matches('`'))
}

/// The screen as text, without colours.
pub(super) fn render(model: &ReportModel) -> String {
    answer(model, &model.run.id, str::to_owned).iter().map(|line| format!("{}\n", line.text)).collect()
}
