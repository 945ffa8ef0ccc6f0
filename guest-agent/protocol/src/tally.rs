//! Counts of many trials: what leaves the agent instead of millions of records.
//!
//! Holds sums and histograms that add up ([`Tally::absorb`]), and what cannot be true of them ([`Tally::inconsistency`]); no trial, no clock.
//! Units: counts; histograms in nanoseconds. Errors: none. Tests: `tally/tests.rs`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::counts::{add, is_printable_ascii, is_zero, sum, total};
use crate::{
    Errno, Histogram, MOST_TEXT_BYTES, Op, Placed, Placements, ProgramTally, Returned, Script, TcpState,
};

/// The sums of one side's trials in one block.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Trials with an outcome.
    pub trials: u64,
    /// Void trials by reason: never part of `trials`.
    pub voids: BTreeMap<String, u64>,
    /// The verdict call's raw return.
    pub returns: BTreeMap<Returned, u64>,
    /// Outcomes: labels joined by commas, in the order in which their steps began. Of a target's trial: the labels of the verdict step and
    /// the outcome steps; `NAME:ERRNO` for any other step that began before the verdict call had returned and failed; `deadline` for an
    /// outcome step that was cut, `NAME:deadline` for another one; a last `deadline` where nothing else was under way behind the verdict but
    /// sleeps and waits for marks. Of a peer's lane the same of all its steps, or one of two
    /// words: [`Tally::PLAYED`], [`Tally::UNFINISHED`].
    pub outcomes: BTreeMap<String, u64>,
    /// A target's trials whose outcome the scenario does not expect, or whose verdict call returned -1 where no expected outcome names
    /// that label (a `*` does not). A peer's lanes that end otherwise than the scenario expects of them, where it expects anything.
    pub anomalies: u64,
    /// `tcpi_state` right before the verdict call.
    pub state_before: BTreeMap<u8, u64>,
    /// The outcomes of the trials in [`Tally::state_before`]: state, then outcome label.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes_by_state: BTreeMap<u8, BTreeMap<String, u64>>,
    /// Trials that their deadline cut before the verdict call had returned (in that call or in one before it): they have an outcome, and
    /// no return.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unreturned: u64,
    /// The C library's errno after a verdict call that returned -1.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errno_after_failure: BTreeMap<Errno, u64>,
    /// The C library's errno after a verdict call that returned >= 0.
    pub stale_errno: BTreeMap<Errno, u64>,
    /// The C library's errno after the `localtime` step: what a program prints that stamps its log line first.
    pub errno_after_localtime: BTreeMap<Errno, u64>,
    /// How many trials the seccomp filter was armed for, by errno: the truth of the positive control.
    pub injected: BTreeMap<Errno, u64>,
    /// `call` (the verdict call), `trial` (whole trial), and of a program `start` (from its execution to its first call on a socket), in
    /// nanoseconds.
    pub latency: BTreeMap<String, Histogram>,
    /// Differences of the kernel's counters over the block, in the network namespace of this side: `Tcp.OutRsts`,
    /// `TcpExt.TCPAbortOnData`, ... (proc(5) /proc/net/snmp, /proc/net/netstat); zero differences are left out.
    /// `Agent.PeerStarved` is the agent's own: how often all of the peer's workers were busy, so that a connection may have
    /// waited for one.
    pub counters: BTreeMap<String, i64>,
    /// Where in the block's order its rarer outcomes lie. Of one block, and empty in a sum of several ([`Tally::absorb`]), in a peer's tally,
    /// and where the block is too long for it.
    #[serde(default, skip_serializing_if = "Placements::is_empty")]
    pub placements: Placements,
    /// Of a user's program as the client: what it said, how it ended, its call sites. [`Tally::errno_after_localtime`] then holds libc's errno
    /// when the program wrote the line that it said, and [`Tally::unreturned`] counts the trials without a verdict call, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Box<ProgramTally>>,
}

