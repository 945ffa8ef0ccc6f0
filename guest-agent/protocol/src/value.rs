//! The values that fields of operations and of steps hold: socket slots, marks, delays, ranges of time.
//!
//! Holds plain data and the one-line forms of times; must not know operations or scripts.
//! Units: nanoseconds. Errors: none.
//! Tests: below.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A socket variable of the script: an index into [`Script::sockets`](crate::Script::sockets). All lanes of one side share the slots of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Slot(pub u16);

/// A happens-before point between lanes of one side: an index into [`Script::marks`](crate::Script::marks).
///
/// Lanes on different machines are ordered by the packets that they exchange and by nothing else: the control plane
/// never crosses the path under test, so it cannot carry a mark without adding its own delay to the measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mark(pub u16);

/// How long a step waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delay {
    /// Always the same.
    Fixed {
        /// Length of the wait.
        ns: u64,
    },
    /// Drawn anew for each trial, uniformly from `low_ns ..= high_ns`, from the block's seed and the trial's index.
    Uniform {
        /// Smallest value.
        low_ns: u64,
        /// Largest value.
        high_ns: u64,
    },
}

impl Delay {
    /// The longest that this delay can be: for deadlines.
    pub fn longest(self) -> Duration {
        Duration::from_nanos(match self {
            Self::Fixed { ns } => ns,
            Self::Uniform { high_ns, .. } => high_ns,
        })
    }
}

/// The one-line form that scenario files use: `5ms`, `uniform(0ms, 20ms)`.
impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Fixed { ns } => write_ns(f, ns),
            Self::Uniform { low_ns, high_ns } => {
                f.write_str("uniform(")?;
                write_ns(f, low_ns)?;
                f.write_str(", ")?;
                write_ns(f, high_ns)?;
                f.write_str(")")
            }
        }
    }
}

/// A range of times; both ends belong to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    /// Smallest, in nanoseconds.
    pub low_ns: u64,
    /// Largest, in nanoseconds.
    pub high_ns: u64,
}

impl TimeRange {
    /// Whether the two have more than one end in common.
    pub fn overlaps(self, other: Self) -> bool {
        self.low_ns < other.high_ns && other.low_ns < self.high_ns
    }
}

/// As scenario files spell it: `950ms..1100ms`.
impl fmt::Display for TimeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_ns(f, self.low_ns)?;
        f.write_str("..")?;
        write_ns(f, self.high_ns)
    }
}

/// A range of times that has a name, for labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeClass {
    /// The word that the label says: `slow`.
    pub name: String,
    /// Which times.
    pub range: TimeRange,
}

fn write_ns(f: &mut fmt::Formatter<'_>, ns: u64) -> fmt::Result {
    for (unit_ns, unit) in [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "us")] {
        if ns >= unit_ns && ns.is_multiple_of(unit_ns) {
            return write!(f, "{}{unit}", ns / unit_ns);
        }
    }
    if ns == 0 { f.write_str("0s") } else { write!(f, "{ns}ns") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_print_in_their_largest_whole_unit() {
        assert_eq!(Delay::Fixed { ns: 3_000_000_000 }.to_string(), "3s");
        assert_eq!(Delay::Fixed { ns: 0 }.to_string(), "0s");
        assert_eq!(Delay::Fixed { ns: 1_500_000 }.to_string(), "1500us");
        assert_eq!(Delay::Uniform { low_ns: 0, high_ns: 20_000_000 }.to_string(), "uniform(0s, 20ms)");
    }

    #[test]
    fn ranges_of_time_print_both_ends_and_overlap_by_more_than_an_end() {
        let range = |low_ns, high_ns| TimeRange { low_ns, high_ns };
        assert_eq!(range(950_000_000, 1_100_000_000).to_string(), "950ms..1100ms");
        assert_eq!(range(0, 1).to_string(), "0s..1ns");
        assert!(range(0, 10).overlaps(range(9, 20)) && range(9, 20).overlaps(range(0, 10)));
        assert!(range(0, 10).overlaps(range(2, 3)) && range(2, 3).overlaps(range(0, 10)));
        assert!(!range(0, 10).overlaps(range(10, 20)) && !range(10, 20).overlaps(range(0, 10)));
    }
}
