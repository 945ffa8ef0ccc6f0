//! From all nights to what a history says.
//!
//! Pure: the same nights give the same history. Must not read a file or ask a clock: "today" is the newest night. Units: nights, shares of 1. Errors: [`HistoryError::Unknown`].
//! Tests: `tests/golden/history.rs`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rig_stats::detector::limit;

use super::frame::{Frame, changes};
use super::model::{HISTORY_FORMAT, HISTORY_FORMAT_MINOR, History, NightSummary, Series, WatchedSummary};
use super::order::{Ordered, Place, order, place};
use super::series::{CellHistory, Line, cells, lines, number};
use super::stored::StoredNight;
use super::{HistoryError, alerts, answer, flakes, latencies};
use crate::analysis::CellNight;
use crate::matrix::{Watch, glob_matches};

/// What is asked of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// So many nights of each machine are shown, and so long is a step news.
    pub nights: usize,
    /// The rules; none: those of the newest night's matrix.
    pub watch: Option<Watch>,
    /// `latest`, a run (the history up to it), cells by their ids, filters `axis=value`.
    pub words: Vec<String>,
}

impl Default for Asked {
    fn default() -> Self {
        Self { nights: 20, watch: None, words: Vec::new() }
    }
}

/// What these nights say.
///
/// # Errors
/// [`HistoryError::Unknown`]: a word names no run, no cell and no value.
pub fn assemble(all: &[StoredNight], asked: &Asked) -> Result<History, HistoryError> {
    let Ordered { mut nights, mut cautions } = order(all);
    let chosen = Chosen::of(&asked.words, &nights)?;
    nights.truncate(chosen.until.map_or(nights.len(), |until| until + 1));
    let (watch, wrong) = rules(asked.watch.as_ref(), &nights);
    cautions.extend(wrong);
    let shown = shown(&nights, asked.nights);
    let day = nights.last().map_or("", |night| night.started.as_str());
    let frame = Frame { nights: &nights, shown: &shown, most_shown: asked.nights, watch: &watch, day };
    let known = cells(&nights);
    let watched = watched(&known, &nights, &watch);
    let ln_limit = watched.evidence.ln();
    // The budget is for all of them, whatever is asked for.
    let of_asked: Vec<CellHistory<'_>> = known.into_iter().filter(|cell| chosen.takes(cell.cell)).collect();
    let lines = lines(&of_asked, &nights, ln_limit);
    let alerts: Vec<_> = alerts::alerts(&frame, &lines)
        .into_iter()
        .filter(|alert| chosen.takes_all || chosen.takes_id(&alert.cell, &of_asked))
        .collect();
    cautions.extend(expired(&watch, day));
    let shown = with_nights_before(&shown, &lines);
    let series: Vec<Series> = lines.iter().map(|line| line.told(&nights, &shown)).collect();
    let mut history = History {
        format: HISTORY_FORMAT,
        format_minor: HISTORY_FORMAT_MINOR,
        nights_known: nights.len() as u64,
        nights: shown.iter().map(|at| summary(&nights, *at)).collect(),
        watched,
        alerts,
        series,
        flakes: flakes::flakes(&of_asked, &nights, &shown),
        latencies: latencies::latencies(&of_asked, &nights),
        answer: Vec::new(),
        cautions,
    };
    history.answer = answer::compose(&history);
    Ok(history)
}

/// What was chosen by words.
struct Chosen {
    until: Option<usize>,
    cells: Vec<String>,
    filters: Vec<(String, String)>,
    takes_all: bool,
}

impl Chosen {
    fn of(words: &[String], nights: &[&StoredNight]) -> Result<Self, HistoryError> {
        let mut chosen = Self { until: None, cells: Vec::new(), filters: Vec::new(), takes_all: true };
        for word in words {
            if let Some((axis, value)) = word.split_once('=') {
                chosen.filters.push((axis.to_owned(), value.to_owned()));
            } else if let Some(at) = run_of(word, nights) {
                chosen.until = Some(at);
            } else if !word.is_empty() && all_cells(nights).any(|cell| cell.id.starts_with(word.as_str())) {
                chosen.cells.push(word.clone());
            } else {
                let asked = word.clone();
                let advice = "give `latest`, a run's id or its beginning, the id of a cell (`rig matrix plan` shows them), or a filter: configuration=virtio-*"
                    .to_owned();
                return Err(HistoryError::Unknown { asked, advice });
            }
        }
        chosen.takes_all = chosen.cells.is_empty() && chosen.filters.is_empty();
        if !chosen.takes_all && !all_cells(nights).any(|cell| chosen.takes(cell)) {
            let advice = "its filters are scenario, configuration, kernel, path and the parameters of scenarios, and values may be globs; all of them must fit"
                .to_owned();
            return Err(HistoryError::Unknown { asked: words.join(" "), advice });
        }
        Ok(chosen)
    }

    /// As filters of a matrix: those of one axis widen, those of several narrow.
    fn takes(&self, cell: &CellNight) -> bool {
        let fits = |(axis, value): &(String, String)| {
            let named = match axis.as_str() {
                "scenario" => Some(&cell.scenario),
                "configuration" => Some(&cell.configuration),
                "kernel" => Some(&cell.kernel),
                "path" => Some(&cell.path),
                parameter => cell.parameters.get(parameter),
            };
            named.is_some_and(|named| named == value || glob_matches(value, named))
        };
        let of_axis = |axis: &str| self.filters.iter().filter(|(one, _)| one == axis).any(fits);
        let is_named = self.cells.is_empty() || self.cells.iter().any(|id| cell.id.starts_with(id.as_str()));
        is_named && self.filters.iter().all(|(axis, _)| of_axis(axis))
    }

