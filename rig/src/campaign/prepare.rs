//! The first half of a campaign, on the host's own network: read, expand, look.
//!
//! From an order to the cells, what this host can do for them, and the images of their kernels. Must not know how a block is played.
//! Units: none. Errors: [`CampaignError`]: the input is wrong, a run cannot be resumed, an image cannot be had.
//! Tests: `tests/cli_input.rs`, `tests/netns.rs`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::agent;
use crate::configuration::Abilities;
use crate::image::Step;
use crate::matrix::{Cell, Filter, Matrix, Selected, Undecidable, WeakControl};
use crate::record::format::{CaptureWhen, CellElsewhere, CellRecord, RunLock, RunRecord};
use crate::record::{self, Reader};

use super::disks;
use super::error::CampaignError;
use super::host::abilities_for;
use super::kernels::{Kernels, kernels_of};
use super::lock::{draw_seed, follow};
use super::order::{NewRun, Order, Work};
use super::programs;
use super::shard::{Division, Shard};

/// What an order names, read from disk.
pub(super) enum Source {
    /// A matrix file, with the filters.
    File { matrix: Box<Matrix>, filters: Vec<Filter>, asked: Box<NewRun>, lock: Option<RunLock> },
    /// A recorded run.
    Run { run_dir: PathBuf, old: Box<RunRecord> },
}

/// What is known of a run before this host was looked at.
pub(super) struct Expanded {
    /// Every cell. Those that a recorded run skipped say why.
    pub(super) cells: Vec<CellRecord>,
    /// The file that asks for them; none where a recorded one cannot be read again (a scenario file of the user's is gone).
    pub(super) matrix: Option<Matrix>,
    /// Whether it begins or goes on.
    pub(super) begin: Begin,
}

impl Expanded {
    /// Controls of a new run that cannot prove anything with so few trials.
    pub(super) fn weak_controls(&self) -> &[WeakControl] {
        match &self.begin {
            Begin::Anew { selected, .. } => &selected.weak_controls,
            Begin::Again { .. } => &[],
        }
    }

    /// Comparisons of a new run that nothing that it sees could decide.
    pub(super) fn undecidable(&self) -> &[Undecidable] {
        match &self.begin {
            Begin::Anew { selected, .. } => &selected.undecidable,
            Begin::Again { .. } => &[],
        }
    }
}

/// How a run begins.
pub(super) enum Begin {
    /// From its first block.
    Anew {
        selected: Box<Selected>,
        seed: u64,
        capture: CaptureWhen,
        shard: Option<Shard>,
        claims: BTreeMap<String, String>,
        lock: Option<RunLock>,
        whole: WholePlan,
    },
    /// Where it was left.
    Again { run_dir: PathBuf, old: Box<RunRecord> },
}

/// The plan that a run is a part of.
pub(super) struct WholePlan {
    /// SHA-256 of all its cells.
    pub(super) all_sha256: [u8; 32],
    /// Those that only other shards play.
    pub(super) elsewhere: Vec<CellElsewhere>,
}

/// The same cells in the same order have the same digest.
fn digest_of(cells: &[Cell]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for cell in cells {
        digest.update(serde_json::to_vec(cell).expect("plain data with string keys"));
        digest.update(b"\n");
    }
    digest.finalize().into()
}

/// The plan as it is divided.
fn digest_with(cells: [u8; 32], division: &Division) -> [u8; 32] {
    if *division == Division::default() {
        return cells;
    }
    Sha256::new().chain_update(cells).chain_update(format!("{division:?}")).finalize().into()
}

/// A run whose images are there, and whose enclosure is not yet.
pub(super) struct Prepared {
    pub(super) run: Expanded,
    pub(super) abilities: Abilities,
    pub(super) kernels: Kernels,
}

/// Reads what the order names.
pub(super) fn read(order: &Order) -> Result<Source, CampaignError> {
    match &order.work {
        Work::New(asked) => {
            let mut asked = asked.as_ref().clone();
            let lock = asked.lock.take().map(|path| follow(&path, &mut asked)).transpose()?;
            let (matrix, filters) = asked.asked.read()?;
            Ok(Source::File { matrix: Box::new(matrix), filters, asked: Box::new(asked), lock })
        }
        Work::Again(run) => {
            let run_dir = record::find_to_resume(&order.results, run)?;
            let old = Reader::open_to_resume(&run_dir)?;
            if old.agent_build_id != agent::build_id() {
                return Err(CampaignError::OtherAgent { run: old.id });
            }
            Ok(Source::Run { run_dir, old: Box::new(old) })
        }
    }
}

/// The cells of the run.
pub(super) fn expand(source: Source) -> Result<Expanded, CampaignError> {
    match source {
        Source::File { matrix, filters, asked, lock } => {
            let mut selected = asked.asked.expand(&matrix, filters)?;
            let claims = asked.asked.claims(&matrix, &selected.cells)?.files().clone();
            let cells = std::mem::take(&mut selected.cells);
            let mut all_sha256 = digest_of(&cells);
            let (cells, elsewhere) = match asked.shard {
                Some(shard) => {
                    // Shards that divide otherwise are no shards of one plan.
                    all_sha256 = digest_with(all_sha256, &asked.division);
                    let division = asked.division.with(selected.settings.baseline.as_ref());
                    shard.divide(cells, &division).map_err(CampaignError::Input)?
                }
                None => (cells, Vec::new()),
            };
            let cells =
                cells.into_iter().map(|cell| CellRecord { cell, skipped: None, lack: None }).collect();
            let seed = asked.seed.unwrap_or_else(draw_seed);
            let NewRun { capture, shard, .. } = *asked;
            let selected = Box::new(selected);
            let whole = WholePlan { all_sha256, elsewhere };
            let begin = Begin::Anew { selected, seed, capture, shard, claims, lock, whole };
            Ok(Expanded { cells, matrix: Some(*matrix), begin })
        }
        Source::Run { run_dir, old } => {
            let name = format!("matrix.toml of run {}", old.id);
            let matrix = Matrix::parse(&name, &old.matrix, Path::new(".")).ok();
            Ok(Expanded { cells: old.cells.clone(), matrix, begin: Begin::Again { run_dir, old } })
        }
    }
}

/// What this host can do for the cells, and the images of their kernels, built where they are missing.
pub(super) fn look(run: Expanded, tell: &mut dyn FnMut(&str, &Step)) -> Result<Prepared, CampaignError> {
    let abilities = abilities_for(run.cells.iter().map(|cell| &cell.cell));
    let played = || run.cells.iter().filter(|cell| cell.skipped.is_none()).map(|cell| &cell.cell);
    programs::unchanged(played())?;
    let wanted = kernels_of(played(), &abilities);
    let (kernels, disks) = match &run.begin {
        Begin::Anew { .. } => (Kernels::supply(wanted, tell)?, disks::open(played())?),
        Begin::Again { old, .. } => (Kernels::of_run(old, wanted, tell)?, disks::of_run(old, played())?),
    };
    let kernels = kernels.with(disks);
    Ok(Prepared { run, abilities, kernels })
}
