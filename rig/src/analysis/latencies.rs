//! How long the verdict call lasted in pairs of cells: of a run in every virtual cell, beside its bare-metal cell.
//!
//! Holds what a block's times are, which of them a timeout cut, and the correction over all pairs. Must not know reports, nor which cells are a pair, nor make news of a time:
//! machines differ in speed. Units: nanoseconds on CLOCK_MONOTONIC; a difference is second minus first, so virtual minus bare metal. Errors: none; a pair without calls on both
//! sides is left out. Tests: here, `tests/golden/latencies.rs`, `tests/golden/compared.rs`; the arithmetic in `rig-stats`.

use rig_protocol::{Histogram, Script, Tally};
use rig_stats::{
    Interval, Probability, Waits, hodges_lehmann, kaplan_meier, log_rank, quantile_difference, tarone_family,
    tarone_holm,
};

use crate::record::Run;

use super::comparisons::Pair;
use super::measured::Measured;
use super::model::{CutWaits, LatencyComparison, QuantileDifference};
use super::rules::Rules;
use super::seeds::seed_of;

/// The key of the verdict call's times in a tally.
const CALL: &str = "call";

/// The label of a call that its timeout ended.
const TIMEOUT: &str = "timeout";

/// The quantiles that are compared.
const QUANTILES: [f64; 3] = [0.5, 0.9, 0.99];

/// Times of a block from the shortest to the longest, with their numbers of calls.
pub(super) type Times = Vec<(f64, u64)>;

/// Compares all pairs of a run of which both cells have times. Those of a rehearsal mean nothing: then none.
pub(super) fn of_run(run: &Run, pairs: &[Pair<'_, '_>], rules: Rules) -> Vec<LatencyComparison> {
    if run.record.environment.rehearsed { Vec::new() } else { compare(run.record.seed, pairs, rules) }
}

/// Compares all pairs of which both cells have times, wherever they were made.
pub(super) fn compare(seed: u64, pairs: &[Pair<'_, '_>], rules: Rules) -> Vec<LatencyComparison> {
    let both = pairs.iter().filter_map(|pair| Some((pair.first?, pair.second)));
    let mut compared: Vec<LatencyComparison> =
        both.filter_map(|pair| compare_one(seed, pair, rules)).collect();
    let p: Vec<f64> = compared.iter().map(|one| one.p_value).collect();
    let smallest: Vec<f64> = compared.iter().map(|one| one.smallest_p).collect();
    let family = tarone_family(&smallest, rules.alpha()) as u64;
    for (one, p_adjusted) in compared.iter_mut().zip(tarone_holm(&p, &smallest, rules.alpha())) {
        (one.p_adjusted, one.family) = (p_adjusted, family);
        one.differs = p_adjusted <= rules.alpha();
        one.too_few = one.smallest_p > rules.alpha();
    }
    compared
}

/// Before the correction, which follows once all p-values are known.
fn compare_one(
    seed: u64,
    (metal, virtual_): (&Measured<'_>, &Measured<'_>),
    rules: Rules,
) -> Option<LatencyComparison> {
    let (first, second) = (times(metal), times(virtual_));
    let shift = hodges_lehmann(&first, &second, rules.confidence)?;
    let (waits1, waits2) = (waits(metal), waits(virtual_));
    let [cut1, cut2] = [&waits1, &waits2].map(|side| side.iter().map(|waits| number(&waits.censored)).sum());
    let [n1, n2] = [&first, &second].map(|side| side.iter().map(number).sum::<u64>());
    if cut1 == n1 && cut2 == n2 {
        return None;
    }
    let subject = &virtual_.cell().subject;
    let mut one = LatencyComparison {
        scenario: subject.scenario.clone(),
        path: subject.path.name.clone(),
        parameters: subject.parameters.clone(),
        kernel: subject.kernel.clone(),
        baseline: metal.cell().id.0.clone(),
        configuration: subject.configuration.name.clone(),
        cell: virtual_.cell().id.0.clone(),
        n1,
        n2,
        blocks1: shift.blocks.0 as u64,
        blocks2: shift.blocks.1 as u64,
        quantiles: QUANTILES
            .iter()
            .filter_map(|q| at(*q, (metal, &first), (virtual_, &second), rules))
            .collect(),
        cut: None,
        p_value: shift.p_value,
        smallest_p: shift.smallest_p(),
        p_adjusted: 1.0,
        family: 0,
        seed: None,
        level: "block",
        method: "hodges-lehmann, mann-whitney, tarone-holm",
        differs: false,
        too_few: false,
    };
    if cut1 + cut2 > 0 {
        let seed = seed_of(seed, &one.cell);
        let found = log_rank(&waits1, &waits2, seed)?;
        let [median1_ns, median2_ns] = [&waits1, &waits2].map(|side| half_have_it(side));
        one.cut = Some(CutWaits { cut1, cut2, median1_ns, median2_ns });
        (one.p_value, one.smallest_p) = (found.p_value, found.smallest_p);
        one.seed = (!found.all).then_some(seed);
        one.method = "kaplan-meier, log-rank-permutation, tarone-holm";
    }
    Some(one)
}

