//! The sums of a block's trials of a program, as they are stored.
//!
//! Units: counts. Errors: a sentence. Tests: `program/tests.rs`.

use std::collections::BTreeMap;

use rig_protocol::{Account, ProgramTally, Returned, Site};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::format::words::{errno_if_any, errno_word};

/// The sums of a user's program in one block; void trials are in none of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ProgramSums {
    /// Trials by what the kernel returned, what the C library held and what the program said, together.
    accounts: Vec<AccountCount>,
    /// Trials whose account would have been one more than 256.
    other_accounts: u64,
    /// Trials by how the program ended: `exit=0`, `SIGSEGV`, `SIGSEGV+core`, `deadline`.
    ends: BTreeMap<String, u64>,
    /// The n-th call of one name by the same process, and its labels.
    sites: Vec<CallSite>,
    /// All watched calls by name.
    calls: BTreeMap<String, u64>,
    /// Trials in which something happened that the witness cannot see into, by its name: `io_uring`.
    unseen: BTreeMap<String, u64>,
    /// connect() calls that the witness led to the peer's address.
    redirected: u64,
    /// Events that the tracepoint's buffers had no room for; then calls may be missing.
    lost_events: u64,
    /// RST segments that trials with a network of their own sent.
    own_resets: u64,
}

/// Trials that agree in what the kernel returned, what the C library held and what the program said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct AccountCount {
    /// The kernel said: what the verdict call returned, as the C library returns it; null where there was no such call, or nobody watched.
    kernel: Option<i64>,
    /// The kernel said: the errno by name, where `kernel` is -1.
    kernel_errno: Option<String>,
    /// libc held: errno behind the verdict call (after a success, the one from before); null where it could not be read.
    libc: Option<String>,
    /// libc held: errno when the program wrote its line; null where it could not be read.
    libc_at_line: Option<String>,
    /// Whether the program said anything about its call.
    spoke: bool,
    /// The program said: a return; null where it did not.
    said: Option<i64>,
    /// The program said: an errno; null where it did not.
    said_errno: Option<String>,
    /// How the program ended.
    end: String,
    /// Whether the errno was brought about on purpose.
    injected: bool,
    /// In so many trials.
    trials: u64,
}

/// What happened at one call site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallSite {
    /// Name of the call, and which of that name in its process: `pselect6 2`.
    site: String,
    /// Calls by label.
    labels: BTreeMap<String, u64>,
}

impl From<&ProgramTally> for ProgramSums {
    fn from(tally: &ProgramTally) -> Self {
        let site =
            |(site, counts): (&String, &Site)| CallSite { site: site.clone(), labels: counts.labels.clone() };
        Self {
            accounts: tally.accounts.iter().map(AccountCount::from).collect(),
            other_accounts: tally.other_accounts,
            ends: tally.ends.clone(),
            sites: tally.sites.iter().map(site).collect(),
            calls: tally.calls.clone(),
            unseen: tally.unseen.clone(),
            redirected: tally.redirected,
            lost_events: tally.lost_events,
            own_resets: tally.own_resets,
        }
    }
}

impl From<&Account> for AccountCount {
    fn from(account: &Account) -> Self {
        Self {
            kernel: account.kernel.map(|returned| returned.value),
            kernel_errno: account.kernel.and_then(|returned| returned.errno).map(errno_word),
            libc: account.libc.map(errno_word),
            libc_at_line: account.libc_at_line.map(errno_word),
            spoke: account.spoke,
            said: account.said_returned,
            said_errno: account.said_errno.map(errno_word),
            end: account.end.clone(),
            injected: account.injected,
            trials: account.trials,
        }
    }
}

impl TryFrom<ProgramSums> for ProgramTally {
    type Error = String;

    fn try_from(sums: ProgramSums) -> Result<Self, String> {
        Ok(Self {
            accounts: sums.accounts.into_iter().map(Account::try_from).collect::<Result<_, String>>()?,
            other_accounts: sums.other_accounts,
            ends: sums.ends,
            sites: sums.sites.into_iter().map(|one| (one.site, Site { labels: one.labels })).collect(),
            calls: sums.calls,
            unseen: sums.unseen,
            redirected: sums.redirected,
            lost_events: sums.lost_events,
            own_resets: sums.own_resets,
        })
    }
}

impl TryFrom<AccountCount> for Account {
    type Error = String;

    fn try_from(account: AccountCount) -> Result<Self, String> {
        let kernel = match (account.kernel, errno_if_any(account.kernel_errno)?) {
            (Some(-1), Some(errno)) => Some(Returned::failed(errno)),
            (Some(value), None) => Some(Returned::value(value)),
            (None, None) => None,
            (_, Some(errno)) => return Err(format!("an account of a program with errno {errno} and no -1")),
        };
        Ok(Self {
            kernel,
            libc: errno_if_any(account.libc)?,
            libc_at_line: errno_if_any(account.libc_at_line)?,
            spoke: account.spoke,
            said_returned: account.said,
            said_errno: errno_if_any(account.said_errno)?,
            end: account.end,
            injected: account.injected,
            trials: account.trials,
        })
    }
}
