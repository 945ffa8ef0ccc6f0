//! How far a table of two rows is from one whose rows are alike.
//!
//! Holds statistics of a table, for tests that know their distribution by permutation. Must not know what rows and columns are.
//! Units: counts; a statistic has none. Errors: none. Tests: below (published values, exact rationals).

use std::f64::consts::PI;

use crate::binomial::ln_pmf_pair;

/// The statistic of Fisher, Freeman and Halton: `-2 ln(gamma P)`, where `P` is the hypergeometric chance of the table of `part` and the rest of `all`
/// given its margins, and `gamma = (2 pi)^((c-1)/2) N^-(2c-1)/2 (n1 n2)^((c-1)/2) (product of column sums)^(1/2)` makes it chi-square of `c - 1` degrees in
/// large tables: G. H. Freeman and J. H. Halton, Biometrika 38 (1951) 141; C. R. Mehta and N. R. Patel, JASA 78 (1983) 427, section 2.
///
/// Columns of `all` without a count are no columns. 0 where a row is empty or there is one column. With few counts in the columns it can be a little below 0.
pub fn freeman_halton(part: &[u64], all: &[u64]) -> f64 {
    let columns = || part.iter().copied().zip(all.iter().copied()).filter(|(_, all)| *all > 0);
    let (first, total) =
        columns().fold((0_u64, 0_u64), |(first, total), (part, all)| (first + part, total + all));
    let further = columns().count().saturating_sub(1) as f64;
    if first == 0 || first == total || further == 0.0 {
        return 0.0;
    }
    let (n1, n) = (first as f64, total as f64);
    let n2 = (total - first) as f64;
    let (p, q) = (n1 / n, n2 / n);
    let (chance, sums) = columns().fold((0.0, 0.0), |(chance, sums), (part, all)| {
        (chance + ln_pmf_pair(part, all, p, q), sums + (all as f64).ln())
    });
    let chance = chance - ln_pmf_pair(first, total, p, q);
    let scale =
        0.5 * (further * (2.0 * PI * n1).ln() + further * n2.ln() + sums - (2.0 * further + 1.0) * n.ln());
    -2.0 * (chance + scale)
}

/// The likelihood-ratio statistic of the same table: 2 x the sum of observed x ln(observed / expected) (S. S. Wilks, Annals of Mathematical Statistics 9,
/// 1938).
pub fn likelihood_ratio(part: &[u64], all: &[u64]) -> f64 {
    let of_part = part.iter().map(|n| *n as f64).sum::<f64>();
    let total = all.iter().map(|n| *n as f64).sum::<f64>();
    let term = |observed: f64, row: f64, column: f64| {
        if observed > 0.0 { observed * (observed * total / (row * column)).ln() } else { 0.0 }
    };
    let columns = part.iter().zip(all).map(|(part, all)| {
        let (part, all) = (*part as f64, *all as f64);
        term(part, of_part, all) + term(all - part, total - of_part, all)
    });
    (2.0 * columns.sum::<f64>()).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freeman_and_halton_of_small_tables() {
        // [[2, 1, 0], [1, 0, 2]]: P = C(3,2) C(1,1) C(2,0) / C(6,3) = 3/20, and
        // gamma = 2 pi 6^-5/2 (3 x 3) (3 x 1 x 2)^1/2.
        let gamma = 2.0 * PI * 6f64.powf(-2.5) * 9.0 * 6f64.sqrt();
        let wanted = -2.0 * (gamma * 3.0 / 20.0).ln();
        let found = freeman_halton(&[2, 1, 0], &[3, 1, 2]);
        assert!((found - wanted).abs() < 1e-12, "{found} {wanted}");
        // A column without a count is none.
        assert!((freeman_halton(&[2, 0, 1, 0], &[3, 0, 1, 2]) - wanted).abs() < 1e-12);
        assert_eq!(freeman_halton(&[7, 0], &[20, 0]), 0.0);
        assert_eq!(freeman_halton(&[0, 0], &[20, 3]), 0.0);
        assert_eq!(freeman_halton(&[20, 3], &[20, 3]), 0.0);
    }

    #[test]
    fn in_large_tables_both_are_nearly_one() {
        let (part, all) = (&[5_100, 3_900, 1_000], &[10_000, 8_000, 2_000]);
        let (halton, ratio) = (freeman_halton(part, all), likelihood_ratio(part, all));
        assert!((halton - ratio).abs() < 0.01 && ratio > 5.0, "{halton} {ratio}");
        // 2 x 40 x ln 2: the column tells the row.
        assert!((likelihood_ratio(&[20, 0], &[20, 20]) - 80.0 * std::f64::consts::LN_2).abs() < 1e-12);
        assert_eq!(likelihood_ratio(&[5, 5], &[10, 10]), 0.0);
    }
}
