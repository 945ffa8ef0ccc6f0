//! `rig results gc`: old runs go, whole, and nothing else.
//!
//! Must not know how a run is removed. Units: bytes. Errors: [`Failure`]: there is no such folder, the disk refuses. Tests: `tests/golden/kept.rs`.

use std::path::{Path, PathBuf};

use super::super::output::{print, size};
use super::super::{Exit, Failure, called, width};
use super::list::refuse_no_folder;
use super::state::{Known, State};
use crate::analysis::words::several;
use crate::record::{self, Removable};
use crate::report::Page;

/// Arguments of `rig results gc`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Keep so many of the newest runs
    #[arg(long, value_name = "N")]
    keep: usize,
    /// Keep every run that did not end with exit code 0, however old it is
    #[arg(long)]
    keep_failed: bool,
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
    /// The folder of the runs
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
}

/// What is done with a run that is not among the newest.
enum Fate {
    Goes(Removable),
    Stays(String),
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let Arguments { keep, keep_failed, dry_run, ref results } = *arguments;
    refuse_no_folder(results)?;
    let mut page = Page::new(width::for_text(), called::worded);
    let swept = if dry_run { Vec::new() } else { record::sweep(results)? };
    for id in swept {
        page.wrap("", &format!("removed the rest of {id}, whose removal had been cut off"), 2);
    }
    // By their names, which begin with the time of their start.
    let ids = record::list(results);
    let verb = if dry_run { "would remove" } else { "removed" };
    let (mut gone, mut bytes) = (0, 0);
    for id in &ids[..ids.len().saturating_sub(keep)] {
        let known = Known::of(&results.join(id));
        match fate(results, id, &known.state, keep_failed) {
            Fate::Stays(why) => page.wrap("", &format!("kept {id}: {why}"), 2),
            Fate::Goes(removable) => {
                let of_run = record::size(&results.join(id))?;
                if !dry_run {
                    removable.remove(results)?;
                }
                (gone, bytes) = (gone + 1, bytes + of_run);
                page.wrap("", &format!("{verb} {id} ({}, {})", known.state.word(), size(of_run)), 2);
            }
        }
    }
    let sum = format!("{verb} {} ({}), {} left", several(gone, "run"), size(bytes), ids.len() - gone);
    page.wrap("", &sum, 2);
    print(&page.into_text())
}

fn fate(results: &Path, id: &str, state: &State, keep_failed: bool) -> Fate {
    match (state, state.exit()) {
        (State::Unreadable(why), _) => return Fate::Stays(format!("it cannot be read: {why}")),
        (State::Running, _) => return Fate::Stays("another rig is writing it".to_owned()),
        (_, Some(Exit::Done)) => {}
        (_, Some(exit)) if keep_failed => {
            return Fate::Stays(format!("it did not end well ({}, exit {})", state.word(), exit as u8));
        }
        (_, None) if keep_failed => return Fate::Stays(format!("it did not end well ({})", state.word())),
        (_, Some(_) | None) => {}
    }
    match record::removable(results, id) {
        Ok(removable) => Fate::Goes(removable),
        Err(error) => Fate::Stays(error.to_string()),
    }
}
