//! By which method an interval, or a test, takes blocks into account.
//!
//! Plain data. Must not choose. Units: none. Errors: none. Tests: the golden reports.

/// How an interval, or a test, takes blocks into account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::analysis) enum Method {
    /// Nothing was tried.
    Nothing,
    /// All trials ended alike: a beta-binomial bound at the declared correlation within blocks.
    BetaBinomial,
    /// The dispersion of the family was measured: effective counts (J. N. K. Rao and A. J. Scott 1992; E. L. Korn and B. I. Graubard 1998).
    QuasiBinomial,
    /// Nobody can tell how much blocks differ: each block counts as one trial.
    WholeBlocks,
}

impl Method {
    /// For a report.
    pub(in crate::analysis) fn word(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::BetaBinomial => "beta-binomial",
            Self::QuasiBinomial => "quasi-binomial",
            Self::WholeBlocks => "whole-blocks",
        }
    }
}
