//! What a scenario says that was played once by itself, for people and for programs.
//!
//! Pure. Must not compute a number that is in the model, and must not know a terminal. Units: per cent and milliseconds in words.
//! Errors: none. Tests: `tests/trouble/alone.rs`, `tests/trouble/small.rs`, `tests/guest/alone.rs`.

use std::collections::BTreeMap;

use rig_protocol::{Labels, StepLog, TrialRecord, plain_lines};

use super::json::pretty;
use super::table::{Align, Page, Table};
use crate::analysis::model::{Expectation, ExpectationStatus, ScenarioRun, ScenarioStatus};
use crate::analysis::words::{Rounding, about_time, count, percent};
use crate::record::format::KeptTrial;

/// Between the words on the left and what is said of them.
const INDENT: usize = 14;

/// Above the trials that are shown step by step.
const LEGEND: &str = "Some trials, step by step. `<- verdict` marks the call under test, `<- outcome` a step whose result is part of how the trial \
    ended. `-1 NAME` is a failure with that errno; a sleep returns its length in nanoseconds; `absent`: \
    the kernel lists no such socket.";

/// The model as JSON. Ends with a newline.
pub fn scenario_json(run: &ScenarioRun) -> String {
    pretty(run)
}

/// The model for people: where it was played, what was counted and what each count means, how long it took, and trials step by step. A guest's words do not
/// paint the reader's terminal.
pub fn scenario_text(run: &ScenarioRun, mut page: Page) -> String {
    introduce(run, &mut page);
    counts(run, &mut page);
    program(run, &mut page);
    judgement(run, &mut page);
    times(run, &mut page);
    path(run, &mut page);
    if !run.kept.is_empty() {
        page.push_str("\n");
        page.wrap("", LEGEND, 0);
    }
    for trial in &run.kept {
        step_by_step(run, trial, &mut page);
    }
    plain_lines(&page.into_text())
}

fn introduce(run: &ScenarioRun, page: &mut Page) {
    page.wrap("", &format!("{}: {}", run.scenario, run.title), 2);
    let parameters: Vec<String> =
        run.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let seconds = |ns: u64| format!("{:.1} s", ns as f64 / 1e9);
    let trials = format!(
        "{} of {} trials, {} void, {} anomalies, in {}{} ({} at once, seed {})",
        count(run.trials),
        count(run.trials_wanted),
        count(run.void),
        count(run.anomalies),
        seconds(run.elapsed_ns),
        if run.accelerator == "none" { "" } else { ", boot included" },
        run.in_flight,
        run.seed
    );
    let rows = [
        ("parameters", parameters.join(" ")),
        ("played on", place(run, &seconds(run.boot_ns))),
        ("path", run.path.clone()),
        ("played", trials),
        ("cell", run.id.clone()),
    ];
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        page.wrap(&format!("  {name:<width$}", width = INDENT - 2), value, INDENT);
    }
    if run.status == ScenarioStatus::Void {
        page.push_str("\n");
        page.wrap("", &format!("VOID: the testbed failed, and nothing of this counts: {}", run.reason), 2);
        if let Some(console) = &run.console {
            page.wrap("  ", &format!("what the guest printed on its console: {console}"), 2);
        }
    }
}

/// Whose kernel it was, and what executed it.
fn place(run: &ScenarioRun, boot: &str) -> String {
    let release = if run.kernel_release.is_empty() { "unknown release" } else { &run.kernel_release };
    match run.accelerator.as_str() {
        "none" => format!("this host's own kernel, {release} (configuration {})", run.configuration),
        engine => {
            let how = match engine {
                "kvm" => "executed by KVM",
                "tcg" => "emulated (TCG)",
                _ => "which did not come up",
            };
            let why = match run.accelerator_reason.as_str() {
                "" => String::new(),
                reason => format!(": {reason}"),
            };
            format!(
                "a guest: configuration {}, kernel {} ({release}), booted in {boot}, {how}{why}",
                run.configuration, run.kernel
            )
        }
    }
}

/// A heading that says what is counted, and the counts.
fn section(page: &mut Page, heading: &str, rows: &BTreeMap<String, u64>) {
    if rows.is_empty() {
        return;
    }
    page.push_str("\n");
    page.wrap("", heading, 0);
    let mut table = Table::new([("trials", Align::Right), ("what", Align::Left)]);
    rows.iter().for_each(|(what, n)| table.row([count(*n), what.clone()]));
    table.write(page, 2);
}

fn counts(run: &ScenarioRun, page: &mut Page) {
    let returns: BTreeMap<String, u64> =
        run.returns.iter().map(|(returned, n)| (returned.to_string(), *n)).collect();
    section(page, "What the call under test returned (a failure as -1/ERRNO):", &returns);
    section(
        page,
        "How trials ended: a word for that call, and one for each step after it that says something:",
        &run.outcomes,
    );
    section(
        page,
        "TCP state of the socket right before that call (CLOSE: the reset was there already):",
        &run.state_before,
    );
    section(page, "Void trials, which are in no other count, by reason:", &run.void_reasons);
    let seen = &run.errno_seen;
    section(page, "errno held this after a call under test that had not failed:", &seen.stale);
    if run.program.is_some() {
        return;
    }
    section(page, "errno held this after localtime(), as for the time stamp of a log line:", &seen.log_line);
}

/// Its account, its call sites, and what cannot be seen of it.
fn program(run: &ScenarioRun, page: &mut Page) {
    let Some(summary) = &run.program else { return };
    page.push_str("\nYour program: what the kernel said, what libc held, what it said:\n");
    super::program::accounts(page, &[summary]);
    page.wrap("  ", super::program::LEGEND, 4);
    page.push_str(&format!("\n{}\n", super::program::SITES_HEAD));
    super::program::sites(page, &[summary]);
    super::program::notes(&[summary]).iter().for_each(|note| page.wrap("  ", note, 4));
    page.wrap("", &super::program::unwatched(), 0);
}

