//! Whether a block that was played to its end counts: it has outcomes, and its counters prove that the fault bit.
//!
//! Pure. Must not know how counters were read. Units: counts of one block.
//! Errors: none; what is missing is a [`VoidReason`]. Tests: below.

use rig_protocol::{Errno, LabelParts, Lane, Program, Script, Side, Tally, Witness, own_labels};

use crate::path::{Need, Proof};
use crate::record::format::BlockRecord;
use crate::record::{Risen, VoidReason};

/// Why a block that was played to its end does not count: no trial had an outcome, or the fault had no effect.
/// The trials are of `script`; `of_scenario` are counters that must rise in every trial that had a connection.
pub(super) fn unproven(
    record: &BlockRecord,
    script: &Script,
    of_scenario: &[String],
    of_path: &[Proof],
) -> Option<VoidReason> {
    let tally = &record.tally;
    if tally.trials == 0 {
        let most = tally.voids.iter().max_by_key(|(_, n)| **n).map(|(reason, _)| reason.clone());
        return Some(VoidReason::NoOutcome { void: tally.void(), most: most.unwrap_or_default() });
    }
    let of_scenario = of_scenario.iter().map(|counter| (counter.clone(), Need::EveryTrial));
    let of_path = of_path.iter().map(|proof| (format!("path.{}", proof.counter), proof.need.clone()));
    of_scenario.chain(of_path).find_map(|(counter, need)| unmet(record, script, counter, &need))
}

fn unmet(record: &BlockRecord, script: &Script, counter: String, need: &Need) -> Option<VoidReason> {
    let connected = connected(record, script);
    let trials = match need {
        Need::EveryTrial if connected > 0 => connected,
        Need::EveryTrial | Need::Once | Need::ByChance { .. } | Need::Never => record.tally.trials,
    };
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let trials = count(trials);
    let Some(by) = risen(record, &counter) else { return Some(VoidReason::NoCounter { counter }) };
    // A fault that bit in no trial at all is not shown by trials without a connection either.
    if need.is_met(by, count(connected.max(1)), |other| risen(record, &format!("path.{other}"))) {
        return None;
    }
    let risen = Risen { counter, by, trials };
    Some(match need {
        Need::EveryTrial | Need::Once | Need::ByChance { .. } => VoidReason::NoEffect(risen),
        Need::Never => VoidReason::UnclaimedEffect(risen),
    })
}

/// Trials whose connection came about, at the least: not those of whose outcome a `connect` says that it failed or was cut, and not those that
/// were cut before the verdict call had returned. What a trial without a connection does to a counter is not known.
fn connected(record: &BlockRecord, script: &Script) -> u64 {
    let tally = &record.tally;
    if let Some(program) = &script.program {
        return connected_of_program(record, script, program);
    }
    let with = |ended: fn(&str) -> bool| -> u64 {
        let all = tally.outcomes.iter().filter(|(outcome, _)| connects(script, outcome).any(ended));
        all.fold(0, |sum, (_, n)| sum.saturating_add(*n))
    };
    let (unconnected, cut) = (with(is_unconnected), with(|ended| ended == Tally::DEADLINE));
    // A trial whose connect was cut is among the unreturned ones too.
    let others = tally.unreturned.saturating_sub(cut);
    tally.trials.saturating_sub(unconnected).saturating_sub(others)
}

/// The same of a program's trials. Those without a verdict call are unreturned; where nobody saw its calls, the peer saw what came.
fn connected_of_program(record: &BlockRecord, script: &Script, program: &Program) -> u64 {
    let tally = &record.tally;
    if program.witness == Witness::None {
        return tally.trials.min(record.peer_tally.trials);
    }
    let is_connect = |names: &[String]| names.iter().any(|name| name == "connect");
    let unconnected = |outcome: &str| {
        let Some(verdict) = script.verdict_label(outcome) else { return false };
        if [Program::UNCALLED, Tally::DEADLINE].contains(&verdict) {
            // Among the unreturned.
            return false;
        }
        let named = outcome.split(',').map(LabelParts::of).filter(|parts| parts.word == "connect");
        // A label does not say which of several calls it is of: then it may be that of a connect.
        let verdicts = is_connect(&program.verdict.calls).then_some(verdict);
        let later = script.later_labels(outcome).filter(|_| is_connect(&program.outcome));
        named.filter_map(|parts| parts.time).chain(verdicts).chain(later).any(is_unconnected)
    };
    let failed = tally.outcomes.iter().filter(|(outcome, _)| unconnected(outcome));
    let failed = failed.fold(0, |sum: u64, (_, n)| sum.saturating_add(*n));
    tally.trials.saturating_sub(failed).saturating_sub(tally.unreturned)
}

