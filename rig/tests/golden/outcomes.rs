//! How trials end in a guest and on the host: compared outcome by outcome and block by block.

use rig::analysis::model::{ComparisonVerdict, ExpectationStatus, OutcomeComparison, ReportModel};
use rig::analysis::{Conclusion, conclusion};

use crate::fixture::{Bench, Play, cell, divert, sound};
use crate::reports::{model, render};

use ComparisonVerdict::{Differs, DiffersWithinTheMargin, NotEnoughTrials, NotRun, SameWithinTheMargin};

const RESET: &str = "readable,data,ECONNRESET";
const EOF: &str = "readable,data,eof";

/// The base program on the host and in a guest, so many blocks of so many trials a side.
fn host_and_guest(blocks: u32, trials: u64) -> Bench {
    let mut bench = Bench::new("20261122-000000-0007", &[]);
    for (configuration, kernel) in [("bare-metal", "host"), ("virtio-tap", "6.1")] {
        for play in [Play::ClosedDescriptor, Play::InjectedEnoent, Play::NoFault] {
            bench.plan(cell(play, configuration, kernel));
        }
        let mut base = cell(Play::Base, configuration, kernel);
        (base.blocks, base.trials) = (blocks, u64::from(blocks) * trials);
        bench.plan(base);
    }
    bench.play_all();
    bench
}

fn only(model: &ReportModel) -> &OutcomeComparison {
    let [one] = &model.outcome_comparisons[..] else { panic!("{:?}", model.outcome_comparisons) };
    one
}

