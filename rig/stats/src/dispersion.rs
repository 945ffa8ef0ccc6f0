//! Whether hits lie evenly in the order of trials, or in clusters.
//!
//! Pearson's chi-square test of a table of windows by hit and miss: with hits and window sizes given, independent trials put hits into windows as a
//! hypergeometric urn does. Holds one test; must not know what a hit is. Units: counts. Errors: none; what cannot be tested gives nothing.
//! Tests: below (exact tails, simulated size).

use crate::special::chi_square_tail;

/// How far the counts of windows are from even, as a sum that further blocks add to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dispersion {
    statistic: f64,
    freedom: u32,
}

/// The chi-square approximation holds where that many hits, and misses, are expected in each window (Cochran 1954).
const LEAST_EXPECTED: u64 = 5;

impl Dispersion {
    /// Of one block. `hits[w]` of the `sizes[w]` trials of window `w` are hits. Neighbouring windows are joined in twos, fours, ... until 5 hits and 5 misses
    /// are expected in each of equal ones; nothing where not two windows are left.
    pub fn of(hits: &[u64], sizes: &[u64]) -> Option<Self> {
        debug_assert_eq!(hits.len(), sizes.len(), "one size per window");
        let (all_hits, all) = (hits.iter().sum::<u64>(), sizes.iter().sum::<u64>());
        let rarer = all_hits.min(all.checked_sub(all_hits)?);
        let joined = (0..hits.len().ilog2())
            .map(|power| 1_usize << power)
            .find(|joined| (hits.len() / joined) as u64 * LEAST_EXPECTED <= rarer)?;
        let share = all_hits as f64 / all as f64;
        let mut statistic = 0.0;
        let mut windows = 0_u32;
        for (hits, sizes) in hits.chunks(joined).zip(sizes.chunks(joined)) {
            let size = sizes.iter().sum::<u64>();
            if size > 0 {
                let expected = size as f64 * share;
                let apart = hits.iter().sum::<u64>() as f64 - expected;
                statistic += apart * apart / (expected * (1.0 - share));
                windows += 1;
            }
        }
        // The urn's variance is that of independent draws times (n - k) / (n - 1): without the factor many small blocks add up to a cluster.
        let statistic = statistic * (all as f64 - 1.0) / all as f64;
        (windows > 1).then_some(Self { statistic, freedom: windows - 1 })
    }

    /// With that of another block, whose trials have nothing to do with these.
    pub fn plus(self, other: Self) -> Self {
        Self {
            statistic: self.statistic + other.statistic,
            freedom: self.freedom.saturating_add(other.freedom),
        }
    }

    /// The variance between windows over that of independent trials: 1 where hits lie evenly, more where in clusters.
    pub fn ratio(self) -> f64 {
        self.statistic / f64::from(self.freedom)
    }

    /// The chance that independent trials lie at least as unevenly.
    pub fn p_value(self) -> f64 {
        chi_square_tail(self.statistic, self.freedom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scale::scale;

    /// Numerical Recipes' ranqd1: good enough to shuffle with, and the same everywhere.
    struct Draws(u32);

    impl Draws {
        fn below(&mut self, most: u64) -> u64 {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (u64::from(self.0) * most) >> 32
        }
    }

    /// Hits by window, where `hits` of `trials` trials are chosen without order.
    fn even(draws: &mut Draws, hits: u64, trials: u64) -> Vec<u64> {
        let mut windows = vec![0; 64];
        let mut wanted = hits;
        for trial in 0..trials {
            if draws.below(trials - trial) < wanted {
                wanted -= 1;
                windows[(trial * 64 / trials) as usize] += 1;
            }
        }
        windows
    }

    #[test]
    fn independent_trials_are_called_uneven_as_often_as_the_level_says() {
        let mut draws = Draws(7);
        for hits in [20, 100, 500, 900] {
            let sizes: Vec<u64> =
                (0..64_u64).map(|w| ((w + 1) * 1_000).div_ceil(64) - (w * 1_000).div_ceil(64)).collect();
            let of = |windows: Vec<u64>| Dispersion::of(&windows, &sizes).expect("enough hits");
            let runs = scale(2_000_u32, 50_000);
            let called =
                (0..runs).filter(|_| of(even(&mut draws, hits, 1_000)).p_value() <= 0.05).count() as f64;
            // Three standard errors above 5 %; the approximation calls fewer where hits are few: 3.7 % with 20, in 50,000 runs.
            let most = f64::from(runs).mul_add(0.05, 3.0 * (0.05 * 0.95 * f64::from(runs)).sqrt());
            let fewest = 0.035 * f64::from(runs);
            assert!((fewest..=most).contains(&called), "{called} of {runs} with {hits} hits");
        }
    }

    /// Six blocks of a real run whose hits were shuffled 4,000 times, in windows of 50 of 1,000 trials: the ratios, to a tenth, and the p-values of that permutation. Computed
    /// apart from this code.
    #[test]
    fn the_tail_is_that_of_a_permutation_of_real_blocks() {
        for (ratio, of_permutation) in
            [(2.2, 0.002), (2.7, 0.000_2), (0.9, 0.57), (1.0, 0.49), (1.5, 0.07), (2.4, 0.001)]
        {
            let at = |ratio: f64| Dispersion { statistic: ratio * 19.0, freedom: 19 }.p_value();
            let error = 3.0 * (at(ratio) / 4_000.0_f64).sqrt();
            // What the tenth was rounded from, and chance.
            let range = at(ratio + 0.05) - error..=at(ratio - 0.05) + error;
            assert!(range.contains(&of_permutation), "{ratio}: {of_permutation} is not in {range:?}");
        }
    }

    #[test]
    fn clusters_are_found_and_add_up_over_blocks() {
        let sizes = [100_u64; 64];
        let mut hits = [0_u64; 64];
        hits[3] = 60;
        let one = Dispersion::of(&hits, &sizes).expect("enough hits");
        assert!(one.ratio() > 10.0 && one.p_value() < 1e-12, "{one:?}");
        let two = one.plus(one);
        assert!((two.ratio() - one.ratio()).abs() < 1e-12 && two.p_value() < one.p_value());
        let even = Dispersion::of(&[5; 64], &sizes).expect("enough hits");
        assert_eq!((even.ratio(), even.p_value()), (0.0, 1.0));
    }

    #[test]
    fn too_few_hits_or_misses_say_nothing() {
        let sizes = [10_u64; 64];
        let with = |hits: u64| {
            let mut windows = [0_u64; 64];
            (0..hits).for_each(|hit| windows[(hit % 64) as usize] += 1);
            Dispersion::of(&windows, &sizes)
        };
        assert!(with(9).is_none() && with(10).is_some());
        assert!(with(631).is_none() && with(630).is_some());
        assert!(with(0).is_none());
        assert!(Dispersion::of(&[5, 5], &[3, 3]).is_none(), "more hits than trials");
        assert!(Dispersion::of(&[10, 0], &[20, 0]).is_none(), "one window has all trials");
    }
}
