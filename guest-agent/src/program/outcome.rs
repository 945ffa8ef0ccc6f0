//! A trial of a program that is over, and the outcome it came to.
//!
//! Holds the words, and the three columns of what the kernel, the C library and the program said. Must not count, and knows no witness.
//! Units: nanoseconds. Errors: none. Tests: below, and `tests/program`.

use rig_protocol::{Account, Errno, Program, ProgramTrial, Returned, Said, Tally, Witness};

use super::calls::{Calls, Made};

/// How the program itself ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// With this status.
    Exited(i32),
    /// By this signal; whether its memory was dumped.
    Killed(i32, bool),
    /// It had not when its time was up.
    Deadline,
}

impl Ended {
    /// In a word.
    pub(crate) fn word(self) -> String {
        match self {
            Self::Exited(status) => format!("exit={status}"),
            Self::Killed(signal, core) => {
                format!("{}{}", signal_name(signal), if core { "+core" } else { "" })
            }
            Self::Deadline => Tally::DEADLINE.to_owned(),
        }
    }
}

/// A trial of a program that is not void.
#[derive(Debug)]
pub(crate) struct Ran<'p> {
    /// Its calls, put into order.
    pub(crate) calls: Calls<'p>,
    /// How it ended.
    pub(crate) ended: Ended,
    /// What it said about its verdict call.
    pub(crate) said: Option<Said>,
    /// The end of what it wrote.
    pub(crate) output: String,
    /// When it was executed.
    pub(crate) begin_ns: u64,
    /// When its last process had ended.
    pub(crate) end_ns: u64,
    /// What its verdict call was to return, where this trial was drawn for that.
    pub(crate) drawn: Option<Errno>,
    /// How many of its connects were led to the peer.
    pub(crate) redirected: u64,
    /// The client's port, or 0.
    pub(crate) local_port: u16,
    /// What nobody sees happened in it.
    pub(crate) unseen: Vec<&'static str>,
    /// Events for which the kernel's buffers had no room.
    pub(crate) lost_events: u64,
    /// RST segments sent in a network of its own.
    pub(crate) own_resets: u64,
}

/// What a trial came to.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// In words.
    pub(crate) text: String,
    /// Which label is the verdict's, from 0.
    pub(crate) verdict: usize,
}

impl Ran<'_> {
    /// The verdict call, if it was made.
    pub(crate) fn verdict(&self) -> Option<&Made> {
        self.calls.verdict.as_ref()
    }

    /// What the verdict call returned, if it did.
    pub(crate) fn returned(&self) -> Option<i64> {
        self.verdict().and_then(|verdict| verdict.log.returned)
    }

    /// How it ended, in a word.
    pub(crate) fn end(&self) -> String {
        self.ended.word()
    }

    /// Its outcome: connects that failed, the verdict, the calls behind it, the end.
    pub(crate) fn outcome(&self, program: &Program) -> Outcome {
        let mut labels: Vec<String> = self.calls.refused().map(str::to_owned).collect();
        let verdict = labels.len();
        labels.push(self.verdict_label(program));
        labels.extend(self.calls.later().map(str::to_owned));
        labels.push(self.end());
        Outcome { text: labels.join(","), verdict }
    }

    fn verdict_label(&self, program: &Program) -> String {
        match self.verdict() {
            Some(verdict) if verdict.log.returned.is_some() => verdict.log.label.clone(),
            Some(_) if self.ended == Ended::Deadline => Tally::DEADLINE.to_owned(),
            Some(_) => Program::UNRETURNED.to_owned(),
            None if program.witness == Witness::None => Program::UNWATCHED.to_owned(),
            None => Program::UNCALLED.to_owned(),
        }
    }

    /// The three columns.
    pub(crate) fn account(&self) -> Account {
        Account {
            kernel: self.returned().map(Returned::of_raw),
            libc: self.verdict().and_then(|verdict| verdict.log.errno_after),
            libc_at_line: self.held(),
            spoke: self.said.is_some(),
            said_returned: self.said.as_ref().and_then(|said| said.returned),
            said_errno: self.said.as_ref().and_then(|said| said.errno),
            end: self.end(),
            injected: self.verdict().is_some_and(|verdict| verdict.log.injected),
            trials: 1,
        }
    }

    /// The C library's errno when the program wrote its line.
    pub(crate) fn held(&self) -> Option<Errno> {
        self.said.as_ref().and_then(|said| said.held)
    }

    /// The trial as a record keeps it.
    pub(crate) fn record(&self) -> ProgramTrial {
        let (calls, left_out) = self.calls.logs();
        ProgramTrial {
            begin_ns: self.begin_ns,
            end_ns: self.end_ns,
            end: self.end(),
            processes: self.calls.processes(),
            calls,
            left_out,
            said: self.said.clone(),
            output: self.output.clone(),
        }
    }
}

/// As signal(7) names those of x86-64.
fn signal_name(signal: i32) -> String {
    const NAMES: [&str; 31] = [
        "SIGHUP",
        "SIGINT",
        "SIGQUIT",
        "SIGILL",
        "SIGTRAP",
        "SIGABRT",
        "SIGBUS",
        "SIGFPE",
        "SIGKILL",
        "SIGUSR1",
        "SIGSEGV",
        "SIGUSR2",
        "SIGPIPE",
        "SIGALRM",
        "SIGTERM",
        "SIGSTKFLT",
        "SIGCHLD",
        "SIGCONT",
        "SIGSTOP",
        "SIGTSTP",
        "SIGTTIN",
        "SIGTTOU",
        "SIGURG",
        "SIGXCPU",
        "SIGXFSZ",
        "SIGVTALRM",
        "SIGPROF",
        "SIGWINCH",
        "SIGIO",
        "SIGPWR",
        "SIGSYS",
    ];
    let index = usize::try_from(signal).unwrap_or(0).wrapping_sub(1);
    NAMES.get(index).map_or_else(|| format!("signal={signal}"), |name| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_their_names() {
        assert_eq!(
            [1, 11, 15, 31, 40].map(signal_name),
            ["SIGHUP", "SIGSEGV", "SIGTERM", "SIGSYS", "signal=40"]
        );
    }
}
