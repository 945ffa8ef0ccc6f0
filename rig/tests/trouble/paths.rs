//! Paths that a host cannot make: which cells are skipped, why, and where the file asks for it.

use std::process::Command;

use serde_json::Value as Json;

use crate::blackbox::{Ended, Lab, Recorded, is_root, matrix};
use crate::host::{mask, with_private_mounts};

const QUICK: &str = "trials = 20\nblocks = 1\nin_flight = 20\ncontrol_trials = 150\ncontrol_blocks = 1";

/// A lab whose cells lie on a plain path, and on one more.
fn lab(name: &str, path: &str) -> Lab {
    let run = format!("{QUICK}\n[scenario.rst]\nclient_delay = \"10ms\"");
    let text = matrix(&run, r#""rst""#, r#""bare-metal""#);
    let axis = format!("path = [\"direct\", \"{name}\"]");
    Lab::new(&format!("{}\n{path}", text.replace("path = [\"direct\"]", &axis)))
}

/// `matrix.toml:LINE:COLUMN` of the part of the line.
fn place(lab: &Lab, line: &str, part: &str) -> String {
    let text = std::fs::read_to_string(lab.path().join("matrix.toml")).unwrap();
    let number = text.lines().position(|one| one == line).unwrap() + 1;
    format!("matrix.toml:{number}:{}", line.find(part).unwrap() + 1)
}

/// Every cell on the plain path has its trials, and every one on the other is skipped for this reason.
#[track_caller]
fn only_the_plain_path(run: &Recorded, other: &str, words: &str) {
    assert_eq!(run.ended(), Some(true));
    let cells = run.cells("bare-metal");
    assert_eq!(cells.len(), 5, "rst on two paths, and three controls on the plain one");
    for cell in cells {
        if cell["path"] == other {
            assert_eq!(cell["status"], "skipped", "{cell}");
            assert!(cell["reason"].as_str().unwrap().contains(words), "{cell}");
        } else {
            let trials = if cell["scenario"] == "rst" { 20 } else { 150 };
            assert_eq!((&cell["status"], &cell["trials"]), (&"complete".into(), &trials.into()), "{cell}");
        }
    }
}

fn without_haproxy(lab: &Lab, arguments: &str) -> Ended {
    let mut command: Command = lab.rig(arguments);
    command.env("PATH", lab.path());
    lab.start(command).end()
}

#[test]
fn without_haproxy_its_paths_are_skipped_and_denied_skips_are_shown_in_the_file() {
    with_private_mounts(|| {
        if std::path::Path::new("/usr/sbin/haproxy").exists() {
            mask("/usr/sbin/haproxy");
        }
        let lab = lab("balanced", "[path.balanced.haproxy]\ncheck_interval = \"50ms\"\n");
        let at = place(&lab, "[path.balanced.haproxy]", "haproxy");
        let asked =
            ["this host cannot do what path `balanced` asks for", "no HAProxy: `haproxy` is not installed"];

        let quiet = without_haproxy(&lab, "matrix run --seed 7").expect(0);
        assert!(!quiet.stderr.contains(&at), "nobody denied skips: {}", quiet.stderr);
        only_the_plain_path(&lab.only_run(), "balanced", "no HAProxy: `haproxy` is not installed");

        let denied = without_haproxy(&lab, "matrix run --seed 8 --deny-skips").expect(3);
        assert!(denied.stderr.contains(&at), "{at} is not in {}", denied.stderr);
        assert_eq!(denied.stderr.matches("cannot do what path").count(), 1, "once: {}", denied.stderr);
        denied.says(&asked).says(&["rig doctor", "asked for here"]);
        only_the_plain_path(&Recorded::new(lab.runs().last().unwrap()), "balanced", "no HAProxy");

        let again = without_haproxy(&lab, "matrix run --resume latest --deny-skips").expect(3);
        again.says(&asked).says(&["matrix.toml of run"]);

        let plan = without_haproxy(&lab, "matrix plan --format json").expect(0);
        let plan: Json = serde_json::from_str(&plan.stdout).unwrap();
        for cell in plan["cells"].as_array().unwrap() {
            let skipped = cell["path"] == "balanced";
            assert_eq!(cell["status"], if skipped { "skipped" } else { "ready" }, "{cell}");
            assert_eq!(cell["reason"].is_string(), skipped, "{cell}");
        }
        // None of what was asked for can be run: that is no run, and the reason is in the file.
        let runs = lab.runs().len();
        let none = without_haproxy(&lab, "matrix run path=balanced").expect(4);
        assert!(none.stderr.contains(&at), "{at} is not in {}", none.stderr);
        none.says(&asked).says(&["this host can run none of the cells"]);
        assert_eq!(lab.runs().len(), runs, "nothing was begun");
    });
}

#[test]
fn a_host_is_not_paused_and_the_fault_that_asks_for_it_is_shown() {
    if !is_root("netns") {
        return;
    }
    let lab = lab("stopping", "[path.stopping.fault.stop]\ndo = \"pause\"\nfor = \"100ms\"\n");
    let at = place(&lab, "[path.stopping.fault.stop]", "stop]");
    let ended = lab.run("matrix run --seed 7 --deny-skips").expect(3);
    assert!(ended.stderr.contains(&at), "{at} is not in {}", ended.stderr);
    ended.says(&["a host cannot be paused, only a guest", "[[exclude]] with path = \"stopping\""]);
    only_the_plain_path(&lab.only_run(), "stopping", "a host cannot be paused, only a guest");
}

#[test]
fn a_wrong_path_is_said_before_anything_starts() {
    let lab = lab("lossy", "[path.lossy]\nloss = \"1%\"\n");
    let at = place(&lab, "loss = \"1%\"", "\"1%\"");
    let ended = lab.run("matrix run").expect(2);
    assert!(ended.stderr.contains(&at), "{at} is not in {}", ended.stderr);
    ended.says(&["`loss` has no direction", "write loss = { to_target = \"1%\" }"]);
    assert!(!lab.results().exists(), "nothing was begun");
}
