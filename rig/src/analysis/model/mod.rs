//! What a report says, before any format: the shape of `rig report RUN --format json` (contract, `format` 1).
//!
//! Add, don't rename: scripts rely on it. Reasons, cautions and questions are typed here and are words only in what is printed.
//! Must not know how a figure came about. Units: in the keys, shares of 1. Errors: none.
//! Tests: the golden reports (`tests/golden/shape.rs` holds the keys).

mod because;
mod caution;
mod place;
mod question;
mod reason;

use std::collections::BTreeMap;
use std::fmt::Display;

use rig_protocol::{Errno, Returned};
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::record::format::Environment;

pub use because::{Because, Missing};
pub use caution::{Caution, CellName, EndCaution, PacketCaution, TrialCaution};
pub use place::{Ground, RanOn};
pub use question::Question;
pub use reason::{
    Blindness, CellReason, ComparedCell, ComparisonReason, ControlFailure, IdleRule, NotRun, Shortage, told,
};

/// A whole report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReportModel {
    /// Version of this shape.
    pub format: u32,
    /// ComparedCell run.
    pub run: RunSummary,
    /// Where it ran.
    pub environment: Environment,
    /// Every cell of the plan.
    pub cells: Vec<CellSummary>,
    /// Every control in every configuration.
    pub controls: Vec<ControlSummary>,
    /// Every virtual cell against its bare-metal cell, per errno.
    pub comparisons: Vec<Comparison>,
    /// Every claim that the run's cells test.
    pub hypotheses: Vec<Hypothesis>,
    /// One plain sentence per errno: physical against virtual, with bounds.
    pub sentences: Vec<String>,
    /// Errnos that no scenario expects, surely above the rate that the matrix declares.
    pub alerts: Vec<Alert>,
    /// What a reader must know before they believe a number, the gravest first.
    #[serde(serialize_with = "as_sentences")]
    pub cautions: Vec<Caution>,
}

/// An errno above its declared rate, in a cell whose scenario does not expect it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// Cell id.
    pub cell: String,
    /// Scenario.
    pub scenario: String,
    /// Configuration.
    pub configuration: String,
    /// Kernel axis value.
    pub kernel: String,
    /// `EBADF`, `ENOENT`, ... or `any_error`.
    pub errno: String,
    /// How often it was returned.
    pub count: u64,
    /// Of how many trials.
    pub n: u64,
    /// Lower bound of its rate.
    pub low: f64,
    /// Declared in `[alert]`.
    pub threshold: f64,
}

/// ComparedCell run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunSummary {
    /// Its id.
    pub id: String,
    /// Its seed.
    pub seed: u64,
    /// RFC 3339, UTC.
    pub started: String,
    /// Version of the rig that ran it.
    pub rig_version: String,
    /// Whether all blocks of the plan were played.
    pub complete: bool,
    /// Profile.
    pub profile: String,
    /// As typed.
    pub command_line: Vec<String>,
    /// Of every interval.
    pub confidence: f64,
    /// Declared equivalence margin of a difference of rates.
    pub margin: f64,
}

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CellStatus {
    /// It has its trials.
    Complete,
    /// It has fewer than were asked for.
    Short,
    /// Not run.
    Skipped,
    /// A positive control failed in its configuration: its zeros mean nothing.
    Blind,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CellSummary {
    /// Its id.
    pub id: String,
    /// Scenario.
    pub scenario: String,
    /// Configuration.
    pub configuration: String,
    /// Kernel axis value.
    pub kernel: String,
    /// `uname -r` as the agents reported it (empty where none spoke).
    pub kernel_release: String,
    /// Path.
    pub path: String,
    /// Resolved parameters.
    pub parameters: BTreeMap<String, String>,
    /// Accelerators that its blocks really used: `kvm`, `tcg`, `none`.
    pub accelerators: Vec<String>,
    /// Whether libslirp terminates TCP on the way.
    pub proxied: bool,
    /// How it ended.
    pub status: CellStatus,
    /// Why it is short, skipped or blind; for a complete one whose path says that a fault does nothing, that it did nothing.
    #[serde(serialize_with = "as_words")]
    pub reason: Option<CellReason>,
    /// Trials with an outcome.
    pub trials: u64,
    /// Trials asked for.
    pub trials_wanted: u64,
    /// Void trials.
    pub void: u64,
    /// By reason; void blocks appear as `block: reason`.
    pub void_reasons: BTreeMap<String, u64>,
    /// Blocks that count.
    pub blocks: u32,
    /// How the targets of those blocks came to life.
    pub origin: OriginCounts,
    /// The verdict call, raw system call.
    pub returns: BTreeMap<Returned, u64>,
    /// Verdict and what followed.
    pub outcomes: BTreeMap<String, u64>,
    /// Trials in which TCP_INFO said CLOSE before the call.
    pub rst_before_call: u64,
    /// By what is asked.
    pub rates: BTreeMap<Question, Rate>,
    /// Quantiles by what is timed; empty for a rehearsed run.
    pub latency_ns: BTreeMap<String, Quantiles>,
    /// Trials that the scenario does not expect, or with a verdict return of -1.
    pub anomalies: u64,
    /// RSTs that the witness saw next to the target; none where nobody watched.
    pub witness_rsts: Option<u64>,
    /// RSTs that the kernels of both ends say they sent (`Tcp.OutRsts`).
    pub kernel_rsts: u64,
    /// ComparedCell mechanism made what of the path, and why that one; empty for a plain link.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mechanisms: Vec<String>,
    /// What the mechanisms of the path counted over these blocks: what acted, and the rules of a packet filter even where they did not.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub path_counters: BTreeMap<String, u64>,
    /// Files with the packets of these blocks, under the run's folder.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<String>,
}

/// Blocks by origin.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OriginCounts {
    /// Booted from a kernel.
    pub cold: u32,
    /// Restored from a template.
    pub restored: u32,
    /// No guest.
    pub host: u32,
}

