//! `rig matrix plan`

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use serde_json::{Value as Json, json};

use super::sharding::Sharding;
use super::time::minutes;
use crate::analysis::words::count as thousands;
use crate::campaign::{self, Asked, Shard, abilities_for, known_accelerator, lack};
use crate::cli::output::print;
use crate::cli::{Exit, Failure, called, fresh, number, width};
use crate::configuration::{self, Abilities, Accelerator, Lack, Resolved};
use crate::engine::Engine;
use crate::image::check_kernel;
use crate::matrix::{
    Baseline, Cell, HOST_KERNEL, Matrix, Plan, PlannedPower, Selected, Settings, Stratum, Undecidable,
    Wanted, WeakControl, kernel_pairs,
};
use crate::record;
use crate::report::{Align, Page, Table};

/// Which cells of which file: shared by the commands that take a FILTER.
#[derive(Debug, Clone, Default, clap::Args)]
pub(in crate::cli) struct Which {
    /// Take only cells with this value: axis=value, globs allowed. The axes are scenario, configuration, kernel, path, claim,
    /// control and every parameter. Of several filters on one axis a cell must match one, on different axes all
    #[arg(value_name = "FILTER")]
    filters: Vec<String>,
    /// The matrix file [default: ./matrix.toml where there is one, otherwise rig's own]
    #[arg(long, value_name = "FILE")]
    matrix: Option<PathBuf>,
    /// The profile of the matrix file [default: the one that its [run] names]
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// A kernel of the guests, instead of those that the matrix file names: an image, an exact version, or the path of your own (`./linux`).
    /// May be given several times
    #[arg(long, value_name = "KERNEL")]
    kernel: Vec<String>,
    /// Compare the cells on the other kernels with those on this one too, `kernel:6.1`: each with the cell that differs in the kernel only
    #[arg(long, value_name = "kernel:KERNEL", value_parser = Baseline::from_str)]
    baseline: Option<Baseline>,
    /// Trials per cell, instead of the number in the matrix file
    #[arg(long, value_name = "N", value_parser = number::trials, allow_negative_numbers = true)]
    trials: Option<u64>,
    /// A folder with claims of your own, one file `ID.toml` each; they go into the record
    #[arg(long, value_name = "DIR")]
    claims: Option<PathBuf>,
}

impl From<Which> for Asked {
    fn from(which: Which) -> Self {
        let Which { filters, matrix, profile, kernel: kernels, baseline, trials, claims } = which;
        Self { matrix, profile, filters, kernels, baseline, trials, given: None, claims }
    }
}

/// How a plan is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A table for people
    #[default]
    Text,
    /// For programs
    Json,
    /// A script that submits a job array of Slurm and a job that joins its runs; with --shards
    Slurm,
    /// The matrix of a GitHub Actions workflow, for `fromJSON`; with --shards
    Github,
    /// A job with `parallel:matrix` for a GitLab pipeline; with --shards
    Gitlab,
    /// An Indexed Job of Kubernetes; with --shards
    Kubernetes,
}

impl Format {
    /// Who plays the shards.
    fn engine(self) -> Option<Engine> {
        match self {
            Self::Text | Self::Json => None,
            Self::Slurm => Some(Engine::Slurm),
            Self::Github => Some(Engine::Github),
            Self::Gitlab => Some(Engine::Gitlab),
            Self::Kubernetes => Some(Engine::Kubernetes),
        }
    }
}

/// Arguments of `rig matrix plan`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    sharding: Sharding,
    /// For the formats of engines: how many shards there are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), group = "division", conflicts_with_all = ["power", "lock"])]
    shards: Option<u32>,
    /// For the formats of engines: the seed of all shards [default: a new one]
    #[arg(long, value_name = "S", value_parser = number::seed, allow_negative_numbers = true, requires = "shards")]
    seed: Option<u64>,
    /// Show what the comparisons can show: the smallest rise, whether "the same" can be shown, the bounds where nothing is seen
    #[arg(long)]
    power: bool,
    /// With --power: tell what it takes to bound a rate by this where nothing is seen, a share (`1e-4`) or per cent (`0.01%`) [default: the margin]
    #[arg(long, value_name = "RATE", value_parser = number::share, requires = "power")]
    bound: Option<f64>,
    /// With --power: tell how large a run must be to show that an errno that was seen at this rate is gone
    #[arg(long, value_name = "RATE", value_parser = number::share, requires = "power")]
    fix: Option<f64>,
    /// Write the plan down before it is played: cells, trials, blocks, margins and a seed, with digests. `rig matrix run --lock FILE` keeps to it
    #[arg(long, value_name = "FILE", conflicts_with = "shard")]
    lock: Option<PathBuf>,
    /// Plan for a host that can do everything, instead of for this one
    #[arg(long)]
    any_host: bool,
}

