//! Same, different, or not enough said.
//!
//! Holds the one rule by which a difference of two shares is judged. Must not know what was compared.
//! Units: shares of 1. Errors: none.
//! Tests: here.

use crate::Interval;

/// What can be said of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Both bounds lie within the margin.
    Same,
    /// The interval excludes 0, and the corrected exact test says so too.
    Differs,
    /// Neither can be said with these numbers of trials.
    Undecided,
}

/// Judges a difference by its interval and its corrected p-value.
///
/// "Same" comes first: a difference that is certain but lies wholly within the margin was declared unimportant before the
/// run. It is the confidence-interval form of the two one-sided tests (D. J. Schuirmann, J. Pharmacokin. Biopharm. 15, 1987), here
/// with the wider two-sided interval. "Differs" asks for both the score interval and the exact test, so the size of the exact
/// test bounds how often it is said wrongly.
pub fn judge(difference: Interval, p_adjusted: f64, alpha: f64, margin: f64) -> Judgement {
    if difference.within(margin) {
        Judgement::Same
    } else if !difference.contains(0.0) && p_adjusted <= alpha {
        Judgement::Differs
    } else {
        Judgement::Undecided
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_in_its_order() {
        let at = |low, high, p| judge(Interval { low, high }, p, 0.05, 0.005);
        assert_eq!(at(-0.005, 0.005, 1.0), Judgement::Same);
        assert_eq!(at(0.001, 0.004, 1e-9), Judgement::Same);
        assert_eq!(at(0.001, 0.006, 1e-9), Judgement::Differs);
        assert_eq!(at(0.001, 0.006, 0.06), Judgement::Undecided);
        assert_eq!(at(-0.001, 0.006, 1e-9), Judgement::Undecided);
        assert_eq!(at(-0.3, -0.1, 0.05), Judgement::Differs);
    }
}
