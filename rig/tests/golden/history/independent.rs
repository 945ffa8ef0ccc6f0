//! The e-detector once more, by its definition and by other means: every night of a change, sums over pairs of rates, likelihoods factor by factor, the largest one by trisection.
//! Nothing of `rig-stats` is used.

/// An alarm, in nights from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) alarm: usize,
    pub(crate) since: usize,
}

const DECLARED: f64 = 0.001;

fn rates() -> Vec<f64> {
    let odds = (0..144).map(|k| 1e-6_f64.ln() + 0.125 * f64::from(k));
    std::iter::once(0.0).chain(odds.map(|odds| 1.0 / (1.0 + (-odds).exp()))).collect()
}

/// `ln` of the chance of a block under beta-binomial trials, without what is the same for every rate.
fn ln_chance((hits, trials): (u64, u64), rate: f64, icc: f64) -> f64 {
    let s = (1.0 - icc) / icc;
    let rising = |from: f64, n: u64| (0..n).map(|j| (from + j as f64).ln()).sum::<f64>();
    rising(rate * s, hits) + rising((1.0 - rate) * s, trials - hits)
}

/// The correlation within blocks that the nights before show: Pearson's statistic over its expectation, within each night.
fn measured(nights: &[Vec<(u64, u64)>]) -> f64 {
    let (mut seen, mut expected, mut trials, mut blocks) = (0.0, 0.0, 0.0, 0.0);
    for night in nights {
        let x: f64 = night.iter().map(|block| block.0 as f64).sum();
        let n: f64 = night.iter().map(|block| block.1 as f64).sum();
        let p = x / n;
        trials += n;
        blocks += night.len() as f64;
        if x > 0.0 && x < n {
            expected += (night.len() as f64 - 1.0) * p * (1.0 - p);
            seen += night
                .iter()
                .map(|block| (block.0 as f64 - block.1 as f64 * p).powi(2) / block.1 as f64)
                .sum::<f64>();
        }
    }
    if expected == 0.0 { 0.0 } else { ((seen / expected).max(1.0) - 1.0) / (trials / blocks - 1.0) }
}

/// Rounded up to a quarter of an octave, and at least the declared one.
fn correlation(nights: &[Vec<(u64, u64)>]) -> f64 {
    let measured = measured(nights);
    let rounded = if measured > 0.0 { 2_f64.powf((measured.log2() * 4.0).ceil() / 4.0) } else { 0.0 };
    rounded.max(DECLARED)
}

fn ln_sum(terms: &[f64]) -> f64 {
    let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if most == f64::NEG_INFINITY {
        most
    } else {
        most + terms.iter().map(|term| (term - most).exp()).sum::<f64>().ln()
    }
}

/// The first night whose evidence is at `ln_limit`, and the night with the largest term then.
pub(crate) fn first_alarm(nights: &[Vec<(u64, u64)>], ln_limit: f64) -> Option<Found> {
    let rates = rates();
    let icc: Vec<f64> = (0..nights.len()).map(|night| correlation(&nights[..night])).collect();
    let of_night = |night: usize, rate: f64| -> f64 {
        nights[night].iter().map(|block| ln_chance(*block, rate, icc[night])).sum()
    };
    let likely: Vec<Vec<f64>> =
        (0..nights.len()).map(|night| rates.iter().map(|rate| of_night(night, *rate)).collect()).collect();
    for last in 0..nights.len() {
        let terms: Vec<f64> = (0..=last).map(|v| ln_term(&likely, v, last)).collect();
        let constant = |odds: f64| -> f64 {
            let rate = 1.0 / (1.0 + (-odds).exp());
            (0..=last).map(|night| of_night(night, rate)).sum()
        };
        // At rate 0 where nothing was seen; the largest of the mixture is a lower bound elsewhere, which spares most searches.
        let of_rate = |k: usize| -> f64 { (0..=last).map(|night| likely[night][k]).sum() };
        let at_least = (0..rates.len()).map(of_rate).fold(f64::NEG_INFINITY, f64::max);
        if ln_sum(&terms) - at_least < ln_limit || ln_sum(&terms) - largest(constant) < ln_limit {
            continue;
        }
        let since = (0..=last).max_by(|a, b| terms[*a].total_cmp(&terms[*b])).expect("a night");
        return Some(Found { alarm: last, since });
    }
    None
}

/// `ln` of the average likelihood of one rate before night `v` and a higher one since.
fn ln_term(likely: &[Vec<f64>], v: usize, last: usize) -> f64 {
    let before = |k: usize| -> f64 { likely[..v].iter().map(|night| night[k]).sum() };
    let since = |k: usize| -> f64 { likely[v..=last].iter().map(|night| night[k]).sum() };
    let mut higher = f64::NEG_INFINITY;
    let mut pairs = Vec::new();
    for i in (0..144).rev() {
        higher = ln_sum(&[higher, since(i + 1)]);
        let first: f64 = if i == 0 { 0.5 } else { 0.5 / 144.0 };
        pairs.push(first.ln() - ((144 - i) as f64).ln() + before(i) + higher);
    }
    ln_sum(&pairs)
}

/// The largest value of a function with one peak.
fn largest(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (-30.0, 30.0);
    while high - low > 1e-6 {
        let third = (high - low) / 3.0;
        if f(low + third) < f(high - third) { low += third } else { high -= third }
    }
    f((low + high) / 2.0)
}
