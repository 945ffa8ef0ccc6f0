//! How trials ended in every virtual cell against its bare-metal cell.
//!
//! Holds the tests of single outcomes and of whole blocks, the verdict of a pair, and its sentence. Must not know reports.
//! Units: shares of 1; a difference is virtual minus bare metal. Errors: none.
//! Tests: `tests/golden/outcomes.rs`; the arithmetic in `rig-stats`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rig_protocol::Tally;
use rig_stats::{Count, Interval, Probability, difference, enough_trials, fisher, holm, judge, relabel};
use sha2::{Digest, Sha256};

use crate::record::Run;

use super::comparisons::{Pair, not_run, pairs};
use super::measured::Measured;
use super::model::{
    AaPair, BlockTest, Comparison, ComparisonReason, ComparisonVerdict, OutcomeComparison, OutcomeDifference,
    Question,
};
use super::rules::Rules;
use super::sentences::shift;
use super::words::{Rounding, count, p_value, percent, several};

/// Compares. Controls are not compared: how they end is known.
pub(super) fn compare(
    run: &Run,
    measured: &[Measured<'_>],
    again: Option<&AaPair>,
    rules: Rules,
) -> Vec<OutcomeComparison> {
    let mut tests = Tests { rules, of: HashMap::new(), needed: HashMap::new() };
    let mut compared: Vec<OutcomeComparison> = pairs(measured)
        .into_iter()
        .map(|pair| compare_one(run.record.seed, pair, again, &mut tests))
        .collect();
    let all = || compared.iter().flat_map(|one| &one.outcomes);
    let adjusted = holm(&all().map(|one| one.p_value).collect::<Vec<f64>>());
    let family = adjusted.len() as u64;
    let mut adjusted = adjusted.into_iter();
    for one in &mut compared {
        for (outcome, p_adjusted) in one.outcomes.iter_mut().zip(&mut adjusted) {
            outcome.p_adjusted = p_adjusted;
        }
        one.family = family;
        conclude(one, &mut tests);
    }
    compared
}

/// Before the verdicts, which follow once all p-values are known.
fn compare_one(
    seed: u64,
    (cell, baseline): Pair<'_, '_>,
    again: Option<&AaPair>,
    tests: &mut Tests,
) -> OutcomeComparison {
    let subject = &cell.cell().subject;
    let known = |cell: &Measured<'_>| cell.cell().known.clone();
    let known = known(cell).or_else(|| baseline.and_then(known));
    let mut compared = OutcomeComparison {
        scenario: subject.scenario.clone(),
        path: subject.path.name.clone(),
        parameters: subject.parameters.clone(),
        kernel: subject.kernel.clone(),
        baseline: baseline.map(|baseline| baseline.cell().id.0.clone()).unwrap_or_default(),
        configuration: subject.configuration.name.clone(),
        cell: cell.cell().id.0.clone(),
        n1: baseline.map_or(0, |baseline| baseline.tally.trials),
        n2: cell.tally.trials,
        outcomes: Vec::new(),
        level: "trial",
        method: "miettinen-nurminen, fisher, holm",
        family: 0,
        blocks: None,
        leading: None,
        margin: tests.rules.margin,
        alert: cell.cell().alert && known.is_none(),
        known,
        verdict: ComparisonVerdict::NotRun,
        trials_needed: None,
        reason: not_run(cell, baseline),
    };
    let (None, Some(baseline)) = (&compared.reason, baseline) else { return compared };
    // No control proves more of an outcome than the outcome itself shows.
    compared.reason = again.is_some_and(AaPair::differs).then_some(ComparisonReason::PairDiffers);
    compared.verdict = match compared.reason {
        Some(_) => ComparisonVerdict::Blind,
        None => ComparisonVerdict::NotEnoughTrials,
    };
    compared.outcomes = differences(&baseline.tally, &cell.tally, tests);
    compared.blocks = block_test(seed, cell, baseline, tests.rules);
    compared
}

/// Every outcome of both, the largest difference first; of equal ones that which is more frequent in the guest.
fn differences(metal: &Tally, virtual_: &Tally, tests: &mut Tests) -> Vec<OutcomeDifference> {
    let labels: BTreeSet<&String> = metal.outcomes.keys().chain(virtual_.outcomes.keys()).collect();
    let hits = |tally: &Tally, label: &String| tally.outcomes.get(label).copied().unwrap_or(0);
    let of =
        |tally: &Tally, label: &String| Count::new(hits(tally, label), tally.trials).unwrap_or(Count::NONE);
    let one = |label: &String| {
        let (first, second) = (of(metal, label), of(virtual_, label));
        let (interval, p_value) = tests.of(first, second);
        OutcomeDifference {
            outcome: label.clone(),
            x1: first.hits(),
            x2: second.hits(),
            difference: second.share() - first.share(),
            low: interval.low,
            high: interval.high,
            p_value,
            p_adjusted: 1.0,
            verdict: ComparisonVerdict::NotEnoughTrials,
        }
    };
    let mut all: Vec<OutcomeDifference> = labels.into_iter().map(one).collect();
    all.sort_by(|a, b| {
        // Rounding must not decide which of two outcomes that share a difference comes first.
        let size = |one: &OutcomeDifference| (one.difference.abs() * 1e12).round();
        size(b)
            .total_cmp(&size(a))
            .then(b.difference.total_cmp(&a.difference))
            .then(a.outcome.cmp(&b.outcome))
    });
    all
}

/// A test of whole blocks looks at so many outcomes, the most frequent of both cells together; all others are one more. Which these are does not depend
/// on the side of a block, so the test stays valid; and a guest that makes up an outcome for each trial cannot make it slow.
const COLUMNS: usize = 64;

/// Whole blocks against whole blocks.
fn block_test(seed: u64, cell: &Measured<'_>, baseline: &Measured<'_>, rules: Rules) -> Option<BlockTest> {
    let mut both: BTreeMap<&str, u64> = BTreeMap::new();
    for (outcome, n) in [baseline, cell].into_iter().flat_map(|side| &side.tally.outcomes) {
        let sum = both.entry(outcome).or_default();
        *sum = sum.saturating_add(*n);
    }
    let mut labels: Vec<(&str, u64)> = both.into_iter().collect();
    labels.sort_by_key(|(outcome, n)| (std::cmp::Reverse(*n), *outcome));
    let columns: HashMap<&str, usize> =
        labels.iter().enumerate().map(|(place, (outcome, _))| (*outcome, place.min(COLUMNS))).collect();
    let width = labels.len().min(COLUMNS + 1);
    let rows = |side: &Measured<'_>| -> Vec<Vec<u64>> {
        let row = |tally: &Tally| {
            let mut row = vec![0_u64; width];
            for (outcome, n) in &tally.outcomes {
                if let Some(sum) = columns.get(outcome.as_str()).and_then(|place| row.get_mut(*place)) {
                    *sum = sum.saturating_add(*n);
                }
            }
            row
        };
        side.blocks.iter().map(|block| row(&block.tally)).collect()
    };
    let (first, second) = (rows(baseline), rows(cell));
    let played = |rows: &[Vec<u64>]| rows.iter().filter(|row| row.iter().any(|n| *n > 0)).count() as u64;
    let seed = seed_of(seed, &cell.cell().id.0);
    let found = relabel(&first, &second, seed)?;
    Some(BlockTest {
        blocks1: played(&first),
        blocks2: played(&second),
        statistic: found.statistic,
        p_value: found.p_value,
        smallest_p: found.smallest_p,
        too_few: found.smallest_p > rules.alpha(),
        labellings: found.labellings,
        seed: (!found.all).then_some(seed),
        level: "block",
        method: "likelihood-ratio-permutation",
    })
}

