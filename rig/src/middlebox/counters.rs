//! What every part of a middlebox did, as numbers with names: a fault proves that it bit.
//!
//! Must not know what is counted. Units: frames, unless the name says otherwise. Counters start at 0 and all are present from the start,
//! so that a misspelt name is found missing, never read as zero.
//! Errors: none. Tests: beside the module.

use std::collections::BTreeMap;

use super::spec::Direction;

/// Name to count; the record stores it as it is.
pub type Counters = BTreeMap<String, u64>;

/// A registered counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counter(usize);

/// Of something that resets connections.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResetCounters {
    /// Resets.
    pub(super) injected: [Counter; 2],
    /// Those for which the connection's numbers were not known.
    pub(super) unavailable: [Counter; 2],
    /// Connections, however many resets each got.
    pub(super) connections: [Counter; 2],
}

impl ResetCounters {
    pub(super) fn new(of: &str, tally: &mut Tally) -> Self {
        let mut register = |what: &str| tally.register_both(&format!("{of}.{what}"));
        Self {
            injected: register("injected"),
            unavailable: register("unavailable"),
            connections: register("connections"),
        }
    }
}

/// The counters of one engine.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    names: Vec<String>,
    values: Vec<u64>,
}

impl Tally {
    pub(super) fn register(&mut self, name: impl Into<String>) -> Counter {
        self.names.push(name.into());
        self.values.push(0);
        Counter(self.values.len() - 1)
    }

    /// One for each direction, by [`Direction::index`].
    pub(super) fn register_both(&mut self, name: &str) -> [Counter; 2] {
        Direction::ALL.map(|direction| self.register(format!("{name}.{}", direction.name())))
    }

    pub(super) fn count(&mut self, counter: Counter) {
        self.add(counter, 1);
    }

    pub(super) fn add(&mut self, counter: Counter, by: u64) {
        self.values[counter.0] += by;
    }

    pub(super) fn snapshot(&self) -> Counters {
        self.names.iter().cloned().zip(self.values.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_present_from_the_start() {
        let mut tally = Tally::default();
        let lost = tally.register("lost");
        tally.register("held");
        tally.count(lost);
        tally.add(lost, 2);
        assert_eq!(tally.snapshot(), Counters::from([("held".into(), 0), ("lost".into(), 3)]));
    }
}
