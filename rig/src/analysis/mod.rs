//! From a recorded run to what its report says.
//!
//! Pure: tallies -> estimates -> comparisons -> hypothesis verdicts -> `ReportModel`. Must not know formats or terminals.
//! Units: shares of 1, nanoseconds. Errors: none of its own; the reader's.
//! Tests: `tests/golden/analysis.rs` (fixture runs), and the golden reports.

mod alerts;
mod cautions;
mod cells;
mod claims;
mod comparisons;
mod controls;
mod hypotheses;
mod judges;
pub mod model;
mod sentences;
pub mod words;

pub use hypotheses::NO_JUDGE;

use rig_stats::Confidence;

use crate::record::Run;

use model::{CellStatus, ComparisonVerdict, ReportModel, RunSummary};

/// Version of the report's shape (contract, `format`).
pub const REPORT_FORMAT: u32 = 1;

/// What all modules of this room judge by: the run's own declaration.
#[derive(Debug, Clone, Copy)]
struct Rules {
    confidence: Confidence,
    margin: f64,
}

impl Rules {
    /// Where a record declares no usable confidence. [`cautions`] says so.
    const FALLBACK: f64 = 0.95;

    fn of(run: &Run) -> Self {
        let judgement = &run.record.judgement;
        let confidence = Confidence::new(judgement.confidence)
            .or(Confidence::new(Self::FALLBACK))
            .expect("the fallback is a confidence");
        Self { confidence, margin: judgement.margin.abs() }
    }

    fn alpha(self) -> f64 {
        self.confidence.alpha()
    }
}

/// What a run says. Every number comes from the record and from nothing else: the same files give the same report anywhere.
pub fn analyse(run: &Run) -> ReportModel {
    let rules = Rules::of(run);
    let measured = cells::measure(run);
    let controls = controls::judge(&measured, rules);
    let sight = controls::Sight::from(&measured, &controls);
    let comparisons = comparisons::compare(&measured, &sight, rules);
    let hypotheses = hypotheses::judge(run, &measured, &sight, &comparisons, rules);
    let sentences = sentences::compose(run, &measured, &sight, &comparisons, rules);
    let cells: Vec<_> = measured.iter().map(|cell| cells::summarise(run, cell, &sight, rules)).collect();
    let cautions = cautions::collect(run, &measured, &cells, &controls, rules);
    ReportModel {
        format: REPORT_FORMAT,
        run: RunSummary {
            id: run.record.id.clone(),
            seed: run.record.seed,
            started: run.record.started.clone(),
            rig_version: run.record.rig_version.clone(),
            complete: run.complete,
            profile: run.record.profile.clone(),
            command_line: run.record.command_line.clone(),
            confidence: rules.confidence.get(),
            margin: rules.margin,
        },
        environment: run.record.environment.clone(),
        cells,
        controls,
        comparisons,
        hypotheses,
        sentences,
        alerts: alerts::fire(&run.record.judgement.alert, &measured, rules),
        cautions,
    }
}

/// How a run ends, for the exit code of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// Every cell that was not skipped has its trials, and its controls passed.
    Done,
    /// Some cells are short or blind.
    Short,
    /// An alert fired, or a comparison whose difference is news differs.
    Alert,
}

/// Concludes. An alert or a difference outranks missing trials: it stands whatever else is missing, and it is what a reader must not miss.
/// Skipped cells are no shortage by themselves; who denies skips looks at the cells' status.
pub fn conclusion(model: &ReportModel) -> Conclusion {
    let news = |verdict| verdict == ComparisonVerdict::Differs;
    if !model.alerts.is_empty()
        || model.comparisons.iter().any(|comparison| comparison.alert && news(comparison.verdict))
    {
        return Conclusion::Alert;
    }
    let short = model.cells.iter().any(|cell| matches!(cell.status, CellStatus::Short | CellStatus::Blind));
    if short || model.controls.iter().any(|control| !control.passed && control.n > 0) {
        return Conclusion::Short;
    }
    Conclusion::Done
}
