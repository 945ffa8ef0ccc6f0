//! What the analysis concludes, in single facts.

use rig::analysis::model::{
    Caution, CellReason, CellStatus, CellSummary, ComparedCell, Comparison, ComparisonReason,
    ComparisonVerdict, ControlFailure, ControlStatus, EndCaution, HypothesisVerdict, PacketCaution, Question,
    ReportModel, TrialCaution,
};
use rig::analysis::{Conclusion, conclusion};
use rig::record::format::Witness;
use rig_protocol::{Errno, Returned, Tally, TcpState};

use rig::record::format::BlockRecord;

use crate::fixture::{BLOCK, Play, sound, sound_in, turn, unarmed, void};

use Question::{AnyError, Ebadf, Enoent};

fn cell<'a>(model: &'a ReportModel, scenario: &str, configuration: &str, kernel: &str) -> &'a CellSummary {
    model
        .cells
        .iter()
        .find(|c| c.scenario == scenario && c.configuration == configuration && c.kernel == kernel)
        .expect("in the plan")
}

fn comparison<'a>(model: &'a ReportModel, scenario: &str, kernel: &str, errno: Question) -> &'a Comparison {
    model
        .comparisons
        .iter()
        .find(|c| {
            c.scenario == scenario
                && c.configuration == "virtio-tap"
                && c.kernel == kernel
                && c.errno == errno
        })
        .expect("compared")
}

fn hypothesis(model: &ReportModel, id: &str) -> HypothesisVerdict {
    model.hypotheses.iter().find(|h| h.id == id).expect("claimed").verdict
}

#[test]
fn a_single_lost_injection_blinds_its_errno_and_no_other() {
    let mut bench = sound();
    bench.block(Play::InjectedEnoent, "virtio-tap", "6.1", 0).tally.injected.insert(Errno::ENOENT, 11);
    let model = bench.model();
    assert_eq!(cell(&model, "reset-after-data", "virtio-tap", "6.1").status, CellStatus::Blind);
    assert_eq!(cell(&model, "reset-after-data", "virtio-tap", "6.12").status, CellStatus::Complete);
    let verdict = |errno| comparison(&model, "reset-after-data", "6.1", errno).verdict;
    assert_eq!(verdict(Enoent), ComparisonVerdict::Blind);
    assert_eq!(verdict(AnyError), ComparisonVerdict::Blind);
    assert_eq!(verdict(Ebadf), ComparisonVerdict::SameWithinTheMargin);
    assert_eq!(conclusion(&model), Conclusion::Short);
}

#[test]
fn a_blind_bare_metal_blinds_every_comparison_with_it() {
    let mut bench = sound();
    for index in 0..2 {
        void(bench.block(Play::ClosedDescriptor, "bare-metal", "host", index), "agent was killed");
    }
    let model = bench.model();
    for kernel in ["6.1", "6.12"] {
        let one = comparison(&model, "reset-after-data", kernel, Ebadf);
        assert_eq!(one.verdict, ComparisonVerdict::Blind);
        assert!(
            matches!(one.reason, Some(ComparisonReason::Blind(ComparedCell::First, _))),
            "{:?}",
            one.reason
        );
    }
    assert_eq!(cell(&model, "reset-after-data", "virtio-tap", "6.1").status, CellStatus::Complete);
}

#[test]
fn a_configuration_without_controls_is_blind() {
    let mut bench = sound();
    bench.record.cells.retain(|record| record.cell.control.is_none());
    let model = bench.model();
    assert!(model.cells.iter().all(|c| matches!(c.status, CellStatus::Blind | CellStatus::Skipped)));
    assert!(
        model.sentences[0].contains("no result: no control proves that it would be seen"),
        "{}",
        model.sentences[0]
    );
}

