//! Two answers, never one for the other: whether a difference is shown, and whether it matters. Doctored runs whose truth is known.

use rig::analysis::model::{
    Comparison, ComparisonVerdict, Hypothesis, HypothesisVerdict, Question, ReportModel,
};
use rig::analysis::{Conclusion, conclusion};
use rig::path::PathSpec;
use rig_protocol::Errno;

use crate::fixture::{Bench, Play, cell, turn};
use crate::reports::{model, render};

use ComparisonVerdict::{Differs, DiffersWithinTheMargin, NotEnoughTrials, SameWithinTheMargin};
use HypothesisVerdict::{Refuted, Supported, Undecided};
use Question::{AnyError, Ebadf, Enoent};

/// The base program on a physical host and in a KVM guest, ten blocks of `block` trials a side, nothing but zeros; with controls.
fn physical_and_kvm(block: u64) -> Bench {
    physical_and_kvm_in(10, block)
}

/// The same in so many blocks a side.
fn physical_and_kvm_in(blocks: u32, block: u64) -> Bench {
    let mut bench = Bench::new("20261122-000000-0004", &[]);
    for (configuration, kernel) in [("bare-metal", "host"), ("virtio-tap", "6.1")] {
        for play in Play::ALL.into_iter().filter(|play| *play != Play::Watcher) {
            let mut one = cell(play, configuration, kernel);
            if play == Play::Base {
                (one.trials, one.blocks) = (u64::from(blocks) * block, blocks);
                one.subject.path = PathSpec::plain("direct", 1500);
                one.claims = ["H01", "H03", "H08", "H19"].map(str::to_owned).to_vec();
                // H08 is about the shipped base program.
                one.subject.scenario = "rst".into();
                one.id = one.subject.id();
            }
            bench.plan(one);
        }
    }
    bench.play_all();
    bench.on_kvm();
    bench.record.environment.accelerator = "kvm".into();
    bench.record.environment.accelerator_reason = "a guest booted in 1.2 s".into();
    bench
}

/// Blocks of the base program in this configuration.
fn spoil(bench: &mut Bench, configuration: &str, hits: [u64; 10], errno: Errno) {
    let base = |cell: &rig::matrix::Cell| {
        cell.subject.scenario == "rst" && cell.subject.configuration.name == configuration
    };
    let id = bench.record.cells.iter().find(|record| base(&record.cell)).expect("planned").cell.id.clone();
    let blocks = bench.blocks.iter_mut().map(|(block, _)| block).filter(|block| block.cell == id);
    let spoilt = blocks.zip(hits).map(|(block, hits)| turn(block, hits, errno)).count();
    assert_eq!(spoilt, 10);
}

/// 0 of 100,000 on the host, 100 of 100,000 in the guest, about 10 in each of its blocks.
fn one_in_a_thousand() -> Bench {
    let mut bench = physical_and_kvm(10_000);
    spoil(&mut bench, "virtio-tap", [9, 11, 10, 8, 12, 10, 10, 13, 7, 10], Errno::ENOENT);
    bench
}

fn comparison(model: &ReportModel, errno: Question) -> &Comparison {
    let mut found = model.comparisons.iter().filter(|one| one.errno == errno);
    let one = found.next().expect("compared");
    assert!(found.next().is_none(), "one guest");
    one
}

fn claim<'a>(model: &'a ReportModel, id: &str) -> &'a Hypothesis {
    model.hypotheses.iter().find(|one| one.id == id).expect("tested")
}

fn sentence<'a>(model: &'a ReportModel, of: &str) -> &'a str {
    model.sentences.iter().find(|sentence| sentence.starts_with(of)).expect("said")
}

