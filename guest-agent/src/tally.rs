//! Counting: from a finished trial, void or with its outcome, to the sums that leave the agent.
//!
//! Holds sharded sums, so that workers do not queue for one lock, and the queue of records kept whole; no system call.
//! Units: counts; histograms in nanoseconds. Errors: none.
//! Must not lose a trial: every index that was taken ends here exactly once, as an outcome or as a void.
//! Tests: `tests/loopback`.

mod outcome;
mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rig_protocol::{Errno, Op, Progress, Returned, Side, StepLog, Tally, TrialRecord};

pub(crate) use outcome::{End, Finished};

use crate::interp::LaneLog;
use crate::ops::Seen;
use crate::plan::{LanePlan, Plan};
use crate::sequence::{Number, Sequence};
use crate::sys::errno;

/// Bytes of a read that a record shows: a record is for people, and a frame has a limit.
const SHOWN_BYTES: usize = 1024;

/// The void reason of a trial whose deadline came while no call under test was under way, and the verdict call had not returned.
const DEADLINE: &str = "trial deadline";

/// The void reason of a trial whose outcome would be one more than the sums have room for. Numbers are given up long before
/// ([`Script::MOST_OUTCOMES`]), so these would be thousands of different sequences of words.
///
/// [`Script::MOST_OUTCOMES`]: rig_protocol::Script::MOST_OUTCOMES
const TOO_MANY: &str = "too many different outcomes";

#[derive(Debug, Default)]
struct Shard {
    tally: Tally,
    /// Keys of which enough records are kept.
    full: BTreeSet<String>,
    /// The numbers of the outcome labels that it has seen.
    numbers: BTreeMap<String, Number>,
    /// Reused for the present trial.
    outcome: String,
}

#[derive(Debug, Default)]
struct Keeper {
    kept: BTreeMap<String, u32>,
    /// Anomalies of all outcomes together.
    anomalies: u64,
    queue: Vec<TrialRecord>,
}

/// What every trial with an outcome leaves in the sums.
#[derive(Debug, Clone, Copy)]
struct Counted {
    trial: u64,
    /// What its verdict call returned, if it did.
    returned: Option<i64>,
    /// TCP's state before that.
    state: Option<u8>,
    elapsed_ns: u64,
}

/// The sums of one assignment.
#[derive(Debug)]
pub(crate) struct Ledger {
    shards: Box<[Mutex<Shard>]>,
    keeper: Mutex<Keeper>,
    /// A target's trials by index.
    sequence: Option<Sequence>,
    /// Each part counts at most so many different outcomes: together they stay within [`Tally::MOST_KINDS`].
    most_kinds: usize,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn count<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, key: &K) {
    match sums.get_mut(key) {
        Some(sum) => *sum += 1,
        None => {
            sums.insert(key.clone(), 1);
        }
    }
}

fn add<K: Ord + Clone>(sums: &mut BTreeMap<K, u64>, more: &BTreeMap<K, u64>) {
    for (key, count) in more {
        *sums.entry(key.clone()).or_default() += count;
    }
}

fn record(tally: &mut Tally, name: &'static str, value_ns: u64) {
    match tally.latency.get_mut(name) {
        Some(histogram) => histogram.record(value_ns),
        None => tally.latency.entry(name.to_owned()).or_default().record(value_ns),
    }
}

impl Ledger {
    /// Empty sums for the trials of `plan`, in `shards` parts.
    pub(crate) fn new(shards: usize, plan: &Plan) -> Self {
        Self {
            shards: (0..shards.max(1)).map(|_| Mutex::default()).collect(),
            keeper: Mutex::default(),
            most_kinds: Tally::MOST_KINDS / shards.max(1),
            sequence: match plan.side {
                Side::Target => Sequence::of(plan.trials),
                // Its connections have no planned number.
                Side::Peer => None,
            },
        }
    }

    /// Counts a finished trial of worker `worker`.
    pub(crate) fn settle(&self, plan: &Plan, worker: usize, finished: &Finished<'_>) {
        let mut shard = lock(&self.shards[worker % self.shards.len()]);
        let shard = &mut *shard;
        shard.outcome.clear();
        if let Some(reason) = void_reason(plan, finished) {
            let whole = |outcome, kept| whole_record(plan, finished, outcome, kept);
            return self.settle_void(plan, shard, finished.trial, &reason, whole);
        }
        let verdict = outcome::write(&mut shard.outcome, plan, finished);
        let whole = |outcome, kept| whole_record(plan, finished, outcome, kept);
        let counted = Counted {
            trial: finished.trial,
            returned: verdict.and_then(|verdict| verdict.returned()),
            state: verdict.and_then(|verdict| verdict.seen.state_before),
            elapsed_ns: finished.elapsed_ns,
        };
        if !self.count_whole(plan, shard, &counted) {
            return self.settle_void(plan, shard, finished.trial, TOO_MANY, whole);
        }
        count_steps(&mut shard.tally, plan, finished);
        let anomaly = match plan.side {
            Side::Target => outcome::surprises(&plan.script, &shard.outcome, verdict),
            Side::Peer => outcome::surprises_of_peer(&plan.script, &shard.outcome),
        };
        self.keep_whole(plan, shard, anomaly, whole);
    }

