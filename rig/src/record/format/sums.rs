//! The sums of one side's trials, as they are stored.
//!
//! Own shape, with words for the kernel's numbers and bounds for the buckets of times; in memory they are a [`Tally`]. For serde's `with`.
//! Must not know which block they are of. Units: counts, nanoseconds. Errors: serde's. Tests: here.

use std::collections::BTreeMap;

use rig_protocol::{Errno, Histogram, Returned, Tally};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::placement::Order;
use super::program::ProgramSums;
use super::words::{errno_of, errno_word, rekey, state_of, state_word};

/// The sums of one side's trials in one block.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Sums {
    /// Trials with an outcome.
    pub trials: u64,
    /// Trials without an outcome, by reason: never part of `trials`.
    pub voids: BTreeMap<String, u64>,
    /// What the verdict call returned, by the raw system call; adds up to `trials`, with `unreturned`.
    pub returns: Vec<ReturnCount>,
    /// Trials by outcome: the labels of the verdict call and of the steps that follow it, joined by commas, with `NAME:ERRNO` for each call before it that
    /// failed; adds up to `trials`. Of a peer's lane the labels of its own steps; `played` where it has none that tells something (and in files older than format
    /// 2.1), `unfinished` where the block ended first.
    pub outcomes: BTreeMap<String, u64>,
    /// Trials whose outcome the scenario does not expect, or whose verdict call returned a -1 that it does not expect by name (in files older than format 2.1: any -1).
    pub anomalies: u64,
    /// Trials by TCP state (`tcpi_state`) right before the verdict call, where it could be read.
    pub state_before: BTreeMap<String, u64>,
    /// The same trials by state and then by outcome.
    pub outcomes_by_state: BTreeMap<String, BTreeMap<String, u64>>,
    /// Trials that their deadline cut before the verdict call had returned, and those of a user's program that made no such call: they have an outcome, and
    /// no return. Absent where there were none.
    #[serde(skip_serializing_if = "is_zero")]
    pub unreturned: u64,
    /// The C library's errno after a verdict call that returned -1; `none` where it was 0. Absent where none did, and in files older than
    /// format 2.1.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub errno_after_failure: BTreeMap<String, u64>,
    /// The C library's errno after a verdict call that returned 0 or more; `none` where it was 0.
    pub stale_errno: BTreeMap<String, u64>,
    /// The C library's errno after the `localtime` step, or when a user's program wrote the line that it is known by; `none` where it was 0.
    pub errno_after_localtime: BTreeMap<String, u64>,
    /// In how many trials an errno was injected (the seccomp filter was armed, or a program's witness answered), by the errno.
    pub injected: BTreeMap<String, u64>,
    /// How long things took, in nanoseconds: `call` (the verdict call), `trial` (the whole trial), and of a user's program `start` (from its execution to
    /// its first call on a socket).
    pub latency_ns: BTreeMap<String, Times>,
    /// By how much the kernel's counters rose over the block in this side's network namespace (proc(5), /proc/net/snmp and /proc/net/netstat; `Tcp.OutRsts`,
    /// ...); those that did not are left out. `Agent.PeerStarved` is how often all workers of the peer were busy.
    pub counters: BTreeMap<String, i64>,
    /// Where in the block's order the rarer outcomes lie, trials with CLOSE before the call, and void ones; absent where there were none, and above 2^26 trials.
    #[serde(skip_serializing_if = "Order::is_empty")]
    pub order: Order,
    /// Of a user's program as the client: what it said, how it ended, its call sites. Absent where the client is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramSums>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde's skip_serializing_if asks for"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How often a call returned something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReturnCount {
    /// As the C library returns it: -1 for a failure.
    pub value: i64,
    /// The errno by name, where `value` is -1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub errno: Option<String>,
    /// In so many trials.
    pub count: u64,
}

/// Counts of durations on a log-linear scale: 16 equal steps in each power of two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Times {
    /// How many were measured.
    pub count: u64,
    /// The longest, exactly.
    pub max_ns: u64,
    /// Those that are not empty, shortest first.
    pub buckets: Vec<Bucket>,
}

