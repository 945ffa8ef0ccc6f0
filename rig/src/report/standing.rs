//! What came of a test case, in the words of each format of tests: the one table of them.
//!
//! Must not know what a case is. Units: none. Errors: none.
//! Sources: KCIDB schema 5.3 (`status`), Documentation/dev-tools/ktap.rst, the CTRF specification (`status`), GitHub's workflow commands.
//! Tests: `tests/golden/formats.rs`, which holds the table of `docs/report.md` against this one.

/// What came of a case. In the order of gravity, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// A difference that is news, an alert, or trials that surely ended otherwise than is tolerated.
    Differs,
    /// Nothing is known: no control proves that it would have been seen, a control failed, or the A/A pair differs.
    Blind,
    /// The testbed gave fewer trials than were asked for, or none.
    Void,
    /// As expected, or the same within the margin.
    Same,
    /// Measured, and too little of it for a verdict.
    Measured,
    /// Not run, as the plan says.
    Skipped,
}

/// The words of a standing.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// Its own word.
    pub word: &'static str,
    /// The element of a JUnit test case.
    pub junit: &'static str,
    /// Result and directive of KTAP.
    pub ktap: &'static str,
    /// Status of KCIDB.
    pub kcidb: &'static str,
    /// Status of CTRF.
    pub ctrf: &'static str,
    /// Workflow command of GitHub; empty where there is none.
    pub github: &'static str,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Differs, Self::Blind, Self::Void, Self::Same, Self::Measured, Self::Skipped];

    /// Its words.
    pub const fn words(self) -> Words {
        let (word, junit, ktap, kcidb, ctrf, github) = match self {
            Self::Differs => ("differs", "failure", "not ok", "FAIL", "failed", "error"),
            Self::Blind => ("blind", "error", "not ok # ERROR", "ERROR", "other", "warning"),
            Self::Void => ("void", "error", "not ok # ERROR", "MISS", "other", "warning"),
            Self::Same => ("same", "passed", "ok", "PASS", "passed", ""),
            Self::Measured => ("measured", "skipped", "ok # SKIP", "DONE", "other", "notice"),
            Self::Skipped => ("skipped", "skipped", "ok # SKIP", "SKIP", "skipped", "notice"),
        };
        Words { word, junit, ktap, kcidb, ctrf, github }
    }
}