/// Of the run's seed and the cell: whatever else the run has does not change it. Below 2^53, which every reader of JSON holds exactly.
fn seed_of(run: u64, cell: &str) -> u64 {
    let digest = Sha256::new().chain_update(run.to_le_bytes()).chain_update(cell).finalize();
    digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte)) >> 11
}

/// Judges every outcome; the pair is judged by the one that leads: the gravest verdict, then the largest difference.
fn conclude(compared: &mut OutcomeComparison, tests: &mut Tests) {
    let rules = tests.rules;
    for one in &mut compared.outcomes {
        let interval = Interval { low: one.low, high: one.high };
        one.verdict = if compared.verdict == ComparisonVerdict::Blind {
            ComparisonVerdict::Blind
        } else {
            judge(interval, one.p_adjusted, rules.alpha(), compared.margin).into()
        };
    }
    let gravity = |one: &&OutcomeDifference| match one.verdict {
        ComparisonVerdict::Differs => 3,
        ComparisonVerdict::DiffersWithinTheMargin => 2,
        ComparisonVerdict::NotEnoughTrials => 1,
        ComparisonVerdict::SameWithinTheMargin | ComparisonVerdict::Blind | ComparisonVerdict::NotRun => 0,
    };
    // They are in the order of their differences, and the last of equal ones would win.
    let Some(leader) = compared.outcomes.iter().rev().max_by_key(gravity) else { return };
    compared.leading = Some(leader.outcome.clone());
    compared.verdict = leader.verdict;
    if leader.verdict == ComparisonVerdict::NotEnoughTrials {
        let of = |hits, trials| Count::new(hits, trials).unwrap_or(Count::NONE);
        let (first, second) = (of(leader.x1, compared.n1), of(leader.x2, compared.n2));
        compared.trials_needed = tests.needed(first.plus(second).unwrap_or(first));
    }
}

