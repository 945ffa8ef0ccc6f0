//! What is rated in every cell and compared between cells.
//!
//! Holds the questions and how often a tally answers each with yes. Must not judge.
//! Units: counts. Errors: none. Tests: here.

use std::fmt;

use rig_protocol::{Errno, Tally};
use rig_stats::Count;
use schemars::JsonSchema;
use serde::Serialize;

/// How often the verdict call returned -1 with this errno.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub enum Question {
    /// With EBADF.
    #[serde(rename = "EBADF")]
    Ebadf,
    /// With ENOENT.
    #[serde(rename = "ENOENT")]
    Enoent,
    /// With any errno.
    #[serde(rename = "any_error")]
    AnyError,
}

impl Question {
    /// All, in the order of their keys.
    pub const ALL: [Self; 3] = [Self::Ebadf, Self::Enoent, Self::AnyError];

    /// Its key in a report.
    pub fn key(self) -> &'static str {
        match self {
            Self::Ebadf => "EBADF",
            Self::Enoent => "ENOENT",
            Self::AnyError => "any_error",
        }
    }

    /// How often this tally answers it with yes.
    pub fn hits(self, tally: &Tally) -> u64 {
        match self {
            Self::Ebadf => tally.returned(Errno::EBADF),
            Self::Enoent => tally.returned(Errno::ENOENT),
            Self::AnyError => tally.returned_any_errno(),
        }
    }

    /// The same, of all verdict calls that returned: a trial that was cut before has no answer.
    pub fn count(self, tally: &Tally) -> Count {
        Count::new(self.hits(tally), tally.returned_calls()).unwrap_or(Count::NONE)
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

#[cfg(test)]
mod tests {
    use rig_protocol::Returned;

    use super::*;

    #[test]
    fn a_trial_that_was_cut_answers_nothing() {
        let returns = [(Returned::ONE, 597), (Returned::failed(Errno::EBADF), 3)].into();
        let tally = Tally { trials: 1_000, unreturned: 400, returns, ..Tally::default() };
        let of = |question: Question| question.count(&tally);
        assert_eq!(Question::ALL.map(|question| of(question).trials()), [600; 3]);
        assert_eq!(Question::ALL.map(|question| of(question).hits()), [3, 0, 3]);
    }

    #[test]
    fn a_question_is_written_as_its_key_and_stands_in_the_order_of_the_keys() {
        for question in Question::ALL {
            assert_eq!(serde_json::to_value(question).expect("plain data"), question.key());
        }
        assert!(Question::ALL.is_sorted() && Question::ALL.is_sorted_by_key(|question| question.key()));
    }
}
