//! A section that a page has from the text for a terminal: its words, and a verdict above them.
//!
//! Must not know what is said. Units: none. Errors: none. Tests: `tests/golden/compared.rs`, `tests/page/history.rs`.

use crate::report::answer::Tone;
use crate::report::table::Page;

use super::pieces;
use super::section::Section;
use super::tone::of_tone;

/// The section of what is written; none where nothing is.
pub(super) fn written<M>(
    of: &M,
    id: &'static str,
    title: &'static str,
    write: fn(&mut Page, &M),
) -> Option<Section> {
    let mut page = Page::of_file(str::to_owned);
    write(&mut page, of);
    let body = pieces::of_page(page);
    (!body.is_empty()).then_some(Section { id, title, body })
}

/// The same section with a verdict above it, by word, shape and colour.
pub(super) fn with_verdict(mut section: Section, tone: Tone, word: &str) -> Section {
    let (class, shape, _) = of_tone(tone);
    let verdict = format!(
        "<p class=\"verdict {class}\"><b class=\"shape\" aria-hidden=\"true\">{shape}</b> <strong>{word}</strong></p>\n"
    );
    section.body.insert_str(0, &verdict);
    section
}
