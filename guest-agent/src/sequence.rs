//! The order of a block's trials: what each of them came to, by its index.
//!
//! Holds one byte for each trial of a target's block and the labels behind the numbers in it; must not decide what an outcome is.
//! Units: indices within the block. Errors: none; a block that is too long, or for which there is no memory, has no placements.
//! A worker writes its trial's byte once; all are read once, when every worker has gone.
//! Tests: below, and `tests/loopback`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};

use rig_protocol::{PlacementBuilder, Placements, TcpState};

/// A longer block has no placements: 64 MiB are what a guest can spare.
const MOST_TRIALS: u64 = 1 << 26;

/// The part of a byte that says what the trial came to: 0 while it has come to nothing, the number of a label, or one of the two below.
const NUMBER: u8 = 0x7f;
/// Any label beyond [`Placements::MOST_LABELS`].
const OTHERS: u8 = 0x7f;
const VOID: u8 = 0x7e;
/// TCP_INFO said CLOSE before the verdict call.
const CLOSED: u8 = 0x80;

const _: () = assert!(Placements::MOST_LABELS < VOID as usize);

/// A label's number in this block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(u8);

/// What each trial came to.
#[derive(Debug)]
pub(crate) struct Sequence {
    trials: Box<[AtomicU8]>,
    /// The label with number `n` is at `n - 1`.
    labels: Mutex<Vec<String>>,
}

impl Sequence {
    /// For a block of `trials`, if that can be kept.
    pub(crate) fn of(trials: u64) -> Option<Self> {
        let length = usize::try_from(trials).ok().filter(|_| trials <= MOST_TRIALS)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(length).ok()?;
        bytes.resize_with(length, AtomicU8::default);
        Some(Self { trials: bytes.into_boxed_slice(), labels: Mutex::default() })
    }

    /// The number of an outcome label, a new one for a new label. Takes a lock: to be asked once by each shard.
    pub(crate) fn number(&self, label: &str) -> Number {
        let mut labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        let index = labels.iter().position(|known| known == label).unwrap_or_else(|| {
            if labels.len() < Placements::MOST_LABELS {
                labels.push(label.to_owned());
                labels.len() - 1
            } else {
                usize::from(OTHERS) - 1
            }
        });
        Number(index as u8 + 1)
    }

    /// A trial came to this outcome; `state` was its TCP state before the verdict call, where that is known.
    pub(crate) fn note(&self, trial: u64, number: Number, state: Option<u8>) {
        let closed = if state == Some(TcpState::CLOSE.0) { CLOSED } else { 0 };
        self.write(trial, number.0 | closed);
    }

    /// A trial was void.
    pub(crate) fn note_void(&self, trial: u64) {
        self.write(trial, VOID);
    }

    fn write(&self, trial: u64, byte: u8) {
        // The workers' end orders this before the reading.
        self.trials[trial as usize].store(byte, Ordering::Relaxed);
    }