#[test]
fn a_certain_effect_smaller_than_the_margin_is_news_and_refutes_nothing() {
    let mut bench = one_in_a_thousand();
    bench.record.judgement.alert.clear();
    let model = model(&bench);
    let one = comparison(&model, Enoent);
    assert_eq!((one.verdict, one.margin, one.trials_needed), (DiffersWithinTheMargin, 0.005, None));
    // Boots are as even as chance: the score test is a t of 9 degrees of freedom, t = 10.0.
    assert!((one.p_adjusted / 3.56e-6 - 1.0).abs() < 0.01 && one.p_value < 1e-25, "{one:?}");
    assert!(one.low > 0.000_75 && one.high < 0.001_6, "{one:?}");
    assert_eq!(comparison(&model, AnyError).verdict, DiffersWithinTheMargin);
    assert_eq!(comparison(&model, Ebadf).verdict, SameWithinTheMargin);
    assert_eq!(conclusion(&model), Conclusion::Alert, "no alert is declared: the difference alone");
    let said = sentence(&model, "ENOENT");
    assert!(
        said.contains("the rates DIFFER, by less than the margin of 0.5 %, in 1 of 1 comparison"),
        "{said}"
    );
    assert!(!said.contains("the same"), "{said}");
    assert_eq!(
        ["H01", "H03", "H19"].map(|id| claim(&model, id).verdict),
        [Supported; 3],
        "{}",
        claim(&model, "H01").because
    );
    assert_eq!(claim(&model, "H08").verdict, Undecided, "it was declared too small to decide anything");
    for id in ["H03", "H08"] {
        let said = claim(&model, id).because.to_string();
        assert!(said.contains("they differ, by less than the margin of 0.5 %"), "{said}");
    }
    insta::assert_snapshot!("within_the_margin_text", render(&model, "text"));
    let junit = render(&model, "junit");
    let failed = junit.lines().filter(|line| line.contains("type=\"differs\"")).collect::<Vec<_>>();
    assert!(failed.len() == 3 && failed[0].contains("less than the margin of 0.5 %"), "{failed:?}");

    // The same in a race of the program's own threads is no news.
    bench.record.cells.iter_mut().for_each(|record| record.cell.alert = false);
    let model = bench.model();
    assert_eq!(comparison(&model, Enoent).verdict, DiffersWithinTheMargin);
    assert_eq!(conclusion(&model), Conclusion::Done);
    assert!(!render(&model, "junit").contains("type=\"differs\""));
}

#[test]
fn the_same_effect_is_judged_by_the_margin_of_its_errno() {
    let mut bench = one_in_a_thousand();
    bench.record.judgement.margins = [("ENOENT".to_owned(), 0.000_1)].into();
    let model = model(&bench);
    let one = comparison(&model, Enoent);
    assert_eq!((one.verdict, one.margin), (Differs, 0.000_1));
    let any = comparison(&model, AnyError);
    assert_eq!((any.verdict, any.margin), (DiffersWithinTheMargin, 0.005), "it has no margin of its own");
    assert_eq!(model.run.margins, [(Ebadf, 0.005), (Enoent, 0.000_1), (AnyError, 0.005)].into());
    assert_eq!(conclusion(&model), Conclusion::Alert);
    let said = sentence(&model, "ENOENT");
    assert!(said.contains("the rates DIFFER in 1 of 1 comparison") && !said.contains("the same"), "{said}");
    assert_eq!(["H03", "H08", "H19"].map(|id| claim(&model, id).verdict), [Supported; 3]);
    let text = render(&model, "text");
    let judged = "no difference is shown and none can be larger than 0.5 % (EBADF and any -1) or";
    assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(judged), "{text}");
}

#[test]
fn equal_rates_are_the_same_with_hits_and_without() {
    let mut bench = physical_and_kvm(10_000);
    for hits in [0, 10] {
        for configuration in ["bare-metal", "virtio-tap"] {
            spoil(&mut bench, configuration, [hits; 10], Errno::ENOENT);
        }
        let model = bench.model();
        for errno in Question::ALL {
            assert_eq!(comparison(&model, errno).verdict, SameWithinTheMargin, "{hits} {errno}");
        }
        let said = sentence(&model, "ENOENT");
        assert!(
            said.contains("the rates are the same within 0.5 %: their difference is not above 1 in "),
            "{said}"
        );
        assert_eq!(["H03", "H19"].map(|id| claim(&model, id).verdict), [Refuted; 2], "{hits}");
        // Of what never happened nothing tells what decides it.
        assert_eq!(claim(&model, "H08").verdict, if hits > 0 { Refuted } else { Undecided });
    }
}

