//! `rig clean`: what a killed rig may leave in the cache. Everything else died with it.
//!
//! A rig that is killed leaves no process, no namespace and no device; in its cache it can leave an unfinished download and the logs
//! of an accelerator probe. Built images and runs are not touched: `rig image clean` and `rm` are for those.

use std::fs;

use super::output::print;
use super::{Exit, Failure};
use crate::image::{Cache, Keep, Recipes, recipe_key};
use crate::machine::qemu::probe;

/// Arguments of `rig clean`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Also forget what was found out about this host's accelerator, so that the next run finds out anew
    #[arg(long)]
    probes: bool,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let cache = Cache::of_user()?;
    let recipes = Recipes::default();
    let every = recipes.names().into_iter().filter_map(|name| recipes.load(&name).ok());
    let freed = cache.clean(&Keep::Recipes(every.map(|recipe| recipe_key(&recipe)).collect()))?;
    let mut removed = 0;
    for entry in fs::read_dir(cache.root().join(probe::FOLDER)).into_iter().flatten().flatten() {
        let is_answer = entry.path().extension().is_some_and(|extension| extension == "json");
        if is_answer && !arguments.probes {
            continue;
        }
        let gone = if entry.path().is_dir() {
            fs::remove_dir_all(entry.path())
        } else {
            fs::remove_file(entry.path())
        };
        gone.map_err(|error| {
            Failure::say(
                Exit::Testbed,
                format!("cannot remove {}: {error}", entry.path().display()),
                "is the cache yours, and its disk writable?",
            )
        })?;
        removed += 1;
    }
    if removed == 0 && freed.bytes == 0 {
        return print("nothing to clean\n");
    }
    print(&format!("{} freed, {removed} probe files removed\n", super::image::size(freed.bytes)))
}
