//! Where in a block's order some of its trials lie: whether a rare outcome comes evenly, in clusters, or only at the beginning.
//!
//! Holds counts by window of the trial index, neighbours, and the first and last indices; no trial, no label's meaning.
//! Units: indices of trials, which begin at 0 in each block, and counts. They belong to one block: those of two cannot be added up.
//! Errors: none; [`Placements::inconsistency`] says what cannot be true of those that came from elsewhere. Tests: below.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where in the order of one block's trials a set of them lies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Trials in the set.
    pub count: u64,
    /// How many of them lie in each of [`Placement::WINDOWS`] equal windows: trial `i` of `n` planned ones is in window
    /// `i * 64 / n`, rounded down.
    pub windows: Vec<u64>,
    /// Pairs of trials `i` and `i + 1` that are both in the set.
    pub adjacent_pairs: u64,
    /// The first indices, ascending: [`Placement::SHOWN`], or all where there are fewer.
    pub first: Vec<u64>,
    /// The last indices, ascending: [`Placement::SHOWN`], or all where there are fewer.
    pub last: Vec<u64>,
}

impl Placement {
    /// Windows of a block.
    pub const WINDOWS: usize = 64;

    /// Indices kept at each end.
    pub const SHOWN: usize = 100;

    /// How many of `planned` trials each window has.
    pub fn window_sizes(planned: u64) -> Vec<u64> {
        (0..Self::WINDOWS).map(|window| begin_of(window + 1, planned) - begin_of(window, planned)).collect()
    }

    /// What cannot be true of a set of indices below `most`, if something cannot.
    fn inconsistency(&self, most: u64) -> Option<&'static str> {
        let Self { count, windows, adjacent_pairs, first, last } = self;
        if windows.len() != Self::WINDOWS {
            return Some("the windows are not 64");
        }
        if windows.iter().try_fold(0_u64, |sum, window| sum.checked_add(*window)) != Some(*count) {
            return Some("the windows do not add up to the trials");
        }
        if adjacent_pairs >= count {
            return Some("there are as many adjacent pairs as trials, or more");
        }
        let shown = usize::try_from(*count).unwrap_or(usize::MAX).min(Self::SHOWN);
        if first.len() != shown || last.len() != shown {
            return Some("there are more or fewer first or last indices than there must be");
        }
        let ascending = |indices: &[u64]| indices.is_sorted_by(|a, b| a < b);
        if !ascending(first) || !ascending(last) {
            return Some("the indices do not ascend");
        }
        if last.last().is_none_or(|index| *index >= most) {
            return Some("an index is too large");
        }
        // So many of the last ones are among the first ones, too.
        let both = usize::try_from(*count).map_or(0, |count| (2 * shown).saturating_sub(count));
        if first[shown - both..] != last[..both] || (both == 0 && first.last() >= last.first()) {
            return Some("the first and the last indices contradict each other");
        }
        None
    }
}

/// Builds a [`Placement`] from indices that come in ascending order.
#[derive(Debug)]
pub struct PlacementBuilder {
    /// Trials of the block.
    planned: u64,
    /// [`Placement::last`] is up to twice as long as at the end, so that it moves seldom.
    placement: Placement,
    /// The index that came last.
    before: Option<u64>,
    /// The window that it was in, and where the next one begins.
    window: usize,
    next: u64,
}

/// The first index of window `window` in a block of `planned` trials.
fn begin_of(window: usize, planned: u64) -> u64 {
    // In u128, for a product of 64 and any index.
    let begin = (window as u128 * u128::from(planned)).div_ceil(Placement::WINDOWS as u128);
    u64::try_from(begin).unwrap_or(u64::MAX)
}

impl PlacementBuilder {
    /// An empty set of a block with `planned` trials.
    pub fn new(planned: u64) -> Self {
        let placement = Placement { windows: vec![0; Placement::WINDOWS], ..Placement::default() };
        Self { planned, placement, before: None, window: 0, next: begin_of(1, planned) }
    }

