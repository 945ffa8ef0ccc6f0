//! What a report says of a cell's outcomes beside those that its scenario expects.
//!
//! Holds the summary, its status and its words. Must not judge: `analysis/expectation.rs` does.
//! Units: counts, shares of 1. Errors: none. Tests: here, `tests/golden/expected.rs`, the golden reports.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::words::{count, list};

/// The trials of a cell that ended otherwise than its scenario expects.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Expectation {
    /// What comes of it.
    pub status: ExpectationStatus,
    /// The outcomes that the scenario expects, as it spells them: `*` stands for one label, a last `**` for any rest.
    pub expected: Vec<String>,
    /// Number of trials with another outcome.
    pub unexpected: u64,
    /// Number of trials that have an outcome: `unexpected` is a part of these.
    pub n: u64,
    /// `unexpected / n`, a share of 1; 0 where `n` is 0.
    #[schemars(range(min = 0, max = 1))]
    pub share: f64,
    /// Lower bound of that share, at the confidence of the run (Clopper-Pearson, which takes trials as independent).
    #[schemars(range(min = 0, max = 1))]
    pub low: f64,
    /// Upper bound of that share.
    #[schemars(range(min = 0, max = 1))]
    pub high: f64,
    /// The share of 1 that the run tolerates; null where it was not declared.
    pub tolerance: Option<f64>,
    /// Why it is known that trials end so, as the matrix says it; null where it says nothing.
    pub known: Option<String>,
    /// The 3 most frequent of the unexpected outcomes, the most frequent first.
    pub most: Vec<OutcomeCount>,
}

/// An outcome and how often it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutcomeCount {
    /// Its labels, joined by commas.
    pub outcome: String,
    /// Number of trials that ended so.
    pub count: u64,
}

/// What comes of the expectations of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExpectationStatus {
    /// Every trial ended as the scenario expects.
    AsExpected,
    /// Some did not, and the lower bound of their share is not above the tolerance.
    WithinTolerance,
    /// The lower bound of the share that did not is above the tolerance: an alert.
    Unexpected,
    /// Some did not, and the matrix says why that is known: no alert.
    Known,
    /// There are no trials, or the run declares no tolerance.
    NotJudged,
}

impl Expectation {
    /// So many unexpected outcomes are named.
    pub const MOST: usize = 3;

    /// Whether it is an alert.
    pub fn is_alert(&self) -> bool {
        self.status == ExpectationStatus::Unexpected
    }

    /// `155 of 200 trials ended otherwise than expected: readable,data,eof in 150, timeout in 5 (expected readable,data,ECONNRESET)`
    pub fn words(&self) -> String {
        let named: u64 = self.most.iter().map(|one| one.count).sum();
        let mut ends: Vec<String> = match &self.most[..] {
            [one] if one.count == self.unexpected => vec![one.outcome.clone()],
            most => most.iter().map(|one| format!("{} in {}", one.outcome, count(one.count))).collect(),
        };
        if named < self.unexpected {
            ends.push(format!("others in {}", count(self.unexpected - named)));
        }
        let mut expected = self.expected.clone();
        if expected.len() > Self::MOST {
            let more = expected.len() - Self::MOST;
            expected.truncate(Self::MOST);
            expected.push(format!("{more} more"));
        }
        format!(
            "{} of {} trials ended otherwise than expected: {} (expected {})",
            count(self.unexpected),
            count(self.n),
            ends.join(", "),
            list(&expected).replace(" and ", " or ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_name_what_came_and_what_should_have() {
        let one = |outcome: &str, count| OutcomeCount { outcome: outcome.into(), count };
        let mut of = Expectation {
            status: ExpectationStatus::Unexpected,
            expected: vec!["readable,data,ECONNRESET".into()],
            unexpected: 100,
            n: 100,
            share: 1.0,
            low: 0.96,
            high: 1.0,
            tolerance: Some(0.005),
            known: None,
            most: vec![one("readable,data,eof", 100)],
        };
        assert_eq!(
            of.words(),
            "100 of 100 trials ended otherwise than expected: readable,data,eof (expected readable,data,ECONNRESET)"
        );
        of.most = vec![one("timeout", 50), one("EBADF", 30), one("hup", 15)];
        of.expected = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
        assert_eq!(
            of.words(),
            "100 of 100 trials ended otherwise than expected: timeout in 50, EBADF in 30, hup in 15, others in 5 \
             (expected a, b, c or 2 more)"
        );
    }
}
