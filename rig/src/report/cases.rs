//! What formats of tests list as test cases: cells, controls, comparisons, headlines, alerts; each with its standing.
//!
//! Holds which standing each has, for all such formats: JUnit, KTAP, KCIDB, CTRF, GitHub. Must not know a format, nor compute a number.
//! Units: none. Errors: none.
//! Texts are as files and guests say them: a format escapes them. Tests: golden reports; `tests/golden/formats.rs`.

use std::collections::BTreeMap;

use crate::analysis::model::{
    AaPair, Alert, CellPair, CellStatus, CellSummary, Comparison, ComparisonVerdict, ControlStatus,
    ControlSummary, ErrnoDifference, ExpectationStatus, Headline, OutcomeComparison, OutcomeDifference,
    PairVerdict, Rate, ReportModel, told,
};
use crate::analysis::words::{Rounding, count, enough, list, p_value, percent};

use super::outcomes::{expectation_word, in_words, surprises, unreturned};
use super::standing::Standing;

/// One test case.
pub(super) struct Case<'a> {
    /// Which kind of thing it is.
    pub(super) suite: Suite,
    /// What it is about, without its configuration.
    pub(super) name: String,
    /// The configuration.
    pub(super) place: String,
    /// The scenario; of a control its name, and of what is over several scenarios `all`.
    pub(super) scenario: String,
    /// Value of the kernel axis; none of what is over several.
    pub(super) kernel: Option<&'a str>,
    /// What came of it.
    pub(super) standing: Standing,
    /// In a word, of what has not passed.
    pub(super) kind: &'static str,
    /// Why, in a sentence; may be empty of what has passed.
    pub(super) reason: String,
    /// What else there is to read.
    pub(super) lines: Vec<String>,
    /// The cell that it is.
    pub(super) cell: Option<&'a CellSummary>,
    /// The difference that it is about, a share of 1.
    pub(super) difference: Option<f64>,
}

/// What cases are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Suite {
    Cells,
    Controls,
    Comparisons,
    Outcomes,
    Headlines,
    Alerts,
}

impl Suite {
    /// In the order of a report.
    pub(super) const ALL: [Self; 6] =
        [Self::Cells, Self::Controls, Self::Comparisons, Self::Outcomes, Self::Headlines, Self::Alerts];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Cells => "cells",
            Self::Controls => "controls",
            Self::Comparisons => "comparisons",
            Self::Outcomes => "outcomes",
            Self::Headlines => "headlines",
            Self::Alerts => "alerts",
        }
    }
}

/// All cases of a report, suite by suite.
pub(super) fn cases(model: &ReportModel) -> Vec<Case<'_>> {
    let mut all: Vec<Case<'_>> = model.cells.iter().map(cell).collect();
    all.extend(model.controls.iter().map(control));
    all.extend(model.again.iter().map(again));
    all.extend(model.comparisons.iter().map(comparison));
    all.extend(model.outcome_comparisons.iter().map(outcome_comparison));
    if let Some(baseline) = &model.kernel_baseline {
        all.extend(baseline.pairs.iter().flat_map(|pair| of_kernels(&baseline.kernel, pair)));
    }
    all.extend(model.headlines.iter().map(headline));
    all.extend(model.alerts.iter().map(alert));
    all
}

impl Case<'_> {
    /// Name and place, as one.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.place, self.name)
    }
}

/// What came of a case, and why.
struct Result {
    standing: Standing,
    kind: &'static str,
    reason: String,
}

fn passed() -> Result {
    Result { standing: Standing::Same, kind: "", reason: String::new() }
}

fn failure(reason: &str, kind: &'static str) -> Result {
    Result { standing: Standing::Differs, kind, reason: reason.to_owned() }
}

fn blind(reason: &str, kind: &'static str) -> Result {
    Result { standing: Standing::Blind, kind, reason: reason.to_owned() }
}

fn short(reason: &str) -> Result {
    Result { standing: Standing::Void, kind: "short", reason: reason.to_owned() }
}

