//! `rig history`: what the runs of a folder say together, night after night.
//!
//! Must not judge. Units: nights. Errors: [`Failure`]: the folder, the database, a word that names nothing. Tests: `tests/golden/history.rs`.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;

use super::output::print;
use super::streams::tell;
use super::{Exit, Failure, width};
use crate::campaign::{Nights, Watched, watch_nights, write_history};
use crate::history::Asked;
use crate::matrix::{Matrix, Watch};
use crate::report::{HistoryFormat, history_text};

/// What is behind it.
pub(super) const AFTER: &str = "The database history.sqlite in the folder of the runs is made from them, and can be made again at any time (--rebuild). The rules are those of [alert] and \
    [[known]] in the matrix of the newest night, or of the file that --matrix names. `rig docs history` explains the budget of false alarms.";

/// Arguments of `rig history`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// `latest` or a run (the history up to it), ids of cells, or filters axis=value
    #[arg(value_name = "RUN|CELL|FILTER")]
    which: Vec<String>,
    /// Output formats; several are written to files
    #[arg(
        long,
        value_name = "FORMAT,...",
        value_delimiter = ',',
        default_value = "text",
        value_parser = PossibleValuesParser::new(HistoryFormat::ALL.iter().map(|format| format.name))
    )]
    format: Vec<String>,
    /// The folder of the runs
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Write history.txt, .html, .json into this folder instead of printing
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Show so many nights of each machine, and let a step alert for so long
    #[arg(long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u16).range(1..=3_660))]
    nights: u16,
    /// Take the rules of [alert] and [[known]] from this file
    #[arg(long, value_name = "FILE")]
    matrix: Option<PathBuf>,
    /// Make the database anew from the runs
    #[arg(long)]
    rebuild: bool,
    /// Run this once for each alert; {} becomes the path of a page about it
    #[arg(long, value_name = "COMMAND")]
    notify: Option<String>,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let watch = arguments.matrix.as_deref().map(read_rules).transpose()?;
    let wanted = Nights {
        asked: Asked { nights: arguments.nights.into(), watch, words: arguments.which },
        rebuild: arguments.rebuild,
        notify: arguments.notify,
    };
    let Watched { history, notices, .. } = watch_nights(&arguments.results, &wanted)?;
    for notice in &notices {
        match &notice.failed {
            None => tell(format_args!("noticed: {}", notice.alert)),
            Some(why) => {
                tell(format_args!("not noticed, and asked for again the next time: {}: {why}", notice.alert))
            }
        }
    }
    let mut formats = Vec::new();
    for format in arguments.format.iter().filter_map(|name| HistoryFormat::from_name(name)) {
        if !formats.contains(&format) {
            formats.push(format);
        }
    }
    match (&arguments.output, formats.as_slice()) {
        (None, [one]) if *one == HistoryFormat::TEXT => {
            print(&history_text(&history, width::report_page()))?;
        }
        (None, [one]) => drop(print(&one.render(&history))?),
        (None, _) => {
            return Err(Failure::say(
                Exit::Input,
                "several formats are written to files, and no folder is named for them",
                "add --output DIR, or ask for one format",
            ));
        }
        (Some(folder), formats) => {
            let written = write_history(&history, formats, folder)?;
            print(&written.iter().map(|path| format!("{}\n", path.display())).collect::<String>())?;
        }
    }
    Ok(if history.alerts() { Exit::Alert } else { Exit::Done })
}

/// The rules of a matrix file, which must be right as a whole.
fn read_rules(file: &std::path::Path) -> Result<Watch, Failure> {
    let matrix = Matrix::load(Some(file)).map_err(Failure::input)?;
    Watch::parse(matrix.name(), matrix.text()).map_err(Failure::input)
}
