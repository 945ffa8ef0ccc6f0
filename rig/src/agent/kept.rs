//! Trials that an agent sends whole: which can be, and how many bytes of them rig holds.
//!
//! A guest may send what it likes for as long as its block lasts. What no agent of ours sends ends the conversation; of what one could send, rig
//! holds so many bytes and only counts the rest. Must not know frames, nor what a trial means. Units: bytes, counts.
//! Errors: none; what cannot be is said in words, which blame the agent. Tests: here, and `conversation/tests.rs`.

use std::collections::HashMap;

use rig_protocol::{Assignment, Role, Tally, TrialRecord};

/// So many bytes of trials kept whole are held of a block, anomalies and examples each for themselves: some thousand trials of the longest scenario. What comes after is
/// counted and left out.
pub const MOST_HELD_BYTES: usize = 8 << 20;

/// What came so far.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    assignment: &'a Assignment,
    records: Vec<TrialRecord>,
    received: u64,
    anomalies: Held,
    examples: Held,
}

/// One kind of records.
#[derive(Debug, Default)]
struct Held {
    bytes: usize,
    received: u64,
    of_outcome: HashMap<String, u32>,
}

impl<'a> Kept<'a> {
    pub(super) fn new(assignment: &'a Assignment) -> Self {
        let (anomalies, examples) = (Held::default(), Held::default());
        Self { assignment, records: Vec::new(), received: 0, anomalies, examples }
    }

    /// How many came, held or not.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn into_records(self) -> Vec<TrialRecord> {
        self.records
    }

    /// Takes one more, or says why no agent of ours sends it.
    pub(super) fn take(&mut self, record: TrialRecord) -> Result<(), String> {
        let assignment = self.assignment;
        if let Some(what) = record.inconsistency(&assignment.script) {
            return Err(what);
        }
        if matches!(assignment.role, Role::Target { .. }) && record.trial >= assignment.trials {
            return Err(format!("a record of trial {} of {}", record.trial, assignment.trials));
        }
        let record = record.with_plain_data();
        let (held, most, of_block) = match record.anomaly {
            true => (&mut self.anomalies, assignment.keep_anomalies, assignment.most_anomalies()),
            false => (&mut self.examples, assignment.keep_examples, most_examples(assignment)),
        };
        held.received += 1;
        self.received += 1;
        if held.received > of_block {
            let what = if record.anomaly { "anomalies" } else { "examples" };
            return Err(format!("more than {of_block} {what}"));
        }
        let key = record.key();
        let bytes = record.bytes();
        match held.of_outcome.get_mut(&key) {
            Some(so_far) if *so_far >= most => {
                return Err(format!("more than {most} records of one outcome"));
            }
            Some(so_far) => *so_far += 1,
            None if held.bytes + key.len() + bytes > MOST_HELD_BYTES => return Ok(()),
            None => {
                held.bytes += key.len();
                held.of_outcome.insert(key, 1);
            }
        }
        if held.bytes + bytes <= MOST_HELD_BYTES {
            held.bytes += bytes;
            self.records.push(record);
        }
        Ok(())
    }
}

/// More examples than that no agent keeps: of each outcome and of each reason of a void trial.
fn most_examples(assignment: &Assignment) -> u64 {
    u64::from(assignment.keep_examples) * 2 * Tally::MOST_KINDS as u64
}

#[cfg(test)]
mod tests {
    use rig_protocol::{Errno, Lane, Op, Script, Side, Step, StepLog};

    use super::*;

    fn assignment() -> Assignment {
        let steps = vec![Step::of(Op::Localtime {}); 20];
        let lane = Lane { name: "client".into(), side: Side::Target, steps };
        Assignment {
            script: Script { name: "s".into(), lanes: vec![lane], ..Script::default() },
            role: Role::Target { connect: String::new() },
            trials: 1_000_000,
            in_flight: 1,
            seed: 0,
            keep_examples: 3,
            keep_anomalies: 1_000,
            trial_deadline_ns: 1,
            root: None,
        }
    }

    fn record(outcome: &str, anomaly: bool, data: &str) -> TrialRecord {
        let step = |step| StepLog {
            lane: 0,
            step,
            begin_ns: 0,
            end_ns: 0,
            returned: 0,
            errno_after: Errno(0),
            ready: None,
            events: None,
            data: Some(data.to_owned()),
            state_before: None,
            cut: false,
        };
        TrialRecord {
            trial: 0,
            outcome: outcome.to_owned(),
            anomaly,
            void: false,
            local_port: 0,
            descriptor: -1,
            steps: (0..20).map(step).collect(),
            program: None,
        }
    }

    /// Counts bytes by what is there, not by what was added up on the way.
    fn held(kept: &Kept<'_>) -> usize {
        let keys = kept.anomalies.of_outcome.keys().chain(kept.examples.of_outcome.keys());
        kept.records.iter().map(TrialRecord::bytes).chain(keys.map(String::len)).sum()
    }

    #[test]
    fn a_guest_that_sends_gigabytes_is_held_in_a_few_mebibytes() {
        let assignment = assignment();
        let mut kept = Kept::new(&assignment);
        let data = "x".repeat(1 << 18);
        // Five MiB each, and a name of its own each: examples of ever new outcomes.
        for number in 0..10 {
            kept.take(record(&format!("{number:0>500}"), false, &data)).expect("an agent could keep it");
        }
        assert_eq!(kept.records.len(), 10, "each is cut to what a person reads");
        let short = "x".repeat(256);
        for number in 10..10_000 {
            kept.take(record(&format!("{number:0>500}"), false, &short)).expect("an agent could keep it");
        }
        for number in 0..4_000 {
            let outcome = format!("{:0>500}", number % 4);
            kept.take(record(&outcome, true, &short)).expect("an agent could keep it");
        }
        assert_eq!(kept.received(), 14_000, "all are counted");
        assert!(held(&kept) <= 2 * MOST_HELD_BYTES, "{}", held(&kept));
        assert!(kept.anomalies.bytes > MOST_HELD_BYTES / 2, "examples take nothing from the anomalies");
        let error =
            kept.take(record("one more", true, "")).expect_err("four times a thousand were asked for");
        assert_eq!(error, "more than 4000 anomalies");
    }

    #[test]
    fn more_records_of_an_outcome_than_were_asked_for_are_refused() {
        let assignment = assignment();
        let mut kept = Kept::new(&assignment);
        for _ in 0..3 {
            kept.take(record("readable", false, "pong")).expect("asked for");
        }
        let error = kept.take(record("readable", false, "pong")).expect_err("one too many");
        assert_eq!(error, "more than 3 records of one outcome");
        let late = TrialRecord { trial: 1_000_000, ..record("late", false, "") };
        assert_eq!(kept.take(late).expect_err("not asked for"), "a record of trial 1000000 of 1000000");
        assert!(kept.take(record("\u{1b}[2J", false, "")).is_err());
    }
}