#[test]
fn one_hit_in_a_negative_control_fails_it() {
    let mut bench = sound();
    turn(bench.block(Play::NoFault, "virtio-tap", "6.12", 1), 1, Errno::EBADF);
    let model = bench.model();
    let failed: Vec<_> = model.controls.iter().filter(|c| c.failed()).collect();
    assert_eq!(failed.len(), 1);
    assert!(matches!(failed[0].failure, Some(ControlFailure::Invented { seen: 1, of: 2_000 })));
    assert_eq!((failed[0].control.as_str(), failed[0].kernel.as_str()), ("no-fault", "6.12"));
    for errno in [Ebadf, Enoent] {
        assert_eq!(comparison(&model, "reset-after-data", "6.12", errno).verdict, ComparisonVerdict::Blind);
        assert_ne!(comparison(&model, "reset-after-data", "6.1", errno).verdict, ComparisonVerdict::Blind);
    }
}

/// It stands for every errno, whatever is its own.
#[test]
fn a_negative_control_finds_any_errno() {
    let mut bench = sound();
    turn(bench.block(Play::NoFault, "virtio-tap", "6.12", 1), 3, Errno(4));
    let model = bench.model();
    let failed = model.controls.iter().find(|control| control.failed()).expect("one");
    assert_eq!((failed.errno, failed.count), (Errno::EBADF, 3));
    let reason = failed.failure.as_ref().expect("it failed").to_string();
    assert_eq!(reason, "-1 was returned in 3 of 2,000 trials, and nothing in the control causes it");
    assert_eq!(comparison(&model, "reset-after-data", "6.12", Enoent).verdict, ComparisonVerdict::Blind);
    assert_eq!(conclusion(&model), Conclusion::Short);
}

/// A network that ends TCP itself gives another end: an errno that is found there is not what the control stands for.
#[test]
fn a_control_of_which_most_trials_end_otherwise_has_not_passed_unless_it_is_known() {
    let other = |n: u64, known: Option<&str>| {
        let mut bench = sound();
        bench.cell(Play::InjectedEnoent, "virtio-tap", "6.1").cell.known = known.map(str::to_owned);
        for index in 0..2 {
            let outcomes = &mut bench.block(Play::InjectedEnoent, "virtio-tap", "6.1", index).tally.outcomes;
            *outcomes.get_mut("readable,data").expect("most") -= n / 2;
            outcomes.insert("timeout,EAGAIN".to_owned(), n / 2);
        }
        let controls = bench.model().controls;
        let one = controls.iter().find(|c| c.control == "injected-enoent" && c.kernel == "6.1");
        one.expect("planned").failure.as_ref().map(ToString::to_string)
    };
    let said = "1,002 of 2,000 trials ended otherwise than its scenario expects, most often timeout,EAGAIN";
    assert_eq!(other(1_002, None).as_deref(), Some(said));
    assert_eq!(other(1_000, None), None, "half of them is not most");
    assert_eq!(other(1_002, Some("the network ends TCP")), None);
}

/// Without a single armed trial the bounds allow the known rate, and would allow it of an instrument that sees nothing.
#[test]
fn a_control_without_a_single_armed_trial_proves_nothing() {
    let mut bench = sound();
    unarmed(&mut bench, "virtio-tap", "6.12");
    let model = bench.model();
    let idle: Vec<_> = model.controls.iter().filter(|c| c.status() == ControlStatus::NotExercised).collect();
    assert_eq!(idle.len(), 1);
    assert_eq!((idle[0].count, idle[0].n, idle[0].passed(), idle[0].failed()), (0, 100, false, false));
    assert!(idle[0].high > idle[0].expected_rate, "the bounds alone would let it pass");
    assert_eq!(comparison(&model, "reset-after-data", "6.12", Enoent).verdict, ComparisonVerdict::Blind);
    assert_eq!(cell(&model, "reset-after-data", "virtio-tap", "6.12").status, CellStatus::Blind);
    assert_eq!(cell(&model, "reset-after-data", "virtio-tap", "6.1").status, CellStatus::Complete);
    let not_exercised =
        |caution: &&Caution| matches!(caution, Caution::Trials(TrialCaution::ControlsNotExercised(_)));
    assert_eq!(model.cautions.iter().filter(not_exercised).count(), 1);
    // Nor is a run well that has nothing but controls.
    bench.record.cells.retain(|record| record.cell.control.is_some());
    assert_eq!(conclusion(&bench.model()), Conclusion::Short);
}

