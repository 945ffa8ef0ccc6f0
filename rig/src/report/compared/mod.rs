//! Two runs compared, or two configurations of one: for people and for programs, one row for each format.
//!
//! Pure. Must not compute a number, nor know a terminal. "First" and "second" are the sides as they were asked for; a difference is second minus first.
//! Units: as in the model; text in per cent. Errors: none. Tests: `tests/golden/compared.rs`.

mod around;
mod errnos;
mod latencies;
mod outcomes;

use rig_protocol::plain_lines;

use super::table::Page;
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
    let mut text = serde_json::to_string_pretty(compared).expect("a model is plain data with string keys");
    text.push('\n');
    text
}

/// For people, on a page of the reader's: the answer is last, where it stands on the screen. A guest's words do not paint the reader's terminal.
pub fn comparison_text(compared: &RunComparison, mut page: Page) -> String {
    around::header(&mut page, compared);
    around::changes(&mut page, compared);
    errnos::write(&mut page, compared);
    outcomes::write(&mut page, compared);
    latencies::write(&mut page, compared);
    around::not_compared(&mut page, compared);
    around::believed(&mut page, compared);
    around::answer(&mut page, compared);
    plain_lines(&page.into_text())
}
