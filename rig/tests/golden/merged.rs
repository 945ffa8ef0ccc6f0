//! Several runs as one: in any order, exactly, and never what does not belong together.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use miette::Diagnostic as _;
use rig::analysis::analyse;
use rig::analysis::model::{CellStatus, ComparisonVerdict, ReportModel};
use rig::matrix::StopRule;
use rig::record::format::{BlockId, BootRecord, CellElsewhere, Shard};
use rig::record::{MergeError, Merged, Reader, RecordError, Together, export, merge};
use rig::report::Format;
use rig_protocol::Errno;
use serde_json::Value as Json;

use crate::audited::agrees;
use crate::fixture::{BLOCK, Bench, Play, sound, sound_in, turn};
use crate::reports::rig;

fn joined(runs: &[PathBuf], output: &Path) -> Merged {
    merge(runs, Together::Shards, Some(output), Path::new("nowhere"))
        .unwrap_or_else(|error| panic!("{error}"))
}

fn refused(runs: &[PathBuf], together: Together) -> MergeError {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("merged");
    let error = merge(runs, together, Some(&output), folder.path()).expect_err("they do not belong together");
    assert_eq!(fs::read_dir(folder.path()).expect("listed").count(), 0, "nothing is written: {error}");
    assert!(error.blames_the_input() && error.help().is_some(), "{error}");
    error
}

fn report(dir: &Path) -> String {
    let run = Reader::open(dir).expect("a run");
    Format::from_name("json").expect("one of the list").render(&analyse(&run))
}

fn model(dir: &Path) -> ReportModel {
    analyse(&Reader::open(dir).expect("a run"))
}

/// Every file below a folder with its bytes.
fn tree(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(dir).expect("listed").flatten() {
        let name = entry.file_name().into_string().expect("UTF-8");
        if entry.path().is_dir() {
            let below = tree(&entry.path());
            files.extend(below.into_iter().map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else {
            files.insert(name, fs::read(entry.path()).expect("read"));
        }
    }
    files
}

fn copy(from: &Path, to: &Path) {
    for (name, bytes) in tree(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().expect("below")).expect("made");
        fs::write(path, bytes).expect("written");
    }
}

/// A run with something of everything: an errno, kept trials, boots that are shared.
fn rich() -> Bench {
    let mut bench = sound_in(4);
    turn(bench.block(Play::Base, "virtio-tap", "6.12", 1), 30, Errno::EBADF);
    bench
}

#[test]
fn a_run_cut_into_three_folders_is_the_run_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = rich().write(&folder.path().join("whole"));
    let expected = report(&whole);
    // As three copies of which each lost two thirds of the blocks on its way.
    let mut pieces = Vec::new();
    for piece in 0..3 {
        let dir = folder.path().join(format!("piece-{piece}"));
        copy(&whole, &dir);
        let blocks = tree(&dir.join("blocks"));
        for (place, name) in blocks.keys().enumerate().filter(|(place, _)| place % 3 != piece) {
            fs::remove_file(dir.join("blocks").join(name)).unwrap_or_else(|error| panic!("{place}: {error}"));
        }
        pieces.push(dir);
    }
    let merged = joined(&pieces, &folder.path().join("merged"));
    assert!(!merged.is_short() && merged.parts.is_empty(), "{merged:?}");
    assert_eq!(report(&merged.dir), expected);
    assert_eq!(tree(&merged.dir.join("blocks")), tree(&whole.join("blocks")));
    assert_eq!(tree(&merged.dir.join("anomalies")), tree(&whole.join("anomalies")));
    agrees(&merged.dir);
    // Two of the three are not all: what is missing is named, and stays missing.
    let two = joined(&pieces[..2], &folder.path().join("two"));
    assert!(two.is_short());
    let lost: Vec<&String> = two.cautions.iter().filter(|caution| caution.contains("is missing")).collect();
    assert_eq!(lost.len(), tree(&whole.join("blocks")).len() / 3, "{:?}", two.cautions);
}