/// 6 of 6 found is a rate of at least 54.1 % (Clopper and Pearson at 95 %), 5 of 5 of 47.8 % only. 6 of 100 are planned.
#[test]
fn a_control_passes_where_enough_was_injected_as_planned_and_all_of_it_found() {
    let cases = [
        (6, 6, 0.95, ControlStatus::Passed),
        (5, 5, 0.95, ControlStatus::NotExercised),
        (6, 6, 0.999, ControlStatus::NotExercised),
        (5, 6, 0.95, ControlStatus::Failed),
        (7, 6, 0.95, ControlStatus::Failed),
        (7, 7, 0.95, ControlStatus::Failed),
    ];
    for (seen, injected, confidence, wanted) in cases {
        let mut bench = sound();
        bench.record.judgement.confidence = confidence;
        unarmed(&mut bench, "virtio-tap", "6.12");
        let control = &mut bench.cell(Play::InjectedEnoent, "virtio-tap", "6.12").cell.control;
        control.as_mut().expect("it is one").expected_rate = 0.06;
        let block = bench.block(Play::InjectedEnoent, "virtio-tap", "6.12", 1);
        turn(block, seen, Errno::ENOENT);
        block.tally.injected.insert(Errno::ENOENT, injected);
        let model = bench.model();
        let one = model.controls.iter().find(|c| (c.control.as_str(), c.n) == ("injected-enoent", 100));
        assert_eq!(
            one.expect("the one of few trials").status(),
            wanted,
            "{seen} of {injected} at {confidence}"
        );
        let sees = wanted == ControlStatus::Passed;
        let cell = cell(&model, "reset-after-data", "virtio-tap", "6.12");
        assert_eq!(cell.status == CellStatus::Complete, sees, "{:?}", cell.status);
    }
}

/// A control that does not inject has its fault in every trial: that none was found is a failure, unless so few trials may have had none.
#[test]
fn a_control_that_does_not_inject_fails_by_its_bounds() {
    for (rate, trials, wanted) in [
        (1.0, 1_000, ControlStatus::Failed),
        (0.01, 1_000, ControlStatus::Failed),
        (0.01, 50, ControlStatus::NotExercised),
    ] {
        let mut bench = sound();
        let control = &mut bench.cell(Play::ClosedDescriptor, "virtio-tap", "6.1").cell.control;
        control.as_mut().expect("it is one").expected_rate = rate;
        for index in 0..2 {
            let tally = &mut bench.block(Play::ClosedDescriptor, "virtio-tap", "6.1", index).tally;
            *tally = Tally { trials, ..Tally::default() };
        }
        let controls = bench.model().controls;
        let one = controls.iter().find(|c| c.control == "closed-descriptor" && c.kernel == "6.1");
        assert_eq!(one.expect("planned").status(), wanted, "{rate} {trials}");
    }
}

/// Cuts `n` trials of a block that had returned this before their verdict call returns.
fn cut(block: &mut BlockRecord, n: u64, returned: Returned) {
    let tally = &mut block.tally;
    let outcome = match returned.errno {
        Some(errno) => errno.to_string(),
        None => {
            tally.outcomes.keys().find(|outcome| outcome.starts_with("readable")).cloned().expect("readable")
        }
    };
    *tally.returns.get_mut(&returned).expect("it has these") -= n;
    *tally.outcomes.get_mut(&outcome).expect("it has these") -= n;
    *tally.outcomes.entry("connect:deadline".into()).or_default() += n;
    tally.unreturned += n;
}

