//! Two runs compared, or two configurations of one: a true change is found and nothing else, order negates, what cannot be compared is said.

use std::fs;
use std::path::Path;
use std::process::Command;

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rig::analysis::model::{
    CellPair, ChangeKind, ComparisonConclusion, ComparisonVerdict, Question, RunComparison, Uncompared,
};
use rig::analysis::{ComparisonError, compare_configurations, compare_runs};
use rig::matrix::Cell;
use rig::record::format::{BlockId, BootRecord, ImageRecord};
use rig::report::{ComparisonFormat, FileSchema};
use rig_protocol::{Errno, Histogram};

use crate::fixture::{Bench, Play, cell, divert, sound_in, turn, unarmed};
use crate::markdown::assert_whole;
use crate::page::{assert_balanced, assert_own, words};
use crate::scale::scale;
use crate::schema::Checker;

use ComparisonConclusion::{Differs, NoDifference, Short};

const EOF: &str = "readable,data,eof";

/// Blocks of each cell of the base program: enough to tell a difference of runs from one of boots.
const BLOCKS: u32 = 10;

/// A sound run of two kernels and the host, and the same played once more two days later.
fn two_runs() -> (Bench, Bench) {
    let first = sound_in(BLOCKS);
    let mut second = sound_in(BLOCKS);
    later(&mut second);
    (first, second)
}

/// As another run, two days later.
fn later(bench: &mut Bench) {
    bench.record.id = "20261123-201950-77c0".into();
    bench.record.started = "2026-11-23T20:19:50.000Z".into();
    bench.record.seed += 1;
    for (block, _) in &mut bench.blocks {
        block.started = "2026-11-23T20:20:00.000Z".into();
    }
}

fn compared(first: &Bench, second: &Bench) -> RunComparison {
    let found = compare_runs(&first.run(), &second.run()).expect("two runs");
    assert_schema(&found);
    found
}

fn assert_schema(compared: &RunComparison) {
    let file = FileSchema::from_name("comparison").expect("it is in the list");
    let json = ComparisonFormat::from_name("json").expect("it is in the list").render(compared);
    Checker::new(&file.schema(), file.files)
        .check(&serde_json::from_str(&json).expect("JSON"), "the comparison");
}

fn text(compared: &RunComparison) -> String {
    let text = ComparisonFormat::TEXT.render(compared);
    for line in text.lines() {
        assert!(line.chars().count() <= 110 && line == line.trim_end(), "{line:?}");
    }
    text
}

fn answer<'c>(compared: &'c RunComparison, about: &str) -> &'c str {
    let line = compared.answer.iter().find(|line| line.about == about);
    &line.unwrap_or_else(|| panic!("{about}: {:?}", compared.answer)).text
}

/// What differs: of which cell, what.
fn differing(compared: &RunComparison) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for pair in &compared.pairs {
        let place = format!("{} {} {}", pair.scenario, pair.first.configuration, pair.first.kernel);
        let errnos = pair.errnos.iter().filter(|one| one.verdict.is_difference());
        found.extend(errnos.map(|one| (place.clone(), one.errno.to_string())));
        let outcomes = pair.outcomes.outcomes.iter().filter(|one| one.verdict.is_difference());
        found.extend(outcomes.map(|one| (place.clone(), one.outcome.clone())));
        let latency = pair.latency.iter().filter(|one| one.differs);
        found.extend(latency.map(|_| (place.clone(), "latency".to_owned())));
    }
    found
}

fn base(compared: &RunComparison) -> &CellPair {
    let is_base = |pair: &&CellPair| pair.scenario == Play::Base.scenario() && pair.first.kernel == "6.1";
    compared.pairs.iter().find(is_base).expect("it is compared")
}

/// ENOENT in 5 to 14 of 1,000 trials of each block, in one cell of the second run.
fn with_enoent(bench: &mut Bench) {
    for index in 0..BLOCKS {
        turn(bench.block(Play::Base, "virtio-tap", "6.1", index), 5 + u64::from(index), Errno::ENOENT);
    }
}

