//! `rig replay`: plays a block of a recorded run again, with its script, seed and hardware, and says whether it happened again.
//!
//! Holds which block is meant. Must not render. Units: trials. Errors: [`Failure`]. Tests: `tests/trouble/replay.rs`, `tests/guest/alone.rs`.

use std::path::PathBuf;

use rig_protocol::TrialRecord;

use super::image::Format;
use super::output::print;
use super::scenario::watch::Person;
use super::streams::progress;
use super::{Exit, Failure, called, guest, width};
use crate::analysis::model::Replay;
use crate::analysis::{Sides, replayed};
use crate::campaign::{Alone, Inspected, Once, play_once_and};
use crate::matrix::{Cell, shares_boot};
use crate::record::format::{BlockRecord, BlockStatus, CaptureWhen, PlannedBlock};
use crate::record::{self, Reader, Run};
use crate::report::{Page, replay_json, replay_text};
use crate::runner::Attempt;

/// So many trials of each outcome are kept whole, so that the one that is asked for is among them.
const KEEP: u32 = 2_000;

/// So many names are given to who named none.
const NAMED: usize = 8;

/// Arguments of `rig replay`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// `latest`, a run's id, a unique part of one, a path to a run's folder, its page, or its file
    run: String,
    /// A cell's id, or a part of it that begins it; or the name of one of its blocks. Of a cell, the first block with something unexpected is played
    #[arg(value_name = "CELL")]
    which: String,
    /// A trial of that block that was kept whole: its outcome is what is looked for
    trial: Option<u64>,
    /// The folder of the runs
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Keep the guest when the block has been played, and open a root shell in it
    #[arg(long, conflicts_with = "format")]
    keep_guest: bool,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// With --keep-guest: run this in the guest instead of a shell; its input and output are passed on
    #[arg(last = true, value_name = "COMMAND", requires = "keep_guest")]
    command: Vec<String>,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let found = record::find(&arguments.results, &arguments.run)?;
    let run = Reader::open(found.dir())?;
    let (cell, block) = meant(&run, &arguments.which)?;
    let then = recorded(&run, block)?;
    let wanted = arguments.trial.map(|trial| kept(&run, then, trial)).transpose()?;
    if arguments.keep_guest {
        can_be_kept(cell)?;
    }
    let attempt = Attempt::alone(block.id.clone(), cell.clone(), block.seed, block.trials);
    let mut person = Person::of(cell);
    let alone = Alone {
        attempt,
        keep: KEEP,
        capture: CaptureWhen::Never,
        keep_core: false,
        keep_guest: arguments.keep_guest,
    };
    play_once_and(alone, &mut person, async |once, kept| {
        let Once { record: now, trials, .. } = &once;
        let wanted = wanted.as_ref();
        let end = tell(&arguments, &replayed(Sides { run: &run, cell, block, then, now, trials, wanted }))?;
        if arguments.keep_guest {
            look(cell, kept, &arguments.command).await?;
        }
        Ok(end)
    })?
}

/// Prints it, and gives what it means for a script.
fn tell(arguments: &Arguments, replay: &Replay) -> Result<Exit, Failure> {
    print(&match arguments.format {
        Format::Json => replay_json(replay),
        Format::Text => replay_text(replay, Page::new(width::for_text(), called::worded)),
    })?;
    Ok(match () {
        () if !replay.void.is_empty() => Exit::Short,
        () if replay.happened_again() => Exit::Alert,
        () => Exit::Done,
    })
}

fn can_be_kept(cell: &Cell) -> Result<(), Failure> {
    let why = shares_boot(cell).err();
    why.map_or(Ok(()), |why| {
        let what = format!("the guest of cell {} cannot be kept: {why}", cell.id);
        Err(Failure::say(
            Exit::Input,
            what,
            "leave --keep-guest out; `rig guest boot` boots a guest like it, where it has one",
        ))
    })
}

/// Whatever is done in the guest, the exit code says whether it happened again.
async fn look(cell: &Cell, kept: Option<Inspected>, command: &[String]) -> Result<(), Failure> {
    match kept {
        Some(kept) => guest::visit(cell, kept, command).await.map(|_| ()),
        None => {
            progress("the guest was not kept: its block was void, or something of it was left in the guest");
            Ok(())
        }
    }
}

