//! Boots are the unit, and not trials: doctored runs, one for each way in which trials of one boot can mislead.

use rig::analysis::model::{
    Comparison, ComparisonReason, ComparisonVerdict, Headline, Question, Rate, ReportModel,
};
use rig::analysis::{Conclusion, conclusion};
use rig::matrix::Cell;
use rig_protocol::Errno;

use crate::fixture::{Bench, Play, attempt_at, cell, turn, void};
use crate::reports::model;

use ComparisonVerdict::{Differs, DiffersWithinTheMargin, NotEnoughTrials, SameWithinTheMargin};

const GUEST: (&str, &str) = ("virtio-tap", "6.1");
const HOST: (&str, &str) = ("bare-metal", "host");

/// The base program with these delays on the host and in a guest, `blocks` of `trials` each, nothing but zeros; with controls.
fn host_and_guest(delays: &[&str], blocks: u32, trials: u64) -> Bench {
    let mut bench = Bench::new("20261126-000000-0009", &[]);
    for (configuration, kernel) in [HOST, GUEST] {
        for play in [Play::ClosedDescriptor, Play::InjectedEnoent, Play::NoFault] {
            bench.plan(cell(play, configuration, kernel));
        }
        for delay in delays {
            bench.plan(base(delay, (configuration, kernel), blocks, trials));
        }
    }
    bench.play_all();
    bench
}

fn base(delay: &str, (configuration, kernel): (&str, &str), blocks: u32, trials: u64) -> Cell {
    let mut one = cell(Play::Base, configuration, kernel);
    one.subject.parameters.insert("client_delay".into(), delay.into());
    (one.blocks, one.trials) = (blocks, u64::from(blocks) * trials);
    one.id = one.subject.id();
    one
}

/// Turns so many trials of each block of a cell into this errno.
fn hit(bench: &mut Bench, delay: &str, kernel: &str, hits: &[u64], errno: Errno) {
    let is_it = |cell: &Cell| {
        let subject = &cell.subject;
        subject.kernel == kernel && subject.parameters.get("client_delay").is_some_and(|value| value == delay)
    };
    let id = bench.record.cells.iter().find(|record| is_it(&record.cell)).expect("planned").cell.id.clone();
    let blocks = bench.blocks.iter_mut().map(|(block, _)| block).filter(|block| block.cell == id);
    let mut turned = 0;
    for (block, hits) in blocks.zip(hits) {
        turned += 1;
        if *hits > 0 {
            turn(block, *hits, errno);
            // A count of none is no entry of a record.
            block.tally.returns.retain(|_, n| *n > 0);
            block.tally.outcomes.retain(|_, n| *n > 0);
        }
    }
    assert_eq!(turned, hits.len());
}

fn comparison<'a>(model: &'a ReportModel, errno: Question, delay: &str) -> &'a Comparison {
    let is_it = |one: &&Comparison| {
        one.errno == errno && one.parameters.get("client_delay").is_some_and(|value| value == delay)
    };
    model.comparisons.iter().find(is_it).expect("compared")
}

fn headline(model: &ReportModel, errno: Question) -> &Headline {
    model.headlines.iter().find(|one| one.errno == errno).expect("it has one")
}

fn guests_rate(headline: &Headline) -> &Rate {
    &headline.guests.as_ref().expect("played").rate
}