#[test]
fn two_sound_runs_do_not_differ() {
    let (first, second) = two_runs();
    let found = compared(&first, &second);
    assert_eq!((found.conclusion, differing(&found)), (NoDifference, vec![]));
    // The base program and the race on the host and on two kernels; those of the configuration that was skipped are left out.
    assert_eq!((found.pairs.len(), found.not_compared.len()), (6, 2));
    assert!(
        found.not_compared.iter().all(|one| one.why == Uncompared::NotRunInBoth),
        "{:?}",
        found.not_compared
    );
    assert!(found.changes.is_empty() && found.controls.is_empty(), "{found:#?}");
    assert!(answer(&found, "ENOENT").starts_with("no difference is shown; never returned"));
    insta::assert_snapshot!("compared_sound_text", text(&found));
}

#[test]
fn an_errno_in_one_cell_is_the_only_difference() {
    let (first, mut second) = two_runs();
    with_enoent(&mut second);
    let kernel = |package: &str| ImageRecord { package: package.into(), ..ImageRecord::default() };
    let package = |version: &str| kernel(&format!("linux-image-6.1.0-56-cloud-amd64 {version}"));
    let (mut first, package_of) = (first, |bench: &mut Bench, version: &str| {
        bench.record.images.insert("6.1".into(), package(version));
    });
    package_of(&mut first, "6.1.190-1");
    package_of(&mut second, "6.1.192-1");
    let found = compared(&first, &second);
    let place = "reset-after-data virtio-tap 6.1";
    let wanted = ["ENOENT", "any_error", "readable,data,ECONNRESET", "ENOENT"];
    let wanted: Vec<_> = wanted.iter().map(|what| (place.to_owned(), (*what).to_owned())).collect();
    let mut sorted = differing(&found);
    sorted.sort();
    let mut expected = wanted;
    expected.sort();
    assert_eq!((found.conclusion, sorted), (Differs, expected));
    let one = base(&found).errnos.iter().find(|one| one.errno == Question::Enoent).expect("asked");
    assert_eq!((one.x1, one.n1, one.x2, one.n2), (0, 10_000, 95, 10_000));
    assert_eq!((one.verdict, one.blocks1, one.blocks2), (ComparisonVerdict::Differs, 10, 10));
    let [change] = &found.changes[..] else { panic!("{:?}", found.changes) };
    assert_eq!(change.kind, ChangeKind::Kernel);
    let told = "kernel 6.1: linux-image-6.1.0-56-cloud-amd64 6.1.190-1 -> linux-image-6.1.0-56-cloud-amd64 6.1.192-1";
    assert_eq!(change.to_string(), told);
    assert!(answer(&found, "around").contains(told), "{:?}", found.answer);
    insta::assert_snapshot!("compared_enoent_text", text(&found));
    let render = |name: &str| ComparisonFormat::from_name(name).expect("in the list").render(&found);
    let page = render("html");
    assert_balanced(&page);
    assert_own(&page);
    let differs = words(&page, "differs");
    assert!(differs.contains("95 of 10,000 against 0 of 10,000"), "{differs}");
    assert!(words(&page, "answer").contains("They DIFFER"));
    assert!(words(&page, "changes").contains("6.1.190-1"), "{}", words(&page, "changes"));
    let markdown = render("markdown");
    assert_whole(&markdown);
    assert!(markdown.starts_with("## ❌ They DIFFER\n"), "{markdown}");
    assert!(markdown.len() < 64 << 10 && markdown.contains("6.1.192-1"), "{markdown}");
}

#[test]
fn an_outcome_of_one_cell_is_the_only_difference() {
    let (first, mut second) = two_runs();
    for index in 0..BLOCKS {
        divert(second.block(Play::Base, "bare-metal", "host", index), 40 + u64::from(index), EOF);
    }
    let found = compared(&first, &second);
    let place = "reset-after-data bare-metal host";
    let wanted = [EOF, "readable,data,ECONNRESET"].map(|what| (place.to_owned(), what.to_owned()));
    assert_eq!((found.conclusion, differing(&found)), (Differs, wanted.to_vec()));
    assert!(answer(&found, "EBADF").starts_with("no difference is shown"));
    let told = answer(&found, "outcomes");
    assert!(
        told.starts_with("differs in 1 pair, reset-after-data client_delay=1ms peer_delay=5ms over plain in bare-metal host: readable,data,eof in none of 10,000 trials in the first run, in 445 of 10,000 trials in the second run; "),
        "{told}"
    );
}

