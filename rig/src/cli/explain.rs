//! `rig explain`: who can set an errno, how to tell, and what a run saw of it.

use std::path::{Path, PathBuf};

use rig_protocol::Errno;

use super::image::Format;
use super::output::print;
use super::{Exit, Failure, called, width};
use crate::analysis::{Sightings, sightings};
use crate::explain::{Answer, find};
use crate::record::{self, Reader};

/// The command that plays what `rig explain` is asked for most.
const MAKE_ONE: &str = "`rig matrix run` makes one, in some minutes";

/// Arguments of `rig explain`.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A name, a number, the text that a program printed, or a log line with one of them
    #[arg(value_name = "ERRNO", required = true, num_args = 1.., allow_negative_numbers = true)]
    errno: Vec<String>,
    /// `latest`, a run's id, a unique part of one, or a path to a run's folder
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// The folder of the runs
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(arguments: Arguments) -> Result<Exit, Failure> {
    let errno = find(&arguments.errno.join(" ")).map_err(|error| Failure::input([error]))?;
    let measured = match &arguments.run {
        Some(run) => Ok(seen(record::find(&arguments.results, run)?.dir(), errno)?),
        None => newest(&arguments.results, errno),
    };
    let answer = Answer::new(errno, measured);
    print(&match arguments.format {
        Format::Text => called::worded(&answer.text(width::for_text())),
        Format::Json => answer.json(),
    })
}

fn seen(dir: &Path, errno: Errno) -> Result<Sightings, record::RecordError> {
    Ok(sightings(&Reader::open(dir)?, errno))
}

/// What the newest run saw, or why there is nothing to say: nobody asked for that run, so it fails nothing.
fn newest(results: &Path, errno: Errno) -> Result<Sightings, String> {
    let Some(id) = record::list(results).pop() else {
        return Err(format!(
            "Nothing: {} has no run. {MAKE_ONE}; --results names another folder.",
            results.display()
        ));
    };
    seen(&results.join(&id), errno).map_err(|error| {
        format!("Nothing: run {id} cannot be read ({error}). {MAKE_ONE}; --run names another one.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_run_is_read_and_one_that_cannot_be_read_is_told() {
        let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/runs");
        let newest_of_all = record::list(&runs).pop().expect("fixtures");
        let seen_there = seen(&runs.join(newest_of_all), Errno::ENOENT).expect("fixtures are read");
        assert_eq!(newest(&runs, Errno::ENOENT), Ok(seen_there));

        let results = tempfile::tempdir().expect("a folder");
        let none = newest(results.path(), Errno::ENOENT).expect_err("it is empty");
        assert!(none.contains("has no run. `rig matrix run` makes one"), "{none}");
        let run = results.path().join("20261121-201950-1f3a");
        fs_err::create_dir(&run).expect("made");
        fs_err::write(run.join("run.json"), "{").expect("written");
        let broken = newest(results.path(), Errno::ENOENT).expect_err("it is damaged");
        assert!(broken.contains("run 20261121-201950-1f3a cannot be read"), "{broken}");
    }
}