#[test]
fn a_run_whose_blocks_were_written_in_three_places_is_one_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = rich();
    let expected = report(&whole.write(&folder.path().join("whole")));
    let pieces: Vec<PathBuf> = (0..3)
        .map(|piece| {
            let own = whole.blocks.iter().enumerate().filter(|(place, _)| place % 3 == piece);
            let blocks = own.map(|(_, block)| block.clone()).collect();
            let bench = Bench { record: whole.record.clone(), blocks, complete: false };
            bench.write(&folder.path().join(format!("piece-{piece}")))
        })
        .collect();
    let merged = joined(&pieces, &folder.path().join("merged"));
    assert!(!merged.is_short(), "{merged:?}");
    assert_eq!(report(&merged.dir), expected);
}

/// Shard `index` of three: every host cell and control, and one of three configurations with its kernel.
pub(crate) fn shard(index: u32, seed: u64, machine: &str, plan: &str) -> Bench {
    let mut bench = sound();
    let whole: Vec<_> = bench.record.cells.clone();
    let own_place = [("virtio-tap", "6.1"), ("virtio-tap", "6.12"), ("virtio-vhost", "6.1")];
    let is_own = |cell: &rig::matrix::Cell| {
        let subject = &cell.subject;
        let place = (subject.configuration.name.as_str(), subject.kernel.as_str());
        cell.is_baseline() || own_place[index as usize - 1] == place
    };
    let elsewhere = (0..).zip(&whole).filter(|(_, record)| !is_own(&record.cell)).map(|(place, record)| {
        let subject = &record.cell.subject;
        let name = (subject.configuration.name.as_str(), subject.kernel.as_str());
        let of = own_place.iter().position(|own| *own == name).expect("somebody's");
        CellElsewhere {
            id: record.cell.id.clone(),
            label: record.cell.describe(),
            place,
            shards: vec![of as u32 + 1],
        }
    });
    let record = &mut bench.record;
    record.elsewhere = elsewhere.collect();
    record.cells.retain(|record| is_own(&record.cell));
    record.id = format!("20261121-20195{index}-{:08x}", u64::from(index) * 7 + seed);
    record.started = format!("2026-11-21T20:19:5{index}.000Z");
    record.shard = Some(Shard { index, of: 3 });
    (record.seed, record.plan_sha256) = (seed, plan.to_owned());
    record.environment.machine = machine.to_owned();
    record.command_line.extend(["--shard".to_owned(), format!("{index}/3")]);
    let there: BTreeSet<_> = record.cells.iter().map(|record| record.cell.id.clone()).collect();
    record.blocks.retain(|block| there.contains(&block.cell));
    bench.blocks.retain(|(block, _)| there.contains(&block.cell));
    let renamed = |id: &BlockId, cell: &rig::matrix::CellId| {
        let number = id.0.rsplit('-').next().expect("a number").parse().expect("a number");
        BlockId::of(cell, Some(index), number)
    };
    for block in &mut bench.record.blocks {
        block.id = renamed(&block.id, &block.cell);
        block.seed ^= u64::from(index) << 8;
        block.boot = Some("r0-b0".into());
    }
    for (block, _) in &mut bench.blocks {
        block.id = renamed(&block.id, &block.cell);
        block.started = format!("2026-11-21T20:2{index}:{}", &block.started[17..]);
        for (name, log) in [("console", &mut block.target.console), ("qmp", &mut block.target.qmp)] {
            if !log.is_empty() {
                let ending = if name == "qmp" { "jsonl" } else { "log" };
                *log = format!("{name}/{}.{}.{ending}", block.id, block.attempt);
            }
        }
        if block.target.accelerator == "tcg" {
            block.boot = Some(BootRecord { name: "r0-b0.1".into(), place: 0 });
        }
    }
    bench
}

pub(crate) const PLAN: &str = "5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed5eed";

fn shards(folder: &Path, machines: [&str; 3]) -> Vec<PathBuf> {
    let write =
        |(index, machine)| shard(index, 7, machine, PLAN).write(&folder.join(format!("host-{index}")));
    (1..=3).zip(machines).map(write).collect()
}