/// 600 of 2,000 trials have a return: they alone bound a rate. 1 - 0.025^(1/600) = 0.006129; in two blocks of 300 whose trials are correlated by 0.001 it is 0.007006.
#[test]
fn a_trial_that_was_cut_is_in_no_rate() {
    let mut bench = sound();
    for index in 0..2 {
        cut(bench.block(Play::Base, "virtio-tap", "6.1", index), 700, Returned::ONE);
    }
    let model = bench.model();
    let summary = cell(&model, "reset-after-data", "virtio-tap", "6.1");
    assert_eq!((summary.trials, summary.unreturned), (2_000, 1_400));
    for question in Question::ALL {
        let rate = &summary.rates[&question];
        assert_eq!((rate.count, rate.n), (0, 600), "{question}");
        assert!((rate.trial_high - 0.006_129_27).abs() < 1e-7, "{rate:?}");
        assert!((rate.high * rate.sensitivity - 0.007_006_14).abs() < 1e-7, "{rate:?}");
    }
    let guests = |errno| {
        let of = |one: &&rig::analysis::model::Headline| one.errno == errno;
        model.headlines.iter().find(of).expect("one").guests.clone().expect("played").rate.n
    };
    assert_eq!((guests(Enoent), guests(Ebadf)), (2_600, 2_600));
    let seen = rig::analysis::sightings(&bench.run(), Errno::ENOENT);
    let place = seen.places.iter().find(|place| place.kernel == "6.1" && place.name.is_empty());
    assert_eq!(place.map(|place| (place.returned.n, place.later.n)), Some((600, 2_000)));
    turn(bench.block(Play::Base, "virtio-tap", "6.1", 0), 2, Errno::ENOENT);
    let alerts = bench.model().alerts;
    let of = |one: &&rig::analysis::model::Alert| one.errno == "ENOENT" && one.counted;
    assert_eq!(alerts.iter().find(of).map(|one| (one.count, one.n)), Some((2, 600)));
}

/// Of a side whose calls all were cut nothing is said, and nobody is called blind.
#[test]
fn a_place_without_a_return_says_nothing() {
    let mut bench = sound();
    for configuration in [("bare-metal", "host"), ("virtio-tap", "6.1"), ("virtio-tap", "6.12")] {
        for index in 0..2 {
            cut(bench.block(Play::Base, configuration.0, configuration.1, index), BLOCK, Returned::ONE);
        }
    }
    let model = bench.model();
    let said = "ENOENT (scenario reset-after-data): no result: no measured call has returned.";
    assert_eq!(model.sentences[0], said);
    assert_eq!(model.headlines[0].verdict, ComparisonVerdict::NotRun);
}

#[test]
fn a_trial_that_was_cut_fails_no_control() {
    let control = |model: &ReportModel, name: &str| {
        let of = |one: &&rig::analysis::model::ControlSummary| one.control == name && one.kernel == "6.1";
        let one = model.controls.iter().find(of).expect("planned");
        (one.count, one.n, one.status())
    };
    let ebadf = Returned::failed(Errno::EBADF);
    let mut bench = sound();
    cut(bench.block(Play::ClosedDescriptor, "virtio-tap", "6.1", 0), 300, ebadf);
    assert_eq!(control(&bench.model(), "closed-descriptor"), (1_700, 1_700, ControlStatus::Passed));
    // One that returned something else is lost, whatever was cut.
    let tally = &mut bench.block(Play::ClosedDescriptor, "virtio-tap", "6.1", 1).tally;
    *tally.returns.get_mut(&ebadf).expect("all of them") -= 1;
    tally.returns.insert(Returned::ONE, 1);
    assert_eq!(control(&bench.model(), "closed-descriptor"), (1_699, 1_700, ControlStatus::Failed));

    let enoent = Returned::failed(Errno::ENOENT);
    for (cut_trials, injected, wanted) in [
        // The filter was armed in 10, and 3 of these were cut behind that.
        (3, 10, ControlStatus::Passed),
        // They were cut before it: 7 of the 10 that were planned.
        (3, 7, ControlStatus::Passed),
        // More are missing than were cut.
        (3, 11, ControlStatus::Failed),
        (3, 6, ControlStatus::Failed),
    ] {
        let mut bench = sound();
        let block = bench.block(Play::InjectedEnoent, "virtio-tap", "6.1", 0);
        cut(block, cut_trials, enoent);
        block.tally.injected.insert(Errno::ENOENT, injected);
        let (count, n, status) = control(&bench.model(), "injected-enoent");
        assert_eq!((count, n, status), (17, 1_997, wanted), "{cut_trials} {injected}");
    }
}

