//! `rig scenario list | show | new | run | check`

mod new;
mod parameters;
mod run;
mod source;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::image::Format;
use super::output::print;
use super::{Exit, Failure, called, width};
use crate::claims::{Set, refuse_unknown};
use crate::document::Problems;
use crate::matrix::Packer;
use crate::report::{Align, Page, Table};
use crate::script::{Catalogue, Scenario, describe_operations, probes, situations};
use parameters::resolve;
pub(super) use run::{place, watch};
use source::source_text;

/// Commands of `rig scenario`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List the scenarios that rig carries
    List {
        /// Output format
        #[arg(long, value_enum, default_value = "text")]
        format: Format,
    },
    /// Show a scenario: its steps, its parameters, and the outcomes that it expects
    Show {
        /// Its name, or the path of a file of your own
        #[arg(required_unless_present = "operations")]
        scenario: Option<String>,
        /// Values of parameters instead of their defaults
        #[arg(value_name = "PARAMETER=VALUE")]
        parameters: Vec<String>,
        /// List the operations that a step can name, and the keys of a scenario file
        #[arg(long, conflicts_with_all = ["scenario", "format"])]
        operations: bool,
        /// `toml` is the file as it is, to be redirected, changed and checked
        #[arg(long, value_enum, default_value = "text")]
        format: ShowFormat,
    },
    /// Write a scenario file to begin with
    New(new::Arguments),
    /// Run a scenario on this host, or in one guest, and count the outcomes, without a record
    Run(run::Arguments),
    /// Check scenario files, and show all that is wrong with them
    Check {
        /// Paths of scenario files
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// A folder with claims of your own, one file `ID.toml` each, which the scenarios may name
        #[arg(long, value_name = "DIR")]
        claims: Option<PathBuf>,
    },
}

/// How one scenario is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ShowFormat {
    /// One line per step, for people
    Text,
    /// The file
    Toml,
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::List { format } => list(format),
        Command::Show { operations: true, .. } => print(&describe_operations()),
        Command::Show { scenario, parameters, operations: false, format } => {
            let scenario = scenario.expect("clap asks for it where --operations is not given");
            match format {
                ShowFormat::Text => show(&scenario, &parameters),
                ShowFormat::Toml => show_file(&scenario, &parameters),
            }
        }
        Command::New(arguments) => new::run(&arguments),
        Command::Check { files, claims } => check(&files, claims.as_deref()),
        Command::Run(arguments) => run::run(arguments),
    }
}

fn list(format: Format) -> Result<Exit, Failure> {
    let catalogue = Catalogue::embedded();
    if format == Format::Json {
        let scenarios: Vec<Json> = catalogue.iter().map(described).collect();
        let atlas = json!({
            "situations": situations().collect::<Vec<_>>(),
            "probes": probes().collect::<Vec<_>>(),
        });
        return print(&format!("{:#}\n", json!({ "format": 1, "scenarios": scenarios, "atlas": atlas })));
    }
    let mut table = Table::new([("scenario", Align::Left), ("tests", Align::Left), ("title", Align::Left)]);
    for scenario in catalogue.iter() {
        let claims = match scenario.claims.as_slice() {
            [] => "-".to_owned(),
            [first, second, rest @ ..] if !rest.is_empty() => format!("{first} {second} +{}", rest.len()),
            some => some.join(" "),
        };
        table.row([scenario.name.clone(), claims, scenario.title.clone()]);
    }
    let mut page = Page::new(width::for_table(), called::worded);
    table.write(&mut page, 2);
    page.push_str("\n");
    page.wrap("", "The atlas: every situation of a connection under every probe. A pair is a scenario, SITUATION:PROBE.", 0);
    page.push_str("\n");
    page.wrap("  situations  ", &situations().collect::<Vec<_>>().join(", "), 14);
    page.wrap("  probes      ", &probes().collect::<Vec<_>>().join(", "), 14);
    print(&page.into_text())
}

/// All that is known of a scenario without its steps.
fn described(scenario: &Scenario) -> Json {
    let parameters: Vec<Json> = scenario
        .parameters
        .iter()
        .map(|one| json!({ "name": one.name, "default": one.default, "about": one.about }))
        .collect();
    json!({
        "name": scenario.name,
        "title": scenario.title,
        "about": scenario.about,
        "claims": scenario.claims,
        "proof": scenario.proof,
        "race": scenario.race,
        "control": scenario.is_control(),
        "parameters": parameters,
    })
}

fn show(word: &str, parameters: &[String]) -> Result<Exit, Failure> {
    let scenario = Catalogue::embedded().find(word, Path::new("")).map_err(Failure::input)?;
    let (given, _) = resolve(&scenario, parameters)?;
    print(&scenario.render(&given).expect("these values were just resolved"))
}

fn show_file(word: &str, parameters: &[String]) -> Result<Exit, Failure> {
    if let Some(first) = parameters.first() {
        return Err(Failure::say(
            Exit::Input,
            format!("`{first}` cannot be filled in: --format toml prints the file as it is"),
            format!(
                "leave it out and change its default in the file, or leave out --format toml to see `{word}` with it"
            ),
        ));
    }
    print(&source_text(word)?)
}

fn check(files: &[PathBuf], claims: Option<&Path>) -> Result<Exit, Failure> {
    let set = super::claims::read(claims)?;
    let mut own: Vec<Scenario> = Vec::new();
    let mut problems = Problems::default();
    let mut out = String::new();
    for file in files {
        match Scenario::read(file) {
            Ok(scenario) => {
                match packed(&scenario).and_then(|()| known(file, &set)) {
                    Ok(()) => out.push_str(&format!("{}: valid: {}\n", file.display(), scenario.title)),
                    Err(wrong) => problems.append(wrong),
                }
                own.push(scenario);
            }
            Err(wrong) => problems.append(wrong),
        }
    }
    let shipped = Catalogue::embedded();
    own.extend(shipped.iter().cloned());
    if let Err(wrong) = set.check(&own) {
        problems.append(wrong);
    }
    print(&out)?;
    if problems.is_empty() { Ok(Exit::Done) } else { Err(Failure::input(problems)) }
}

/// Whether every claim that a scenario's file names is one.
fn known(file: &Path, set: &Set) -> Result<(), Problems> {
    // It was just read; where it is gone since, that has said enough.
    let text = std::fs::read_to_string(file).unwrap_or_default();
    refuse_unknown(&file.display().to_string(), &text, set)
}

/// Whether the program of a scenario, where it has one, can be a client. With the defaults of its parameters, which are sound.
fn packed(scenario: &Scenario) -> Result<(), Problems> {
    let values = scenario.complete(&BTreeMap::new());
    let Ok(mut resolved) = scenario.resolve(&BTreeMap::new()) else { return Ok(()) };
    Packer::default().pack(scenario, &values, &mut resolved.script)
}
