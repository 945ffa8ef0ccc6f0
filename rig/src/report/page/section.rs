//! A part of the page.
//!
//! Must not know one. Units: none. Errors: none. Tests: `tests/golden/page.rs`.

use askama::Template;

/// A heading with its link, and what stands under it.
pub(super) struct Section {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// HTML.
    pub(super) body: String,
}

impl Section {
    pub(super) fn new(id: &'static str, title: &'static str, body: &impl Template) -> Self {
        Self { id, title, body: html(body) }
    }
}

/// A template of ours has nothing that can fail.
pub(super) fn html(template: &impl Template) -> String {
    template.render().expect("it writes into a string")
}
