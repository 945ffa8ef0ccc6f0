//! The formats of a comparison of two runs, or of two configurations: one row for each.
//!
//! Must not compute a number. Units: as in the model. Errors: none. Tests: `tests/golden/compared.rs`.

use super::compared::comparison_text;
use super::json::pretty;
use super::table::Page;
use super::{markdown, page};
use crate::analysis::model::RunComparison;

/// A format of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct ComparisonFormat {
    /// What a user calls it.
    pub name: &'static str,
    /// Extension of `comparison.*`.
    pub extension: &'static str,
    render: fn(&RunComparison) -> String,
}

/// The formats that there are, in the order in which they are listed to a user.
const ALL: &[ComparisonFormat] = &[
    ComparisonFormat {
        name: "text",
        extension: "txt",
        render: |compared| comparison_text(compared, Page::of_file(str::to_owned)),
    },
    ComparisonFormat { name: "html", extension: "html", render: page::comparison },
    ComparisonFormat { name: "markdown", extension: "md", render: markdown::of_comparison },
    ComparisonFormat { name: "json", extension: "json", render: json },
];

impl ComparisonFormat {
    /// All of them.
    pub const ALL: &'static [Self] = ALL;
    /// The one for people.
    pub const TEXT: Self = ALL[0];

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|format| format.name == name)
    }

    /// Renders. Ends with a newline.
    pub fn render(self, compared: &RunComparison) -> String {
        (self.render)(compared)
    }
}

/// Names are unique.
impl PartialEq for ComparisonFormat {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

fn json(compared: &RunComparison) -> String {
    pretty(compared)
}
