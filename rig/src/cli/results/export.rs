//! `rig results export`: a run as one file.
//!
//! Must not know how it is packed. Units: bytes. Errors: [`Failure`]. Tests: `tests/golden/travel.rs`.

use std::path::PathBuf;

use super::super::output::{print, size};
use super::super::{Exit, Failure, called};
use crate::record;

/// Arguments of `rig results export`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// `latest`, a run's id, a unique part of one, a path to a run's folder, its page, or its file
    #[arg(default_value = "latest")]
    run: String,
    /// The folder of the runs
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// The file to write: a tar file under gzip
    #[arg(long, value_name = "FILE", default_value = "run.tar.gz")]
    output: PathBuf,
}

/// Endings that promise another way of packing.
const OTHERS: [&str; 6] = ["zst", "xz", "bz2", "lz4", "zip", "7z"];

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let output = arguments.output.as_path();
    let ends = output.extension().and_then(|ends| ends.to_str());
    if ends.is_some_and(|ends| OTHERS.contains(&ends)) {
        let wrong =
            format!("{} would be a tar file under gzip, and its name says another kind", output.display());
        return Err(Failure::say(Exit::Input, wrong, "name it run.tar.gz"));
    }
    let found = record::find(&arguments.results, &arguments.run)?;
    record::export(found.dir(), output)?;
    let bytes = output.metadata().map_or(0, |data| data.len());
    let path = called::quoted(&output.display().to_string());
    let advice = format!("`rig report {path}` reads it, and so does every command that takes a run");
    print(&format!("{} ({})\n{}\n", output.display(), size(bytes), called::worded(&advice)))
}
