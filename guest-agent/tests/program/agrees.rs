//! Whether the witnesses agree with each other, and the refusals of the door.

use rig_protocol::{CallLog, Injected, Network, Program, Witness};

use crate::driver::*;
use crate::stage::*;

/// Who called what, about which connection, and what that returned, in order. What a select waits for lies in memory.
fn told(calls: &[CallLog]) -> Vec<String> {
    let word = |call: &CallLog| {
        let connection = call.connection.filter(|_| !call.verdict);
        format!("{} {} {:?} {connection:?}", call.process, call.call, call.returned)
    };
    calls.iter().map(word).collect()
}

/// The client, told an address at which nobody listens.
fn elsewhere(file: &std::path::Path, mode: &str) -> Program {
    Program { arguments: [mode, "127.0.0.79", "8083"].map(str::to_owned).to_vec(), ..client(file, mode) }
}

#[test]
fn tracepoint_and_ptrace_see_the_same_calls_and_returns() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    for mode in ["stale", "child", "thread", "badf"] {
        let [traced, seen] = [Witness::Ptrace, Witness::Tracepoint].map(|witness| {
            let script = against_reset(watched_by(elsewhere(&file, mode), witness));
            let setting = Setting { keep_examples: 10, keep_anomalies: 10, ..setting(10) };
            play(&script, &setting).0
        });
        assert_eq!(traced.tally.outcomes, seen.tally.outcomes, "{mode}");
        assert_eq!(traced.tally.returns, seen.tally.returns, "{mode}");
        let sums = |played: &Played| played.tally.program.clone().expect("sums of a program");
        assert_eq!(sums(&traced).sites, sums(&seen).sites, "{mode}");
        assert_eq!(sums(&traced).calls, sums(&seen).calls, "{mode}");
        assert_eq!((sums(&seen).lost_events, sums(&seen).redirected), (0, 10), "{mode}");
        assert_eq!((traced.records.len(), seen.records.len()), (10, 10), "{mode}");
        // Order between a thread and its maker is not the program's to give.
        let of = |played: &Played, at: usize| {
            let mut calls = told(&played.records[at].program.as_ref().expect("a program").calls);
            if mode == "thread" || mode == "child" {
                calls.sort();
            }
            let process = |word: &String| !word.contains(" clone") && !word.contains(" fork");
            calls.into_iter().filter(process).collect::<Vec<_>>()
        };
        for at in 0..10 {
            assert_eq!(of(&traced, at), of(&seen, at), "{mode}");
        }
        let seen = seen.records[0].program.as_ref().expect("a program");
        assert!(seen.calls.iter().any(|call| call.redirected && call.call == "connect"), "{mode}");
        assert!(seen.calls.iter().all(|call| call.errno_after.is_none()), "{mode}");
    }
}

#[test]
fn nobody_watching_leaves_the_line_and_the_end() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    let (target, _) = play(&against_reset(watched_by(client(&file, "stale"), Witness::None)), &setting(10));
    assert_eq!(target.tally.outcomes, counts(&[("unwatched,exit=0", 10)]));
    assert_eq!((target.tally.unreturned, target.tally.returns.len()), (10, 0));
    let sums = target.tally.program.expect("sums of a program");
    assert_eq!((sums.calls.len(), sums.sites.len(), sums.accounts.len()), (0, 0, 1));
    assert_eq!(sums.accounts[0].said_errno, Some(rig_protocol::Errno::ENOENT));
}

#[test]
fn what_cannot_be_played_is_refused() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    let mut agent = Agent::start();
    let mut refusal =
        |program: Program| agent.refuse(setting(1).target(&against_reset(program), "127.0.0.1:1"));
    let inject = Some(Injected { errno: rig_protocol::Errno::EBADF, rate_ppm: 1 });
    let cases = [
        (Program { path: "client".into(), ..client(&file, "x") }, "is not absolute"),
        (Program { says: Some("x".into()), ..client(&file, "x") }, "no group named"),
        (Program { inject, witness: Witness::Tracepoint, ..client(&file, "x") }, "cannot change"),
    ];
    for (program, reason) in cases {
        let said = refusal(program);
        assert!(said.contains(reason), "{said}");
    }
    let mut agent = Agent::start();
    let said = agent.refuse(setting(1).target(&alone(client(&file, "x")), ""));
    assert!(said.contains("there is no lane for the peer"), "{said}");
    let own = Program { network: Network::Own, ..client(&file, "nothing") };
    agent.begin(setting(2).target(&alone(own), ""));
    assert_eq!(agent.conclude().tally.outcomes, counts(&[("uncalled,exit=3", 2)]));
}