    /// Counts the trial whose outcome the shard has; false where there is no room for a further outcome.
    fn count_whole(&self, plan: &Plan, shard: &mut Shard, counted: &Counted) -> bool {
        plan.script.bound_outcome(plan.side, &shard.tally.outcomes, &mut shard.outcome);
        let outcomes = &shard.tally.outcomes;
        if outcomes.len() >= self.most_kinds && !outcomes.contains_key(&shard.outcome) {
            return false;
        }
        let tally = &mut shard.tally;
        tally.trials += 1;
        match counted.returned {
            Some(returned) => count(&mut tally.returns, &Returned::of_raw(returned)),
            None if plan.side == Side::Target => tally.unreturned += 1,
            // A peer's lane has no verdict, so there is nothing that it could have returned.
            None => count(&mut tally.returns, &Returned::ZERO),
        }
        count(&mut tally.outcomes, &shard.outcome);
        if let Some(state) = counted.state {
            count(&mut tally.state_before, &state);
            count(tally.outcomes_by_state.entry(state).or_default(), &shard.outcome);
        }
        if let Some(sequence) = &self.sequence {
            sequence.note(counted.trial, number(&mut shard.numbers, sequence, &shard.outcome), counted.state);
        }
        record(tally, "trial", counted.elapsed_ns);
        true
    }

    /// Counts an anomaly, and keeps the trial whole if it is to be kept.
    fn keep_whole(
        &self,
        plan: &Plan,
        shard: &mut Shard,
        anomaly: bool,
        whole: impl FnOnce(String, Kept) -> TrialRecord,
    ) {
        shard.tally.anomalies += u64::from(anomaly);
        let kept = if anomaly { Kept::Anomaly } else { Kept::Example };
        let key = std::mem::take(&mut shard.outcome);
        self.keep(plan, shard, &key, kept, whole);
        shard.outcome = key;
    }

    fn settle_void(
        &self,
        plan: &Plan,
        shard: &mut Shard,
        trial: u64,
        reason: &str,
        whole: impl FnOnce(String, Kept) -> TrialRecord,
    ) {
        count(&mut shard.tally.voids, &reason.to_owned());
        if let Some(sequence) = &self.sequence {
            sequence.note_void(trial);
        }
        let key = format!("{}{reason}", Tally::VOID_PREFIX);
        self.keep(plan, shard, &key, Kept::Void, whole);
    }

    /// Counts something that went wrong before there was a trial.
    pub(crate) fn count_void(&self, worker: usize, reason: String) {
        count(&mut lock(&self.shards[worker % self.shards.len()]).tally.voids, &reason);
    }

    fn keep(
        &self,
        plan: &Plan,
        shard: &mut Shard,
        key: &str,
        kept: Kept,
        whole: impl FnOnce(String, Kept) -> TrialRecord,
    ) {
        let most = if kept == Kept::Anomaly { plan.keep_anomalies } else { plan.keep_examples };
        if most == 0 || shard.full.contains(key) {
            return;
        }
        let keeper = &mut *lock(&self.keeper);
        let of_block = match kept {
            Kept::Anomaly => keeper.anomalies < plan.most_anomalies,
            Kept::Example | Kept::Void => true,
        };
        let so_far = keeper.kept.entry(key.to_owned()).or_default();
        if *so_far < most && of_block {
            *so_far += 1;
            keeper.anomalies += u64::from(kept == Kept::Anomaly);
            let outcome = key.strip_prefix(Tally::VOID_PREFIX).unwrap_or(key).to_owned();
            keeper.queue.push(whole(outcome, kept));
        } else {
            shard.full.insert(key.to_owned());
        }
    }

    /// Takes the records kept since the last call.
    pub(crate) fn take_records(&self) -> Vec<TrialRecord> {
        std::mem::take(&mut lock(&self.keeper).queue)
    }

