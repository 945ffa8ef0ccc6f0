//! A report held against what was computed anew: how many figures agree, which differ, and which were not computed.
//!
//! Must not know how a figure came about. Units: none. Errors: none: a difference is the answer. Tests: below.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::figure::Figure;

/// Numbers that differ by less than this part of the larger one agree:
const CLOSE: f64 = 1e-6;
/// and so do those that differ by less than this.
const CLOSE_TO_NOTHING: f64 = 1e-12;
/// So many files are named; the rest is counted.
const MOST_FILES: usize = 8;

/// Something that is not what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Where: the path of a figure in the report (`cells[3].rates.EBADF.low`), or a file of the run.
    pub path: String,
    /// Kind of the figure, as in [`Held::compared`]; `SHA-256` of a file, `sums` of a block's own.
    pub what: String,
    /// What is written there.
    pub reported: String,
    /// What was computed anew.
    pub recomputed: String,
    /// The files that it was computed from, relative to the run's folder.
    pub files: Vec<String>,
}

/// A report, held against the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Which report.
    pub report: String,
    /// Number of figures that were compared, by kind.
    pub compared: BTreeMap<String, u64>,
    /// Those that differ, in the report's order.
    pub differences: Vec<Difference>,
    /// Numbers of the report that were not computed anew, by their path with `[]` for any place of a list.
    pub not_recomputed: BTreeMap<String, u64>,
    /// Why it was not compared at all; empty where it was.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub not_compared: String,
}

impl Held {
    /// Number of figures that were compared.
    pub fn total(&self) -> u64 {
        self.compared.values().sum()
    }

    /// Holds a report against the figures.
    pub(super) fn of(report: &str, value: &Value, figures: &Figure) -> Self {
        let mut holding = Holding { held: Self::nothing(report), files: Vec::new(), seen: BTreeSet::new() };
        holding.hold("", Some(value), figures);
        let Holding { mut held, seen, .. } = holding;
        let mut others = Vec::new();
        numbers("", value, &seen, &mut others);
        others.iter().for_each(|path| *held.not_recomputed.entry(general(path)).or_default() += 1);
        held.not_recomputed = coarse(held.not_recomputed, &seen);
        held
    }

    /// Of a report that is not compared, and why.
    pub(super) fn refused(report: &str, why: String) -> Self {
        Self { not_compared: why, ..Self::nothing(report) }
    }

    fn nothing(report: &str) -> Self {
        Self {
            report: report.to_owned(),
            compared: BTreeMap::new(),
            differences: Vec::new(),
            not_recomputed: BTreeMap::new(),
            not_compared: String::new(),
        }
    }
}

struct Holding {
    held: Held,
    files: Vec<String>,
    /// Paths of the figures that were compared.
    seen: BTreeSet<String>,
}

impl Holding {
    fn hold(&mut self, path: &str, value: Option<&Value>, figure: &Figure) {
        match figure {
            Figure::From(files, inner) => {
                let outer = std::mem::replace(&mut self.files, files.clone());
                self.hold(path, value, inner);
                self.files = outer;
            }
            Figure::Part(entries) => self.entries(path, value, entries),
            Figure::Whole(entries) => {
                let known: BTreeSet<&str> = entries.iter().map(|(key, _)| key.as_str()).collect();
                for (key, more) in value.and_then(Value::as_object).into_iter().flatten() {
                    if !known.contains(key.as_str()) {
                        self.one(&below(path, key), Some(more), &Figure::Absent);
                    }
                }
                self.entries(path, value, entries);
            }
            Figure::List(all) => {
                let found = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                if found.len() != all.len() {
                    let length = |n: usize| format!("{n} entries");
                    self.differs(path, length(found.len()), length(all.len()));
                }
                for (place, (value, figure)) in found.iter().zip(all).enumerate() {
                    self.hold(&format!("{path}[{place}]"), Some(value), figure);
                }
            }
            one => self.one(path, value, one),
        }
    }

    fn entries(&mut self, path: &str, value: Option<&Value>, entries: &[(String, Figure)]) {
        match value {
            Some(Value::Object(found)) => {
                for (key, figure) in entries {
                    self.hold(&below(path, key), found.get(key), figure);
                }
            }
            // One line for the object is better than one for each of its figures.
            other => self.differs(path, shown(other), "an object".to_owned()),
        }
    }

    fn one(&mut self, path: &str, value: Option<&Value>, figure: &Figure) {
        self.seen.insert(path.to_owned());
        *self.held.compared.entry(kind(path)).or_default() += 1;
        if !agrees(value, figure) {
            self.differs(path, shown(value), said(figure));
        }
    }

    fn differs(&mut self, path: &str, reported: String, recomputed: String) {
        let mut files = self.files.clone();
        if let Some(more) = files.len().checked_sub(MOST_FILES).filter(|more| *more > 0) {
            files.truncate(MOST_FILES);
            files.push(format!("and {more} more"));
        }
        files.insert(0, "run.json".to_owned());
        self.held.differences.push(Difference {
            path: path.to_owned(),
            what: kind(path),
            reported,
            recomputed,
            files,
        });
    }
}

fn below(path: &str, key: &str) -> String {
    let is_plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    match (path.is_empty(), is_plain) {
        (true, true) => key.to_owned(),
        (false, true) => format!("{path}.{key}"),
        (_, false) => format!("{path}[{key:?}]"),
    }
}