#[test]
fn a_race_that_differs_is_no_alert_and_the_same_difference_elsewhere_is() {
    let mut bench = sound();
    let model = bench.model();
    assert_eq!(comparison(&model, "watcher-closes", "6.1", Ebadf).verdict, ComparisonVerdict::Differs);
    assert_eq!(conclusion(&model), Conclusion::Done);
    for record in &mut bench.record.cells {
        record.cell.alert = true;
    }
    assert_eq!(conclusion(&bench.model()), Conclusion::Alert);
}

#[test]
fn an_errno_that_nothing_expects_raises_an_alert_in_whatever_configuration_it_is_seen() {
    let mut bench = sound();
    assert_eq!(bench.model().alerts, []);
    turn(bench.block(Play::Base, "bare-metal", "host", 0), 1, Errno::ENOENT);
    let model = bench.model();
    let fired: Vec<_> =
        model.alerts.iter().map(|a| (a.configuration.as_str(), a.errno.as_str(), a.count)).collect();
    assert_eq!(fired, [("bare-metal", "ENOENT", 1)], "one of thousands is surely over 0, not over 0.1 %");
    assert_eq!(conclusion(&model), Conclusion::Alert);
    turn(bench.block(Play::Base, "bare-metal", "host", 0), 40, Errno::ENOENT);
    assert_eq!(bench.model().alerts.iter().filter(|a| a.errno == "any_error").count(), 1);
}

#[test]
fn a_difference_outranks_a_short_cell() {
    let mut bench = sound();
    turn(bench.block(Play::Base, "virtio-tap", "6.12", 0), 60, Errno::ENOENT);
    void(bench.block(Play::Base, "virtio-tap", "6.1", 0), "guest panicked");
    let model = bench.model();
    assert_eq!(cell(&model, "reset-after-data", "virtio-tap", "6.1").status, CellStatus::Short);
    assert_eq!(conclusion(&model), Conclusion::Alert);
}

#[test]
fn the_last_complete_attempt_counts_and_void_ones_are_shown() {
    let mut bench = sound();
    let block = bench.block(Play::Base, "virtio-tap", "6.1", 0).clone();
    let mut second = block.clone();
    second.attempt = 2;
    turn(&mut second, 3, Errno::ENOENT);
    let mut third = block;
    third.attempt = 3;
    void(&mut third, "guest hung");
    bench.blocks.extend([(second, Vec::new()), (third, Vec::new())]);
    let model = bench.model();
    let summary = cell(&model, "reset-after-data", "virtio-tap", "6.1");
    assert_eq!((summary.trials, summary.blocks, summary.status), (2 * BLOCK, 2, CellStatus::Complete));
    assert_eq!(summary.rates[&Enoent].count, 3, "the second attempt, not the first");
    assert_eq!(summary.void, BLOCK);
    assert_eq!(summary.void_reasons["block: guest hung"], BLOCK);
}

#[test]
fn more_trials_than_were_planned_are_void() {
    let mut bench = sound();
    let tally = &mut bench.block(Play::Base, "virtio-tap", "6.12", 0).tally;
    tally.trials = 3 * BLOCK;
    tally.returns.insert(Returned::ONE, 3 * BLOCK);
    tally.outcomes.insert("readable,data,ECONNRESET".into(), 3 * BLOCK);
    let model = bench.model();
    let summary = cell(&model, "reset-after-data", "virtio-tap", "6.12");
    assert_eq!((summary.trials, summary.status), (BLOCK, CellStatus::Short));
    let Some(CellReason::Short(shortage)) = &summary.reason else { panic!("{:?}", summary.reason) };
    let words = "block: it has 3000 trials, 1000 were planned".to_owned();
    assert_eq!(shortage.void, [(words, BLOCK)].into());
}

#[test]
fn holm_counts_every_comparison_that_was_made() {
    let model = sound().model();
    let made: Vec<&Comparison> =
        model.comparisons.iter().filter(|c| c.verdict != ComparisonVerdict::NotRun).collect();
    assert_eq!(made.len(), 12);
    for one in made {
        assert!(one.p_adjusted >= one.p_value && one.p_adjusted <= 1.0);
        assert!(one.low <= one.difference && one.difference <= one.high);
        assert!(one.detectable > 0.0 && one.detectable < 1.0);
    }
    let skipped = model.comparisons.iter().filter(|c| c.configuration == "virtio-vhost");
    assert!(
        skipped.clone().count() == 6
            && skipped
                .into_iter()
                .all(|c| rig::analysis::model::told(&c.reason) == "/dev/vhost-net does not exist")
    );
}

