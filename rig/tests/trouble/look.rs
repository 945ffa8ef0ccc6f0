//! `--quiet`, `--color`, and what a log says that no terminal shows.

use std::collections::BTreeSet;

use crate::blackbox::{Ended, Lab, is_root, matrix};

const SIZES: &str = "trials = 20\nblocks = 2\nin_flight = 20\ncontrol_trials = 150\ncontrol_blocks = 1\nretries = 0\n[scenario.rst]\nclient_delay = \"1ms\"";

fn lab() -> Lab {
    Lab::new(&matrix(SIZES, r#""rst", "fin""#, r#""bare-metal""#))
}

/// `2026-11-21T20:19:50Z `
fn is_stamped(line: &str) -> bool {
    let shape: String = line.chars().take(21).map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "0000-00-00T00:00:00Z "
}

#[test]
fn every_line_of_a_log_has_its_time_and_a_block_its_cell_and_the_rest_of_the_run() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    let ended = lab.run("matrix run --seed 7 --trials 40").expect(0);
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert!(lines.iter().all(|line| is_stamped(line)), "{}", ended.stderr);
    let blocks: Vec<&&str> =
        lines.iter().filter(|line| line.contains(" trials in ") || line.contains(" void) in ")).collect();
    let run = lab.only_run();
    assert_eq!(blocks.len(), run.plan().len(), "{}", ended.stderr);
    for cell in run.record().cells {
        let id = cell.cell.id.0;
        let of_cell: Vec<&&&str> = blocks.iter().filter(|line| line.contains(&id)).collect();
        assert!(!of_cell.is_empty(), "{id} is in no line of {}", ended.stderr);
        let (last, before) = of_cell.split_last().unwrap();
        assert!(last.contains("that was the last block of this cell"), "{last}");
        assert!(before.iter().all(|line| !line.contains("last block")), "{before:?}");
    }
    let (last, before) = blocks.split_last().unwrap();
    assert!(before.iter().all(|line| line.contains("; ETA ")) && !last.contains("ETA"), "{}", ended.stderr);
    let times: Vec<&str> = lines.iter().map(|line| &line[..20]).collect();
    assert!(times.is_sorted() && times.iter().collect::<BTreeSet<_>>().len() < lines.len() + 1);
}

#[test]
fn a_quiet_run_gives_the_answer_and_warnings_alone() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    let ended = lab.run("matrix run --seed 7 --quiet").expect(0);
    assert_eq!(ended.stderr, "");
    ended.says(&["What was found"]);
    // So few trials leave a control without proof: a warning.
    let warned = lab.run("--quiet matrix run --seed 7 --trials 40 scenario=rst").expect(0);
    let lines: Vec<&str> = warned.stderr.lines().collect();
    assert_eq!(lines.len(), 1, "{}", warned.stderr);
    assert!(lines[0].contains("control inject-enoent") && is_stamped(lines[0]), "{}", warned.stderr);
    // Errors remain.
    lab.run("matrix plan --quiet --profile nosuch").expect(2).says(&["there is no profile `nosuch`"]);
}

fn colored(text: &str) -> bool {
    text.contains("\u{1b}[")
}

/// Without a terminal; `NO_COLOR` is set in these tests.
#[test]
fn colors_are_as_the_flag_says_whatever_the_environment_says() {
    let lab = lab();
    let forced = |line: &str| -> Ended {
        let mut command = lab.rig(line);
        command.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").env("FORCE_COLOR", "1");
        lab.start(command).end()
    };
    // A failure as it is drawn; one of the command line; a help.
    for (line, code) in [("matrix plan --profile nosuch", 2), ("matrix plan --nosuch", 2), ("--help", 0)] {
        let both = |ended: Ended| format!("{}{}", ended.stdout, ended.stderr);
        let plain = both(lab.run(line).expect(code));
        assert!(!colored(&plain), "{line}: {plain:?}");
        let always = both(lab.run(&format!("--color always {line}")).expect(code));
        assert!(colored(&always), "{line}: {always:?}");
        let never = both(forced(&format!("--color=never {line}")).expect(code));
        assert!(!colored(&never), "{line}: {never:?}");
    }
    assert!(colored(&forced("matrix plan --profile nosuch").stderr), "the test would see colours");
    lab.run("matrix plan --color purple").expect(2).says(&["invalid value 'purple'", "always, never"]);
}

#[test]
fn the_answer_has_colors_where_they_are_asked_for() {
    if !is_root("netns") {
        return;
    }
    let lab = lab();
    let always = lab.run("matrix run --seed 7 --color always").expect(0);
    assert!(colored(&always.stdout), "{}", always.stdout);
    let never = lab.run("matrix run --seed 7 --color never").expect(0);
    assert!(!colored(&never.stdout) && !colored(&never.stderr));
}
