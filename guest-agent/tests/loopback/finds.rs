//! What the target's agent finds where the truth is known from the kernel's source or from the script itself.

use std::collections::{BTreeMap, BTreeSet};

use rig_protocol::{
    Call, Delay, Errno, Op, Placement, Placements, Returned, Slot, Step, TcpState, TrialRecord,
};

use crate::driver::*;

#[test]
fn a_reset_with_data_reads_the_data_and_then_the_errno() {
    let (target, peer) = play(&base(Call::Select), &Setting::default());
    assert_eq!(target.tally.outcomes, counts(&[("readable,data,ECONNRESET", 200)]));
    assert_eq!(target.tally.returns, returns(&[("1", 200)]));
    assert_eq!((target.tally.anomalies, target.tally.void()), (0, 0));
    assert_eq!(peer.tally.outcomes, counts(&[("data,ok", 200)]));
    assert_eq!(peer.tally.returns, returns(&[("0", 200)]));
    for side in [&target, &peer] {
        // One namespace here, so both sides count the same packets, and other tests' besides.
        assert!(side.tally.counters["Tcp.OutRsts"] >= 200, "{:?}", side.tally.counters);
        assert!(!side.tally.counters.contains_key("Tcp.CurrEstab"));
        assert!(side.tally.counters.values().all(|difference| *difference != 0));
    }
    assert_eq!(target.tally.latency["call"].count, 200);
    assert_eq!(target.tally.latency["trial"].count, 200);
    assert_eq!(target.tally.state_before.values().sum::<u64>(), 200);
    assert_eq!(target.tally.stale_errno, [(Errno(0), 200)].into());
}

