//! `rig scenario run`: one scenario on this host, at once, without a record: for the person who writes it.
//!
//! The same player as a bare-metal block of `rig matrix run`, in the same network; only nothing is compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rig_protocol::{Lane, Returned, Tally, TrialRecord};
use rig_stats::Confidence;

use super::parameters::resolve;
use crate::analysis::judge_outcomes;
use crate::analysis::model::Expectation;
use crate::analysis::words::{Rounding, about_time, count as thousands, percent};
use crate::campaign::{Once, play_once};
use crate::cli::output::print;
use crate::cli::{Exit, Failure, number};
use crate::configuration::{Configuration, TargetSpec};
use crate::document::hint;
use crate::matrix::{Cell, HOST_KERNEL, Matrix, PathFile, Settings, Subject, own_pace};
use crate::path::{PathCounter, PathSpec};
use crate::record::format::{BlockId, BlockRecord, BlockStatus, PathRecord, PlannedBlock};
use crate::runner::Attempt;
use crate::script::{Catalogue, Resolved as ResolvedScript, Scenario, describe_step};

/// Arguments of `rig scenario run`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Its name, or the path of a file of your own
    scenario: String,
    /// Values of parameters instead of their defaults
    #[arg(value_name = "PARAMETER=VALUE")]
    parameters: Vec<String>,
    /// What lies between client and peer: a path of the matrix file (default: a plain link)
    #[arg(long, value_name = "NAME")]
    path: Option<String>,
    /// Where that path is declared (default: ./matrix.toml, or rig's own)
    #[arg(long, value_name = "FILE", requires = "path")]
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
}

pub(in crate::cli) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let scenario = Catalogue::embedded().find(&arguments.scenario, Path::new("")).map_err(Failure::input)?;
    let (given, resolved) = resolve(&scenario, &arguments.parameters)?;
    let seed = arguments.seed.unwrap_or_else(|| ChaCha8Rng::from_os_rng().next_u64());
    let path = match &arguments.path {
        Some(name) => named_path(name, arguments.matrix.as_deref())?,
        None => PathSpec::plain("direct", 1500),
    };
    let attempt = attempt(&arguments, &scenario, scenario.complete(&given), path, resolved, seed);
    let Once { record, trials } = play_once(attempt.clone(), arguments.examples)?;
    let judged = judge(&attempt, &record);
    print(&describe(&attempt, &record, &trials, &judged))?;
    Ok(match record.status {
        BlockStatus::Complete if judged.iter().any(|(_, of)| of.is_alert()) => Exit::Alert,
        BlockStatus::Complete if record.tally.trials == arguments.trials => Exit::Done,
        BlockStatus::Complete | BlockStatus::Void { .. } | BlockStatus::Aborted { .. } => Exit::Short,
    })
}

/// The outcomes of the client and of the peer beside those that the scenario expects, by the tolerance and confidence of a run that declares none.
fn judge(attempt: &Attempt, record: &BlockRecord) -> Vec<(&'static str, Expectation)> {
    let Settings { tolerance, confidence, .. } = Settings::default();
    let confidence = Confidence::new(confidence).expect("the default is a confidence");
    let script = &attempt.cell.subject.script;
    let of =
        |expected: &[String], tally: &Tally| judge_outcomes(expected, tally, Some(tolerance), confidence);
    let client = of(&script.expect, &record.tally).map(|of| ("", of));
    let peer = of(&script.expect_peer, &record.peer_tally).map(|of| ("at the peer ", of));
    client.into_iter().chain(peer).collect()
}

/// `UNEXPECTED: 100 of 100 trials ended otherwise ...`, or that all are as expected.
fn describe_expectation(who: &str, of: &Expectation) -> String {
    if of.n == 0 {
        return String::new();
    }
    let bounds = format!(
        "{}, between {} and {}; tolerated is {}",
        percent(of.share, Rounding::Nearest),
        percent(of.low, Rounding::Down),
        percent(of.high, Rounding::Up),
        percent(of.tolerance.unwrap_or(0.0), Rounding::Nearest)
    );
    match of.unexpected {
        0 => format!(
            "as expected: {who}all of {} trials; of many more at most {} would end otherwise ({} are tolerated)\n",
            thousands(of.n),
            percent(of.high, Rounding::Up),
            percent(of.tolerance.unwrap_or(0.0), Rounding::Nearest)
        ),
        _ if of.is_alert() => format!("UNEXPECTED: {who}{}; {bounds}\n", of.words()),
        _ => format!("within tolerance: {who}{}; {bounds}\n", of.words()),
    }
}

fn named_path(name: &str, matrix: Option<&Path>) -> Result<PathSpec, Failure> {
    let PathFile { name: file, paths } = Matrix::load_paths(matrix).map_err(Failure::input)?;
    let found = paths.iter().find(|path| path.name == name).cloned();
    found.ok_or_else(|| {
        let help = hint(name, paths.iter().map(|path| path.name.as_str()), "the paths of that file");
        Failure::say(Exit::Input, format!("{file} declares no path `{name}`"), help)
    })
}

