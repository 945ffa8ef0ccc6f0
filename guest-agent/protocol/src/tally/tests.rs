//! What cannot be true of sums, and how they add up.

use super::*;
use crate::{Lane, PlacementBuilder, Side, Step};

/// Puts a number somewhere.
type Change = fn(&mut Tally, u64);

/// Puts something somewhere.
type Insert = fn(&mut Tally);

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
        program: None,
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
            tally.outcomes = [("readable".into(), 60), ("EBADF".into(), 30), ("deadline".into(), 10)].into();
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
    assert_eq!(with(&longer, 51, 49).as_deref(), Some("51 trials without a return, where 50 are possible"));
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
fn what_is_named_was_counted() {
    let zeros: [(Insert, &str); 9] = [
        (|tally| tally.returns.extend([(Returned::ZERO, 0)]), "verdict returns"),
        (|tally| tally.outcomes.extend([("eof".into(), 0)]), "outcomes"),
        (|tally| tally.voids.extend([("accept: EMFILE".into(), 0)]), "void reasons"),
        (|tally| tally.state_before.extend([(1, 0)]), "TCP states before the call"),
        (
            |tally| tally.outcomes_by_state.extend([(7, [("readable".into(), 0)].into())]),
            "outcomes after a TCP state",
        ),
        (|tally| tally.errno_after_failure.extend([(Errno::EBADF, 0)]), "errnos after a failure"),
        (|tally| tally.stale_errno.extend([(Errno::EBADF, 0)]), "errnos after a return"),
        (|tally| tally.errno_after_localtime.extend([(Errno::EBADF, 0)]), "errnos after localtime"),
        (|tally| tally.injected.extend([(Errno::EBADF, 0)]), "injections"),
    ];
    for (change, what) in zeros {
        assert_eq!(changed(change), Some(format!("{what} that were counted 0 times")));
    }
}

#[test]
fn labels_are_such_as_an_agent_writes() {
    let outcome = |label: &str| changed(|tally| tally.outcomes = [(label.to_owned(), 100)].into());
    assert_eq!(outcome(&"x".repeat(512)), None);
    assert_eq!(outcome(&"x".repeat(513)).as_deref(), Some("outcomes of more than 512 bytes"));
    assert_eq!(outcome("errno 4095,data=*:slow~"), None);
    for label in ["\u{1b}[2J", "a\nb", "a\tb", "\u{7f}", "caf\u{e9}"] {
        let words = "outcomes with something else than printable ASCII";
        assert_eq!(outcome(label).as_deref(), Some(words), "{label:?}");
    }
    let void = |reason: &str| changed(|tally| tally.voids = [(reason.to_owned(), 1)].into());
    assert_eq!(void(&"x".repeat(513)).as_deref(), Some("void reasons of more than 512 bytes"));
    let words = "void reasons with something else than printable ASCII";
    assert_eq!(void("\u{fffe}").as_deref(), Some(words));
    let kinds = |most: u64| {
        let mut tally = Tally { trials: most, ..Tally::default() };
        tally.returns.insert(Returned::ONE, most);
        tally.outcomes = (0..most).map(|number| (format!("data={number}"), 1)).collect();
        tally.inconsistency(&script(vec![]))
    };
    assert_eq!(kinds(65_536), None);
    let words = "65537 different outcomes, where 65536 are possible";
    assert_eq!(kinds(65_537).as_deref(), Some(words));
}

#[test]
fn a_longer_script_has_longer_labels() {
    let sleep = || Op::Sleep { duration: crate::Delay::Fixed { ns: 1 } };
    let with = |steps: usize| script((0..steps).map(|_| sleep()).collect()).most_label_bytes();
    assert_eq!([with(0), with(7), with(8)], [512, 512, 8 * 64 + 9]);
}

#[test]
fn calls_that_returned_are_the_trials_without_those_that_were_cut_before() {
    let cut = Tally { trials: 100, unreturned: 11, ..Tally::default() };
    assert_eq!((cut.returned_calls(), Tally::default().returned_calls()), (89, 0));
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
    for name in ["Tcp.\u{1b}[2J".to_owned(), "x".repeat(257)] {
        let what = changed(|tally| tally.counters.extend([(name, 1)]));
        assert_eq!(what.as_deref(), Some("a kernel counter whose name is none"));
    }
    let many = changed(|tally| tally.counters.extend((0..4_097).map(|number| (number.to_string(), 1))));
    assert_eq!(many.as_deref(), Some("4097 kernel counters, where 4096 are possible"));
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
    assert_eq!(a.inconsistency(&script(vec![])), None);
    a.trials = 4;
    assert_eq!(a.inconsistency(&script(vec![])).as_deref(), Some("4 trials but 3 verdict returns"));
}