/// The cell and the block that the word means.
fn meant<'r>(run: &'r Run, which: &str) -> Result<(&'r Cell, &'r PlannedBlock), Failure> {
    let blocks = &run.record.blocks;
    let cell_of = |block: &PlannedBlock| {
        let cells = run.record.cells.iter().map(|record| &record.cell);
        cells.into_iter().find(|cell| cell.id == block.cell)
    };
    if let Some(block) = blocks.iter().find(|block| block.id.0 == which)
        && let Some(cell) = cell_of(block)
    {
        return Ok((cell, block));
    }
    let cells: Vec<&Cell> = run
        .record
        .cells
        .iter()
        .map(|record| &record.cell)
        .filter(|cell| !which.is_empty() && cell.id.0.starts_with(which))
        .collect();
    let cell = match cells.as_slice() {
        [one] => *one,
        [] => {
            let near = nearest(run, which);
            let what = format!("run {} has no cell or block `{which}`", run.record.id);
            return Err(Failure::say(Exit::Input, what, format!("its cells, the likeliest first:\n{near}")));
        }
        several => {
            let lines = several.iter().take(NAMED).map(|cell| line(cell)).collect::<Vec<_>>().join("\n");
            let what = format!("`{which}` begins the ids of {} cells", several.len());
            return Err(Failure::say(Exit::Input, what, format!("say which:\n{lines}")));
        }
    };
    let own = || blocks.iter().filter(|block| block.cell == cell.id);
    let strange = |block: &&PlannedBlock| {
        run.blocks.iter().any(|played| played.id == block.id && played.tally.anomalies > 0)
    };
    match own().find(strange).or_else(|| own().next()) {
        Some(block) => Ok((cell, block)),
        None => Err(Failure::say(
            Exit::Input,
            format!("cell {} of run {} was not run", cell.id, run.record.id),
            "choose a cell that has trials: `rig report` lists them",
        )),
    }
}

fn line(cell: &Cell) -> String {
    format!("{}  {}", cell.id, cell.describe())
}

fn nearest(run: &Run, which: &str) -> String {
    let mut cells: Vec<&Cell> = run.record.cells.iter().map(|record| &record.cell).collect();
    cells.sort_by_cached_key(|cell| {
        (!cell.describe().contains(which), strsim::levenshtein(which, &cell.id.0))
    });
    cells.iter().take(NAMED).map(|cell| line(cell)).collect::<Vec<_>>().join("\n")
}

/// What the run has of the block: its last complete attempt.
fn recorded<'r>(run: &'r Run, block: &PlannedBlock) -> Result<&'r BlockRecord, Failure> {
    let complete = |played: &&BlockRecord| played.id == block.id && played.status == BlockStatus::Complete;
    run.blocks.iter().rev().find(complete).ok_or_else(|| {
        let what = format!("block {} of run {} was not played to its end", block.id, run.record.id);
        Failure::say(
            Exit::Input,
            what,
            "choose another block of its cell, or play the cell with `rig matrix run`",
        )
    })
}

fn kept(run: &Run, then: &BlockRecord, wanted: u64) -> Result<TrialRecord, Failure> {
    let trials: Vec<TrialRecord> = run.trials(&then.id, then.attempt)?.map_while(Result::ok).collect();
    if let Some(trial) = trials.iter().find(|trial| trial.trial == wanted) {
        return Ok(trial.clone());
    }
    let mut strange: Vec<String> = trials
        .iter()
        .filter(|trial| trial.anomaly)
        .take(NAMED)
        .map(|trial| trial.trial.to_string())
        .collect();
    if strange.is_empty() {
        strange = trials.iter().take(NAMED).map(|trial| trial.trial.to_string()).collect();
    }
    let help = match strange.len() {
        0 => "it keeps none: leave the number out".to_owned(),
        _ => format!("it keeps, among others, {}", strange.join(", ")),
    };
    let what = format!("block {} keeps no trial {wanted}: how it ended is not known by itself", then.id);
    Err(Failure::say(Exit::Input, what, help))
}
