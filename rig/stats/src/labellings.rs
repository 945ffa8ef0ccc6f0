//! The ways to label some units as one side and the rest as the other: how many there are, all of them, or some by chance.
//!
//! Holds what permutation tests share. Must not know what is labelled, nor why. Units: numbers of units. Errors: none.
//! Tests: here, and those of the tests that are built on it.

/// In how many ways `chosen` of `blocks` can be called first: exact up to 2^53.
pub(crate) fn ways(blocks: usize, chosen: usize) -> f64 {
    let fewer = chosen.min(blocks - chosen);
    (0..fewer).fold(1.0, |ways, i| (ways * (blocks - i) as f64 / (i + 1) as f64).round())
}

/// Every choice of `chosen` of `blocks` indices, in the order of words.
pub(crate) fn each_choice(blocks: usize, chosen: usize, mut look: impl FnMut(&[usize])) {
    let mut indices: Vec<usize> = (0..chosen).collect();
    loop {
        look(&indices);
        let Some(place) = (0..chosen).rev().find(|place| indices[*place] < blocks - chosen + place) else {
            return;
        };
        indices[place] += 1;
        for later in place + 1..chosen {
            indices[later] = indices[later - 1] + 1;
        }
    }
}

/// G. L. Steele, D. Lea and C. H. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: 64 bits of state, the same everywhere.
pub(crate) struct SplitMix64(pub(crate) u64);

impl SplitMix64 {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `most` - 1; no number is likelier than another by more than one in 2^64.
    pub(crate) fn below(&mut self, most: usize) -> usize {
        ((u128::from(self.next()) * most as u128) >> 64) as usize
    }

    /// `chosen` of the indices in `order`, each choice as likely as another: the first places of a Fisher-Yates shuffle, which may go on from any order.
    pub(crate) fn choose<'a>(&mut self, order: &'a mut [usize], chosen: usize) -> &'a [usize] {
        for place in 0..chosen {
            order.swap(place, place + self.below(order.len() - place));
        }
        &order[..chosen]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn all_choices_are_there_once_and_are_drawn_alike() {
        for (blocks, chosen) in [(1, 1), (5, 0), (5, 2), (6, 6), (9, 4)] {
            let mut seen = BTreeMap::<Vec<usize>, u32>::new();
            each_choice(blocks, chosen, |choice| *seen.entry(choice.to_vec()).or_default() += 1);
            assert!(seen.values().all(|times| *times == 1));
            assert_eq!(seen.len() as f64, ways(blocks, chosen), "{chosen} of {blocks}");
            let mut draws = SplitMix64(5);
            let mut order: Vec<usize> = (0..blocks).collect();
            let runs = 400 * seen.len() as u32;
            for _ in 0..runs {
                let mut choice = draws.choose(&mut order, chosen).to_vec();
                choice.sort_unstable();
                *seen.get_mut(&choice).expect("one of all") += 1;
            }
            // 400 times each; five standard deviations.
            assert!(seen.values().all(|times| seen.len() == 1 || (300..=500).contains(times)), "{seen:?}");
        }
        assert_eq!(ways(49, 6), 13_983_816.0);
    }
}