#[test]
fn a_lower_rate_in_the_guest_refutes_that_it_is_higher() {
    let mut bench = physical_and_kvm(10_000);
    spoil(&mut bench, "bare-metal", [10; 10], Errno::ENOENT);
    let model = bench.model();
    assert_eq!(comparison(&model, Enoent).verdict, DiffersWithinTheMargin);
    assert_eq!(["H03", "H19"].map(|id| claim(&model, id).verdict), [Refuted; 2]);
    let said = sentence(&model, "ENOENT");
    assert!(said.contains("points lower (corrected p 0.0000036)"), "{said}");
}

/// An emulated guest does not stand for KVM, so what it shows supports nothing of it; nor may it be passed over.
#[test]
fn a_difference_in_an_emulated_guest_keeps_the_claim_open() {
    let mut bench = one_in_a_thousand();
    let mut sound = cell(Play::Base, "virtio-tap", "6.12");
    let base = |record: &&rig::record::format::CellRecord| record.cell.subject.scenario == "rst";
    let model_of = bench.record.cells.iter().filter(base).nth(1).expect("the guest's").cell.clone();
    (sound.claims, sound.trials, sound.blocks) = (model_of.claims, model_of.trials, model_of.blocks);
    (sound.subject.path, sound.subject.scenario) = (model_of.subject.path, "rst".into());
    sound.id = sound.subject.id();
    let id = sound.id.clone();
    bench.plan(sound);
    for play in [Play::ClosedDescriptor, Play::InjectedEnoent, Play::NoFault] {
        bench.plan(cell(play, "virtio-tap", "6.12"));
    }
    bench.blocks.clear();
    bench.play_all();
    spoil(&mut bench, "virtio-tap", [10; 10], Errno::ENOENT);
    for (block, _) in bench.blocks.iter_mut().filter(|(block, _)| block.cell == id) {
        block.target.accelerator = "kvm".into();
    }
    let said = claim(&bench.model(), "H03").clone();
    assert_eq!(said.verdict, Undecided, "{}", said.because);
    assert!(
        said.because.to_string().starts_with("shown with guests that did not run on KVM"),
        "{}",
        said.because
    );
}

/// With a margin of 0.1 % a cell of 2,000 trials has too few and says how many would do; that is no shortage, and the claims are judged by all
/// cells together.
#[test]
fn too_few_trials_say_how_many_would_do() {
    let mut bench = physical_and_kvm(200);
    bench.record.judgement.margins = ["EBADF", "ENOENT"].map(|name| (name.to_owned(), 0.001)).into();
    let first = model(&bench);
    // 3,839 independent trials; in blocks of 200 whose trials are correlated by 0.001 they are 1.0967 times as many; and of what happens controls prove that
    // 99.8 % (2,000 of 2,000) and 83.2 % (20 of 20) are seen.
    for (errno, needed) in [(Ebadf, 3_839.0 * 1.096_65 / 0.998_157), (Enoent, 3_839.0 * 1.096_65 / 0.831_566)]
    {
        let one = comparison(&first, errno);
        assert_eq!(one.verdict, NotEnoughTrials);
        assert!(one.trials_needed.is_some_and(|found| (found as f64 - needed).abs() < 3.0), "{one:?}");
    }
    let any = comparison(&first, AnyError);
    assert_eq!((any.verdict, any.trials_needed), (SameWithinTheMargin, None));
    assert_eq!(conclusion(&first), Conclusion::Done);
    let said = sentence(&first, "ENOENT");
    assert!(said.ends_with("; 5,100 trials a side are enough."), "{said}");
    assert_eq!(claim(&first, "H03").verdict, Undecided);
    insta::assert_snapshot!("not_enough_text", render(&first, "text"));
    let junit = render(&first, "junit");
    assert!(
        junit.contains("not enough trials for the margin of 0.1 %: 4,300 trials a side are enough; "),
        "{junit}"
    );

    // With what it asks for, in blocks like these, it is decided; with a block less it is not.
    for (blocks, verdict) in [(26, SameWithinTheMargin), (25, NotEnoughTrials)] {
        bench = physical_and_kvm_in(blocks, 200);
        bench.record.judgement.margins = [("ENOENT".to_owned(), 0.001)].into();
        assert_eq!(comparison(&bench.model(), Enoent).verdict, verdict, "{blocks} blocks of 200 a side");
    }
}