/// What this machine can do, as far as a plan needs to know it.
pub(in crate::cli) struct Host<'a> {
    /// Why a cell cannot be run here.
    pub(in crate::cli) reason: &'a dyn Fn(&Cell) -> Option<Lack>,
    /// What the accelerator `auto` stands for.
    pub(in crate::cli) auto: Accelerator,
}

/// What is shown of a plan, and how.
#[derive(Debug, Clone, Copy, Default)]
struct Shown {
    format: Format,
    shard: Option<Shard>,
    power: Option<Wanted>,
}

pub(in crate::cli) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let asked = Asked::from(arguments.which);
    let (matrix, mut selected) = asked.select()?;
    refuse_unknown_kernels(&selected.cells)?;
    match (arguments.format.engine(), arguments.shards) {
        (Some(engine), Some(shards)) => {
            return print(&super::shards::render(
                &asked,
                selected,
                engine,
                shards,
                arguments.seed,
                &arguments.sharding,
            )?);
        }
        (Some(_), None) => {
            let how = "add `--shards 3`: an engine is told how many machines share the run";
            return Err(Failure::say(Exit::Input, "this format needs --shards N", how));
        }
        (None, Some(_)) => {
            let how = "add `--format slurm`, `github`, `gitlab` or `kubernetes`; `--shard 1/3` shows the cells of one shard";
            return Err(Failure::say(Exit::Input, "--shards N is for the formats of engines", how));
        }
        (None, None) => {}
    }
    if let Some(shard) = arguments.sharding.shard {
        let division = arguments.sharding.division(Path::new("results"))?;
        let division = division.with(selected.settings.baseline.as_ref());
        selected.cells = shard.take(selected.cells, &division).map_err(Failure::input)?;
    }
    let power = arguments.power.then_some(Wanted { bound: arguments.bound, fix: arguments.fix });
    let shown = Shown { format: arguments.format, shard: arguments.sharding.shard, power };
    let show = |selected: Selected, host: &Host<'_>| {
        let made = Made::of(selected, host);
        if let Some(path) = arguments.lock {
            let lock = campaign::lock(&matrix, &asked, &made.profile, &made.settings, &made.plan);
            fresh::write(&[(path, lock.text())])?;
        }
        Ok(made.render(&matrix, host.auto, shown))
    };
    let text: Result<String, Failure> = if arguments.any_host {
        show(selected, &Host { reason: &|_| None, auto: Accelerator::Kvm })
    } else {
        let host = Abilities { accelerator: known_accelerator(), ..abilities_for(&selected.cells) };
        let auto = match host.accelerator {
            Some(Resolved { engine: configuration::Engine::Kvm, .. }) => Accelerator::Kvm,
            Some(Resolved { engine: configuration::Engine::Tcg, .. }) | None => Accelerator::Tcg,
        };
        let reason = |cell: &Cell| lack(&host, cell);
        show(selected, &Host { reason: &reason, auto })
    };
    print(&text?)
}

/// A plan, and what is told beside it.
struct Made {
    profile: String,
    settings: Settings,
    plan: Plan,
    warnings: Vec<String>,
}

impl Made {
    fn of(selected: Selected, host: &Host<'_>) -> Self {
        let Selected { profile, settings, cells, weak_controls, undecidable } = selected;
        let plan = Plan::make(cells, host.reason);
        let plan = if settings.aa_pair { plan.with_again() } else { plan };
        let warnings = weak_controls.iter().map(WeakControl::to_string);
        let warnings = warnings.chain(undecidable.iter().map(Undecidable::to_string)).collect();
        Self { profile, settings, plan, warnings }
    }

