//! What a report says, before any format: the shape of `rig report RUN --format json` (contract, `format` 1).
//!
//! Add, don't rename: scripts rely on it. A field's comment is its description in the schema (`rig report --schema`) and its line in
//! `docs/record.md`. Reasons, cautions and questions are typed here and are words only in what is printed.
//! Must not know how a figure came about. Units: in the keys, shares of 1. Errors: none.
//! Tests: the golden reports (`tests/golden/shape.rs` holds the keys).

mod anomaly;
mod atlas;
mod baseline;
mod because;
mod caution;
mod cell_stop;
mod claim;
mod compared;
mod comparison;
mod control;
mod counter_measure;
mod diagnostic;
mod errno_seen;
mod expectation;
mod fix;
mod headline;
mod kernel;
mod latency;
mod locked;
mod machine;
mod order;
mod outcomes;
mod part;
mod place;
mod program;
mod question;
mod rate;
mod reason;
mod replay;
mod scenario_run;
mod stopped;
mod sweep;
mod twin;
mod written;

use std::collections::BTreeMap;

use rig_protocol::Returned;
use schemars::JsonSchema;
use serde::Serialize;

use crate::matrix::StopRule;
use crate::record::format::{CaptureWhen, Environment, Shard};

pub use anomaly::{Anomalies, Anomaly, AnomalyPacket};
pub use atlas::{Atlas, AtlasCell, AtlasPlace};
pub use baseline::{KernelAnswer, KernelBaseline};
pub use because::{Because, LeftOut, Missing, Why};
pub use caution::{Caution, CellName, EndCaution, PacketCaution, TrialCaution};
pub use cell_stop::CellStop;
pub use claim::{Bound, Hypothesis, HypothesisVerdict, PartFinding};
pub use compared::{
    AnswerLine, COMPARISON_FORMAT, COMPARISON_FORMAT_MINOR, CellPair, Change, ChangeKind,
    ComparisonConclusion, ErrnoDifference, LatencyDifference, OutcomesDifference, PairedCell, RunComparison,
    SideSummary, Sides, Uncompared, UncomparedCell, UnprovenControl,
};
pub use comparison::{Comparison, ComparisonVerdict};
pub use control::{ControlStatus, ControlSummary};
pub use counter_measure::{CounterMeasure, CounterMeasureFinding, CounterMeasureVariant};
pub use diagnostic::{Diagnostic, DiagnosticPlace, Disturbance};
pub use errno_seen::{ErrnoSeen, ErrnoSource, LocaltimeFile, SightingKind};
pub use expectation::{Expectation, ExpectationStatus, OutcomeCount};
pub use fix::Fix;
pub use headline::{GuestRate, Headline, Randomisation};
pub use kernel::{KernelComparisons, KernelDifference, KernelEnd, KernelFile};
pub use latency::{CutWaits, LatencyComparison, QuantileDifference};
pub use locked::{Deviation, Locked};
pub use machine::{InterfaceSummary, MachineEnd, MachineSummary};
pub use order::{NotCounted, NotCountedBecause, OrderSummary};
pub use outcomes::{BlockTest, OutcomeComparison, OutcomeDifference};
pub use part::PartSummary;
pub use place::{Ground, RanOn};
pub use program::{AccountReading, ProgramAccount, ProgramSummary};
pub use question::Question;
pub use rate::{Rate, UnseenBounds};
pub use reason::{
    Blindness, CellReason, ComparedCell, ComparedNames, ComparisonReason, ControlFailure, IdleRule, NotRun,
    Shortage, told,
};
pub use replay::{Replay, ReplayedTrial};
pub use scenario_run::{LaneText, ScenarioRun, ScenarioStatus};
pub use stopped::Stopped;
pub use sweep::{Sweep, SweepPoint, SweepSeries};
pub use twin::{AaPair, PairVerdict};
use written::{as_sentences, as_words};

