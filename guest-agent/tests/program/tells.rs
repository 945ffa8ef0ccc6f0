//! What a trial under ptrace tells.

use rig_protocol::{Account, Errno, Injected, Program, Returned, TrialRecord, Witness};

use crate::driver::*;
use crate::stage::*;

fn accounts(played: &Played) -> &[Account] {
    &played.tally.program.as_ref().expect("sums of a program").accounts
}

fn calls(record: &TrialRecord) -> Vec<(&str, &str)> {
    let program = record.program.as_ref().expect("a program's record");
    program.calls.iter().map(|call| (call.call.as_str(), call.label.as_str())).collect()
}

#[test]
fn a_reset_is_told_call_by_call_by_a_dynamic_and_by_a_static_program() {
    let _turn = crate::stage::turn();
    for flags in [&[][..], &["-static"]] {
        let file = compile("client", flags);
        let (target, _) = play(&against_reset(client(&file, "stale")), &setting(20));
        assert_eq!(target.tally.outcomes, counts(&[("readable,data,ECONNRESET,exit=0", 20)]), "{flags:?}");
        let told = accounts(&target);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].kernel, Some(Returned::ONE));
        assert_eq!((told[0].libc, told[0].said_errno), (Some(Errno::ENOENT), Some(Errno::ENOENT)));
        assert_eq!((told[0].libc_at_line, told[0].said_returned), (Some(Errno::ENOENT), Some(1)));
        assert_eq!(target.tally.stale_errno[&Errno::ENOENT], 20);
        let record = &target.records[0];
        let calls = calls(record);
        let from = calls.iter().position(|call| *call == ("socket", "ok")).expect("a socket");
        let told: Vec<_> = calls[from..].iter().map(|(call, label)| format!("{call} {label}")).collect();
        assert_eq!(
            told.join(", "),
            "socket ok, connect ok, write ok, openat ENOENT, pselect6 readable, write ok, read data, read ECONNRESET, close ok"
        );
    }
}

#[test]
fn a_stamped_line_turns_the_kernels_ebadf_into_enoent() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    let (target, _) = play(&against_reset(client(&file, "badf")), &setting(10));
    let told = accounts(&target);
    assert_eq!(told.len(), 1, "{told:?}");
    let Account { kernel, libc, libc_at_line, said_errno, .. } = &told[0];
    assert_eq!(*kernel, Some(Returned::failed(Errno::EBADF)));
    assert_eq!(
        (*libc, *libc_at_line, *said_errno),
        (Some(Errno::EBADF), Some(Errno::ENOENT), Some(Errno::ENOENT))
    );
    assert_eq!(target.tally.errno_after_failure[&Errno::EBADF], 10);
    assert_eq!(target.tally.errno_after_localtime[&Errno::ENOENT], 10);
    // The script expects anything, and no failure of its verdict call in words.
    assert_eq!((target.tally.anomalies, target.records.len()), (10, 10));
    assert_eq!(target.tally.outcomes, counts(&[("EBADF,exit=0", 10)]));
    let said = target.records[0].program.as_ref().expect("a program").said.clone().expect("it spoke");
    assert_eq!((said.line.as_str(), said.held), ("result=-1, errno=2", Some(Errno::ENOENT)));
}

#[test]
fn an_errno_is_taken_from_its_text_and_a_terminal_is_written_to_line_by_line() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    let program = Program { terminal: true, ..client(&file, "strerror") };
    let (target, _) = play(&against_reset(program), &setting(4));
    assert_eq!(accounts(&target)[0].said_errno, Some(Errno(0)), "{:?}", target.tally.voids);
    let record = target.records[0].program.as_ref().expect("a program");
    assert_eq!(record.output, "result=1, errno=Success\n");
}

#[test]
fn a_signal_is_an_outcome_and_its_calls_and_line_stay() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    let (target, _) = play(&against_reset(client(&file, "crash")), &setting(10));
    let ends = &target.tally.program.as_ref().expect("sums").ends;
    assert_eq!(ends.keys().map(|end| end.trim_end_matches("+core")).collect::<Vec<_>>(), ["SIGSEGV"]);
    assert!(accounts(&target).iter().all(|account| account.spoke && account.kernel == Some(Returned::ONE)));
}

