//! Tier *netns*: `rig nightly` and the units that start it: a night ends, is told, is alone, is stopped. Needs root; boots no guest.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

#[expect(dead_code, reason = "other tiers use more of it")]
mod blackbox;
#[path = "nightly/page.rs"]
mod page;
#[path = "nightly/unit.rs"]
mod unit;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use blackbox::{Lab, Recorded, is_root, matrix};

/// A small night: one cell of this host, and its controls.
const QUICK: &str = "trials = 200\nblocks = 2\nretries = 0\ncontrol_trials = 150\ncontrol_blocks = 1\n[scenario.rst]\nclient_delay = \"10ms\"\n[profile.nightly]\ntrials = 200";

/// One that is still under way when it is looked at.
const LONG: &str = "trials = 40000\nblocks = 40\ncontrol_trials = 150\ncontrol_blocks = 1\n[scenario.rst]\nclient_delay = \"1s\"\n[profile.nightly]\ntrials = 40000";

fn lab(run: &str) -> Lab {
    Lab::new(&matrix(run, r#""rst""#, r#""bare-metal""#))
}

/// Runs of the folder of results, oldest first.
fn runs(lab: &Lab) -> Vec<Recorded> {
    let runs = lab.runs().into_iter().filter(|run| run.join("run.json").is_file());
    runs.map(|run| Recorded::new(&run)).collect()
}

/// A program for `--notify` that writes down what it was given.
fn teller(lab: &Lab) -> String {
    let path = lab.path().join("tell");
    let told = lab.path().join("told").display().to_string();
    let script = format!(
        "#!/bin/sh\nprintf '%s %s\\n' \"$RIG_NIGHTLY_EXIT\" \"$*\" >> {told}\ncat \"$2\" >> {told}.text\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn told(lab: &Lab) -> Vec<String> {
    let text = fs::read_to_string(lab.path().join("told")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn nights_are_kept_and_told_as_they_were_asked_to() {
    if !is_root("netns") {
        return;
    }
    let lab = lab(QUICK);
    let tell = teller(&lab);
    let night = |more: &[&str]| {
        let mut command = lab.rig("nightly --keep 1");
        command.arg("--notify").arg(format!("{tell} night")).args(more);
        lab.start(command).end()
    };
    night(&[]).expect(0).says(&["night: exit 0 (done); steps: run 0, history 0, gc 0"]);
    let [first] = &runs(&lab)[..] else { panic!("one run: {:?}", lab.runs()) };
    assert_eq!(
        (first.record().profile.as_str(), told(&lab)),
        ("nightly", vec![]),
        "a good night is not told"
    );
    let notice = || fs::read_to_string(lab.results().join("nightly.md")).unwrap();
    assert!(notice().contains("exit 0 (done)") && notice().contains(&first.id()), "{}", notice());
    night(&["--notify-always"]).expect(0);
    let [second] = &runs(&lab)[..] else { panic!("one run is kept: {:?}", lab.runs()) };
    assert_ne!(second.id(), first.id());
    assert_eq!(told(&lab), [format!("0 night {}/nightly.md", lab.results().display())]);
    // Of the run's end, and not of the step after it.
    night(&["--", "scenario=nosuch"]).expect(2).says(&["night: exit 2", "steps: run 2, gc 0", "nosuch"]);
    assert_eq!((runs(&lab).len(), told(&lab).len()), (1, 2));
    assert!(notice().contains("No run was recorded.") && notice().contains("nosuch"), "{}", notice());
    let text = fs::read_to_string(lab.path().join("told.text")).unwrap();
    assert!(text.contains("# rig nightly on") && text.ends_with(&notice()), "{text}");
}

#[test]
fn a_command_that_fails_is_told_and_the_night_ends_as_it_did() {
    let lab = lab(QUICK);
    let mut command = lab.rig("nightly");
    command.args(["--notify", "/nowhere/tell", "--", "scenario=nosuch"]);
    lab.start(command)
        .end()
        .expect(2)
        .says(&["the command of --notify failed: /nowhere/tell: ", "nightly.md"]);
}

#[test]
fn wrong_arguments_are_refused_before_anything_begins() {
    let lab = lab(QUICK);
    for (arguments, said) in [
        ("nightly -- --nosuch", "--nosuch"),
        ("nightly -- --results elsewhere", "--results"),
        ("nightly --keep-failed", "--keep"),
        ("nightly --notify-always", "--notify"),
        ("nightly --deadline soon", "soon"),
    ] {
        lab.run(arguments).expect(2).says(&[said]);
    }
    let mut command = lab.rig("nightly");
    command.args(["--notify", " "]);
    lab.start(command).end().expect(2).says(&["there is no command in it"]);
    assert!(!lab.results().exists());
}

/// Blocks of a run's journal that may be being written.
fn blocks(run: &Recorded) -> usize {
    let text = fs::read_to_string(run.folder.join("journal.jsonl")).unwrap_or_default();
    text.lines().filter(|line| line.contains("\"block\"")).count()
}

#[test]
fn a_second_night_is_refused_while_the_first_or_its_run_is_under_way() {
    if !is_root("netns") {
        return;
    }
    let lab = lab(LONG);
    let mut first = lab.start(lab.rig("nightly"));
    first.await_that("its first block", || runs(&lab).pop().filter(|run| blocks(run) >= 1));
    let refused = || lab.run("nightly").expect(2);
    let who = format!("process {} since 2", first.pid());
    refused().says(&["another night is still under way", &who, ".nightly.lock"]);
    assert_eq!(runs(&lab).len(), 1);
    // Killed, it leaves its run behind, and that still writes here.
    let run = child_of(first.pid());
    let _ended = Orphan(run);
    first.signal(Signal::SIGKILL);
    let ended = first.end();
    assert_eq!(ended.status.code(), None);
    refused().says(&["another night is still under way"]);
    kill(run, Signal::SIGTERM).unwrap();
    let pid = run.as_raw();
    let over = std::time::Instant::now() + blackbox::PATIENCE;
    while fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        assert!(std::time::Instant::now() < over, "the run does not end");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    lab.run("nightly -- scenario=nosuch").expect(2).says(&["nosuch"]);
}

/// Ends with the test, also where that fails.
struct Orphan(Pid);

impl Drop for Orphan {
    fn drop(&mut self) {
        // Whether the number is still its own: the command line of another process has no such folder.
        let line = fs::read_to_string(format!("/proc/{}/cmdline", self.0)).unwrap_or_default();
        if line.contains("--profile=nightly") {
            let _ = kill(self.0, Signal::SIGKILL);
        }
    }
}

fn child_of(pid: u32) -> Pid {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let [child] = children.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("one child: {children}")
    };
    Pid::from_raw(child.parse().unwrap())
}

#[test]
fn who_stops_a_night_stops_its_run_and_nothing_follows() {
    if !is_root("netns") {
        return;
    }
    let lab = lab(LONG);
    let tell = teller(&lab);
    let mut command = lab.rig("nightly --keep 0");
    command.arg("--notify").arg(&tell);
    let mut night = lab.start(command);
    let run = night.await_that("its first block", || runs(&lab).pop().filter(|run| blocks(run) >= 1));
    night.signal(Signal::SIGTERM);
    night.end().expect(130);
    assert_eq!((run.ended(), told(&lab)), (Some(false), vec![]));
    assert!(run.folder.is_dir(), "nothing was removed");
}

/// For the tests of units.
fn quiet(program: &std::path::Path) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}
