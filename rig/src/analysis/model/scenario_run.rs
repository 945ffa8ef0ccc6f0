//! What one scenario, played once by itself, says: the shape of `rig scenario run --format json`.
//!
//! Fields that a cell of a report has, too, have its names and meanings. Add, don't rename: scripts rely on it.
//! Must not know how a figure came about. Units: in the keys, shares of 1, nanoseconds. Errors: none.
//! Tests: `tests/trouble/alone.rs`, against its schema.

use std::collections::BTreeMap;

use rig_protocol::Returned;
use schemars::JsonSchema;
use serde::Serialize;

use super::{ErrnoSeen, Expectation, ProgramSummary, Quantiles, Question, REPORT_FORMAT, Rate};
use crate::record::format::KeptTrial;

/// One scenario, played once in one place (`rig scenario run`). It is in no record, and it is compared with nothing.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "One scenario, played once by rig")]
pub struct ScenarioRun {
    /// Major version of this shape, the same as a report's: fields of it are not renamed, nor given another meaning.
    #[schemars(extend("const" = REPORT_FORMAT))]
    pub format: u32,
    /// Minor version of this shape, the same as a report's: raised when fields are added. A reader ignores fields that it does not know.
    #[schemars(range(min = 1))]
    pub format_minor: u32,
    /// Version of the rig that played it.
    pub rig_version: String,
    /// When it began: RFC 3339, UTC.
    pub started: String,
    /// From the first namespace to the last teardown, in nanoseconds.
    pub elapsed_ns: u64,
    /// Id of its cell: the same as in a matrix that has this scenario, these parameters, this configuration, kernel and path.
    pub id: String,
    /// Name of its scenario.
    pub scenario: String,
    /// The scenario's one-line title.
    pub title: String,
    /// The scenario's parameters with their values, as scenarios spell them; also those that were left at their defaults.
    pub parameters: BTreeMap<String, String>,
    /// Name of its configuration: where the client's kernel runs, and how its NIC is backed.
    pub configuration: String,
    /// The kernel's name, or `host`.
    pub kernel: String,
    /// `uname -r` as the client's agent reported it; empty where it did not speak.
    pub kernel_release: String,
    /// Name of its path.
    pub path: String,
    /// What executed the guest: `kvm`, `tcg` (then it was emulated), or `none` for the host; empty where the guest did not come up.
    pub accelerator: String,
    /// Why that one; empty for the host.
    pub accelerator_reason: String,
    /// From the start of the guest or of the host's agent to the agent's first word, in nanoseconds.
    pub boot_ns: u64,
    /// Whether a proxy ends TCP on the way: then the guest never meets the peer's reset.
    pub proxied: bool,
    /// Seed of every draw.
    pub seed: u64,
    /// Number of trials under way at once.
    pub in_flight: u32,
    /// How it ended.
    pub status: ScenarioStatus,
    /// Why it is void, in words; empty where it is not.
    pub reason: String,
    /// Number of trials that have an outcome.
    pub trials: u64,
    /// Number of trials that were asked for.
    pub trials_wanted: u64,
    /// Number of trials without an outcome, because the testbed failed; they are in no other count.
    pub void: u64,
    /// Number of void trials by reason.
    pub void_reasons: BTreeMap<String, u64>,
    /// Number of trials by what the verdict call's raw system call returned: `1`, `0`, or -1 and the errno's name, `-1/EBADF`. With `unreturned` they
    /// add up to `trials`.
    #[schemars(with = "BTreeMap<String, u64>")]
    pub returns: BTreeMap<Returned, u64>,
    /// Number of trials that their deadline cut before the verdict call had returned, or whose program made no such call: they have an outcome, and no return.
    pub unreturned: u64,
    /// Number of trials by outcome: the labels of the verdict call and of the steps that follow it, joined by commas; `NAME:ERRNO` of a step before
    /// the verdict call's return that failed.
    pub outcomes: BTreeMap<String, u64>,
    /// Number of trials by TCP state (`tcpi_state`) right before the verdict call, where it could be read.
    pub state_before: BTreeMap<String, u64>,
    /// The same trials by state and then by outcome.
    pub outcomes_by_state: BTreeMap<String, BTreeMap<String, u64>>,
    /// Number of trials in which TCP_INFO said CLOSE right before the verdict call: the RST had been processed.
    pub rst_before_call: u64,
    /// How many trials ended otherwise than the scenario expects; null where it expects nothing in particular.
    pub expectation: Option<Expectation>,
    /// Number of trials by what the peer's steps ended as; `unfinished` where the block ended first.
    pub peer_outcomes: BTreeMap<String, u64>,
    /// The same as `expectation` of the peer's steps; null where the scenario expects nothing in particular of them.
    pub peer_expectation: Option<Expectation>,
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
    /// Which mechanism made which part of the path, and why that one; empty for a plain link.
    pub mechanisms: Vec<String>,
    /// What the mechanisms of the path counted, by the counter's name: what acted, and the rules of a packet filter even where they did not.
    pub path_counters: BTreeMap<String, u64>,
    /// Files with the packets (pcapng), one for each end of the path, as paths that can be opened; empty without `--capture`.
    pub captures: Vec<String>,
    /// What the guest of a void block printed on its console; null otherwise.
    pub console: Option<String>,
    /// The scenario's lanes: what `lane` and `step` of a kept trial's steps name, both counted from 0.
    pub lanes: Vec<LaneText>,
    /// What the user's program did, where the client is one: what the kernel said, what libc held, what the program said; null otherwise.
    pub program: Option<ProgramSummary>,
    /// Trials kept whole: the first `--examples` of each outcome.
    pub kept: Vec<KeptTrial>,
}

impl ScenarioRun {
    /// Whether surely more trials than are tolerated ended otherwise than the scenario expects, here or at the peer.
    pub fn is_unexpected(&self) -> bool {
        [&self.expectation, &self.peer_expectation].into_iter().flatten().any(Expectation::is_alert)
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScenarioStatus {
    /// It has the trials that were asked for.
    Complete,
    /// Some of its trials are void.
    Short,
    /// Nothing of it counts: the testbed failed.
    Void,
}

/// A lane of a scenario, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LaneText {
    /// Its name.
    pub name: String,
    /// Its steps, a line each, as `rig scenario show` has them.
    pub steps: Vec<String>,
}
