//! Who set errno: what a log line with a time stamp says, by whether /etc/localtime is there and where the program runs.
//!
//! Must not judge. Units: counts of trials. Errors: none. Tests: `tests/golden/page.rs`.

use askama::Template;

use crate::analysis::model::{ErrnoSource, LocaltimeFile, ReportModel, SightingKind};
use crate::analysis::words::count;
use crate::report::text;

use super::pieces::of_text;
use super::section::Section;

#[derive(Template)]
#[template(path = "page/localtime.html")]
struct Localtime {
    lead: String,
    rows: Vec<Row>,
    /// HTML.
    more: String,
}

struct Row {
    name: &'static str,
    cells: [Field; 2],
}

struct Field {
    class: &'static str,
    shape: &'static str,
    text: String,
}

pub(super) fn section(model: &ReportModel) -> Option<Section> {
    let is_plain =
        |row: &&ErrnoSource| row.kind == SightingKind::Plain && row.timezone.is_none() && row.log_lines > 0;
    let plain: Vec<&ErrnoSource> = model.errno_sources.iter().filter(is_plain).collect();
    if plain.is_empty() {
        return None;
    }
    let row = |name, file| Row { name, cells: [true, false].map(|on_host| field(&plain, file, on_host)) };
    let rows = vec![row("there", LocaltimeFile::Present), row("absent", LocaltimeFile::Absent)];
    let misled =
        plain.iter().any(|one| one.seen.log_line.keys().any(|errno| one.left_by_localtime(errno) > 0));
    let lead = if misled {
        "A program calls localtime() for the time stamp of its log line, and localtime() itself leaves an errno behind where it finds no file. The line then says an error that \
         the measured call did not have."
    } else {
        "A program calls localtime() for the time stamp of its log line. In this run it left no errno behind that the measured call had not returned."
    };
    let more = of_text(text::errnos::write, model);
    Some(Section::new("errno", "Who set errno", &Localtime { lead: lead.to_owned(), rows, more }))
}

fn field(plain: &[&ErrnoSource], file: LocaltimeFile, on_host: bool) -> Field {
    let rows = || plain.iter().filter(|row| row.localtime_file == file && row.on_host == on_host);
    let of: u64 = rows().map(|row| row.log_lines).sum();
    if of == 0 {
        return Field { class: "plain", shape: "–", text: "not measured".to_owned() };
    }
    let mut said: Vec<String> = Vec::new();
    let mut names: Vec<&String> = rows().flat_map(|row| row.seen.log_line.keys()).collect();
    names.sort();
    names.dedup();
    for errno in names {
        let left: u64 = rows().map(|row| row.left_by_localtime(errno)).sum();
        if left > 0 {
            said.push(format!("{errno} in {} of {}", count(left), count(of)));
        }
    }
    if said.is_empty() {
        Field { class: "good", shape: "✓", text: format!("nothing in {}", count(of)) }
    } else {
        Field { class: "mind", shape: "!", text: said.join(", ") }
    }
}
