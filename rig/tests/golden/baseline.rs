//! Kernels compared with one of them, `baseline = "kernel:6.1"`: by the rules for guests and bare metal, whose figures stay as they are.

use rig::analysis::model::{
    Comparison, ComparisonVerdict, Headline, KernelAnswer, KernelBaseline, OutcomeComparison, Question,
    ReportModel,
};
use rig::analysis::{Conclusion, conclusion};
use rig::matrix::Baseline;
use rig::report::Format;
use rig_protocol::Errno;

use crate::audited::of as audited;
use crate::fixture::{BLOCK, Bench, Play, cell, divert, turn};
use crate::reports::{model, render};

const OLD: &str = "6.1";
const NEW: &str = "./linux";

/// Bare metal and a guest on two kernels: the base program in four blocks, and what proves it.
fn two_kernels() -> Bench {
    with_plays(&[Play::Base, Play::ClosedDescriptor, Play::InjectedEnoent, Play::NoFault])
}

fn with_plays(plays: &[Play]) -> Bench {
    let mut bench = Bench::new("20261127-220000-00ba", &[]);
    for (configuration, kernel) in [("bare-metal", "host"), ("virtio-tap", OLD), ("virtio-tap", NEW)] {
        for play in plays {
            let mut cell = cell(*play, configuration, kernel);
            if *play == Play::Base {
                (cell.blocks, cell.trials) = (4, 4 * BLOCK);
            }
            bench.plan(cell);
        }
    }
    bench.play_all();
    bench.record.judgement.baseline = Some(baseline(OLD));
    bench
}

fn baseline(kernel: &str) -> Baseline {
    format!("kernel:{kernel}").parse().expect("a baseline")
}

fn of(model: &ReportModel) -> &KernelBaseline {
    model.kernel_baseline.as_ref().expect("the run has a baseline")
}

fn only(model: &ReportModel) -> &KernelAnswer {
    let [one] = of(model).kernels.as_slice() else { panic!("{:?}", of(model).kernels) };
    one
}

/// Every block of the base program on a kernel, changed.
fn each_block(bench: &mut Bench, kernel: &str, change: impl Fn(&mut rig::record::format::BlockRecord)) {
    (0..4).for_each(|index| change(bench.block(Play::Base, "virtio-tap", kernel, index)));
}

#[test]
fn a_kernel_that_ends_alike_is_said_to_on_the_first_screen() {
    let bench = two_kernels();
    let model = bench.model();
    let answer = only(&model);
    // Controls are not compared.
    assert_eq!((answer.cells, answer.same, answer.undecided, answer.without), (1, 1, 0, 0), "{answer:?}");
    assert_eq!(answer.text, "./linux ends as 6.1 does in 1 of 1 cell, within 0.5 %.");
    assert!(model.sentences.contains(&answer.text));
    let [pair] = of(&model).pairs.as_slice() else { panic!("one cell") };
    assert_eq!((pair.first.kernel.as_str(), pair.second.kernel.as_str()), (OLD, NEW));
    assert!(pair.errnos.iter().all(|one| one.verdict == ComparisonVerdict::SameWithinTheMargin), "{pair:?}");
    assert_eq!(pair.errnos.iter().map(|one| one.errno).collect::<Vec<_>>(), Question::ALL);
    let screen = render(&model, "answer");
    assert!(screen.contains("kernel    ./linux ends as 6.1 does in 1 of 1 cell"), "{screen}");
    assert_eq!(conclusion(&model), Conclusion::Done);
    audited(&bench);
}

/// What is said of guests and bare metal does not depend on whether kernels are compared too.
#[test]
fn the_comparisons_with_bare_metal_stay_as_they_are() {
    let mut bench = two_kernels();
    each_block(&mut bench, NEW, |block| turn(block, 30, Errno::ENOENT));
    let with = bench.model();
    bench.record.judgement.baseline = None;
    let without = bench.model();
    assert!(without.kernel_baseline.is_none() && !render(&without, "json").contains("kernel_baseline"));
    let figures = |model: ReportModel| -> (Vec<Comparison>, Vec<OutcomeComparison>, Vec<Headline>) {
        (model.comparisons, model.outcome_comparisons, model.headlines)
    };
    assert_eq!(figures(with), figures(without));
}

