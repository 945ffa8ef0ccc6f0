//! What a user's program did as the client of a cell: what the kernel said, what libc held, what the program said.
//!
//! Plain data, and the one reading of an account ([`AccountReading::of`]). Must not know a cell.
//! Units: counts of trials; nanoseconds. Errors: none. Tests: here, `tests/golden/programs.rs`.

use std::collections::BTreeMap;

use rig_protocol::Account;
use schemars::JsonSchema;
use serde::Serialize;

use super::{LocaltimeFile, Quantiles};

/// The user's program in one cell.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ProgramSummary {
    /// Id of the cell.
    pub cell: String,
    /// Name of its scenario.
    pub scenario: String,
    /// Name of its configuration.
    pub configuration: String,
    /// Value of the kernel axis: a kernel's name, or `host`.
    pub kernel: String,
    /// Name of its path.
    pub path: String,
    /// The scenario's parameters with their values.
    pub parameters: BTreeMap<String, String>,
    /// The program and its arguments, as the user wrote them.
    pub command: Vec<String>,
    /// Whether the cell is a control: an errno is brought about on purpose.
    pub control: bool,
    /// Who recorded its calls: `ptrace`, `tracepoint` or `none`.
    pub witness: String,
    /// The system calls of which one is the verdict call.
    pub verdict_calls: Vec<String>,
    /// Which of them, from 1.
    pub verdict_nth: u32,
    /// Whether /etc/localtime was there.
    pub localtime_file: LocaltimeFile,
    /// The environment variable TZ; null where it was unset.
    pub timezone: Option<String>,
    /// Number of trials that have an outcome.
    pub trials: u64,
    /// Trials by what the kernel said, what libc held and what the program said, the most frequent first.
    pub accounts: Vec<ProgramAccount>,
    /// Number of trials whose account is none of those: there were too many different ones.
    pub other_accounts: u64,
    /// Number of trials by how the program ended: `exit=0`, `SIGSEGV`, `SIGSEGV+core`, `deadline`.
    pub ends: BTreeMap<String, u64>,
    /// Number of calls by call site (`pselect6 2`: the second of its process) and label.
    pub sites: BTreeMap<String, BTreeMap<String, u64>>,
    /// Number of all watched calls by name.
    pub calls: BTreeMap<String, u64>,
    /// Number of trials in which something happened that its witness cannot see into, by name: `io_uring`.
    pub unseen: BTreeMap<String, u64>,
    /// Number of connect() calls that were led to the peer's address.
    pub redirected: u64,
    /// Number of events for which the tracepoint's buffers had no room: calls may be missing.
    pub lost_events: u64,
    /// Number of RST segments that trials with a network of their own sent.
    pub own_resets: u64,
    /// Quantiles of durations: `start` (execution to the first call on a socket), `call` (the verdict call), `trial` (all of it); no keys for a rehearsed run.
    pub latency_ns: BTreeMap<String, Quantiles>,
}

/// Trials that agree in what the kernel said, what libc held and what the program said.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ProgramAccount {
    /// The kernel said: `1`, `0`, or -1 and the errno's name, `-1/EBADF`; null where there was no such call, or nobody watched.
    pub kernel: Option<String>,
    /// libc held: the errno's name behind the call (after a success, the one from before), `none` for 0; null where it could not be read.
    pub libc: Option<String>,
    /// libc held: the errno's name when the program wrote its line, `none` for 0; null where it could not be read.
    pub libc_at_line: Option<String>,
    /// The program said: a return; null where it said none.
    pub said: Option<i64>,
    /// The program said: an errno's name, `none` for 0; null where it said none.
    pub said_errno: Option<String>,
    /// How the program ended.
    pub end: String,
    /// Whether the call's errno was brought about on purpose.
    pub injected: bool,
    /// Number of trials.
    pub trials: u64,
    /// What that means.
    pub reading: AccountReading,
}

