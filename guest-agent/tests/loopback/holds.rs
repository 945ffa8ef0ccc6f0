//! What the agent holds to: marks, refusals, many trials at once, and the order of its frames.

use std::collections::BTreeSet;
use std::process::Command;

use rig_protocol::{Call, Errno, PROTOCOL_VERSION, Reply, Request, Shut};

use crate::driver::*;

#[test]
fn hello_says_which_bytes_on_which_machine() {
    let mut agent = Agent::start();
    let hello = agent.hello.clone();
    assert_eq!(hello.protocol_version, PROTOCOL_VERSION);
    assert_eq!(hello.build_id.len(), 64);
    assert!(hello.cpus > 0 && !hello.kernel_release.is_empty());
    assert!(hello.sysctls.contains_key("net.ipv4.tcp_rfc1337"), "{:?}", hello.sysctls);
    let version = Command::new(env!("CARGO_BIN_EXE_guest-agent")).arg("--version").output().expect("it runs");
    let text = String::from_utf8(version.stdout).expect("text");
    assert_eq!(text, format!("guest-agent {} {}\n", env!("CARGO_PKG_VERSION"), hello.build_id));
    assert_eq!(agent.hang_up().code(), Some(0));
}

#[test]
fn the_end_of_input_ends_an_agent_in_the_middle_of_its_trials() {
    let mut peer = Agent::start();
    let mut target = Agent::start();
    let silent =
        script(vec![connect(), select(600 * SECOND).verdict()], vec![accept(), read()], &["timeout"]);
    let setting = Setting { deadline_ns: 1200 * SECOND, ..Setting::default() };
    let address = peer.begin(setting.peer(&silent));
    target.begin(setting.target(&silent, &address));
    assert!(matches!(target.read(), Ok(Reply::Progress(sign)) if sign.trials == 0), "a sign of life");
    assert_eq!(target.hang_up().code(), Some(0));
    assert_eq!(peer.hang_up().code(), Some(0));
}

#[test]
fn garbage_and_overlapping_assignments_end_the_agent_loudly_and_without_a_fin() {
    let silent = script(vec![connect(), select(600 * SECOND).verdict()], vec![accept(), read()], &[]);
    let setting = Setting { deadline_ns: 1200 * SECOND, ..Setting::default() };
    let mut peer = Agent::start();
    peer.begin(setting.peer(&silent));
    peer.send(&Request::Play(Box::new(setting.peer(&silent))));
    while let Ok(reply) = peer.read() {
        assert!(matches!(reply, Reply::Progress(_)), "{reply:?}");
    }
    assert_eq!(peer.child.wait().expect("it ends").code(), Some(101));
    assert!(peer.last_words().contains("another was being played"));
}

#[test]
fn several_assignments_follow_each_other_in_one_agent() {
    let mut pair = Pair::start();
    let closing = script(
        vec![connect(), shutdown(Shut::Write), select(SECOND).verdict()],
        vec![accept(), read(), close()],
        &["readable"],
    );
    for round in 0..3 {
        let setting = Setting { trials: 50, seed: round, ..Setting::default() };
        let (target, _) = pair.play(&base(Call::Select), &setting);
        assert_eq!(target.tally.outcomes, counts(&[("readable,data,ECONNRESET", 50)]));
        let (target, peer) = pair.play(&closing, &setting);
        assert_eq!(target.tally.outcomes, counts(&[("readable", 50)]));
        assert_eq!(peer.tally.outcomes, counts(&[("eof", 50)]));
        assert!(
            pair.target
                .refuse(Setting { in_flight: 0, ..setting.clone() }.target(&closing, "127.0.0.1:1"))
                .contains("in_flight")
        );
    }
}

#[test]
fn a_mark_that_never_comes_is_void_with_its_name() {
    let waiting = script(
        vec![connect(), wait_for(1, 5 * MS), select(0).verdict()],
        vec![accept(), read()],
        &["timeout"],
    );
    let (target, _) = play(&waiting, &Setting { trials: 20, ..Setting::default() });
    assert_eq!(target.tally.voids, counts(&[("await n: timeout", 20)]));
}

#[test]
fn marks_order_the_lanes() {
    let script = script_of(
        vec![
            target_lane(
                "client",
                vec![connect(), write("go"), wait_for(1, 10 * SECOND), select(SECOND).verdict()],
            ),
            target_lane("second", vec![sleep_between(0, 2 * MS), mark(1)]),
        ],
        vec![accept(), read(), linger(), close()],
        &["readable"],
    );
    let (target, _) = play(&script, &Setting { trials: 100, keep_examples: 100, ..Setting::default() });
    assert_eq!(target.tally.outcomes, counts(&[("readable", 100)]));
    assert_eq!(target.records.len(), 100);
    for record in &target.records {
        let of = |lane, step| {
            record.steps.iter().find(|seen| (seen.lane, seen.step) == (lane, step)).expect("played")
        };
        assert!(of(1, 1).begin_ns <= of(0, 2).end_ns, "no one passes before the mark is set");
        assert!(of(1, 0).end_ns <= of(0, 3).begin_ns);
    }
}

