//! From a recorded run to what its report says.
//!
//! Pure: tallies -> estimates -> comparisons -> hypothesis verdicts -> `ReportModel`. Must not know formats or terminals.
//! Units: shares of 1, nanoseconds. Errors: none of its own; the reader's.
//! Tests: `tests/golden/analysis.rs` (fixture runs), and the golden reports.

mod alerts;
mod alone;
mod anomalies;
mod atlas;
mod baseline;
mod blocks;
mod cautions;
mod comparisons;
mod controls;
mod correction;
mod counter_measures;
mod diagnostics;
mod evidence;
mod expectation;
mod fixes;
mod groups;
mod headline;
mod hypotheses;
mod judges;
mod kernels;
mod labels;
mod latencies;
mod locked;
mod machines;
mod measured;
mod misspelt;
pub mod model;
mod nightly;
mod order;
mod outcomes;
mod pooled;
mod programs;
mod rates;
mod replayed;
mod requests;
mod rules;
mod say;
mod seeds;
mod sentences;
mod sides;
mod sightings;
mod sources;
mod stopped;
mod summaries;
mod sweeps;
mod twins;
pub mod words;

use std::collections::BTreeMap;

use crate::record::Run;
use crate::record::format::{ImageRecord, PartRecord};

use blocks::Families;
use comparisons::Judging;
use model::{
    AaPair, CellPair, CellStatus, CellSummary, ControlStatus, ControlSummary, KernelFile, OutcomeComparison,
    PartSummary, Question, REPORT_FORMAT, REPORT_FORMAT_MINOR, ReportModel, RunSummary, Stopped,
};
use rules::Rules;
use summaries::Told;

pub use alone::{Played, sum_up};
pub use model::{LocaltimeFile, SightingKind};
pub use nightly::{CellNight, Finding, FindingKind, Night, WATCHED, Watched, nights};
pub use replayed::{Sides, replayed};
pub use requests::GivenUp;
pub use sides::{ComparisonError, compare_configurations, compare_runs};
pub use sightings::{Counted, Sighting, Sightings, sightings};

/// What a run says. Every number comes from the record and from nothing else: the same files give the same report anywhere.
pub fn analyse(run: &Run) -> ReportModel {
    let rules = Rules::of(run);
    let stopping = stopped::of(run);
    let measured = measured::measure(run, &stopping);
    let controls = controls::judge(&measured, rules);
    let sight = controls::Sight::from(&measured, &controls);
    let (seed, machines) = (run.record.seed, machines::gather(&measured));
    let (again, again_all) = twins::judge(seed, &measured, rules);
    let families =
        &Question::ALL.map(|question| Families::of(&measured, |tally| question.count(tally), rules));
    let told = Told { families, sight: &sight, stopping: &stopping, rules };
    let pairs = comparisons::pairs(&measured);
    let mut comparisons = comparisons::compare(seed, &pairs, &Judging::of_one_run(&told));
    twins::blind(again.as_ref(), &mut comparisons);
    let errno_sources = sources::gather(&measured);
    let mut sentences = sentences::compose(run, &measured, &sight, &comparisons, rules);
    sentences.extend(sources::sentences(&errno_sources));
    let programs = programs::gather(&measured, run.record.environment.rehearsed);
    sentences.extend(programs::sentences(&programs));
    let outcome_comparisons = outcomes::compare(seed, &pairs, &measured, again.as_slice(), rules);
    sentences.extend(outcomes::sentences(&outcome_comparisons, &comparisons));
    let cells = summaries::summarise_all(run, &measured, &told);
    sentences.extend(expectation::sentences(&cells));
    let kernels = kernels::compare(&measured, &cells, rules);
    let kernel_baseline = baseline::compare(run, &measured, again.as_ref(), &told);
    sentences.extend(kernel_baseline.iter().flat_map(|of| &of.kernels).map(|answer| answer.text.clone()));
    let atlas = atlas::gather(&measured, &cells, kernels.as_ref());
    sentences.extend(atlas.as_ref().map(model::Atlas::sentence));
    let cautions = cautions::collect(run, &measured, (&cells, &controls, &machines), rules);
    ReportModel {
        format: REPORT_FORMAT,
        format_minor: REPORT_FORMAT_MINOR,
        run: summary(run, rules),
        environment: run.record.environment.clone(),
        machines,
        controls,
        hypotheses: hypotheses::judge(run, &measured, &sight, again.as_ref(), rules),
        headlines: headline::judge(seed, &measured, &sight, again.as_ref(), rules),
        again,
        again_all,
        comparisons,
        outcome_comparisons,
        latency_comparisons: latencies::of_run(run, &pairs, rules),
        sweeps: sweeps::gather(&measured, rules),
        atlas,
        diagnostics: diagnostics::gather(&measured, &cells, run.record.environment.rehearsed),
        counter_measures: counter_measures::gather(&measured, &cells),
        kernels,
        kernel_baseline,
        cells,
        errno_sources,
        programs,
        sentences,
        locked: locked::compare(run, &measured),
        fixes: fixes::tell(&measured, rules),
        anomalies: anomalies::gather(run, &measured),
        alerts: alerts::fire(&run.record.judgement.alert, &measured, rules),
        cautions,
    }
}

