//! Pairs of cells, errno by errno: of a run every virtual cell against its bare-metal cell.
//!
//! Holds which cells of a run belong together, and the verdict on each errno. Must not know reports, nor which cells of two runs belong together: it is given the pairs.
//! Units: shares of 1; a difference is second minus first, so virtual minus bare metal. Errors: none.
//! Tests: `tests/golden/analysis.rs`, `tests/golden/boots.rs`, `tests/golden/compared.rs`; the arithmetic in `rig-stats`.

use std::collections::BTreeMap;

use rig_stats::{Count, Criteria, Design, Interval, Probability, boschloo, detectable, enough_trials, judge};

use crate::matrix::Stratum;
use crate::stopping::Stopping;

use super::blocks::{
    Compared, Families, Family, Method, Sides, compare as compare_blocks, judged, of_cell, sum, wider,
};
use super::controls::Sight;
use super::correction::{Asked, correct};
use super::measured::Measured;
use super::model::{ComparedCell, Comparison, ComparisonReason, ComparisonVerdict, Question};
use super::rules::Rules;
use super::seeds::seed_of;
use super::stopped;
use super::summaries::Told;

/// The power that `detectable` is stated for.
const POWER: f64 = 0.8;

/// Two cells that are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair<'m, 'a> {
    /// The one that the other is compared with, where there is one: in a report the bare-metal cell.
    pub(super) first: Option<&'m Measured<'a>>,
    /// The other one: in a report the virtual cell.
    pub(super) second: &'m Measured<'a>,
    /// Whether a difference is news: not in a race of the application's own threads.
    pub(super) news: bool,
    /// Why it is known that the two end otherwise, where it is.
    pub(super) known: Option<&'m str>,
}

/// What the comparisons of errnos need to know beside the pairs. Of two each that of the first cells and that of the second ones: those of one run have the same.
pub(super) struct Judging<'a> {
    /// How much blocks differ, for each of [`Question::ALL`].
    pub(super) families: &'a [Families<'a>; Question::ALL.len()],
    pub(super) sights: [&'a Sight; 2],
    pub(super) stopping: [&'a Stopping; 2],
    pub(super) rules: Rules,
}

impl<'a> Judging<'a> {
    /// Of cells of one run.
    pub(super) fn of_one_run(told: &Told<'a>) -> Self {
        let Told { families, sight, stopping, rules } = *told;
        Self { families, sights: [sight; 2], stopping: [stopping; 2], rules }
    }
}

/// Compares. Controls are not compared: their answer is known; nor is a program that nobody watched: no return of it is known.
pub(super) fn compare(seed: u64, pairs: &[Pair<'_, '_>], judging: &Judging<'_>) -> Vec<Comparison> {
    let mut opened: Vec<Opened> = Vec::new();
    for pair in pairs.iter().filter(|pair| pair.second.is_watched()) {
        for (question, families) in Question::ALL.into_iter().zip(judging.families) {
            let seed = seed_of(seed, &pair.second.cell().id.0);
            let asking = Asking { question, family: families.of_cell(pair.second), seed, judging };
            opened.push(asking.of(pair));
        }
    }
    conclude(opened, judging.rules)
}

/// Every virtual cell of a run that is no control with the first bare-metal cell of its subject, in the order of the plan.
pub(super) fn pairs<'m, 'a>(measured: &'m [Measured<'a>]) -> Vec<Pair<'m, 'a>> {
    let of_question = || measured.iter().filter(|cell| cell.cell().control.is_none() && !cell.is_repeat());
    let mut baselines: BTreeMap<Subject<'_>, &Measured<'_>> = BTreeMap::new();
    for cell in of_question().filter(|cell| cell.cell().is_baseline()) {
        baselines.entry(subject_of(cell)).or_insert(cell);
    }
    let with_baseline = |second: &'m Measured<'a>| {
        let first = baselines.get(&subject_of(second)).copied();
        let known = |cell: &'m Measured<'a>| cell.cell().known.as_deref();
        Pair { first, second, news: second.cell().alert, known: known(second).or(first.and_then(known)) }
    };
    of_question().filter(|cell| !cell.cell().is_baseline()).map(with_baseline).collect()
}

/// What a virtual cell shares with its bare-metal cell.
pub(super) type Subject<'a> = Stratum<'a>;

/// Cells of one subject belong together.
pub(super) fn subject_of<'a>(cell: &'a Measured<'_>) -> Subject<'a> {
    cell.cell().stratum()
}

/// A comparison whose verdict follows once all p-values are known.
struct Opened {
    comparison: Comparison,
    /// Where both cells have trials.
    found: Option<Found>,
}