#[test]
fn claims_are_judged_by_what_their_cells_show() {
    let mut bench = sound();
    let model = bench.model();
    assert_eq!(
        hypothesis(&model, "H01"),
        HypothesisVerdict::Undecided,
        "6,000 zeros do not refute what is rare"
    );
    assert_eq!(hypothesis(&model, "H02"), HypothesisVerdict::Undecided);
    assert_eq!(
        hypothesis(&model, "H03"),
        HypothesisVerdict::Undecided,
        "emulated guests do not stand for KVM"
    );
    assert_eq!(hypothesis(&model, "H13"), HypothesisVerdict::Refuted);
    assert_eq!(hypothesis(&model, "H16"), HypothesisVerdict::Undecided, "every RST came before its call");
    assert_eq!(
        hypothesis(&model, "H59"),
        HypothesisVerdict::Undecided,
        "a scenario that proves its resets cannot contradict it"
    );
    assert_eq!(hypothesis(&model, "H58"), HypothesisVerdict::Undecided);

    // The same with KVM, and with both orders of RST and call.
    bench.on_kvm();
    for (block, _) in &mut bench.blocks {
        if block.tally.outcomes.contains_key("readable,data,ECONNRESET") {
            block.tally.state_before = [(TcpState::CLOSE.0, BLOCK / 2), (1, BLOCK / 2)].into();
            let half = || [("readable,data,ECONNRESET".to_owned(), BLOCK / 2)].into();
            block.tally.outcomes_by_state = [(TcpState::CLOSE.0, half()), (1, half())].into();
        }
    }
    let model = bench.model();
    assert_eq!(hypothesis(&model, "H03"), HypothesisVerdict::Refuted);
    assert_eq!(hypothesis(&model, "H16"), HypothesisVerdict::Refuted);
    assert!(model.sentences[0].contains("in KVM guests"), "{}", model.sentences[0]);
    assert!(!model.sentences[0].contains("TCG"));

    // A virtual host is no bare metal.
    bench.record.environment.host.virtualized = "firecracker".into();
    assert_eq!(hypothesis(&bench.model(), "H03"), HypothesisVerdict::Undecided);

    // An excess in the guests, by which both claims hold once more than one boot has it.
    let mut bench = sound_in(8);
    bench.on_kvm();
    turn(bench.block(Play::Base, "virtio-tap", "6.1", 0), 60, Errno::ENOENT);
    let model = bench.model();
    assert_eq!(hypothesis(&model, "H01"), HypothesisVerdict::Supported);
    assert_eq!(hypothesis(&model, "H03"), HypothesisVerdict::Undecided, "all of it lies in one block");
    for index in 1..8 {
        turn(bench.block(Play::Base, "virtio-tap", "6.1", index), 60, Errno::ENOENT);
    }
    let model = bench.model();
    assert_eq!(hypothesis(&model, "H03"), HypothesisVerdict::Supported);
}

#[test]
fn data_that_is_gone_supports_the_claim_that_a_reset_discards_it() {
    let mut bench = sound();
    for (block, _) in &mut bench.blocks {
        if let Some(n) = block.tally.outcomes.remove("readable,data,ECONNRESET") {
            block.tally.outcomes.insert("readable,ECONNRESET".into(), n);
        }
    }
    assert_eq!(hypothesis(&bench.model(), "H13"), HypothesisVerdict::Supported);
}

