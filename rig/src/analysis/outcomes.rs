//! How trials ended in pairs of cells: of a run in every virtual cell against its bare-metal cell.
//!
//! Holds the tests of single outcomes and of whole blocks, the verdict of a pair, and its sentence. Must not know reports, nor which cells are a pair.
//! Units: shares of 1; a difference is second minus first, so virtual minus bare metal. Errors: none.
//! Tests: `tests/golden/outcomes.rs`, `tests/golden/compared.rs`; the arithmetic in `rig-stats`.

use std::collections::{BTreeMap, HashMap};

use rig_protocol::Tally;
use rig_stats::{Count, Interval, Probability, enough_trials, judge, relabel, tarone_family, tarone_holm};

use super::blocks::{self, Compared, Family, Sides, sum};
use super::comparisons::{Pair, not_run};
use super::labels::Columns;
use super::measured::Measured;
use super::model::{
    AaPair, BlockTest, Comparison, ComparisonReason, ComparisonVerdict, OutcomeComparison, OutcomeDifference,
    Question,
};
use super::rules::Rules;
use super::seeds::seed_of;
use super::sentences::shift;
use super::words::{Rounding, count, p_value, percent, several};

/// Compares, an answer for each pair. `measured` are all cells, which tell how much blocks differ. Where an A/A pair differs, no comparison counts.
pub(super) fn compare<'m, 'a>(
    seed: u64,
    pairs: &[Pair<'m, 'a>],
    measured: &'m [Measured<'a>],
    again: &[AaPair],
    rules: Rules,
) -> Vec<OutcomeComparison> {
    let mut tests = Tests::of(measured, rules);
    let is_valid = !again.iter().any(AaPair::differs);
    let mut opened: Vec<Opened> =
        pairs.iter().map(|pair| compare_one(seed, pair, is_valid, &mut tests)).collect();
    for news in [true, false] {
        let of_family = |one: &&mut Opened| one.compared.alert == news;
        let all = || opened.iter().filter(|one| one.compared.alert == news).flat_map(|one| &one.found);
        let (p, smallest): (Vec<f64>, Vec<f64>) = all().map(|one| (one.p, one.smallest_p)).unzip();
        let mut adjusted = tarone_holm(&p, &smallest, rules.alpha()).into_iter();
        let family = tarone_family(&smallest, rules.alpha()) as u64;
        for one in opened.iter_mut().filter(of_family) {
            for (outcome, p_adjusted) in one.compared.outcomes.iter_mut().zip(&mut adjusted) {
                outcome.p_adjusted = p_adjusted;
            }
            one.compared.family = family;
        }
    }
    opened.into_iter().map(|one| conclude(one, rules)).collect()
}

/// A pair whose verdict is still open.
struct Opened {
    compared: OutcomeComparison,
    /// Of each of its outcomes, in their order, what its blocks say,
    found: Vec<Compared>,
    /// and why that is less than single trials say, if it is.
    alone: Vec<Option<ComparisonReason>>,
}

/// Before the verdicts, which follow once all p-values are known.
fn compare_one<'m, 'a>(seed: u64, pair: &Pair<'m, 'a>, is_valid: bool, tests: &mut Tests<'m, 'a>) -> Opened {
    let rules = tests.rules;
    let mut compared = unknown(pair, rules);
    let cell = pair.second;
    let (None, Some(baseline)) = (&compared.reason, pair.first) else {
        return Opened { compared, found: Vec::new(), alone: Vec::new() };
    };
    // No control proves more of an outcome than the outcome itself shows.
    compared.reason = (!is_valid).then_some(ComparisonReason::PairDiffers);
    compared.verdict = match compared.reason {
        Some(_) => ComparisonVerdict::Blind,
        None => ComparisonVerdict::NotEnoughTrials,
    };
    let table = Table::of(baseline, cell);
    let seed = seed_of(seed, &compared.cell);
    let mut rows: Vec<_> = (0..table.columns.names().len())
        .map(|column| {
            let (first, second) = table.counts(column);
            let sides = Sides { first: &first, second: &second };
            let found = tests.ask(cell, table.columns.names()[column], sides, seed);
            let alone = found.not_borne_out(&sides, rules.alpha());
            (difference_of(table.columns.names()[column], sides, &found), (found, alone))
        })
        .collect();
    rows.sort_by(|(a, _), (b, _)| {
        // Rounding must not decide which of two outcomes that share a difference comes first.
        let size = |one: &OutcomeDifference| (one.difference.abs() * 1e12).round();
        size(b)
            .total_cmp(&size(a))
            .then(b.difference.total_cmp(&a.difference))
            .then(a.outcome.cmp(&b.outcome))
    });
    let said: Vec<(Compared, Option<ComparisonReason>)>;
    (compared.outcomes, said) = rows.into_iter().unzip();
    let (found, alone) = said.into_iter().unzip();
    compared.blocks = table.test(seed, rules);
    Opened { compared, found, alone }
}

