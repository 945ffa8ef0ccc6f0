//! The words for how something ended, one rendering each for all formats.
//!
//! Must not know a format. Units: none. Errors: none.
//! Tests: golden reports.

use crate::analysis::model::{CellStatus, ComparisonVerdict, ControlStatus, HypothesisVerdict, Question};

pub(super) fn status_word(status: CellStatus) -> &'static str {
    match status {
        CellStatus::Complete => "complete",
        CellStatus::Short => "short",
        CellStatus::Skipped => "skipped",
        CellStatus::Blind => "blind",
    }
}

pub(super) fn control_words(status: ControlStatus) -> &'static str {
    match status {
        ControlStatus::Passed => "passed",
        ControlStatus::Failed => "failed",
        ControlStatus::NotExercised => "not exercised",
        ControlStatus::NotRun => "not run",
    }
}

pub(super) fn verdict_words(verdict: ComparisonVerdict) -> &'static str {
    match verdict {
        ComparisonVerdict::SameWithinTheMargin => "same within the margin",
        ComparisonVerdict::Differs => "different",
        ComparisonVerdict::DiffersWithinTheMargin => "different within the margin",
        ComparisonVerdict::NotEnoughTrials => "not enough trials",
        ComparisonVerdict::Blind => "blind",
        ComparisonVerdict::NotRun => "not run",
    }
}

pub(super) fn errno_word(errno: Question) -> &'static str {
    match errno {
        Question::AnyError => "any -1",
        Question::Ebadf | Question::Enoent => errno.key(),
    }
}

pub(super) fn hypothesis_word(verdict: HypothesisVerdict) -> &'static str {
    match verdict {
        HypothesisVerdict::Supported => "supported",
        HypothesisVerdict::Refuted => "refuted",
        HypothesisVerdict::Undecided => "undecided",
        HypothesisVerdict::Documented => "documented",
    }
}
