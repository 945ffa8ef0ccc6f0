//! What one trial records.
//!
//! Holds the step log and the whole record of a trial, and what cannot be true of one ([`TrialRecord::inconsistency`]); no counting (that is
//! [`crate::Tally`]).
//! Units: nanoseconds on the recording kernel's `CLOCK_MONOTONIC`; never subtract times of two machines.
//! Errors: none; an errno is a value. Tests: below.

use serde::{Deserialize, Serialize};

use crate::counts::is_printable_ascii;
use crate::{Errno, ProgramTrial, Readiness, Script, Tally, plain};

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
    /// For `poll`, `epoll_wait` and the poll of an io_uring: the bits of all descriptors together, as poll(2) numbers them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<u32>,
    /// For `read`: the bytes, lossy, for the reader of an anomaly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// For the verdict step: `tcpi_state` of its first socket right before the call, where TCP_INFO could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_before: Option<u8>,
    /// Whether the agent ended this step, because the trial had reached its deadline or the block was finished. `returned` is then
    /// what the interrupted call returned (`-EINTR`, or a short count), which the connection had no part in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cut: bool,
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
    /// What the user's program did, where the client is one; it has no steps then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Box<ProgramTrial>>,
}

impl TrialRecord {
    /// A short key under which records are counted: the outcome, or `void: reason`.
    pub fn key(&self) -> String {
        if self.void { format!("{}{}", Tally::VOID_PREFIX, self.outcome) } else { self.outcome.clone() }
    }
    /// Why no trial of `script` leaves this, if none does: the guest is not trusted. Names nothing that the guest named.
    pub fn inconsistency(&self, script: &Script) -> Option<String> {
        if let Some(program) = &self.program {
            let strange = if script.program.is_none() {
                Some("a record of a program, where there is none".to_owned())
            } else {
                program.inconsistency()
            };
            if strange.is_some() {
                return strange;
            }
        }
        let most = script.most_label_bytes();
        if self.outcome.len() > most {
            return Some(format!("a record's outcome of more than {most} bytes"));
        }
        if !is_printable_ascii(&self.outcome) {
            return Some("a record's outcome with something else than printable ASCII".to_owned());
        }
        let lanes = &script.lanes;
        let most: usize = lanes.iter().map(|lane| lane.steps.len()).sum();
        if self.steps.len() > most {
            return Some(format!("a record of {} steps, where {most} are possible", self.steps.len()));
        }
        let is_planned = |step: &StepLog| {
            lanes.get(usize::from(step.lane)).is_some_and(|lane| usize::from(step.step) < lane.steps.len())
        };
        let strange = self.steps.iter().find(|step| !is_planned(step))?;
        Some(format!(
            "a record with step {} of lane {}, which the script does not have",
            strange.step, strange.lane
        ))
    }

    /// With what its steps read as [`plain`] text: nothing of it paints a terminal or fills the memory.
    pub fn with_plain_data(mut self) -> Self {
        for step in &mut self.steps {
            step.data = step.data.take().map(|data| plain(&data));
        }
        self.program = self.program.map(|program| Box::new(program.with_plain_text()));
        self
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        let data: usize = self.steps.iter().filter_map(|step| step.data.as_ref()).map(String::len).sum();
        let program = self.program.as_ref().map_or(0, |program| program.bytes());
        size_of::<Self>() + self.outcome.len() + self.steps.len() * size_of::<StepLog>() + data + program
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lane, Op, Side, Step};

    fn script() -> Script {
        let steps = vec![Step::of(Op::Localtime {}); 2];
        let lane = Lane { name: "client".into(), side: Side::Target, steps };
        Script { name: "s".into(), lanes: vec![lane], ..Script::default() }
    }

    fn step(lane: u16, step: u16) -> StepLog {
        StepLog {
            lane,
            step,
            begin_ns: 1,
            end_ns: 2,
            returned: 4,
            errno_after: Errno(0),
            ready: None,
            events: None,
            data: None,
            state_before: None,
            cut: false,
        }
    }

    fn record(outcome: &str, steps: Vec<StepLog>) -> TrialRecord {
        TrialRecord {
            trial: 0,
            outcome: outcome.into(),
            anomaly: false,
            void: false,
            local_port: 1,
            descriptor: -1,
            steps,
            program: None,
        }
    }

    #[test]
    fn a_record_that_no_trial_of_the_script_leaves_is_told() {
        let wrong = |outcome: &str, steps: Vec<StepLog>| record(outcome, steps).inconsistency(&script());
        assert_eq!(wrong("readable", vec![step(0, 0), step(0, 1)]), None);
        let said = |words: &str| Some(words.to_owned());
        assert_eq!(wrong(&"x".repeat(513), vec![]), said("a record's outcome of more than 512 bytes"));
        assert_eq!(
            wrong("a\u{1b}[2J", vec![]),
            said("a record's outcome with something else than printable ASCII")
        );
        assert_eq!(wrong("x", vec![step(0, 0); 3]), said("a record of 3 steps, where 2 are possible"));
        assert_eq!(
            wrong("x", vec![step(0, 0), step(0, 2)]),
            said("a record with step 2 of lane 0, which the script does not have")
        );
        assert_eq!(
            wrong("x", vec![step(1, 0)]),
            said("a record with step 0 of lane 1, which the script does not have")
        );
    }

    #[test]
    fn what_a_step_read_is_one_short_line() {
        let data = format!("\u{1b}[2Jpong\n{}", "x".repeat(4 << 20));
        let read = record("data", vec![StepLog { data: Some(data), ..step(0, 0) }]).with_plain_data();
        let kept = read.steps[0].data.as_ref().expect("still there");
        assert!(kept.starts_with("\u{fffd}[2Jpong xxx") && kept.len() == crate::MOST_TEXT_BYTES, "{kept}");
        assert!(read.bytes() < 1_000, "{}", read.bytes());
    }
}
