//! How many trials of blocks say as much as one independent trial: the design effect.
//!
//! Holds which of three answers is used. Must not know what a hit is. Units: a ratio, 1 or more. Errors: none. Tests: `tests/golden/boots.rs`.

use rig_stats::{Confidence, Count, effective_trials};

use super::{Family, Method, sum};

/// How blocks are taken into account on one side.
#[derive(Debug, Clone, Copy)]
pub(in crate::analysis) struct Effect {
    pub(in crate::analysis) method: Method,
    /// By this the counts are divided (J. N. K. Rao and A. J. Scott, Biometrics 48, 1992).
    pub(in crate::analysis) by: f64,
}

/// Of these blocks. `unvaried`: all trials that the question is about ended alike, on both sides if there are two.
pub(in crate::analysis) fn effect(
    blocks: &[Count],
    unvaried: bool,
    family: &Family,
    confidence: Confidence,
) -> Effect {
    let measured = family.clustering.map(|clustering| clustering.inflation(confidence));
    let (method, by) = match measured {
        _ if sum(blocks).trials() == 0 => (Method::Nothing, 1.0),
        measured if unvaried => (Method::BetaBinomial, at_icc(blocks, family).max(measured.unwrap_or(1.0))),
        Some(measured) => (Method::QuasiBinomial, measured),
        None => (Method::WholeBlocks, mean_size(blocks)),
    };
    Effect { method, by: by.max(1.0) }
}

/// At the correlation that the family reckons with.
fn at_icc(blocks: &[Count], family: &Family) -> f64 {
    let sizes: Vec<u64> = blocks.iter().map(|block| block.trials()).collect();
    let trials: f64 = sizes.iter().map(|n| *n as f64).sum();
    trials / effective_trials(&sizes, family.icc)
}

/// Trials of a block; 1 of no blocks.
fn mean_size(blocks: &[Count]) -> f64 {
    let trials: f64 = blocks.iter().map(|block| block.trials() as f64).sum();
    if blocks.is_empty() { 1.0 } else { (trials / blocks.len() as f64).max(1.0) }
}
