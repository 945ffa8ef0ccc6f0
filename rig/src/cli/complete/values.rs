//! The values that arguments take: of the catalogues, of ./matrix.toml or rig's own, of the folders of recipes and runs.
//!
//! Must not need root, nor say what is wrong: a matrix file that is broken counts as if it were not there. Units: none. Errors: none.
//! Tests: `tests/completions.rs`.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter as _};
use rig_protocol::{schemas, watched_calls};

use super::line::Line;
use crate::claims::Set;
use crate::cli::whole;
use crate::configuration::Lack;
use crate::docs::PAGES;
use crate::explain::Named;
use crate::image::Recipes;
use crate::matrix::{Cell, EMBEDDED, Matrix, Selection};
use crate::record;
use crate::script::{Catalogue, shipped_names};

/// A kind of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    Filters,
    Cells,
    Profiles,
    Paths,
    Configurations,
    Kernels,
    /// `kernel:` and one of them.
    Baselines,
    /// A shipped one or a file.
    Scenarios,
    /// Of the scenario that stands before them.
    Parameters,
    Runs,
    Skips,
    Errnos,
    /// Ids of the shipped claims.
    Claims,
    Topics,
    Operations,
    /// System calls that a witness watches.
    Calls,
    /// Words of rig itself.
    Commands,
    /// A known one or a file.
    Recipes,
    TomlFiles,
    Files,
    Folders,
}

/// Axes of a filter that every matrix has; parameters are more.
const AXES: [&str; 6] = ["scenario", "configuration", "kernel", "path", "claim", "control"];

impl Values {
    /// Those that begin with what is typed.
    pub(super) fn complete(self, current: &OsStr) -> Vec<CompletionCandidate> {
        let toml = |path: &Path| path.is_dir() || path.extension().is_some_and(|end| end == "toml");
        let typed = current.to_string_lossy();
        let mut found: Vec<CompletionCandidate> = self
            .words(&Line::of_process(), &typed)
            .into_iter()
            // What a shell would take apart is left to whoever types it.
            .filter(|word| {
                word.starts_with(&*typed)
                    && !word.contains(|c: char| c.is_whitespace() || "()'\"".contains(c))
            })
            .enumerate()
            .map(|(at, word)| CompletionCandidate::new(word).display_order(Some(at)))
            .collect();
        match self {
            Self::Scenarios | Self::Recipes | Self::TomlFiles => {
                found.extend(PathCompleter::any().filter(toml).complete(current));
            }
            Self::Files => found.extend(PathCompleter::any().complete(current)),
            Self::Folders => found.extend(PathCompleter::dir().complete(current)),
            Self::Runs if typed.contains('/') => found.extend(PathCompleter::dir().complete(current)),
            _ => {}
        }
        found
    }

    fn words(self, line: &Line, typed: &str) -> Vec<String> {
        match self {
            Self::Filters => filters(&cells_of_profile(&matrix(line), line), typed),
            Self::Cells if typed.contains('=') => filters(&guests(line), typed),
            Self::Cells => cells(line, typed),
            Self::Profiles => matrix(line).profile_names().map(str::to_owned).collect(),
            Self::Paths => matrix(line).paths().map(|path| path.name.clone()).collect(),
            Self::Configurations => values(&all_cells(line), "configuration"),
            Self::Kernels | Self::Recipes => Recipes::default().names(),
            Self::Baselines => {
                Recipes::default().guests().into_iter().map(|kernel| format!("kernel:{kernel}")).collect()
            }
            Self::Scenarios => shipped_names().map(str::to_owned).collect(),
            Self::Parameters => parameters(line),
            Self::Runs => runs(line),
            Self::Skips => std::iter::once("all".to_owned())
                .chain(Lack::WORDS.map(|word| format!("all-but:{word}")))
                .collect(),
            Self::Errnos => Named::all().filter_map(|named| named.name.clone()).collect(),
            Self::Claims => Set::shipped().iter().map(|claim| claim.id.clone()).collect(),
            Self::Topics => PAGES.iter().map(|page| page.topic.to_owned()).collect(),
            Self::Operations => schemas().iter().map(|schema| schema.name.to_owned()).collect(),
            Self::Calls => watched_calls().iter().map(|call| call.name.to_owned()).collect(),
            Self::Commands => commands(line),
            Self::TomlFiles | Self::Files | Self::Folders => Vec::new(),
        }
    }
}

