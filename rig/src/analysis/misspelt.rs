//! Why no cell of a run is one that a claim of the reader's own is about: the first thing of its selection that no cell has.
//!
//! A name may be misspelt, or the run may be another than the claim's: the reader sees what was asked for beside what is there. Must not judge. Units: none. Errors: none.
//! Tests: `tests/golden/claims.rs`.

use crate::claims::{Cells, Part, Words};
use crate::matrix::{Cell, Subject};

use super::measured::Measured;
use super::model::Missing;

/// So many values of the run are named.
const NAMED: usize = 6;

/// What the part asks for that no cell has.
pub(super) fn what_is_missing(part: &Part, measured: &[Measured<'_>]) -> Missing {
    let cells: Vec<&Cell> =
        measured.iter().filter(|cell| !cell.is_repeat()).map(|cell| cell.cell()).collect();
    part.selections().find_map(|selection| of_selection(selection, &cells)).unwrap_or(Missing::Cell)
}

/// What a cell has under a key.
type Value = fn(&Subject) -> &str;

/// Every key with what it asks for and what a cell has there.
fn of_selection(selection: &Cells, cells: &[&Cell]) -> Option<Missing> {
    if cells.iter().any(|cell| selection.hold(cell)) {
        return None;
    }
    let keys: [(&str, &Words, Value); 4] = [
        ("scenario", &selection.scenario, |subject| &subject.scenario),
        ("path", &selection.path, |subject| &subject.path.name),
        ("configuration", &selection.configuration, Subject::configuration_name),
        ("kernel", &selection.kernel, |subject| &subject.kernel),
    ];
    // Each key among the cells that the keys before it leave: the first one that leaves none is told.
    let mut left: Vec<&Cell> = cells.to_vec();
    for (key, words, value) in keys {
        let values = left.iter().map(|cell| value(&cell.subject));
        if let Some(missing) = none_of(key, words, values) {
            return Some(missing);
        }
        left.retain(|cell| words.hold(value(&cell.subject)));
    }
    for (name, words) in &selection.parameters {
        let of = |cell: &&Cell| cell.subject.parameters.get(name).cloned().unwrap_or_default();
        let values: Vec<String> = left.iter().map(of).collect();
        if let Some(missing) = none_of(name, words, values.iter().map(String::as_str)) {
            return Some(missing);
        }
        left.retain(|cell| words.hold(&of(cell)));
    }
    None
}

fn none_of<'v>(key: &str, words: &Words, values: impl Iterator<Item = &'v str>) -> Option<Missing> {
    let mut there: Vec<&str> = values.collect();
    if words.0.is_empty() || there.iter().any(|value| words.hold(value)) {
        return None;
    }
    there.sort_unstable();
    there.dedup();
    // Those that look most like what was asked for.
    let asked = words.to_string();
    there.sort_by_key(|value| strsim::levenshtein(value, &asked));
    let there = there.into_iter().filter(|value| !value.is_empty()).take(NAMED).map(str::to_owned).collect();
    Some(Missing::Named { key: key.to_owned(), asked, there })
}
