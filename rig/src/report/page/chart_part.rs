//! A section of charts, each with its numbers as a table.
//!
//! Must not know what is drawn. Units: none. Errors: none. Tests: `tests/golden/page.rs`.

use askama::Template;

/// A chart and its table.
pub(super) struct Chart {
    pub(super) caption: String,
    /// SVG.
    pub(super) svg: String,
    /// HTML.
    pub(super) table: String,
}

#[derive(Template)]
#[template(path = "page/charted.html")]
pub(super) struct Charted {
    pub(super) lead: String,
    pub(super) charts: Vec<Chart>,
    pub(super) more_title: &'static str,
    /// HTML; empty where there is no more.
    pub(super) more: String,
}