fn measured(reason: &str) -> Result {
    Result { standing: Standing::Measured, kind: "not-enough", reason: reason.to_owned() }
}

fn skipped(reason: &str) -> Result {
    Result { standing: Standing::Skipped, kind: "skipped", reason: reason.to_owned() }
}

fn case<'a>(
    suite: Suite,
    name: String,
    place: &str,
    (scenario, kernel): (&str, Option<&'a str>),
    result: Result,
) -> Case<'a> {
    let Result { standing, kind, reason } = result;
    let (place, scenario) = (place.to_owned(), scenario.to_owned());
    Case {
        suite,
        name,
        place,
        scenario,
        kernel,
        standing,
        kind,
        reason,
        lines: Vec::new(),
        cell: None,
        difference: None,
    }
}

fn cell(cell: &CellSummary) -> Case<'_> {
    let reason = told(&cell.reason);
    let status = match cell.status {
        CellStatus::Skipped => skipped(&reason),
        CellStatus::Complete | CellStatus::Short | CellStatus::Blind if cell.is_unexpected() => {
            let unexpected = |(status, words)| (status == ExpectationStatus::Unexpected).then_some(words);
            let short = (cell.status != CellStatus::Complete).then_some(reason);
            let all: Vec<String> = surprises(cell).into_iter().filter_map(unexpected).chain(short).collect();
            failure(&all.join("; "), "unexpected")
        }
        CellStatus::Complete => passed(),
        CellStatus::Short => short(&reason),
        CellStatus::Blind => blind(&reason, "blind"),
    };
    let name = format!("{} {} {}", subject(&cell.scenario, &cell.parameters), cell.kernel, cell.path);
    let mut case =
        case(Suite::Cells, name, &cell.configuration, (&cell.scenario, Some(&cell.kernel)), status);
    case.cell = Some(cell);
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
        case.lines = lines;
    }
    case
}

fn control(control: &ControlSummary) -> Case<'_> {
    let reason = told(&control.failure);
    let status = match control.status() {
        ControlStatus::Passed => passed(),
        ControlStatus::NotRun => skipped(&reason),
        ControlStatus::Failed | ControlStatus::NotExercised => blind(&reason, "control"),
    };
    let name = format!("{} {}", control.control, control.kernel);
    let about = (control.control.as_str(), Some(control.kernel.as_str()));
    case(Suite::Controls, name, &control.configuration, about, status)
}

fn again(pair: &AaPair) -> Case<'_> {
    let most = pair.most.as_deref().unwrap_or_default();
    let p = pair.p_adjusted.map(p_value).unwrap_or_default();
    let status = match pair.verdict {
        PairVerdict::Passed => passed(),
        PairVerdict::Failed => blind(&format!("differs in {most}, corrected p {p}"), "differs"),
        PairVerdict::NotRun => skipped(&format!("not run: {}", told(&pair.reason))),
    };
    let name = format!("A/A pair {}", pair.kernel);
    case(Suite::Controls, name, &pair.configuration, ("A/A pair", Some(&pair.kernel)), status)
}

fn alert(alert: &Alert) -> Case<'_> {
    let blocks = if alert.counted { "" } else { " in blocks that do not count" };
    let what = format!("{} of {} calls{blocks}, declared at most {}", alert.count, alert.n, alert.threshold);
    let name = format!("{} {} {}{blocks}", alert.errno, alert.scenario, alert.kernel);
    let about = (alert.scenario.as_str(), Some(alert.kernel.as_str()));
    case(Suite::Alerts, name, &alert.configuration, about, failure(&what, "alert"))
}

/// A cell beside its bare-metal cell, by an errno or by outcomes.
struct Compared {
    verdict: ComparisonVerdict,
    alert: bool,
    kind: &'static str,
    margin: f64,
    reason: String,
    /// The numbers, in a sentence.
    words: String,
    /// The same, where they decide nothing.
    few: String,
}

