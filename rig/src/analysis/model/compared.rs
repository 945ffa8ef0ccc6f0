//! What a comparison of two runs says, or of two configurations of one run: the shape of `rig compare --format json`.
//!
//! Add, don't rename: scripts rely on it. "First" and "second" are the sides in the order in which they were asked for; a difference is second minus first.
//! Must not judge: `analysis/sides` does. Units: counts, shares of 1, nanoseconds in the keys. Errors: none. Tests: `tests/golden/compared.rs`.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use schemars::JsonSchema;
use serde::Serialize;

use super::{BlockTest, ComparisonVerdict, ControlStatus, CutWaits, OutcomeDifference, QuantileDifference};
use super::{Question, written::as_words};

/// Version of this shape: raised when a field goes, or gets another name or meaning.
pub const COMPARISON_FORMAT: u32 = 1;

/// How often fields, or words of a field, were added to it.
pub const COMPARISON_FORMAT_MINOR: u32 = 0;

/// Two runs, or two configurations of one run, compared cell by cell (`rig compare`): made from their files alone.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "Two runs of rig compared")]
pub struct RunComparison {
    /// Major version of this shape: fields of it are not renamed, nor given another meaning.
    #[schemars(extend("const" = COMPARISON_FORMAT))]
    pub format: u32,
    /// Minor version of this shape: raised when fields are added. A reader ignores fields that it does not know.
    pub format_minor: u32,
    /// What the two sides are.
    pub sides: Sides,
    /// The side that was named first.
    pub first: SideSummary,
    /// The side that was named second. A difference is second minus first.
    pub second: SideSummary,
    /// Two-sided confidence of every interval, a share of 1. Where two runs declare two, the higher one.
    #[schemars(range(min = 0, max = 1))]
    pub confidence: f64,
    /// Two shares are "the same" where the interval of their difference lies within plus or minus this share of 1 and no difference is shown. Where two runs declare two, the
    /// smaller one.
    pub margin: f64,
    /// The same for each errno that is compared.
    #[schemars(extend("required" = Question::ALL.map(Question::key)))]
    pub margins: BTreeMap<Question, f64>,
    /// The intraclass correlation of the trials of one block (a share of 1) that is assumed where nothing was seen. Where two runs declare two, the larger one.
    #[schemars(range(min = 0, max = 1))]
    pub icc: f64,
    /// What the comparison comes to: the exit code follows from it.
    pub conclusion: ComparisonConclusion,
    /// The answer in plain words, with its uncertainty: a line for each errno, for outcomes, for latencies, for what was not compared and for what changed around it.
    pub answer: Vec<AnswerLine>,
    /// What is not the same around the cells that are compared, as far as the records have it: kernels first.
    pub changes: Vec<Change>,
    /// Every pair of cells that is compared, in the order of the first run's plan.
    pub pairs: Vec<CellPair>,
    /// Every cell of the two sides that is not compared, and why. Controls are not among them: their answer is known.
    pub not_compared: Vec<UncomparedCell>,
    /// Controls of the machines and kernels of compared cells that have not passed.
    pub controls: Vec<UnprovenControl>,
    /// What a reader must know before they believe a number, in plain sentences, the gravest first.
    pub cautions: Vec<String>,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sides {
    /// Two runs: cells with the same scenario, parameters, path, configuration and kernel.
    Runs,
    /// Two configurations of one run: cells with the same scenario, parameters and path, and with the same kernel where both are guests.
    Configurations,
}

/// One side.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SideSummary {
    /// Name of the run.
    pub run: String,
    /// Name of the configuration; null where whole runs are compared.
    pub configuration: Option<String>,
    /// When the run began: RFC 3339, UTC.
    pub started: String,
    /// Seed of the order of its blocks and of every block's own seed.
    pub seed: u64,
    /// Version of the rig that ran it.
    pub rig_version: String,
    /// Name of the profile of its matrix; empty where there was none.
    pub profile: String,
    /// Whether all blocks of its plan were played.
    pub complete: bool,
    /// Whether it took place in an emulated KVM host: then its times mean nothing.
    pub rehearsed: bool,
    /// Number of cells of this side that are no control and no second time of an A/A pair.
    pub cells: u64,
    /// Whether its A/A pair differs: then no comparison counts. Null where it has none.
    pub again_differs: Option<bool>,
}

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComparisonConclusion {
    /// An errno or an outcome differs, and it is news. Exit code 5.
    Differs,
    /// No such difference is shown, and something is missing that could show one: nothing could be compared, a control has not passed, an A/A pair differs, or a run is not complete.
    /// Exit code 3.
    Short,
    /// No such difference is shown. Latencies and declared races may differ: they follow the machine's timing. Exit code 0.
    NoDifference,
}

