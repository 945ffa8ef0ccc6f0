//! Outcomes that a scenario does not expect: told in every format, and an alert where there are surely more than are tolerated.

use std::collections::BTreeMap;

use rig::analysis::model::{CellSummary, Expectation, ExpectationStatus, Question, ReportModel};
use rig::analysis::{Conclusion, conclusion};
use rig_protocol::{Errno, Returned};

use crate::fixture::{BLOCK, Bench, Play, divert, sound, sound_in};
use crate::reports::{model, render};

use ExpectationStatus::{AsExpected, Known, NotJudged, Unexpected, WithinTolerance};

const EOF: &str = "readable,data,eof";

/// The sound run, whose base program expects its reset and nothing else; so many trials of `play` in one guest end in an orderly end.
fn ended(play: Play, unexpected: u64) -> Bench {
    ended_in(2, play, unexpected)
}

/// The same where the base program's cells have so many blocks.
fn ended_in(blocks: u32, play: Play, unexpected: u64) -> Bench {
    let mut bench = sound_in(blocks);
    for record in &mut bench.record.cells {
        if record.cell.subject.scenario == Play::Base.scenario() {
            let mut script = (*record.cell.subject.script).clone();
            script.expect = vec!["readable,data,ECONNRESET".into()];
            record.cell.subject.script = script.into();
        }
    }
    for index in 0..blocks {
        let n = unexpected.saturating_sub(u64::from(index) * BLOCK).min(BLOCK);
        if n > 0 {
            divert(bench.block(play, "virtio-tap", "6.12", index), n, EOF);
        }
    }
    bench
}

fn cell(model: &ReportModel, play: Play) -> &CellSummary {
    let of = |cell: &&CellSummary| {
        cell.scenario == play.scenario() && cell.configuration == "virtio-tap" && cell.kernel == "6.12"
    };
    model.cells.iter().find(of).expect("planned")
}

fn expectation(model: &ReportModel, play: Play) -> &Expectation {
    cell(model, play).expectation.as_ref().expect("it expects something")
}

