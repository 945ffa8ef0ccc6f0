//! What a trial comes to where a call fails or does not return: outcome, void or neither; and what the peer's lane says of itself.

use std::process::Command;

use rig_protocol::{Call, Errno, Op, Returned, Script, Shut, Slot, Step, TcpState};

use crate::driver::*;

/// Nobody listens there.
const NOBODY: &str = "127.31.31.31:1";

fn alone(script: &Script, setting: &Setting, connect: &str) -> Played {
    let mut target = Agent::start();
    target.begin(setting.target(script, connect));
    target.conclude()
}

/// The target's block with `setting`; the peer has all the time, so that it is the target's watchdog that ends a trial.
fn cut(pair: &mut Pair, script: &Script, setting: &Setting) -> Played {
    let address = pair.peer.begin(Setting { deadline_ns: 600 * SECOND, ..setting.clone() }.peer(script));
    pair.target.begin(setting.target(script, &address));
    let target = pair.target.conclude();
    pair.peer.finish();
    target
}

fn brief() -> Setting {
    Setting { trials: 8, in_flight: 4, deadline_ns: 100 * MS, ..Setting::default() }
}

#[test]
fn a_refused_connect_is_the_verdict_and_no_anomaly_where_it_is_expected() {
    let refused = |expect: &[&str]| {
        let script = script(vec![connect().verdict(), so_error().outcome(), close()], vec![], expect);
        alone(&script, &Setting::default(), NOBODY)
    };
    let played = refused(&["ECONNREFUSED,ok"]);
    assert_eq!((played.tally.trials, played.tally.void(), played.tally.anomalies), (200, 0, 0));
    assert_eq!(played.tally.outcomes, counts(&[("ECONNREFUSED,ok", 200)]));
    assert_eq!(played.tally.returns, returns(&[("-1/ECONNREFUSED", 200)]));
    assert_eq!(played.tally.errno_after_failure, [(Errno(libc::ECONNREFUSED), 200)].into());
    assert!(played.tally.stale_errno.is_empty());
    assert_eq!(played.records.len(), 3);
    assert!(played.records.iter().all(|record| !record.anomaly));
    // An asterisk expects any label, but a failed verdict has to be named.
    for expect in [&["ok,ok"][..], &["*,ok"], &["**"]] {
        let played = refused(expect);
        assert_eq!((played.tally.anomalies, played.records.len()), (200, 200), "{expect:?}");
    }
}

#[test]
fn a_call_that_fails_before_the_verdict_is_told_with_its_name_and_the_lane_plays_on() {
    let nobody = script(
        vec![connect(), select(SECOND).verdict(), read().outcome(), close(), close()],
        vec![],
        &["connect:ECONNREFUSED,readable,ENOTCONN"],
    );
    let played = alone(&nobody, &Setting::default(), NOBODY);
    // After the verdict only outcome steps tell: the second close is EBADF, and in the record alone.
    assert_eq!(played.tally.outcomes, counts(&[("connect:ECONNREFUSED,readable,ENOTCONN", 200)]));
    assert_eq!((played.tally.void(), played.tally.anomalies), (0, 0));
    assert_eq!(played.tally.returns, returns(&[("1", 200)]));
    assert_eq!(played.records[0].steps[4].errno(), Some(Errno::EBADF));
    assert_eq!(played.tally.state_before, [(TcpState::CLOSE.0, 200)].into());

    let mut pair = Pair::start();
    let reset = script(
        vec![connect(), write("go"), read(), shutdown(Shut::Both), select(SECOND).verdict()],
        vec![accept(), read(), linger(), close()],
        &["read:ECONNRESET,shutdown:ENOTCONN,readable"],
    );
    let (target, _) = pair.play(&reset, &Setting::default());
    assert_eq!(target.tally.outcomes, counts(&[("read:ECONNRESET,shutdown:ENOTCONN,readable", 200)]));
    assert_eq!((target.tally.void(), target.tally.anomalies), (0, 0));
    // The same steps as outcome steps keep their bare label; `may_fail` changes nothing.
    let bare = script(
        vec![
            connect(),
            write("go"),
            read().outcome(),
            shutdown(Shut::Both).may_fail(),
            select(SECOND).verdict(),
        ],
        vec![accept(), read(), linger(), close()],
        &["ECONNRESET,shutdown:ENOTCONN,readable"],
    );
    let (target, _) = pair.play(&bare, &Setting::default());
    assert_eq!(target.tally.outcomes, counts(&[("ECONNRESET,shutdown:ENOTCONN,readable", 200)]));
}