/// A share with its interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rate {
    /// How often.
    pub count: u64,
    /// Of how many.
    pub n: u64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Two-sided confidence.
    pub confidence: f64,
    /// `clopper-pearson`
    pub method: String,
}

/// Quantiles of a duration.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    /// Median.
    pub p50: u64,
    /// 90 of 100.
    pub p90: u64,
    /// 99 of 100.
    pub p99: u64,
    /// Largest.
    pub max: u64,
}

/// One control in one configuration (and kernel).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ControlSummary {
    /// Configuration.
    pub configuration: String,
    /// Kernel axis value.
    pub kernel: String,
    /// The control's name.
    pub control: String,
    /// Its cell.
    pub cell: String,
    /// What was looked for.
    #[serde(serialize_with = "as_name")]
    pub errno: Errno,
    /// Known rate.
    pub expected_rate: f64,
    /// How often it was seen.
    pub count: u64,
    /// Of how many trials.
    pub n: u64,
    /// `count / n`
    pub observed: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Why the expected rate lies outside of the bounds, or of the injected faults not each one was seen, or nothing was looked at;
    /// none where it passed. In a report: `passed` and `reason`.
    #[serde(flatten, serialize_with = "passed_and_reason")]
    pub failure: Option<ControlFailure>,
}

impl ControlSummary {
    /// Whether it has trials, and they are what is known of it.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }

    /// Whether it has trials, and they are not.
    pub fn failed(&self) -> bool {
        match &self.failure {
            Some(ControlFailure::Lost { .. } | ControlFailure::OutOfBounds { .. }) => true,
            Some(ControlFailure::NotRun(_)) | None => false,
        }
    }
}

/// One virtual cell against its bare-metal cell, for one errno.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Scenario.
    pub scenario: String,
    /// Path.
    pub path: String,
    /// Parameters.
    pub parameters: BTreeMap<String, String>,
    /// Kernel of the virtual cell.
    pub kernel: String,
    /// Cell id of the baseline.
    pub baseline: String,
    /// Name of the virtual configuration.
    pub configuration: String,
    /// Cell id of the virtual cell.
    pub cell: String,
    /// What is compared.
    pub errno: Question,
    /// Virtual rate minus bare-metal rate.
    pub difference: f64,
    /// Lower bound of the difference.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
    /// Exact, two-sided.
    pub p_value: f64,
    /// Holm, over all comparisons of the report.
    pub p_adjusted: f64,
    /// The smallest difference that these numbers of trials would have shown with 80 % power.
    pub detectable: f64,
    /// Whether a difference here is news: not in a race of the application's own threads, whose rate follows the machine's timing.
    pub alert: bool,
    /// The verdict.
    pub verdict: ComparisonVerdict,
    /// Why, where it was not run or is blind.
    #[serde(serialize_with = "as_words")]
    pub reason: Option<ComparisonReason>,
}

/// Verdict of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparisonVerdict {
    /// Both interval bounds inside the declared margin.
    SameWithinTheMargin,
    /// The interval excludes 0, and the corrected p-value says so too.
    Differs,
    /// Neither can be said.
    NotEnoughTrials,
    /// A control failed.
    Blind,
    /// With the reason.
    NotRun,
}

/// A claim.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hypothesis {
    /// `H01`
    pub id: String,
    /// What it claims.
    pub claim: String,
    /// What this run says.
    pub verdict: HypothesisVerdict,
    /// Why, in one sentence.
    #[serde(serialize_with = "as_name")]
    pub because: Because,
    /// The cells that test it.
    pub cells: Vec<String>,
}

/// Verdict of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HypothesisVerdict {
    /// What was measured is what the claim says.
    Supported,
    /// What was measured excludes what the claim says.
    Refuted,
    /// Neither.
    Undecided,
}

fn as_name<S: Serializer>(value: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// Empty where there is nothing to say.
fn as_words<S: Serializer>(reason: &Option<impl Display>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&told(reason))
}

fn as_sentences<S: Serializer>(all: &[impl Display], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(all.iter().map(ToString::to_string))
}

fn passed_and_reason<S: Serializer>(
    failure: &Option<ControlFailure>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut fields = serializer.serialize_struct("failure", 2)?;
    fields.serialize_field("passed", &failure.is_none())?;
    fields.serialize_field("reason", &told(failure))?;
    fields.end()
}