#[test]
fn what_a_reader_must_know_is_said() {
    let mut bench = sound();
    let emulated = Caution::Ends(EndCaution::Emulated("/dev/kvm opens, but no guest boots on it".into()));
    assert_eq!(bench.model().cautions, [emulated, Caution::Trials(TrialCaution::Skipped(5))]);

    let host = bench.block(Play::Base, "bare-metal", "host", 0).target_hello.as_mut();
    host.expect("it spoke").localtime = false;
    bench.record.environment.rehearsed = true;
    bench.block(Play::Base, "virtio-tap", "6.1", 0).witness.rst_to_target -= 7;
    bench.block(Play::Base, "virtio-tap", "6.12", 0).witness.lost_packets = 3;
    bench.block(Play::Base, "virtio-tap", "6.12", 0).target_hello.as_mut().expect("it spoke").build_id =
        "other".into();
    turn(bench.block(Play::Base, "virtio-tap", "6.12", 1), 40, Errno::EBADF);
    let model = bench.model();
    let guests = vec!["virtio-tap".to_owned()];
    for wanted in [
        Caution::Ends(EndCaution::Rehearsed),
        Caution::Ends(EndCaution::Localtime { host: false, guests }),
        Caution::Ends(EndCaution::ForeignAgent(1)),
        Caution::Packets(PacketCaution::WitnessLost(3)),
    ] {
        assert!(model.cautions.contains(&wanted), "{wanted:?}: {:?}", model.cautions);
    }
    for wanted in [
        "the host has not an /etc/localtime, guests of virtio-tap have: ",
        "1,993 on the wire, 2,000 sent",
        "differ from each other in EBADF",
    ] {
        let said = model.cautions.iter().any(|caution| caution.to_string().contains(wanted));
        assert!(said, "{wanted}: {:?}", model.cautions);
    }
    assert!(model.cells.iter().all(|c| c.latency_ns.is_empty()), "a rehearsed run has no timings");
}

#[test]
fn where_nobody_watched_nothing_is_compared_with_the_wire() {
    let mut bench = sound();
    let guests = |id: &str| id != "bare-metal";
    let unwatched: Vec<_> = bench
        .record
        .cells
        .iter()
        .filter(|cell| guests(&cell.cell.subject.configuration.name))
        .map(|cell| cell.cell.id.clone())
        .collect();
    for (block, _) in bench.blocks.iter_mut().filter(|(block, _)| unwatched.contains(&block.cell)) {
        block.witness = Witness { absent: true, ..Witness::default() };
    }
    let model = bench.model();
    let unwatched = Caution::Packets(PacketCaution::Unwatched(vec!["virtio-tap".into()]));
    assert!(model.cautions.contains(&unwatched), "{:?}", model.cautions);
    let compared =
        |caution: &Caution| matches!(caution, Caution::Packets(PacketCaution::ResetsDisagree { .. }));
    assert!(!model.cautions.iter().any(compared), "{:?}", model.cautions);
    for cell in model.cells.iter().filter(|cell| cell.status != CellStatus::Skipped) {
        assert_eq!(cell.witness_rsts.is_some(), !guests(&cell.configuration), "{cell:?}");
    }
    let supported = hypothesis(&model, "H59");
    assert_eq!(supported, hypothesis(&sound().model(), "H59"), "bare metal was watched");
    for (block, _) in &mut bench.blocks {
        block.witness = Witness { absent: true, ..Witness::default() };
    }
    assert_eq!(hypothesis(&bench.model(), "H59"), HypothesisVerdict::Undecided);
}

#[test]
fn only_equal_mixes_are_pooled() {
    // The guests also played a parameter that bare metal did not, full of ENOENT: no difference of places.
    let mut bench = sound();
    let mut other = crate::fixture::cell(Play::Base, "virtio-tap", "6.1");
    other.subject.parameters.insert("client_delay".into(), "3s".into());
    other.id = other.subject.id();
    let planned = bench.record.blocks.len();
    bench.plan(other);
    let mut block = bench.block(Play::Base, "virtio-tap", "6.1", 0).clone();
    let plan = bench.record.blocks[planned].clone();
    (block.id, block.cell) = (plan.id, plan.cell);
    turn(&mut block, 500, Errno::ENOENT);
    bench.blocks.push((block, Vec::new()));
    let model = bench.model();
    let sentence = &model.sentences[0];
    assert!(
        sentence.contains("in 500 of 5,000") && sentence.contains("the rates are the same within 0.5 %"),
        "{sentence}"
    );
}