#[test]
fn a_kernel_that_differs_is_named_wherever_a_reader_looks() {
    let mut bench = two_kernels();
    each_block(&mut bench, NEW, |block| turn(block, 30, Errno::ENOENT));
    let model = bench.model();
    let answer = only(&model);
    assert_eq!((answer.cells, answer.same, answer.differ), (1, 0, 1), "{answer:?}");
    assert!(answer.text.contains("DIFFERS in 1: reset-after-data"), "{}", answer.text);
    let pair = &of(&model).pairs[0];
    let enoent = pair.errnos.iter().find(|one| one.errno == Question::Enoent).expect("asked");
    assert_eq!((enoent.x1, enoent.n1, enoent.x2, enoent.n2), (0, 4 * BLOCK, 120, 4 * BLOCK));
    assert_eq!((enoent.verdict, enoent.blocks1, enoent.blocks2), (ComparisonVerdict::Differs, 4, 4));
    assert_eq!(pair.outcomes.verdict, ComparisonVerdict::Differs);
    assert_eq!(conclusion(&model), Conclusion::Alert);
    for (format, shown) in [
        ("text", "Other kernels against 6.1"),
        ("answer", "./linux ends as 6.1 does in 0 of 1 cell, within 0.5 %; it DIFFERS in 1:"),
        ("html", "id=\"kernel-baseline\""),
        ("markdown", "ends as ENOENT in 120 of 4,000, on 6.1 in 0 of 4,000"),
        ("junit", "./linux against 6.1"),
        ("ktap", "./linux against 6.1"),
        ("openmetrics", "rig_kernel_comparisons{question=\"ENOENT\",verdict=\"differs\"} 1"),
        ("json", "\"kernel_baseline\""),
    ] {
        let text = render(&model, format);
        assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(shown), "{format}: {text}");
    }
    let text = render(&model, "text");
    let begin = text.find("Other kernels against 6.1").expect("its section");
    let end = text[begin..].find("\nWhat ends differently").expect("the next section");
    insta::assert_snapshot!("baseline_text", &text[begin..begin + end]);
    audited(&bench);
}

/// By blocks, not by trials: what lies in one boot is none of the kernel.
#[test]
fn one_boot_is_no_difference_of_kernels() {
    let mut bench = two_kernels();
    turn(bench.block(Play::Base, "virtio-tap", NEW, 0), 40, Errno::ENOENT);
    let model = bench.model();
    let pair = &of(&model).pairs[0];
    let enoent = pair.errnos.iter().find(|one| one.errno == Question::Enoent).expect("asked");
    assert_eq!(enoent.verdict, ComparisonVerdict::NotEnoughTrials, "{enoent:?}");
    assert!(enoent.reason.contains("in one block"), "{}", enoent.reason);
    assert_eq!((only(&model).differ, only(&model).undecided), (0, 1));
    audited(&bench);
}

#[test]
fn a_race_a_blind_kernel_and_a_missing_cell_are_none_of_the_kernel() {
    // The race of the application's own threads differs, which is no news.
    let mut bench = with_plays(&Play::ALL);
    (0..2).for_each(|index| {
        divert(bench.block(Play::Watcher, "virtio-tap", NEW, index), 400, "readable,other")
    });
    let raced = bench.model();
    assert_eq!(conclusion(&raced), Conclusion::Done, "{:?}", only(&raced));
    assert_eq!((only(&raced).cells, only(&raced).same, only(&raced).differ), (2, 1, 0), "{:?}", only(&raced));
    audited(&bench);
    // On the baseline's kernel the control of ENOENT fails.
    let mut bench = two_kernels();
    (0..2).for_each(|index| {
        let tally = &mut bench.block(Play::InjectedEnoent, "virtio-tap", OLD, index).tally;
        tally.returns = [(rig_protocol::Returned::ONE, tally.trials)].into();
        tally.outcomes = [("readable,data".to_owned(), tally.trials)].into();
    });
    let blind = bench.model();
    assert!(only(&blind).blind > 0 && only(&blind).same == 0, "{:?}", only(&blind));
    let reason = &of(&blind).pairs[0].errnos[1].reason;
    assert!(reason.starts_with("on the baseline's kernel: "), "{reason}");
    audited(&bench);
    // A filter has left out what the new kernel would be compared with.
    let mut bench = two_kernels();
    let left = bench.cell(Play::Base, "virtio-tap", OLD).cell.id.clone();
    bench.record.cells.retain(|record| record.cell.id != left);
    bench.record.blocks.retain(|block| block.cell != left);
    bench.blocks.retain(|(block, _)| block.cell != left);
    let model = bench.model();
    assert_eq!((only(&model).cells, only(&model).without), (0, 1), "{:?}", only(&model));
    assert_eq!(of(&model).not_compared.len(), 1);
    assert!(only(&model).text.contains("1 without such a cell on 6.1"), "{}", only(&model).text);
    audited(&bench);
}

/// Skipped cells are pairs without a result, and every format takes them.
#[test]
fn a_skipped_baseline_leaves_nothing_to_say() {
    let mut bench = two_kernels();
    let old: Vec<_> = bench
        .record
        .cells
        .iter_mut()
        .filter(|record| record.cell.subject.kernel == OLD)
        .map(|record| {
            record.skipped = Some("no image".to_owned());
            record.cell.id.clone()
        })
        .collect();
    bench.record.blocks.retain(|block| !old.contains(&block.cell));
    bench.blocks.retain(|(block, _)| !old.contains(&block.cell));
    let model = model(&bench);
    assert_eq!((only(&model).cells, only(&model).not_run), (1, 1), "{:?}", only(&model));
    for format in Format::ALL {
        assert!(!format.render(&model).is_empty(), "{format:?}");
    }
    audited(&bench);
}
