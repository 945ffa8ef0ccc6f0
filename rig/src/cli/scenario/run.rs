//! `rig scenario run`: one scenario, at once and without a record, on this host or in one guest: for the person who writes it.
//!
//! Holds its arguments and its flow; played as a block of `rig matrix run` is (`campaign/once.rs`), only nothing is compared. Must not render.
//! Units: as users type them. Errors: [`Failure`]. Tests: `tests/trouble/alone.rs`, `tests/guest/alone.rs`.

mod packets;
pub(in crate::cli) mod place;
pub(in crate::cli) mod watch;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ArgGroup;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rig_stats::Confidence;

use super::parameters::resolve;
use crate::analysis::model::{LaneText, ScenarioRun, ScenarioStatus};
use crate::analysis::{Played, sum_up};
use crate::campaign::{Alone, Once, play_once};
use crate::cli::image::Format;
use crate::cli::output::print;
use crate::cli::{Exit, Failure, called, number, width};
use crate::clock;
use crate::matrix::{Cell, Packer, Settings, Subject, own_pace};
use crate::path::PathSpec;
use crate::record::format::{BlockId, CaptureWhen, KeptTrial};
use crate::report::{Page, scenario_json, scenario_text};
use crate::runner::Attempt;
use crate::script::{Catalogue, Resolved as ResolvedScript, Scenario, describe_lane};
use place::Place;

/// Arguments of `rig scenario run`.
#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("declared").args(["path", "configuration"]).multiple(true))]
pub(in crate::cli) struct Arguments {
    /// Its name, or the path of a file of your own
    scenario: String,
    /// Values of parameters instead of their defaults
    #[arg(value_name = "PARAMETER=VALUE")]
    parameters: Vec<String>,
    /// Where the client's kernel runs: a configuration of the matrix file, `virtio-tap` for instance; its guest is booted for it
    /// [default: this host, as `bare-metal`]
    #[arg(long, value_name = "NAME")]
    configuration: Option<String>,
    /// The guest's kernel: an image of `rig image list`, an exact version, or the path of your own (`./linux`) [default: the first that the matrix file names]
    #[arg(long, value_name = "NAME", requires = "configuration")]
    kernel: Option<String>,
    /// What lies between client and peer: a path of the matrix file [default: a plain link]
    #[arg(long, value_name = "NAME")]
    path: Option<String>,
    /// Where configuration and path are declared [default: ./matrix.toml where there is one, otherwise rig's own]
    #[arg(long, value_name = "FILE", requires = "declared")]
    matrix: Option<PathBuf>,
    /// How many trials
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = number::trials, allow_negative_numbers = true)]
    trials: u64,
    /// How many at once [default: as many as in a matrix: what the scenario's own waits call for]
    #[arg(long, value_name = "N", value_parser = number::in_flight, allow_negative_numbers = true)]
    in_flight: Option<u32>,
    /// Seed of every draw (default: drawn anew)
    #[arg(long, value_name = "S", value_parser = number::seed, allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Show this many trials of each outcome step by step
    #[arg(long, value_name = "K", default_value_t = 1, value_parser = number::examples, allow_negative_numbers = true)]
    examples: u32,
    /// Write the packets into this folder, a pcapng file for each end of the path, each packet with the name of its trial
    #[arg(long, value_name = "FOLDER")]
    capture: Option<PathBuf>,
    /// Keep the guest's memory where its kernel panics: a file that crash(8) opens, with the line to type
    #[arg(long)]
    keep_core: bool,
    /// How to print
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(in crate::cli) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let scenario = Catalogue::embedded().find(&arguments.scenario, Path::new("")).map_err(Failure::input)?;
    let (given, mut resolved) = resolve(&scenario, &arguments.parameters)?;
    let parameters = scenario.complete(&given);
    Packer::default().pack(&scenario, &parameters, &mut resolved.script).map_err(Failure::input)?;
    let matrix = arguments.matrix.as_deref();
    let place = place::choose(arguments.configuration.as_deref(), arguments.kernel.as_deref(), matrix)?;
    let path = place::path(arguments.path.as_deref(), matrix)?;
    let attempt = attempt(&arguments, &scenario, parameters, place, path, resolved);
    if let Some(folder) = &arguments.capture {
        packets::prepare(folder, &attempt.cell)?;
    }
    let mut person = watch::Person::of(&attempt.cell);
    let played = play_once(alone(&arguments, attempt.clone()), &mut person)?;
    let run = summarise(&arguments, &attempt, played)?;
    print(&match arguments.format {
        Format::Json => scenario_json(&run),
        Format::Text => text(&arguments, &attempt.cell, &run),
    })?;
    Ok(match run.status {
        ScenarioStatus::Void => Exit::Short,
        ScenarioStatus::Complete | ScenarioStatus::Short if run.is_unexpected() => Exit::Alert,
        ScenarioStatus::Complete => Exit::Done,
        ScenarioStatus::Short => Exit::Short,
    })
}

