//! How trials ended, in one line, and the words for what was expected; one rendering for all formats.
//!
//! Must not know a format, nor judge. Units: counts, per cent. Errors: none. Tests: here, golden reports.

use std::collections::BTreeMap;

use rig_protocol::Program;

use crate::analysis::model::{CellSummary, ExpectationStatus};
use crate::analysis::words::{Rounding, count, percent};

/// So many outcomes are named; the rest is a sum.
const NAMED: usize = 4;

/// `readable,data,ECONNRESET in 1,990 (99.5 %); readable,data,eof in 10 (0.5 %)`, the most frequent first, folded after four: `; 37 more in 80`.
pub(super) fn in_words(outcomes: &BTreeMap<String, u64>) -> String {
    let all = outcomes.values().fold(0_u64, |sum, n| sum.saturating_add(*n));
    let mut ordered: Vec<(&String, u64)> =
        outcomes.iter().filter(|(_, n)| **n > 0).map(|(o, n)| (o, *n)).collect();
    ordered.sort_by_key(|(outcome, n)| (std::cmp::Reverse(*n), *outcome));
    let mut words: Vec<String> = ordered
        .iter()
        .take(NAMED)
        .map(|(outcome, n)| {
            let share = *n as f64 / all as f64;
            // What is nearly all must not read as all.
            let rounding = if share > 0.5 { Rounding::Down } else { Rounding::Nearest };
            format!("{outcome} in {} ({})", count(*n), percent(share, rounding))
        })
        .collect();
    if let Some(rest) = ordered.get(NAMED..).filter(|rest| !rest.is_empty()) {
        let trials = rest.iter().fold(0_u64, |sum, (_, n)| sum.saturating_add(*n));
        words.push(format!("{} more in {}", count(rest.len() as u64), count(trials)));
    }
    words.join("; ")
}

/// `readable,data,ECONNRESET=1990;readable,data,eof=10`, the most frequent first.
pub(super) fn in_field(outcomes: &BTreeMap<String, u64>) -> String {
    let mut ordered: Vec<(&String, &u64)> = outcomes.iter().collect();
    ordered.sort_by_key(|(outcome, n)| (std::cmp::Reverse(**n), *outcome));
    ordered.into_iter().map(|(outcome, n)| format!("{outcome}={n}")).collect::<Vec<_>>().join(";")
}

/// A status as a word of a table.
pub(super) fn expectation_word(status: ExpectationStatus) -> &'static str {
    match status {
        ExpectationStatus::AsExpected => "as expected",
        ExpectationStatus::WithinTolerance => "within tolerance",
        ExpectationStatus::Unexpected => "unexpected",
        ExpectationStatus::Known => "known",
        ExpectationStatus::NotJudged => "not judged",
    }
}

/// What there is to say of a cell whose trials ended otherwise than expected, each with its status; nothing where all ended as expected.
pub(super) fn surprises(cell: &CellSummary) -> Vec<(ExpectationStatus, String)> {
    [(&cell.expectation, ""), (&cell.peer_expectation, "at the peer ")]
        .into_iter()
        .filter_map(|(expectation, who)| {
            let expectation = expectation.as_ref().filter(|one| one.unexpected > 0)?;
            let known =
                expectation.known.as_deref().map_or_else(String::new, |why| format!("; known: {why}"));
            Some((expectation.status, format!("{who}{}{known}", expectation.words())))
        })
        .collect()
}

/// How many trials have an outcome and no return, where there are any.
pub(super) fn unreturned(cell: &CellSummary) -> Option<String> {
    let of = |label: &str| {
        let with = cell.outcomes.iter().filter(|(outcome, _)| outcome.split(',').any(|one| one == label));
        with.fold(0_u64, |sum, (_, n)| sum.saturating_add(*n))
    };
    let kinds = [
        (of(Program::UNWATCHED), "nobody watched the program"),
        (of(Program::UNCALLED), "the program ended without such a call"),
        (of(Program::UNRETURNED), "the program ended in that call"),
    ];
    let late = cell.unreturned.saturating_sub(kinds.iter().map(|(n, _)| n).sum());
    let late = (late, "the deadline of the trial came before the verdict call returned");
    let told = kinds.into_iter().chain([late]).filter(|(n, _)| *n > 0);
    let told: Vec<String> = told.map(|(n, why)| format!("no return in {}: {why}", count(n))).collect();
    (cell.unreturned > 0).then(|| told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_named_by_frequency_and_folded() {
        let of = |counts: &[(&str, u64)]| {
            counts.iter().map(|(outcome, n)| ((*outcome).to_owned(), *n)).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(
            in_words(&of(&[("a,b", 1_999), ("c", 1), ("d", 0)])),
            "a,b in 1,999 (99.9 %); c in 1 (0.05 %)"
        );
        assert_eq!(in_words(&of(&[("a", 2_000)])), "a in 2,000 (100 %)");
        let many = of(&[("a", 10), ("b", 20), ("c", 30), ("d", 20), ("e", 15), ("f", 5)]);
        assert_eq!(
            in_words(&many),
            "c in 30 (30 %); b in 20 (20 %); d in 20 (20 %); e in 15 (15 %); 2 more in 15"
        );
        assert_eq!(in_field(&of(&[("a,b", 1), ("c", 7)])), "c=7;a,b=1");
        assert_eq!((in_words(&of(&[])), in_field(&of(&[]))), (String::new(), String::new()));
    }
}
