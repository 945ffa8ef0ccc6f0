//! Counts of many trials: what leaves the agent instead of millions of records.
//!
//! Holds sums and histograms that add up ([`Tally::absorb`]), and what cannot be true of them ([`Tally::inconsistency`]); no trial, no clock.
//! Units: counts; histograms in nanoseconds. Errors: none. Tests: below.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Errno, Histogram, Op, Placed, Placements, Returned, Script, TcpState};

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
    /// outcome step that was cut, `NAME:deadline` for another one. Of a peer's lane the same of all its steps, or one of two
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
    /// `call` (the verdict call), `trial` (whole trial), in nanoseconds.
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
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde's skip_serializing_if asks for"
)]
pub(crate) fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Tally {
    /// The keys of [`Tally::latency`].
    pub const LATENCIES: [&'static str; 2] = ["call", "trial"];

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
    }

    /// Why these cannot be the sums of trials of `script`, if they cannot: the guest is not trusted. Names nothing that the guest named.
    pub fn inconsistency(&self, script: &Script) -> Option<String> {
        self.check_wholes()
            .and_then(|()| self.check_parts(script))
            .and_then(|()| self.check_outcomes_by_state())
            .and_then(|()| self.check_latencies())
            .and_then(|()| self.check_counters())
            .and_then(|()| self.check_placements())
            .err()
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
        let (returned, failed) = (once.saturating_sub(self.unreturned), self.returned_any_errno());
        let each = |is: fn(&Op) -> bool| {
            let steps = script.lanes.iter().flat_map(|lane| &lane.steps).filter(|step| is(&step.op)).count();
            once.saturating_mul(u64::try_from(steps).unwrap_or(u64::MAX).max(1))
        };
        let parts = [
            ("anomalies", Some(self.anomalies), once),
            ("TCP states before the call", total(self.state_before.values()), once),
            ("errnos after a return", total(self.stale_errno.values()), returned.saturating_sub(failed)),
            ("errnos after a failure", total(self.errno_after_failure.values()), failed),
            ("trials without a return", Some(self.unreturned), self.cut()),
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
            let most =
                if *name == "call" { self.trials.saturating_sub(self.unreturned) } else { self.trials };
            if times.count > most {
                return Err(format!("{} times of each {name} in {most} trials", times.count));
            }
        }
        Ok(())
    }

    fn check_counters(&self) -> Result<(), String> {
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

/// The sum of counts, unless it is too large.
fn total<'a>(counts: impl IntoIterator<Item = &'a u64>) -> Option<u64> {
    counts.into_iter().try_fold(0_u64, |sum, count| sum.checked_add(*count))
}

fn sum<'a>(counts: impl IntoIterator<Item = &'a u64>) -> u64 {
    total(counts).unwrap_or(u64::MAX)
}