#[test]
fn a_failure_in_another_lane_is_told_if_it_began_before_the_verdict_had_returned() {
    let lanes = |order: [Vec<Step>; 2]| {
        let [client, watcher] = order;
        script_of(
            vec![target_lane("client", client), target_lane("watcher", watcher)],
            vec![accept(), read(), linger(), close()],
            &["**"],
        )
    };
    let before = lanes([
        vec![connect(), write("go"), mark(0), wait_for(1, 10 * SECOND), select(SECOND).verdict()],
        vec![wait_for(0, 10 * SECOND), read(), mark(1)],
    ]);
    let after = lanes([
        vec![connect(), write("go"), select(SECOND).verdict(), mark(0), wait_for(1, 10 * SECOND)],
        vec![wait_for(0, 10 * SECOND), read(), mark(1)],
    ]);
    let mut pair = Pair::start();
    for (script, outcome) in [(before, "read:ECONNRESET,readable"), (after, "readable")] {
        let (target, _) = pair.play(&script, &Setting::default());
        assert_eq!(target.tally.outcomes, counts(&[(outcome, 200)]));
        let read = target.records[0].steps.iter().find(|step| (step.lane, step.step) == (1, 1));
        assert_eq!(read.and_then(|step| step.errno()), Some(Errno(libc::ECONNRESET)));
    }
}

#[test]
fn what_the_testbed_lacks_is_void_and_what_the_verdict_says_is_not() {
    let no_memory = Errno(libc::ENOMEM);
    let select_now = || select_through(Call::Select, 0);
    let before = script(
        vec![connect(), inject(no_memory, 1_000_000), select_now(), select_now().verdict()],
        vec![],
        &["**"],
    );
    let played = alone(&before, &Setting::default(), NOBODY);
    assert_eq!(played.tally.voids, counts(&[("select: ENOMEM", 200)]));
    assert_eq!((played.tally.trials, played.fin.void, played.records.len()), (0, 200, 3));
    assert!(played.records.iter().all(|record| record.void && record.key() == "void: select: ENOMEM"));
    let verdict =
        script(vec![connect(), inject(no_memory, 1_000_000), select_now().verdict()], vec![], &["**"]);
    let played = alone(&verdict, &Setting::default(), NOBODY);
    assert_eq!(played.tally.returns, returns(&[("-1/ENOMEM", 200)]));
    assert_eq!((played.tally.void(), played.tally.anomalies), (0, 200));

    // RLIMIT_NOFILE 4: the first connection is descriptor 3, a second one finds no number.
    let mut command = Command::new("prlimit");
    command.args(["--nofile=4:4", env!("CARGO_BIN_EXE_guest-agent")]);
    let mut agent = Agent::start_as(command);
    for (second, words) in [(false, "connect: EMFILE"), (true, "connect: EMFILE")] {
        let mut full = script(vec![connect(), connect(), select_now().verdict()], vec![], &["**"]);
        full.sockets.push("t".into());
        full.lanes[0].steps[1].op = Op::connect(Slot(1));
        if second {
            // Also where that connect is the verdict: no call was made on the connection under test.
            full.lanes[0].steps.truncate(2);
            full.lanes[0].steps[1].verdict = true;
        }
        agent.begin(Setting { trials: 20, ..Setting::default() }.target(&full, NOBODY));
        assert_eq!(agent.conclude().tally.voids, counts(&[(words, 20)]));
    }
}

#[test]
fn one_lanes_void_releases_the_lanes_that_wait_for_it() {
    // Nothing opens the socket that the client selects on; the watcher would wait for ten minutes.
    let script = script_of(
        vec![
            target_lane("client", vec![read(), mark(0), select(0).verdict()]),
            target_lane("watcher", vec![wait_for(0, 600 * SECOND), read()]),
        ],
        vec![],
        &[],
    );
    let played = alone(&script, &Setting { deadline_ns: 1200 * SECOND, ..Setting::default() }, "");
    assert_eq!(played.tally.voids, counts(&[("read: socket s was never opened", 200)]));
}

