//! Every cell that is no control: its trials and its rates.
//!
//! Holds the table and the notes under a row. Must not compute a rate. Units: per cent. Errors: none.
//! Tests: golden reports.

use std::collections::BTreeMap;

use rig_protocol::Returned;

use crate::analysis::model::{CellSummary, ErrnoSeen, ExpectationStatus, Question, Rate, ReportModel};
use crate::analysis::words::{Rounding, are_no_bounds, count, percent, percent_number, share};

use super::super::outcomes::{expectation_word, in_words, surprises, unreturned};
use super::super::status::status_word;
use super::super::table::Align::{Left, Right};
use super::super::table::{Page, Table, wrap};
use super::gather::{SkippedCells, by_title, section, title, void_reasons};

/// Cells with the same scenario, parameters and path stand under one line, in the order of the plan.
pub(in crate::report) fn write(out: &mut Page, model: &ReportModel) {
    let is_program = |cell: &CellSummary| model.programs.iter().any(|program| program.cell == cell.id);
    let is_control = |cell: &CellSummary| model.controls.iter().any(|control| control.cell == cell.id);
    let mut skipped = SkippedCells::default();
    let played = model.cells.iter().filter(|cell| !is_control(cell) && !skipped.takes(cell));
    let played: Vec<&CellSummary> = played.collect();
    let groups =
        by_title(played.iter().map(|cell| (title(&cell.scenario, &cell.parameters, &cell.path), *cell)));
    if groups.is_empty() && skipped.is_empty() {
        return;
    }
    section(
        out,
        "Cells (rates in % with bounds; void trials, whose testbed failed, are in no rate; controls follow below)",
    );
    for (title, cells) in groups {
        wrap(out, "  ", &title, 4);
        let mut table = Table::new([
            ("configuration", Left),
            ("kernel", Left),
            ("on", Left),
            ("status", Left),
            ("trials", Right),
            ("void", Right),
            ("blocks", Right),
            ("returned 1", Right),
            ("EBADF %", Left),
            ("ENOENT %", Left),
        ])
        .without_first(&["blocks", "void", "on", "returned 1"]);
        for cell in cells {
            row(&mut table, cell);
            notes(&mut table, cell, is_program(cell));
        }
        table.write(out, 4);
    }
    if played.iter().any(|cell| cell.trials > 0) {
        wrap(out, "  ", &bounds(&played), 4);
    }
    skipped.write(out, "cell");
}

fn row(table: &mut Table, cell: &CellSummary) {
    let on = if cell.accelerators.is_empty() { "-".to_owned() } else { cell.accelerators.join("+") };
    let rate = |question| cell.rates.get(&question).map(rate_cell).unwrap_or_default();
    table.row([
        cell.configuration.clone(),
        cell.kernel.clone(),
        on,
        status_word(cell.status).to_owned(),
        count(cell.trials),
        count(cell.void),
        cell.blocks.to_string(),
        count(Returned::ONE.count_in(&cell.returns)),
        rate(Question::Ebadf),
        rate(Question::Enoent),
    ]);
}

/// What a row has no column for.
fn notes(table: &mut Table, cell: &CellSummary, is_program: bool) {
    let others: Vec<String> = cell
        .returns
        .iter()
        .filter(|(returned, _)| **returned != Returned::ONE)
        .map(|(returned, n)| format!("{returned} in {}", count(*n)))
        .collect();
    if !others.is_empty() {
        table.note(format!("returned {}", others.join(", ")));
    }
    // A program has a table of its own.
    if cell.errno_seen.misleads() && !is_program {
        table.note(left_in_errno(&cell.errno_seen));
    }
    ends(table, cell);
    if !cell.mechanisms.is_empty() {
        table.note(format!("on the way: {}", cell.mechanisms.join("; ")));
    }
    if cell.anomalies > 0
        && let [first, others @ ..] = &cell.captures[..]
    {
        let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
        table.note(format!("packets, with the trials' names on them: {first}{more}"));
    }
    if cell.proxied {
        table.note("proxied: somebody on the host ends TCP on the way, and connects in the guest's name");
    }
    let worst = cell.rates.values().map(|rate| rate.worst).fold(0.0, f64::max);
    let seen = cell.rates.values().map(|rate| rate.count as f64 / rate.n.max(1) as f64).fold(0.0, f64::max);
    if worst > seen && cell.trials > 0 {
        table.note(format!(
            "had every trial that does not count returned it: {}",
            percent(worst, Rounding::Up)
        ));
    }
    match &cell.reason {
        Some(reason) => table.note(format!("{}: {reason}", status_word(cell.status))),
        None if cell.void > 0 => table.note(void_reasons(cell)),
        None => {}
    }
}

