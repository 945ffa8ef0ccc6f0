//! Who reads what rig writes, and who does not: a terminal; a closed or full standard stream, or a reader that has gone, changes neither the run nor its exit code.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::blackbox::{Lab, Recorded, is_root, matrix, program};

const SIZES: &str = "trials = 20\nblocks = 2\nin_flight = 20\ncontrol_trials = 150\ncontrol_blocks = 1";

fn lab() -> Lab {
    let run = format!("{SIZES}\n[scenario.rst]\nclient_delay = \"1ms\"");
    Lab::new(&matrix(&run, r#""rst""#, r#""bare-metal""#))
}

/// The exit code of rig with these arguments where a shell has redirected its streams: `{}` in `line` stands for the command.
fn exit_code(lab: &Lab, arguments: &str, line: &str) -> i32 {
    let code = lab.path().join("code");
    let command = format!("\"$RIG\" {arguments}");
    let script = format!("exec 3>code; {}", line.replace("{}", &command));
    let mut shell = Command::new("sh");
    lab.settle(shell.args(["-c", &script]).env("RIG", program()));
    let ended = lab.start(shell).end();
    let text = fs::read_to_string(code).unwrap();
    text.trim().parse().unwrap_or_else(|_| panic!("{line}: no exit code: {ended:?}"))
}

#[test]
fn a_run_that_nobody_listens_to_is_played_to_its_end() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    let run = |name: &str, line: &str| {
        let code = exit_code(&lab, &format!("matrix run --seed 7 --results {name}"), line);
        let folder = fs::read_dir(lab.path().join(name)).unwrap().next().unwrap().unwrap().path();
        (code, Recorded::new(&folder))
    };
    let (wanted, heard) = run("heard", "{} 2>/dev/null; echo $? >&3");
    assert_eq!((wanted, heard.ended()), (0, Some(true)));
    assert_eq!(heard.plan().len(), 5);
    let deaf = [
        ("full", "{} 2>/dev/full; echo $? >&3"),
        ("closed", "{} 2>&-; echo $? >&3"),
        ("left", "{ {} 2>&1; echo $? >&3; } | head -n 1"),
        ("left-by-one", "{ {} 2>&1 >/dev/null; echo $? >&3; } | head -n 1"),
        ("both-closed", "{} >&- 2>&-; echo $? >&3"),
    ];
    for (name, line) in deaf {
        let (code, run) = run(name, line);
        assert_eq!((code, run.order(), run.ended()), (wanted, heard.order(), Some(true)), "{line}");
        // What nobody heard can be gone on with, in the same way.
        let again = format!("matrix run --resume latest --results {name}");
        assert_eq!(exit_code(&lab, &again, line), wanted, "{line}");
    }
    // A report that a full disk cuts short is said to be; the run is there all the same.
    let (code, run) = run("report-full", "{} >/dev/full 2>words; echo $? >&3");
    assert_eq!((code, run.order(), run.ended()), (4, heard.order(), Some(true)));
    let said = fs::read_to_string(lab.path().join("words")).unwrap();
    assert!(said.contains("cannot write to standard output"), "{said}");
}

#[test]
fn a_failure_that_nobody_reads_keeps_its_exit_code() {
    let lab = lab();
    let lines = ["{} 2>/dev/full; echo $? >&3", "{ {} 2>&1; echo $? >&3; } | true"];
    for line in lines {
        assert_eq!(exit_code(&lab, "matrix run configuration=virtio-tep", line), 2, "{line}");
        assert_eq!(exit_code(&lab, "matrix wrun", line), 2, "{line}");
        assert_eq!(exit_code(&lab, "report nothing", line), 2, "{line}");
    }
}

#[test]
fn an_answer_whose_reader_has_gone_is_no_failure() {
    let lab = lab();
    for arguments in ["completions bash", "image list", "matrix plan --any-host", "scenario list", "--help"] {
        // The reader is gone before rig starts.
        let line = "{ sleep 0.1; {}; echo $? >&3; } | true";
        assert_eq!(exit_code(&lab, arguments, line), 0, "{arguments}");
    }
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    if !is_root("netns") {
        return;
    }
    for (signal, name, code) in
        [(Signal::SIGHUP, "HUP", 0), (Signal::SIGINT, "INT", 0), (Signal::SIGHUP, "INT", 130)]
    {
        let sizes = "trials = 50\nblocks = 25\nin_flight = 2\ncontrol_trials = 150\ncontrol_blocks = 1";
        let run = format!("{sizes}\n[scenario.rst]\nclient_delay = \"1ms\"");
        let lab = Lab::new(&matrix(&run, r#""rst""#, r#""bare-metal""#));
        let mut shell = Command::new("sh");
        let script = format!("trap '' {name}; exec \"$RIG\" matrix run --seed 7");
        lab.settle(shell.args(["-c", &script]).env("RIG", program()));
        let mut running = lab.start(shell);
        let blocks =
            || lab.runs().first().map(|run| fs::read_dir(run.join("blocks")).map_or(0, Iterator::count));
        running.await_that("a block is played", || blocks().filter(|n| *n > 0));
        running.signal(signal);
        running.end().expect(code);
        assert_eq!(lab.only_run().ended(), Some(code == 0), "{signal} where {name} is ignored");
    }
}

#[test]
fn a_terminal_is_drawn_on_and_gets_the_report() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    // script(1) gives the command a terminal for all three streams, and ends as it does.
    let line = "script --quiet --return --command '{}' typescript </dev/null >/dev/null; echo $? >&3";
    assert_eq!(exit_code(&lab, "matrix run --seed 7", line), 0);
    let shown = fs::read_to_string(lab.path().join("typescript")).unwrap();
    assert!(shown.contains("call under test returned: "), "the live table was drawn:\n{shown}");
    let (_, after) = shown.rsplit_once("What was found").expect("the answer is there");
    assert!(after.contains("results/") && after.contains("/report.txt"), "it names the report:\n{after}");
    assert!(!after.contains("call under test returned"), "nothing is drawn after the answer:\n{after}");
    assert!(!shown.contains("Again, from the files alone"), "the long report is in its file:\n{shown}");
    assert_eq!(lab.only_run().ended(), Some(true));
}
