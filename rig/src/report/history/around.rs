//! What stands around the series of a history: the nights and what changed, flakes, latencies, alerts, and the answer.
//!
//! Must not judge. Units: per cent, times in words. Errors: none. Tests: `tests/golden/history.rs`.

use super::super::table::Align::{Left, Right};
use super::super::table::{Page, Table};
use super::super::text::gather::section;
use crate::analysis::words::{Rounding, about_time, count, percent_number, several};
use crate::history::History;
use crate::history::model::{AlertKind, FactChange, HistoryAlert, WatchedSummary};

/// So many reasons of void trials are named.
const REASONS: usize = 2;

pub(in crate::report) fn header(out: &mut Page, history: &History) {
    out.push_str("History\n");
    let mut line = |name: &str, text: String| out.wrap(&format!("  {name:<8} "), &text, 11);
    let shown = history.nights.len();
    let (first, last) = (history.nights.first(), history.nights.last());
    if let (Some(first), Some(last)) = (first, last) {
        let nights = several(history.nights_known as usize, "night");
        line("nights", format!("{nights}, the last {shown} are shown: {} to {}", first.run, last.run));
    }
    let WatchedSummary { series, nights_per_year, false_alarms_per_year, evidence } = history.watched;
    line("watched", format!("{} series of errnos and outcomes that no scenario expects", count(series)));
    line(
        "budget",
        format!(
            "{} a year on the average over all of them ({} nights a year): an alarm is raised at an evidence of {}",
            several(false_alarms_per_year as usize, "false alarm"),
            count(nights_per_year),
            count(evidence.round() as u64)
        ),
    );
}

/// The nights in which something changed, or that are not whole.
pub(in crate::report) fn nights(out: &mut Page, history: &History) {
    section(out, "Nights in which something changed");
    let mut any = false;
    for night in &history.nights {
        let mut told = Vec::new();
        if !night.complete {
            told.push("not complete".to_owned());
        }
        told.extend(night.changes.iter().map(change));
        if !told.is_empty() {
            any = true;
            let name = [night.run.as_str(), night.machine.as_str(), night.shard.as_str()];
            let name: Vec<&str> = name.into_iter().filter(|word| !word.is_empty()).collect();
            out.wrap(&format!("  {}  ", name.join(" ")), &told.join("; "), 4);
        }
    }
    if !any {
        out.wrap("  ", "none, as far as the records have it", 4);
    }
}

fn change(change: &FactChange) -> String {
    format!("{}: {} -> {}", change.what, change.before, change.after)
}

pub(in crate::report) fn flakes(out: &mut Page, history: &History) {
    if history.flakes.is_empty() {
        return;
    }
    section(out, "Cells that lose trials");
    let mut table = Table::new([
        ("scenario", Left),
        ("configuration", Left),
        ("kernel", Left),
        ("cell", Left),
        ("void", Right),
        ("%", Right),
        ("nights", Right),
        ("first", Left),
        ("last", Left),
    ])
    .without_first(&["first", "cell"]);
    for flake in &history.flakes {
        table.row([
            flake.scenario.clone(),
            flake.configuration.clone(),
            flake.kernel.clone(),
            flake.cell.clone(),
            format!("{} of {}", count(flake.void), count(flake.n)),
            percent_number(flake.share, Rounding::Nearest),
            format!("{} of {}", flake.nights, flake.nights_played),
            flake.first.clone(),
            flake.last.clone(),
        ]);
        let mut reasons: Vec<(&String, &u64)> = flake.reasons.iter().collect();
        reasons.sort_by_key(|(reason, n)| (std::cmp::Reverse(**n), *reason));
        let told: Vec<String> =
            reasons.iter().take(REASONS).map(|(reason, n)| format!("{reason} ({})", count(**n))).collect();
        let more = if reasons.len() > REASONS { ", and others" } else { "" };
        table.note(format!("{}{more}", told.join(", ")));
    }
    table.write(out, 2);
}

pub(in crate::report) fn latencies(out: &mut Page, history: &History) {
    if history.latencies.is_empty() {
        return;
    }
    section(out, "The call lasts another time");
    for step in &history.latencies {
        let text = format!(
            "{} on {} {}: {} before, {} since {} (p = {}, not corrected for the number of cells){}",
            step.scenario,
            step.configuration,
            step.kernel,
            about_time(step.before_ns),
            about_time(step.after_ns),
            step.since,
            step.p_value,
            changed(&step.changes)
        );
        out.wrap("  ", &text, 4);
    }
}

fn changed(changes: &[FactChange]) -> String {
    if changes.is_empty() {
        return String::new();
    }
    format!("; with that night changed {}", changes.iter().map(change).collect::<Vec<_>>().join("; "))
}

pub(in crate::report) fn cautions(out: &mut Page, history: &History) {
    if history.cautions.is_empty() {
        return;
    }
    section(out, "Keep in mind");
    history.cautions.iter().for_each(|caution| out.wrap("  ! ", caution, 4));
}

pub(in crate::report) fn alerts(out: &mut Page, history: &History) {
    if history.alerts.is_empty() {
        return;
    }
    section(out, "What asks for attention");
    for alert in &history.alerts {
        let mark = if alert.known.is_some() { "  ~ " } else { "  ! " };
        out.wrap(mark, &told(alert), 4);
    }
}

fn told(alert: &HistoryAlert) -> String {
    let place = if alert.scenario.is_empty() {
        String::new()
    } else {
        let HistoryAlert { scenario, configuration, kernel, path, cell, .. } = alert;
        format!("{scenario} on {configuration} {kernel} ({path}), cell {cell}: ")
    };
    let known = match &alert.known {
        None => String::new(),
        Some(known) => {
            let until = known.until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
            let link = if known.link.is_empty() { String::new() } else { format!(", {}", known.link) };
            format!(" (known{until}: {}{link})", known.reason)
        }
    };
    let changes =
        if alert.kind == AlertKind::KernelChanged { String::new() } else { changed(&alert.changes) };
    format!("{place}{}{changes}{known}", alert.words)
}

pub(in crate::report) fn answer(out: &mut Page, history: &History) {
    section(out, "The answer");
    history.answer.iter().for_each(|line| out.wrap("  ", line, 4));
}
