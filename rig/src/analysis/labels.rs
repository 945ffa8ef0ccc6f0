//! The outcomes of two cells as columns of one table.
//!
//! Holds which outcomes have a column of their own, and the counts of a tally in that order. Must not test or judge.
//! Units: counts of trials. Errors: none. Tests: here, `tests/golden/outcomes.rs`, `tests/golden/twins.rs`.

use std::collections::{BTreeMap, HashMap};

use rig_protocol::Tally;

/// So many outcomes have a column, the most frequent of both cells together; all others share one more. Which these are does not depend on the side of a
/// trial, so tests stay valid; and a guest that makes up an outcome for each trial can neither make them slow nor take the others' share of the level.
const COLUMNS: usize = 64;

/// Name of the column that the rarest share, where there are more than [`COLUMNS`].
const OTHERS: &str = "others";

/// The columns of two cells.
pub(super) struct Columns<'a> {
    names: Vec<&'a str>,
    of: HashMap<&'a str, usize>,
}

impl<'a> Columns<'a> {
    /// Of the sums of both cells; the most frequent outcome first.
    pub(super) fn of(first: &'a Tally, second: &'a Tally) -> Self {
        let mut both: BTreeMap<&str, u64> = BTreeMap::new();
        for (outcome, n) in first.outcomes.iter().chain(&second.outcomes) {
            let sum = both.entry(outcome).or_default();
            *sum = sum.saturating_add(*n);
        }
        let mut labels: Vec<(&str, u64)> = both.into_iter().collect();
        labels.sort_by_key(|(outcome, n)| (std::cmp::Reverse(*n), *outcome));
        let of = labels.iter().enumerate().map(|(place, (outcome, _))| (*outcome, place.min(COLUMNS)));
        let of = of.collect();
        let mut names: Vec<&str> = labels.iter().map(|(outcome, _)| *outcome).take(COLUMNS).collect();
        names.extend((labels.len() > COLUMNS).then_some(OTHERS));
        Self { names, of }
    }

    /// Their names, in the order of the counts of a row.
    pub(super) fn names(&self) -> &[&'a str] {
        &self.names
    }

    /// The counts of one tally, one for each column.
    pub(super) fn row(&self, tally: &Tally) -> Vec<u64> {
        let mut row = vec![0_u64; self.names.len()];
        for (outcome, n) in &tally.outcomes {
            if let Some(sum) = self.of.get(outcome.as_str()).and_then(|place| row.get_mut(*place)) {
                *sum = sum.saturating_add(*n);
            }
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(counts: impl IntoIterator<Item = (String, u64)>) -> Tally {
        Tally { outcomes: counts.into_iter().collect(), ..Tally::default() }
    }

    #[test]
    fn the_rarest_share_one_column() {
        let many = |n: u64| tally((0..n).map(|place| (format!("{place:03}"), 1_000 - place)));
        let (all, none) = (many(64), tally([]));
        let columns = Columns::of(&all, &none);
        assert_eq!((columns.names().len(), columns.names()[63]), (64, "063"));
        let (all, other) = (many(70), tally([("069".to_owned(), 5), ("000".to_owned(), 2)]));
        let columns = Columns::of(&all, &other);
        assert_eq!((columns.names().len(), columns.names()[0], columns.names()[64]), (65, "000", "others"));
        assert_eq!(columns.row(&all)[64], 936 + 935 + 934 + 933 + 932 + 931);
        let row = columns.row(&other);
        assert_eq!((row[0], row[64], row.iter().sum::<u64>()), (2, 5, 7));
    }
}
