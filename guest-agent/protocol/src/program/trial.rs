//! One trial of a program, kept whole: its calls in order, what it said, how it ended.
//!
//! Holds data only. Units: nanoseconds on the recording kernel's `CLOCK_MONOTONIC`. Errors: none. Tests: `guest-agent/tests/program`.

use serde::{Deserialize, Serialize};

use super::watched_call;
use crate::counts::is_printable_ascii;
use crate::{Errno, plain, plain_lines};

/// What a trial of a program was.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramTrial {
    /// When it was executed.
    pub begin_ns: u64,
    /// When its last process had ended.
    pub end_ns: u64,
    /// How the program itself ended: `exit=0`, `SIGSEGV`, `SIGSEGV+core`, `deadline`.
    pub end: String,
    /// Processes and threads, the first one included.
    pub processes: u32,
    /// The watched calls, in the order in which they began; at most [`ProgramTrial::MOST_CALLS`].
    pub calls: Vec<CallLog>,
    /// How many more there were.
    #[serde(default, skip_serializing_if = "crate::counts::is_zero")]
    pub left_out: u64,
    /// What it said about its verdict call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
    /// The end of what it wrote to standard output and error, together, lossy; at most [`ProgramTrial::MOST_OUTPUT_BYTES`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}

impl ProgramTrial {
    /// No record has more calls.
    pub const MOST_CALLS: usize = 256;
    /// No record has more output.
    pub const MOST_OUTPUT_BYTES: usize = 4096;
    /// No line that a program said is longer.
    pub const MOST_LINE_BYTES: usize = 512;
    /// No text about a call or an end is longer.
    const MOST_WORDS_BYTES: usize = 256;

    /// What no agent writes, if it is here: the guest is not trusted. Names nothing that the guest named.
    pub(crate) fn inconsistency(&self) -> Option<String> {
        // A byte that is no UTF-8 becomes three.
        let line = self.said.as_ref().map_or(0, |said| said.line.len());
        if self.output.len() > 3 * Self::MOST_OUTPUT_BYTES || line > 3 * Self::MOST_LINE_BYTES {
            return Some("a record of a program with more output than is kept".to_owned());
        }
        if self.calls.len() > Self::MOST_CALLS {
            return Some(format!(
                "a record of {} calls, where {} are possible",
                self.calls.len(),
                Self::MOST_CALLS
            ));
        }
        let words = self.calls.iter().flat_map(|call| [&call.about, &call.label]).chain([&self.end]);
        if words.into_iter().any(|word| word.len() > Self::MOST_WORDS_BYTES || !is_printable_ascii(word)) {
            return Some("a record of a program with words that no agent writes".to_owned());
        }
        if self.calls.iter().any(|call| watched_call(&call.call).is_none()) {
            return Some("a record with a call that nobody watches".to_owned());
        }
        None
    }

    /// With what it wrote as plain text: nothing of it paints a terminal.
    pub(crate) fn with_plain_text(mut self) -> Self {
        self.output = plain_lines(&self.output);
        self.said = self.said.map(|said| Said { line: plain(&said.line), ..said });
        self
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        let calls: usize = self
            .calls
            .iter()
            .map(|call| size_of::<CallLog>() + call.about.len() + 2 * call.label.len())
            .sum();
        size_of::<Self>() + calls + self.output.len() + self.said.as_ref().map_or(0, |said| said.line.len())
    }
}

/// One system call of a program, as its witness saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallLog {
    /// Which of the trial's processes and threads made it, in the order in which they came to be: the program is 0.
    #[serde(default, skip_serializing_if = "crate::counts::is_zero")]
    pub process: u32,
    /// Its name in the kernel: `pselect6`. [`watched_call`](crate::watched_call) has its row.
    pub call: String,
    /// Its arguments in words, as far as the witness could read them: `{conn1}, timeout 5s`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// Entry, as the witness noted it.
    pub begin_ns: u64,
    /// Return.
    pub end_ns: u64,
    /// The kernel's raw return value; `None` where it had not returned when the process ended.
    pub returned: Option<i64>,
    /// Its label, in the words of a scenario's steps: `readable`, `data`, `ECONNRESET`; empty where it had not returned.
    pub label: String,
    /// The C library's errno behind it, where it could be read. Behind a success it is what was there before; behind a failure what was there
    /// at the thread's next watched call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno_after: Option<Errno>,
    /// The descriptor that it was about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<i32>,
    /// The connection that it was about, from 1 in the order of connect() and accept().
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u32>,
    /// For the verdict call: `tcpi_state` of its first socket right before the call, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_before: Option<u8>,
    /// Whether it is the verdict call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verdict: bool,
    /// Whether the witness let it return an errno that the kernel did not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub injected: bool,
    /// Whether the witness led it to the peer's address.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub redirected: bool,
}

/// What a program said about its verdict call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The line, lossy, without its end; at most 512 bytes.
    pub line: String,
    /// The group `returned`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub returned: Option<i64>,
    /// The group `errno`: a number, a name, or strerror's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<Errno>,
    /// The C library's errno when it wrote that line, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Errno>,
}
