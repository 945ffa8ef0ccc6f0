//! What every part of a middlebox did, as numbers with names: a fault proves that it bit.
//!
//! Must not know what is counted. Units: frames, unless the name says otherwise. Counters start at 0 and all are present from the start,
//! so that a counter that nobody counts is found missing, never read as zero.
//! Errors: none. Tests: beside the module.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::names::{MiddleboxCounter, ResetCount, Resetter, Word};
use super::spec::Direction;

/// Name to count; the record stores it as it is.
pub type Counters = BTreeMap<String, u64>;

/// A registered counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counter(usize);

/// Registered counters, one for each word of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counts<W> {
    first: usize,
    words: PhantomData<W>,
}

impl<W: Word> Counts<W> {
    /// Registers all.
    pub(super) fn new(tally: &mut Tally, name: impl Fn(W) -> MiddleboxCounter) -> Self {
        let first = tally.values.len();
        for word in W::ALL {
            tally.register(&name(*word));
        }
        Self { first, words: PhantomData }
    }

    /// The one of this word.
    pub(super) fn of(&self, word: W) -> Counter {
        Counter(self.first + word.index())
    }
}

/// The counters of something that resets connections, by direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResetCounters([Counts<ResetCount>; 2]);

impl ResetCounters {
    pub(super) fn new(by: &Resetter, tally: &mut Tally) -> Self {
        let of = |direction| Counts::new(tally, |what| MiddleboxCounter::Reset(by.clone(), what, direction));
        Self(Direction::ALL.map(of))
    }

    pub(super) fn of(&self, what: ResetCount, direction: Direction) -> Counter {
        self.0[direction.index()].of(what)
    }
}

/// The counters of one engine.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    names: Vec<String>,
    values: Vec<u64>,
}

impl Tally {
    pub(super) fn register(&mut self, name: &MiddleboxCounter) -> Counter {
        self.names.push(name.to_string());
        self.values.push(0);
        Counter(self.values.len() - 1)
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
    use super::super::names::IpsCount;
    use super::*;

    #[test]
    fn all_are_present_from_the_start() {
        let mut tally = Tally::default();
        let seen = tally.register(&MiddleboxCounter::Connections);
        let ips = Counts::new(&mut tally, MiddleboxCounter::Ips);
        tally.count(seen);
        tally.add(seen, 2);
        tally.count(ips.of(IpsCount::Dropped));
        let wanted = [("connections", 3), ("ips.matched", 0), ("ips.dropped", 1)];
        assert_eq!(tally.snapshot(), wanted.map(|(name, count)| (name.to_owned(), count)).into());
    }
}