/// What the blocks of both cells say.
struct Found {
    compared: Compared,
    family: Family,
    first: Vec<Count>,
    second: Vec<Count>,
    /// The share of what happens that both machines are proven to see.
    sensitivity: f64,
}

/// One question on one pair.
struct Asking<'a, 'j> {
    question: Question,
    family: &'a Family,
    seed: u64,
    judging: &'a Judging<'j>,
}

impl Asking<'_, '_> {
    fn of(&self, pair: &Pair<'_, '_>) -> Opened {
        let Judging { sights: [of_first, of_second], stopping, rules, .. } = *self.judging;
        let mut comparison = unknown(pair, self.question, rules);
        comparison.reason = not_run(pair);
        let cell = pair.second;
        let (None, Some(baseline)) = (&comparison.reason, pair.first) else {
            return Opened { comparison, found: None };
        };
        let of = |cell: &Measured<'_>| of_cell(cell, |tally| self.question.count(tally));
        let (first, second) = (of(baseline), of(cell));
        let sides = Sides { first: &first, second: &second };
        let mut compared = compare_blocks(sides, self.family, self.seed, rules.confidence);
        if let Some(looked) = stopped::looked(stopping, [baseline, cell], self.question, rules) {
            compared = compared.at_every_look(looked.interval, looked.p_value);
            comparison.at_every_look = true;
        }
        let blind = [(ComparedCell::Second, of_second, cell), (ComparedCell::First, of_first, baseline)];
        comparison.reason = blind.into_iter().find_map(|(which, sight, cell)| {
            Some(ComparisonReason::Blind(which, sight.blind_for(cell, self.question)?.clone()))
        });
        comparison.verdict = match comparison.reason {
            Some(_) => ComparisonVerdict::Blind,
            None => ComparisonVerdict::NotEnoughTrials,
        };
        let sensitivity =
            of_second.sensitivity(cell, self.question).min(of_first.sensitivity(baseline, self.question));
        fill(&mut comparison, &compared, sensitivity, (&first, &second));
        let found = Found { compared, family: *self.family, first, second, sensitivity };
        Opened { comparison, found: Some(found) }
    }
}

/// The figures that do not depend on other comparisons.
fn fill(
    comparison: &mut Comparison,
    compared: &Compared,
    sensitivity: f64,
    (first, second): (&[Count], &[Count]),
) {
    let (metal, virtual_) = (sum(first), sum(second));
    let judged = through(compared.judged, sensitivity);
    comparison.difference = virtual_.share() - metal.share();
    (comparison.x1, comparison.n1) = (metal.hits(), metal.trials());
    (comparison.x2, comparison.n2) = (virtual_.hits(), virtual_.trials());
    (comparison.blocks1, comparison.blocks2) = (first.len() as u64, second.len() as u64);
    (comparison.low, comparison.high) = (judged.low, judged.high);
    (comparison.trial_low, comparison.trial_high) = (compared.trial.low, compared.trial.high);
    comparison.method = compared.method.word();
    comparison.dispersion = compared.dispersion.map(|(phi, _)| phi);
    comparison.freedom = compared.dispersion.map(|(_, nu)| nu);
    comparison.p_value = compared.trial_p;
    comparison.p_boschloo = boschloo(metal, virtual_);
    comparison.p_blocks = compared.p;
}

/// A bound on what was seen, as one on what happened: of it this share, at least, is seen. What is surely not 0 is not made larger.
pub(super) fn through(seen: Interval, sensitivity: f64) -> Interval {
    let outwards = |bound: f64, is_outer: bool| {
        if is_outer { (bound / sensitivity).clamp(-1.0, 1.0) } else { bound }
    };
    Interval { low: outwards(seen.low, seen.low < 0.0), high: outwards(seen.high, seen.high > 0.0) }
}

/// What is known before a single trial: anything.
fn unknown(pair: &Pair<'_, '_>, question: Question, rules: Rules) -> Comparison {
    let Pair { first: baseline, second: cell, news, .. } = pair;
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
        x1: 0,
        n1: 0,
        x2: 0,
        n2: 0,
        blocks1: 0,
        blocks2: 0,
        low: -1.0,
        high: 1.0,
        method: Method::Nothing.word(),
        dispersion: None,
        freedom: None,
        trial_low: -1.0,
        trial_high: 1.0,
        p_value: 1.0,
        p_boschloo: 1.0,
        p_blocks: 1.0,
        p_adjusted: 1.0,
        family: 0,
        low_corrected: -1.0,
        high_corrected: 1.0,
        at_every_look: false,
        detectable: 1.0,
        alert: *news,
        margin: rules.margin_of(question),
        trials_needed: None,
        verdict: ComparisonVerdict::NotRun,
        reason: None,
    }
}