/// What is known before a single trial is looked at.
fn unknown(pair: &Pair<'_, '_>, rules: Rules) -> OutcomeComparison {
    let Pair { first: baseline, second: cell, news, known } = *pair;
    let subject = &cell.cell().subject;
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
        level: "block",
        method: "miettinen-nurminen, fisher, tarone-holm",
        family: 0,
        blocks: None,
        leading: None,
        margin: rules.margin,
        alert: news && known.is_none(),
        known: known.map(str::to_owned),
        verdict: ComparisonVerdict::NotRun,
        trials_needed: None,
        reason: not_run(pair),
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

    /// Of one outcome: how often each block of both cells ended so.
    fn counts(&self, column: usize) -> (Vec<Count>, Vec<Count>) {
        let of = |rows: &[Vec<u64>]| {
            let count = |row: &Vec<u64>| Count::new(row[column], row.iter().sum()).unwrap_or(Count::NONE);
            rows.iter().map(count).collect()
        };
        (of(&self.metal), of(&self.virtual_))
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

fn difference_of(outcome: &str, sides: Sides<'_>, found: &Compared) -> OutcomeDifference {
    let (first, second) = (sum(sides.first), sum(sides.second));
    OutcomeDifference {
        outcome: outcome.to_owned(),
        x1: first.hits(),
        x2: second.hits(),
        difference: second.share() - first.share(),
        low: found.judged.low,
        high: found.judged.high,
        method: found.method.word(),
        dispersion: found.dispersion.map(|(phi, _)| phi),
        freedom: found.dispersion.map(|(_, nu)| nu),
        trial_low: found.trial.low,
        trial_high: found.trial.high,
        p_value: found.trial_p,
        p_blocks: found.p,
        p_adjusted: 1.0,
        verdict: ComparisonVerdict::NotEnoughTrials,
    }
}

/// Judges every outcome; the pair is judged by the one that leads: the gravest verdict, then one that boots do not bear out, then the largest difference.
fn conclude(opened: Opened, rules: Rules) -> OutcomeComparison {
    let Opened { mut compared, found, mut alone } = opened;
    let is_blind = compared.verdict == ComparisonVerdict::Blind;
    for one in &mut compared.outcomes {
        let interval = Interval { low: one.low, high: one.high };
        one.verdict = if is_blind {
            ComparisonVerdict::Blind
        } else {
            judge(interval, one.p_adjusted, rules.alpha(), compared.margin).into()
        };
    }
    let gravity = |one: &OutcomeDifference, alone: bool| match one.verdict {
        ComparisonVerdict::Differs => 4,
        ComparisonVerdict::DiffersWithinTheMargin => 3,
        ComparisonVerdict::NotEnoughTrials => 1 + u8::from(alone),
        ComparisonVerdict::SameWithinTheMargin | ComparisonVerdict::Blind | ComparisonVerdict::NotRun => 0,
    };
    // They are in the order of their differences, and the last of equal ones would win.
    let leading = (0..compared.outcomes.len())
        .rev()
        .max_by_key(|at| gravity(&compared.outcomes[*at], alone[*at].is_some()));
    let Some(at) = leading else { return compared };
    let leader = &compared.outcomes[at];
    compared.leading = Some(leader.outcome.clone());
    compared.verdict = leader.verdict;
    if leader.verdict == ComparisonVerdict::NotEnoughTrials {
        compared.reason = alone[at].take();
        if compared.reason.is_none() {
            let of = |hits, trials| Count::new(hits, trials).unwrap_or(Count::NONE);
            let (first, second) = (of(leader.x1, compared.n1), of(leader.x2, compared.n2));
            let share = Probability::new(first.plus(second).unwrap_or(first).share());
            let independent = share.and_then(|share| enough_trials(share, rules.margin, rules.confidence));
            compared.trials_needed = independent.map(|n| (n as f64 * found[at].inflation).ceil() as u64);
        }
    }
    compared
}

/// What blocks say of an outcome, and how much those of its scenario and path differ: each asked once.
struct Tests<'m, 'a> {
    rules: Rules,
    cells: HashMap<(&'m str, &'m str), Vec<&'m Measured<'a>>>,
    families: HashMap<(&'m str, &'m str), HashMap<String, Family>>,
}

impl<'m, 'a> Tests<'m, 'a> {
    fn of(measured: &'m [Measured<'a>], rules: Rules) -> Self {
        let mut cells: HashMap<_, Vec<&Measured<'_>>> = HashMap::new();
        for cell in measured.iter().filter(|cell| cell.cell().control.is_none()) {
            cells.entry(cell.cell().family()).or_default().push(cell);
        }
        Self { rules, cells, families: HashMap::new() }
    }

    fn ask(&mut self, cell: &'m Measured<'a>, outcome: &str, sides: Sides<'_>, seed: u64) -> Compared {
        let place = cell.cell().family();
        let families = self.families.entry(place).or_default();
        let family = match families.get(outcome) {
            Some(known) => *known,
            None => {
                let of = |tally: &Tally| {
                    let hits = tally.outcomes.get(outcome).copied().unwrap_or(0);
                    Count::new(hits, tally.trials).unwrap_or(Count::NONE)
                };
                let cells = self.cells.get(&place).map(Vec::as_slice).unwrap_or_default();
                let family = Family::of_cells(cells.iter().copied(), of, self.rules);
                families.insert(outcome.to_owned(), family);
                family
            }
        };
        blocks::compare(sides, &family, seed, self.rules.confidence)
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
