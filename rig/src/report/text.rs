//! The report that a person reads in a terminal: what was found first, then why it can be believed.
//!
//! Holds the order and the layout. Must not compute a number, nor know a terminal: 110 columns, no colour.
//! Units: rates and differences in per cent. Errors: none.
//! Tests: golden reports.

use std::collections::BTreeMap;

use crate::analysis::NO_JUDGE;
use crate::analysis::model::{
    Alert, CellStatus, CellSummary, Comparison, ComparisonVerdict, ControlSummary, HypothesisVerdict,
    ReportModel,
};
use crate::analysis::words::{Rounding, count, p_value, percent, percent_number, rate_cell, several};

use super::table::{Align, Table, hypothesis_word, status_word, verdict_words, wrap};

use Align::{Left, Right};

pub(super) fn render(model: &ReportModel) -> String {
    let mut out = String::new();
    header(&mut out, model);
    section(&mut out, "What was found");
    for alert in &model.alerts {
        let Alert { errno, scenario, configuration, kernel, count: seen, n, threshold, .. } = alert;
        let sentence = format!(
            "ALERT: {errno} in {scenario} ({configuration} {kernel}), where nothing expects it: {} of {} calls, surely above the declared {}",
            count(*seen),
            count(*n),
            percent(*threshold, Rounding::Nearest)
        );
        wrap(&mut out, "  * ", &sentence, 4);
    }
    for sentence in &model.sentences {
        wrap(&mut out, "  * ", sentence, 4);
    }
    if !model.cautions.is_empty() {
        section(&mut out, "Before you believe a number");
        for caution in &model.cautions {
            wrap(&mut out, "  ! ", caution, 4);
        }
    }
    cells(&mut out, model);
    controls(&mut out, model);
    comparisons(&mut out, model);
    hypotheses(&mut out, model);
    section(&mut out, "Again, from the files alone");
    out.push_str(&format!("  rig report {}\n", model.run.id));
    out.push_str(&format!("  rig report {} --format json,csv,junit\n", model.run.id));
    out
}

fn section(out: &mut String, title: &str) {
    out.push_str(&format!("\n{title}\n{}\n", "-".repeat(title.chars().count())));
}

fn header(out: &mut String, model: &ReportModel) {
    let (run, environment) = (&model.run, &model.environment);
    let host = &environment.host;
    let complete = if run.complete { "complete" } else { "NOT COMPLETE" };
    out.push_str(&format!("rig run {} ({complete})\n", run.id));
    let mut line = |name: &str, text: String| wrap(out, &format!("  {name:<8} "), &text, 11);
    let profile = if run.profile.is_empty() { String::new() } else { format!(", profile {}", run.profile) };
    line("started", format!("{}{profile}, seed {}, rig {}", run.started, run.seed, run.rig_version));
    let physical = match host.virtualized.as_str() {
        "none" => "bare metal".to_owned(),
        "" => "bare metal or virtual: not known".to_owned(),
        hypervisor => format!("NOT bare metal: itself a virtual machine ({hypervisor})"),
    };
    let cpus = several(host.cpus as usize, "CPU");
    line(
        "host",
        format!("{physical}; Linux {}, {}, {cpus}, {} MiB", host.kernel, host.cpu, count(host.memory_mib)),
    );
    let because = |reason: &str| if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    let accelerator = match environment.accelerator.as_str() {
        "tcg" => "emulated (TCG), not KVM".to_owned(),
        "kvm" => "KVM".to_owned(),
        "" => "no accelerator recorded".to_owned(),
        other => other.to_owned(),
    };
    let qemu = if environment.qemu.is_empty() { "no QEMU" } else { &environment.qemu };
    line("guests", format!("{accelerator}{}; {qemu}", because(&environment.accelerator_reason)));
    line(
        "judged",
        format!(
            "intervals at {} (Clopper-Pearson), rates within {} of each other are the same",
            percent(run.confidence, Rounding::Nearest),
            percent(run.margin, Rounding::Nearest)
        ),
    );
}

fn parameters(parameters: &BTreeMap<String, String>) -> String {
    parameters.iter().map(|(name, value)| format!(" {name}={value}")).collect()
}