/// Why two cells cannot be compared, if they cannot.
pub(super) fn not_run(pair: &Pair<'_, '_>) -> Option<ComparisonReason> {
    if let Some(why) = pair.second.not_run() {
        return Some(ComparisonReason::NotRun(ComparedCell::Second, why));
    }
    match pair.first {
        None => Some(ComparisonReason::NoBaseline),
        Some(baseline) => Some(ComparisonReason::NotRun(ComparedCell::First, baseline.not_run()?)),
    }
}

/// Corrects the p-values over everything that was compared, and judges.
fn conclude(mut opened: Vec<Opened>, rules: Rules) -> Vec<Comparison> {
    let asked: Vec<Option<Asked<'_>>> = opened.iter().map(Opened::asked).collect();
    let corrected = correct(&asked, rules.alpha());
    let mut sizes = Sizes { rules, known: Vec::new() };
    for (one, corrected) in opened.iter_mut().zip(corrected) {
        let (Some(found), Some(corrected)) = (&one.found, corrected) else { continue };
        let comparison = &mut one.comparison;
        comparison.p_adjusted = corrected.p;
        comparison.family = corrected.family;
        let each = rules.confidence.for_each_of(usize::try_from(corrected.family).unwrap_or(usize::MAX));
        let sides = Sides { first: &found.first, second: &found.second };
        let again = judged(sides, &found.family, each);
        let wide = through(wider(again, found.compared.judged), found.sensitivity);
        (comparison.low_corrected, comparison.high_corrected) = (wide.low, wide.high);
        let side = |blocks: &[Count]| (sum(blocks), blocks.len() as u64);
        let pair = (side(&found.first), side(&found.second));
        let size = sizes.of(pair, comparison.margin, each.alpha());
        comparison.detectable = size.detectable;
        if comparison.verdict == ComparisonVerdict::Blind {
            continue;
        }
        let interval = Interval { low: comparison.low, high: comparison.high };
        comparison.verdict = judge(interval, comparison.p_adjusted, rules.alpha(), comparison.margin).into();
        if comparison.verdict == ComparisonVerdict::NotEnoughTrials {
            comparison.reason = found.compared.not_borne_out(&sides, rules.alpha());
            comparison.trials_needed = match comparison.reason {
                Some(_) => None,
                None => size.needed.map(|independent| found.more(independent)),
            };
        }
    }
    opened.into_iter().map(|one| one.comparison).collect()
}

impl Opened {
    /// What the correction must know of it; nothing where it says nothing.
    fn asked(&self) -> Option<Asked<'_>> {
        let found = self.found.as_ref()?;
        (self.comparison.verdict != ComparisonVerdict::Blind).then(|| Asked {
            pair: (&self.comparison.baseline, &self.comparison.cell),
            question: self.comparison.errno,
            news: self.comparison.alert,
            p: found.compared.p,
            smallest_p: found.compared.smallest_p,
        })
    }
}

impl Found {
    /// So many independent trials a side, as trials of blocks like these whose share is seen.
    fn more(&self, independent: u64) -> u64 {
        (independent as f64 * self.compared.inflation / self.sensitivity).ceil() as u64
    }
}

/// Counts and blocks of both sides, and the bits of margin and level.
type SizeAsked = ((Count, u64), (Count, u64), u64, u64);

/// What numbers of trials can show, each pair asked once: a run of zeros asks the same hundreds of times.
struct Sizes {
    rules: Rules,
    known: Vec<(SizeAsked, Size)>,
}

/// What one pair can show.
#[derive(Clone, Copy)]
struct Size {
    detectable: f64,
    needed: Option<u64>,
}

impl Sizes {
    fn of(&mut self, (metal, virtual_): ((Count, u64), (Count, u64)), margin: f64, level: f64) -> Size {
        let key = (metal, virtual_, margin.to_bits(), level.to_bits());
        if let Some((_, answer)) = self.known.iter().find(|(asked, _)| *asked == key) {
            return *answer;
        }
        let share = |count: Count| Probability::new(count.share()).expect("hits over trials is a share");
        let both = metal.0.plus(virtual_.0).unwrap_or(metal.0);
        let design = |(count, blocks): (Count, u64)| Design {
            trials: count.trials(),
            blocks: u32::try_from(blocks).unwrap_or(u32::MAX),
        };
        let criteria = Criteria { level, confidence: self.rules.confidence, margin, icc: self.rules.icc };
        let answer = Size {
            detectable: detectable(design(metal), design(virtual_), share(metal.0), &criteria, POWER),
            needed: enough_trials(share(both), margin, self.rules.confidence),
        };
        self.known.push((key, answer));
        answer
    }
}
