//! Programs that are not as one expects: shells, floods of output, ones that stop themselves or hide.

use std::path::Path;

use rig_protocol::{Network, Program, ProgramTrial, Witness};

use crate::driver::*;
use crate::stage::*;

/// A shell's command in a network of its own.
fn shell(command: &str) -> Program {
    let arguments = vec!["-c".to_owned(), command.to_owned()];
    Program { name: "sh".into(), arguments, network: Network::Own, ..program(Path::new("/bin/sh")) }
}

fn alone_in(program: Program, setting: &Setting) -> Played {
    let mut agent = Agent::start();
    agent.begin(setting.target(&alone(program), ""));
    agent.conclude()
}

#[test]
fn a_flood_of_output_neither_blocks_the_program_nor_fills_a_record() {
    let _turn = crate::stage::turn();
    let flood = "i=0; while [ $i -lt 40 ]; do head -c 100000 /dev/zero; i=$((i+1)); done; echo; echo result=1, errno=2";
    for witness in Witness::ALL {
        let played = alone_in(watched_by(shell(flood), witness), &setting(2));
        let sums = played.tally.program.as_ref().expect("sums");
        assert_eq!(sums.ends, counts(&[("exit=0", 2)]), "{witness:?} {:?}", played.tally.voids);
        assert_eq!(sums.accounts[0].said_errno, Some(rig_protocol::Errno::ENOENT), "{witness:?}");
        let record = played.records[0].program.as_ref().expect("a program");
        assert!(record.output.len() <= 3 * ProgramTrial::MOST_OUTPUT_BYTES, "{}", record.output.len());
        assert!(record.calls.len() <= ProgramTrial::MOST_CALLS);
    }
}

#[test]
fn a_program_that_stops_itself_is_cut_at_its_deadline() {
    let _turn = crate::stage::turn();
    for witness in Witness::ALL {
        let short = Setting { deadline_ns: 200 * MS, ..setting(2) };
        let played = alone_in(watched_by(shell("kill -STOP $$; exit 5"), witness), &short);
        let verdict = if witness == Witness::None { "unwatched" } else { "uncalled" };
        assert_eq!(played.tally.outcomes, counts(&[(&format!("{verdict},deadline"), 2)]), "{witness:?}");
        // Who is told to go on goes on.
        let awakes = "(sleep 0.05; kill -CONT $$) & kill -STOP $$; exit 5";
        let played = alone_in(watched_by(shell(awakes), witness), &setting(2));
        assert_eq!(played.tally.outcomes, counts(&[(&format!("{verdict},exit=5"), 2)]), "{witness:?}");
    }
}

#[test]
fn a_verdict_that_waits_when_time_is_up_says_so() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    let silent = || vec![accept(), read(), sleep(2 * SECOND)];
    for witness in [Witness::Ptrace, Witness::Tracepoint] {
        let script = against(watched_by(client(&file, "plain"), witness), silent());
        // The peer has more time than the target.
        let mut pair = Pair::start();
        let address = pair.peer.begin(setting(2).peer(&script));
        let short = Setting { deadline_ns: 300 * MS, ..setting(2) };
        pair.target.begin(short.target(&script, &address));
        let target = pair.target.conclude();
        pair.peer.finish();
        assert_eq!(target.tally.outcomes, counts(&[("deadline,deadline", 2)]), "{witness:?}");
        assert_eq!(target.tally.unreturned, 2, "{witness:?}");
        let sites = &target.tally.program.as_ref().expect("sums").sites;
        assert_eq!(sites["pselect6 1"].labels, counts(&[("unreturned", 2)]), "{witness:?}");
    }
}

#[test]
fn what_nobody_can_see_into_is_named() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    for witness in [Witness::Ptrace, Witness::Tracepoint] {
        let program = Program { network: Network::Own, ..client(&file, "uring") };
        let arguments = ["uring", "127.0.0.1", "1"].map(str::to_owned).to_vec();
        let played = alone_in(watched_by(Program { arguments, ..program }, witness), &setting(3));
        let sums = played.tally.program.as_ref().expect("sums");
        assert_eq!(sums.unseen, counts(&[("io_uring", 3)]), "{witness:?}");
    }
}

#[test]
fn a_script_runs_with_its_input_and_environment() {
    let _turn = crate::stage::turn();
    let file = compile("client", &[]);
    let input = file.with_file_name(format!("input.{}", std::process::id()));
    std::fs::write(&input, "4\n").expect("written");
    let program = Program {
        input: Some(input.to_str().expect("a plain path").to_owned()),
        environment: [("ANSWER".to_owned(), "9".to_owned())].into(),
        directory: "/usr".into(),
        ..shell("read line; [ $PWD = /usr ] && [ $0 = sh ] && echo result=$line, errno=$ANSWER; ulimit -Sn")
    };
    let program = Program { arguments: [program.arguments, vec!["sh".to_owned()]].concat(), ..program };
    let played = alone_in(program, &setting(2));
    std::fs::remove_file(input).expect("made here");
    let account = &played.tally.program.as_ref().expect("sums").accounts[0];
    assert_eq!((account.said_returned, account.said_errno), (Some(4), Some(rig_protocol::Errno::EBADF)));
    // The limits are those with which the agent was started, which are this test's own.
    let text = std::fs::read_to_string("/proc/self/limits").expect("proc is mounted");
    let row = text.lines().find(|line| line.starts_with("Max open files")).expect("a row");
    let soft = row.split_whitespace().nth(3).expect("a soft limit");
    let record = played.records[0].program.as_ref().expect("a program");
    assert_eq!(record.output.lines().next_back(), Some(soft));
}
