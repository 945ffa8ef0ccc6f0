//! JUnit XML, for CI: cells, controls, comparisons and headlines as test cases.
//!
//! Holds which outcome of a cell is a failure there. Must not compute a number, nor print a time: nothing here is a duration.
//! Units: none. Errors: none.
//! Well-formed whatever a guest or a file says: every text passes `xml`. Tests: golden reports; `tests/golden/foreign.rs`.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use rig_protocol::plain_lines;

use crate::analysis::model::{
    AaPair, Alert, CellStatus, CellSummary, Comparison, ComparisonVerdict, ControlStatus, ControlSummary,
    ExpectationStatus, Headline, OutcomeComparison, PairVerdict, Rate, ReportModel, told,
};
use crate::analysis::words::{Rounding, count, enough, list, p_value, percent};

use super::outcomes::{expectation_word, in_words, surprises, unreturned};

pub(super) fn render(model: &ReportModel) -> String {
    let mut report = Report::new(xml(&format!("rig {}", model.run.id)));
    let mut cells = TestSuite::new("cells");
    cells.add_test_cases(model.cells.iter().map(cell));
    let mut controls = TestSuite::new("controls");
    controls.add_test_cases(model.controls.iter().map(control));
    controls.add_test_cases(model.again.iter().map(again));
    let mut comparisons = TestSuite::new("comparisons");
    comparisons.add_test_cases(model.comparisons.iter().map(comparison));
    let mut outcomes = TestSuite::new("outcomes");
    outcomes.add_test_cases(model.outcome_comparisons.iter().map(outcome_comparison));
    let mut alerts = TestSuite::new("alerts");
    alerts.add_test_cases(model.alerts.iter().map(alert));
    let mut headlines = TestSuite::new("headlines");
    headlines.add_test_cases(model.headlines.iter().map(headline));
    report.add_test_suites([cells, controls, comparisons, outcomes, headlines, alerts]);
    let mut text = report.to_string().expect("a string takes all");
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn cell(cell: &CellSummary) -> TestCase {
    let reason = told(&cell.reason);
    let status = match cell.status {
        CellStatus::Skipped => skipped(&reason),
        CellStatus::Complete | CellStatus::Short | CellStatus::Blind if cell.is_unexpected() => {
            let unexpected = |(status, words)| (status == ExpectationStatus::Unexpected).then_some(words);
            let short = (cell.status != CellStatus::Complete).then_some(reason);
            let all: Vec<String> = surprises(cell).into_iter().filter_map(unexpected).chain(short).collect();
            failure(&all.join("; "), "unexpected")
        }
        CellStatus::Complete => TestCaseStatus::success(),
        CellStatus::Short => failure(&reason, "short"),
        CellStatus::Blind => failure(&reason, "blind"),
    };
    let name = format!("{} {} {}", subject(&cell.scenario, &cell.parameters), cell.kernel, cell.path);
    let mut case = named(name, &cell.configuration, status);
    if cell.trials > 0 {
        let returns: Vec<String> =
            cell.returns.iter().map(|(label, n)| format!("{label}: {}", count(*n))).collect();
        let mut lines = vec![format!(
            "{} trials, {} void; returns {}",
            count(cell.trials),
            count(cell.void),
            returns.join(", ")
        )];
        lines.extend(unreturned(cell));
        lines.push(format!("ended as {}", in_words(&cell.outcomes)));
        lines.extend(
            surprises(cell)
                .into_iter()
                .map(|(status, words)| format!("{}: {words}", expectation_word(status))),
        );
        case.set_system_out(xml(&lines.join("\n")));
    }
    case
}

fn control(control: &ControlSummary) -> TestCase {
    let reason = told(&control.failure);
    let status = match control.status() {
        ControlStatus::Passed => TestCaseStatus::success(),
        ControlStatus::NotExercised | ControlStatus::NotRun => skipped(&reason),
        ControlStatus::Failed => failure(&reason, "control"),
    };
    named(format!("{} {}", control.control, control.kernel), &control.configuration, status)
}

fn again(pair: &AaPair) -> TestCase {
    let most = pair.most.as_deref().unwrap_or_default();
    let p = pair.p_adjusted.map(p_value).unwrap_or_default();
    let status = match pair.verdict {
        PairVerdict::Passed => TestCaseStatus::success(),
        PairVerdict::Failed => failure(&format!("differs in {most}, corrected p {p}"), "differs"),
        PairVerdict::NotRun => skipped(&format!("not run: {}", told(&pair.reason))),
    };
    named(format!("A/A pair {}", pair.kernel), &pair.configuration, status)
}

fn alert(alert: &Alert) -> TestCase {
    let blocks = if alert.counted { "" } else { " in blocks that do not count" };
    let what = format!("{} of {} calls{blocks}, declared at most {}", alert.count, alert.n, alert.threshold);
    let name = format!("{} {} {}{blocks}", alert.errno, alert.scenario, alert.kernel);
    named(name, &alert.configuration, failure(&what, "alert"))
}

fn comparison(comparison: &Comparison) -> TestCase {
    let words = format!(
        "difference {}, between {} and {}, corrected p {}",
        percent(comparison.difference, Rounding::Nearest),
        percent(comparison.low, Rounding::Down),
        percent(comparison.high, Rounding::Up),
        p_value(comparison.p_adjusted)
    );
    let margin = percent(comparison.margin, Rounding::Nearest);
    let status = match comparison.verdict {
        ComparisonVerdict::Differs if comparison.alert => failure(&words, "differs"),
        ComparisonVerdict::DiffersWithinTheMargin if comparison.alert => {
            failure(&format!("{words}, less than the margin of {margin}"), "differs")
        }
        ComparisonVerdict::Differs
        | ComparisonVerdict::DiffersWithinTheMargin
        | ComparisonVerdict::SameWithinTheMargin => TestCaseStatus::success(),
        ComparisonVerdict::NotEnoughTrials => {
            skipped(&not_enough(comparison.trials_needed, comparison.margin, &words))
        }
        ComparisonVerdict::Blind => skipped(&format!("blind: {}", told(&comparison.reason))),
        ComparisonVerdict::NotRun => skipped(&format!("not run: {}", told(&comparison.reason))),
    };
    let subject = subject(&comparison.scenario, &comparison.parameters);
    let name = format!("{subject} {} {} {}", comparison.kernel, comparison.path, comparison.errno);
    named(name, &comparison.configuration, status)
}

/// One case for each pair of cells, with the outcome that decides it.
fn outcome_comparison(one: &OutcomeComparison) -> TestCase {
    let words = one.leader().map_or_else(String::new, |leader| {
        format!(
            "{} in {} of {} trials and in {} of {} on the host: difference {}, between {} and {}, corrected p {}",
            leader.outcome,
            count(leader.x2),
            count(one.n2),
            count(leader.x1),
            count(one.n1),
            percent(leader.difference, Rounding::Nearest),
            percent(leader.low, Rounding::Down),
            percent(leader.high, Rounding::Up),
            p_value(leader.p_adjusted)
        )
    });
    let margin = percent(one.margin, Rounding::Nearest);
    let status = match one.verdict {
        ComparisonVerdict::Differs if one.alert => failure(&words, "outcomes"),
        ComparisonVerdict::DiffersWithinTheMargin if one.alert => {
            failure(&format!("{words}, less than the margin of {margin}"), "outcomes")
        }
        ComparisonVerdict::Differs
        | ComparisonVerdict::DiffersWithinTheMargin
        | ComparisonVerdict::SameWithinTheMargin => TestCaseStatus::success(),
        ComparisonVerdict::NotEnoughTrials => match &one.reason {
            Some(reason) => skipped(&format!("not enough blocks: {reason}; {words}")),
            None => skipped(&not_enough(one.trials_needed, one.margin, &words)),
        },
        ComparisonVerdict::Blind => skipped(&format!("blind: {}", told(&one.reason))),
        ComparisonVerdict::NotRun => skipped(&format!("not run: {}", told(&one.reason))),
    };
    let subject = subject(&one.scenario, &one.parameters);
    named(format!("{subject} {} {} outcomes", one.kernel, one.path), &one.configuration, status)
}

/// One case for each errno and kind of guest, over all cells of the base program.
fn headline(one: &Headline) -> TestCase {
    let said = |rate: &Rate| format!("{} of {}", count(rate.count), count(rate.n));
    let sides = [
        one.guests.as_ref().map(|guests| (&guests.rate, "in guests")),
        one.host.as_ref().map(|rate| (rate, "on the host")),
    ];
    let sides: Vec<String> =
        sides.into_iter().flatten().map(|(rate, side)| format!("{} {side}", said(rate))).collect();
    let words = format!(
        "{}: difference {}, between {} and {}, corrected p {}",
        sides.join(" and "),
        percent(one.difference, Rounding::Nearest),
        percent(one.low, Rounding::Down),
        percent(one.high, Rounding::Up),
        p_value(one.p_adjusted)
    );
    let status = match one.verdict {
        ComparisonVerdict::Differs => failure(&words, "differs"),
        ComparisonVerdict::DiffersWithinTheMargin => {
            let margin = percent(one.margin, Rounding::Nearest);
            failure(&format!("{words}, less than the margin of {margin}"), "differs")
        }
        ComparisonVerdict::SameWithinTheMargin => TestCaseStatus::success(),
        ComparisonVerdict::NotEnoughTrials if one.is_of_trials_alone() => {
            skipped(&format!("not shown: single trials differ, and boots do not: {words}"))
        }
        ComparisonVerdict::NotEnoughTrials => skipped(&not_enough(one.trials_needed, one.margin, &words)),
        ComparisonVerdict::Blind if one.host.is_some() && one.guests.is_some() => {
            skipped("blind: a cell that was played twice (the A/A pair) differs from itself")
        }
        ComparisonVerdict::Blind => skipped("blind: on one side no control proves that it would be seen"),
        ComparisonVerdict::NotRun => skipped("not run: one side has no trials"),
    };
    let place = one.guests.as_ref().map_or_else(
        || "no guests".to_owned(),
        |guests| {
            let proxied = if guests.proxied { " (proxied)" } else { "" };
            format!("{} guests{proxied}", list(&guests.accelerators))
        },
    );
    named(format!("{} over {}", one.errno, list(&one.scenarios)), &place, status)
}

/// Why two rates are neither the same nor different.
fn not_enough(needed: Option<u64>, margin: f64, words: &str) -> String {
    let needed = needed.map(|n| format!("{} a side are enough; ", enough(n))).unwrap_or_default();
    format!("not enough trials for the margin of {}: {needed}{words}", percent(margin, Rounding::Nearest))
}

fn subject(scenario: &str, parameters: &BTreeMap<String, String>) -> String {
    let parameters = parameters.iter().map(|(name, value)| format!(" {name}={value}"));
    format!("{scenario}{}", parameters.collect::<String>())
}

fn named(name: String, class: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(xml(&name), status);
    case.set_classname(xml(class));
    case
}

/// XML 1.0 has no character for most controls, nor for U+FFFE and U+FFFF, not even an escaped one: whatever cannot be shown is U+FFFD.
fn xml(text: &str) -> String {
    plain_lines(text)
}

fn failure(message: &str, kind: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(xml(message));
    status.set_type(kind);
    status
}

fn skipped(reason: &str) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(xml(reason));
    status
}