/// Outcomes of the complete blocks of a cell, from the block files of these folders and nothing else.
fn independent_sum(dirs: &[PathBuf], cell: &str) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for dir in dirs {
        for bytes in tree(&dir.join("blocks")).into_values() {
            let block: Json = serde_json::from_slice(&bytes).expect("JSON");
            if block["cell"] == cell && block["status"] == "complete" {
                for entry in block["tally"]["outcomes"].as_object().expect("a map") {
                    *sums.entry(entry.0.clone()).or_default() += entry.1.as_u64().expect("a count");
                }
            }
        }
    }
    sums
}

#[test]
fn three_shards_of_one_machine_are_one_run_in_any_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let dirs = shards(folder.path(), ["aa"; 3]);
    let [a, b, c] = [&dirs[0], &dirs[1], &dirs[2]].map(Clone::clone);
    let merged = joined(&dirs, &folder.path().join("merged"));
    assert_eq!((merged.parts.len(), merged.is_short()), (3, false), "{merged:?}");
    let expected = tree(&merged.dir);
    for (name, order) in [
        ("cab", vec![c.clone(), a.clone(), b.clone()]),
        ("bacab", vec![b.clone(), a.clone(), c.clone(), a.clone(), b.clone()]),
    ] {
        let again = joined(&order, &folder.path().join(name));
        assert!(tree(&again.dir) == expected, "{name}");
    }
    // What is merged is merged further, and with what is in it already.
    let two = joined(&[b.clone(), a.clone()], &folder.path().join("two"));
    assert_eq!(two.missing.iter().map(|missing| missing.shard.index).collect::<Vec<_>>(), [3]);
    let all = joined(&[c.clone(), two.dir.clone(), b.clone()], &folder.path().join("all"));
    assert!(tree(&all.dir) == expected && !all.is_short());

    let model = model(&merged.dir);
    assert_eq!(model.cells.len(), sound().record.cells.len());
    let order: Vec<&str> = model.cells.iter().map(|cell| cell.id.as_str()).collect();
    let plan = sound();
    assert!(order.iter().eq(plan.record.cells.iter().map(|record| &record.cell.id.0)), "the plan's order");
    for cell in model.cells.iter().filter(|cell| cell.trials > 0) {
        assert_eq!(cell.outcomes, independent_sum(&dirs, &cell.id), "{}", cell.id);
        let parts = if cell.configuration == "bare-metal" { 3 } else { 1 };
        assert_eq!((cell.trials, cell.trials_wanted), (2 * BLOCK * parts, 2 * BLOCK * parts), "{}", cell.id);
        assert_eq!(cell.status, CellStatus::Complete);
    }
    assert!(model.run.complete && model.run.shard.is_none() && model.run.parts.len() == 3);
    assert!(
        model.cautions.iter().all(|caution| !caution.to_string().contains("missing")),
        "{:?}",
        model.cautions
    );
    agrees(&merged.dir);
    // As one file, through the commands.
    export(&merged.dir, &folder.path().join("m.tar.gz")).expect("written");
    let (code, said, _) = rig(&["results", "verify", "m.tar.gz"], folder.path());
    assert_eq!(code, 0, "{said}");
    let (code, text, _) = rig(&["report", "m.tar.gz"], folder.path());
    assert!(code == 0 && text.contains("merged   from 20261121-201951-"), "{text}");
    let (code, _, said) = rig(&["matrix", "run", "--resume", "merged", "--results", "."], folder.path());
    assert!(code == 2 && said.contains("was merged from 3 runs"), "{said}");
}

#[test]
fn a_boot_of_one_shard_is_no_boot_of_another() {
    let folder = tempfile::tempdir().expect("a folder");
    let merged = joined(&shards(folder.path(), ["aa"; 3]), &folder.path().join("merged"));
    let run = Reader::open(&merged.dir).expect("a run");
    let boots: BTreeSet<&str> =
        run.blocks.iter().filter_map(|block| Some(block.boot.as_ref()?.name.as_str())).collect();
    let marks: BTreeSet<&str> =
        boots.iter().filter_map(|boot| boot.split_once('-')).map(|(mark, _)| mark).collect();
    assert_eq!(marks.len(), 2, "two shards have guests: {boots:?}");
    let rounds: BTreeSet<u32> = run.record.blocks.iter().map(|block| block.round).collect();
    assert_eq!(rounds.len(), 3, "rounds of shards are not played together");
}

