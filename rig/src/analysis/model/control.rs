//! What a report says of a control: what it should have found, what it found, and what that proves.
//!
//! Holds the summary and its status. Must not judge: `analysis/controls.rs` does.
//! Units: counts, shares of 1. Errors: none. Tests: `tests/golden/analysis.rs`, the golden reports.

use rig_protocol::Errno;
use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::reason::{ControlFailure, told};
use super::written::{ERRNO_NAME, as_name};

/// One control in one configuration and kernel.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ControlSummary {
    /// Name of the configuration in which it was played.
    pub configuration: String,
    /// Value of the kernel axis: a kernel's name, or `host`.
    pub kernel: String,
    /// The control's name in the matrix.
    pub control: String,
    /// Id of its cell (`cells[].id`).
    pub cell: String,
    /// Name of the errno that was looked for.
    #[serde(serialize_with = "as_name")]
    #[schemars(with = "String", regex(pattern = ERRNO_NAME))]
    pub errno: Errno,
    /// Share of the trials, from 0 to 1, in which the verdict call must return -1 with this errno; 0 for a negative control.
    #[schemars(range(min = 0, max = 1))]
    pub expected_rate: f64,
    /// Number of trials in which the verdict call returned -1 with it; for a negative control, with any errno.
    pub count: u64,
    /// Number of trials whose verdict call returned.
    pub n: u64,
    /// `count / n`, a share of 1; 0 where `n` is 0.
    #[schemars(range(min = 0, max = 1))]
    pub observed: f64,
    /// Lower bound of that share, at the confidence of the run (`run.confidence`).
    #[schemars(range(min = 0, max = 1))]
    pub low: f64,
    /// Upper bound of that share.
    #[schemars(range(min = 0, max = 1))]
    pub high: f64,
    /// The share of what was certainly there (injected, or done by its script in every trial) that is proven to be seen: the lower bound at the confidence of the run, by which upper
    /// bounds of this machine are divided. Null for a negative control, and where it is not known what was there.
    pub sensitivity: Option<f64>,
    /// Why it has not passed; none where it has. In a report: `status`, `passed` and `reason`.
    #[serde(flatten, serialize_with = "as_verdict")]
    #[schemars(with = "ControlVerdict")]
    pub failure: Option<ControlFailure>,
}

impl ControlSummary {
    /// What came of it.
    pub fn status(&self) -> ControlStatus {
        ControlStatus::of(self.failure.as_ref())
    }

    /// Whether it has trials, and they are what is known of it.
    pub fn passed(&self) -> bool {
        self.status() == ControlStatus::Passed
    }

    /// Whether it has trials with something to find, and they are not.
    pub fn failed(&self) -> bool {
        self.status() == ControlStatus::Failed
    }
}

/// What came of a control.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ControlStatus {
    /// What is known of it was found.
    Passed,
    /// Something else was found, or what was injected was not.
    Failed,
    /// It was played, and what it must find was in no trial or in too few: nothing is proven. Its configuration is as blind as without it.
    NotExercised,
    /// It has no trial.
    NotRun,
}

impl ControlStatus {
    fn of(failure: Option<&ControlFailure>) -> Self {
        match failure {
            None => Self::Passed,
            Some(
                ControlFailure::Lost { .. }
                | ControlFailure::OutOfBounds { .. }
                | ControlFailure::NotAsPlanned { .. }
                | ControlFailure::Invented { .. }
                | ControlFailure::OtherEnds { .. },
            ) => Self::Failed,
            Some(ControlFailure::NotExercised { .. }) => Self::NotExercised,
            Some(ControlFailure::NotRun(_)) => Self::NotRun,
        }
    }

    /// Passed or failed, for who asks only that.
    fn passed(self) -> Option<bool> {
        match self {
            Self::Passed => Some(true),
            Self::Failed => Some(false),
            Self::NotExercised | Self::NotRun => None,
        }
    }
}

/// The fields in which a report says what came of a control.
#[derive(Serialize, JsonSchema)]
struct ControlVerdict {
    /// What came of it.
    status: ControlStatus,
    /// True where it passed, false where it failed, null where nothing was found out (`not_exercised`, `not_run`).
    passed: Option<bool>,
    /// Why it has not passed, in words; empty where it has.
    reason: String,
}

fn as_verdict<S: Serializer>(failure: &Option<ControlFailure>, serializer: S) -> Result<S::Ok, S::Error> {
    let status = ControlStatus::of(failure.as_ref());
    ControlVerdict { status, passed: status.passed(), reason: told(failure) }.serialize(serializer)
}