/// How its trials ended, and which of them should not have.
pub(super) fn ends(table: &mut Table, cell: &CellSummary) {
    if cell.trials > 0 {
        table.note(format!("ended as {}", in_words(&cell.outcomes)));
    }
    if let Some(words) = unreturned(cell) {
        table.note(words);
    }
    if cell.peer_expectation.is_some() && !cell.peer_outcomes.is_empty() {
        table.note(format!("the peer ended as {}", in_words(&cell.peer_outcomes)));
    }
    for (status, words) in surprises(cell) {
        let word = expectation_word(status);
        let alert = status == ExpectationStatus::Unexpected;
        table.note(format!("{}: {words}", if alert { word.to_uppercase() } else { word.to_owned() }));
    }
}

/// What a program would print that looks at `errno` although nothing has failed.
fn left_in_errno(seen: &ErrnoSeen) -> String {
    let part = |when: &str, counts: &BTreeMap<String, u64>| {
        let counts: Vec<String> =
            counts.iter().map(|(errno, n)| format!("{errno} in {}", count(*n))).collect();
        (!counts.is_empty()).then(|| format!("{when}: {}", counts.join(", ")))
    };
    let parts = [part("after a call that succeeded", &seen.stale), part("after localtime()", &seen.log_line)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("no call had failed, and errno held, {}", parts.join("; "))
}

/// `<=0.062`, or `0.12 (0.05..0.24)`: a rate in a table column, in per cent.
fn rate_cell(rate: &Rate) -> String {
    let high = percent_number(rate.high, Rounding::Up);
    match (rate.n, rate.count) {
        (0, _) => "-".into(),
        (_, 0) => format!("0 (<={high})"),
        (n, count) => {
            let share = percent_number(count as f64 / n as f64, Rounding::Nearest);
            if of_these_boots_alone(rate) {
                let low = percent_number(rate.trial_low, Rounding::Down);
                return format!("{share} ({low}..{})*", percent_number(rate.trial_high, Rounding::Up));
            }
            format!("{share} ({}..{high})", percent_number(rate.low, Rounding::Down))
        }
    }
}

/// Whether nothing tells how much boots differ, or too little for a bound: then those of trials are told, of the boots that were played.
fn of_these_boots_alone(rate: &Rate) -> bool {
    rate.count > 0 && (rate.method == "whole-blocks" || are_no_bounds(rate.low, rate.high))
}

/// What the bounds of the table stand for.
fn bounds(cells: &[&CellSummary]) -> String {
    let of_columns =
        |(question, _): &(&Question, &Rate)| matches!(question, Question::Ebadf | Question::Enoent);
    let rates = || cells.iter().flat_map(|cell| cell.rates.iter().filter(of_columns).map(|(_, rate)| rate));
    let icc = rates().filter_map(|rate| rate.unseen).map(|bounds| bounds.icc).fold(0.0, f64::max);
    let mut text = "bounds take the boot as their unit".to_owned();
    if icc > 0.0 {
        text.push_str(&format!(
            "; those of 0 hold if trials of one boot are correlated by no more than {}",
            share(icc)
        ));
    }
    let least = rates().map(|rate| rate.sensitivity).fold(1.0, f64::min);
    if least < 1.0 {
        let proven = percent(least, Rounding::Down);
        text.push_str(&format!(
            "; upper ones are divided by what controls prove to be seen (at least {proven})"
        ));
    }
    if rates().any(of_these_boots_alone) {
        text.push_str("; *: too few boots to tell how much boots differ: as if trials were independent, and nothing is said of other boots");
    }
    text
}