/// What two counts say, each pair asked once: most cells end alike.
struct Tests {
    rules: Rules,
    of: HashMap<(Count, Count), (Interval, f64)>,
    needed: HashMap<Count, Option<u64>>,
}

impl Tests {
    fn of(&mut self, first: Count, second: Count) -> (Interval, f64) {
        let confidence = self.rules.confidence;
        let make = || (difference(first, second, confidence), fisher(first, second));
        *self.of.entry((first, second)).or_insert_with(make)
    }

    fn needed(&mut self, both: Count) -> Option<u64> {
        let Rules { confidence, margin, .. } = self.rules;
        let share = Probability::new(both.share()).expect("hits over trials is a share");
        *self.needed.entry(both).or_insert_with(|| enough_trials(share, margin, confidence))
    }
}

/// One sentence for each scenario, path and configuration with cells that end otherwise than on the host, in the order of the plan: of the largest
/// difference, and how many more there are. What the sentences on EBADF and ENOENT tell is not told again.
pub(super) fn sentences(compared: &[OutcomeComparison], comparisons: &[Comparison]) -> Vec<String> {
    let mut of_errnos: BTreeMap<&str, f64> = BTreeMap::new();
    for one in comparisons.iter().filter(|one| one.verdict.is_difference()) {
        if matches!(one.errno, Question::Ebadf | Question::Enoent) {
            let most = of_errnos.entry(&one.cell).or_default();
            *most = most.max(one.difference.abs());
        }
    }
    let mut order: Vec<(&OutcomeComparison, &OutcomeDifference, usize)> = Vec::new();
    let mut places = BTreeMap::new();
    for one in compared.iter().filter(|one| one.verdict.is_difference()) {
        let Some(leader) = one.leader() else { continue };
        let told = of_errnos.get(one.cell.as_str()).copied().unwrap_or(0.0);
        if leader.difference.abs() <= told + 1e-9 {
            continue;
        }
        let key = (&one.scenario, &one.path, &one.configuration, one.alert, &one.known);
        let place = *places.entry(key).or_insert(order.len());
        match order.get_mut(place) {
            None => order.push((one, leader, 0)),
            Some(told) => {
                told.2 += 1;
                if leader.difference.abs() > told.1.difference.abs() {
                    (told.0, told.1) = (one, leader);
                }
            }
        }
    }
    order.into_iter().map(|(one, leader, more)| sentence(one, leader, more)).collect()
}

fn sentence(one: &OutcomeComparison, leader: &OutcomeDifference, more: usize) -> String {
    let parameters = one.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
    let often = |x: u64, n: u64| match x {
        0 => format!("never in {}", count(n)),
        x => format!("in {} of {}", count(x), count(n)),
    };
    let differ = if one.is_news() { "DIFFER" } else { "differ" };
    let mut text = format!(
        "Outcomes {differ}: {}{} over {} in {} {}: {} {} trials, {} on the host ({}, corrected p {})",
        one.scenario,
        parameters.collect::<String>(),
        one.path,
        one.configuration,
        one.kernel,
        leader.outcome,
        often(leader.x2, one.n2),
        often(leader.x1, one.n1),
        shift(Interval { low: leader.low, high: leader.high }),
        p_value(leader.p_adjusted),
    );
    if leader.verdict == ComparisonVerdict::DiffersWithinTheMargin {
        text.push_str(&format!(", less than the margin of {}", percent(one.margin, Rounding::Nearest)));
    }
    match &one.known {
        Some(reason) => text.push_str(&format!("; it is known why: {}", reason.trim_end_matches('.'))),
        None if !one.alert => text.push_str(", as those of a race between the application's own threads may"),
        None => {}
    }
    if more > 0 {
        let (cells, differ) = (several(more, "more cell"), if more == 1 { "differs" } else { "differ" });
        text.push_str(&format!("; {cells} of {} there {differ} too", one.scenario));
    }
    text.push('.');
    text
}