/// The calls of each block of a kernel's base program last around 100 us, and as much more as `more_us` says.
fn timed(bench: &mut Bench, kernel: &str, more_us: u64) {
    for index in 0..BLOCKS {
        let tally = &mut bench.block(Play::Base, "virtio-tap", kernel, index).tally;
        let mut calls = Histogram::default();
        let middle = (100 + 3 * u64::from(index) + more_us) * 1_000;
        (0..tally.trials)
            .for_each(|at| calls.record(middle * 9 / 10 + middle * 2 * at / (10 * tally.trials)));
        tally.latency.insert("call".into(), calls);
    }
}

#[test]
fn a_latency_of_one_cell_is_the_only_difference_and_no_news() {
    let (mut first, mut second) = two_runs();
    for (bench, more) in [(&mut first, 0), (&mut second, 50)] {
        timed(bench, "6.1", more);
        timed(bench, "6.12", 0);
    }
    let found = compared(&first, &second);
    let wanted = vec![("reset-after-data virtio-tap 6.1".to_owned(), "latency".to_owned())];
    assert_eq!((found.conclusion, differing(&found)), (NoDifference, wanted));
    assert!(found.has_other_latencies());
    let median = base(&found).latency.as_ref().and_then(|one| one.median()).expect("timed");
    assert!((median.difference_ns - 50_000.0).abs() < 2_000.0, "{median:?}");
    insta::assert_snapshot!("compared_latency_text", text(&found));
    // Of a rehearsal there is none.
    second.record.environment.rehearsed = true;
    let found = compared(&first, &second);
    assert!(found.pairs.iter().all(|pair| pair.latency.is_none()) && !found.has_other_latencies());
    assert!(answer(&found, "latencies").starts_with("not compared"));
    assert!(
        found.cautions.iter().any(|one| one.starts_with("The second run took place in an emulated KVM host"))
    );
}