    fn render(&self, matrix: &Matrix, auto: Accelerator, shown: Shown) -> String {
        let Self { profile, settings, plan, warnings } = self;
        let power = |wanted| {
            let of_kernels = PlannedPower::of_kernels(plan, settings, wanted, auto);
            let of_kernels = settings.baseline.as_ref().zip(of_kernels);
            super::power::Power {
                of_host: PlannedPower::of(plan, settings, wanted, auto),
                of_kernels,
                wanted,
            }
        };
        let power = shown.power.map(power);
        match shown.format {
            Format::Text => {
                let mut page = render_text(matrix, profile, plan, auto);
                if let Some(shard) = shown.shard {
                    let part = format!(
                        "shard {shard}: with the bare-metal cells and the controls that its cells need, which other shards may have too"
                    );
                    page.wrap("", &part, 2);
                }
                if let Some(baseline) = &settings.baseline {
                    page.wrap("", &compared_kernels(plan, baseline), 2);
                }
                warnings.iter().for_each(|warning| page.wrap("", warning, 2));
                power.iter().for_each(|power| power.write(&mut page));
                page.into_text()
            }
            // Formats of engines are rendered without a plan.
            Format::Json | Format::Slurm | Format::Github | Format::Gitlab | Format::Kubernetes => {
                let mut json = render_json(matrix, profile, plan, auto);
                json["shard"] = json!(shown.shard.map(record::format::Shard::from));
                if let Some(power) = power {
                    json["power"] = power.json();
                }
                if let Some(baseline) = &settings.baseline {
                    json["baseline"] = kernels_json(plan, baseline);
                }
                format!("{json:#}\n")
            }
        }
    }
}

fn render_text(matrix: &Matrix, profile: &str, plan: &Plan, auto: Accelerator) -> Page {
    let shown = shown_parameters(matrix, plan);
    let mut table = Table::new([
        ("cell", Align::Left),
        ("scenario", Align::Left),
        ("configuration", Align::Left),
        ("kernel", Align::Left),
        ("path", Align::Left),
        ("trials", Align::Right),
        ("blocks", Align::Right),
        ("status", Align::Left),
        ("parameters", Align::Left),
    ])
    .without_first(&["blocks", "trials"]);
    for planned in &plan.cells {
        let cell = &planned.cell;
        let subject = &cell.subject;
        let status = match &planned.skipped {
            None if cell.repeats.is_some() => "ready (A/A pair)".to_owned(),
            None => "ready".to_owned(),
            Some(_) => "skipped".to_owned(),
        };
        let parameters: Vec<String> = subject
            .parameters
            .iter()
            .filter(|(name, _)| shown.contains(&(subject.scenario.as_str(), name.as_str())))
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        table.row([
            cell.id.to_string(),
            subject.scenario.clone(),
            subject.configuration.name.clone(),
            subject.kernel.clone(),
            subject.path.name.clone(),
            thousands(cell.trials),
            cell.blocks.to_string(),
            status,
            parameters.join(" "),
        ]);
    }
    let mut out = page();
    table.write(&mut out, 2);
    reasons(&mut out, plan);
    hardware(&mut out, plan);
    summary(&mut out, matrix, profile, plan, auto);
    out
}

/// Parameters that tell the cells of a scenario apart, or that are not the scenario's defaults.
fn shown_parameters<'p>(matrix: &Matrix, plan: &'p Plan) -> BTreeSet<(&'p str, &'p str)> {
    let mut values: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for planned in &plan.cells {
        let subject = &planned.cell.subject;
        for (name, value) in &subject.parameters {
            values.entry((&subject.scenario, name)).or_default().insert(value);
        }
    }
    let is_default = |scenario: &str, name: &str, value: &str| {
        matrix
            .scenario(scenario)
            .and_then(|scenario| scenario.parameter(name))
            .is_some_and(|parameter| parameter.default == value)
    };
    values
        .into_iter()
        .filter(|((scenario, name), values)| {
            values.len() > 1 || values.iter().any(|value| !is_default(scenario, name, value))
        })
        .map(|(place, _)| place)
        .collect()
}

/// Why cells are skipped: once per reason and configuration.
fn reasons(out: &mut Page, plan: &Plan) {
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (cell, lack) in plan.skipped() {
        *counts.entry((&cell.subject.configuration.name, lack.to_string())).or_default() += 1;
    }
    if !counts.is_empty() {
        out.push_str("\n");
    }
    for ((configuration, reason), count) in counts {
        let cells = if count == 1 { "1 cell".to_owned() } else { format!("{count} cells") };
        out.wrap("  ", &format!("skipped: {configuration} ({cells}): {reason}"), 4);
    }
}