/// Cells with the same scenario, parameters and path stand under one line, in the order of the plan.
fn cells(out: &mut String, model: &ReportModel) {
    let is_control = |cell: &CellSummary| model.controls.iter().any(|control| control.cell == cell.id);
    let mut groups: Vec<(String, Vec<&CellSummary>)> = Vec::new();
    let mut skipped = NotRun::default();
    for cell in model.cells.iter().filter(|cell| !is_control(cell)) {
        if cell.status == CellStatus::Skipped {
            skipped.add(&cell.configuration, &cell.kernel, &cell.reason);
            continue;
        }
        let title = format!("{}{} over {}", cell.scenario, parameters(&cell.parameters), cell.path);
        match groups.iter_mut().find(|(known, _)| *known == title) {
            Some((_, cells)) => cells.push(cell),
            None => groups.push((title, vec![cell])),
        }
    }
    if groups.is_empty() && skipped.is_empty() {
        return;
    }
    section(out, "Cells (rates in % with bounds; void trials are in no rate; controls follow below)");
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
        ]);
        for cell in cells {
            cell_row(&mut table, cell);
        }
        table.write(out, 4);
    }
    skipped.write(out, "cell");
}

/// What was not run, gathered by place and reason, so that a reason stands once and not in every table.
#[derive(Default)]
struct NotRun<'a>(Vec<(String, &'a str, usize)>);

impl<'a> NotRun<'a> {
    fn add(&mut self, configuration: &str, kernel: &str, reason: &'a str) {
        let place = format!("{configuration} {kernel}");
        match self.0.iter_mut().find(|(known, because, _)| *known == place && *because == reason) {
            Some((_, _, n)) => *n += 1,
            None => self.0.push((place, reason, 1)),
        }
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn write(&self, out: &mut String, noun: &str) {
        for (place, reason, n) in &self.0 {
            wrap(out, "  ", &format!("not run: {} of {place}: {reason}", several(*n, noun)), 4);
        }
    }
}

fn cell_row(table: &mut Table, cell: &CellSummary) {
    let on = if cell.accelerators.is_empty() { "-".to_owned() } else { cell.accelerators.join("+") };
    let rate = |errno: &str| cell.rates.get(errno).map(rate_cell).unwrap_or_default();
    table.row([
        cell.configuration.clone(),
        cell.kernel.clone(),
        on,
        status_word(cell.status).to_owned(),
        count(cell.trials),
        count(cell.void),
        cell.blocks.to_string(),
        count(cell.returns.get("1").copied().unwrap_or(0)),
        rate("EBADF"),
        rate("ENOENT"),
    ]);
    let others: Vec<String> = cell
        .returns
        .iter()
        .filter(|(label, _)| *label != "1")
        .map(|(label, n)| format!("{label} in {}", count(*n)))
        .collect();
    if !others.is_empty() {
        table.note(format!("returned {}", others.join(", ")));
    }
    if !cell.path_counters.is_empty() {
        let ends: Vec<String> =
            cell.outcomes.iter().map(|(outcome, n)| format!("{outcome} in {}", count(*n))).collect();
        table.note(format!("ended as {}", ends.join("; ")));
    }
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
        table.note("proxied: libslirp terminates TCP on the way");
    }
    if !cell.reason.is_empty() {
        table.note(format!("{}: {}", status_word(cell.status), cell.reason));
    } else if cell.void > 0 {
        table.note(void_reasons(cell));
    }
}

fn void_reasons(cell: &CellSummary) -> String {
    let reasons: Vec<String> =
        cell.void_reasons.iter().map(|(reason, n)| format!("{} ({reason})", count(*n))).collect();
    format!("void: {}", reasons.join(", "))
}