#[test]
fn the_other_order_negates() {
    let (first, mut second) = two_runs();
    with_enoent(&mut second);
    second.record.environment.qemu = "QEMU emulator version 8.0.0".into();
    let gone = second.cell(Play::Base, "virtio-tap", "6.12").cell.id.clone();
    remove(&mut second, &|cell| cell.id == gone);
    let (there, back) = (compared(&first, &second), compared(&second, &first));
    assert_eq!((there.conclusion, back.conclusion), (Differs, Differs));
    let [one, other] = [&there, &back].map(base);
    for (a, b) in one.errnos.iter().zip(&other.errnos) {
        assert_eq!((a.x1, a.n1, a.x2, a.n2), (b.x2, b.n2, b.x1, b.n1));
        assert_eq!((a.verdict, a.family, a.dispersion), (b.verdict, b.family, b.dispersion));
        for (x, y) in [
            (a.difference, b.difference),
            (a.low, b.high),
            (a.high, b.low),
            (a.low_corrected, b.high_corrected),
        ] {
            assert!((x + y).abs() < 1e-9, "{a:?} {b:?}");
        }
        assert!((a.p_adjusted / b.p_adjusted - 1.0).abs() < 1e-9, "{a:?} {b:?}");
    }
    assert_eq!(one.outcomes.verdict, other.outcomes.verdict);
    assert_eq!(there.changes.len(), 1);
    assert_eq!(
        (&there.changes[0].first, &there.changes[0].second),
        (&back.changes[0].second, &back.changes[0].first)
    );
    let only = |compared: &RunComparison, wanted| {
        compared
            .not_compared
            .iter()
            .filter(|one| one.why == wanted)
            .map(|one| one.kernel.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(only(&there, Uncompared::OnlyInFirst), ["6.12"]);
    assert_eq!(only(&back, Uncompared::OnlyInSecond), ["6.12"]);
    assert!(answer(&there, "left out").contains("1 cell only in the first run"), "{:?}", there.answer);
    assert!(text(&there).contains("only in the first run: 1 cell"));
}

/// Takes cells out of a run, with their blocks.
fn remove(bench: &mut Bench, gone: &dyn Fn(&Cell) -> bool) {
    let ids: Vec<_> =
        bench.record.cells.iter().filter(|one| gone(&one.cell)).map(|one| one.cell.id.clone()).collect();
    assert!(!ids.is_empty());
    bench.record.cells.retain(|one| !ids.contains(&one.cell.id));
    bench.record.blocks.retain(|block| !ids.contains(&block.cell));
    bench.blocks.retain(|(block, _)| !ids.contains(&block.cell));
}

#[test]
fn a_run_is_not_compared_with_itself_or_with_what_is_made_of_it() {
    let (first, mut second) = two_runs();
    let error = compare_runs(&first.run(), &first.run()).expect_err("it is the same");
    assert!(matches!(error, ComparisonError::SameRun { .. }));
    assert!(error.to_string().contains("cannot be compared with itself"), "{error}");
    let help = miette::Diagnostic::help(&error).expect("a hint").to_string();
    assert!(help.contains("--configurations A B`; it has bare-metal, virtio-tap and virtio-vhost"), "{help}");
    // One block of the base program under 6.1, taken over.
    let copy = first
        .blocks
        .iter()
        .find(|(block, _)| block.id == id_of_block(&second, "6.1", 3))
        .expect("played")
        .clone();
    let id = copy.0.id.clone();
    let place = second.blocks.iter_mut().find(|(block, _)| block.id == id).expect("played");
    *place = copy;
    let found = compared(&first, &second);
    let refused: Vec<_> = found.not_compared.iter().filter(|one| one.why == Uncompared::SameBlocks).collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0].reason.as_deref(), Some("1 block is the same in both runs"));
    assert_eq!((refused[0].kernel.as_str(), found.pairs.len()), ("6.1", 5));
    // All of them: then there is nothing.
    let mut copied = sound_in(BLOCKS);
    copied.record.id = "20261123-201950-77c0".into();
    let found = compared(&first, &copied);
    assert_eq!((found.conclusion, found.pairs.len()), (Short, 0));
    assert!(answer(&found, "compared").starts_with("nothing: "), "{:?}", found.answer);
}

fn id_of_block(bench: &Bench, kernel: &str, index: u32) -> BlockId {
    let is_it = |cell: &Cell| {
        cell.subject.scenario == Play::Base.scenario()
            && cell.subject.kernel == kernel
            && cell.subject.configuration.name == "virtio-tap"
    };
    let cell = bench.record.cells.iter().find(|one| is_it(&one.cell)).expect("in the plan");
    BlockId(format!("{}-{index}", cell.cell.id))
}

