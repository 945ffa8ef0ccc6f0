//! What a history keeps of a run: the counts of each block by what is watched, and what the run says of itself.
//!
//! Must not know other runs. Units: counts, nanoseconds, shares of 1. Errors: none. Tests: `tests/golden/history.rs`.

use std::collections::BTreeMap;

use rig_protocol::Tally;
use rig_stats::Count;
use sha2::{Digest, Sha256};

use super::alerts::unexpected;
use super::measured::{self, Measured};
use super::model::{Alert, Comparison, ControlSummary, ReportModel};
use super::rules::Rules;
use super::words::{Rounding, percent};
use super::{analyse, expectation, stopped};
use crate::matrix::CellId;
use crate::record::Run;
use crate::record::format::{BlockId, BlockRecord, Environment, PartRecord};

/// What is watched in every cell: errnos of the verdict call that its scenario does not expect, and outcomes that it does not.
pub const WATCHED: [&str; 4] = ["EBADF", "ENOENT", "any_error", OUTCOME];
const OUTCOME: &str = "outcome";

/// A run, as one night of a history.
#[derive(Debug, Clone, PartialEq)]
pub struct Night {
    /// Which machine it was played on; empty where its record does not say it.
    pub machine: String,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// When the last of its blocks ended: RFC 3339, UTC; empty where none tells it.
    pub ended: String,
    /// What may have changed since the night before, by its name.
    pub facts: BTreeMap<String, String>,
    /// Each cell of its plan that is no control.
    pub cells: Vec<CellNight>,
    /// SHA-256 of each attempt at a block that counts: the same block in another run is the same measurement.
    pub blocks: Vec<String>,
    /// What the run alone finds wrong.
    pub findings: Vec<Finding>,
    /// Rates over which an errno alerts, by its name or `any_error`: `[alert]` of the matrix.
    pub thresholds: BTreeMap<String, f64>,
    /// The intraclass correlation that was declared.
    pub icc: f64,
    /// Two-sided confidence of every interval.
    pub confidence: f64,
}

/// A cell in one night.
#[derive(Debug, Clone, PartialEq)]
pub struct CellNight {
    /// Its id.
    pub id: String,
    /// Name of its scenario.
    pub scenario: String,
    /// Name of its configuration.
    pub configuration: String,
    /// Value of the kernel axis.
    pub kernel: String,
    /// Name of its path.
    pub path: String,
    /// The scenario's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Whether it is bare metal.
    pub is_host: bool,
    /// Why it is known that its trials end otherwise, as the matrix says.
    pub known: Option<String>,
    /// Why it has no trial, if it has none.
    pub not_run: Option<String>,
    /// Number of trials that have an outcome.
    pub trials: u64,
    /// Void trials by reason.
    pub void_reasons: BTreeMap<String, u64>,
    /// What is watched in it, in the order of [`WATCHED`]; nothing in a race of the application's own threads, and in the second cell of an A/A pair.
    pub watched: Vec<Watched>,
    /// Median of the verdict call, in nanoseconds; none in a rehearsal.
    pub median_ns: Option<u64>,
}

/// One thing that is watched in a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Watched {
    /// Which: a word of [`WATCHED`].
    pub what: &'static str,
    /// Of each block that counts.
    pub blocks: Vec<Count>,
}

/// What a run alone finds wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which rule of a history it is for.
    pub kind: FindingKind,
    /// The cell; of a control, its cell.
    pub cell: String,
    /// Name of the errno or outcome, or of the control.
    pub what: String,
    /// One sentence.
    pub words: String,
}

/// The rule that a finding is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindingKind {
    /// A rate over its threshold.
    Rate,
    /// A guest that differs from bare metal.
    Difference,
    /// A control that failed.
    Control,
}

impl FindingKind {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rate => "rate",
            Self::Difference => "difference",
            Self::Control => "control_failed",
        }
    }
}

