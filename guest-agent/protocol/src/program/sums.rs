//! The sums of a block's trials of a program, beside those that every block has.
//!
//! Holds counts that add up ([`ProgramTally::absorb`]), and what cannot be true of them ([`ProgramTally::inconsistency`]).
//! Units: counts. Errors: none. Tests: below.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Errno, Returned};

/// The sums of a program's trials. Void ones are in none of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramTally {
    /// What the kernel returned, what the C library held and what the program said, together: at most [`ProgramTally::MOST_ACCOUNTS`] different
    /// ones, sorted.
    pub accounts: Vec<Account>,
    /// Trials whose account would have been one more.
    #[serde(default, skip_serializing_if = "crate::counts::is_zero")]
    pub other_accounts: u64,
    /// Trials by how the program ended: `exit=0`, `SIGSEGV`, `SIGSEGV+core`, `deadline`.
    pub ends: BTreeMap<String, u64>,
    /// Per call site: the n-th call of one name in one process or thread, `pselect6 2`, `[1] read 1`. At most [`ProgramTally::MOST_SITES`]; later ones are
    /// in none, as are sleeping and files, and reads, writes and closes of what is no socket.
    pub sites: BTreeMap<String, Site>,
    /// All watched calls by name, whether they are in a site or not.
    pub calls: BTreeMap<String, u64>,
    /// Trials in which something happened that the witness cannot see into, by its name: `io_uring`, `32-bit system calls`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unseen: BTreeMap<String, u64>,
    /// connect() calls that were led to the peer's address.
    #[serde(default, skip_serializing_if = "crate::counts::is_zero")]
    pub redirected: u64,
    /// Events that the tracepoint's buffers had no room for; then calls may be missing.
    #[serde(default, skip_serializing_if = "crate::counts::is_zero")]
    pub lost_events: u64,
    /// RST segments that trials with a network of their own sent (`Tcp.OutRsts` of each).
    #[serde(default, skip_serializing_if = "crate::counts::is_zero")]
    pub own_resets: u64,
}

/// What happened around the verdict call of some trials, in three columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Account {
    /// The kernel said: the verdict call's return; `None` where there was no such call, or nobody watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<Returned>,
    /// libc held: errno behind the call (after a success, the one from before), where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub libc: Option<Errno>,
    /// libc held: errno when the program wrote its line, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub libc_at_line: Option<Errno>,
    /// Whether the program said anything about the call.
    pub spoke: bool,
    /// The program said: a return.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_returned: Option<i64>,
    /// The program said: an errno.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_errno: Option<Errno>,
    /// How the program ended.
    pub end: String,
    /// Whether the witness let the call return an errno that the kernel did not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub injected: bool,
    /// In so many trials.
    pub trials: u64,
}

impl Account {
    /// Whether both are about the same, however many trials they have.
    pub fn is_like(&self, other: &Self) -> bool {
        Self { trials: 0, ..self.clone() } == Self { trials: 0, ..other.clone() }
    }
}

/// What happened at one call site.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Calls by label: `readable`, `EBADF`; `unreturned` where the process ended first.
    pub labels: BTreeMap<String, u64>,
}

impl ProgramTally {
    /// No block has more different accounts.
    pub const MOST_ACCOUNTS: usize = 256;
    /// No block has more call sites.
    pub const MOST_SITES: usize = 128;
    /// No site has more labels.
    pub const MOST_LABELS: usize = 64;

    /// Counts trials of this account.
    pub fn count(&mut self, account: Account) {
        match self.accounts.binary_search_by(|known| order(known, &account)) {
            Ok(at) => self.accounts[at].trials = self.accounts[at].trials.saturating_add(account.trials),
            Err(_) if self.accounts.len() >= Self::MOST_ACCOUNTS => {
                self.other_accounts = self.other_accounts.saturating_add(account.trials);
            }
            Err(at) => self.accounts.insert(at, account),
        }
    }

    /// Counts a call at its site.
    pub fn count_site(&mut self, site: &str, label: &str, calls: u64) {
        if !self.sites.contains_key(site) && self.sites.len() >= Self::MOST_SITES {
            return;
        }
        let labels = &mut self.sites.entry(site.to_owned()).or_default().labels;
        if labels.contains_key(label) || labels.len() < Self::MOST_LABELS {
            let sum = labels.entry(label.to_owned()).or_default();
            *sum = sum.saturating_add(calls);
        }
    }

    /// Adds the sums of another block of the same program.
    pub fn absorb(&mut self, other: &Self) {
        for account in &other.accounts {
            self.count(account.clone());
        }
        self.other_accounts = self.other_accounts.saturating_add(other.other_accounts);
        crate::counts::add(&mut self.ends, &other.ends);
        crate::counts::add(&mut self.calls, &other.calls);
        crate::counts::add(&mut self.unseen, &other.unseen);
        for (site, counts) in &other.sites {
            for (label, calls) in &counts.labels {
                self.count_site(site, label, *calls);
            }
        }
        self.redirected = self.redirected.saturating_add(other.redirected);
        self.lost_events = self.lost_events.saturating_add(other.lost_events);
        self.own_resets = self.own_resets.saturating_add(other.own_resets);
    }