/// The same pairs as in the report of the run, so the same figures.
#[test]
fn two_configurations_of_a_run_are_compared_as_its_report_does() {
    let mut bench = sound_in(BLOCKS);
    with_enoent(&mut bench);
    timed(&mut bench, "6.1", 0);
    let found = compare_configurations(&bench.run(), ["bare-metal", "virtio-tap"]).expect("it has both");
    assert_schema(&found);
    let report = bench.model();
    let of_report = || report.comparisons.iter().filter(|one| one.configuration == "virtio-tap");
    let mut seen = 0;
    for pair in &found.pairs {
        for one in &pair.errnos {
            let same = |other: &&rig::analysis::model::Comparison| {
                other.cell == pair.second.cell && other.errno == one.errno
            };
            let other = of_report().find(same).expect("the report has it");
            assert_eq!(other.baseline, pair.first.cell);
            assert_eq!(
                (one.low, one.high, one.p_blocks, one.verdict),
                (other.low, other.high, other.p_blocks, other.verdict)
            );
            assert_eq!((one.dispersion, one.detectable), (other.dispersion, other.detectable));
            seen += 1;
        }
        let other = report.outcome_comparisons.iter().find(|one| one.cell == pair.second.cell).expect("told");
        assert_eq!((&pair.outcomes.outcomes, pair.outcomes.verdict), (&other.outcomes, other.verdict));
        let other = report.latency_comparisons.iter().find(|one| one.cell == pair.second.cell);
        assert_eq!(pair.latency.as_ref().map(|one| &one.quantiles), other.map(|one| &one.quantiles));
    }
    // Two scenarios on two kernels, each asked three times.
    assert_eq!((seen, of_report().count(), found.conclusion), (12, 12, Differs));
    assert!(found.changes.iter().all(|change| change.kind != ChangeKind::Host), "{:?}", found.changes);
    insta::assert_snapshot!("compared_configurations_text", text(&found));
    let refused = |names| compare_configurations(&bench.run(), names).expect_err("refused").to_string();
    assert_eq!(
        refused(["bare-metal", "virtio-tab"]),
        "run 20261121-201950-1f3a has no configuration virtio-tab"
    );
    assert!(refused(["virtio-tap", "virtio-tap"]).contains("cannot be compared with itself"));
}

/// Arms of one configuration may share the boots of a guest.
#[test]
fn blocks_in_the_same_boots_are_told() {
    let mut bench = sound_in(BLOCKS);
    let caution = |bench: &Bench| {
        let found = compare_configurations(&bench.run(), ["bare-metal", "virtio-tap"]).expect("it has both");
        found.cautions.into_iter().find(|one| one.contains("the same boots"))
    };
    assert_eq!(caution(&bench), None);
    for (configuration, kernel) in [("bare-metal", "host"), ("virtio-tap", "6.1")] {
        let boot = BootRecord { name: "r0-b1.1".into(), place: 0 };
        bench.block(Play::Base, configuration, kernel, 0).boot = Some(boot);
    }
    let told = caution(&bench).expect("told");
    assert!(
        told.starts_with("In 1 pair blocks of both configurations were played in the same boots"),
        "{told}"
    );
}

/// A bare-metal cell that is the second of two pairs: an errno by name is gated by its own pair.
#[test]
fn the_host_can_be_the_second_side_of_two_kernels() {
    let mut bench = sound_in(BLOCKS);
    with_enoent(&mut bench);
    let found = compare_configurations(&bench.run(), ["virtio-tap", "bare-metal"]).expect("it has both");
    let of = |kernel: &str| {
        let is_it = |pair: &&CellPair| pair.scenario == Play::Base.scenario() && pair.first.kernel == kernel;
        let pair = found.pairs.iter().find(is_it).expect("it is compared");
        pair.errnos.iter().map(|one| one.verdict.is_difference()).collect::<Vec<_>>()
    };
    assert_eq!(of("6.1"), [false, true, true]);
    assert_eq!(of("6.12"), [false, false, false]);
    assert_eq!(found.pairs.iter().filter(|pair| pair.second.kernel == "host").count(), 4);
}

#[test]
fn a_control_that_proves_nothing_in_one_run_blinds_its_pairs() {
    let (first, mut second) = two_runs();
    unarmed(&mut second, "virtio-tap", "6.1");
    let found = compared(&first, &second);
    let enoent = base(&found).errnos.iter().find(|one| one.errno == Question::Enoent).expect("asked");
    assert_eq!((enoent.verdict, found.conclusion), (ComparisonVerdict::Blind, Short));
    assert!(
        enoent.reason.starts_with("second run: control injected-enoent: not exercised"),
        "{}",
        enoent.reason
    );
    let [control] = &found.controls[..] else { panic!("{:?}", found.controls) };
    assert_eq!((control.side, control.kernel.as_str()), ("second", "6.1"));
    let text = text(&found);
    assert!(
        text.contains("control injected-enoent of virtio-tap 6.1 in the second run: not exercised"),
        "{text}"
    );
    assert!(text.contains("The answer: NOT PROVEN"), "{text}");
}

