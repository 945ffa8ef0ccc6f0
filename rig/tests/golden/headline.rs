//! What a run says of one errno over all cells of its base program.

use rig::analysis::model::{ComparisonVerdict, Headline, Question};
use rig::analysis::{Conclusion, conclusion};
use rig_protocol::Errno;

use crate::fixture::{BLOCK, Bench, ORDINARY, Play, cell, sound, sound_in, turn, unarmed};
use crate::reports::{model, render};

fn of(headlines: &[Headline], errno: Question) -> Vec<&Headline> {
    headlines.iter().filter(|one| one.errno == errno).collect()
}

#[test]
fn a_sound_run_has_one_for_each_errno() {
    let model = model(&sound());
    let [enoent] = of(&model.headlines, Question::Enoent)[..] else { panic!("{:#?}", model.headlines) };
    let [ebadf] = of(&model.headlines, Question::Ebadf)[..] else { panic!("{:#?}", model.headlines) };
    for one in [enoent, ebadf] {
        let (host, guests) = (one.host.as_ref().expect("played"), one.guests.as_ref().expect("played"));
        assert_eq!((host.count, host.n), (0, 2 * BLOCK));
        assert_eq!((guests.rate.count, guests.rate.n), (0, 4 * BLOCK), "two kernels");
        assert_eq!((guests.accelerators.as_slice(), guests.proxied), (&["tcg".to_owned()][..], false));
        assert_eq!((one.strata, one.verdict), (1, ComparisonVerdict::SameWithinTheMargin));
        assert_eq!((one.difference, one.p_adjusted, one.trials_needed), (0.0, 1.0, None));
    }
}

/// 0 and 20 % on both sides, and the guests played less of the second: their sums differ by 10 points, and no stratum does.
#[test]
fn unequal_strata_are_no_difference() {
    let mut bench = Bench::new("20261121-201950-1f3a", &[]);
    for (configuration, kernel, of_second) in
        [("bare-metal", "host", BLOCK), ("virtio-tap", "6.1", BLOCK / 10)]
    {
        for play in Play::ALL.into_iter().filter(|play| *play != Play::Watcher) {
            bench.plan(cell(play, configuration, kernel));
        }
        let mut second = cell(Play::Base, configuration, kernel);
        second.subject.parameters.insert("second".into(), "1s".into());
        second.id = second.subject.id();
        second.trials = 2 * of_second;
        bench.plan(second);
    }
    bench.play_all();
    let seconds: Vec<_> = bench
        .record
        .cells
        .iter()
        .filter(|record| record.cell.subject.parameters.contains_key("second"))
        .map(|record| record.cell.id.clone())
        .collect();
    for (block, _) in bench.blocks.iter_mut().filter(|(block, _)| seconds.contains(&block.cell)) {
        let fifth = block.tally.trials / 5;
        turn(block, fifth, Errno::EBADF);
    }
    bench.record.judgement.alert.clear();
    let model = model(&bench);
    let [ebadf] = of(&model.headlines, Question::Ebadf)[..] else { panic!("{:#?}", model.headlines) };
    let (host, guests) = (ebadf.host.as_ref().expect("played"), &ebadf.guests.as_ref().expect("played").rate);
    assert_eq!((host.count, host.n, guests.count, guests.n), (400, 4_000, 40, 2_200), "10 % and 1.8 %");
    assert_eq!((ebadf.strata, ebadf.difference, ebadf.p_adjusted), (2, 0.0, 1.0));
    assert!(ebadf.low < 0.0 && ebadf.high > 0.0 && !ebadf.verdict.is_difference(), "{ebadf:#?}");
}

#[test]
fn a_difference_of_the_headline_is_news() {
    let mut bench = sound_in(8);
    for index in 0..8 {
        for kernel in ["6.1", "6.12"] {
            turn(bench.block(Play::Base, "virtio-tap", kernel, index), 5, Errno::EBADF);
        }
    }
    bench.record.judgement.alert.clear();
    let model = model(&bench);
    let [ebadf] = of(&model.headlines, Question::Ebadf)[..] else { panic!("{:#?}", model.headlines) };
    assert!(ebadf.verdict.is_difference() && ebadf.low > 0.0, "{ebadf:#?}");
    assert!((ebadf.difference - 80.0 / 16_000.0).abs() < 1e-12);
    assert_eq!(conclusion(&model), Conclusion::Alert);
    let junit = render(&model, "junit");
    let suite = junit.split("<testsuite name=\"headlines\"").nth(1).expect("it has one");
    let suite = suite.split("</testsuite>").next().expect("closed");
    assert!(suite.starts_with(" tests=\"2\" disabled=\"0\" errors=\"0\" failures=\"1\""), "{suite}");
    assert!(
        suite.contains("<testcase name=\"EBADF over reset-after-data\" classname=\"tcg guests\">"),
        "{suite}"
    );
    let told =
        "<failure message=\"80 of 16,000 in guests and 0 of 8,000 on the host: difference 0.5 %, between ";
    assert!(suite.contains(told) && suite.contains("type=\"differs\""), "{suite}");
}