/// What a history keeps of this run: one night; of a run that was merged from several machines one for each of them, with the names that its cells have there.
pub fn nights(run: &Run) -> Vec<Night> {
    let rules = Rules::of(run);
    let model = analyse(run);
    let stopping = stopped::of(run);
    let measured = measured::measure(run, &stopping);
    let record = &run.record;
    let part = |machine: Option<&str>, environment: &Environment, started: &str| {
        let of = |cell: &&Measured<'_>| cell.cell().subject.machine.as_deref() == machine;
        let cells: Vec<&Measured<'_>> = measured.iter().filter(of).collect();
        let medians: BTreeMap<&str, u64> = model
            .cells
            .iter()
            .filter_map(|cell| Some((cell.id.as_str(), cell.latency_ns.get("call")?.p50)))
            .collect();
        let plain = cells.iter().filter(|cell| cell.cell().control.is_none());
        Night {
            machine: environment.machine.clone(),
            started: started.to_owned(),
            ended: model.run.ended.clone().unwrap_or_default(),
            facts: facts(run, environment),
            cells: plain.map(|cell| of_cell(cell, &medians, rules)).collect(),
            blocks: cells
                .iter()
                .flat_map(|cell| cell.blocks.iter().map(|block| digest(cell, block)))
                .collect(),
            findings: findings(&model).into_iter().filter_map(|found| on(found, machine)).collect(),
            thresholds: record.judgement.alert.clone(),
            icc: rules.icc.get(),
            confidence: rules.confidence.get(),
        }
    };
    let several = measured.iter().any(|cell| cell.cell().subject.machine.is_some());
    if !several {
        return vec![part(None, &record.environment, &record.started)];
    }
    let machines: BTreeMap<String, &PartRecord> =
        record.parts.iter().rev().map(|part| (part.machine(), part)).collect();
    machines.iter().map(|(name, of)| part(Some(name.as_str()), &of.environment, &of.started)).collect()
}

/// A finding in the names that a machine of several has, if it is one of that machine.
fn on(mut found: Finding, machine: Option<&str>) -> Option<Finding> {
    if let Some(machine) = machine {
        found.cell = found.cell.strip_suffix(&format!(".{machine}"))?.to_owned();
    }
    Some(found)
}

/// A name without the machine that it was given for.
fn without(name: &str, mark: char, cell: &Measured<'_>) -> String {
    let machine = cell.cell().subject.machine.as_deref().unwrap_or_default();
    name.strip_suffix(&format!("{mark}{machine}")).unwrap_or(name).to_owned()
}

/// Of what was measured, whatever the block is called, and without the machine in the name of its cell: in a run that was merged from several both have other names.
fn digest(cell: &Measured<'_>, block: &BlockRecord) -> String {
    let BlockRecord { started, elapsed_ns, tally, peer_tally, .. } = block;
    let id = CellId(without(&cell.cell().id.0, '.', cell));
    let mut same = BlockRecord::new(BlockId(String::new()), id, 0);
    (same.started, same.elapsed_ns) = (started.clone(), *elapsed_ns);
    (same.tally, same.peer_tally) = (tally.clone(), peer_tally.clone());
    let bytes = serde_json::to_vec(&same).expect("a block is plain data with string keys");
    format!("{:x}", Sha256::digest(bytes))
}

fn of_cell(cell: &Measured<'_>, medians: &BTreeMap<&str, u64>, rules: Rules) -> CellNight {
    let subject = &cell.cell().subject;
    let is_watched = cell.cell().alert && !cell.is_repeat() && cell.is_watched();
    let watched = WATCHED.into_iter().filter_map(|what| {
        let count = |tally: &Tally| count(cell, tally, what, rules);
        let blocks: Option<Vec<Count>> = cell.blocks.iter().map(|block| count(&block.tally)).collect();
        blocks.filter(|blocks| !blocks.is_empty()).map(|blocks| Watched { what, blocks })
    });
    CellNight {
        id: without(&cell.cell().id.0, '.', cell),
        scenario: subject.scenario.clone(),
        configuration: without(&subject.configuration.name, '@', cell),
        kernel: subject.kernel.clone(),
        path: subject.path.name.clone(),
        parameters: subject.parameters.clone(),
        is_host: cell.cell().is_baseline(),
        known: cell.cell().known.clone(),
        not_run: cell.not_run().map(|reason| reason.to_string()),
        trials: cell.tally.trials,
        void_reasons: cell.void_reasons.clone(),
        watched: if is_watched { watched.collect() } else { Vec::new() },
        median_ns: medians.get(cell.cell().id.0.as_str()).copied(),
    }
}

