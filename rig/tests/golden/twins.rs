//! The A/A pair of a run, and the arms in which cells are compared.

use rig::analysis::model::{CellStatus, ComparisonReason, ComparisonVerdict, PairVerdict, ReportModel};
use rig::analysis::{Conclusion, conclusion};
use rig::configuration::{Arm, Localtime};
use rig::matrix::Cell;
use rig::record::format::BlockId;
use rig::report::Format;

use crate::fixture::{Bench, Play, sound};

const LABEL: &str = "readable,data,ECONNRESET";

/// Plans this cell, and gives it the blocks of the base program in this configuration.
fn add(bench: &mut Bench, cell: Cell, configuration: &str, kernel: &str) {
    let id = cell.id.clone();
    bench.plan(cell);
    for index in 0..2 {
        let mut block = bench.block(Play::Base, configuration, kernel, index).clone();
        block.id = BlockId(format!("{id}-{index}"));
        block.cell = id.clone();
        block.records = 0;
        bench.blocks.push((block, Vec::new()));
    }
}

/// A sound run whose first guest's base program was played a second time; `other` trials of that ended otherwise.
fn with_pair(other: u64) -> Bench {
    let mut bench = sound();
    let again = bench.cell(Play::Base, "virtio-tap", "6.1").cell.again("virtio-tap-again".to_owned());
    add(&mut bench, again, "virtio-tap", "6.1");
    if other > 0 {
        let outcomes = &mut bench.blocks.last_mut().expect("its last block").0.tally.outcomes;
        *outcomes.get_mut(LABEL).expect("the usual end") -= other;
        outcomes.insert("readable,ECONNRESET,eof".to_owned(), other);
    }
    bench
}

fn verdict(model: &ReportModel) -> PairVerdict {
    model.again.as_ref().expect("a pair").verdict
}

#[test]
fn a_pair_that_is_alike_passes_and_is_no_guest_of_its_own() {
    let (alone, model) = (sound().model(), with_pair(0).model());
    let pair = model.again.as_ref().expect("a pair");
    assert_eq!((pair.verdict, pair.tests, pair.p_adjusted), (PairVerdict::Passed, 4, Some(1.0)));
    assert_eq!((pair.configuration.as_str(), pair.kernel.as_str()), ("virtio-tap-again", "6.1"));
    assert_eq!(alone.again, None);
    assert_eq!(model.comparisons, alone.comparisons);
    assert_eq!(model.sentences, alone.sentences);
    assert_eq!(model.hypotheses, alone.hypotheses);
    assert_eq!(conclusion(&model), Conclusion::Done);
    let text = Format::TEXT.render(&model);
    let said = "A/A pair, one cell played twice (virtio-tap-again 6.1): passed: no difference in 4 questions, smallest corrected p 1";
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(said), "{text}");
    // The same controls prove it: it is the same machine.
    let cell = model.cells.iter().find(|cell| cell.id == pair.cell).expect("in the plan");
    assert_eq!(cell.status, CellStatus::Complete);
}

/// Of 2,000 against 2,000 with 5 questions: 11 against 0 has p = 0.00097 times 5, 17 against 0 has 1.5e-5 times 5.
#[test]
fn a_pair_fails_at_a_thousandth_over_all_its_questions_and_then_no_comparison_counts() {
    assert_eq!(verdict(&with_pair(11).model()), PairVerdict::Passed);
    let model = with_pair(17).model();
    let pair = model.again.as_ref().expect("a pair");
    assert_eq!((pair.verdict, pair.tests), (PairVerdict::Failed, 5));
    assert!(pair.p_adjusted.is_some_and(|p| p < 1e-4), "{pair:?}");
    assert!(!model.comparisons.is_empty());
    for comparison in model.comparisons.iter().filter(|c| c.verdict != ComparisonVerdict::NotRun) {
        assert_eq!(comparison.verdict, ComparisonVerdict::Blind);
        assert_eq!(comparison.reason, Some(ComparisonReason::PairDiffers));
    }
    let enoent = &model.sentences[0];
    assert!(
        enoent.contains(
            "the rates cannot be compared: a cell that was played twice (the A/A pair) differs from itself"
        ),
        "{enoent}"
    );
    assert_eq!(conclusion(&model), Conclusion::Short);
    let junit = Format::from_name("junit").expect("a format").render(&model);
    assert!(junit.contains("A/A pair 6.1"), "{junit}");
}

