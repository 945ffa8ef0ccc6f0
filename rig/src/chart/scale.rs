//! Scales: where a number lies between the two ends of an axis, and which numbers stand there.
//!
//! Must not know pixels. Units: those of the numbers; places are shares of the axis, 0 to 1. Errors: none. Tests: below.
//! Round steps: Heckbert, "Nice numbers for graph labels", Graphics Gems, 1990.

/// From one number to another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    Linear,
    /// Decades on both sides of 0; within `near` of it nearly linear.
    Symmetric {
        near: f64,
    },
    Log,
}

impl Scale {
    /// Equal steps. Ends that are equal are moved apart.
    pub(super) fn linear(low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, kind: Kind::Linear }
    }

    /// Decades away from 0, which must lie between the ends.
    pub(super) fn symmetric(low: f64, high: f64, near: f64) -> Self {
        Self { low, high, kind: Kind::Symmetric { near } }
    }

    /// Decades between two numbers above 0.
    pub(super) fn log(low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low * 10.0 };
        Self { low, high, kind: Kind::Log }
    }

    pub(super) fn low(&self) -> f64 {
        self.low
    }

    pub(super) fn high(&self) -> f64 {
        self.high
    }

    fn warped(&self, value: f64) -> f64 {
        match self.kind {
            Kind::Linear => value,
            Kind::Symmetric { near } => (1.0 + value.abs() / near).log10().copysign(value),
            Kind::Log => value.max(f64::MIN_POSITIVE).log10(),
        }
    }

    /// Where a number lies; beyond an end, at that end.
    pub(super) fn share(&self, value: f64) -> f64 {
        let (low, high) = (self.warped(self.low), self.warped(self.high));
        ((self.warped(value) - low) / (high - low)).clamp(0.0, 1.0)
    }

    /// Round numbers between the ends, in order: about so many equal steps, or each power of ten.
    pub(super) fn ticks(&self, about: usize) -> Vec<f64> {
        let within = |value: &f64| {
            *value >= self.low * (1.0 - 1e-9 * self.low.signum())
                && *value <= self.high * (1.0 + 1e-9 * self.high.signum())
        };
        match self.kind {
            Kind::Linear => {
                let step = round_step((self.high - self.low) / about.max(1) as f64);
                let first = (self.low / step - 1e-9).ceil() as i64;
                let last = (self.high / step + 1e-9).floor() as i64;
                (first..=last).map(|at| at as f64 * step).collect()
            }
            Kind::Log => powers(self.low, self.high).filter(within).collect(),
            Kind::Symmetric { near } => {
                let out: Vec<f64> = powers(near, self.high.max(-self.low)).collect();
                let left = out.iter().rev().map(|value| -value);
                left.chain([0.0]).chain(out.iter().copied()).filter(within).collect()
            }
        }
    }
}

fn powers(low: f64, high: f64) -> impl Iterator<Item = f64> {
    let first = (low.log10() - 1e-9).ceil() as i32;
    let last = (high.log10() + 1e-9).floor() as i32;
    (first..=last).map(|power| 10_f64.powi(power))
}

/// 1, 2 or 5 times a power of ten, at least `least`.
pub(super) fn round_step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= least * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f64], wanted: &[f64]) {
        assert_eq!(found.len(), wanted.len(), "{found:?}");
        assert!(
            found.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= 1e-9 * b.abs().max(1e-3)),
            "{found:?}"
        );
    }

    #[test]
    fn steps_are_round() {
        near(&Scale::linear(0.0, 1.0).ticks(5), &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0]);
        near(&Scale::linear(-0.3, 0.9).ticks(4), &[0.0, 0.5]);
        near(&Scale::log(500.0, 2e6).ticks(5), &[1e3, 1e4, 1e5, 1e6]);
        near(&Scale::symmetric(-0.02, 100.0, 0.01).ticks(5), &[-0.01, 0.0, 0.01, 0.1, 1.0, 10.0, 100.0]);
    }

    #[test]
    fn places_rise_with_numbers_from_end_to_end() {
        let scales = [Scale::linear(-2.0, 8.0), Scale::symmetric(-2.0, 8.0, 0.01), Scale::log(0.5, 8.0)];
        for scale in scales {
            let steps = (0..=100).map(|at| scale.low + (scale.high - scale.low) * f64::from(at) / 100.0);
            let places: Vec<f64> = steps.map(|value| scale.share(value)).collect();
            assert!(places.windows(2).all(|pair| pair[1] > pair[0]), "{scale:?}: {places:?}");
            assert!(places[0].abs() < 1e-9 && (places[100] - 1.0).abs() < 1e-9);
            assert_eq!((scale.share(-1e9), scale.share(1e9)), (0.0, 1.0));
        }
        assert!(
            Scale::linear(3.0, 3.0).share(3.0).is_finite() && Scale::log(3.0, 3.0).share(3.0).is_finite()
        );
    }
}
