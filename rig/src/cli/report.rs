//! `rig report`: renders a recorded run, from its files alone.

use std::io;
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;

use super::output::print;
use super::{Exit, Failure};
use crate::analysis::model::ReportModel;
use crate::analysis::{self, Conclusion};
use crate::record::{self, Reader, RecordError};
use crate::report::Format;

/// Arguments of `rig report`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// `latest`, a run's id, the beginning of one, or a path to a run's folder
    #[arg(default_value = "latest")]
    run: String,
    /// Which formats; several go to files
    #[arg(
        long,
        value_name = "FORMAT,...",
        value_delimiter = ',',
        default_value = "text",
        value_parser = PossibleValuesParser::new(Format::ALL.iter().map(|format| format.name))
    )]
    format: Vec<String>,
    /// Where the runs are
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Write report.txt, .json, .csv, .xml into this folder instead of printing (for several formats: the run's folder)
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let dir = record::find(&arguments.results, &arguments.run).map_err(blame)?;
    let model = analysis::analyse(&Reader::open(&dir).map_err(blame)?);
    let mut formats = Vec::new();
    for format in arguments.format.iter().filter_map(|name| Format::from_name(name)) {
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    match (&arguments.output, formats.as_slice()) {
        (None, [one]) => {
            print(&one.render(&model))?;
        }
        (output, formats) => {
            let output = output.as_deref().unwrap_or(&dir);
            let written = write_files(&model, formats, output)?;
            print(&written.iter().map(|path| format!("{}\n", path.display())).collect::<String>())?;
        }
    }
    Ok(Exit::Done)
}

/// Reads a run back from disk, writes every format into its folder, and returns what they say: the end of `rig matrix run`.
///
/// # Errors
/// Exit 2 where the run cannot be read, 4 where its folder cannot be written.
pub(in crate::cli) fn write_reports(run_dir: &Path) -> Result<ReportModel, Failure> {
    let model = analysis::analyse(&Reader::open(run_dir).map_err(blame)?);
    write_files(&model, Format::ALL, run_dir)?;
    Ok(model)
}

/// The exit code of a run that ended by itself and says this. Skipped cells are for the caller (`--deny-skips`).
pub(in crate::cli) fn exit_of(model: &ReportModel) -> Exit {
    match analysis::conclusion(model) {
        Conclusion::Done => Exit::Done,
        Conclusion::Short => Exit::Short,
        Conclusion::Alert => Exit::Alert,
    }
}

fn write_files(model: &ReportModel, formats: &[Format], dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let refused = |path: &Path, error: io::Error| {
        Failure::say(
            Exit::Testbed,
            format_args!("cannot write {}: {error}", path.display()),
            "the run itself is safe: `rig report RUN --output DIR` renders it anywhere else",
        )
    };
    std::fs::create_dir_all(dir).map_err(|error| refused(dir, error))?;
    let mut written = Vec::new();
    for &format in formats {
        let path = record::Layout::new(dir).report(format.extension);
        std::fs::write(&path, format.render(model)).map_err(|error| refused(&path, error))?;
        written.push(path);
    }
    Ok(written)
}

/// Exit 2 where the asked run is wrong, 4 where the disk is.
pub(in crate::cli) fn blame(error: RecordError) -> Failure {
    if error.blames_the_input() { Failure::input([error]) } else { Failure::testbed(error) }
}
