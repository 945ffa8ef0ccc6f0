//! The atlas: a table of what each probe shows in each situation, with what is wrong and what differs.

use rig::analysis::model::{Atlas, ExpectationStatus};

use crate::made_up::{Made, has_section, run_of, section};
use crate::shape::assert_report;

pub(crate) const HOST: (&str, &str) = ("bare-metal", "host");
pub(crate) const OLD: (&str, &str) = ("virtio-tap", "6.1");
pub(crate) const NEW: (&str, &str) = ("virtio-tap", "6.12");
const RESET: &str = "readable+writable,ECONNRESET,eof";
const HUNG_UP: &str = "readable+writable+error+hangup,ECONNRESET,eof";

fn pair(scenario: &'static str, place: (&'static str, &'static str), right: &'static [&'static str]) -> Made {
    Made { expect: right, ..Made::new(scenario, place, &[(right[0], 60)]) }
}

/// Two situations; one pair is wrong on the host, another ends differently on two kernels, a third is not played in one of two places.
fn made() -> Vec<Made> {
    let mut cells = Vec::new();
    for place in [HOST, OLD, NEW] {
        cells.push(pair("after-rst:select", place, &[RESET]));
        cells.push(pair("after-rst:pselect6", place, &[RESET]));
        cells.push(pair("after-rst:poll", place, &[HUNG_UP]));
        cells.push(pair("after-rst:read", place, &["ECONNRESET,eof,eof"]));
    }
    cells.push(pair("open:select", HOST, &["writable,EAGAIN,EAGAIN"]));
    cells.push(Made::new("rst", HOST, &[("readable,data,ECONNRESET", 60)]));
    cells[3].outcomes = vec![("ECONNRESET,eof,eof", 5), ("eof,eof,eof", 55)];
    cells[10].outcomes = vec![("hangup,eof,eof", 60)];
    cells
}

fn atlas(cells: &[Made]) -> Atlas {
    run_of(cells).model().atlas.expect("it has pairs")
}

#[test]
fn every_pair_has_its_outcome_and_what_is_wrong_is_told() {
    let bench = run_of(&made());
    let model = bench.model();
    let atlas = model.atlas.clone().expect("it has pairs");
    assert_eq!(atlas.situations, ["after-rst", "open"]);
    assert_eq!(atlas.probes, ["select", "pselect6", "poll", "read"]);
    let of = |probe: &str| atlas.cells.iter().find(|cell| cell.probe == probe).expect("a pair");
    let (select, poll, read) = (of("select"), of("poll"), of("read"));
    assert_eq!(
        (select.outcome.as_deref(), select.count, select.n, select.as_expected, select.status),
        (Some(RESET), 180, 180, 180, ExpectationStatus::AsExpected)
    );
    assert_eq!((poll.count, poll.n, poll.as_expected), (120, 180, 120));
    let apart: Vec<_> = poll.places.iter().filter(|place| place.differs).collect();
    assert_eq!(apart.len(), 1);
    assert_eq!((apart[0].kernel.as_str(), apart[0].outcome.as_deref()), ("6.12", Some("hangup,eof,eof")));
    assert_eq!((read.as_expected, read.status), (125, ExpectationStatus::Unexpected));
    assert_eq!((atlas.played, atlas.right), (5, 3));
    assert_eq!(atlas.kernels_differ, ["after-rst:poll"]);
    let sentence = "Atlas: 3 of 5 pairs of a situation and a probe ended as they should in all trials, not after-rst:poll, \
        after-rst:read; 1 differs between kernels: after-rst:poll.";
    assert_eq!(atlas.sentence(), sentence);
    assert!(model.sentences.iter().any(|told| told == sentence), "{:#?}", model.sentences);
    insta::assert_snapshot!("atlas_text", section(&bench, "The atlas"));
    assert_report(&serde_json::to_value(&model).expect("plain data"));
}

#[test]
fn a_sound_atlas_has_no_mark() {
    let mut cells = made();
    cells[3].outcomes = vec![("ECONNRESET,eof,eof", 60)];
    cells[10].outcomes = vec![(HUNG_UP, 60)];
    let whole = atlas(&cells);
    assert_eq!((whole.played, whole.right, whole.kernels_differ.len()), (5, 5, 0));
    assert_eq!(
        whole.sentence(),
        "Atlas: 5 of 5 pairs of a situation and a probe ended as they should in all trials; none differs between kernels."
    );
    let text = section(&run_of(&cells), "The atlas");
    assert!(!text.contains("differs:") && !text.contains("otherwise"), "{text}");
    // What the two outcomes share of its trials decides which is the pair's, wherever they were.
    cells[2].outcomes = vec![("hangup,eof,eof", 60)];
    cells[6].outcomes = vec![("hangup,eof,eof", 60)];
    let moved = atlas(&cells);
    let poll = moved.cells.iter().find(|cell| cell.probe == "poll").expect("a pair");
    let apart: Vec<_> = poll.places.iter().map(|place| (place.kernel.as_str(), place.differs)).collect();
    assert_eq!(apart, [("host", false), ("6.1", false), ("6.12", true)]);
}

#[test]
fn a_pair_without_trials_is_not_played() {
    let mut bench = run_of(&made());
    let cell = bench.record.cells.iter_mut().find(|one| one.cell.subject.scenario == "open:select");
    let cell = cell.expect("in the plan");
    cell.skipped = Some("no such host".into());
    let id = cell.cell.id.clone();
    bench.record.blocks.retain(|block| block.cell != id);
    bench.blocks.retain(|(block, _)| block.cell != id);
    let atlas = bench.model().atlas.expect("it has pairs");
    assert!(atlas.sentence().ends_with("; 1 pair not played."), "{}", atlas.sentence());
    assert!(section(&bench, "The atlas").contains("select: not played"));
}

#[test]
fn a_run_without_pairs_has_no_atlas() {
    let bench = run_of(&[Made::new("rst", HOST, &[("readable,data,ECONNRESET", 60)])]);
    assert!(bench.model().atlas.is_none() && !has_section(&bench, "The atlas"));
}
