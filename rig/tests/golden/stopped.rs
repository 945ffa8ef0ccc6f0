//! Cells that stopped because the run's rule was met: complete, with what is known however often somebody looked.

use rig::analysis::model::{CellStatus, CellSummary, ComparisonVerdict, Question, ReportModel};
use rig::analysis::{Conclusion, conclusion};
use rig::matrix::StopRule;
use rig_protocol::Errno;

use crate::fixture::{BLOCK, Bench, Play, cell, sound, turn};

/// A sound run of which the cells of the base program played their first block only.
fn first_blocks(stop: Option<StopRule>) -> Bench {
    let mut bench = sound();
    bench.record.judgement.stop = stop;
    let base = |bench: &Bench, id: &str| {
        let of = |record: &&rig::record::format::CellRecord| record.cell.id.0 == id;
        let cell = bench.record.cells.iter().find(of).expect("in the plan");
        cell.cell.subject.scenario == Play::Base.scenario()
    };
    let left: Vec<_> = bench
        .blocks
        .iter()
        .filter(|(block, _)| !(base(&bench, &block.cell.0) && block.id.0.ends_with("-1")))
        .cloned()
        .collect();
    assert!(left.len() < bench.blocks.len());
    bench.blocks = left;
    bench
}

fn base_cells(model: &ReportModel) -> impl Iterator<Item = &CellSummary> {
    let played = model.cells.iter().filter(|cell| cell.status != CellStatus::Skipped);
    played.filter(|cell| cell.scenario == Play::Base.scenario())
}

fn below(below: f64) -> Option<StopRule> {
    Some(StopRule::Below { errno: "ENOENT".into(), below })
}

#[test]
fn a_cell_that_stopped_is_complete_and_says_by_what() {
    let bench = first_blocks(below(0.01));
    let model = bench.model();
    assert_eq!(model.run.stop, below(0.01));
    for cell in base_cells(&model) {
        assert_eq!(cell.status, CellStatus::Complete, "{cell:?}");
        let stop = cell.cell_stop.as_ref().expect("it stopped");
        assert_eq!((stop.trials, stop.blocks, stop.errno.as_deref()), (cell.trials, 1, Some("ENOENT")));
        assert!(cell.trials < cell.trials_wanted);
        let rate = stop.rate.as_ref().expect("a rule on a share");
        // Wider than the interval for one look, and below the bound's scale.
        let once = &cell.rates[&Question::Enoent];
        let at_icc = once.unseen.expect("none was seen").at_icc * once.sensitivity;
        assert!(rate.low == 0.0 && rate.high > at_icc && rate.high < 0.02, "{rate:?} {once:?}");
        let reason = cell.reason.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(
            reason.starts_with("stopped: ENOENT is shown in fewer than 1e-2 of trials, after "),
            "{reason}"
        );
    }
    let text = rig::report::Format::TEXT.render(&model);
    assert!(text.contains("stopped: ENOENT is shown in fewer than 1e-2 of trials"), "{text}");

    // The same blocks without the rule, and with one that they do not meet.
    for rule in [None, below(1e-6)] {
        let model = first_blocks(rule).model();
        assert!(base_cells(&model).all(|cell| cell.status == CellStatus::Short && cell.cell_stop.is_none()));
        assert_eq!(conclusion(&model), Conclusion::Short);
    }
    assert_eq!(conclusion(&model), conclusion(&sound().model()), "nothing is short");
}

#[test]
fn comparisons_of_a_stopped_cell_allow_for_the_looks() {
    let model = first_blocks(below(0.01)).model();
    let plain = sound().model();
    let of_base = |model: &ReportModel| {
        let base = model.comparisons.iter().filter(|one| one.scenario == Play::Base.scenario());
        base.filter(|one| one.verdict != ComparisonVerdict::NotRun).cloned().collect::<Vec<_>>()
    };
    let (looked, once) = (of_base(&model), of_base(&plain));
    assert!(!looked.is_empty());
    for (looked, once) in looked.iter().zip(&once) {
        assert!(looked.at_every_look && !once.at_every_look);
        assert!(looked.low < once.low && looked.high > once.high && looked.p_value == 1.0, "{looked:?}");
    }

    // A difference that is there is shown all the same, where there are boots enough.
    let mut bench = Bench::new("20261121-201950-1f3a", &[]);
    for (configuration, kernel) in [("bare-metal", "host"), ("virtio-tap", "6.1")] {
        for play in [Play::ClosedDescriptor, Play::InjectedEnoent, Play::NoFault] {
            bench.plan(cell(play, configuration, kernel));
        }
        let mut base = cell(Play::Base, configuration, kernel);
        (base.blocks, base.trials) = (10, 10 * BLOCK);
        bench.plan(base);
    }
    bench.play_all();
    bench.record.judgement.stop = Some(StopRule::Decided { errno: Some("ENOENT".into()) });
    for index in 0..10 {
        turn(bench.block(Play::Base, "virtio-tap", "6.1", index), 150, Errno::ENOENT);
    }
    let model = bench.model();
    let shown = model.comparisons.iter().find(|one| one.errno == Question::Enoent).expect("compared");
    assert!(shown.at_every_look && shown.low > 0.0 && shown.p_adjusted < 0.05, "{shown:?}");
    assert_eq!(shown.verdict, ComparisonVerdict::Differs);
    let cell = model.cells.iter().find(|cell| cell.id == shown.cell).expect("the cell");
    let stop = cell.cell_stop.as_ref();
    assert_eq!((cell.status, stop.map(|stop| stop.rate.is_none())), (CellStatus::Complete, Some(true)));
}