/// A guest that makes up an outcome for each trial does not weaken the other questions.
#[test]
fn the_rarest_outcomes_are_one_question() {
    let mut bench = with_pair(17);
    let outcomes = &mut bench.blocks.last_mut().expect("its last block").0.tally.outcomes;
    for trial in 0..500_u64 {
        *outcomes.get_mut(LABEL).expect("the usual end") -= 1;
        outcomes.insert(format!("readable,{trial}"), 1);
    }
    let pair = bench.model().again.expect("a pair");
    // Three errnos, 64 outcomes, and all others together: 438 against 0.
    assert_eq!((pair.tests, pair.verdict, pair.most.as_deref()), (68, PairVerdict::Failed, Some(LABEL)));
}

#[test]
fn a_pair_without_trials_is_not_run_and_blinds_nothing() {
    let mut bench = with_pair(17);
    let id = bench.record.cells.last().expect("the second cell").cell.id.clone();
    bench.blocks.retain(|(block, _)| block.cell != id);
    let model = bench.model();
    let pair = model.again.as_ref().expect("a pair");
    assert_eq!(
        (pair.verdict, pair.tests, pair.p_adjusted, &pair.most),
        (PairVerdict::NotRun, 0, None, &None)
    );
    assert!(pair.reason.is_some());
    assert_eq!(model.comparisons, sound().model().comparisons);
}

/// The base program without an /etc/localtime, on the host and in a guest.
#[test]
fn a_guest_is_compared_with_the_host_of_its_arm_and_proven_by_the_controls_of_its_machine() {
    let mut bench = sound();
    let arm = Arm { localtime: Localtime::Absent, timezone: None };
    let mut ids = Vec::new();
    for (configuration, kernel) in [("bare-metal", "host"), ("virtio-tap", "6.1")] {
        let mut cell = bench.cell(Play::Base, configuration, kernel).cell.clone();
        let named = &mut cell.subject.configuration;
        (named.name, named.target) = (format!("{configuration}-absent"), named.target.in_arm(arm.clone()));
        cell.id = cell.subject.id();
        ids.push(cell.id.0.clone());
        add(&mut bench, cell, configuration, kernel);
    }
    let plain = bench.cell(Play::Base, "bare-metal", "host").cell.id.0.clone();
    let model = bench.model();
    let baseline = |configuration: &str| {
        let of = |c: &&rig::analysis::model::Comparison| {
            c.configuration == configuration && c.kernel == "6.1" && c.scenario == Play::Base.scenario()
        };
        model.comparisons.iter().find(of).expect("compared").baseline.clone()
    };
    assert_eq!(baseline("virtio-tap"), plain);
    assert_eq!(baseline("virtio-tap-absent"), ids[0]);
    for id in &ids {
        let cell = model.cells.iter().find(|cell| cell.id == *id).expect("in the plan");
        assert_eq!(cell.status, CellStatus::Complete);
    }
    // Host and guest of one arm found the same.
    assert_eq!(model.cautions, sound().model().cautions);
    // A guest whose arm the host has not played has nothing to be compared with.
    bench.record.cells.retain(|record| record.cell.id.0 != ids[0]);
    let model = bench.model();
    let of = |c: &&rig::analysis::model::Comparison| c.cell == ids[1];
    let one = model.comparisons.iter().find(of).expect("it is told");
    assert_eq!((one.verdict, &one.reason), (ComparisonVerdict::NotRun, &Some(ComparisonReason::NoBaseline)));
    assert_eq!(
        rig::analysis::model::told(&one.reason),
        "no bare-metal cell with this scenario, these parameters, this path, and the same /etc/localtime and TZ"
    );
}