/// 20 hits in one of two boots, none in the other, none on the host: for single trials a certain effect, for boots one event.
#[test]
fn twenty_hits_in_one_of_two_boots_are_undecided() {
    let mut bench = host_and_guest(&["0ms"], 2, 1_000);
    hit(&mut bench, "0ms", "6.1", &[20, 0], Errno::ENOENT);
    let model = model(&bench);
    let one = comparison(&model, Question::Enoent, "0ms");
    assert!(one.p_value < 1e-5 && one.trial_low > 0.005, "single trials: {one:?}");
    assert!(one.p_blocks > 0.1 && one.low < 0.0, "boots: {one:?}");
    assert_eq!((one.verdict, one.trials_needed), (NotEnoughTrials, None));
    assert!(matches!(one.reason, Some(ComparisonReason::OneBlock { blocks: 2, .. })), "{:?}", one.reason);
    assert_eq!((one.x1, one.n1, one.blocks1), (0, 2_000, 2));
    assert_eq!((one.x2, one.n2, one.blocks2), (20, 2_000, 2));
    assert!(one.dispersion.is_some_and(|phi| phi > 15.0) && one.freedom == Some(1.0), "{one:?}");
    let headline = headline(&model, Question::Enoent);
    assert!(!headline.verdict.is_difference(), "{headline:?}");
    let said = &model.sentences[0];
    assert!(said.contains("undecided: single trials differ"), "{said}");
    assert!(!said.contains("DIFFER") && !said.contains("the same"), "{said}");
}

/// One block a side: no number of trials tells machines from boots.
#[test]
fn one_boot_is_undecided_whatever_its_trials_say() {
    let mut bench = host_and_guest(&["0ms"], 1, 10_000);
    hit(&mut bench, "0ms", "6.1", &[500], Errno::ENOENT);
    let model = model(&bench);
    let one = comparison(&model, Question::Enoent, "0ms");
    assert_eq!((one.verdict, one.method), (NotEnoughTrials, "whole-blocks"));
    let reason = one.reason.as_ref().expect("it has one").to_string();
    assert!(reason.starts_with("one boot: trials differ"), "{reason}");
    assert_eq!((one.dispersion, one.p_blocks), (None, 1.0));
}

/// Ten boots a side, and the hits in all of them: a difference, whose interval holds the truth.
#[test]
fn a_rate_of_a_thousandth_in_ten_boots_is_shown() {
    let mut bench = host_and_guest(&["0ms"], 10, 10_000);
    hit(&mut bench, "0ms", "6.1", &[9, 11, 10, 8, 12, 10, 10, 13, 7, 10], Errno::EBADF);
    let model = model(&bench);
    let one = comparison(&model, Question::Ebadf, "0ms");
    assert_eq!(one.verdict, DiffersWithinTheMargin, "{one:?}");
    assert!(one.low > 0.0 && one.low < 0.001 && one.high > 0.001, "{one:?}");
    assert!(one.low <= one.trial_low && one.high >= one.trial_high && one.p_blocks >= one.p_value, "{one:?}");
    assert_eq!((one.method, one.family), ("quasi-binomial", 1), "only EBADF has hits");
    let headline = headline(&model, Question::Ebadf);
    assert!(headline.verdict.is_difference(), "{headline:?}");
    let whole = headline.randomisation.as_ref().expect("boots of both sides");
    assert_eq!((whole.host, whole.guests), (10, 10));
    assert!(whole.p_value < 0.001 && whole.smallest_p <= whole.p_value, "{whole:?}");
    assert_eq!(conclusion(&model), Conclusion::Alert);
    bench.record.judgement.margins = [("EBADF".to_owned(), 1e-4)].into();
    assert_eq!(comparison(&bench.model(), Question::Ebadf, "0ms").verdict, Differs);
}

/// The same hits on both sides, spread unevenly over boots: whatever single trials say, boots say no difference.
#[test]
fn boots_that_differ_among_themselves_show_no_difference_of_machines() {
    let mut bench = host_and_guest(&["0ms"], 4, 1_000);
    hit(&mut bench, "0ms", "host", &[0, 40, 0, 10], Errno::EBADF);
    hit(&mut bench, "0ms", "6.1", &[60, 0, 50, 5], Errno::EBADF);
    let model = model(&bench);
    let one = comparison(&model, Question::Ebadf, "0ms");
    assert!(one.p_value < 1e-5, "{one:?}");
    assert_eq!(one.verdict, NotEnoughTrials);
    assert!(matches!(one.reason, Some(ComparisonReason::BlocksDifferToo { .. })), "{:?}", one.reason);
}