/// By configuration, what of its hardware is asked for by name. Those that take it as QEMU has it are left out.
fn told_hardware(plan: &Plan) -> BTreeMap<&str, Vec<String>> {
    let once = plan.cells.iter().filter(|planned| planned.cell.repeats.is_none());
    let configurations = once.map(|planned| &planned.cell.subject.configuration);
    let told = configurations.map(|one| (one.name.as_str(), one.target.told_hardware()));
    told.filter(|(_, told)| !told.is_empty()).collect()
}

/// What of the hardware is otherwise than QEMU has it: a line for each configuration.
fn hardware(out: &mut Page, plan: &Plan) {
    let told = told_hardware(plan);
    if !told.is_empty() {
        out.push_str("\n");
    }
    for (configuration, told) in told {
        out.wrap("  ", &format!("hardware: {configuration}: {}", told.join("; ")), 4);
    }
}

fn summary(out: &mut Page, matrix: &Matrix, profile: &str, plan: &Plan, auto: Accelerator) {
    let cost = plan.cost(auto);
    let controls = plan.cells.iter().filter(|planned| planned.cell.control.is_some()).count();
    let skipped = plan.skipped().count();
    let of_profile = if profile.is_empty() { String::new() } else { format!(", profile {profile}") };
    out.push_str("\n");
    let all = plan.cells.len();
    let plural = if controls == 1 { "" } else { "s" };
    let cells = format!("{all} cells, of which {controls} control{plural}; {skipped} skipped");
    out.wrap("", &format!("{}{of_profile}: {cells}", matrix.name()), 2);
    let (blocks, trials, time) = (thousands(cost.blocks), thousands(cost.trials), minutes(cost.time));
    let boots = match cost.boots {
        0 => String::new(),
        1 => " (1 boot of a guest)".to_owned(),
        boots => format!(" ({} boots of guests)", thousands(boots)),
    };
    let cost =
        format!("{blocks} blocks{boots}, {trials} trials, about {time} one after the other (an estimate)");
    out.wrap("", &cost, 2);
    if plan.ready().next().is_some() && !plan.ready().any(Cell::is_baseline) {
        let alone = format!("no cell on bare metal: nothing to compare with; {}", matrix.add_host(profile));
        out.wrap("", &alone, 2);
    } else if let Some(alone) = without_baseline(plan) {
        out.wrap("", &alone, 2);
    }
}

/// What is said of guests whose cells no bare-metal cell of the plan can be compared with.
fn without_baseline(plan: &Plan) -> Option<String> {
    let measured = || plan.ready().filter(|cell| cell.control.is_none());
    let baselines: HashSet<Stratum<'_>> =
        measured().filter(|cell| cell.is_baseline()).map(Cell::stratum).collect();
    let alone = || measured().filter(|cell| !cell.is_baseline() && !baselines.contains(&cell.stratum()));
    let guests: BTreeSet<&str> = alone().map(|cell| cell.subject.configuration.name.as_str()).collect();
    let cells = match alone().count() {
        0 => return None,
        1 => "1 cell".to_owned(),
        count => format!("{count} cells"),
    };
    let guests: Vec<&str> = guests.into_iter().collect();
    Some(format!(
        "{cells} of {} cannot be compared: no cell on bare metal has the same scenario, parameters, path, `localtime` and `timezone`; \
         add a configuration with kind = \"host\" and these two keys as the guest has them",
        guests.join(", ")
    ))
}

/// `compared with kernel 6.1: 4 cells of ./linux, 2 cells of 6.12`, and for how many there is no such cell.
fn compared_kernels(plan: &Plan, baseline: &Baseline) -> String {
    let pairs = kernel_pairs(plan.ready(), baseline);
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    pairs.iter().for_each(|pair| *numbers.entry(&pair.second.subject.kernel).or_default() += 1);
    let cells = |n: usize| if n == 1 { "1 cell".to_owned() } else { format!("{n} cells") };
    let of: Vec<String> = numbers.iter().map(|(kernel, n)| format!("{} of {kernel}", cells(*n))).collect();
    let kernel = baseline.kernel();
    let told = if of.is_empty() { "none".to_owned() } else { of.join(", ") };
    let others = plan.ready().filter(|cell| {
        let is_measured = cell.control.is_none() && cell.repeats.is_none();
        is_measured && cell.is_of_the_kernel_axis() && cell.subject.kernel != kernel
    });
    match others.count() - pairs.len() {
        0 => format!("compared with kernel {kernel}: {told}"),
        alone => format!(
            "compared with kernel {kernel}: {told}; {} cannot be: no cell that can be run on {kernel} differs from them in the kernel only",
            cells(alone)
        ),
    }
}

