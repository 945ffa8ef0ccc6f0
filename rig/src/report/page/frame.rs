//! The frame of every page: title, links to the sections, style, script.
//!
//! Must not know a section. Units: none. Errors: none. Tests: `tests/golden/page.rs`.

use askama::Template;

use super::section::{Section, html};

const STYLE: [&str; 2] = [crate::chart::CSS, include_str!("../../../templates/page/page.css")];
const SCRIPT: &str = include_str!("../../../templates/page/page.js");

/// What stands around the sections.
#[derive(Template)]
#[template(path = "page/frame.html")]
pub(super) struct Frame<'a> {
    pub(super) title: String,
    pub(super) kicker: String,
    pub(super) heading: &'static str,
    pub(super) facts: Vec<String>,
    pub(super) run: &'a str,
    pub(super) rig_version: &'a str,
    /// In how many seconds a browser loads the page anew.
    pub(super) refresh: Option<u32>,
    pub(super) sections: Vec<Section>,
    /// HTML.
    pub(super) record: String,
}

/// The whole page. Ends with a newline.
pub(super) fn page(frame: &Frame<'_>) -> String {
    let mut page = html(frame);
    page.push('\n');
    page
}