fn controls(out: &mut String, model: &ReportModel) {
    if model.controls.is_empty() {
        return;
    }
    section(out, "Controls (what the instrument must find at a known rate)");
    let mut table = Table::new([
        ("configuration", Left),
        ("kernel", Left),
        ("control", Left),
        ("errno", Left),
        ("expected %", Right),
        ("seen", Right),
        ("of", Right),
        ("void", Right),
        ("bounds %", Left),
        ("", Left),
    ]);
    let cell_of = |control: &ControlSummary| model.cells.iter().find(|cell| cell.id == control.cell);
    let mut skipped = NotRun::default();
    for control in &model.controls {
        let cell = cell_of(control);
        if let Some(cell) = cell.filter(|cell| cell.status == CellStatus::Skipped) {
            skipped.add(&control.configuration, &control.kernel, &cell.reason);
            continue;
        }
        table.row([
            control.configuration.clone(),
            control.kernel.clone(),
            control.control.clone(),
            control.errno.clone(),
            percent_number(control.expected_rate, Rounding::Nearest),
            count(control.count),
            count(control.n),
            cell.map_or_else(|| "-".to_owned(), |cell| count(cell.void)),
            bounds(control),
            match (control.passed, control.n) {
                (true, _) => "passed".into(),
                (false, 0) => "not run".into(),
                (false, _) => "FAILED".into(),
            },
        ]);
        if !control.passed {
            table.note(control.reason.clone());
        }
        match cell.filter(|cell| cell.trials > 0) {
            Some(cell) if cell.status == CellStatus::Short => table.note(format!("short: {}", cell.reason)),
            Some(cell) if cell.void > 0 => table.note(void_reasons(cell)),
            Some(_) | None => {}
        }
    }
    if !table.is_empty() {
        table.write(out, 2);
    }
    skipped.write(out, "control");
}

fn bounds(control: &ControlSummary) -> String {
    if control.n == 0 {
        return "-".into();
    }
    let low = percent_number(control.low, Rounding::Down);
    format!("{low}..{}", percent_number(control.high, Rounding::Up))
}

fn comparisons(out: &mut String, model: &ReportModel) {
    if model.comparisons.is_empty() {
        return;
    }
    section(out, "Virtual against bare metal (differences in points of %, guest minus host)");
    let mut verdicts: Vec<(ComparisonVerdict, usize)> = Vec::new();
    for comparison in &model.comparisons {
        match verdicts.iter_mut().find(|(verdict, _)| *verdict == comparison.verdict) {
            Some((_, n)) => *n += 1,
            None => verdicts.push((comparison.verdict, 1)),
        }
    }
    let words: Vec<String> = verdicts
        .iter()
        .map(|(verdict, n)| format!("{} {}", count(*n as u64), verdict_words(*verdict)))
        .collect();
    let mut summary = format!("{}: {}", several(model.comparisons.len(), "comparison"), words.join(", "));
    if model.comparisons.iter().any(|c| c.verdict == ComparisonVerdict::Differs && !c.alert) {
        summary.push_str(
            " (a race between an application's own threads follows the machine's timing: it may differ, and is no alert)",
        );
    }
    wrap(out, "  ", &summary, 4);
    same(out, model);
    notable(out, model);
    unanswered(out, model);
}

/// One line for everything of a configuration and a kernel that is the same: a wall of equal rows hides the one that is not.
fn same(out: &mut String, model: &ReportModel) {
    let mut groups: Vec<(&Comparison, usize, f64, f64)> = Vec::new();
    for one in model.comparisons.iter().filter(|c| c.verdict == ComparisonVerdict::SameWithinTheMargin) {
        let reach = one.high.max(-one.low);
        match groups.iter_mut().find(|(c, ..)| c.configuration == one.configuration && c.kernel == one.kernel)
        {
            Some((_, n, widest, detectable)) => {
                *n += 1;
                *widest = widest.max(reach);
                *detectable = detectable.max(one.detectable);
            }
            None => groups.push((one, 1, reach, one.detectable)),
        }
    }
    let mut table = Table::new([
        ("same within the margin", Left),
        ("kernel", Left),
        ("comparisons", Right),
        ("apart at most", Right),
        ("detectable", Right),
    ]);
    for (one, n, widest, detectable) in groups {
        table.row([
            one.configuration.clone(),
            one.kernel.clone(),
            n.to_string(),
            percent_number(widest, Rounding::Up),
            percent_number(detectable, Rounding::Up),
        ]);
    }
    if !table.is_empty() {
        table.write(out, 2);
        let explained = "detectable: a rise of so many points would have been found with 80 % probability";
        wrap(out, "  ", explained, 4);
    }
}