/// Nothing was seen: three bounds, from the boldest to the most careful. Their values were computed apart from this code.
#[test]
fn what_was_never_seen_has_three_bounds() {
    for (blocks, independent, at_icc, of_boots) in
        [(2, 0.001_84, 0.002_66, 0.842), (10, 0.000_369, 0.000_53, 0.309)]
    {
        let mut bench = host_and_guest(&["0ms"], blocks, 1_000);
        bench.record.judgement.icc = Some(1e-3);
        let model = model(&bench);
        let rate = guests_rate(headline(&model, Question::Enoent));
        let bounds = rate.unseen.expect("none was seen");
        let whole = |bound: f64| bound * rate.sensitivity;
        assert!((whole(bounds.independent) / independent - 1.0).abs() < 0.01, "{bounds:?}");
        assert!((whole(bounds.at_icc) / at_icc - 1.0).abs() < 0.02, "{bounds:?}");
        assert!((bounds.share_of_blocks / of_boots - 1.0).abs() < 0.01, "{bounds:?}");
        assert_eq!((rate.method.as_str(), bounds.icc), ("beta-binomial", 1e-3));
        assert!((rate.high / bounds.at_icc - 1.0).abs() < 1e-6, "it is judged by the second: {rate:?}");
        let said = &model.sentences[0];
        assert!(said.contains("if trials of one boot are correlated by 0.001; at most "), "{said}");
        assert!(said.contains(" of boots)"), "{said}");
    }
}

/// More and smaller blocks of the same trials allow less to be missed.
#[test]
fn equivalence_is_judged_at_the_declared_correlation() {
    let verdict = |blocks, trials, icc| {
        let mut bench = host_and_guest(&["0ms"], blocks, trials);
        bench.record.judgement.icc = Some(icc);
        bench.record.judgement.margins = [("ENOENT".to_owned(), 0.003)].into();
        let model = bench.model();
        let one = comparison(&model, Question::Enoent, "0ms");
        (one.verdict, one.trials_needed)
    };
    assert_eq!(verdict(2, 1_000, 0.0), (SameWithinTheMargin, None));
    let (few, needed) = verdict(2, 1_000, 0.01);
    assert_eq!(few, NotEnoughTrials);
    assert!(needed.is_some_and(|needed| needed > 4_000), "{needed:?}");
    assert_eq!(verdict(20, 100, 1e-3), (SameWithinTheMargin, None), "as many trials in more boots");
}

/// 20 of 20 injected errnos found prove that 83 % are seen, and no more: bounds are wider by that.
#[test]
fn bounds_are_divided_by_what_the_control_proves() {
    let bench = host_and_guest(&["0ms"], 10, 1_000);
    let model = model(&bench);
    let proven = model.controls.iter().find(|one| one.control == "injected-enoent").expect("played");
    assert!((proven.sensitivity.expect("injected") - 0.831_6).abs() < 1e-4, "{proven:?}");
    let of = |errno| guests_rate(headline(&model, errno)).clone();
    let (enoent, ebadf) = (of(Question::Enoent), of(Question::Ebadf));
    assert_eq!(enoent.sensitivity, proven.sensitivity.expect("injected"));
    assert!(ebadf.sensitivity > 0.99, "a closed descriptor in each of 2,000 trials");
    assert!((enoent.high * enoent.sensitivity - ebadf.high * ebadf.sensitivity).abs() < 1e-12);
    let one = comparison(&model, Question::Enoent, "0ms");
    assert!(
        (one.high * 0.831_6 / comparison(&model, Question::Ebadf, "0ms").high - 0.998).abs() < 0.003,
        "{one:?}"
    );
}

