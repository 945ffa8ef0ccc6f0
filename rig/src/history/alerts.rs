//! What asks for attention: rates that got worse, and what the rules of `[alert]` say of the newest nights.
//!
//! Pure. Must not estimate steps. Units: shares of 1, nights. Errors: none. Tests: `tests/golden/history.rs`.

use std::collections::BTreeMap;

use rig_stats::{Confidence, Count, Effective};

use super::frame::{Frame, changes};
use super::model::{AlertKind, FactChange, HistoryAlert, KnownNow};
use super::order::place;
use super::series::Line;
use super::stored::StoredNight;
use crate::analysis::words::{Rounding, count, percent};
use crate::analysis::{CellNight, Finding, FindingKind};
use crate::matrix::Watch;

/// All of them, the gravest first.
pub(super) fn alerts(frame: &Frame<'_, '_>, lines: &[Line<'_>]) -> Vec<HistoryAlert> {
    let mut alerts = narrowest(lines.iter().filter_map(|line| worse(frame, line)).collect());
    for (at, before) in newest(frame) {
        alerts.extend(of_night(frame, at, before));
    }
    alerts.sort_by_key(|alert| (alert.known.is_some(), alert.kind, !alert.is_new));
    alerts
}

/// Of one cell that got worse in several things the narrowest: an errno by name is any error, too, and an outcome that is not expected.
fn narrowest(worse: Vec<HistoryAlert>) -> Vec<HistoryAlert> {
    let rank = |alert: &HistoryAlert| match alert.what.as_str() {
        "outcome" => 2,
        "any_error" => 1,
        _ => 0,
    };
    let cell = |alert: &HistoryAlert| (alert.machine.clone(), alert.rehearsed, alert.cell.clone());
    let mut least: BTreeMap<_, i32> = BTreeMap::new();
    for alert in &worse {
        let of = least.entry(cell(alert)).or_insert(i32::MAX);
        *of = (*of).min(rank(alert));
    }
    worse.into_iter().filter(|alert| least.get(&cell(alert)) == Some(&rank(alert))).collect()
}

/// The newest night of each machine, profile, selection and shard that is shown, and the one before it.
fn newest(frame: &Frame<'_, '_>) -> Vec<(usize, Option<usize>)> {
    let mut last: BTreeMap<_, (usize, Option<usize>)> = BTreeMap::new();
    for (at, night) in frame.nights.iter().enumerate() {
        let key = (place(night), &night.profile, &night.filters, &night.shard);
        let before = last.get(&key).map(|(at, _)| *at);
        last.insert(key, (at, before));
    }
    last.into_values().filter(|(at, _)| frame.shown.contains(at)).collect()
}

/// A rate that rose, for as long as it is news: until it falls, or has been the rate of as many nights as are shown.
fn worse(frame: &Frame<'_, '_>, line: &Line<'_>) -> Option<HistoryAlert> {
    let step = line.steps.last().filter(|step| step.until.is_none())?;
    if line.nights.len() - step.alarm > frame.most_shown {
        return None;
    }
    let [before, since] = line.around(step);
    let (first, sure) = (line.nights[step.since].0, line.nights[step.alarm].0);
    let (first_run, sure_run) = (&frame.nights[first].id, &frame.nights[sure].id);
    let words = format!(
        "{} got worse: {} before, {} since {first_run}{}",
        line.what,
        of_trials(before),
        of_trials(since),
        if first == sure { String::new() } else { format!(" (sure with {sure_run})") }
    );
    let what = line.what;
    Some(HistoryAlert {
        since: first_run.clone(),
        changes: changes(frame.nights, first),
        ..of_cell(frame, AlertKind::Worse, sure, line.cell, (what, words))
    })
}

/// `9 of 6,000 (0.15 %)`
fn of_trials(of: Count) -> String {
    format!("{} of {} ({})", count(of.hits()), count(of.trials()), percent(of.share(), Rounding::Nearest))
}

fn of_night(frame: &Frame<'_, '_>, at: usize, before: Option<usize>) -> Vec<HistoryAlert> {
    let night = frame.nights[at];
    let watch: &Watch = frame.watch;
    let mut alerts = Vec::new();
    for finding in &night.night.findings {
        let (kind, is_asked) = match finding.kind {
            FindingKind::Rate => (AlertKind::Rate, true),
            FindingKind::Difference => (AlertKind::Difference, watch.difference),
            FindingKind::Control => (AlertKind::ControlFailed, watch.control_failed),
        };
        if is_asked {
            alerts.push(found(frame, kind, at, finding));
        }
    }
    alerts.extend(configurations(frame, at));
    let Some(before) = before else { return alerts };
    if watch.cell_vanished && night.complete {
        alerts.extend(vanished(frame, at, before));
    }
    let kernels: Vec<FactChange> =
        changes(frame.nights, at).into_iter().filter(|change| is_kernel(&change.what)).collect();
    if watch.kernel_changed && !kernels.is_empty() {
        let told: Vec<String> =
            kernels.iter().map(|one| format!("{}: {} -> {}", one.what, one.before, one.after)).collect();
        let words = format!("another kernel: {}", told.join("; "));
        let what = kernels[0].what.clone();
        alerts.push(plain(frame, AlertKind::KernelChanged, at, (&what, words)));
    }
    alerts
}

fn is_kernel(fact: &str) -> bool {
    fact == "the host's kernel" || fact.starts_with("kernel ")
}

fn found(frame: &Frame<'_, '_>, kind: AlertKind, at: usize, finding: &Finding) -> HistoryAlert {
    let cell = frame.nights[at].night.cells.iter().find(|cell| cell.id == finding.cell);
    let (what, words) = (finding.what.as_str(), finding.words.clone());
    match cell {
        Some(cell) => of_cell(frame, kind, at, cell, (what, words)),
        // A control is no cell of the history.
        None => HistoryAlert { cell: finding.cell.clone(), ..plain(frame, kind, at, (what, words)) },
    }
}

/// Cells that had trials in the night before, and have none in this one.
fn vanished(frame: &Frame<'_, '_>, at: usize, before: usize) -> Vec<HistoryAlert> {
    let now: BTreeMap<&str, &CellNight> =
        frame.nights[at].night.cells.iter().map(|cell| (cell.id.as_str(), cell)).collect();
    let gone = frame.nights[before].night.cells.iter().filter(|cell| cell.trials > 0).filter_map(|cell| {
        let words = match now.get(cell.id.as_str()) {
            None => "is no longer in the plan".to_owned(),
            Some(now) if now.trials == 0 => match &now.not_run {
                Some(why) => format!("has no trial any more: {why}"),
                None => "has no trial any more".to_owned(),
            },
            Some(_) => return None,
        };
        Some(of_cell(frame, AlertKind::CellVanished, at, cell, ("", words)))
    });
    gone.collect()
}

/// Rates over all cells of a configuration that are surely over their thresholds, where no cell is by itself.
fn configurations(frame: &Frame<'_, '_>, at: usize) -> Vec<HistoryAlert> {
    let night = &frame.nights[at].night;
    let Some(confidence) = Confidence::new(night.confidence) else { return Vec::new() };
    let mut sums: BTreeMap<(&str, &str), (Count, u64)> = BTreeMap::new();
    for cell in night.cells.iter().filter(|cell| cell.known.is_none()) {
        for watched in cell.watched.iter().filter(|one| night.thresholds.contains_key(one.what)) {
            let (sum, blocks) = sums.entry((&cell.configuration, watched.what)).or_insert((Count::NONE, 0));
            *sum = watched.blocks.iter().fold(*sum, |sum, block| sum.plus(*block).unwrap_or(sum));
            *blocks += watched.blocks.len() as u64;
        }
    }
    let alone = |configuration: &str, what: &str| {
        let is_of = |cell: &&CellNight| cell.configuration == configuration;
        let cells: Vec<&str> = night.cells.iter().filter(is_of).map(|cell| cell.id.as_str()).collect();
        let rates = night.findings.iter().filter(|one| one.kind == FindingKind::Rate && one.what == what);
        rates.into_iter().any(|one| cells.contains(&one.cell.as_str()))
    };
    let mut alerts = Vec::new();
    for ((configuration, what), (sum, blocks)) in sums {
        let mean = sum.trials() as f64 / blocks.max(1) as f64;
        let effect = 1.0 + (mean - 1.0).max(0.0) * night.icc;
        let low = Effective::over(sum, effect).interval(confidence).low;
        let threshold = night.thresholds[what];
        if sum.hits() == 0 || low <= threshold || alone(configuration, what) {
            continue;
        }
        let limit = percent(threshold, Rounding::Nearest);
        let words =
            format!("{what} over all cells of {configuration}: {}, surely more than {limit}", of_trials(sum));
        let alert = plain(frame, AlertKind::ConfigurationRate, at, (what, words));
        let key = format!("{}:{configuration}", alert.key);
        alerts.push(HistoryAlert { configuration: configuration.to_owned(), key, ..alert });
    }
    alerts
}

fn plain(frame: &Frame<'_, '_>, kind: AlertKind, at: usize, (what, words): (&str, String)) -> HistoryAlert {
    let night = frame.nights[at];
    HistoryAlert {
        kind,
        key: key(kind, night, "", what),
        machine: night.machine.clone(),
        rehearsed: night.rehearsed,
        cell: String::new(),
        scenario: String::new(),
        configuration: String::new(),
        kernel: String::new(),
        path: String::new(),
        what: what.to_owned(),
        since: night.id.clone(),
        night: night.id.clone(),
        is_new: frame.is_newest(at),
        words,
        changes: changes(frame.nights, at),
        known: None,
    }
}

fn of_cell(
    frame: &Frame<'_, '_>,
    kind: AlertKind,
    at: usize,
    cell: &CellNight,
    (what, words): (&str, String),
) -> HistoryAlert {
    let known = known(frame, cell, what);
    HistoryAlert {
        key: key(kind, frame.nights[at], &cell.id, what),
        cell: cell.id.clone(),
        scenario: cell.scenario.clone(),
        configuration: cell.configuration.clone(),
        kernel: cell.kernel.clone(),
        path: cell.path.clone(),
        known,
        ..plain(frame, kind, at, (what, words))
    }
}

/// The same in every call, and another one for every night that raises it.
fn key(kind: AlertKind, night: &StoredNight, cell: &str, what: &str) -> String {
    let kind =
        serde_json::to_value(kind).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default();
    let rehearsed = if night.rehearsed { "rehearsed" } else { "" };
    [kind.as_str(), &night.machine, rehearsed, cell, what, &night.id].join(":")
}

/// Why it raises no alarm on the day of the newest night, if it raises none.
fn known(frame: &Frame<'_, '_>, cell: &CellNight, what: &str) -> Option<KnownNow> {
    let names = [&cell.scenario, &cell.configuration, &cell.kernel, &cell.path].map(String::as_str);
    let issue =
        frame.watch.known.iter().find(|issue| issue.is_about(names, what) && issue.holds_on(frame.day));
    let of_issue = issue.map(|issue| KnownNow {
        reason: issue.reason.clone(),
        link: issue.link.clone(),
        until: Some(issue.until.clone()),
    });
    let of_cell = cell.known.clone().map(|reason| KnownNow { reason, link: String::new(), until: None });
    of_issue.or(of_cell)
}