fn lines(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The column of this name in the rows of a cell.
fn column(model: &ReportModel, cell: &CellSummary, name: &str) -> String {
    let table = render(model, "csv");
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    let at = |heading: &str| {
        csv::Reader::from_reader(table.as_bytes())
            .headers()
            .expect("a heading")
            .iter()
            .position(|column| column == heading)
            .expect("a column")
    };
    let (id, wanted) = (at("cell"), at(name));
    let mut values = rows.records().map(|row| row.expect("a row")).filter(|row| row[id] == *cell.id);
    let value = values.next().expect("a row of the cell")[wanted].to_owned();
    assert!(values.all(|row| row[wanted] == *value), "the same in each row of a cell");
    value
}

#[test]
fn every_trial_ends_otherwise() {
    let bench = ended(Play::Base, 2 * BLOCK);
    let model = model(&bench);
    assert_eq!(conclusion(&model), Conclusion::Alert);
    let of = expectation(&model, Play::Base);
    assert_eq!((of.status, of.unexpected, of.n, of.share), (Unexpected, 2_000, 2_000, 1.0));
    assert_eq!((of.tolerance, of.known.as_deref()), (Some(0.005), None));
    // 0.025^(1/2000)
    assert!((of.low - 0.998_157_3).abs() < 1e-7 && of.high == 1.0, "{of:?}");
    let told = "2,000 of 2,000 trials ended otherwise than expected: readable,data,eof (expected readable,data,ECONNRESET)";
    let junit = render(&model, "junit");
    assert_eq!(
        junit.matches(&format!("<failure message=\"{told}\" type=\"unexpected\"/>")).count(),
        1,
        "{junit}"
    );
    assert!(junit.contains("ended as readable,data,eof in 2,000 (100 %)"), "{junit}");
    let text = lines(&render(&model, "text"));
    assert!(text.contains(&format!("UNEXPECTED: {told} ")), "under its row: {text}");
    let sentence = model.sentences.last().expect("it is the last one");
    assert_eq!(
        *sentence,
        format!(
            "UNEXPECTED: reset-after-data client_delay=1ms peer_delay=5ms over plain in virtio-tap 6.12: {told}; 100 %, \
             between 99.8 % and 100 %; tolerated is 0.5 %."
        )
    );
    assert!(text.contains(sentence), "{text}");
    let summary = cell(&model, Play::Base);
    for (name, wanted) in [
        ("outcomes", "readable,data,eof=2000"),
        ("unreturned", "0"),
        ("expectation", "unexpected"),
        ("unexpected", "2000"),
        ("unexpected_share", "1"),
        ("unexpected_high", "1"),
        ("tolerance", "0.005"),
        ("known", ""),
        ("peer_outcomes", ""),
        ("peer_expectation", ""),
    ] {
        assert_eq!(column(&model, summary, name), wanted, "{name}");
    }
    // The others of the run are as they should be.
    let others = model.cells.iter().filter(|cell| cell.trials > 0 && cell.id != summary.id);
    assert!(others.map(|cell| cell.expectation.as_ref().expect("judged").status).all(|s| s == AsExpected));
    insta::assert_snapshot!("unexpected_text", render(&model, "text"));
}

#[test]
fn what_is_known_is_shown_and_is_no_alert() {
    let mut bench = ended_in(8, Play::Base, 8 * BLOCK);
    bench.cell(Play::Base, "virtio-tap", "6.12").cell.known = Some("libslirp ends TCP on the way".into());
    let model = model(&bench);
    assert_eq!(expectation(&model, Play::Base).status, Known);
    let one = model.outcome_comparisons.iter().find(|one| one.known.is_some()).expect("compared");
    assert!(one.verdict.is_difference() && !one.alert && !one.is_news(), "{one:?}");
    assert_eq!(conclusion(&model), Conclusion::Done);
    let junit = render(&model, "junit");
    assert!(
        junit.contains("failures=\"0\"") && junit.contains("; known: libslirp ends TCP on the way"),
        "{junit}"
    );
    assert!(!junit.contains("<failure"), "{junit}");
    let text = lines(&render(&model, "text"));
    for said in [
        "differs, which is known: libslirp",
        "Known: reset-after-data",
        "; it is known why: libslirp ends TCP on the way.",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("UNEXPECTED") && !text.contains("DIFFER"), "{text}");
    assert_eq!(column(&model, cell(&model, Play::Base), "known"), "libslirp ends TCP on the way");
    assert_eq!(column(&model, cell(&model, Play::Base), "expectation"), "known");
}

/// One lost packet, or a few.
#[test]
fn a_few_are_tolerated_and_shown() {
    // The exact lower bounds of 17 and 18 of 2,000: 0.496 % and 0.534 %.
    for (unexpected, status) in
        [(0, AsExpected), (1, WithinTolerance), (17, WithinTolerance), (18, Unexpected)]
    {
        let model = ended(Play::Base, unexpected).model();
        assert_eq!(expectation(&model, Play::Base).status, status, "{unexpected}");
        let told = model.sentences.iter().any(|sentence| sentence.starts_with("UNEXPECTED"));
        assert_eq!(told, status == Unexpected);
    }
    let model = ended(Play::Base, 1).model();
    assert_eq!(conclusion(&model), Conclusion::Done);
    let text = lines(&render(&model, "text"));
    assert!(
        text.contains("within tolerance: 1 of 2,000 trials ended otherwise than expected: readable,data,eof"),
        "{text}"
    );
    assert!(!render(&model, "junit").contains("<failure"));
}

#[test]
fn nothing_is_judged_where_nothing_was_declared() {
    let mut bench = ended(Play::Base, 2 * BLOCK);
    bench.record.judgement.tolerance = None;
    let silent = model(&bench);
    let of = expectation(&silent, Play::Base);
    assert_eq!((of.status, of.unexpected, of.tolerance), (NotJudged, 2_000, None));
    assert!(!silent.cells.iter().any(CellSummary::is_unexpected));
    bench.record.judgement.tolerance = Some(0.005);
    for record in &mut bench.record.cells {
        let mut script = (*record.cell.subject.script).clone();
        script.expect.clear();
        record.cell.subject.script = script.into();
    }
    let silent = model(&bench);
    assert!(silent.cells.iter().all(|cell| cell.expectation.is_none()));
    assert_eq!(column(&silent, cell(&silent, Play::Base), "unexpected"), "");
}

#[test]
fn controls_and_races_are_judged_too() {
    let model = ended(Play::NoFault, 993).model();
    let of = expectation(&model, Play::NoFault);
    assert_eq!((of.status, of.unexpected, of.n), (Unexpected, 993, 2_000));
    assert_eq!(conclusion(&model), Conclusion::Alert);
    let text = lines(&render(&model, "text"));
    assert_eq!(text.matches("UNEXPECTED: 993 of 2,000 trials").count(), 1, "among the controls: {text}");
    let model = ended(Play::Watcher, 500).model();
    let of = expectation(&model, Play::Watcher);
    assert_eq!((of.status, of.unexpected), (AsExpected, 0), "this race expects whatever is readable");
    assert_eq!(conclusion(&model), Conclusion::Done);
    let mut bench = sound();
    divert(bench.block(Play::Watcher, "virtio-tap", "6.12", 0), 100, "timeout");
    let model = bench.model();
    assert_eq!(expectation(&model, Play::Watcher).status, Unexpected, "what its own file does not expect");
    assert_eq!(conclusion(&model), Conclusion::Alert);
}

/// Its file expects `read:ECONNRESET,EBADF`: the verdict call's EBADF is expected by name, behind what failed before it.
#[test]
fn an_errno_that_a_shipped_scenario_expects_is_no_alert() {
    let scenario = rig::script::Catalogue::embedded().get("double-close").expect("shipped").clone();
    let script = scenario.resolve(&BTreeMap::new()).expect("its defaults").script;
    assert_eq!(script.expect, ["read:ECONNRESET,EBADF"]);
    let mut bench = sound();
    for (configuration, kernel) in [("bare-metal", "host"), ("virtio-tap", "6.1"), ("virtio-tap", "6.12")] {
        bench.cell(Play::Base, configuration, kernel).cell.subject.script = script.clone().into();
        for index in 0..2 {
            let tally = &mut bench.block(Play::Base, configuration, kernel, index).tally;
            tally.returns = [(Returned::failed(Errno::EBADF), BLOCK)].into();
            tally.outcomes = [("read:ECONNRESET,EBADF".to_owned(), BLOCK)].into();
        }
    }
    let model = bench.model();
    assert_eq!(model.alerts, []);
    assert_eq!(expectation(&model, Play::Base).status, AsExpected);
    assert_eq!(cell(&model, Play::Base).rates[&Question::Ebadf].count, 2 * BLOCK);
    assert_eq!(conclusion(&model), Conclusion::Done);
    // Another errno of the same call is one.
    let tally = &mut bench.block(Play::Base, "virtio-tap", "6.12", 0).tally;
    tally.returns =
        [(Returned::failed(Errno::EBADF), BLOCK - 2), (Returned::failed(Errno::ENOENT), 2)].into();
    let alerts = bench.model().alerts;
    let told: Vec<_> = alerts.iter().map(|one| (one.errno.as_str(), one.count, one.n)).collect();
    assert_eq!(told, [("ENOENT", 2, 2 * BLOCK)]);
}

#[test]
fn the_peer_is_judged_by_what_is_expected_of_it() {
    let mut bench = sound();
    let record = bench.cell(Play::Base, "virtio-tap", "6.12");
    let mut script = (*record.cell.subject.script).clone();
    script.expect_peer = vec!["data,ok".into()];
    record.cell.subject.script = script.into();
    for (index, otherwise) in [(0, 0), (1, 40)] {
        let peer = &mut bench.block(Play::Base, "virtio-tap", "6.12", index).peer_tally;
        peer.outcomes = [
            ("data,ok".to_owned(), 900 - otherwise),
            ("data,EPIPE".to_owned(), otherwise),
            ("unfinished".to_owned(), 100),
        ]
        .into();
        peer.trials = BLOCK;
    }
    let model = bench.model();
    let summary = cell(&model, Play::Base);
    let of = summary.peer_expectation.as_ref().expect("judged");
    assert_eq!(
        (of.status, of.unexpected, of.n),
        (Unexpected, 40, 1_800),
        "an unfinished lane has no outcome"
    );
    assert_eq!(summary.expectation.as_ref().expect("judged").status, AsExpected);
    assert_eq!(conclusion(&model), Conclusion::Alert);
    let told = "at the peer 40 of 1,800 trials ended otherwise than expected: data,EPIPE (expected data,ok)";
    assert!(render(&model, "junit").contains(&format!("message=\"{told}\" type=\"unexpected\"")));
    let text = lines(&render(&model, "text"));
    assert!(text.contains(&format!("UNEXPECTED: {told}")), "{text}");
    assert!(text.contains(
        "the peer ended as data,ok in 1,760 (88 %); unfinished in 200 (10 %); data,EPIPE in 40 (2 %)"
    ));
    assert!(model.sentences.last().expect("one").contains("in virtio-tap 6.12, at the peer: 40 of 1,800"));
    assert_eq!(column(&model, summary, "peer_unexpected"), "40");
    assert_eq!(column(&model, summary, "peer_expectation"), "unexpected");
    // A record of an older rig says only that its lane was played.
    let peer = &mut bench.block(Play::Base, "virtio-tap", "6.12", 1).peer_tally;
    peer.outcomes = [("played".to_owned(), 1_000)].into();
    let of = cell(&bench.model(), Play::Base).peer_expectation.clone().expect("judged");
    assert_eq!((of.status, of.n), (AsExpected, 900));
}

#[test]
fn many_cells_of_one_kind_are_one_sentence() {
    let mut bench = sound();
    for (kernel, n) in [("6.1", 30), ("6.12", 60)] {
        for play in [Play::Base, Play::NoFault] {
            divert(bench.block(play, "virtio-tap", kernel, 0), n, "timeout");
        }
    }
    let told = bench.model().sentences;
    let told: Vec<_> = told.iter().filter(|sentence| sentence.starts_with("UNEXPECTED")).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("in virtio-tap 6.12: 60 of 2,000 trials"), "the largest share: {told:#?}");
    assert!(told[0].ends_with("; 1 more cell of reset-after-data there ends otherwise too."), "{told:#?}");
}

/// They have an outcome and no return.
#[test]
fn trials_that_were_cut_in_their_call_are_shown() {
    let mut bench = sound();
    let tally = &mut bench.block(Play::Base, "virtio-tap", "6.12", 0).tally;
    tally.unreturned = 5;
    tally.stale_errno.clear();
    tally.latency.clear();
    *tally.returns.get_mut(&rig_protocol::Returned::ONE).expect("readable") -= 5;
    divert(bench.block(Play::Base, "virtio-tap", "6.12", 0), 5, "deadline");
    let model = model(&bench);
    let summary = cell(&model, Play::Base);
    assert_eq!((summary.unreturned, summary.trials), (5, 2_000));
    let told = "no return in 5: the deadline of the trial came before the verdict call returned";
    assert!(render(&model, "junit").contains(told) && lines(&render(&model, "text")).contains(told));
    assert_eq!(column(&model, summary, "unreturned"), "5");
}
