//! Every virtual cell against its bare-metal cell.
//!
//! Holds which cells belong together, and the verdict on each errno. Must not know reports.
//! Units: shares of 1; a difference is virtual minus bare metal. Errors: none.
//! Tests: `tests/golden/analysis.rs`; the arithmetic in `rig-stats`.

use std::collections::BTreeMap;

use rig_stats::{Count, Probability, detectable, difference, enough_trials, fisher, holm, judge};

use crate::matrix::Stratum;
use crate::stopping::Stopping;

use super::controls::Sight;
use super::measured::Measured;
use super::model::{ComparedCell, Comparison, ComparisonReason, ComparisonVerdict, Question};
use super::rules::Rules;
use super::stopped;

/// The power that `detectable` is stated for.
const POWER: f64 = 0.8;

/// Compares. Controls are not compared: their answer is known; nor is a program that nobody watched: no return of it is known.
pub(super) fn compare(
    measured: &[Measured<'_>],
    sight: &Sight,
    stopping: &Stopping,
    rules: Rules,
) -> Vec<Comparison> {
    let of_all =
        |(cell, baseline)| Question::ALL.map(|question| compare_one(cell, baseline, question, sight, rules));
    let watched = pairs(measured).into_iter().filter(|(cell, _)| cell.is_watched());
    let mut comparisons: Vec<Comparison> = watched.flat_map(of_all).collect();
    stopped::allow_for_looks(&mut comparisons, stopping);
    correct(&mut comparisons, measured, rules);
    comparisons
}

/// A virtual cell, and its bare-metal cell where there is one.
pub(super) type Pair<'m, 'a> = (&'m Measured<'a>, Option<&'m Measured<'a>>);

/// Every virtual cell that is no control with the first bare-metal cell of its subject, in the order of the plan.
pub(super) fn pairs<'m, 'a>(measured: &'m [Measured<'a>]) -> Vec<Pair<'m, 'a>> {
    let of_question = || measured.iter().filter(|cell| cell.cell().control.is_none() && !cell.is_repeat());
    let mut baselines: BTreeMap<Subject<'_>, &Measured<'_>> = BTreeMap::new();
    for cell in of_question().filter(|cell| cell.cell().is_baseline()) {
        baselines.entry(subject_of(cell)).or_insert(cell);
    }
    let with_baseline = |cell| (cell, baselines.get(&subject_of(cell)).copied());
    of_question().filter(|cell| !cell.cell().is_baseline()).map(with_baseline).collect()
}

/// What a virtual cell shares with its bare-metal cell.
pub(super) type Subject<'a> = Stratum<'a>;

/// Cells of one subject belong together.
pub(super) fn subject_of<'a>(cell: &'a Measured<'_>) -> Subject<'a> {
    cell.cell().stratum()
}

/// Before the verdict, which follows once all p-values are known.
fn compare_one(
    cell: &Measured<'_>,
    baseline: Option<&Measured<'_>>,
    question: Question,
    sight: &Sight,
    rules: Rules,
) -> Comparison {
    let mut comparison = unknown(cell, baseline, question, rules);
    comparison.reason = not_run(cell, baseline);
    let (None, Some(baseline)) = (&comparison.reason, baseline) else { return comparison };
    let (metal, virtual_) = (question.count(&baseline.tally), question.count(&cell.tally));
    let interval = difference(metal, virtual_, rules.confidence);
    comparison.difference = virtual_.share() - metal.share();
    (comparison.low, comparison.high) = (interval.low, interval.high);
    comparison.p_value = fisher(metal, virtual_);
    comparison.reason =
        [(ComparedCell::Virtual, cell), (ComparedCell::BareMetal, baseline)].into_iter().find_map(
            |(which, cell)| Some(ComparisonReason::Blind(which, sight.blind_for(cell, question)?.clone())),
        );
    comparison.verdict = match comparison.reason {
        Some(_) => ComparisonVerdict::Blind,
        None => ComparisonVerdict::NotEnoughTrials,
    };
    comparison
}

