//! Which cells of two sides belong together, and why others do not.
//!
//! Cells are told apart by what a reader sees of them: names, parameters, kernels. What is measured under one name may have changed between two runs; that is a change, and told
//! as one. Must not compare or judge. Units: none. Errors: none. Tests: `tests/golden/compared.rs`.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::format::BlockRecord;

use super::super::comparisons::Pair;
use super::super::measured::Measured;
use super::super::model::{Uncompared, UncomparedCell};
use super::super::words::several;

/// The cells of both sides that may be compared.
pub(super) struct Cells<'m, 'a> {
    pub(super) first: Vec<&'m Measured<'a>>,
    pub(super) second: Vec<&'m Measured<'a>>,
}

/// What belongs together, in the order of the first side's plan, and what is left.
pub(super) struct Paired<'m, 'a> {
    pub(super) pairs: Vec<Pair<'m, 'a>>,
    pub(super) not_compared: Vec<UncomparedCell>,
}

/// What two cells of a pair have in common, however the sides differ.
type Subject<'m> = (&'m str, &'m BTreeMap<String, String>, &'m str);

fn subject<'m>(cell: &'m Measured<'_>) -> Subject<'m> {
    let subject = &cell.cell().subject;
    (&subject.scenario, &subject.parameters, &subject.path.name)
}

impl<'m, 'a> Cells<'m, 'a> {
    /// Of two runs: neither controls nor the second time of an A/A pair.
    pub(super) fn of_runs(first: &'m [Measured<'a>], second: &'m [Measured<'a>]) -> Self {
        let of = |run: &'m [Measured<'a>]| {
            run.iter().filter(|cell| cell.cell().control.is_none() && !cell.is_repeat()).collect()
        };
        Self { first: of(first), second: of(second) }
    }

    /// Of two configurations of one run: no controls.
    pub(super) fn of_configurations(run: &'m [Measured<'a>], names: [&str; 2]) -> Self {
        let of = |name: &str| {
            // With the machine, or of every one.
            let is_named = |cell: &Measured<'_>| {
                cell.configuration() == name || cell.cell().subject.configuration_name() == name
            };
            let of_name = |cell: &&Measured<'_>| cell.cell().control.is_none() && is_named(cell);
            run.iter().filter(of_name).collect()
        };
        Self { first: of(names[0]), second: of(names[1]) }
    }

    /// Two runs: the same scenario, parameters, path, configuration and kernel.
    pub(super) fn in_runs(&self) -> Paired<'m, 'a> {
        let place =
            |cell: &Measured<'_>| (cell.configuration().to_owned(), cell.cell().subject.kernel.clone());
        let together = |first: &Measured<'_>, second: &Measured<'_>| place(first) == place(second);
        self.paired(&together, Copies::Refused)
    }

    /// Two configurations: the same scenario, parameters and path; and the same kernel where both are guests.
    pub(super) fn in_configurations(&self) -> Paired<'m, 'a> {
        let together = |first: &Measured<'_>, second: &Measured<'_>| {
            let [first, second] = [first, second].map(Measured::cell);
            if first.subject.machine != second.subject.machine {
                return false;
            }
            first.is_baseline() || second.is_baseline() || first.subject.kernel == second.subject.kernel
        };
        self.paired(&together, Copies::Impossible)
    }

    fn paired(
        &self,
        together: &dyn Fn(&Measured<'_>, &Measured<'_>) -> bool,
        copies: Copies,
    ) -> Paired<'m, 'a> {
        let mut of_subject: BTreeMap<Subject<'m>, Vec<usize>> = BTreeMap::new();
        for (at, &second) in self.second.iter().enumerate() {
            of_subject.entry(subject(second)).or_default().push(at);
        }
        let mut found = Paired { pairs: Vec::new(), not_compared: Vec::new() };
        let mut taken = BTreeSet::new();
        for &first in &self.first {
            let alike = of_subject.get(&subject(first)).map(Vec::as_slice).unwrap_or_default();
            let mut alike = alike.iter().filter(|at| together(first, self.second[**at])).peekable();
            if alike.peek().is_none() {
                found.not_compared.push(without_partner(first, Uncompared::OnlyInFirst));
            }
            for &at in alike {
                taken.insert(at);
                found.take(first, self.second[at], copies);
            }
        }
        let left = (0..self.second.len()).filter(|at| !taken.contains(at));
        found.not_compared.extend(left.map(|at| without_partner(self.second[at], Uncompared::OnlyInSecond)));
        found
    }
}

