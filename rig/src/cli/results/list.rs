//! `rig results list`: the runs of a folder.
//!
//! Must not judge. Units: bytes, trials. Errors: [`Failure`]: there is no such folder; what is damaged is in the list. Tests: `tests/golden/kept.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::image::Format;
use super::super::output::{print, size};
use super::super::{Exit, Failure, called, width};
use super::state::{Known, State};
use crate::analysis::words::{count, several};
use crate::record::{self, Layout};
use crate::report::Page;

/// Arguments of `rig results list`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The folder of the runs
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// A run, for a program.
#[derive(Debug, Default, Serialize)]
struct Row {
    id: String,
    state: String,
    exit_code: Option<u8>,
    started: String,
    profile: String,
    seed: Option<u64>,
    shard: Option<String>,
    cells: usize,
    cells_skipped: usize,
    blocks: usize,
    blocks_planned: usize,
    trials: u64,
    bytes: u64,
    damage: Vec<String>,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let results = &arguments.results;
    refuse_no_folder(results)?;
    let rows: Vec<Row> = names(results).into_iter().map(|id| row(results, id)).collect();
    print(&match arguments.format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(&rows).expect("plain data")),
        Format::Text if rows.is_empty() => {
            let none = format!("{} has no run yet: `rig matrix run` makes one\n", results.display());
            called::worded(&none)
        }
        Format::Text => text(&rows),
    })
}

/// # Errors
/// There is no such folder.
pub(super) fn refuse_no_folder(results: &Path) -> Result<(), Failure> {
    if results.is_dir() {
        return Ok(());
    }
    let wrong = format!("there is no folder {}", results.display());
    let how = "--results names the folder of the runs; without it, that is `results`";
    Err(Failure::say(Exit::Input, wrong, how))
}

/// Runs, oldest first, and folders that were one: with a journal, or something else in the place of run.json.
fn names(results: &Path) -> Vec<String> {
    let mut names = record::list(results);
    for entry in fs::read_dir(results).into_iter().flatten().flatten() {
        let has = |name| fs::symlink_metadata(entry.path().join(name)).is_ok();
        let was_one = has(Layout::RUN) || has(Layout::JOURNAL);
        let name = entry.file_name().to_string_lossy().into_owned();
        if was_one && !name.starts_with('.') && !names.contains(&name) {
            names.push(name);
        }
    }
    names.sort();
    names
}

fn row(results: &Path, id: String) -> Row {
    let dir = results.join(&id);
    let Known { state, record, blocks, trials, mut damage } = Known::of(&dir);
    if let State::Unreadable(why) = &state {
        damage.push(why.clone());
    }
    let bytes = record::size(&dir).unwrap_or_else(|error| {
        damage.push(format!("its size is not known: {error}"));
        0
    });
    let exit_code = state.exit().map(|exit| exit as u8);
    let row = Row {
        id,
        state: state.word().to_owned(),
        exit_code,
        blocks,
        trials,
        bytes,
        damage,
        ..Row::default()
    };
    let Some(record) = record else { return row };
    Row {
        seed: Some(record.seed),
        shard: record.shard.map(|shard| shard.to_string()),
        cells: record.cells.len(),
        cells_skipped: record.cells.iter().filter(|cell| cell.skipped.is_some()).count(),
        blocks_planned: record.blocks.len(),
        started: record.started,
        profile: record.profile,
        ..row
    }
}

fn text(rows: &[Row]) -> String {
    let mut page = Page::new(width::for_text(), called::worded);
    for row in rows {
        page.wrap(&format!("{}  ", row.id), &words(row).join(" · "), 4);
        for damage in &row.damage {
            page.wrap("    damaged: ", damage, 6);
        }
    }
    let bytes = rows.iter().map(|row| row.bytes).sum();
    page.wrap("", &format!("{}, {}", several(rows.len(), "run"), size(bytes)), 0);
    page.into_text()
}

/// What is said of a run behind its id.
fn words(row: &Row) -> Vec<String> {
    let mut words = vec![match row.exit_code {
        Some(code) => format!("{} (exit {code})", row.state),
        None => row.state.clone(),
    }];
    if let Some(seed) = row.seed {
        let of = if row.blocks == row.blocks_planned { String::new() } else { format!("{} of ", row.blocks) };
        words.extend([row.started.clone(), row.profile.clone()].into_iter().filter(|word| !word.is_empty()));
        words.push(format!("seed {seed}"));
        words.extend(row.shard.as_ref().map(|shard| format!("shard {shard}")));
        words.push(match row.cells_skipped {
            0 => several(row.cells, "cell"),
            skipped => format!("{} ({skipped} skipped)", several(row.cells, "cell")),
        });
        words.push(format!("{of}{}", several(row.blocks_planned, "block")));
        words.push(format!("{} trials", count(row.trials)));
    }
    words.push(size(row.bytes));
    words
}
