//! The last screen of a run: it fits 24 lines of 80 columns whatever the run says, and says the same as the report.

use rig::analysis::model::ReportModel;
use rig::analysis::{Conclusion, analyse, conclusion};
use rig::record::Reader;
use rig::report::{Tone, answer};
use rig_protocol::Errno;

use crate::fixture::{Bench, ORDINARY, Play, sound, sound_in, turn, unarmed, void};
use crate::recorded::folder;
use crate::reports::{model, render};
use crate::sources::leave;

/// The screen as text; it fits.
fn screen(model: &ReportModel) -> String {
    let lines = answer(model, "results/20261121-201950-1f3a", str::to_owned);
    assert!(lines.len() <= 24, "{} lines", lines.len());
    for line in &lines {
        assert!(line.text.chars().count() <= 80 && !line.text.ends_with(' '), "{:?}", line.text);
    }
    for heading in ["What was found", "What differs", "Can it be believed", "Where to read on"] {
        let found = lines.iter().find(|line| line.text == heading).expect("every part is there");
        assert_eq!(found.tone, Tone::Heading);
    }
    lines.iter().map(|line| format!("{}\n", line.text)).collect()
}

/// The tone of the first line, which is the answer in a word.
fn first(model: &ReportModel) -> (Tone, String) {
    let line = answer(model, "results/x", str::to_owned).swap_remove(0);
    (line.tone, line.text)
}

#[test]
fn a_sound_run() {
    let model = model(&sound());
    insta::assert_snapshot!("answer_sound", screen(&model));
    assert_eq!(first(&model).0, Tone::Good);
}

#[test]
fn the_two_by_two_of_localtime() {
    let mut bench = Bench::new("20261121-201950-1f3a", &ORDINARY);
    bench.play_all();
    for (configuration, kernel, there) in
        [("bare-metal", "host", false), ("virtio-tap", "6.1", false), ("virtio-tap", "6.12", true)]
    {
        leave(&mut bench, configuration, kernel, there, if there { Errno(0) } else { Errno::ENOENT });
    }
    insta::assert_snapshot!("answer_localtime", screen(&model(&bench)));
}

#[test]
fn an_excess_of_ebadf_leads() {
    let mut bench = sound_in(8);
    for index in 0..8 {
        for kernel in ["6.1", "6.12"] {
            turn(bench.block(Play::Base, "virtio-tap", kernel, index), 20, Errno::EBADF);
        }
    }
    let model = model(&bench);
    insta::assert_snapshot!("answer_ebadf", screen(&model));
    assert_eq!((first(&model).0, conclusion(&model)), (Tone::Bad, Conclusion::Alert));
}

#[test]
fn what_does_not_fit_is_counted() {
    let configurations: Vec<(String, String)> =
        (0..12).map(|n| (format!("virtio-tap-with-a-long-name-{n}"), "6.1".to_owned())).collect();
    let mut named: Vec<(&str, &str)> = vec![("bare-metal", "host")];
    named.extend(configurations.iter().map(|(name, kernel)| (name.as_str(), kernel.as_str())));
    let mut bench = Bench::new("20261121-201950-1f3a", &named);
    bench.play_all();
    for (configuration, kernel) in &named[1..] {
        for index in 0..2 {
            turn(bench.block(Play::Base, configuration, kernel, index), 20, Errno::EBADF);
        }
    }
    let text = screen(&model(&bench));
    let differs = text.split_once("What differs\n").expect("a part").1;
    let more = differs.lines().find(|line| line.trim_start().starts_with("...")).expect("it is told");
    assert!(more.contains("more in the report"), "{text}");
}

#[test]
fn what_is_missing_is_the_first_word() {
    let mut blind = sound();
    unarmed(&mut blind, "virtio-tap", "6.1");
    let blind = model(&blind);
    let (tone, text) = first(&blind);
    assert_eq!((tone, conclusion(&blind)), (Tone::Bad, Conclusion::Short));
    assert!(text.starts_with("NOT PROVEN"), "{text}");
    assert!(screen(&blind).contains("1 had too little to find"), "{}", screen(&blind));

    let mut nothing = Bench::new("20261121-201950-1f3a", &ORDINARY);
    nothing.complete = false;
    let text = screen(&model(&nothing));
    assert!(
        text.contains("NOT COMPLETE") && text.contains("no cell of the base program has a trial"),
        "{text}"
    );
}

#[test]
fn runs_of_every_format_have_one_and_it_is_a_format_of_its_own() {
    for version in ["format-1", "format-2"] {
        let model = analyse(&Reader::open(&folder(version)).expect("it is read"));
        screen(&model);
        assert_eq!(render(&model, "answer").lines().next(), Some(first(&model).1.as_str()));
    }
}

/// What failed where nothing counts is in no rate, and on the screen.
#[test]
fn enoent_in_a_void_block_is_an_alert() {
    let mut bench = sound();
    let block = bench.block(Play::Base, "virtio-tap", "6.1", 1);
    turn(block, 400, Errno::ENOENT);
    let tally = block.tally.clone();
    void(block, "peer.Tcp.OutRsts rose by 999 in 1000 trials");
    block.tally = tally;
    let model = model(&bench);
    let alert = model.alerts.iter().find(|alert| alert.errno == "ENOENT").expect("it is alerted");
    assert_eq!((alert.count, alert.n, alert.counted), (400, 1_000, false));
    assert!(model.alerts.iter().all(|alert| !alert.counted), "nothing of it is in a rate");
    assert_eq!(conclusion(&model), Conclusion::Alert);
    let counted = "400 of 1,000 calls";
    assert!(screen(&model).contains(counted), "{}", screen(&model));
    let text = render(&model, "text");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("400 of 1,000 calls in blocks that do not count"), "{text}");
    assert!(render(&model, "junit").contains("in blocks that do not count"));
}
