//! Every virtual cell against its bare-metal cell, errno by errno.
//!
//! Plain data. Must not judge. Units: shares of 1; a difference is virtual minus bare metal. Errors: none. Tests: the golden reports.

use std::collections::BTreeMap;

use rig_stats::Judgement;
use schemars::JsonSchema;
use serde::Serialize;

use super::written::as_words;
use super::{ComparisonReason, Question};

/// One virtual cell against its bare-metal cell, for one errno. Where it was not run, the figures allow everything: a difference of 0 between
/// -1 and 1, and p-values of 1.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Comparison {
    /// Name of the scenario, the same in both cells.
    pub scenario: String,
    /// Name of the path, the same in both cells.
    pub path: String,
    /// The scenario's parameters with their values, the same in both cells.
    pub parameters: BTreeMap<String, String>,
    /// Value of the kernel axis of the virtual cell.
    pub kernel: String,
    /// Id of the bare-metal cell; empty where the plan has none.
    pub baseline: String,
    /// Name of the virtual cell's configuration.
    pub configuration: String,
    /// Id of the virtual cell.
    pub cell: String,
    /// Which errno is compared.
    pub errno: Question,
    /// Rate of the virtual cell minus rate of the bare-metal cell, in shares of 1.
    #[schemars(range(min = -1, max = 1))]
    pub difference: f64,
    /// Number of trials with the errno on bare metal.
    pub x1: u64,
    /// Number of trials on bare metal whose verdict call returned.
    pub n1: u64,
    /// Number of trials with the errno in the virtual cell.
    pub x2: u64,
    /// Number of trials in the virtual cell whose verdict call returned.
    pub n2: u64,
    /// Number of blocks on bare metal that have such trials.
    pub blocks1: u64,
    /// Number of blocks of the virtual cell that have such trials.
    pub blocks2: u64,
    /// Lower bound of the difference, at the confidence of the run: the score interval of Miettinen and Nurminen on effective counts. What is judged by.
    #[schemars(range(min = -1, max = 1))]
    pub low: f64,
    /// Upper bound of the difference.
    #[schemars(range(min = -1, max = 1))]
    pub high: f64,
    /// How bounds and `p_blocks` take it into account that trials of one boot may depend on each other: `quasi-binomial` (dispersion of the family, F test), `beta-binomial`
    /// (all trials ended alike: at the declared correlation within blocks), `whole-blocks` (each block as one trial, permutation of blocks), `none` where it was not run.
    pub method: &'static str,
    /// Variance between blocks over that of independent trials, of the cells of this scenario and path; null where they do not tell it.
    pub dispersion: Option<f64>,
    /// Degrees of freedom of `dispersion` (Satterthwaite); null where there is none.
    pub freedom: Option<f64>,
    /// Lower bound of the difference as if trials were independent.
    #[schemars(range(min = -1, max = 1))]
    pub trial_low: f64,
    /// Upper bound of the difference as if trials were independent.
    #[schemars(range(min = -1, max = 1))]
    pub trial_high: f64,
    /// Fisher's exact test of equal rates, two-sided, as if trials were independent.
    #[schemars(range(min = 0, max = 1))]
    pub p_value: f64,
    /// Boschloo's exact test of the same, which is never less powerful; as if trials were independent.
    #[schemars(range(min = 0, max = 1))]
    pub p_boschloo: f64,
    /// Test of equal rates in which the block is the unit; never smaller than `p_value`.
    #[schemars(range(min = 0, max = 1))]
    pub p_blocks: f64,
    /// `p_blocks`, corrected over the comparisons of `family` (Tarone and Holm), and for an errno by name never smaller than that of any errno in this cell: only where any
    /// -1 differs it is asked which.
    #[schemars(range(min = 0, max = 1))]
    pub p_adjusted: f64,
    /// Number of comparisons that the correction counts: those that could have been shown with their totals of hits, of the same kind (any errno, or errnos by name) and of
    /// the same news value (races of the application's own threads are a family of their own).
    pub family: u64,
    /// Lower bound of the difference at the level that is left when alpha is divided by `family`: the one to read of the largest of many.
    #[schemars(range(min = -1, max = 1))]
    pub low_corrected: f64,
    /// Upper bound of the difference at that level.
    #[schemars(range(min = -1, max = 1))]
    pub high_corrected: f64,
    /// Whether a cell of the two was stopped by the run's rule: then `low`, `high` and `p_blocks` are no narrower than those of a mixture of beta-binomial likelihoods, and
    /// hold however often somebody looked. Absent where not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_every_look: bool,
    /// The smallest rise over the bare-metal cell's rate, a share of 1, that these numbers of trials and blocks would have shown with 80 % power at the corrected level, with trials of a
    /// block as alike as `icc` says; the smallest fall where that rate leaves no room for a rise; 1 where neither would have been shown.
    #[schemars(range(min = 0, max = 1))]
    pub detectable: f64,
    /// Whether a difference here is news: not in a race of the application's own threads, whose rate follows the machine's timing.
    pub alert: bool,
    /// The margin by which it is judged, a share of 1 (`run.margins`).
    pub margin: f64,
    /// What can be said.
    pub verdict: ComparisonVerdict,
    /// Where there are not enough trials: how many a side would show that the two are the same, were their rates equal (the rate of both cells
    /// together); otherwise null, and where no number would.
    pub trials_needed: Option<u64>,
    /// Why nothing can be said, in words, where it was not run or is blind; otherwise empty.
    #[serde(serialize_with = "as_words")]
    #[schemars(with = "String")]
    pub reason: Option<ComparisonReason>,
}

/// Verdict of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComparisonVerdict {
    /// Both bounds of the difference lie within the margin, and no difference is shown.
    SameWithinTheMargin,
    /// A difference is shown (its interval excludes 0, and the corrected p-value says so too, both at the level of blocks), and it may be larger than the margin.
    Differs,
    /// A difference is shown, and both of its bounds lie within the margin.
    DiffersWithinTheMargin,
    /// Neither can be said: no difference is shown, and one larger than the margin is not excluded.
    NotEnoughTrials,
    /// One of the two cells is blind for this errno, or the A/A pair differs.
    Blind,
    /// One of the two cells has no trial, or there is no bare-metal cell.
    NotRun,
}

impl ComparisonVerdict {
    /// Whether a difference is shown, however small.
    pub fn is_difference(self) -> bool {
        match self {
            Self::Differs | Self::DiffersWithinTheMargin => true,
            Self::SameWithinTheMargin | Self::NotEnoughTrials | Self::Blind | Self::NotRun => false,
        }
    }
}

impl From<Judgement> for ComparisonVerdict {
    fn from(judgement: Judgement) -> Self {
        match judgement {
            Judgement::Same => Self::SameWithinTheMargin,
            Judgement::Differs => Self::Differs,
            Judgement::DiffersWithinTheMargin => Self::DiffersWithinTheMargin,
            Judgement::Undecided => Self::NotEnoughTrials,
        }
    }
}
