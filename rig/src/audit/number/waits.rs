//! Waits of which some were cut before they ended.
//!
//! Everything is counted anew for each time at which a wait ended. Must not know what is waited for. Units: those of the times. Errors: none; what cannot be tested gives nothing.
//! Tests: below, against a published trial.

use super::relabel::{Labelled, relabelled};

/// What one block waited for: times with how often each was.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::audit) struct Waits {
    /// It came then.
    pub(in crate::audit) ended: Vec<(f64, u64)>,
    /// Nobody waited any longer.
    pub(in crate::audit) cut: Vec<(f64, u64)>,
}

impl Waits {
    fn count(times: &[(f64, u64)], which: impl Fn(f64) -> bool) -> f64 {
        times.iter().filter(|(time, _)| which(*time)).map(|(_, n)| *n as f64).sum()
    }

    fn waiting(&self, at: f64) -> f64 {
        [&self.ended, &self.cut].into_iter().map(|times| Self::count(times, |time| time >= at)).sum()
    }

    fn ends(&self, at: f64) -> f64 {
        Self::count(&self.ended, |time| time == at)
    }

    fn is_empty(&self) -> bool {
        self.waiting(f64::NEG_INFINITY) == 0.0
    }
}

/// The times at which a wait ended.
fn times<'w>(blocks: impl Iterator<Item = &'w Waits>) -> Vec<f64> {
    let mut all: Vec<f64> =
        blocks.flat_map(|block| &block.ended).filter(|(_, n)| *n > 0).map(|(time, _)| *time).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// When half of all waits have ended: the first time at which the product of E. L. Kaplan and P. Meier (1958) is at most one half.
pub(in crate::audit) fn median(blocks: &[Waits]) -> Option<f64> {
    let mut left = 1.0;
    times(blocks.iter()).into_iter().find(|time| {
        let (waiting, ends) =
            blocks.iter().fold((0.0, 0.0), |(n, d), block| (n + block.waiting(*time), d + block.ends(*time)));
        left *= (waiting - ends) / waiting;
        left <= 0.5
    })
}

/// Do two sides wait equally long? N. Mantel's statistic (1966) with whole blocks relabelled.
pub(in crate::audit) fn log_rank(first: &[Waits], second: &[Waits], seed: u64) -> Option<Labelled> {
    let blocks: Vec<&Waits> = first.iter().chain(second).filter(|block| !block.is_empty()).collect();
    let chosen = first.iter().filter(|block| !block.is_empty()).count();
    if chosen == 0 || chosen == blocks.len() {
        return None;
    }
    let moments: Vec<Moment> =
        times(blocks.iter().copied()).into_iter().map(|time| Moment::at(time, &blocks)).collect();
    Some(relabelled(blocks.len(), chosen, seed, |places| {
        let (mut beyond, mut variance) = (0.0, 0.0);
        for Moment { blocks, waiting: n, ends: d } in &moments {
            let (of_first, ended) =
                places.iter().fold((0.0, 0.0), |(n, d), at| (n + blocks[*at].0, d + blocks[*at].1));
            beyond += ended - d * of_first / n;
            if *n > 1.0 {
                variance += of_first * (n - of_first) * d * (n - d) / (n * n * (n - 1.0));
            }
        }
        if variance > 0.0 { beyond * beyond / variance } else { 0.0 }
    }))
}

/// A time at which waits ended.
struct Moment {
    /// Of each block: how many were waiting, and how many of these ended then.
    blocks: Vec<(f64, f64)>,
    /// Of all blocks.
    waiting: f64,
    ends: f64,
}

impl Moment {
    fn at(time: f64, all: &[&Waits]) -> Self {
        let blocks: Vec<(f64, f64)> =
            all.iter().map(|block| (block.waiting(time), block.ends(time))).collect();
        let (waiting, ends) = blocks.iter().fold((0.0, 0.0), |(n, d), one| (n + one.0, d + one.1));
        Self { blocks, waiting, ends }
    }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    /// E. J. Freireich and others, Blood 21 (1963): weeks of remission, as in E. A. Gehan, Biometrika 52 (1965).
    #[test]
    fn the_published_trial() {
        let of = |times: &[f64]| -> Vec<(f64, u64)> { times.iter().map(|time| (*time, 1)).collect() };
        let treated = Waits {
            ended: of(&[6.0, 6.0, 6.0, 7.0, 10.0, 13.0, 16.0, 22.0, 23.0]),
            cut: of(&[6.0, 9.0, 10.0, 11.0, 17.0, 19.0, 20.0, 25.0, 32.0, 32.0, 34.0, 35.0]),
        };
        let weeks = [
            1.0, 1.0, 2.0, 2.0, 3.0, 4.0, 4.0, 5.0, 5.0, 8.0, 8.0, 8.0, 8.0, 11.0, 11.0, 12.0, 12.0, 15.0,
            17.0, 22.0, 23.0,
        ];
        let placebo = Waits { ended: of(&weeks), cut: Vec::new() };
        assert_eq!((median(from_ref(&treated)), median(from_ref(&placebo))), (Some(23.0), Some(8.0)));
        // R: survdiff has a chi-square of 16.8 on 1 degree of freedom.
        let found = log_rank(&[treated], &[placebo], 1).expect("two blocks");
        assert!((found.statistic - 16.79).abs() < 0.01 && found.p == 1.0, "{found:?}");
    }
}
