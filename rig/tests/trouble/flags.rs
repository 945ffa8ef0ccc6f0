//! The flags of `rig matrix run`, on the host's own kernel.

use std::collections::BTreeSet;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rig::record::format::BlockStatus;

use crate::blackbox::belongings::Belongings;
use crate::blackbox::processes::{Process, family, interfaces};
use crate::blackbox::{Lab, Recorded, Running, is_root, matrix};

const SIZES: &str =
    "trials = 20\nblocks = 4\nin_flight = 20\ncontrol_trials = 150\ncontrol_blocks = 2\nretries = 0";

fn lab(client_delay: &str) -> Lab {
    let run = format!("{SIZES}\n[scenario.rst]\nclient_delay = \"{client_delay}\"");
    Lab::new(&matrix(&run, r#""rst", "fin", "data""#, r#""bare-metal""#))
}

/// The agent that plays the target right now: of the two the one that is not where the peer listens.
fn playing_target(root: u32) -> Option<Process> {
    let agents: Vec<Process> = family(root).into_iter().filter(|process| process.is("guest-agent")).collect();
    let plays = agents.len() == 2 && agents.iter().any(Process::beside_the_peer);
    agents.into_iter().find(|agent| plays && !agent.beside_the_peer())
}

fn cells(run: &Recorded) -> BTreeSet<String> {
    run.record().cells.into_iter().map(|cell| cell.cell.id.0).collect()
}

fn run_in(lab: &Lab, results: &str, arguments: &str) -> Recorded {
    lab.run(&format!("matrix run --results {results} {arguments}")).expect(0);
    let mut runs = std::fs::read_dir(lab.path().join(results)).unwrap();
    Recorded::new(&runs.next().unwrap().unwrap().path())
}

#[test]
fn a_run_that_keeps_to_its_lock_says_so_and_one_that_does_not_lists_in_what() {
    if !is_root("netns") {
        return;
    }
    let lab = lab("1ms");
    lab.run("matrix plan --lock plan.json scenario=fin --trials 300").expect(0);
    let report = |results: &str, arguments: &str| -> serde_json::Value {
        let run = run_in(&lab, results, arguments);
        let json = lab.run(&format!("report --results {results} latest --format json")).expect(0).stdout;
        assert!(run.record().lock.is_some());
        serde_json::from_str(&json).unwrap()
    };
    let kept = report("kept", "--lock plan.json");
    assert_eq!(kept["locked"]["as_locked"], true, "{}", kept["locked"]);
    let other = report("other", "--lock plan.json --seed 9 --trials 200");
    let told: Vec<&str> =
        other["locked"]["deviations"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(other["locked"]["as_locked"], false);
    assert!(told.iter().any(|one| one.starts_with("the seed is 9, not ")), "{told:?}");
    assert!(told.iter().any(|one| one.ends_with("has 200 trials, not 300")), "{told:?}");
}

#[test]
fn a_seed_repeats_the_order_and_the_draws() {
    if !is_root("netns") {
        return;
    }
    let lab = lab("1ms");
    let one = run_in(&lab, "one", "--seed 7");
    let again = run_in(&lab, "again", "--seed 7");
    let other = run_in(&lab, "other", "--seed 8");
    assert_eq!(one.plan().len(), 3 * 4 + 3 * 2);
    assert_eq!(one.record().blocks, again.record().blocks);
    assert_ne!(one.plan(), other.plan());
    assert_eq!(one.plan().into_iter().collect::<BTreeSet<_>>(), other.plan().into_iter().collect());
    for run in [&one, &again, &other] {
        assert_eq!(run.order(), run.plan());
    }
    // Which trials are injected is drawn from the seed too.
    let injected = |run: &Recorded| {
        let mut blocks = run.played();
        blocks.retain(|block| !block.tally.injected.is_empty());
        blocks.sort_by(|a, b| a.id.cmp(&b.id));
        let drawn = blocks.iter().map(|block| {
            let placed =
                block.tally.placements.outcomes.iter().filter(|(label, _)| label.starts_with("ENOENT"));
            placed.flat_map(|(_, placement)| placement.first.clone()).collect::<BTreeSet<u64>>()
        });
        let drawn: Vec<_> = drawn.collect();
        assert!(drawn.len() == 2 && drawn.iter().all(|trials| trials.len() == 15), "20 % of 75: {drawn:?}");
        drawn
    };
    assert_eq!(injected(&one), injected(&again));
    assert_ne!(injected(&one), injected(&other));
}

#[test]
fn shards_are_whole_each_by_itself_and_all_together() {
    if !is_root("netns") {
        return;
    }
    let lab = lab("1ms");
    // So many that 20 % of a control are enough to prove something.
    let whole = run_in(&lab, "whole", "--seed 7 --trials 40");
    // Into one folder, with one seed, begun together: each has an id of its own, its controls, and blocks that no other has.
    let start = |index| {
        let line = format!("matrix run --results parts --seed 7 --trials 40 --shard {index}/3");
        lab.start(lab.rig(&line))
    };
    let running: Vec<Running> = (1..=3).map(start).collect();
    for one in running {
        one.end().expect(0).says(&["of 3: the other cells are in other runs"]);
    }
    let runs = std::fs::read_dir(lab.path().join("parts")).unwrap();
    let parts: Vec<Recorded> = runs.map(|run| Recorded::new(&run.unwrap().path())).collect();
    assert_eq!(parts.len(), 3);
    let controls = |run: &Recorded| {
        let record = run.record();
        let controls = record.cells.iter().filter(|cell| cell.cell.control.is_some());
        controls.map(|cell| cell.cell.id.0.clone()).collect::<BTreeSet<String>>()
    };
    let (mut plain, mut blocks) = (Vec::new(), Vec::new());
    for part in &parts {
        assert_eq!(controls(part), controls(&whole), "all cells are of one machine");
        plain.extend(cells(part).difference(&controls(part)).cloned());
        blocks.extend(part.played().into_iter().map(|block| block.id));
    }
    assert_eq!(plain.len(), plain.iter().collect::<BTreeSet<_>>().len(), "no cell is in two parts");
    assert_eq!(BTreeSet::from_iter(plain), cells(&whole).difference(&controls(&whole)).cloned().collect());
    assert_eq!(blocks.len(), blocks.iter().collect::<BTreeSet<_>>().len(), "no block is in two parts");
    // More parts than cells.
    lab.run("matrix plan --shard 1/9")
        .expect(2)
        .says(&["there are 3 cells to divide", "ask for 3 shards at most"]);
}

/// A second stage of a pipeline ends as the run did.
#[test]
fn a_report_ends_as_its_run_did() {
    if !is_root("netns") {
        return;
    }
    let lab = lab("1500ms");
    let ended = lab.run("matrix run --seed 7 --deadline 2s").expect(3);
    ended.says(&["--deadline was reached"]);
    lab.run("report --exit-code").expect(3).says(&["--deadline was reached"]);
    lab.run("report").expect(0);
    assert_eq!(lab.only_run().report()["run"]["stopped"], "deadline");
    let before = lab.only_run().played().len();
    let mut running = lab.start(lab.rig("matrix run --resume latest"));
    running.await_that("a block more", || (lab.only_run().played().len() > before).then_some(()));
    running.signal(Signal::SIGINT);
    running.end().expect(130);
    lab.run("report --exit-code").expect(130);
    lab.run("matrix run --resume latest").expect(0);
    lab.run("report --exit-code --deny-skips").expect(0);
}

#[test]
fn trials_on_the_command_line_win() {
    if !is_root("netns") {
        return;
    }
    let lab = lab("1ms");
    // 20 % of a control are enough to prove something, and fewer than a file may ask for.
    let weak = "control inject-enoent: its errno is expected in 8 of 41 trials, and a proof needs 30; 150 trials are enough";
    lab.run("matrix run --seed 7 --trials 41 scenario=rst").expect(0).says(&[weak]);
    let run = lab.only_run();
    let cells = run.cells("bare-metal");
    assert_eq!(cells.len(), 4);
    for cell in cells {
        assert_eq!((&cell["trials"], &cell["trials_wanted"]), (&41.into(), &41.into()), "{cell}");
    }
    // Spread over the blocks that the file asks for.
    let mut trials: Vec<u64> = run.played().iter().map(|block| block.tally.trials).collect();
    trials.sort_unstable();
    assert_eq!(trials, [10, 10, 10, 11, 20, 20, 20, 21, 21, 21]);
}

#[test]
fn a_deadline_ends_the_run_with_its_record_and_resume_goes_on() {
    if !is_root("netns") {
        return;
    }
    // Four blocks of at least 1.5 s each cannot be done in two.
    let lab = lab("1500ms");
    let ended = lab.run("matrix run --seed 7 --deadline 2s").expect(3);
    let run = lab.only_run();
    assert_eq!(run.ended(), Some(false));
    assert_eq!(run.report()["run"]["complete"], false);
    assert!(ended.stdout.contains("NOT COMPLETE"), "{}", ended.stdout);
    let (played, plan) = (run.order(), run.plan());
    assert!(played.len() < plan.len() && plan.starts_with(&played));
    lab.run("matrix run --resume latest").expect(0);
    assert_eq!((run.order(), run.ended()), (plan, Some(true)));
    // Nothing is left to do: that is no failure, and plays nothing again.
    lab.run("matrix run --resume latest").expect(0);
    assert_eq!(run.order(), run.plan());
}

/// Kills a target's agent in the middle of its play; one that ended between the look and the blow was not in the middle.
fn kill_an_agent(running: &mut Running) {
    let root = running.pid();
    loop {
        let agent = running.await_that("an agent plays", || playing_target(root));
        match kill(Pid::from_raw(i32::try_from(agent.pid).unwrap()), Signal::SIGKILL) {
            Err(Errno::ESRCH) => {}
            other => return other.unwrap(),
        }
    }
}

#[test]
fn fail_fast_stops_at_the_first_block_that_stays_void() {
    if !is_root("netns") {
        return;
    }
    let lab = lab("5s");
    let mut running = lab.start(lab.rig("matrix run --seed 7 --fail-fast scenario=rst"));
    kill_an_agent(&mut running);
    running.end().expect(3).says(&["VOID", "the cell stays short"]);
    let run = lab.only_run();
    let played = run.played();
    let BlockStatus::Void { reason } = &played.last().unwrap().status else { panic!("not void: {played:?}") };
    assert!(reason.to_string().contains("target"), "{reason}");
    assert!(played.len() < run.plan().len(), "the rest was not begun");
    assert_eq!(run.ended(), Some(false));
    // The same without the flag goes on to its end.
    let mut running = lab.start(lab.rig("matrix run --seed 9 scenario=rst"));
    kill_an_agent(&mut running);
    running.end().expect(3);
    // Both may have begun in one second: then their names do not tell which is the later one.
    let other = lab.runs().into_iter().find(|folder| *folder != run.folder).unwrap();
    let run = Recorded::new(&other);
    assert_eq!((run.played().len(), run.ended()), (run.plan().len(), Some(true)));
}

#[test]
fn a_run_killed_on_bare_metal_leaves_nothing_and_goes_on() {
    if !is_root("netns") {
        return;
    }
    let lab = lab("1s");
    let before = interfaces();
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        let arguments = if lab.runs().is_empty() { "--seed 7" } else { "--resume latest" };
        let mut running = lab.start(lab.rig(&format!("matrix run {arguments}")));
        let root = running.pid();
        running.await_that("an agent plays", || playing_target(root));
        let belongings = Belongings::of(&running, before.clone());
        running.signal(signal);
        let ended = running.end();
        belongings.vanish();
        let expected = (signal == Signal::SIGTERM).then_some(130);
        assert_eq!(ended.status.code(), expected, "{ended:?}");
    }
    let run = lab.only_run();
    assert!(run.plan().starts_with(&run.order()));
    lab.run("matrix run --resume latest").expect(0);
    assert_eq!(run.order(), run.plan());
}

#[test]
fn a_file_in_place_of_the_folder_of_runs_is_wrong_input() {
    if !is_root("netns") {
        return;
    }
    let lab = lab("1ms");
    for results in ["matrix.toml", "matrix.toml/below"] {
        let ended = lab
            .run(&format!("matrix run configuration=bare-metal scenario=rst --results {results}"))
            .expect(2);
        assert!(ended.words().contains("is not a folder"), "{}", ended.words());
    }
}
