//! From comparisons to the figures of pairs: no guest and no host in them, but a first and a second cell.
//!
//! Must not compute a figure. Units: as in the model. Errors: none. Tests: `tests/golden/compared.rs`.

use std::collections::HashMap;

use super::super::comparisons::Pair;
use super::super::measured::Measured;
use super::super::model::{
    CellPair, ComparedNames, Comparison, ComparisonReason, ErrnoDifference, LatencyComparison,
    LatencyDifference, OutcomeComparison, OutcomesDifference, PairedCell,
};
use super::super::summaries::releases;

/// What was found of all pairs: outcomes in their order, errnos and latencies of those that have some.
pub(in crate::analysis) struct Found {
    pub(in crate::analysis) errnos: Vec<Comparison>,
    pub(in crate::analysis) outcomes: Vec<OutcomeComparison>,
    pub(in crate::analysis) latencies: Vec<LatencyComparison>,
}

/// Ids of the first and the second cell.
type Ids = (String, String);

/// Puts together what was found of each pair.
pub(in crate::analysis) fn of_pairs(
    pairs: &[Pair<'_, '_>],
    found: Found,
    names: ComparedNames,
) -> Vec<CellPair> {
    let Found { errnos, outcomes, latencies } = found;
    let mut of_errnos: HashMap<Ids, Vec<ErrnoDifference>> = HashMap::new();
    for one in errnos {
        let ids = (one.baseline.clone(), one.cell.clone());
        of_errnos.entry(ids).or_default().push(errno(one, names));
    }
    let ids = |one: &LatencyComparison| (one.baseline.clone(), one.cell.clone());
    let mut of_latencies: HashMap<Ids, LatencyDifference> =
        latencies.into_iter().map(|one| (ids(&one), latency(one))).collect();
    let of_pair = |(pair, outcomes): (&Pair<'_, '_>, OutcomeComparison)| {
        let first = pair.first?;
        let ids = (first.cell().id.0.clone(), pair.second.cell().id.0.clone());
        let subject = &first.cell().subject;
        Some(CellPair {
            scenario: subject.scenario.clone(),
            parameters: subject.parameters.clone(),
            path: subject.path.name.clone(),
            first: cell(first),
            second: cell(pair.second),
            race: !pair.news,
            known: pair.known.map(str::to_owned),
            errnos: of_errnos.remove(&ids).unwrap_or_default(),
            latency: of_latencies.remove(&ids),
            outcomes: self::outcomes(outcomes, names),
        })
    };
    pairs.iter().zip(outcomes).filter_map(of_pair).collect()
}

fn cell(measured: &Measured<'_>) -> PairedCell {
    let cell = measured.cell();
    PairedCell {
        cell: cell.id.0.clone(),
        configuration: cell.subject.configuration.name.clone(),
        kernel: cell.subject.kernel.clone(),
        kernel_release: releases(measured),
        accelerators: measured.accelerators().into_iter().map(str::to_owned).collect(),
        trials: measured.tally.trials,
        trials_wanted: cell.trials,
        void: measured.void(),
        blocks: measured.blocks.len() as u64,
    }
}

fn words(reason: Option<&ComparisonReason>, names: ComparedNames) -> String {
    reason.map(|reason| reason.words(names)).unwrap_or_default()
}

fn errno(one: Comparison, names: ComparedNames) -> ErrnoDifference {
    ErrnoDifference {
        errno: one.errno,
        difference: one.difference,
        x1: one.x1,
        n1: one.n1,
        blocks1: one.blocks1,
        x2: one.x2,
        n2: one.n2,
        blocks2: one.blocks2,
        low: one.low,
        high: one.high,
        low_corrected: one.low_corrected,
        high_corrected: one.high_corrected,
        trial_low: one.trial_low,
        trial_high: one.trial_high,
        method: one.method,
        dispersion: one.dispersion,
        freedom: one.freedom,
        p_value: one.p_value,
        p_boschloo: one.p_boschloo,
        p_blocks: one.p_blocks,
        p_adjusted: one.p_adjusted,
        family: one.family,
        at_every_look: one.at_every_look,
        detectable: one.detectable,
        margin: one.margin,
        verdict: one.verdict,
        trials_needed: one.trials_needed,
        reason: words(one.reason.as_ref(), names),
    }
}

fn outcomes(one: OutcomeComparison, names: ComparedNames) -> OutcomesDifference {
    OutcomesDifference {
        n1: one.n1,
        n2: one.n2,
        outcomes: one.outcomes,
        family: one.family,
        blocks: one.blocks,
        leading: one.leading,
        margin: one.margin,
        verdict: one.verdict,
        trials_needed: one.trials_needed,
        reason: words(one.reason.as_ref(), names),
    }
}

fn latency(one: LatencyComparison) -> LatencyDifference {
    LatencyDifference {
        n1: one.n1,
        n2: one.n2,
        blocks1: one.blocks1,
        blocks2: one.blocks2,
        quantiles: one.quantiles,
        cut: one.cut,
        p_value: one.p_value,
        smallest_p: one.smallest_p,
        p_adjusted: one.p_adjusted,
        family: one.family,
        seed: one.seed,
        method: one.method,
        differs: one.differs,
        too_few: one.too_few,
    }
}
