//! A compiled script: the resolved form of one scenario file with all parameters filled in.
//!
//! Holds lanes of steps over numbered slots and marks; knows nothing of TOML, parameters or claims.
//! Units: nanoseconds.
//! Errors: none; `rig`'s script room has validated everything before it builds one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pattern::{DEADLINE, without_numbers};
use crate::{Call, Observed, Op, Program, Timing, Wait, matches_outcome, own_labels};

/// Which end of the connection a lane runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The kernel whose sockets are measured.
    Target,
    /// The other end.
    Peer,
}

/// One system call, sleep or wait.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What it does.
    pub op: Op,
    /// The one step whose observation the cell counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub verdict: bool,
    /// Its label joins the outcome (`readable,data,ECONNRESET`); always true for the verdict step.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outcome: bool,
    /// Without effect: once it said that a failure of this step is an observation, which now every failure of a call under test is. Still read,
    /// and part of a cell's id.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_fail: bool,
    /// Its label has the number that the call returned: `data=14480`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub count: bool,
    /// What its label says of the time that the call took: `ok:slow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
}

impl Step {
    /// A step that does this, and whose label says no more than it must.
    pub fn of(op: Op) -> Self {
        Self { op, verdict: false, outcome: false, may_fail: false, count: false, timing: None }
    }

    /// Writes its label: the word for what it returned, with the number and the time that it asks for.
    pub fn write_label(&self, out: &mut String, seen: &Observed) {
        self.op.schema().labels.write(out, seen, self.op.payload_bytes(), self.count);
        if let Some(word) = self.timing.as_ref().and_then(|timing| timing.word(seen.elapsed_ns)) {
            out.push(':');
            out.push_str(word);
        }
    }
}

/// A sequence of steps that one thread plays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lane {
    /// Its name in the scenario file: `client`, `peer`, `watcher`, ...
    pub name: String,
    /// Which end plays it.
    pub side: Side,
    /// In order.
    pub steps: Vec<Step>,
}

/// An `inject` that reaches no call: the filter is armed for the `select` system call of its lane and for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnreachableInjection {
    /// Index of the `inject` in the lane.
    pub inject: usize,
    /// Index of the next `select`, which goes through another door; `None`: there is none.
    pub select: Option<usize>,
}

impl Lane {
    /// What it sleeps in every trial, at the longest.
    pub fn sleeps(&self) -> Duration {
        let sleeping = self.steps.iter().filter(|step| step.op.schema().wait == Wait::Whole);
        sleeping.map(|step| step.op.longest_wait()).sum()
    }

    /// The first `inject` whose next `select` does not make the plain `select` system call.
    pub fn unreachable_injection(&self) -> Option<UnreachableInjection> {
        let injections =
            self.steps.iter().enumerate().filter(|(_, step)| matches!(step.op, Op::Inject { .. }));
        injections.map(|(inject, _)| inject).find_map(|inject| {
            let later = self.steps.iter().enumerate().skip(inject + 1);
            let mut selects = later.filter_map(|(at, step)| match step.op {
                Op::Select { call, .. } => Some((at, call)),
                _ => None,
            });
            match selects.next() {
                Some((_, Call::Select)) => None,
                Some((at, Call::Pselect6 | Call::Libc)) => {
                    Some(UnreachableInjection { inject, select: Some(at) })
                }
                None => Some(UnreachableInjection { inject, select: None }),
            }
        })
    }
}

/// A whole script, ready to be played.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Script {
    /// The scenario's name, for logs.
    pub name: String,
    /// Names of the socket slots.
    pub sockets: Vec<String>,
    /// Names of the marks.
    pub marks: Vec<String>,
    /// At least one [`Side::Target`] lane; at most one [`Side::Peer`] lane, whose first step is `accept`.
    pub lanes: Vec<Lane>,
    /// Outcomes that the scenario expects (`*` matches within one label). Any other is an anomaly.
    pub expect: Vec<String>,
    /// The same of the peer lane; empty where the scenario expects nothing of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expect_peer: Vec<String>,
    /// How long a trial may last, in nanoseconds, where the scenario says it; otherwise it follows from what its steps can wait for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_ns: Option<u64>,
    /// The user's program that is the client. The target has one lane then, without steps; outcomes are those of [`Program`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<Box<Program>>,
}

