//! A trial of a program, kept whole, as it is stored.
//!
//! Units: nanoseconds on the recording kernel's `CLOCK_MONOTONIC`. Errors: a sentence. Tests: `program/tests.rs`.

use rig_protocol::{CallLog, ProgramTrial, Said};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::format::words::{errno_if_any, errno_word, state_of, state_word};

/// What a user's program did in one trial.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct KeptProgram {
    /// When it was executed.
    begin_ns: u64,
    /// When its last process had ended.
    end_ns: u64,
    /// How it ended: `exit=0`, `SIGSEGV`, `SIGSEGV+core`, `deadline`.
    end: String,
    /// Processes and threads, the first one included.
    processes: u32,
    /// Its watched calls, in the order in which they began.
    calls: Vec<KeptCall>,
    /// How many more there were.
    left_out: u64,
    /// What it said about its verdict call; null where it said nothing.
    said: Option<KeptWords>,
    /// The end of what it wrote; what is not text is replaced (U+FFFD).
    output: String,
}

/// A system call of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct KeptCall {
    /// Which of the trial's processes and threads made it; the program is 0.
    process: u32,
    /// Its name in the kernel.
    call: String,
    /// Its arguments in words, as far as the witness could read them.
    about: String,
    /// Entry, as the witness noted it.
    begin_ns: u64,
    /// Return.
    end_ns: u64,
    /// The kernel's raw return value, -errno for a failure; null where it had not returned when the process ended.
    returned: Option<i64>,
    /// Its label, as a scenario's step would have it.
    label: String,
    /// The C library's errno behind it by name, `none` for 0; null where it could not be read. After a success it is a stale one.
    errno_after: Option<String>,
    /// The descriptor that it was about; null where there is none.
    descriptor: Option<i32>,
    /// The connection that it was about, from 1 in the order of connect() and accept(); null where there is none.
    connection: Option<u32>,
    /// For the verdict call: the TCP state of its first socket right before it, where it could be read.
    state_before: Option<String>,
    /// Whether it is the verdict call.
    verdict: bool,
    /// Whether it returned an errno on purpose.
    injected: bool,
    /// Whether the witness led it to the peer's address.
    redirected: bool,
}

/// What a program said about its verdict call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct KeptWords {
    /// The line.
    line: String,
    /// The return in it; null where it has none.
    returned: Option<i64>,
    /// The errno in it by name, `none` for 0; null where it has none.
    errno: Option<String>,
    /// The C library's errno by name when it wrote that line; null where it could not be read.
    held: Option<String>,
}

impl From<&ProgramTrial> for KeptProgram {
    fn from(trial: &ProgramTrial) -> Self {
        let said = |said: &Said| KeptWords {
            line: said.line.clone(),
            returned: said.returned,
            errno: said.errno.map(errno_word),
            held: said.held.map(errno_word),
        };
        Self {
            begin_ns: trial.begin_ns,
            end_ns: trial.end_ns,
            end: trial.end.clone(),
            processes: trial.processes,
            calls: trial.calls.iter().map(KeptCall::from).collect(),
            left_out: trial.left_out,
            said: trial.said.as_ref().map(said),
            output: trial.output.clone(),
        }
    }
}

impl From<&CallLog> for KeptCall {
    fn from(call: &CallLog) -> Self {
        Self {
            process: call.process,
            call: call.call.clone(),
            about: call.about.clone(),
            begin_ns: call.begin_ns,
            end_ns: call.end_ns,
            returned: call.returned,
            label: call.label.clone(),
            errno_after: call.errno_after.map(errno_word),
            descriptor: call.descriptor,
            connection: call.connection,
            state_before: call.state_before.map(state_word),
            verdict: call.verdict,
            injected: call.injected,
            redirected: call.redirected,
        }
    }
}

impl TryFrom<KeptProgram> for ProgramTrial {
    type Error = String;

    fn try_from(kept: KeptProgram) -> Result<Self, String> {
        let said = |words: KeptWords| {
            let KeptWords { line, returned, errno: said, held } = words;
            Ok::<_, String>(Said { line, returned, errno: errno_if_any(said)?, held: errno_if_any(held)? })
        };
        Ok(Self {
            begin_ns: kept.begin_ns,
            end_ns: kept.end_ns,
            end: kept.end,
            processes: kept.processes,
            calls: kept.calls.into_iter().map(CallLog::try_from).collect::<Result<_, String>>()?,
            left_out: kept.left_out,
            said: kept.said.map(said).transpose()?,
            output: kept.output,
        })
    }
}

impl TryFrom<KeptCall> for CallLog {
    type Error = String;

    fn try_from(kept: KeptCall) -> Result<Self, String> {
        Ok(Self {
            process: kept.process,
            call: kept.call,
            about: kept.about,
            begin_ns: kept.begin_ns,
            end_ns: kept.end_ns,
            returned: kept.returned,
            label: kept.label,
            errno_after: errno_if_any(kept.errno_after)?,
            descriptor: kept.descriptor,
            connection: kept.connection,
            state_before: kept.state_before.map(|word| state_of(&word)).transpose()?,
            verdict: kept.verdict,
            injected: kept.injected,
            redirected: kept.redirected,
        })
    }
}