#[test]
fn a_call_that_its_deadline_cuts_is_an_outcome_and_a_lane_that_waits_before_the_verdict_is_void() {
    let silent_peer = || vec![accept(), read()];
    let long = 600 * SECOND;
    let client = |steps| script(steps, silent_peer(), &[]);
    let watched = |steps: Vec<Step>, watcher| {
        script_of(vec![target_lane("client", steps), target_lane("watcher", watcher)], silent_peer(), &[])
    };
    let outcome = [
        ("read:deadline", client(vec![connect(), read(), select(0).verdict()]), false),
        ("deadline", client(vec![connect(), read().outcome(), select(0).verdict()]), false),
        ("deadline", client(vec![connect(), select(long).verdict(), read().outcome()]), false),
        ("deadline", client(vec![connect(), select_through(Call::Libc, long).verdict()]), false),
        ("timeout,deadline", client(vec![connect(), select(0).verdict(), read().outcome()]), true),
        ("timeout,read:deadline", client(vec![connect(), select(0).verdict(), read()]), true),
        (
            "timeout,read:deadline",
            watched(vec![connect(), select(0).verdict(), mark(0)], vec![wait_for(0, long), read()]),
            true,
        ),
        (
            "read:deadline",
            watched(
                vec![connect(), mark(1), wait_for(0, long), select(0).verdict()],
                vec![wait_for(1, long), read()],
            ),
            false,
        ),
        // Behind the verdict there is an outcome, whatever is cut.
        ("timeout,deadline", watched(vec![connect(), select(0).verdict()], vec![wait_for(0, long)]), true),
        ("timeout,deadline", client(vec![connect(), select(0).verdict(), sleep(long)]), true),
        ("timeout,deadline", client(vec![connect(), select(0).verdict(), wait_for(0, long), read()]), true),
        (
            "timeout,ok,deadline",
            client(vec![connect(), select(0).verdict(), fd_check().outcome(), sleep(long), read().outcome()]),
            true,
        ),
    ];
    let mut pair = Pair::start();
    for (label, script, returned) in outcome {
        let target = cut(&mut pair, &script, &brief()).tally;
        assert_eq!(target.outcomes, counts(&[(label, 8)]), "{:?}", script.lanes);
        assert_eq!((target.trials, target.void(), target.anomalies), (8, 0, 8), "{label}");
        let (unreturned, zeros) = if returned { (0, 8) } else { (8, 0) };
        assert_eq!(target.unreturned, unreturned, "{label}");
        assert_eq!(Returned::ZERO.count_in(&target.returns), zeros, "{label}");
        assert_eq!(target.returned_any_errno(), 0, "{label}: no EINTR");
        assert!(target.errno_after_failure.is_empty(), "{label}");
        assert_eq!(target.latency.get("call").map_or(0, |times| times.count), zeros, "{label}");
    }
    let void = [
        client(vec![connect(), sleep(long), select(0).verdict()]),
        client(vec![connect(), wait_for(0, long), select(0).verdict()]),
        watched(vec![connect(), sleep(long), select(0).verdict()], vec![wait_for(0, long), read()]),
    ];
    for script in void {
        let target = cut(&mut pair, &script, &brief()).tally;
        assert_eq!(target.voids, counts(&[("trial deadline", 8)]), "{:?}", script.lanes);
        assert_eq!((target.trials, target.unreturned), (0, 0));
    }
    // And the signals of the cut trials do not reach the trials after them.
    let (target, _) = pair.play(&base(Call::Select), &Setting::default());
    assert_eq!(target.tally.outcomes, counts(&[("readable,data,ECONNRESET", 200)]));
}

#[test]
fn a_wait_that_fails_when_the_verdict_call_has_returned_takes_nothing_from_the_trial() {
    // The watcher's wait begins before the verdict call in both, and nobody sets the mark.
    let watched = |before_ns, wait_ns| {
        script_of(
            vec![
                target_lane("client", vec![connect(), sleep(before_ns), select(0).verdict(), sleep(60 * MS)]),
                target_lane("watcher", vec![wait_for(0, wait_ns), fd_check()]),
            ],
            vec![accept(), read()],
            &["timeout"],
        )
    };
    let setting = Setting { trials: 8, ..Setting::default() };
    let mut pair = Pair::start();
    let (target, _) = pair.play(&watched(20 * MS, 60 * MS), &setting);
    assert_eq!(target.tally.outcomes, counts(&[("timeout", 8)]));
    assert_eq!((target.tally.void(), target.tally.anomalies), (0, 0));
    let waited = target.records[0].steps.iter().find(|step| (step.lane, step.step) == (1, 0));
    assert_eq!(waited.and_then(|step| step.errno()), Some(Errno(libc::ETIMEDOUT)));
    let (target, _) = pair.play(&watched(60 * MS, 20 * MS), &setting);
    assert_eq!(target.tally.voids, counts(&[("await m: timeout", 8)]));
}