fn alone(arguments: &Arguments, attempt: Attempt) -> Alone {
    let (keep, capture) = match arguments.capture {
        Some(_) => (packets::named(arguments.trials).max(arguments.examples), CaptureWhen::Always),
        None => (arguments.examples, CaptureWhen::Never),
    };
    Alone { attempt, keep, capture, keep_core: arguments.keep_core, keep_guest: false }
}

fn attempt(
    arguments: &Arguments,
    scenario: &Scenario,
    parameters: BTreeMap<String, String>,
    place: Place,
    path: PathSpec,
    resolved: ResolvedScript,
) -> Attempt {
    let in_flight =
        arguments.in_flight.unwrap_or_else(|| own_pace(&resolved.script, &place.machine.configuration));
    let Place { machine, kernel, kernel_at } = place;
    let subject = Subject {
        scenario: scenario.name.clone(),
        parameters,
        configuration: machine.configuration,
        kernel,
        kernel_at,
        path,
        machine: None,
        script: Arc::new(resolved.script),
    };
    let cell = Cell {
        title: scenario.title.clone(),
        claims: scenario.claims.clone(),
        alert: false,
        known: machine.known,
        trials: arguments.trials,
        in_flight,
        proof: scenario.proof.clone(),
        ..Cell::of(subject)
    };
    let seed = arguments.seed.unwrap_or_else(|| ChaCha8Rng::from_os_rng().next_u64());
    Attempt::alone(BlockId::of(&cell.id, None, 0), cell, seed, arguments.trials)
}

/// What was played, by the tolerance and confidence of a run that declares none. Packets are on disk then.
fn summarise(arguments: &Arguments, attempt: &Attempt, played: Once) -> Result<ScenarioRun, Failure> {
    let Once { record, trials, accelerator, packets, console } = played;
    let Settings { tolerance, confidence, .. } = Settings::default();
    let mut run = sum_up(Played {
        cell: &attempt.cell,
        seed: attempt.block.seed,
        record: &record,
        trials: &trials,
        tolerance,
        confidence: Confidence::new(confidence).expect("the default is a confidence"),
        rehearsed: clock::is_rehearsed(),
    });
    let script = &attempt.cell.subject.script;
    let lanes = script
        .lanes
        .iter()
        .map(|lane| LaneText { name: lane.name.clone(), steps: describe_lane(script, lane) });
    run.lanes = lanes.collect();
    run.accelerator_reason = accelerator.map(|resolved| resolved.reason).unwrap_or_default();
    run.console = console.map(|file| file.display().to_string());
    if let Some(folder) = &arguments.capture {
        let files = packets::write(folder, &attempt.cell, &record, &packets)?;
        run.captures = files.into_iter().map(|file| file.display().to_string()).collect();
    }
    run.kept = first_of_each(run.kept, arguments.examples);
    Ok(run)
}

/// The first so many trials of each outcome: for their packets more may have been kept.
fn first_of_each(kept: Vec<KeptTrial>, examples: u32) -> Vec<KeptTrial> {
    let mut seen: BTreeMap<(bool, String), u32> = BTreeMap::new();
    let wanted = |trial: &KeptTrial| {
        let so_far = seen.entry((trial.void, trial.outcome.clone())).or_default();
        *so_far += 1;
        *so_far <= examples
    };
    kept.into_iter().filter(wanted).collect()
}

fn text(arguments: &Arguments, cell: &Cell, run: &ScenarioRun) -> String {
    let mut text = scenario_text(run, Page::new(width::for_text(), called::worded));
    if arguments.capture.is_some() {
        text.push_str(&packets::describe(cell, &run.captures));
    }
    text
}