/// Whether a report says this.
fn agrees(value: Option<&Value>, figure: &Figure) -> bool {
    match (figure, value) {
        (Figure::Absent, found) => found.is_none(),
        (Figure::Nothing, Some(found)) => found.is_null(),
        (Figure::Count(wanted), Some(found)) => found.as_u64() == Some(*wanted),
        (Figure::Real(wanted), Some(found)) => found.as_f64().is_some_and(|found| is_close(found, *wanted)),
        (Figure::Word(wanted), Some(found)) => found.as_str() == Some(wanted),
        (Figure::Flag(wanted), Some(found)) => found.as_bool() == Some(*wanted),
        _ => false,
    }
}

fn is_close(one: f64, other: f64) -> bool {
    let apart = (one - other).abs();
    apart <= CLOSE_TO_NOTHING || apart <= CLOSE * one.abs().max(other.abs())
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "absent".to_owned(), Value::to_string)
}

fn said(figure: &Figure) -> String {
    match figure {
        Figure::Count(count) => count.to_string(),
        Figure::Real(value) => format!("{value:?}"),
        Figure::Word(word) => format!("{word:?}"),
        Figure::Flag(flag) => flag.to_string(),
        Figure::Nothing => "null".to_owned(),
        _ => "absent".to_owned(),
    }
}

/// The kind of a figure: what a list or an object of the report is about; of cells also which of their figures.
fn kind(path: &str) -> String {
    let mut keys = path.split(['.', '[']).filter(|key| !key.ends_with(']'));
    let (first, second) = (keys.next().unwrap_or_default(), keys.next().unwrap_or_default());
    let of_cell = match second {
        _ if first != "cells" => return first.replace('_', " "),
        "rates" => "rates",
        "latency_ns" => "latencies",
        "expectation" | "peer_expectation" => "expectations",
        "order" => "order of trials",
        "id" | "status" => "status",
        _ => "counts",
    };
    format!("cells: {of_cell}")
}

/// Paths of all numbers that were not compared.
fn numbers(path: &str, value: &Value, seen: &BTreeSet<String>, found: &mut Vec<String>) {
    match value {
        Value::Number(_) if !seen.contains(path) => found.push(path.to_owned()),
        Value::Array(all) => {
            let each = all.iter().enumerate();
            each.for_each(|(place, value)| numbers(&format!("{path}[{place}]"), value, seen, found));
        }
        Value::Object(all) => {
            all.iter().for_each(|(key, value)| numbers(&below(path, key), value, seen, found));
        }
        _ => {}
    }
}

/// `cells[3].rates.EBADF.low` as `cells[].rates.EBADF.low`.
fn general(path: &str) -> String {
    let mut parts = path.split('[');
    let mut general = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((inside, rest)) = part.split_once(']') else { continue };
        if inside.starts_with('"') {
            general.push_str(&format!("[{inside}]"))
        } else {
            general.push_str("[]")
        }
        general.push_str(rest);
    }
    general
}

/// Of a part of the report in which nothing was compared, one line.
fn coarse(paths: BTreeMap<String, u64>, seen: &BTreeSet<String>) -> BTreeMap<String, u64> {
    let top = |path: &str| path.split(['.', '[']).next().unwrap_or_default().to_owned();
    let compared: BTreeSet<String> = seen.iter().map(|path| top(path)).collect();
    let mut all: BTreeMap<String, u64> = BTreeMap::new();
    for (path, n) in paths {
        let key = top(&path);
        *all.entry(if compared.contains(&key) { path } else { key }).or_default() += n;
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn figures() -> Figure {
        let low = Figure::part([("low", Figure::Real(0.1)), ("count", Figure::Count(3))]);
        let counts = Figure::Whole(vec![("-1/EBADF".to_owned(), Figure::Count(1))]);
        let cell = Figure::part([("rates", low), ("returns", counts), ("order", Figure::Absent)]);
        Figure::part([("cells", Figure::List(vec![cell.with_files(vec!["blocks/a-0.1.json".to_owned()])]))])
    }

    #[test]
    fn what_agrees_is_counted_and_what_was_not_computed_is_listed() {
        let report = json!({
            "cells": [{"rates": {"low": 0.100_000_01, "count": 3, "high": 0.2}, "returns": {"-1/EBADF": 1}}],
            "claims": [{"bound": 0.5, "of": {"x": 1}}],
        });
        let held = Held::of("now", &report, &figures());
        assert_eq!(held.differences, []);
        assert_eq!(
            held.compared,
            [("cells: counts".into(), 1), ("cells: order of trials".into(), 1), ("cells: rates".into(), 2)]
                .into()
        );
        assert_eq!(held.not_recomputed, [("cells[].rates.high".into(), 1), ("claims".into(), 2)].into());
    }

    #[test]
    fn each_difference_has_its_path_both_values_and_its_files() {
        let report = json!({"cells": [{"rates": {"low": 0.100_01, "count": 3}, "returns": {"-1/EBADF": 1, "1": 7}, "order": []}]});
        let held = Held::of("now", &report, &figures());
        let told: Vec<[&str; 3]> =
            held.differences.iter().map(|one| [&*one.path, &*one.reported, &*one.recomputed]).collect();
        let wanted = [
            ["cells[0].rates.low", "0.10001", "0.1"],
            ["cells[0].returns.1", "7", "absent"],
            ["cells[0].order", "[]", "absent"],
        ];
        assert_eq!(told, wanted);
        assert_eq!(held.differences[0].files, ["run.json", "blocks/a-0.1.json"]);
        let held = Held::of("now", &json!({"cells": []}), &figures());
        assert_eq!((&*held.differences[0].path, &*held.differences[0].reported), ("cells", "0 entries"));
    }
}