    /// Adds trial `index`, which is larger than all before it and less than the planned trials.
    pub fn add(&mut self, index: u64) {
        debug_assert!(self.before.is_none_or(|before| before < index) && index < self.planned);
        while index >= self.next && self.window + 1 < Placement::WINDOWS {
            self.window += 1;
            self.next = begin_of(self.window + 1, self.planned);
        }
        let placement = &mut self.placement;
        placement.count += 1;
        placement.windows[self.window] += 1;
        placement.adjacent_pairs += u64::from(self.before.is_some_and(|before| before + 1 == index));
        self.before = Some(index);
        if placement.first.len() < Placement::SHOWN {
            placement.first.push(index);
        }
        if placement.last.len() == 2 * Placement::SHOWN {
            placement.last.drain(..Placement::SHOWN);
        }
        placement.last.push(index);
    }

    /// The set, or `None` where it is empty.
    pub fn finish(self) -> Option<Placement> {
        let mut placement = self.placement;
        let more = placement.last.len().saturating_sub(Placement::SHOWN);
        placement.last.drain(..more);
        (placement.count > 0).then_some(placement)
    }
}

/// Where the trials of one block lie that are not like most of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Placements {
    /// By outcome label; the most frequent one has none (of several that are equally frequent, the first in the order of labels).
    /// Where a block has very many labels, some have none either, see [`Placements::MOST_LABELS`].
    pub outcomes: BTreeMap<String, Placement>,
    /// Trials with an outcome in which TCP_INFO said CLOSE right before the verdict call; `None` where there are none.
    pub closed_before_call: Option<Placement>,
    /// Void trials, whatever the reason; `None` where there are none.
    pub voids: Option<Placement>,
}

impl Placements {
    /// At most so many labels of a block have a placement: those that came first.
    pub const MOST_LABELS: usize = 120;

    /// Whether nothing is placed.
    pub fn is_empty(&self) -> bool {
        self.outcomes.is_empty() && self.closed_before_call.is_none() && self.voids.is_none()
    }

    /// The label of which there is none: the most frequent one, and the first of several.
    pub fn most_frequent(outcomes: &BTreeMap<String, u64>) -> Option<&str> {
        let mut most = None::<(&str, u64)>;
        for (label, count) in outcomes {
            if most.is_none_or(|(_, largest)| *count > largest) {
                most = Some((label, *count));
            }
        }
        most.map(|(label, _)| label)
    }

    /// What cannot be true beside these counts of one block's trials, if something cannot: the guest is not trusted. Indices are less than
    /// `most`. Names no label.
    pub fn inconsistency(&self, counts: &Placed<'_>, most: u64) -> Option<String> {
        if self.outcomes.len() > Self::MOST_LABELS {
            return Some(format!(
                "{} outcomes are placed, {} may be",
                self.outcomes.len(),
                Self::MOST_LABELS
            ));
        }
        let outcomes = self.outcomes.iter().map(|(label, placement)| {
            ("an outcome", placement, counts.outcomes.get(label).copied().unwrap_or(0))
        });
        let closed =
            self.closed_before_call.iter().map(|closed| ("CLOSE before the call", closed, counts.closed));
        let voids = self.voids.iter().map(|voids| ("the void trials", voids, counts.voids));
        for (what, placement, count) in outcomes.chain(closed).chain(voids) {
            if placement.count != count {
                return Some(format!("places of {what}: {} trials, {count} were counted", placement.count));
            }
            if let Some(why) = placement.inconsistency(most) {
                return Some(format!("places of {what}: {why}"));
            }
        }
        None
    }
}