impl Compared {
    fn result(&self) -> Result {
        match self.verdict {
            ComparisonVerdict::Differs if self.alert => failure(&self.words, self.kind),
            ComparisonVerdict::DiffersWithinTheMargin if self.alert => {
                failure(&less_than(self.margin, &self.words), self.kind)
            }
            ComparisonVerdict::Differs
            | ComparisonVerdict::DiffersWithinTheMargin
            | ComparisonVerdict::SameWithinTheMargin => passed(),
            ComparisonVerdict::NotEnoughTrials => measured(&self.few),
            ComparisonVerdict::Blind => blind(&format!("blind: {}", self.reason), "blind"),
            ComparisonVerdict::NotRun => skipped(&format!("not run: {}", self.reason)),
        }
    }
}

fn less_than(margin: f64, words: &str) -> String {
    format!("{words}, less than the margin of {}", percent(margin, Rounding::Nearest))
}

/// `difference 3 %, between 2.2 % and 4.8 %, corrected p 0.0016`
fn numbers(difference: f64, (low, high): (f64, f64), p_adjusted: f64) -> String {
    format!(
        "difference {}, between {} and {}, corrected p {}",
        percent(difference, Rounding::Nearest),
        percent(low, Rounding::Down),
        percent(high, Rounding::Up),
        p_value(p_adjusted)
    )
}

fn comparison(comparison: &Comparison) -> Case<'_> {
    let words = numbers(comparison.difference, (comparison.low, comparison.high), comparison.p_adjusted);
    let few = not_enough(comparison.trials_needed, comparison.margin, &words);
    let compared = Compared {
        verdict: comparison.verdict,
        alert: comparison.alert,
        kind: "differs",
        margin: comparison.margin,
        reason: told(&comparison.reason),
        words,
        few,
    };
    let status = compared.result();
    let subject = subject(&comparison.scenario, &comparison.parameters);
    let name = format!("{subject} {} {} {}", comparison.kernel, comparison.path, comparison.errno);
    let about = (comparison.scenario.as_str(), Some(comparison.kernel.as_str()));
    let mut case = case(Suite::Comparisons, name, &comparison.configuration, about, status);
    case.difference = difference(comparison.verdict, comparison.difference);
    case
}

/// The outcome that decides, with its numbers; the second side is compared with `other`, which has the first of these numbers of trials.
fn led(leader: &OutcomeDifference, [n1, n2]: [u64; 2], other: &str) -> String {
    format!(
        "{} in {} of {} trials and in {} of {} on {other}: difference {}, between {} and {}, corrected p {}",
        leader.outcome,
        count(leader.x2),
        count(n2),
        count(leader.x1),
        count(n1),
        percent(leader.difference, Rounding::Nearest),
        percent(leader.low, Rounding::Down),
        percent(leader.high, Rounding::Up),
        p_value(leader.p_adjusted)
    )
}

/// One case for each pair of cells, with the outcome that decides it.
fn outcome_comparison(one: &OutcomeComparison) -> Case<'_> {
    let words = one.leader().map(|leader| led(leader, [one.n1, one.n2], "the host")).unwrap_or_default();
    let few = match &one.reason {
        Some(reason) => format!("not enough blocks: {reason}; {words}"),
        None => not_enough(one.trials_needed, one.margin, &words),
    };
    let compared = Compared {
        verdict: one.verdict,
        alert: one.alert,
        kind: "outcomes",
        margin: one.margin,
        reason: told(&one.reason),
        words,
        few,
    };
    let status = compared.result();
    let subject = subject(&one.scenario, &one.parameters);
    let name = format!("{subject} {} {} outcomes", one.kernel, one.path);
    let about = (one.scenario.as_str(), Some(one.kernel.as_str()));
    let mut case = case(Suite::Outcomes, name, &one.configuration, about, status);
    case.difference = one.leader().and_then(|leader| difference(one.verdict, leader.difference));
    case
}

