//! Counts of many trials: what leaves the agent instead of millions of records.
//!
//! Holds sums and histograms that add up ([`Tally::absorb`]); no trial, no clock.
//! Units: counts; histograms in nanoseconds. Errors: none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Errno, Histogram};

/// `tcpi_state` as include/net/tcp_states.h numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TcpState(pub u8);

impl TcpState {
    /// TCP_CLOSE: where a received RST leaves the socket.
    pub const CLOSE: Self = Self(7);

    /// The kernel's name.
    pub fn name(self) -> &'static str {
        match self.0 {
            1 => "ESTABLISHED",
            2 => "SYN_SENT",
            3 => "SYN_RECV",
            4 => "FIN_WAIT1",
            5 => "FIN_WAIT2",
            6 => "TIME_WAIT",
            7 => "CLOSE",
            8 => "CLOSE_WAIT",
            9 => "LAST_ACK",
            10 => "LISTEN",
            11 => "CLOSING",
            12 => "NEW_SYN_RECV",
            _ => "unknown",
        }
    }
}

/// The sums of one side's trials in one block.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Trials with an outcome.
    pub trials: u64,
    /// Void trials by reason: never part of `trials`.
    pub voids: BTreeMap<String, u64>,
    /// The verdict call's raw return: `1`, `0`, `-1/EBADF`.
    pub returns: BTreeMap<String, u64>,
    /// Outcome labels. A peer's lane has one of two: `played`, or `unfinished` where `Finish` came first.
    pub outcomes: BTreeMap<String, u64>,
    /// Trials whose outcome the scenario does not expect, or whose verdict call returned -1.
    pub anomalies: u64,
    /// `tcpi_state` right before the verdict call.
    pub state_before: BTreeMap<u8, u64>,
    /// The C library's errno after a verdict call that returned >= 0.
    pub stale_errno: BTreeMap<Errno, u64>,
    /// The C library's errno after the `localtime` step: what a program prints that stamps its log line first.
    pub errno_after_localtime: BTreeMap<Errno, u64>,
    /// How many trials the seccomp filter was armed for, by errno: the truth of the positive control.
    pub injected: BTreeMap<Errno, u64>,
    /// `call` (the verdict call), `trial` (whole trial), in nanoseconds.
    pub latency: BTreeMap<String, Histogram>,
    /// Differences of the kernel's counters over the block, in the network namespace of this side: `Tcp.OutRsts`,
    /// `TcpExt.TCPAbortOnData`, ... (proc(5) /proc/net/snmp, /proc/net/netstat); zero differences are left out.
    /// `Agent.PeerStarved` is the agent's own: how often all of the peer's workers were busy, so that a connection may have
    /// waited for one.
    pub counters: BTreeMap<String, i64>,
}

impl Tally {
    /// Key prefix of a void's reason where outcomes and voids share a map.
    pub const VOID_PREFIX: &'static str = "void: ";

    /// All void trials.
    pub fn void(&self) -> u64 {
        self.voids.values().sum()
    }

    /// Verdict calls that returned `-1` with this errno.
    pub fn returned(&self, errno: Errno) -> u64 {
        self.returns.get(&format!("-1/{errno}")).copied().unwrap_or(0)
    }

    /// Verdict calls that returned -1 with any errno.
    pub fn returned_any_errno(&self) -> u64 {
        self.returns.iter().filter(|(key, _)| key.starts_with("-1/")).map(|(_, n)| n).sum()
    }

    /// Adds another tally of the same cell.
    pub fn absorb(&mut self, other: &Self) {
        self.trials += other.trials;
        self.anomalies += other.anomalies;
        add(&mut self.voids, &other.voids);
        add(&mut self.returns, &other.returns);
        add(&mut self.outcomes, &other.outcomes);
        add(&mut self.state_before, &other.state_before);
        add(&mut self.stale_errno, &other.stale_errno);
        add(&mut self.errno_after_localtime, &other.errno_after_localtime);
        add(&mut self.injected, &other.injected);
        for (key, histogram) in &other.latency {
            self.latency.entry(key.clone()).or_default().absorb(histogram);
        }
        for (key, difference) in &other.counters {
            *self.counters.entry(key.clone()).or_default() += difference;
        }
    }

    /// Why the sums contradict each other, if they do: the guest is not trusted.
    pub fn inconsistency(&self) -> Option<String> {
        let returns: u64 = self.returns.values().sum();
        let outcomes: u64 = self.outcomes.values().sum();
        if returns != self.trials {
            return Some(format!("{} trials but {returns} verdict returns", self.trials));
        }
        if outcomes != self.trials {
            return Some(format!("{} trials but {outcomes} outcomes", self.trials));
        }
        if self.anomalies > self.trials {
            return Some(format!("{} anomalies in {} trials", self.anomalies, self.trials));
        }
        None
    }
}

fn add<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        *sums.entry(key.clone()).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absorb_adds_and_contradictions_are_named() {
        let mut a = Tally { trials: 2, ..Tally::default() };
        a.returns.insert("1".into(), 2);
        a.outcomes.insert("readable".into(), 2);
        let mut b = Tally { trials: 1, anomalies: 1, ..Tally::default() };
        b.returns.insert("-1/EBADF".into(), 1);
        b.outcomes.insert("EBADF".into(), 1);
        a.absorb(&b);
        assert_eq!((a.trials, a.returned(Errno::EBADF), a.returned_any_errno()), (3, 1, 1));
        assert_eq!(a.inconsistency(), None);
        a.trials = 4;
        assert_eq!(a.inconsistency().as_deref(), Some("4 trials but 3 verdict returns"));
    }
}