/// Which run it was, and by what it is judged.
fn summary(run: &Run, rules: Rules) -> RunSummary {
    RunSummary {
        id: run.record.id.clone(),
        seed: run.record.seed,
        started: run.record.started.clone(),
        ended: summaries::ended(&run.blocks),
        rig_version: run.record.rig_version.clone(),
        complete: run.complete,
        stopped: run.stopped.clone(),
        shard: run.record.shard,
        parts: run.record.parts.iter().map(part).collect(),
        capture: run.record.conduct.capture,
        profile: run.record.profile.clone(),
        kernel_packages: packages(run),
        kernel_files: kernel_files(run),
        hardware: hardware(run),
        command_line: run.record.command_line.clone(),
        confidence: rules.confidence.get(),
        margin: rules.margin,
        margins: rules.margins(),
        icc: rules.icc.get(),
        stop: run.record.judgement.stop.clone(),
        baseline: run.record.judgement.baseline.as_ref().map(ToString::to_string),
        tolerance: rules.tolerance,
    }
}

/// A run that this one was merged from.
fn part(part: &PartRecord) -> PartSummary {
    PartSummary {
        id: part.id.clone(),
        shard: part.shard,
        seed: part.seed,
        started: part.started.clone(),
        complete: part.complete,
        machine: part.machine(),
        environment: part.environment.clone(),
    }
}

/// The package of each kernel that has an image.
fn packages(run: &Run) -> BTreeMap<String, String> {
    let images = run.record.images.iter().filter(|(_, image)| !image.package.is_empty());
    images.map(|(name, image)| (name.clone(), image.package.clone())).collect()
}

/// What configurations ask for.
fn hardware(run: &Run) -> BTreeMap<String, Vec<String>> {
    let cells = run.record.cells.iter().map(|record| &record.cell).filter(|cell| cell.repeats.is_none());
    let configurations = cells.map(|cell| &cell.subject.configuration);
    let told = configurations.map(|one| (one.name.clone(), one.target.told_hardware()));
    told.filter(|(_, told)| !told.is_empty()).collect()
}

/// What identifies each kernel of which the record says it.
fn kernel_files(run: &Run) -> BTreeMap<String, KernelFile> {
    let known = run.record.images.iter().filter(|(_, image)| !image.kernel_sha256.is_empty());
    let file = |image: &ImageRecord| KernelFile {
        sha256: image.kernel_sha256.clone(),
        config_sha256: image.config_sha256.clone(),
        own: image.own,
        git: image.git.clone(),
    };
    known.map(|(name, image)| (name.clone(), file(image))).collect()
}

/// How a run ends, for the exit code of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conclusion {
    /// Every cell that was not skipped has its trials, and its controls passed.
    Done,
    /// Some cells are short or blind, a control failed or had nothing to find, or the A/A pair differs.
    Short,
    /// An alert fired, or a comparison whose difference is news differs (of a guest with bare metal, or of a kernel with the baseline's), be it by less than its margin, or trials ended otherwise than a scenario expects,
    /// surely more of them than are tolerated.
    Alert,
}

/// Concludes. An alert or a difference outranks missing trials: it stands whatever else is missing, and it is what a reader must not miss.
/// Skipped cells are no shortage by themselves; who denies skips looks at the cells' status.
pub fn conclusion(model: &ReportModel) -> Conclusion {
    if !model.alerts.is_empty()
        || model.headlines.iter().any(|headline| headline.verdict.is_difference())
        || model.comparisons.iter().any(|comparison| comparison.alert && comparison.verdict.is_difference())
        || model.outcome_comparisons.iter().any(OutcomeComparison::is_news)
        || model.cells.iter().any(CellSummary::is_unexpected)
        || model.kernel_baseline.as_ref().is_some_and(|of| of.pairs.iter().any(CellPair::is_news))
    {
        return Conclusion::Alert;
    }
    let short = model.cells.iter().any(|cell| matches!(cell.status, CellStatus::Short | CellStatus::Blind));
    let unproven = |control: &ControlSummary| match control.status() {
        ControlStatus::Failed | ControlStatus::NotExercised => true,
        ControlStatus::Passed | ControlStatus::NotRun => false,
    };
    let differs = model.again.as_ref().is_some_and(AaPair::differs);
    if short || differs || model.controls.iter().any(unproven) {
        return Conclusion::Short;
    }
    Conclusion::Done
}

/// How a run ended, all in all: what its exit code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It came to its end, and this is the conclusion; or it was stopped early, which is [`Conclusion::Short`].
    Concluded(Conclusion),
    /// Somebody interrupted it.
    Interrupted,
}

impl Ending {
    /// The exit code of the contract (page `exit-codes`), without what is denied on a command line.
    pub fn code(self) -> u8 {
        match self {
            Self::Concluded(Conclusion::Done) => 0,
            Self::Concluded(Conclusion::Short) => 3,
            Self::Concluded(Conclusion::Alert) => 5,
            Self::Interrupted => 130,
        }
    }
}

/// How the run ended.
pub fn ending(model: &ReportModel) -> Ending {
    match model.run.stopped.as_deref().map(Stopped::of) {
        None => Ending::Concluded(conclusion(model)),
        Some(Stopped::Interrupted) => Ending::Interrupted,
        // What is there was judged: a difference stands whatever else is missing.
        Some(Stopped::PartsMissing) => Ending::Concluded(match conclusion(model) {
            Conclusion::Alert => Conclusion::Alert,
            Conclusion::Short | Conclusion::Done => Conclusion::Short,
        }),
        Some(Stopped::Deadline | Stopped::FailFast | Stopped::RecordFailed | Stopped::Other(_)) => {
            Ending::Concluded(Conclusion::Short)
        }
    }
}
