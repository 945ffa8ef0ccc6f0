//! How trials ended in every virtual cell against its bare-metal cell.
//!
//! Holds the tests of single outcomes and of whole blocks, the verdict of a pair, and its sentence. Must not know reports.
//! Units: shares of 1; a difference is virtual minus bare metal. Errors: none.
//! Tests: `tests/golden/outcomes.rs`; the arithmetic in `rig-stats`.

use std::collections::{BTreeMap, HashMap};

use rig_stats::{Count, Interval, Probability, difference, enough_trials, fisher, holm, judge, relabel};
use sha2::{Digest, Sha256};

use crate::record::Run;

use super::comparisons::{Pair, not_run, pairs};
use super::labels::Columns;
use super::measured::Measured;
use super::model::{
    AaPair, BlockTest, ComparedCell, Comparison, ComparisonReason, ComparisonVerdict, OutcomeComparison,
    OutcomeDifference, Question,
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
    let opened: Vec<Opened> = pairs(measured)
        .into_iter()
        .map(|pair| compare_one(run.record.seed, pair, again, &mut tests))
        .collect();
    let all = || opened.iter().flat_map(|one| &one.compared.outcomes);
    let adjusted = holm(&all().map(|one| one.p_value).collect::<Vec<f64>>());
    let family = adjusted.len() as u64;
    let mut adjusted = adjusted.into_iter();
    let conclude = |mut one: Opened| {
        for (outcome, p_adjusted) in one.compared.outcomes.iter_mut().zip(&mut adjusted) {
            outcome.p_adjusted = p_adjusted;
        }
        one.compared.family = family;
        conclude(one, &mut tests)
    };
    opened.into_iter().map(conclude).collect()
}

/// A pair whose verdict is still open.
struct Opened {
    compared: OutcomeComparison,
    /// For each of its outcomes, in their order: where all that makes its difference is in one block of several.
    events: Vec<Option<ComparisonReason>>,
}

/// Before the verdicts, which follow once all p-values are known.
fn compare_one(
    seed: u64,
    (cell, baseline): Pair<'_, '_>,
    again: Option<&AaPair>,
    tests: &mut Tests,
) -> Opened {
    let mut compared = unknown((cell, baseline), tests.rules);
    let (None, Some(baseline)) = (&compared.reason, baseline) else {
        return Opened { compared, events: Vec::new() };
    };
    // No control proves more of an outcome than the outcome itself shows.
    compared.reason = again.is_some_and(AaPair::differs).then_some(ComparisonReason::PairDiffers);
    compared.verdict = match compared.reason {
        Some(_) => ComparisonVerdict::Blind,
        None => ComparisonVerdict::NotEnoughTrials,
    };
    let table = Table::of(baseline, cell);
    let mut rows: Vec<_> = differences(&table, (compared.n1, compared.n2), tests)
        .into_iter()
        .enumerate()
        .map(|(place, one)| (table.event(place, &one), one))
        .collect();
    rows.sort_by(|(_, a), (_, b)| {
        // Rounding must not decide which of two outcomes that share a difference comes first.
        let size = |one: &OutcomeDifference| (one.difference.abs() * 1e12).round();
        size(b)
            .total_cmp(&size(a))
            .then(b.difference.total_cmp(&a.difference))
            .then(a.outcome.cmp(&b.outcome))
    });
    let events;
    (events, compared.outcomes) = rows.into_iter().unzip();
    compared.blocks = table.test(seed_of(seed, &compared.cell), tests.rules);
    Opened { compared, events }
}

/// What is known before a single trial is looked at.
fn unknown((cell, baseline): Pair<'_, '_>, rules: Rules) -> OutcomeComparison {
    let subject = &cell.cell().subject;
    let known = |cell: &Measured<'_>| cell.cell().known.clone();
    let known = known(cell).or_else(|| baseline.and_then(known));
    OutcomeComparison {
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
        margin: rules.margin,
        alert: cell.cell().alert && known.is_none(),
        known,
        verdict: ComparisonVerdict::NotRun,
        trials_needed: None,
        reason: not_run(cell, baseline),
    }
}

/// Trials by outcome in each block of a pair: a row for each block with a trial, a column for each outcome.
struct Table<'a> {
    columns: Columns<'a>,
    metal: Vec<Vec<u64>>,
    virtual_: Vec<Vec<u64>>,
}

