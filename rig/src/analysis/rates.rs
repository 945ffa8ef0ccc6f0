//! How often the verdict call returned an errno in one cell, or in several together, with every bound that a reader may ask for.
//!
//! Must not compare. Units: shares of 1. Errors: none. Tests: `tests/golden/boots.rs`, `tests/golden/analysis.rs`.

use rig_protocol::{Errno, Tally};
use rig_stats::{Confidence, Count, Interval, clopper_pearson};

use crate::record::format::BlockStatus;

use super::blocks::{Counted, Estimate, Family, Method, estimate, of_cells};
use super::controls::Sight;
use super::measured::Measured;
use super::model::{Question, Rate, UnseenBounds};
use super::rules::Rules;

/// Of these cells together.
pub(super) fn rate(
    cells: &[&Measured<'_>],
    question: Question,
    family: &Family,
    sight: &Sight,
    rules: Rules,
) -> Rate {
    let found = estimate(&of_cells(cells, |tally| question.count(tally)), family, rules.confidence);
    let sensitivity = sight.least_sensitivity(cells, question);
    Rate { worst: worst(cells, question, found.count), ..rate_of(&found, family, sensitivity, rules) }
}

/// How often the verdict call returned -1 with this errno, of the calls that returned.
pub(super) fn returned(tally: &Tally, errno: Errno) -> Count {
    Count::new(tally.returned(errno), tally.returned_calls()).unwrap_or(Count::NONE)
}

/// How often something that no control proves was so in these cells together. What was seen in boots that do not tell how much boots differ is told of these boots alone: its
/// trials are taken as independent.
pub(super) fn counted(cells: &[&Measured<'_>], of: impl Counted, rules: Rules) -> Rate {
    let family = Family::of_cells(cells.iter().copied(), &of, rules);
    let found = estimate(&of_cells(cells, &of), &family, rules.confidence);
    match found.method {
        Method::WholeBlocks => rate_at(found.count, rules.confidence),
        Method::Nothing | Method::BetaBinomial | Method::QuasiBinomial => {
            rate_of(&found, &family, 1.0, rules)
        }
    }
}

fn rate_of(found: &Estimate, family: &Family, sensitivity: f64, rules: Rules) -> Rate {
    let through = |bound: f64| (bound / sensitivity).min(1.0);
    Rate {
        low: found.judged.low,
        high: through(found.judged.high),
        method: found.method.word().to_owned(),
        dispersion: found.dispersion.map(|(phi, _)| phi),
        freedom: found.dispersion.map(|(_, nu)| nu),
        unseen: found.unseen.map(|bounds| UnseenBounds {
            independent: through(bounds.independent),
            at_icc: through(bounds.at_icc),
            icc: family.icc(),
            share_of_blocks: bounds.share_of_blocks,
        }),
        sensitivity,
        ..rate_at(found.count, rules.confidence)
    }
}

/// The share, had every trial that does not count returned it.
fn worst(cells: &[&Measured<'_>], question: Question, found: Count) -> f64 {
    let void: u64 = cells.iter().map(|cell| cell.void()).sum();
    let mut stopped = Tally::default();
    let not_counted = cells.iter().flat_map(|cell| &cell.not_counted);
    for block in not_counted.filter(|block| matches!(block.status, BlockStatus::Aborted { .. })) {
        stopped.absorb(&block.tally);
    }
    let of_stopped = question.count(&stopped);
    let (hits, trials) =
        (found.hits() + of_stopped.hits() + void, found.trials() + of_stopped.trials() + void);
    Count::new(hits, trials).unwrap_or(found).share()
}

/// A share as if trials were independent, where nothing is known of blocks.
pub(super) fn rate_at(of: Count, confidence: Confidence) -> Rate {
    let Interval { low, high } = clopper_pearson(of, confidence);
    Rate {
        count: of.hits(),
        n: of.trials(),
        low,
        high,
        confidence: confidence.get(),
        method: "clopper-pearson".into(),
        trial_low: low,
        trial_high: high,
        dispersion: None,
        freedom: None,
        unseen: None,
        sensitivity: 1.0,
        worst: of.share(),
    }
}