/// How often in a block it was so; nothing where the scenario expects no outcome in particular.
fn count(cell: &Measured<'_>, tally: &Tally, what: &str, rules: Rules) -> Option<Count> {
    if what == OUTCOME {
        let expected = &cell.cell().subject.script.expect;
        let judged = expectation::judge(expected, tally, rules.tolerance, rules.confidence, None)?;
        return Count::new(judged.unexpected, judged.n);
    }
    Count::new(unexpected(cell, tally, what), tally.returned_calls())
}

fn findings(model: &ReportModel) -> Vec<Finding> {
    let rate = |alert: &Alert| Finding {
        kind: FindingKind::Rate,
        cell: alert.cell.clone(),
        what: alert.errno.clone(),
        words: format!(
            "{} in {} of {} calls: more than {}, surely",
            alert.errno,
            alert.count,
            alert.n,
            percent(alert.threshold, Rounding::Nearest)
        ),
    };
    let differs = |one: &Comparison| Finding {
        kind: FindingKind::Difference,
        cell: one.cell.clone(),
        what: one.errno.key().to_owned(),
        words: format!(
            "{} {} than on bare metal: {} against {}",
            one.errno,
            if one.difference > 0.0 { "more often" } else { "less often" },
            percent(one.x2 as f64 / one.n2.max(1) as f64, Rounding::Nearest),
            percent(one.x1 as f64 / one.n1.max(1) as f64, Rounding::Nearest)
        ),
    };
    let control = |control: &ControlSummary| Finding {
        kind: FindingKind::Control,
        cell: control.cell.clone(),
        what: control.control.clone(),
        words: format!(
            "control {} of {} on {} failed: found in {} of {} trials",
            control.control, control.configuration, control.kernel, control.count, control.n
        ),
    };
    let mut all: Vec<Finding> = model.alerts.iter().map(rate).collect();
    let news = model.comparisons.iter().filter(|one| one.alert && one.verdict.is_difference());
    all.extend(news.map(differs));
    all.extend(model.controls.iter().filter(|control| control.failed()).map(control));
    all
}

/// What may have changed between two nights: what a record does not say is not in it.
fn facts(run: &Run, environment: &Environment) -> BTreeMap<String, String> {
    let record = &run.record;
    let host = &environment.host;
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    let number = |n: u64| if n == 0 { String::new() } else { n.to_string() };
    let mut facts: BTreeMap<String, String> = [
        ("accelerator of the host", environment.accelerator.clone()),
        ("QEMU", environment.qemu.clone()),
        ("SHA-256 of QEMU's file", short(&environment.qemu_sha256)),
        ("rig", record.rig_version.clone()),
        ("SHA-256 of the guest agent", short(&record.agent_build_id)),
        ("the host's kernel", host.kernel.clone()),
        ("CPU", host.cpu.clone()),
        ("number of CPUs", number(host.cpus.into())),
        ("memory in MiB", number(host.memory_mib)),
        ("hypervisor of the host", host.virtualized.clone()),
        ("clock source", host.clocksource.clone()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    for (name, image) in &record.images {
        facts.insert(format!("kernel {name}"), image.package.clone());
        facts.insert(format!("image of kernel {name}"), short(&image.digest));
    }
    facts.extend(environment.sysctls.iter().map(|(name, value)| (format!("sysctl {name}"), value.clone())));
    facts.retain(|_, value| !value.is_empty());
    facts
}