    /// Where they lie. `outcomes` are the counts of the whole block; no worker may be playing.
    pub(crate) fn placements(&self, outcomes: &BTreeMap<String, u64>) -> Placements {
        let labels = self.labels.lock().unwrap_or_else(PoisonError::into_inner);
        let empty = || PlacementBuilder::new(self.trials.len() as u64);
        let omitted = Placements::most_frequent(outcomes);
        let mut placed: Vec<Option<PlacementBuilder>> =
            labels.iter().map(|label| (omitted != Some(label)).then(empty)).collect();
        let (mut closed, mut voids) = (empty(), empty());
        for (index, byte) in (0..).zip(&self.trials) {
            let byte = byte.load(Ordering::Relaxed);
            if byte & CLOSED != 0 {
                closed.add(index);
            }
            match byte & NUMBER {
                0 | OTHERS => {}
                VOID => voids.add(index),
                number => {
                    if let Some(builder) = &mut placed[usize::from(number) - 1] {
                        builder.add(index);
                    }
                }
            }
        }
        let finished = labels.iter().zip(placed);
        Placements {
            outcomes: finished
                .filter_map(|(label, builder)| Some((label.clone(), builder?.finish()?)))
                .collect(),
            closed_before_call: closed.finish(),
            voids: voids.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::AtomicUsize;

    use proptest::prelude::*;
    use rig_protocol::Placement;

    use super::*;

    /// What a trial is made to come to.
    #[derive(Debug, Clone)]
    enum End {
        Outcome(String, Option<u8>),
        Void,
        /// Never played.
        Nothing,
    }

    /// Plays the ends on four workers that take them from one counter, each with its own memory of numbers.
    fn play(ends: &[End]) -> Sequence {
        let sequence = Sequence::of(ends.len() as u64).expect("short");
        let next = AtomicUsize::new(0);
        let work = || {
            let mut numbers = BTreeMap::new();
            loop {
                let trial = next.fetch_add(1, Ordering::Relaxed);
                match ends.get(trial) {
                    None => return,
                    Some(End::Outcome(label, state)) => {
                        let number = *numbers.entry(label).or_insert_with(|| sequence.number(label));
                        sequence.note(trial as u64, number, *state);
                    }
                    Some(End::Void) => sequence.note_void(trial as u64),
                    Some(End::Nothing) => {}
                }
            }
        };
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
        sequence
    }

    fn counts(ends: &[End]) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for end in ends {
            if let End::Outcome(label, _) = end {
                *counts.entry(label.clone()).or_default() += 1;
            }
        }
        counts
    }

    /// The placement of the ends that are `in_set`, by its definition.
    fn naive(ends: &[End], in_set: impl Fn(&End) -> bool) -> Option<Placement> {
        let found: Vec<u64> =
            ends.iter().zip(0..).filter(|(end, _)| in_set(end)).map(|(_, index)| index).collect();
        let mut windows = vec![0; 64];
        found.iter().for_each(|index| windows[(index * 64 / ends.len() as u64) as usize] += 1);
        (!found.is_empty()).then(|| Placement {
            count: found.len() as u64,
            windows,
            adjacent_pairs: found.windows(2).filter(|pair| pair[0] + 1 == pair[1]).count() as u64,
            first: found[..found.len().min(100)].to_vec(),
            last: found[found.len().saturating_sub(100)..].to_vec(),
        })
    }

    fn has(label: &str) -> impl Fn(&End) -> bool {
        move |end| matches!(end, End::Outcome(found, _) if found == label)
    }

    fn end() -> impl Strategy<Value = End> {
        let label =
            prop_oneof![6 => Just("readable"), 2 => Just("EBADF"), 1 => Just("timeout"), 1 => Just("eof")];
        let state = prop_oneof![Just(None), Just(Some(1)), Just(Some(7))];
        let outcome = (label, state).prop_map(|(label, state)| End::Outcome(label.to_owned(), state));
        prop_oneof![8 => outcome, 1 => Just(End::Void), 1 => Just(End::Nothing)]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn placements_of_many_workers_are_those_of_the_definition(ends in proptest::collection::vec(end(), 0..1_500)) {
            let outcomes = counts(&ends);
            let found = play(&ends).placements(&outcomes);
            let most = outcomes.values().max().copied().unwrap_or(0);
            let omitted = outcomes.iter().find(|(_, count)| **count == most).map(|(label, _)| label);
            let expected: BTreeMap<String, Placement> = outcomes
                .keys()
                .filter(|label| Some(*label) != omitted)
                .filter_map(|label| Some((label.clone(), naive(&ends, has(label))?)))
                .collect();
            prop_assert_eq!(&found.outcomes, &expected);
            let closed = |end: &End| matches!(end, End::Outcome(_, Some(7)));
            prop_assert_eq!(&found.closed_before_call, &naive(&ends, closed));
            prop_assert_eq!(&found.voids, &naive(&ends, |end| matches!(end, End::Void)));
        }
    }

    #[test]
    fn labels_beyond_the_limit_are_counted_elsewhere_and_disturb_no_other() {
        let ends: Vec<End> =
            (0..2_000).map(|trial| End::Outcome(format!("outcome {}", trial % 200), Some(7))).collect();
        // One worker: which labels come first is certain then.
        let sequence = Sequence::of(2_000).expect("short");
        for (trial, end) in (0..).zip(&ends) {
            let End::Outcome(label, state) = end else { continue };
            sequence.note(trial, sequence.number(label), *state);
        }
        let found = sequence.placements(&counts(&ends));
        // All are equally frequent, so the first, `outcome 0`, has none.
        let expected: BTreeSet<String> =
            (1..Placements::MOST_LABELS).map(|label| format!("outcome {label}")).collect();
        assert!(found.outcomes.keys().eq(&expected), "{:?}", found.outcomes.keys());
        for (label, placement) in &found.outcomes {
            assert_eq!(Some(placement), naive(&ends, has(label)).as_ref());
        }
        assert_eq!(found.closed_before_call.expect("all").count, 2_000);
    }

    #[test]
    fn a_block_that_is_too_long_is_not_kept() {
        assert!(Sequence::of(MOST_TRIALS + 1).is_none() && Sequence::of(u64::MAX).is_none());
        let none = Sequence::of(0).expect("short").placements(&BTreeMap::new());
        assert_eq!(none, Placements::default());
    }
}
