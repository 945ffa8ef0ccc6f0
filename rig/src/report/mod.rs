//! Rendering of a report: one file per format.
//!
//! Pure: model in, text out, the same bytes everywhere. Must not compute a number.
//! Units: as in the model; text and tables in per cent. Errors: none.
//! Tests: golden reports (`tests/golden.rs`).

mod csv;
mod json;
mod junit;
mod table;
mod text;

use crate::analysis::model::ReportModel;

/// The formats that there are. A new one is a file here and a line in [`Format::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people, 110 columns.
    Text,
    /// The whole model (contract, `format` 1).
    Json,
    /// One row per cell and errno.
    Csv,
    /// For CI.
    Junit,
}

impl Format {
    /// All of them, in the order in which they are listed to a user.
    pub const ALL: [Self; 4] = [Self::Text, Self::Json, Self::Csv, Self::Junit];

    /// What a user calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Junit => "junit",
        }
    }

    /// Extension of `report.*`.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Text => "txt",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Junit => "xml",
        }
    }

    /// The format of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// Renders. Ends with a newline.
pub fn render(model: &ReportModel, format: Format) -> String {
    match format {
        Format::Text => text::render(model),
        Format::Json => json::render(model),
        Format::Csv => csv::render(model),
        Format::Junit => junit::render(model),
    }
}
