//! What one trial records.
//!
//! Holds the step log and the whole record of a trial; no counting (that is [`crate::Tally`]).
//! Units: nanoseconds on the recording kernel's `CLOCK_MONOTONIC`; never subtract times of two machines.
//! Errors: none; an errno is a value.

use serde::{Deserialize, Serialize};

use crate::{Errno, Readiness, Tally};

/// What one step saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepLog {
    /// Index of the lane in the script.
    pub lane: u16,
    /// Index of the step in the lane.
    pub step: u16,
    /// Begin of the call.
    pub begin_ns: u64,
    /// End of the call.
    pub end_ns: u64,
    /// The kernel's raw return value: `-errno` on failure. For `so_error`, `tcp_state` and `pending` the value that was read;
    /// for `sleep`, the drawn length in nanoseconds; for `inject`, 1 where this trial is injected.
    pub returned: i64,
    /// The C library's errno right after the step. Meaningless where `returned >= 0` (then it is the *stale* errno, recorded
    /// because printing it after a success is one of the suspected causes).
    pub errno_after: Errno,
    /// For `select`: what was ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Readiness>,
    /// For `read`: the bytes, lossy, for the reader of an anomaly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// For the verdict step: `tcpi_state` of its first socket right before the call, where TCP_INFO could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_before: Option<u8>,
    /// Whether the agent ended this step, because the trial had reached its deadline or the block was finished. `returned` is then
    /// what the interrupted call returned (`-EINTR`, or a short count), which the connection had no part in.
    #[serde(default, skip_serializing_if = "is_false")]
    pub cut: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde's skip_serializing_if asks for"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}

impl StepLog {
    /// The errno that the kernel returned, if it returned one. A step that was cut has none: the interruption was the agent's.
    pub fn errno(&self) -> Option<Errno> {
        if self.cut { None } else { Errno::of_return(self.returned) }
    }
}

/// A trial kept whole: an anomaly, or one of the first examples of its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Index within the block, from 0.
    pub trial: u64,
    /// The outcome label, or the void's reason.
    pub outcome: String,
    /// Whether it is kept because the scenario does not expect it (see [`Tally::anomalies`]).
    pub anomaly: bool,
    /// Whether the trial is void (then `outcome` is the reason).
    pub void: bool,
    /// The client's local port: joins this record with packets and with the peer's record.
    pub local_port: u16,
    /// The descriptor number that the verdict step used, or -1.
    pub descriptor: i32,
    /// Every step that was played, in order of begin.
    pub steps: Vec<StepLog>,
}

impl TrialRecord {
    /// A short key under which records are counted: the outcome, or `void: reason`.
    pub fn key(&self) -> String {
        if self.void { format!("{}{}", Tally::VOID_PREFIX, self.outcome) } else { self.outcome.clone() }
    }
}
