//! Where the rate of one series got worse, and whether it is better again.
//!
//! Pure: the counts of each night in, steps out. An alarm of a night never changes with later nights: all that is used for it was known by then. Must not know cells. Units:
//! nights from 0, shares of 1. Errors: none. Tests: below, `tests/golden/history.rs`.

use rig_stats::{Clustering, Count, Detector, Direction, Probability};

/// A rate that rose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// The first night of the new rate, most likely.
    pub(super) since: usize,
    /// The night whose trials made it sure.
    pub(super) alarm: usize,
    /// The first night of a rate that fell again, most likely, if that is as sure.
    pub(super) until: Option<usize>,
    /// Where the nights begin that it is compared with.
    pub(super) from: usize,
}

/// How alike trials of a block are in each night: at least as declared, and as much as the nights before it have shown. Nights before it alone: then an alarm's guarantee
/// holds for what is estimated, too. What is measured is rounded up, to a quarter of an octave.
pub(super) fn correlations(nights: &[Vec<Count>], declared: &[f64]) -> Vec<Probability> {
    let of = |(at, declared): (usize, &f64)| {
        let before = &nights[..at];
        let blocks = before.iter().flatten().filter(|block| block.trials() > 0);
        let (sum, n) = blocks.fold((0, 0_u64), |(sum, n), block| (sum + block.trials(), n + 1));
        let measured = match Clustering::pooled(before) {
            Some(clustering) => clustering.icc(sum as f64 / n.max(1) as f64),
            None => 0.0,
        };
        let rounded = if measured > 0.0 { ((measured.log2() * 4.0).ceil() / 4.0).exp2() } else { 0.0 };
        Probability::new(declared.max(rounded).clamp(0.0, 0.999)).expect("between 0 and 1")
    };
    declared.iter().enumerate().map(of).collect()
}

/// All steps, oldest first. `ln_limit` is the evidence at which an alarm is raised ([`rig_stats::detector::limit`]). After an alarm, and after a fall
/// that is sure, the nights that follow are a series of their own.
pub(super) fn steps(nights: &[Vec<Count>], icc: &[Probability], ln_limit: f64) -> Vec<Step> {
    let mut steps = Vec::new();
    // Where nothing was ever seen no rate has risen: its evidence is at most the number of nights.
    if nights.iter().flatten().all(|block| block.hits() == 0) {
        return steps;
    }
    let mut from = 0;
    while let Some((since, alarm)) = first(Direction::Up, nights, icc, (from, from), ln_limit) {
        let fallen = first(Direction::Down, nights, icc, (since, alarm), ln_limit);
        steps.push(Step { since, alarm, until: fallen.map(|(until, _)| until), from });
        from = match fallen {
            // A fall begins anew, too, unless the rate rose once more before it was sure.
            Some((_, sure))
                if first(Direction::Up, &nights[..=sure], icc, (alarm + 1, 0), ln_limit).is_none() =>
            {
                sure + 1
            }
            Some(_) | None => alarm + 1,
        };
    }
    steps
}

/// The first alarm over the nights from the first place on, raised after the second: since when, and by which night.
fn first(
    direction: Direction,
    nights: &[Vec<Count>],
    icc: &[Probability],
    (from, asked): (usize, usize),
    ln_limit: f64,
) -> Option<(usize, usize)> {
    let mut detector = Detector::new(direction);
    for (at, night) in nights.iter().enumerate().skip(from) {
        detector.observe(night, icc[at]);
        if at >= asked && detector.reaches(ln_limit) {
            return detector.change().map(|change| (from + change, at));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn count(hits: u64, trials: u64) -> Count {
        Count::new(hits, trials).expect("hits are at most trials")
    }

    fn found(nights: &[Vec<Count>]) -> Vec<Step> {
        let icc = correlations(nights, &vec![0.001; nights.len()]);
        steps(nights, &icc, 730_000.0_f64.ln())
    }

    #[test]
    fn a_rate_that_rises_falls_and_rises_again_makes_two_steps() {
        let (quiet, bad) =
            (vec![count(0, 1_000); 3], vec![count(4, 1_000), count(2, 1_000), count(3, 1_000)]);
        let nights =
            [vec![quiet.clone(); 20], vec![bad.clone(); 20], vec![quiet; 20], vec![bad; 10]].concat();
        let found = found(&nights);
        let told: Vec<(usize, Option<usize>)> = found.iter().map(|step| (step.since, step.until)).collect();
        assert_eq!(told, [(20, Some(40)), (60, None)]);
        // What later nights bring changes no alarm.
        for (at, step) in found.iter().enumerate() {
            let until = self::found(&nights[..=step.alarm]);
            assert_eq!((until.len(), until[at].since, until[at].alarm), (at + 1, step.since, step.alarm));
            assert_eq!(self::found(&nights[..step.alarm]).len(), at);
        }
    }

    /// Hits of a block by Polya's urn.
    fn clustered(draws: &mut ChaCha8Rng, trials: u64, rate: f64, icc: f64) -> Count {
        let hits = (0..trials).fold(0_u64, |hits, trial| {
            let chance = (rate * (1.0 - icc) + hits as f64 * icc) / (1.0 - icc + trial as f64 * icc);
            hits + u64::from(draws.random::<f64>() < chance)
        });
        count(hits, trials)
    }

    /// Blocks are ten times as alike as was declared, and nobody is told: a year of 60 noisy series still keeps a budget of one false alarm.
    #[test]
    fn a_correlation_that_only_the_nights_show_is_no_alarm() {
        let ln_limit = (60.0 * 365.0_f64).ln();
        let mut draws = ChaCha8Rng::seed_from_u64(60);
        let mut alarms = 0;
        for series in 0..60 {
            let rate = [0.002, 0.01, 0.05, 0.3][series % 4];
            let nights: Vec<Vec<Count>> =
                (0..365).map(|_| (0..2).map(|_| clustered(&mut draws, 200, rate, 0.01)).collect()).collect();
            let icc = correlations(&nights, &[0.001; 365]);
            alarms += steps(&nights, &icc, ln_limit).len();
        }
        assert!(alarms <= 1, "{alarms}");
    }

    #[test]
    fn the_correlation_is_that_of_the_nights_before() {
        let nights = vec![vec![count(0, 1_000), count(40, 1_000), count(0, 1_000)], vec![count(9, 1_000); 3]];
        let icc = correlations(&nights, &[0.001, 0.001]);
        assert_eq!(icc[0].get(), 0.001);
        // 40 hits in one of three blocks: phi = 1.0667 / 0.02631 = 40.5, so 0.0396 in blocks of 1,000, rounded up to 2^-4.5.
        assert!((icc[1].get() - 2_f64.powf(-4.5)).abs() < 1e-12, "{icc:?}");
        assert!(steps(&nights, &icc, 1.0).is_empty());
    }
}