/// One quantile of both sides, and how far their blocks are apart.
fn at(
    q: f64,
    (metal, first): (&Measured<'_>, &[Times]),
    (virtual_, second): (&Measured<'_>, &[Times]),
    rules: Rules,
) -> Option<QuantileDifference> {
    let shift = quantile_difference(first, second, Probability::new(q)?, rules.confidence)?;
    let of = |cell: &Measured<'_>| calls(&cell.tally).map_or(0, |times| times.quantile(q));
    Some(QuantileDifference {
        quantile: q,
        first_ns: of(metal),
        second_ns: of(virtual_),
        difference_ns: shift.estimate,
        low_ns: shift.interval.map(|Interval { low, .. }| low),
        high_ns: shift.interval.map(|Interval { high, .. }| high),
    })
}

fn calls(tally: &Tally) -> Option<&Histogram> {
    tally.latency.get(CALL).filter(|times| times.count > 0)
}

fn number(times: &Times) -> u64 {
    times.iter().map(|(_, n)| n).sum()
}

/// The times of the verdict call in each block of a cell that has some.
pub(super) fn times(cell: &Measured<'_>) -> Vec<Times> {
    cell.blocks.iter().filter_map(|block| calls(&block.tally)).map(spread).collect()
}

/// The times of a histogram: those of one class evenly spread over it, in so many steps as a class has at most.
fn spread(histogram: &Histogram) -> Times {
    /// Steps of a class: 1 part in 16 * 8.
    const STEPS: u64 = 8;
    let mut all = Times::new();
    for (class, n) in &histogram.buckets {
        let low = class.checked_sub(1).map_or(0.0, |below| Histogram::largest_in(below) as f64);
        let width = Histogram::largest_in(*class).min(histogram.max) as f64 - low;
        let steps = STEPS.min(*n);
        // As many of the class's calls below each step as its share of the class.
        let below = |step: u64| n / steps * step + (n % steps).min(step);
        for step in 0..steps {
            let middle = low + width * (step as f64 + 0.5) / steps as f64;
            all.push((middle, below(step + 1) - below(step)));
        }
    }
    all
}

/// What the calls of each block waited for: those that a timeout ended are its longest.
fn waits(cell: &Measured<'_>) -> Vec<Waits> {
    let script = &cell.cell().subject.script;
    let of_block = |tally: &Tally| Some(split(spread(calls(tally)?), timed_out(script, tally)));
    cell.blocks.iter().filter_map(|block| of_block(&block.tally)).collect()
}

/// Trials whose verdict call returned because its time was up.
fn timed_out(script: &Script, tally: &Tally) -> u64 {
    let is_cut = |outcome: &String| {
        let label = script.verdict_label(outcome);
        label.and_then(|label| label.split(':').next()).is_some_and(|word| word == TIMEOUT)
    };
    tally.outcomes.iter().filter(|(outcome, _)| is_cut(outcome)).map(|(_, n)| n).sum()
}

/// Takes the `cut` longest times out: a call that returned earlier did not wait for its timeout.
fn split(mut times: Times, mut cut: u64) -> Waits {
    let mut censored = Times::new();
    while let Some((time, n)) = times.last_mut().filter(|_| cut > 0) {
        let taken = cut.min(*n);
        censored.push((*time, taken));
        *n -= taken;
        cut -= taken;
        if *n == 0 {
            times.pop();
        }
    }
    Waits { events: times, censored }
}

/// By when half of a side have what they wait for.
fn half_have_it(side: &[Waits]) -> Option<u64> {
    let all = |of: fn(&Waits) -> &Times| -> Times { side.iter().flat_map(of).copied().collect() };
    let curve = kaplan_meier(&all(|waits| &waits.events), &all(|waits| &waits.censored));
    curve.median().map(|time| time.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_class_are_spread_over_it_and_all_are_there() {
        let mut histogram = Histogram::default();
        for ns in [100, 1_000_000, 1_000_001, 1_000_002] {
            histogram.record(ns);
        }
        (0..100_u64).for_each(|_| histogram.record(5_000_000));
        let times = spread(&histogram);
        assert_eq!(number(&times), histogram.count);
        assert!(times.is_sorted_by(|a, b| a.0 <= b.0), "{times:?}");
        let of_class = |from: f64, to: f64| times.iter().filter(|(at, _)| (from..to).contains(at)).count();
        assert_eq!((of_class(0.0, 200.0), of_class(9e5, 1.1e6), of_class(4e6, 6e6)), (1, 3, 8), "{times:?}");
        assert!(times.iter().all(|(time, _)| *time <= 5e6), "none is longer than the longest");
    }

    #[test]
    fn the_longest_are_those_that_the_timeout_ended() {
        let times = vec![(1.0, 5), (2.0, 3), (9.0, 4)];
        let waits = split(times.clone(), 5);
        assert_eq!((waits.events, waits.censored), (vec![(1.0, 5), (2.0, 2)], vec![(9.0, 4), (2.0, 1)]));
        assert_eq!(split(times.clone(), 0).events, times);
        assert_eq!(split(times, 99).events, Times::new());
    }
}
