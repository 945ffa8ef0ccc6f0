//! What a history says, before any format: the shape of `rig history --format json`.
//!
//! Add, don't rename: scripts rely on it. Must not know how a figure came about. Units: in the keys, shares of 1. Errors: none. Tests: `tests/golden/history.rs`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// Version of this shape. Raised when a field goes, or gets another name or meaning.
pub const HISTORY_FORMAT: u32 = 1;

/// How often fields were added to it.
pub const HISTORY_FORMAT_MINOR: u32 = 0;

/// What many nights say together.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "History of runs of rig")]
pub struct History {
    /// Major version of this shape.
    #[schemars(extend("const" = HISTORY_FORMAT))]
    pub format: u32,
    /// Minor version of this shape: raised when fields are added.
    pub format_minor: u32,
    /// Number of nights that count: runs of the folder, but for those that another one has too.
    pub nights_known: u64,
    /// The nights that are shown, oldest first; all of them are used.
    pub nights: Vec<NightSummary>,
    /// What is watched, and by which budget.
    pub watched: WatchedSummary,
    /// What asks for attention now, the gravest first; also what is known until a day.
    pub alerts: Vec<HistoryAlert>,
    /// What is watched, cell by cell.
    pub series: Vec<Series>,
    /// Cells that lose trials: where a part of the shown nights is void.
    pub flakes: Vec<Flake>,
    /// Cells whose verdict call lasts another time since some night; no alarm follows from it.
    pub latencies: Vec<LatencyStep>,
    /// The answer in plain sentences: what the last screen says.
    pub answer: Vec<String>,
    /// What a reader must know before they believe a number, in plain sentences.
    pub cautions: Vec<String>,
}

impl History {
    /// Whether anything asks for attention that is not known until a day.
    pub fn alerts(&self) -> bool {
        self.alerts.iter().any(|alert| alert.known.is_none())
    }
}

/// A night.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NightSummary {
    /// The run's id.
    pub run: String,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// Which machine; empty where its record does not say it.
    pub machine: String,
    /// Whether it was a rehearsal.
    pub rehearsed: bool,
    /// Its profile; empty where there was none.
    pub profile: String,
    /// Which part of its matrix it is: `2/3`; empty for all of it.
    pub shard: String,
    /// Whether all blocks of its plan were played.
    pub complete: bool,
    /// Number of its cells that are no controls.
    pub cells: u64,
    /// Number of trials in them that have an outcome.
    pub trials: u64,
    /// Number of void trials in them.
    pub void: u64,
    /// What is not as it was in the night before on this machine; empty for its first one.
    pub changes: Vec<FactChange>,
}

/// Something that changed between two nights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FactChange {
    /// What: `the host's kernel`, `QEMU`, `kernel 6.1`.
    pub what: String,
    /// What it was; empty where the night before does not say it.
    pub before: String,
    /// What it is; empty where this night does not say it.
    pub after: String,
}

/// What is watched.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WatchedSummary {
    /// Number of series: an errno or the unexpected outcomes of a cell on a machine.
    pub series: u64,
    /// Number of nights a year that the budget is for: 365, or what a machine played in the last 365 days if that is more.
    pub nights_per_year: u64,
    /// Number of false alarms a year that are accepted on the average over all series (`[alert]` of the matrix).
    pub false_alarms_per_year: u64,
    /// The evidence at which an alarm is raised: `series * nights_per_year / false_alarms_per_year`.
    pub evidence: f64,
}

/// Why something asks for attention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlertKind {
    /// A rate got worse, surely.
    Worse,
    /// A control of the newest night failed.
    ControlFailed,
    /// A rate of the newest night is over its threshold, in a cell.
    Rate,
    /// The same over all cells of a configuration.
    ConfigurationRate,
    /// A guest of the newest night differs from bare metal.
    Difference,
    /// A cell of the night before has no trial in the newest one.
    CellVanished,
    /// A kernel of the newest night is not that of the night before.
    KernelChanged,
}

/// Something that asks for attention.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct HistoryAlert {
    /// Why.
    pub kind: AlertKind,
    /// A name of its own, the same in every call: what is noticed once.
    pub key: String,
    /// Which machine.
    pub machine: String,
    /// Whether in a rehearsal.
    pub rehearsed: bool,
    /// The id of the cell; empty where it is about none.
    pub cell: String,
    /// Name of its scenario; empty where it is about no cell.
    pub scenario: String,
    /// Name of its configuration.
    pub configuration: String,
    /// Value of the kernel axis.
    pub kernel: String,
    /// Name of its path.
    pub path: String,
    /// The errno, `any_error`, `outcome`, or the control.
    pub what: String,
    /// The run with which it began, most likely.
    pub since: String,
    /// The run that made it sure.
    pub night: String,
    /// Whether that is the newest one of its machine.
    pub is_new: bool,
    /// One sentence.
    pub words: String,
    /// What changed with the night with which it began.
    pub changes: Vec<FactChange>,
    /// Why it raises no alarm, if it raises none.
    pub known: Option<KnownNow>,
}

