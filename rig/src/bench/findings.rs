//! What a benchmark found: figures, and figures beside a peer or a limit.
//!
//! Plain data and its arithmetic. Must not judge. Units: with each figure. Errors: none. Tests: below.

use serde::Serialize;

use super::benchmark::Benchmark;

/// A quantity, over all rounds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figure {
    /// `middlebox: packets`
    pub name: String,
    /// Of all three.
    pub unit: &'static str,
    /// Smallest.
    pub min: f64,
    /// Middle; the lower of two.
    pub median: f64,
    /// Largest.
    pub max: f64,
    /// How many there were.
    pub rounds: usize,
}

/// Two quantities of the same rounds, divided round by round.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ratio {
    /// What is divided.
    pub of: String,
    /// By what: a peer that was measured in the same round, or a limit that has a name.
    pub to: String,
    /// Smallest.
    pub min: f64,
    /// Middle; the lower of two.
    pub median: f64,
    /// Largest.
    pub max: f64,
}

/// What one benchmark found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Findings {
    /// Which.
    pub name: &'static str,
    /// What was measured.
    pub about: &'static str,
    /// Why it was not, if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// What must be known to read the figures: what executed a guest, what was left out.
    pub notes: Vec<String>,
    /// In the order of measuring.
    pub figures: Vec<Figure>,
    /// Beside a peer or a limit.
    pub ratios: Vec<Ratio>,
}

impl Findings {
    pub(super) fn new(benchmark: Benchmark) -> Self {
        Self {
            name: benchmark.name(),
            about: benchmark.about(),
            skipped: None,
            notes: vec![],
            figures: vec![],
            ratios: vec![],
        }
    }

    pub(super) fn skipped(benchmark: Benchmark, reason: impl Into<String>) -> Self {
        Self { skipped: Some(reason.into()), ..Self::new(benchmark) }
    }

    pub(super) fn figure(&mut self, name: impl Into<String>, unit: &'static str, rounds: &[f64]) {
        let Spread { min, median, max } = Spread::of(rounds);
        self.figures.push(Figure { name: name.into(), unit, min, median, max, rounds: rounds.len() });
    }

    /// Round by round.
    pub(super) fn ratio(
        &mut self,
        of: impl Into<String>,
        to: impl Into<String>,
        rounds: &[f64],
        peer: &[f64],
    ) {
        let divided: Vec<f64> = rounds.iter().zip(peer).map(|(one, other)| one / other).collect();
        let Spread { min, median, max } = Spread::of(&divided);
        self.ratios.push(Ratio { of: of.into(), to: to.into(), min, median, max });
    }

    pub(super) fn limit(&mut self, of: impl Into<String>, to: impl Into<String>, rounds: &[f64], limit: f64) {
        self.ratio(of, to, rounds, &vec![limit; rounds.len()]);
    }
}

struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    fn of(rounds: &[f64]) -> Self {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let last = sorted.len().saturating_sub(1);
        Self { min: at(0), median: at(last / 2), max: at(last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_ratios_are_of_the_rounds() {
        let mut findings = Findings::new(Benchmark::Testbed);
        let (one, other) = ([4.0, 1.0, 9.0], [2.0, 1.0, 3.0]);
        findings.figure("one", "ms", &one);
        findings.ratio("one", "other", &one, &other);
        findings.limit("one", "the promised 2 ms", &one, 2.0);
        let Figure { min, median, max, rounds, .. } = findings.figures[0].clone();
        assert_eq!((min, median, max, rounds), (1.0, 4.0, 9.0, 3));
        let spreads: Vec<_> =
            findings.ratios.iter().map(|ratio| (ratio.min, ratio.median, ratio.max)).collect();
        // Each round by its own peer: not the smallest by the largest.
        assert_eq!(spreads, [(1.0, 2.0, 3.0), (0.5, 2.0, 4.5)]);
    }
}
