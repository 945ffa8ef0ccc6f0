//! What all modules of this room judge by: the run's own declaration.
//!
//! Must not know what is judged. Units: shares of 1. Errors: none; an unusable confidence is replaced, and a caution says so.
//! Tests: `tests/golden/analysis.rs`.

use rig_stats::Confidence;

use crate::record::Run;

/// The declared confidence and margin.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) confidence: Confidence,
    pub(super) margin: f64,
}

impl Rules {
    /// Where a record declares no usable confidence.
    const FALLBACK: f64 = 0.95;

    pub(super) fn of(run: &Run) -> Self {
        let judgement = &run.record.judgement;
        let confidence = Confidence::new(judgement.confidence)
            .or(Confidence::new(Self::FALLBACK))
            .expect("the fallback is a confidence");
        Self { confidence, margin: judgement.margin.abs() }
    }

    pub(super) fn alpha(self) -> f64 {
        self.confidence.alpha()
    }
}
