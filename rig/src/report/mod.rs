//! Rendering of a report: one file per format, and the list of them; and the schemas of what is written.
//!
//! Pure: model in, text out, the same bytes everywhere. Must not compute a number.
//! Units: as in the model; text and tables in per cent. Errors: none.
//! Tests: golden reports (`tests/golden.rs`).

mod answer;
mod compared;
mod csv;
mod json;
mod junit;
mod no_packets;
mod outcomes;
mod program;
mod scenario_run;
mod schema;
mod status;
mod table;
mod text;

use rig_protocol::plain_lines;

use crate::analysis::model::ReportModel;

pub use answer::{Line, Tone, answer};
pub use compared::{ComparisonFormat, comparison_text};
pub use csv::Column;
pub use scenario_run::{scenario_json, scenario_text};
pub use schema::FileSchema;
pub use table::{Align, Page, Table};

/// A format.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// What a user calls it.
    pub name: &'static str,
    /// Extension of `report.*`.
    pub extension: &'static str,
    render: fn(&ReportModel) -> String,
}

/// The formats that there are, in the order in which they are listed to a user. A new one is a file here and its row.
const ALL: &[Format] = &[
    Format {
        name: "text",
        extension: "txt",
        render: |model| text::render(model, Page::of_file(str::to_owned), &further()),
    },
    Format { name: "answer", extension: "answer.txt", render: answer::render },
    Format { name: "json", extension: "json", render: json::render },
    Format { name: "csv", extension: "csv", render: csv::render },
    Format { name: "junit", extension: "xml", render: junit::render },
];

/// All but the first, as `--format` takes them.
fn further() -> String {
    ALL[1..].iter().map(|format| format.name).collect::<Vec<_>>().join(",")
}

impl Format {
    /// All of them.
    pub const ALL: &'static [Self] = ALL;
    /// The one for people.
    pub const TEXT: Self = ALL[0];

    /// The last screen of a run.
    pub const ANSWER: Self = ALL[1];

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|format| format.name == name)
    }

    /// Renders. Ends with a newline. A text for people has nothing that paints their terminal, whatever a guest or a file from elsewhere says.
    pub fn render(self, model: &ReportModel) -> String {
        let text = (self.render)(model);
        if self.extension.ends_with("txt") { plain_lines(&text) } else { text }
    }
}

/// The report for people, on a page of the reader's.
pub fn text(model: &ReportModel, page: Page) -> String {
    text::render(model, page, &further())
}

/// Names are unique.
impl PartialEq for Format {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_format_has_a_name_and_an_extension_of_its_own() {
        let names: BTreeSet<&str> = ALL.iter().map(|format| format.name).collect();
        let extensions: BTreeSet<&str> = ALL.iter().map(|format| format.extension).collect();
        assert_eq!((names.len(), extensions.len()), (ALL.len(), ALL.len()));
        assert_eq!((Format::TEXT.name, Format::ANSWER.name), ("text", "answer"));
        assert_eq!(Format::from_name("yaml"), None);
    }
}