/// Two cells, each too small for the margin, and together large enough.
#[test]
fn what_no_cell_can_say_alone_their_sum_says() {
    let mut bench = Bench::new("20261122-000000-0005", &[]);
    for (configuration, kernel) in [("bare-metal", "host"), ("virtio-tap", "6.1")] {
        for play in [Play::ClosedDescriptor, Play::InjectedEnoent, Play::NoFault] {
            bench.plan(cell(play, configuration, kernel));
        }
        for delay in ["0ms", "5ms"] {
            let mut one = cell(Play::Base, configuration, kernel);
            one.subject.parameters.insert("client_delay".into(), delay.into());
            one.subject.scenario = "rst".into();
            one.claims = ["H03", "H08"].map(str::to_owned).to_vec();
            (one.blocks, one.trials) = (4, 4_000);
            one.id = one.subject.id();
            bench.plan(one);
        }
    }
    bench.play_all();
    bench.on_kvm();
    bench.record.judgement.margins = ["EBADF", "ENOENT"].map(|name| (name.to_owned(), 0.001)).into();
    let model = bench.model();
    let verdicts: Vec<_> = model
        .comparisons
        .iter()
        .filter(|c| c.errno == Enoent)
        .map(|c| (c.verdict, c.trials_needed))
        .collect();
    // 3,839 independent trials, 1.443 times as many in blocks of 1,000, of which 83.2 % of what happens is seen.
    assert_eq!(verdicts, [(NotEnoughTrials, Some(6_660)); 2]);
    let said = sentence(&model, "ENOENT");
    assert!(
        said.contains("the rates are the same within 0.1 %: their difference is not above 1 in 1,200 calls"),
        "{said}"
    );
    let said = claim(&model, "H03");
    assert_eq!(said.verdict, Refuted, "{}", said.because);
    assert!(said.because.to_string().contains("the same within the margin of 0.1 %"), "{}", said.because);
    assert_eq!(conclusion(&model), Conclusion::Done);

    // One hit in one guest, and no sum speaks for its cell.
    let guests = |record: &&rig::record::format::CellRecord| {
        record.cell.control.is_none() && record.cell.subject.kernel == "6.1"
    };
    let id = bench.record.cells.iter().find(guests).expect("planned").cell.id.clone();
    let guest = bench.blocks.iter_mut().map(|(block, _)| block).find(|block| block.cell == id);
    turn(guest.expect("played"), 1, Errno::EBADF);
    let model = bench.model();
    assert_eq!(["H03", "H08"].map(|id| claim(&model, id).verdict), [Undecided; 2]);
}

/// Cells of which none shows a difference alone, and whose sum does.
#[test]
fn a_difference_that_only_the_sum_shows_is_never_the_same() {
    let mut bench = Bench::new("20261122-000000-0006", &[]);
    for (configuration, kernel) in [("bare-metal", "host"), ("virtio-tap", "6.1")] {
        for play in [Play::ClosedDescriptor, Play::InjectedEnoent, Play::NoFault] {
            bench.plan(cell(play, configuration, kernel));
        }
        for delay in 0..4 {
            let mut one = cell(Play::Base, configuration, kernel);
            one.subject.parameters.insert("client_delay".into(), format!("{delay}ms"));
            one.id = one.subject.id();
            bench.plan(one);
        }
    }
    bench.play_all();
    let base: Vec<_> = bench.record.cells.iter().filter(|record| record.cell.control.is_none()).collect();
    let guests: Vec<_> = base
        .iter()
        .filter(|record| record.cell.subject.kernel == "6.1")
        .map(|record| record.cell.id.clone())
        .collect();
    assert_eq!(guests.len(), 4);
    for (block, _) in bench.blocks.iter_mut().filter(|(block, _)| guests.contains(&block.cell)) {
        turn(block, 2, Errno::ENOENT);
    }
    let said = bench.model();
    assert!(said.comparisons.iter().all(|one| !one.verdict.is_difference()));
    let sentence = sentence(&said, "ENOENT");
    assert!(
        sentence.contains("taken together the rates DIFFER, by less than the margin of 0.5 %: "),
        "{sentence}"
    );
    assert!(!sentence.contains("the same"), "{sentence}");
}