#[test]
fn a_guest_is_compared_with_the_host_of_its_own_machine() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut dirs = shards(folder.path(), ["aa", "bb", "bb"]);
    // The host of the second machine fails where the first one's does not; so does the guest there.
    let mut second = shard(2, 7, "bb", PLAN);
    second.record.id = "20261121-201952-00000099".into();
    for (block, _) in &mut second.blocks {
        let is_base = second.record.cells.iter().any(|record| {
            record.cell.id == block.cell && record.cell.subject.scenario == Play::Base.scenario()
        });
        if is_base {
            turn(block, 300, Errno::EBADF);
        }
    }
    dirs[1] = second.write(&folder.path().join("other"));
    let merged = joined(&dirs, &folder.path().join("merged"));
    let run = Reader::open(&merged.dir).expect("a run");
    let machines: BTreeSet<&str> =
        run.record.cells.iter().filter_map(|record| record.cell.subject.machine.as_deref()).collect();
    assert_eq!(machines.len(), 2);
    let model = analyse(&run);
    let names: BTreeSet<&str> = model.cells.iter().map(|cell| cell.configuration.as_str()).collect();
    assert_eq!(names.iter().filter(|name| name.starts_with("bare-metal@")).count(), 2, "{names:?}");
    let compared: Vec<_> = model
        .comparisons
        .iter()
        .filter(|one| one.alert && one.verdict != ComparisonVerdict::NotRun)
        .collect();
    assert!(!compared.is_empty());
    let machine = |cell: &str| cell.rsplit_once('.').map(|(_, machine)| machine.to_owned());
    for one in compared {
        let bare = model.cells.iter().find(|cell| cell.id == one.baseline).expect("a cell");
        assert_eq!(machine(&one.cell), machine(&bare.id), "{one:?}");
        assert_ne!(
            one.verdict,
            ComparisonVerdict::Differs,
            "host and guest of one machine fail alike: {one:?}"
        );
    }
    agrees(&merged.dir);
    let text = Format::TEXT.render(&model);
    assert!(text.contains("hosts    @"), "{text}");
    for line in text.lines() {
        assert!(line.chars().count() <= 110, "{line:?}");
    }
}

#[test]
fn a_shard_that_never_came_is_named_with_its_cells() {
    let folder = tempfile::tempdir().expect("a folder");
    let dirs = shards(folder.path(), ["aa"; 3]);
    let paths: Vec<&str> = dirs.iter().map(|dir| dir.to_str().expect("UTF-8")).collect();
    let (code, said, _) = rig(&["results", "merge", paths[0], paths[2], "--output", "merged"], folder.path());
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("shard 2/3 is missing: nobody played 5 cells"), "{said}");
    assert!(said.contains("`rig matrix run --shard 2/3 --seed 7`"), "{said}");
    let lost: Vec<String> = shard(1, 7, "aa", PLAN)
        .record
        .elsewhere
        .iter()
        .filter(|cell| cell.shards == [2])
        .map(|cell| cell.id.0.clone())
        .collect();
    assert!(lost.len() == 5 && lost.iter().all(|id| said.contains(id)), "{lost:?} {said}");
    let model = model(&folder.path().join("merged"));
    assert!(!model.run.complete && model.run.stopped.as_deref() == Some("parts_missing"));
    let told = model.cautions.iter().map(ToString::to_string).find(|caution| caution.contains("shard 2/3"));
    assert!(told.is_some_and(|told| told.contains("virtio-tap · 6.12")), "{:?}", model.cautions);
    let (code, ..) = rig(&["report", "merged", "--exit-code"], folder.path());
    assert_eq!(code, 3);
    let (code, said, _) =
        rig(&["results", "merge", &paths.join(" ").replace(' ', "\n"), "--output", "x"], folder.path());
    assert_eq!(code, 2, "{said}");
}