/// A line of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AnswerLine {
    /// What it is about: an errno, `outcomes`, `latencies`, `compared`, `around`.
    pub about: String,
    /// The answer.
    pub text: String,
}

/// Something around the cells that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Change {
    /// Of what kind it is.
    pub kind: ChangeKind,
    /// What it is: `kernel 6.1`, `QEMU`, `sysctl net.ipv4.tcp_fin_timeout`.
    pub what: String,
    /// What it is on the first side.
    pub first: String,
    /// What it is on the second side.
    pub second: String,
}

impl Display for Change {
    /// `kernel 6.1: linux-image 6.1.190-1 -> linux-image 6.1.192-1`
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} -> {}", self.what, self.first, self.second)
    }
}

/// Of what kind a change is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// A guest's kernel: its package, its release, or the image around it.
    Kernel,
    /// What executes the guests: KVM or emulation.
    Accelerator,
    /// QEMU.
    Qemu,
    /// rig itself, or its agent.
    Rig,
    /// The host, its kernel among it.
    Host,
    /// A kernel setting of the host, or of a block.
    Sysctl,
    /// How blocks were played: trials at once, packets captured.
    Conduct,
    /// What is measured under the same name: a scenario's script, a path, the hardware of a configuration.
    Measured,
}

/// Two cells that are compared.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CellPair {
    /// Name of the scenario, the same in both.
    pub scenario: String,
    /// The scenario's parameters with their values, the same in both.
    pub parameters: BTreeMap<String, String>,
    /// Name of the path, the same in both.
    pub path: String,
    /// The cell of the first side.
    pub first: PairedCell,
    /// The cell of the second side.
    pub second: PairedCell,
    /// Whether it is a race of the application's own threads, whose rate follows the machine's timing: then a difference is no news.
    pub race: bool,
    /// Why it is known that the two configurations end otherwise, as the matrix says it: then a difference of outcomes is no news. Null where it says nothing, and of two runs.
    pub known: Option<String>,
    /// EBADF, ENOENT and any errno; empty where nobody watched the program of one of the two.
    pub errnos: Vec<ErrnoDifference>,
    /// How their trials ended.
    pub outcomes: OutcomesDifference,
    /// How long the verdict call lasted; null where one has no times, all calls waited for their timeout, or a run was a rehearsal.
    pub latency: Option<LatencyDifference>,
}

/// One of the two cells of a pair.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PairedCell {
    /// Its id.
    pub cell: String,
    /// Name of its configuration.
    pub configuration: String,
    /// Value of the kernel axis: a kernel's name, or `host`.
    pub kernel: String,
    /// `uname -r` as the agents reported it, several joined by `, `; empty where none spoke.
    pub kernel_release: String,
    /// What executed the targets of its blocks: `kvm`, `tcg`, or `none` for the host.
    pub accelerators: Vec<String>,
    /// Number of trials that have an outcome.
    pub trials: u64,
    /// Number of trials that were asked for.
    pub trials_wanted: u64,
    /// Number of trials without an outcome, because the testbed failed.
    pub void: u64,
    /// Number of blocks that count.
    pub blocks: u64,
}