#[test]
fn poll_and_epoll_are_told_in_bits_and_name_their_connection() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    for (mode, call, about) in
        [("poll", "poll", "{conn1}, timeout 5s"), ("epoll", "epoll_wait", "{conn1}, timeout 5s")]
    {
        let (target, _) = play(&against_reset(client(&file, mode)), &setting(5));
        // With the data alone, or with the reset that follows.
        let told = |outcome: &String| {
            outcome.starts_with("readable") && outcome.ends_with(",data,ECONNRESET,exit=0")
        };
        assert!(target.tally.outcomes.keys().all(told), "{mode} {:?}", target.tally.outcomes);
        let record = target.records[0].program.as_ref().expect("a program");
        let verdict = record.calls.iter().find(|call| call.verdict).expect("a verdict");
        assert_eq!((verdict.call.as_str(), verdict.about.as_str()), (call, about));
        assert_eq!(verdict.connection, Some(1));
        assert!(verdict.state_before.is_some(), "{verdict:?}");
    }
}

#[test]
fn a_reset_before_the_call_shows_in_the_state_and_at_its_sites() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    let (target, _) = play(&against_reset(client(&file, "patient")), &setting(5));
    assert_eq!(target.tally.state_before, [(rig_protocol::TcpState::CLOSE.0, 5)].into());
    let sums = target.tally.program.as_ref().expect("sums");
    assert_eq!(sums.sites["pselect6 1"].labels, counts(&[("readable", 5)]));
    assert_eq!(sums.sites["read 1"].labels, counts(&[("data", 5)]));
    assert_eq!(sums.sites["read 2"].labels, counts(&[("ECONNRESET", 5)]));
    assert_eq!((sums.calls["connect"], sums.redirected), (5, 0));
    let latency = &target.tally.latency;
    assert_eq!((latency["call"].count, latency["start"].count, latency["trial"].count), (5, 5, 5));
    let ports: std::collections::BTreeSet<u16> =
        target.records.iter().map(|record| record.local_port).collect();
    assert!(!ports.contains(&0), "{ports:?}");
}

#[test]
fn children_and_threads_are_followed() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    for mode in ["child", "thread"] {
        let (target, _) = play(&against_reset(client(&file, mode)), &setting(10));
        assert_eq!(target.tally.outcomes, counts(&[("readable,data,ECONNRESET,exit=0", 10)]), "{mode}");
        let record = target.records[0].program.as_ref().expect("a program");
        assert_eq!(record.processes, 2);
        assert!(record.calls.iter().any(|call| call.verdict && call.process == 1), "{mode}");
        assert_eq!(accounts(&target)[0].said_returned, Some(1));
    }
}

#[test]
fn a_connect_that_is_refused_stands_before_the_verdict() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    let script = against_reset(client(&file, "plain"));
    let mut agent = Agent::start();
    // Bound by nobody: port 1 of a loopback address.
    agent.begin(setting(3).target(&script, "127.0.0.77:1"));
    let played = agent.conclude();
    assert_eq!(played.tally.outcomes, counts(&[("connect:ECONNREFUSED,uncalled,exit=2", 3)]));
    assert_eq!(played.tally.unreturned, 3);
}

#[test]
fn a_known_share_returns_the_injected_errno_and_no_other_trial_does() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    let inject = Some(Injected { errno: Errno(105), rate_ppm: 250_000 });
    let (target, _) = play(&against_reset(Program { inject, ..client(&file, "plain") }), &setting(40));
    assert_eq!(target.tally.injected, [(Errno(105), 10)].into());
    assert_eq!(target.tally.returns, returns(&[("1", 30), ("-1/ENOBUFS", 10)]));
    let injected: Vec<_> = accounts(&target).iter().filter(|account| account.injected).collect();
    assert_eq!(injected.iter().map(|account| account.trials).sum::<u64>(), 10);
    assert!(
        injected
            .iter()
            .all(|account| account.said_errno == Some(Errno(105)) && account.libc == Some(Errno(105)))
    );
}

#[test]
fn a_wait_that_goes_on_behind_a_signal_is_one_call_and_one_that_ends_there_says_so() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    // The answer comes when the signal has come and gone.
    let slow = || vec![accept(), read(), sleep(50 * MS), write("CDEF"), sleep(MS), linger(), close()];
    for witness in [Witness::Ptrace, Witness::Tracepoint] {
        let program = |mode| watched_by(client(&file, mode), witness);
        let (target, _) = play(&against(program("restarted"), slow()), &setting(5));
        assert_eq!(target.tally.outcomes, counts(&[("readable,data,ECONNRESET,exit=0", 5)]), "{witness:?}");
        let sums = target.tally.program.as_ref().expect("sums");
        assert_eq!((sums.calls["pselect6"], sums.accounts[0].said_returned), (5, Some(1)), "{witness:?}");
        let (target, _) = play(&against(program("interrupted"), slow()), &setting(5));
        assert_eq!(target.tally.outcomes, counts(&[("EINTR,data,ECONNRESET,exit=0", 5)]), "{witness:?}");
        assert_eq!(accounts(&target)[0].said_errno, Some(Errno::EINTR), "{witness:?}");
    }
}