#[test]
fn a_run_that_is_not_complete_is_short_and_what_it_has_is_compared() {
    let (first, mut second) = two_runs();
    second.complete = false;
    let last = second.blocks.len() - 1;
    second.blocks.truncate(last);
    let found = compared(&first, &second);
    assert_eq!((found.conclusion, differing(&found)), (Short, vec![]));
    assert!(found.cautions.iter().any(|one| one.starts_with("The second run is not complete")));
}

#[test]
fn the_stricter_rules_hold() {
    let (mut first, second) = two_runs();
    first.record.judgement.confidence = 0.99;
    first.record.judgement.margin = 0.05;
    first.record.judgement.margins.insert("ENOENT".into(), 0.001);
    let found = compared(&first, &second);
    assert_eq!((found.confidence, found.margin, found.margins[&Question::Enoent]), (0.99, 0.005, 0.001));
    let told =
        found.cautions.iter().find(|one| one.starts_with("The runs declare different rules")).expect("told");
    assert!(told.contains("a confidence of 99 % and of 95 % (99 % holds)"), "{told}");
    assert!(told.contains("a margin of 5 % and of 0.5 % (0.5 % holds)"), "{told}");
    assert!(told.contains("for ENOENT a margin of 0.1 % and of 0.5 % (0.1 % holds)"), "{told}");
}

#[test]
fn what_changed_around_is_told() {
    let (mut first, mut second) = two_runs();
    first.record.environment.sysctls.insert("net.ipv4.tcp_sack".into(), "1".into());
    let environment = &mut second.record.environment;
    environment.host.cpu = "Example CPU 4000".into();
    environment.sysctls.insert("net.ipv4.tcp_fin_timeout".into(), "30".into());
    second.record.rig_version = "0.2.0".into();
    second.on_kvm();
    let memory = |cell: &mut Cell| {
        if let rig::configuration::TargetSpec::Qemu(spec) = &mut cell.subject.configuration.target {
            spec.memory_mib = 512;
        }
    };
    second.record.cells.iter_mut().for_each(|one| memory(&mut one.cell));
    let found = compared(&first, &second);
    let told: Vec<String> = found.changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "accelerator of virtio-tap: emulation (TCG) -> KVM",
            "rig: 0.1.0 -> 0.2.0",
            "CPU: Example CPU 3000 -> Example CPU 4000",
            "sysctl net.ipv4.tcp_fin_timeout: 60 -> 30",
            "`memory_mib` of virtio-tap: 256 -> 512",
        ]
    );
    assert!(
        found.cautions[0].starts_with("4 pairs are of a guest that KVM executed and one that was emulated")
    );
    assert!(
        found.cautions[1].starts_with("The two runs were measured on two machines"),
        "{:?}",
        found.cautions
    );
}

/// The A/A pair of one run differs: nothing of it counts.
#[test]
fn no_comparison_counts_where_an_a_a_pair_differs() {
    let (mut first, second) = two_runs();
    let again = first.cell(Play::Base, "virtio-tap", "6.1").cell.again("virtio-tap-again".to_owned());
    let id = again.id.clone();
    first.plan(again);
    for index in 0..BLOCKS {
        let mut block = first.block(Play::Base, "virtio-tap", "6.1", index).clone();
        (block.id, block.cell, block.records) = (BlockId(format!("{id}-{index}")), id.clone(), 0);
        divert(&mut block, 300 + u64::from(index), EOF);
        first.blocks.push((block, Vec::new()));
    }
    let found = compared(&first, &second);
    assert_eq!((found.conclusion, found.first.again_differs), (Short, Some(true)));
    assert!(found.pairs.iter().all(|pair| pair.outcomes.verdict == ComparisonVerdict::Blind));
    assert!(
        found.pairs.iter().flat_map(|pair| &pair.errnos).all(|one| one.verdict == ComparisonVerdict::Blind)
    );
    assert!(found.cautions[0].starts_with("The A/A pair of the first run differs"), "{:?}", found.cautions);
}

