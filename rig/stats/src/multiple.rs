//! Many questions of one run.
//!
//! Holds Holm's correction, and Tarone's for questions that few hits cannot answer. Must not know what the questions are.
//! Units: p-values, shares of 1. Errors: none.
//! Tests: here, against hand values, an independent form of the procedure, and the level by enumeration.

use crate::contingency::Hypergeometric;
use crate::{Count, fisher};

/// Holm's step-down correction, in the order of the input: "A simple sequentially rejective multiple test procedure", Scandinavian
/// Journal of Statistics 6 (1979). It holds whatever the dependence between the questions is; the three errno questions on one
/// pair of cells do depend on each other.
pub fn holm(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut adjusted = vec![0.0; p_values.len()];
    let mut largest: f64 = 0.0;
    for (rank, &index) in order.iter().enumerate() {
        largest = largest.max(p_values[index] * (p_values.len() - rank) as f64).min(1.0);
        adjusted[index] = largest;
    }
    adjusted
}

/// Holm's correction among the questions that can be answered at all: R. E. Tarone, "A modified Bonferroni method for discrete data", Biometrics 46 (1990), step
/// by step as in G. Hommel and F. Krummenauer, Biometrical Journal 40 (1998). `smallest[i]` is the smallest p-value that question `i` could have had,
/// known without its answer (for tables: [`smallest_p`] of their totals).
///
/// Of the questions not yet answered, `K` is the least k of which at most k questions have `smallest <= alpha / k`; the smallest p-value counts `K` times, not as often
/// as there are questions; then the next, among those that are left. An adjusted p-value is at most `alpha` where the question is answered at the level `alpha` of the
/// family, whatever the dependence. That holds at this `alpha` and no other: K depends on it. Questions that are left and cannot pass `alpha / K`
/// get 1, or Holm's value, if that is smaller: it too is above `alpha`. Never larger than [`holm`]'s.
///
/// `smallest` must not depend on which sample had the hits. A p-value below its own `smallest` is taken as that; so those of another test than Fisher's may stand
/// beside the [`smallest_p`] of their totals: few hits decide no more than they could there.
pub fn tarone_holm(p_values: &[f64], smallest: &[f64], alpha: f64) -> Vec<f64> {
    debug_assert_eq!(p_values.len(), smallest.len(), "one smallest p-value per question");
    let p: Vec<f64> = p_values.iter().zip(smallest).map(|(p, smallest)| p.max(*smallest)).collect();
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut left: Vec<f64> = smallest.iter().take(p.len()).copied().collect();
    left.sort_by(f64::total_cmp);
    let mut adjusted = holm(&p);
    let mut largest: f64 = 0.0;
    // Once a question stays unanswered, K is that of all that stay.
    let mut last = None;
    for &index in &order {
        let counting = last.unwrap_or_else(|| counting(&left, alpha));
        let times = counting as f64;
        largest = largest.max(p[index] * times).min(1.0);
        if largest > alpha {
            last = Some(counting);
        }
        let cannot_pass = smallest[index] * times > alpha;
        adjusted[index] = adjusted[index].min(if cannot_pass { 1.0 } else { largest });
        if let Ok(place) = left.binary_search_by(|other| other.total_cmp(&smallest[index])) {
            left.remove(place);
        }
    }
    adjusted
}

/// Tarone's K for questions with these smallest p-values, in ascending order; at least 1.
fn counting(smallest: &[f64], alpha: f64) -> usize {
    let can_pass = |k: usize| smallest.partition_point(|smallest| smallest * k as f64 <= alpha);
    (1..=smallest.len()).find(|k| can_pass(*k) <= *k).unwrap_or(1)
}