impl Script {
    /// A worker that has counted so many different outcomes gives up the numbers in further ones: three reads of up to 64 KiB each have
    /// more outcomes than a block has trials, and sums are sent and kept in memory.
    pub const MOST_OUTCOMES: usize = 256;

    /// Takes the numbers out of an outcome of this side that is new to counts which have [`Script::MOST_OUTCOMES`] already: each is then as
    /// the scenario expects it (`data=1..60000`), or `*`. What was expected stays so, and what was not does not become so.
    pub fn bound_outcome(&self, side: Side, counted: &BTreeMap<String, u64>, outcome: &mut String) {
        if counted.len() >= Self::MOST_OUTCOMES && !counted.contains_key(outcome.as_str()) {
            let expect = match side {
                Side::Target => &self.expect,
                Side::Peer => &self.expect_peer,
            };
            *outcome = without_numbers(expect, outcome);
        }
    }

    /// An outcome or a void's reason has at most so many bytes. Of [`Script::MOST_STEP_BYTES`] for each step and its words for times, so that
    /// an agent that plays the script cannot write a longer one; but never less than [`Script::USUAL_LABEL_BYTES`].
    pub fn most_label_bytes(&self) -> usize {
        let time = |step: &Step| {
            let words = step.timing.as_ref().map(Timing::words).unwrap_or_default();
            words.into_iter().map(str::len).max().unwrap_or(0)
        };
        let steps = self.lanes.iter().flat_map(|lane| &lane.steps);
        let steps: usize = steps.map(|step| Self::MOST_STEP_BYTES + time(step)).sum();
        // The calls that failed before a program's verdict call, that call, those behind it, and the end.
        let calls = self.program.as_ref().map_or(0, |_| 2 * Program::MOST_OUTCOME_LABELS + 2);
        Self::USUAL_LABEL_BYTES.max((steps + ",".len() + DEADLINE.len()).max(calls * Self::MOST_STEP_BYTES))
    }

    /// What one step adds to an outcome, besides its word for a time: the longest is `,readable+writable+exceptional` or an operation's name
    /// and an errno's, and a number has at most 20 digits.
    const MOST_STEP_BYTES: usize = 64;

    /// Enough for every void's reason, and for the outcomes of seven steps.
    const USUAL_LABEL_BYTES: usize = 512;

    /// Whether its streams are vsock(7)'s: one connect says it, and then all do.
    pub fn is_over_vsock(&self) -> bool {
        self.lanes.iter().flat_map(|lane| &lane.steps).any(|step| step.op.is_vsock())
    }

