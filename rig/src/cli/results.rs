//! `rig results`: recorded runs as a whole.

mod export;
mod gc;
mod list;
mod merge;
mod state;

use std::path::PathBuf;

use super::image::Format;
use super::output::print;
use super::{Exit, Failure, called, width};
use crate::audit::{self, Audit, AuditError, audit};
use crate::campaign::read_report;
use crate::record::{self, Folder};
use crate::report::Page;

/// Commands of `rig results`.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Compute every figure of a run's reports anew, and name what differs
    #[command(after_help = AFTER_VERIFY)]
    Verify(Verify),
    /// List the runs of a folder: how far each is, what it came to, how large it is
    List(list::Arguments),
    /// Write a run into one file, which every command takes in its place
    Export(export::Arguments),
    /// Make one run of several: the shards of a plan, copies of a run, or nights
    #[command(after_help = merge::AFTER)]
    Merge(merge::Arguments),
    /// Remove old runs, and keep the newest
    Gc(gc::Arguments),
}

/// What "anew" means.
const AFTER_VERIFY: &str = "The files are read, added up and tested by code of its own, which shares no arithmetic with the reports. Two numbers agree if they differ by less than \
    one millionth. What is not computed anew is listed by name.";

#[derive(Debug, clap::Args)]
pub(super) struct Verify {
    /// `latest`, a run's id, a unique part of one, a path to a run's folder, its page, or its file
    #[arg(default_value = "latest")]
    run: String,
    /// The folder of the runs
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Verify(arguments) => verify(&arguments),
        Command::List(arguments) => list::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Merge(arguments) => merge::run(&arguments),
        Command::Gc(arguments) => gc::run(&arguments),
    }
}

fn verify(arguments: &Verify) -> Result<Exit, Failure> {
    let found = record::find(&arguments.results, &arguments.run)?;
    let dir = found.dir();
    let model = read_report(dir)?;
    let now = serde_json::to_value(&model).expect("a model is plain data with string keys");
    let audited = audit(&Folder::open(dir)?, &now).map_err(refused)?;
    print(&match arguments.format {
        Format::Json => format!("{:#}\n", serde_json::to_value(&audited).expect("plain data")),
        Format::Text => text(&audited),
    })?;
    Ok(match (audited.differs(), audited.is_short()) {
        (true, _) => Exit::Alert,
        (false, true) => Exit::Short,
        (false, false) => Exit::Done,
    })
}

fn text(found: &Audit) -> String {
    let mut page = Page::new(width::for_text(), called::worded);
    for (depth, line) in audit::lines(found) {
        page.wrap(&"  ".repeat(depth), &line, 2 * depth + 2);
    }
    page.into_text()
}

fn refused(error: AuditError) -> Failure {
    if error.blames_the_input() { Failure::input([error]) } else { Failure::testbed(error) }
}