/// Whether two cells may hold copies of the same blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Copies {
    /// Two runs may: one is made of the other's files. Such cells are not compared.
    Refused,
    /// Two cells of one run cannot.
    Impossible,
}

impl<'m, 'a> Paired<'m, 'a> {
    fn take(&mut self, first: &'m Measured<'a>, second: &'m Measured<'a>, copies: Copies) {
        let not_run = match (first.not_run(), second.not_run()) {
            (Some(reason), Some(_)) => Some((Uncompared::NotRunInBoth, reason)),
            (Some(reason), None) => Some((Uncompared::NotRunInFirst, reason)),
            (None, Some(reason)) => Some((Uncompared::NotRunInSecond, reason)),
            (None, None) => None,
        };
        let not_run = not_run.map(|(why, reason)| (why, reason.to_string()));
        let same = match copies {
            Copies::Refused => same_blocks(first, second),
            Copies::Impossible => 0,
        };
        let refused = not_run.or_else(|| {
            let text = format!("{} the same in both runs", is(same));
            (same > 0).then_some((Uncompared::SameBlocks, text))
        });
        match refused {
            Some((why, reason)) => {
                let ids = [first, second].map(|cell| Some(cell.cell().id.0.clone()));
                let [first_id, second_id] = ids;
                let reason = Some(reason);
                let cell = UncomparedCell {
                    first: first_id,
                    second: second_id,
                    reason,
                    ..without_partner(first, why)
                };
                self.not_compared.push(cell);
            }
            None => {
                let news = first.cell().alert && second.cell().alert;
                let known = match copies {
                    // It is known how the cell ends, and nothing of why it should end otherwise in one of the runs.
                    Copies::Refused => None,
                    Copies::Impossible => second.cell().known.as_deref().or(first.cell().known.as_deref()),
                };
                self.pairs.push(Pair { first: Some(first), second, news, known });
            }
        }
    }
}

/// `1 block is`, `3 blocks are`
fn is(n: usize) -> String {
    format!("{} {}", several(n, "block"), if n == 1 { "is" } else { "are" })
}

/// A cell that has nothing to be compared with, on this side.
pub(in crate::analysis) fn without_partner(cell: &Measured<'_>, why: Uncompared) -> UncomparedCell {
    let subject = &cell.cell().subject;
    let id = Some(cell.cell().id.0.clone());
    let (first, second) = if why == Uncompared::OnlyInSecond { (None, id) } else { (id, None) };
    UncomparedCell {
        scenario: subject.scenario.clone(),
        parameters: subject.parameters.clone(),
        path: subject.path.name.clone(),
        configuration: subject.configuration.name.clone(),
        kernel: subject.kernel.clone(),
        first,
        second,
        why,
        reason: None,
    }
}

/// How many blocks of the second cell are blocks of the first: begun at the same moment, as long, and with the same counts. Nobody plays one twice like that.
fn same_blocks(first: &Measured<'_>, second: &Measured<'_>) -> usize {
    let is_same = |a: &BlockRecord, b: &BlockRecord| {
        (&a.started, a.elapsed_ns) == (&b.started, b.elapsed_ns)
            && a.tally == b.tally
            && a.peer_tally == b.peer_tally
    };
    second.blocks.iter().filter(|b| first.blocks.iter().any(|a| is_same(a, b))).count()
}