    fn takes_id(&self, id: &str, cells: &[CellHistory<'_>]) -> bool {
        cells.iter().any(|cell| cell.cell.id == id)
    }
}

fn all_cells<'n>(nights: &'n [&StoredNight]) -> impl Iterator<Item = &'n CellNight> {
    nights.iter().flat_map(|night| &night.night.cells)
}

/// The night that a word names: the last one, or the one whose id begins so.
fn run_of(word: &str, nights: &[&StoredNight]) -> Option<usize> {
    if word == "latest" {
        return nights.len().checked_sub(1);
    }
    let name = word.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let is_meant = |night: &&StoredNight| night.id == name || night.place == name;
    let exact = nights.iter().position(is_meant);
    let begins: Vec<usize> =
        nights.iter().enumerate().filter(|(_, night)| night.id.starts_with(name)).map(|(at, _)| at).collect();
    match begins.as_slice() {
        _ if exact.is_some() => exact,
        // A day and a time: shorter beginnings are those of cells, too.
        [one] if name.len() >= "20261121".len() => Some(*one),
        _ => None,
    }
}

/// By what is judged; and what is wrong with what the newest night says of it.
fn rules(given: Option<&Watch>, nights: &[&StoredNight]) -> (Watch, Option<String>) {
    if let Some(watch) = given {
        return (watch.clone(), None);
    }
    let Some(newest) = nights.last() else { return (Watch::default(), None) };
    match Watch::parse("matrix.toml", &newest.matrix) {
        Ok(watch) => (watch, None),
        Err(_) => {
            let what = format!(
                "the rules of [alert] and [[known]] in the matrix of {} cannot be read: the defaults hold; --matrix names another file",
                newest.id
            );
            (Watch::default(), Some(what))
        }
    }
}

/// The last so many nights of each machine.
fn shown(nights: &[&StoredNight], most: usize) -> Vec<usize> {
    let mut left: BTreeMap<Place<'_>, usize> = BTreeMap::new();
    let mut shown: Vec<usize> = (0..nights.len())
        .rev()
        .filter(|at| {
            let taken = left.entry(place(nights[*at])).or_default();
            *taken += 1;
            *taken <= most
        })
        .collect();
    shown.reverse();
    shown
}

/// So many nights before a step are shown: a step is seen where there is something before it.
const BEFORE: usize = 10;

/// The shown nights, and those before the steps among them.
fn with_nights_before(shown: &[usize], lines: &[Line<'_>]) -> Vec<usize> {
    let mut all: BTreeSet<usize> = shown.iter().copied().collect();
    for line in lines {
        let Some(step) = line.steps.last().filter(|step| step.until.is_none()) else { continue };
        if shown.contains(&line.nights[step.since].0) {
            all.extend(line.nights[..step.since].iter().rev().take(BEFORE).map(|(at, _)| *at));
        }
    }
    all.into_iter().collect()
}

fn watched(cells: &[CellHistory<'_>], nights: &[&StoredNight], watch: &Watch) -> WatchedSummary {
    let series = number(cells);
    let nights_per_year = nights_per_year(nights);
    let budget = watch.false_alarms_per_year;
    let evidence = limit(series, nights_per_year as f64, budget as f64).unwrap_or(0.0).exp();
    WatchedSummary { series: series as u64, nights_per_year, false_alarms_per_year: budget, evidence }
}

/// 365, or what a machine played in the 365 days before its last night if that is more.
fn nights_per_year(nights: &[&StoredNight]) -> u64 {
    let moment = |night: &StoredNight| night.started.parse::<Timestamp>().ok().map(Timestamp::as_second);
    let mut of: BTreeMap<Place<'_>, Vec<i64>> = BTreeMap::new();
    for night in nights {
        of.entry(place(night)).or_default().extend(moment(night));
    }
    let year = 365 * 24 * 60 * 60;
    let within = |moments: &Vec<i64>| {
        let last = moments.iter().max().copied().unwrap_or_default();
        moments.iter().filter(|moment| last - **moment < year).count() as u64
    };
    of.values().map(within).max().unwrap_or(0).max(365)
}

fn summary(nights: &[&StoredNight], at: usize) -> NightSummary {
    let night = nights[at];
    let cells = &night.night.cells;
    NightSummary {
        run: night.id.clone(),
        started: night.started.clone(),
        machine: night.machine.clone(),
        rehearsed: night.rehearsed,
        profile: night.profile.clone(),
        shard: night.shard.clone(),
        complete: night.complete,
        cells: cells.len() as u64,
        trials: cells.iter().map(|cell| cell.trials).sum(),
        void: cells.iter().flat_map(|cell| cell.void_reasons.values()).sum(),
        changes: changes(nights, at),
    }
}

/// Known issues whose day has passed.
fn expired(watch: &Watch, day: &str) -> Vec<String> {
    let over = watch.known.iter().filter(|issue| !issue.holds_on(day) && !day.is_empty());
    let told = |issue: &crate::matrix::KnownIssue| {
        format!(
            "the known issue \"{}\" was known until {}: what it is about alerts again",
            issue.reason, issue.until
        )
    };
    over.map(told).collect()
}