/// How the `connect` steps of an outcome ended, as far as it says it: in labels with the operation's name, and in those of steps of its own.
fn connects<'o>(script: &Script, outcome: &'o str) -> impl Iterator<Item = &'o str> {
    let is_connect = |name: &str| name == "connect";
    let named = outcome.split(',').map(LabelParts::of).filter(move |parts| is_connect(parts.word));
    let verdict_lane = |lane: &&Lane| lane.steps.iter().any(|step| step.verdict);
    let lanes = script.lanes_of(Side::Target).filter(verdict_lane);
    let own = lanes.flat_map(|lane| &lane.steps).filter(|step| step.verdict || step.outcome);
    let own = own.zip(own_labels(outcome)).filter(move |(step, _)| is_connect(step.op.name()));
    let own: Vec<&str> = own.map(|(_, label)| LabelParts::of(label).word).collect();
    named.filter_map(|parts| parts.time).chain(own)
}

/// Whether a `connect` that ended so failed or was cut. One that does not wait (EINPROGRESS) has not failed.
fn is_unconnected(ended: &str) -> bool {
    ended == Tally::DEADLINE || ended.parse::<Errno>().is_ok_and(|errno| errno.0 != libc::EINPROGRESS)
}

/// `peer.Tcp.OutRsts`, `target.TcpExt.TCPAbortOnData`: how far that kernel counter rose during the block, which is 0 where the kernel shows
/// none of that name; `path.rule.NAME`: what a mechanism of the path counted, if it has such a counter.
fn risen(record: &BlockRecord, name: &str) -> Option<i64> {
    let of = |tally: &Tally, key: &str| tally.counters.get(key).copied().unwrap_or(0);
    match name.split_once('.')? {
        ("peer", key) => Some(of(&record.peer_tally, key)),
        ("target", key) => Some(of(&record.tally, key)),
        ("path", key) => record.path.counters.get(key).map(|n| i64::try_from(*n).unwrap_or(i64::MAX)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use rig_protocol::{Op, Step};

    use super::super::kit;
    use super::*;

    /// A block of ten trials whose peer sent seven resets and whose path counted three packets.
    fn played() -> BlockRecord {
        let mut record = kit::attempt("a").blank_record("");
        record.tally.trials = 10;
        record.peer_tally.counters.insert("Tcp.OutRsts".into(), 7);
        record.path.counters.insert("rule.drop".into(), 3);
        record
    }

    /// What is missing in a block of trials without a `connect` that tells something.
    fn proven_by(record: &BlockRecord, of_scenario: &[String], of_path: &[Proof]) -> Option<VoidReason> {
        unproven(record, &kit::attempt("a").cell.subject.script, of_scenario, of_path)
    }

    fn of_path(need: Need) -> Option<VoidReason> {
        proven_by(&played(), &[], &[Proof { counter: "rule.drop".into(), need }])
    }

    #[test]
    fn a_block_without_outcomes_names_the_most_frequent_reason() {
        let mut record = played();
        record.tally.trials = 0;
        record.tally.voids = [("connect: ECONNREFUSED".into(), 2), ("trial deadline".into(), 8)].into();
        let reason = proven_by(&record, &[], &[]).unwrap();
        assert_eq!(reason.to_string(), "no trial had an outcome (10 void, most often: trial deadline)");
    }

    #[test]
    fn a_counter_of_the_scenario_must_rise_in_every_trial() {
        let short = proven_by(&played(), &["peer.Tcp.OutRsts".into()], &[]).unwrap();
        assert_eq!(short.to_string(), "fault had no effect: peer.Tcp.OutRsts rose by 7 in 10 trials");
        let mut enough = played();
        enough.peer_tally.counters.insert("Tcp.OutRsts".into(), 10);
        assert_eq!(proven_by(&enough, &["peer.Tcp.OutRsts".into()], &[]), None);
    }

    #[test]
    fn a_trial_without_a_connection_raises_no_counter() {
        let with = |outcomes: &[(&str, u64)], unreturned| {
            let mut record = played();
            record.tally.outcomes = outcomes.iter().map(|(label, n)| ((*label).to_owned(), *n)).collect();
            record.tally.unreturned = unreturned;
            let reason = proven_by(&record, &["peer.Tcp.OutRsts".into()], &[]);
            (
                connected(&record, &Script::clone(&kit::attempt("a").cell.subject.script)),
                reason.map(|reason| reason.to_string()),
            )
        };
        // Seven resets were sent, in ten trials.
        assert_eq!(with(&[("readable", 7), ("connect:deadline", 3)], 3), (7, None));
        assert_eq!(with(&[("readable", 7), ("connect:ECONNREFUSED,readable", 3)], 0), (7, None));
        assert_eq!(with(&[("readable", 7), ("deadline", 2), ("connect:deadline", 1)], 3), (7, None));
        assert_eq!(with(&[("readable", 1), ("deadline", 9)], 9), (1, None));
        let words =
            |trials| Some(format!("fault had no effect: peer.Tcp.OutRsts rose by 7 in {trials} trials"));
        assert_eq!(with(&[("readable", 8), ("connect:ETIMEDOUT,EPIPE", 2)], 0), (8, words(8)));
        assert_eq!(with(&[("connect:EINPROGRESS,readable", 10)], 0), (10, words(10)));
        // Cut behind the verdict: there was a connection.
        assert_eq!(with(&[("readable,deadline", 10)], 0), (10, words(10)));
    }

    #[test]
    fn a_connect_that_is_an_outcome_step_tells_without_its_name() {
        let step = |op| Step { outcome: true, ..Step::of(op) };
        let slot = rig_protocol::Slot(0);
        let steps =
            vec![Step { verdict: true, ..step(Op::connect(slot)) }, step(Op::SoError { socket: slot })];
        let plain = kit::attempt("a").cell.subject.script;
        let lanes = vec![Lane { name: "client".into(), side: Side::Target, steps }];
        let script = Script { lanes, ..Script::clone(&plain) };
        let of = |outcomes: &[(&str, u64)], unreturned| {
            let outcomes = outcomes.iter().map(|(label, n)| ((*label).to_owned(), *n)).collect();
            let tally = Tally { trials: 10, outcomes, unreturned, ..Tally::default() };
            connected(&BlockRecord { tally, ..played() }, &script)
        };
        assert_eq!(of(&[("ok,ok", 6), ("ECONNREFUSED,ok", 3), ("deadline", 1)], 1), 6);
        assert_eq!(of(&[("ok,ECONNRESET", 5), ("EINPROGRESS,ok", 5)], 0), 10);
    }

    #[test]
    fn a_program_that_did_not_connect_raises_no_counter() {
        let calls = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut program = Program { outcome: calls(&["read"]), ..Program::default() };
        program.verdict.calls = calls(&["select"]);
        let of = |program: &Program, outcomes: &[(&str, u64)], unreturned| {
            let outcomes = outcomes.iter().map(|(label, n)| ((*label).to_owned(), *n)).collect();
            let tally = Tally { trials: 10, outcomes, unreturned, ..Tally::default() };
            let script = Script { program: Some(Box::new(program.clone())), ..Script::default() };
            let mut record = BlockRecord { tally, ..played() };
            record.peer_tally.trials = 4;
            connected(&record, &script)
        };
        let (reset, refused) = ("readable,ECONNRESET,exit=0", "connect:ECONNREFUSED,uncalled,exit=1");
        assert_eq!(of(&program, &[(reset, 6), (refused, 3), ("uncalled,SIGSEGV", 1)], 4), 6);
        assert_eq!(of(&program, &[(reset, 6), ("connect:ECONNREFUSED,EBADF,exit=0", 4)], 0), 6);
        assert_eq!(of(&program, &[("readable,ECONNREFUSED,exit=0", 10)], 0), 10, "a read that says so");
        program.outcome.push("connect".into());
        assert_eq!(of(&program, &[("readable,ECONNREFUSED,exit=0", 10)], 0), 0, "perhaps of a connect");
        program.verdict.calls = calls(&["connect"]);
        assert_eq!(of(&program, &[("ok,exit=0", 7), ("ECONNREFUSED,exit=1", 3)], 0), 7);
        program.witness = Witness::None;
        assert_eq!(of(&program, &[("unwatched,exit=0", 10)], 10), 4, "as many as reached the peer");
    }

    #[test]
    fn a_fault_that_bit_in_no_trial_is_not_proven_by_trials_without_a_connection() {
        let mut record = played();
        record.tally.outcomes = [("connect:ECONNREFUSED,readable".to_owned(), 10)].into();
        record.peer_tally.counters.clear();
        let reason = proven_by(&record, &["peer.Tcp.OutRsts".into()], &[]).unwrap();
        assert_eq!(reason.to_string(), "fault had no effect: peer.Tcp.OutRsts rose by 0 in 10 trials");
        record.path.counters.insert("rule.drop".into(), 1);
        let proof = Proof { counter: "rule.drop".into(), need: Need::EveryTrial };
        assert_eq!(proven_by(&record, &[], &[proof]), None);
    }

    #[test]
    fn a_counter_that_no_kernel_shows_has_not_risen_and_one_that_no_mechanism_has_is_named() {
        let unknown = |counter: &str| proven_by(&played(), &[counter.into()], &[]).unwrap().to_string();
        assert_eq!(unknown("target.Tcp.X"), "fault had no effect: target.Tcp.X rose by 0 in 10 trials");
        assert_eq!(unknown("path.rule.x"), "fault unproven: there is no counter path.rule.x");
        assert_eq!(unknown("nonsense"), "fault unproven: there is no counter nonsense");
    }

    #[test]
    fn a_counter_of_the_path_is_held_to_what_its_proof_needs() {
        assert_eq!(of_path(Need::Once), None);
        let risen = || Risen { counter: "path.rule.drop".into(), by: 3, trials: 10 };
        assert_eq!(of_path(Need::EveryTrial), Some(VoidReason::NoEffect(risen())));
        assert_eq!(of_path(Need::Never), Some(VoidReason::UnclaimedEffect(risen())));
    }
}