/// Version of the report's shape (contract, `format`). Raised when a field goes, or gets another name or meaning: then readers of the older
/// shape would be misled.
pub const REPORT_FORMAT: u32 = 1;

/// How often fields, or words of a field, were added to that shape (`format_minor`). Raised by one in every release that adds some; back to 0 when
/// [`REPORT_FORMAT`] is raised. What readers know stays where it is and means what it meant.
pub const REPORT_FORMAT_MINOR: u32 = 10;

/// What a recorded run says: made from its files alone, and can be made again at any time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "Report of a run of rig")]
pub struct ReportModel {
    /// Major version of this shape: fields of it are not renamed, nor given another meaning.
    #[schemars(extend("const" = REPORT_FORMAT))]
    pub format: u32,
    /// Minor version of this shape: raised when fields are added. A reader ignores fields that it does not know.
    #[schemars(range(min = 1))]
    pub format_minor: u32,
    /// Which run it was, and by what it is judged.
    pub run: RunSummary,
    /// The host that it ran on, as recorded at its start.
    pub environment: Environment,
    /// What the machines of each configuration really were: QEMU, and the interfaces as their kernels show them.
    pub machines: Vec<MachineSummary>,
    /// Every cell of the plan, in the order of the plan; also those that were not run.
    pub cells: Vec<CellSummary>,
    /// Every control in every configuration and kernel of the plan.
    pub controls: Vec<ControlSummary>,
    /// What came of the A/A pair, one cell that is played twice under two names; absent where the plan has none. Of several pairs, which a merged run can have, the worst: it
    /// decides whether comparisons count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<AaPair>,
    /// All A/A pairs, where a merged run has several; absent otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub again_all: Vec<AaPair>,
    /// Every virtual cell against its bare-metal cell, three times: for EBADF, for ENOENT and for any errno.
    pub comparisons: Vec<Comparison>,
    /// Every virtual cell against its bare-metal cell by how their trials ended: outcome by outcome, and block by block.
    pub outcome_comparisons: Vec<OutcomeComparison>,
    /// How long the verdict call lasted in every virtual cell, beside its bare-metal cell: where both have times, and not all calls waited for their timeout. Empty in a rehearsal,
    /// whose times mean nothing.
    pub latency_comparisons: Vec<LatencyComparison>,
    /// Cells that differ in one delay only, as curves of the outcome that changes most along it; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sweeps: Vec<Sweep>,
    /// The pairs of a situation and a probe as one table; absent where the plan has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub atlas: Option<Atlas>,
    /// What each diagnostic of the production report sees of a RST, and what it disturbs, from the scenarios `look-*`; absent where the plan has none of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
    /// What each counter-measure of the production report detects, and after how long, from the scenarios `detect-*`, `loop-*`, `reconnect` and `connect-and-wait`;
    /// absent where the plan has none of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counter_measures: Vec<CounterMeasure>,
    /// What ends differently on two kernels; absent where no scenario was played on two in the same configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernels: Option<KernelComparisons>,
    /// Every cell on another kernel against the one on the kernel of `run.baseline`, by the rules for guests and bare metal; absent where the run has no baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_baseline: Option<KernelBaseline>,
    /// Every claim that a cell of the run names, and every claim of the reader's own, in the order of their ids. They are judged one by one: none is corrected for the others.
    pub hypotheses: Vec<Hypothesis>,
    /// What the run says of ENOENT and of EBADF over all cells of its base program, for each kind of guest; empty where no cell can stand for it.
    pub headlines: Vec<Headline>,
    /// Who set errno, place by place: the kernel's return, and what the C library's `errno` held after a failure, after a success and after localtime().
    pub errno_sources: Vec<ErrnoSource>,
    /// What the user's program did in every cell whose client is one: what the kernel said, what libc held, what the program said; absent where there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub programs: Vec<ProgramSummary>,
    /// One plain sentence per errno: physical against virtual, with bounds. Then one for each scenario, path and configuration whose trials end otherwise
    /// than on bare metal, one for each whose trials end otherwise than the scenario expects, one for each kernel beside the baseline's, and one of the atlas.
    pub sentences: Vec<String>,
    /// Whether the run was played as the plan that was written down before it says, and what deviates; absent where it was begun without one (`--lock`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked: Option<Locked>,
    /// How large a run must be to show that a fix works, for every EBADF and ENOENT that was seen in a cell that measures what the kernel does; absent where none was.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fixes: Vec<Fix>,
    /// Trials kept whole that ended as nothing expects, to look at step by step; absent where none was kept.
    #[serde(skip_serializing_if = "Anomalies::is_empty")]
    pub anomalies: Anomalies,
    /// Errnos that no scenario expects, surely above the rate that the matrix declares in `[alert]`.
    pub alerts: Vec<Alert>,
    /// What a reader must know before they believe a number, in plain sentences, the gravest first.
    #[serde(serialize_with = "as_sentences")]
    #[schemars(with = "Vec<String>")]
    pub cautions: Vec<Caution>,
}

