//! A trial kept whole, as it is stored: one line of `anomalies/<block>.<attempt>.jsonl`.
//!
//! Own shape, with words for the kernel's numbers; in memory it is a [`TrialRecord`]. Must not know why it was kept beyond what it says.
//! Units: nanoseconds on the recording kernel's `CLOCK_MONOTONIC`; never subtract times of two machines. Errors: a sentence. Tests: here.

use rig_protocol::{Readiness, StepLog, TrialRecord};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::program::KeptProgram;
use super::words::{errno_of, errno_word, state_of, state_word};

/// A trial kept whole: an anomaly, or one of the first examples of its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeptTrial {
    /// Index within the block, from 0.
    pub trial: u64,
    /// The outcome, or why it is void.
    pub outcome: String,
    /// Whether it is kept because the scenario does not expect it (or does not name the -1 of its verdict call).
    #[serde(default)]
    pub anomaly: bool,
    /// Whether it is void; then `outcome` is the reason.
    #[serde(default)]
    pub void: bool,
    /// The client's local port: joins this trial with packets and with the peer's. 0 where it has none.
    #[serde(default)]
    pub local_port: u16,
    /// The descriptor that the verdict step used, or -1.
    #[serde(default = "no_descriptor")]
    pub descriptor: i32,
    /// Every step that was played, in order of begin.
    #[serde(default)]
    pub steps: Vec<KeptStep>,
    /// What the user's program did, where the client is one; then there are no steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Box<KeptProgram>>,
}

fn no_descriptor() -> i32 {
    -1
}

/// What one step saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KeptStep {
    /// Index of the lane in the cell's script.
    pub lane: u16,
    /// Index of the step in the lane.
    pub step: u16,
    /// Begin of the call, `CLOCK_MONOTONIC` of the kernel it ran on.
    pub begin_ns: u64,
    /// End of the call.
    pub end_ns: u64,
    /// The kernel's raw return value, -errno for a failure. For `so_error`, `tcp_state` and `pending` the value that was read; for `sleep` the drawn length in
    /// nanoseconds; for `inject` 1 where this trial is injected.
    pub returned: i64,
    /// The C library's errno right after the step, by name; `none` for 0. After a success it is a stale one.
    #[serde(default = "no_errno")]
    pub errno_after: String,
    /// For a step that waits for readiness: what was ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// For `poll`, `epoll_wait` and the poll of an io_uring: the bits of all descriptors together, as poll(2) numbers them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<u32>,
    /// For a read: the first bytes, where they are text; what is not is replaced (U+FFFD).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// For the verdict step: the TCP state (`tcpi_state`) of its first socket right before the call, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_before: Option<String>,
    /// Whether the agent ended the step, because the trial had reached its deadline or the block was finished; `returned` is then what the
    /// interrupted call returned.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
}

fn no_errno() -> String {
    errno_word(rig_protocol::Errno(0))
}

/// Which of a call's descriptors were ready.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Ready {
    /// At least one descriptor of the read set.
    pub readable: bool,
    /// At least one of the write set.
    pub writable: bool,
    /// At least one of the exceptional set.
    pub exceptional: bool,
}

impl From<&TrialRecord> for KeptTrial {
    fn from(trial: &TrialRecord) -> Self {
        Self {
            trial: trial.trial,
            outcome: trial.outcome.clone(),
            anomaly: trial.anomaly,
            void: trial.void,
            local_port: trial.local_port,
            descriptor: trial.descriptor,
            steps: trial.steps.iter().map(KeptStep::from).collect(),
            program: trial.program.as_deref().map(|program| Box::new(program.into())),
        }
    }
}

impl From<&StepLog> for KeptStep {
    fn from(step: &StepLog) -> Self {
        let ready = |Readiness { readable, writable, exceptional }| Ready { readable, writable, exceptional };
        Self {
            lane: step.lane,
            step: step.step,
            begin_ns: step.begin_ns,
            end_ns: step.end_ns,
            returned: step.returned,
            errno_after: errno_word(step.errno_after),
            ready: step.ready.map(ready),
            events: step.events,
            data: step.data.clone(),
            state_before: step.state_before.map(state_word),
            cut: step.cut,
        }
    }
}

impl TryFrom<KeptTrial> for TrialRecord {
    type Error = String;

    fn try_from(trial: KeptTrial) -> Result<Self, String> {
        Ok(Self {
            trial: trial.trial,
            outcome: trial.outcome,
            anomaly: trial.anomaly,
            void: trial.void,
            local_port: trial.local_port,
            descriptor: trial.descriptor,
            steps: trial.steps.into_iter().map(StepLog::try_from).collect::<Result<_, String>>()?,
            program: trial.program.map(|kept| Ok::<_, String>(Box::new((*kept).try_into()?))).transpose()?,
        })
    }
}

impl TryFrom<KeptStep> for StepLog {
    type Error = String;

    fn try_from(step: KeptStep) -> Result<Self, String> {
        let ready = |Ready { readable, writable, exceptional }| Readiness { readable, writable, exceptional };
        Ok(Self {
            lane: step.lane,
            step: step.step,
            begin_ns: step.begin_ns,
            end_ns: step.end_ns,
            returned: step.returned,
            errno_after: errno_of(&step.errno_after)?,
            ready: step.ready.map(ready),
            events: step.events,
            data: step.data,
            state_before: step.state_before.map(|word| state_of(&word)).transpose()?,
            cut: step.cut,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rig_protocol::Errno;

    use super::*;

    prop_compose! {
        fn steps()(
            lane: u16, step: u16, begin_ns: u64, end_ns: u64, returned: i64, errno: i32,
            ready in proptest::option::of(any::<(bool, bool, bool)>()), events: Option<u32>,
            data in proptest::option::of(".{0,8}"), state_before: Option<u8>, cut: bool,
        ) -> StepLog {
            let ready = ready.map(|(readable, writable, exceptional)| Readiness { readable, writable, exceptional });
            StepLog { lane, step, begin_ns, end_ns, returned, errno_after: Errno(errno), ready, events, data, state_before, cut }
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_on_the_way_to_disk_and_back(
            (trial, outcome, anomaly, void) in any::<(u64, String, bool, bool)>(),
            (local_port, descriptor) in any::<(u16, i32)>(),
            steps in proptest::collection::vec(steps(), 0..4),
        ) {
            let trial = TrialRecord { trial, outcome, anomaly, void, local_port, descriptor, steps, program: None };
            let text = serde_json::to_string(&KeptTrial::from(&trial)).expect("plain data");
            let kept: KeptTrial = serde_json::from_str(&text).expect("its own words");
            prop_assert_eq!(TrialRecord::try_from(kept), Ok(trial));
        }
    }
}