/// How often the verdict call returned -1 with an errno, in both cells.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ErrnoDifference {
    /// Which errno.
    pub errno: Question,
    /// Rate of the second cell minus rate of the first, in shares of 1.
    #[schemars(range(min = -1, max = 1))]
    pub difference: f64,
    /// Number of trials of the first cell with the errno.
    pub x1: u64,
    /// Number of trials of the first cell whose verdict call returned.
    pub n1: u64,
    /// Number of blocks of the first cell that have such trials.
    pub blocks1: u64,
    /// Number of trials of the second cell with the errno.
    pub x2: u64,
    /// Number of trials of the second cell whose verdict call returned.
    pub n2: u64,
    /// Number of blocks of the second cell that have such trials.
    pub blocks2: u64,
    /// Lower bound of the difference at `confidence`, with the block as the unit: what is judged by.
    #[schemars(range(min = -1, max = 1))]
    pub low: f64,
    /// Upper bound of the difference.
    #[schemars(range(min = -1, max = 1))]
    pub high: f64,
    /// Lower bound of the difference at the level that is left when alpha is divided by `family`: the one to read of the largest of many.
    #[schemars(range(min = -1, max = 1))]
    pub low_corrected: f64,
    /// Upper bound of the difference at that level.
    #[schemars(range(min = -1, max = 1))]
    pub high_corrected: f64,
    /// Lower bound of the difference as if trials were independent.
    #[schemars(range(min = -1, max = 1))]
    pub trial_low: f64,
    /// Upper bound of the difference as if trials were independent.
    #[schemars(range(min = -1, max = 1))]
    pub trial_high: f64,
    /// How blocks are taken into account: as in `comparisons[].method` of a report.
    pub method: &'static str,
    /// Variance between blocks over that of independent trials, of all cells of this scenario and path; null where they do not tell it.
    pub dispersion: Option<f64>,
    /// Degrees of freedom of `dispersion` (Satterthwaite); null where there is none.
    pub freedom: Option<f64>,
    /// Fisher's exact test of equal rates, two-sided, as if trials were independent.
    #[schemars(range(min = 0, max = 1))]
    pub p_value: f64,
    /// Boschloo's exact test of the same.
    #[schemars(range(min = 0, max = 1))]
    pub p_boschloo: f64,
    /// Test of equal rates in which the block is the unit; never smaller than `p_value`.
    #[schemars(range(min = 0, max = 1))]
    pub p_blocks: f64,
    /// `p_blocks`, corrected over `family` (Tarone and Holm), and for an errno by name never smaller than that of any errno in this pair.
    #[schemars(range(min = 0, max = 1))]
    pub p_adjusted: f64,
    /// Number of comparisons that the correction counts.
    pub family: u64,
    /// Whether a cell of the two was stopped by its run's rule: then the bounds and `p_blocks` hold however often somebody looked. Absent where not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub at_every_look: bool,
    /// The smallest rise over the first cell's rate, a share of 1, that would have been shown with 80 % power; the smallest fall where there is no room for a rise; 1 for neither.
    #[schemars(range(min = 0, max = 1))]
    pub detectable: f64,
    /// The margin by which it is judged, a share of 1 (`margins`).
    pub margin: f64,
    /// What can be said.
    pub verdict: ComparisonVerdict,
    /// Where there are not enough trials: how many a side would show that the two are the same, were their rates equal; otherwise null, and where no number would.
    pub trials_needed: Option<u64>,
    /// Why nothing can be said, in words; otherwise empty.
    pub reason: String,
}

/// How the trials of both cells ended.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OutcomesDifference {
    /// Number of trials of the first cell that have an outcome.
    pub n1: u64,
    /// Number of trials of the second cell that have an outcome.
    pub n2: u64,
    /// Every outcome that was seen in one of the two, the largest difference first; beyond the 64 most frequent of both they are taken together as `others`.
    pub outcomes: Vec<OutcomeDifference>,
    /// Number of tests that the correction counts.
    pub family: u64,
    /// Whether the blocks of the two cells end alike as a whole; null where there are none.
    pub blocks: Option<BlockTest>,
    /// The outcome that decides the verdict; null where there is none.
    pub leading: Option<String>,
    /// The margin by which it is judged, a share of 1 (`margin`).
    pub margin: f64,
    /// What can be said: the verdict on the leading outcome.
    pub verdict: ComparisonVerdict,
    /// Where there are not enough trials: how many a side would show that the leading outcome is as frequent in both; otherwise null, and where no number would.
    pub trials_needed: Option<u64>,
    /// Why there is no result, in words; otherwise empty.
    pub reason: String,
}

impl OutcomesDifference {
    /// The outcome that decides the verdict.
    pub fn leader(&self) -> Option<&OutcomeDifference> {
        let leading = self.leading.as_ref()?;
        self.outcomes.iter().find(|one| one.outcome == *leading)
    }
}

/// How long the verdict call lasted in both cells. Blocks are the unit. A difference is no news: it may be one of the machine's load.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LatencyDifference {
    /// Number of calls of the first cell.
    pub n1: u64,
    /// Number of calls of the second cell.
    pub n2: u64,
    /// Number of blocks of the first cell that have such calls.
    pub blocks1: u64,
    /// Number of blocks of the second cell that have such calls.
    pub blocks2: u64,
    /// The median, and what nine in ten and 99 in 100 do not exceed.
    pub quantiles: Vec<QuantileDifference>,
    /// What the calls waited for, where a timeout ended some of them; absent where none was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<CutWaits>,
    /// Do the calls last equally long? As in `latency_comparisons[].p_value` of a report.
    #[schemars(range(min = 0, max = 1))]
    pub p_value: f64,
    /// So many blocks cannot have a smaller p-value, whatever their calls last.
    #[schemars(range(min = 0, max = 1))]
    pub smallest_p: f64,
    /// `p_value`, corrected over `family` (Tarone and Holm).
    #[schemars(range(min = 0, max = 1))]
    pub p_adjusted: f64,
    /// Number of comparisons of times that the correction counts.
    pub family: u64,
    /// Seed with which the labellings of the blocks were drawn, below 2^53; absent where none was drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// How it was made: as in `latency_comparisons[].method` of a report.
    pub method: &'static str,
    /// Whether a difference is shown: `p_adjusted` is at most what the confidence leaves.
    pub differs: bool,
    /// Whether there are too few blocks to show any.
    pub too_few: bool,
}