fn attempt(
    arguments: &Arguments,
    scenario: &Scenario,
    parameters: BTreeMap<String, String>,
    path: PathSpec,
    resolved: ResolvedScript,
    seed: u64,
) -> Attempt {
    let in_flight = arguments.in_flight.unwrap_or_else(|| own_pace(&resolved.script));
    let subject = Subject {
        scenario: scenario.name.clone(),
        parameters,
        configuration: Configuration { name: "bare-metal".to_owned(), target: TargetSpec::plain_host() },
        kernel: HOST_KERNEL.to_owned(),
        path,
        script: Arc::new(resolved.script),
    };
    let cell = Cell {
        title: scenario.title.clone(),
        claims: scenario.claims.clone(),
        alert: false,
        trials: arguments.trials,
        in_flight,
        proof: scenario.proof.clone(),
        ..Cell::of(subject)
    };
    let block = PlannedBlock {
        id: BlockId::of(&cell.id, None, 0),
        cell: cell.id.clone(),
        index: 0,
        seed,
        trials: arguments.trials,
    };
    Attempt { cell, block, attempt: 1 }
}

/// Counts, then the trials that were kept, one line per step.
fn describe(
    attempt: &Attempt,
    record: &BlockRecord,
    trials: &[TrialRecord],
    judged: &[(&'static str, Expectation)],
) -> String {
    let tally = &record.tally;
    let mut out = format!(
        "{}  seed {}\n{} trials, {} void, {} anomalies, {:.1} s\n",
        attempt.cell.describe(),
        attempt.block.seed,
        thousands(tally.trials),
        thousands(tally.void()),
        thousands(tally.anomalies),
        record.elapsed_ns as f64 / 1e9,
    );
    if let BlockStatus::Void { reason } = &record.status {
        out.push_str(&format!("VOID: {reason}\n"));
    }
    describe_path(&mut out, &record.path);
    let state = |(state, count): (&u8, &u64)| (rig_protocol::TcpState(*state).name().to_owned(), *count);
    let returned = |(returned, count): (&Returned, &u64)| (returned.to_string(), *count);
    for (title, counts) in [
        ("verdict call returned", tally.returns.iter().map(returned).collect()),
        ("outcome", tally.outcomes.clone()),
        ("TCP state before the call", tally.state_before.iter().map(state).collect()),
        ("void because of", tally.voids.clone()),
    ] {
        if !counts.is_empty() {
            out.push_str(&format!("{title}\n"));
        }
        for (label, count) in counts {
            out.push_str(&format!("  {:>9}  {label}\n", thousands(count)));
        }
    }
    judged.iter().for_each(|(who, of)| out.push_str(&describe_expectation(who, of)));
    for (name, histogram) in &tally.latency {
        let quantile = |q: f64| about_time(histogram.quantile(q));
        out.push_str(&format!(
            "{name}: median about {}, 99 % within about {}, longest {:.3} ms\n",
            quantile(0.5),
            quantile(0.99),
            histogram.max as f64 / 1e6
        ));
    }
    let lanes = &attempt.cell.subject.script.lanes;
    trials.iter().for_each(|trial| out.push_str(&describe_trial(attempt, lanes, trial)));
    out
}

/// What lay on the way, what it did, and whether it was late itself.
fn describe_path(out: &mut String, path: &PathRecord) {
    if !path.mechanisms.is_empty() {
        out.push_str(&format!("on the way: {}\n", path.mechanisms.join("; ")));
        let acted = path.counters.iter().filter(|(name, n)| **n > 0 || PathCounter::is_of_rule(name));
        for (name, n) in acted {
            out.push_str(&format!("  {:>9}  {name}\n", thousands(*n)));
        }
    }
    let late = path.counters.iter().filter(|(name, n)| name.ends_with("late.over_10ms") && **n > 0);
    let late: u64 = late.map(|(_, n)| *n).sum();
    if late > 0 {
        out.push_str(&format!(
            "the path itself was late: {} frames left more than 10 ms after they should have; lower --in-flight, or free the host\n",
            thousands(late)
        ));
    }
}

fn describe_trial(attempt: &Attempt, lanes: &[Lane], trial: &TrialRecord) -> String {
    let begin = trial.steps.iter().map(|step| step.begin_ns).min().unwrap_or(0);
    let mut out =
        format!("\ntrial {}: {}{}\n", trial.trial, if trial.void { "void: " } else { "" }, trial.outcome);
    for log in &trial.steps {
        let lane = &lanes[usize::from(log.lane)];
        let step = &lane.steps[usize::from(log.step)];
        let returned = match log.errno() {
            None if log.cut => "cut".to_owned(),
            Some(errno) => format!("-1 {errno}"),
            None => log.returned.to_string(),
        };
        out.push_str(&format!(
            "  {:>10.3} ms  {:<8} {:<44} = {returned}  ({:.3} ms)\n",
            log.begin_ns.saturating_sub(begin) as f64 / 1e6,
            lane.name,
            describe_step(&attempt.cell.subject.script, step),
            log.end_ns.saturating_sub(log.begin_ns) as f64 / 1e6,
        ));
    }
    out
}