fn add<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        let sum = sums.entry(key.clone()).or_default();
        *sum = sum.saturating_add(*count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Lane, PlacementBuilder, Side, Step};

    /// Puts a number somewhere.
    type Change = fn(&mut Tally, u64);

    /// A script with one lane of these steps.
    fn script(ops: Vec<Op>) -> Script {
        let step = Step::of;
        let steps = ops.into_iter().map(step).collect();
        let lane = Lane { name: "client".into(), side: Side::Target, steps };
        Script {
            name: "s".into(),
            sockets: vec![],
            marks: vec![],
            lanes: vec![lane],
            expect: vec![],
            expect_peer: vec![],
            deadline_ns: None,
        }
    }

    /// Sums of a hundred trials, with one change.
    fn changed(change: impl FnOnce(&mut Tally)) -> Option<String> {
        let mut tally = Tally { trials: 100, ..Tally::default() };
        tally.returns.insert(Returned::ONE, 100);
        tally.outcomes.insert("readable".into(), 100);
        tally.state_before.insert(7, 100);
        tally.latency.insert("call".into(), Histogram::default());
        (0..100).for_each(|value| tally.latency.get_mut("call").expect("put there").record(value));
        assert_eq!(tally.inconsistency(&script(vec![])), None);
        change(&mut tally);
        tally.inconsistency(&script(vec![]))
    }

    #[test]
    fn no_part_is_larger_than_its_whole() {
        let of = |change: Change, count| changed(|tally| change(tally, count));
        let parts: [(Change, &str); 6] = [
            (|tally, n| tally.anomalies = n, "101 anomalies in 100 trials"),
            (|tally, n| tally.state_before.extend([(7, n)]), "101 TCP states before the call in 100 trials"),
            (
                |tally, n| tally.stale_errno.extend([(Errno::ENOENT, n)]),
                "101 errnos after a return in 100 trials",
            ),
            (
                |tally, n| tally.errno_after_localtime.extend([(Errno::ENOENT, n)]),
                "101 errnos after localtime in 100 trials",
            ),
            (|tally, n| tally.injected.extend([(Errno::ENOENT, n)]), "101 injections in 100 trials"),
            (
                |tally, n| {
                    let trial = Histogram { count: n, max: 3, buckets: BTreeMap::from([(3, n)]) };
                    tally.latency.insert("trial".into(), trial);
                },
                "101 times of each trial in 100 trials",
            ),
        ];
        for (change, words) in parts {
            assert_eq!(of(change, 100), None, "all of them: {words}");
            assert_eq!(of(change, 101).as_deref(), Some(words));
            assert!(of(change, u64::MAX).is_some(), "{words}");
        }
    }

    #[test]
    fn the_errno_after_a_verdict_call_belongs_to_a_return_of_its_kind() {
        let with = |stale, after_failure| {
            changed(|tally| {
                tally.returns = [(Returned::ONE, 60), (Returned::failed(Errno::EBADF), 30)].into();
                tally.outcomes =
                    [("readable".into(), 60), ("EBADF".into(), 30), ("deadline".into(), 10)].into();
                tally.unreturned = 10;
                tally.latency.clear();
                tally.stale_errno.insert(Errno::ENOENT, stale);
                tally.errno_after_failure.insert(Errno::EBADF, after_failure);
            })
        };
        assert_eq!(with(60, 30), None);
        assert_eq!(with(61, 30).as_deref(), Some("61 errnos after a return, where 60 are possible"));
        assert_eq!(with(60, 31).as_deref(), Some("31 errnos after a failure, where 30 are possible"));
    }

    #[test]
    fn a_trial_without_a_return_has_the_label_of_a_cut_call() {
        let with = |labels: &[(&str, u64)], unreturned, calls| {
            changed(|tally| {
                tally.outcomes = labels.iter().map(|(label, n)| ((*label).to_owned(), *n)).collect();
                tally.unreturned = unreturned;
                tally.returns = [(Returned::ONE, 100 - unreturned)].into();
                let call = Histogram { count: calls, max: 3, buckets: BTreeMap::from([(3, calls)]) };
                tally.latency.insert("call".into(), call);
            })
        };
        let cut = [("connect:deadline", 5), ("readable,deadline", 6), ("readable", 89)];
        assert_eq!(with(&cut, 11, 89), None);
        assert_eq!(with(&cut, 5, 95), None, "a call after the verdict was cut");
        let words = "12 trials without a return, where 11 are possible";
        assert_eq!(with(&cut, 12, 88).as_deref(), Some(words));
        let longer = [("deadlines", 50), ("deadline,readable", 50)];
        assert_eq!(with(&longer, 50, 50), None);
        assert_eq!(
            with(&longer, 51, 49).as_deref(),
            Some("51 trials without a return, where 50 are possible")
        );
        assert_eq!(with(&cut, 11, 90).as_deref(), Some("90 times of each call in 89 trials"));
    }

    #[test]
    fn the_table_of_states_and_outcomes_fits_into_both_sums() {
        let with = |cells: &[(u8, &str, u64)]| {
            changed(|tally| {
                tally.outcomes = [("a".into(), 60), ("b".into(), 40)].into();
                tally.state_before = [(1, 30), (7, 60)].into();
                for (state, outcome, count) in cells {
                    tally.outcomes_by_state.entry(*state).or_default().insert((*outcome).into(), *count);
                }
            })
        };
        assert_eq!(with(&[(1, "a", 20), (1, "b", 10), (7, "a", 40), (7, "b", 20)]), None);
        assert_eq!(with(&[(7, "a", 60)]), None, "a trial without a known state is in no row");
        for (cells, words) in [
            (&[(1, "a", 20), (1, "b", 11)][..], "31 outcomes after TCP state 1, seen in 30 trials"),
            (&[(4, "a", 1)], "1 outcomes after TCP state 4, seen in 0 trials"),
            (&[(7, "a", u64::MAX), (7, "b", 2)], "too many outcomes after TCP state 7 to count"),
            (&[(1, "b", 20), (7, "b", 21)], "41 trials of one outcome by TCP state, 40 in all"),
            (&[(1, "c", 1)], "1 trials of one outcome by TCP state, 0 in all"),
        ] {
            assert_eq!(with(cells).as_deref(), Some(words));
        }
    }

    #[test]
    fn places_are_held_against_the_counts_beside_them() {
        let mut closed = PlacementBuilder::new(100);
        (0..99).for_each(|trial| closed.add(trial));
        let closed = closed.finish();
        let what = changed(|tally| tally.placements.closed_before_call = closed.clone());
        assert_eq!(what.as_deref(), Some("places of CLOSE before the call: 99 trials, 100 were counted"));
        let what = changed(|tally| tally.placements.voids = closed.clone());
        assert_eq!(what.as_deref(), Some("places of the void trials: 99 trials, 0 were counted"));
        let what = changed(|tally| {
            tally.state_before = [(7, 99), (1, 1)].into();
            tally.placements.closed_before_call = closed;
        });
        assert_eq!(what, None);
    }

    #[test]
    fn sums_that_are_too_large_are_named_and_do_not_wrap() {
        let max = u64::MAX;
        // Each of these adds up to 100, or to nothing, where a sum wraps.
        let wrapping: [(Change, &str); 4] = [
            (
                |tally, n| tally.returns.extend([(Returned::ONE, n), (Returned::failed(Errno::ENOENT), 101)]),
                "100 trials but too many verdict returns to count",
            ),
            (
                |tally, n| tally.outcomes.extend([("a".into(), n), ("b".into(), 1)]),
                "100 trials but too many outcomes to count",
            ),
            (
                |tally, n| tally.voids.extend([("a".into(), n), ("b".into(), 1)]),
                "100 trials and their voids are more than 17592186044416",
            ),
            (
                |tally, n| tally.injected.extend([(Errno::ENOENT, n), (Errno::EBADF, 3)]),
                "too many injections to count in 100 trials",
            ),
        ];
        for (change, words) in wrapping {
            assert_eq!(changed(|tally| change(tally, max)).as_deref(), Some(words));
        }
        for rise in [i64::MAX, i64::MIN, Tally::MOST as i64 + 1] {
            let what = changed(|tally| tally.counters.extend([("Tcp.OutRsts".into(), rise)]));
            assert_eq!(what.expect("not sane"), format!("a kernel counter that rose by {rise}"));
        }
        assert_eq!(changed(|tally| tally.counters.extend([("Tcp.CurrEstab".into(), -3)])), None);
        let strange = changed(|tally| tally.latency.extend([("\u{1b}[2J".into(), Histogram::default())]));
        assert_eq!(strange.as_deref(), Some("times of an unknown kind"));
    }

    #[test]
    fn a_step_shows_something_as_often_as_the_script_has_it() {
        let mut tally = Tally { trials: 10, ..Tally::default() };
        tally.returns.insert(Returned::ONE, 10);
        tally.outcomes.insert("readable".into(), 10);
        tally.errno_after_localtime.insert(Errno::ENOENT, 20);
        assert!(tally.inconsistency(&script(vec![Op::Localtime {}])).is_some());
        assert_eq!(tally.inconsistency(&script(vec![Op::Localtime {}, Op::Localtime {}])), None);
    }

    #[test]
    fn blocks_without_a_contradiction_can_be_added_for_ever_after() {
        let mut most = Tally { trials: Tally::MOST, ..Tally::default() };
        most.returns.insert(Returned::ONE, Tally::MOST);
        most.outcomes.insert("readable".into(), Tally::MOST);
        most.counters.insert("Tcp.OutRsts".into(), Tally::MOST as i64);
        assert_eq!(most.inconsistency(&script(vec![])), None);
        let mut sum = Tally::default();
        for _ in 0..1_000 {
            sum.absorb(&most);
        }
        assert_eq!((sum.trials, sum.returns[&Returned::ONE]), (1_000 * Tally::MOST, 1_000 * Tally::MOST));
        let beyond = Tally { trials: u64::MAX, counters: most.counters.clone(), ..Tally::default() };
        sum.absorb(&beyond);
        assert_eq!(sum.trials, u64::MAX, "it stays there");
    }

    #[test]
    fn absorb_adds_and_contradictions_are_named() {
        let mut a = Tally { trials: 2, ..Tally::default() };
        a.returns.insert(Returned::ONE, 2);
        a.outcomes.insert("readable".into(), 2);
        a.state_before.insert(7, 2);
        a.outcomes_by_state.insert(7, [("readable".into(), 2)].into());
        let mut b = Tally { trials: 1, anomalies: 1, ..Tally::default() };
        b.returns.insert(Returned::failed(Errno::EBADF), 1);
        b.outcomes.insert("EBADF".into(), 1);
        b.state_before.insert(7, 1);
        b.outcomes_by_state.insert(7, [("EBADF".into(), 1)].into());
        a.absorb(&b);
        a.placements.closed_before_call = {
            let mut closed = PlacementBuilder::new(3);
            (0..3).for_each(|trial| closed.add(trial));
            closed.finish()
        };
        assert_eq!(a.inconsistency(&script(vec![])), None);
        a.absorb(&Tally::default());
        assert_eq!(a.placements, Placements::default(), "they belong to one block");
        let by_state = BTreeMap::from([("readable".to_owned(), 2), ("EBADF".to_owned(), 1)]);
        assert_eq!((&a.outcomes_by_state[&7], a.state_before[&7]), (&by_state, 3));
        assert_eq!((a.trials, a.returned(Errno::EBADF), a.returned_any_errno()), (3, 1, 1));
        assert_eq!(Tally { unreturned: 2, ..a.clone() }.returned_calls(), 1);
        assert_eq!(Tally { unreturned: 4, ..a.clone() }.returned_calls(), 0);
        assert_eq!(a.inconsistency(&script(vec![])), None);
        a.trials = 4;
        assert_eq!(a.inconsistency(&script(vec![])).as_deref(), Some("4 trials but 3 verdict returns"));
    }
}
