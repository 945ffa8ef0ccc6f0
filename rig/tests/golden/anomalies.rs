//! Trials that a reader should look at, and what the page shows of them.

use rig::analysis::model::ReportModel;
use rig_protocol::{Errno, Readiness, StepLog, TrialRecord};

use crate::fixture::{Bench, Play, sound, turn};
use crate::reports::{model, render};

/// A trial whose select() returned -1 after a wait of 4 ms.
fn kept(trial: u64, outcome: &str) -> TrialRecord {
    let step = |step, begin_ns: u64, end_ns, returned, errno_after| StepLog {
        lane: 0,
        step,
        begin_ns,
        end_ns,
        returned,
        errno_after,
        ready: Some(Readiness::default()),
        events: None,
        data: None,
        state_before: None,
        cut: false,
    };
    TrialRecord {
        trial,
        outcome: outcome.into(),
        anomaly: true,
        void: false,
        local_port: 40_123,
        descriptor: 5,
        steps: vec![
            step(0, 7_000_000, 7_100_000, 0, Errno(0)),
            step(1, 7_200_000, 11_200_000, -9, Errno::EBADF),
        ],
        program: None,
    }
}

/// A sound run whose first guest block has this many trials that ended so, with the first two of each kept whole.
fn with(outcomes: &[&str]) -> Bench {
    let mut bench = sound();
    let block = bench.block(Play::Base, "virtio-tap", "6.12", 0);
    turn(block, 20, Errno::EBADF);
    block.tally.anomalies = 20;
    block.records = 2 * outcomes.len() as u64;
    let id = block.id.clone();
    let (_, trials) = bench.blocks.iter_mut().find(|(block, _)| block.id == id).expect("played");
    *trials = outcomes
        .iter()
        .enumerate()
        .flat_map(|(n, outcome)| [10 * n as u64 + 3, 10 * n as u64 + 4].map(|at| kept(at, outcome)))
        .collect();
    bench
}

fn of_guest(model: &ReportModel) -> Vec<&rig::analysis::model::Anomaly> {
    let guest = model
        .cells
        .iter()
        .find(|cell| cell.scenario == Play::Base.scenario() && cell.kernel == "6.12")
        .expect("a cell");
    model.anomalies.trials.iter().filter(|one| one.cell == guest.id).collect()
}

#[test]
fn the_first_of_each_outcome_is_there_with_its_seed_and_its_words() {
    let bench = with(&["EBADF", "readable,EBADF"]);
    let model = model(&bench);
    let found = of_guest(&model);
    assert_eq!(found.len(), 2);
    let first = found[0];
    assert_eq!((first.kept.trial, first.kept.outcome.as_str(), first.alike), (3, "EBADF", 20));
    assert_eq!((first.attempt, first.seed), (1, 7));
    assert_eq!(found[1].kept.trial, 13);
    let lanes = &model.anomalies.lanes[&first.cell];
    assert!(lanes[0].steps.iter().any(|step| step.contains("<- verdict")), "{lanes:?}");
    assert_eq!(model.anomalies.left_out, 0);
}

#[test]
fn controls_are_no_anomalies() {
    let model = model(&sound());
    let controls: Vec<&str> = model.controls.iter().map(|control| control.cell.as_str()).collect();
    assert!(!model.anomalies.trials.is_empty(), "the watcher's are");
    assert!(model.anomalies.trials.iter().all(|one| !controls.contains(&one.cell.as_str())));
}

#[test]
fn the_page_has_the_ladder_and_the_line_that_plays_it_again() {
    let bench = with(&["EBADF"]);
    let model = model(&bench);
    let page = render(&model, "html");
    let block = &of_guest(&model)[0].block;
    assert!(page.contains(&format!("rig replay {} {block} 3", model.run.id)), "its line");
    assert!(page.contains("20 of 2,000 trials ended so"), "how often");
    assert!(page.contains("the client&#39;s port 40123, descriptor 5"), "where");
    assert!(page.contains("aria-label=\"Ladder diagram of trial-"), "the ladder");
    assert!(page.contains("<td class=\"r\">4.000</td>"), "how long select() took");
    assert!(page.contains("-1 EBADF"));
}

#[test]
fn beyond_a_hundred_they_are_counted() {
    let names: Vec<String> = (0..120).map(|n| format!("EBADF,data={n}")).collect();
    let outcomes: Vec<&str> = names.iter().map(String::as_str).collect();
    let model = model(&with(&outcomes));
    assert_eq!(model.anomalies.trials.len(), 100);
    assert!(model.anomalies.left_out >= 20, "{}", model.anomalies.left_out);
    assert!(render(&model, "html").contains("more outcomes of cells have such trials"));
}