/// The smallest p-value that [`fisher`] can have for two samples of these numbers of trials with that many hits together, whichever sample they are in. 1 where a sample is
/// empty, or both have one outcome.
pub fn smallest_p(first: Count, second: Count) -> f64 {
    let table = Hypergeometric::of(first, second);
    let hits = first.hits() + second.hits();
    [table.low, table.high]
        .into_iter()
        .filter_map(|of_first| {
            Some(fisher(Count::new(of_first, first.trials())?, Count::new(hits - of_first, second.trials())?))
        })
        .fold(1.0, f64::min)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_known_example() {
        // R: p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm") = 0.03 0.06 0.06 0.02
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        for (found, wanted) in adjusted.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found - wanted).abs() < 1e-15, "{adjusted:?}");
        }
        assert!(holm(&[]).is_empty());
    }

    fn count(hits: u64, trials: u64) -> Count {
        Count::new(hits, trials).expect("hits are at most trials")
    }

    #[test]
    fn the_smallest_p_of_totals() {
        // 4 of 8 trials are hits: all in one sample of 4 has 1 of 70 tables, and so has its mirror image.
        assert!((smallest_p(count(3, 4), count(1, 4)) - 2.0 / 70.0).abs() < 1e-14);
        // 2 hits in 3 and 7 trials: (0,2) 21 of 45 tables, (1,1) 21, (2,0) 3.
        assert!((smallest_p(count(0, 3), count(2, 7)) - 3.0 / 45.0).abs() < 1e-14);
        for (first, second) in [((0, 9), (0, 7)), ((9, 9), (7, 7)), ((0, 0), (3, 7)), ((0, 0), (0, 0))] {
            assert_eq!(smallest_p(count(first.0, first.1), count(second.0, second.1)), 1.0);
        }
        // Against nothing in 2000 of 2000: 5 hits cannot pass 5 %, 6 can.
        let against = |hits| smallest_p(count(0, 2_000), count(hits, 2_000));
        assert!(against(5) > 0.05 && against(6) <= 0.05);
    }

    #[test]
    fn questions_that_cannot_be_answered_do_not_count() {
        // 33 comparisons, 29 without a hit: K is 4, and four hits in ten thousand decide what 33 questions would not.
        let smallest: Vec<f64> = [0.001, 0.002, 0.004, 0.006].into_iter().chain([1.0; 29]).collect();
        let p: Vec<f64> = [0.002, 0.016, 0.02, 0.5].into_iter().chain([1.0; 29]).collect();
        let found = tarone_holm(&p, &smallest, 0.05);
        for (found, wanted) in found.iter().zip([0.008, 0.048, 0.048, 0.5]) {
            assert!((found - wanted).abs() < 1e-15, "{found} {wanted}");
        }
        assert!(found[4..].iter().all(|p| *p == 1.0));
        assert!(holm(&p)[0] > 0.05);
        assert!(tarone_holm(&[], &[], 0.05).is_empty());
    }

    /// R. E. Tarone's own count (1990): k = 1, 2, ... until at most k questions can pass alpha / k.
    #[test]
    fn k_is_the_least_that_is_enough() {
        assert_eq!(
            counting(&[0.001, 0.02, 0.03, 0.04], 0.05),
            2,
            "1: four can pass 0.05; 2: two can pass 0.025"
        );
        assert_eq!(counting(&[0.01, 0.01, 0.01], 0.05), 3);
        assert_eq!(counting(&[0.2, 0.3], 0.05), 1);
        assert_eq!(counting(&[], 0.05), 1);
    }

    #[test]
    fn a_question_that_cannot_pass_yet_can_later() {
        // The third cannot pass 0.05 / 2, and K is 2 for all three and for the last two. Alone it is asked at 0.05.
        let smallest = [0.000_1, 0.024, 0.03];
        assert_eq!(tarone_holm(&[0.000_1, 0.024, 0.03], &smallest, 0.05), [0.000_2, 0.048, 0.048]);
        // Where the second is not answered the third stays, and Holm's 0.06 is less than 1.
        assert_eq!(tarone_holm(&[0.000_1, 0.03, 0.03], &smallest, 0.05), [0.000_2, 0.06, 0.06]);
        assert_eq!(tarone_holm(&[0.000_1, 0.6, 0.7], &smallest, 0.05), [0.000_2, 1.0, 1.0]);
        // A p-value that its table could not have had.
        assert_eq!(tarone_holm(&[0.01], &[0.03], 0.05), [0.03]);
    }

    /// Every outcome of three comparisons without a difference, beside two that have one hit and so p = 1 in any case, given their totals: at least one is called different with at most the chance alpha.
    #[test]
    fn the_family_keeps_its_level_where_holm_wastes_it() {
        let totals = [(count(0, 10), count(2, 10)), (count(0, 12), count(6, 12)), (count(0, 9), count(8, 9))];
        let of = |(first, second): (Count, Count)| {
            let table = Hypergeometric::of(first, second);
            let hits = first.hits() + second.hits();
            let p = move |x| fisher(count(x, first.trials()), count(hits - x, second.trials()));
            (table.low..=table.high).map(|x| (table.ln_pmf(x).exp(), p(x))).collect::<Vec<_>>()
        };
        let [a, b, c] = totals.map(|(first, second)| smallest_p(first, second));
        let smallest = [a, b, c, 1.0, 1.0];
        let tables = totals.map(of);
        let mut gained = 0.0;
        for alpha in [0.01, 0.025, 0.05, 0.1, 0.2] {
            let (mut tarone, mut bonferroni) = (0.0, 0.0);
            for (chance, a) in &tables[0] {
                for (of_b, b) in &tables[1] {
                    for (of_c, c) in &tables[2] {
                        let any =
                            |adjusted: Vec<f64>| f64::from(u8::from(adjusted.iter().any(|p| *p <= alpha)));
                        let p = [*a, *b, *c, 1.0, 1.0];
                        tarone += chance * of_b * of_c * any(tarone_holm(&p, &smallest, alpha));
                        bonferroni += chance * of_b * of_c * any(holm(&p));
                    }
                }
            }
            assert!(bonferroni <= tarone && tarone <= alpha, "{alpha}: {tarone}, Holm {bonferroni}");
            gained += tarone - bonferroni;
        }
        assert!(gained > 0.01, "{gained}");
    }

    proptest! {
        /// The procedure in another form: reject all that pass alpha / K of the questions that are left, and again.
        #[test]
        fn what_is_answered_is_what_the_procedure_of_steps_rejects(
            raw in proptest::collection::vec((0.0f64..=1.0, 0.0f64..=1.0, 1u32..5), 1..25), alpha in 0.01f64..0.3,
        ) {
            let smallest: Vec<f64> = raw.iter().map(|(s, _, power)| s.powi(*power as i32)).collect();
            let p: Vec<f64> = raw.iter().zip(&smallest).map(|((_, u, power), s)| s + (1.0 - s) * u.powi(3 * *power as i32)).collect();
            let mut left: Vec<usize> = (0..p.len()).collect();
            loop {
                let mut k = 1;
                while left.iter().filter(|i| smallest[**i] * f64::from(k) <= alpha).count() > k as usize {
                    k += 1;
                }
                let before = left.len();
                left.retain(|i| p[*i] * f64::from(k) > alpha);
                if left.len() == before {
                    break;
                }
            }
            let (found, of_holm) = (tarone_holm(&p, &smallest, alpha), holm(&p));
            for i in 0..p.len() {
                prop_assert_eq!(found[i] <= alpha, !left.contains(&i), "{} {:?} {:?} {:?}", i, p, smallest, found);
                prop_assert!(p[i] <= found[i] && found[i] <= of_holm[i]);
            }
        }

        #[test]
        fn never_smaller_never_over_one_and_in_the_same_order(p in proptest::collection::vec(0.0f64..=1.0, 1..40)) {
            let adjusted = holm(&p);
            for i in 0..p.len() {
                prop_assert!(adjusted[i] >= p[i] && adjusted[i] <= 1.0);
                for j in 0..p.len() {
                    prop_assert!(p[i] > p[j] || adjusted[i] <= adjusted[j]);
                }
            }
        }
    }
}
