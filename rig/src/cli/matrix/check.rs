//! `rig matrix check`

use std::path::PathBuf;

use super::plan::refuse_unknown_kernels;
use crate::analysis::words::count as thousands;
use crate::campaign::claims_for;
use crate::cli::output::print;
use crate::cli::{Exit, Failure};
use crate::image::Recipes;
use crate::matrix::{Matrix, Selection};

/// Arguments of `rig matrix check`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The matrix file [default: ./matrix.toml where there is one, otherwise rig's own]
    #[arg(long, value_name = "FILE")]
    matrix: Option<PathBuf>,
    /// A folder with claims of your own, one file `ID.toml` each
    #[arg(long, value_name = "DIR")]
    claims: Option<PathBuf>,
}

pub(in crate::cli) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let matrix = Matrix::load(arguments.matrix.as_deref()).map_err(Failure::input)?;
    let recipes = Recipes::default();
    matrix.verify_kernels(&recipes.guests(), |word| recipes.has(word)).map_err(Failure::input)?;
    let mut out = format!("{}: valid\n", matrix.name());
    let profiles: Vec<&str> = matrix.profile_names().collect();
    let folder = arguments.claims.as_deref();
    if profiles.is_empty() {
        let cells = matrix.select(&Selection::default()).map_err(Failure::input)?.cells;
        refuse_unknown_kernels(&cells)?;
        claims_for(folder, &matrix, &cells).map_err(Failure::input)?;
    }
    for profile in profiles {
        let selection = Selection { profile: Some(profile.to_owned()), ..Selection::default() };
        let selected = matrix.select(&selection).map_err(Failure::input)?;
        refuse_unknown_kernels(&selected.cells)?;
        claims_for(folder, &matrix, &selected.cells).map_err(Failure::input)?;
        let trials: u64 = selected.cells.iter().map(|cell| cell.trials).sum();
        out.push_str(&format!(
            "  profile {profile}: {} cells, {} trials\n",
            thousands(selected.cells.len() as u64),
            thousands(trials)
        ));
    }
    print(&out)
}
