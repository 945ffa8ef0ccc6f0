//! Random draws that depend on nothing but the seed, the trial and the step: any trial can be drawn again.
//!
//! Holds the counter-based generator, delays, and the even spreading of injections; no state, no clock.
//! Units: nanoseconds, parts per million. Errors: none.
//! Source: splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
//! Tests: below.

use std::time::Duration;

use rig_protocol::Delay;

/// Where a draw belongs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    /// The block's seed.
    pub(crate) seed: u64,
    /// Trial index within the block.
    pub(crate) trial: u64,
    /// Lane index in the script.
    pub(crate) lane: u16,
    /// Step index in the lane.
    pub(crate) step: u16,
}

fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Place {
    fn bits(self, counter: u64) -> u64 {
        mix(mix(self.seed ^ mix(u64::from(self.lane) << 16 | u64::from(self.step))) ^ counter)
    }

    /// The length of this step's wait in this trial.
    pub(crate) fn delay(self, delay: Delay) -> Duration {
        Duration::from_nanos(match delay {
            Delay::Fixed { ns } => ns,
            Delay::Uniform { low_ns, high_ns } => low_ns + below(self.bits(self.trial), high_ns - low_ns),
        })
    }

    /// Whether this trial is one of the `rate_ppm` in a million.
    ///
    /// Trials are cut into strata, the j-th from `ceil(j/rate)` to `ceil((j+1)/rate)`; exactly one trial of each stratum is drawn, at a
    /// random place in it. So n trials hold floor(n rate) or ceil(n rate) drawn ones, and exactly n rate where that is whole.
    pub(crate) fn drawn(self, rate_ppm: u32) -> bool {
        if rate_ppm == 0 {
            return false;
        }
        let rate = u128::from(rate_ppm);
        let start = |stratum: u128| (stratum * 1_000_000).div_ceil(rate);
        let trial = u128::from(self.trial);
        let stratum = trial * rate / 1_000_000;
        let (low, high) = (start(stratum), start(stratum + 1));
        let chosen = low + u128::from(below(self.bits(stratum as u64), (high - low - 1) as u64));
        trial == chosen
    }
}

/// Scales random bits to `0 ..= highest`.
fn below(bits: u64, highest: u64) -> u64 {
    ((u128::from(bits) * (u128::from(highest) + 1)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(seed: u64, trial: u64) -> Place {
        Place { seed, trial, lane: 0, step: 3 }
    }

    #[test]
    fn any_number_of_trials_holds_floor_or_ceil_of_its_share() {
        for rate in [1, 25_000, 10_000, 333_333, 500_000, 700_000, 999_999, 1_000_000, 0] {
            let mut drawn = 0_u64;
            for trial in 0..4_000 {
                drawn += u64::from(place(7, trial).drawn(rate));
                let share = (trial + 1) * u64::from(rate);
                let (floor, ceil) = (share / 1_000_000, share.div_ceil(1_000_000));
                assert!((floor..=ceil).contains(&drawn), "{drawn} of {} at {rate} ppm", trial + 1);
            }
        }
    }

    #[test]
    fn one_of_each_hundred_at_places_that_the_seed_moves() {
        let places = |seed| -> Vec<u64> { (0..10_000).filter(|&t| place(seed, t).drawn(10_000)).collect() };
        let first = places(1);
        assert_eq!(first.len(), 100);
        assert!(first.iter().enumerate().all(|(stratum, trial)| trial / 100 == stratum as u64));
        assert_ne!(first, places(2));
        let offsets: std::collections::BTreeSet<u64> = first.iter().map(|trial| trial % 100).collect();
        assert!(
            offsets.len() > 40,
            "a hundred random places of a hundred meet about 63 values: {}",
            offsets.len()
        );
    }

    #[test]
    fn uniform_delays_stay_in_their_bounds_reach_them_and_differ_by_step() {
        let delay = Delay::Uniform { low_ns: 10, high_ns: 13 };
        let seen: std::collections::BTreeSet<u64> =
            (0..1_000).map(|trial| place(5, trial).delay(delay).as_nanos() as u64).collect();
        assert_eq!(seen, (10..=13).collect());
        let wide = Delay::Uniform { low_ns: 0, high_ns: u64::MAX };
        let other = Place { step: 4, ..place(5, 0) };
        assert_ne!(place(5, 0).delay(wide), other.delay(wide));
        assert_eq!(place(5, 0).delay(wide), place(5, 0).delay(wide));
        assert_eq!(place(5, 9).delay(Delay::Fixed { ns: 4 }), Duration::from_nanos(4));
    }
}