/// The field `baseline` of the plan: the kernel, and the ids of each pair.
fn kernels_json(plan: &Plan, baseline: &Baseline) -> Json {
    let pairs = kernel_pairs(plan.ready(), baseline);
    let pairs: Vec<Json> =
        pairs.iter().map(|pair| json!({ "cell": pair.second.id, "baseline": pair.first.id })).collect();
    json!({ "kernel": baseline.kernel(), "pairs": pairs })
}

/// Refuses a kernel that no recipe describes, or that cannot be a guest's: it would end the run.
pub(in crate::cli) fn refuse_unknown_kernels(cells: &[Cell]) -> Result<(), Failure> {
    let of_images = cells.iter().filter(|cell| cell.subject.configuration.target.disk().is_none());
    let named = |cell: &'_ Cell| (cell.subject.kernel.clone(), cell.subject.kernel_at.clone());
    let kernels: BTreeSet<(String, Option<PathBuf>)> = of_images.map(named).collect();
    for (kernel, at) in kernels.into_iter().filter(|(kernel, _)| kernel != HOST_KERNEL) {
        check_kernel(&kernel, at.as_deref())?;
    }
    Ok(())
}

/// As wide as the reader's.
fn page() -> Page {
    Page::new(width::for_table(), called::worded)
}

fn render_json(matrix: &Matrix, profile: &str, plan: &Plan, auto: Accelerator) -> Json {
    let cells: Vec<Json> = plan
        .cells
        .iter()
        .map(|planned| {
            let cell = &planned.cell;
            json!({
                "id": cell.id,
                "scenario": cell.subject.scenario,
                "parameters": cell.subject.parameters,
                "configuration": cell.subject.configuration.name,
                "kernel": cell.subject.kernel,
                "path": cell.subject.path.name,
                "claims": cell.claims,
                "control": cell.control.as_ref().map(|control| &control.name),
                "repeats": cell.repeats,
                "trials": cell.trials,
                "blocks": cell.blocks,
                "in_flight": cell.in_flight,
                "status": if planned.skipped.is_some() { "skipped" } else { "ready" },
                "reason": planned.skipped.as_ref().map(Lack::to_string),
            })
        })
        .collect();
    let cost = plan.cost(auto);
    json!({
        "format": 1,
        "matrix": matrix.name(),
        "profile": profile,
        "cells": cells,
        "hardware": told_hardware(plan),
        "cost": { "blocks": cost.blocks, "boots": cost.boots, "trials": cost.trials, "estimated_seconds": cost.time.as_secs() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Unable;

    #[test]
    fn skipped_cells_keep_their_reason_and_cost_nothing() {
        let (matrix, selected) = Asked::default().select().expect("the shipped matrix is valid");
        let all = selected.cells.len();
        let lack = Lack::Tap(Unable::Tap("no such device".to_owned()));
        let reason = |cell: &Cell| (!cell.is_baseline()).then(|| lack.clone());
        let abilities = Host { reason: &reason, auto: Accelerator::Tcg };
        let made = Made::of(selected, &abilities);
        let shown =
            |format, shard| made.render(&matrix, abilities.auto, Shown { format, shard, power: None });
        let text = shown(Format::Text, None);
        assert!(
            text.contains(
                "skipped: virtio-tap (17 cells): no tap: /dev/net/tun cannot make a tap: no such device"
            ),
            "{text}"
        );
        let json: Json = serde_json::from_str(&shown(Format::Json, "2/3".parse().ok())).expect("valid JSON");
        let cells = json["cells"].as_array().expect("a list");
        assert_eq!(cells.len(), all + 1, "and the second cell of the A/A pair");
        let again = cells.last().expect("some");
        let named = cells.iter().find(|cell| cell["id"] == again["repeats"]).expect("what it repeats");
        assert_eq!([&named["configuration"], &again["configuration"]], ["bare-metal", "bare-metal-again"]);
        assert!(text.contains("ready (A/A pair)"), "{text}");
        assert!(cells.iter().any(|cell| cell["reason"] == lack.to_string()));
        assert_eq!((&json["cost"]["blocks"], &json["cost"]["boots"]), (&50.into(), &0.into()));
    }
}