fn judgement(run: &ScenarioRun, page: &mut Page) {
    // Its trials count for nothing, as its own line says.
    if run.status == ScenarioStatus::Void {
        return;
    }
    for (who, of) in [("", &run.expectation), ("at the peer ", &run.peer_expectation)] {
        if let Some(of) = of.as_ref().filter(|of| of.n > 0) {
            page.push_str("\n");
            page.wrap("", &judged(who, of), 2);
        }
    }
}

/// `UNEXPECTED: 100 of 100 trials ended otherwise ...`, or that all are as expected.
fn judged(who: &str, of: &Expectation) -> String {
    let tolerated = percent(of.tolerance.unwrap_or(0.0), Rounding::Nearest);
    let bounds = format!(
        "{}, between {} and {}; {tolerated} are tolerated",
        percent(of.share, Rounding::Nearest),
        percent(of.low, Rounding::Down),
        percent(of.high, Rounding::Up),
    );
    match of.status {
        ExpectationStatus::AsExpected | ExpectationStatus::NotJudged => format!(
            "as expected: {who}all of {} trials. With so many trials, up to {} could still end otherwise ({tolerated} are tolerated)",
            count(of.n),
            percent(of.high, Rounding::Up),
        ),
        ExpectationStatus::Unexpected => format!("UNEXPECTED: {who}{}; {bounds}", of.words()),
        ExpectationStatus::WithinTolerance => format!("within tolerance: {who}{}; {bounds}", of.words()),
        ExpectationStatus::Known => {
            let why = of.known.as_deref().unwrap_or_default();
            format!("known: {who}{}; {bounds}. The matrix file says why: {why}", of.words())
        }
    }
}

fn times(run: &ScenarioRun, page: &mut Page) {
    if run.latency_ns.is_empty() {
        return;
    }
    let start =
        if run.program.is_some() { "; `start`: until the program's first call on a socket" } else { "" };
    page.push_str(&format!(
        "\nHow long it took (`call`: the call under test; `trial`: a whole trial{start}):\n"
    ));
    let mut table = Table::new([
        ("what", Align::Left),
        ("half within about", Align::Right),
        ("99 % within about", Align::Right),
        ("longest", Align::Right),
    ]);
    for (name, of) in &run.latency_ns {
        let longest = format!("{:.3} ms", of.max as f64 / 1e6);
        table.row([name.clone(), about_time(of.p50), about_time(of.p99), longest]);
    }
    table.write(page, 2);
}

/// What lay on the way, what it did, and whether it was late itself.
fn path(run: &ScenarioRun, page: &mut Page) {
    if run.mechanisms.is_empty() {
        return;
    }
    page.push_str("\nOn the way between client and peer:\n");
    run.mechanisms.iter().for_each(|mechanism| page.wrap("  ", mechanism, 4));
    if !run.path_counters.is_empty() {
        page.push_str("How often each part of it acted:\n");
        let mut table = Table::new([("times", Align::Right), ("counter", Align::Left)]);
        run.path_counters.iter().for_each(|(name, n)| table.row([count(*n), name.clone()]));
        table.write(page, 2);
    }
    let late = run.path_counters.iter().filter(|(name, _)| name.ends_with("late.over_10ms"));
    let late = late.fold(0_u64, |sum, (_, n)| sum.saturating_add(*n));
    if late > 0 {
        let text = format!(
            "the path itself was late: {} frames left more than 10 ms after they should have; lower --in-flight, or free the host",
            count(late)
        );
        page.wrap("", &text, 2);
    }
}

fn step_by_step(run: &ScenarioRun, trial: &KeptTrial, page: &mut Page) {
    let begin = trial.steps.iter().map(|step| step.begin_ns).min().unwrap_or(0);
    let end = if trial.void { format!("void: {}", trial.outcome) } else { trial.outcome.clone() };
    page.push_str("\n");
    page.wrap("", &format!("trial {}: {end}", trial.trial), 2);
    // What its words do not say is left out: a trial of this process has none such.
    let whole = TrialRecord::try_from(trial.clone()).ok();
    if let Some(program) = whole.as_ref().and_then(|trial| trial.program.as_ref()) {
        return super::program::call_by_call(page, program);
    }
    let mut table = Table::new([
        ("begin", Align::Right),
        ("took", Align::Right),
        ("returned", Align::Right),
        ("lane", Align::Left),
        ("step", Align::Left),
    ]);
    for log in whole.iter().flat_map(|trial| &trial.steps) {
        let lane = run.lanes.get(usize::from(log.lane));
        let step = lane.and_then(|lane| lane.steps.get(usize::from(log.step)));
        table.row([
            milliseconds(log.begin_ns.saturating_sub(begin)),
            milliseconds(log.end_ns.saturating_sub(log.begin_ns)),
            returned(log),
            lane.map_or_else(|| log.lane.to_string(), |lane| lane.name.clone()),
            step.map_or_else(|| log.step.to_string(), Clone::clone),
        ]);
    }
    table.write(page, 2);
}

fn milliseconds(ns: u64) -> String {
    format!("{:.3} ms", ns as f64 / 1e6)
}

fn returned(log: &StepLog) -> String {
    match log.errno() {
        None if log.cut => "cut".to_owned(),
        Some(errno) => format!("-1 {errno}"),
        None if log.returned == Labels::ABSENT => "absent".to_owned(),
        None => log.returned.to_string(),
    }
}