#[test]
fn the_examples_are_whole_and_the_connection_is_descriptor_3() {
    let (target, peer) = play(&base(Call::Select), &Setting::default());
    assert_eq!(target.records.len(), 3);
    for record in &target.records {
        assert_eq!((record.descriptor, record.anomaly, record.void), (3, false, false));
        assert_eq!(record.outcome, "readable,data,ECONNRESET");
        assert_eq!(record.steps.iter().map(|step| step.step).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        let [_, write, select, data, reset, close] = &record.steps[..] else { panic!("six steps") };
        assert_eq!((write.returned, select.returned, data.returned, close.returned), (5, 1, 4, 0));
        assert_eq!(data.data.as_deref(), Some("CDEF"));
        assert_eq!((reset.errno(), reset.errno_after), (Some(Errno(104)), Errno(104)));
        assert!(select.ready.is_some_and(|ready| ready.readable && !ready.writable && !ready.exceptional));
        assert!(select.state_before.is_some() && data.state_before.is_none());
        assert!(record.steps.windows(2).all(|pair| pair[0].end_ns <= pair[1].begin_ns));
        assert!(record.steps.iter().all(|step| step.begin_ns <= step.end_ns));
    }
    let ports: BTreeSet<u16> = target.records.iter().map(|record| record.local_port).collect();
    assert!(!ports.contains(&0));
    assert!(peer.records.iter().all(|record| record.local_port != 0 && record.outcome == "data,ok"));
}

#[test]
fn the_three_doors_agree() {
    let mut pair = Pair::start();
    let setting = Setting { trials: 100, ..Setting::default() };
    let outcomes = [Call::Select, Call::Pselect6, Call::Libc]
        .map(|call| pair.play(&base(call), &setting).0.tally.outcomes);
    assert_eq!(outcomes[0], counts(&[("readable,data,ECONNRESET", 100)]));
    assert!(outcomes.iter().all(|found| *found == outcomes[0]), "{outcomes:?}");
}

#[test]
fn a_fin_reads_the_data_and_then_the_end() {
    let fin = script(
        vec![connect(), select(5 * SECOND).verdict(), read().outcome(), read().outcome()],
        vec![accept(), write("CDEF"), close()],
        &["readable,data,eof"],
    );
    let (target, _) = play(&fin, &Setting::default());
    assert_eq!(target.tally.outcomes, counts(&[("readable,data,eof", 200)]));
    assert_eq!(target.tally.anomalies, 0);
}

#[test]
fn what_is_corked_is_lost_to_a_reset_at_its_sender_unless_it_was_pushed_before() {
    let outcomes = |options: Vec<Step>| {
        let client =
            vec![connect(), write("hello"), select(5 * SECOND).verdict(), read().outcome(), read().outcome()];
        let answer = [accept(), read(), cork(), write("CDEF")].into_iter().chain(options);
        let peer = answer.chain([linger(), close()]).collect();
        play(&script(client, peer, &["**"]), &Setting::default()).0.tally.outcomes
    };
    assert_eq!(outcomes(vec![]), counts(&[("readable,ECONNRESET,eof", 200)]));
    // Setting TCP_NODELAY sends what is pending, also while TCP_CORK is set (tcp(7)).
    assert_eq!(outcomes(vec![nodelay()]), counts(&[("readable,data,ECONNRESET", 200)]));
}

#[test]
fn a_read_without_data_gives_up_when_it_is_told_to() {
    let silent = |ns| {
        script(
            vec![connect(), receive_timeout(ns), read().verdict(), read().outcome(), close()],
            vec![accept(), sleep(50 * MS), write("CDEF"), close()],
            &["**"],
        )
    };
    let setting = Setting { trials: 40, ..Setting::default() };
    let outcomes = |ns| play(&silent(ns), &setting).0.tally.outcomes;
    assert_eq!(outcomes(1), counts(&[("EAGAIN,EAGAIN", 40)]), "a part of a microsecond is not 0");
    assert_eq!(outcomes(60 * SECOND), counts(&[("data,eof", 40)]));
}

#[test]
fn a_silent_peer_is_a_timeout_and_its_lanes_do_not_hold_the_finish_up() {
    let silent = script(
        vec![connect(), read(), select(10 * MS).verdict()],
        vec![accept(), write("hello"), sleep(600 * SECOND), close()],
        &["timeout"],
    );
    let setting = Setting { trials: 60, in_flight: 4, deadline_ns: 1200 * SECOND, ..Setting::default() };
    let (target, peer) = play(&silent, &setting);
    assert_eq!(target.tally.outcomes, counts(&[("timeout", 60)]));
    assert_eq!(target.tally.returns, returns(&[("0", 60)]));
    assert_eq!(target.tally.state_before, [(1, 60)].into());
    assert_eq!(target.tally.outcomes_by_state, [(1, counts(&[("timeout", 60)]))].into());
    // 60 greetings from lanes that then sleep for ten minutes: the crew of 4 grew, and Finish cut what it had accepted.
    assert!(peer.tally.outcomes.keys().all(|outcome| outcome == "unfinished"), "{:?}", peer.tally.outcomes);
    assert_eq!(peer.tally.trials, 60);
}

#[test]
fn a_closed_low_descriptor_is_ebadf_in_every_door() {
    let mut pair = Pair::start();
    for call in [Call::Select, Call::Pselect6, Call::Libc] {
        let closed = script(
            vec![connect(), close(), select_through(call, SECOND).verdict()],
            vec![accept(), read()],
            &["EBADF"],
        );
        let (target, _) = pair.play(&closed, &Setting { trials: 50, ..Setting::default() });
        assert_eq!(target.tally.returns, returns(&[("-1/EBADF", 50)]), "{call:?}");
        assert_eq!(target.tally.outcomes, counts(&[("EBADF", 50)]));
        assert_eq!(target.tally.returned(Errno::EBADF), 50);
        // The scenario expects this -1: no anomaly, and kept like any example.
        assert_eq!((target.tally.anomalies, target.records.len()), (0, 3));
        assert_eq!(target.tally.errno_after_failure, [(Errno::EBADF, 50)].into());
        for record in &target.records {
            let verdict = record.steps.last().expect("played");
            assert_eq!((verdict.errno_after, verdict.ready, record.descriptor), (Errno::EBADF, None, 3));
            assert_eq!(verdict.state_before, None, "a closed descriptor has no TCP_INFO");
        }
        assert!(target.tally.state_before.is_empty() && target.tally.stale_errno.is_empty());
    }
}

#[test]
fn injected_errnos_are_found_exactly_as_often_as_they_were_drawn() {
    let injected = |errno, rate| {
        script(
            vec![
                connect(),
                write("hello"),
                inject(errno, rate),
                select(5 * SECOND).verdict(),
                read().outcome(),
                read().outcome(),
            ],
            vec![accept(), read(), write("CDEF"), linger(), close()],
            &["readable,data,ECONNRESET"],
        )
    };
    let mut pair = Pair::start();
    let cases = [(Errno::ENOENT, 10_000, 10), (Errno::EBADF, 25_000, 25), (Errno::ENOENT, 0, 0)];
    for (errno, rate, drawn) in cases {
        let (target, _) = pair.play(&injected(errno, rate), &Setting { trials: 1000, ..Setting::default() });
        assert_eq!(target.tally.void(), 0);
        assert_eq!(target.tally.returned(errno), drawn, "{errno} at {rate} ppm");
        assert_eq!(target.tally.returned_any_errno(), drawn);
        assert_eq!(target.tally.injected.get(&errno).copied().unwrap_or(0), drawn);
        assert_eq!(target.tally.anomalies, drawn);
        assert_eq!(target.tally.returns[&Returned::ONE], 1000 - drawn);
        for record in target.records.iter().filter(|record| record.anomaly) {
            assert_eq!((record.steps[2].returned, record.steps[3].errno()), (1, Some(errno)));
            assert_eq!(record.steps[3].errno_after, errno);
        }
    }
    let (target, _) =
        pair.play(&injected(Errno::EBADF, 1_000_000), &Setting { trials: 20, ..Setting::default() });
    assert_eq!(target.tally.returns, returns(&[("-1/EBADF", 20)]));
}

#[test]
fn a_watcher_that_closes_on_the_reset_shares_the_descriptor_and_makes_ebadf() {
    let client = target_lane(
        "client",
        vec![connect(), write("go"), mark(0), wait_for(1, 10 * SECOND), select(SECOND).verdict()],
    );
    let watcher = target_lane("watcher", vec![wait_for(0, 10 * SECOND), read().outcome(), close(), mark(1)]);
    let race =
        script_of(vec![client, watcher], vec![accept(), read(), linger(), close()], &["ECONNRESET,EBADF"]);
    let (target, _) = play(&race, &Setting::default());
    assert_eq!(target.tally.void(), 0, "{:?}", target.tally.voids);
    assert_eq!(target.tally.outcomes, counts(&[("ECONNRESET,EBADF", 200)]));
    assert_eq!(target.tally.returned(Errno::EBADF), 200);
    let record = &target.records[0];
    assert_eq!(record.descriptor, 3);
    assert_eq!(record.steps.iter().map(|step| step.lane).collect::<BTreeSet<_>>(), [0, 1].into());
    assert!(record.steps.windows(2).all(|pair| pair[0].begin_ns <= pair[1].begin_ns));
}

#[test]
fn an_unordered_watcher_gives_some_outcome_for_every_trial() {
    // The first lane re-enters select() while the second closes: each trial sees one order or the other.
    let client =
        target_lane("client", vec![connect(), write("go"), mark(0), select(SECOND), select(0).verdict()]);
    let watcher = target_lane("watcher", vec![wait_for(0, 10 * SECOND), read(), close()]);
    let race =
        script_of(vec![client, watcher], vec![accept(), read(), linger(), close()], &["readable", "EBADF"]);
    let setting = Setting { trials: 500, ..Setting::default() };
    let (target, _) = play(&race, &setting);
    assert_eq!(target.tally.void(), 0, "{:?}", target.tally.voids);
    assert_eq!(target.tally.trials, 500);
    for outcome in target.tally.outcomes.keys() {
        let labels: Vec<&str> = outcome.split(',').collect();
        let own: Vec<&str> = labels.iter().copied().filter(|label| !label.contains(':')).collect();
        assert!(own == ["readable"] || own == ["EBADF"], "{outcome}");
        let told = ["read:ECONNRESET", "select:EBADF"];
        assert!(labels.iter().all(|label| own.contains(label) || told.contains(label)), "{outcome}");
        // The close that makes the descriptor invalid follows the reset that the watcher reads.
        assert!(own == ["readable"] || labels.contains(&"read:ECONNRESET"), "{outcome}");
    }
}

#[test]
fn the_second_close_is_ebadf() {
    let double = script(vec![connect(), close(), close().verdict()], vec![accept(), read()], &["EBADF"]);
    let (target, _) = play(&double, &Setting::default());
    assert_eq!(target.tally.returns, returns(&[("-1/EBADF", 200)]));
    assert_eq!(target.tally.outcomes, counts(&[("EBADF", 200)]));
}

#[test]
fn random_delays_are_drawn_from_the_seed_and_recorded() {
    let random = |seed| {
        let script = script(
            vec![connect(), sleep_between(MS, 3 * MS), select(SECOND).verdict()],
            vec![accept(), sleep_between(0, 2 * MS), linger(), close()],
            &["readable"],
        );
        let setting = Setting { trials: 40, keep_examples: 40, seed, ..Setting::default() };
        let (target, _) = play(&script, &setting);
        assert_eq!(target.tally.outcomes, counts(&[("readable", 40)]));
        let mut drawn: Vec<(u64, i64)> =
            target.records.iter().map(|record| (record.trial, record.steps[1].returned)).collect();
        for record in &target.records {
            let sleep = &record.steps[1];
            assert!((MS as i64..=3 * MS as i64).contains(&sleep.returned));
            assert!(sleep.end_ns - sleep.begin_ns >= sleep.returned as u64, "it slept at least so long");
        }
        drawn.sort_unstable();
        drawn
    };
    let first = random(1);
    assert_eq!(first.len(), 40);
    assert_eq!(first, random(1));
    assert_ne!(first, random(2));
}

#[test]
fn reading_so_error_takes_the_errno_away_from_read() {
    let taken = script(
        vec![
            connect(),
            write("go"),
            select(5 * SECOND).verdict(),
            so_error().outcome(),
            so_error().outcome(),
            tcp_state(),
            pending(),
            fd_check(),
            read().outcome(),
        ],
        vec![accept(), read(), linger(), close()],
        &["readable,ECONNRESET,ok,eof"],
    );
    let (target, _) = play(&taken, &Setting::default());
    assert_eq!(target.tally.outcomes, counts(&[("readable,ECONNRESET,ok,eof", 200)]));
    let steps = &target.records[0].steps;
    assert_eq!(steps[5].returned, i64::from(TcpState::CLOSE.0));
    assert_eq!((steps[6].returned, steps[7].returned), (0, 1), "nothing pending; FD_CLOEXEC");
}

#[test]
fn all_three_sets_are_watched_and_read() {
    let op = Op::Select {
        read: vec![Slot(0)],
        write: vec![Slot(0)],
        except: vec![Slot(0)],
        timeout: Delay::Fixed { ns: 5 * SECOND },
        call: Call::Pselect6,
    };
    let script = script(
        vec![connect(), write("go"), read().outcome(), step(op).verdict()],
        vec![accept(), read(), linger(), close()],
        &["ECONNRESET,readable+writable"],
    );
    let (target, _) = play(&script, &Setting::default());
    assert_eq!(target.tally.outcomes, counts(&[("ECONNRESET,readable+writable", 200)]));
    assert_eq!(target.tally.returns, returns(&[("2", 200)]));
    assert_eq!(target.tally.state_before, [(TcpState::CLOSE.0, 200)].into());
}

#[test]
fn a_stale_errno_is_told_from_a_returned_one() {
    // A failed read, then a select that succeeds: a program that prints errno now prints what the read left.
    let stale = script(
        vec![connect(), write("go"), read(), select(SECOND).verdict()],
        vec![accept(), read(), linger(), close()],
        &["read:ECONNRESET,readable"],
    );
    let (target, _) = play(&stale, &Setting::default());
    assert_eq!(target.tally.returns, returns(&[("1", 200)]));
    assert_eq!(target.tally.stale_errno, [(Errno(104), 200)].into());
}

#[test]
fn localtime_leaves_the_errno_of_its_own_search_behind() {
    let stamped = script(
        vec![connect(), select(SECOND).verdict(), localtime(), read()],
        vec![accept(), write("CDEF"), close()],
        &["readable"],
    );
    let mut pair = Pair::start();
    let (target, _) = pair.play(&stamped, &Setting::default());
    // glibc's tzset_internal() opens /etc/localtime on each call while TZ is unset: found, errno stays; absent, ENOENT.
    let left = if pair.target.hello.localtime { Errno(0) } else { Errno::ENOENT };
    assert_eq!(target.tally.errno_after_localtime, [(left, 200)].into());
    assert_eq!(target.tally.stale_errno, [(Errno(0), 200)].into(), "errno is fresh in every trial");
}

/// Where the trials lie whose record is `in_set`: the definition, from records that are all kept.
fn placed(played: &Played, planned: u64, in_set: impl Fn(&TrialRecord) -> bool) -> Option<Placement> {
    let trials: BTreeSet<u64> =
        played.records.iter().filter(|record| in_set(record)).map(|record| record.trial).collect();
    let all: Vec<u64> = trials.iter().copied().collect();
    (!all.is_empty()).then(|| Placement {
        count: all.len() as u64,
        windows: (0..64)
            .map(|window| all.iter().filter(|i| **i * 64 / planned == window).count() as u64)
            .collect(),
        adjacent_pairs: all.iter().filter(|i| trials.contains(&(**i + 1))).count() as u64,
        first: all[..all.len().min(100)].to_vec(),
        last: all[all.len().saturating_sub(100)..].to_vec(),
    })
}

#[test]
fn the_order_of_the_trials_is_that_of_the_records() {
    // A part is void for want of memory, a part returns ENOENT, the rest is readable; the RST comes before the call or, mostly, not.
    let mixed = script(
        vec![
            connect(),
            inject(Errno(libc::ENOMEM), 100_000),
            select_through(Call::Select, 0),
            write("go"),
            sleep_between(0, 300_000),
            inject(Errno::ENOENT, 300_000),
            select(5 * SECOND).verdict(),
        ],
        vec![accept(), read(), linger(), close()],
        &["readable"],
    );
    let all = Setting { trials: 900, in_flight: 6, keep_examples: 1_000, ..Setting::default() };
    let (target, peer) = play(&mixed, &all);
    assert_eq!(target.records.len(), 900);
    let found = &target.tally.placements;
    assert!(
        found.outcomes.keys().eq(["ENOENT"]),
        "the most frequent one has none: {:?}",
        found.outcomes.keys()
    );
    let enoent = placed(&target, 900, |record| !record.void && record.outcome == "ENOENT");
    assert_eq!(found.outcomes.get("ENOENT"), enoent.as_ref());
    assert_eq!(found.voids, placed(&target, 900, |record| record.void));
    assert!(found.voids.as_ref().is_some_and(|voids| voids.count == target.tally.void() && voids.count > 0));
    let closed = |record: &TrialRecord| {
        !record.void && record.steps.iter().any(|step| step.state_before == Some(TcpState::CLOSE.0))
    };
    assert_eq!(found.closed_before_call, placed(&target, 900, closed));
    let by_state: BTreeMap<u8, u64> =
        target.tally.outcomes_by_state.iter().map(|(state, row)| (*state, row.values().sum())).collect();
    assert_eq!(by_state, target.tally.state_before);
    assert_eq!(by_state.values().sum::<u64>(), target.tally.trials);
    assert_eq!(peer.tally.placements, Placements::default(), "a peer's connections are not the trials");
}