#[test]
fn a_thousand_trials_sleep_at_once() {
    let sleeping = script(
        vec![
            connect(),
            write("hello"),
            sleep(2 * SECOND),
            select(10 * SECOND).verdict(),
            read().outcome(),
            read().outcome(),
        ],
        vec![accept(), read(), write("CDEF"), linger(), close()],
        &["readable,data,ECONNRESET"],
    );
    let setting = Setting {
        trials: 1000,
        in_flight: 1000,
        keep_examples: 1000,
        deadline_ns: 60 * SECOND,
        ..Setting::default()
    };
    let (target, _) = play(&sleeping, &setting);
    assert_eq!(target.tally.outcomes, counts(&[("readable,data,ECONNRESET", 1000)]));
    assert!(target.records.iter().all(|record| record.descriptor == 3));
    let sleeps: Vec<(u64, u64)> =
        target.records.iter().map(|record| (record.steps[2].begin_ns, record.steps[2].end_ns)).collect();
    let most = sleeps
        .iter()
        .map(|(moment, _)| sleeps.iter().filter(|(b, e)| b <= moment && moment < e).count())
        .max();
    assert!(most > Some(300), "{most:?} sleeps at once");
    let trials: BTreeSet<u64> = target.records.iter().map(|record| record.trial).collect();
    assert_eq!(trials, (0..1000).collect());
}

#[test]
fn too_many_threads_are_refused_with_the_number_and_the_errno() {
    // A soft and hard limit on threads for a user that has no others; root is exempt from it (setrlimit(2)).
    let mut command = Command::new("prlimit");
    command.args(["--as=400000000:400000000", env!("CARGO_BIN_EXE_guest-agent")]);
    let mut agent = Agent::start_as(command);
    let setting = Setting { trials: 100_000, in_flight: 20_000, ..Setting::default() };
    let reason = agent.refuse(setting.target(&base(Call::Select), "127.31.31.31:1"));
    assert!(reason.contains("thread") && reason.contains("of 20000"), "{reason}");
    assert!(reason.contains("EAGAIN") || reason.contains("ENOMEM"), "{reason}");
    // It goes on after that.
    agent.begin(Setting { trials: 5, in_flight: 2, ..setting }.target(&base(Call::Select), "127.31.31.31:1"));
    assert_eq!(agent.conclude().tally.trials, 5);
}

#[test]
fn what_cannot_be_played_is_refused_and_the_agent_goes_on() {
    let mut agent = Agent::start();
    let setting = Setting::default();
    let through_libc = script(
        vec![connect(), inject(Errno::ENOENT, 10_000), select_through(Call::Libc, SECOND).verdict()],
        vec![accept()],
        &[],
    );
    assert!(agent.refuse(setting.target(&through_libc, "127.0.0.1:1")).contains("select"));
    assert!(agent.refuse(setting.target(&base(Call::Select), "")).contains("no address:port"));
    let no_peer = script(vec![connect(), select(0).verdict()], vec![], &[]);
    assert!(agent.refuse(setting.peer(&no_peer)).contains("0 lanes for the peer"));
    let taken = Agent::start().begin(setting.peer(&base(Call::Select)));
    // That agent is gone; its address is free again, but this one is nobody's to listen on (RFC 5737).
    assert_ne!(taken, "");
    let elsewhere = Setting { listen: "192.0.2.1:0", ..setting.clone() };
    let reason = agent.refuse(elsewhere.peer(&base(Call::Select)));
    assert_eq!(reason, "listen on 192.0.2.1:0: EADDRNOTAVAIL");
    agent.send(&Request::Finish);
    assert!(agent.begin(setting.peer(&base(Call::Select))).starts_with("127.0.0.1:"));
    assert_eq!(agent.finish().tally.trials, 0);
}

#[test]
fn ipv6_connections_are_played_like_any() {
    let setting = Setting { listen: "[::1]:0", ..Setting::default() };
    let (target, _) = play(&base(Call::Select), &setting);
    assert_eq!(target.tally.outcomes, counts(&[("readable,data,ECONNRESET", 200)]));
    assert!(target.records.iter().all(|record| record.local_port != 0));
}

#[test]
fn a_script_without_sockets_needs_no_peer() {
    let nothing = script(vec![sleep(0), localtime().verdict()], vec![], &["ok"]);
    let mut agent = Agent::start();
    agent.begin(Setting::default().target(&nothing, ""));
    let played = agent.conclude();
    assert_eq!(played.tally.outcomes, counts(&[("ok", 200)]));
    assert!(played.records.iter().all(|record| record.descriptor == -1 && record.local_port == 0));
    agent.begin(Setting { trials: 0, ..Setting::default() }.target(&nothing, ""));
    assert_eq!(agent.conclude().tally.trials, 0);
}

#[test]
fn signs_of_life_come_while_nothing_happens_and_never_go_backwards() {
    let slow =
        script(vec![connect(), sleep(700 * MS), select(0).verdict()], vec![accept(), read()], &["timeout"]);
    let (target, _) = play(&slow, &Setting { trials: 4, in_flight: 2, ..Setting::default() });
    assert!(target.signs.len() >= 2, "{:?}", target.signs);
    assert!(target.signs.windows(2).all(|pair| pair[0].trials <= pair[1].trials));
    for sign in target.signs {
        let tally = sign.into_tally();
        assert_eq!(tally.inconsistency(&slow), None);
    }
}

#[test]
fn a_sign_of_life_adds_up_while_trials_end_all_the_time() {
    // Half of the first selects find no memory, which makes the trial void; half of the second ones are an outcome.
    let busy = script(
        vec![
            connect(),
            inject(Errno(libc::ENOMEM), 500_000),
            select_through(Call::Select, 0),
            inject(Errno::ENOENT, 500_000),
            select_through(Call::Select, 0).verdict(),
            sleep(5 * MS).outcome(),
        ],
        vec![accept(), read()],
        &["**"],
    );
    let (played, _) = play(&busy, &Setting { trials: 2_000, in_flight: 8, ..Setting::default() });
    assert!(played.signs.len() > 1, "{:?}", played.signs);
    for sign in &played.signs {
        assert_eq!(sign.clone().into_tally().inconsistency(&busy), None);
        assert!(sign.voids.keys().eq(["select: ENOMEM"]) && sign.outcomes.len() == 2, "{sign:?}");
    }
    assert_eq!(played.tally.trials + played.tally.void(), 2_000);
}
