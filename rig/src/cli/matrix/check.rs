//! `rig matrix check`

use std::path::PathBuf;

use super::plan::refuse_unknown_kernels;
use crate::analysis::words::count as thousands;
use crate::campaign::{check_hardware, claims_for};
use crate::cli::output::print;
use crate::cli::streams::{self, Weight};
use crate::cli::{Exit, Failure};
use crate::document::Problems;
use crate::image::Recipes;
use crate::matrix::{Matrix, Selection, is_kernel_path};

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
    check_hardware(&matrix, matrix.configurations()).map_err(Failure::input)?;
    matrix
        .verify_kernels(&recipes.guests(), |word| is_kernel_path(word) || recipes.has(word))
        .map_err(Failure::input)?;
    let mut out = format!("{}: valid\n", matrix.name());
    let profiles: Vec<Option<&str>> = match matrix.profile_names().map(Some).collect::<Vec<_>>() {
        none if none.is_empty() => vec![None],
        profiles => profiles,
    };
    let mut refused = Vec::new();
    for profile in profiles {
        let selection = Selection { profile: profile.map(str::to_owned), ..Selection::default() };
        let selected = matrix.select(&selection).map_err(Failure::input)?;
        refuse_unknown_kernels(&selected.cells)?;
        claims_for(arguments.claims.as_deref(), &matrix, &selected.cells).map_err(Failure::input)?;
        for told in &selected.undecidable {
            if told.headline {
                let of = profile.map(|name| format!("profile {name}: ")).unwrap_or_default();
                streams::log(Weight::Warning, format_args!("{of}{told}"));
            } else {
                refused.push(matrix.refuse(&selected.profile, told));
            }
        }
        let trials: u64 = selected.cells.iter().map(|cell| cell.trials).sum();
        let (cells, trials) = (thousands(selected.cells.len() as u64), thousands(trials));
        profile.iter().for_each(|name| {
            out.push_str(&format!("  profile {name}: {cells} cells, {trials} trials\n"));
        });
    }
    if !refused.is_empty() {
        return Err(Failure::input(Problems::new(refused)));
    }
    print(&out)
}