/// One of two guests has it: whole boots of guests differ among themselves, and more trials of the same boots decide nothing.
#[test]
fn what_trials_show_and_boots_do_not_is_said_to_be_so() {
    let mut bench = sound_in(8);
    for index in 0..8 {
        turn(bench.block(Play::Base, "virtio-tap", "6.1", index), 20, Errno::EBADF);
    }
    let model = model(&bench);
    let [ebadf] = of(&model.headlines, Question::Ebadf)[..] else { panic!("{:#?}", model.headlines) };
    assert_eq!((ebadf.verdict, ebadf.trials_needed), (ComparisonVerdict::NotEnoughTrials, None));
    assert!(ebadf.trial_low > 0.005 && ebadf.p_trials < 1e-20 && ebadf.is_of_trials_alone(), "{ebadf:#?}");
    // The host's 8 blocks of 24 without it: C(16, 8) / C(24, 8) = 0.0175, and somewhat more by the other side; times 3 questions.
    assert!(ebadf.p_adjusted > 0.0525 && ebadf.p_adjusted < 0.08, "{ebadf:#?}");
    let junit = render(&model, "junit");
    let told = "<skipped message=\"not shown: single trials differ, and boots do not: 160 of 16,000 in guests and 0 of 8,000";
    assert!(junit.contains(told), "{junit}");
    let answer = render(&model, "answer").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(answer.contains("; single trials differ, and boots do not show it"), "{answer}");
    let one = model.comparisons.iter().find(|one| one.kernel == "6.1" && one.errno == Question::Ebadf);
    assert!(one.is_some_and(|one| one.verdict.is_difference()), "its own cell differs");
}

/// One side that was measured and would not have seen it is blind, not missing.
#[test]
fn a_side_that_is_blind_is_said_to_be() {
    let mut bench = sound();
    unarmed(&mut bench, "bare-metal", "host");
    let blind = model(&bench);
    let [enoent] = of(&blind.headlines, Question::Enoent)[..] else { panic!("{:#?}", blind.headlines) };
    assert_eq!((enoent.verdict, enoent.host.is_none()), (ComparisonVerdict::Blind, true));
    assert_eq!(enoent.guests.as_ref().map(|guests| guests.rate.n), Some(4 * BLOCK));
    assert!(
        blind.sentences[0].contains(
            "; on bare metal no control proves that it would be seen (blind); 1 cell left out, because no control passed there (blind)."
        ),
        "{}",
        blind.sentences[0]
    );
    let junit = render(&blind, "junit");
    assert!(
        junit.contains(
            "<error message=\"blind: on one side no control proves that it would be seen\" type=\"blind\"/>"
        ),
        "{junit}"
    );

    let mut bench = sound();
    unarmed(&mut bench, "virtio-tap", "6.1");
    unarmed(&mut bench, "virtio-tap", "6.12");
    let blind = model(&bench);
    let [enoent] = of(&blind.headlines, Question::Enoent)[..] else { panic!("{:#?}", blind.headlines) };
    assert_eq!((enoent.verdict, enoent.guests.is_none()), (ComparisonVerdict::Blind, true));
    assert!(
        blind.sentences[0].contains(
            "; in guests no control proves that it would be seen (blind); 2 cells left out, because no control passed there (blind)."
        ),
        "{}",
        blind.sentences[0]
    );
    let [ebadf] = of(&blind.headlines, Question::Ebadf)[..] else { panic!("{:#?}", blind.headlines) };
    assert_eq!(ebadf.verdict, ComparisonVerdict::SameWithinTheMargin);
}

#[test]
fn what_nobody_can_see_is_blind_and_what_nobody_measured_is_not_run() {
    let mut bench = Bench::new("20261121-201950-1f3a", &ORDINARY[..1]);
    bench.play_all();
    unarmed(&mut bench, "bare-metal", "host");
    let model = model(&bench);
    let [enoent] = of(&model.headlines, Question::Enoent)[..] else { panic!("{:#?}", model.headlines) };
    assert_eq!((&enoent.host, &enoent.guests, enoent.verdict), (&None, &None, ComparisonVerdict::Blind));
    let [ebadf] = of(&model.headlines, Question::Ebadf)[..] else { panic!("{:#?}", model.headlines) };
    assert_eq!((ebadf.verdict, ebadf.guests.is_none()), (ComparisonVerdict::NotRun, true));
    assert_eq!(ebadf.host.as_ref().map(|rate| rate.n), Some(2 * BLOCK));
    let junit = render(&model, "junit");
    assert!(junit.contains("classname=\"no guests\""), "{junit}");
    assert!(junit.contains("<skipped message=\"not run: one side has no trials\"/>"), "{junit}");
}