impl<'a> Table<'a> {
    fn of(metal: &'a Measured<'_>, virtual_: &'a Measured<'_>) -> Self {
        let columns = Columns::of(&metal.tally, &virtual_.tally);
        let rows = |side: &Measured<'_>| {
            let rows = side.blocks.iter().map(|block| columns.row(&block.tally));
            rows.filter(|row| row.iter().any(|n| *n > 0)).collect()
        };
        Self { metal: rows(metal), virtual_: rows(virtual_), columns }
    }

    /// Whether all that makes the difference of this outcome lies in one block of several: all of its trials on the side that has more of them, or all
    /// trials with another outcome on the side that has less.
    fn event(&self, column: usize, one: &OutcomeDifference) -> Option<ComparisonReason> {
        let has =
            |row: &[u64], it: bool| row.iter().enumerate().any(|(at, n)| (at == column) == it && *n > 0);
        let more = one.difference > 0.0;
        let sides =
            [(ComparedCell::Virtual, &self.virtual_, more), (ComparedCell::BareMetal, &self.metal, !more)];
        sides.into_iter().find_map(|(of, rows, it)| {
            let hit = rows.iter().filter(|row| has(row, it)).count();
            let blocks = rows.len() as u64;
            (blocks > 1 && hit == 1).then_some(ComparisonReason::OneBlock { blocks, of })
        })
    }

    /// Whole blocks against whole blocks.
    fn test(&self, seed: u64, rules: Rules) -> Option<BlockTest> {
        let found = relabel(&self.metal, &self.virtual_, seed)?;
        Some(BlockTest {
            blocks1: self.metal.len() as u64,
            blocks2: self.virtual_.len() as u64,
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
}

/// Every outcome of both, in the order of the table.
fn differences(table: &Table<'_>, (n1, n2): (u64, u64), tests: &mut Tests) -> Vec<OutcomeDifference> {
    let sum = |rows: &[Vec<u64>], place: usize| {
        rows.iter().filter_map(|row| row.get(place)).fold(0_u64, |sum, n| sum.saturating_add(*n))
    };
    let one = |(place, label): (usize, &&str)| {
        let of = |rows, n| Count::new(sum(rows, place), n).unwrap_or(Count::NONE);
        let (first, second) = (of(&table.metal, n1), of(&table.virtual_, n2));
        let (interval, p_value) = tests.of(first, second);
        OutcomeDifference {
            outcome: (*label).to_owned(),
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
    table.columns.names().iter().enumerate().map(one).collect()
}

/// Of the run's seed and the cell: whatever else the run has does not change it. Below 2^53, which every reader of JSON holds exactly.
fn seed_of(run: u64, cell: &str) -> u64 {
    let digest = Sha256::new().chain_update(run.to_le_bytes()).chain_update(cell).finalize();
    digest.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte)) >> 11
}

/// Judges every outcome; the pair is judged by the one that leads: the gravest verdict, then one that blocks do not bear out, then the largest
/// difference.
fn conclude(opened: Opened, tests: &mut Tests) -> OutcomeComparison {
    let (Opened { mut compared, mut events }, rules) = (opened, tests.rules);
    let is_blind = compared.verdict == ComparisonVerdict::Blind;
    for (one, event) in compared.outcomes.iter_mut().zip(&mut events) {
        let interval = Interval { low: one.low, high: one.high };
        one.verdict = if is_blind {
            ComparisonVerdict::Blind
        } else {
            judge(interval, one.p_adjusted, rules.alpha(), compared.margin).into()
        };
        let in_one_block = event.take();
        if one.verdict.is_difference() {
            *event = not_borne_out(compared.blocks.as_ref(), in_one_block, rules);
        }
        if event.is_some() {
            one.verdict = ComparisonVerdict::NotEnoughTrials;
        }
    }
    let gravity = |(one, event): &(&OutcomeDifference, &Option<ComparisonReason>)| match one.verdict {
        ComparisonVerdict::Differs => 4,
        ComparisonVerdict::DiffersWithinTheMargin => 3,
        ComparisonVerdict::NotEnoughTrials => 1 + u8::from(event.is_some()),
        ComparisonVerdict::SameWithinTheMargin | ComparisonVerdict::Blind | ComparisonVerdict::NotRun => 0,
    };
    // They are in the order of their differences, and the last of equal ones would win.
    let leader = compared.outcomes.iter().zip(&events).rev().max_by_key(gravity);
    let Some((leader, event)) = leader else { return compared };
    compared.leading = Some(leader.outcome.clone());
    compared.verdict = leader.verdict;
    if leader.verdict == ComparisonVerdict::NotEnoughTrials {
        compared.reason.clone_from(event);
    }
    if leader.verdict == ComparisonVerdict::NotEnoughTrials && event.is_none() {
        let of = |hits, trials| Count::new(hits, trials).unwrap_or(Count::NONE);
        let (first, second) = (of(leader.x1, compared.n1), of(leader.x2, compared.n2));
        compared.trials_needed = tests.needed(first.plus(second).unwrap_or(first));
    }
    compared
}

/// Why a difference of single trials is none of whole blocks. Where there are too few blocks to test them, only what lies in one block of several is told
/// apart: trials of one block may depend on each other, and one event hits many.
fn not_borne_out(
    blocks: Option<&BlockTest>,
    event: Option<ComparisonReason>,
    rules: Rules,
) -> Option<ComparisonReason> {
    let blocks = blocks?;
    if blocks.too_few {
        return event;
    }
    (blocks.p_value > rules.alpha()).then_some(ComparisonReason::BlocksDifferToo { p_value: blocks.p_value })
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
    if let Some(blocks) = one.blocks.as_ref().filter(|blocks| blocks.too_few) {
        text.push_str(&format!(
            ", with too few blocks ({} against {}) to test whole blocks",
            blocks.blocks2, blocks.blocks1
        ));
    }
    match &one.known {
        Some(reason) => text.push_str(&format!("; it is known why: {}", reason.trim_end_matches('.'))),
        None if !one.alert => text.push_str(", as those of a race, which follow the machine's timing, may"),
        None => {}
    }
    if more > 0 {
        let (cells, differ) = (several(more, "more cell"), if more == 1 { "differs" } else { "differ" });
        text.push_str(&format!("; {cells} of {} there {differ} too", one.scenario));
    }
    text.push('.');
    text
}