/// One row for each that differs or is open, under its scenario.
fn notable(out: &mut String, model: &ReportModel) {
    let mut groups: Vec<(String, Vec<&Comparison>)> = Vec::new();
    let open = |c: &&Comparison| match c.verdict {
        ComparisonVerdict::Differs | ComparisonVerdict::NotEnoughTrials => true,
        ComparisonVerdict::SameWithinTheMargin | ComparisonVerdict::Blind | ComparisonVerdict::NotRun => {
            false
        }
    };
    for one in model.comparisons.iter().filter(open) {
        let title = format!("{}{} over {}", one.scenario, parameters(&one.parameters), one.path);
        match groups.iter_mut().find(|(known, _)| *known == title) {
            Some((_, group)) => group.push(one),
            None => groups.push((title, vec![one])),
        }
    }
    groups
        .sort_by_key(|(_, group)| !group.iter().any(|c| c.alert && c.verdict == ComparisonVerdict::Differs));
    for (title, group) in groups {
        wrap(out, "  ", &format!("different or open: {title}"), 4);
        let mut table = Table::new([
            ("configuration", Left),
            ("kernel", Left),
            ("errno", Left),
            ("difference", Right),
            ("between", Left),
            ("p", Right),
            ("corrected p", Right),
            ("detectable", Right),
            ("verdict", Left),
        ]);
        for one in &group {
            // "Any -1" beside the one errno that it consists of says the same thing twice.
            let same_as = |c: &&&Comparison| {
                c.cell == one.cell
                    && c.errno != one.errno
                    && c.difference.to_bits() == one.difference.to_bits()
            };
            if one.errno != "any_error" || !group.iter().any(|c| same_as(&c)) {
                notable_row(&mut table, one);
            }
        }
        table.write(out, 4);
    }
}

fn notable_row(table: &mut Table, one: &Comparison) {
    let verdict = match (one.verdict, one.alert) {
        (ComparisonVerdict::Differs, true) => "DIFFERS",
        (ComparisonVerdict::Differs, false) => "differs (race)",
        (verdict, _) => verdict_words(verdict),
    };
    table.row([
        one.configuration.clone(),
        one.kernel.clone(),
        if one.errno == "any_error" { "any -1".into() } else { one.errno.clone() },
        percent_number(one.difference, Rounding::Nearest),
        format!("{}..{}", percent_number(one.low, Rounding::Down), percent_number(one.high, Rounding::Up)),
        p_value(one.p_value),
        p_value(one.p_adjusted),
        percent_number(one.detectable, Rounding::Up),
        verdict.to_owned(),
    ]);
}

/// One line for each reason why comparisons say nothing.
fn unanswered(out: &mut String, model: &ReportModel) {
    let mut reasons: Vec<(&Comparison, Vec<String>, usize)> = Vec::new();
    let silent = |c: &&Comparison| matches!(c.verdict, ComparisonVerdict::Blind | ComparisonVerdict::NotRun);
    for one in model.comparisons.iter().filter(silent) {
        let place = format!("{} {}", one.configuration, one.kernel);
        match reasons.iter_mut().find(|(c, ..)| c.verdict == one.verdict && c.reason == one.reason) {
            Some((_, places, n)) => {
                *n += 1;
                if !places.contains(&place) {
                    places.push(place);
                }
            }
            None => reasons.push((one, vec![place], 1)),
        }
    }
    for (one, places, n) in reasons {
        let text = format!(
            "{}: {} ({}): {}",
            verdict_words(one.verdict),
            several(n, "comparison"),
            places.join(", "),
            one.reason
        );
        wrap(out, "  ", &text, 4);
    }
}

fn hypotheses(out: &mut String, model: &ReportModel) {
    if model.hypotheses.is_empty() {
        return;
    }
    section(out, "Claims that these cells test");
    let mut open = Vec::new();
    let mut table = Table::new([("claim", Left), ("verdict", Left), ("", Left)]);
    for one in &model.hypotheses {
        // Without a judge there is nothing to read but the id.
        if one.verdict == HypothesisVerdict::Undecided && one.because == NO_JUDGE {
            open.push(one.id.as_str());
            continue;
        }
        table.row([
            one.id.clone(),
            hypothesis_word(one.verdict).to_owned(),
            format!("{}: {}", one.claim, one.because),
        ]);
    }
    if !table.is_empty() {
        table.write(out, 2);
    }
    if !open.is_empty() {
        wrap(
            out,
            "  ",
            &format!("undecided, without a judge in the cells of this run: {}", open.join(", ")),
            4,
        );
    }
}
