//! `rig matrix run`: plan, play, record, report.
//!
//! Outside the enclosure: every check of the input, and everything that needs the host's network (packages, images).
//! Inside: everything that must die with the run. It ends by rendering what lies on disk, exactly as `rig report` does.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::plan::Which;
use super::prepare::{Opened, Prepared, Shard};
use super::progress::ProgressTable;
use crate::analysis::model::CellStatus;
use crate::cli::output::print;
use crate::cli::{Exit, Failure, report, setup};
use crate::event::Event;
use crate::process;
use crate::record::format::{BlockRecord, CaptureWhen, RunRecord};
use crate::record::{RecordError, Writer};
use crate::report::Format;
use crate::runner::{Dispatcher, Laboratory, Stopper, Why};

/// Arguments of `rig matrix run`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Where runs are recorded
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Seed of the order of blocks and of every draw (default: drawn anew)
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// Only the I-th of N parts of the cells
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Go on with a run: its id, a unique part of it, or `latest`
    #[arg(long, value_name = "RUN", conflicts_with_all = ["filters", "matrix", "trials", "seed", "profile", "shard"])]
    resume: Option<String>,
    /// Keep the packets of blocks, at both ends, as pcapng files for Wireshark and tshark (default: never)
    #[arg(long, value_enum, value_name = "WHEN", conflicts_with = "resume")]
    capture: Option<Capture>,
    /// Stop after this long (`90m`, `2h`); the record is complete up to there
    #[arg(long, value_name = "TIME", value_parser = parse_deadline)]
    deadline: Option<Duration>,
    /// Install first what this host lacks, as `rig setup --yes` does
    #[arg(long)]
    setup: bool,
    /// Exit with 3 where a cell had to be skipped; shows what in the matrix file asks for what its path cannot have here
    #[arg(long)]
    deny_skips: bool,
    /// Stop after the first block that stays void
    #[arg(long)]
    fail_fast: bool,
}

/// Which blocks' packets are kept.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Capture {
    /// None; nothing is captured
    Never,
    /// Of blocks with an anomaly, other than controls
    Anomaly,
    /// Of every block
    Always,
}

impl From<Capture> for CaptureWhen {
    fn from(capture: Capture) -> Self {
        match capture {
            Capture::Never => Self::Never,
            Capture::Anomaly => Self::Anomaly,
            Capture::Always => Self::Always,
        }
    }
}

pub(in crate::cli) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    if arguments.setup {
        setup::run_unasked()?;
    }
    let prepared = match &arguments.resume {
        Some(run) => Prepared::again(&arguments.results, run)?,
        None => {
            let (matrix, selected) = arguments.which.select()?;
            let capture = arguments.capture.map_or(CaptureWhen::Never, Into::into);
            Prepared::anew(&matrix, selected, arguments.shard, arguments.seed, capture)?
        }
    };
    process::enclose().map_err(Failure::testbed)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::say(Exit::Testbed, format!("no runtime: {error}"), "see `ulimit -u`"))?;
    let result = runtime.block_on(inside(&arguments, prepared));
    // Blocking threads that still wait for a dead guest must not hold the exit up: the enclosure ends them.
    runtime.shutdown_background();
    let (run_dir, why) = result?;
    finish(&arguments, &run_dir, why)
}

async fn inside(arguments: &Arguments, prepared: Prepared) -> Result<(PathBuf, Option<Why>), Failure> {
    let Opened { laboratory, writer, run, done, unmet } = prepared.open(&arguments.results).await?;
    let run_dir = writer.dir().to_owned();
    if arguments.deny_skips {
        // Now, not at the end: who denies skips may want to stop here.
        Failure::input(unmet).show();
    }
    let why = conduct(arguments, laboratory, writer, run, done).await?;
    Ok((run_dir, why))
}

