//! `rig matrix init`: the matrix and the recipes that rig carries, as files to be changed.
//!
//! Must not know what is in them. Units: none. Errors: [`Failure`]: exit 2 where a file is there already. Tests: `tests/cli_input.rs`.

use std::path::{Path, PathBuf};

use crate::cli::fresh::{self, Fresh};
use crate::cli::streams::say;
use crate::cli::{Exit, Failure, called};
use crate::image::recipes;
use crate::matrix;

/// Arguments of `rig matrix init`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The folder that gets matrix.toml and images/; it is made where it is missing
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

pub(in crate::cli) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let folder = &arguments.folder;
    let here = folder == Path::new(".");
    let files = files(if here { Path::new("") } else { folder });
    fresh::write(&files)?;
    for (path, _) in &files {
        say(&format!("wrote {}", path.display()));
    }
    let enter =
        if here { String::new() } else { format!("cd {}; ", called::quoted(&folder.to_string_lossy())) };
    say(&format!(
        "next: {enter}`rig matrix check` after a change, `rig matrix plan` to see the cells, `rig matrix run`"
    ));
    Ok(Exit::Done)
}

fn files(folder: &Path) -> Vec<Fresh> {
    let recipe = |(name, text): &(&str, &str)| {
        (folder.join(recipes::FOLDER).join(format!("{name}.toml")), (*text).to_owned())
    };
    let matrix = (folder.join(matrix::DEFAULT_FILE), matrix::EMBEDDED.to_owned());
    std::iter::once(matrix).chain(recipes::EMBEDDED.iter().map(recipe)).collect()
}