/// The cases of a cell beside that on the baseline's kernel: one for each errno, and one for its outcomes.
fn of_kernels<'a>(baseline: &str, pair: &'a CellPair) -> Vec<Case<'a>> {
    let subject = subject(&pair.scenario, &pair.parameters);
    let name = format!("{subject} {} against {baseline} {}", pair.second.kernel, pair.path);
    let about = (pair.scenario.as_str(), Some(pair.second.kernel.as_str()));
    let place = &pair.second.configuration;
    let of_errno = |one: &'a ErrnoDifference| {
        let words = numbers(one.difference, (one.low, one.high), one.p_adjusted);
        let compared = Compared {
            verdict: one.verdict,
            alert: pair.is_alert(),
            kind: "differs",
            margin: one.margin,
            reason: one.reason.clone(),
            few: not_enough(one.trials_needed, one.margin, &words),
            words,
        };
        let result = compared.result();
        let mut case = case(Suite::Comparisons, format!("{name} {}", one.errno), place, about, result);
        case.difference = difference(one.verdict, one.difference);
        case
    };
    let mut cases: Vec<Case<'_>> = pair.errnos.iter().map(of_errno).collect();
    let of = &pair.outcomes;
    let words = of.leader().map(|leader| led(leader, [of.n1, of.n2], baseline)).unwrap_or_default();
    let few = match of.reason.as_str() {
        "" => not_enough(of.trials_needed, of.margin, &words),
        reason => format!("not enough blocks: {reason}; {words}"),
    };
    let compared = Compared {
        verdict: of.verdict,
        alert: pair.is_alert() && pair.known.is_none(),
        kind: "outcomes",
        margin: of.margin,
        reason: of.reason.clone(),
        words,
        few,
    };
    let mut last = case(Suite::Outcomes, format!("{name} outcomes"), place, about, compared.result());
    last.difference = of.leader().and_then(|leader| difference(of.verdict, leader.difference));
    cases.push(last);
    cases
}

/// One case for each errno and kind of guest, over all cells of the base program.
fn headline(one: &Headline) -> Case<'_> {
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
        ComparisonVerdict::DiffersWithinTheMargin => failure(&less_than(one.margin, &words), "differs"),
        ComparisonVerdict::SameWithinTheMargin => passed(),
        ComparisonVerdict::NotEnoughTrials if one.is_of_trials_alone() => {
            measured(&format!("not shown: single trials differ, and boots do not: {words}"))
        }
        ComparisonVerdict::NotEnoughTrials => measured(&not_enough(one.trials_needed, one.margin, &words)),
        ComparisonVerdict::Blind if one.host.is_some() && one.guests.is_some() => {
            blind("blind: a cell that was played twice (the A/A pair) differs from itself", "blind")
        }
        ComparisonVerdict::Blind => {
            blind("blind: on one side no control proves that it would be seen", "blind")
        }
        ComparisonVerdict::NotRun => skipped("not run: one side has no trials"),
    };
    let place = one.guests.as_ref().map_or_else(
        || "no guests".to_owned(),
        |guests| {
            let proxied = if guests.proxied { " (proxied)" } else { "" };
            format!("{} guests{proxied}", list(&guests.accelerators))
        },
    );
    let name = format!("{} over {}", one.errno, list(&one.scenarios));
    let mut case = case(Suite::Headlines, name, &place, ("all", None), status);
    case.difference = difference(one.verdict, one.difference);
    case
}

/// Why two rates are neither the same nor different.
fn not_enough(needed: Option<u64>, margin: f64, words: &str) -> String {
    let needed = needed.map(|n| format!("{} a side are enough; ", enough(n))).unwrap_or_default();
    format!("not enough trials for the margin of {}: {needed}{words}", percent(margin, Rounding::Nearest))
}

/// Where both sides have trials.
fn difference(verdict: ComparisonVerdict, difference: f64) -> Option<f64> {
    (verdict != ComparisonVerdict::NotRun).then_some(difference)
}

fn subject(scenario: &str, parameters: &BTreeMap<String, String>) -> String {
    let parameters = parameters.iter().map(|(name, value)| format!(" {name}={value}"));
    format!("{scenario}{}", parameters.collect::<String>())
}
