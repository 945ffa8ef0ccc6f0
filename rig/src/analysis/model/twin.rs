//! What came of the A/A pair: one cell that was played twice under two names.
//!
//! Plain data. Must not judge: `analysis/twins.rs` does. Units: counts, shares of 1. Errors: none. Tests: `tests/golden/twins.rs`.

use schemars::JsonSchema;
use serde::Serialize;

use super::reason::NotRun;
use super::written::as_words;

/// Two cells that are the same but for their name, compared as if they were not: what differs here is made by the instrument.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AaPair {
    /// Id of the cell that was played a second time (`cells[].id`).
    pub cell: String,
    /// Id of the cell that it repeats; the record has it as `repeats`.
    pub repeats: String,
    /// Name of the configuration of the second one.
    pub configuration: String,
    /// Value of its kernel axis.
    pub kernel: String,
    /// What came of it.
    pub verdict: PairVerdict,
    /// How many questions were asked of the two: EBADF, ENOENT, any errno, and each outcome.
    pub tests: u32,
    /// What they differ in most surely: an errno's name, `any_error`, or an outcome; null where nothing was asked.
    pub most: Option<String>,
    /// The smallest p-value of Fisher's exact test, corrected over the questions (Holm); null likewise. The pair fails at 0.001.
    #[schemars(range(min = 0, max = 1))]
    pub p_adjusted: Option<f64>,
    /// Why it was not run, in words; empty where it was.
    #[serde(serialize_with = "as_words")]
    #[schemars(with = "String")]
    pub reason: Option<NotRun>,
}

impl AaPair {
    /// Whether a difference is shown where there is none.
    pub fn differs(&self) -> bool {
        self.verdict == PairVerdict::Failed
    }
}

/// What came of the A/A pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PairVerdict {
    /// No difference is shown.
    Passed,
    /// One is: then no comparison of the run counts.
    Failed,
    /// One of the two has no trial.
    NotRun,
}