#[test]
fn a_sign_of_life_counts_the_trials_that_have_no_return() {
    // Several waves: the first are counted while the later ones are played.
    let stuck =
        script(vec![connect(), select(600 * SECOND).verdict()], vec![accept(), read()], &["deadline"]);
    let setting = Setting { trials: 12, in_flight: 4, deadline_ns: 300 * MS, ..Setting::default() };
    let target = cut(&mut Pair::start(), &stuck, &setting);
    assert_eq!((target.tally.trials, target.tally.unreturned), (12, 12));
    // Each sign was held against itself when it came.
    let cut: Vec<_> = target.signs.iter().map(|sign| (sign.trials, sign.unreturned)).collect();
    assert!(cut.iter().any(|(trials, _)| (1..12).contains(trials)), "{cut:?}");
    assert!(cut.iter().all(|(trials, unreturned)| trials == unreturned), "{cut:?}");
}

#[test]
fn a_reason_is_printable_whatever_a_scenario_calls_its_marks() {
    let mut waiting = script(vec![connect(), wait_for(0, 0), select(0).verdict()], vec![], &["**"]);
    for (mark, shown) in [("\u{3c8}", "\\u{3c8}".to_owned()), (&"x".repeat(600), "x".repeat(100))] {
        waiting.marks[0] = mark.to_owned();
        let played = alone(&waiting, &Setting { trials: 2, ..Setting::default() }, NOBODY);
        assert_eq!(played.tally.voids, counts(&[(&format!("await {shown}: timeout"), 2)]));
    }
}

#[test]
fn outcomes_beyond_what_the_sums_have_room_for_are_void() {
    // Sixteen calls that fail or do not: hardly a trial is like another. One worker has a sixteenth of all room.
    let draws = (0..16).flat_map(|_| {
        [inject(Errno::ENOENT, 500_000), Step { outcome: true, ..select_through(Call::Select, 0) }]
    });
    let mut steps: Vec<Step> = [connect()].into_iter().chain(draws).collect();
    steps[2].verdict = true;
    let script = script(steps, vec![], &["**"]);
    let setting =
        Setting { trials: 5_000, in_flight: 1, keep_examples: 0, keep_anomalies: 0, ..Setting::default() };
    let tally = alone(&script, &setting, NOBODY).tally;
    assert_eq!(tally.outcomes.len(), 4_096);
    assert_eq!(tally.voids, counts(&[("too many different outcomes", 5_000 - tally.trials)]));
    assert!(tally.trials < 5_000, "{}", tally.trials);
}

#[test]
fn a_block_keeps_anomalies_of_four_outcomes() {
    // Every trial is an anomaly, of one of sixteen outcomes: four calls fail or do not.
    let mut keep = Vec::new();
    let mut agent = Agent::start();
    for keep_anomalies in [2, 0] {
        let each = script(
            vec![connect(), inject(Errno::ENOENT, 500_000), select_through(Call::Select, 0).verdict()]
                .into_iter()
                .chain((0..3).flat_map(|_| {
                    [inject(Errno::ENOENT, 500_000), select_through(Call::Select, 0).outcome()]
                }))
                .collect(),
            vec![],
            &["timeout"],
        );
        agent.begin(Setting { trials: 200, keep_anomalies, ..Setting::default() }.target(&each, NOBODY));
        let played = agent.conclude();
        assert!(played.tally.outcomes.len() > 4, "{:?}", played.tally.outcomes);
        assert_eq!((played.tally.trials, played.tally.anomalies), (200, 200));
        keep.push(played.records.len());
    }
    assert_eq!(keep, [8, 0]);
}