/// What an account means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AccountReading {
    /// The program said what the kernel returned.
    Agrees,
    /// The call succeeded, and the program said an errno: it is of another call, mostly an earlier one (errno(3)).
    Stale,
    /// The call failed, and the program said another errno: something in between set errno again.
    Overwritten,
    /// The program said another return than the kernel's.
    OtherReturn,
    /// The program said nothing about its call, or was not asked.
    Silent,
    /// The program was killed by a signal before it said anything.
    Killed,
    /// The program made no such call.
    Uncalled,
    /// Nobody watched: only the program's word is known.
    Unwatched,
}

impl AccountReading {
    /// The reading of an account; `watched`: whether somebody recorded the calls.
    pub fn of(account: &Account, watched: bool) -> Self {
        let signalled = account.end.starts_with("SIG");
        let Some(kernel) = account.kernel else {
            return match (watched, signalled && !account.spoke) {
                (_, true) => Self::Killed,
                (false, false) => Self::Unwatched,
                (true, false) => Self::Uncalled,
            };
        };
        if !account.spoke {
            return if signalled { Self::Killed } else { Self::Silent };
        }
        let said = account.said_errno.filter(|errno| errno.0 != 0);
        match (account.said_returned, kernel.errno) {
            (Some(value), _) if value != kernel.value => Self::OtherReturn,
            (_, None) if said.is_some() => Self::Stale,
            (_, Some(errno)) if account.said_errno.is_some_and(|said| said != errno) => Self::Overwritten,
            _ => Self::Agrees,
        }
    }

    /// In a few words, for a column.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Agrees => "agree",
            Self::Stale => "stale",
            Self::Overwritten => "overwritten",
            Self::OtherReturn => "other return",
            Self::Silent => "silent",
            Self::Killed => "killed",
            Self::Uncalled => "no call",
            Self::Unwatched => "unwatched",
        }
    }

    /// Whether a reader of the program's log would believe something that the kernel did not say.
    pub const fn misleads(self) -> bool {
        match self {
            Self::Stale | Self::Overwritten | Self::OtherReturn => true,
            Self::Agrees | Self::Silent | Self::Killed | Self::Uncalled | Self::Unwatched => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use rig_protocol::{Errno, Returned};

    use super::*;

    #[test]
    fn an_account_is_read_as_a_kernel_engineer_would() {
        use AccountReading::*;
        let account = |kernel: Option<i64>, spoke: Option<(Option<i64>, Option<i32>)>, end: &str| Account {
            kernel: kernel.map(Returned::of_raw),
            spoke: spoke.is_some(),
            said_returned: spoke.and_then(|(returned, _)| returned),
            said_errno: spoke.and_then(|(_, errno)| errno).map(Errno),
            end: end.to_owned(),
            ..Account::default()
        };
        for (kernel, spoke, end, reading) in [
            (Some(1), Some((Some(1), Some(0))), "exit=0", Agrees),
            (Some(1), Some((Some(1), Some(2))), "exit=0", Stale),
            (Some(1), Some((None, Some(2))), "exit=0", Stale),
            (Some(-9), Some((Some(-1), Some(9))), "exit=0", Agrees),
            (Some(-9), Some((Some(-1), Some(2))), "exit=0", Overwritten),
            (Some(-9), Some((None, Some(2))), "exit=0", Overwritten),
            // A printed 0 after a failure was overwritten, too.
            (Some(-9), Some((Some(-1), Some(0))), "exit=0", Overwritten),
            (Some(-9), Some((Some(-1), None)), "exit=0", Agrees),
            (Some(1), Some((Some(-1), Some(2))), "exit=0", OtherReturn),
            (Some(1), None, "exit=0", Silent),
            (Some(1), None, "SIGSEGV", Killed),
            (None, None, "SIGSEGV+core", Killed),
            (None, None, "exit=1", Uncalled),
        ] {
            assert_eq!(
                AccountReading::of(&account(kernel, spoke, end), true),
                reading,
                "{kernel:?} {spoke:?}"
            );
        }
        let unwatched = account(None, Some((Some(1), Some(2))), "exit=0");
        assert_eq!(AccountReading::of(&unwatched, false), Unwatched);
    }
}
