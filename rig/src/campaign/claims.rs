//! The claims that a run is judged by: the shipped ones and those of a folder of the reader's.
//!
//! Holds their check against the scenarios of the run. Must not judge. Units: none.
//! Errors: problems of the claims' files, and of scenarios that name what is no claim. Tests: `tests/cli_input.rs`, `tests/netns.rs`.

use std::collections::BTreeSet;
use std::path::Path;

use crate::claims::Set;
use crate::document::{Problem, Problems};
use crate::matrix::{Cell, Matrix};
use crate::script::{Catalogue, Scenario};

/// Reads the folder, or the one that the matrix names, and checks its claims and what these cells name.
///
/// # Errors
/// All problems of the files; every id that a scenario names and no claim has.
pub fn claims_for(folder: Option<&Path>, matrix: &Matrix, cells: &[Cell]) -> Result<Set, Problems> {
    let folder = folder.or_else(|| matrix.claims_folder());
    let set = folder.map_or_else(|| Ok(Set::shipped()), Set::with_folder)?;
    let names: BTreeSet<&str> = cells.iter().map(|cell| cell.subject.scenario.as_str()).collect();
    let mut scenarios: Vec<Scenario> =
        names.iter().filter_map(|name| matrix.scenario(name)).cloned().collect();
    let mut problems = Problems::default();
    for scenario in &scenarios {
        for id in scenario.claims.iter().filter(|id| set.get(id).is_none()) {
            let message =
                format!("scenario `{}` names claim `{id}`, and there is no such claim", scenario.name);
            let mut problem = Problem::new(message);
            problem.help(set.nearest(id));
            problems.append(problem.into());
        }
    }
    let shipped = Catalogue::embedded();
    scenarios.extend(shipped.iter().filter(|one| !names.contains(one.name.as_str())).cloned());
    if let Err(wrong) = set.check(&scenarios) {
        problems.append(wrong);
    }
    if problems.is_empty() { Ok(set) } else { Err(problems) }
}
