//! `rig compare`: two recorded runs, or two configurations of one, from their files alone.

use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;

use super::output::print;
use super::{Exit, Failure, width};
use crate::analysis::model::{ComparisonConclusion, RunComparison};
use crate::analysis::{compare_configurations, compare_runs};
use crate::campaign::write_comparison;
use crate::record::{self, Reader, Run};
use crate::report::{ComparisonFormat, comparison_text};

/// What is compared, and what is not.
pub(super) const AFTER: &str = "Cells of both runs with the same scenario, parameters, path, configuration and kernel are compared as `rig report` compares guests with the host: \
    errnos, outcomes and latencies, boots as the unit, corrected for the number of comparisons. Of two configurations the scenario, the parameters and the path are the same, and the \
    kernel where both are guests. Where two runs declare different rules, the stricter ones hold.";

/// Arguments of `rig compare`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// `latest`, a run's id, a unique part of one, a path to a run's folder, its page, or its file
    #[arg(value_name = "RUN_A")]
    first: String,
    /// The run that is compared with it, in the same words
    #[arg(value_name = "RUN_B", conflicts_with = "configurations")]
    second: Option<String>,
    /// Compare two configurations of RUN_A instead of two runs
    #[arg(long, num_args = 2, value_names = ["A", "B"])]
    configurations: Option<Vec<String>>,
    /// Output formats; several are written to files
    #[arg(
        long,
        value_name = "FORMAT,...",
        value_delimiter = ',',
        default_value = "text",
        value_parser = PossibleValuesParser::new(ComparisonFormat::ALL.iter().map(|format| format.name))
    )]
    format: Vec<String>,
    /// The folder of the runs
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    #[arg(long, value_name = "DIR", help = about_output())]
    output: Option<PathBuf>,
    /// Exit with 5 where nothing but latencies differ, too
    #[arg(long)]
    deny_latencies: bool,
}

fn about_output() -> String {
    let files: Vec<String> =
        ComparisonFormat::ALL.iter().map(|format| format!(".{}", format.extension)).collect();
    format!("Write comparison{} into this folder instead of printing", files.join(", "))
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let open = |asked: &str| -> Result<Run, Failure> {
        Ok(Reader::open(record::find(&arguments.results, asked)?.dir())?)
    };
    let first = open(&arguments.first)?;
    let compared = match (&arguments.second, arguments.configurations.as_deref()) {
        (Some(second), _) => compare_runs(&first, &open(second)?),
        (None, Some([a, b])) => compare_configurations(&first, [a, b]),
        (None, _) => {
            return Err(Failure::say(
                Exit::Input,
                "one run is named, and two things are compared",
                "name a second run, or two configurations of this one: `rig compare RUN --configurations A B`",
            ));
        }
    };
    let compared = compared.map_err(|error| Failure::input([error]))?;
    let mut formats = Vec::new();
    for format in arguments.format.iter().filter_map(|name| ComparisonFormat::from_name(name)) {
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    show(&compared, &formats, arguments.output.as_deref())?;
    Ok(match compared.conclusion {
        ComparisonConclusion::Differs => Exit::Alert,
        _ if arguments.deny_latencies && compared.has_other_latencies() => Exit::Alert,
        ComparisonConclusion::Short => Exit::Short,
        ComparisonConclusion::NoDifference => Exit::Done,
    })
}

fn show(
    compared: &RunComparison,
    formats: &[ComparisonFormat],
    output: Option<&Path>,
) -> Result<(), Failure> {
    match (output, formats) {
        (None, [one]) if *one == ComparisonFormat::TEXT => {
            print(&comparison_text(compared, width::report_page()))?;
        }
        (None, [one]) => drop(print(&one.render(compared))?),
        (None, _) => {
            return Err(Failure::say(
                Exit::Input,
                "several formats are written to files, and no folder is named for them",
                "add --output DIR, or ask for one format",
            ));
        }
        (Some(folder), formats) => {
            let written = write_comparison(compared, formats, folder)?;
            print(&written.iter().map(|path| format!("{}\n", path.display())).collect::<String>())?;
        }
    }
    Ok(())
}