#[test]
fn the_record_of_a_cut_trial_says_which_step_was_cut() {
    let stuck = script(vec![connect(), select(600 * SECOND).verdict(), read()], vec![accept(), read()], &[]);
    let target = cut(&mut Pair::start(), &stuck, &brief());
    assert_eq!(target.records.len(), 8);
    for record in &target.records {
        let [connect, select] = &record.steps[..] else { panic!("nothing after the cut: {record:?}") };
        assert_eq!((connect.cut, select.cut, select.errno()), (false, true, None));
        assert_eq!(select.returned, -i64::from(libc::EINTR));
        assert_eq!(select.state_before, Some(1));
        assert!(select.end_ns - select.begin_ns >= 90 * MS);
        assert_ne!(record.local_port, 0);
    }
    assert_eq!(target.tally.state_before, [(1, 8)].into());
}

#[test]
fn a_trial_that_is_merely_long_keeps_its_outcome() {
    // The watchdog looks every 50 ms: a trial of 20 ms with a deadline of 1 ms has mostly ended by itself before.
    let long = script(vec![connect(), select(3 * MS).verdict()], vec![accept(), read()], &["timeout"]);
    let setting = Setting { trials: 200, in_flight: 1, deadline_ns: MS, ..Setting::default() };
    let target = cut(&mut Pair::start(), &long, &setting).tally;
    assert_eq!((target.trials, target.void()), (200, 0));
    assert!(
        target.outcomes.keys().all(|outcome| outcome == "timeout" || outcome == "deadline"),
        "{target:?}"
    );
    assert!(target.outcomes["timeout"] > 100, "{:?}", target.outcomes);
    let cut = target.outcomes.get("deadline").copied().unwrap_or(0);
    assert_eq!(target.unreturned, cut);
    assert_eq!(target.latency["call"].count, 200 - cut);
}

#[test]
fn cut_trials_never_disturb_the_trials_between_them() {
    // Every trial draws a sleep around the deadline, so cut and whole trials alternate in each worker; a signal that went astray
    // would show as EINTR.
    let edge = script(
        vec![connect(), sleep_between(0, 200 * MS), select(0).verdict(), fd_check().outcome()],
        vec![accept(), read()],
        &["timeout,ok"],
    );
    let setting = Setting { trials: 200, in_flight: 20, deadline_ns: 100 * MS, ..Setting::default() };
    let target = cut(&mut Pair::start(), &edge, &setting).tally;
    assert_eq!(target.void() + target.trials, 200);
    assert!(target.void() > 0 && target.trials > 0, "{target:?}");
    assert_eq!(target.voids.keys().collect::<Vec<_>>(), ["trial deadline"]);
    // Where the deadline comes between the two calls, a last label says so.
    let outcome = |outcome: &String| {
        ["timeout,ok", "timeout,deadline", "timeout,ok,deadline"].contains(&outcome.as_str())
    };
    assert!(target.outcomes.keys().all(outcome), "{:?}", target.outcomes);
}

#[test]
fn anomalies_are_counted_all_and_kept_up_to_a_limit_for_the_whole_block() {
    // Two outcomes that nobody expects, from more workers than sums have parts: 7 records of each, not 7 of each worker.
    let unexpected = script(
        vec![connect(), inject(Errno::ENOENT, 500_000), select(5 * SECOND).verdict()],
        vec![accept(), linger(), close()],
        &["timeout"],
    );
    let setting = Setting { keep_anomalies: 7, in_flight: 20, ..Setting::default() };
    let (target, _) = play(&unexpected, &setting);
    assert_eq!(target.tally.outcomes, counts(&[("ENOENT", 100), ("readable", 100)]));
    assert_eq!((target.tally.anomalies, target.records.len()), (200, 14));
    for outcome in ["ENOENT", "readable"] {
        assert_eq!(
            target.records.iter().filter(|record| record.anomaly && record.outcome == outcome).count(),
            7
        );
    }
}

#[test]
fn libcs_errno_after_a_failed_verdict_is_that_of_the_call_through_every_door() {
    let mut pair = Pair::start();
    for call in [Call::Select, Call::Libc] {
        // What the read leaves in errno is gone after a verdict that fails itself.
        let closed = script(
            vec![connect(), write("go"), read(), close(), select_through(call, SECOND).verdict()],
            vec![accept(), read(), linger(), close()],
            &["read:ECONNRESET,EBADF"],
        );
        let (target, _) = pair.play(&closed, &Setting { trials: 50, ..Setting::default() });
        assert_eq!(target.tally.outcomes, counts(&[("read:ECONNRESET,EBADF", 50)]), "{call:?}");
        assert_eq!(target.tally.errno_after_failure, [(Errno::EBADF, 50)].into(), "{call:?}");
        assert!(target.tally.stale_errno.is_empty(), "{call:?}");
        assert_eq!(target.tally.anomalies, 0, "{call:?}");
    }
}

