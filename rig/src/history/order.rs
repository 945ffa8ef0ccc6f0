//! Which nights count, and in which order: none twice, a rehearsal apart from the real ones, each machine for itself.
//!
//! Pure. Must not judge a cell. Units: nights. Errors: none; what is strange is told in words. Tests: below, `tests/golden/history.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::stored::StoredNight;

/// The nights that count, in the order in which they began, and what a reader must know of that.
#[derive(Debug, Default)]
pub(super) struct Ordered<'a> {
    pub(super) nights: Vec<&'a StoredNight>,
    pub(super) cautions: Vec<String>,
}

/// Where a night was played: its machine, and whether it was a rehearsal.
pub(super) type Place<'a> = (&'a str, bool);

pub(super) fn place(night: &StoredNight) -> Place<'_> {
    (&night.machine, night.rehearsed)
}

/// Leaves out what another night has too, and looks at the clock. `all` is in the order of [`StoredNight::moment`].
pub(super) fn order(all: &[StoredNight]) -> Ordered<'_> {
    let mut ordered = Ordered::default();
    let blocks: Vec<BTreeSet<&String>> =
        all.iter().map(|night| night.night.blocks.iter().collect()).collect();
    let mut having: BTreeMap<&String, Vec<usize>> = BTreeMap::new();
    for (at, blocks) in blocks.iter().enumerate() {
        blocks.iter().for_each(|block| having.entry(block).or_default().push(at));
    }
    for (at, night) in all.iter().enumerate() {
        let mut others: BTreeSet<usize> =
            blocks[at].iter().flat_map(|block| having[*block].clone()).collect();
        others.remove(&at);
        let takes_in = |other: &&usize| {
            let is_larger = blocks[**other].len() > blocks[at].len();
            // Of the same blocks one copy counts: a folder before an archive.
            let is_first = (all[**other].is_packed(), **other) < (night.is_packed(), at);
            blocks[at].is_subset(&blocks[**other])
                && (is_larger || (blocks[at].len() == blocks[**other].len() && is_first))
        };
        if others.iter().any(|other| takes_in(&other)) {
            continue;
        }
        for other in others.into_iter().filter(|other| *other > at && !blocks[*other].is_subset(&blocks[at]))
        {
            let shared = blocks[at].intersection(&blocks[other]).count();
            ordered.cautions.push(format!(
                "{} and {} have {shared} blocks in common, and neither has all of the other: these blocks count twice",
                night.place, all[other].place
            ));
        }
        ordered.nights.push(night);
    }
    ordered.cautions.extend(clock(&ordered.nights));
    ordered
}

/// Nights that began before the one before them had ended.
fn clock(nights: &[&StoredNight]) -> Vec<String> {
    let mut last: BTreeMap<Place<'_>, &StoredNight> = BTreeMap::new();
    let mut told = Vec::new();
    for night in nights {
        if let Some(before) = last.insert(place(night), night)
            && before.night.ended > night.started
            && before.shard == night.shard
        {
            told.push(format!(
                "{} began at {}, before {} had ended ({}): two ran at once, or the clock was put back; nights stand in the order in which they say they began",
                night.place, night.started, before.place, before.night.ended
            ));
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Night;

    fn night(place: &str, started: &str, blocks: &[&str]) -> StoredNight {
        StoredNight {
            place: place.to_owned(),
            digest: String::new(),
            id: place.trim_end_matches(".tar.gz").to_owned(),
            machine: String::new(),
            rehearsed: false,
            started: started.to_owned(),
            profile: String::new(),
            filters: String::new(),
            shard: String::new(),
            complete: true,
            matrix: String::new(),
            night: Night {
                machine: String::new(),
                started: String::new(),
                ended: String::new(),
                facts: BTreeMap::new(),
                cells: Vec::new(),
                blocks: blocks.iter().map(|&block| block.to_owned()).collect(),
                findings: Vec::new(),
                thresholds: BTreeMap::new(),
                icc: 0.001,
                confidence: 0.95,
            },
        }
    }

    fn counted(all: &[StoredNight]) -> (Vec<&str>, usize) {
        let ordered = order(all);
        (ordered.nights.iter().map(|night| night.place.as_str()).collect(), ordered.cautions.len())
    }

    #[test]
    fn what_another_night_has_counts_once() {
        let shards =
            [night("a", "1", &["x", "y"]), night("b", "1", &["z"]), night("m", "1", &["x", "y", "z"])];
        assert_eq!(counted(&shards), (vec!["m"], 0));
        let copies = [night("a", "1", &["x"]), night("a.tar.gz", "1", &["x"]), night("c", "2", &["w"])];
        assert_eq!(counted(&copies), (vec!["a", "c"], 0));
        let parts = [night("a", "1", &["x", "y"]), night("b", "2", &["y", "z"])];
        assert_eq!(counted(&parts), (vec!["a", "b"], 1));
        let empty = [night("a", "1", &[]), night("b", "2", &[])];
        assert_eq!(counted(&empty), (vec!["a", "b"], 0));
    }

    #[test]
    fn a_clock_that_was_put_back_is_told() {
        let mut both =
            [night("a", "2026-11-21T01:00:00Z", &["x"]), night("b", "2026-11-21T02:00:00Z", &["y"])];
        both[0].night.ended = "2026-11-21T01:30:00.000Z".to_owned();
        assert_eq!(counted(&both), (vec!["a", "b"], 0));
        both[0].night.ended = "2026-11-21T03:30:00.000Z".to_owned();
        assert_eq!(counted(&both), (vec!["a", "b"], 1));
        both[1].machine = "other".to_owned();
        assert_eq!(counted(&both), (vec!["a", "b"], 0));
    }
}
