//! Same, different, both at once, or not enough said.
//!
//! Holds the one rule by which a difference of two shares is judged, and how many trials it takes. Must not know what was compared.
//! Units: shares of 1, trials. Errors: none; where no number of trials is enough there is `None`.
//! Tests: here, against published sizes and by trying the sizes on both sides of the answer.

use crate::{Confidence, Count, Interval, Probability, difference};

/// What can be said of a difference: the answers to two questions, whether it is there, and whether it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// No difference is shown, and none beyond the margin is possible.
    Same,
    /// A difference is shown, and it may be larger than the margin.
    Differs,
    /// A difference is shown, and it is not larger than the margin.
    DiffersWithinTheMargin,
    /// Neither question can be answered with these numbers of trials.
    Undecided,
}

/// Judges a difference by its interval and its corrected p-value.
///
/// A difference is *shown* where both the score interval excludes 0 and the exact test says so: so the size of the exact test bounds how often
/// it is said wrongly. Equivalence is shown where the interval lies within the margin: the confidence-interval form of the two one-sided tests
/// (D. J. Schuirmann, J. Pharmacokin. Biopharm. 15, 1987), here with the wider two-sided interval. Neither answer hides the other: a margin says
/// which difference matters, not which one is there.
pub fn judge(difference: Interval, p_adjusted: f64, alpha: f64, margin: f64) -> Judgement {
    let shown = !difference.contains(0.0) && p_adjusted <= alpha;
    match (shown, difference.within(margin)) {
        (false, true) => Judgement::Same,
        (true, false) => Judgement::Differs,
        (true, true) => Judgement::DiffersWithinTheMargin,
        (false, false) => Judgement::Undecided,
    }
}

/// How many trials a side show that two equal rates are the same within `margin`, where both samples have this share of hits (rounded up to
/// whole ones): the interval of [`difference`] lies within the margin with so many, and not with one fewer. `None` where not even
/// [`Count::MAX_TRIALS`] a side are enough.
pub fn enough_trials(share: Probability, margin: f64, confidence: Confidence) -> Option<u64> {
    let enough = |trials: u64| {
        let hits = (share.get() * trials as f64).ceil() as u64;
        Count::new(hits.min(trials), trials)
            .is_some_and(|sample| difference(sample, sample, confidence).within(margin))
    };
    let powers = (0..=Count::MAX_TRIALS.ilog2()).map(|power| 1_u64 << power);
    let mut enough_for_sure = powers.into_iter().find(|trials| enough(*trials))?;
    let mut too_few = enough_for_sure / 2;
    while enough_for_sure - too_few > 1 {
        let middle = too_few + (enough_for_sure - too_few) / 2;
        if enough(middle) { enough_for_sure = middle } else { too_few = middle }
    }
    Some(enough_for_sure)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confidence(value: f64) -> Confidence {
        Confidence::new(value).expect("between 0 and 1")
    }

    fn share(value: f64) -> Probability {
        Probability::new(value).expect("a share")
    }

    #[test]
    fn the_four_cases_and_their_edges() {
        let at = |low, high, p| judge(Interval { low, high }, p, 0.05, 0.005);
        // Not shown, within: up to the margin itself.
        assert_eq!(at(-0.005, 0.005, 1.0), Judgement::Same);
        assert_eq!(at(0.001, 0.004, 0.06), Judgement::Same, "the exact test does not show it");
        assert_eq!(at(-0.001, 0.004, 1e-9), Judgement::Same, "nor does an interval that holds 0");
        assert_eq!(at(0.0, 0.004, 1e-9), Judgement::Same, "0 is held by an interval that ends there");
        // Shown, not within.
        assert_eq!(at(0.001, 0.006, 1e-9), Judgement::Differs);
        assert_eq!(at(-0.3, -0.1, 0.05), Judgement::Differs, "at alpha itself");
        // Both.
        assert_eq!(at(0.001, 0.004, 1e-9), Judgement::DiffersWithinTheMargin);
        assert_eq!(at(-0.005, -0.001, 0.05), Judgement::DiffersWithinTheMargin);
        // Neither.
        assert_eq!(at(0.001, 0.006, 0.06), Judgement::Undecided);
        assert_eq!(at(-0.001, 0.006, 1e-9), Judgement::Undecided);
    }

    /// 0 of 100,000 against 100 of 100,000: it is there beyond doubt, and whether it matters is another question.
    #[test]
    fn a_certain_effect_is_never_the_same() {
        let [none, some] = [0, 100].map(|hits| Count::new(hits, 100_000).expect("hits are at most trials"));
        let (p, interval) = (crate::fisher(none, some), difference(none, some, confidence(0.95)));
        assert!(p < 1e-25, "{p}");
        assert_eq!(judge(interval, p, 0.05, 0.005), Judgement::DiffersWithinTheMargin);
        assert_eq!(judge(interval, p, 0.05, 0.001), Judgement::Differs, "up to 0.12 %");
        assert_eq!(judge(interval, p, 0.05, 0.000_1), Judgement::Differs);
    }

    /// Computed apart from this code with exact arithmetic, for 0 hits on both sides.
    #[test]
    fn the_trials_that_are_enough_for_zeros() {
        for (margin, at_95, at_99_85) in
            [(0.005, 765, 2_003), (0.001, 3_839, 10_051), (0.000_1, 38_412, 100_592)]
        {
            assert_eq!(enough_trials(share(0.0), margin, confidence(0.95)), Some(at_95), "{margin}");
            let family = confidence(0.95).for_each_of(33);
            assert_eq!(enough_trials(share(0.0), margin, family), Some(at_99_85), "{margin}");
        }
    }

    #[test]
    fn enough_is_enough_and_one_fewer_is_not() {
        for (hits, margin) in [(0.0, 0.05), (0.001, 0.005), (0.2, 0.01), (0.999, 0.005), (1.0, 0.005)] {
            let n = enough_trials(share(hits), margin, confidence(0.95)).expect("some number is");
            let same = |n: u64| {
                let sample = Count::new((hits * n as f64).ceil() as u64, n).expect("a share of the trials");
                difference(sample, sample, confidence(0.95)).within(margin)
            };
            assert!(same(n) && !same(n - 1), "{hits} {margin}: {n}");
        }
        assert_eq!(enough_trials(share(0.0), 0.0, confidence(0.95)), None, "no margin, nothing is the same");
        assert_eq!(enough_trials(share(0.0), -1.0, confidence(0.95)), None);
        assert_eq!(enough_trials(share(0.0), 1.0, confidence(0.95)), Some(1));
    }
}
