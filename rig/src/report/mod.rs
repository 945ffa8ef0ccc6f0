//! Rendering of a report: one file per format, and the list of them; and the schemas of what is written.
//!
//! Pure: model in, text out, the same bytes everywhere. Must not compute a number.
//! Units: as in the model; text and tables in per cent. Errors: none.
//! Tests: golden reports (`tests/golden.rs`).

mod answer;
mod carried;
mod cases;
mod compared;
mod comparison_format;
mod csv;
mod ctrf;
mod github;
mod history;
mod json;
mod junit;
mod kcidb;
mod ktap;
mod markdown;
mod moment;
mod no_packets;
mod openmetrics;
mod outcomes;
mod page;
mod program;
mod replay;
mod scenario_run;
mod schema;
mod standing;
mod status;
mod table;
mod text;

use rig_protocol::plain_lines;

use crate::analysis::model::ReportModel;

pub use answer::{Line, Tone, answer};
pub use carried::Carried;
pub use compared::comparison_text;
pub use comparison_format::ComparisonFormat;
pub use csv::Column;
pub use history::{HistoryFormat, history_text};
pub use replay::{replay_json, replay_text};
pub use scenario_run::{scenario_json, scenario_text};
pub use schema::FileSchema;
pub use standing::{Standing, Words};
pub use table::{Align, Page, Table};

/// A format.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// What a user calls it.
    pub name: &'static str,
    /// Extension of `report.*`.
    pub extension: &'static str,
    render: Render,
}

/// How a format is made.
#[derive(Debug, Clone, Copy)]
enum Render {
    /// Of what the run says.
    Model(fn(&ReportModel) -> String),
    /// And of the run itself, which it carries.
    Page(fn(&ReportModel, &Carried) -> String),
}

/// The formats that there are, in the order in which they are listed to a user. A new one is a file here and its row.
const ALL: &[Format] = &[
    Format {
        name: "text",
        extension: "txt",
        render: Render::Model(|model| text::render(model, Page::of_file(str::to_owned), &further())),
    },
    Format { name: "answer", extension: "answer.txt", render: Render::Model(answer::render) },
    Format { name: "html", extension: "html", render: Render::Page(page::render) },
    Format { name: "markdown", extension: "md", render: Render::Model(markdown::render) },
    Format { name: "json", extension: "json", render: Render::Model(json::render) },
    Format { name: "csv", extension: "csv", render: Render::Model(csv::render) },
    Format { name: "junit", extension: "xml", render: Render::Model(junit::render) },
    Format { name: "ktap", extension: "ktap", render: Render::Model(ktap::render) },
    Format { name: "openmetrics", extension: "prom", render: Render::Model(openmetrics::render) },
    Format { name: "kcidb", extension: "kcidb.json", render: Render::Model(kcidb::render) },
    Format { name: "ctrf", extension: "ctrf.json", render: Render::Model(ctrf::render) },
    Format { name: "github", extension: "github.txt", render: Render::Model(github::render) },
];

/// Those that a reader of the text may want too, as `--format` takes them: as many as fit on a line of a terminal.
fn further() -> String {
    ALL[2..6].iter().map(|format| format.name).collect::<Vec<_>>().join(",")
}

impl Format {
    /// All of them.
    pub const ALL: &'static [Self] = ALL;
    /// The one for people.
    pub const TEXT: Self = ALL[0];

    /// The last screen of a run.
    pub const ANSWER: Self = ALL[1];

    /// The page for a browser.
    pub const HTML: Self = ALL[2];

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|format| format.name == name)
    }

    /// Whether it takes the run along: [`Carried`] has it.
    pub fn carries(self) -> bool {
        matches!(self.render, Render::Page(_))
    }

    /// Renders, with nothing taken along.
    pub fn render(self, model: &ReportModel) -> String {
        self.render_with(model, &Carried::default())
    }

    /// Renders. Ends with a newline. A text for people has nothing that paints their terminal, whatever a guest or a file from elsewhere says.
    pub fn render_with(self, model: &ReportModel, carried: &Carried) -> String {
        let text = match self.render {
            Render::Model(render) => render(model),
            Render::Page(render) => render(model, carried),
        };
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
        assert_eq!((Format::TEXT.name, Format::ANSWER.name, Format::HTML.name), ("text", "answer", "html"));
        assert_eq!(Format::from_name("yaml"), None);
    }
}