/// An issue that is known (`[[known]]` of the matrix, or `known` of a cell).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct KnownNow {
    /// Why it raises no alarm.
    pub reason: String,
    /// Where more is written about it; empty where it is not said.
    pub link: String,
    /// The last day on which it raises none; null for `known` of a cell, which has no end.
    pub until: Option<String>,
}

/// One thing that is watched, night after night.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Series {
    /// The id of the cell.
    pub cell: String,
    /// Which machine.
    pub machine: String,
    /// Whether in a rehearsal.
    pub rehearsed: bool,
    /// Name of its scenario.
    pub scenario: String,
    /// The scenario's parameters.
    pub parameters: BTreeMap<String, String>,
    /// Name of its configuration.
    pub configuration: String,
    /// Value of the kernel axis.
    pub kernel: String,
    /// Name of its path.
    pub path: String,
    /// What is watched: an errno that its scenario does not expect (`EBADF`, `ENOENT`, `any_error`), or the outcomes that it does not (`outcome`).
    pub what: String,
    /// One character for each shown night: `.` it was in no trial, `o` in some, `X` in some since the step, `x` in none since the step, `-` the cell has no trial.
    pub strip: String,
    /// The shown nights in which the cell has trials, oldest first.
    pub nights: Vec<Point>,
    /// Number of nights in which it has trials, of all.
    pub nights_played: u64,
    /// In how many of their trials it was so, over all nights.
    pub count: u64,
    /// Number of those trials.
    pub n: u64,
    /// Where its rate last rose, surely; absent where it never did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepSummary>,
}

/// A night of a series.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Point {
    /// The run's id.
    pub run: String,
    /// In how many trials it was so.
    pub count: u64,
    /// Of how many.
    pub n: u64,
    /// Lower bound of the rate, a share of 1, at the confidence of the run: Clopper and Pearson's on counts over the design effect (Korn and Graubard).
    #[schemars(range(min = 0, max = 1))]
    pub low: f64,
    /// Upper bound of the rate.
    #[schemars(range(min = 0, max = 1))]
    pub high: f64,
    /// The intraclass correlation of the trials of a block that this night is judged by: the declared one, or what the nights before have shown if that is more.
    #[schemars(range(min = 0, max = 1))]
    pub icc: f64,
    /// By how many hits the nights until here ran ahead: the Bernoulli CUSUM (Reynolds and Stoumbos 1999) from the rate before the step, or of all nights, to its double. Null where
    /// it was never so, and where it was in half of the trials or more.
    pub cusum: Option<f64>,
}

/// A rate that rose.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StepSummary {
    /// The run with which it rose, most likely.
    pub since: String,
    /// The run that made it sure.
    pub alarm: String,
    /// The run with which it fell again, most likely, if that is as sure; null where it did not.
    pub until: Option<String>,
    /// In how many trials it was so before.
    pub count_before: u64,
    /// Of how many.
    pub n_before: u64,
    /// In how many trials it was so since, up to the fall.
    pub count_since: u64,
    /// Of how many.
    pub n_since: u64,
    /// Number of nights with trials since the alarm.
    pub nights_since_alarm: u64,
}

/// A cell that loses trials.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Flake {
    /// The id of the cell.
    pub cell: String,
    /// Which machine.
    pub machine: String,
    /// Whether in a rehearsal.
    pub rehearsed: bool,
    /// Name of its scenario.
    pub scenario: String,
    /// Name of its configuration.
    pub configuration: String,
    /// Value of the kernel axis.
    pub kernel: String,
    /// Name of its path.
    pub path: String,
    /// Number of void trials over all nights.
    pub void: u64,
    /// Number of trials, void ones too.
    pub n: u64,
    /// `void / n`, a share of 1.
    #[schemars(range(min = 0, max = 1))]
    pub share: f64,
    /// Number of nights in which trials were void.
    pub nights: u64,
    /// Of how many nights in which it was to be played.
    pub nights_played: u64,
    /// Number of void trials by reason, over all nights.
    pub reasons: BTreeMap<String, u64>,
    /// The first run in which trials were void.
    pub first: String,
    /// The last one.
    pub last: String,
}

/// A cell whose verdict call lasts another time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LatencyStep {
    /// The id of the cell.
    pub cell: String,
    /// Which machine.
    pub machine: String,
    /// Name of its scenario.
    pub scenario: String,
    /// Name of its configuration.
    pub configuration: String,
    /// Value of the kernel axis.
    pub kernel: String,
    /// Name of its path.
    pub path: String,
    /// The run since which it does, most likely.
    pub since: String,
    /// The median of the nights' medians before, in nanoseconds.
    pub before_ns: u64,
    /// The same since.
    pub after_ns: u64,
    /// How likely nights in any order show as much (Pettitt's test, by permutation); not corrected for the number of cells.
    #[schemars(range(min = 0, max = 1))]
    pub p_value: f64,
    /// What changed with that night.
    pub changes: Vec<FactChange>,
}
