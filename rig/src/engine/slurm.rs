//! Slurm: a script that submits a job array, one task per shard, and a job that joins their runs.
//!
//! The array's tasks have a folder each. A task that is requeued finds the run that it began there and goes on with it. The last job starts when all tasks have ended,
//! however they ended (`afterany`), and joins what is there: exit codes of `sbatch --wait` and states of arrays are not relied on. Errors: none.
//! Tests: `engine/tests.rs`; `tests/slurm.rs` submits it to a real Slurm.

use super::fleet::Fleet;
use super::quote::shell;

/// What the jobs find in their environment, and a site may set before.
const HEAD: &str = r#"#!/bin/sh
# Submits a run of rig in SHARDS shards, and a job that joins them. Made by `rig matrix plan --format slurm`; run it with sh.
# What the environment may say before:
#   RIG          the program (rig)
#   RIG_SHARDS   a folder that all nodes see, for the shards (shards)
#   RIG_RESULTS  a folder that all nodes see, for the joined run (results)
#   RIG_OPTIONS  further options of `rig matrix run`, e.g. --deadline 2h
#   RIG_SBATCH   further options of sbatch, e.g. --partition=kvm --account=lab
set -eu
export RIG="${RIG:-rig}" RIG_SHARDS="${RIG_SHARDS:-shards}" RIG_RESULTS="${RIG_RESULTS:-results}" RIG_OPTIONS="${RIG_OPTIONS:-}"
mkdir -p "$RIG_SHARDS" "$RIG_RESULTS"
"#;

/// A task of the array. `exec`: signals of Slurm reach rig itself.
const TASK: &str = r#"#!/bin/sh
set -u
shard=$((SLURM_ARRAY_TASK_ID + 1))
folder=$RIG_SHARDS/slurm-$SLURM_ARRAY_JOB_ID/$shard
# A task that was requeued goes on with its run.
for run in "$folder"/*/run.json; do
  [ ! -e "$run" ] || exec "$RIG" matrix run --resume latest --results "$folder" $RIG_OPTIONS
done
"#;

/// The job that joins. The shards' own folders say what there is; a shard that never came is named by the command.
const JOIN: &str = r#"#!/bin/sh
set -u
set --
for run in "$RIG_SHARDS/slurm-$RIG_ARRAY"/*/*/run.json; do
  [ ! -e "$run" ] || set -- "$@" "${run%/run.json}"
done
if [ "$#" -eq 0 ]; then
  echo "no shard of job $RIG_ARRAY began a run: see $RIG_SHARDS/slurm-${RIG_ARRAY}_*.log" >&2
  exit 4
fi
exec "$RIG" results merge "$@" --results "$RIG_RESULTS"
"#;

pub(super) fn render(fleet: &Fleet) -> String {
    let Fleet { shards, seed, .. } = fleet;
    let last = shards - 1;
    let words = fleet.words.iter().map(|word| format!(" {}", shell(word))).collect::<String>();
    let head =
        HEAD.replace("SHARDS shards", &format!("{shards} {}", if *shards == 1 { "shard" } else { "shards" }));
    let task = format!(
        "{TASK}exec \"$RIG\" matrix run --shard \"$shard/{shards}\" --seed {seed} --results \"$folder\" $RIG_OPTIONS{words}\n"
    );
    let end_of_task = ending(&task);
    let end_of_join = ending(JOIN);
    format!(
        "{head}\
         array=$(sbatch --parsable --job-name=rig --array=0-{last} --cpus-per-task=1 --requeue --open-mode=append \\\n  \
         --export=ALL --output=\"$RIG_SHARDS/slurm-%A_%a.log\" ${{RIG_SBATCH:-}} <<'{end_of_task}'\n\
         {task}{end_of_task}\n)\n\
         # With several clusters, the name of one follows.\n\
         export RIG_ARRAY=\"${{array%%;*}}\"\n\
         join=$(sbatch --parsable --job-name=rig-join --dependency=\"afterany:$RIG_ARRAY\" --cpus-per-task=1 --open-mode=append \\\n  \
         --export=ALL --output=\"$RIG_SHARDS/slurm-${{RIG_ARRAY}}_join.log\" ${{RIG_SBATCH:-}} <<'{end_of_join}'\n\
         {JOIN}{end_of_join}\n)\n\
         echo \"shards: job $RIG_ARRAY; join: job ${{join%%;*}}; the joined run: in $RIG_RESULTS\"\n"
    )
}

/// The line that ends a script within this script: one that the script does not have.
pub(super) fn ending(script: &str) -> String {
    let mut line = String::from("END");
    while script.lines().any(|one| one == line) {
        line.push('_');
    }
    line
}