impl LatencyDifference {
    /// The difference of the medians.
    pub fn median(&self) -> Option<&QuantileDifference> {
        self.quantiles.iter().find(|one| one.quantile == 0.5)
    }
}

/// A cell that is not compared.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct UncomparedCell {
    /// Name of its scenario.
    pub scenario: String,
    /// The scenario's parameters with their values.
    pub parameters: BTreeMap<String, String>,
    /// Name of its path.
    pub path: String,
    /// Name of its configuration.
    pub configuration: String,
    /// Value of the kernel axis: a kernel's name, or `host`.
    pub kernel: String,
    /// Id of the cell of the first side; null where it has none.
    pub first: Option<String>,
    /// Id of the cell of the second side; null where it has none.
    pub second: Option<String>,
    /// Why.
    pub why: Uncompared,
    /// Why it was not run, or which blocks are the same, in words; otherwise empty.
    #[serde(serialize_with = "as_words")]
    #[schemars(with = "String")]
    pub reason: Option<String>,
}

/// Why a cell is not compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Uncompared {
    /// The second side has no such cell.
    OnlyInFirst,
    /// The first side has no such cell.
    OnlyInSecond,
    /// Both have it, and the first has no trial of it.
    NotRunInFirst,
    /// Both have it, and the second has no trial of it.
    NotRunInSecond,
    /// Both have it, and neither has a trial of it; the reason is that of the first.
    NotRunInBoth,
    /// Some of its blocks are the same in both runs: copies of one measurement are not independent.
    SameBlocks,
}

/// A control that has not passed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct UnprovenControl {
    /// `first` or `second`: whose control it is.
    pub side: &'static str,
    /// The control's name in the matrix.
    pub control: String,
    /// Name of the configuration in which it was played.
    pub configuration: String,
    /// Value of the kernel axis: a kernel's name, or `host`.
    pub kernel: String,
    /// What came of it.
    pub status: ControlStatus,
    /// Why it has not passed, in words.
    pub reason: String,
}

impl CellPair {
    /// Whether a difference of this pair is news: it is no race.
    pub fn is_alert(&self) -> bool {
        !self.race
    }

    /// Whether an errno or an outcome differs in a way that is news.
    pub fn is_news(&self) -> bool {
        let of_errnos = self.errnos.iter().any(|one| one.verdict.is_difference());
        let of_outcomes = self.known.is_none() && self.outcomes.verdict.is_difference();
        self.is_alert() && (of_errnos || of_outcomes)
    }

    /// `rst client_delay=1ms over plain in virtio-tap`, of two cells that differ in the kernel only.
    pub fn place_but_for_kernel(&self) -> String {
        format!("{} in {}", self.title(), self.second.configuration)
    }

    /// `rst client_delay=1ms over plain`
    fn title(&self) -> String {
        let parameters: String =
            self.parameters.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        format!("{}{parameters} over {}", self.scenario, self.path)
    }

    /// `rst client_delay=1ms over plain in virtio-tap 6.1`; of two configurations, whose names are said anyway, the kernels alone.
    pub fn place(&self, sides: Sides) -> String {
        let title = self.title();
        match sides {
            Sides::Runs => format!("{title} in {} {}", self.first.configuration, self.first.kernel),
            Sides::Configurations if self.first.kernel == self.second.kernel => {
                format!("{title} on {}", self.first.kernel)
            }
            Sides::Configurations => format!("{title} on {} and {}", self.first.kernel, self.second.kernel),
        }
    }
}

impl RunComparison {
    /// Whether a pair differs in anything, be it news or not.
    pub fn differs(&self) -> bool {
        let differs = |pair: &CellPair| {
            let of_errnos = pair.errnos.iter().any(|one| one.verdict.is_difference());
            of_errnos || pair.outcomes.verdict.is_difference()
        };
        self.has_other_latencies() || self.pairs.iter().any(differs)
    }

    /// Whether the verdict call lasts longer on one side in a pair.
    pub fn has_other_latencies(&self) -> bool {
        self.pairs.iter().filter_map(|pair| pair.latency.as_ref()).any(|one| one.differs)
    }

    /// What the first and the second side are called in a sentence: `the first run`, or a configuration's name.
    pub fn names(&self) -> [String; 2] {
        [(&self.first, "the first run"), (&self.second, "the second run")]
            .map(|(side, run)| side.configuration.clone().unwrap_or_else(|| run.to_owned()))
    }
}
