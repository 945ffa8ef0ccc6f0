//! What sections of text share: their headings, the title of a group, what was not run, what is void.
//!
//! Must not know a section. Units: none. Errors: none. Tests: golden reports.

use std::collections::BTreeMap;

use crate::analysis::model::{CellReason, CellStatus, CellSummary};
use crate::analysis::words::{count, several};

use super::super::table::{Page, wrap};

pub(in crate::report) fn section(out: &mut Page, title: &str) {
    out.heading(title);
}

/// What the cells of a group have in common: scenario, parameters and path.
pub(super) fn title(scenario: &str, parameters: &BTreeMap<String, String>, path: &str) -> String {
    let parameters = parameters.iter().map(|(name, value)| format!(" {name}={value}"));
    format!("{scenario}{} over {path}", parameters.collect::<String>())
}

/// Puts what has the same title together, in the order in which the titles come.
pub(super) fn by_title<T>(all: impl Iterator<Item = (String, T)>) -> Vec<(String, Vec<T>)> {
    let mut groups: Vec<(String, Vec<T>)> = Vec::new();
    for (title, one) in all {
        match groups.iter_mut().find(|(known, _)| *known == title) {
            Some((_, group)) => group.push(one),
            None => groups.push((title, vec![one])),
        }
    }
    groups
}

/// `own in 12, idle in 48`, the most frequent first.
pub(super) fn in_counts(counts: &BTreeMap<String, u64>) -> String {
    let mut ordered: Vec<(&String, u64)> = counts.iter().map(|(what, n)| (what, *n)).collect();
    ordered.sort_by_key(|(what, n)| (std::cmp::Reverse(*n), *what));
    ordered.into_iter().map(|(what, n)| format!("{what} in {}", count(n))).collect::<Vec<_>>().join(", ")
}

pub(super) fn void_reasons(cell: &CellSummary) -> String {
    let reasons: Vec<String> =
        cell.void_reasons.iter().map(|(reason, n)| format!("{} ({reason})", count(*n))).collect();
    format!("void: {}", reasons.join(", "))
}

/// What was not run, gathered by place and reason, so that a reason stands once and not in every table.
#[derive(Default)]
pub(super) struct SkippedCells<'a>(Vec<(String, &'a CellReason, usize)>);

impl<'a> SkippedCells<'a> {
    /// Takes the cell, if it was skipped.
    pub(super) fn takes(&mut self, cell: &'a CellSummary) -> bool {
        let (CellStatus::Skipped, Some(reason)) = (cell.status, &cell.reason) else { return false };
        let place = format!("{} {}", cell.configuration, cell.kernel);
        match self.0.iter_mut().find(|(known, because, _)| *known == place && *because == reason) {
            Some((_, _, n)) => *n += 1,
            None => self.0.push((place, reason, 1)),
        }
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn write(&self, out: &mut Page, noun: &str) {
        for (place, reason, n) in &self.0 {
            wrap(out, "  ", &format!("not run: {} of {place}: {reason}", several(*n, noun)), 4);
        }
    }
}
