//! What a user asks for: cells of a matrix file, or the rest of a run.
//!
//! Plain data; the command line fills it in. Must not know how arguments are spelt. Units: `Duration`.
//! Errors: [`CampaignError::Input`], every problem of the file and of the filters at once. Tests: `tests/cli_input.rs`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::claims::Set;
use crate::document::Problems;
use crate::matrix::{Baseline, Cell, Filter, Matrix, Selected, Selection};
use crate::record::format::CaptureWhen;

use super::claims::claims_for;
use super::disks;
use super::error::CampaignError;
use super::hardware::check_hardware;
use super::programs;
use super::shard::{Division, Shard};

/// Which cells of which file.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// The matrix file; `None`: `./matrix.toml` where there is one, otherwise rig's own.
    pub matrix: Option<PathBuf>,
    /// That file, where it has been read already: one that was made for this run alone. Then `matrix` says nothing.
    pub given: Option<Box<Matrix>>,
    /// The profile; `None`: what the file's `[run]` names.
    pub profile: Option<String>,
    /// `axis=value`; empty: every cell.
    pub filters: Vec<String>,
    /// Kernels of guests instead of those that the file names; paths are seen from the current folder. Empty: those of the file.
    pub kernels: Vec<String>,
    /// The kernel that cells on the others are compared with, instead of what the file says.
    pub baseline: Option<Baseline>,
    /// Trials of every cell, instead of what the file says.
    pub trials: Option<u64>,
    /// A folder with claims of the reader's own.
    pub claims: Option<PathBuf>,
}

impl Asked {
    /// Reads the file and takes the cells.
    ///
    /// # Errors
    /// [`CampaignError::Input`]
    pub fn select(&self) -> Result<(Matrix, Selected), CampaignError> {
        let (matrix, filters) = self.read()?;
        let selected = self.expand(&matrix, filters)?;
        Ok((matrix, selected))
    }

    /// The claims by which these cells are judged.
    pub(super) fn claims(&self, matrix: &Matrix, cells: &[Cell]) -> Result<Set, CampaignError> {
        claims_for(self.claims.as_deref(), matrix, cells).map_err(CampaignError::Input)
    }

    /// The file and the filters. What is wrong on the command line is said even where the file is wrong too.
    pub(super) fn read(&self) -> Result<(Matrix, Vec<Filter>), CampaignError> {
        let filters = Filter::parse_all(&self.filters);
        let matrix = match &self.given {
            Some(given) => Ok(given.as_ref().clone()),
            None => Matrix::load(self.matrix.as_deref()),
        };
        let matrix = matrix.and_then(|matrix| matrix.with_kernels(&self.kernels, Path::new(".")));
        let matrix = matrix.map(|matrix| matrix.with_baseline(self.baseline.as_ref()));
        match (filters, matrix) {
            (Ok(filters), Ok(matrix)) => Ok((matrix, filters)),
            (filters, matrix) => {
                let mut problems = Problems::default();
                filters.err().into_iter().chain(matrix.err()).for_each(|more| problems.append(more));
                Err(CampaignError::Input(problems))
            }
        }
    }

    /// The cells.
    pub(super) fn expand(&self, matrix: &Matrix, filters: Vec<Filter>) -> Result<Selected, CampaignError> {
        let selection = Selection { profile: self.profile.clone(), filters, trials: self.trials };
        let selected = matrix.select(&selection).map_err(CampaignError::Input)?;
        programs::fit(&selected.cells)?;
        disks::look(&selected.cells)?;
        let configurations = selected.cells.iter().map(|cell| &cell.subject.configuration);
        check_hardware(matrix, configurations).map_err(CampaignError::Input)?;
        self.claims(matrix, &selected.cells)?;
        Ok(selected)
    }
}

/// A new run.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its cells.
    pub asked: Asked,
    /// Only a part of them.
    pub shard: Option<Shard>,
    /// How the parts are made; the same for all of them.
    pub division: Division,
    /// Seed of the order of blocks and of every draw; `None`: drawn anew.
    pub seed: Option<u64>,
    /// Which blocks' packets are kept.
    pub capture: CaptureWhen,
    /// The plan that it keeps to, as it was written down before.
    pub lock: Option<PathBuf>,
}

/// A new run, or the rest of one.
#[derive(Debug, Clone)]
pub enum Work {
    /// A new run.
    New(Box<NewRun>),
    /// The rest of a recorded run: its id, a unique part of it, or `latest`.
    Again(String),
}

/// A campaign as it was asked for.
#[derive(Debug, Clone)]
pub struct Order {
    /// What is run.
    pub work: Work,
    /// Where runs are recorded.
    pub results: PathBuf,
    /// Stop after this long; the record is complete up to there.
    pub deadline: Option<Duration>,
    /// Whether the memory of guests is kept whose kernels panic.
    pub keep_core: bool,
    /// What ends the run besides its last block.
    pub after_void: AfterVoid,
}

/// What follows a block that is still void after all its attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterVoid {
    /// The next block.
    GoOn,
    /// The end of the run.
    Stop,
}
