//! How a state looks: its class, and its shape, for those who do not see the colour.
//!
//! Must not know a section. Units: none. Errors: none. Tests: `tests/golden/page.rs`.

use crate::analysis::model::{CellStatus, CellSummary, ExpectationStatus, HypothesisVerdict};
use crate::report::answer::Tone;

/// The class of a state in the style sheet, its shape, and its word in the legend.
pub(super) type Look = (&'static str, &'static str, &'static str);

pub(super) const AS_EXPECTED: Look = ("good", "✓", "as expected");
pub(super) const WITHIN: Look = ("mind", "≈", "within tolerance");
pub(super) const OTHERWISE: Look = ("bad", "✗", "otherwise");
pub(super) const KNOWN: Look = ("known", "◆", "otherwise, as known");
pub(super) const NOT_JUDGED: Look = ("plain", "·", "not judged");
pub(super) const BLIND: Look = ("mind", "◌", "blind");
pub(super) const NOT_RUN: Look = ("plain", "–", "not run");

pub(super) fn of_tone(tone: Tone) -> Look {
    match tone {
        Tone::Good => ("good", "✓", "as it should be"),
        Tone::Bad => ("bad", "✗", "look at this"),
        Tone::Mind => ("mind", "!", "keep in mind"),
        Tone::Plain | Tone::Heading => ("plain", "·", "for information"),
    }
}

pub(super) fn of_expectation(status: ExpectationStatus) -> Look {
    match status {
        ExpectationStatus::AsExpected => AS_EXPECTED,
        ExpectationStatus::WithinTolerance => WITHIN,
        ExpectationStatus::Unexpected => OTHERWISE,
        ExpectationStatus::Known => KNOWN,
        ExpectationStatus::NotJudged => NOT_JUDGED,
    }
}

pub(super) fn of_cell(cell: &CellSummary) -> Look {
    match cell.status {
        CellStatus::Skipped => NOT_RUN,
        _ if cell.trials == 0 => NOT_RUN,
        CellStatus::Blind => BLIND,
        CellStatus::Complete | CellStatus::Short => match &cell.expectation {
            Some(expectation) => of_expectation(expectation.status),
            None => NOT_JUDGED,
        },
    }
}

pub(super) fn of_verdict(verdict: HypothesisVerdict) -> Look {
    match verdict {
        HypothesisVerdict::Supported => ("good", "✓", "supported"),
        HypothesisVerdict::Refuted => ("bad", "✗", "refuted"),
        HypothesisVerdict::Undecided => ("mind", "?", "undecided"),
        HypothesisVerdict::Documented => ("plain", "§", "documented"),
    }
}