    /// The sums so far, for a sign of life; each shard's as they are between two trials, so that they fit to each other.
    pub(crate) fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        for shard in &self.shards {
            let shard = lock(shard);
            progress.trials += shard.tally.trials;
            progress.unreturned += shard.tally.unreturned;
            add(&mut progress.voids, &shard.tally.voids);
            add(&mut progress.returns, &shard.tally.returns);
            add(&mut progress.outcomes, &shard.tally.outcomes);
        }
        progress
    }

    /// All sums, when every worker has gone; counters are not filled in.
    pub(crate) fn sums(&self) -> Tally {
        let mut sums = Tally::default();
        for shard in &self.shards {
            sums.absorb(&lock(shard).tally);
        }
        if let Some(sequence) = &self.sequence {
            sums.placements = sequence.placements(&sums.outcomes);
        }
        sums
    }
}

/// The number of a label, as the shard remembers it or as the block gives it.
fn number(known: &mut BTreeMap<String, Number>, sequence: &Sequence, label: &str) -> Number {
    if let Some(number) = known.get(label) {
        return *number;
    }
    let number = sequence.number(label);
    known.insert(label.to_owned(), number);
    number
}

/// What a record is kept as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kept {
    Example,
    Anomaly,
    Void,
}

/// Why the trial has no outcome, if it has none.
fn void_reason(plan: &Plan, finished: &Finished<'_>) -> Option<String> {
    let lanes = || plan.lanes.iter().zip(finished.logs);
    // A lane that fails abandons the trial; that other lanes were cut afterwards follows from it. Once the verdict call has returned, none
    // does: the interpreter sees to it.
    let failed = lanes().find_map(|(planned, log)| log.void.map(|void| void.reason(planned, &plan.script)));
    if failed.is_some() || finished.is_unfinished(plan) {
        return failed;
    }
    if finished.is_cut(plan) {
        let under_test = |(planned, log): (&LanePlan, &MutexGuard<'_, LaneLog>)| {
            let last = log.seen.last().filter(|_| log.cut);
            last.is_some_and(|seen| !planned.steps[usize::from(seen.step)].sockets.is_empty())
        };
        let tells = lanes().any(under_test) || outcome::verdict_end_ns(plan, finished).is_some();
        return (!tells).then(|| DEADLINE.to_owned());
    }
    let reached = |(planned, log): (&LanePlan, &MutexGuard<'_, LaneLog>)| {
        log.seen.iter().any(|seen| planned.steps[usize::from(seen.step)].step.verdict)
    };
    let missed = plan.side == Side::Target && !lanes().any(reached);
    missed.then(|| "the verdict step was not reached".to_owned())
}

/// Counts what single steps say: the verdict call's time and the errno after it, localtime's errno, injections.
fn count_steps(tally: &mut Tally, plan: &Plan, finished: &Finished<'_>) {
    for (planned, log) in plan.lanes.iter().zip(finished.logs) {
        for (seen, cut) in log.steps() {
            let step = &planned.steps[usize::from(seen.step)].step;
            if step.verdict && !cut {
                record(tally, "call", seen.end_ns - seen.begin_ns);
                let failed = errno::is_failure(seen.returned);
                let errnos = if failed { &mut tally.errno_after_failure } else { &mut tally.stale_errno };
                count(errnos, &Errno(seen.errno_after));
            }
            match step.op {
                Op::Localtime {} => count(&mut tally.errno_after_localtime, &Errno(seen.errno_after)),
                Op::Inject { errno, .. } if seen.returned == 1 => count(&mut tally.injected, &errno),
                _ => {}
            }
        }
    }
}

/// The trial with every step of every lane.
fn whole_record(plan: &Plan, finished: &Finished<'_>, outcome: String, kept: Kept) -> TrialRecord {
    let mut steps: Vec<StepLog> = Vec::new();
    for (planned, log) in plan.lanes.iter().zip(finished.logs) {
        steps.extend(log.steps().map(|(seen, cut)| step_log(planned, log, seen, cut)));
    }
    steps.sort_by_key(|step| step.begin_ns);
    TrialRecord {
        trial: finished.trial,
        outcome,
        anomaly: kept == Kept::Anomaly,
        void: kept == Kept::Void,
        local_port: finished.stage.port(),
        descriptor: finished.stage.verdict_descriptor(),
        steps,
        program: None,
    }
}

fn step_log(planned: &LanePlan, log: &LaneLog, seen: &Seen, cut: bool) -> StepLog {
    let shown = |bytes: &[u8]| String::from_utf8_lossy(&bytes[..bytes.len().min(SHOWN_BYTES)]).into_owned();
    StepLog {
        lane: planned.index,
        step: seen.step,
        begin_ns: seen.begin_ns,
        end_ns: seen.end_ns,
        returned: seen.returned,
        errno_after: Errno(seen.errno_after),
        ready: seen.ready,
        events: seen.events,
        data: log.scratch.read_by(seen).map(shown),
        state_before: seen.state_before,
        cut,
    }
}
