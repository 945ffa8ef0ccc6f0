//! `rig results merge`: several runs as one.
//!
//! Must not know what may be merged. Units: blocks. Errors: [`Failure`]. Tests: `tests/golden/merged.rs`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::super::output::print;
use super::super::{Exit, Failure, called, width};
use crate::analysis::words::several;
use crate::record::{self, MergeError, Merged, MissingShard, Together};
use crate::report::Page;

/// Arguments of `rig results merge`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The runs, in any order: folders, files that `rig results export` wrote, or ids
    #[arg(required = true, value_name = "RUN")]
    runs: Vec<String>,
    /// The folder to write; it must not be there [default: a folder of its id in the folder of the runs]
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Join whole runs of one plan that have other seeds, such as nights
    #[arg(long)]
    nights: bool,
    /// The folder of the runs
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

/// What the order and the exit code mean.
pub(super) const AFTER: &str = "The runs may be given in any order, and one of them twice: the same runs give the same bytes. Nothing of them is changed. The exit code is 3 where a shard is missing, a run did \
    not come to its end, or a file is damaged; the merged run is written all the same, and its report says so.";

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let found: Vec<record::Found> =
        arguments.runs.iter().map(|run| record::find(&arguments.results, run)).collect::<Result<_, _>>()?;
    let dirs: Vec<PathBuf> = found.iter().map(|found| found.dir().to_owned()).collect();
    let together = if arguments.nights { Together::Nights } else { Together::Shards };
    let merged =
        record::merge(&dirs, together, arguments.output.as_deref(), &arguments.results).map_err(refused)?;
    print(&text(&merged))?;
    Ok(if merged.is_short() { Exit::Short } else { Exit::Done })
}

fn text(merged: &Merged) -> String {
    let mut page = Page::new(width::for_text(), called::worded);
    let machines: BTreeSet<String> = merged.parts.iter().map(|part| part.machine()).collect();
    let of = match merged.parts.len() {
        0 => "the whole run".to_owned(),
        parts => format!("{} on {}", several(parts, "run"), several(machines.len(), "machine")),
    };
    let dir = merged.dir.display();
    page.wrap("", &format!("{dir}: {of}, {}", several(merged.blocks, "block")), 2);
    for missing in &merged.missing {
        page.wrap("  ", &absent(missing), 4);
        missing.cells.iter().for_each(|cell| page.wrap("    ", &format!("{} {}", cell.id, cell.label), 6));
    }
    merged.cautions.iter().for_each(|caution| page.wrap("  ", caution, 4));
    let path = called::quoted(&merged.dir.display().to_string());
    page.wrap("", &format!("`rig report {path}` reads it"), 2);
    page.into_text()
}

fn absent(missing: &MissingShard) -> String {
    let MissingShard { shard, seed, cells, .. } = missing;
    let what = match cells.len() {
        0 => "all its cells were played by others too".to_owned(),
        n => format!("nobody played {}", several(n, "cell")),
    };
    let how = format!("`rig matrix run --shard {shard} --seed {seed}` with the same options plays it");
    format!("shard {missing} is missing: {what}; {how}")
}

fn refused(error: MergeError) -> Failure {
    match error {
        MergeError::Record(error) => error.into(),
        error if error.blames_the_input() => Failure::input([error]),
        error => Failure::testbed(error),
    }
}