    /// The lanes of one side, in file order.
    pub fn lanes_of(&self, side: Side) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().filter(move |lane| lane.side == side)
    }

    /// How many labels of its own steps stand before the verdict step's in an outcome.
    fn labels_before_the_verdict(&self) -> usize {
        let verdict_lane = |lane: &&Lane| lane.steps.iter().any(|step| step.verdict);
        let steps = self.lanes_of(Side::Target).find(verdict_lane).map_or(&[][..], |lane| &lane.steps);
        steps.iter().take_while(|step| !step.verdict).filter(|step| step.outcome).count()
    }

    /// The verdict step's label of an outcome, or of a pattern.
    pub fn verdict_label<'o>(&self, outcome: &'o str) -> Option<&'o str> {
        own_labels(outcome).nth(self.labels_before_the_verdict())
    }

    /// The labels of an outcome behind the verdict step's.
    pub fn later_labels<'o>(&self, outcome: &'o str) -> impl Iterator<Item = &'o str> {
        own_labels(outcome).skip(self.labels_before_the_verdict() + 1)
    }

    /// Whether `outcome` is one that the scenario expects.
    pub fn expects(&self, outcome: &str) -> bool {
        self.expect.iter().any(|pattern| matches_outcome(pattern, outcome))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Delay, Errno, Slot, TimeClass, TimeRange};

    fn label(step: &Step, returned: i64, elapsed_ns: u64) -> String {
        let mut out = String::new();
        step.write_label(&mut out, &Observed { returned, elapsed_ns, ..Observed::default() });
        out
    }

    #[test]
    fn a_label_has_the_number_and_the_time_that_its_step_asks_for() {
        let plain = Step::of(Op::Read { socket: Slot(0), bytes: 65_536 });
        assert_eq!(label(&plain, 14_480, 7), "data");
        let range = |low_ns, high_ns| TimeRange { low_ns, high_ns };
        let classes = [("fast", range(0, 10)), ("slow", range(950, 1_100))];
        let classes = classes.map(|(name, range)| TimeClass { name: name.to_owned(), range });
        let step = Step { count: true, timing: Some(Timing::Classes(classes.to_vec())), ..plain };
        assert_eq!(label(&step, 14_480, 7), "data=14480:fast");
        assert_eq!(label(&step, 0, 1_000), "eof:slow");
        assert_eq!(label(&step, -104, 500), "ECONNRESET:other");
        let close = Step::of(Op::Close { socket: Slot(0) });
        let close = Step { timing: Some(Timing::Within(range(950, 1_100))), ..close };
        assert_eq!([0, 1_000, 2_000].map(|ns| label(&close, 0, ns)), ["ok:early", "ok", "ok:late"]);
        let write = Op::Write { socket: Slot(0), data: None, bytes: Some(9) };
        assert_eq!(label(&Step::of(write), 8, 0), "short");
    }

    #[test]
    fn an_outcome_keeps_its_numbers_until_the_counts_are_full() {
        let (name, sockets, marks, lanes) = ("t".to_owned(), vec![], vec![], vec![]);
        let expect = vec!["data=1..1000".to_owned()];
        let script = Script {
            name,
            sockets,
            marks,
            lanes,
            expect,
            expect_peer: vec![],
            deadline_ns: None,
            program: None,
        };
        let mut counted: BTreeMap<String, u64> = (1..256).map(|n| (format!("data={n}"), 1)).collect();
        let bounded = |counted: &BTreeMap<String, u64>, outcome: &str| {
            let mut outcome = outcome.to_owned();
            script.bound_outcome(Side::Target, counted, &mut outcome);
            outcome
        };
        let of_peer = |counted: &BTreeMap<String, u64>, outcome: &str| {
            let script = Script { expect_peer: vec!["data=1..500".to_owned()], ..script.clone() };
            let mut outcome = outcome.to_owned();
            script.bound_outcome(Side::Peer, counted, &mut outcome);
            outcome
        };
        assert_eq!(counted.len(), 255);
        assert_eq!(bounded(&counted, "data=999"), "data=999");
        assert_eq!(of_peer(&counted, "data=499"), "data=499");
        counted.insert("data=256".to_owned(), 1);
        assert_eq!(bounded(&counted, "data=999"), "data=1..1000");
        assert_eq!(bounded(&counted, "data=1001"), "data=*");
        assert_eq!(bounded(&counted, "data=7"), "data=7", "it is counted already");
        assert_eq!(bounded(&counted, "ECONNRESET"), "ECONNRESET");
        assert!(script.expects("data=1..1000") && !script.expects("data=*"));
        // The peer's lane has expectations of its own.
        assert_eq!([of_peer(&counted, "data=499"), of_peer(&counted, "data=999")], ["data=1..500", "data=*"]);
    }

    #[test]
    fn labels_of_other_steps_stand_before_the_verdicts_and_behind_it() {
        let read = || Step { outcome: true, ..Step::of(Op::Read { socket: Slot(0), bytes: 1 }) };
        let script = |steps| Script {
            name: "t".to_owned(),
            sockets: vec![],
            marks: vec![],
            lanes: vec![Lane { name: "client".to_owned(), side: Side::Target, steps }],
            expect: vec![],
            expect_peer: vec![],
            deadline_ns: None,
            program: None,
        };
        let verdict = || Step { verdict: true, ..read() };
        let first = script(vec![verdict(), read()]);
        for pattern in ["read:*,EBADF,ok:*", "*:ECONNRESET,EBADF,ok:*", "*:*,EBADF,read:EPIPE,ok:*"] {
            assert_eq!(first.verdict_label(pattern), Some("EBADF"), "{pattern}");
            assert_eq!(first.later_labels(pattern).collect::<Vec<_>>(), ["ok:*"], "{pattern}");
        }
        assert_eq!(first.verdict_label("ok:*,eof"), Some("ok:*"));
        assert_eq!(first.verdict_label("connect:deadline"), None);
        let second = script(vec![read(), verdict(), read()]);
        for (outcome, label, later) in [
            ("data,EBADF,eof", Some("EBADF"), &["eof"][..]),
            ("connect:EINPROGRESS,data,write:*,EBADF,*:*,eof", Some("EBADF"), &["eof"]),
            ("ok:*,EBADF", Some("EBADF"), &[]),
            ("read:*,data", None, &[]),
        ] {
            assert_eq!(second.verdict_label(outcome), label, "{outcome}");
            assert_eq!(second.later_labels(outcome).collect::<Vec<_>>(), later, "{outcome}");
        }
    }

    #[test]
    fn a_lane_sleeps_as_long_as_its_sleeps_and_not_its_waits() {
        let ns = |ns| Delay::Fixed { ns };
        let steps = vec![
            Step::of(Op::Sleep { duration: Delay::Uniform { low_ns: 1, high_ns: 7 } }),
            Step::of(Op::Await { mark: crate::Mark(0), timeout: ns(100) }),
            Step::of(Op::Sleep { duration: ns(30) }),
        ];
        let lane = Lane { name: "client".to_owned(), side: Side::Target, steps };
        assert_eq!(lane.sleeps(), Duration::from_nanos(37));
    }

    /// The bound is above what the table of operations can write, whatever is returned.
    #[test]
    fn no_step_writes_more_than_its_part_of_the_longest_label() {
        let errno = Errno::names().map(str::len).max().expect("there are names");
        for schema in crate::schemas() {
            let labels = schema.labels;
            let longest = |words: &[&str]| words.iter().map(|word| word.len()).max();
            let counted = longest(labels.counted).map(|word| word + "=".len() + u64::MAX.to_string().len());
            let several = "readable+writable+exceptional".len();
            let own = longest(labels.words).max(counted).unwrap_or(0).max(several);
            let failed = schema.name.len() + ":".len() + errno.max(DEADLINE.len());
            let most = ",".len() + own.max(failed) + ":".len();
            assert!(most <= Script::MOST_STEP_BYTES, "{}: {most}", schema.name);
        }
    }

    /// Ids of cells are hashes of this form: what a step does not ask for is not in it.
    #[test]
    fn the_json_form_of_a_plain_step_is_its_operation_alone() {
        let sleep = Step::of(Op::Sleep { duration: Delay::Fixed { ns: 5 } });
        let text = serde_json::to_string(&sleep).expect("plain data");
        assert_eq!(text, r#"{"op":{"op":"sleep","for":{"fixed":{"ns":5}}}}"#);
        let whole =
            Step { count: true, timing: Some(Timing::Within(TimeRange { low_ns: 1, high_ns: 2 })), ..sleep };
        let text = serde_json::to_string(&whole).expect("plain data");
        assert!(text.ends_with(r#","count":true,"timing":{"within":{"low_ns":1,"high_ns":2}}}"#), "{text}");
        assert_eq!(serde_json::from_str::<Step>(&text).expect("its own form"), whole);
    }
}
