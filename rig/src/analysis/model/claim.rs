//! What a run says of a claim and of its parts.
//!
//! Plain data. Must not judge. Units: counts, shares of 1, nanoseconds. Errors: none. Tests: `tests/golden/claims.rs`, the golden reports.

use schemars::JsonSchema;
use serde::Serialize;

use super::because::Because;
use super::written::as_name;

/// A claim, and what this run says of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Hypothesis {
    /// Its id: `H01`.
    pub id: String,
    /// What it claims.
    pub claim: String,
    /// Whether it is the reader's own, and not one of rig's; absent where it is rig's.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own: bool,
    /// Who says so: `document 000`, or in the words of its file; empty where no claim has this id.
    pub source: String,
    /// What this run says.
    pub verdict: HypothesisVerdict,
    /// Why, in one sentence.
    #[serde(serialize_with = "as_name")]
    #[schemars(with = "String")]
    pub because: Because,
    /// Ids of the cells that are about it.
    pub cells: Vec<String>,
    /// What is said of each of its parts; empty where its file has none.
    pub parts: Vec<PartFinding>,
    /// Ids of the cells whose scenario names it, and that none of its parts is about; absent where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_about: Vec<String>,
}

/// What this run says of one part of a claim.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PartFinding {
    /// What the part claims.
    pub text: String,
    /// The rule that decides it: `ends`, `returns`, `differs`, `per_trial`, `order`, `said`, `takes`, `documented`.
    pub rule: String,
    /// What this run says.
    pub verdict: HypothesisVerdict,
    /// Why, in one sentence.
    #[serde(serialize_with = "as_name")]
    #[schemars(with = "String")]
    pub because: Because,
    /// Ids of the cells that decided it.
    pub cells: Vec<String>,
    /// Number of trials that were looked at.
    pub trials: u64,
    /// The bounds of what was judged, at the confidence of the run; null where nothing was.
    pub bound: Option<Bound>,
}

/// The bounds of what decided a part: a share of 1, a difference of two shares (a minus b), or of a latency a difference in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Bound {
    /// Lower.
    pub low: f64,
    /// Upper.
    pub high: f64,
}

/// Verdict of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HypothesisVerdict {
    /// What was measured is what the claim says.
    Supported,
    /// What was measured excludes what the claim says.
    Refuted,
    /// Neither.
    Undecided,
    /// No measurement decides it; `because` has the reason.
    Documented,
}