#[test]
fn the_peers_lane_tells_what_it_saw() {
    let expecting = |peer: Vec<Step>, expect: &[&str]| {
        let client = vec![connect(), write("go"), select(SECOND).verdict(), linger(), close()];
        let mut script = script(client, peer, &["readable"]);
        script.expect_peer = expect.iter().map(|pattern| (*pattern).to_owned()).collect();
        script
    };
    let mut pair = Pair::start();
    let cases: [(Vec<Step>, &str); 5] = [
        // The client resets after the answer.
        (vec![accept(), read(), write("CDEF"), read(), write("x"), close()], "data,ok,ECONNRESET,EPIPE"),
        (
            vec![accept(), read(), write("CDEF"), read(), shutdown(Shut::Both), close(), close()],
            "data,ok,ECONNRESET,shutdown:ENOTCONN,close:EBADF",
        ),
        (vec![accept(), shutdown(Shut::Write), sleep(MS), close().outcome()], "ok"),
        (vec![accept(), linger(), close()], "played"),
        (vec![accept(), fd_check(), so_error(), close()], "ok,ok"),
    ];
    for (steps, outcome) in cases {
        let script = expecting(steps.clone(), &[]);
        let (target, peer) = pair.play(&script, &Setting::default());
        assert_eq!(peer.tally.outcomes, counts(&[(outcome, 200)]));
        assert_eq!((peer.tally.void(), peer.tally.anomalies, peer.records.len()), (0, 0, 3), "{outcome}");
        assert_eq!(peer.tally.returns, returns(&[("0", 200)]));
        assert_eq!(target.tally.void(), 0);
        let (_, peer) = pair.play(&expecting(steps.clone(), &[outcome]), &Setting::default());
        assert_eq!(peer.tally.anomalies, 0, "{outcome}");
        let (_, peer) = pair.play(&expecting(steps, &["eof,*"]), &Setting::default());
        assert_eq!((peer.tally.anomalies, peer.records.len()), (200, 200), "{outcome}");
        assert!(peer.records.iter().all(|record| record.anomaly && record.outcome == outcome));
    }
}

#[test]
fn the_peers_lane_has_a_deadline_and_a_finish_too() {
    let client = || vec![connect(), select(10 * SECOND).verdict()];
    let mut pair = Pair::start();
    let setting = Setting { trials: 8, ..Setting::default() };
    for (steps, outcomes, voids) in [
        (vec![accept(), read()], counts(&[("deadline", 8)]), counts(&[])),
        (vec![accept(), so_error(), sleep(60 * SECOND)], counts(&[]), counts(&[("trial deadline", 8)])),
    ] {
        let script = script(client(), steps, &["readable"]);
        let address = pair.peer.begin(Setting { deadline_ns: 50 * MS, ..setting.clone() }.peer(&script));
        pair.target.begin(setting.target(&script, &address));
        let target = pair.target.conclude();
        let peer = pair.peer.finish();
        // The peer gave each connection up and closed it, which the target saw.
        assert_eq!(target.tally.outcomes, counts(&[("readable", 8)]));
        assert_eq!((peer.tally.outcomes, peer.tally.voids), (outcomes, voids));
        assert_eq!(peer.tally.unreturned, 0);
    }
    // Whoever is under way at the finish is neither: the target was done with it.
    let mut asleep = script(
        vec![connect(), write("go"), select(SECOND).verdict()],
        vec![accept(), read(), write("CDEF"), sleep(600 * SECOND)],
        &["readable"],
    );
    asleep.expect_peer = vec!["data,ok".to_owned()];
    let (_, peer) = pair.play(&asleep, &Setting { deadline_ns: 1200 * SECOND, ..setting });
    assert_eq!((peer.tally.outcomes, peer.tally.anomalies), (counts(&[("unfinished", 8)]), 0));
    assert!(peer.records.iter().all(|record| record.steps.last().is_some_and(|step| step.cut)));
}