/// A step of the scale.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bucket {
    /// The longest duration that counts here; the step below ends 1/16 to 1/32 of it sooner (below 16 ns: 1 ns).
    pub at_most_ns: u64,
    /// How many.
    pub count: u64,
}

/// For serde's `with`.
pub(super) fn serialize<S: Serializer>(tally: &Tally, serializer: S) -> Result<S::Ok, S::Error> {
    Sums::from(tally).serialize(serializer)
}

/// For serde's `with`.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tally, D::Error> {
    Tally::try_from(Sums::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

impl From<&Tally> for Sums {
    fn from(tally: &Tally) -> Self {
        let by_errno = |counts: &BTreeMap<Errno, u64>| {
            counts.iter().map(|(errno, count)| (errno_word(*errno), *count)).collect()
        };
        let returned = |(returned, count): (&Returned, &u64)| ReturnCount {
            value: returned.value,
            errno: returned.errno.map(errno_word),
            count: *count,
        };
        Self {
            trials: tally.trials,
            voids: tally.voids.clone(),
            returns: tally.returns.iter().map(returned).collect(),
            outcomes: tally.outcomes.clone(),
            anomalies: tally.anomalies,
            state_before: tally.state_before.iter().map(|(state, n)| (state_word(*state), *n)).collect(),
            outcomes_by_state: tally
                .outcomes_by_state
                .iter()
                .map(|(state, outcomes)| (state_word(*state), outcomes.clone()))
                .collect(),
            unreturned: tally.unreturned,
            errno_after_failure: by_errno(&tally.errno_after_failure),
            stale_errno: by_errno(&tally.stale_errno),
            errno_after_localtime: by_errno(&tally.errno_after_localtime),
            injected: by_errno(&tally.injected),
            latency_ns: tally.latency.iter().map(|(name, times)| (name.clone(), times.into())).collect(),
            counters: tally.counters.clone(),
            order: (&tally.placements).into(),
            program: tally.program.as_deref().map(ProgramSums::from),
        }
    }
}

impl TryFrom<Sums> for Tally {
    type Error = String;

    fn try_from(sums: Sums) -> Result<Self, String> {
        let by_errno = |counts: BTreeMap<String, u64>| rekey(counts, |word| errno_of(&word));
        let mut returns = BTreeMap::new();
        for entry in sums.returns {
            let returned = match (entry.value, entry.errno) {
                (-1, Some(word)) => Returned::failed(errno_of(&word)?),
                (value, None) => Returned::value(value),
                (value, Some(word)) => return Err(format!("a return of {value} with errno {word:?}")),
            };
            if returns.insert(returned, entry.count).is_some() {
                return Err(format!("two counts of {returned}"));
            }
        }
        Ok(Self {
            trials: sums.trials,
            voids: sums.voids,
            returns,
            outcomes: sums.outcomes,
            anomalies: sums.anomalies,
            state_before: rekey(sums.state_before, |word| state_of(&word))?,
            outcomes_by_state: rekey(sums.outcomes_by_state, |word| state_of(&word))?,
            unreturned: sums.unreturned,
            errno_after_failure: by_errno(sums.errno_after_failure)?,
            stale_errno: by_errno(sums.stale_errno)?,
            errno_after_localtime: by_errno(sums.errno_after_localtime)?,
            injected: by_errno(sums.injected)?,
            latency: sums
                .latency_ns
                .into_iter()
                .map(|(name, times)| Ok((name, times.try_into()?)))
                .collect::<Result<_, String>>()?,
            counters: sums.counters,
            placements: sums.order.into(),
            program: sums.program.map(|sums| Ok::<_, String>(Box::new(sums.try_into()?))).transpose()?,
        })
    }
}

impl From<&Histogram> for Times {
    fn from(histogram: &Histogram) -> Self {
        let bucket = |(index, count): (&u16, &u64)| Bucket {
            at_most_ns: Histogram::largest_in(*index),
            count: *count,
        };
        Self {
            count: histogram.count,
            max_ns: histogram.max,
            buckets: histogram.buckets.iter().map(bucket).collect(),
        }
    }
}

impl TryFrom<Times> for Histogram {
    type Error = String;

    fn try_from(times: Times) -> Result<Self, String> {
        let mut buckets = BTreeMap::new();
        for Bucket { at_most_ns, count } in times.buckets {
            let index = Self::bucket_of(at_most_ns);
            if Self::largest_in(index) != at_most_ns {
                return Err(format!("no step of the scale ends at {at_most_ns} ns"));
            }
            if buckets.insert(index, count).is_some() {
                return Err(format!("two counts of times of at most {at_most_ns} ns"));
            }
        }
        Ok(Self { count: times.count, max: times.max_ns, buckets })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rig_protocol::{Placement, Placements};
    use serde_json::json;

    use super::*;

    fn counts<K: Ord + std::fmt::Debug>(
        key: impl Strategy<Value = K>,
    ) -> impl Strategy<Value = BTreeMap<K, u64>> {
        proptest::collection::btree_map(key, any::<u64>(), 0..4)
    }

    fn errnos() -> impl Strategy<Value = BTreeMap<Errno, u64>> {
        counts((0_i32..5_000).prop_map(Errno))
    }

    prop_compose! {
        fn placement()(count: u64, windows: Vec<u64>, adjacent_pairs: u64, first: Vec<u64>, last: Vec<u64>) -> Placement {
            Placement { count, windows, adjacent_pairs, first, last }
        }
    }

    prop_compose! {
        fn placements()(
            outcomes in proptest::collection::btree_map(".{0,8}", placement(), 0..3),
            closed_before_call in proptest::option::of(placement()),
            voids in proptest::option::of(placement()),
        ) -> Placements {
            Placements { outcomes, closed_before_call, voids }
        }
    }

    prop_compose! {
        fn tallies()(
            trials: u64, anomalies: u64, unreturned: u64,
            voids in counts(".{0,8}"), outcomes in counts(".{0,8}"),
            returns in counts((-4_100_i64..70).prop_map(Returned::of_raw)),
            state_before in counts(any::<u8>()),
            (stale_errno, errno_after_failure, errno_after_localtime, injected) in (errnos(), errnos(), errnos(), errnos()),
            times in proptest::collection::vec(any::<u64>(), 0..9),
            counters in proptest::collection::btree_map(".{0,8}", any::<i64>(), 0..4),
            outcomes_by_state in proptest::collection::btree_map(any::<u8>(), counts(".{0,8}"), 0..3),
            placements in placements(),
        ) -> Tally {
            let mut call = Histogram::default();
            times.iter().for_each(|time| call.record(*time));
            Tally {
                trials, voids, returns, outcomes, anomalies, unreturned, state_before, stale_errno, errno_after_failure, errno_after_localtime, injected, counters, outcomes_by_state, placements, program: None,
                latency: BTreeMap::from([("call".to_owned(), call)]),
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_is_lost_on_the_way_to_disk_and_back(tally in tallies()) {
            let text = serde_json::to_string(&Sums::from(&tally)).expect("plain data");
            let sums: Sums = serde_json::from_str(&text).expect("its own words");
            prop_assert_eq!(Tally::try_from(sums), Ok(tally));
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        let refused = |sums: serde_json::Value| {
            let sums: Sums = serde_json::from_value(sums).expect("the right shape");
            Tally::try_from(sums).expect_err("no sums of anything")
        };
        assert_eq!(
            refused(json!({"returns": [{"value": 0, "errno": "EBADF", "count": 1}]})),
            "a return of 0 with errno \"EBADF\""
        );
        let twice = json!({"returns": [{"value": 1, "count": 1}, {"value": 1, "count": 2}]});
        assert_eq!(refused(twice), "two counts of 1");
        assert_eq!(refused(json!({"injected": {"EFOO": 1}})), "\"EFOO\" is not an errno");
        assert_eq!(refused(json!({"state_before": {"OPEN": 1}})), "\"OPEN\" is not a TCP state");
        let times = json!({"latency_ns": {"call": {"buckets": [{"at_most_ns": 1_000, "count": 1}]}}});
        assert_eq!(refused(times), "no step of the scale ends at 1000 ns");
    }

    #[test]
    fn what_is_absent_is_nothing() {
        let sums: Sums = serde_json::from_str("{}").expect("all have defaults");
        assert_eq!(Tally::try_from(sums), Ok(Tally::default()));
    }
}
