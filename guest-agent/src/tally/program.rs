//! Counting the trials of a user's program.
//!
//! Holds what such a trial leaves in the sums beside what every trial does, and its record. Must not decide what its outcome is.
//! Units: counts; histograms in nanoseconds. Errors: none. Tests: `tests/program`.

use rig_protocol::{Errno, TrialRecord};

use super::{Counted, Kept, Ledger, Shard, TOO_MANY, count, lock, outcome, record};
use crate::plan::Plan;
use crate::program::Ran;

impl Ledger {
    /// Counts a trial that worker `worker` played.
    pub(crate) fn settle_program(
        &self,
        plan: &Plan,
        worker: usize,
        trial: u64,
        ran: &Ran<'_>,
        elapsed_ns: u64,
    ) {
        let Some(program) = plan.program() else { return };
        let mut shard = lock(&self.shards[worker % self.shards.len()]);
        let shard = &mut *shard;
        let came_to = ran.outcome(program);
        shard.outcome = came_to.text;
        let whole = |outcome, kept| whole_record(trial, ran, outcome, kept);
        let state = ran.verdict().and_then(|verdict| verdict.log.state_before);
        let counted = Counted { trial, returned: ran.returned(), state, elapsed_ns };
        if !self.count_whole(plan, shard, &counted) {
            return self.settle_void(plan, shard, trial, TOO_MANY, whole);
        }
        count_calls(shard, ran);
        let label = came_to.verdict;
        let failed = ran.returned().and_then(Errno::of_return).map(|_| label);
        let anomaly = outcome::is_unexpected(&plan.script, &shard.outcome, failed);
        self.keep_whole(plan, shard, anomaly, whole);
    }

    /// Counts a trial that could not be played.
    pub(crate) fn settle_program_void(&self, plan: &Plan, worker: usize, trial: u64, reason: &str) {
        let mut shard = lock(&self.shards[worker % self.shards.len()]);
        let whole = |outcome, kept| empty_record(trial, outcome, kept);
        self.settle_void(plan, &mut shard, trial, reason, whole);
    }
}

/// What its calls, its line and its end say.
fn count_calls(shard: &mut Shard, ran: &Ran<'_>) {
    let tally = &mut shard.tally;
    if let Some(verdict) = ran.verdict().filter(|verdict| verdict.log.returned.is_some()) {
        record(tally, "call", verdict.log.end_ns.saturating_sub(verdict.log.begin_ns));
        let failed = ran.returned().and_then(Errno::of_return).is_some();
        let errnos = if failed { &mut tally.errno_after_failure } else { &mut tally.stale_errno };
        if let Some(errno) = verdict.log.errno_after {
            count(errnos, &errno);
        }
    }
    if let Some(first_ns) = ran.calls.first_socket_ns {
        record(tally, "start", first_ns.saturating_sub(ran.begin_ns));
    }
    if let Some(held) = ran.held() {
        count(&mut tally.errno_after_localtime, &held);
    }
    if let Some(errno) = ran.drawn {
        count(&mut tally.injected, &errno);
    }
    let sums = tally.program.get_or_insert_default();
    sums.count(ran.account());
    count(&mut sums.ends, &ran.end());
    for (site, label) in &ran.calls.sites {
        sums.count_site(site, label, 1);
    }
    for (name, calls) in &ran.calls.counts {
        *sums.calls.entry((*name).to_owned()).or_default() += calls;
    }
    for what in &ran.unseen {
        count(&mut sums.unseen, &(*what).to_owned());
    }
    sums.redirected += ran.redirected;
    sums.lost_events += ran.lost_events;
    sums.own_resets += ran.own_resets;
}

fn whole_record(trial: u64, ran: &Ran<'_>, outcome: String, kept: Kept) -> TrialRecord {
    TrialRecord {
        local_port: ran.local_port,
        descriptor: ran.verdict().and_then(|verdict| verdict.log.descriptor).unwrap_or(-1),
        program: Some(Box::new(ran.record())),
        ..empty_record(trial, outcome, kept)
    }
}

fn empty_record(trial: u64, outcome: String, kept: Kept) -> TrialRecord {
    TrialRecord {
        trial,
        outcome,
        anomaly: kept == Kept::Anomaly,
        void: kept == Kept::Void,
        local_port: 0,
        descriptor: -1,
        steps: Vec::new(),
        program: None,
    }
}