impl Tally {
    /// The keys of [`Tally::latency`].
    pub const LATENCIES: [&'static str; 3] = ["call", "start", "trial"];

    /// The label of a call that was under way when its trial reached its deadline.
    pub const DEADLINE: &str = crate::pattern::DEADLINE;

    /// The outcome of a peer's lane that has no label to tell.
    pub const PLAYED: &'static str = "played";

    /// The outcome of a peer's lane that was under way when the block was finished: the target was done with it.
    pub const UNFINISHED: &'static str = "unfinished";

    /// Key prefix of a void's reason where outcomes and voids share a map.
    pub const VOID_PREFIX: &'static str = "void: ";

    /// No count of one block is larger: at a million trials a second it takes half a year to get there, and the sum of half a million such
    /// blocks still fits into an `i64`.
    pub const MOST: u64 = 1 << 44;

    /// No block has more different outcomes, and not more reasons of void trials. The agent's share of it is divided among its workers' sums:
    /// see [`Script::MOST_OUTCOMES`] for what they do long before. A guest that makes them up would make the tests of a report many.
    pub const MOST_KINDS: usize = 1 << 16;

    /// No kernel has more counters: /proc/net/snmp and /proc/net/netstat of Linux 6.18 have less than 300.
    pub const MOST_COUNTERS: usize = 1 << 12;

    /// All void trials.
    pub fn void(&self) -> u64 {
        sum(self.voids.values())
    }

    /// Verdict calls that returned `-1` with this errno.
    pub fn returned(&self, errno: Errno) -> u64 {
        Returned::failed(errno).count_in(&self.returns)
    }

    /// Verdict calls that returned: the trials without those that were cut before that call had returned.
    pub fn returned_calls(&self) -> u64 {
        self.trials.saturating_sub(self.unreturned)
    }

    /// Verdict calls that returned -1 with any errno.
    pub fn returned_any_errno(&self) -> u64 {
        sum(self.returns.iter().filter(|(returned, _)| returned.errno.is_some()).map(|(_, n)| n))
    }

    /// Trials of whose outcome one label says that a call was cut.
    fn cut(&self) -> u64 {
        let cut = |label: &str| label.rsplit(':').next() == Some(Self::DEADLINE);
        sum(self.outcomes.iter().filter(|(outcome, _)| outcome.split(',').any(cut)).map(|(_, n)| n))
    }

    /// Adds another tally of the same cell. Placements belong to one block and are dropped: indices of two blocks have no common order. A sum that is too large stays at the largest number; blocks without an
    /// [`Tally::inconsistency`] never come there, see [`Tally::MOST`].
    pub fn absorb(&mut self, other: &Self) {
        self.placements = Placements::default();
        self.trials = self.trials.saturating_add(other.trials);
        self.anomalies = self.anomalies.saturating_add(other.anomalies);
        add(&mut self.voids, &other.voids);
        add(&mut self.returns, &other.returns);
        add(&mut self.outcomes, &other.outcomes);
        add(&mut self.state_before, &other.state_before);
        for (state, outcomes) in &other.outcomes_by_state {
            add(self.outcomes_by_state.entry(*state).or_default(), outcomes);
        }
        self.unreturned = self.unreturned.saturating_add(other.unreturned);
        add(&mut self.errno_after_failure, &other.errno_after_failure);
        add(&mut self.stale_errno, &other.stale_errno);
        add(&mut self.errno_after_localtime, &other.errno_after_localtime);
        add(&mut self.injected, &other.injected);
        for (key, histogram) in &other.latency {
            self.latency.entry(key.clone()).or_default().absorb(histogram);
        }
        for (key, difference) in &other.counters {
            let sum = self.counters.entry(key.clone()).or_default();
            *sum = sum.saturating_add(*difference);
        }
        if let Some(program) = &other.program {
            self.program.get_or_insert_default().absorb(program);
        }
    }

    /// Why these cannot be the sums of trials of `script`, if they cannot: the guest is not trusted. Names nothing that the guest named.
    pub fn inconsistency(&self, script: &Script) -> Option<String> {
        self.check_wholes()
            .and_then(|()| self.check_parts(script))
            .and_then(|()| self.check_keys(script))
            .and_then(|()| self.check_outcomes_by_state())
            .and_then(|()| self.check_latencies())
            .and_then(|()| self.check_counters())
            .and_then(|()| self.check_placements())
            .and_then(|()| self.check_program(script))
            .err()
    }

    /// A program has sums of its own, and nothing else has.
    fn check_program(&self, script: &Script) -> Result<(), String> {
        match (&self.program, &script.program) {
            (Some(sums), Some(_)) => sums.inconsistency(self.trials).map_or(Ok(()), Err),
            (Some(_), None) => Err("sums of a program, where there is none".to_owned()),
            (None, _) => Ok(()),
        }
    }

    /// Each trial has one return (or none, where it was cut) and one outcome, or it is void.
    fn check_wholes(&self) -> Result<(), String> {
        let trials = self.trials;
        let all = total(self.voids.values().chain([&trials])).filter(|all| *all <= Self::MOST);
        if all.is_none() {
            return Err(format!("{trials} trials and their voids are more than {}", Self::MOST));
        }
        let parts = [
            ("verdict returns", total(self.returns.values().chain([&self.unreturned]))),
            ("outcomes", total(self.outcomes.values())),
        ];
        for (what, sum) in parts {
            match sum {
                Some(sum) if sum == trials => {}
                Some(sum) => return Err(format!("{trials} trials but {sum} {what}")),
                None => return Err(format!("{trials} trials but too many {what} to count")),
            }
        }
        Ok(())
    }

    /// What some trials show is not shown by more than there are; what a step shows, not more often than the script has such a step.
    fn check_parts(&self, script: &Script) -> Result<(), String> {
        let once = self.trials;
        let (returned, failed) = (self.returned_calls(), self.returned_any_errno());
        let each = |is: fn(&Op) -> bool| {
            let steps = script.lanes.iter().flat_map(|lane| &lane.steps).filter(|step| is(&step.op)).count();
            once.saturating_mul(u64::try_from(steps).unwrap_or(u64::MAX).max(1))
        };
        let parts = [
            ("anomalies", Some(self.anomalies), once),
            ("TCP states before the call", total(self.state_before.values()), once),
            ("errnos after a return", total(self.stale_errno.values()), returned.saturating_sub(failed)),
            ("errnos after a failure", total(self.errno_after_failure.values()), failed),
            // A program can end without having made its verdict call.
            (
                "trials without a return",
                Some(self.unreturned),
                if script.program.is_some() { once } else { self.cut() },
            ),
            (
                "errnos after localtime",
                total(self.errno_after_localtime.values()),
                each(|op| matches!(op, Op::Localtime {})),
            ),
            ("injections", total(self.injected.values()), each(|op| matches!(op, Op::Inject { .. }))),
        ];
        for (what, sum, most) in parts {
            match sum {
                Some(sum) if sum <= most => {}
                Some(sum) if most < once => return Err(format!("{sum} {what}, where {most} are possible")),
                Some(sum) => return Err(format!("{sum} {what} in {once} trials")),
                None => return Err(format!("too many {what} to count in {once} trials")),
            }
        }
        Ok(())
    }

    /// Everything that is named was counted, and the names are such as an agent writes: each is a row of a table, or a test.
    fn check_keys(&self, script: &Script) -> Result<(), String> {
        check_labels("outcomes", script, &self.outcomes)?;
        check_labels("void reasons", script, &self.voids)?;
        check_counted("verdict returns", &self.returns)?;
        check_counted("TCP states before the call", &self.state_before)?;
        for outcomes in self.outcomes_by_state.values() {
            check_counted("outcomes after a TCP state", outcomes)?;
        }
        check_counted("errnos after a failure", &self.errno_after_failure)?;
        check_counted("errnos after a return", &self.stale_errno)?;
        check_counted("errnos after localtime", &self.errno_after_localtime)?;
        check_counted("injections", &self.injected)
    }

    /// No row of the table has more than trials in that state, no column more than trials with that outcome.
    fn check_outcomes_by_state(&self) -> Result<(), String> {
        let mut columns = BTreeMap::<&str, u64>::new();
        for (state, outcomes) in &self.outcomes_by_state {
            let most = self.state_before.get(state).copied().unwrap_or(0);
            match total(outcomes.values()) {
                Some(sum) if sum <= most => {}
                Some(sum) => {
                    return Err(format!("{sum} outcomes after TCP state {state}, seen in {most} trials"));
                }
                None => return Err(format!("too many outcomes after TCP state {state} to count")),
            }
            for (outcome, count) in outcomes {
                let sum = columns.entry(outcome).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
        for (outcome, sum) in columns {
            let most = self.outcomes.get(outcome).copied().unwrap_or(0);
            if sum > most {
                return Err(format!("{sum} trials of one outcome by TCP state, {most} in all"));
            }
        }
        Ok(())
    }

    fn check_latencies(&self) -> Result<(), String> {
        for (name, times) in &self.latency {
            let name =
                Self::LATENCIES.iter().find(|known| *known == name).ok_or("times of an unknown kind")?;
            if let Some(what) = times.inconsistency() {
                return Err(format!("times of each {name}: {what}"));
            }
            let most = if *name == "call" { self.returned_calls() } else { self.trials };
            if times.count > most {
                return Err(format!("{} times of each {name} in {most} trials", times.count));
            }
        }
        Ok(())
    }

    fn check_counters(&self) -> Result<(), String> {
        if self.counters.len() > Self::MOST_COUNTERS {
            return Err(format!(
                "{} kernel counters, where {} are possible",
                self.counters.len(),
                Self::MOST_COUNTERS
            ));
        }
        if !self.counters.keys().all(|name| name.len() <= MOST_TEXT_BYTES && is_printable_ascii(name)) {
            return Err("a kernel counter whose name is none".to_owned());
        }
        match self.counters.values().find(|risen| risen.unsigned_abs() > Self::MOST) {
            Some(risen) => Err(format!("a kernel counter that rose by {risen}")),
            None => Ok(()),
        }
    }

    fn check_placements(&self) -> Result<(), String> {
        let closed = self.state_before.get(&TcpState::CLOSE.0).copied().unwrap_or(0);
        let counts = Placed { outcomes: &self.outcomes, closed, voids: self.void() };
        self.placements.inconsistency(&counts, Self::MOST).map_or(Ok(()), Err)
    }
}

/// The agent names what it counted, so no count of it is 0.
pub(crate) fn check_counted<K>(what: &str, counts: &BTreeMap<K, u64>) -> Result<(), String> {
    match counts.values().any(|count| *count == 0) {
        true => Err(format!("{what} that were counted 0 times")),
        false => Ok(()),
    }
}

/// The same, of labels: not more and not longer than an agent that plays `script` can write, and of the characters that it writes.
pub(crate) fn check_labels(
    what: &str,
    script: &Script,
    counts: &BTreeMap<String, u64>,
) -> Result<(), String> {
    check_counted(what, counts)?;
    if counts.len() > Tally::MOST_KINDS {
        return Err(format!("{} different {what}, where {} are possible", counts.len(), Tally::MOST_KINDS));
    }
    let most = script.most_label_bytes();
    if counts.keys().any(|label| label.len() > most) {
        return Err(format!("{what} of more than {most} bytes"));
    }
    match counts.keys().all(|label| is_printable_ascii(label)) {
        true => Ok(()),
        false => Err(format!("{what} with something else than printable ASCII")),
    }
}

#[cfg(test)]
mod tests;