/// What `rig compare` of the two runs ends with, with these words more.
fn exit_code(results: &Path, more: &[&str]) -> Option<i32> {
    let mut rig = Command::new(env!("CARGO_BIN_EXE_rig"));
    rig.args(["compare", "20261121", "latest", "--results"]).arg(results).args(more);
    rig.output().expect("it starts").status.code()
}

#[test]
fn the_exit_code_says_what_differs_and_files_are_written() {
    let (mut first, mut second) = two_runs();
    let results = tempfile::tempdir().expect("a folder");
    first.write(results.path());
    second.write(results.path());
    assert_eq!(exit_code(results.path(), &[]), Some(0));
    assert_eq!(exit_code(results.path(), &["--deny-latencies"]), Some(0));
    for (bench, more) in [(&mut first, 0), (&mut second, 50)] {
        timed(bench, "6.1", more);
    }
    let results = tempfile::tempdir().expect("a folder");
    first.write(results.path());
    second.write(results.path());
    assert_eq!(exit_code(results.path(), &[]), Some(0));
    assert_eq!(exit_code(results.path(), &["--deny-latencies"]), Some(5));
    with_enoent(&mut second);
    let results = tempfile::tempdir().expect("a folder");
    first.write(results.path());
    second.write(results.path());
    let files = results.path().join("compared");
    let to = files.to_str().expect("UTF-8");
    assert_eq!(exit_code(results.path(), &["--format", "text,html,markdown,json", "--output", to]), Some(5));
    let found = compared(&first, &second);
    for (format, name) in ComparisonFormat::ALL.iter().zip([
        "comparison.txt",
        "comparison.html",
        "comparison.md",
        "comparison.json",
    ]) {
        let written = fs::read_to_string(files.join(name)).expect("written");
        assert_eq!(written, format.render(&found), "{name}");
    }
}

/// The base program on the host and on two kernels, seven blocks each, in which both ends and ENOENT come as often in every block, but for chance.
fn drawn(id: &str, minute: usize, draw: &mut ChaCha8Rng) -> Bench {
    const TRIALS: u64 = 200;
    let mut bench = Bench::new(id, &[]);
    for (configuration, kernel) in [("bare-metal", "host"), ("virtio-tap", "6.1"), ("virtio-tap", "6.12")] {
        let mut base = cell(Play::Base, configuration, kernel);
        (base.blocks, base.trials) = (7, 7 * TRIALS);
        bench.plan(base);
    }
    bench.play_all();
    for (block, _) in &mut bench.blocks {
        let mut hits = |share: f64| (0..TRIALS).filter(|_| draw.random_bool(share)).count() as u64;
        let (eof, enoent) = (hits(0.2), hits(0.05));
        divert(block, eof, EOF);
        turn(block, enoent, Errno::ENOENT);
        block.started = format!("2026-11-21T21:{minute:02}:00.000Z");
    }
    bench
}

/// Of so many pairs of runs without a difference one in twenty may show one, of errnos and of outcomes.
#[test]
fn pairs_of_runs_without_a_difference_seldom_show_one() {
    let (pairs, most) = scale((40_usize, 6_usize), (400, 34));
    let mut draw = ChaCha8Rng::seed_from_u64(16);
    let (mut errnos, mut outcomes) = (0, 0);
    for _ in 0..pairs {
        let first = drawn("20261121-210000-0001", 1, &mut draw);
        let second = drawn("20261121-220000-0002", 2, &mut draw);
        let found = compare_runs(&first.run(), &second.run()).expect("two runs");
        let of_errnos = |pair: &CellPair| pair.errnos.iter().any(|one| one.verdict.is_difference());
        errnos += usize::from(found.pairs.iter().any(of_errnos));
        outcomes += usize::from(found.pairs.iter().any(|pair| pair.outcomes.verdict.is_difference()));
    }
    // 5 % of them on average, and three standard deviations.
    assert!(errnos <= most && outcomes <= most, "{errnos} and {outcomes} of {pairs}");
}
