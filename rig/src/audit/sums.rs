//! The sums of trials, added up from the trees of block files.
//!
//! Must not know which blocks count. Units: counts, nanoseconds. Errors: none: what is absent is nothing. Tests: below.

use std::collections::BTreeMap;

use serde_json::Value;

use super::number::Tries;

/// Counts by a word.
pub(super) type Counts = BTreeMap<String, u64>;

/// What errnos are asked for, in the order of the report's keys.
pub(super) const QUESTIONS: [&str; 3] = ["EBADF", "ENOENT", "any_error"];

/// The sums of one end, of one block or of several.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    pub(super) trials: u64,
    pub(super) unreturned: u64,
    pub(super) anomalies: u64,
    pub(super) voids: Counts,
    /// By the return as a report writes it: `1`, `-1/EBADF`.
    pub(super) returns: Counts,
    pub(super) outcomes: Counts,
    pub(super) state_before: Counts,
    pub(super) outcomes_by_state: BTreeMap<String, Counts>,
    pub(super) errno_after_failure: Counts,
    pub(super) stale_errno: Counts,
    pub(super) errno_after_localtime: Counts,
    pub(super) injected: Counts,
    pub(super) latency: BTreeMap<String, Times>,
    pub(super) rsts_sent: i64,
}

/// How long things took.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    count: u64,
    max: u64,
    /// Counts by the longest time of a step of the scale.
    buckets: BTreeMap<u64, u64>,
}

impl Sums {
    /// Adds those of a block: `tally` or `peer_tally`.
    pub(super) fn add(&mut self, tally: &Value) {
        more(&mut self.trials, whole(&tally["trials"]));
        more(&mut self.unreturned, whole(&tally["unreturned"]));
        more(&mut self.anomalies, whole(&tally["anomalies"]));
        let maps = [
            ("voids", &mut self.voids),
            ("outcomes", &mut self.outcomes),
            ("state_before", &mut self.state_before),
            ("errno_after_failure", &mut self.errno_after_failure),
            ("stale_errno", &mut self.stale_errno),
            ("errno_after_localtime", &mut self.errno_after_localtime),
            ("injected", &mut self.injected),
        ];
        maps.into_iter().for_each(|(key, counts)| add(counts, &tally[key]));
        for (state, outcomes) in entries(&tally["outcomes_by_state"]) {
            add(self.outcomes_by_state.entry(state.clone()).or_default(), outcomes);
        }
        for entry in tally["returns"].as_array().into_iter().flatten() {
            let value = entry["value"].as_i64().unwrap_or_default();
            let key = match entry["errno"].as_str() {
                Some(errno) => format!("{value}/{errno}"),
                None => value.to_string(),
            };
            more(self.returns.entry(key).or_default(), whole(&entry["count"]));
        }
        for (what, times) in entries(&tally["latency_ns"]) {
            self.latency.entry(what.clone()).or_default().add(times);
        }
        let sent = tally["counters"]["Tcp.OutRsts"].as_i64().unwrap_or_default();
        self.rsts_sent = self.rsts_sent.saturating_add(sent);
    }

    /// Verdict calls that returned.
    pub(super) fn calls(&self) -> u64 {
        self.trials.saturating_sub(self.unreturned)
    }

    /// How often the verdict call returned -1 with this errno; `any_error`: with any.
    pub(super) fn returned(&self, errno: &str) -> u64 {
        if errno == "any_error" {
            return self
                .returns
                .iter()
                .filter(|(key, _)| key.starts_with("-1/"))
                .map(|(_, n)| *n)
                .fold(0, u64::saturating_add);
        }
        self.returns.get(&format!("-1/{errno}")).copied().unwrap_or(0)
    }

    /// The same, of the calls that returned.
    pub(super) fn answer(&self, errno: &str) -> Tries {
        Tries::new(self.returned(errno), self.calls())
    }

    /// How often trials ended so.
    pub(super) fn ended(&self, outcome: &str) -> Tries {
        Tries::new(self.outcomes.get(outcome).copied().unwrap_or(0), self.trials)
    }