/// The one that is named, or ./matrix.toml, or rig's own.
fn matrix(line: &Line) -> Matrix {
    let named = line.option("--matrix").map(Path::new);
    let own = || Matrix::parse("matrix.toml", EMBEDDED, Path::new(".")).expect("a test reads it");
    Matrix::load(named).unwrap_or_else(|_| own())
}

/// The cells of the profile that is named, or of the file's own.
fn cells_of_profile(matrix: &Matrix, line: &Line) -> Vec<Cell> {
    let asked = Selection { profile: line.option("--profile").map(str::to_owned), ..Selection::default() };
    let cells = matrix.cells(&asked).or_else(|_| matrix.cells(&Selection::default()));
    cells.unwrap_or_default()
}

/// The cells of all profiles.
fn all_cells(line: &Line) -> Vec<Cell> {
    let matrix = matrix(line);
    let of = |profile: &str| {
        matrix
            .cells(&Selection { profile: Some(profile.to_owned()), ..Selection::default() })
            .unwrap_or_default()
    };
    let all: Vec<Cell> = matrix.profile_names().flat_map(of).collect();
    if all.is_empty() { cells_of_profile(&matrix, line) } else { all }
}

/// `axis=`, or the values of the axis that is typed.
fn filters(cells: &[Cell], typed: &str) -> Vec<String> {
    match typed.split_once('=') {
        Some((axis, _)) => values(cells, axis).iter().map(|value| format!("{axis}={value}")).collect(),
        None => {
            let parameters: BTreeSet<&String> =
                cells.iter().flat_map(|cell| cell.subject.parameters.keys()).collect();
            let axes = AXES.into_iter().chain(parameters.iter().map(|name| name.as_str()));
            axes.map(|axis| format!("{axis}=")).collect()
        }
    }
}

/// The values of an axis, each once, in the order of the cells.
fn values(cells: &[Cell], axis: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for cell in cells {
        let subject = &cell.subject;
        let some = match axis {
            "scenario" => vec![subject.scenario.clone()],
            "configuration" => vec![subject.configuration.name.clone()],
            "kernel" => vec![subject.kernel.clone()],
            "path" => vec![subject.path.name.clone()],
            "claim" => cell.claims.clone(),
            "control" => cell.control.iter().map(|control| control.name.clone()).collect(),
            parameter => subject.parameters.get(parameter).cloned().into_iter().collect(),
        };
        for value in some {
            if !found.contains(&value) {
                found.push(value);
            }
        }
    }
    found
}

/// The cells that have a guest: of the profile that is named, or of all.
fn guests(line: &Line) -> Vec<Cell> {
    let mut cells = match line.option("--profile") {
        Some(_) => cells_of_profile(&matrix(line), line),
        None => all_cells(line),
    };
    cells.retain(|cell| !cell.is_baseline());
    cells
}

/// The axes that choose a guest; and where an id is begun, those of one cell for each guest: all of them are too many to be read.
fn cells(line: &Line, typed: &str) -> Vec<String> {
    let mut found: Vec<String> = ["configuration=", "kernel=", "path="].map(str::to_owned).into();
    let mut known = BTreeSet::new();
    for cell in guests(line).iter().filter(|_| !typed.is_empty()) {
        let subject = &cell.subject;
        if known.insert((
            subject.configuration.name.clone(),
            subject.kernel.clone(),
            subject.path.name.clone(),
        )) {
            found.push(cell.id.to_string());
        }
    }
    found
}

/// `name=` for each parameter of the scenario.
fn parameters(line: &Line) -> Vec<String> {
    let catalogue = Catalogue::embedded();
    let words = line.after("run").iter().chain(line.after("show"));
    let scenario = words.filter_map(|word| catalogue.find(word, Path::new("")).ok()).next();
    let names = scenario.into_iter().flat_map(|scenario| scenario.parameters);
    names.map(|parameter| format!("{}=", parameter.name)).collect()
}

/// The newest first.
fn runs(line: &Line) -> Vec<String> {
    let folder = line.option("--results").unwrap_or("results");
    let ids = record::list(Path::new(folder)).into_iter().rev();
    std::iter::once("latest".to_owned()).chain(ids).collect()
}

/// The commands below the words that are typed.
fn commands(line: &Line) -> Vec<String> {
    let program = whole::program();
    let mut command = &program;
    for word in line.after("man") {
        match command.find_subcommand(word) {
            Some(below) => command = below,
            None => return Vec::new(),
        }
    }
    command.get_subcommands().map(|below| below.get_name().to_owned()).collect()
}