/// What is known before a single trial: anything.
fn unknown(
    cell: &Measured<'_>,
    baseline: Option<&Measured<'_>>,
    question: Question,
    rules: Rules,
) -> Comparison {
    let subject = &cell.cell().subject;
    Comparison {
        scenario: subject.scenario.clone(),
        path: subject.path.name.clone(),
        parameters: subject.parameters.clone(),
        kernel: subject.kernel.clone(),
        baseline: baseline.map(|baseline| baseline.cell().id.0.clone()).unwrap_or_default(),
        configuration: subject.configuration.name.clone(),
        cell: cell.cell().id.0.clone(),
        errno: question,
        difference: 0.0,
        low: -1.0,
        high: 1.0,
        p_value: 1.0,
        p_adjusted: 1.0,
        at_every_look: false,
        detectable: 1.0,
        alert: cell.cell().alert,
        margin: rules.margin_of(question),
        trials_needed: None,
        verdict: ComparisonVerdict::NotRun,
        reason: None,
    }
}

/// Why two cells cannot be compared, if they cannot.
pub(super) fn not_run(cell: &Measured<'_>, baseline: Option<&Measured<'_>>) -> Option<ComparisonReason> {
    if let Some(why) = cell.not_run() {
        return Some(ComparisonReason::NotRun(ComparedCell::Virtual, why));
    }
    match baseline {
        None => Some(ComparisonReason::NoBaseline),
        Some(baseline) => Some(ComparisonReason::NotRun(ComparedCell::BareMetal, baseline.not_run()?)),
    }
}

/// Corrects the p-values over everything that was compared, and judges.
fn correct(comparisons: &mut [Comparison], measured: &[Measured<'_>], rules: Rules) {
    let run = |comparison: &Comparison| comparison.verdict != ComparisonVerdict::NotRun;
    let p_values: Vec<f64> = comparisons.iter().filter(|c| run(c)).map(|c| c.p_value).collect();
    let adjusted = holm(&p_values);
    let by_id: BTreeMap<&str, &Measured<'_>> =
        measured.iter().map(|cell| (cell.cell().id.0.as_str(), cell)).collect();
    // The level of Holm's first step, which every difference must be able to pass.
    let mut sizes = Sizes { level: rules.alpha() / p_values.len() as f64, rules, known: Vec::new() };
    for (comparison, p_adjusted) in comparisons.iter_mut().filter(|c| run(c)).zip(adjusted) {
        comparison.p_adjusted = p_adjusted;
        let count = |id: &str| by_id.get(id).map_or(Count::NONE, |cell| comparison.errno.count(&cell.tally));
        let pair = (count(&comparison.baseline), count(&comparison.cell));
        let size = sizes.of(pair, comparison.margin);
        comparison.detectable = size.detectable;
        if comparison.verdict == ComparisonVerdict::Blind {
            continue;
        }
        let interval = rig_stats::Interval { low: comparison.low, high: comparison.high };
        comparison.verdict = judge(interval, p_adjusted, rules.alpha(), comparison.margin).into();
        if comparison.verdict == ComparisonVerdict::NotEnoughTrials {
            comparison.trials_needed = size.needed;
        }
    }
}

/// What numbers of trials can show, each pair asked once: a run of zeros asks the same hundreds of times.
struct Sizes {
    level: f64,
    rules: Rules,
    known: Vec<((Count, Count, u64), Size)>,
}

/// What one pair can show.
#[derive(Clone, Copy)]
struct Size {
    detectable: f64,
    needed: Option<u64>,
}

impl Sizes {
    fn of(&mut self, (metal, virtual_): (Count, Count), margin: f64) -> Size {
        let key = (metal, virtual_, margin.to_bits());
        if let Some((_, answer)) = self.known.iter().find(|(asked, _)| *asked == key) {
            return *answer;
        }
        let share = |count: Count| Probability::new(count.share()).expect("hits over trials is a share");
        let both = metal.plus(virtual_).unwrap_or(metal);
        let answer = Size {
            detectable: detectable(metal.trials(), virtual_.trials(), share(metal), self.level, POWER),
            needed: enough_trials(share(both), margin, self.rules.confidence),
        };
        self.known.push((key, answer));
        answer
    }
}