    pub(super) fn void(&self) -> u64 {
        total(&self.voids)
    }
}

impl Times {
    fn add(&mut self, times: &Value) {
        more(&mut self.count, whole(&times["count"]));
        self.max = self.max.max(whole(&times["max_ns"]));
        for bucket in times["buckets"].as_array().into_iter().flatten() {
            more(self.buckets.entry(whole(&bucket["at_most_ns"])).or_default(), whole(&bucket["count"]));
        }
    }

    /// The median, 90 and 99 of 100, and the longest; nothing where nothing was measured.
    pub(super) fn quantiles(&self) -> Option<[(&'static str, u64); 4]> {
        (self.count > 0).then(|| {
            let [p50, p90, p99] = [0.5, 0.9, 0.99].map(|share| self.at(share));
            [("p50", p50), ("p90", p90), ("p99", p99), ("max", self.max)]
        })
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The times one by one as `rig docs record` has it: those of a step of the scale evenly spread over it, in eight parts. With their numbers, the shortest first.
    pub(super) fn spread(&self) -> Vec<(f64, u64)> {
        let mut all = Vec::new();
        for (at_most, count) in &self.buckets {
            // Sixteen steps in each power of two; below sixteen a step is one nanosecond.
            let wide = 1_u64 << (u64::BITS - at_most.leading_zeros()).saturating_sub(5);
            let above = if *at_most == 0 { 0 } else { at_most - wide };
            let length = ((*at_most).min(self.max) - above) as f64;
            let parts = (*count).min(8);
            for part in 0..parts {
                let of_part = count / parts + u64::from(part < count % parts);
                all.push((above as f64 + length * (part as f64 + 0.5) / parts as f64, of_part));
            }
        }
        all
    }

    pub(super) fn at(&self, share: f64) -> u64 {
        let rank = (self.count as f64 * share).ceil().max(1.0) as u64;
        let mut below = 0;
        let reaches = |(_, count): &(&u64, &u64)| {
            more(&mut below, **count);
            below >= rank
        };
        self.buckets.iter().find(reaches).map_or(self.max, |(at_most, _)| (*at_most).min(self.max))
    }
}

/// Adds. What is too large, in files that somebody made up, stays at the largest number.
pub(super) fn more(sum: &mut u64, n: u64) {
    *sum = sum.saturating_add(n);
}

/// All of them together.
pub(super) fn total(counts: &Counts) -> u64 {
    counts.values().copied().fold(0, u64::saturating_add)
}

/// A whole number that is not negative; 0 for all else.
pub(super) fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

/// The entries of an object; none of anything else.
pub(super) fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Adds an object of counts.
pub(super) fn add(sum: &mut Counts, counts: &Value) {
    for (key, count) in entries(counts) {
        more(sum.entry(key.clone()).or_default(), whole(count));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn blocks_add_up() {
        let block = json!({
            "trials": 5, "unreturned": 1, "outcomes": {"readable": 3, "EBADF": 2}, "injected": {"EBADF": 1},
            "returns": [{"value": 1, "count": 2}, {"value": -1, "errno": "EBADF", "count": 2}],
            "latency_ns": {"call": {"count": 5, "max_ns": 90, "buckets": [{"at_most_ns": 10, "count": 4}, {"at_most_ns": 95, "count": 1}]}},
            "counters": {"Tcp.OutRsts": 5},
        });
        let mut sums = Sums::default();
        sums.add(&block);
        sums.add(&block);
        assert_eq!((sums.trials, sums.calls(), sums.rsts_sent), (10, 8, 10));
        assert_eq!(sums.answer("any_error"), Tries { hits: 4, of: 8 });
        assert_eq!(sums.ended("readable"), Tries { hits: 6, of: 10 });
        let quantiles = sums.latency["call"].quantiles().expect("ten times");
        assert_eq!(
            quantiles.map(|(_, at)| at),
            [10, 90, 90, 90],
            "a step's end, and never beyond the longest"
        );
    }
}
