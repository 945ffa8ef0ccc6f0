//! The small commands that the README names: each is run once, as a user would.

use std::fs;
use std::process::Command;

use crate::blackbox::{Lab, is_root, program};

#[test]
fn a_scenario_is_played_at_once_and_shown_step_by_step() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new("");
    let ended = lab.run("scenario run rst client_delay=5ms --trials 50 --in-flight 10 --seed 7").expect(0);
    ended.says(&[
        "this host's own kernel",
        "50 of 50 trials, 0 void, 0 anomalies",
        "readable,data,ECONNRESET",
        "<- verdict",
        "seed 7",
    ]);
    let wrong = lab.run("scenario run rst client_dely=5ms").expect(2);
    wrong.says(&["client_delay"]);
    assert!(!lab.results().exists(), "nothing is recorded");
}

#[test]
fn a_scenario_is_played_over_a_path_that_the_matrix_declares() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new("");
    let matrix = concat!(env!("CARGO_MANIFEST_DIR"), "/../matrix.toml");
    let play = |path: &str| {
        lab.run(&format!(
            "scenario run rst client_delay=5ms --trials 50 --in-flight 10 --matrix {matrix} --path {path}"
        ))
    };
    play("overtake").expect(0).says(&[
        "50 of 50 trials, 0 void",
        "readable,data,ECONNRESET",
        "own middlebox",
        "50 action.overtake.held",
    ]);
    play("overtakes").expect(2).says(&["declares no path `overtakes`", "did you mean `overtake`"]);
    play("pause").expect(4).says(&["this host cannot run it: a host cannot be paused"]);
    // Of a file only the path is wanted; and without --in-flight a scenario has the pace that it has in a matrix.
    fs::write(lab.path().join("paths.toml"), "[path.slow]\nmtu_bytes = 1400\n").unwrap();
    let alone = lab.run("scenario run rst client_delay=5ms --trials 50 --matrix paths.toml --path slow");
    alone.expect(0).says(&["50 of 50 trials, 0 void", "half within about", "99 % within about"]);
    lab.run("scenario run rst --matrix paths.toml --path fast").expect(2).says(&["declares no path `fast`"]);
}

#[test]
fn a_scenario_of_ones_own_is_checked_and_played_by_its_path() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new("");
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/fin.toml")).unwrap();
    fs::write(lab.path().join("mine.toml"), shipped).unwrap();
    lab.run("scenario check mine.toml").expect(0).says(&["valid"]);
    lab.run("scenario run ./mine.toml --trials 20").expect(0).says(&[
        "20 of 20 trials, 0 void",
        "readable,data,eof",
        "as expected: all of 20 trials",
    ]);
}

/// The call succeeds in every trial, and what it leads to is not what the file says.
#[test]
fn an_expectation_that_no_trial_keeps_is_told_and_is_an_alert() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new("");
    let shipped = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/fin.toml")).unwrap();
    let wrong = shipped.replace("\"readable,data,eof\"", "\"readable,data,ECONNRESET\"");
    assert_ne!(wrong, shipped);
    fs::write(lab.path().join("mine.toml"), wrong).unwrap();
    lab.run("scenario run ./mine.toml --trials 20").expect(5).says(&[
        "UNEXPECTED: 20 of 20 trials ended otherwise than expected: readable,data,eof (expected readable,data,ECONNRESET)",
        "0.5 % are tolerated",
    ]);
}

#[test]
fn the_one_file_carries_agent_scenarios_and_matrix() {
    if !is_root("netns") {
        return;
    }
    let lab = Lab::new("");
    let deployed = lab.path().join("elsewhere/rig");
    fs::create_dir(deployed.parent().unwrap()).unwrap();
    // By another process: a child that another test forks meanwhile would hold the file open for writing (ETXTBSY).
    assert!(Command::new("cp").arg(program()).arg(&deployed).status().unwrap().success());
    // No checkout, no cargo, no matrix.toml: nothing but the file and a plain environment.
    let alone = |arguments: &str| {
        let mut command = Command::new(&deployed);
        command.args(arguments.split_whitespace()).env_clear().env("HOME", lab.path());
        lab.settle(&mut command);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").current_dir(deployed.parent().unwrap());
        lab.start(command).end()
    };
    alone("matrix check").expect(0).says(&["valid", "profile quick", "profile nightly"]);
    alone("scenario run rst client_delay=5ms --trials 50 --path overtake")
        .expect(0)
        .says(&["50 of 50 trials, 0 void", "readable,data,ECONNRESET"]);
}

#[test]
fn completions_are_printed_for_every_shell_and_cleaning_is_idempotent() {
    let lab = Lab::new("");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        assert!(lab.run(&format!("completions {shell}")).expect(0).stdout.contains("rig"), "{shell}");
    }
    lab.run("completions tcsh").expect(2);
    let with_cache = |arguments: &str| {
        let mut command = lab.rig(arguments);
        command.env("XDG_CACHE_HOME", lab.path());
        lab.start(command).end()
    };
    let left = lab.path().join("rig/probe/probe-left");
    fs::create_dir_all(&left).unwrap();
    with_cache("clean").expect(4).says(&["no CACHEDIR.TAG of rig's"]);
    assert!(left.exists(), "a folder without rig's mark is somebody else's");
    let tag =
        "Signature: 8a477f597d28d172789f06886806bc55\n# This file is a cache directory tag created by rig.\n";
    fs::write(lab.path().join("rig/CACHEDIR.TAG"), tag).unwrap();
    with_cache("clean --dry-run").expect(0).says(&["left by a rig that was killed", "nothing was removed"]);
    assert!(left.exists());
    with_cache("clean").expect(0).says(&["left by a rig that was killed (probe/probe-left)", "freed"]);
    assert!(!left.exists());
    with_cache("clean").expect(0).says(&["nothing to clean"]);
    with_cache("image list").expect(0).says(&["6.1", "6.12", "not built"]);
    with_cache("image clean --all").expect(0).says(&["nothing to clean"]);
    with_cache("image clean --keep 10").expect(2).says(&["a size needs a unit", "10MiB"]);
}