/// The counts that [`Placements`] must agree with.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// Trials by outcome label.
    pub outcomes: &'a BTreeMap<String, u64>,
    /// Trials with CLOSE before the call.
    pub closed: u64,
    /// Void trials.
    pub voids: u64,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const MOST: u64 = 1 << 44;

    fn built(planned: u64, indices: &BTreeSet<u64>) -> Option<Placement> {
        let mut builder = PlacementBuilder::new(planned);
        indices.iter().for_each(|index| builder.add(*index));
        builder.finish()
    }

    /// The definitions, word by word.
    fn naive(planned: u64, indices: &BTreeSet<u64>) -> Placement {
        let all: Vec<u64> = indices.iter().copied().collect();
        let window = |window: u128| {
            all.iter().filter(|index| u128::from(**index) * 64 / u128::from(planned) == window).count() as u64
        };
        Placement {
            count: all.len() as u64,
            windows: (0..64).map(window).collect(),
            adjacent_pairs: all.iter().filter(|index| indices.contains(&(**index + 1))).count() as u64,
            first: all.iter().copied().take(100).collect(),
            last: all.iter().copied().skip(all.len().saturating_sub(100)).collect(),
        }
    }

    /// A block's size and some of its indices: few or many, spread or in a row.
    fn block() -> impl Strategy<Value = (u64, BTreeSet<u64>)> {
        let sizes = prop_oneof![1_u64..2_000, (1_u64 << 40)..(1 << 44)];
        (sizes, 0_u64..1_000, any::<u64>(), 0_usize..600).prop_flat_map(|(planned, row, start, many)| {
            let row: BTreeSet<u64> = (0..row).map(|step| (start % planned).saturating_add(step)).collect();
            proptest::collection::btree_set(0..planned, 0..=many.min(planned as usize)).prop_map(
                move |spread| {
                    let all = spread.into_iter().chain(row.iter().copied());
                    (planned, all.filter(|index| *index < planned).collect())
                },
            )
        })
    }

    proptest! {
        #[test]
        fn a_placement_is_what_its_definition_says_and_sound((planned, indices) in block()) {
            let placement = built(planned, &indices);
            if indices.is_empty() {
                prop_assert_eq!(placement, None);
            } else {
                let placement = placement.expect("not empty");
                prop_assert_eq!(placement.inconsistency(MOST), None);
                prop_assert_eq!(placement, naive(planned, &indices));
            }
        }

        #[test]
        fn no_numbers_from_elsewhere_make_the_check_fail(
            count in prop_oneof![0_u64..250, any::<u64>()],
            windows in proptest::collection::vec(any::<u64>(), 60..70),
            adjacent_pairs: u64,
            first in proptest::collection::vec(any::<u64>(), 0..150),
            last in proptest::collection::vec(any::<u64>(), 0..150),
        ) {
            let _ = Placement { count, windows, adjacent_pairs, first, last }.inconsistency(MOST);
        }
    }

    #[test]
    fn windows_are_as_wide_as_the_block_allows() {
        let all = |planned| built(planned, &(0..planned).collect()).expect("not empty").windows;
        assert_eq!(all(128), [2; 64]);
        let few = all(3);
        assert_eq!((few[0], few[21], few[42], few.iter().sum::<u64>()), (1, 1, 1, 3));
        assert_eq!(built(1 << 43, &[(1 << 43) - 1].into()).expect("one").windows[63], 1);
    }

    #[test]
    fn every_contradiction_in_a_placement_is_named() {
        type Change = fn(&mut Placement);
        let changed = |change: Change, indices: BTreeSet<u64>| {
            let mut placement = built(1_000, &indices).expect("not empty");
            assert_eq!(placement.inconsistency(MOST), None);
            change(&mut placement);
            placement.inconsistency(MOST).unwrap_or("nothing")
        };
        let cases: [(Change, BTreeSet<u64>, &str); 11] = [
            (|p| p.windows.push(0), (0..5).collect(), "the windows are not 64"),
            (|p| p.windows[0] += 1, (0..5).collect(), "the windows do not add up to the trials"),
            (|p| p.windows[0] = u64::MAX, (0..5).collect(), "the windows do not add up to the trials"),
            (|p| p.count += 1, (0..5).collect(), "the windows do not add up to the trials"),
            (
                |p| p.adjacent_pairs = 5,
                (0..5).collect(),
                "there are as many adjacent pairs as trials, or more",
            ),
            (
                |p| p.first.truncate(4),
                (0..5).collect(),
                "there are more or fewer first or last indices than there must be",
            ),
            (
                |p| p.last.push(999),
                (0..500).collect(),
                "there are more or fewer first or last indices than there must be",
            ),
            (|p| p.first.swap(0, 1), (0..5).collect(), "the indices do not ascend"),
            (|p| p.last[1] = p.last[0], (0..5).collect(), "the indices do not ascend"),
            (|p| p.last[99] = MOST, (0..500).collect(), "an index is too large"),
            (
                |p| p.first[99] = 600,
                (0..500).collect(),
                "the first and the last indices contradict each other",
            ),
        ];
        for (change, indices, words) in cases {
            assert_eq!(changed(change, indices), words);
        }
        let shift = |p: &mut Placement| p.last.iter_mut().for_each(|index| *index += 1);
        for many in [5, 100, 150, 199] {
            let words = "the first and the last indices contradict each other";
            assert_eq!(changed(shift, (0..many).collect()), words, "{many}");
        }
    }

    #[test]
    fn places_that_do_not_fit_to_the_counts_are_named() {
        let placement = built(10, &[3, 4].into());
        let outcomes = BTreeMap::from([("a".to_owned(), 8), ("b".to_owned(), 2)]);
        let counts = Placed { outcomes: &outcomes, closed: 2, voids: 2 };
        let sound = Placements {
            outcomes: [("b".to_owned(), placement.clone().expect("two"))].into(),
            closed_before_call: placement.clone(),
            voids: placement.clone(),
        };
        assert_eq!(sound.inconsistency(&counts, MOST), None);
        assert_eq!(Placements::default().inconsistency(&counts, MOST), None);
        let of =
            |counts, placements: &Placements| placements.inconsistency(&counts, MOST).unwrap_or_default();
        assert_eq!(
            of(Placed { closed: 3, ..counts }, &sound),
            "places of CLOSE before the call: 2 trials, 3 were counted"
        );
        assert_eq!(
            of(Placed { voids: 1, ..counts }, &sound),
            "places of the void trials: 2 trials, 1 were counted"
        );
        let other =
            Placements { outcomes: [("c".to_owned(), placement.expect("two"))].into(), ..sound.clone() };
        assert_eq!(of(counts, &other), "places of an outcome: 2 trials, 0 were counted");
        let mut broken = sound;
        broken.voids.as_mut().expect("there").windows.clear();
        assert_eq!(of(counts, &broken), "places of the void trials: the windows are not 64");
        let label = |n: usize| (n.to_string(), Placement::default());
        let many = Placements { outcomes: (0..121).map(label).collect(), ..Placements::default() };
        assert_eq!(of(counts, &many), "121 outcomes are placed, 120 may be");
    }

    #[test]
    fn the_most_frequent_label_is_the_first_of_its_equals() {
        let of = |pairs: &[(&str, u64)]| {
            let outcomes = pairs.iter().map(|(label, count)| ((*label).to_owned(), *count)).collect();
            Placements::most_frequent(&outcomes).map(str::to_owned)
        };
        assert_eq!(of(&[]), None);
        assert_eq!(of(&[("c", 4), ("b", 5), ("a", 1)]).as_deref(), Some("b"));
        assert_eq!(of(&[("c", 5), ("b", 5), ("a", 1)]).as_deref(), Some("b"));
    }

    #[test]
    fn a_window_has_as_many_trials_as_fall_into_it() {
        for planned in [0, 1, 63, 64, 65, 1_000, 4_097] {
            let mut fallen = vec![0_u64; Placement::WINDOWS];
            (0..planned).for_each(|trial| fallen[(trial * 64 / planned) as usize] += 1);
            assert_eq!(Placement::window_sizes(planned), fallen, "{planned}");
        }
        assert_eq!(Placement::window_sizes(u64::MAX).iter().sum::<u64>(), u64::MAX);
    }
}
