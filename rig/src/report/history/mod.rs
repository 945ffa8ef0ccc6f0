//! Many nights: for people, for a browser, for programs.
//!
//! Pure. Must not compute a number. Units: as in the model; text in per cent. Errors: none. Tests: `tests/golden/history.rs`, `tests/page/history.rs`.

mod around;
mod format;
mod series;

use rig_protocol::plain_lines;

use super::answer::Tone;
use super::table::Page;
use crate::history::History;

pub use format::HistoryFormat;

pub(super) use around::{alerts, answer, cautions, flakes, header, latencies, nights};
pub(super) use series::{STRIP, named, table};

/// The history in a few words.
pub(super) fn conclude(history: &History) -> (Tone, &'static str) {
    if history.alerts() {
        (Tone::Bad, "Something asks for attention")
    } else if history.nights_known == 0 {
        (Tone::Plain, "No night yet")
    } else {
        (Tone::Good, "Nothing got worse")
    }
}

/// For people, on a page of the reader's: the answer is last, where it stands on the screen.
pub fn history_text(history: &History, mut page: Page) -> String {
    around::header(&mut page, history);
    around::nights(&mut page, history);
    series::write(&mut page, history);
    around::flakes(&mut page, history);
    around::latencies(&mut page, history);
    around::cautions(&mut page, history);
    around::alerts(&mut page, history);
    around::answer(&mut page, history);
    plain_lines(&page.into_text())
}