#[test]
fn a_shard_that_was_killed_is_named_and_its_resumed_folder_completes_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let dirs = shards(folder.path(), ["aa"; 3]);
    let mut killed = shard(2, 7, "aa", PLAN);
    let all = std::mem::take(&mut killed.blocks);
    killed.blocks = all[..4].to_vec();
    killed.complete = false;
    let half = killed.write(&folder.path().join("half"));
    let short = joined(&[dirs[0].clone(), half, dirs[2].clone()], &folder.path().join("short"));
    assert!(short.is_short() && short.missing.is_empty());
    assert!(
        short.cautions.iter().any(|said| said.contains("(shard 2/3) did not come to its end (interrupted)")),
        "{short:?}"
    );
    let whole = joined(&[short.dir, dirs[1].clone()], &folder.path().join("whole"));
    assert!(!whole.is_short(), "{whole:?}");
    let at_once = joined(&dirs, &folder.path().join("at-once"));
    assert_eq!(report(&whole.dir), report(&at_once.dir));
}

#[test]
fn what_does_not_belong_together_is_refused_with_the_difference() {
    let folder = tempfile::tempdir().expect("a folder");
    let dirs = shards(folder.path(), ["aa"; 3]);
    let first = dirs[0].clone();
    let mut number = 0;
    let mut other = |change: &dyn Fn(&mut Bench)| {
        let mut bench = shard(2, 7, "aa", PLAN);
        change(&mut bench);
        number += 1;
        bench.write(&folder.path().join(format!("other-{number}")))
    };
    let cases: [(PathBuf, &str); 7] = [
        (
            other(&|bench| bench.record.plan_sha256 = "0".repeat(64)),
            "other cells, numbers of trials or filters",
        ),
        (other(&|bench| bench.record.plan_sha256.clear()), "did not write down which plan"),
        (
            other(&|bench| bench.record.rig_version = "0.0.9".into()),
            "the first has rig 0.1.0, the second 0.0.9",
        ),
        (other(&|bench| bench.record.agent_build_id = "f".repeat(64)), "the second ffffffffffff"),
        (other(&|bench| bench.record.profile = "nightly".into()), "profile quick, the second nightly"),
        (other(&|bench| bench.record.matrix.push('x')), "their matrix files are not the same"),
        (other(&|bench| bench.record.judgement.margin = 0.01), "they are judged otherwise"),
    ];
    for (dir, what) in cases {
        let error = refused(&[first.clone(), dir], Together::Shards);
        assert!(matches!(error, MergeError::Mixed { .. }) && error.to_string().contains(what), "{error}");
    }
    let seed = shard(2, 8, "aa", PLAN).write(&folder.path().join("seed"));
    let error = refused(&[first.clone(), seed], Together::Shards);
    assert!(matches!(error, MergeError::Seeds { .. }), "{error}");
    assert!(error.help().is_some_and(|help| help.to_string().contains("--nights")));
    let twice = other(&|bench| bench.record.id = "20261121-201959-deadbeef".into());
    let error = refused(&[dirs[1].clone(), twice], Together::Shards);
    assert!(matches!(&error, MergeError::ShardTwice { shard, .. } if shard == "2/3"), "{error}");
    let changed = other(&|bench| bench.blocks[0].0.elapsed_ns += 1);
    let error = refused(&[dirs[1].clone(), changed], Together::Shards);
    assert!(matches!(&error, MergeError::Twice { what, .. } if what == "its numbers differ"), "{error}");
    let two = other(&|bench| bench.record.shard = Some(Shard { index: 2, of: 2 }));
    let error = refused(&[first.clone(), two], Together::Shards);
    assert!(error.to_string().contains("one of 3 shards, the second one of 2"), "{error}");
    fs::remove_file(dirs[2].join("journal.jsonl")).expect("there");
    let error = refused(&[first.clone(), dirs[2].clone()], Together::Shards);
    assert!(matches!(error, MergeError::NoJournal { .. }), "{error}");
    let there = folder.path().join("there");
    fs::create_dir(&there).expect("made");
    let error = merge(&dirs[..2], Together::Shards, Some(&there), folder.path()).expect_err("it is there");
    assert!(matches!(error, MergeError::Record(RecordError::Taken { .. })), "{error}");
}

