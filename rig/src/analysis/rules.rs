//! What all modules of this room judge by: the run's own declaration.
//!
//! Must not know what is judged. Units: shares of 1. Errors: none; an unusable confidence is replaced, and a caution says so.
//! Tests: `tests/golden/analysis.rs`.

use std::collections::BTreeMap;

use rig_stats::{Confidence, Probability};

use crate::record::Run;
use crate::record::format::Judgement;

use super::model::Question;

/// The declared confidence and margins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) confidence: Confidence,
    /// Of everything that has no margin of its own.
    pub(super) margin: f64,
    /// The intraclass correlation of the trials of a block where nothing was seen.
    pub(super) icc: Probability,
    /// The share of a cell's trials that may end as its scenario does not expect, where one was declared.
    pub(super) tolerance: Option<f64>,
    /// In the order of [`Question::ALL`].
    margins: [f64; Question::ALL.len()],
}

impl Rules {
    /// Where a record declares no usable confidence.
    const FALLBACK: f64 = 0.95;

    pub(super) fn of(run: &Run) -> Self {
        let judgement = &run.record.judgement;
        let confidence = Confidence::new(judgement.confidence)
            .or(Confidence::new(Self::FALLBACK))
            .expect("the fallback is a confidence");
        let margin = judgement.margin.abs();
        let margins = Question::ALL
            .map(|question| judgement.margins.get(question.key()).map_or(margin, |margin| margin.abs()));
        let icc = judgement
            .icc
            .and_then(Probability::new)
            .or(Probability::new(Judgement::ICC))
            .expect("the fallback is a share");
        let tolerance = judgement.tolerance.filter(|share| (0.0..=1.0).contains(share));
        Self { confidence, margin, icc, tolerance, margins }
    }

    /// The stricter of two: of two runs that declare different ones, neither must be judged by less than it promised.
    pub(super) fn stricter(self, other: Self) -> Self {
        let more = |a: f64, b: f64| a.total_cmp(&b).is_ge();
        let confidence =
            if more(self.confidence.get(), other.confidence.get()) { self } else { other }.confidence;
        let icc = if more(self.icc.get(), other.icc.get()) { self } else { other }.icc;
        let mut margins = self.margins;
        margins.iter_mut().zip(other.margins).for_each(|(margin, other)| *margin = margin.min(other));
        let tolerance = self.tolerance.zip(other.tolerance).map(|(a, b)| a.min(b));
        Self { confidence, margin: self.margin.min(other.margin), icc, tolerance, margins }
    }

    /// The margin by which the rates of this errno are judged.
    pub(super) fn margin_of(self, question: Question) -> f64 {
        let [ebadf, enoent, any_error] = self.margins;
        match question {
            Question::Ebadf => ebadf,
            Question::Enoent => enoent,
            Question::AnyError => any_error,
        }
    }

    /// All of them.
    pub(super) fn margins(self) -> BTreeMap<Question, f64> {
        Question::ALL.into_iter().zip(self.margins).collect()
    }

    pub(super) fn alpha(self) -> f64 {
        self.confidence.alpha()
    }
}