/// An errno above its declared rate, in a cell whose scenario does not expect it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Alert {
    /// Id of the cell (`cells[].id`).
    pub cell: String,
    /// Name of its scenario.
    pub scenario: String,
    /// Name of its configuration.
    pub configuration: String,
    /// Value of the kernel axis: a kernel's name, or `host`.
    pub kernel: String,
    /// Name of the errno, or `any_error`.
    pub errno: String,
    /// Number of trials in which the verdict call returned -1 with it.
    pub count: u64,
    /// Number of trials whose verdict call returned.
    pub n: u64,
    /// Lower bound of `count / n`, a share of 1, at the confidence of the run.
    #[schemars(range(min = 0, max = 1))]
    pub low: f64,
    /// The share of 1 that `[alert]` of the matrix allows.
    pub threshold: f64,
    /// Whether these trials are in the cell's rates. False: they were seen in blocks that do not count (void, or stopped).
    pub counted: bool,
}

/// Which run it was, and by what it is judged.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RunSummary {
    /// Name of the run and of its folder: UTC date, UTC time and eight hex digits that were drawn.
    pub id: String,
    /// Seed of the order of the blocks and of every block's own seed.
    pub seed: u64,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// When the last of its recorded blocks ended, also of those that do not count: RFC 3339, UTC; absent where none tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Version of the rig that ran it.
    pub rig_version: String,
    /// Whether all blocks of the plan were played.
    pub complete: bool,
    /// Why it ended before they were: `interrupted`, `deadline`, `fail_fast`, `record_failed`; null where they were, and where the record does not say it (it was killed, still
    /// goes on, or has a format older than 2.2).
    pub stopped: Option<String>,
    /// Which part of its matrix it is (`--shard`); null for all of it.
    pub shard: Option<Shard>,
    /// The runs that it was merged from (`rig results merge`); absent where it was played as it is. `seed` and `command_line` are those of the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<PartSummary>,
    /// Which blocks' packets were to be kept (`--capture`).
    pub capture: CaptureWhen,
    /// Name of the profile of the matrix; empty where there was none.
    pub profile: String,
    /// The package and version of each kernel that has an image, by the name that cells have for it.
    pub kernel_packages: BTreeMap<String, String>,
    /// What identifies each kernel that has an image, by the name that cells have for it; absent in a report of records older than these.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub kernel_files: BTreeMap<String, KernelFile>,
    /// What of its hardware each configuration asks for by name, a part each (`device: packed=on`), as `rig matrix plan` says it; those that ask for nothing are left
    /// out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hardware: BTreeMap<String, Vec<String>>,
    /// The command that began the run, word by word.
    pub command_line: Vec<String>,
    /// Two-sided confidence of every interval, a share of 1.
    #[schemars(range(min = 0, max = 1))]
    pub confidence: f64,
    /// Two rates are "the same" where the interval of their difference lies within plus or minus this share of 1 and no difference is shown; declared
    /// before the run, for what has no margin of its own.
    pub margin: f64,
    /// The same for each errno that is compared: its own margin, or `margin` where none was declared for it.
    #[schemars(extend("required" = Question::ALL.map(Question::key)))]
    pub margins: BTreeMap<Question, f64>,
    /// The intraclass correlation of the trials of one block (a share of 1) that is assumed where nothing was seen: as declared, or 0.001 where the run declares
    /// none (format of the record older than 2.5).
    #[schemars(range(min = 0, max = 1))]
    pub icc: f64,
    /// When a cell needs no further block: the run's rule, as the record has it; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<StopRule>,
    /// The kernel that cells on the others are compared with, besides bare metal (`kernel:6.1`); absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// The share of a cell's trials (of 1) that may end as its scenario does not expect; null where the run declares none (format of the record older
    /// than 2.1): then no expectation is judged.
    pub tolerance: Option<f64>,
}