fn words(model: &ReportModel) -> String {
    render(model, "text").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The user network of QEMU ends TCP: the guest never meets the reset. 155 of 200 against none.
#[test]
fn a_guest_that_ends_otherwise_differs_and_is_news() {
    let mut bench = host_and_guest(1, 200);
    divert(bench.block(Play::Base, "virtio-tap", "6.1", 0), 155, EOF);
    let model = model(&bench);
    let one = only(&model);
    assert_eq!((one.verdict, one.leading.as_deref(), one.alert), (Differs, Some(EOF), true));
    assert_eq!((one.n1, one.n2, one.family, one.margin), (200, 200, 2, 0.005));
    let seen: Vec<_> = one.outcomes.iter().map(|o| (o.outcome.as_str(), o.x1, o.x2, o.verdict)).collect();
    assert_eq!(seen, [(EOF, 0, 155, Differs), (RESET, 200, 45, Differs)]);
    let leader = one.leader().expect("one decides");
    assert_eq!(leader.difference, 0.775);
    // Computed apart from this code: the score interval by golden section, the two tables of Fisher's test with whole numbers.
    assert!((leader.low - 0.712_175).abs() < 1e-6 && (leader.high - 0.827_435).abs() < 1e-6, "{leader:?}");
    assert!((leader.p_value / 7.096_690_99e-70 - 1.0).abs() < 1e-8, "{leader:?}");
    assert!((leader.p_adjusted / leader.p_value - 2.0).abs() < 1e-9, "the first of two in Holm's order");
    let blocks = one.blocks.as_ref().expect("tested");
    assert_eq!((blocks.blocks1, blocks.blocks2, blocks.p_value, blocks.smallest_p), (1, 1, 1.0, 1.0));
    assert!(blocks.too_few && blocks.seed.is_none() && blocks.labellings == 2, "{blocks:?}");
    assert_eq!(conclusion(&model), Conclusion::Alert);
    assert!(
        model.comparisons.iter().all(|one| !one.verdict.is_difference()),
        "select() returned 1 in all of them"
    );
    let said = model.sentences.iter().find(|sentence| sentence.starts_with("Outcomes")).expect("told");
    assert!(
        said.starts_with(
            "Outcomes DIFFER: reset-after-data client_delay=1ms peer_delay=5ms over plain in virtio-tap 6.1: readable,data,eof \
             in 155 of 200 trials, never in 200 on the host (71"
        ),
        "{said}"
    );
    assert!(
        said.ends_with(
            " points higher, corrected p <1e-6), with too few blocks (1 against 1) to test whole blocks."
        ),
        "{said}"
    );
    let text = words(&model);
    assert!(
        text.contains("virtio-tap 6.1, 200 trials against 200: DIFFERS; too few blocks (1 against 1)"),
        "{text}"
    );
    let junit = render(&model, "junit");
    let failed: Vec<_> = junit.lines().filter(|line| line.contains("type=\"outcomes\"")).collect();
    assert!(
        failed.len() == 1
            && failed[0].contains("readable,data,eof in 155 of 200 trials and in 0 of 200 on the host")
    );
    insta::assert_snapshot!("outcomes_text", render(&model, "text"));
    insta::assert_snapshot!("outcomes_json", serde_json::to_string_pretty(one).expect("plain data"));

    // The same in a race is shown, and is no news; the outcome is expected by the fixture's script.
    bench.record.cells.iter_mut().for_each(|record| record.cell.alert = false);
    let model = bench.model();
    assert_eq!((only(&model).verdict, only(&model).alert), (Differs, false));
    assert_eq!(conclusion(&model), Conclusion::Done);
    assert!(!render(&model, "junit").contains("type=\"outcomes\""));
    let text = words(&model);
    let race = ", as those of a race, which follow the machine's timing, may.";
    assert!(text.contains(": differs (race)") && text.contains(race), "{text}");
    assert!(!text.contains("DIFFER"), "{text}");
}

/// A race that ends one way in half of the trials on the host and in 1 % in the guest.
#[test]
fn a_declared_race_differs_and_is_no_news() {
    let mut bench = sound();
    for index in 0..2 {
        divert(bench.block(Play::Watcher, "bare-metal", "host", index), 500, "readable,eof");
        divert(bench.block(Play::Watcher, "virtio-tap", "6.1", index), 10, "readable,eof");
    }
    let model = model(&bench);
    let of = |one: &&OutcomeComparison| one.kernel == "6.1" && one.scenario == Play::Watcher.scenario();
    let one = model.outcome_comparisons.iter().filter(|one| one.configuration == "virtio-tap").find(of);
    let one = one.expect("compared");
    assert_eq!((one.verdict, one.alert, one.is_news()), (Differs, false, false));
    assert_eq!(one.leader().map(|o| (o.x1, o.x2)), Some((195, 1_479)), "readable,data");
    assert_eq!(conclusion(&model), Conclusion::Done);
    let said = model.sentences.iter().find(|sentence| sentence.starts_with("Outcomes differ")).expect("told");
    let race = ", as those of a race, which follow the machine's timing, may; 1 more cell";
    assert!(said.contains(race), "{said}");
}

/// What the sentences on EBADF and ENOENT say is not said twice.
#[test]
fn a_difference_of_an_errno_alone_has_one_sentence() {
    let said = sound().model();
    assert!(said.outcome_comparisons.iter().any(|one| one.verdict.is_difference()), "the watcher's EBADF");
    assert!(!said.sentences.iter().any(|sentence| sentence.starts_with("Outcomes")), "{:#?}", said.sentences);
}

#[test]
fn all_labels_of_all_pairs_are_one_family() {
    let mut bench = sound();
    divert(bench.block(Play::Base, "virtio-tap", "6.12", 0), 3, EOF);
    let compared = bench.model().outcome_comparisons;
    let verdicts: Vec<_> =
        compared.iter().map(|one| (one.scenario.as_str(), one.kernel.as_str(), one.verdict)).collect();
    let [base, race] = [Play::Base.scenario(), Play::Watcher.scenario()];
    assert_eq!(
        verdicts,
        [
            (base, "6.1", SameWithinTheMargin),
            (race, "6.1", Differs),
            (base, "6.12", SameWithinTheMargin),
            (race, "6.12", Differs),
            (base, "6.1", NotRun),
            (race, "6.1", NotRun),
        ]
    );
    // 1 and 2 outcomes, 2 and 2; two pairs were not run.
    assert!(compared.iter().all(|one| one.family == 7), "{compared:#?}");
    assert_eq!(compared.iter().map(|one| one.outcomes.len()).sum::<usize>(), 7);
    let few = &compared[2].outcomes[0];
    // 3 of 2,000 against 0: p = 0.25, and four smaller ones of the races stand before it in Holm's order.
    assert_eq!((few.outcome.as_str(), few.x1, few.x2), (EOF, 0, 3));
    assert!(
        (few.p_value - 0.25).abs() < 0.001 && (few.p_adjusted - 3.0 * few.p_value).abs() < 1e-12,
        "{few:?}"
    );
    let skipped = &compared[4];
    assert!(
        skipped.outcomes.is_empty() && skipped.blocks.is_none() && skipped.leading.is_none(),
        "{skipped:?}"
    );
}

/// One bad boot of ten: independent trials would be sure, whole blocks are not.
#[test]
fn whole_blocks_are_asked_where_there_are_enough() {
    let mut bench = host_and_guest(5, 200);
    for index in 0..5 {
        divert(bench.block(Play::Base, "virtio-tap", "6.1", index), 100 + u64::from(index), EOF);
    }
    let apart = only(&bench.model()).blocks.clone().expect("tested");
    assert_eq!((apart.p_value, apart.labellings, apart.too_few), (2.0 / 252.0, 252, false));
    let mut bench = host_and_guest(5, 200);
    divert(bench.block(Play::Base, "virtio-tap", "6.1", 2), 40, EOF);
    let model = bench.model();
    let one = only(&model);
    let blocks = one.blocks.as_ref().expect("tested");
    assert_eq!(blocks.p_value, 1.0, "one block of ten is on one side or on the other");
    assert_eq!((one.verdict, one.trials_needed, one.is_news()), (NotEnoughTrials, None, false));
    assert_eq!(
        one.leader().map(|o| (o.outcome.as_str(), o.x1, o.x2, o.verdict)),
        Some((EOF, 0, 40, NotEnoughTrials))
    );
    assert!(one.leader().is_some_and(|o| o.p_adjusted < 1e-9), "sure, were trials independent");
    let reason = "its blocks differ as much among themselves (whole blocks: p 1)";
    assert_eq!(rig::analysis::model::told(&one.reason), reason);
    let told = format!("readable,data,eof in 40 of 1,000 trials, 0 of 1,000 on the host; {reason}");
    assert!(
        words(&model).contains("not shown to differ: ") && words(&model).contains(&told),
        "{}",
        words(&model)
    );
    assert!(!words(&model).contains("no number is enough"), "{}", words(&model));
    assert!(render(&model, "junit").contains(&format!("<skipped message=\"not enough blocks: {reason}; ")));
}

/// 15 of 2,000 in a guest: one event where all lie in one of its two blocks, a difference where they do not.
#[test]
fn what_lies_in_one_block_of_several_is_one_event() {
    let told = |counts: [u64; 2]| {
        let mut bench = host_and_guest(2, 1_000);
        for (index, n) in (0..).zip(counts) {
            divert(bench.block(Play::Base, "virtio-tap", "6.1", index), n, "timeout");
        }
        // The fixture's base program expects its data first.
        let model = model(&bench);
        let one = only(&model).clone();
        let status =
            model.cells.iter().find(|cell| cell.id == one.cell).and_then(|cell| cell.expectation.clone());
        (one, status.map(|of| of.status), conclusion(&model))
    };
    let (one, status, end) = told([15, 0]);
    assert_eq!((one.verdict, one.is_news(), end), (NotEnoughTrials, false, Conclusion::Done));
    assert_eq!(status, Some(ExpectationStatus::WithinTolerance));
    assert_eq!(rig::analysis::model::told(&one.reason), "all of them in one block of 2");
    assert_eq!(one.leader().map(|o| (o.outcome.as_str(), o.x1, o.x2)), Some(("timeout", 0, 15)));
    assert!(one.outcomes.iter().all(|o| o.verdict == NotEnoughTrials && o.p_adjusted < 0.001), "{one:#?}");
    let (one, _, end) = told([8, 7]);
    assert_eq!((one.verdict, one.is_news(), end), (Differs, true, Conclusion::Alert));
    assert!(one.reason.is_none() && one.blocks.as_ref().is_some_and(|test| test.too_few), "{one:#?}");
}

/// Several labels of one bad block are one event too: what leads is that the usual end is missing there.
#[test]
fn many_labels_of_one_block_are_one_event_and_others_still_differ() {
    let mut bench = host_and_guest(2, 1_000);
    for (outcome, n) in [("timeout", 40), (EOF, 30)] {
        divert(bench.block(Play::Base, "bare-metal", "host", 1), n, outcome);
    }
    let model_of_event = bench.model();
    let one = only(&model_of_event);
    assert_eq!((one.verdict, one.leading.as_deref()), (NotEnoughTrials, Some(RESET)));
    assert_eq!(rig::analysis::model::told(&one.reason), "bare metal: all of them in one block of 2");
    // Beside the event, an outcome that both blocks of the guest have.
    for index in 0..2 {
        divert(bench.block(Play::Base, "virtio-tap", "6.1", index), 25, "readable,ECONNRESET");
    }
    let model = bench.model();
    let one = only(&model);
    assert_eq!((one.verdict, one.leading.as_deref()), (Differs, Some("readable,ECONNRESET")));
    let verdicts: Vec<_> = one.outcomes.iter().map(|o| (o.outcome.as_str(), o.verdict)).collect();
    assert_eq!(
        verdicts,
        [
            ("readable,ECONNRESET", Differs),
            ("timeout", NotEnoughTrials),
            (EOF, NotEnoughTrials),
            (RESET, NotEnoughTrials)
        ]
    );
}

/// 9 against 9 are too many to look at all: what is drawn follows from the run's seed and the cell alone.
#[test]
fn drawn_labellings_follow_from_the_seed() {
    let tested = |seed: u64| {
        let mut bench = host_and_guest(9, 200);
        bench.record.seed = seed;
        for index in 0..9 {
            divert(bench.block(Play::Base, "virtio-tap", "6.1", index), 10 + u64::from(index), EOF);
            divert(bench.block(Play::Base, "bare-metal", "host", index), 9 + u64::from(index), EOF);
        }
        only(&bench.model()).blocks.clone().expect("tested")
    };
    let one = tested(7);
    assert_eq!(one, tested(7));
    assert_eq!((one.labellings, one.smallest_p), (4_999, 1.0 / 5_000.0));
    assert!(one.seed.expect("drawn") < 1 << 53 && one.seed != tested(8).seed, "{one:?}");
    assert!(one.p_value > 0.3, "{one:?}");
}

#[test]
fn many_outcomes_are_folded_in_the_text_and_whole_in_the_json() {
    let mut bench = host_and_guest(2, 1_000);
    for place in 0..45_u64 {
        let outcome = format!("readable,{}", place + 100);
        for index in 0..2 {
            divert(bench.block(Play::Base, "virtio-tap", "6.1", index), 5, &outcome);
        }
    }
    let model = bench.model();
    let one = only(&model);
    assert_eq!((one.outcomes.len(), one.leading.as_deref(), one.verdict), (46, Some(RESET), Differs));
    assert!(one.outcomes.is_sorted_by(|a, b| a.difference.abs() >= b.difference.abs() - 1e-12));
    let text = words(&model);
    // 1 row and 7 of those with 10 trials each.
    assert!(text.contains("38 more outcomes: guest 380 trials, host 0"), "{text}");
    assert!(text.contains("; 42 more in 420 "), "4 of 46 are named under the cell's row: {text}");
}

/// An outcome of its own for every trial, in both: the blocks of the two end alike, as far as a test of 65 columns can tell.
#[test]
fn rare_outcomes_are_one_for_whole_blocks() {
    let mut bench = host_and_guest(5, 200);
    for (side, configuration) in [(0, "bare-metal"), (1, "virtio-tap")] {
        let kernel = if side == 0 { "host" } else { "6.1" };
        for index in 0..5 {
            let block = bench.block(Play::Base, configuration, kernel, index);
            for trial in 0..150_u64 {
                divert(block, 1, &format!("{}", 1_000 * (u64::from(index) * 2 + side) + trial));
            }
        }
    }
    let model = bench.model();
    let one = only(&model);
    // 64 with a column of their own, and 1,437 with one trial each.
    assert_eq!((one.outcomes.len(), one.family), (65, 65));
    let others = one.outcomes.iter().find(|o| o.outcome == "others").expect("the rest");
    assert_eq!(others.x1 + others.x2, 1_437);
    assert_eq!(one.outcomes.iter().map(|o| o.x1 + o.x2).sum::<u64>(), 2_000);
    let blocks = one.blocks.as_ref().expect("tested");
    // 50 of 200 trials of each block are as ever, and 1 in 1,000 of a block has one of the other 63 columns.
    assert!(blocks.p_value > 0.5 && blocks.statistic < 100.0, "{blocks:?}");
}

#[test]
fn too_few_trials_and_a_difference_within_the_margin() {
    let few = host_and_guest(2, 100).model();
    let one = only(&few);
    assert_eq!((one.verdict, one.trials_needed), (NotEnoughTrials, Some(765)));
    assert!(words(&few).contains("not enough trials: virtio-tap 6.1, 1 pair; 770 trials a side are enough"));
    assert_eq!(conclusion(&few), Conclusion::Done);
    let mut bench = host_and_guest(2, 50_000);
    for index in 0..2 {
        divert(bench.block(Play::Base, "virtio-tap", "6.1", index), 50, EOF);
    }
    let within = bench.model();
    assert_eq!(only(&within).verdict, DiffersWithinTheMargin);
    assert_eq!(conclusion(&within), Conclusion::Alert, "a margin says what matters, not what is there");
    let said =
        within.sentences.iter().find(|sentence| sentence.starts_with("Outcomes DIFFER")).expect("told");
    assert!(
        said.ends_with(
            ", less than the margin of 0.5 %, with too few blocks (2 against 2) to test whole blocks."
        ),
        "{said}"
    );
}