/// Plays the plan while the consumers of the spine (record, progress) take in what happens.
async fn conduct(
    arguments: &Arguments,
    laboratory: Laboratory,
    writer: Writer,
    run: RunRecord,
    done: Vec<BlockRecord>,
) -> Result<Option<Why>, Failure> {
    let (events, spine) = unbounded_channel();
    let (stopper, stop) = Stopper::new();
    watch_signals(stopper.clone());
    if let Some(deadline) = arguments.deadline {
        let stopper = stopper.clone();
        tokio::spawn(async move {
            tokio::time::sleep(deadline).await;
            stopper.stop(Why::Deadline);
        });
    }
    // The spine's first event; its receiver lives in this very function.
    let _ = events.send(Event::RunStarted { run: Box::new(run.clone()), done: done.clone() });
    let attempts = run.conduct.retries + 1;
    let dispatcher =
        Dispatcher::new(laboratory, events, (stopper.clone(), stop), attempts, arguments.fail_fast);
    let playing = tokio::spawn(async move { dispatcher.run(&run, &done).await });
    let recorded = consume(spine, writer, &stopper).await;
    let why = playing.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
    recorded.map_err(Failure::testbed)?;
    Ok(why)
}

/// A failing record stops the run; a failing progress bar never does.
async fn consume(
    mut spine: UnboundedReceiver<Event>,
    mut writer: Writer,
    stopper: &Stopper,
) -> Result<(), RecordError> {
    let mut progress = ProgressTable::new();
    let mut recorded = Ok(());
    while let Some(event) = spine.recv().await {
        if recorded.is_ok() {
            recorded = record(&mut writer, &event);
            if recorded.is_err() {
                stopper.stop(Why::RecordFailed);
            }
        }
        progress.consume(&event);
    }
    recorded
}

fn record(writer: &mut Writer, event: &Event) -> Result<(), RecordError> {
    match event {
        Event::PacketsCaptured { file, bytes, .. } => writer.capture(file, bytes),
        Event::BlockFinished { record, trials, .. } => writer.block(record, trials),
        Event::RunEnded { complete } => writer.end(*complete),
        Event::RunStarted { .. }
        | Event::BlockStarted { .. }
        | Event::BlockPhase { .. }
        | Event::BlockProgress { .. }
        | Event::Interrupted => Ok(()),
    }
}

/// The first signal asks the run to stop, the second ends it at once: the enclosure takes everything with it.
fn watch_signals(stopper: Stopper) {
    for kind in [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()] {
        let Ok(mut signals) = signal(kind) else { continue };
        let stopper = stopper.clone();
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                if stopper.has_told() {
                    std::process::exit(Exit::Interrupted as i32);
                }
                stopper.stop(Why::Interrupted);
            }
        });
    }
}

/// Renders the report from the files that were just written, and draws the conclusion.
fn finish(arguments: &Arguments, run_dir: &Path, why: Option<Why>) -> Result<Exit, Failure> {
    let model = report::write_reports(run_dir)?;
    let text = Format::TEXT.render(&model);
    print(&format!("{text}\nrecorded in {}\n", run_dir.display()))?;
    let skips = model.cells.iter().any(|cell| cell.status == CellStatus::Skipped);
    Ok(match (why, report::exit_of(&model)) {
        (Some(Why::Interrupted), _) => Exit::Interrupted,
        (Some(Why::Deadline | Why::FailFast | Why::RecordFailed), _) => Exit::Short,
        (None, Exit::Done | Exit::Alert) if skips && arguments.deny_skips => Exit::Short,
        (None, exit) => exit,
    })
}

/// `90s`, `30m`, `2h`
fn parse_deadline(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        _ => return Err("give a number and a unit: `90s`, `30m`, `2h`".to_owned()),
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(seconds))
        .filter(|seconds| *seconds > 0)
        .map(Duration::from_secs)
        .ok_or_else(|| "give a whole number over 0 and a unit: `90s`, `30m`, `2h`".to_owned())
}
