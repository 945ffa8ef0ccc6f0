//! A run held against the plan that was written down before it, and what it takes to show that a fix works.

use rig::analysis::model::{Deviation, Question};
use rig::matrix::CellId;
use rig::record::format::{Lock, LockedCell, RunLock};
use rig_protocol::Errno;

use crate::fixture::{Bench, sound, turn};
use crate::reports::{model, render};

/// What a bench plans, as it is locked.
fn lock_of(bench: &Bench) -> Lock {
    let record = &bench.record;
    let cells = record.cells.iter().filter(|planned| planned.skipped.is_none());
    let cells = cells.map(|planned| LockedCell::from(&planned.cell));
    Lock {
        rig_version: record.rig_version.clone(),
        written: "2026-11-20T08:00:00.000Z".into(),
        matrix: "matrix.toml".into(),
        profile: record.profile.clone(),
        seed: record.seed,
        confidence: record.judgement.confidence,
        margin: record.judgement.margin,
        margins: record.judgement.margins.clone(),
        icc: record.judgement.icc.expect("declared"),
        tolerance: record.judgement.tolerance.expect("declared"),
        cells: cells.collect(),
        ..Lock::default()
    }
}

fn keep(bench: &mut Bench, lock: &Lock) {
    let text = lock.text();
    let sha256 = Lock::parse(&text).expect("as written").sha256;
    bench.record.lock = Some(RunLock { sha256, text });
}

#[test]
fn a_run_that_kept_to_its_lock_says_so() {
    let mut bench = sound();
    let lock = lock_of(&bench);
    keep(&mut bench, &lock);
    let model = model(&bench);
    let locked = model.locked.as_ref().expect("it has a lock");
    assert_eq!((locked.as_locked, locked.deviations.as_slice()), (true, [].as_slice()));
    assert_eq!(locked.written, "2026-11-20T08:00:00.000Z");
    assert!(render(&model, "text").contains("lock     as locked (sha256 "), "{}", render(&model, "text"));
    bench.record.lock = None;
    assert!(crate::reports::model(&bench).locked.is_none());
}

#[test]
fn every_deviation_is_listed() {
    let mut bench = sound();
    let mut lock = lock_of(&bench);
    lock.rig_version = "0.0.9".into();
    lock.seed = 7;
    lock.margin = 0.001;
    lock.margins = [("ENOENT".to_owned(), 1e-4)].into();
    let added = lock.cells.remove(0);
    lock.cells[0].trials += 500;
    lock.cells[1].blocks += 1;
    let mut gone = lock.cells[2].clone();
    gone.id = CellId("00000000gone".into());
    lock.cells.push(gone);
    keep(&mut bench, &lock);
    let model = model(&bench);
    let locked = model.locked.as_ref().expect("it has a lock");
    let shown = |what: &str| locked.deviations.iter().filter(|one| one.to_string().contains(what)).count();
    assert!(!locked.as_locked);
    for (what, wanted) in [
        ("rig 0.1.0 ran it, and rig 0.0.9 wrote the lock", 1),
        ("the seed is 20261121, not 7", 1),
        ("the margin is 0.005, not 0.001", 1),
        ("the margin of ENOENT is 0.005, not 0.0001", 1),
        ("cell 00000000gone", 1),
        (&format!("cell {}", added.id), 1),
        (" is missing", 1),
        (" is not in the lock", 1),
        (" trials, not ", 1),
        (" blocks, not ", 1),
    ] {
        assert_eq!(shown(what), wanted, "{what}: {:?}", locked.deviations);
    }
    assert_eq!(locked.deviations.len(), 8, "{:?}", locked.deviations);
    let text = render(&model, "text");
    let lines = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(lines.contains("NOT as locked") && lines.contains("8 deviations"), "{text}");
    assert!(lines.contains("the seed is 20261121, not 7"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&render(&model, "json")).expect("JSON");
    assert_eq!(json["locked"]["deviations"].as_array().map(Vec::len), Some(8));
}

#[test]
fn an_early_end_a_skip_and_a_lock_that_was_changed_are_deviations() {
    let mut bench = sound();
    let lock = lock_of(&bench);
    keep(&mut bench, &lock);
    bench.record.cells[0].skipped = Some("no tap".into());
    let skipped = model(&bench).locked.expect("it has a lock");
    assert!(
        skipped
            .deviations
            .iter()
            .any(|one| matches!(one, Deviation::Missing { why: Some(why), .. } if why == "no tap")),
        "{:?}",
        skipped.deviations
    );
    let mut bench = sound();
    keep(&mut bench, &lock);
    bench.blocks.truncate(1);
    bench.complete = false;
    let short = model(&bench).locked.expect("it has a lock");
    assert!(short.deviations.iter().any(|one| matches!(one, Deviation::Ended(_))), "{:?}", short.deviations);
    assert!(short.deviations.iter().any(|one| matches!(one, Deviation::Trials { run: 0, .. })));
    let kept = bench.record.lock.as_mut().expect("kept");
    kept.text = kept.text.replace("\"seed\": 20261121", "\"seed\": 20261122");
    let changed = model(&bench).locked.expect("it has a lock");
    let [Deviation::Unreadable(why)] = changed.deviations.as_slice() else { panic!("{changed:?}") };
    assert!(why.contains("`seed` is not what its digest says"), "{why}");
}

/// 5 of 2,000: 599 independent trials would do (ln 0.05 / ln 0.9975 = 1,197), and those of one block are alike.
#[test]
fn what_was_seen_says_how_large_a_run_shows_that_it_is_gone() {
    let mut bench = sound();
    let plain = bench.record.cells.iter().find(|record| record.cell.is_plain()).expect("one").cell.id.clone();
    let (block, _) = bench.blocks.iter_mut().find(|(block, _)| block.cell == plain).expect("played");
    turn(block, 5, Errno::ENOENT);
    let model = model(&bench);
    let [fix] = model.fixes.as_slice() else { panic!("{:?}", model.fixes) };
    assert_eq!((fix.cell.as_str(), fix.errno, fix.count), (plain.0.as_str(), Question::Enoent, 5));
    let independent = (0.05_f64.ln() / (-5.0 / fix.n as f64).ln_1p()).ceil() as u64;
    let trials = fix.trials.expect("some number does");
    assert!(trials >= independent && trials < 3 * independent, "{fix:?} {independent}");
    assert!(render(&model, "text").contains("To show that a fix works"));
    bench.blocks.clear();
    assert!(crate::reports::model(&bench).fixes.is_empty());
}
