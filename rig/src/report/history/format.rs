//! The formats of a history: one row for each.
//!
//! Must not compute a number. Units: as in the model. Errors: none. Tests: `tests/golden/history.rs`.

use super::super::json::pretty;
use super::super::page;
use super::super::table::Page;
use super::history_text;
use crate::history::History;

/// A format of a history.
#[derive(Debug, Clone, Copy)]
pub struct HistoryFormat {
    /// What a user calls it.
    pub name: &'static str,
    /// Extension of `history.*`.
    pub extension: &'static str,
    render: fn(&History) -> String,
}

/// The formats that there are, in the order in which they are listed to a user.
const ALL: &[HistoryFormat] = &[
    HistoryFormat {
        name: "text",
        extension: "txt",
        render: |history| history_text(history, Page::of_file(str::to_owned)),
    },
    HistoryFormat { name: "html", extension: "html", render: page::history },
    HistoryFormat { name: "json", extension: "json", render: |history| pretty(history) },
];

impl HistoryFormat {
    /// All of them.
    pub const ALL: &'static [Self] = ALL;
    /// The one for people.
    pub const TEXT: Self = ALL[0];
    /// The page for a browser.
    pub const HTML: Self = ALL[1];

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        ALL.iter().copied().find(|format| format.name == name)
    }

    /// Renders. Ends with a newline.
    pub fn render(self, history: &History) -> String {
        (self.render)(history)
    }
}

/// Names are unique.
impl PartialEq for HistoryFormat {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}
