//! Tier *netns*: what `rig matrix plan --format slurm` prints, submitted to a real Slurm. Needs root, and Debian's slurmctld, slurmd, slurm-client and munge.
//!
//! The cluster is of this machine alone and lives in a folder and a network of its own (`slurm/cluster.rs`). No guests are booted.

#![expect(clippy::unwrap_used, reason = "in a test a surprise is a failure")]

#[expect(dead_code, reason = "other tiers use more of it")]
mod blackbox;
#[path = "slurm/cluster.rs"]
mod cluster;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use rig::record::JournalEntry;
use rig::record::format::{BlockStatus, RunRecord};
use serde_json::{Value as Json, json};

use blackbox::tools::{needs, skip};
use blackbox::{Lab, Recorded, is_root, program};
use cluster::{Cluster, await_that, isolated};

/// The bare-metal part of the quick profile, in fewer trials.
const PLAN: &str = "matrix plan --profile quick kernel=host --trials 600 --format slurm --shards 3 --seed 7";

/// A run of a shard, once it has begun.
fn run_of(shards: &Path, job: &str, shard: u32) -> Option<Recorded> {
    let folder = shards.join(format!("slurm-{job}/{shard}"));
    let mut runs: Vec<PathBuf> = fs::read_dir(folder).ok()?.map(|entry| entry.unwrap().path()).collect();
    runs.retain(|run| run.join("run.json").is_file() && run.join("journal.jsonl").is_file());
    assert!(runs.len() <= 1, "a shard that goes on does not begin a second run: {runs:?}");
    runs.pop().map(|run| Recorded::new(&run))
}

/// The journal's whole lines: it may be being written.
fn entries(run: &Recorded) -> Vec<JournalEntry> {
    let text = run.read("journal.jsonl");
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn blocks(run: &Recorded) -> usize {
    entries(run).iter().filter(|entry| matches!(entry, JournalEntry::Block { .. })).count()
}

#[test]
fn three_shards_are_played_one_is_killed_goes_on_and_all_are_joined() {
    if !is_root("netns") {
        return;
    }
    for tool in ["slurmctld", "slurmd", "sbatch", "munged"] {
        if needs(tool).is_none() {
            return;
        }
    }
    isolated(|| {
        let lab = Lab::new("");
        fs::remove_file(lab.path().join("matrix.toml")).unwrap();
        let cluster = match Cluster::start() {
            Ok(cluster) => cluster,
            Err(why) => return skip(&format!("Slurm plays no job here: {why}")),
        };
        play(&lab, &cluster);
    });
}

fn play(lab: &Lab, cluster: &Cluster) {
    let script = lab.run(PLAN).expect(0).stdout;
    fs::write(lab.path().join("night.sh"), script).unwrap();
    let mut submit = cluster.command("sh");
    lab.settle(&mut submit);
    submit.arg("night.sh").env("RIG", program());
    let said = lab.start(submit).end().expect(0).stdout;
    let jobs: Vec<&str> = said.split(['\n', ' ', ';']).filter(|word| word.parse::<u32>().is_ok()).collect();
    let [array, join] = jobs[..] else { panic!("two jobs: {said}") };
    // Until the shard that is killed has gone on: a person who requeues a task does the same.
    cluster.say("scontrol", &["hold", join]);
    let shards = lab.path().join("shards");
    let killed = await_that("the first block of the second shard", || {
        run_of(&shards, array, 2).filter(|run| blocks(run) >= 1)
    });
    kill(cluster.process_of(array, 1), Signal::SIGKILL).unwrap();
    await_that("the end of the killed task", || {
        let state = cluster.say("scontrol", &["--oneliner", "show", "job", &format!("{array}_1")]);
        ["FAILED", "CANCELLED", "NODE_FAIL"].iter().any(|word| state.contains(word)).then_some(())
    });
    let before = blocks(&killed);
    assert_ne!(killed.ended(), Some(true), "it was in the middle");
    cluster.say("scontrol", &["requeue", &format!("{array}_1")]);
    let runs: Vec<Recorded> = (1..=3)
        .map(|shard| {
            await_that(&format!("the end of shard {shard}"), || {
                run_of(&shards, array, shard).filter(|run| {
                    matches!(entries(run).last(), Some(JournalEntry::Ended { complete: true, .. }))
                })
            })
        })
        .collect();
    let begun = entries(&killed).iter().filter(|entry| matches!(entry, JournalEntry::Started { .. })).count();
    assert_eq!((begun, killed.id()), (2, runs[1].id()), "it went on with its run");
    assert!(blocks(&killed) > before);
    check_shards(&runs);
    cluster.say("scontrol", &["release", join]);
    await_that("the joined run", || {
        // It is written whole, or not at all: until then its folder has a name that no run has.
        (!rig::record::list(&lab.results()).is_empty()).then_some(())
    });
    let joined = lab.run("report latest --format json").expect(0).stdout;
    check_joined(&serde_json::from_str(&joined).unwrap(), &runs);
}

/// Trials and returns of each cell are those of the shards' block files, added up here.
fn check_joined(report: &Json, runs: &[Recorded]) {
    let mut sums: BTreeMap<String, (u64, BTreeMap<String, u64>)> = BTreeMap::new();
    for block in runs.iter().flat_map(Recorded::played).filter(|block| block.status == BlockStatus::Complete)
    {
        let (trials, returns) = sums.entry(block.cell.to_string()).or_default();
        *trials += block.tally.trials;
        for (returned, count) in &block.tally.returns {
            *returns.entry(returned.to_string()).or_default() += count;
        }
    }
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(cells.len(), sums.len());
    for cell in cells {
        let (trials, returns) = &sums[cell["id"].as_str().unwrap()];
        assert_eq!((&cell["trials"], &cell["returns"]), (&json!(trials), &json!(returns)), "{cell:#}");
    }
    assert_eq!((&report["run"]["seed"], &report["run"]["complete"]), (&json!(7), &json!(true)));
}

/// They share seed and plan, and each guest-free cell is in one of them.
fn check_shards(runs: &[Recorded]) {
    let mut cells: BTreeMap<String, usize> = BTreeMap::new();
    for (run, shard) in runs.iter().zip(1..) {
        let RunRecord { seed, shard: of, cells: own, .. } = run.record();
        assert_eq!((seed, of.map(|of| (of.index, of.of))), (7, Some((shard, 3))));
        for cell in own.iter().filter(|cell| cell.cell.control.is_none()) {
            *cells.entry(cell.cell.id.to_string()).or_default() += 1;
        }
    }
    assert!(cells.len() >= 3 && cells.values().all(|&shards| shards == 1), "{cells:?}");
}