#[test]
fn nights_are_joined_where_somebody_asks() {
    let folder = tempfile::tempdir().expect("a folder");
    let night = |seed: u64| {
        let mut bench = rich();
        (bench.record.seed, bench.record.plan_sha256) = (seed, PLAN.to_owned());
        bench.record.id = format!("202611{:02}-201950-{seed:08x}", 10 + seed);
        bench.write(&folder.path().join("nights"))
    };
    let nights: Vec<PathBuf> = [1, 2, 3].map(night).to_vec();
    let error = refused(&nights, Together::Shards);
    assert!(matches!(error, MergeError::Seeds { .. }), "{error}");
    let output = folder.path().join("all");
    let merged = merge(&nights, Together::Nights, Some(&output), folder.path()).expect("nights of one plan");
    assert!(!merged.is_short());
    let all = model(&merged.dir);
    for cell in all.cells.iter().filter(|cell| cell.trials > 0) {
        assert_eq!(cell.outcomes, independent_sum(&nights, &cell.id));
    }
    agrees(&merged.dir);
    // Into the folder of the runs, under its own id.
    let (code, said, _) = rig(
        &["results", "merge", "--nights", "20261111", "20261112", "20261113", "--results", "nights"],
        folder.path(),
    );
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with(&format!("nights/{}: 3 runs on 1 machine", merged.id)), "{said}");
    assert!(tree(&folder.path().join("nights").join(&merged.id)) == tree(&merged.dir));
    let night_twice = merge(
        &[nights[0].clone(), nights[0].clone()],
        Together::Nights,
        Some(&folder.path().join("once")),
        folder.path(),
    );
    assert_eq!(report(&night_twice.expect("one run").dir), report(&nights[0]));
}

#[test]
fn a_cell_that_every_shard_stopped_by_its_own_look_is_complete() {
    let folder = tempfile::tempdir().expect("a folder");
    let dirs: Vec<PathBuf> = (1..=3)
        .map(|index| {
            let mut bench = shard(index, 7, "aa", PLAN);
            bench.record.judgement.stop = Some(StopRule::Below { errno: "ENOENT".into(), below: 0.01 });
            // The host's cells of the base program were played once in each.
            let base: BTreeSet<_> = bench
                .record
                .cells
                .iter()
                .filter(|record| {
                    record.cell.is_baseline() && record.cell.subject.scenario == Play::Base.scenario()
                })
                .map(|record| record.cell.id.clone())
                .collect();
            bench.blocks.retain(|(block, _)| !(base.contains(&block.cell) && block.id.0.ends_with(".1")));
            bench.write(&folder.path().join(format!("host-{index}")))
        })
        .collect();
    let merged = joined(&dirs, &folder.path().join("merged"));
    let model = model(&merged.dir);
    let host = model.cells.iter().find(|cell| {
        cell.configuration == "bare-metal"
            && cell.scenario == Play::Base.scenario()
            && cell.status != CellStatus::Skipped
    });
    let host = host.expect("a host's cell");
    assert_eq!((host.status, host.trials, host.trials_wanted), (CellStatus::Complete, 3 * BLOCK, 6 * BLOCK));
    assert_eq!(host.cell_stop.as_ref().map(|stop| (stop.trials, stop.blocks)), Some((3 * BLOCK, 3)));
    agrees(&merged.dir);
}

#[test]
fn a_history_counts_a_merged_run_and_its_shards_once() {
    for machines in [["aa"; 3], ["aa", "bb", "cc"]] {
        let folder = tempfile::tempdir().expect("a folder");
        let results = folder.path().join("results");
        let dirs: Vec<PathBuf> = (1..=3)
            .zip(machines)
            .map(|(index, machine)| shard(index, 7, machine, PLAN).write(&results))
            .collect();
        let merged = joined(&dirs, &results.join("merged"));
        let (code, said, told) = rig(&["history", "--format", "json"], folder.path());
        assert_eq!(code, 0, "{said}{told}");
        let history: Json = serde_json::from_str(&said).expect("JSON");
        // One night of each machine: of a machine whose only shard lies there too, that or the merged run.
        let different = BTreeSet::from(machines).len() as u64;
        assert_eq!(history["nights_known"], different, "{machines:?}");
        let nights = history["nights"].as_array().expect("a list");
        let of_merged = nights.iter().filter(|night| night["run"] == merged.id.as_str()).count();
        assert!(of_merged > 0 && !history["cautions"].to_string().contains("count twice"), "{history}");
    }
}