/// What was seen in a void block is in no rate, and the reader is told how bad it may be.
#[test]
fn a_bound_has_its_worst_case_beside_it() {
    let mut bench = host_and_guest(&["0ms"], 4, 1_000);
    let of_base = |block: &&rig::record::format::BlockRecord| {
        block.target.accelerator == "tcg" && block.tally.outcomes.contains_key("readable,data,ECONNRESET")
    };
    let lost =
        bench.blocks.iter().map(|(block, _)| block).find(of_base).expect("a block of the guest").clone();
    let (block, _) = bench.blocks.iter_mut().find(|(block, _)| block.id == lost.id).expect("it is there");
    void(block, "peer.Tcp.OutRsts rose by 999 in 1000 trials");
    let again = attempt_at(&lost, 2);
    bench.blocks.push((again, Vec::new()));
    let model = model(&bench);
    let rate = guests_rate(headline(&model, Question::Enoent));
    assert_eq!((rate.count, rate.n), (0, 4_000), "the second attempt counts");
    assert!((rate.worst - 1_000.0 / 5_000.0).abs() < 1e-12, "{rate:?}");
}

/// Equal rates in every stratum, other weights: no difference, at either level.
#[test]
fn equal_strata_of_unequal_weight_are_the_same() {
    let mut bench = host_and_guest(&["0ms"], 10, 1_000);
    for (place, trials) in [(HOST, 1_000), (GUEST, 100)] {
        bench.plan(base("3s", place, 10, trials));
    }
    bench.blocks.clear();
    bench.play_all();
    hit(&mut bench, "3s", "host", &[200; 10], Errno::EBADF);
    hit(&mut bench, "3s", "6.1", &[20; 10], Errno::EBADF);
    bench.record.judgement.alert.clear();
    let model = model(&bench);
    let one = headline(&model, Question::Ebadf);
    assert_eq!((one.strata, one.difference, one.p_adjusted), (2, 0.0, 1.0));
    assert!(one.low < 0.0 && one.high > 0.0 && !one.verdict.is_difference(), "{one:?}");
    assert_eq!(one.randomisation.as_ref().map(|found| found.p_value), Some(1.0));
}

/// A race in which nothing can rise: what is found is a fall.
#[test]
fn where_nothing_can_rise_the_smallest_fall_is_told() {
    let mut bench = host_and_guest(&["0ms"], 10, 1_000);
    for kernel in ["host", "6.1"] {
        hit(&mut bench, "0ms", kernel, &[1_000; 10], Errno::EBADF);
    }
    let model = model(&bench);
    let one = comparison(&model, Question::Ebadf, "0ms");
    assert_eq!(one.verdict, SameWithinTheMargin);
    assert!(one.detectable > 0.0, "{one:?}");
}

/// Corrected p-values go with corrected bounds: of the largest of many one reads the wider.
#[test]
fn bounds_are_shown_at_the_corrected_level_too() {
    let delays = ["0ms", "1ms", "2ms", "3ms"];
    let mut bench = host_and_guest(&delays, 10, 1_000);
    for delay in delays {
        hit(&mut bench, delay, "6.1", &[5, 6, 4, 5, 5, 7, 3, 5, 5, 5], Errno::EBADF);
    }
    let model = model(&bench);
    for delay in delays {
        let one = comparison(&model, Question::Ebadf, delay);
        assert_eq!(one.family, 4, "ENOENT has no hit, and cannot be shown");
        assert!(one.low_corrected < one.low && one.high_corrected > one.high, "{one:?}");
        assert!(one.verdict.is_difference(), "{one:?}");
    }
}

/// Hits that lie in few of few boots: the methods for so few may mislead, and the reader is told so.
#[test]
fn strong_clumping_in_few_boots_is_cautioned() {
    let clumped = |hits: &[u64]| {
        let mut bench = host_and_guest(&["0ms"], 5, 1_000);
        hit(&mut bench, "0ms", "6.1", hits, Errno::EBADF);
        let model = bench.model();
        let text: Vec<String> = model.cautions.iter().map(ToString::to_string).collect();
        text.into_iter().any(|one| one.contains("clumped"))
    };
    assert!(clumped(&[300, 0, 0, 0, 2]));
    assert!(!clumped(&[60, 59, 61, 62, 58]));
}
