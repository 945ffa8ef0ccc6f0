//! The A/A pair of a run, and the arms in which cells are compared.

use rig::analysis::model::{CellStatus, ComparisonReason, ComparisonVerdict, PairVerdict, ReportModel};
use rig::analysis::{Conclusion, conclusion};
use rig::configuration::{Arm, Localtime};
use rig::matrix::Cell;
use rig::record::format::{BlockId, BlockRecord};
use rig::report::Format;

use crate::fixture::{Bench, Play, sound, sound_in};

const LABEL: &str = "readable,data,ECONNRESET";

/// Plans this cell, and gives it the blocks of the base program in this configuration.
fn add(bench: &mut Bench, cell: Cell, configuration: &str, kernel: &str) {
    let (id, blocks) = (cell.id.clone(), cell.blocks);
    bench.plan(cell);
    for index in 0..blocks {
        let mut block = bench.block(Play::Base, configuration, kernel, index).clone();
        block.id = BlockId(format!("{id}-{index}"));
        block.cell = id.clone();
        block.records = 0;
        bench.blocks.push((block, Vec::new()));
    }
}

/// Blocks of each cell of the base program.
const BLOCKS: usize = 10;

/// A sound run whose first guest's base program was played a second time; so many trials of each of its blocks ended otherwise.
fn with_pair(other: [u64; BLOCKS]) -> Bench {
    let mut bench = sound_in(BLOCKS as u32);
    let again = bench.cell(Play::Base, "virtio-tap", "6.1").cell.again("virtio-tap-again".to_owned());
    add(&mut bench, again, "virtio-tap", "6.1");
    for (block, other) in of_the_second(&mut bench).zip(other).filter(|(_, other)| *other > 0) {
        let outcomes = &mut block.tally.outcomes;
        *outcomes.get_mut(LABEL).expect("the usual end") -= other;
        // As its scenario expects it too.
        outcomes.insert("readable,data,eof".to_owned(), other);
    }
    bench
}

/// The blocks of the second of the pair.
fn of_the_second(bench: &mut Bench) -> impl Iterator<Item = &mut BlockRecord> {
    bench.blocks.iter_mut().rev().take(BLOCKS).map(|(block, _)| block)
}

fn verdict(model: &ReportModel) -> PairVerdict {
    model.again.as_ref().expect("a pair").verdict
}

#[test]
fn a_pair_that_is_alike_passes_and_is_no_guest_of_its_own() {
    let (alone, model) = (sound_in(BLOCKS as u32).model(), with_pair([0; BLOCKS]).model());
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

/// Of 10,000 against 10,000 in ten even blocks a side with 5 questions: 30 against 0 has p = 0.00039 times 5, 40 against 0 has 0.00014 times 5, 80 against 0 has 8.8e-6
/// times 5.
#[test]
fn a_pair_fails_at_a_thousandth_over_all_its_questions_and_then_no_comparison_counts() {
    assert_eq!(verdict(&with_pair([3; BLOCKS]).model()), PairVerdict::Passed);
    assert_eq!(verdict(&with_pair([4; BLOCKS]).model()), PairVerdict::Failed);
    let mut in_one = [0; BLOCKS];
    in_one[7] = 80;
    assert_eq!(verdict(&with_pair(in_one).model()), PairVerdict::Passed, "one boot is one event");
    let model = with_pair([8; BLOCKS]).model();
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
    let mut bench = with_pair([8; BLOCKS]);
    for (block, first) in of_the_second(&mut bench).zip((0_u64..).step_by(50)) {
        for trial in first..first + 50 {
            *block.tally.outcomes.get_mut(LABEL).expect("the usual end") -= 1;
            block.tally.outcomes.insert(format!("readable,{trial}"), 1);
        }
    }
    let pair = bench.model().again.expect("a pair");
    // Three errnos, 64 outcomes, and all others together: 438 against 0.
    assert_eq!((pair.tests, pair.verdict, pair.most.as_deref()), (68, PairVerdict::Failed, Some(LABEL)));
}

#[test]
fn a_pair_without_trials_is_not_run_and_blinds_nothing() {
    let mut bench = with_pair([8; BLOCKS]);
    let id = bench.record.cells.last().expect("the second cell").cell.id.clone();
    bench.blocks.retain(|(block, _)| block.cell != id);
    let model = bench.model();
    let pair = model.again.as_ref().expect("a pair");
    assert_eq!(
        (pair.verdict, pair.tests, pair.p_adjusted, &pair.most),
        (PairVerdict::NotRun, 0, None, &None)
    );
    assert!(pair.reason.is_some());
    assert_eq!(model.comparisons, sound_in(BLOCKS as u32).model().comparisons);
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
