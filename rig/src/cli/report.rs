//! `rig report`: renders a recorded run, from its files alone; and prints the schemas of what is written.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::builder::PossibleValuesParser;

use super::output::print;
use super::skips::DeniedSkips;
use super::{Exit, Failure, called, screen, width};
use crate::analysis::model::ReportModel;
use crate::analysis::{self, Conclusion, Ending};
use crate::campaign::{carried, read_report, write_reports};
use crate::record::{self, Found};
use crate::report::{FileSchema, Format, answer, text};

/// Arguments of `rig report`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// `latest`, a run's id, a unique part of one, a path to a run's folder, its page, or its file
    #[arg(default_value = "latest")]
    run: String,
    /// Output formats; with several, each is written to a file
    #[arg(
        long,
        value_name = "FORMAT,...",
        value_delimiter = ',',
        default_value = "text",
        value_parser = PossibleValuesParser::new(Format::ALL.iter().map(|format| format.name))
    )]
    format: Vec<String>,
    /// The folder of the runs
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    #[arg(long, value_name = "DIR", help = about_output())]
    output: Option<PathBuf>,
    /// Write the page (report.html) and open it in this desktop's browser
    #[arg(long, conflicts_with_all = ["format", "output"])]
    open: bool,
    /// Exit with the code of the run itself: 0, 3, 5 or 130
    #[arg(long)]
    exit_code: bool,
    /// With --exit-code: exit with 3 if a cell was skipped, as `rig matrix run --deny-skips` does
    #[arg(
        long,
        value_name = "WHICH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = DeniedSkips::ALL,
        requires = "exit_code"
    )]
    deny_skips: Option<DeniedSkips>,
    /// Print the JSON Schema of report.json, or of another file of a run; needs no run
    #[arg(
        long,
        value_name = "WHICH",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = FileSchema::REPORT.name,
        value_parser = PossibleValuesParser::new(FileSchema::ALL.iter().map(|schema| schema.name)),
        conflicts_with_all = ["run", "format", "results", "output", "exit_code"]
    )]
    schema: Option<String>,
}

fn about_output() -> String {
    let files: Vec<String> = Format::ALL.iter().map(|format| format!(".{}", format.extension)).collect();
    format!(
        "Write report{} into this folder instead of printing (for several formats: the run's folder)",
        files.join(", ")
    )
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    if let Some(schema) = arguments.schema.as_deref().and_then(FileSchema::from_name) {
        return print(&schema.text());
    }
    let found = record::find(&arguments.results, &arguments.run)?;
    let model = read_report(found.dir())?;
    if arguments.open {
        open(&found, &model)?;
        return Ok(if arguments.exit_code {
            exit_of(&model, arguments.deny_skips.as_ref())
        } else {
            Exit::Done
        });
    }
    let mut formats = Vec::new();
    for format in arguments.format.iter().filter_map(|name| Format::from_name(name)) {
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    match (&arguments.output, formats.as_slice()) {
        (None, [one]) => {
            print(&match one {
                // The last screen names the files, so it must know where they are.
                one if *one == Format::ANSWER => {
                    screen::coloured(&answer(&model, &found.shown().display().to_string(), called::worded))
                }
                one if *one == Format::TEXT => text(&model, width::report_page()),
                one => one.render_with(&model, &carried(found.dir(), &[*one])?),
            })?;
        }
        (output, formats) => {
            let output = match output.as_deref() {
                None if found.is_unpacked() => return Err(nowhere(found.shown())),
                None => found.dir(),
                Some(output) => output,
            };
            let written = write_reports(&model, formats, found.dir(), output)?;
            print(&written.iter().map(|path| format!("{}\n", path.display())).collect::<String>())?;
        }
    }
    Ok(if arguments.exit_code { exit_of(&model, arguments.deny_skips.as_ref()) } else { Exit::Done })
}

/// The program that opens a file with what its reader has chosen for its kind (freedesktop.org, xdg-utils).
const OPENER: &str = "xdg-open";

/// Of a page that was given, that page; of a run, a new one in its folder.
fn open(found: &Found, model: &ReportModel) -> Result<(), Failure> {
    let page = if found.is_page() {
        found.shown().to_owned()
    } else if found.is_unpacked() {
        let wrong = format!("{} has no page that a browser could open", found.shown().display());
        let how = "write one first: `rig report RUN --format html --output DIR`";
        return Err(Failure::say(Exit::Input, wrong, how));
    } else {
        let written = write_reports(model, &[Format::HTML], found.dir(), found.dir())?;
        written.into_iter().next().unwrap_or_else(|| found.dir().to_owned())
    };
    print(&format!("{}\n", page.display()))?;
    let unopened =
        |why: String| Failure::say(Exit::Testbed, why, format!("open {} in a browser", page.display()));
    match Command::new(OPENER).arg(&page).stdin(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(unopened(format!("{OPENER} could not open it ({status})"))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(unopened(format!("this host has no {OPENER}, which opens files in a desktop's programs")))
        }
        Err(error) => Err(unopened(format!("{OPENER} does not start: {error}"))),
    }
}

/// A page has no folder in which the others could lie.
fn nowhere(page: &Path) -> Failure {
    let wrong = format!("several formats of {} need a folder to be written into", page.display());
    Failure::say(Exit::Input, wrong, "add --output DIR, or ask for one format, which is printed")
}

/// The exit code of a run: of what it says, how it ended, and which skipped cells are denied.
pub(in crate::cli) fn exit_of(model: &ReportModel, denied: Option<&DeniedSkips>) -> Exit {
    match analysis::ending(model) {
        Ending::Interrupted => Exit::Interrupted,
        Ending::Concluded(Conclusion::Done | Conclusion::Alert)
            if denied.is_some_and(|denied| denied.fires(model)) =>
        {
            Exit::Short
        }
        Ending::Concluded(Conclusion::Done) => Exit::Done,
        Ending::Concluded(Conclusion::Short) => Exit::Short,
        Ending::Concluded(Conclusion::Alert) => Exit::Alert,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_the_exit_code_that_the_command_has() {
        let pairs = [
            (Ending::Concluded(Conclusion::Done), Exit::Done),
            (Ending::Concluded(Conclusion::Short), Exit::Short),
            (Ending::Concluded(Conclusion::Alert), Exit::Alert),
            (Ending::Interrupted, Exit::Interrupted),
        ];
        pairs.into_iter().for_each(|(ending, exit)| assert_eq!(ending.code(), exit as u8));
    }
}