/// How a cell ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CellStatus {
    /// It has the trials that were asked for.
    Complete,
    /// It has fewer than were asked for.
    Short,
    /// It was not run: this host cannot.
    Skipped,
    /// No passing control proves that an errno would have been seen in its configuration: its zeros mean nothing.
    Blind,
}

/// One cell of the plan, with what was counted in the blocks of it that count.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CellSummary {
    /// Its id, as the record has it.
    pub id: String,
    /// Name of its scenario.
    pub scenario: String,
    /// Name of its configuration: where the client's kernel runs, and how its NIC is backed.
    pub configuration: String,
    /// Value of the kernel axis: a kernel's name, or `host`.
    pub kernel: String,
    /// `uname -r` as the agents reported it, several joined by `, `; empty where none spoke.
    pub kernel_release: String,
    /// Name of its path.
    pub path: String,
    /// The scenario's parameters with their values, as scenarios spell them; also those that were left at their defaults.
    pub parameters: BTreeMap<String, String>,
    /// What executed the targets of its blocks: `kvm`, `tcg`, or `none` for the host. Empty where no block counts.
    pub accelerators: Vec<String>,
    /// Whether a proxy ends TCP on the way: then the guest never meets the peer's reset.
    pub proxied: bool,
    /// How it ended.
    pub status: CellStatus,
    /// Why it is short, skipped or blind, in words; for a complete one whose path says that a fault does nothing, that it did nothing;
    /// otherwise empty.
    #[serde(serialize_with = "as_words")]
    #[schemars(with = "String")]
    pub reason: Option<CellReason>,
    /// What the host lacks for a skipped cell, in one word of `--deny-skips` (`vhost-net`); null for other cells, and where the record does not say it (formats before
    /// 2.2).
    pub lack: Option<String>,
    /// Number of trials that have an outcome.
    pub trials: u64,
    /// Number of trials that were asked for.
    pub trials_wanted: u64,
    /// Number of trials without an outcome, because the testbed failed; they are in no rate.
    pub void: u64,
    /// Number of void trials by reason; those of a void block have the reason `block: ...`.
    pub void_reasons: BTreeMap<String, u64>,
    /// Number of blocks that count.
    pub blocks: u32,
    /// When the first of those blocks began: RFC 3339, UTC; absent where none tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// How long those blocks took together, in nanoseconds: from the first namespace to the last teardown of each.
    pub elapsed_ns: u64,
    /// How the targets of those blocks came to life.
    pub origin: OriginCounts,
    /// Number of trials by what the verdict call's raw system call returned: `1`, `0`, or -1 and the errno's name, `-1/EBADF`. With `unreturned` they
    /// add up to `trials`.
    #[schemars(with = "BTreeMap<String, u64>")]
    pub returns: BTreeMap<Returned, u64>,
    /// Number of trials that their deadline cut before the verdict call had returned, or whose program made no such call: they have an outcome, and no return.
    pub unreturned: u64,
    /// Number of trials by outcome: the labels of the verdict call and of the steps that follow it, joined by commas; `NAME:ERRNO` of a step before
    /// the verdict call's return that failed; of a user's program at last how it ended.
    pub outcomes: BTreeMap<String, u64>,
    /// How many trials ended otherwise than the scenario expects; null where it expects nothing in particular.
    pub expectation: Option<Expectation>,
    /// Number of trials by what the peer's steps ended as; `unfinished` where the block ended first. Absent where no peer said anything.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub peer_outcomes: BTreeMap<String, u64>,
    /// The same as `expectation` of the peer's steps; null where the scenario expects nothing in particular of them.
    pub peer_expectation: Option<Expectation>,
    /// Number of trials in which TCP_INFO said CLOSE right before the verdict call: the RST had been processed.
    pub rst_before_call: u64,
    /// Number of trials by TCP state (`tcpi_state`) right before the verdict call and then by outcome, where the state could be read.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes_by_state: BTreeMap<String, BTreeMap<String, u64>>,
    /// Where errnos were seen: returned by the verdict call, or left in the C library's `errno` by something else.
    pub errno_seen: ErrnoSeen,
    /// How often the verdict call returned -1 with `EBADF`, with `ENOENT`, and with any errno (`any_error`).
    #[schemars(extend("required" = Question::ALL.map(Question::key)))]
    pub rates: BTreeMap<Question, Rate>,
    /// Quantiles of durations by what is timed: `call`, the verdict call, `trial`, a whole trial, and of a user's program `start`, from its execution to its first call on a socket; no keys for a rehearsed run, whose timings mean nothing.
    pub latency_ns: BTreeMap<String, Quantiles>,
    /// Number of trials whose outcome the scenario does not expect, or whose verdict call returned a -1 that it does not expect by name.
    pub anomalies: u64,
    /// Number of RST segments, of both directions, that the packet socket next to the target saw; null where nobody watched.
    pub witness_rsts: Option<u64>,
    /// Number of RST segments that the kernels of both ends say they sent (`Tcp.OutRsts` of /proc/net/snmp).
    pub kernel_rsts: u64,
    /// Which mechanism made which part of the path, and why that one; absent for a plain link.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mechanisms: Vec<String>,
    /// What the mechanisms of the path counted over these blocks, by the counter's name: what acted, and the rules of a packet filter
    /// even where they did not; absent where there is none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub path_counters: BTreeMap<String, u64>,
    /// Where in their blocks the rarer outcomes lie, trials with CLOSE before the call, and void ones; absent where there were none, and where the record does not tell (format 1; more than 2^26 trials in a block).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<OrderSummary>,
    /// When it stopped because the run's rule was met, and what is known of it then; absent where it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cell_stop: Option<CellStop>,
    /// What was seen in attempts at blocks that do not count, and is in no other figure; absent where there were none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_counted: Vec<NotCounted>,
    /// Files with the packets of these blocks (pcapng), under the run's folder; absent where none were kept.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<String>,
}

impl CellSummary {
    /// Whether surely more of its trials than are tolerated ended otherwise than its scenario expects, here or at the peer.
    pub fn is_unexpected(&self) -> bool {
        [&self.expectation, &self.peer_expectation].into_iter().flatten().any(Expectation::is_alert)
    }
}

/// Number of blocks by how their target came to life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OriginCounts {
    /// Guests that were booted from their kernel.
    pub cold: u32,
    /// Guests that were restored from a template.
    pub restored: u32,
    /// No guest: a namespace of the host.
    pub host: u32,
}

/// Quantiles of a duration in nanoseconds, as exact as the classes of the histogram behind them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Quantiles {
    /// Median, in nanoseconds.
    pub p50: u64,
    /// 90 of 100 are not longer, in nanoseconds.
    pub p90: u64,
    /// 99 of 100 are not longer, in nanoseconds.
    pub p99: u64,
    /// The longest, in nanoseconds.
    pub max: u64,
}