    /// What cannot be true of `trials` trials, if something cannot: the guest is not trusted. Names nothing that the guest named.
    pub fn inconsistency(&self, trials: u64) -> Option<String> {
        let accounts =
            crate::counts::total(self.accounts.iter().map(|one| &one.trials).chain([&self.other_accounts]));
        if accounts != Some(trials) {
            return Some(format!("accounts of a program that do not add up to {trials} trials"));
        }
        if crate::counts::total(self.ends.values()) != Some(trials) {
            return Some(format!("ends of a program that do not add up to {trials} trials"));
        }
        if self.accounts.len() > Self::MOST_ACCOUNTS
            || !self.accounts.is_sorted_by(|a, b| order(a, b).is_lt())
        {
            return Some("accounts of a program that are too many, or twice there".to_owned());
        }
        if self.accounts.iter().any(|one| one.trials == 0) {
            return Some("an account of a program that was counted 0 times".to_owned());
        }
        let many = self.sites.len() > Self::MOST_SITES
            || self.sites.values().any(|site| site.labels.len() > Self::MOST_LABELS)
            || self.ends.len() > Self::MOST_SITES
            || self.calls.len() > super::watched_calls().len()
            || self.unseen.len() > Self::MOST_SITES;
        if many {
            return Some("more kinds of calls or ends than a program's trials have".to_owned());
        }
        let words = self
            .accounts
            .iter()
            .map(|one| &one.end)
            .chain(self.ends.keys())
            .chain(self.sites.keys())
            .chain(self.sites.values().flat_map(|site| site.labels.keys()))
            .chain(self.unseen.keys());
        if !words.into_iter().all(|word| word.len() <= 64 && crate::counts::is_printable_ascii(word)) {
            return Some("a word about a program's trials that no agent writes".to_owned());
        }
        if !self.calls.keys().all(|name| super::watched_call(name).is_some()) {
            return Some("calls of a program that nobody watches".to_owned());
        }
        None
    }
}

/// By everything but the count.
fn order(a: &Account, b: &Account) -> std::cmp::Ordering {
    let key = |one: &Account| Account { trials: 0, ..one.clone() };
    key(a).cmp(&key(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(kernel: i64, said: i32, trials: u64) -> Account {
        Account {
            kernel: Some(Returned::of_raw(kernel)),
            spoke: true,
            said_errno: Some(Errno(said)),
            end: "exit=0".into(),
            trials,
            ..Account::default()
        }
    }

    fn tally(accounts: &[(i64, i32, u64)]) -> ProgramTally {
        let mut tally = ProgramTally::default();
        for (kernel, said, trials) in accounts {
            tally.count(account(*kernel, *said, *trials));
            *tally.ends.entry("exit=0".into()).or_default() += trials;
        }
        tally
    }

    #[test]
    fn blocks_add_up_whatever_their_order() {
        let (a, b) = (tally(&[(1, 2, 3), (1, 0, 4)]), tally(&[(-9, 2, 1), (1, 2, 5)]));
        let (mut ab, mut ba) = (a.clone(), b.clone());
        ab.absorb(&b);
        ba.absorb(&a);
        assert_eq!(ab, ba);
        assert_eq!(ab.accounts.iter().map(|one| one.trials).sum::<u64>(), 13);
        assert_eq!(ab.inconsistency(13), None);
        assert!(ab.inconsistency(12).is_some());
    }

    #[test]
    fn what_no_agent_writes_is_found() {
        let good = tally(&[(1, 2, 3), (1, 0, 4)]);
        assert_eq!(good.inconsistency(7), None);
        let changed = |change: fn(&mut ProgramTally)| {
            let mut tally = good.clone();
            change(&mut tally);
            tally.inconsistency(7)
        };
        for change in [
            (|tally| tally.accounts.reverse()) as fn(&mut ProgramTally),
            |tally| tally.accounts[0].end = "\u{7}".into(),
            |tally| tally.other_accounts = 1,
            |tally| tally.ends.clear(),
            |tally| {
                tally.calls.insert("teleport".into(), 1);
            },
            |tally| {
                tally.unseen.insert("x".repeat(99), 1);
            },
        ] {
            assert!(changed(change).is_some());
        }
    }

    #[test]
    fn accounts_and_sites_stay_bounded() {
        let mut tally = ProgramTally::default();
        for said in 0..300 {
            tally.count(account(1, said, 1));
            tally.count_site(&format!("read {said}"), "data", 1);
        }
        assert_eq!((tally.accounts.len(), tally.other_accounts, tally.sites.len()), (256, 44, 128));
    }
}
